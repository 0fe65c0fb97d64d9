// SPDX-License-Identifier: BSD-3-Clause
// What clients ask of a level: CPUs, TLBs, devices, and its own prefetcher.
#include "mem/cache_level.h"
#include "sim/sim.h"

const char *const timed_kind_names[TIMED_KINDS + 1] = {"ReadReq",    "InstFetchReq", "PageWalkReq",
                                                       "WriteReq",   "SoftPFReq",    "SoftPFExReq",
                                                       "DmaReadReq", "DmaWriteReq",  NULL};

static const struct net_link net_none;

static bool is_demand(u8 kind)
{
    return kind <= TIMED_WRITE;
}

static bool is_prefetch(u8 kind)
{
    return kind == TIMED_PREFETCH || kind == TIMED_PREFETCH_WRITE;
}

static struct request request_of(const struct timed_access *a, tick now, bool timed)
{
    return (struct request){
        .a = a,
        .line = level_line(a->pa),
        .port = LEVEL_NOBODY,
        .link = &net_none,
        .timed = timed,
        .exclusive = a->kind == TIMED_WRITE || a->kind == TIMED_PREFETCH_WRITE,
        .now = now,
    };
}

// Nothing is kept for who has no copy: what reads from a level without data is a device.
static bool is_dma(const struct level *l, u8 kind)
{
    return kind == TIMED_DMA_READ || kind == TIMED_DMA_WRITE || l->holds != HOLDS_DATA;
}

static enum timed_answer send_up(struct request *q)
{
    if (q->upper)
        q->when = net_up(q->link, NET_DATA, q->when, q->timed);
    return TIMED_DONE;
}

static enum timed_answer dma_read(struct level *l, struct request *q, i64 index, u64 set)
{
    struct probe p = {.line = q->line,
                      .op = PROBE_LOOK,
                      .data = true,
                      .timed = q->timed,
                      .now = q->now + l->k.tag};
    struct level_below *b = level_below_of(l, q->line);
    struct request r = *q;
    i32 mshr, under_way;
    u32 owner;

    level_holders(l, q->line, index, &owner);
    if (set && (owner != LEVEL_NOBODY || index < 0 || l->holds != HOLDS_DATA)) {
        set = owner != LEVEL_NOBODY ? (u64)1 << owner : set & -set;
        level_probe_set(l, set, &p);
        q->when = p.when;
    } else if (index >= 0 && l->holds == HOLDS_DATA) {
        q->when = q->now + l->hit;
    } else {
        r.now = net_down(&b->link, NET_CONTROL, p.now, q->timed);
        r.link = &b->link;
        r.port = b->port;
        r.upper = l;
        if (!q->timed) {
            if (b->level)
                level_dma(b->level, &r);
            else
                r.when = net_up(&b->link, NET_DATA, r.now + memory_atomic(l, q->line, TIMED_READ),
                                false);
            q->when = r.when + l->k.response;
            return send_up(q);
        }
        mshr = mshr_free(l, &r.now);
        if (mshr < 0) {
            q->when = q->now + 4 * l->period;
            return TIMED_BUSY;
        }
        mshr_take(l, (u32)mshr, q->line, q->now, LEVEL_UNKNOWN, false);
        r.token = (u32)mshr;
        if (!b->level) {
            memory_read(l, q->line, q, (u32)mshr, r.now);
        } else {
            enum timed_answer answer = level_dma(b->level, &r);

            if (answer == TIMED_BUSY) {
                l->mshr_ready[mshr] = 0;
                l->unknown--;
                q->when = MAX(r.when, q->now + 1);
                return TIMED_BUSY;
            }
            if (answer == TIMED_DONE)
                mshr_known(l, (u32)mshr, r.when);
        }
        q->when = l->mshr_ready[mshr];
        if (q->when == LEVEL_UNKNOWN) {
            mshr_add(l, (u32)mshr, q, l->k.response);
            return TIMED_PENDING;
        }
        q->when += l->k.response;
        return send_up(q);
    }
    // The data may not be here yet.
    under_way = q->timed ? mshr_find(l, q->line, q->now) : -1;
    if (under_way >= 0 && l->mshr_ready[under_way] == LEVEL_UNKNOWN) {
        mshr_add(l, (u32)under_way, q, q->when - q->now);
        q->when = LEVEL_UNKNOWN;
        return TIMED_PENDING;
    }
    if (under_way >= 0)
        q->when = MAX(q->when, l->mshr_ready[under_way]);
    return send_up(q);
}

// The whole line is new: what caches have of it is worth nothing. Who writes does not wait.
static enum timed_answer dma_write(struct level *l, struct request *q, i64 index, u64 set)
{
    struct probe p = {
        .line = q->line, .op = PROBE_INVALIDATE, .timed = q->timed, .now = q->now + l->k.tag};
    struct level_below *b = level_below_of(l, q->line);
    struct request r = *q;

