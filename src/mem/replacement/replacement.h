// SPDX-License-Identifier: BSD-3-Clause
// Which line of a set leaves when a new one comes. A policy is one record of three functions over
// words that its owner keeps (and saves): one a line, and two for all of them.
//
// Touching a way twice with nothing in between must be the same as touching it once: the owner
// leaves the second one out.
#pragma once

#include "base/types.h"

struct replacement_ops;

struct replacement {
    const struct replacement_ops *ops;
    u32 sets, ways;
    u64 *rank;   // a word for each line: [set * ways + way]
    u64 *shared; // REPLACEMENT_SHARED words
};

enum { REPLACEMENT_SHARED = 2 };

struct replacement_ops {
    const char *name;
    // Power on: `rank` and `shared` are zero. May be NULL.
    void (*reset)(struct replacement *r, u64 seed);
    void (*touch)(struct replacement *r, u32 set, u32 way); // used
    void (*fill)(struct replacement *r, u32 set, u32 way);  // a new line is in it
    // All ways are taken. It may change its words: the line will leave.
    u32 (*victim)(struct replacement *r, u32 set);
    // Whether words from a file are in range. NULL: any are.
    bool (*good)(const struct replacement *r);
};

// Moves a four-bit number that is somewhere in the word to its lowest place, and those that were
// lower one up.
static inline void replacement_order_touch(u64 *order, u64 way)
{
    u64 differ = *order ^ way * 0x1111111111111111u;
    // The lowest zero digit of `differ`: there the borrow begins.
    u64 zero = (differ - 0x1111111111111111u) & ~differ & 0x8888888888888888u;
    u32 at = (u32)__builtin_ctzll(zero) & ~3u;
    u64 below = ((u64)1 << at) - 1;

    *order = (*order & ~(below << 4 | 15)) | (*order & below) << 4 | way;
}

// In the order of REPLACEMENT_CHOICES; NULL at the end.
extern const struct replacement_ops *const replacement_policies[];
#define REPLACEMENT_CHOICES "lru|tree-plru|srrip|brrip|drrip|random"

extern const struct replacement_ops replacement_lru, replacement_plru, replacement_srrip,
    replacement_brrip, replacement_drrip, replacement_random;
