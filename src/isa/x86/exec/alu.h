// SPDX-License-Identifier: BSD-3-Clause
// What the integer instructions compute: pure functions of values, with the flags set lazily. Both
// the table's functions and the engine's specialised handlers are made of these. Operands may have
// anything above the operand size unless a comment says otherwise, and so may results: whoever
// writes a result truncates it.
#pragma once

#include "isa/x86/flags.h"

static inline u64 x86_zero_extend(u64 v, u32 log2)
{
    return log2 == 3 ? v : v & ((1ull << (8u << log2)) - 1);
}

static inline u32 x86_log2(u32 bytes)
{
    return (u32)__builtin_ctz(bytes);
}

static inline u64 x86_alu_add(struct x86_core *c, u64 a, u64 b, u32 log2)
{
    u64 r = a + b;

    x86_flags_set(c, LAZY_ADD, log2, r, b);
    return r;
}

static inline u64 x86_alu_sub(struct x86_core *c, u64 a, u64 b, u32 log2)
{
    u64 r = a - b;

    x86_flags_set(c, LAZY_SUB, log2, r, b);
    return r;
}

static inline u64 x86_alu_adc(struct x86_core *c, u64 a, u64 b, u32 log2)
{
    bool carry = x86_flags_carry(c);
    u64 r = a + b + carry;

    x86_flags_set(c, carry ? LAZY_ADC : LAZY_ADD, log2, r, b);
    return r;
}

static inline u64 x86_alu_sbb(struct x86_core *c, u64 a, u64 b, u32 log2)
{
    bool carry = x86_flags_carry(c);
    u64 r = a - b - carry;

    x86_flags_set(c, carry ? LAZY_SBB : LAZY_SUB, log2, r, b);
    return r;
}

static inline u64 x86_alu_logic(struct x86_core *c, u64 r, u32 log2)
{
    x86_flags_set(c, LAZY_LOGIC, log2, r, 0);
    return r;
}

static inline u64 x86_alu_and(struct x86_core *c, u64 a, u64 b, u32 log2)
{
    return x86_alu_logic(c, a & b, log2);
}

static inline u64 x86_alu_or(struct x86_core *c, u64 a, u64 b, u32 log2)
{
    return x86_alu_logic(c, a | b, log2);
}

static inline u64 x86_alu_xor(struct x86_core *c, u64 a, u64 b, u32 log2)
{
    return x86_alu_logic(c, a ^ b, log2);
}

static inline u64 x86_alu_inc(struct x86_core *c, u64 a, u32 log2)
{
    bool carry = x86_flags_carry(c);

    x86_flags_set(c, LAZY_INC, log2, a + 1, carry);
    return a + 1;
}

static inline u64 x86_alu_dec(struct x86_core *c, u64 a, u32 log2)
{
    bool carry = x86_flags_carry(c);

    x86_flags_set(c, LAZY_DEC, log2, a - 1, carry);
    return a - 1;
}

static inline u64 x86_alu_neg(struct x86_core *c, u64 a, u32 log2)
{
    return x86_alu_sub(c, 0, a, log2);
}

// How many places a shift by `count` moves: the count is masked to 5 bits, or 6 with 64 bits.
static inline u32 x86_shift_count(u64 count, u32 log2)
{
    return (u32)count & (log2 == 3 ? 63 : 31);
}

// The most significant bit of a value of the operand size.
static inline bool x86_top_bit(u64 v, u32 log2)
{
    return v >> ((8u << log2) - 1) & 1;
}

// Whether a shift to the left by one place changes the sign.
static inline bool x86_sign_changes(u64 v, u32 log2)
{
    return x86_top_bit(v ^ v << 1, log2);
}

// In the shifts `n` is a masked count, and not 0 (a shift by 0 changes nothing, not even flags).
// OF is defined for n = 1 only; Intel's processors give it the value for n = 1 whatever n is, and
// so do we.
static inline u64 x86_alu_shl(struct x86_core *c, u64 a, u32 n, u32 log2)
{
    u64 last = a << (n - 1);
    u64 top = 1ull << ((8u << log2) - 1);

    x86_flags_set(c, LAZY_SHL, log2, last << 1, (last & top) | x86_sign_changes(a, log2));
    return last << 1;
}

static inline u64 x86_alu_shr(struct x86_core *c, u64 a, u32 n, u32 log2)
{
    u64 v = x86_zero_extend(a, log2), last = v >> (n - 1);
    u64 top = 1ull << ((8u << log2) - 1);

    x86_flags_set(c, LAZY_SHR, log2, last >> 1, (last & 1) | (v & top));
    return last >> 1;
}

