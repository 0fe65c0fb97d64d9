// SPDX-License-Identifier: BSD-3-Clause
#include "cpu/bpred/direction.h"

bool table_within(const u8 *table, u64 count, unsigned max, const char *what, struct error *err)
{
    for (u64 i = 0; i < count; i++)
        if (table[i] > max)
            return error_set(err, ERROR_INPUT, "'%s' has a counter of %u, more than %u", what,
                             table[i], max);
    return true;
}

bool signed_table_within(const u8 *table, u64 count, unsigned bits, const char *what,
                         struct error *err)
{
    int max = (1 << (bits - 1)) - 1;

    for (u64 i = 0; i < count; i++)
        if ((i8)table[i] > max || (i8)table[i] < -max - 1)
            return error_set(err, ERROR_INPUT, "'%s' has a counter of %d, which is beyond %u bits",
                             what, (i8)table[i], bits);
    return true;
}

bool is_power_of_two(u64 n)
{
    return n && (n & (n - 1)) == 0;
}

bool check_power_of_two(u64 n, const char *what, struct error *err)
{
    return is_power_of_two(n) ||
           error_set(err, ERROR_INPUT, "'%s' is %llu, which is no power of two", what,
                     (unsigned long long)n);
}
