// SPDX-License-Identifier: BSD-3-Clause
// Local APIC after Intel SDM vol. 3A chapter 10, as of the Pentium 4 and later (APIC id read-only,
// IPIs are edges), with x2APIC (§10.12).
// UNMODELLED: SMI; sources of the thermal, performance and CMCI entries, whose registers exist;
// focus processors; ids above 254. The spurious vector is never delivered: INTR goes away with its
// reason, so that no acknowledge cycle finds it gone.
// APPROX: shorthands with modes that the SDM calls invalid (NMI to self) are sent.
// Timing: messages take no time; delivery status always reads idle. See lapic_timer.c.
#include "dev/lapic.h"

#include "dev/lapic_priv.h"
#include "sim/sim.h"

#define LAPIC_EVENTS(E) E(timer, timer_event)

COMPONENT_TABLES(lapic, LAPIC_PARAMS, LAPIC_STATE, LAPIC_STATS, LAPIC_EVENTS);

static bool vector_test(const u32 *bits, u8 vector)
{
    return bits[vector / 32] >> (vector % 32) & 1;
}

static void vector_put(u32 *bits, u8 vector, bool value)
{
    bits[vector / 32] &= ~(1u << (vector % 32));
    bits[vector / 32] |= (u32)value << (vector % 32);
}

// The highest vector, or 0 when there is none.
static u8 vector_highest(const u32 *bits)
{
    for (unsigned i = 8; i-- > 0;)
        if (bits[i])
            return (u8)(32 * i + 31 - (unsigned)__builtin_clz(bits[i]));
    return 0;
}

// §10.8.3.1, on classes (bits 7:4).
u32 lapic_ppr(const struct lapic *l)
{
    u32 serving = vector_highest(l->st.isr) & 0xf0;

    return (l->st.tpr & 0xf0) >= serving ? l->st.tpr : serving;
}

// §10.6.2.4.
u32 lapic_apr(const struct lapic *l)
{
    u32 task = l->st.tpr & 0xf0, serving = vector_highest(l->st.isr) & 0xf0,
        waiting = vector_highest(l->st.irr) & 0xf0;

    if (task >= waiting && task > serving)
        return l->st.tpr;
    return MAX(task & waiting, serving);
}

static bool lint_active(const struct lapic *l, unsigned number)
{
    return l->st.lint[number] != !!(l->st.lvt[LVT_LINT0 + number] & LVT_ACTIVE_LOW);
}

static enum apic_mode lvt_mode(const struct lapic *l, enum lapic_lvt which)
{
    if (which == LVT_TIMER || which == LVT_ERROR)
        return APIC_FIXED;
    return l->st.lvt[which] >> 8 & 7;
}

// An ExtINT message or an input that is programmed so; switched off, LINT0 is the core's INTR.
static bool extint_waits(const struct lapic *l)
{
    if (l->st.mode == LAPIC_OFF)
        return l->st.lint[0];
    for (unsigned i = 0; i < 2; i++)
        if (!(l->st.lvt[LVT_LINT0 + i] & LVT_MASKED) && lvt_mode(l, LVT_LINT0 + i) == APIC_EXTINT &&
            lint_active(l, i))
            return true;
    return l->st.extint;
}

static bool vector_waits(const struct lapic *l)
{
    return (vector_highest(l->st.irr) & 0xf0u) > (lapic_ppr(l) & 0xf0);
}

bool lapic_deliverable(const struct component *c)
{
    const struct lapic *l = lapic_of(c);

    return vector_waits(l) || extint_waits(l);
}

void lapic_update(struct lapic *l)
{
    if (l->core->interrupt)
        l->core->interrupt(l->core_ctx, lapic_deliverable(&l->base));
}

