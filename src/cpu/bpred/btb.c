// SPDX-License-Identifier: BSD-3-Clause
#include "cpu/bpred/btb.h"

#include <string.h>

void btb_init(struct btb *b, u64 *entries, u8 *ranks, u32 count, u32 ways)
{
    u32 sets = count ? count / ways : 0;

    *b = (struct btb){.entries = entries, .ranks = ranks, .ways = count ? ways : 0};
    if (sets) {
        b->set_mask = sets - 1;
        b->set_bits = (u32)__builtin_ctz(sets);
    }
}

void btb_reset(struct btb *b)
{
    u64 count = (u64)(b->set_mask + 1) * b->ways;

    if (!count)
        return;
    memset(b->entries, 0, count * 2 * sizeof(*b->entries));
    for (u64 i = 0; i < count; i++)
        b->ranks[i] = (u8)(i % b->ways);
}

bool btb_valid(const struct btb *b, const char *what, struct error *err)
{
    u64 count = (u64)(b->set_mask + 1) * b->ways;

    for (u64 set = 0; set < count; set += b->ways) {
        bool seen[256] = {false};

        for (u32 way = 0; way < b->ways; way++) {
            u8 rank = b->ranks[set + way];

            if (rank >= b->ways || seen[rank])
                return error_set(err, ERROR_INPUT, "'%s' has a set whose ranks are no order", what);
            seen[rank] = true;
        }
    }
    return true;
}

static u32 first_of(const struct btb *b, u32 entry)
{
    return entry - entry % b->ways;
}

void btb_touch_slow(struct btb *b, u32 entry)
{
    u32 first = first_of(b, entry);
    u8 rank = b->ranks[entry];

    for (u32 i = first; i < first + b->ways; i++)
        b->ranks[i] = (u8)(b->ranks[i] + (b->ranks[i] < rank));
    b->ranks[entry] = 0;
}

void btb_remove(struct btb *b, u32 entry)
{
    u32 first = first_of(b, entry);
    u8 rank = b->ranks[entry];

    for (u32 i = first; i < first + b->ways; i++)
        b->ranks[i] = (u8)(b->ranks[i] - (b->ranks[i] > rank));
    b->ranks[entry] = (u8)(b->ways - 1);
    b->entries[2 * entry] = b->entries[2 * entry + 1] = 0;
}

bool btb_insert(struct btb *b, vaddr pc, vaddr target, vaddr *ret_pc, vaddr *ret_target)
{
    u32 entry = btb_set(b, pc) * b->ways;
    bool full;

    while (b->ranks[entry] != b->ways - 1)
        entry++;
    full = b->entries[2 * entry] != 0;
    *ret_pc = ~b->entries[2 * entry];
    *ret_target = btb_target(b, entry);
    b->entries[2 * entry] = ~pc;
    b->entries[2 * entry + 1] = target;
    btb_touch(b, entry);
    return full;
}
