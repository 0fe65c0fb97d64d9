// SPDX-License-Identifier: BSD-3-Clause
// Memory bandwidth: passes over three arrays of 8 MiB.
#include "bench.h"

enum { WORDS = 1 << 20 };

static u64 a[WORDS], b[WORDS], c[WORDS];

static u64 round_of_work(void)
{
    u64 sum = 0;

    for (u64 pass = 1; pass <= 4; pass++) {
        for (int i = 0; i < WORDS; i++)
            a[i] = b[i] + 3 * c[i] + pass;
        for (int i = 0; i < WORDS; i++)
            sum += a[i];
    }
    return sum;
}

int main(int argc, char **argv)
{
    u64 state = 1;

    for (int i = 0; i < WORDS; i++) {
        b[i] = bench_random(&state);
        c[i] = (u64)i;
    }
    return bench_main(argc, argv, round_of_work, 0xeaee06694ee824ecull);
}
