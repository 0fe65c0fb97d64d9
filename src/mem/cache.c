// SPDX-License-Identifier: BSD-3-Clause
// A cache of the timing side: tags, states and latencies, no data. What a level does is in
// cache_level.h and its files; here are its parameters, its state and the hot path of hits.
// Timing: a hit takes tag and data latency (the longer one, or both when sequential) from when it
// is asked for; latencies count from there, not from an edge of the cache's own clock.
#include "mem/cache.h"

#include "mem/cache_level.h"
#include "sim/sim.h"

#define CACHE_PARAMS(P, PR, PB, PS, PC)                                                        \
    PS(next, NULL, "Path of what lies below: a cache, directory, bus, interconnect or memory") \
    P(bytes, size, KiB(32), TIMED_LINE, GiB(4), "Capacity")                                    \
    P(u32, ways, 8, 1, LEVEL_WAYS, "Lines in a set")                                           \
    P(hertz, clock, 3000000000, 1000000, 100000000000, "Clock")                                \
    P(cycles, tag_latency, 2, 1, 1000, "From the access to when hit or miss is known")         \
    P(cycles, data_latency, 2, 0, 1000, "To read the data")                                    \
    P(cycles, response_latency, 2, 0, 1000, "To pass on what came from below")                 \
    PB(sequential, false, "Data are read after the tags, not at the same time")                \
    P(u32, ports, 1, 1, 16, "Accesses that can begin in a cycle")                              \
    P(u32, banks, 0, 0, 64, "Banks, each of which takes one access a cycle; 0: no banks")      \
    P(u32, mshrs, 16, 1, 256, "Lines that can be under way at once")                           \
    P(u32, targets, 20, 1, 256, "Accesses that can wait for one of them")                      \
    P(u32, write_buffers, 8, 1, 256, "Lines on their way down")                                \
    PC(inclusion, "inclusive", "inclusive|nine|exclusive",                                     \
       "Of what is above: has all of it; has and loses lines of its own accord; none of it")   \
    PC(protocol, "mesi", "mesi|moesi", "Between the caches above")                             \
    PC(replacement, "lru", REPLACEMENT_CHOICES, "Which line of a set leaves")                  \
    P(u64, seed, 1, 0, ~(u64)0, "Of random replacement")                                       \
    PS(prefetcher, "", "Path of its prefetcher")                                               \
    PB(prefetch_on_hits, false, "The prefetcher sees all accesses, not only misses and first uses")

#define CACHE_STATE(F, FA, FE, FV)                 \
    FV(u64, tags, p->size / TIMED_LINE)            \
    FV(u64, above, p->size / TIMED_LINE)           \
    FV(u64, rank, p->size / TIMED_LINE)            \
    FV(u8, recent, p->size / TIMED_LINE / p->ways) \
    FA(u64, policy, REPLACEMENT_SHARED)            \
    FE(job)

#define CACHE_EVENTS(E) E(job, cache_job)

PARAM_STRUCT(cache_params, CACHE_PARAMS);
STATE_STRUCT(cache_state, CACHE_STATE);
COMPONENT_TABLES(cache, CACHE_PARAMS, CACHE_STATE, CACHE_STATS, CACHE_EVENTS);

struct cache {
    struct component base;
    struct cache_params p;
    struct cache_state st;
    struct cache_stats n;
    WIRED(struct level level);
};

static struct cache *cache_of(const struct component *c)
{
    return (struct cache *)(uintptr_t)c;
}

static struct level *cache_level(struct component *c)
{
    ASSERT(c->type == &cache_type);
    return &cache_of(c)->level;
}

static void cache_job(void *owner, struct event *event)
{
    level_run_jobs(&((struct cache *)owner)->level);
}

// ---- hits

// Whether the access is a hit that changes nothing but the order of replacement; then it is done.
// *ret_index: as level_find.
static inline bool is_plain_hit(struct level *l, const struct timed_access *a, i64 *ret_index)
{
    u64 line = level_line(a->pa), set = level_set(l, line), first = set * l->ways;
    u64 want = line << LINE_SHIFT | l->want[a->kind], mask = l->mask[a->kind];
    i64 way;

    if (LIKELY(((l->tags[first + l->recent[set]] ^ want) & mask) == 0))
        return true;
    way = level_match(l->tags + first, l->ways, line << LINE_SHIFT | LINE_VALID,
                      ~LINE_FLAGS | LINE_VALID);
    *ret_index = way < 0 ? way : (i64)first + way;
    if (way < 0 || ((l->tags[*ret_index] ^ want) & mask) != 0)
        return false;
    level_touch(l, set, (u64)way);
    return true;
}

static tick cache_atomic(struct component *c, const struct timed_access *a)
{
    struct level *l = &cache_of(c)->level;
    i64 index;

    if (LIKELY(is_plain_hit(l, a, &index))) {
        l->hits[a->wrong_path][a->kind]++;
        return l->hit;
    }
    return level_atomic(l, a, index);
}

