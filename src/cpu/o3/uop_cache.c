// SPDX-License-Identifier: BSD-3-Clause
// Micro-op cache: tags of lines, each from a branch's target or the end of another line to the end
// of a window of code or the next taken branch. Least recently used replacement.
// APPROX: a line is filled when it is first decoded; stores to code do not reach it.
#include "cpu/o3/o3_priv.h"

enum { INDEX_SHIFT = 5 };

// The tags of a set are in order of use, the last used first.
static void to_front(u64 *tags, u32 way, u64 tag)
{
    for (; way > 0; way--)
        tags[way] = tags[way - 1];
    tags[0] = tag;
}

bool o3_uop_cache_find(struct pipe *p, vaddr pc)
{
    u32 ways = (u32)p->o3->p.uop_cache_ways;
    u64 *tags = &p->uop_tags[(pc >> INDEX_SHIFT) % p->o3->p.uop_cache_sets * ways];

    for (u32 k = 0; k < ways; k++)
        if (tags[k] == pc + 1) {
            to_front(tags, k, pc + 1);
            return true;
        }
    to_front(tags, ways - 1, pc + 1);
    return false;
}
