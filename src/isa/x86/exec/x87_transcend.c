// SPDX-License-Identifier: BSD-3-Clause
// The results of the x87 transcendental instructions (SDM vol. 1 §8.3.7 to §8.3.11). The host's
// processor executes them (x87.c) for stack, flags and special values; what it computes of ordinary
// numbers differs in the last bit between processors and is replaced here: by the function with 113
// bits, rounded once, as FCW says. The C library computes that without a floating-point unit, so
// that every host gives the same. Angles are reduced by the 66 bits of pi that Intel's processors
// have (§8.3.8).
// APPROX: denormal operands and results of F2XM1, FYL2X, FYL2XP1, FPATAN, FSIN, FCOS, FSINCOS and
// FPTAN, results that go out of range while that exception is unmasked, and F2XM1 and FYL2XP1
// beyond their operands' range, where the manual leaves the result open, are the host processor's.
#include "isa/x86/exec/x87.h"

typedef __float128 quad;

// Of the C library; <math.h> shows them to some compilers only.
quad atan2f128(quad y, quad x);
quad cosf128(quad x);
quad expm1f128(quad x);
quad log1pf128(quad x);
quad log2f128(quad x);
quad remquof128(quad x, quad y, int *ret_quotient);
quad sinf128(quad x);
quad tanf128(quad x);

_Static_assert(sizeof(quad) == 16, "IEEE binary128");

enum { BIAS = 16383, MAX_EXPONENT = 0x7fff, DROPPED = 49 }; // fraction bits that x87 does not have

// ModRM behind D9.
enum {
    F2XM1 = 0xf0,
    FYL2X = 0xf1,
    FPTAN = 0xf2,
    FPATAN = 0xf3,
    FYL2XP1 = 0xf9,
    FSINCOS = 0xfb,
    FSIN = 0xfe,
    FCOS = 0xff,
};

#define LN2 0.693147180559945309417232121458176568Q
#define TRUSTED_PI_HALF ((quad)0xc90fdaa22168c234 * 0x1p-63Q + 0xcp-67Q)

static quad of_bits(bool sign, u32 exponent, u64 high_fraction, u64 low)
{
    u64 half[2] = {low, (u64)sign << 63 | (u64)exponent << 48 | high_fraction};
    quad q;

    memcpy(&q, half, 16);
    return q;
}

// False: no normal number.
static bool take(const u8 *st, quad *ret)
{
    u64 significand;
    u16 top;

    memcpy(&significand, st, 8);
    memcpy(&top, st + 8, 2);
    if (!(significand >> 63) || (top & 0x7fff) == 0 || (top & 0x7fff) == MAX_EXPONENT)
        return false;
    significand <<= 1;
    *ret = of_bits(top >> 15, top & 0x7fff, significand >> 16, significand << 48);
    return true;
}

// Whether the dropped bits make the significand one larger.
static bool goes_up(u64 kept, u64 dropped, bool sign, u32 rounding)
{
    const u64 half = 1ull << (DROPPED - 1);

    switch (rounding) {
    case 0:
        return dropped > half || (dropped == half && kept & 1);
    case 1:
        return sign && dropped;
    case 2:
        return !sign && dropped;
    default:
        return false;
    }
}

// Rounds to the format of the registers; false if that is no normal number.
static bool pack(quad q, u16 fcw, struct x87_result *ret)
{
    u64 half[2], kept, dropped;
    u32 exponent;
    bool sign;

    memcpy(half, &q, 16);
    sign = half[1] >> 63;
    exponent = half[1] >> 48 & MAX_EXPONENT;
    kept = 1ull << 63 | (half[1] & 0xffffffffffff) << 15 | half[0] >> DROPPED;
    dropped = half[0] & ((1ull << DROPPED) - 1);
    ret->up = goes_up(kept, dropped, sign, fcw >> 10 & 3);
    if (exponent == 0)
        return false;
    if (ret->up && ++kept == 0) {
        kept = 1ull << 63;
        exponent++;
    }
    if (exponent >= MAX_EXPONENT)
        return false;
    memcpy(ret->value, &kept, 8);
    memcpy(ret->value + 8, &(u16){(u16)(sign << 15 | exponent)}, 2);
    return true;
}

