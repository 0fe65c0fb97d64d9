// SPDX-License-Identifier: BSD-3-Clause
// Any line, by a seeded generator: the same ones in every run.
#include "base/rng.h"
#include "mem/replacement/replacement.h"

static void random_reset(struct replacement *r, u64 seed)
{
    r->shared[0] = seed;
}

static void random_touch(struct replacement *r, u32 set, u32 way)
{
}

static u32 random_victim(struct replacement *r, u32 set)
{
    struct rng rng = {r->shared[0]};
    u64 way = rng_below(&rng, r->ways);

    r->shared[0] = rng.state;
    return (u32)way;
}

const struct replacement_ops replacement_random = {.name = "random",
                                                   .reset = random_reset,
                                                   .touch = random_touch,
                                                   .fill = random_touch,
                                                   .victim = random_victim};
