// SPDX-License-Identifier: BSD-3-Clause
// Inside of the memory hierarchy: what caches, directories and snooping buses have in common.
//
// A level has levels or clients above it and levels or memories below. A transaction changes the
// tags of all levels concerned at once, where it is ordered: at the call. So the states are
// consistent between any two calls, and which one comes first is always clear. Its timing is worked
// out along the way: every step says when it would happen, and takes its port, bank and link there.
// Only a memory's answer is not known in advance; until then the line's miss register (MSHR) has
// LEVEL_UNKNOWN as its time, and collects who waits.
//
//   client -> level_access (cache_access.c) -> level_request_* (cache_request.c)
//                 -> the same of the level below ... -> memory (cache_memory.c)
//          <- level_answer (cache_mshr.c): the memory's answer on its way up
//   coherence (cache_coherence.c): level_probe goes up, level_put comes down
//
// A word of tags is: line number << 8 | flags. S is VALID; E VALID|EXCLUSIVE; O VALID|DIRTY;
// M all three.
//
// APPROX: tags change when a request is looked up, not when its data come: a victim leaves early.
#pragma once

#include "mem/cache_calendar.h"
#include "mem/cache_stats.h"
#include "mem/interconnect.h"
#include "mem/prefetch/prefetcher.h"
#include "mem/replacement/replacement.h"
#include "sim/component.h"
#include "sim/timed.h"

enum {
    LINE_VALID = 1,
    LINE_EXCLUSIVE = 2,   // nobody outside of what is above this level has it
    LINE_DIRTY = 4,       // the level below has older data
    LINE_INFLIGHT = 8,    // maybe not here yet: an MSHR knows
    LINE_PREFETCHED = 16, // and not used since
    LINE_NEVER = 128,     // in no tag
    LINE_SHIFT = 8,
    LINE_STATE = LINE_VALID | LINE_EXCLUSIVE | LINE_DIRTY,
};
#define LINE_FLAGS ((u64)255)

enum {
    LEVEL_CHILDREN = 56,
    LEVEL_BELOW = 64,
    LEVEL_DEPTH = 16,
    LEVEL_WAYS = 128,
    LEVEL_NOBODY = 255, // instead of a child
};
#define LEVEL_UNKNOWN (~(tick)0)

enum level_holds { HOLDS_DATA, HOLDS_TAGS, HOLDS_NOTHING };
enum level_inclusion { LEVEL_INCLUSIVE, LEVEL_NINE, LEVEL_EXCLUSIVE }; // of what is above
enum level_protocol { LEVEL_MESI, LEVEL_MOESI };                       // between those above

struct level;

struct level_child {
    struct level *level;
    struct net_link link; // its end is `near`
};

struct level_below {
    struct level *level; // NULL: a memory
    struct component *memory;
    const struct timed_port_ops *memory_ops;
    u32 port; // this level's number there
    struct net_link link;
};

struct mshr {
    i64 index; // where the line was put, or -1
    tick since;
    u32 first, last; // targets, from 1; 0: none
    u32 count;       // of targets, those included whose time was known
    bool prefetch;
};

// Who waits for an answer: a client or an MSHR of a level above.
struct target {
    struct timed_client *client;
    struct level *upper;
    u32 token; // or the number of the MSHR
    u32 next;
    tick extra; // from when the data are here to when they leave for the target
    const struct net_link *link;
};

enum job_kind { JOB_DONE, JOB_READ, JOB_WRITE };
struct job {
    tick when;
    u64 line;
    struct timed_client *client;
    u32 token; // or the number of the MSHR
    u32 next, before;
    u8 kind; // enum job_kind
    u8 core;
    bool wrong_path;
};

// What a component's parameters say, in ticks where that is a time.
struct level_config {
    u64 sets, ways;
    u64 tag, data, hit, response, period;
    u64 ports, banks;
    u64 mshrs, targets, write_buffers;
    u64 inclusion, protocol, policy, seed;
    const char *below, *prefetcher; // paths
    bool prefetch_on_hits;
};