int lapic_acknowledge(struct component *c)
{
    struct lapic *l = lapic_of(c);
    int vector = -1;

    if (extint_waits(l)) { // does not take part in the priorities
        l->st.extint = 0;
        vector = l->core->extint ? l->core->extint(l->core_ctx) : -1;
    }
    if (vector < 0 && vector_waits(l)) {
        vector = vector_highest(l->st.irr);
        vector_put(l->st.irr, (u8)vector, false);
        vector_put(l->st.isr, (u8)vector, true);
    }
    lapic_update(l);
    return vector;
}

static bool accept_vector(struct lapic *l, enum apic_mode mode, u8 vector, bool level)
{
    if (vector < LAPIC_FIRST_VECTOR) {
        lapic_error(l, LAPIC_RECEIVE_ILLEGAL_VECTOR);
        return false;
    }
    if (!(l->st.svr & SVR_ENABLED))
        return false;
    l->n.accepted[mode]++;
    l->n.merged += vector_test(l->st.irr, vector);
    vector_put(l->st.irr, vector, true);
    vector_put(l->st.tmr, vector, level);
    lapic_update(l);
    return true;
}

// §10.4.7.3; the mode and the inputs stay.
static void init_reset(struct lapic *l)
{
    u32 tpr = l->st.tpr;

    lapic_reset_registers(l);
    if (tpr && l->core->tpr_changed)
        l->core->tpr_changed(l->core_ctx, 0);
    lapic_update(l);
    if (l->core->init)
        l->core->init(l->core_ctx);
}

static bool deliver(struct lapic *l, enum apic_mode mode, u8 vector, bool level)
{
    switch (mode) {
    case APIC_FIXED:
    case APIC_LOWEST:
        return accept_vector(l, mode, vector, level);
    case APIC_NMI:
        if (l->core->nmi)
            l->core->nmi(l->core_ctx);
        break;
    case APIC_INIT:
        init_reset(l);
        break;
    case APIC_STARTUP:
        if (l->core->startup)
            l->core->startup(l->core_ctx, vector);
        break;
    case APIC_EXTINT:
        if (!(l->st.svr & SVR_ENABLED))
            return false;
        l->st.extint = 1;
        lapic_update(l);
        break;
    default:
        component_guest_warn(&l->base, "interrupt of mode %s is ignored", apic_mode_names[mode]);
        return false;
    }
    l->n.accepted[mode]++;
    return true;
}

// The first error after a write of the ESR interrupts (§10.5.3); one by the error entry's own
// vector cannot.
void lapic_error(struct lapic *l, u32 bits)
{
    bool first = !l->st.errors;

    l->st.errors |= bits;
    l->n.errors++;
    if (first)
        lapic_fire_lvt(l, LVT_ERROR);
}

void lapic_fire_lvt(struct lapic *l, enum lapic_lvt which)
{
    u32 entry = l->st.lvt[which];

    if (!(entry & LVT_MASKED))
        deliver(l, lvt_mode(l, which), (u8)entry, false);
}

void lapic_sample_lint(struct lapic *l, unsigned number, bool rose)
{
    u32 *entry = &l->st.lvt[LVT_LINT0 + number];
    enum apic_mode mode = lvt_mode(l, LVT_LINT0 + number);

    if (l->st.mode == LAPIC_OFF) {
        if (number == 1 && rose)
            deliver(l, APIC_NMI, 0, false);
    } else if (mode == APIC_FIXED && (*entry & LVT_LEVEL)) {
        if (!(*entry & (LVT_MASKED | LVT_REMOTE_IRR)) && lint_active(l, number) &&
            deliver(l, mode, (u8)*entry, true))
            *entry |= LVT_REMOTE_IRR;
    } else if (mode != APIC_EXTINT && rose) {
        lapic_fire_lvt(l, LVT_LINT0 + number);
    }
    lapic_update(l);
}

static void lint_set(void *ctx, unsigned number, bool level)
{
    struct lapic *l = lapic_of(ctx);
    bool was, is;

    if (number >= ARRAY_SIZE(l->st.lint)) {
        component_guest_warn(&l->base, "there is no input LINT%u", number);
        return;
    }
    was = lint_active(l, number);
    l->st.lint[number] = level;
    is = lint_active(l, number);
    if (was != is)
        lapic_sample_lint(l, number, is);
}

