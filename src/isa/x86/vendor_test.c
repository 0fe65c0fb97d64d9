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
