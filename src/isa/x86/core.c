// SPDX-License-Identifier: BSD-3-Clause
#include "isa/x86/core.h"

#include "isa/x86/cpuid.h"
#include "isa/x86/debug.h"
#include "isa/x86/exec/vector.h"
#include "isa/x86/exec/x87.h"
#include "isa/x86/mem.h"
#include "isa/x86/speculate.h"
#include "isa/x86/stub.h"

#include <string.h>

STATE_FIELDS(x86_arch_state, X86_ARCH_STATE);

// Never filled: stands in for the TLBs while every access must be looked at.
static const struct core_tlb no_tlb = {
    .entry = {[0 ... CORE_TLB_SIZE - 1] = {.tag = CORE_TLB_EMPTY}},
};

bool x86_core_init(struct x86_core *c, u32 id, const struct mem_port *mem, const char *level,
                   struct error *err)
{
    if (!x86_cpuid_features(level, c->features, err))
        return false;
    if (!x86_stubs_host_supports(c->features, err))
        return false;
    c->stubs_owned = !c->stubs;
    if (!c->stubs)
        c->stubs = x86_stubs_new(err);
    if (!c->stubs)
        return false;
    c->core.id = id;
    c->core.isa = &x86_isa_ops;
    core_set_time(&c->core, 0, 0, 1, 1);
    c->core.mem = *mem;
    c->topology = (struct x86_topology){.apic_id = id, .cores = 1, .tsc_khz = 2000000};
    for (u32 p = 0; p < X86_PRIVILEGES; p++)
        for (u32 a = 0; a < CORE_ACCESSES; a++)
            c->tlbs[p][a] = no_tlb;
    x86_core_reset(c);
    return true;
}

void x86_core_release(struct x86_core *c)
{
    x86_speculation_free(c);
    if (c->stubs_owned)
        x86_stubs_free(c->stubs);
    c->stubs = NULL;
}

static void reset_segments(struct x86_arch_state *s)
{
    for (u32 i = 0; i < X86_SEGS; i++) {
        s->seg_limit[i] = 0xffff;
        s->seg_attr[i] = X86_ATTR_P | X86_ATTR_S | 3; // read, write, accessed
    }
    s->seg_sel[X86_CS] = 0xf000;
    s->seg_base[X86_CS] = 0xffff0000;
    s->seg_attr[X86_CS] |= 8; // as execution under VT-x demands
    s->seg_attr[X86_LDTR] = X86_ATTR_P | 2;
    s->seg_attr[X86_TR] = X86_ATTR_P | 0xb;
    s->gdt_limit = s->idt_limit = 0xffff;
}

void x86_core_reset(struct x86_core *c)
{
    u32 signature[4];

    c->s = (struct x86_arch_state){
        .rip = 0xfff0,
        .rflags = 2,
        .cr0 = X86_CR0_ET | X86_CR0_NW | X86_CR0_CD,
        .xcr0 = 1,
        .pat = 0x0007040600070406,
        .apic_base = 0xfee00000 | 1 << 11 | (c->core.id == 0 ? 1 << 8 : 0),
        .misc_enable = 1,
        .fcw = 0x40,
        .ftw = 0xff,
        .mxcsr = 0x1f80,
        .wait_for_sipi = c->core.id != 0,
        .rng = 0x9e3779b97f4a7c15ull * (c->core.id + 1),
    };
    c->s.dr[6] = 0xffff0ff0;
    c->s.dr[7] = 0x400;
    reset_segments(&c->s);
    x86_cpuid(c, 1, 0, signature);
    c->s.gpr[X86_RDX] = signature[0];
    x86_state_loaded(c);
}

static u8 code_mode(const struct x86_arch_state *s)
{
    u32 attr = s->seg_attr[X86_CS];

    if ((s->efer & X86_EFER_LMA) && (attr & X86_ATTR_L))
        return X86_CODE64;
    return attr & X86_ATTR_DB ? X86_CODE32 : X86_CODE16;
}

