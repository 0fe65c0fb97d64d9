// SPDX-License-Identifier: BSD-3-Clause
// Lazy arithmetic flags. An instruction that sets flags stores its kind, its result and an operand;
// the flags are computed when somebody reads them. With LAZY_NONE they are in s.rflags.
#pragma once

#include "isa/x86/core.h"

// kind = operation | log2(bytes)
enum x86_lazy_kind {
    LAZY_NONE = 0,       // flags are in s.rflags
    LAZY_ADD = 1 << 2,   // res = a + b
    LAZY_SUB = 2 << 2,   // res = a - b (cmp, sub, neg)
    LAZY_LOGIC = 3 << 2, // CF = OF = AF = 0
    LAZY_INC = 4 << 2,   // res = a + 1; b = the CF before
    LAZY_DEC = 5 << 2,   // res = a - 1; b = the CF before
    LAZY_SHL = 6 << 2,   // CF is the top bit of b, OF its low bit; AF = 0
    LAZY_SHR = 7 << 2,   // CF is the low bit of b, OF its top bit; AF = 0
    LAZY_SAR = 8 << 2,   // CF is the low bit of b; OF = AF = 0
    LAZY_ADC = 9 << 2,   // res = a + b + 1: an addition with the carry set
    LAZY_SBB = 10 << 2,  // res = a - b - 1
};

static inline u64 x86_sign_extend(u64 v, u32 log2_bytes)
{
    u32 shift = 64 - (8u << log2_bytes);

    return (u64)((i64)(v << shift) >> shift);
}

static inline void x86_flags_set(struct x86_core *c, u32 operation, u32 log2_bytes, u64 res, u64 b)
{
    c->lazy.kind = operation | log2_bytes;
    c->lazy.res = x86_sign_extend(res, log2_bytes);
    c->lazy.b = b;
}

// The arithmetic flags now; changes nothing.
u32 x86_flags_get(const struct x86_core *c);
// CF alone, and one condition code 0-15 as encoded in Jcc, SETcc, CMOVcc: cheaper than all flags.
bool x86_flags_carry(const struct x86_core *c);
bool x86_condition(const struct x86_core *c, unsigned cc);

// Replaces all arithmetic flags.
static inline void x86_flags_put(struct x86_core *c, u32 arith)
{
    c->s.rflags = (c->s.rflags & ~(u64)X86_ARITH_FLAGS) | arith;
    c->lazy.kind = LAZY_NONE;
}

// Puts pending flags into s.rflags.
static inline void x86_flags_commit(struct x86_core *c)
{
    if (c->lazy.kind != LAZY_NONE)
        x86_flags_put(c, x86_flags_get(c));
}

// Replaces the flags in `mask` only.
static inline void x86_flags_merge(struct x86_core *c, u32 mask, u32 arith)
{
    x86_flags_put(c, (x86_flags_get(c) & ~mask) | (arith & mask));
}

// PF: even parity of the low byte.
static inline u32 x86_parity(u64 v)
{
    return __builtin_parity((u8)v) ? 0 : X86_PF;
}

// The whole register, as PUSHF sees it.
static inline u64 x86_rflags(const struct x86_core *c)
{
    return (c->s.rflags & ~(u64)X86_ARITH_FLAGS) | x86_flags_get(c) | 2;
}
