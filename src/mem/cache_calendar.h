// SPDX-License-Identifier: BSD-3-Clause
// What is taken of a resource in each cycle, some way into the future: callers run ahead of each
// other, so a place is taken in the cycle where it is wanted, not behind the last one taken.
// APPROX: a ring of CALENDAR_CYCLES cycles; what is further apart than that does not meet.
#pragma once

#include "base/types.h"

enum { CALENDAR_CYCLES = 256, CALENDAR_SHIFT = 8 };

struct calendar {
    u64 slot[CALENDAR_CYCLES]; // cycle << 8 | taken
};

static inline u64 calendar_taken(const struct calendar *k, u64 cycle)
{
    u64 slot = k->slot[cycle % CALENDAR_CYCLES];

    return slot >> CALENDAR_SHIFT == cycle ? slot & 255 : 0;
}

static inline void calendar_take(struct calendar *k, u64 cycle)
{
    u64 *slot = &k->slot[cycle % CALENDAR_CYCLES];

    *slot = *slot >> CALENDAR_SHIFT == cycle ? *slot + 1 : cycle << CALENDAR_SHIFT | 1;
}

// The first cycle, from `cycle` on, that has a place among `most` (up to 255); does not take it.
static inline u64 calendar_find(const struct calendar *k, u64 cycle, u64 most)
{
    while (calendar_taken(k, cycle) >= most)
        cycle++;
    return cycle;
}
