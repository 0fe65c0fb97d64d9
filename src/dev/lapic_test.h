// SPDX-License-Identifier: BSD-3-Clause
// For the tests of APICs: a machine of a bus, local APICs with mock cores and an I/O APIC.
#pragma once

#include "base/alloc.h"
#include "base/file.h"
#include "dev/apic_bus.h"
#include "dev/ioapic.h"
#include "dev/lapic.h"
#include "sim/checkpoint.h"
#include "sim/mmio.h"
#include "sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { APIC_ON = 1 << 11, APIC_X2 = 1 << 10, TEST_CPUS = 4, TSC_TICKS = 500 };

// xAPIC offsets.
enum {
    R_ID = 0x20,
    R_VERSION = 0x30,
    R_TPR = 0x80,
    R_APR = 0x90,
    R_PPR = 0xa0,
    R_EOI = 0xb0,
    R_LDR = 0xd0,
    R_DFR = 0xe0,
    R_SVR = 0xf0,
    R_ISR = 0x100,
    R_TMR = 0x180,
    R_IRR = 0x200,
    R_ESR = 0x280,
    R_ICR = 0x300,
    R_ICR2 = 0x310,
    R_TIMER = 0x320,
    R_LINT0 = 0x350,
    R_LINT1 = 0x360,
    R_ERROR = 0x370,
    R_INITIAL = 0x380,
    R_CURRENT = 0x390,
    R_DIVIDE = 0x3e0,
};

// A core remembers what its APIC told it. Its TSC runs at 2 GHz from `tsc_from` (at tick 0) on.
struct core {
    struct sim *sim;
    bool intr;
    unsigned nmis, inits, startups, deadlines, tpr_changes;
    u8 startup_vector;
    u64 cr8, tsc_from;
    int pic_vector;
};

struct machine {
    struct sim sim;
    struct component *bus, *io, *cpu[TEST_CPUS];
    struct core core[TEST_CPUS];
};

static void core_interrupt(void *ctx, bool deliverable)
{
    ((struct core *)ctx)->intr = deliverable;
}
static void core_nmi(void *ctx)
{
    ((struct core *)ctx)->nmis++;
}
static void core_init(void *ctx)
{
    ((struct core *)ctx)->inits++;
}
static void core_startup(void *ctx, u8 vector)
{
    ((struct core *)ctx)->startups++;
    ((struct core *)ctx)->startup_vector = vector;
}
static tick core_tsc_when(void *ctx, u64 tsc)
{
    struct core *k = ctx;

    return tsc <= k->tsc_from ? 0 : (tsc - k->tsc_from) * TSC_TICKS;
}
static int core_extint(void *ctx)
{
    struct core *k = ctx;
    int vector = k->pic_vector;

    k->pic_vector = -1;
    return vector;
}
static void core_tpr_changed(void *ctx, u64 cr8)
{
    ((struct core *)ctx)->tpr_changes++;
    ((struct core *)ctx)->cr8 = cr8;
}
static void core_deadline_fired(void *ctx)
{
    ((struct core *)ctx)->deadlines++;
}

static const struct lapic_core_ops test_core_ops = {
    .interrupt = core_interrupt,
    .nmi = core_nmi,
    .init = core_init,
    .startup = core_startup,
    .tsc_when = core_tsc_when,
    .extint = core_extint,
    .tpr_changed = core_tpr_changed,
    .deadline_fired = core_deadline_fired,
};

