// SPDX-License-Identifier: BSD-3-Clause
// A counter, after Intel 8254 (231164-005), "Mode Definitions".
// APPROX: a count of 1 in modes 2 and 3, which the data sheet forbids, counts as 2. In mode 1 the
// output falls with the trigger instead of a clock later.
// Timing: count and output are computed from the time. The only event, and only where an interrupt
// line is connected, is the next rising edge of the output. Between two of them the line stays
// high: its low phase is shown at its end, when the edge comes.
#include "dev/pit_counter.h"

#include "sim/sim.h"

enum { ACCESS_LOW = 1, ACCESS_HIGH, ACCESS_WORD };
enum { STATUS_OUTPUT = 0x80, STATUS_NULL = 0x40 };
enum { ONE_SHOT, TRIGGERED_ONE_SHOT, RATE, SQUARE, STROBE, TRIGGERED_STROBE, MODES };

#define COUNTER_PARAMS(P, PR, PB, PS, PC)                                \
    PS(interrupts, "", "Path of the component that takes the interrupt") \
    P(u32, irq, 0, 0, 255, "Its input number there")                     \
    PB(gate, true, "Level of the gate after power-on")

// The counting element held `initial` at clock `start`, and counts from there on while `running`.
// done: the edge of a one-shot has come. switching: a new count waits for the end of the (half)
// period, `switch_at`. count: the count register; no_count: it has not been written since the
// control word; unloaded: it waits for a trigger. low: its first byte, while write_high.
#define COUNTER_STATE(F, FA, FE, FV) \
    FE(rise)                         \
    F(u64, start)                    \
    F(u64, switch_at)                \
    F(u32, initial)                  \
    F(u16, count)                    \
    F(u16, latch)                    \
    F(u8, mode)                      \
    F(u8, access)                    \
    F(u8, bcd)                       \
    F(u8, gate)                      \
    F(u8, running)                   \
    F(u8, done)                      \
    F(u8, switching)                 \
    F(u8, no_count)                  \
    F(u8, unloaded)                  \
    F(u8, low)                       \
    F(u8, write_high)                \
    F(u8, read_high)                 \
    F(u8, latched)                   \
    F(u8, status)                    \
    F(u8, status_latched)            \
    F(u8, pad)

#define COUNTER_STATS(S, SV, SH, SG, SR) S(rises, "Count", "Rising edges on the interrupt line")

#define COUNTER_EVENTS(E) E(rise, counter_rise)

COMPONENT_LISTS(counter, COUNTER_PARAMS, COUNTER_STATE, COUNTER_STATS, COUNTER_EVENTS);

struct counter {
    struct component base;
    struct counter_params p;
    struct counter_state st;
    struct counter_stats n;
    WIRED(struct irq_line irq);
};

static struct counter *counter_of(const struct component *c)
{
    ASSERT(c->type == &pit_counter_type);
    return (struct counter *)(uintptr_t)c;
}

static bool periodic(const struct counter *k)
{
    return k->st.mode == RATE || k->st.mode == SQUARE;
}

static bool triggered(const struct counter *k)
{
    return k->st.mode == TRIGGERED_ONE_SHOT || k->st.mode == TRIGGERED_STROBE;
}

static u32 modulus(const struct counter *k)
{
    return k->st.bcd ? 10000 : 65536;
}

// How many clocks the count register stands for.
static u32 clocks(const struct counter *k)
{
    u32 n = k->st.count;

    if (k->st.bcd)
        n = (n >> 12) * 1000 + (n >> 8 & 15) * 100 + (n >> 4 & 15) * 10 + (n & 15);
    if (n == 0)
        n = modulus(k);
    return periodic(k) ? MAX(n, 2u) : n;
}

// Clocks of a square wave's high half: the longer one.
static u64 high_half(u64 period)
{
    return (period + 1) / 2;
}

// Clocks since the element was loaded; negative: it will be at the next clock.
static i64 elapsed(const struct counter *k, u64 clock)
{
    return (i64)(clock - k->st.start);
}

static u32 element(const struct counter *k, u64 clock)
{
    i64 since = elapsed(k, clock);
    u64 d = (u64)since, m = modulus(k);

    if (!k->st.running || since < 0)
        return k->st.initial;
    if (!periodic(k))
        return (u32)((k->st.initial % m + m - d % m) % m);
    d %= k->st.initial;
    if (k->st.mode == RATE)
        return k->st.initial - (u32)d;
    if (d >= high_half(k->st.initial))
        d -= high_half(k->st.initial);
    return (k->st.initial & ~1u) - 2 * (u32)d;
}