static inline u64 x86_alu_sar(struct x86_core *c, u64 a, u32 n, u32 log2)
{
    u64 last = (u64)((i64)x86_sign_extend(a, log2) >> (n - 1));
    u64 r = (u64)((i64)last >> 1);

    x86_flags_set(c, LAZY_SAR, log2, r, last);
    return r;
}

static inline void x86_flags_merge_carry_overflow(struct x86_core *c, bool carry, bool overflow)
{
    x86_flags_merge(c, X86_CF | X86_OF, (carry ? X86_CF : 0) | (overflow ? X86_OF : 0));
}

// Rotates: `n` and OF as in shifts.
static inline u64 x86_alu_rol(struct x86_core *c, u64 a, u32 n, u32 log2)
{
    u32 bits = 8u << log2, k = n & (bits - 1);
    u64 v = x86_zero_extend(a, log2), r = k ? v << k | v >> (bits - k) : v;

    x86_flags_merge_carry_overflow(c, r & 1, x86_sign_changes(v, log2));
    return r;
}

static inline u64 x86_alu_ror(struct x86_core *c, u64 a, u32 n, u32 log2)
{
    u32 bits = 8u << log2, k = n & (bits - 1);
    u64 v = x86_zero_extend(a, log2), r = k ? v >> k | v << (bits - k) : v;

    x86_flags_merge_carry_overflow(c, x86_top_bit(r, log2), x86_top_bit(v, log2) ^ (v & 1));
    return r;
}

// Through the carry: 9, 17, 33 or 65 bits turn. A multiple of that changes nothing.
static inline u64 x86_alu_rcl(struct x86_core *c, u64 a, u32 n, u32 log2)
{
    u32 bits = 8u << log2, k = n % (bits + 1);
    u64 v = x86_zero_extend(a, log2), r;

    if (k == 0)
        return v;
    r = v << (k - 1) << 1 | (u64)x86_flags_carry(c) << (k - 1) | (k == 1 ? 0 : v >> (bits + 1 - k));
    x86_flags_merge_carry_overflow(c, v >> (bits - k) & 1, x86_sign_changes(v, log2));
    return r;
}

static inline u64 x86_alu_rcr(struct x86_core *c, u64 a, u32 n, u32 log2)
{
    u32 bits = 8u << log2, k = n % (bits + 1);
    bool carry = x86_flags_carry(c);
    u64 v = x86_zero_extend(a, log2), r;

    if (k == 0)
        return v;
    r = v >> (k - 1) >> 1 | (u64)carry << (bits - k) | (k == 1 ? 0 : v << (bits + 1 - k));
    x86_flags_merge_carry_overflow(c, v >> (k - 1) & 1, x86_top_bit(v, log2) ^ carry);
    return r;
}

// SHLD, SHRD: `b` supplies the bits. With 16 bits and n > 16, which is undefined, the operands
// repeat: a:b:a.
static inline u64 x86_alu_shld(struct x86_core *c, u64 a, u64 b, u32 n, u32 log2)
{
    u32 bits = 8u << log2;
    u64 top = 1ull << (bits - 1), last, r;

    a = x86_zero_extend(a, log2);
    b = x86_zero_extend(b, log2);
    if (log2 == 1) {
        last = (a << 32 | b << 16 | a) << (n - 1) >> 32;
        r = (a << 32 | b << 16 | a) << n >> 32;
    } else {
        last = n == 1 ? a : a << (n - 1) | b >> (bits - (n - 1));
        r = a << n | b >> (bits - n);
    }
    x86_flags_set(c, LAZY_SHL, log2, r, (last & top) | x86_sign_changes(a, log2));
    return r;
}

static inline u64 x86_alu_shrd(struct x86_core *c, u64 a, u64 b, u32 n, u32 log2)
{
    u32 bits = 8u << log2;
    u64 top = 1ull << (bits - 1), last, r;

    a = x86_zero_extend(a, log2);
    b = x86_zero_extend(b, log2);
    if (log2 == 1) {
        last = (a << 32 | b << 16 | a) >> (n - 1);
        r = (a << 32 | b << 16 | a) >> n;
    } else {
        last = n == 1 ? a : a >> (n - 1) | b << (bits - (n - 1));
        r = a >> n | b << (bits - n);
    }
    x86_flags_set(c, LAZY_SHR, log2, r, (last & 1) | (((b & 1) << (bits - 1)) ^ (a & top)));
    return r;
}

