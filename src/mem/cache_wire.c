// SPDX-License-Identifier: BSD-3-Clause
// A level's life: its memory, its place in the hierarchy, rest, and the check of a saved state.
#include "mem/cache_level.h"
#include "sim/sim.h"

#include <string.h>

enum { WRITE_SLACK = 128 }; // writes that one access can lead to, at most, beyond a full queue

void level_build(struct level *l, struct component *c, const struct level_config *k)
{
    struct arena *arena = &c->sim->arena;
    u64 targets = k->mshrs * k->targets;

    l->component = c;
    l->k = *k;
    l->sets = k->sets;
    l->ways = k->ways;
    l->set_mask = k->sets - 1;
    l->hit = k->hit;
    l->period = k->period;
    l->port_count = k->ports;
    l->ports = arena_alloc(arena, sizeof(*l->ports));
    l->bank_mask = k->banks ? k->banks - 1 : 0;
    if (k->banks)
        l->banks = arena_array(arena, k->banks, sizeof(*l->banks));
    l->tracks =
        l->holds == HOLDS_TAGS || (l->holds == HOLDS_DATA && k->inclusion == LEVEL_INCLUSIVE);
    l->mshr = arena_array(arena, k->mshrs, sizeof(*l->mshr));
    l->mshr_ready = arena_array(arena, k->mshrs, sizeof(*l->mshr_ready));
    l->mshr_line = arena_array(arena, k->mshrs, sizeof(*l->mshr_line));
    l->target = arena_array(arena, targets + 1, sizeof(*l->target));
    l->buffer_free = arena_array(arena, k->write_buffers, sizeof(*l->buffer_free));
    l->job = arena_array(arena, targets + k->mshrs + k->write_buffers + WRITE_SLACK + 1,
                         sizeof(*l->job));
    l->policy = (struct replacement){.ops = replacement_policies[k->policy],
                                     .sets = (u32)k->sets,
                                     .ways = (u32)k->ways,
                                     .rank = l->policy.rank,
                                     .shared = l->policy.shared};
    l->memory_client.done = level_memory_done;
}

static struct level *level_at(struct component *c)
{
    const struct cache_level_ops *ops = component_interface(c, "cache_level");

    return ops ? ops->level(c) : NULL;
}

static struct interconnect *net_at(struct component *c)
{
    const struct interconnect_ops *ops = component_interface(c, "interconnect");

    return ops ? ops->net(c) : NULL;
}

static bool connect_one(struct level *l, struct level_below *b, const char *path, struct error *err)
{
    struct component *c = component_lookup(l->component->sim, path, err);
    struct level *below = c ? level_at(c) : NULL;
    const void *ops;

    if (!c)
        return false;
    if (!below) {
        l->root = true;
        if (!component_lookup_interface(l->component, path, "timed_port", &b->memory, &ops, err))
            return false;
        b->memory_ops = ops;
        return true;
    }
    if (below->child_count == LEVEL_CHILDREN)
        return error_set(err, ERROR_INPUT, "%s has more than %u levels above it", path,
                         LEVEL_CHILDREN);
    if (below->child_count && b->link.net && below->slices.count != l->below_by.count)
        return error_set(err, ERROR_INPUT, "%s is a slice in more than one way", path);
    b->level = below;
    b->port = below->child_count++;
    below->children[b->port] = (struct level_child){.level = l, .link = b->link};
    if (b->link.net)
        below->slices = l->below_by;
    return true;
}

static bool connect_net(struct level *l, struct interconnect *net, struct error *err)
{
    const char *const *paths;
    u32 count, near = interconnect_attach(net);
    bool level = false, memory = false;

    if (!interconnect_targets(net, &paths, &count, err))
        return false;
    l->below_by = interconnect_slices(net);
    for (u32 i = 0; i < count; i++) {
        l->below[i].link = (struct net_link){.net = net, .near = near, .far = i};
        if (!connect_one(l, &l->below[i], paths[i], err))
            return false;
        level |= l->below[i].level != NULL;
        memory |= l->below[i].level == NULL;
    }
    if (level && memory)
        return error_set(err, ERROR_INPUT, "%s leads to memories and to caches", l->k.below);
    return true;
}