// Sets "param=value" of every local APIC, when not NULL.
static inline void machine_build(struct machine *m, const char *param, const char *value)
{
    struct error err;

    *m = (struct machine){0};
    sim_init(&m->sim);
    m->bus = component_new(&m->sim, &apic_bus_type, NULL, "bus", &err);
    m->io = component_new(&m->sim, &ioapic_type, m->bus, "io", &err);
    assert_true(component_set(m->io, "bus", "bus", &err));
    assert_true(component_set(m->io, "active_low", "0xff0000", &err));
    for (unsigned i = 0; i < TEST_CPUS; i++) {
        char name[8], id[8];

        snprintf(name, sizeof(name), "cpu%u", i);
        snprintf(id, sizeof(id), "%u", i);
        m->cpu[i] = component_new(&m->sim, &lapic_type, m->bus, name, &err);
        assert_true(component_set(m->cpu[i], "id", id, &err));
        assert_true(component_set(m->cpu[i], "bus", "bus", &err));
        if (param)
            assert_true(component_set(m->cpu[i], param, value, &err));
        m->core[i] = (struct core){.sim = &m->sim, .pic_vector = -1};
    }
    if (!sim_build(&m->sim, &err))
        fail_msg("%s", err.message);
    for (unsigned i = 0; i < TEST_CPUS; i++)
        lapic_attach(m->cpu[i], &test_core_ops, &m->core[i]);
    sim_reset(&m->sim);
    assert_true(log_set_filter("error", &err));
}

static inline void machine_free(struct machine *m)
{
    sim_release(&m->sim);
}

static inline u32 rd(struct machine *m, unsigned cpu, u64 offset)
{
    struct mmio r = {component_interface(m->cpu[cpu], "mmio"), m->cpu[cpu]};

    return (u32)mmio_read(&r, offset, 4);
}

static inline void wr(struct machine *m, unsigned cpu, u64 offset, u32 value)
{
    struct mmio r = {component_interface(m->cpu[cpu], "mmio"), m->cpu[cpu]};

    mmio_write(&r, offset, 4, value);
}

static inline bool wrmsr(struct machine *m, unsigned cpu, u32 index, u64 value)
{
    return lapic_msr(m->cpu[cpu], index, &value, true);
}

static inline u64 rdmsr(struct machine *m, unsigned cpu, u32 index)
{
    u64 value;

    assert_true(lapic_msr(m->cpu[cpu], index, &value, false));
    return value;
}

// As Linux does it: software-enabled with spurious vector 0xff.
static inline void machine_init(struct machine *m)
{
    machine_build(m, NULL, NULL);
    for (unsigned i = 0; i < TEST_CPUS; i++)
        wr(m, i, R_SVR, 0x1ff);
}

static inline void x2apic(struct machine *m, unsigned cpu)
{
    lapic_base_written(m->cpu[cpu], 0xfee00000 | APIC_ON | APIC_X2);
}

static inline void lint(struct machine *m, unsigned cpu, unsigned number, bool level)
{
    const struct irq_ops *ops = component_interface(m->cpu[cpu], "irq");

    ops->set(m->cpu[cpu], number, level);
}

static inline bool pending(struct machine *m, unsigned cpu, u64 bits, u8 vector)
{
    return rd(m, cpu, bits + vector / 32 * 16) >> (vector % 32) & 1;
}

// A fixed interrupt to cpu, edge-triggered, by MSI.
static inline void raise_vector(struct machine *m, unsigned cpu, u8 vector)
{
    struct apic_message message = {.dest = cpu, .vector = vector, .asserted = true};

    apic_bus_send(m->bus, &message, APIC_TO_DEST, NULL);
}

// Saves m and loads it into *copy, a machine built alike. False and *err when that is refused.
static inline bool machine_copy(struct machine *m, struct machine *copy, struct error *err)
{
    char directory[] = "/tmp/facet-apic-XXXXXX";
    AUTO_FREE char *path = NULL;
    struct error ignored;
    bool ok;

    assert_non_null(mkdtemp(directory));
    path = xasprintf("%s/c", directory);
    if (!checkpoint_save(&m->sim, path, NULL, err))
        fail_msg("%s", err->message);
    ok = checkpoint_load(&copy->sim, path, NULL, err);
    assert_true(file_remove_tree(directory, &ignored));
    return ok;
}
