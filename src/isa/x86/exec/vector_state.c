// SPDX-License-Identifier: BSD-3-Clause
// MXCSR, the upper halves of the vector registers, and the passage between MMX and x87.
#include "isa/x86/exec/exec.h"
#include "isa/x86/exec/vector.h"
#include "isa/x86/exec/x87.h"

#include <Zydis/Zydis.h>
#include <immintrin.h>

u32 x86_mxcsr_get(const struct x86_core *c)
{
    return c->s.mxcsr | (_mm_getcsr() & X86_MXCSR_STATUS);
}

void x86_mxcsr_set(struct x86_core *c, u32 v)
{
    c->s.mxcsr = v;
    _mm_setcsr(v | X86_MXCSR_MASKS);
}

enum x86_result x86_exec_ldmxcsr(struct x86_core *c, const struct x86_insn *i)
{
    u64 v;
    enum x86_result r = x86_read(c, i, 0, &v);

    if (r)
        return r;
    if (v & ~(u64)X86_MXCSR_MASK)
        return x86_raise_gp(c);
    x86_mxcsr_set(c, (u32)v);
    c->s.rip = i->next_pc;
    x86_update_mode(c);
    return X86_OK;
}

enum x86_result x86_exec_stmxcsr(struct x86_core *c, const struct x86_insn *i)
{
    return x86_write(c, i, 0, x86_mxcsr_get(c));
}

// VZEROUPPER and VZEROALL; outside 64-bit mode there are eight registers.
enum x86_result x86_exec_vzero(struct x86_core *c, const struct x86_insn *i)
{
    u32 keep = i->si.opcode == ZYDIS_MNEMONIC_VZEROUPPER ? 16 : 0;

    for (u32 k = 0; k < (i->mode == X86_CODE64 ? 16u : 8u); k++)
        memset(x86_ymm(c, k) + keep, 0, 32 - keep);
    return X86_OK;
}

enum x86_result x86_mmx_enter(struct x86_core *c)
{
    return x87_wait(c);
}

void x86_mmx_leave(struct x86_core *c)
{
    c->s.ftw = 0xff;
    c->s.fsw &= 0xc7ff;
}

enum x86_result x86_exec_emms(struct x86_core *c, const struct x86_insn *i)
{
    enum x86_result r = x86_mmx_enter(c);

    if (r)
        return r;
    x86_mmx_leave(c); // TOP becomes 0 here too
    c->s.ftw = 0;
    return X86_OK;
}
