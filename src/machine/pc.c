// SPDX-License-Identifier: BSD-3-Clause
// The PC board: what is where, and what is wired to what.
//
//     0              RAM, up to 3 GiB            I/O 0x20, 0xa0, 0x4d0  PIC
//     0xe0000        (RAM) ACPI tables               0x40, 0x61         PIT
//     0xc0000000     PCI BARs                        0x60, 0x64         i8042
//     0xe0000000     PCI MMCONFIG                    0x70               RTC
//     0xfec00000     I/O APIC                        0x3f8, 0x2f8 ...   serial ports
//     0xfed00000     HPET                            0xcf8              PCI
//     0xfee00000     local APICs, MSIs               0x600              ACPI fixed registers
//     4 GiB          RAM, the rest                   0xf4, 0x505        exit port, pvpanic
//     behind it      PCI BARs, 64 bits
#include "machine/pc_priv.h"

#include "dev/apic_bus.h"
#include "dev/ioapic.h"
#include "dev/isa_irqs.h"
#include "dev/lapic.h"
#include "dev/pic8259.h"
#include "dev/pit8254.h"
#include "dev/uart16550.h"
#include "mem/ioports.h"
#include "mem/physmap.h"
#include "mem/ram.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK_POOL = 64 << 20 };

COMPONENT_TABLES(pc, PC_PARAMS, PC_STATE, PC_STATS, NO_ROWS);

struct pc *pc_of(const struct component *c)
{
    ASSERT(c->type == &pc_type);
    return (struct pc *)(uintptr_t)c;
}

struct component *pc_core(const struct component *c, u32 number)
{
    return number < pc_of(c)->p.cpus ? pc_of(c)->cores[number] : NULL;
}

u32 pc_cpus(const struct component *c)
{
    return (u32)pc_of(c)->p.cpus;
}

u64 pc_mem_bytes(const struct component *c)
{
    return pc_of(c)->p.mem;
}

struct mem_port pc_memory(const struct component *c)
{
    struct component *memory = pc_of(c)->memory;

    return (struct mem_port){.ops = component_interface(memory, "mem_port"), .ctx = memory};
}

void pc_set_simop(struct component *c, pc_simop_fn *fn, void *context)
{
    pc_of(c)->simop = fn;
    pc_of(c)->simop_context = context;
}

// ---- build

// A child with parameters "name=value", as many as are given, NULL behind the last.
static struct component *add(struct pc *pc, const struct component_type *type, const char *name,
                             const char *const *params, struct error *err)
{
    struct component *c = component_new(pc->base.sim, type, &pc->base, name, err);
    char key[64];

    for (; c && params && *params; params++) {
        const char *value = strchr(*params, '=');

        snprintf(key, sizeof(key), "%.*s", (int)(value - *params), *params);
        if (!component_set(c, key, value + 1, err))
            return NULL;
    }
    return c;
}
#define WITH(...) ((const char *const[]){__VA_ARGS__, NULL})

static bool build_cores(struct pc *pc, struct error *err)
{
    static const char *const levels[] = {"cpuid=x86-64-v1", "cpuid=x86-64-v2", "cpuid=x86-64-v3"};
    char name[16], id[24], seed[40], tsc[40];

    for (u32 i = 0; i < pc->p.cpus; i++) {
        snprintf(name, sizeof(name), "cpu%u", (unsigned)i);
        snprintf(id, sizeof(id), "id=%u", (unsigned)i);
        snprintf(seed, sizeof(seed), "seed=%llu", (unsigned long long)pc->p.seed);
        snprintf(tsc, sizeof(tsc), "tsc_khz=%llu",
                 (unsigned long long)(TICKS_PER_SECOND / 1000 / pc->period));
        pc->cores[i] = add(pc, &pc_core_type, name,
                           WITH(id, seed, tsc, levels[pc->p.cpuid], "bus=pc.apics"), err);
        if (!pc->cores[i])
            return false;
    }
    return true;
}

static const u16 uart_ports[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};

static bool build_uarts(struct pc *pc, struct error *err)
{
    static const char *const irqs[] = {"irq=4", "irq=3", "irq=4", "irq=3"};
    char name[16];

    for (u32 i = 0; i < pc->p.uarts; i++) {
        snprintf(name, sizeof(name), "uart%u", (unsigned)i);
        if (!add(pc, &uart16550_type, name, WITH("interrupts=pc.isa", irqs[i]), err))
            return false;
    }
    return true;
}

static bool build_memory(struct pc *pc, struct error *err)
{
    char size[32];

    snprintf(size, sizeof(size), "size=%llu", (unsigned long long)pc->p.mem);
    pc->ram = add(pc, &ram_type, "ram", WITH(size), err);
    pc->memory = pc->ram ? add(pc, &physmap_type, "memory", NULL, err) : NULL;
    pc->ports = pc->memory ? add(pc, &ioports_type, "ports", NULL, err) : NULL;
    return pc->ports;
}

