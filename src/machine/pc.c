// SPDX-License-Identifier: BSD-3-Clause
// The PC board: what is where, and what is wired to what.
//
//     0              RAM, up to 3 GiB            I/O 0x20, 0xa0, 0x4d0  PIC
//     0xe0000        (RAM) ACPI tables               0x40, 0x61         PIT
//     0xc0000000     PCI BARs                        0x60, 0x64         i8042
//     0xe0000000     PCI MMCONFIG                    0x70               RTC
//     0xfeb00000     virtio, transport mmio          0x80, 0xed         POST code, delay
//     0xfec00000     I/O APIC                        0x3f8, 0x2f8 ...   serial ports
//     0xfed00000     HPET                            0xcf8              PCI
//     0xfee00000     local APICs, MSIs               0x600              ACPI fixed registers
//     4 GiB          RAM, the rest                   0xf4, 0x505        exit port, pvpanic
//     behind it      PCI BARs, 64 bits
#include "machine/pc_priv.h"

#include "dev/acpi_pm.h"
#include "dev/apic_bus.h"
#include "dev/debug_exit.h"
#include "dev/hpet.h"
#include "dev/i8042.h"
#include "dev/ioapic.h"
#include "dev/isa_irqs.h"
#include "dev/lapic.h"
#include "dev/pci.h"
#include "dev/pic8259.h"
#include "dev/pit8254.h"
#include "dev/post_port.h"
#include "dev/pvpanic.h"
#include "dev/reset_control.h"
#include "dev/rtc_mc146818.h"
#include "dev/uart16550.h"
#include "machine/console_log.h"
#include "machine/dma_port.h"
#include "mem/ioports.h"
#include "mem/physmap.h"
#include "mem/ram.h"

#include <stdio.h>
#include <string.h>

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

const u16 pc_uart_ports[4] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
const u8 pc_uart_irqs[4] = {4, 3, 4, 3};

static bool build_uarts(struct pc *pc, struct error *err)
{
    char name[16], irq[16];

    for (u32 i = 0; i < pc->p.uarts; i++) {
        snprintf(name, sizeof(name), "uart%u", (unsigned)i);
        snprintf(irq, sizeof(irq), "irq=%u", pc_uart_irqs[i]);
        if (!add(pc, &uart16550_type, name, WITH("interrupts=pc.isa", irq), err))
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

// The HPET can take the place of PIT and RTC: their interrupts go through it.
static bool build_legacy(struct pc *pc, struct error *err)
{
    const char *timers = pc->p.has_hpet ? "interrupts=pc.hpet" : "interrupts=pc.isa";

    return add(pc, &apic_bus_type, "apics", NULL, err) &&
           add(pc, &ioapic_type, "ioapic", WITH("bus=pc.apics", "pins=32", "active_low=0xf0000"),
               err) &&
           add(pc, &isa_irqs_type, "isa", WITH("pic=pc.pic", "ioapic=pc.ioapic"), err) &&
           add(pc, &pic8259_type, "pic", WITH("interrupts=pc.cpu0.apic", "irq=0"), err) &&
           (!pc->p.has_hpet ||
            add(pc, &hpet_type, "hpet", WITH("interrupts=pc.isa", "ioapic=pc.ioapic"), err)) &&
           add(pc, &pit8254_type, "pit", WITH(timers, "irq=0"), err) &&
           add(pc, &rtc_type, "rtc", WITH(timers, "irq=8"), err) &&
           add(pc, &i8042_type, "i8042", WITH("interrupts=pc.isa", "irq=1"), err);
}

// What has come with ACPI and PCI.
static bool build_chipset(struct pc *pc, struct error *err)
{
    u64 behind = MAX(pc->p.mem + (PC_HOLE_END - PC_HOLE_BASE), PC_HOLE_END);
    char window[40];

    pc->window64 = GiB(32);
    while (pc->window64 < behind)
        pc->window64 *= 2;
    snprintf(window, sizeof(window), "memory64_base=%llu", (unsigned long long)pc->window64);
    pc->dma = add(pc, &dma_port_type, "dma", WITH("memory=pc.memory"), err);
    return pc->dma &&
           add(pc, &acpi_pm_type, "pm", WITH("interrupts=pc.isa", "irq=9", "acpi_mode=true"),
               err) &&
           add(pc, &reset_control_type, "reset", NULL, err) &&
           add(pc, &debug_exit_type, "exit", NULL, err) &&
           add(pc, &console_log_type, "console", NULL, err) &&
           add(pc, &pvpanic_type, "pvpanic", NULL, err) &&
           add(pc, &post_port_type, "post", NULL, err) &&
           add(pc, &post_port_type, "delay", NULL, err) &&
           add(pc, &pci_type, "pci",
               WITH("memory_bus=pc.memory", "io_bus=pc.ports", "memory=pc.dma",
                    "interrupts=pc.ioapic", "reset_control=pc.reset", "memory_base=3221225472",
                    "memory_size=512MiB", window, "memory64_size=32GiB"),
               err);
}

static bool pc_build(struct component *c, struct error *err)
{
    struct pc *pc = pc_of(c);

    pc->period = (u32)((TICKS_PER_SECOND + pc->p.clock / 2) / pc->p.clock);
    return build_memory(pc, err) && build_cores(pc, err) && build_legacy(pc, err) &&
           build_uarts(pc, err) && build_chipset(pc, err);
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

    if (pc->st.share > 1 &&
        (pc->st.share != (u32)__builtin_popcountll(pc->st.mask) || pc->st.rank >= pc->st.share))
        return error_set(err, ERROR_INPUT, "%s: the saved round of the cores makes no sense",
                         c->path);
    if (pc->st.share && (pc->st.turn >= pc->p.cpus || !(pc->st.mask >> pc->st.turn & 1)))
        return error_set(err, ERROR_INPUT, "%s: the saved turn is of a core that is not there",
                         c->path);
    if (pc->p.cpus < 64 && pc->st.started >> pc->p.cpus)
        return error_set(err, ERROR_INPUT, "%s: a core was started that is not there", c->path);
    pc->ending = false;
    models_flush(&pc->models);
    return true;
}

static void pc_reset(struct component *c)
{
    struct pc *pc = pc_of(c);

    pc->ending = false;
    models_flush(&pc->models);
}

static void pc_destroy(struct component *c)
{
    models_release(&pc_of(c)->models);
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
