// SPDX-License-Identifier: BSD-3-Clause
// How the parts of the PC board are joined: addresses, ports, cores.
#include "machine/pc_priv.h"

#include "dev/acpi_pm.h"
#include "dev/i8042.h"
#include "dev/pci.h"
#include "dev/pic8259.h"
#include "dev/pit8254.h"
#include "dev/virtio.h"
#include "machine/dma_port.h"
#include "mem/physmap.h"

#include <stdio.h>

enum { BLOCK_POOL = 32 << 20 };

static bool map_ram(struct pc *pc, struct error *err)
{
    u64 low = MIN(pc->p.mem, PC_HOLE_BASE);

    return physmap_add_ram(pc->memory, 0, pc->ram, 0, low, false, err) &&
           (low == pc->p.mem ||
            physmap_add_ram(pc->memory, PC_HOLE_END, pc->ram, low, pc->p.mem - low, false, err));
}

static struct component *child(struct pc *pc, const char *name)
{
    struct component *c = component_child(&pc->base, name);

    ASSERT(c);
    return c;
}

static struct mmio registers(struct pc *pc, const char *name)
{
    struct component *c = child(pc, name);

    return (struct mmio){.ops = component_interface(c, "mmio"), .device = c};
}

struct place {
    u64 base;
    const char *name; // of the device; NULL: `own`
    struct mmio own;
};

static bool map_ports(struct pc *pc, struct error *err)
{
    struct component *pic = child(pc, "pic");
    const struct place places[] = {
        {.base = 0x20, .name = "pic"},
        {.base = 0xa0, .own = pic8259_slave(pic)},
        {.base = 0x4d0, .own = pic8259_elcr(pic)},
        {.base = 0x40, .name = "pit"},
        {.base = 0x61, .own = pit8254_port61(child(pc, "pit"))},
        {.base = 0x60, .name = "i8042"},
        {.base = 0x64, .own = i8042_command_port(child(pc, "i8042"))},
        {.base = 0x70, .name = "rtc"},
        {.base = 0x80, .name = "post"},
        {.base = 0xed, .name = "delay"},
        {.base = 0xf4, .name = "exit"},
        {.base = 0x505, .name = "pvpanic"},
        {.base = PC_PM_PORT, .name = "pm"},
        {.base = 0xcf8, .name = "pci"},
    };
    const struct bus_ops *bus = component_interface(pc->ports, "bus");
    char name[16];

    for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
        struct mmio m = places[i].name ? registers(pc, places[i].name) : places[i].own;

        if (!bus->map(pc->ports, places[i].base, m, err))
            return false;
    }
    for (u32 i = 0; i < pc->p.uarts; i++) {
        snprintf(name, sizeof(name), "uart%u", (unsigned)i);
        if (!bus->map(pc->ports, pc_uart_ports[i], registers(pc, name), err))
            return false;
    }
    return true;
}

static bool map_memory(struct pc *pc, struct error *err)
{
    return map_ram(pc, err) &&
           physmap_add_mmio(pc->memory, PC_IOAPIC_BASE, registers(pc, "ioapic"), err) &&
           physmap_add_mmio(pc->memory, PC_APIC_BASE, registers(pc, "apics"), err) &&
           (!pc->p.has_hpet ||
            physmap_add_mmio(pc->memory, PC_HPET_BASE, registers(pc, "hpet"), err)) &&
           physmap_add_mmio(pc->memory, PC_ECAM_BASE, pci_ecam(child(pc, "pci")), err);
}

// Virtio devices of transport mmio, in their order: a page and an interrupt for each.
static bool place_virtio(struct pc *pc, struct error *err)
{
    for (struct component *c = pc->base.first_child; c; c = c->next_sibling) {
        struct mmio m = {.ops = component_interface(c, "mmio"), .device = c};

        if (!virtio_is_mmio(c))
            continue;
        if (pc->virtio == PC_VIRTIO_MAX)
            return error_set(err, ERROR_INPUT,
                             "%s: there is room for %d virtio devices with transport mmio", c->path,
                             (int)PC_VIRTIO_MAX);
        if (!virtio_wire(c, pc->dma->path, "pc.ioapic", PC_VIRTIO_GSI + pc->virtio, err) ||
            !physmap_add_mmio(pc->memory, PC_VIRTIO_BASE + pc->virtio * MEM_PAGE_SIZE, m, err))
            return false;
        pc->virtio++;
    }
    return true;
}

static bool join_cores(struct pc *pc, struct error *err)
{
    struct pc_core_links links = {
        .memory = pc_memory(&pc->base),
        .io = {.ops = component_interface(pc->ports, "mem_port"), .ctx = pc->ports},
        .pic = child(pc, "pic"),
        .period = pc->period,
        .mmio_cycles = (u32)pc->p.mmio_cycles,
        .io_cycles = (u32)pc->p.io_cycles,
        .cores = (u32)pc->p.cpus,
        .before_device = pc_before_device,
        .after_device = pc_after_device,
        .woken = pc_core_woken,
        .simop = pc_core_simop,
        .user_interrupted = pc_user_interrupted,
        .port_written = pc_port_written,
        .memory_written = pc_memory_written,
        .context = pc,
    };

    if (!models_init(&pc->models, BLOCK_POOL, false, err))
        return false;
    for (u32 i = 0; i < pc->p.cpus; i++) {
        struct component *core = pc->cores[i];

        pc_core_x86(core)->stubs = i ? pc_core_x86(pc->cores[0])->stubs : NULL;
        if (!pc_core_join(core, &links, err) ||
            !models_add(&pc->models, &pc_core_x86(core)->core, NULL, err))
            return false;
        pc_core_set_model(core, pc->models.core[i].active);
    }
    dma_port_watch(pc->dma, &pc_core_x86(pc->cores[0])->core);
    return true;
}

bool pc_connect(struct component *c, struct error *err)
{
    struct pc *pc = pc_of(c);

    return map_memory(pc, err) && map_ports(pc, err) && place_virtio(pc, err) &&
           join_cores(pc, err);
}
