// SPDX-License-Identifier: BSD-3-Clause
// Load and store queues: translation, forwarding, partial overlaps, memory order, the way of
// retired stores to the data cache.
// APPROX: the second page of an access that crosses pages is taken to be the first one again.
#include "cpu/o3/o3_priv.h"

enum { GRANULE_SHIFT = 4, TOKEN_SHIFT = 12 };

static u32 token_of(const struct pipe *p, const struct o3_slot *s)
{
    u32 index = o3_index(p, s);

    return index | p->info[index].generation << TOKEN_SHIFT;
}

// The slot that an answer is for; NULL when it belongs to somebody else by now.
static struct o3_slot *slot_of(struct pipe *p, u32 token)
{
    u32 index = token & ((1u << TOKEN_SHIFT) - 1);

    if ((p->info[index].generation << TOKEN_SHIFT >> TOKEN_SHIFT) != token >> TOKEN_SHIFT)
        return NULL;
    return &p->slot[index];
}

// ---- a count of accesses by address: none means none

static void filter_add(u16 *filter, paddr pa, u32 size, u16 n)
{
    for (paddr g = pa >> GRANULE_SHIFT; g <= (pa + size - 1) >> GRANULE_SHIFT; g++)
        filter[g % O3_FILTER] = (u16)(filter[g % O3_FILTER] + n);
}

static bool filter_has(const u16 *filter, paddr pa, u32 size)
{
    for (paddr g = pa >> GRANULE_SHIFT; g <= (pa + size - 1) >> GRANULE_SHIFT; g++)
        if (filter[g % O3_FILTER])
            return true;
    return false;
}

static bool overlap(paddr a, u32 a_size, paddr b, u32 b_size)
{
    return a < b + b_size && b < a + a_size;
}

// ---- loads

void o3_load_enter(struct pipe *p, struct o3_slot *s, u64 pos)
{
    struct o3_load *l = &p->load[p->load_tail & p->load_mask];

    s->memory = (u16)(p->load_tail++ & p->load_mask);
    *l = (struct o3_load){.pos = pos, .order = p->store_next};
    p->info[o3_index(p, s)].lines = 0;
    if (s->flags & O3_ATOMIC)
        p->barrier[p->barrier_tail++ % O3_BARRIERS] = pos;
    l->wait = o3_dependence_of_load(p, p->info[o3_index(p, s)].pc, l->order);
}

// It no longer counts as one that has accessed memory.
void o3_load_release(struct pipe *p, struct o3_slot *s)
{
    struct o3_info *i = &p->info[o3_index(p, s)];
    struct o3_load *l = &p->load[s->memory];

    if (l->accessed)
        filter_add(p->load_filter, i->pa, i->size, 0xffff);
    l->accessed = false;
    i->generation++;
}

static void wait_in(struct pipe *p, struct o3_slot *s, u32 list)
{
    s->state = O3_WAITING;
    o3_list_add(p, list, s);
}

static void retry_at(struct pipe *p, struct o3_slot *s, u64 cycle)
{
    s->state = O3_WAITING;
    o3_schedule(p, s, MAX(cycle, p->time.cycle + 1));
}

static void load_done(struct pipe *p, struct o3_slot *s, u64 done)
{
    const struct o3_info *i = &p->info[o3_index(p, s)];

    stat_sample(&p->o3->n.loadLatency, 0, done - i->issued);
    o3_complete(p, s, done);
}

static void accessed(struct pipe *p, struct o3_slot *s, u64 source)
{
    const struct o3_info *i = &p->info[o3_index(p, s)];
    struct o3_load *l = &p->load[s->memory];

    l->accessed = true;
    l->source = source;
    filter_add(p->load_filter, i->pa, i->size, 1);
    p->o3->n.loads++;
}

// An older store that has what the load reads. True: the load is served or waits.
static bool forward(struct pipe *p, struct o3_slot *s, u64 at)
{
    const struct o3_info *i = &p->info[o3_index(p, s)];
    struct o3_load *l = &p->load[s->memory];

    if (!filter_has(p->store_filter, i->pa, i->size))
        return false;
    for (u64 n = l->order; n-- > p->store_drained;) {
        struct o3_store *st = &p->store[n & p->store_mask];
        u32 list = O3_LIST_STORE + (u32)(n & p->store_mask);

        if (st->known > at || !overlap(i->pa, i->size, st->pa, st->size))
            continue;
        if (st->pa > i->pa || st->pa + st->size < i->pa + i->size) {
            p->o3->n.partialForwards += !l->partial;
            l->partial = true;
            wait_in(p, s, list);
        } else if (st->data == O3_NEVER) {
            accessed(p, s, n + 1);
            l->data_at = at;
            p->o3->n.forwLoads++;
            o3_list_add(p, list, s);
        } else {
            accessed(p, s, n + 1);
            p->o3->n.forwLoads++;
            load_done(p, s, MAX(at, st->data) + p->o3->p.forward_cycles);
        }
        return true;
    }
    return false;
}

