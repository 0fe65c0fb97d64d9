// SPDX-License-Identifier: BSD-3-Clause
#include "isa/x86/vendor_test.h"

#include <cpuid.h>
#include <string.h>

bool vendor_differs(enum vendor_difference d)
{
    static const char *const vendors[] = {
#define DIFFERENCE(name, vendor, text, source) vendor,
#include "isa/x86/vendor_test.def"
#undef DIFFERENCE
    };
    static char host[13];
    u32 r[4];

    if (!host[0] && __get_cpuid(0, &r[0], &r[1], &r[2], &r[3])) {
        memcpy(host, &r[1], 4);
        memcpy(host + 4, &r[3], 4);
        memcpy(host + 8, &r[2], 4);
    }
    return strcmp(host, vendors[d]) == 0;
}

bool vendor_approximations_agree(u32 a, u32 b)
{
    float x, y;

    memcpy(&x, &a, 4);
    memcpy(&y, &b, 4);
    if (a == b)
        return true;
    if ((a ^ b) >> 31 || x != x || y != y)
        return false;
    x = __builtin_fabsf(x);
    y = __builtin_fabsf(y);
    if (x == 0 || y == 0) // what is tiny may be flushed
        return (x > y ? x : y) <= 0x1.001p-126f;
    return __builtin_fabsf(x - y) <= 3.01f * 0x1p-12f * (x < y ? x : y);
}

void vendor_take_approximations(u8 *a, const u8 *b, u32 bytes)
{
    for (u32 at = 0; at < bytes; at += 4) {
        u32 x, y;

        memcpy(&x, a + at, 4);
        memcpy(&y, b + at, 4);
        if (vendor_approximations_agree(x, y))
            memcpy(a + at, &y, 4);
    }
}

bool vendor_is_transcendental(const u8 *bytes)
{
    static const u8 seconds[] = {0xf0, 0xf1, 0xf2, 0xf3, 0xf9, 0xfb, 0xfe, 0xff};

    return bytes[0] == 0xd9 && memchr(seconds, bytes[1], sizeof(seconds));
}

bool vendor_x87_agree(const u8 *a, const u8 *b)
{
    long double x = 0, y = 0;

    memcpy(&x, a, 10);
    memcpy(&y, b, 10);
    if (!(__builtin_isnormal(x) && __builtin_isnormal(y)))
        return false;
    return __builtin_fabsl(x - y) <= 0x1.8p-63L * __builtin_fabsl(y);
}
