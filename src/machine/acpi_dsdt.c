// SPDX-License-Identifier: BSD-3-Clause
// The DSDT: the devices of the board that cannot be probed, and the PCI root.
#include "base/bug.h"
#include "machine/acpi_aml.h"
#include "machine/acpi_priv.h"

#include <stdio.h>

static void add_processors(struct aml *a, const struct acpi_machine *m)
{
    for (u32 i = 0; i < m->n_cpus; i++) {
        char name[8];

        snprintf(name, sizeof(name), "C%03X", i & 0xfff);
        aml_device(a, name);
        aml_name_string(a, "_HID", "ACPI0007");
        aml_name_integer(a, "_UID", i);
        aml_end(a);
    }
}

// An ISA device with ports [port, port + count) and an interrupt.
static void add_isa(struct aml *a, const char *name, const char *id, u16 port, u8 count, u32 irq)
{
    aml_device(a, name);
    aml_name_eisa(a, "_HID", id);
    aml_name_resources(a, "_CRS");
    aml_io(a, port, count);
    aml_irq(a, irq);
    aml_end(a);
    aml_end(a);
}

static void add_pic(struct aml *a)
{
    aml_device(a, "PIC");
    aml_name_eisa(a, "_HID", "PNP0000");
    aml_name_resources(a, "_CRS");
    aml_io(a, 0x20, 2);
    aml_io(a, 0xa0, 2);
    aml_io(a, 0x4d0, 2);
    aml_irq(a, 2);
    aml_end(a);
    aml_end(a);
}

static void add_keyboard(struct aml *a)
{
    aml_device(a, "KBD");
    aml_name_eisa(a, "_HID", "PNP0303");
    aml_name_resources(a, "_CRS");
    aml_io(a, 0x60, 1);
    aml_io(a, 0x64, 1);
    aml_irq(a, 1);
    aml_end(a);
    aml_end(a);
}

static void add_mouse(struct aml *a)
{
    aml_device(a, "MOU");
    aml_name_eisa(a, "_HID", "PNP0F13");
    aml_name_resources(a, "_CRS");
    aml_irq(a, 12);
    aml_end(a);
    aml_end(a);
}

static void add_serial(struct aml *a, const struct acpi_machine *m)
{
    for (u32 i = 0; i < ACPI_SERIAL_MAX; i++) {
        const struct acpi_serial *s = &m->serial[i];
        char name[5] = {'C', 'O', 'M', (char)('1' + i)};

        if (!s->port)
            continue;
        aml_device(a, name);
        aml_name_eisa(a, "_HID", "PNP0501");
        aml_name_integer(a, "_UID", i + 1);
        aml_name_resources(a, "_CRS");
        aml_io(a, s->port, 8);
        aml_irq(a, s->irq);
        aml_end(a);
        aml_end(a);
    }
}

static void add_legacy(struct aml *a, const struct acpi_machine *m)
{
    if (m->has_pic)
        add_pic(a);
    if (m->has_pit)
        add_isa(a, "TIMR", "PNP0100", 0x40, 4, 0);
    if (m->has_rtc)
        add_isa(a, "RTC", "PNP0B00", 0x70, 2, 8);
    if (m->has_keyboard)
        add_keyboard(a);
    if (m->has_mouse)
        add_mouse(a);
    add_serial(a, m);
}

static void add_hpet(struct aml *a, const struct acpi_machine *m)
{
    aml_device(a, "HPET");
    aml_name_eisa(a, "_HID", "PNP0103");
    aml_name_integer(a, "_UID", 0);
    aml_name_resources(a, "_CRS");
    aml_memory32(a, (u32)m->hpet_base, 0x400);
    aml_end(a);
    aml_end(a);
}

static void add_pvpanic(struct aml *a, const struct acpi_machine *m)
{
    aml_device(a, "PEVT");
    aml_name_string(a, "_HID", "QEMU0001");
    aml_name_resources(a, "_CRS");
    aml_io(a, m->pvpanic_port, 1);
    aml_end(a);
    aml_end(a);
}

