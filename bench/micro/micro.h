// SPDX-License-Identifier: BSD-3-Clause
// What the microbenchmarks share. Each is a loop of known length that is timed with the time-stamp
// counter; a chain of dependent additions, one cycle each, tells how many cycles a tick is.
#pragma once

#include <stdint.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

enum { MICRO_BUFFER = 128 << 20, MICRO_LINE = 64, MICRO_PAGE = 4096 };

struct micro {
    const char *name, *group, *what; // what: of which the cycles are counted
    u32 ops;                         // of them in a loop
    u32 loops;
    void (*run)(const struct micro *m, u64 loops, u8 *buffer);
    void (*prepare)(const struct micro *m, u8 *buffer); // once before the first run
    u64 size;                                           // its own parameters
    u32 kind;
    const char *minus; // the result of this one is subtracted, and the rest multiplied…
    u32 scale;         // …by this
};

// Ended by a row without a name.
extern const struct micro micro_kernels[], micro_branches[], micro_memory[];

static inline u64 micro_random(u64 *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dull;
}
