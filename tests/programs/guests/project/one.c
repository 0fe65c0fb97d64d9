// SPDX-License-Identifier: BSD-3-Clause
#include "parts.h"
int one(int x)
{
    return x + two(x) * 3;
}
