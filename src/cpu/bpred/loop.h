// SPDX-License-Identifier: BSD-3-Clause
// Loop predictor: branches that go one way a constant number of times and then the other way once.
// As in TAGE-SC-L (A. Seznec, "TAGE-SC-L Branch Predictors Again", CBP-5, 2016): skewed
// four-way, 10-bit tags and iteration counts, 4-bit confidence and age.
// The count of the current iteration is kept twice: as of the last commit, and speculatively, for
// predictions; wrong paths are undone in the second by whoever owns the table.
#pragma once

#include "cpu/bpred/direction.h"

#include "base/rng.h"

// An entry, one u64 of the state:
//     9..0 tag | 19..10 iterations, 0: unknown | 29..20 current iteration | 33..30 confidence
//     37..34 age | 38 the direction of all iterations but the last
enum { LOOP_ITERATIONS_MAX = 1023, LOOP_CONFIDENT = 15, LOOP_AGE_NEW = 7, LOOP_MISS = 0xffff };
#define LOOP_ENTRY_MAX ((1ull << 39) - 1)

struct loop_table {
    u64 *entries;
    u16 *current; // speculative current iteration of each entry
    u32 log;      // of the number of entries; at least 2
};

struct loop_memory {
    u16 set, skew; // where the four ways are
    u16 tag;
    u16 index; // of the entry that hit, or LOOP_MISS
    u8 valid;  // sure enough
    u8 taken;  // its prediction
};

static inline u32 loop_way(const struct loop_memory *m, unsigned way)
{
    return (((u32)m->set ^ (u32)m->skew >> way) << 2) + way;
}

static inline void loop_lookup(const struct loop_table *t, vaddr pc, struct loop_memory *m)
{
    u32 bits = t->log - 2, sets = (1u << bits) - 1, index = LOOP_MISS;
    u32 tag = (u32)(pc >> bits) & 0xfffff;

    m->set = (u16)((u32)(pc ^ pc >> 2) & sets);
    m->skew = (u16)(tag & sets);
    m->tag = (u16)((tag ^ tag >> 10) & 0x3ff);
    m->valid = m->taken = false;
#pragma GCC unroll 4
    for (unsigned way = 4; way-- > 0;) {
        u32 i = loop_way(m, way);

        index = (t->entries[i] & 0x3ff) == m->tag ? i : index;
    }
    m->index = (u16)index;
    if (index != LOOP_MISS) {
        u64 e = t->entries[index];
        u32 iterations = e >> 10 & 0x3ff, confidence = e >> 30 & 15;

        m->valid = confidence == LOOP_CONFIDENT || confidence * iterations > 128;
        m->taken = (e >> 38 & 1) ^ (t->current[index] + 1u == iterations);
    }
}

// The branch is (thought to be) taken or not: the current iteration goes on or starts anew. What
// *loop_slot held is for the caller's log.
static inline u16 *loop_slot(const struct loop_table *t, const struct loop_memory *m)
{
    return m->index == LOOP_MISS ? NULL : &t->current[m->index];
}
static inline void loop_advance(const struct loop_table *t, const struct loop_memory *m, bool taken)
{
    u16 *current = loop_slot(t, m);

    if (!current)
        return;
    if (taken != (t->entries[m->index] >> 38 & 1))
        *current = 0;
    else
        *current = (*current + 1) & LOOP_ITERATIONS_MAX;
}

// base: what would have been predicted without; wrong: the whole prediction was wrong.
void loop_train(struct loop_table *t, const struct loop_memory *m, bool taken, bool base,
                bool wrong, struct rng *rng);
bool loop_valid(const struct loop_table *t, struct error *err);

// ---- as a component of its own, beside a direction predictor that has none: the child
// `loop_predictor`

struct loop_component_memory {
    struct loop_memory m;
    u8 base; // what would have been predicted without
    u32 head;
};

extern const struct component_type bpred_loop_type;
// Overrules `base` when it is sure and has been right of late.
bool bpred_loop_lookup(struct component *c, vaddr pc, bool base, struct loop_component_memory *m,
                       u8 *provider);
void bpred_loop_push(struct component *c, bool conditional, bool taken,
                     struct loop_component_memory *m, bool final);
void bpred_loop_restore(struct component *c, const struct loop_component_memory *m);
void bpred_loop_train(struct component *c, const struct loop_component_memory *m, bool taken,
                      bool wrong);