struct level {
    // ---- the hot path
    u64 *tags;
    u8 *recent; // the way of each set that was touched last
    u64 set_mask, ways;
    u64 want[TIMED_KINDS], mask[TIMED_KINDS]; // of a tag word that hits without any ado
    u64 *hits[2];                             // right and wrong path
    tick hit;                                 // latency
    tick cycle_from;                          // when `cycle` began
    u64 cycle;
    tick period;
    u64 port_count, bank_mask; // 0: no banks
    struct calendar *ports, *banks;
    struct replacement policy;

    // ---- what it is
    struct component *component;
    struct cache_stats *n;
    enum level_holds holds;
    struct level_config k;
    bool tracks; // knows from `above` who above has a line, and has all those lines itself
    bool root;   // below are memories
    u64 sets;
    u64 *above; // of each line: level_sharers, level_owner
    struct level_child children[LEVEL_CHILDREN];
    u32 child_count;
    struct level_below below[LEVEL_BELOW];
    struct net_slices below_by; // which of them a line belongs to
    struct net_slices slices;   // which of its interconnect's slices this is one of
    struct component *prefetcher;
    const struct prefetcher_ops *prefetcher_ops;
    struct prefetch_list wanted; // by the prefetcher, when the access is done
    tick wanted_at;

    // ---- what is in flight; nothing of it is saved
    tick *mshr_ready; // 0 or past: free
    u64 *mshr_line;
    u32 mshr_next; // is free, most likely
    struct mshr *mshr;
    struct target *target;
    u32 free_target;
    tick *buffer_free; // when each write buffer is
    struct job *job;
    u32 first_job, last_job, free_job;
    u32 unknown;       // MSHRs that wait for a memory
    u32 waiting;       // clients that have to be told
    u32 writes_queued; // jobs
    u32 writes_out;    // that the memory has not confirmed
    struct event *event;
    struct timed_client memory_client;
};

// A transaction of a level with the one below, or of a client.
struct request {
    const struct timed_access *a;
    u64 line;
    struct level *upper; // who asks; NULL: `client`
    struct timed_client *client;
    u32 token; // or its MSHR
    u32 port;  // its number here, or LEVEL_NOBODY
    const struct net_link *link;
    bool timed;
    bool exclusive; // wants to write it
    bool has_copy;  // needs no data
    bool prefetch;  // of a prefetcher of this level
    tick now;       // when it comes here
    // the answer
    tick when;  // the requester has it; LEVEL_UNKNOWN: it will be told
    u8 granted; // LINE_STATE
};

enum probe_op {
    PROBE_LOOK,        // changes nothing
    PROBE_SHARE_CLEAN, // others read it: keep a clean copy, hand over the data
    PROBE_SHARE_KEEP,  // others read it: whoever has it dirty stays responsible
    PROBE_INVALIDATE,
};

struct probe {
    u64 line;
    enum probe_op op;
    bool timed;
    bool data;                 // the answer has the line's data
    bool eviction;             // the prober loses the line
    tick now;                  // when it comes there
    const struct net_link *to; // who gets the answers; NULL: the prober
    // the answer
    tick when;
    u8 handed; // LINE_DIRTY: the prober is responsible now
    bool kept; // dirty data stay there
};

// ---- tags (cache_tags.c)

// Whatever address a device comes up with: the line's number fits a tag word.
static inline u64 level_line(paddr pa)
{
    return pa >> TIMED_LINE_SHIFT & ~(u64)0 >> LINE_SHIFT;
}

