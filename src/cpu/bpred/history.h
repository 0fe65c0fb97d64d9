// SPDX-License-Identifier: BSD-3-Clause
// Long global histories, as TAGE and ITTAGE need them: a ring of bits, and histories of many
// lengths folded to few bits each, which are kept up to date incrementally (P. Michaud, "A
// PPM-like, tag-based branch predictor", JILP 7, 2005; A. Seznec, "TAGE-SC-L Branch Predictors",
// CBP-4 2014).
//
// A folded history is a cyclic shift register of C bits over a history of L outcomes: new outcomes
// come in at bit 0, the ones that become older than L are taken out at bit L mod C. Taking k steps
// at once is a rotation by k; all shifts of different widths are multiplications, so that sixteen
// registers are updated together.
#pragma once

#include "base/types.h"

#include <string.h>

enum {
    HISTORY_BITS = 16384, // of the ring; the longest history and what is in flight must fit
    HISTORY_BYTES = HISTORY_BITS / 8 + 4, // the last four are copies of the first four
};

// The newest outcome is at the lowest position; `at` is taken modulo the ring.
static inline unsigned history_get(const u8 *ring, u32 at, unsigned k)
{
    u32 word;

    at %= HISTORY_BITS;
    memcpy(&word, ring + at / 8, sizeof(word));
    return word >> at % 8 & ((1u << k) - 1);
}

static inline void history_put(u8 *ring, u32 at, unsigned k, unsigned bits)
{
    u32 word, mask = (1u << k) - 1;
    u32 byte;

    at %= HISTORY_BITS;
    byte = at / 8;
    memcpy(&word, ring + byte, sizeof(word));
    word = (word & ~(mask << at % 8)) | bits << at % 8;
    memcpy(ring + byte, &word, sizeof(word));
    if (UNLIKELY(byte < 4))
        memcpy(ring + HISTORY_BITS / 8, ring, 4);
    else if (UNLIKELY(byte > HISTORY_BITS / 8 - 4))
        memcpy(ring, ring + HISTORY_BITS / 8, 4);
}

// Zeroes what lies behind the newest `keep` outcomes.
static inline void history_clean(u8 *ring, u32 newest, u32 keep)
{
    u32 at = newest + keep, left = HISTORY_BITS - keep;

    for (; left && at % 8; at++, left--)
        history_put(ring, at, 1, 0);
    for (; left >= 8; at += 8, left -= 8)
        ring[at % HISTORY_BITS / 8] = 0;
    memcpy(ring + HISTORY_BITS / 8, ring, 4);
    for (; left; at++, left--)
        history_put(ring, at, 1, 0);
}

// Whether the ring is one that history_put could have made.
static inline bool history_valid(const u8 *ring)
{
    return memcmp(ring, ring + HISTORY_BITS / 8, 4) == 0;
}

// The outcomes of k steps, of which the first is bit 0 of `bits`, in the ring's order: the newest
// first.
static inline unsigned history_order(unsigned bits, unsigned k)
{
    unsigned r = 0;

    for (unsigned i = 0; i < k; i++)
        r |= (bits >> i & 1) << (k - 1 - i);
    return r;
}

// One step of a register of `width` bits over `length` outcomes: k outcomes `in` come in, `out` go,
// both newest first. k <= width, width + k <= 32.
static inline u32 fold_push(u32 fold, unsigned width, unsigned length, unsigned k, unsigned in,
                            unsigned out)
{
    u32 t = fold << k ^ in ^ out << length % width;

    return (t ^ t >> width) & ((1u << width) - 1);
}

// Takes fold_push back.
static inline u32 fold_pull(u32 fold, unsigned width, unsigned length, unsigned k, unsigned in,
                            unsigned out)
{
    u32 mask = (1u << width) - 1;
    u32 t = in ^ out << length % width;

    t = (fold ^ t ^ t >> width) & mask;
    return (t >> k ^ t << (width - k)) & mask;
}