static enum timed_answer cache_access(struct component *c, const struct timed_access *a, tick now,
                                      struct timed_client *client, u32 token, tick *ret_when)
{
    struct level *l = &cache_of(c)->level;
    i64 index;

    now = MAX(now, c->sim->queue.now);
    if (!level_take_port(l, level_line(a->pa), now, ret_when))
        return TIMED_BUSY;
    if (LIKELY(is_plain_hit(l, a, &index))) {
        l->hits[a->wrong_path][a->kind]++;
        *ret_when = now + l->hit;
        return TIMED_DONE;
    }
    return level_access(l, a, index, now, client, token, ret_when);
}

static bool cache_probe(const struct component *c, paddr pa)
{
    return level_find(&cache_of(c)->level, level_line(pa)) >= 0;
}

static const struct timed_port_ops cache_timed = {
    .atomic = cache_atomic,
    .access = cache_access,
    .probe = cache_probe,
};

// ---- life

static bool cache_check(struct component *c, struct error *err)
{
    const struct cache *k = cache_of(c);
    u64 lines = k->p.size / TIMED_LINE, sets = lines / k->p.ways;

    if (k->p.size % TIMED_LINE)
        return error_set(err, ERROR_INPUT, "the size is not a multiple of a line's %d bytes",
                         TIMED_LINE);
    if (k->p.ways > lines)
        return error_set(err, ERROR_INPUT, "there are more ways (%llu) than lines (%llu)",
                         (unsigned long long)k->p.ways, (unsigned long long)lines);
    if (lines % k->p.ways || sets & (sets - 1))
        return error_set(err, ERROR_INPUT,
                         "%llu lines in %llu ways: the number of sets is not a power of two",
                         (unsigned long long)lines, (unsigned long long)k->p.ways);
    if (k->p.banks & (k->p.banks - 1))
        return error_set(err, ERROR_INPUT, "the number of banks is not a power of two");
    return true;
}

static bool cache_build(struct component *c, struct error *err)
{
    struct cache *k = cache_of(c);
    struct level *l = &k->level;
    u64 tag = k->p.tag_latency, data = k->p.data_latency;
    u64 hit = k->p.sequential ? tag + data : MAX(tag, data);
    u64 hz = k->p.clock;

    l->holds = HOLDS_DATA;
    l->tags = k->st.tags;
    l->above = k->st.above;
    l->recent = k->st.recent;
    l->policy.rank = k->st.rank;
    l->policy.shared = k->st.policy;
    l->n = &k->n;
    l->event = &k->st.job;
    level_build(l, c,
                &(struct level_config){
                    .sets = k->p.size / TIMED_LINE / k->p.ways,
                    .ways = k->p.ways,
                    .tag = level_cycles(tag, hz),
                    .hit = level_cycles(hit, hz),
                    .response = level_cycles(k->p.response_latency, hz),
                    .period = TICKS_PER_SECOND / hz,
                    .ports = k->p.ports,
                    .banks = k->p.banks,
                    .mshrs = k->p.mshrs,
                    .targets = k->p.targets,
                    .write_buffers = k->p.write_buffers,
                    .inclusion = k->p.inclusion,
                    .protocol = k->p.protocol,
                    .policy = k->p.replacement,
                    .seed = k->p.seed,
                    .below = k->p.next,
                    .prefetcher = k->p.prefetcher,
                    .prefetch_on_hits = k->p.prefetch_on_hits,
                });
    return true;
}

static bool cache_connect(struct component *c, struct error *err)
{
    return level_connect(&cache_of(c)->level, err);
}

static void cache_reset(struct component *c)
{
    level_reset(&cache_of(c)->level);
}

static bool cache_drain(struct component *c)
{
    return level_drain(&cache_of(c)->level);
}

static void cache_writeback(struct component *c)
{
    level_clean(&cache_of(c)->level);
}

static void cache_invalidate(struct component *c)
{
    level_clear(&cache_of(c)->level);
}

static bool cache_after_load(struct component *c, struct error *err)
{
    return level_after_load(&cache_of(c)->level, err);
}

static const struct cache_level_ops cache_level_ops_of = {.level = cache_level};

static const struct component_ops cache_ops = {
    .check = cache_check,
    .build = cache_build,
    .connect = cache_connect,
    .reset = cache_reset,
    .drain = cache_drain,
    .mem_writeback = cache_writeback,
    .mem_invalidate = cache_invalidate,
    .after_load = cache_after_load,
};

const struct component_type cache_type = {
    .name = "cache",
    .doc = "Set-associative cache, tags and timing only",
    COMPONENT_LAYOUT(cache),
    .ops = &cache_ops,
    .provides = {IFACE(timed_port, &cache_timed), IFACE(cache_level, &cache_level_ops_of)},
};
