// SPDX-License-Identifier: BSD-3-Clause
// What firmware tells an operating system of the board: the memory map and the ACPI tables.
#include "machine/pc_priv.h"

#include "base/alloc.h"
#include "dev/acpi_pm.h"
#include "dev/virtio.h"
#include "machine/acpi.h"

// The extended BIOS data area and everything up to 1 MiB is not the kernel's.
#define LOW_END 0x9fc00ull
#define HIGH_BASE 0x100000ull

u32 pc_memory_ranges(const struct component *c, struct boot_range *ret_ranges)
{
    u64 mem = pc_of(c)->p.mem, low = MIN(mem, PC_HOLE_BASE);
    u32 n = 0;

    ret_ranges[n++] = (struct boot_range){0, LOW_END, BOOT_RANGE_RAM};
    ret_ranges[n++] = (struct boot_range){LOW_END, HIGH_BASE - LOW_END, BOOT_RANGE_RESERVED};
    if (low > HIGH_BASE)
        ret_ranges[n++] = (struct boot_range){HIGH_BASE, low - HIGH_BASE, BOOT_RANGE_RAM};
    ret_ranges[n++] = (struct boot_range){PC_ECAM_BASE, PCI_ECAM_SIZE, BOOT_RANGE_RESERVED};
    ret_ranges[n++] = (struct boot_range){PC_SIMOP_BASE, PC_SIMOP_SIZE, BOOT_RANGE_RESERVED};
    if (low < mem)
        ret_ranges[n++] = (struct boot_range){PC_HOLE_END, mem - low, BOOT_RANGE_RAM};
    return n;
}

// HPET capabilities, low half: three comparators, 64 bits, legacy replacement, vendor.
static u32 hpet_id(struct component *pc)
{
    struct component *hpet = component_child(pc, "hpet");
    const struct mmio_ops *ops = hpet ? component_interface(hpet, "mmio") : NULL;

    return ops ? (u32)ops->read(hpet, 0, 4) : 0;
}

// PCI's wiring: INTA# of slot 0 is at the I/O APIC's input 16, and each slot is one further.
static void describe_pci(struct pc *pc, struct acpi_machine *m)
{
    m->has_pci = true;
    // There is one bus: no kernel need look for more.
    m->ecam = (struct acpi_window){PC_ECAM_BASE, MiB(1)};
    m->pci_memory32 = (struct acpi_window){PC_HOLE_BASE, PC_ECAM_BASE - PC_HOLE_BASE};
    m->pci_memory64 = (struct acpi_window){pc->window64, PC_WINDOW64_SIZE};
    for (u32 slot = 0; slot < ACPI_SLOTS; slot++)
        for (u32 pin = 0; pin < 4; pin++)
            m->intx_gsi[slot][pin] = PC_PCI_GSI + (slot + pin) % 4;
}

static void describe_virtio(const struct pc *pc, struct acpi_virtio_mmio *ret)
{
    for (u32 i = 0; i < pc->virtio; i++)
        ret[i] = (struct acpi_virtio_mmio){
            .base = PC_VIRTIO_BASE + i * MEM_PAGE_SIZE,
            .size = (u32)virtio_mmio.size,
            .gsi = PC_VIRTIO_GSI + i,
        };
}

static void describe(struct pc *pc, const u32 *apic_ids, const struct acpi_virtio_mmio *virtio,
                     struct acpi_machine *m)
{
    *m = (struct acpi_machine){
        .apic_id = apic_ids,
        .n_cpus = (u32)pc->p.cpus,
        .lapic_base = (u32)PC_APIC_BASE,
        .ioapic_base = (u32)PC_IOAPIC_BASE,
        .pm1_event_port = PC_PM_PORT + ACPI_PM_EVENT,
        .pm1_control_port = PC_PM_PORT + ACPI_PM_CONTROL,
        .pm_timer_port = PC_PM_PORT + ACPI_PM_TIMER,
        .pm_timer_32bit = true,
        .sci_irq = PC_SCI_IRQ,
        .s5_type = PC_S5_TYPE,
        .reset_port = 0xcf9,
        .reset_value = 6,
        .hpet_base = pc->p.has_hpet ? PC_HPET_BASE : 0,
        .hpet_id = hpet_id(&pc->base),
        .has_keyboard = true,
        .has_pic = true,
        .has_pit = true,
        .has_rtc = true,
        .pvpanic_port = 0x505,
        .virtio = virtio,
        .n_virtio = pc->virtio,
    };
    for (u32 i = 0; i < pc->p.uarts; i++)
        m->serial[i] = (struct acpi_serial){pc_uart_ports[i], pc_uart_irqs[i]};
    describe_pci(pc, m);
}

bool pc_firmware(struct component *c, paddr *ret_rsdp, struct error *err)
{
    struct pc *pc = pc_of(c);
    struct mem_port memory = pc_memory(c);
    AUTO(strbuf) struct strbuf tables = {0};
    struct acpi_virtio_mmio virtio[PC_VIRTIO_MAX];
    u32 apic_ids[PC_MAX_CPUS];
    struct acpi_machine m;

    for (u32 i = 0; i < pc->p.cpus; i++)
        apic_ids[i] = i;
    describe_virtio(pc, virtio);
    describe(pc, apic_ids, virtio, &m);
    if (!acpi_build(&m, PC_BIOS_BASE, HIGH_BASE - PC_BIOS_BASE, &tables, err))
        return false;
    if (!mem_port_copy_in(&memory, PC_BIOS_BASE, tables.text, tables.length))
        return error_set(err, ERROR_INPUT, "no memory where the ACPI tables go");
    *ret_rsdp = PC_BIOS_BASE;
    return true;
}
