// SPDX-License-Identifier: BSD-3-Clause
// Calls and returns: Fibonacci, Ackermann, queens on a board, all by recursion.
#include "bench.h"

static __attribute__((noinline)) u64 fibonacci(unsigned n)
{
    u64 result = n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);

    __asm__ volatile("" : "+r"(result)); // keeps the calls: no closed form, no loop
    return result;
}

static __attribute__((noinline)) u64 ackermann(u64 m, u64 n)
{
    u64 result;

    if (m == 0)
        return n + 1;
    result = n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
    __asm__ volatile("" : "+r"(result));
    return result;
}

static __attribute__((noinline)) u64 queens(u32 all, u32 columns, u32 left, u32 right)
{
    u64 solutions = 0;

    if (columns == all)
        return 1;
    for (u32 free = all & ~(columns | left | right); free; free &= free - 1) {
        u32 bit = free & -free;

        solutions += queens(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    return solutions;
}

static u64 round_of_work(void)
{
    return fibonacci(29) + ackermann(2, 700) * 1000 + queens((1 << 10) - 1, 0, 0, 0) * 1000000000;
}

int main(int argc, char **argv)
{
    // F(29) = 514229, A(2, n) = 2n + 3, and 10 queens stand in 724 ways.
    return bench_main(argc, argv, round_of_work, 514229 + 1403ull * 1000 + 724ull * 1000000000);
}