static u16 element_read(const struct counter *k, u64 clock)
{
    u32 v = element(k, clock) % modulus(k);

    if (!k->st.bcd)
        return (u16)v;
    return (u16)(v / 1000 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10);
}

static bool output_at(const struct counter *k, u64 clock)
{
    i64 d = elapsed(k, clock);
    u64 phase = periodic(k) && k->st.running && d >= 0 ? (u64)d % k->st.initial : 0;

    if (!k->st.running)
        return k->st.mode != ONE_SHOT || k->st.done;
    switch (k->st.mode) {
    case ONE_SHOT:
        return k->st.done || d >= k->st.initial;
    case TRIGGERED_ONE_SHOT:
        return d >= k->st.initial;
    case RATE:
        return phase != k->st.initial - 1;
    case SQUARE:
        return phase < high_half(k->st.initial);
    default:
        return k->st.done || d != k->st.initial;
    }
}

// The clock of the next rising edge, or of a switch before it; 0: none.
static u64 next_rise(const struct counter *k, u64 clock)
{
    i64 d = elapsed(k, clock);
    u64 end;

    if (!k->st.running)
        return 0;
    if (periodic(k)) {
        end = k->st.start + k->st.initial;
        if (d > 0)
            end += (u64)d / k->st.initial * k->st.initial;
        return k->st.switching ? MIN(end, k->st.switch_at) : end;
    }
    if (k->st.mode == ONE_SHOT || k->st.mode == TRIGGERED_ONE_SHOT)
        return k->st.done || d >= k->st.initial ? 0 : k->st.start + k->st.initial;
    return k->st.done || d > k->st.initial ? 0 : k->st.start + k->st.initial + 1;
}

static u64 clock_now(const struct counter *k)
{
    return clock_cycle(&pit_clock, k->base.sim->queue.now);
}

static void schedule(struct counter *k)
{
    u64 now = clock_now(k), next = k->irq.ops ? next_rise(k, now) : 0;

    if (next > now)
        event_schedule(&k->st.rise, clock_tick(&pit_clock, next), EVENT_NORMAL);
    else
        event_cancel(&k->st.rise);
}

// Loads the new count if its time has come.
static void switch_count(struct counter *k, u64 clock)
{
    bool half;

    if (!k->st.switching || (i64)(clock - k->st.switch_at) < 0)
        return;
    half = k->st.running && (k->st.switch_at - k->st.start) % k->st.initial != 0;
    k->st.initial = clocks(k);
    k->st.start = k->st.switch_at - (half ? high_half(k->st.initial) : 0);
    k->st.switching = 0;
}

static void counter_rise(void *owner, struct event *event)
{
    struct counter *k = owner;
    u64 now = clock_now(k);
    bool was = output_at(k, now - 1);

    switch_count(k, now);
    if (!was && output_at(k, now)) {
        k->n.rises++;
        irq_line_set(&k->irq, false);
        irq_line_set(&k->irq, true);
    }
    schedule(k);
}

// Brings the counter up to now; each access begins with it, also one at the tick of an event that
// has not fired yet.
static u64 settle(struct counter *k)
{
    u64 now = clock_now(k);

    if (k->st.rise.pending && k->st.rise.when <= k->base.sim->queue.now) {
        event_cancel(&k->st.rise);
        counter_rise(k, &k->st.rise);
    }
    switch_count(k, now);
    return now;
}

static void changed(struct counter *k)
{
    irq_line_set(&k->irq, output_at(k, clock_now(k)));
    schedule(k);
}

static void start(struct counter *k, u64 clock, bool runs)
{
    k->st.initial = clocks(k);
    k->st.start = clock + 1;
    k->st.running = runs;
    k->st.done = k->st.switching = k->st.unloaded = 0;
}

static void freeze(struct counter *k, u64 clock)
{
    if (!periodic(k) && k->st.running && elapsed(k, clock) >= k->st.initial)
        k->st.done = 1;
    k->st.initial = element(k, clock);
    k->st.running = k->st.switching = 0;
}

// The count register has been written.
static void load(struct counter *k, u64 clock)
{
    i64 d = elapsed(k, clock);
    u64 phase, high;

    k->st.no_count = 0;
    if (triggered(k)) {
        k->st.unloaded = 1;
    } else if (!periodic(k) || !k->st.running || d < 0) {
        start(k, clock, k->st.gate);
    } else if (!k->st.switching) {
        phase = (u64)d % k->st.initial;
        high = k->st.mode == SQUARE ? high_half(k->st.initial) : 0;
        k->st.switch_at = clock - phase + (phase < high ? high : k->st.initial);
        k->st.switching = 1;
    }
}