// One line's part of an access; true: accepted.
static bool access_line(struct pipe *p, struct o3_slot *s, paddr pa, u64 at)
{
    struct o3_info *i = &p->info[o3_index(p, s)];
    struct timed_access a = {.pa = pa,
                             .pc = i->pc,
                             .kind = s->flags & O3_ATOMIC ? TIMED_WRITE : TIMED_READ,
                             .core = (u8)p->o3->p.number,
                             .wrong_path = s->flags & O3_WRONG_PATH};
    tick now = o3_tick_after(&p->time, at - p->time.cycle), when = 0;

    if (!p->dcache.c) {
        i->done = MAX(i->done, at + p->o3->p.hit_cycles);
        return true;
    }
    switch (p->dcache.ops->access(p->dcache.c, &a, now, &p->on_load, token_of(p, s), &when)) {
    case TIMED_DONE:
        i->done = MAX(i->done, o3_cycle_at(&p->time, when));
        return true;
    case TIMED_PENDING:
        i->pending++;
        return true;
    case TIMED_BUSY:
        break;
    }
    p->o3->n.cacheBlocked++;
    retry_at(p, s, o3_cycle_at(&p->time, when));
    return false;
}

static void load_access(struct pipe *p, struct o3_slot *s, u64 at)
{
    struct o3_info *i = &p->info[o3_index(p, s)];
    paddr last = i->pa + i->size - 1;
    bool split = (i->pa ^ last) >> TIMED_LINE_SHIFT;

    if (s->flags & O3_DEVICE) {
        accessed(p, s, 0);
        load_done(p, s, at + p->o3->p.device_cycles);
        return;
    }
    if (!i->lines) {
        if (forward(p, s, at))
            return;
        i->pending = 0;
        i->done = at + 1;
        if (!access_line(p, s, i->pa, at))
            return;
        i->lines = 1;
        accessed(p, s, 0);
    }
    if (split && i->lines == 1 &&
        !access_line(p, s, (i->pa & CORE_PAGE_MASK) | (last & ~CORE_PAGE_MASK), at))
        return;
    i->lines = 2;
    if (!i->pending)
        load_done(p, s, MAX(i->done, at + 1));
}

static void load_answered(struct timed_client *client, u32 token, tick when)
{
    struct pipe *p = CONTAINER_OF(client, struct pipe, on_load);
    struct o3_slot *s = slot_of(p, token);
    struct o3_info *i = s ? &p->info[o3_index(p, s)] : NULL;

    if (s && --i->pending == 0 && i->lines == 2)
        load_done(p, s, MAX(i->done, o3_cycle_at(&p->time, when)));
}

// ---- translation. True: over, at *at.

static bool translate(struct pipe *p, struct o3_slot *s, u64 *at)
{
    const struct o3_info *i = &p->info[o3_index(p, s)];
    tick when = 0;

    if (!p->dtlb.c || s->flags & O3_TRANSLATED)
        return true;
    switch (p->dtlb.ops->access(p->dtlb.c, i->va, i->pa & CORE_PAGE_MASK,
                                o3_tick_after(&p->time, *at - p->time.cycle), &p->walker,
                                &p->on_load_tlb, token_of(p, s), &when)) {
    case TIMED_DONE:
        *at = MAX(*at, o3_cycle_at(&p->time, when));
        s->flags |= O3_TRANSLATED;
        return true;
    case TIMED_PENDING:
        return false;
    case TIMED_BUSY:
        break;
    }
    retry_at(p, s, o3_cycle_at(&p->time, when));
    return false;
}

static void store_known(struct pipe *p, struct o3_slot *s, u64 at);

