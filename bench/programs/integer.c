// SPDX-License-Identifier: BSD-3-Clause
// Integer arithmetic: multiply, divide, shift, rotate, logic on registers.
#include "bench.h"

static u64 modpow(u64 base, u64 exponent, u64 modulus)
{
    u64 result = 1;

    for (; exponent; exponent >>= 1) {
        if (exponent & 1)
            result = result * base % modulus;
        base = base * base % modulus;
    }
    return result;
}

static u64 round_of_work(void)
{
    u64 sum = 0, x = 0x9e3779b97f4a7c15ull;

    for (u64 i = 1; i <= 12000; i++)
        sum += modpow(i, 65537, 4294967291u);
    for (u64 i = 0; i < 6000000; i++) {
        x = (x << 13 | x >> 51) + i;
        x ^= (x >> 7) * 0xff51afd7ed558ccdull;
        sum += x & 0xffff;
    }
    return sum ^ x;
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, round_of_work, 0x4465149f54ab0db4ull);
}
