// SPDX-License-Identifier: BSD-3-Clause
// High precision event timers, after Intel IA-PC HPET specification 1.0a: a 64-bit main counter and
// three comparators, all with periodic mode and 64 bits.
// UNMODELLED: interrupts as messages (FSB); their capability is not shown. Accesses other than
// aligned ones of 4 and 8 bytes have no effect and read as zero.
// APPROX: a comparator that is set to the counter's present value matches when the counter comes
// round again. The line of an edge-triggered timer stays high until just before the next edge, for
// 8259As, which forget an edge that is gone before they are asked.
// Timing: the counter is computed from the time. Matches are found when somebody looks; there is an
// event only for one that will change an interrupt line.
#include "dev/hpet.h"

#include "sim/clock.h"
#include "sim/mmio.h"
#include "sim/sim.h"

enum { TIMERS = 3, INPUTS = 16, HPET_SIZE = 1024 };
enum {
    REG_CAPABILITIES = 0x000,
    REG_CONFIG = 0x010,
    REG_STATUS = 0x020,
    REG_COUNTER = 0x0f0,
    REG_TIMERS = 0x100, // a block of 0x20 for each
    TIMER_CONFIG = 0x00,
    TIMER_COMPARATOR = 0x08,
    TIMER_STEP = 0x20,
};
enum {
    CAP_REVISION = 0x01,
    CAP_TIMERS = (TIMERS - 1) << 8,
    CAP_64 = 1 << 13,
    CAP_LEGACY = 1 << 15
};
#define CAP_VENDOR 0x80860000u
enum { CONFIG_ENABLE = 0x01, CONFIG_LEGACY = 0x02, CONFIG_BITS = 0x03 };
enum {
    TN_LEVEL = 1 << 1,
    TN_ENABLE = 1 << 2,
    TN_PERIODIC = 1 << 3,
    TN_PERIODIC_CAP = 1 << 4,
    TN_64_CAP = 1 << 5,
    TN_SET_VALUE = 1 << 6,
    TN_32 = 1 << 8,
    TN_ROUTE_SHIFT = 9,
    TN_ROUTE = 0x1f << TN_ROUTE_SHIFT,
    TN_BITS = TN_LEVEL | TN_ENABLE | TN_PERIODIC | TN_SET_VALUE | TN_32 | TN_ROUTE,
};
enum { PIT_IRQ = 0, RTC_IRQ = 8 };

#define HPET_PARAMS(P, PR, PB, PS, PC)                                                        \
    P(hertz, clock, 14318180, 10000000, 1000000000, "Clock")                                  \
    PS(ioapic, "", "Path of the IOAPIC")                                                      \
    P(u32, routes, 0x00f00000, 0, 0xffffffff, "Which of its pins timers can use: a bit each") \
    PS(interrupts, "", "Path of the ISA interrupt lines, for inputs and legacy replacement")

// The main counter was `counter` at clock `started`, or is it while halted. What matched up to the
// counter's value `seen` has been dealt with. high: the timer has raised its line.
#define HPET_STATE(F, FA, FE, FV) \
    FE(match)                     \
    F(u64, counter)               \
    F(u64, started)               \
    FA(u64, comparator, TIMERS)   \
    FA(u64, period, TIMERS)       \
    FA(u64, seen, TIMERS)         \
    FA(u16, timer_config, TIMERS) \
    FA(u8, high, TIMERS)          \
    F(u8, config)                 \
    F(u8, status)                 \
    F(u8, pad)                    \
    F(u16, inputs)                \
    F(u16, pad2)

#define HPET_STATS(S, SV, SH, SG, SR) S(interrupts, "Count", "Interrupts raised")

#define HPET_EVENTS(E) E(match, hpet_match)

COMPONENT_LISTS(hpet, HPET_PARAMS, HPET_STATE, HPET_STATS, HPET_EVENTS);

struct hpet {
    struct component base;
    struct hpet_params p;
    struct hpet_state st;
    struct hpet_stats n;
    WIRED(struct irq_line ioapic); // pin 0; the number is filled in
    WIRED(struct irq_line isa);    // line 0, the same
    DERIVED(struct clock clock);
};

