// SPDX-License-Identifier: BSD-3-Clause
#include "isa/x86/control.h"

#include "isa/x86/cpuid.h"
#include "isa/x86/debug.h"
#include "isa/x86/fault.h"
#include "isa/x86/segment.h"

#define CR0_KNOWN                                                                               \
    (X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | \
     X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | X86_CR0_PG)
#define CR0_PAGING (X86_CR0_PE | X86_CR0_WP | X86_CR0_PG)
#define CR4_PAGING                                                                           \
    (X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_LA57 | X86_CR4_PCIDE | X86_CR4_SMEP | \
     X86_CR4_SMAP)

static bool pae_paging(u64 cr0, u64 cr4, u64 efer)
{
    return (cr0 & X86_CR0_PG) && (cr4 & X86_CR4_PAE) && !(efer & X86_EFER_LMA);
}

// PAE paging: present page-directory pointers must have no reserved bit set (§4.4.1).
static bool pointers_valid(struct x86_core *c, u64 cr3)
{
    u64 pdpte[4], reserved = ~((1ull << X86_MAXPHYADDR) - 1) | 0x1e6;

    if (!mem_port_copy_out(&c->core.mem, cr3 & 0xffffffe0, pdpte, sizeof(pdpte)))
        return false;
    for (u32 i = 0; i < 4; i++)
        if ((pdpte[i] & 1) && (pdpte[i] & reserved))
            return false;
    return true;
}

// IA-32e mode begins and ends with paging (§9.8.5). False: #GP.
static bool switch_long_mode(struct x86_core *c, u64 v)
{
    bool on = !(c->s.cr0 & X86_CR0_PG) && (v & X86_CR0_PG);
    bool off = (c->s.cr0 & X86_CR0_PG) && !(v & X86_CR0_PG);

    if (on && (c->s.efer & X86_EFER_LME)) {
        if (!(c->s.cr4 & X86_CR4_PAE) || (c->s.seg_attr[X86_CS] & X86_ATTR_L))
            return false;
        c->s.efer |= X86_EFER_LMA;
    }
    if (off && (c->s.efer & X86_EFER_LMA)) {
        if (c->code_mode == X86_CODE64 || (c->s.cr4 & X86_CR4_PCIDE))
            return false;
        c->s.efer &= ~(u64)X86_EFER_LMA;
    }
    return true;
}

enum x86_result x86_cr0_write(struct x86_core *c, u64 v)
{
    u64 changed;

    if (v >> 32 || ((v & X86_CR0_PG) && !(v & X86_CR0_PE)) ||
        ((v & X86_CR0_NW) && !(v & X86_CR0_CD)))
        return x86_raise_gp(c);
    v = (v & CR0_KNOWN) | X86_CR0_ET;
    changed = v ^ c->s.cr0;
    if ((changed & X86_CR0_PG) && !(c->s.efer & X86_EFER_LME) && pae_paging(v, c->s.cr4, 0) &&
        !pointers_valid(c, c->s.cr3))
        return x86_raise_gp(c);
    if (!switch_long_mode(c, v))
        return x86_raise_gp(c);
    c->s.cr0 = v;
    if (changed & X86_CR0_PE && !(v & X86_CR0_PE)) // real mode has no privilege levels
        c->s.seg_attr[X86_SS] &= ~(3u << 5);
    if (changed & CR0_PAGING)
        x86_tlb_flush(c, true);
    x86_update_mode(c);
    return X86_OK;
}

enum x86_result x86_cr3_write(struct x86_core *c, u64 v)
{
    bool keep = (c->s.cr4 & X86_CR4_PCIDE) && (v >> 63);

    if (keep)
        v &= ~(1ull << 63);
    if (x86_long_mode(c) && v >> X86_MAXPHYADDR)
        return x86_raise_gp(c);
    if (pae_paging(c->s.cr0, c->s.cr4, c->s.efer) && !pointers_valid(c, v))
        return x86_raise_gp(c);
    c->s.cr3 = x86_long_mode(c) ? v : (u32)v;
    x86_tlb_flush(c, false);
    return X86_OK;
}

static u64 cr4_allowed(const struct x86_core *c)
{
    static const struct {
        u32 bit;
        u8 feature;
    } bits[] = {
        {X86_CR4_VME | X86_CR4_PVI, X86_FEATURE_VME},
        {X86_CR4_TSD, X86_FEATURE_TSC},
        {X86_CR4_DE, X86_FEATURE_DE},
        {X86_CR4_PSE, X86_FEATURE_PSE},
        {X86_CR4_PAE, X86_FEATURE_PAE},
        {X86_CR4_MCE, X86_FEATURE_MCE},
        {X86_CR4_PGE, X86_FEATURE_PGE},
        {X86_CR4_PCE, X86_FEATURE_BASE},
        {X86_CR4_OSFXSR, X86_FEATURE_FXSR},
        {X86_CR4_OSXMMEXCPT, X86_FEATURE_SSE},
        {X86_CR4_UMIP, X86_FEATURE_UMIP},
        {X86_CR4_LA57, X86_FEATURE_LA57},
        {X86_CR4_FSGSBASE, X86_FEATURE_FSGSBASE},
        {X86_CR4_PCIDE, X86_FEATURE_PCID},
        {X86_CR4_OSXSAVE, X86_FEATURE_XSAVE},
        {X86_CR4_SMEP, X86_FEATURE_SMEP},
        {X86_CR4_SMAP, X86_FEATURE_SMAP},
    };
    u64 allowed = 0;

    for (u32 i = 0; i < ARRAY_SIZE(bits); i++)
        if (x86_has(c, bits[i].feature))
            allowed |= bits[i].bit;
    return allowed;
}

enum x86_result x86_cr4_write(struct x86_core *c, u64 v)
{
    u64 changed = v ^ c->s.cr4;
    bool lma = x86_long_mode(c);

    if (v & ~cr4_allowed(c))
        return x86_raise_gp(c);
    if (lma && (!(v & X86_CR4_PAE) || (changed & X86_CR4_LA57)))
        return x86_raise_gp(c);
    if ((changed & v & X86_CR4_PCIDE) && (!lma || (c->s.cr3 & 0xfff)))
        return x86_raise_gp(c);
    if ((changed & (X86_CR4_PAE | X86_CR4_PSE | X86_CR4_PGE | X86_CR4_SMEP)) &&
        pae_paging(c->s.cr0, v, c->s.efer) && !pointers_valid(c, c->s.cr3))
        return x86_raise_gp(c);
    c->s.cr4 = v;
    if (changed & CR4_PAGING)
        x86_tlb_flush(c, true);
    x86_update_mode(c);
    return X86_OK;
}

enum x86_result x86_cr8_write(struct x86_core *c, u64 v)
{
    if (v > 15)
        return x86_raise_gp(c);
    c->s.cr8 = v;
    if (c->apic && c->apic->set_tpr)
        c->apic->set_tpr(c->apic_ctx, v);
    x86_attention(c);
    return X86_OK;
}

void x86_dr_write(struct x86_core *c, u32 n, u64 v)
{
    switch (n) {
    case 6:
        c->s.dr[6] = (v & 0xe00f) | 0xffff0ff0;
        break;
    case 7:
        c->s.dr[7] = (v & 0xffff23ff) | 0x400;
        x86_update_mode(c);
        x86_attention(c);
        break;
    default:
        c->s.dr[n] = v;
    }
}
