// SPDX-License-Identifier: BSD-3-Clause
// Identification, model-specific registers, time, base registers, XCR0, HLT, interrupt flag.
#include "isa/x86/exec/system.h"

#include "isa/x86/cpuid.h"
#include "isa/x86/msr.h"

enum x86_result x86_exec_cpuid(struct x86_core *c, const struct x86_insn *i)
{
    u32 r[4];

    x86_cpuid(c, (u32)c->s.gpr[X86_RAX], (u32)c->s.gpr[X86_RCX], r);
    c->s.gpr[X86_RAX] = r[0];
    c->s.gpr[X86_RBX] = r[1];
    c->s.gpr[X86_RCX] = r[2];
    c->s.gpr[X86_RDX] = r[3];
    return x86_end(c, i);
}

static bool tsc_forbidden(const struct x86_core *c)
{
    return c->cpl > 0 && (c->s.cr4 & X86_CR4_TSD);
}

enum x86_result x86_exec_rdtsc(struct x86_core *c, const struct x86_insn *i)
{
    if (tsc_forbidden(c))
        return x86_raise_gp(c);
    x86_put_edx_eax(c, x86_tsc(c));
    return x86_end(c, i);
}

enum x86_result x86_exec_rdtscp(struct x86_core *c, const struct x86_insn *i)
{
    if (tsc_forbidden(c))
        return x86_raise_gp(c);
    x86_put_edx_eax(c, x86_tsc(c));
    c->s.gpr[X86_RCX] = (u32)c->s.tsc_aux;
    return x86_end(c, i);
}

enum x86_result x86_exec_rdpid(struct x86_core *c, const struct x86_insn *i)
{
    c->s.gpr[i->o[0].reg] = (u32)c->s.tsc_aux;
    return x86_end(c, i);
}

// There are no performance counters (CPUID leaf 0AH says so).
enum x86_result x86_exec_rdpmc(struct x86_core *c, const struct x86_insn *i)
{
    return x86_raise_gp(c);
}

enum x86_result x86_exec_rdmsr(struct x86_core *c, const struct x86_insn *i)
{
    u64 v;

    if (c->cpl != 0 || !x86_msr_read(c, (u32)c->s.gpr[X86_RCX], &v))
        return x86_raise_gp(c);
    x86_put_edx_eax(c, v);
    return x86_end(c, i);
}

enum x86_result x86_exec_wrmsr(struct x86_core *c, const struct x86_insn *i)
{
    if (c->cpl != 0 || !x86_msr_write(c, (u32)c->s.gpr[X86_RCX], x86_edx_eax(c)))
        return x86_raise_gp(c);
    return x86_end(c, i);
}

// XGETBV with ECX = 1 may report components as in use that are in their initial state (SDM vol. 1
// §13.6); it reports all that are enabled.
enum x86_result x86_exec_xgetbv(struct x86_core *c, const struct x86_insn *i)
{
    u32 index = (u32)c->s.gpr[X86_RCX];

    if (!(c->s.cr4 & X86_CR4_OSXSAVE))
        return x86_raise(c, X86_EXC_UD);
    if (index > (x86_has(c, X86_FEATURE_XGETBV1) ? 1u : 0u))
        return x86_raise_gp(c);
    x86_put_edx_eax(c, c->s.xcr0);
    return x86_end(c, i);
}

enum x86_result x86_exec_xsetbv(struct x86_core *c, const struct x86_insn *i)
{
    u64 v = x86_edx_eax(c), all = x86_has(c, X86_FEATURE_AVX) ? 7 : 3;

    if (!(c->s.cr4 & X86_CR4_OSXSAVE))
        return x86_raise(c, X86_EXC_UD);
    if (c->cpl != 0 || (u32)c->s.gpr[X86_RCX] != 0 || !(v & 1) || (v & ~all) || (v & 6) == 4)
        return x86_raise_gp(c);
    c->s.xcr0 = v;
    x86_update_mode(c);
    return x86_end(c, i);
}

static enum x86_result read_base(struct x86_core *c, const struct x86_insn *i, enum x86_seg seg)
{
    if (!(c->s.cr4 & X86_CR4_FSGSBASE))
        return x86_raise(c, X86_EXC_UD);
    x86_put_gpr(c, i->o[0].offset, i->o[0].size, c->s.seg_base[seg]);
    return x86_end(c, i);
}