static struct hpet *hpet_of(const struct component *c)
{
    ASSERT(c->type == &hpet_type);
    return (struct hpet *)(uintptr_t)c;
}

static bool enabled(const struct hpet *h)
{
    return h->st.config & CONFIG_ENABLE;
}

static bool legacy(const struct hpet *h)
{
    return h->st.config & CONFIG_LEGACY;
}

static u64 clock_now(const struct hpet *h)
{
    return clock_cycle(&h->clock, h->base.sim->queue.now);
}

static u64 counter(const struct hpet *h)
{
    return h->st.counter + (enabled(h) ? clock_now(h) - h->st.started : 0);
}

static u64 width_mask(const struct hpet *h, unsigned n)
{
    return h->st.timer_config[n] & TN_32 ? 0xffffffff : ~0ull;
}

static void set_isa(const struct hpet *h, unsigned number, bool level)
{
    struct irq_line line = h->isa;

    line.number = number;
    irq_line_set(&line, level);
}

// Where a timer's interrupt goes; not connected when nowhere.
static struct irq_line target(const struct hpet *h, unsigned n)
{
    struct irq_line line = {0};
    unsigned pin = (h->st.timer_config[n] & TN_ROUTE) >> TN_ROUTE_SHIFT;

    if (legacy(h) && n < 2) {
        line = h->isa;
        line.number = n == 0 ? PIT_IRQ : RTC_IRQ;
    } else if (h->p.routes >> pin & 1) {
        line = h->ioapic;
        line.number = pin;
    }
    return line;
}

static void raise_line(struct hpet *h, unsigned n)
{
    struct irq_line line = target(h, n);

    if (!(h->st.timer_config[n] & TN_LEVEL))
        irq_line_set(&line, false);
    irq_line_set(&line, true);
    h->st.high[n] = 1;
    h->n.interrupts++;
}

// Unless another timer holds the same line.
static void lower_line(struct hpet *h, unsigned n)
{
    struct irq_line line = target(h, n);

    if (!h->st.high[n])
        return;
    h->st.high[n] = 0;
    for (unsigned i = 0; i < TIMERS; i++) {
        struct irq_line other = target(h, i);

        if (h->st.high[i] && other.ops == line.ops && other.ctx == line.ctx &&
            other.number == line.number)
            return;
    }
    irq_line_set(&line, false);
}

static void fire(struct hpet *h, unsigned n)
{
    bool level = h->st.timer_config[n] & TN_LEVEL;

    if (level)
        h->st.status |= (u8)(1u << n);
    if ((h->st.timer_config[n] & TN_ENABLE) && !(level && h->st.high[n]))
        raise_line(h, n);
}

// Counts from `seen` until the comparator matches.
static u128 distance(const struct hpet *h, unsigned n)
{
    u64 mask = width_mask(h, n), d = (h->st.comparator[n] - h->st.seen[n]) & mask;

    return d ? d : (u128)mask + 1;
}

// Deals with what has matched up to now. Every access begins with it.
static void settle(struct hpet *h)
{
    u64 now = counter(h);

    for (unsigned n = 0; n < TIMERS; n++) {
        u64 elapsed = now - h->st.seen[n], period = h->st.period[n] & width_mask(h, n);
        u128 d = distance(h, n);

        h->st.seen[n] = now;
        if (elapsed < d)
            continue;
        if ((h->st.timer_config[n] & TN_PERIODIC) && period)
            h->st.comparator[n] += ((elapsed - (u64)d) / period + 1) * period;
        h->st.comparator[n] &= width_mask(h, n);
        fire(h, n);
    }
}

// Whether the timer's next match does something to its line.
static bool will_interrupt(const struct hpet *h, unsigned n)
{
    bool holds = (h->st.timer_config[n] & TN_LEVEL) && h->st.high[n];

    return (h->st.timer_config[n] & TN_ENABLE) && !holds && target(h, n).ops;
}