static inline u64 level_set(const struct level *l, u64 line)
{
    return (l->slices.count <= 1 ? line : net_slices_local(&l->slices, line)) & l->set_mask;
}
// The first of `count` words that is `want` where the mask has ones, or -1.
static inline i64 level_match(const u64 *words, u64 count, u64 want, u64 mask)
{
    u64 i = 0;

    for (; i + 4 <= count; i += 4) {
        u32 a = ((words[i] ^ want) & mask) == 0, b = ((words[i + 1] ^ want) & mask) == 0;
        u32 c = ((words[i + 2] ^ want) & mask) == 0, d = ((words[i + 3] ^ want) & mask) == 0;
        u32 match = a | b << 1 | c << 2 | d << 3;

        if (match)
            return (i64)i + __builtin_ctz(match);
    }
    for (; i < count; i++)
        if (((words[i] ^ want) & mask) == 0)
            return (i64)i;
    return -1;
}

// The index of the line's tag word, or -1.
static inline i64 level_find(const struct level *l, u64 line)
{
    u64 first;
    i64 way;

    if (l->holds == HOLDS_NOTHING)
        return -1;
    first = level_set(l, line) * l->ways;
    way = level_match(l->tags + first, l->ways, line << LINE_SHIFT | LINE_VALID,
                      ~LINE_FLAGS | LINE_VALID);
    return way < 0 ? way : (i64)first + way;
}

static inline void level_touch(struct level *l, u64 set, u64 way)
{
    if (l->recent[set] == way)
        return;
    l->recent[set] = (u8)way;
    if (l->policy.ops == &replacement_lru && l->ways <= 16)
        replacement_order_touch(&l->policy.rank[set * l->ways], way);
    else
        l->policy.ops->touch(&l->policy, (u32)set, (u32)way);
}
// Makes room for the line, which is not here, and puts it there with these flags. *when moves to
// when there is room.
i64 level_fill(struct level *l, u64 line, u64 flags, tick *when, bool timed);
// Takes the line out, with a word to the prefetcher.
void level_drop(struct level *l, i64 index);

// ---- coherence (cache_coherence.c)

// A word for each line of a level that tracks: a bit for each child that has the line, and in the
// highest byte, plus one, the child that may write it or has it dirty.
static inline u64 level_sharers(const struct level *l, i64 index)
{
    return l->above[index] & (((u64)1 << LEVEL_CHILDREN) - 1);
}
static inline u32 level_owner(const struct level *l, i64 index)
{
    return (u8)((l->above[index] >> LEVEL_CHILDREN) - 1); // of 0: LEVEL_NOBODY
}
static inline void level_set_above(struct level *l, i64 index, u64 sharers, u32 owner)
{
    l->above[index] = sharers | (u64)(u8)(owner + 1) << LEVEL_CHILDREN;
}

// LINE_STATE of everything from this level upwards.
u8 level_subtree(const struct level *l, u64 line);
u64 level_snoop(const struct level *l, u64 line, u32 *ret_owner);
// Which of those above have the line, and which one may have it dirty or may write it.
static inline u64 level_holders(const struct level *l, u64 line, i64 index, u32 *ret_owner)
{
    if (!l->tracks)
        return level_snoop(l, line, ret_owner);
    *ret_owner = index < 0 ? LEVEL_NOBODY : level_owner(l, index);
    return index < 0 ? 0 : level_sharers(l, index);
}
void level_probe(struct level *l, struct probe *p);
// Probes all children of the set; p->when is when the last answer has come.
void level_probe_set(struct level *l, u64 set, struct probe *p);
// The line, whose tag word and sharers these were, has had to leave this level. Returns when a
// write buffer had room for it.
tick level_evict(struct level *l, u64 word, u64 sharers, tick now, bool timed);
// A level above hands back: dirty data (LINE_DIRTY of flags), and its copy when `gone`.
// Returns when that has been taken.
tick level_put(struct level *l, u32 port, u64 line, u8 flags, bool gone, tick now, bool timed);
// The same to whatever is below; returns when a write buffer had room for it.
tick level_put_below(struct level *l, u64 line, u8 flags, bool gone, tick now, bool timed);

// ---- transactions (cache_request.c, cache_access.c)