static enum x86_result write_base(struct x86_core *c, const struct x86_insn *i, enum x86_seg seg)
{
    u64 v = x86_get_gpr(c, i->o[0].offset, i->o[0].size);

    if (!(c->s.cr4 & X86_CR4_FSGSBASE))
        return x86_raise(c, X86_EXC_UD);
    if (!x86_canonical(c, v))
        return x86_raise_gp(c);
    c->s.seg_base[seg] = v;
    return x86_end(c, i);
}

enum x86_result x86_exec_rdfsbase(struct x86_core *c, const struct x86_insn *i)
{
    return read_base(c, i, X86_FS);
}

enum x86_result x86_exec_rdgsbase(struct x86_core *c, const struct x86_insn *i)
{
    return read_base(c, i, X86_GS);
}

enum x86_result x86_exec_wrfsbase(struct x86_core *c, const struct x86_insn *i)
{
    return write_base(c, i, X86_FS);
}

enum x86_result x86_exec_wrgsbase(struct x86_core *c, const struct x86_insn *i)
{
    return write_base(c, i, X86_GS);
}

enum x86_result x86_exec_swapgs(struct x86_core *c, const struct x86_insn *i)
{
    u64 base = c->s.seg_base[X86_GS];

    if (c->code_mode != X86_CODE64)
        return x86_raise(c, X86_EXC_UD);
    if (c->cpl != 0)
        return x86_raise_gp(c);
    c->s.seg_base[X86_GS] = c->s.kernel_gs_base;
    c->s.kernel_gs_base = base;
    return x86_end(c, i);
}

enum x86_result x86_exec_hlt(struct x86_core *c, const struct x86_insn *i)
{
    if (c->cpl != 0)
        return x86_raise_gp(c);
    c->s.halted = 1;
    x86_attention(c);
    return x86_end(c, i);
}

// In a machine whose cores take turns, nothing that this one waits for happens before the next
// turn.
enum x86_result x86_exec_pause(struct x86_core *c, const struct x86_insn *i)
{
    if (c->core.time.share > 1 && !c->core.speculation)
        x86_stop(c, CORE_YIELD);
    return x86_end(c, i);
}

enum x86_result x86_exec_simop(struct x86_core *c, const struct x86_insn *i)
{
    if (!c->simop)
        return x86_raise(c, X86_EXC_UD);
    c->s.rip = i->next_pc;
    c->simop(c->simop_ctx, c, (u16)i->imm);
    return X86_OK;
}

// VME and PVI are never shown, so IOPL alone decides.
static bool may_change_if(const struct x86_core *c)
{
    u32 iopl = (u32)(c->s.rflags & X86_IOPL) >> 12;

    if (!(c->s.cr0 & X86_CR0_PE))
        return true;
    return c->s.rflags & X86_VM ? iopl == 3 : c->cpl <= iopl;
}

enum x86_result x86_exec_cli(struct x86_core *c, const struct x86_insn *i)
{
    if (!may_change_if(c))
        return x86_raise_gp(c);
    c->s.rflags &= ~(u64)X86_IF;
    return x86_end(c, i);
}

enum x86_result x86_exec_sti(struct x86_core *c, const struct x86_insn *i)
{
    if (!may_change_if(c))
        return x86_raise_gp(c);
    if (!(c->s.rflags & X86_IF)) {
        c->s.rflags |= X86_IF;
        x86_shadow_set(c, 1);
    }
    return x86_end(c, i);
}

static enum x86_result set_ac(struct x86_core *c, const struct x86_insn *i, u64 ac)
{
    if (c->cpl != 0)
        return x86_raise(c, X86_EXC_UD);
    c->s.rflags = (c->s.rflags & ~(u64)X86_AC) | ac;
    x86_update_mode(c);
    return x86_end(c, i);
}

enum x86_result x86_exec_clac(struct x86_core *c, const struct x86_insn *i)
{
    return set_ac(c, i, 0);
}

enum x86_result x86_exec_stac(struct x86_core *c, const struct x86_insn *i)
{
    return set_ac(c, i, X86_AC);
}

// There are no caches whose contents could be lost.
enum x86_result x86_exec_wbinvd(struct x86_core *c, const struct x86_insn *i)
{
    return c->cpl != 0 ? x86_raise_gp(c) : x86_end(c, i);
}
