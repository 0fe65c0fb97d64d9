// SPDX-License-Identifier: BSD-3-Clause
// RCPPS, RCPSS, RSQRTPS, RSQRTSS and their VEX forms (SDM vol. 2B). They are computed here, because
// processors differ in these results.
// APPROX: RCPPS, RCPSS, RSQRTPS, RSQRTSS and their VEX forms are facet's own, the same on every
// host, within the relative error of 1.5 * 2^-12 that the manual allows: the upper 11 bits of the
// fraction (of the exponent's parity and the fraction, for roots) choose an interval, and the
// result is that of its middle, with 12 significant bits (13 for roots).
#include "isa/x86/exec/approx.h"

#include "isa/x86/exec/vector.h"

#include <Zydis/Zydis.h>

enum { FRACTION_BITS = 23, MAX_EXPONENT = 255, BIAS = 127 };

#define SIGN 0x80000000u
#define INFINITY_BITS 0x7f800000u
#define QUIET 0x00400000u
#define DEFAULT_NAN 0xffc00000u

// The significand has `bits` bits, the first of them 1; what is too small becomes 0.
static u32 pack(u32 sign, i32 exponent, u32 significand, u32 bits)
{
    if (exponent <= 0)
        return sign;
    significand <<= FRACTION_BITS + 1 - bits;
    return sign | (u32)exponent << FRACTION_BITS | (significand & 0x7fffff);
}

// Denormals count as 0, whatever MXCSR says.
u32 x86_approx_rcp(u32 v)
{
    u32 sign = v & SIGN, exponent = v >> FRACTION_BITS & MAX_EXPONENT, fraction = v & 0x7fffff;
    u32 middle = 4096 + 2 * (fraction >> 12) + 1; // of the interval, times 4096

    if (exponent == MAX_EXPONENT)
        return fraction ? v | QUIET : sign;
    if (exponent == 0)
        return sign | INFINITY_BITS;
    return pack(sign, 2 * BIAS - 1 - (i32)exponent, ((1u << 24) + middle / 2) / middle, 12);
}

u32 x86_approx_rsqrt(u32 v)
{
    u32 exponent = v >> FRACTION_BITS & MAX_EXPONENT, fraction = v & 0x7fffff;
    bool odd = !(exponent & 1);                            // the power of two, without bias
    u64 middle = (2048 + 2 * (fraction >> 13) + 1) << odd; // of the interval, times 2048
    u64 root = 4096;                                       // 2^18.5 / sqrt(middle), rounded

    if (exponent == MAX_EXPONENT && fraction)
        return v | QUIET;
    if (exponent == 0)
        return (v & SIGN) | INFINITY_BITS;
    if (v & SIGN)
        return DEFAULT_NAN;
    if (exponent == MAX_EXPONENT)
        return 0;
    for (u64 bit = 2048; bit; bit >>= 1) {
        u64 twice = 2 * (root + bit) - 1;

        if (twice * twice * middle <= 1ull << 39)
            root += bit;
    }
    return pack(0, BIAS - 1 - ((i32)exponent - BIAS - odd) / 2, (u32)root, 13);
}

static void of_all(u8 *ret, const u8 *source, u32 bytes, u32 (*function)(u32))
{
    for (u32 at = 0; at < bytes; at += 4) {
        u32 v;

        memcpy(&v, source + at, 4);
        v = function(v);
        memcpy(ret + at, &v, 4);
    }
}

// [V]xPS dest, src; xSS dest, src; VxSS dest, upper, src.
bool x86_vector_approx(struct x86_core *c, const struct x86_insn *i, const void *mem)
{
    u32 (*function)(u32) = x86_approx_rcp;
    const u8 *upper = x86_ymm(c, i->o[0].reg), *source;
    const struct x86_operand *last = &i->o[i->n_operands - 1];
    u32 bytes = i->vec_bytes;
    u8 result[32] = {0};

    switch (i->si.opcode) {
    case ZYDIS_MNEMONIC_RSQRTPS:
    case ZYDIS_MNEMONIC_VRSQRTPS:
        function = x86_approx_rsqrt;
        break;
    case ZYDIS_MNEMONIC_RCPPS:
    case ZYDIS_MNEMONIC_VRCPPS:
        break;
    case ZYDIS_MNEMONIC_RSQRTSS:
    case ZYDIS_MNEMONIC_VRSQRTSS:
        function = x86_approx_rsqrt;
        bytes = 4;
        break;
    case ZYDIS_MNEMONIC_RCPSS:
    case ZYDIS_MNEMONIC_VRCPSS:
        bytes = 4;
        break;
    default:
        return false;
    }
    source = last->kind == X86_O_MEM ? mem : x86_ymm(c, last->reg);
    if (i->n_operands == 3)
        upper = x86_ymm(c, i->o[1].reg);
    memcpy(result, upper, i->vex ? 16 : 32);
    of_all(result, source, bytes, function);
    memcpy(x86_ymm(c, i->o[0].reg), result, 32);
    return true;
}
