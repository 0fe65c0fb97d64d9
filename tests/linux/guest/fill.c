// SPDX-License-Identifier: BSD-3-Clause
// Touches more memory than a small machine has.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    for (int i = 0; i < 64; i++)
        memset(malloc(1 << 20), 1, 1 << 20);
    puts("it was enough");
    return 0;
}