static u8 privilege_level(const struct x86_arch_state *s)
{
    if (!(s->cr0 & X86_CR0_PE))
        return 0;
    return s->rflags & X86_VM ? 3 : (u8)X86_ATTR_DPL(s->seg_attr[X86_SS]);
}

static u16 mode_bits(const struct x86_core *c)
{
    const struct x86_arch_state *s = &c->s;
    bool protected = (s->cr0 & X86_CR0_PE) && !(s->rflags & X86_VM);
    u32 mode = c->code_mode;

    if (c->cpl == 3)
        mode |= X86_MODE_USER;
    if (!(s->cr0 & (X86_CR0_EM | X86_CR0_TS))) {
        mode |= X86_MODE_X87;
        if (s->cr4 & X86_CR4_OSFXSR)
            mode |= X86_MODE_SSE;
    }
    if (protected && !(s->cr0 & X86_CR0_TS) && (s->cr4 & X86_CR4_OSXSAVE) && (s->xcr0 & 6) == 6)
        mode |= X86_MODE_AVX;
    if ((s->mxcsr >> 7 & 0x3f) != 0x3f)
        mode |= X86_MODE_FPTRAP;
    if (c->code_mode != X86_CODE64 && (s->seg_attr[X86_SS] & X86_ATTR_DB))
        mode |= X86_MODE_STACK32;
    return (u16)mode;
}

static u8 privilege(const struct x86_core *c)
{
    if (c->cpl == 3)
        return X86_USER;
    return (c->s.cr4 & X86_CR4_SMAP) && (c->s.rflags & X86_AC) ? X86_SUPERVISOR_AC : X86_SUPERVISOR;
}

// The mode bits and, folded to 23 bits (exact for bases of real mode), the base of CS: linear
// addresses outside 64-bit mode leave bits 32 to 54 of the key free.
static u64 mode_key(const struct x86_core *c)
{
    u64 key = (u64)c->mode << 56;
    u32 base = (u32)c->s.seg_base[X86_CS];

    if (c->code_mode != X86_CODE64)
        key |= (u64)(((base >> 4) ^ (base >> 27) ^ base << 19) & 0x7fffff) << 32;
    return key;
}

void x86_update_mode(struct x86_core *c)
{
    c->cpl = privilege_level(&c->s);
    c->code_mode = code_mode(&c->s);
    c->mode = mode_bits(c);
    c->core.mode_key = mode_key(c);
    c->privilege = privilege(c);
    c->watched = (c->cpl == 3 && (c->s.cr0 & X86_CR0_AM) && (c->s.rflags & X86_AC)) ||
                 x86_data_breakpoints(c) || (c->debug.breaks && c->debug.breaks->n_data);
    for (u32 a = 0; a < CORE_ACCESSES; a++) {
        struct core_tlb *own = &c->tlbs[c->privilege][a];

        if (UNLIKELY(c->core.speculation))
            own = x86_speculation_tlb(c, (enum core_access)a);
        if (!own || (c->watched && a != CORE_EXEC))
            own = (struct core_tlb *)(uintptr_t)&no_tlb; // entries are made in c->tlbs only
        c->core.tlb[a] = own;
    }
}

void x86_state_swapped(struct x86_core *c)
{
    x86_speculation_forget(c);
    c->lazy = (struct x86_lazy){.kind = 0};
    c->stepped = c->repeating = false;
    c->debug_hits = 0;
    // No more than the registers can hold: the host loads them.
    c->s.mxcsr &= X86_MXCSR_MASK;
    c->s.ftw &= 0xff;
    x87_set_control(c, c->s.fcw, c->s.fsw);
    x86_update_mode(c);
}

void x86_state_loaded(struct x86_core *c)
{
    x86_state_swapped(c);
    x86_tlb_flush(c, true);
}
