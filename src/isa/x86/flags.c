// SPDX-License-Identifier: BSD-3-Clause
#include "isa/x86/flags.h"

#include "base/bug.h"

// CF, OF and AF of the pending operation (SDM vol. 1 §3.4.3.1), from the carries out of each bit.
static u32 carries(const struct x86_lazy *z)
{
    u64 top = 1ull << ((8u << (z->kind & 3)) - 1);
    u64 mask = top | (top - 1);
    u64 res = z->res & mask, b = z->b & mask, a, out;

    switch (z->kind & ~3u) {
    case LAZY_ADD:
        a = (res - b) & mask;
        out = (a & b) | ((a | b) & ~res);
        break;
    case LAZY_ADC:
        a = (res - b - 1) & mask;
        out = (a & b) | ((a | b) & ~res);
        break;
    case LAZY_SUB:
        a = (res + b) & mask;
        out = (~a & b) | ((~a | b) & res);
        break;
    case LAZY_SBB:
        a = (res + b + 1) & mask;
        out = (~a & b) | ((~a | b) & res);
        break;
    case LAZY_LOGIC:
        return 0;
    case LAZY_INC:
        return (z->b ? X86_CF : 0) | (res == top ? X86_OF : 0) | ((res & 15) == 0 ? X86_AF : 0);
    case LAZY_DEC:
        return (z->b ? X86_CF : 0) | (res == top - 1 ? X86_OF : 0) |
               ((res & 15) == 15 ? X86_AF : 0);
    case LAZY_SHL:
        return (b & top ? X86_CF : 0) | (b & 1 ? X86_OF : 0);
    case LAZY_SHR:
        return (b & 1 ? X86_CF : 0) | (b & top ? X86_OF : 0);
    case LAZY_SAR:
        return b & 1 ? X86_CF : 0;
    default:
        BUG("lazy flags of kind %u", z->kind);
    }
    return (out & top ? X86_CF : 0) | ((out ^ (out << 1)) & top ? X86_OF : 0) |
           (out & 8 ? X86_AF : 0);
}

u32 x86_flags_get(const struct x86_core *c)
{
    const struct x86_lazy *z = &c->lazy;

    if (z->kind == LAZY_NONE)
        return (u32)c->s.rflags & X86_ARITH_FLAGS;
    return carries(z) | (z->res == 0 ? X86_ZF : 0) | ((i64)z->res < 0 ? X86_SF : 0) |
           x86_parity(z->res);
}

bool x86_flags_carry(const struct x86_core *c)
{
    if (c->lazy.kind == LAZY_NONE)
        return c->s.rflags & X86_CF;
    return carries(&c->lazy) & X86_CF;
}

bool x86_condition(const struct x86_core *c, unsigned cc)
{
    const struct x86_lazy *z = &c->lazy;
    bool yes;
    u32 f;

    if (z->kind != LAZY_NONE) { // the result alone answers these
        if (cc >> 1 == 2)
            return (z->res == 0) ^ (cc & 1);
        if (cc >> 1 == 4)
            return ((i64)z->res < 0) ^ (cc & 1);
    }
    f = x86_flags_get(c);
    switch (cc >> 1) {
    case 0:
        yes = f & X86_OF;
        break;
    case 1:
        yes = f & X86_CF;
        break;
    case 2:
        yes = f & X86_ZF;
        break;
    case 3:
        yes = f & (X86_CF | X86_ZF);
        break;
    case 4:
        yes = f & X86_SF;
        break;
    case 5:
        yes = f & X86_PF;
        break;
    case 6:
        yes = !(f & X86_SF) != !(f & X86_OF);
        break;
    default:
        yes = (f & X86_ZF) || !(f & X86_SF) != !(f & X86_OF);
    }
    return yes ^ (cc & 1);
}