// They go through a port again.
static void translated(struct timed_client *client, u32 token, tick when)
{
    struct pipe *p = CONTAINER_OF(client, struct pipe, on_load_tlb);
    struct o3_slot *s = slot_of(p, token);

    (void)when;
    if (!s)
        return;
    s->flags |= O3_TRANSLATED;
    s->state = O3_WAITING;
    o3_schedule(p, s, p->time.cycle);
}

// ---- issue

static bool is_oldest(const struct pipe *p, const struct o3_slot *s, u64 pos)
{
    return pos - s->number <= p->head && p->store_drained == p->store_retired;
}

void o3_check_oldest(struct pipe *p)
{
    u16 first = p->list_head[O3_LIST_OLDEST];

    // Locked accesses wait for each other: there is one that matters, the oldest.
    for (u16 k = first; k != O3_NONE;) {
        struct o3_slot *s = &p->slot[k];

        k = s->list_next;
        if (is_oldest(p, s, o3_pos(p, o3_index(p, s)))) {
            o3_list_remove(p, s);
            o3_schedule(p, s, p->wheel_at);
        }
    }
}

// Whether the store that the load should wait for has its address, or is gone.
static bool dependence_known(const struct pipe *p, struct o3_load *l, u64 at)
{
    while (l->wait > p->store_drained && p->store[(l->wait - 1) & p->store_mask].known <= at)
        l->wait = p->o3->p.dependence == O3_WAIT_FOR_ALL ? l->wait - 1 : 0;
    return l->wait <= p->store_drained;
}

void o3_load_issue(struct pipe *p, struct o3_slot *s, u64 pos)
{
    struct o3_load *l = &p->load[s->memory];
    u64 at = p->time.cycle + p->kind->class[UOP_LOAD].latency;

    if (p->barrier_head != p->barrier_tail && p->barrier[p->barrier_head % O3_BARRIERS] < pos) {
        wait_in(p, s, O3_LIST_BARRIER);
        return;
    }
    if (s->flags & O3_ATOMIC && !is_oldest(p, s, pos)) {
        wait_in(p, s, O3_LIST_OLDEST);
        return;
    }
    if (!dependence_known(p, l, at)) {
        p->o3->n.dependenceWaits++;
        wait_in(p, s, O3_LIST_STORE + (u32)((l->wait - 1) & p->store_mask));
        return;
    }
    if (translate(p, s, &at))
        load_access(p, s, at);
}

// ---- stores

void o3_store_enter(struct pipe *p, struct o3_slot *s, u64 pos)
{
    const struct o3_info *i = &p->info[o3_index(p, s)];
    u64 n = p->store_next++;

    s->memory = (u16)(n & p->store_mask);
    p->store[s->memory] = (struct o3_store){
        .pos = pos,
        .pc = i->pc,
        .va = i->va,
        .pa = i->pa,
        .known = O3_NEVER,
        .data = O3_NEVER,
        .size = i->size,
        .wrong_path = s->flags & O3_WRONG_PATH,
        .device = s->flags & O3_DEVICE,
    };
    filter_add(p->store_filter, i->pa, i->size, 1);
    o3_dependence_store(p, i->pc, n);
}

static u64 number_of(const struct pipe *p, const struct o3_slot *s)
{
    return p->store_drained + ((s->memory - p->store_drained) & p->store_mask);
}

// Younger loads that read memory, or an older store, where this one writes.
static void check_order(struct pipe *p, const struct o3_store *st, u64 number)
{
    if (!filter_has(p->load_filter, st->pa, st->size))
        return;
    for (u64 n = p->load_tail; n-- > p->load_head;) {
        const struct o3_load *l = &p->load[n & p->load_mask];
        const struct o3_slot *s = o3_at(p, l->pos);
        const struct o3_info *i = &p->info[l->pos & p->mask];

        if (l->order <= number)
            break;
        if (!l->accessed || l->source > number || !overlap(i->pa, i->size, st->pa, st->size))
            continue;
        p->violation = MIN(p->violation, l->pos - s->number);
        p->violation_store = st->pc;
        p->violation_load = i->pc;
    }
}

static void store_known(struct pipe *p, struct o3_slot *s, u64 at)
{
    struct o3_store *st = &p->store[s->memory];

    st->known = at;
    s->done = at;
    if (!st->device)
        check_order(p, st, number_of(p, s));
    o3_list_wake(p, O3_LIST_STORE + s->memory);
}