static void lint_eoi(struct lapic *l, u8 vector)
{
    for (unsigned i = 0; i < 2; i++) {
        u32 *entry = &l->st.lvt[LVT_LINT0 + i];

        if ((*entry & LVT_REMOTE_IRR) && (u8)*entry == vector) {
            *entry &= ~(u32)LVT_REMOTE_IRR;
            lapic_sample_lint(l, i, false);
        }
    }
}

// §10.8.5. Directed EOI (SVR bit 12) leaves the I/O APIC to software.
void lapic_eoi(struct lapic *l)
{
    u8 vector = vector_highest(l->st.isr);

    l->n.eois++;
    if (!vector)
        return;
    vector_put(l->st.isr, vector, false);
    lapic_update(l);
    if (!vector_test(l->st.tmr, vector))
        return;
    lint_eoi(l, vector);
    if (!(l->st.svr & SVR_NO_EOI_BROADCAST))
        apic_bus_eoi(l->bus, vector);
}

void lapic_self_ipi(struct lapic *l, u8 vector)
{
    l->n.ipis++;
    deliver(l, APIC_FIXED, vector, false);
}

// Destination 63:56 (x2APIC: 63:32), shorthand 19:18, trigger 15, level 14, logical 11, mode 10:8.
void lapic_send_ipi(struct lapic *l)
{
    u32 low = (u32)l->st.icr;
    enum apic_mode mode = low >> 8 & 7;
    bool fixed = mode == APIC_FIXED || mode == APIC_LOWEST;
    struct apic_message m = {
        .dest =
            l->st.mode == LAPIC_X2APIC ? (u32)(l->st.icr >> 32) : apic_dest8((u8)(l->st.icr >> 56)),
        .logical = low >> 11 & 1,
        .mode = (u8)mode,
        .vector = (u8)low,
        .level_trigger = mode == APIC_INIT && (low >> 15 & 1), // else ignored: an edge
        .asserted = low >> 14 & 1,
    };

    l->n.ipis++;
    if (fixed && m.vector < LAPIC_FIRST_VECTOR) {
        lapic_error(l, LAPIC_SEND_ILLEGAL_VECTOR);
        return;
    }
    if (mode == APIC_RESERVED || mode == APIC_EXTINT) {
        component_guest_warn(&l->base, "interrupt command 0x%x has a reserved mode", low);
        return;
    }
    apic_bus_send(l->bus, &m, low >> 18 & 3, &l->base);
}

// x2APIC: the cluster (id / 16) in bits 31:16, one of 16 bits (§10.12.10.2).
u32 lapic_ldr(const struct lapic *l)
{
    u32 id = (u32)l->p.id;

    return l->st.mode == LAPIC_X2APIC ? id >> 4 << 16 | 1u << (id & 15) : l->st.ldr;
}

// §10.6.2.2: DFR 0xf is the flat model, 0 the cluster model with clusters in bits 7:4.
static bool in_logical(const struct lapic *l, u32 dest)
{
    u32 ldr = lapic_ldr(l);

    if (l->st.mode == LAPIC_X2APIC)
        return dest >> 16 == ldr >> 16 && (dest & ldr & 0xffff);
    ldr >>= 24;
    if (dest > 0xff)
        return false;
    if (l->st.dfr >> 28 == 0xf)
        return dest & ldr;
    return l->st.dfr >> 28 == 0 && dest >> 4 == ldr >> 4 && (dest & ldr & 0xf);
}

static bool lapic_addressed(struct component *c, u32 dest, bool logical)
{
    struct lapic *l = lapic_of(c);

    if (l->st.mode == LAPIC_OFF)
        return false;
    if (dest == APIC_EVERYONE)
        return true;
    return logical ? in_logical(l, dest) : dest == l->p.id;
}