static quad sine(quad rest, int quadrant)
{
    quad q = quadrant & 1 ? cosf128(rest) : sinf128(rest);

    return quadrant & 2 ? -q : q;
}

// log2 of an exact power of two is exact.
static quad log2_of(quad x)
{
    u64 half[2];

    memcpy(half, &x, 16);
    if (half[0] == 0 && (half[1] & 0xffffffffffff) == 0)
        return (i32)(half[1] >> 48) - BIAS;
    return log2f128(x);
}

// st: operand ST0 (x) and ST1 (y) if there is such. Results as the instruction leaves them in ST0
// and ST1.
static u32 evaluate(u8 modrm, quad x, quad y, quad ret[2])
{
    int quadrant = 0;
    quad rest = 0;

    if (modrm == FPTAN || modrm >= FSINCOS)
        rest = remquof128(x, TRUSTED_PI_HALF, &quadrant);
    switch (modrm) {
    case F2XM1:
        ret[0] = expm1f128(x * LN2);
        return 1;
    case FYL2X:
        ret[0] = y * log2_of(x);
        return 1;
    case FYL2XP1:
        ret[0] = y * (log1pf128(x) / LN2);
        return 1;
    case FPATAN:
        ret[0] = atan2f128(y, x);
        return 1;
    case FPTAN:
        ret[0] = 1;
        ret[1] = quadrant & 1 ? -1 / tanf128(rest) : tanf128(rest);
        return 2;
    case FSIN:
        ret[0] = sine(rest, quadrant);
        return 1;
    case FCOS:
        ret[0] = sine(rest, quadrant + 1);
        return 1;
    default:
        ret[0] = sine(rest, quadrant + 1);
        ret[1] = sine(rest, quadrant);
        return 2;
    }
}

// In the range where the manual says what the result is.
static bool is_defined(u8 modrm, quad x)
{
    switch (modrm) {
    case F2XM1:
        return x > -1 && x < 1;
    case FYL2X:
        return x > 0;
    case FYL2XP1:
        return x > -0.2928932188134525Q && x < 0.4142135623730951Q;
    case FPATAN:
        return true;
    default:
        return x > -0x1p63Q && x < 0x1p63Q;
    }
}

static bool is_transcendental(const u8 *bytes)
{
    switch (bytes[0] == 0xd9 ? bytes[1] : 0) {
    case F2XM1:
    case FYL2X:
    case FPTAN:
    case FPATAN:
    case FYL2XP1:
    case FSINCOS:
    case FSIN:
    case FCOS:
        return true;
    default:
        return false;
    }
}

static bool has_second(u8 modrm)
{
    return modrm == FYL2X || modrm == FYL2XP1 || modrm == FPATAN;
}

u32 x87_transcend(struct x86_core *c, const u8 *bytes, struct x87_result ret[2])
{
    const u32 quiet = 0x1f80;
    quad x = 0, y = 0, q[2];
    u32 mxcsr, n;

    if (!is_transcendental(bytes))
        return 0;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr)); // the guest's: it would round here
    __asm__ volatile("ldmxcsr %0" : : "m"(quiet) : "memory");
    n = take(x87_st(c, 0), &x) && (!has_second(bytes[1]) || take(x87_st(c, 1), &y)) &&
                is_defined(bytes[1], x)
            ? evaluate(bytes[1], x, y, q)
            : 0;
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr) : "memory");
    for (u32 k = 0; k < n; k++)
        if (!pack(q[k], c->s.fcw, &ret[k]))
            return 0;
    return n;
}

static bool is_normal(const u8 *st)
{
    quad q;

    return take(st, &q);
}

void x87_transcend_put(struct x86_core *c, u32 n, const struct x87_result result[2])
{
    if (c->s.fsw & ~c->s.fcw & X87_FLAGS & ~X87_PE)
        return; // the operands are still there, or the result is scaled
    for (u32 k = 0; k < n; k++)
        if (!is_normal(x87_st(c, k)))
            return;
    for (u32 k = 0; k < n; k++)
        memcpy(x87_st(c, k), result[k].value, 10);
    if (n && c->s.fsw & X87_PE) {
        bool up = result[n - 1].up;

        c->s.fsw = (u16)((c->s.fsw & ~X87_C1) | (up ? X87_C1 : 0));
    }
}
