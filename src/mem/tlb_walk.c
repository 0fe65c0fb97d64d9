// SPDX-License-Identifier: BSD-3-Clause
// The page walker: reads the entries of a walk one after the other, from the first that the
// paging-structure caches do not know. A walk whose reads all hit in the cache is computed at once
// and costs no event; one that has to wait is a walk under way, which misses of the same page
// share.
// APPROX: a walk that was computed at once reads in the cache a little ahead of time; access and
// dirty bits cost nothing.
#include "mem/tlb_priv.h"

#include <string.h>

static struct event_queue *queue_of(const struct tlb *t)
{
    return &t->base.sim->queue;
}

// Levels from the one that was asked to the last get the entry.
static void fill(struct tlb *level, vaddr va, paddr pa_page, u8 page_shift, tick ready)
{
    for (; level; level = level->next)
        tlb_insert(level, va, pa_page, tlb_size_of(page_shift), ready);
}

static bool begin(struct tlb *t, struct timed_walker *walk, vaddr va, struct timed_walk *w,
                  u8 *ret_from)
{
    bool mapped;

    *w = (struct timed_walk){0};
    mapped = walk->walk(walk, va, w);
    w->levels = MIN(w->levels, TIMED_WALK_MAX);
    *ret_from = mapped ? tlb_structures_find(t, va, w) : 0;
    t->n.walks++;
    t->n.unmapped += !mapped;
    return mapped;
}

static struct timed_access read_of(const struct tlb *t, const struct timed_walk *w, u8 entry)
{
    return (struct timed_access){.pa = w->entry[entry], .kind = TIMED_WALK, .core = (u8)t->p.core};
}

tick tlb_walk_atomic(struct tlb *t, struct tlb *level, vaddr va, paddr pa_page,
                     struct timed_walker *walk)
{
    struct timed_walk w;
    u8 from;
    bool mapped = begin(t, walk, va, &w, &from);
    tick takes = t->walk_start;

    for (u8 i = from; i < w.levels; i++) {
        struct timed_access a = read_of(t, &w, i);

        takes += t->port_ops->atomic(t->port, &a);
        t->n.walkReads++;
    }
    if (mapped) {
        tlb_structures_learn(t, va, &w, from);
        fill(level, va, pa_page, w.page_shift, 0);
    }
    return takes;
}

// ---- walks under way

static void schedule(struct tlb *t)
{
    tick when = ~(tick)0;

    for (u32 i = 0; i < t->p.walks; i++)
        if (t->walks[i].phase == TLB_RETRIES || t->walks[i].phase == TLB_ENDS)
            when = MIN(when, t->walks[i].when);
    if (when != ~(tick)0)
        event_schedule(&t->st.walk, MAX(when, queue_of(t)->now), EVENT_NORMAL);
}

// Reads on, from `now`; true when all is read, and then *ret_when is when.
static bool read_on(struct tlb *t, struct tlb_walk *k, tick now, tick *ret_when)
{
    while (k->at < k->w.levels) {
        struct timed_access a = read_of(t, &k->w, k->at);
        tick when;

        switch (t->port_ops->access(t->port, &a, now, &t->client, (u32)(k - t->walks), &when)) {
        case TIMED_DONE:
            t->n.walkReads++;
            k->at++;
            now = MAX(now, when);
            break;
        case TIMED_PENDING:
            t->n.walkReads++;
            k->phase = TLB_READS;
            return false;
        case TIMED_BUSY:
            k->phase = TLB_RETRIES;
            k->when = MAX(when, now + 1);
            return false;
        }
    }
    *ret_when = now;
    return true;
}

// What the walk found goes to the levels that wait for it.
static void learn(struct tlb *t, const struct tlb_walk *k, tick when)
{
    t->n.walkTicks += when - k->began;
    stat_sample(&t->n.walkTime, 0, when - k->began);
    t->st.walker_free[k->walker] = when;
    // A flush that came meanwhile makes it worthless.
    if (!k->mapped || k->epoch != t->st.epoch)
        return;
    tlb_structures_learn(t, k->va, &k->w, k->from);
    for (u16 i = k->waiters; i != TLB_NONE; i = t->waiters[i].next)
        fill(t->waiters[i].level, k->va, k->pa_page, k->w.page_shift, when);
}

static void free_walk(struct tlb *t, struct tlb_walk *k)
{
    k->phase = TLB_FREE;
    t->under_way--;
}

// The walker that is free first, and when that is; none while all wait for memory.
static bool find_walker(const struct tlb *t, u16 *ret_walker, tick *ret_free)
{
    *ret_free = ~(tick)0;
    for (u32 i = 0; i < t->p.walkers; i++) {
        if (t->st.walker_free[i] < *ret_free) {
            *ret_free = t->st.walker_free[i];
            *ret_walker = (u16)i;
        }
    }
    return *ret_free != ~(tick)0;
}

static bool start(struct tlb *t, struct tlb_walk *k, u16 walker, tick now, tick *ret_when)
{
    k->walker = walker;
    t->st.walker_free[walker] = ~(tick)0;
    return read_on(t, k, now + t->walk_start, ret_when);
}

static void end_later(struct tlb_walk *k, tick when)
{
    k->phase = TLB_ENDS;
    k->when = when;
}