// Whether `path` is reached again from the component there, going down.
static bool is_round(struct sim *sim, const char *path, const char *goal, u32 depth)
{
    struct error ignored;
    struct component *c = depth ? component_lookup(sim, path, &ignored) : NULL;
    struct level *l = c ? level_at(c) : NULL;
    struct interconnect *net = c ? net_at(c) : NULL;
    const char *const *paths;
    u32 count;

    if (!depth || (c && strcmp(c->path, goal) == 0))
        return true;
    if (l)
        return is_round(sim, l->k.below, goal, depth - 1);
    if (!net || !interconnect_targets(net, &paths, &count, &ignored))
        return false;
    for (u32 i = 0; i < count; i++)
        if (is_round(sim, paths[i], goal, depth - 1))
            return true;
    return false;
}

// Whether one interconnect leads to both, so that no line is of both.
static bool are_slices(struct sim *sim, const struct level *a, const struct level *b)
{
    for (struct component *c = sim->root; c; c = component_after(c)) {
        struct interconnect *net = net_at(c);
        const char *const *paths;
        struct error ignored;
        u32 count, found = 0;

        if (!net || !interconnect_targets(net, &paths, &count, &ignored))
            continue;
        for (u32 i = 0; i < count; i++)
            found += strcmp(paths[i], a->component->path) == 0 ||
                     strcmp(paths[i], b->component->path) == 0;
        if (found == 2)
            return true;
    }
    return false;
}

static bool share_memory(const struct level *a, const struct level *b)
{
    for (u32 i = 0; i < MAX(a->below_by.count, 1); i++)
        for (u32 k = 0; k < MAX(b->below_by.count, 1); k++)
            if (a->below[i].memory && a->below[i].memory == b->below[k].memory)
                return true;
    return false;
}

// Two caches on one memory, and nothing between that keeps them coherent.
static bool check_alone(const struct level *l, struct error *err)
{
    struct sim *sim = l->component->sim;

    for (struct component *c = sim->root; c; c = component_after(c)) {
        const struct level *other = level_at(c);

        if (other && other != l && share_memory(l, other) && !are_slices(sim, l, other))
            return error_set(err, ERROR_INPUT,
                             "%s is on the same memory, and nothing keeps the two coherent: it "
                             "takes a shared cache, a directory or a snoop_bus",
                             c->path);
    }
    return true;
}

static bool connect_prefetcher(struct level *l, const char *path, struct error *err)
{
    const void *ops;

    if (!path || !path[0])
        return true;
    if (!component_lookup_interface(l->component, path, "prefetcher", &l->prefetcher, &ops, err))
        return false;
    l->prefetcher_ops = ops;
    return true;
}

bool level_connect(struct level *l, struct error *err)
{
    struct sim *sim = l->component->sim;
    struct component *c = component_lookup(sim, l->k.below, err);

    if (!c)
        return false;
    if (is_round(sim, l->k.below, l->component->path, LEVEL_DEPTH))
        return error_set(err, ERROR_INPUT,
                         "what lies below goes round in a circle, or is over %u levels deep",
                         LEVEL_DEPTH);
    if (!connect_prefetcher(l, l->k.prefetcher, err))
        return false;
    return (net_at(c) ? connect_net(l, net_at(c), err)
                      : connect_one(l, l->below, l->k.below, err)) &&
           check_alone(l, err);
}

static void forget_time(struct level *l)
{
    memset(l->ports, 0, sizeof(*l->ports));
    if (l->banks)
        memset(l->banks, 0, l->k.banks * sizeof(*l->banks));
    memset(l->buffer_free, 0, l->k.write_buffers * sizeof(*l->buffer_free));
    memset(l->mshr_ready, 0, l->k.mshrs * sizeof(*l->mshr_ready));
    for (u32 i = 0; i < MAX(l->below_by.count, 1); i++)
        if (l->below[i].link.net)
            interconnect_forget(l->below[i].link.net);
}