void pit_counter_control(struct component *c, u8 control)
{
    struct counter *k = counter_of(c);
    unsigned mode = control >> 1 & 7;

    freeze(k, settle(k));
    k->st.mode = (u8)(mode >= MODES ? mode - 4 : mode);
    k->st.access = control >> 4 & 3;
    k->st.bcd = control & 1;
    k->st.done = k->st.unloaded = 0;
    k->st.no_count = 1;
    k->st.write_high = k->st.read_high = k->st.latched = k->st.status_latched = 0;
    changed(k);
}

void pit_counter_write(struct component *c, u8 v)
{
    struct counter *k = counter_of(c);
    u64 now = settle(k);

    if (k->st.access == ACCESS_WORD && !k->st.write_high) {
        k->st.low = v;
        k->st.write_high = 1;
        if (k->st.mode == ONE_SHOT) { // the first byte stops it
            freeze(k, now);
            k->st.done = 0;
        }
    } else {
        k->st.count = (u16)(k->st.access == ACCESS_LOW    ? v
                            : k->st.access == ACCESS_HIGH ? v << 8
                                                          : v << 8 | k->st.low);
        k->st.write_high = 0;
        load(k, now);
    }
    changed(k);
}

void pit_counter_latch(struct component *c, bool count, bool status)
{
    struct counter *k = counter_of(c);
    u64 now = settle(k);
    bool null = k->st.no_count || k->st.unloaded || k->st.switching ||
                (k->st.running && elapsed(k, now) < 0);

    if (count && !k->st.latched) {
        k->st.latch = element_read(k, now);
        k->st.latched = 1;
    }
    if (status && !k->st.status_latched) {
        k->st.status = (u8)((output_at(k, now) ? STATUS_OUTPUT : 0) | (null ? STATUS_NULL : 0) |
                            k->st.access << 4 | k->st.mode << 1 | k->st.bcd);
        k->st.status_latched = 1;
    }
}

u8 pit_counter_read(struct component *c)
{
    struct counter *k = counter_of(c);
    u64 now = settle(k);
    u16 v = k->st.latched ? k->st.latch : element_read(k, now);
    bool high = k->st.access == ACCESS_HIGH || (k->st.access == ACCESS_WORD && k->st.read_high);

    if (k->st.status_latched) {
        k->st.status_latched = 0;
        return k->st.status;
    }
    k->st.read_high = k->st.access == ACCESS_WORD && !high;
    if (!k->st.read_high)
        k->st.latched = 0;
    return (u8)(high ? v >> 8 : v);
}

void pit_counter_set_gate(struct component *c, bool level)
{
    struct counter *k = counter_of(c);
    u64 now = settle(k);

    if (level == k->st.gate)
        return;
    k->st.gate = level;
    if (level && !k->st.no_count) {
        if (periodic(k) || triggered(k)) {
            start(k, now, true);
        } else if (!k->st.write_high || k->st.mode != ONE_SHOT) {
            k->st.start = now;
            k->st.running = 1;
        }
    } else if (!level && !triggered(k)) {
        freeze(k, now);
    }
    changed(k);
}

bool pit_counter_output(struct component *c)
{
    struct counter *k = counter_of(c);

    return output_at(k, settle(k));
}

static bool counter_connect(struct component *c, struct error *err)
{
    struct counter *k = counter_of(c);

    return component_irq_line(c, k->p.interrupts, (unsigned)k->p.irq, &k->irq, err);
}

static void counter_reset(struct component *c)
{
    struct counter *k = counter_of(c);

    k->st.access = ACCESS_WORD;
    k->st.no_count = 1;
    k->st.gate = k->p.gate;
}

static bool counter_after_load(struct component *c, struct error *err)
{
    const struct counter_state *st = &counter_of(c)->st;

    // Only a periodic count that runs has an end that a new one can wait for; it divides by it.
    if (st->mode >= MODES || st->access > ACCESS_WORD || st->bcd > 1 || st->initial > 65536 ||
        (periodic(counter_of(c)) && st->running && st->initial < 2) ||
        (st->switching && !(periodic(counter_of(c)) && st->running)))
        return error_set(err, ERROR_INPUT, "%s: no such state of a counter", c->path);
    return true;
}

static const struct component_ops counter_ops = {
    .connect = counter_connect,
    .reset = counter_reset,
    .after_load = counter_after_load,
};

const struct component_type pit_counter_type = {
    .name = "pit_counter",
    .doc = "Counter of an 8254",
    COMPONENT_LAYOUT(counter),
    .ops = &counter_ops,
};
