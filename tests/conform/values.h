// SPDX-License-Identifier: BSD-3-Clause
// Operand values for cases: random ones, and those at which results change their kind.
#pragma once

#include "case.h"

#include "base/rng.h"

// What a value is taken for.
enum value_kind { VALUE_INT, VALUE_F16, VALUE_F32, VALUE_F64, VALUE_F80, VALUE_BITS };

// One integer, interesting at any width up to 64 bits.
u64 value_int(struct rng *r);
// Fills `size` bytes with elements of a kind.
void value_fill(struct rng *r, enum value_kind kind, u32 size, u8 *ret);
// One register's worth (10 bytes) of an x87 or MMX register.
void value_x87(struct rng *r, u8 *ret);
// A kind at random.
enum value_kind value_kind_any(struct rng *r);

// True n times in a thousand.
static inline bool chance(struct rng *r, u32 n)
{
    return rng_below(r, 1000) < n;
}

// From lo to hi, both included.
static inline u64 between(struct rng *r, u64 lo, u64 hi)
{
    return lo + rng_below(r, hi - lo + 1);
}