    q->when = p.now;
    r.now = net_down(&b->link, NET_DATA, p.now, q->timed);
    r.link = &b->link;
    r.port = b->port;
    r.upper = l;
    if (b->level) {
        if (level_dma(b->level, &r) == TIMED_BUSY) {
            q->when = MAX(r.when, q->now + 1);
            return TIMED_BUSY;
        }
    } else if (q->timed) {
        memory_write(l, q->line, r.now);
    } else {
        memory_atomic(l, q->line, TIMED_WRITE);
    }
    level_probe_set(l, set, &p);
    if (index >= 0) {
        l->n->invalidations++;
        level_drop(l, index);
    }
    return TIMED_DONE;
}

enum timed_answer level_dma(struct level *l, struct request *q)
{
    i64 index = level_find(l, q->line);
    u32 owner;
    u64 set = level_holders(l, q->line, index, &owner);
    u8 kind = q->a->kind;
    enum timed_answer answer;

    if (q->port != LEVEL_NOBODY)
        set &= ~((u64)1 << q->port);
    if (q->timed && q->upper)
        q->now = level_reserve(l, q->line, q->now);
    answer = q->exclusive || kind == TIMED_DMA_WRITE ? dma_write(l, q, index, set)
                                                     : dma_read(l, q, index, set);
    if (answer == TIMED_BUSY)
        return answer;
    if (index >= 0 || set)
        l->hits[q->a->wrong_path][kind]++;
    else if (q->a->wrong_path)
        l->n->wrongPathMisses[kind]++;
    else
        l->n->overallMisses[kind]++;
    return answer;
}

void level_train(struct level *l, const struct request *q, struct prefetch_seen *seen)
{
    const struct timed_access *a = q->a;

    if (!is_demand(a->kind) || (seen->hit && !seen->first_use && !l->k.prefetch_on_hits))
        return;
    seen->pa = a->pa;
    seen->pc = a->pc;
    seen->now = q->timed ? q->now : 0;
    seen->kind = a->kind;
    seen->core = a->core;
    seen->wrong_path = a->wrong_path;
    l->wanted.count = 0;
    l->prefetcher_ops->notify(l->prefetcher, seen, &l->wanted);
    ASSERT(l->wanted.count <= PREFETCH_MAX);
    l->wanted_at = q->now + l->k.tag;
}

static void prefetch(struct level *l, const struct timed_access *cause, bool timed, paddr pa)
{
    struct timed_access a = *cause;
    struct request q;

    a.pa = pa;
    a.kind = cause->kind == TIMED_WRITE ? TIMED_PREFETCH_WRITE : TIMED_PREFETCH;
    q = request_of(&a, l->wanted_at, timed);
    q.prefetch = true;
    if (level_subtree(l, q.line) || (timed && mshr_find(l, q.line, q.now) >= 0)) {
        l->n->pfRedundant++;
        return;
    }
    if (timed ? level_is_congested(l) || level_request_timed(l, &q, -1) == TIMED_BUSY
              : level_request_atomic(l, &q, -1) == TIMED_BUSY)
        l->n->pfDropped++;
    else
        l->n->pfIssued++;
}

// All levels that the access came to have its line by now; before, a prefetch of one of them could
// take away again what those above were about to get.
static void run_prefetches(struct level *l, const struct timed_access *a, bool timed)
{
    u64 line = level_line(a->pa);

    for (; l; l = level_below_of(l, line)->level) {
        struct prefetch_list *list = &l->wanted;

        for (u32 i = 0; i < list->count; i++)
            prefetch(l, a, timed, list->line[i]);
        list->count = 0;
    }
}

tick level_atomic(struct level *l, const struct timed_access *a, i64 index)
{
    struct request q = request_of(a, 0, false);

    if (is_dma(l, a->kind)) {
        level_dma(l, &q);
        return q.when;
    }
    level_request_atomic(l, &q, index);
    run_prefetches(l, a, false);
    return q.when;
}

enum timed_answer level_access(struct level *l, const struct timed_access *a, i64 index, tick now,
                               struct timed_client *client, u32 token, tick *ret_when)
{
    struct request q;
    enum timed_answer answer;

    if (level_is_congested(l)) {
        *ret_when = now + 4 * l->period;
        return TIMED_BUSY;
    }
    q = request_of(a, now, true);
    q.client = is_prefetch(a->kind) ? NULL : client;
    q.token = token;
    if (is_dma(l, a->kind)) {
        answer = level_dma(l, &q);
    } else {
        answer = level_request_timed(l, &q, index);
        if (answer != TIMED_BUSY)
            run_prefetches(l, a, true);
    }
    *ret_when = q.when;
    if (answer != TIMED_PENDING || !is_prefetch(a->kind))
        return answer;
    *ret_when = now + l->k.tag;
    return TIMED_DONE;
}
