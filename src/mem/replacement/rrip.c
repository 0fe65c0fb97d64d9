// SPDX-License-Identifier: BSD-3-Clause
// Re-reference interval prediction: SRRIP (hit priority), BRRIP and DRRIP with 2-bit predictions.
// SPEC: A. Jaleel et al., High Performance Cache Replacement Using RRIP, ISCA 2010, sections 3-4:
// M = 2; BRRIP inserts "long" instead of "distant" once in 32; DRRIP duels with 32 leader sets a
// policy and a 10-bit selector, and counts misses of the leaders.
#include "mem/replacement/replacement.h"

enum {
    NEAR = 0,
    LONG = 2,
    DISTANT = 3,
    BIMODAL = 32,         // one in so many is inserted as in SRRIP
    LEADERS = 32,         // sets for each of the two
    SELECTOR_MOST = 1023, // shared[1]; at and above the middle BRRIP is better
};

static void rrip_touch(struct replacement *r, u32 set, u32 way)
{
    r->rank[(u64)set * r->ways + way] = NEAR;
}

static u32 rrip_victim(struct replacement *r, u32 set)
{
    u64 *rank = r->rank + (u64)set * r->ways;
    u64 oldest = 0;

    for (u32 way = 0; way < r->ways; way++)
        oldest = MAX(oldest, rank[way]);
    for (u32 way = 0; way < r->ways; way++)
        rank[way] += DISTANT - oldest;
    for (u32 way = 0;; way++)
        if (rank[way] == DISTANT)
            return way;
}

static bool rrip_good(const struct replacement *r)
{
    for (u64 i = 0; i < (u64)r->sets * r->ways; i++)
        if (r->rank[i] > DISTANT)
            return false;
    return r->shared[1] <= SELECTOR_MOST;
}

static void srrip_fill(struct replacement *r, u32 set, u32 way)
{
    r->rank[(u64)set * r->ways + way] = LONG;
}

// shared[0] counts fills: what is one in 32 by chance in the paper is every 32nd here.
static void brrip_fill(struct replacement *r, u32 set, u32 way)
{
    r->rank[(u64)set * r->ways + way] = ++r->shared[0] % BIMODAL ? DISTANT : LONG;
}

static void drrip_reset(struct replacement *r, u64 seed)
{
    r->shared[1] = (SELECTOR_MOST + 1) / 2 - 1;
}

// A cache with few sets has fewer leaders: at most a quarter of its sets for each policy.
static void drrip_fill(struct replacement *r, u32 set, u32 way)
{
    u32 leaders = MIN(LEADERS, r->sets / 4), place;

    if (leaders) {
        place = set % (r->sets / leaders);
        if (place == 0) { // a miss of SRRIP's leaders
            r->shared[1] = MIN(r->shared[1] + 1, SELECTOR_MOST);
            srrip_fill(r, set, way);
            return;
        }
        if (place == 1) { // of BRRIP's
            r->shared[1] -= r->shared[1] > 0;
            brrip_fill(r, set, way);
            return;
        }
    }
    if (r->shared[1] > SELECTOR_MOST / 2)
        brrip_fill(r, set, way);
    else
        srrip_fill(r, set, way);
}

const struct replacement_ops replacement_srrip = {.name = "srrip",
                                                  .touch = rrip_touch,
                                                  .fill = srrip_fill,
                                                  .victim = rrip_victim,
                                                  .good = rrip_good};
const struct replacement_ops replacement_brrip = {.name = "brrip",
                                                  .touch = rrip_touch,
                                                  .fill = brrip_fill,
                                                  .victim = rrip_victim,
                                                  .good = rrip_good};
const struct replacement_ops replacement_drrip = {.name = "drrip",
                                                  .reset = drrip_reset,
                                                  .touch = rrip_touch,
                                                  .fill = drrip_fill,
                                                  .victim = rrip_victim,
                                                  .good = rrip_good};