// Which accesses hit by a look at the most recent way alone.
static void set_hot_path(struct level *l)
{
    for (u32 kind = 0; kind < TIMED_KINDS; kind++) {
        u64 flags = kind == TIMED_WRITE ? LINE_STATE : LINE_VALID;

        if (kind > TIMED_WRITE || l->holds != HOLDS_DATA || l->child_count ||
            (l->prefetcher && l->k.prefetch_on_hits))
            flags = LINE_NEVER;
        l->want[kind] = flags;
        l->mask[kind] = ~LINE_FLAGS | LINE_INFLIGHT | LINE_PREFETCHED | flags;
    }
}

void level_reset(struct level *l)
{
    u64 targets = l->k.mshrs * l->k.targets;
    u64 jobs = targets + l->k.mshrs + l->k.write_buffers + WRITE_SLACK;

    forget_time(l);
    l->hits[0] = l->n->overallHits;
    l->hits[1] = l->n->wrongPathHits;
    l->cycle_from = l->cycle = 0;
    l->unknown = l->waiting = l->writes_queued = l->writes_out = 0;
    l->first_job = l->last_job = 0;
    for (u32 i = 1; i <= targets; i++)
        l->target[i].next = i < targets ? i + 1 : 0;
    l->free_target = 1;
    for (u32 i = 1; i <= jobs; i++)
        l->job[i].next = i < jobs ? i + 1 : 0;
    l->free_job = 1;
    l->mshr_next = 0;
    for (u64 i = 0; i < l->k.mshrs; i++) {
        l->mshr[i] = (struct mshr){.index = -1};
        l->mshr_line[i] = 0;
    }
    if (l->policy.ops->reset)
        l->policy.ops->reset(&l->policy, l->k.seed);
    set_hot_path(l);
}

bool level_drain(struct level *l)
{
    if (l->unknown || l->waiting || l->writes_queued || l->writes_out)
        return false;
    for (u64 i = 0; i < l->k.mshrs; i++) {
        if (l->mshr[i].index >= 0)
            l->tags[l->mshr[i].index] &= ~(u64)LINE_INFLIGHT;
        l->mshr[i].index = -1;
    }
    l->mshr_next = 0;
    forget_time(l);
    return true;
}

static bool check_entry(const struct level *l, u64 index, struct error *err)
{
    u64 word = l->tags[index], line = word >> LINE_SHIFT;
    u64 children = ((u64)1 << l->child_count) - 1;
    u32 owner = level_owner(l, (i64)index);

    if (!(word & LINE_VALID))
        return word == 0 ||
               error_set(err, ERROR_INPUT, "tags[%llu] is no tag", (unsigned long long)index);
    if (word & LINE_FLAGS & ~(u64)(LINE_STATE | LINE_PREFETCHED) ||
        level_set(l, line) != index / l->ways || level_find(l, line) != (i64)index)
        return error_set(err, ERROR_INPUT, "tags[%llu] is no tag", (unsigned long long)index);
    if (level_sharers(l, (i64)index) & ~children ||
        (owner != LEVEL_NOBODY &&
         (owner >= LEVEL_CHILDREN || !(level_sharers(l, (i64)index) >> owner & 1))))
        return error_set(err, ERROR_INPUT, "above[%llu]: there is nobody like that above",
                         (unsigned long long)index);
    return level_check_line(l, line, err);
}

bool level_after_load(struct level *l, struct error *err)
{
    if (l->holds == HOLDS_NOTHING)
        return true;
    for (u64 set = 0; set < l->sets; set++)
        if (l->recent[set] >= l->ways)
            return error_set(err, ERROR_INPUT, "recent[%llu] is no way of the cache",
                             (unsigned long long)set);
    if (l->policy.ops->good && !l->policy.ops->good(&l->policy))
        return error_set(err, ERROR_INPUT, "the words of the replacement policy are out of range");
    for (u64 i = 0; i < l->sets * l->ways; i++)
        if (!check_entry(l, i, err))
            return false;
    return true;
}

void level_clean(struct level *l)
{
    for (u64 i = 0; i < l->sets * l->ways; i++) {
        l->n->writebacks += (l->tags[i] & LINE_DIRTY) != 0;
        l->tags[i] &= ~(u64)LINE_DIRTY;
    }
}

void level_clear(struct level *l)
{
    for (u64 i = 0; i < l->sets * l->ways; i++)
        if (l->tags[i] & LINE_VALID)
            level_drop(l, (i64)i);
}
