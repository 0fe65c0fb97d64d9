// SPDX-License-Identifier: BSD-3-Clause
// Instructions on the flags themselves.
#include "isa/x86/exec/stack.h"

#include "isa/x86/fault.h"
#include "isa/x86/feature.h"

enum x86_result x86_exec_clc(struct x86_core *c, const struct x86_insn *i)
{
    x86_flags_merge(c, X86_CF, 0);
    return X86_OK;
}

enum x86_result x86_exec_stc(struct x86_core *c, const struct x86_insn *i)
{
    x86_flags_merge(c, X86_CF, X86_CF);
    return X86_OK;
}

enum x86_result x86_exec_cmc(struct x86_core *c, const struct x86_insn *i)
{
    x86_flags_put(c, x86_flags_get(c) ^ X86_CF);
    return X86_OK;
}

enum x86_result x86_exec_cld(struct x86_core *c, const struct x86_insn *i)
{
    c->s.rflags &= ~(u64)X86_DF;
    return X86_OK;
}

enum x86_result x86_exec_std(struct x86_core *c, const struct x86_insn *i)
{
    c->s.rflags |= X86_DF;
    return X86_OK;
}

// LAHF and SAHF: always there outside 64-bit mode.
static bool has_lahf(const struct x86_core *c)
{
    return c->code_mode != X86_CODE64 || x86_has(c, X86_FEATURE_LAHF);
}

enum x86_result x86_exec_lahf(struct x86_core *c, const struct x86_insn *i)
{
    if (!has_lahf(c))
        return x86_raise(c, X86_EXC_UD);
    x86_put_gpr(c, X86_RAX * 8 + 1, 1, (x86_flags_get(c) & 0xff) | 2);
    return X86_OK;
}

enum x86_result x86_exec_sahf(struct x86_core *c, const struct x86_insn *i)
{
    if (!has_lahf(c))
        return x86_raise(c, X86_EXC_UD);
    x86_flags_merge(c, X86_ARITH_FLAGS & 0xff, (u32)(c->s.gpr[X86_RAX] >> 8));
    return X86_OK;
}

// Virtual-8086 mode with IOPL below 3 (the virtual interrupt flag of CR4.VME is UNMODELLED).
static bool trapped(const struct x86_core *c)
{
    return c->s.rflags & X86_VM && (c->s.rflags & X86_IOPL) != X86_IOPL;
}

// PUSHF, PUSHFD, PUSHFQ.
enum x86_result x86_exec_pushf(struct x86_core *c, const struct x86_insn *i)
{
    if (trapped(c))
        return x86_raise_gp(c);
    return x86_push(c, x86_rflags(c) & ~(u64)(X86_VM | X86_RF), i->stack_bytes);
}

// POPF, POPFD, POPFQ: what may change depends on the privilege (SDM vol. 2B POPF).
enum x86_result x86_exec_popf(struct x86_core *c, const struct x86_insn *i)
{
    u64 mask = X86_ARITH_FLAGS | X86_TF | X86_DF | X86_NT, v;
    enum x86_result r;

    if (trapped(c))
        return x86_raise_gp(c);
    if (c->cpl == 0)
        mask |= X86_IOPL;
    if (c->cpl <= (c->s.rflags & X86_IOPL) >> 12)
        mask |= X86_IF;
    if (i->stack_bytes != 2)
        mask |= X86_AC | X86_ID | X86_RF;
    r = x86_pop(c, &v, i->stack_bytes);
    if (r)
        return r;
    c->s.rip = i->next_pc;
    x86_rflags_write(c, v & ~(u64)X86_RF, mask);
    return X86_OK;
}

// AL = CF ? 0xff : 0.
enum x86_result x86_exec_salc(struct x86_core *c, const struct x86_insn *i)
{
    x86_put_reg(c, X86_RAX, 1, x86_flags_carry(c) ? 0xff : 0);
    return X86_OK;
}
