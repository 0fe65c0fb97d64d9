// SPDX-License-Identifier: BSD-3-Clause
// For tests: a memory that takes a fixed time for each access, begins one a gap, answers later, and
// is busy when its queue is full.
// Timing: an access begins `gap` after the one before it, and is done `latency` later. Writes are
// done at once: who writes does not wait.
#pragma once

#include "sim/sim.h"
#include "sim/timed.h"

enum { MOST_WAITING = 256 };

#define MOCK_MEMORY_PARAMS(P, PR, PB, PS, PC)                                               \
    P(ticks, latency, 60000, 0, TICKS_PER_SECOND, "Time of an access")                      \
    P(ticks, gap, 0, 0, TICKS_PER_SECOND, "Time from the begin of an access to the next's") \
    P(u32, queue, 32, 1, MOST_WAITING, "Reads that can be under way at once")

#define MOCK_MEMORY_STATE(F, FA, FE, FV) FE(done)

#define MOCK_MEMORY_STATS(S, SV, SH, SG, SR) \
    S(numReads, "Count", "Reads")            \
    S(numWrites, "Count", "Writes")

#define MOCK_MEMORY_EVENTS(E) E(done, mock_memory_done)

COMPONENT_LISTS(mock_memory, MOCK_MEMORY_PARAMS, MOCK_MEMORY_STATE, MOCK_MEMORY_STATS,
                MOCK_MEMORY_EVENTS);

struct waiting {
    tick when;
    struct timed_client *client;
    u32 token;
};

struct mock_memory {
    struct component base;
    struct mock_memory_params p;
    struct mock_memory_state st;
    struct mock_memory_stats n;
    // Empty at rest.
    DERIVED(struct waiting waiting[MOST_WAITING]); // a ring in order of time
    DERIVED(u32 first);
    DERIVED(u32 count);
    DERIVED(tick next); // when the next access may begin
};

static inline struct mock_memory *mock_memory_of(const struct component *c)
{
    return (struct mock_memory *)(uintptr_t)c;
}

static void mock_memory_done(void *owner, struct event *event)
{
    struct mock_memory *m = owner;

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

static tick mock_memory_atomic(struct component *c, const struct timed_access *a)
{
    struct mock_memory *m = mock_memory_of(c);

    m->n.numWrites += is_write(a->kind);
    m->n.numReads += !is_write(a->kind);
    return m->p.latency;
}

static enum timed_answer mock_memory_access(struct component *c, const struct timed_access *a,
                                            tick now, struct timed_client *client, u32 token,
                                            tick *ret_when)
{
    struct mock_memory *m = mock_memory_of(c);
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

static bool mock_memory_probe(const struct component *c, paddr pa)
{
    return true;
}

static const struct timed_port_ops mock_memory_timed = {
    .atomic = mock_memory_atomic,
    .access = mock_memory_access,
    .probe = mock_memory_probe,
};

static void mock_memory_reset(struct component *c)
{
    struct mock_memory *m = mock_memory_of(c);

    m->first = m->count = 0;
    m->next = 0;
}

static bool mock_memory_drain(struct component *c)
{
    struct mock_memory *m = mock_memory_of(c);

    if (m->count)
        return false;
    m->next = 0;
    return true;
}

static const struct component_ops mock_memory_ops = {
    .reset = mock_memory_reset,
    .drain = mock_memory_drain,
};

static const struct component_type mock_memory_type = {
    .name = "mock_memory",
    .doc = "Memory of a unit test",
    COMPONENT_LAYOUT(mock_memory),
    .ops = &mock_memory_ops,
    .provides = {IFACE(timed_port, &mock_memory_timed)},
};