// `index`: the line's, or -1 (level_find).
enum timed_answer level_request_timed(struct level *l, struct request *q, i64 index);
enum timed_answer level_request_atomic(struct level *l, struct request *q, i64 index);
// Shows the access to the level's prefetcher and notes the lines that it wants.
void level_train(struct level *l, const struct request *q, struct prefetch_seen *seen);
enum timed_answer level_dma(struct level *l, struct request *q);
tick level_atomic(struct level *l, const struct timed_access *a, i64 index);
// The port is taken: level_take_port.
enum timed_answer level_access(struct level *l, const struct timed_access *a, i64 index, tick now,
                               struct timed_client *client, u32 token, tick *ret_when);
static inline struct level_below *level_below_of(struct level *l, u64 line)
{
    return &l->below[net_slices_which(&l->below_by, line)];
}

// ---- time (cache_mshr.c)

static inline u64 level_cycle_of(struct level *l, tick now)
{
    // Unsigned: a `now` before cycle_from is far away, too.
    if (now - l->cycle_from >= l->period) {
        l->cycle = now / l->period;
        l->cycle_from = l->cycle * l->period;
    }
    return l->cycle;
}

// A port and a bank for a client, in this cycle. False: it is busy, *ret_when says until when.
static inline bool level_take_port(struct level *l, u64 line, tick now, tick *ret_when)
{
    u64 cycle = level_cycle_of(l, now);
    struct calendar *bank = l->banks ? &l->banks[line & l->bank_mask] : NULL;

    if (UNLIKELY(calendar_taken(l->ports, cycle) >= l->port_count ||
                 (bank && calendar_taken(bank, cycle)))) {
        l->n->blockedNoPorts++;
        *ret_when = MAX(l->cycle_from + l->period, now + 1);
        return false;
    }
    calendar_take(l->ports, cycle);
    if (bank)
        calendar_take(bank, cycle);
    return true;
}

// Takes a port and a bank in the first cycle from `now` on that has them; returns when.
tick level_reserve(struct level *l, u64 line, tick now);
// The register of a line that is under way at `now`, or -1.
i32 mshr_find(const struct level *l, u64 line, tick now);
// A free register at *now, which moves to when one is free; -1 when that is not known.
i32 mshr_free(struct level *l, tick *now);
void mshr_take(struct level *l, u32 i, u64 line, tick since, tick ready, bool prefetch);
// Its answer is known before the register has been told (by whoever took it).
void mshr_known(struct level *l, u32 i, tick ready);
// Whether q can wait for it, too.
bool mshr_has_room(const struct level *l, u32 i);
void mshr_add(struct level *l, u32 i, const struct request *q, tick extra);
void level_answer(struct level *l, u32 i, tick when);

// ---- memory (cache_memory.c)

bool level_is_congested(struct level *l);
tick memory_atomic(struct level *l, u64 line, enum timed_kind kind);
void memory_read(struct level *l, u64 line, const struct request *q, u32 mshr, tick now);
void memory_write(struct level *l, u64 line, tick now);
void level_schedule(struct level *l, const struct job *job);
void level_run_jobs(struct level *l);
void level_memory_done(struct timed_client *client, u32 token, tick when);

// ---- checks (coherence_checker.c)

// The states of one line in all levels that its path from `l` down to memory has, and above these.
bool level_check_line(const struct level *l, u64 line, struct error *err) MUST_CHECK;

// ---- life (cache_wire.c)

void level_build(struct level *l, struct component *c, const struct level_config *k);
bool level_connect(struct level *l, struct error *err) MUST_CHECK;
void level_reset(struct level *l);
bool level_drain(struct level *l);
bool level_after_load(struct level *l, struct error *err) MUST_CHECK;
// Nothing is dirty any more; nothing is here any more. All levels are told, one by one.
void level_clean(struct level *l);
void level_clear(struct level *l);

// Rounded down, so that a client of the same clock finds it done at the edge it is due at.
static inline tick level_cycles(u64 cycles, u64 hertz)
{
    return (tick)((u128)cycles * TICKS_PER_SECOND / hertz);
}

// Interface "cache_level".
struct cache_level_ops {
    struct level *(*level)(struct component *c);
};