static int lapic_priority(struct component *c)
{
    struct lapic *l = lapic_of(c);

    return l->st.svr & SVR_ENABLED ? (int)lapic_ppr(l) : -1;
}

static bool lapic_accept(struct component *c, const struct apic_message *m)
{
    if (m->mode == APIC_INIT && m->level_trigger && !m->asserted) // no arbitration ids to set
        return true;
    return deliver(lapic_of(c), m->mode, m->vector, m->level_trigger);
}

void lapic_set_tpr(struct component *c, u64 cr8)
{
    struct lapic *l = lapic_of(c);

    l->st.tpr = (u32)cr8 << 4 & 0xf0;
    lapic_update(l);
}

u64 lapic_tpr(const struct component *c)
{
    return lapic_of(c)->st.tpr >> 4;
}

void lapic_base_written(struct component *c, u64 apic_base)
{
    static const u8 modes[4] = {LAPIC_OFF, LAPIC_OFF, LAPIC_XAPIC, LAPIC_X2APIC};
    struct lapic *l = lapic_of(c);
    u32 tpr = l->st.tpr;

    l->st.mode = modes[apic_base >> 10 & 3];
    if (l->st.mode == LAPIC_OFF) {
        lapic_reset_registers(l);
        if (tpr && l->core->tpr_changed)
            l->core->tpr_changed(l->core_ctx, 0);
    }
    lapic_update(l);
}

void lapic_virtual_wire(struct component *c)
{
    struct lapic *l = lapic_of(c);

    l->st.svr |= SVR_ENABLED;
    l->st.lvt[LVT_LINT0] = APIC_EXTINT << 8;
    l->st.lvt[LVT_LINT1] = APIC_NMI << 8;
    lapic_update(l);
}

void lapic_attach(struct component *c, const struct lapic_core_ops *ops, void *ctx)
{
    struct lapic *l = lapic_of(c);

    l->core = ops;
    l->core_ctx = ctx;
}

static void timer_event(void *owner, struct event *event)
{
    lapic_timer_fire(owner);
}

static bool lapic_build(struct component *c, struct error *err)
{
    static const struct lapic_core_ops no_core;

    lapic_attach(c, &no_core, NULL);
    return true;
}

static bool lapic_connect(struct component *c, struct error *err)
{
    static const struct apic_local_ops local_ops = {
        .addressed = lapic_addressed,
        .priority = lapic_priority,
        .accept = lapic_accept,
    };
    struct lapic *l = lapic_of(c);

    l->bus = apic_bus_find(c, l->p.bus, err);
    if (!l->bus)
        return false;
    apic_bus_add_local(l->bus, c, &local_ops);
    return true;
}

static void lapic_reset(struct component *c)
{
    struct lapic *l = lapic_of(c);

    l->st.mode = LAPIC_XAPIC;
    lapic_reset_registers(l);
    lapic_update(l);
}

static bool lapic_after_load(struct component *c, struct error *err)
{
    struct lapic *l = lapic_of(c);

    if (!lapic_check_registers(l))
        return error_set(err, ERROR_INPUT, "its registers hold what they never can");
    if (!lapic_timer_check(l))
        return error_set(err, ERROR_INPUT, "its timer is not where its count says");
    return true;
}

static const struct component_ops lapic_ops = {
    .build = lapic_build,
    .connect = lapic_connect,
    .reset = lapic_reset,
    .after_load = lapic_after_load,
};
static const struct irq_ops lapic_irq = {.set = lint_set};

const struct component_type lapic_type = {
    .name = "lapic",
    .doc = "Local APIC of a core: interrupts, inter-processor interrupts, timer",
    COMPONENT_LAYOUT(lapic),
    .ops = &lapic_ops,
    .provides = {IFACE(mmio, &lapic_mmio), IFACE(irq, &lapic_irq)},
};
