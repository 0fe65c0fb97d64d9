// SPDX-License-Identifier: BSD-3-Clause
// Translation look-aside buffers, as many levels as one likes: `next` of the first ones is a second
// one that they share. A miss asks level after level, then the walker of the last one. The entry
// goes to all levels on the way.
// Timing: a hit takes the latencies of the levels that were asked, and not less than until the
// entry is there when its walk goes on.
// UNMODELLED: process-context identifiers, global pages (a flush takes all), single-page
// invalidation (an entry that leads elsewhere is dropped when it is found), ports.
#include "mem/tlb_priv.h"

#include "sim/clock.h"

const char *const tlb_structure_names[] = {"pde", "pdpte", "pml4e", "pml5e"};

COMPONENT_TABLES(tlb, TLB_PARAMS, TLB_STATE, TLB_STATS, TLB_EVENTS);

static struct tlb *tlb_of(const struct component *c)
{
    ASSERT(c->type == &tlb_type);
    return (struct tlb *)(uintptr_t)c;
}

static void tlb_walk_event(void *owner, struct event *event)
{
    tlb_walk_step(owner);
}

static inline bool is_last(const struct tlb *t, vaddr va, paddr pa_page)
{
    return (va >> 12) + 1 == t->st.last_page && pa_page >> 12 == t->st.last_frame;
}

// What a search of all levels came to.
struct search {
    struct tlb *level; // where it was found; NULL: nowhere
    tick takes;        // time of the look-ups
    tick ready;        // when the entry is there
    unsigned size;
};

static struct search find(struct tlb *t, vaddr va, paddr pa_page)
{
    struct search s = {.level = t};

    for (; s.level; s.level = s.level->next) {
        struct tlb_entry *e = tlb_find(s.level, va, pa_page);

        s.takes += s.level->hit;
        s.level->n.lookups++;
        if (e) {
            s.level->n.hits++;
            s.ready = e->ready;
            s.size = (unsigned)(e->tag & 3) - 1;
            break;
        }
        s.level->n.misses++;
    }
    return s;
}

// The levels from `t` to where it was found get the entry.
static void fill(struct tlb *t, vaddr va, paddr pa_page, const struct search *s, tick ready)
{
    for (; t != s->level; t = t->next)
        tlb_insert(t, va, pa_page, s->size, ready);
}

static struct tlb *last_level(struct tlb *t)
{
    while (t->next)
        t = t->next;
    return t;
}

static enum timed_answer access_slowly(struct tlb *t, vaddr va, paddr pa_page, tick now,
                                       struct timed_walker *walk, struct timed_client *client,
                                       u32 token, tick *ret_when)
{
    struct search s = find(t, va, pa_page);

    now = MAX(now, t->base.sim->queue.now);
    if (!s.level)
        return tlb_walk_access(last_level(t), t, va, pa_page, now + s.takes, walk, client, token,
                               ret_when);
    *ret_when = MAX(now + s.takes, s.ready);
    fill(t, va, pa_page, &s, *ret_when);
    return TIMED_DONE;
}

static enum timed_answer tlb_access(struct component *c, vaddr va, paddr pa_page, tick now,
                                    struct timed_walker *walk, struct timed_client *client,
                                    u32 token, tick *ret_when)
{
    struct tlb *t = (struct tlb *)(uintptr_t)c;

    if (UNLIKELY(!is_last(t, va, pa_page)) && UNLIKELY(!tlb_find_hinted(t, va, pa_page)))
        return access_slowly(t, va, pa_page, now, walk, client, token, ret_when);
    t->n.lookups++;
    t->n.hits++;
    *ret_when = MAX(now + t->hit, t->st.last_ready);
    return TIMED_DONE;
}

static tick tlb_atomic(struct component *c, vaddr va, paddr pa_page, struct timed_walker *walk)
{
    struct tlb *t = (struct tlb *)(uintptr_t)c;
    struct search s;

    if (LIKELY(is_last(t, va, pa_page)) || LIKELY(tlb_find_hinted(t, va, pa_page))) {
        t->n.lookups++;
        t->n.hits++;
        return t->hit;
    }
    s = find(t, va, pa_page);
    if (!s.level)
        return s.takes + tlb_walk_atomic(last_level(t), t, va, pa_page, walk);
    fill(t, va, pa_page, &s, s.ready);
    return s.takes;
}

static void tlb_flush(struct component *c)
{
    for (struct tlb *t = tlb_of(c); t; t = t->next) {
        t->n.flushes++;
        tlb_forget(t);
    }
}