static void start_queued(struct tlb *t)
{
    tick when, free_at;
    u16 walker;

    while (t->first_queued != TLB_NONE && find_walker(t, &walker, &free_at)) {
        struct tlb_walk *k = &t->walks[t->first_queued];

        t->first_queued = k->next;
        if (start(t, k, walker, MAX(MAX(k->began, free_at), queue_of(t)->now), &when))
            end_later(k, when);
    }
}

// At its time, which is now: answers whoever waits.
static void end(struct tlb *t, struct tlb_walk *k)
{
    u16 i = k->waiters;
    tick now = queue_of(t)->now;

    learn(t, k, now);
    free_walk(t, k);
    while (i != TLB_NONE) {
        struct tlb_waiter w = t->waiters[i];

        t->waiters[i].next = t->free_waiter;
        t->free_waiter = i;
        i = w.next;
        w.client->done(w.client, w.token, now);
    }
    start_queued(t);
}

void tlb_walk_step(struct tlb *t)
{
    tick now = queue_of(t)->now, when;

    for (u32 i = 0; i < t->p.walks; i++) {
        struct tlb_walk *k = &t->walks[i];

        if (k->phase == TLB_RETRIES && k->when <= now && read_on(t, k, now, &when))
            end_later(k, when);
        if (k->phase == TLB_ENDS && k->when <= now)
            end(t, k);
    }
    schedule(t);
}

void tlb_walk_done(struct timed_client *client, u32 token, tick when)
{
    struct tlb *t = CONTAINER_OF(client, struct tlb, client);
    struct tlb_walk *k = &t->walks[token];
    tick end_at;

    ASSERT(token < t->p.walks && k->phase == TLB_READS);
    k->at++;
    if (read_on(t, k, when, &end_at)) {
        if (end_at <= queue_of(t)->now)
            end(t, k);
        else
            end_later(k, end_at);
    }
    schedule(t);
}

static struct tlb_walk *find_same(const struct tlb *t, vaddr va, paddr pa_page)
{
    for (u32 i = 0; t->under_way && i < t->p.walks; i++) {
        struct tlb_walk *k = &t->walks[i];
        u8 shift = tlb_shifts[tlb_size_of(k->w.page_shift)];

        if (k->phase != TLB_FREE && k->epoch == t->st.epoch && k->va >> shift == va >> shift &&
            k->pa_page >> shift == pa_page >> shift)
            return k;
    }
    return NULL;
}

static void wait_for(struct tlb *t, struct tlb_walk *k, struct tlb *level,
                     struct timed_client *client, u32 token)
{
    u16 i = t->free_waiter, *link = &k->waiters;

    t->free_waiter = t->waiters[i].next;
    while (*link != TLB_NONE)
        link = &t->waiters[*link].next;
    *link = i;
    t->waiters[i] =
        (struct tlb_waiter){.client = client, .level = level, .token = token, .next = TLB_NONE};
}

static struct tlb_walk *new_walk(struct tlb *t)
{
    for (u32 i = 0; t->under_way < t->p.walks; i++)
        if (t->walks[i].phase == TLB_FREE)
            return &t->walks[i];
    return NULL;
}

static void enqueue(struct tlb *t, struct tlb_walk *k)
{
    u16 i = (u16)(k - t->walks);

    k->phase = TLB_QUEUED;
    k->next = TLB_NONE;
    if (t->first_queued == TLB_NONE)
        t->first_queued = i;
    else
        t->walks[t->last_queued].next = i;
    t->last_queued = i;
}

enum timed_answer tlb_walk_access(struct tlb *t, struct tlb *level, vaddr va, paddr pa_page,
                                  tick now, struct timed_walker *walk, struct timed_client *client,
                                  u32 token, tick *ret_when)
{
    struct tlb_walk *k = find_same(t, va, pa_page);
    tick free_at;
    u16 walker;

    if (k && t->free_waiter != TLB_NONE) {
        t->n.merged++;
        wait_for(t, k, level, client, token);
        return TIMED_PENDING;
    }
    k = k ? NULL : new_walk(t);
    if (!k || t->free_waiter == TLB_NONE) {
        t->n.blocked++;
        *ret_when = now + MAX(t->walk_start, 1) * 8;
        return TIMED_BUSY;
    }
    *k = (struct tlb_walk){.va = va,
                           .pa_page = pa_page,
                           .began = now,
                           .epoch = t->st.epoch,
                           .waiters = TLB_NONE,
                           .next = TLB_NONE};
    k->mapped = begin(t, walk, va, &k->w, &k->from);
    k->at = k->from;
    t->under_way++;
    if (t->first_queued != TLB_NONE || !find_walker(t, &walker, &free_at)) {
        enqueue(t, k);
    } else if (start(t, k, walker, MAX(now, free_at), ret_when)) {
        learn(t, k, *ret_when);
        if (k->mapped)
            fill(level, va, pa_page, k->w.page_shift, *ret_when);
        free_walk(t, k);
        return TIMED_DONE;
    }
    wait_for(t, k, level, client, token);
    schedule(t);
    return TIMED_PENDING;
}

void tlb_walks_clear(struct tlb *t)
{
    for (u32 i = 0; i < t->p.walks; i++)
        t->walks[i] = (struct tlb_walk){.phase = TLB_FREE};
    for (u32 i = 0; i < t->p.waiters; i++)
        t->waiters[i].next = (u16)(i + 1 < t->p.waiters ? i + 1 : TLB_NONE);
    t->free_waiter = 0;
    t->first_queued = t->last_queued = TLB_NONE;
    t->under_way = 0;
}