static bool build_legacy(struct pc *pc, struct error *err)
{
    return add(pc, &apic_bus_type, "apics", NULL, err) &&
           add(pc, &ioapic_type, "ioapic", WITH("bus=pc.apics"), err) &&
           add(pc, &isa_irqs_type, "isa", WITH("pic=pc.pic", "ioapic=pc.ioapic"), err) &&
           add(pc, &pic8259_type, "pic", WITH("interrupts=pc.cpu0.apic", "irq=0"), err) &&
           add(pc, &pit8254_type, "pit", WITH("interrupts=pc.isa", "irq=0"), err);
}

static bool pc_build(struct component *c, struct error *err)
{
    struct pc *pc = pc_of(c);

    pc->period = (u32)((TICKS_PER_SECOND + pc->p.clock / 2) / pc->p.clock);
    return build_memory(pc, err) && build_cores(pc, err) && build_legacy(pc, err) &&
           build_uarts(pc, err);
}

// ---- connect

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
    const char *name; // of the device; NULL: `own`
    struct mmio own;
    u64 base;
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
        if (!bus->map(pc->ports, uart_ports[i], registers(pc, name), err))
            return false;
    }
    return true;
}

static bool map_memory(struct pc *pc, struct error *err)
{
    return map_ram(pc, err) &&
           physmap_add_mmio(pc->memory, PC_IOAPIC_BASE, registers(pc, "ioapic"), err) &&
           physmap_add_mmio(pc->memory, PC_APIC_BASE, registers(pc, "apics"), err);
}

static bool join_cores(struct pc *pc, struct error *err)
{
    struct pc_core_links links = {
        .memory = pc_memory(&pc->base),
        .io = {.ops = component_interface(pc->ports, "mem_port"), .ctx = pc->ports},
        .pic = child(pc, "pic"),
        .period = pc->period,
        .cores = (u32)pc->p.cpus,
        .before_device = pc_before_device,
        .after_device = pc_after_device,
        .woken = pc_core_woken,
        .simop = pc_core_simop,
        .context = pc,
    };

    pc->blocks = block_cache_new(BLOCK_POOL, false, err);
    for (u32 i = 0; pc->blocks && i < pc->p.cpus; i++) {
        struct component *core = pc->cores[i];
        struct cpu *model;

        pc_core_x86(core)->stubs = i ? pc_core_x86(pc->cores[0])->stubs : NULL;
        if (!pc_core_join(core, &links, err))
            return false;
        model = functional_new(&pc_core_x86(core)->core, pc->blocks, NULL, err);
        if (!model)
            return false;
        pc_core_set_model(core, model);
    }
    return pc->blocks;
}

static bool pc_connect(struct component *c, struct error *err)
{
    struct pc *pc = pc_of(c);

    return map_memory(pc, err) && map_ports(pc, err) && join_cores(pc, err);
}

// ---- life

static bool pc_check(struct component *c, struct error *err)
{
    struct pc *pc = pc_of(c);

    if (pc->p.mem % MEM_PAGE_SIZE)
        return error_set(err, ERROR_INPUT, "%s: the memory is no whole number of 4 KiB pages",
                         c->path);
    return true;
}

static bool pc_after_load(struct component *c, struct error *err)
{
    struct pc *pc = pc_of(c);

    if (pc->st.share > 1 && (pc->st.share != (u32)__builtin_popcountll(pc->st.mask) ||
                             pc->st.rank >= pc->st.share || pc->st.done > pc->p.quantum))
        return error_set(err, ERROR_INPUT, "%s: the saved round of the cores makes no sense",
                         c->path);
    if (pc->st.share && (pc->st.turn >= pc->p.cpus || !(pc->st.mask >> pc->st.turn & 1)))
        return error_set(err, ERROR_INPUT, "%s: the saved turn is of a core that is not there",
                         c->path);
    pc->ending = false;
    block_cache_flush(pc->blocks);
    return true;
}

static void pc_reset(struct component *c)
{
    struct pc *pc = pc_of(c);

    pc->ending = false;
    block_cache_flush(pc->blocks);
}

static void pc_destroy(struct component *c)
{
    block_cache_free(pc_of(c)->blocks);
    pc_of(c)->blocks = NULL;
}

static const struct component_ops pc_ops = {
    .check = pc_check,
    .build = pc_build,
    .connect = pc_connect,
    .reset = pc_reset,
    .after_load = pc_after_load,
    .destroy = pc_destroy,
};

static const struct control_ops pc_control_ops = {.request = pc_control};

const struct component_type pc_type = {
    .name = "pc",
    .doc = "PC board",
    COMPONENT_LAYOUT(pc),
    .ops = &pc_ops,
    .provides = {IFACE(control, &pc_control_ops)},
};
