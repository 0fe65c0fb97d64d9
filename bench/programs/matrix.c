// SPDX-License-Identifier: BSD-3-Clause
// Dense matrices of doubles: multiplication, as the compiler makes it.
#include <string.h>

#include "bench.h"

enum { N = 160 };

static double a[N][N], b[N][N], c[N][N];

static u64 round_of_work(void)
{
    u64 sum = 0;

    for (int pass = 0; pass < 4; pass++) {
        memset(c, 0, sizeof(c));
        for (int i = 0; i < N; i++) {
            for (int k = 0; k < N; k++) {
                for (int j = 0; j < N; j++)
                    c[i][j] += a[i][k] * b[k][j];
            }
        }
        sum += (u64)c[pass][N - 1 - pass];
    }
    for (int i = 0; i < N; i++)
        sum = sum * 31 + (u64)c[i][i];
    return sum;
}

int main(int argc, char **argv)
{
    u64 state = 9;

    // small whole numbers: every product and sum is exact, in any order
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            a[i][j] = (double)(bench_random(&state) >> 52);
            b[i][j] = (double)(bench_random(&state) >> 52);
        }
    }
    return bench_main(argc, argv, round_of_work, 0x4a975577cd8cd7f8ull);
}
