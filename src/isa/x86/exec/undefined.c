// SPDX-License-Identifier: BSD-3-Clause
// What cannot execute: undefined instructions, and units that are switched off.
#include "isa/x86/table.h"

#include "isa/x86/core.h"

enum x86_result x86_exec_ud(struct x86_core *c, const struct x86_insn *i)
{
    return x86_raise(c, X86_EXC_UD);
}

enum x86_result x86_exec_too_long(struct x86_core *c, const struct x86_insn *i)
{
    return x86_raise_gp(c);
}

// SDM vol. 3A §13.1 (SSE), vol. 2A §2.8 (AVX), vol. 3A §2.5 table 9-2 (x87), §12.1 (MMX).
enum x86_result x86_exec_no_sse(struct x86_core *c, const struct x86_insn *i)
{
    if (c->s.cr0 & X86_CR0_EM || !(c->s.cr4 & X86_CR4_OSFXSR))
        return x86_raise(c, X86_EXC_UD);
    return x86_raise(c, X86_EXC_NM);
}

enum x86_result x86_exec_no_avx(struct x86_core *c, const struct x86_insn *i)
{
    if (!(c->s.cr4 & X86_CR4_OSXSAVE) || (c->s.xcr0 & 6) != 6 || !(c->s.cr0 & X86_CR0_TS))
        return x86_raise(c, X86_EXC_UD);
    return x86_raise(c, X86_EXC_NM);
}

enum x86_result x86_exec_no_x87(struct x86_core *c, const struct x86_insn *i)
{
    return x86_raise(c, X86_EXC_NM);
}

enum x86_result x86_exec_no_mmx(struct x86_core *c, const struct x86_insn *i)
{
    return x86_raise(c, c->s.cr0 & X86_CR0_EM ? X86_EXC_UD : X86_EXC_NM);
}
