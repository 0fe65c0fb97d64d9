// SPDX-License-Identifier: BSD-3-Clause
// Decimal adjustments, outside 64-bit mode only (SDM vol. 2A AAA … DAS). Undefined flags are as
// Intel's processors have them.
#include "isa/x86/exec/exec.h"

static u8 al(const struct x86_core *c)
{
    return (u8)c->s.gpr[X86_RAX];
}

static u32 result_flags(u8 v)
{
    return x86_parity(v) | (v == 0 ? X86_ZF : 0) | (v & 0x80 ? X86_SF : 0);
}

static enum x86_result decimal(struct x86_core *c, bool add)
{
    u32 f = x86_flags_get(c), out = 0;
    u8 old = al(c), v = old;

    if ((old & 15) > 9 || f & X86_AF) {
        if (!add && old < 6) // the borrow of the low digit
            out |= X86_CF;
        v = (u8)(add ? v + 6 : v - 6);
        out |= X86_AF;
    }
    if (old > 0x99 || f & X86_CF) {
        v = (u8)(add ? v + 0x60 : v - 0x60);
        out |= X86_CF;
    }
    x86_put_reg(c, X86_RAX, 1, v);
    x86_flags_put(c, out | result_flags(v));
    return X86_OK;
}

enum x86_result x86_exec_daa(struct x86_core *c, const struct x86_insn *i)
{
    return decimal(c, true);
}

enum x86_result x86_exec_das(struct x86_core *c, const struct x86_insn *i)
{
    return decimal(c, false);
}

static enum x86_result ascii(struct x86_core *c, int sign)
{
    bool adjust = (al(c) & 15) > 9 || x86_flags_get(c) & X86_AF;
    u64 ax = c->s.gpr[X86_RAX];

    if (adjust)
        ax += (u64)(i64)(sign * 0x106);
    ax &= 0xff0f;
    x86_put_reg(c, X86_RAX, 2, ax);
    x86_flags_put(c, (adjust ? X86_AF | X86_CF : 0) | result_flags((u8)ax));
    return X86_OK;
}

enum x86_result x86_exec_aaa(struct x86_core *c, const struct x86_insn *i)
{
    return ascii(c, 1);
}

enum x86_result x86_exec_aas(struct x86_core *c, const struct x86_insn *i)
{
    return ascii(c, -1);
}

enum x86_result x86_exec_aam(struct x86_core *c, const struct x86_insn *i)
{
    u8 base = (u8)i->imm, v = al(c);

    if (base == 0)
        return x86_raise(c, X86_EXC_DE);
    x86_put_reg(c, X86_RAX, 2, (u64)(v / base) << 8 | v % base);
    x86_flags_put(c, result_flags(v % base));
    return X86_OK;
}

enum x86_result x86_exec_aad(struct x86_core *c, const struct x86_insn *i)
{
    u8 v = (u8)(al(c) + (u8)(c->s.gpr[X86_RAX] >> 8) * (u8)i->imm);

    x86_put_reg(c, X86_RAX, 2, v);
    x86_flags_put(c, result_flags(v));
    return X86_OK;
}
