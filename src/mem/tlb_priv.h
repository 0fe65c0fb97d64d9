// SPDX-License-Identifier: BSD-3-Clause
// A TLB's insides. tlb.c: the component and accesses; tlb_array.c: entries and the walker's
// paging-structure caches; tlb_walk.c: the walker.
#pragma once

#include "mem/tlb.h"
#include "sim/sim.h"
#include "sim/timed.h"

enum {
    TLB_SIZES = 3,      // pages of 4 KiB, 2 MiB, 1 GiB
    TLB_STRUCTURES = 4, // caches of PDEs, PDPTEs, PML4Es, PML5Es
    TLB_HINTS = 256,
    TLB_ENTRIES_MOST = 16384,
    TLB_ENTRY_WORDS = 4,
    TLB_EPOCH_SHIFT = 48,
    TLB_PAGE_BITS = 45,
    TLB_WALKERS_MOST = 64,
    TLB_WALKS_MOST = 256,
    TLB_WAITERS_MOST = 1024,
    TLB_NONE = 0xffff,
};

#define TLB_PARAMS(P, PR, PB, PS, PC)                                                              \
    PS(next, "", "Path of the next level; empty: this is the last one")                            \
    PS(port, "", "Path of where the walker reads; needed by the last level only")                  \
    P(hertz, clock, 3000000000, 1000000, 100000000000, "Clock")                                    \
    P(cycles, latency, 0, 0, 1000,                                                                 \
      "Time of a look-up; of a hit in the first level beyond the"                                  \
      " cache access that it is part of")                                                          \
    P(u32, entries, 64, 1, TLB_ENTRIES_MOST, "Entries, for pages of 4 KiB and those without own")  \
    P(u32, ways, 4, 0, 1024, "Entries in a set; 0: fully associative")                             \
    P(u32, entries_2m, 0, 0, TLB_ENTRIES_MOST, "Own entries for pages of 2 MiB; 0: none")          \
    P(u32, ways_2m, 0, 0, 1024, "Of them in a set; 0: fully associative")                          \
    P(u32, entries_1g, 0, 0, TLB_ENTRIES_MOST, "Own entries for pages of 1 GiB; 0: none")          \
    P(u32, ways_1g, 0, 0, 1024, "Of them in a set; 0: fully associative")                          \
    P(u32, core, 0, 0, 255, "Number of the core, in the walker's reads")                           \
    P(u32, walkers, 2, 1, TLB_WALKERS_MOST, "Walks at once")                                       \
    P(u32, walks, 16, 1, TLB_WALKS_MOST, "Walks under way and queued")                             \
    P(u32, waiters, 64, 1, TLB_WAITERS_MOST, "Accesses that wait for walks")                       \
    P(cycles, walk_latency, 1, 0, 1000, "Start of a walk; look-up of the paging-structure caches") \
    P(u32, pde_cache, 32, 0, 1024, "Paging-structure cache: page directory entries")               \
    P(u32, pdpte_cache, 4, 0, 1024, "Page directory pointer entries")                              \
    P(u32, pml4e_cache, 2, 0, 1024, "Level 4 entries")                                             \
    P(u32, pml5e_cache, 1, 0, 1024, "Level 5 entries")

#define TLB_TOTAL(p) ((p)->entries + (p)->entries_2m + (p)->entries_1g)
#define TLB_STRUCTURE_TOTAL(p) \
    ((p)->pde_cache + (p)->pdpte_cache + (p)->pml4e_cache + (p)->pml5e_cache)

// Tags: epoch << 48 | page number << 2 | size + 1; those of structures end in 1 instead. A flush
// begins a new epoch.
#define TLB_STATE(F, FA, FE, FV)                                                \
    F(u64, last_page) /* the last translation: of 4 KiB, 1 + number; 0: none */ \
    F(u64, last_frame)                                                          \
    F(tick, last_ready)                                                         \
    F(u64, uses)  /* counts, for LRU */                                         \
    F(u64, epoch) /* of 16 bits */                                              \
    F(u64, sizes) /* bit: pages of that size came since the last flush */       \
    FE(walk)                                                                    \
    FV(u64, entries, TLB_TOTAL(p) * TLB_ENTRY_WORDS) /* struct tlb_entry */     \
    FV(u64, structure_tags, TLB_STRUCTURE_TOTAL(p))                             \
    FV(paddr, structure_tables, TLB_STRUCTURE_TOTAL(p))                         \
    FV(u64, structure_used, TLB_STRUCTURE_TOTAL(p))                             \
    FV(tick, walker_free, p->walkers)                                           \
    FA(u16, hints, TLB_HINTS) /* where an entry was last found, by a hash of the page */

extern const char *const tlb_structure_names[];

#define TLB_STATS(S, SV, SH, SG, SR)                                                \
    S(hits, "Count", "Translations found here")                                     \
    S(misses, "Count", "Translations not found here")                               \
    S(stale, "Count", "Entries that led elsewhere, and were dropped")               \
    S(flushes, "Count", "Flushes")                                                  \
    S(blocked, "Count", "Times no walk could be taken")                             \
    S(walks, "Count", "Page walks")                                                 \
    S(unmapped, "Count", "Walks that found nothing")                                \
    S(merged, "Count", "Misses that shared a walk")                                 \
    S(walkReads, "Count", "Table entries read by walks")                            \
    SV(structureHits, TLB_STRUCTURES, tlb_structure_names, "Count",                 \
       "Walks that began behind a cached entry of that level")                      \
    S(walkTicks, "Tick", "Time of walks, from the miss to its end; not of warming") \
    SH(walkTime, 24, 0, "Tick", "The same, by length")                              \
    SR(missRate, misses, lookups, "Ratio", "Misses per look-up")                    \
    S(lookups, "Count", "Look-ups")