void o3_store_issue(struct pipe *p, struct o3_slot *s, u64 pos)
{
    u64 at = p->time.cycle + p->kind->class[UOP_STORE_ADDR].latency;

    (void)pos;
    if (translate(p, s, &at))
        store_known(p, s, at);
}

// Loads that wait for the data get it; others in the list wait for something else.
void o3_store_data(struct pipe *p, struct o3_slot *s)
{
    u16 at = p->list_head[O3_LIST_STORE + s->memory];

    p->store[s->memory].data = s->done;
    while (at != O3_NONE) {
        struct o3_slot *waits = &p->slot[at];
        const struct o3_load *l = &p->load[waits->memory];

        at = waits->list_next;
        if (!l->data_at)
            continue;
        o3_list_remove(p, waits);
        load_done(p, waits, MAX(l->data_at, s->done) + p->o3->p.forward_cycles);
    }
}

void o3_store_forget(struct pipe *p)
{
    struct o3_store *st = &p->store[--p->store_next & p->store_mask];

    filter_add(p->store_filter, st->pa, st->size, 0xffff);
}

static void store_leaves(struct pipe *p)
{
    struct o3_store *st = &p->store[p->store_drained & p->store_mask];
    paddr last = st->pa + st->size - 1;

    p->active = true;
    if ((st->pa ^ last) >> TIMED_LINE_SHIFT && !st->piece) {
        st->piece = 1;
        return;
    }
    filter_add(p->store_filter, st->pa, st->size, 0xffff);
    o3_list_wake(p, O3_LIST_STORE + (u32)(p->store_drained & p->store_mask));
    p->store_drained++;
}

static void store_answered(struct timed_client *client, u32 token, tick when)
{
    struct pipe *p = CONTAINER_OF(client, struct pipe, on_store);

    (void)when;
    if (token != p->drain_token || !p->drain_wait)
        return;
    p->drain_wait = false;
    store_leaves(p);
}

static struct timed_access store_access(const struct pipe *p, const struct o3_store *st)
{
    paddr last = st->pa + st->size - 1;
    paddr pa = st->piece ? (st->pa & CORE_PAGE_MASK) | (last & ~CORE_PAGE_MASK) : st->pa;

    return (struct timed_access){
        .pa = pa, .pc = st->pc, .kind = TIMED_WRITE, .core = (u8)p->o3->p.number};
}

// Retired stores behind the one that waits ask for their lines.
static void ask_ahead(struct pipe *p)
{
    u64 end = MIN(p->store_retired, p->store_drained + 1 + p->o3->p.store_ahead);

    for (u64 n = p->store_drained + 1; n < end; n++) {
        struct o3_store *st = &p->store[n & p->store_mask];
        struct timed_access a = store_access(p, st);
        tick when;

        if (st->asked || st->device)
            continue;
        a.kind = TIMED_PREFETCH_WRITE;
        if (p->dcache.ops->access(p->dcache.c, &a, p->time.now, &p->on_store, 0, &when) ==
            TIMED_BUSY)
            return;
        st->asked = true;
    }
}

void o3_store_drain(struct pipe *p)
{
    for (u32 k = 0; k < p->o3->p.store_drain; k++) {
        struct o3_store *st = &p->store[p->store_drained & p->store_mask];
        struct timed_access a;
        tick when = 0;

        if (p->store_drained == p->store_retired || p->drain_wait || p->drain_at > p->time.cycle)
            break;
        a = store_access(p, st);
        if (st->device) {
            p->drain_at = p->time.cycle + p->o3->p.device_cycles;
            store_leaves(p);
            continue;
        }
        if (!p->dcache.c) {
            store_leaves(p);
            continue;
        }
        p->drain_token++;
        switch (p->dcache.ops->access(p->dcache.c, &a, p->time.now, &p->on_store, p->drain_token,
                                      &when)) {
        case TIMED_DONE:
            store_leaves(p);
            break;
        case TIMED_PENDING:
            p->drain_wait = true;
            break;
        case TIMED_BUSY:
            p->o3->n.storeBlocked++;
            p->drain_at = MAX(o3_cycle_at(&p->time, when), p->time.cycle + 1);
            break;
        }
    }
    if (p->drain_wait && p->store_retired - p->store_drained > 1)
        ask_ahead(p);
}

void o3_lsq_init(struct pipe *p)
{
    p->on_load.done = load_answered;
    p->on_load_tlb.done = translated;
    p->on_store.done = store_answered;
}