static void add_virtio(struct aml *a, const struct acpi_machine *m)
{
    ASSERT(m->n_virtio <= ACPI_VIRTIO_MAX);
    for (u32 i = 0; i < m->n_virtio; i++) {
        const struct acpi_virtio_mmio *v = &m->virtio[i];
        char name[8];

        snprintf(name, sizeof(name), "VR%02X", i & 0xff);
        aml_device(a, name);
        aml_name_string(a, "_HID", "LNRO0005");
        aml_name_integer(a, "_UID", i);
        aml_name_integer(a, "_CCA", 1); // coherent DMA
        aml_name_resources(a, "_CRS");
        aml_memory32(a, (u32)v->base, v->size);
        aml_gsi_level_high(a, v->gsi);
        aml_end(a);
        aml_end(a);
    }
}

static u32 routes(const struct acpi_machine *m)
{
    u32 count = 0;

    for (u32 i = 0; i < ACPI_SLOTS * 4; i++)
        count += m->intx_gsi[i / 4][i % 4] != 0;
    return count;
}

// §6.2.13: {slot and any function, pin, no link device, GSI}.
static void add_routing(struct aml *a, const struct acpi_machine *m)
{
    aml_name_package(a, "_PRT", routes(m));
    for (u32 i = 0; i < ACPI_SLOTS * 4; i++) {
        u32 gsi = m->intx_gsi[i / 4][i % 4];

        if (!gsi)
            continue;
        aml_package(a, 4);
        aml_integer(a, i / 4 << 16 | 0xffff);
        aml_integer(a, i % 4);
        aml_integer(a, 0);
        aml_integer(a, gsi);
        aml_end(a);
    }
    aml_end(a);
}

static void add_pci(struct aml *a, const struct acpi_machine *m)
{
    u64 buses = m->ecam.size ? m->ecam.size >> 20 : 256;

    ASSERT(buses >= 1 && buses <= 256);
    aml_device(a, "PCI0");
    aml_name_eisa(a, "_HID", m->ecam.size ? "PNP0A08" : "PNP0A03");
    if (m->ecam.size)
        aml_name_eisa(a, "_CID", "PNP0A03");
    aml_name_integer(a, "_UID", 0);
    aml_name_integer(a, "_SEG", 0);
    aml_name_integer(a, "_BBN", 0);
    aml_name_integer(a, "_CCA", 1);
    // The system may control whatever it asks for.
    aml_method(a, "_OSC", 4);
    aml_return_argument(a, 3);
    aml_end(a);
    aml_name_resources(a, "_CRS");
    aml_window_bus(a, 0, (u16)(buses - 1));
    aml_io(a, 0xcf8, 8);
    aml_window_io(a, 0, 0xcf7);
    aml_window_io(a, 0xd00, 0xffff);
    if (m->pci_memory32.size)
        aml_window_memory32(a, (u32)m->pci_memory32.base, (u32)m->pci_memory32.size);
    if (m->pci_memory64.size)
        aml_window_memory64(a, m->pci_memory64.base, m->pci_memory64.size);
    aml_end(a);
    add_routing(a, m);
    aml_end(a);
}

// What belongs to no device; Linux uses MMCONFIG only where it finds it reserved.
static void add_motherboard(struct aml *a, const struct acpi_machine *m)
{
    aml_device(a, "MBRD");
    aml_name_eisa(a, "_HID", "PNP0C02");
    aml_name_resources(a, "_CRS");
    aml_io(a, m->pm1_event_port, 4);
    aml_io(a, m->pm1_control_port, 2);
    aml_io(a, m->pm_timer_port, 4);
    if (m->ecam.size)
        aml_memory32(a, (u32)m->ecam.base, (u32)m->ecam.size);
    aml_end(a);
    aml_end(a);
}

void acpi_dsdt_body(const struct acpi_machine *m, struct strbuf *out)
{
    struct aml a = {.out = out};

    aml_name_package(&a, "_S5", 4);
    aml_integer(&a, m->s5_type);
    for (int i = 0; i < 3; i++)
        aml_integer(&a, 0);
    aml_end(&a);
    aml_scope(&a, "_SB");
    add_processors(&a, m);
    add_motherboard(&a, m);
    add_legacy(&a, m);
    if (m->has_pci)
        add_pci(&a, m);
    if (m->hpet_base)
        add_hpet(&a, m);
    if (m->pvpanic_port)
        add_pvpanic(&a, m);
    add_virtio(&a, m);
    aml_end(&a);
}
