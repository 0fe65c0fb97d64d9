// SPDX-License-Identifier: BSD-3-Clause
// Sample watcher of an interrupt line: handles each rising edge some time later, one after the
// other; so it needs time to drain.
#include "sample.h"
#include "sim/irq.h"
#include "sim/sim.h"

#define COUNTER_PARAMS(P, PR, PB, PS, PC) \
    P(ticks, delay, 700000, 1, TICKS_PER_SECOND, "Time to handle one interrupt")

#define COUNTER_STATE(F, FA, FE, FV) \
    F(u64, waiting)                  \
    F(u64, handled)                  \
    FE(done)                         \
    F(u8, level)                     \
    FA(u8, pad, 7)

#define COUNTER_STATS(S, SV, SH, SG, SR) SH(waiting, 8, 0, "Count", "Interrupts that were waiting")

#define COUNTER_EVENTS(E) E(done, counter_done)

COMPONENT_LISTS(counter, COUNTER_PARAMS, COUNTER_STATE, COUNTER_STATS, COUNTER_EVENTS);

struct counter {
    struct component base;
    struct counter_params p;
    struct counter_state st;
    struct counter_stats n;
};

static struct counter *counter_of(const struct component *c)
{
    ASSERT(c->type == &sample_counter_type);
    return (struct counter *)(uintptr_t)c;
}

static void counter_done(void *owner, struct event *event)
{
    struct counter *k = owner;

    k->st.handled++;
    if (k->st.waiting && --k->st.waiting)
        event_schedule_in(event, k->p.delay);
}

static void counter_set(void *ctx, unsigned number, bool level)
{
    struct counter *k = ctx;

    if (level && !k->st.level) {
        stat_sample(&k->n.waiting, 0, k->st.waiting);
        if (k->st.waiting++ == 0)
            event_schedule_in(&k->st.done, k->p.delay);
    }
    k->st.level = level;
}

static const struct irq_ops counter_irq = {.set = counter_set};

static bool counter_drain(struct component *c)
{
    return !counter_of(c)->st.done.pending;
}

static const struct component_ops counter_ops = {.drain = counter_drain};

const struct component_type sample_counter_type = {
    .name = "sample_counter",
    .doc = "Counts interrupts, slowly",
    COMPONENT_LAYOUT(counter),
    .ops = &counter_ops,
    .provides = {IFACE(irq, &counter_irq)},
};

u64 sample_counter_handled(const struct component *c)
{
    return counter_of(c)->st.handled;
}