static const struct timed_tlb_ops tlb_timed = {
    .access = tlb_access,
    .atomic = tlb_atomic,
    .flush = tlb_flush,
};

// ---- life

static bool tlb_check(struct component *c, struct error *err)
{
    struct tlb *t = tlb_of(c);
    struct clock clock = {t->p.clock};

    t->hit = clock_tick(&clock, t->p.latency);
    t->walk_start = clock_tick(&clock, t->p.walk_latency);
    if (t->p.next[0] && t->p.port[0])
        return error_set(err, ERROR_INPUT,
                         "only the last level walks: 'port' and 'next' exclude "
                         "each other");
    if (!t->p.next[0] && !t->p.port[0])
        return error_set(err, ERROR_INPUT, "the last level needs a 'port' for its walks");
    if (t->p.walkers > t->p.walks)
        return error_set(err, ERROR_INPUT, "there are more walkers than walks under way");
    if (t->p.waiters < t->p.walks)
        return error_set(err, ERROR_INPUT, "there are fewer waiters than walks");
    return tlb_arrays_check(t, err);
}

static bool tlb_build(struct component *c, struct error *err)
{
    struct tlb *t = tlb_of(c);

    t->entries = (struct tlb_entry *)(void *)t->st.entries;
    t->walks = arena_array(&c->sim->arena, t->p.walks, sizeof(*t->walks));
    t->waiters = arena_array(&c->sim->arena, t->p.waiters, sizeof(*t->waiters));
    t->client.done = tlb_walk_done;
    return true;
}

static bool tlb_connect(struct component *c, struct error *err)
{
    struct tlb *t = tlb_of(c);
    const void *ops;
    struct component *next;

    if (!t->p.next[0]) {
        if (!component_lookup_interface(c, t->p.port, "timed_port", &t->port, &ops, err))
            return false;
        t->port_ops = ops;
        return true;
    }
    next = component_lookup(c->sim, t->p.next, err);
    if (!next)
        return false;
    if (next->type != &tlb_type)
        return error_set(err, ERROR_INPUT, "'next' is %s (%s), which is no TLB", next->path,
                         next->type->name);
    for (struct tlb *level = tlb_of(next); level; level = level->next)
        if (level == t)
            return error_set(err, ERROR_INPUT, "is behind itself");
    t->next = tlb_of(next);
    return true;
}

static void tlb_reset(struct component *c)
{
    tlb_walks_clear(tlb_of(c));
}

static void tlb_mem_invalidate(struct component *c)
{
    tlb_forget(tlb_of(c));
}

static bool tlb_drain(struct component *c)
{
    return tlb_of(c)->under_way == 0;
}

// No time in the file may be so far ahead that the guest would stand still.
static bool times_are_near(const tick *times, u64 count, tick now)
{
    for (u64 i = 0; i < count; i++)
        if (times[i] > now + TICKS_PER_SECOND)
            return false;
    return true;
}

static bool tlb_after_load(struct component *c, struct error *err)
{
    struct tlb *t = tlb_of(c);
    tick now = c->sim->queue.now;
    bool good = !t->st.walk.pending && t->st.epoch >> (64 - TLB_EPOCH_SHIFT) == 0 &&
                times_are_near(&t->st.last_ready, 1, now) &&
                times_are_near(t->st.walker_free, t->st.walker_free_count, now);

    for (u64 i = 0; i < TLB_TOTAL(&t->p); i++)
        good = good && times_are_near(&t->entries[i].ready, 1, now);
    for (u32 i = 0; i < TLB_HINTS; i++)
        good = good && t->st.hints[i] < TLB_TOTAL(&t->p);
    if (!good)
        return error_set(err, ERROR_INPUT, "the state of the TLB is impossible");
    tlb_walks_clear(t);
    return true;
}

static const struct component_ops tlb_ops = {
    .check = tlb_check,
    .build = tlb_build,
    .connect = tlb_connect,
    .reset = tlb_reset,
    .drain = tlb_drain,
    .mem_invalidate = tlb_mem_invalidate,
    .after_load = tlb_after_load,
};

const struct component_type tlb_type = {
    .name = "tlb",
    .doc = "Translation look-aside buffer with page walker",
    COMPONENT_LAYOUT(tlb),
    .ops = &tlb_ops,
    .provides = {IFACE(timed_tlb, &tlb_timed)},
};
