// SPDX-License-Identifier: BSD-3-Clause
// Every line takes the same time, one behind the other as the bandwidth allows. Answers are known
// at once, so nothing is ever in flight here.
#include "mem/simple_memory.h"

#include "sim/sim.h"
#include "sim/timed.h"

#define SIMPLE_MEMORY_PARAMS(P, PR, PB, PS, PC)                  \
    P(ticks, latency, 50000, 0, 1000000000, "Time of an access") \
    P(ticks, line_time, 1000, 0, 1000000000, "Time until the next line; 0: unlimited")

// APPROX: the channel's time is not saved: a restored machine begins with a free one.
#define SIMPLE_MEMORY_STATS(S, SV, SH, SG, SR) \
    S(readReqs, "Count", "Lines read")         \
    S(writeReqs, "Count", "Lines written")     \
    S(waitTicks, "Tick", "Time that accesses waited for those before them")

COMPONENT_LISTS(simple_memory, SIMPLE_MEMORY_PARAMS, NO_ROWS, SIMPLE_MEMORY_STATS, NO_ROWS);

struct simple_memory {
    struct component base;
    struct simple_memory_params p;
    struct simple_memory_state st;
    struct simple_memory_stats n;
    DERIVED(tick free);
};

static struct simple_memory *memory_of(const struct component *c)
{
    ASSERT(c->type == &simple_memory_type);
    return (struct simple_memory *)(uintptr_t)c;
}

static bool is_write(const struct timed_access *a)
{
    return a->kind == TIMED_WRITE || a->kind == TIMED_DMA_WRITE;
}

static tick memory_atomic(struct component *c, const struct timed_access *a)
{
    struct simple_memory *m = memory_of(c);

    if (is_write(a))
        m->n.writeReqs++;
    else
        m->n.readReqs++;
    return m->p.latency;
}

static enum timed_answer memory_access(struct component *c, const struct timed_access *a, tick now,
                                       struct timed_client *client, u32 token, tick *ret_when)
{
    struct simple_memory *m = memory_of(c);
    tick start = MAX(now, m->free);

    (void)client;
    (void)token;
    m->n.waitTicks += start - now;
    m->free = start + m->p.line_time;
    *ret_when = start + memory_atomic(c, a);
    return TIMED_DONE;
}

static bool memory_probe(const struct component *c, paddr pa)
{
    (void)c;
    (void)pa;
    return true;
}

static void memory_reset(struct component *c)
{
    memory_of(c)->free = 0;
}

static const struct component_ops memory_ops = {.reset = memory_reset};

static const struct timed_port_ops memory_port = {
    .atomic = memory_atomic,
    .access = memory_access,
    .probe = memory_probe,
};

const struct component_type simple_memory_type = {
    .name = "simple_memory",
    .doc = "Memory of fixed latency",
    COMPONENT_LAYOUT(simple_memory),
    .ops = &memory_ops,
    .provides = {IFACE(timed_port, &memory_port)},
};
