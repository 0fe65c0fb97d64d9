// SPDX-License-Identifier: BSD-3-Clause
// Least recently used. A line's word is the count of uses so far, of the whole cache, at its last.
#include "mem/replacement/replacement.h"

static void lru_touch(struct replacement *r, u32 set, u32 way)
{
    r->rank[(u64)set * r->ways + way] = ++r->shared[0];
}

static u32 lru_victim(struct replacement *r, u32 set)
{
    const u64 *rank = r->rank + (u64)set * r->ways;
    u64 least = rank[0];
    u32 oldest = 0;

    for (u32 way = 1; way < r->ways; way++) {
        bool older = rank[way] < least;

        least = older ? rank[way] : least;
        oldest = older ? way : oldest;
    }
    return oldest;
}

const struct replacement_ops replacement_lru = {
    .name = "lru", .touch = lru_touch, .fill = lru_touch, .victim = lru_victim};

const struct replacement_ops *const replacement_policies[] = {
    &replacement_lru,   &replacement_plru,  &replacement_srrip,
    &replacement_brrip, &replacement_drrip, &replacement_random,
};
