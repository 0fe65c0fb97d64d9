// SPDX-License-Identifier: BSD-3-Clause
// What the benchmark programs share. A program does one fixed piece of work a round and checks its
// sum after each; `program N` does N rounds (0: only set-up, so that start-up can be subtracted).
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

// A small generator (xorshift64*), so that the data are the same everywhere.
static inline u64 bench_random(u64 *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dull;
}

static inline int bench_main(int argc, char **argv, u64 (*round)(void), u64 expected)
{
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 1;

    for (long i = 0; i < rounds; i++) {
        u64 sum = round();

        if (sum != expected) {
            printf("WRONG: %#llx instead of %#llx\n", (unsigned long long)sum,
                   (unsigned long long)expected);
            return 1;
        }
    }
    printf("right: %#llx\n", (unsigned long long)expected);
    return 0;
}
