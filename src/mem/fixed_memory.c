// SPDX-License-Identifier: BSD-3-Clause
// A memory for the timing side that takes a fixed time for each access and one access a gap: for
// tests, and for machines where the memory does not matter.
// Timing: an access begins `gap` after the one before it, and is done `latency` later. Writes are
// done at once: who writes does not wait.
#include "mem/cache.h"
#include "mem/cache_level.h"
#include "sim/sim.h"

enum { MOST_WAITING = 256 };

#define FIXED_MEMORY_PARAMS(P, PR, PB, PS, PC)                                              \
    P(ticks, latency, 60000, 0, TICKS_PER_SECOND, "Time of an access")                      \
    P(ticks, gap, 0, 0, TICKS_PER_SECOND, "Time from the begin of an access to the next's") \
    P(u32, queue, 32, 1, MOST_WAITING, "Reads that can be under way at once")

#define FIXED_MEMORY_STATE(F, FA, FE, FV) FE(done)

#define FIXED_MEMORY_STATS(S, SV, SH, SG, SR) \
    S(numReads, "Count", "Reads")             \
    S(numWrites, "Count", "Writes")

#define FIXED_MEMORY_EVENTS(E) E(done, fixed_memory_done)

COMPONENT_LISTS(fixed_memory, FIXED_MEMORY_PARAMS, FIXED_MEMORY_STATE, FIXED_MEMORY_STATS,
                FIXED_MEMORY_EVENTS);

struct waiting {
    tick when;
    struct timed_client *client;
    u32 token;
};

struct fixed_memory {
    struct component base;
    struct fixed_memory_params p;
    struct fixed_memory_state st;
    struct fixed_memory_stats n;
    // Empty at rest.
    DERIVED(struct waiting waiting[MOST_WAITING]); // a ring in order of time
    DERIVED(u32 first);
    DERIVED(u32 count);
    DERIVED(tick next); // when the next access may begin
};

static struct fixed_memory *fixed_memory_of(const struct component *c)
{
    ASSERT(c->type == &fixed_memory_type);
    return (struct fixed_memory *)(uintptr_t)c;
}

static void fixed_memory_done(void *owner, struct event *event)
{
    struct fixed_memory *m = owner;

    while (m->count && m->waiting[m->first].when <= event->queue->now) {
        struct waiting w = m->waiting[m->first];

        m->first = (m->first + 1) % MOST_WAITING;
        m->count--;
        w.client->done(w.client, w.token, w.when);
    }
    if (m->count)
        event_schedule(event, m->waiting[m->first].when, EVENT_NORMAL);
}

static bool is_write(u8 kind)
{
    return kind == TIMED_WRITE || kind == TIMED_DMA_WRITE;
}

static tick fixed_memory_atomic(struct component *c, const struct timed_access *a)
{
    struct fixed_memory *m = fixed_memory_of(c);

    m->n.numWrites += is_write(a->kind);
    m->n.numReads += !is_write(a->kind);
    return m->p.latency;
}

static enum timed_answer fixed_memory_access(struct component *c, const struct timed_access *a,
                                             tick now, struct timed_client *client, u32 token,
                                             tick *ret_when)
{
    struct fixed_memory *m = fixed_memory_of(c);
    tick begin = MAX(MAX(now, c->sim->queue.now), m->next);
    struct waiting *w = &m->waiting[(m->first + m->count) % MOST_WAITING];

    if (m->count >= m->p.queue) {
        *ret_when = m->waiting[m->first].when;
        return TIMED_BUSY;
    }
    m->next = begin + m->p.gap;
    *ret_when = begin + m->p.latency;
    m->n.numWrites += is_write(a->kind);
    m->n.numReads += !is_write(a->kind);
    if (is_write(a->kind) || a->kind == TIMED_PREFETCH || a->kind == TIMED_PREFETCH_WRITE)
        return TIMED_DONE;
    // In order of time: one that runs ahead holds up who comes after it.
    if (m->count)
        *ret_when = MAX(*ret_when, m->waiting[(m->first + m->count - 1) % MOST_WAITING].when);
    *w = (struct waiting){.when = *ret_when, .client = client, .token = token};
    if (m->count++ == 0)
        event_schedule(&m->st.done, w->when, EVENT_NORMAL);
    return TIMED_PENDING;
}

static bool fixed_memory_probe(const struct component *c, paddr pa)
{
    return true;
}

static const struct timed_port_ops fixed_memory_timed = {
    .atomic = fixed_memory_atomic,
    .access = fixed_memory_access,
    .probe = fixed_memory_probe,
};

static void fixed_memory_reset(struct component *c)
{
    struct fixed_memory *m = fixed_memory_of(c);

    m->first = m->count = 0;
    m->next = 0;
}

static bool fixed_memory_drain(struct component *c)
{
    struct fixed_memory *m = fixed_memory_of(c);

    if (m->count)
        return false;
    m->next = 0;
    return true;
}

static const struct component_ops fixed_memory_ops = {
    .reset = fixed_memory_reset,
    .drain = fixed_memory_drain,
};

const struct component_type fixed_memory_type = {
    .name = "fixed_memory",
    .doc = "Memory of a fixed latency, for the timing side",
    COMPONENT_LAYOUT(fixed_memory),
    .ops = &fixed_memory_ops,
    .provides = {IFACE(timed_port, &fixed_memory_timed)},
};
