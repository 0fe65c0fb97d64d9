// SPDX-License-Identifier: BSD-3-Clause
#include "values.h"

#include <string.h>

u64 value_int(struct rng *r)
{
    static const u64 corners[] = {0,
                                  1,
                                  2,
                                  0x7f,
                                  0x80,
                                  0xff,
                                  0x7fff,
                                  0x8000,
                                  0xffff,
                                  0x7fffffff,
                                  0x80000000,
                                  0xffffffff,
                                  0x7fffffffffffffff,
                                  1ull << 63,
                                  ~0ull,
                                  ~1ull,
                                  0x5555555555555555,
                                  0xaaaaaaaaaaaaaaaa,
                                  0x0123456789abcdef,
                                  ~0x7full,
                                  ~0x7fffull,
                                  ~0x7fffffffull,
                                  0x10000,
                                  1ull << 32};
    u64 v = rng_next(r);

    switch (rng_next(r) & 7) {
    case 0:
    case 1:
        return corners[rng_below(r, ARRAY_SIZE(corners))];
    case 2:
        return v & 0x3f;
    case 3:
        return (1ull << (v & 63)) + (v >> 62) - 1;
    case 4:
        return (u64)((i64)v >> (v & 63)); // a random number of sign bits
    default:
        return v;
    }
}

// Sign, exponent and fraction of any IEEE format, by the number of exponent and fraction bits.
static u64 value_float(struct rng *r, u32 exp_bits, u32 frac_bits)
{
    u64 bias = (1ull << (exp_bits - 1)) - 1, max = 2 * bias + 1;
    u64 frac_mask = (1ull << frac_bits) - 1;
    u64 v = rng_next(r), exp, frac = rng_next(r) & frac_mask;

    switch (v >> 8 & 15) {
    case 0: // zero, smallest and largest denormals
        exp = 0;
        frac = v & 16 ? 0 : v & 32 ? 1 : v & 64 ? frac_mask : frac;
        break;
    case 1: // infinity, quiet and signalling NaNs
        exp = max;
        frac = v & 16 ? 0 : v & 32 ? 1 : v & 64 ? 1ull << (frac_bits - 1) : frac;
        break;
    case 2: // smallest and largest normal numbers
        exp = v & 16 ? 1 : max - 1;
        frac = v & 32 ? 0 : v & 64 ? frac_mask : frac;
        break;
    case 3: // small whole numbers and halves
    case 4:
        exp = bias + (v >> 16 & 7) - 1;
        frac &= ~(frac_mask >> ((v >> 20 & 7) + 1));
        break;
    case 5: // around the limits of integer types
        exp = bias + (u64[]){7, 8, 15, 16, 31, 32, 63, 64}[v >> 16 & 7] - (v >> 19 & 1);
        frac = v & 16 ? 0 : v & 32 ? frac_mask : frac;
        break;
    case 6: // rounding boundaries: the last bits all ones or half
        exp = bias + (v >> 16 & 63) - 32;
        frac |= v & 16 ? frac_mask >> (frac_bits / 2) : 0;
        break;
    case 7:
    case 8:
    case 9:
        exp = bias + (v >> 16 & 15) - 8;
        break;
    case 10: // any bits
        return rng_next(r) & ((2ull << (exp_bits + frac_bits)) - 1);
    default:
        exp = bias + (v >> 16 & 127) - 64;
    }
    return (v >> 63) << (exp_bits + frac_bits) | (exp & max) << frac_bits | frac;
}

void value_x87(struct rng *r, u8 *ret)
{
    u64 v = rng_next(r), fraction = rng_next(r), exp;

    switch (v >> 8 & 7) {
    case 0: // zero, denormals, pseudo-denormals
        exp = 0;
        fraction = v & 16 ? 0 : v & 32 ? fraction : fraction >> 1;
        break;
    case 1: // infinity, NaNs, unsupported formats
        exp = 0x7fff;
        fraction = v & 16 ? 1ull << 63 : v & 32 ? 3ull << 62 : fraction;
        break;
    case 2: // exact in double or single
        exp = 0x3fff + (v >> 16 & 127) - 64;
        fraction = (fraction | 1ull << 63) & (v & 16 ? ~0x7ffull : ~0xffffffffffull);
        break;
    case 3: // small whole numbers and halves
        exp = 0x3fff + (v >> 16 & 7) - 1;
        fraction = (fraction | 1ull << 63) & ~(~0ull >> ((v >> 20 & 7) + 1));
        break;
    case 4: // far out, or an unnormal
        exp = (v >> 16) & 0x7fff;
        fraction |= v & 16 ? 0 : 1ull << 63;
        break;
    case 5: // around the limits of integer types and of double
        exp = 0x3fff + (u64[]){15, 16, 31, 63, 64, 1023, 1024, 127}[v >> 16 & 7] - (v >> 19 & 1);
        fraction = 1ull << 63 | (v & 16 ? 0 : v & 32 ? ~0ull : fraction);
        break;
    default:
        exp = 0x3fff + (v >> 16 & 63) - 32;
        fraction |= 1ull << 63;
    }
    exp |= v >> 63 << 15;
    memcpy(ret, &fraction, 8);
    memcpy(ret + 8, &exp, 2);
}

static u32 kind_size(enum value_kind kind)
{
    switch (kind) {
    case VALUE_F16:
        return 2;
    case VALUE_F32:
        return 4;
    case VALUE_F80:
        return 10;
    default:
        return 8;
    }
}

static u64 value_bits(struct rng *r)
{
    u64 v = rng_next(r);

    switch (rng_next(r) & 7) {
    case 0:
        return 0;
    case 1:
        return ~0ull;
    case 2: // bytes at their limits
        return (v & 0x8181818181818181u) ^ (v & 2 ? 0x7f7f7f7f7f7f7f7f : 0);
    case 3: // words
        return (v & 0x8001800180018001u) ^ (v & 2 ? 0x7fff7fff7fff7fff : 0);
    case 4: // doublewords
        return (v & 0x8000000180000001u) ^ (v & 2 ? 0x7fffffff7fffffff : 0);
    case 5: // bytes that are small
        return v & 0x0f0f0f0f0f0f0f0fu;
    default:
        return v;
    }
}

void value_fill(struct rng *r, enum value_kind kind, u32 size, u8 *ret)
{
    u32 step = kind_size(kind);

    for (u32 at = 0; at < size; at += step) {
        u8 bytes[16] = {0};
        u64 v = 0;

        switch (kind) {
        case VALUE_INT:
            v = value_int(r);
            break;
        case VALUE_F16:
            v = value_float(r, 5, 10);
            break;
        case VALUE_F32:
            v = value_float(r, 8, 23);
            break;
        case VALUE_F64:
            v = value_float(r, 11, 52);
            break;
        case VALUE_F80:
            value_x87(r, bytes);
            break;
        case VALUE_BITS:
            v = value_bits(r);
        }
        if (kind != VALUE_F80)
            memcpy(bytes, &v, 8);
        memcpy(ret + at, bytes, MIN(step, size - at));
    }
}

enum value_kind value_kind_any(struct rng *r)
{
    static const u8 kinds[] = {VALUE_INT,  VALUE_F32, VALUE_F64, VALUE_BITS,
                               VALUE_BITS, VALUE_F32, VALUE_F64, VALUE_F16};

    return (enum value_kind)kinds[rng_next(r) & 7];
}