#define TLB_EVENTS(E) E(walk, tlb_walk_event)

PARAM_STRUCT(tlb_params, TLB_PARAMS);
STATE_STRUCT(tlb_state, TLB_STATE);
STAT_STRUCT(tlb_stats, TLB_STATS);

struct tlb_entry {
    u64 tag; // 0: free, as those of earlier epochs
    u64 frame;
    u64 used;   // counts, for LRU
    tick ready; // when it is there
};
_Static_assert(sizeof(struct tlb_entry) == TLB_ENTRY_WORDS * sizeof(u64), "words of an entry");

struct tlb_array {
    u32 first, sets, ways; // of the entries
};

// An access that waits for a walk; which levels get the entry follows from the level that was
// asked.
struct tlb_waiter {
    struct timed_client *client;
    struct tlb *level;
    u32 token;
    u16 next;
};

enum tlb_walk_phase { TLB_FREE, TLB_QUEUED, TLB_READS, TLB_RETRIES, TLB_ENDS };

// A walk under way. None outlives a drain, so none is state.
struct tlb_walk {
    struct timed_walk w;
    vaddr va;
    paddr pa_page;
    tick began;
    tick when; // RETRIES, ENDS: the time for that
    u64 epoch;
    enum tlb_walk_phase phase;
    u8 at, from; // the entry to be read; the first one that is
    u16 walker, waiters, next;
    bool mapped;
};

struct tlb {
    struct component base;
    struct tlb_params p;
    struct tlb_state st;
    struct tlb_stats n;
    WIRED(struct tlb *next);
    WIRED(struct component *port);
    WIRED(const struct timed_port_ops *port_ops);
    DERIVED(struct tlb_entry *entries);
    DERIVED(tick hit);
    DERIVED(tick walk_start);
    DERIVED(struct tlb_array arrays[TLB_SIZES]); // by page size; some are the same
    DERIVED(u32 structure_first[TLB_STRUCTURES + 1]);
    DERIVED(struct timed_client client); // of the port
    DERIVED(struct tlb_walk *walks);
    DERIVED(struct tlb_waiter *waiters);
    DERIVED(u16 free_waiter);
    DERIVED(u16 first_queued); // a list through tlb_walk.next
    DERIVED(u16 last_queued);
    DERIVED(u32 under_way); // walks that are not free
};

static const u8 tlb_shifts[TLB_SIZES] = {12, 21, 30};

static inline unsigned tlb_size_of(u8 page_shift)
{
    return page_shift >= 30 ? 2 : page_shift >= 21 ? 1 : 0;
}

static inline u64 tlb_tag(const struct tlb *t, vaddr va, unsigned size)
{
    return t->st.epoch << TLB_EPOCH_SHIFT |
           (va >> tlb_shifts[size] & (((u64)1 << TLB_PAGE_BITS) - 1)) << 2 | (size + 1);
}

static inline u16 *tlb_hint(struct tlb *t, vaddr va)
{
    return &t->st.hints[(va >> 12 ^ va >> 20) % TLB_HINTS];
}

// The entry that was found, or made, becomes the last translation.
static inline void tlb_touch(struct tlb *t, struct tlb_entry *e, vaddr va, paddr pa_page)
{
    e->used = ++t->st.uses;
    t->st.last_page = (va >> 12) + 1;
    t->st.last_frame = pa_page >> 12;
    t->st.last_ready = e->ready;
}

// The page's entry where its hint says, or NULL.
static inline struct tlb_entry *tlb_find_hinted(struct tlb *t, vaddr va, paddr pa_page)
{
    struct tlb_entry *e = &t->entries[*tlb_hint(t, va)];
    unsigned size = (unsigned)(e->tag & 3);

    if (size-- == 0 || e->tag != tlb_tag(t, va, size) || e->frame != pa_page >> tlb_shifts[size])
        return NULL;
    tlb_touch(t, e, va, pa_page);
    return e;
}

// tlb_array.c
bool tlb_arrays_check(struct tlb *t, struct error *err) MUST_CHECK;
// The entry for the page, of whatever size, which becomes the last translation; or NULL.
struct tlb_entry *tlb_find(struct tlb *t, vaddr va, paddr pa_page);
void tlb_insert(struct tlb *t, vaddr va, paddr pa_page, unsigned size, tick ready);
void tlb_forget(struct tlb *t);
// The first entry that a walk has to read.
u8 tlb_structures_find(struct tlb *t, vaddr va, const struct timed_walk *w);
void tlb_structures_learn(struct tlb *t, vaddr va, const struct timed_walk *w, u8 from);

// tlb_walk.c
// After a miss in the last level `t`, at `now`, for an access that came in at `level`.
enum timed_answer tlb_walk_access(struct tlb *t, struct tlb *level, vaddr va, paddr pa_page,
                                  tick now, struct timed_walker *walk, struct timed_client *client,
                                  u32 token, tick *ret_when);
tick tlb_walk_atomic(struct tlb *t, struct tlb *level, vaddr va, paddr pa_page,
                     struct timed_walker *walk);
void tlb_walk_done(struct timed_client *client, u32 token, tick when);
void tlb_walk_step(struct tlb *t);
void tlb_walks_clear(struct tlb *t);
