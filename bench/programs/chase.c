// SPDX-License-Identifier: BSD-3-Clause
// Pointer chasing: one long random cycle through 8 MiB.
#include "bench.h"

enum { NODES = 1 << 17 };

struct node {
    struct node *next;
    u64 value;
    u64 padding[6];
};

static struct node nodes[NODES];
static u32 order[NODES];

static void make_cycle(void)
{
    u64 state = 42;

    for (u32 i = 0; i < NODES; i++)
        order[i] = i;
    for (u32 i = NODES - 1; i > 0; i--) {
        u32 j = (u32)(bench_random(&state) % (i + 1)), t = order[i];

        order[i] = order[j];
        order[j] = t;
    }
    for (u32 i = 0; i < NODES; i++) {
        nodes[order[i]].next = &nodes[order[(i + 1) % NODES]];
        nodes[order[i]].value = i;
    }
}

static u64 round_of_work(void)
{
    const struct node *node = nodes;
    u64 sum = 0;

    for (int i = 0; i < 2 * NODES; i++) {
        sum = sum * 3 + node->value;
        node = node->next;
    }
    return sum;
}

int main(int argc, char **argv)
{
    make_cycle();
    return bench_main(argc, argv, round_of_work, 0xfb66a3ebe0b60000ull);
}
