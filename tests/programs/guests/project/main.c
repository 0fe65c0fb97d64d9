// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>
#include "parts.h"
int main(void)
{
    printf("%d %d %d\n", one(1), two(2), generated());
    return 0;
}