// After settle.
static void schedule(struct hpet *h)
{
    tick next = ~(tick)0;

    for (unsigned n = 0; n < TIMERS && enabled(h); n++)
        if (will_interrupt(h, n))
            next = MIN(next, clock_tick_wide(&h->clock, clock_now(h) + distance(h, n)));
    if (next == ~(tick)0)
        event_cancel(&h->st.match);
    else
        event_schedule(&h->st.match, next, EVENT_NORMAL);
}

static void hpet_match(void *owner, struct event *event)
{
    struct hpet *h = owner;

    settle(h);
    schedule(h);
}

// Lines follow the configuration: a timer's is released before it changes; after, it is raised
// again if the timer is level-triggered and its status set.
static void restore_line(struct hpet *h, unsigned n)
{
    if (!(h->st.timer_config[n] & TN_LEVEL))
        h->st.status &= (u8) ~(1u << n);
    else if ((h->st.status >> n & 1) && (h->st.timer_config[n] & TN_ENABLE))
        raise_line(h, n);
}

static void pass_input(const struct hpet *h, unsigned number)
{
    bool mine = legacy(h) && (number == PIT_IRQ || number == RTC_IRQ);

    if (!mine)
        set_isa(h, number, h->st.inputs >> number & 1);
}

static void write_config(struct hpet *h, u64 v)
{
    bool was_legacy = legacy(h);

    for (unsigned n = 0; n < TIMERS; n++)
        lower_line(h, n);
    h->st.counter = counter(h);
    h->st.started = clock_now(h);
    h->st.config = v & CONFIG_BITS;
    if (legacy(h) && !was_legacy) {
        set_isa(h, PIT_IRQ, false);
        set_isa(h, RTC_IRQ, false);
    } else if (!legacy(h) && was_legacy) {
        pass_input(h, PIT_IRQ);
        pass_input(h, RTC_IRQ);
    }
    for (unsigned n = 0; n < TIMERS; n++)
        restore_line(h, n);
}

static void write_status(struct hpet *h, u64 clear)
{
    for (unsigned n = 0; n < TIMERS; n++)
        if ((clear & h->st.status) >> n & 1)
            lower_line(h, n);
    h->st.status &= (u8)~clear;
}

static void write_counter(struct hpet *h, u64 v)
{
    h->st.counter = v;
    h->st.started = clock_now(h);
    for (unsigned n = 0; n < TIMERS; n++)
        h->st.seen[n] = v;
}

static void write_timer_config(struct hpet *h, unsigned n, u64 v)
{
    u16 before = h->st.timer_config[n], now = v & TN_BITS;

    if (!(h->p.routes >> ((now & TN_ROUTE) >> TN_ROUTE_SHIFT) & 1))
        now = (u16)((now & ~TN_ROUTE) | (before & TN_ROUTE));
    if (!(now & TN_PERIODIC))
        now &= (u16)~TN_SET_VALUE;
    lower_line(h, n);
    h->st.timer_config[n] = now;
    h->st.comparator[n] &= width_mask(h, n);
    restore_line(h, n);
}

// In periodic mode a write gives the period, and with the set-value bit the next match, too.
static void write_comparator(struct hpet *h, unsigned n, u64 mask, u64 v)
{
    u16 config = h->st.timer_config[n];

    if (config & TN_PERIODIC)
        h->st.period[n] = (h->st.period[n] & ~mask) | (v & mask);
    if (!(config & TN_PERIODIC) || (config & TN_SET_VALUE))
        h->st.comparator[n] = ((h->st.comparator[n] & ~mask) | (v & mask)) & width_mask(h, n);
    h->st.timer_config[n] &= (u16)~TN_SET_VALUE;
}

static u64 capabilities(const struct hpet *h)
{
    u64 femtoseconds = (1000000000000000 + h->p.clock / 2) / h->p.clock;

    return femtoseconds << 32 | CAP_VENDOR | CAP_LEGACY | CAP_64 | CAP_TIMERS | CAP_REVISION;
}

