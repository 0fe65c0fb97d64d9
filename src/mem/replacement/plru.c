// SPDX-License-Identifier: BSD-3-Clause
// Tree pseudo-LRU: a binary tree over the ways, one bit an inner node, which points to the half
// that was used less recently. The bits of a set (node n: bit n, the root is node 1) are in the
// word of its first line. With a number of ways that is no power of two, the tree has leaves
// without a way, and the search does not go there.
// SPEC: M. Evers et al. and many before: the policy of the i486's cache (Intel i486 manual, 5.5).
#include "mem/replacement/replacement.h"

// The next power of two.
static u32 leaves(u32 ways)
{
    return ways <= 1 ? 1 : 2u << (31 - __builtin_clz(ways - 1));
}

static void plru_touch(struct replacement *r, u32 set, u32 way)
{
    u64 *bits = &r->rank[(u64)set * r->ways];

    for (u32 node = leaves(r->ways) + way; node > 1; node /= 2) {
        u64 parent = (u64)1 << (node / 2);

        // Points to the other child: the odd one when this is the even one.
        *bits = node % 2 == 0 ? *bits | parent : *bits & ~parent;
    }
}

static u32 plru_victim(struct replacement *r, u32 set)
{
    u64 bits = r->rank[(u64)set * r->ways];
    u32 first = leaves(r->ways), node = 1, span = first;

    while (node < first) {
        u32 right = node * 2 + 1;

        span /= 2;
        // The first leaf below the right child has a way, or nothing there has one.
        node = (bits >> node & 1) && right * span - first < r->ways ? right : node * 2;
    }
    return node - first;
}

const struct replacement_ops replacement_plru = {
    .name = "tree-plru", .touch = plru_touch, .fill = plru_touch, .victim = plru_victim};
