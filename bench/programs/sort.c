// SPDX-License-Identifier: BSD-3-Clause
// Sorting with qsort and its callback, and a hash table with open addressing.
#include <string.h>

#include "bench.h"

enum { ITEMS = 30000, SLOTS = 1 << 17 };

static u32 items[ITEMS];
static u32 slots[SLOTS];

static int compare(const void *a, const void *b)
{
    u32 x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x < y ? -1 : x > y;
}

static u32 slot_of(u32 key)
{
    return key * 2654435761u >> 15;
}

static u64 hash_work(void)
{
    u64 probes = 0;

    memset(slots, 0, sizeof(slots));
    for (u32 i = 0; i < ITEMS; i++) {
        u32 s = slot_of(items[i]);

        for (; slots[s] && slots[s] != items[i]; probes++)
            s = (s + 1) % SLOTS;
        slots[s] = items[i];
    }
    for (u32 key = 1; key < ITEMS; key++) {
        u32 s = slot_of(key);

        for (; slots[s] && slots[s] != key; probes++)
            s = (s + 1) % SLOTS;
    }
    return probes;
}

static u64 round_of_work(void)
{
    u64 sum = 0, state = 11;

    for (int i = 0; i < ITEMS; i++)
        items[i] = (u32)(bench_random(&state) >> 32) | 1;
    qsort(items, ITEMS, sizeof(items[0]), compare);
    for (int i = 0; i < ITEMS; i++)
        sum = sum * 31 + items[i];
    return sum + hash_work();
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, round_of_work, 0x5570055e09dae9dbull);
}
