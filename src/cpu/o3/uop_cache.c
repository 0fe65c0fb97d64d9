// SPDX-License-Identifier: BSD-3-Clause
// Micro-op cache: tags of windows of code, least recently used replacement.
// APPROX: a line is the n-th part of a window as it was entered, whatever instruction that was at;
// it is filled when it is first decoded; stores to code do not reach it.
#include "cpu/o3/o3_priv.h"

static u64 *set_of(struct pipe *p, vaddr window, u32 part, u64 *ret_tag)
{
    u64 sets = p->o3->p.uop_cache_sets;

    *ret_tag = window * 64 + part + 1;
    return &p->uop_tags[(window + part) % sets * p->o3->p.uop_cache_ways];
}

// The tags of a set are in order of use, the last used first.
static void to_front(u64 *tags, u32 way, u64 tag)
{
    for (; way > 0; way--)
        tags[way] = tags[way - 1];
    tags[0] = tag;
}

bool o3_uop_cache_find(struct pipe *p, vaddr window, u32 part)
{
    u32 ways = (u32)p->o3->p.uop_cache_ways;
    u64 tag, *tags = set_of(p, window, part, &tag);

    for (u32 k = 0; k < ways; k++)
        if (tags[k] == tag) {
            to_front(tags, k, tag);
            return true;
        }
    to_front(tags, ways - 1, tag);
    return false;
}
