// SPDX-License-Identifier: BSD-3-Clause
// Time at a level: ports and banks, and the registers of misses with those who wait for them.
#include "mem/cache_level.h"
#include "sim/sim.h"

tick level_reserve(struct level *l, u64 line, tick now)
{
    u64 wanted = level_cycle_of(l, now), cycle = wanted;
    struct calendar *bank = l->banks ? &l->banks[line & l->bank_mask] : NULL;

    for (;; cycle++) {
        cycle = calendar_find(l->ports, cycle, l->port_count);
        if (!bank || !calendar_taken(bank, cycle))
            break;
    }
    calendar_take(l->ports, cycle);
    if (bank)
        calendar_take(bank, cycle);
    if (cycle == wanted)
        return now;
    l->n->blockedNoPorts++;
    return cycle * l->period;
}

i32 mshr_find(const struct level *l, u64 line, tick now)
{
    i64 first = level_match(l->mshr_line, l->k.mshrs, line, ~(u64)0);
    i32 found = -1;

    if (first < 0)
        return -1;
    for (u32 i = (u32)first; i < l->k.mshrs; i++)
        if (l->mshr_line[i] == line && l->mshr_ready[i] > now &&
            (found < 0 || l->mshr_ready[i] > l->mshr_ready[found]))
            found = (i32)i;
    return found;
}

i32 mshr_free(struct level *l, tick *now)
{
    u32 first = l->mshr_next;

    if (l->mshr_ready[first] <= *now)
        return (i32)first;
    for (u32 i = 0; i < l->k.mshrs; i++) {
        if (l->mshr_ready[i] <= *now)
            return (i32)i;
        if (l->mshr_ready[i] < l->mshr_ready[first])
            first = i;
    }
    if (l->mshr_ready[first] == LEVEL_UNKNOWN)
        return -1;
    *now = l->mshr_ready[first];
    return (i32)first;
}

void mshr_take(struct level *l, u32 i, u64 line, tick since, tick ready, bool prefetch)
{
    u64 before = l->mshr_line[i];
    i64 index = l->mshr[i].index;

    l->mshr[i] = (struct mshr){.index = -1, .since = since, .prefetch = prefetch};
    l->mshr_line[i] = line;
    l->mshr_ready[i] = ready;
    l->mshr_next = i + 1 < l->k.mshrs ? i + 1 : 0;
    l->unknown += ready == LEVEL_UNKNOWN;
    // The line that the register was for is here, unless another one waits for it again.
    if (index >= 0 && l->tags[index] & LINE_INFLIGHT && l->tags[index] >> LINE_SHIFT == before &&
        mshr_find(l, before, since) < 0)
        l->tags[index] &= ~(u64)LINE_INFLIGHT;
}

static void sample_latency(struct level *l, u32 i)
{
    l->n->timedMisses++;
    l->n->overallMissLatency += l->mshr_ready[i] - l->mshr[i].since;
}

void mshr_known(struct level *l, u32 i, tick ready)
{
    ASSERT(l->mshr_ready[i] == LEVEL_UNKNOWN && !l->mshr[i].first);
    l->mshr_ready[i] = ready;
    l->unknown--;
    sample_latency(l, i);
}

bool mshr_has_room(const struct level *l, u32 i)
{
    return l->mshr[i].count < l->k.targets && l->free_target;
}

void mshr_add(struct level *l, u32 i, const struct request *q, tick extra)
{
    struct mshr *m = &l->mshr[i];
    u32 k = l->free_target;
    struct target *t;

    if (!q->client && !q->upper)
        return; // a prefetch
    ASSERT(k);
    l->waiting += !q->upper;
    t = &l->target[k];
    l->free_target = t->next;
    *t = (struct target){
        .client = q->client, .upper = q->upper, .token = q->token, .extra = extra, .link = q->link};
    if (m->last)
        l->target[m->last].next = k;
    else
        m->first = k;
    m->last = k;
    m->count++;
}

static void tell(struct level *l, const struct target *t, tick when)
{
    if (t->upper) {
        level_answer(t->upper, t->token, net_up(t->link, NET_DATA, when, true));
        return;
    }
    level_schedule(
        l, &(struct job){.when = when, .kind = JOB_DONE, .client = t->client, .token = t->token});
}

void level_answer(struct level *l, u32 i, tick when)
{
    struct mshr *m = &l->mshr[i];
    u32 k = m->first;

    ASSERT(l->mshr_ready[i] == LEVEL_UNKNOWN);
    l->mshr_ready[i] = when;
    l->unknown--;
    sample_latency(l, i);
    m->first = m->last = 0;
    while (k) {
        struct target t = l->target[k];

        l->target[k].next = l->free_target;
        l->free_target = k;
        tell(l, &t, when + t.extra);
        k = t.next;
    }
}
