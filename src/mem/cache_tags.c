// SPDX-License-Identifier: BSD-3-Clause
// The tags of a level: finding, filling, dropping.
#include "mem/cache_level.h"

static void tell_evicted(struct level *l, u64 word)
{
    bool unused = word & LINE_PREFETCHED;

    l->n->pfUnused += unused;
    if (l->prefetcher_ops && l->prefetcher_ops->evicted)
        l->prefetcher_ops->evicted(l->prefetcher, word >> LINE_SHIFT << TIMED_LINE_SHIFT, unused);
}

i64 level_fill(struct level *l, u64 line, u64 flags, tick *when, bool timed)
{
    u64 set = level_set(l, line), first = set * l->ways, word = 0, sharers = 0;
    i64 way = level_match(l->tags + first, l->ways, 0, LINE_VALID), index;

    if (way < 0) {
        way = l->policy.ops->victim(&l->policy, (u32)set);
        word = l->tags[first + (u64)way];
    }
    index = (i64)first + way;
    l->tags[index] = line << LINE_SHIFT | flags;
    if (l->tracks && l->child_count) {
        sharers = level_sharers(l, index);
        l->above[index] = 0;
    }
    l->policy.ops->fill(&l->policy, (u32)set, (u32)way);
    // The first use is a touch of its own.
    l->recent[set] = (u8)((u64)way + 1 == l->ways ? 0 : way + 1);
    // The new line is here by now: what the old one's leaving leads to must not forget it.
    if (word) {
        l->n->replacements++;
        tell_evicted(l, word);
        *when = level_evict(l, word, sharers, *when, timed);
    }
    return index;
}

void level_drop(struct level *l, i64 index)
{
    tell_evicted(l, l->tags[index]);
    l->tags[index] = 0;
    l->above[index] = 0;
}
