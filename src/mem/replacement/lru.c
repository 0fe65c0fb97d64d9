// SPDX-License-Identifier: BSD-3-Clause
// Least recently used. Up to 16 ways: the word of a set's first line has its ways in order, four
// bits each, the most recent one lowest. More: a line's word is the count of uses so far, of the
// whole cache, at its last.
#include "mem/replacement/replacement.h"

static void lru_reset(struct replacement *r, u64 seed)
{
    for (u64 set = 0; r->ways <= 16 && set < r->sets; set++)
        r->rank[set * r->ways] = 0xfedcba9876543210u;
}

static void lru_touch(struct replacement *r, u32 set, u32 way)
{
    if (r->ways <= 16)
        replacement_order_touch(&r->rank[(u64)set * r->ways], way);
    else
        r->rank[(u64)set * r->ways + way] = ++r->shared[0];
}

static u32 lru_victim(struct replacement *r, u32 set)
{
    const u64 *rank = r->rank + (u64)set * r->ways;
    u64 least = rank[0];
    u32 oldest = 0;

    if (r->ways <= 16)
        return (u32)(rank[0] >> (r->ways - 1) * 4 & 15);
    for (u32 way = 1; way < r->ways; way++) {
        bool older = rank[way] < least;

        least = older ? rank[way] : least;
        oldest = older ? way : oldest;
    }
    return oldest;
}

// Every way below `ways` is among the first so many.
static bool lru_good(const struct replacement *r)
{
    for (u64 set = 0; r->ways <= 16 && set < r->sets; set++) {
        u32 seen = 0;

        for (u32 i = 0; i < r->ways; i++)
            seen |= 1u << (r->rank[set * r->ways] >> i * 4 & 15);
        if (seen != (1u << r->ways) - 1)
            return false;
    }
    return true;
}

const struct replacement_ops replacement_lru = {.name = "lru",
                                                .reset = lru_reset,
                                                .touch = lru_touch,
                                                .fill = lru_touch,
                                                .victim = lru_victim,
                                                .good = lru_good};

const struct replacement_ops *const replacement_policies[] = {
    &replacement_lru,
    &replacement_plru,
    &replacement_srrip,
    &replacement_brrip,
    &replacement_drrip,
    &replacement_random,
    NULL,
};
