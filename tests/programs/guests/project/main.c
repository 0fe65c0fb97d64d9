// SPDX-License-Identifier: BSD-3-Clause
#include "parts.h"
#include <stdio.h>
int main(void)
{
    printf("%d %d %d\n", one(1), two(2), generated());
    return 0;
}
