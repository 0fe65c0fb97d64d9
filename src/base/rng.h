// SPDX-License-Identifier: BSD-3-Clause
// A small seeded generator (SplitMix64, Steele, Lea, Flood 2014): the same numbers on every host.
// For tests and for modelled randomness; not for secrets.
#pragma once

#include "base/types.h"

struct rng {
    u64 state; // the seed, at first
};

static inline u64 rng_next(struct rng *r)
{
    u64 z = (r->state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// 0 <= result < bound; bound > 0.
static inline u64 rng_below(struct rng *r, u64 bound)
{
    return (u64)(((u128)rng_next(r) * bound) >> 64);
}
