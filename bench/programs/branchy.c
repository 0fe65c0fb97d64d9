// SPDX-License-Identifier: BSD-3-Clause
// Data-dependent branches: lengths of Collatz sequences and binary searches.
#include "bench.h"

static u32 keys[4096];

static unsigned collatz(u64 n)
{
    unsigned length = 0;

    for (; n != 1; length++) {
        if (n & 1)
            n = 3 * n + 1;
        else
            n >>= 1;
    }
    return length;
}

static int search(u32 key)
{
    int low = 0, high = 4095;

    while (low <= high) {
        int middle = (low + high) / 2;

        if (keys[middle] == key)
            return middle;
        if (keys[middle] < key)
            low = middle + 1;
        else
            high = middle - 1;
    }
    return -low;
}

static u64 round_of_work(void)
{
    u64 sum = 0, state = 7;

    for (u64 n = 1; n <= 40000; n++)
        sum += collatz(n) * n;
    for (int i = 0; i < 250000; i++)
        sum += (u64)(search((u32)(bench_random(&state) >> 44)) + 4096);
    return sum;
}

int main(int argc, char **argv)
{
    for (u32 i = 0; i < 4096; i++)
        keys[i] = i * 256 + i % 7;
    return bench_main(argc, argv, round_of_work, 0x13589438faull);
}