// The whole register at an offset that is a multiple of 8.
static u64 read_register(const struct hpet *h, u64 offset)
{
    unsigned n = (unsigned)(offset - REG_TIMERS) / TIMER_STEP;

    if (offset >= REG_TIMERS && n < TIMERS) {
        switch (offset % TIMER_STEP) {
        case TIMER_CONFIG:
            return h->p.routes << 32 | (h->st.timer_config[n] & ~(u64)TN_SET_VALUE) |
                   TN_PERIODIC_CAP | TN_64_CAP;
        case TIMER_COMPARATOR:
            return h->st.comparator[n];
        default:
            return 0;
        }
    }
    switch (offset) {
    case REG_CAPABILITIES:
        return capabilities(h);
    case REG_CONFIG:
        return h->st.config;
    case REG_STATUS:
        return h->st.status;
    case REG_COUNTER:
        return counter(h);
    default:
        return 0;
    }
}

// Writes the bits of `mask`.
static void write_register(struct hpet *h, u64 offset, u64 mask, u64 v)
{
    u64 whole = (read_register(h, offset) & ~mask) | (v & mask);
    unsigned n = (unsigned)(offset - REG_TIMERS) / TIMER_STEP;

    if (offset >= REG_TIMERS && n < TIMERS) {
        if (offset % TIMER_STEP == TIMER_CONFIG)
            write_timer_config(h, n, whole);
        else if (offset % TIMER_STEP == TIMER_COMPARATOR)
            write_comparator(h, n, mask, v);
        return;
    }
    if (offset == REG_CONFIG)
        write_config(h, whole);
    else if (offset == REG_STATUS)
        write_status(h, v & mask);
    else if (offset == REG_COUNTER)
        write_counter(h, whole);
}

static bool well_formed(struct component *c, u64 offset, unsigned size)
{
    if ((size == 4 || size == 8) && offset % size == 0)
        return true;
    component_guest_warn(c, "access of %u bytes to register 0x%x", size, (unsigned)offset);
    return false;
}

static u64 hpet_read(struct component *c, u64 offset, unsigned size)
{
    struct hpet *h = hpet_of(c);

    if (!well_formed(c, offset, size))
        return 0;
    settle(h);
    schedule(h);
    return read_register(h, offset & ~7ull) >> (8 * (offset & 7));
}

static void hpet_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    struct hpet *h = hpet_of(c);
    unsigned shift = 8 * (unsigned)(offset & 7);

    if (!well_formed(c, offset, size))
        return;
    settle(h);
    write_register(h, offset & ~7ull, (size == 8 ? ~0ull : 0xffffffffull) << shift, value << shift);
    schedule(h);
}

static void hpet_input(void *ctx, unsigned number, bool level)
{
    struct hpet *h = hpet_of(ctx);

    if (number >= INPUTS)
        return;
    h->st.inputs = (u16)((h->st.inputs & ~(1u << number)) | (unsigned)level << number);
    pass_input(h, number);
}

static bool hpet_connect(struct component *c, struct error *err)
{
    struct hpet *h = hpet_of(c);

    h->clock.hertz = h->p.clock;
    return component_irq_line(c, h->p.ioapic, 0, &h->ioapic, err) &&
           component_irq_line(c, h->p.interrupts, 0, &h->isa, err);
}

static void hpet_reset(struct component *c)
{
    struct hpet *h = hpet_of(c);

    for (unsigned n = 0; n < TIMERS; n++)
        h->st.comparator[n] = ~0ull;
}

static bool hpet_after_load(struct component *c, struct error *err)
{
    const struct hpet_state *st = &hpet_of(c)->st;

    for (unsigned n = 0; n < TIMERS; n++)
        if (st->timer_config[n] & ~TN_BITS)
            return error_set(err, ERROR_INPUT, "%s: no such state of a timer", c->path);
    return true;
}

static const struct component_ops hpet_ops = {
    .connect = hpet_connect,
    .reset = hpet_reset,
    .after_load = hpet_after_load,
};
static const struct mmio_ops hpet_mmio = {
    .size = HPET_SIZE,
    .read = hpet_read,
    .write = hpet_write,
};
static const struct irq_ops hpet_irqs = {.set = hpet_input};

const struct component_type hpet_type = {
    .name = "hpet",
    .doc = "High precision event timers",
    COMPONENT_LAYOUT(hpet),
    .ops = &hpet_ops,
    .provides = {IFACE(mmio, &hpet_mmio), IFACE(irq, &hpet_irqs)},
};