// Multiplications. CF = OF = the product needs more than the low half; SF and PF (undefined) are
// those of the low half; ZF and AF are 0.
static inline void x86_alu_mul_flags(struct x86_core *c, u64 low, bool overflow, u32 log2)
{
    x86_flags_put(c, (overflow ? X86_CF | X86_OF : 0) | x86_parity(low) |
                         (x86_top_bit(low, log2) ? X86_SF : 0));
}

// Returns the low half; *ret_high may be NULL.
static inline u64 x86_alu_mul(struct x86_core *c, u64 a, u64 b, u32 log2, u64 *ret_high)
{
    u128 p = (u128)x86_zero_extend(a, log2) * x86_zero_extend(b, log2);
    u64 high = (u64)(p >> (8u << log2));

    x86_alu_mul_flags(c, (u64)p, high != 0, log2);
    if (ret_high)
        *ret_high = high;
    return (u64)p;
}

static inline u64 x86_alu_imul(struct x86_core *c, u64 a, u64 b, u32 log2, u64 *ret_high)
{
    i128 p = (i128)(i64)x86_sign_extend(a, log2) * (i64)x86_sign_extend(b, log2);

    x86_alu_mul_flags(c, (u64)p, p != (i64)x86_sign_extend((u64)p, log2), log2);
    if (ret_high)
        *ret_high = (u64)(p >> (8u << log2));
    return (u64)p;
}

// Divisions of high:low. False: #DE, and nothing is set. Flags stay as they are.
static inline bool x86_alu_div(u64 high, u64 low, u64 by, u32 log2, u64 *ret_quotient,
                               u64 *ret_remainder)
{
    u128 n = (u128)x86_zero_extend(high, log2) << (8u << log2) | x86_zero_extend(low, log2);

    by = x86_zero_extend(by, log2);
    if (by == 0 || x86_zero_extend(high, log2) >= by)
        return false;
    if (LIKELY(n >> 64 == 0)) {
        *ret_quotient = (u64)n / by;
        *ret_remainder = (u64)n % by;
    } else {
        *ret_quotient = (u64)(n / by);
        *ret_remainder = (u64)(n % by);
    }
    return true;
}

static inline bool x86_alu_idiv(u64 high, u64 low, u64 by, u32 log2, u64 *ret_quotient,
                                u64 *ret_remainder)
{
    u32 bits = 8u << log2;
    i128 n =
        (i128)((u128)(i128)(i64)x86_sign_extend(high, log2) << bits | x86_zero_extend(low, log2));
    i64 d = (i64)x86_sign_extend(by, log2);
    i128 q;

    if (d == 0)
        return false;
    if (LIKELY(n == (i64)n && n != INT64_MIN)) {
        q = (i64)n / d;
        *ret_remainder = (u64)((i64)n % d);
    } else {
        // The smallest dividend by -1 has no quotient; anything else does not overflow 128 bits.
        if (d == -1 && n < -(((i128)1 << 126)))
            return false;
        q = n / d;
        if (q == (i64)x86_sign_extend((u64)q, log2))
            *ret_remainder = (u64)(n % d);
    }
    if (q != (i64)x86_sign_extend((u64)q, log2))
        return false;
    *ret_quotient = (u64)q;
    return true;
}

// Bit tests: CF = the bit, the other flags stay.
static inline void x86_alu_bt(struct x86_core *c, u64 a, u64 bit, u32 log2)
{
    x86_flags_merge(c, X86_CF, a >> (bit & ((8u << log2) - 1)) & 1 ? X86_CF : 0);
}

// POPCNT, TZCNT, LZCNT: the count, of a value that has nothing above the operand size. Undefined
// flags are 0.
static inline u64 x86_alu_popcnt(struct x86_core *c, u64 a)
{
    x86_flags_put(c, a ? 0 : X86_ZF);
    return (u64)__builtin_popcountll(a);
}

static inline u64 x86_alu_count_zeros(struct x86_core *c, u64 a, u64 zeros)
{
    x86_flags_put(c, (a ? 0 : X86_CF) | (zeros ? 0 : X86_ZF));
    return zeros;
}

static inline u64 x86_alu_tzcnt(struct x86_core *c, u64 a, u32 log2)
{
    return x86_alu_count_zeros(c, a, a ? (u64)__builtin_ctzll(a) : 8u << log2);
}

static inline u64 x86_alu_lzcnt(struct x86_core *c, u64 a, u32 log2)
{
    u64 bits = 8u << log2;

    return x86_alu_count_zeros(c, a, a ? bits - 64 + (u64)__builtin_clzll(a) : bits);
}
