// SPDX-License-Identifier: BSD-3-Clause
// Two ways to keep caches coherent without an inclusive cache below them. Both take no data, and
// are levels like caches (cache_level.h):
//   directory  knows which of the caches above have a line, in a set-associative table; when an
//              entry has to leave, so do the copies
//   snoop_bus  knows nothing and asks all caches above at each miss
#include "mem/cache.h"
#include "mem/cache_level.h"
#include "sim/sim.h"

#define COMMON_PARAMS(P, PR, PB, PS, PC)                                                       \
    PS(next, NULL, "Path of what lies below: a cache, directory, bus, interconnect or memory") \
    P(hertz, clock, 2000000000, 1000000, 100000000000, "Clock")                                \
    P(cycles, latency, 2, 1, 1000, "From a request to when it is clear who has to be asked")   \
    P(cycles, response_latency, 1, 0, 1000, "To pass on what came from below")                 \
    P(u32, ports, 1, 1, 16, "Requests that can begin in a cycle")                              \
    P(u32, mshrs, 32, 1, 256, "Lines that can be under way at once")                           \
    P(u32, targets, 20, 1, 256, "Requests that can wait for one of them")                      \
    P(u32, write_buffers, 16, 1, 256, "Lines on their way down")                               \
    PC(protocol, "mesi", "mesi|moesi", "Between the caches above")

#define DIRECTORY_PARAMS(P, PR, PB, PS, PC)                                    \
    COMMON_PARAMS(P, PR, PB, PS, PC)                                           \
    P(u64, entries, 16384, 1, 1 << 26, "Lines that caches above can have")     \
    P(u32, ways, 16, 1, LEVEL_WAYS, "Entries in a set")                        \
    PC(replacement, "lru", REPLACEMENT_CHOICES, "Which entry of a set leaves") \
    P(u64, seed, 1, 0, ~(u64)0, "Of random replacement")

#define DIRECTORY_STATE(F, FA, FE, FV)   \
    FV(u64, tags, p->entries)            \
    FV(u64, above, p->entries)           \
    FV(u64, rank, p->entries)            \
    FV(u8, recent, p->entries / p->ways) \
    FA(u64, policy, REPLACEMENT_SHARED)  \
    FE(job)

#define BUS_STATE(F, FA, FE, FV) FE(job)

#define DIRECTORY_EVENTS(E) E(job, directory_job)
#define BUS_EVENTS(E) E(job, bus_job)

PARAM_STRUCT(directory_params, DIRECTORY_PARAMS);
STATE_STRUCT(directory_state, DIRECTORY_STATE);
COMPONENT_TABLES(directory, DIRECTORY_PARAMS, DIRECTORY_STATE, CACHE_STATS, DIRECTORY_EVENTS);
PARAM_STRUCT(snoop_bus_params, COMMON_PARAMS);
STATE_STRUCT(snoop_bus_state, BUS_STATE);
COMPONENT_TABLES(snoop_bus, COMMON_PARAMS, BUS_STATE, CACHE_STATS, BUS_EVENTS);

struct directory {
    struct component base;
    struct directory_params p;
    struct directory_state st;
    struct cache_stats n;
    WIRED(struct level level);
};

struct snoop_bus {
    struct component base;
    struct snoop_bus_params p;
    struct snoop_bus_state st;
    struct cache_stats n;
    WIRED(struct level level);
};

static struct level *level_of(const struct component *c)
{
    if (c->type == &directory_type)
        return &((struct directory *)(uintptr_t)c)->level;
    ASSERT(c->type == &snoop_bus_type);
    return &((struct snoop_bus *)(uintptr_t)c)->level;
}

static struct level *get_level(struct component *c)
{
    return level_of(c);
}

static void directory_job(void *owner, struct event *event)
{
    level_run_jobs(&((struct directory *)owner)->level);
}

static void bus_job(void *owner, struct event *event)
{
    level_run_jobs(&((struct snoop_bus *)owner)->level);
}

// ---- devices

static tick timed_atomic(struct component *c, const struct timed_access *a)
{
    return level_atomic(level_of(c), a, -1);
}

static enum timed_answer timed_access(struct component *c, const struct timed_access *a, tick now,
                                      struct timed_client *client, u32 token, tick *ret_when)
{
    struct level *l = level_of(c);

