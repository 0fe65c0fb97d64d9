// SPDX-License-Identifier: BSD-3-Clause
// Sample device: a periodic timer. Registers, 8 bytes each: 0 period in cycles, 8 control (bit 0
// runs it), 16 firings so far, 24 status (bit 0: interrupt pending; any write clears it).
// Timing: it fires on edges of its own clock.
#include "sample.h"
#include "sim/clock.h"
#include "sim/irq.h"
#include "sim/mmio.h"
#include "sim/sim.h"

enum { REG_PERIOD = 0, REG_CONTROL = 8, REG_FIRINGS = 16, REG_STATUS = 24, REGS_SIZE = 32 };

#define TIMER_PARAMS(P, PR, PB, PS, PC)                           \
    P(hertz, clock, 1000000, 1000, 10000000000, "Clock")          \
    P(u32, history, 8, 1, 4096, "How many firing times are kept") \
    PS(interrupts, "", "Path of the component that gets the interrupt")

#define TIMER_STATE(F, FA, FE, FV) \
    F(u64, period)                 \
    F(u64, firings)                \
    FV(tick, history, p->history)  \
    FE(expire)                     \
    F(u8, running)                 \
    F(u8, pending)                 \
    FA(u8, pad, 6)

#define TIMER_STATS(S, SV, SH, SG, SR)                                    \
    S(firings, "Count", "Times the period ran out")                       \
    S(overruns, "Count", "Firings while the interrupt was still pending") \
    SR(overrun_rate, overruns, firings, "Ratio", "Overruns per firing")

#define TIMER_EVENTS(E) E(expire, timer_expire)

COMPONENT_LISTS(timer, TIMER_PARAMS, TIMER_STATE, TIMER_STATS, TIMER_EVENTS);

struct timer {
    struct component base;
    struct timer_params p;
    struct timer_state st;
    struct timer_stats n;
    WIRED(struct irq_line irq);
    DERIVED(struct clock clock);
};

static struct timer *timer_of(const struct component *c)
{
    ASSERT(c->type == &sample_timer_type);
    return (struct timer *)(uintptr_t)c;
}

static void schedule(struct timer *t)
{
    struct event_queue *q = &t->base.sim->queue;

    if (t->st.running && t->st.period)
        event_schedule(&t->st.expire, clock_edge(&t->clock, q->now, t->st.period), EVENT_NORMAL);
    else
        event_cancel(&t->st.expire);
}

static void timer_expire(void *owner, struct event *event)
{
    struct timer *t = owner;

    t->n.firings++;
    t->n.overruns += t->st.pending;
    t->st.history[t->st.firings++ % t->p.history] = t->base.sim->queue.now;
    t->st.pending = 1;
    irq_line_set(&t->irq, true);
    schedule(t);
}

static u64 timer_read(struct component *c, u64 offset, unsigned size)
{
    struct timer *t = timer_of(c);

    switch (offset) {
    case REG_PERIOD:
        return t->st.period;
    case REG_CONTROL:
        return t->st.running;
    case REG_FIRINGS:
        return t->st.firings;
    case REG_STATUS:
        return t->st.pending;
    default:
        component_guest_warn(c, "read of register %u", (unsigned)offset);
        return 0;
    }
}

static void timer_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    struct timer *t = timer_of(c);

    switch (offset) {
    case REG_PERIOD:
        t->st.period = value;
        schedule(t);
        break;
    case REG_CONTROL:
        t->st.running = value & 1;
        schedule(t);
        break;
    case REG_STATUS:
        t->st.pending = 0;
        irq_line_set(&t->irq, false);
        break;
    default:
        component_guest_warn(c, "write to register %u", (unsigned)offset);
    }
}

static const struct mmio_ops timer_mmio = {
    .size = REGS_SIZE,
    .read = timer_read,
    .write = timer_write,
};

static bool timer_connect(struct component *c, struct error *err)
{
    struct timer *t = timer_of(c);
    struct component *target;

    t->clock.hertz = t->p.clock;
    if (!t->p.interrupts[0])
        return true;
    target = component_lookup(c->sim, t->p.interrupts, err);
    if (!target)
        return false;
    t->irq = (struct irq_line){.ops = component_interface(target, "irq"), .ctx = target};
    if (!t->irq.ops)
        return error_set(err, ERROR_INPUT, "%s takes no interrupts", target->path);
    return true;
}

static const struct component_ops timer_ops = {
    .connect = timer_connect,
};

const struct component_type sample_timer_type = {
    .name = "sample_timer",
    .doc = "Periodic timer",
    COMPONENT_LAYOUT(timer),
    .ops = &timer_ops,
    .provides = {IFACE(mmio, &timer_mmio)},
};
