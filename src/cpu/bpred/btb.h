// SPDX-License-Identifier: BSD-3-Clause
// One level of a branch target buffer: set-associative, least recently used, by whole address.
// APPROX: tags are whole addresses, so that two branches are never taken for one.
#pragma once

#include "base/error.h"

// A view of state that bpred's list holds. Tags are ~pc, so that zeroes are empty entries.
struct btb {
    u64 *entries; // ways of a set together: tag, target
    u8 *ranks;    // of each entry in its set, 0: used last
    u32 set_mask, set_bits, ways;
};

enum { BTB_NONE = 0xffffffff };

// entries / ways must be a power of two; entries may be 0.
void btb_init(struct btb *b, u64 *entries, u8 *ranks, u32 count, u32 ways);
void btb_reset(struct btb *b);
// Ranks of a set are a permutation.
bool btb_valid(const struct btb *b, const char *what, struct error *err);

static inline u32 btb_set(const struct btb *b, vaddr pc)
{
    return (u32)((pc ^ pc >> b->set_bits) & b->set_mask);
}
// The entry of a branch, or BTB_NONE.
static inline u32 btb_find(const struct btb *b, vaddr pc)
{
    u32 first = btb_set(b, pc) * b->ways, found = BTB_NONE;

    if (LIKELY(b->ways == 4)) {
        const u64 *e = b->entries + 2 * first;

        found = e[0] == ~pc ? first : found;
        found = e[2] == ~pc ? first + 1 : found;
        found = e[4] == ~pc ? first + 2 : found;
        return e[6] == ~pc ? first + 3 : found;
    }
    for (u32 i = first; i < first + b->ways; i++)
        found = b->entries[2 * i] == ~pc ? i : found;
    return found;
}
static inline vaddr btb_target(const struct btb *b, u32 entry)
{
    return b->entries[2 * entry + 1];
}
// It is the one used last.
void btb_touch_slow(struct btb *b, u32 entry);
static inline void btb_touch(struct btb *b, u32 entry)
{
    if (b->ranks[entry])
        btb_touch_slow(b, entry);
}
void btb_remove(struct btb *b, u32 entry);
// Puts a branch that is not there in; true when another one had to go: *ret_pc, *ret_target.
bool btb_insert(struct btb *b, vaddr pc, vaddr target, vaddr *ret_pc, vaddr *ret_target);