    now = MAX(now, c->sim->queue.now);
    if (!level_take_port(l, level_line(a->pa), now, ret_when))
        return TIMED_BUSY;
    return level_access(l, a, -1, now, client, token, ret_when);
}

static bool timed_probe(const struct component *c, paddr pa)
{
    return level_subtree(level_of(c), level_line(pa)) != 0;
}

static const struct timed_port_ops timed_ops = {
    .atomic = timed_atomic,
    .access = timed_access,
    .probe = timed_probe,
};

// ---- life

static bool directory_check(struct component *c, struct error *err)
{
    const struct directory *d = (struct directory *)c;
    u64 sets = d->p.entries / d->p.ways;

    if (d->p.ways > d->p.entries)
        return error_set(err, ERROR_INPUT, "there are more ways (%llu) than entries (%llu)",
                         (unsigned long long)d->p.ways, (unsigned long long)d->p.entries);
    if (d->p.entries % d->p.ways || sets & (sets - 1))
        return error_set(err, ERROR_INPUT,
                         "%llu entries in %llu ways: the number of sets is not a power of two",
                         (unsigned long long)d->p.entries, (unsigned long long)d->p.ways);
    return true;
}

#define COMMON_CONFIG(p)                                                                      \
    .tag = level_cycles((p).latency, (p).clock), .hit = level_cycles((p).latency, (p).clock), \
    .response = level_cycles((p).response_latency, (p).clock),                                \
    .period = TICKS_PER_SECOND / (p).clock, .ports = (p).ports, .mshrs = (p).mshrs,           \
    .targets = (p).targets, .write_buffers = (p).write_buffers, .protocol = (p).protocol,     \
    .below = (p).next

static bool directory_build(struct component *c, struct error *err)
{
    struct directory *d = (struct directory *)c;
    struct level *l = &d->level;

    l->holds = HOLDS_TAGS;
    l->tags = d->st.tags;
    l->above = d->st.above;
    l->recent = d->st.recent;
    l->policy.rank = d->st.rank;
    l->policy.shared = d->st.policy;
    l->n = &d->n;
    l->event = &d->st.job;
    level_build(l, c,
                &(struct level_config){COMMON_CONFIG(d->p), .sets = d->p.entries / d->p.ways,
                                       .ways = d->p.ways, .policy = d->p.replacement,
                                       .seed = d->p.seed});
    return true;
}

static bool bus_build(struct component *c, struct error *err)
{
    struct snoop_bus *b = (struct snoop_bus *)c;
    struct level *l = &b->level;

    l->holds = HOLDS_NOTHING;
    l->n = &b->n;
    l->event = &b->st.job;
    level_build(l, c, &(struct level_config){COMMON_CONFIG(b->p)});
    return true;
}

static bool common_connect(struct component *c, struct error *err)
{
    return level_connect(level_of(c), err);
}

static void common_reset(struct component *c)
{
    level_reset(level_of(c));
}

static bool common_drain(struct component *c)
{
    return level_drain(level_of(c));
}

static void common_writeback(struct component *c)
{
    level_clean(level_of(c));
}

static void common_invalidate(struct component *c)
{
    level_clear(level_of(c));
}

static bool common_after_load(struct component *c, struct error *err)
{
    return level_after_load(level_of(c), err);
}

static const struct cache_level_ops level_ops = {.level = get_level};

static const struct component_ops directory_ops = {
    .check = directory_check,
    .build = directory_build,
    .connect = common_connect,
    .reset = common_reset,
    .drain = common_drain,
    .mem_writeback = common_writeback,
    .mem_invalidate = common_invalidate,
    .after_load = common_after_load,
};

static const struct component_ops bus_ops = {
    .build = bus_build,
    .connect = common_connect,
    .reset = common_reset,
    .drain = common_drain,
    .after_load = common_after_load,
};

const struct component_type directory_type = {
    .name = "directory",
    .doc = "Keeps caches coherent: knows which of them have a line",
    COMPONENT_LAYOUT(directory),
    .ops = &directory_ops,
    .provides = {IFACE(timed_port, &timed_ops), IFACE(cache_level, &level_ops)},
};

const struct component_type snoop_bus_type = {
    .name = "snoop_bus",
    .doc = "Keeps caches coherent: asks all of them",
    COMPONENT_LAYOUT(snoop_bus),
    .ops = &bus_ops,
    .provides = {IFACE(timed_port, &timed_ops), IFACE(cache_level, &level_ops)},
};
