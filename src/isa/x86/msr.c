// SPDX-License-Identifier: BSD-3-Clause
// Model-specific registers: SDM vol. 4 chapter 2. A register that the shown features do not have
// raises #GP(0), as does a write of a reserved bit; both are what software probes for.
#include "isa/x86/msr.h"

#include "isa/x86/cpuid.h"
#include "isa/x86/mem.h"

enum {
    MSR_TSC = 0x10,
    MSR_PLATFORM_ID = 0x17,
    MSR_APIC_BASE = 0x1b,
    MSR_TSC_ADJUST = 0x3b,
    MSR_BIOS_SIGN_ID = 0x8b,
    MSR_MTRR_CAP = 0xfe,
    MSR_ARCH_CAPABILITIES = 0x10a,
    MSR_SYSENTER_CS = 0x174,
    MSR_MCG_CAP = 0x179,
    MSR_MCG_STATUS = 0x17a,
    MSR_MISC_ENABLE = 0x1a0,
    MSR_DEBUGCTL = 0x1d9,
    MSR_MTRR_PHYS = 0x200,
    MSR_PAT = 0x277,
    MSR_MTRR_DEF_TYPE = 0x2ff,
    MSR_TSC_DEADLINE = 0x6e0,
    MSR_X2APIC = 0x800,
    MSR_XSS = 0xda0,
};

enum {
    MSR_EFER = 0xc0000080,
    MSR_STAR,
    MSR_LSTAR,
    MSR_CSTAR,
    MSR_SFMASK,
    MSR_FS_BASE = 0xc0000100,
    MSR_GS_BASE,
    MSR_KERNEL_GS_BASE,
    MSR_TSC_AUX,
};

enum { MTRR_VARIABLE = 8 };

enum rule {
    ANY,       // bits of the mask may be set
    CANONICAL, // else #GP
    KEEP,      // bits outside the mask keep their value
    READ_ONLY, // writes raise #GP
};

// Registers that are no more than a field of the state.
static const struct msr {
    u32 index;
    u16 offset; // in struct x86_arch_state
    u8 rule;    // enum rule
    u8 feature; // that must be shown
    u64 mask;
} plain[] = {
#define MSR(index, field, rule, feature, mask)                                           \
    {                                                                                    \
        index, offsetof(struct x86_arch_state, field), rule, X86_FEATURE_##feature, mask \
    }
    MSR(MSR_SYSENTER_CS, sysenter_cs, ANY, SEP, 0xffffffff),
    MSR(MSR_SYSENTER_CS + 1, sysenter_esp, CANONICAL, SEP, ~0ull),
    MSR(MSR_SYSENTER_CS + 2, sysenter_eip, CANONICAL, SEP, ~0ull),
    MSR(MSR_MCG_STATUS, mcg_status, ANY, MCA, 7),
    MSR(MSR_MISC_ENABLE, misc_enable, KEEP, BASE, 1),
    MSR(MSR_DEBUGCTL, debugctl, ANY, BASE, 0),
    MSR(MSR_XSS, xss, ANY, XSAVES, 0),
    MSR(MSR_STAR, star, ANY, SYSCALL, ~0ull),
    MSR(MSR_LSTAR, lstar, CANONICAL, LM, ~0ull),
    MSR(MSR_CSTAR, cstar, CANONICAL, LM, ~0ull),
    MSR(MSR_SFMASK, sfmask, ANY, LM, 0xffffffff),
    MSR(MSR_FS_BASE, seg_base[X86_FS], CANONICAL, LM, ~0ull),
    MSR(MSR_GS_BASE, seg_base[X86_GS], CANONICAL, LM, ~0ull),
    MSR(MSR_KERNEL_GS_BASE, kernel_gs_base, CANONICAL, LM, ~0ull),
    MSR(MSR_TSC_AUX, tsc_aux, ANY, RDTSCP, 0xffffffff),
#undef MSR
};

static const u16 fixed_mtrrs[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                  0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

u64 x86_tsc(struct x86_core *c)
{
    core_sync(&c->core, CORE_SYNC_TIME);
    return core_now(&c->core) / c->core.time.period + c->s.tsc_offset;
}

static bool canonical(const struct x86_core *c, u64 v)
{
    u32 unused = c->s.cr4 & X86_CR4_LA57 ? 7 : 16;

    return (u64)((i64)(v << unused) >> unused) == v;
}

static u64 *plain_field(struct x86_core *c, const struct msr *m)
{
    return (u64 *)(void *)((u8 *)&c->s + m->offset);
}

static const struct msr *find_plain(const struct x86_core *c, u32 index)
{
    for (u32 i = 0; i < ARRAY_SIZE(plain); i++)
        if (plain[i].index == index && x86_has(c, plain[i].feature))
            return &plain[i];
    return NULL;
}

static bool write_plain(struct x86_core *c, const struct msr *m, u64 v)
{
    u64 *field = plain_field(c, m);

    switch (m->rule) {
    case CANONICAL:
        if (!canonical(c, v))
            return false;
        break;
    case KEEP:
        v = (*field & ~m->mask) | (v & m->mask);
        break;
    case READ_ONLY:
        return false;
    default:
        if (v & ~m->mask)
            return false;
    }
    *field = v;
    return true;
}

static bool memory_type(u64 v)
{
    return v == 0 || v == 1 || v == 4 || v == 5 || v == 6;
}

// Eight memory types in a register; PAT also has UC- (7).
static bool memory_types(u64 v, bool pat)
{
    for (u32 i = 0; i < 64; i += 8)
        if (!memory_type(v >> i & 0xff) && !(pat && (v >> i & 0xff) == 7))
            return false;
    return true;
}

static u64 *mtrr(struct x86_core *c, u32 index)
{
    if (index - MSR_MTRR_PHYS < 2 * MTRR_VARIABLE)
        return &c->s.mtrr_var[index - MSR_MTRR_PHYS];
    for (u32 i = 0; i < ARRAY_SIZE(fixed_mtrrs); i++)
        if (fixed_mtrrs[i] == index)
            return &c->s.mtrr_fixed[i];
    return index == MSR_MTRR_DEF_TYPE ? &c->s.mtrr_def_type : NULL;
}

static bool write_mtrr(u64 *field, u32 index, u64 v)
{
    u64 beyond = ~((1ull << X86_MAXPHYADDR) - 1);

    if (index == MSR_MTRR_DEF_TYPE) {
        if ((v & ~0xcffull) || !memory_type(v & 0xff))
            return false;
    } else if (index - MSR_MTRR_PHYS < 2 * MTRR_VARIABLE) {
        if (v & beyond || (index & 1 ? v & 0x7ff : (v & 0xf00) || !memory_type(v & 0xff)))
            return false;
    } else if (!memory_types(v, false)) {
        return false;
    }
    *field = v;
    return true;
}

static bool write_efer(struct x86_core *c, u64 v)
{
    u64 allowed = (x86_has(c, X86_FEATURE_SYSCALL) ? X86_EFER_SCE : 0) |
                  (x86_has(c, X86_FEATURE_LM) ? X86_EFER_LME | X86_EFER_LMA : 0) |
                  (x86_has(c, X86_FEATURE_NX) ? X86_EFER_NXE : 0);
    u64 old = c->s.efer;

    if (v & ~allowed)
        return false;
    if (((v ^ old) & X86_EFER_LME) && (c->s.cr0 & X86_CR0_PG))
        return false;
    c->s.efer = (v & ~(u64)X86_EFER_LMA) | (old & X86_EFER_LMA);
    if ((v ^ old) & X86_EFER_NXE)
        x86_tlb_flush(c, true);
    x86_update_mode(c);
    return true;
}

static bool write_apic_base(struct x86_core *c, u64 v)
{
    u64 allowed = ((1ull << X86_MAXPHYADDR) - 1) & ~0x2ffull;
    u64 modes = 3 << 10, was = c->s.apic_base & modes, now = v & modes;

    if (!x86_has(c, X86_FEATURE_X2APIC))
        allowed &= ~(1ull << 10);
    if (v & ~allowed)
        return false;
    // x2APIC needs the enable bit, and only disabling leads out of it (SDM vol. 3A §10.12.5).
    if (now == 1 << 10 || (was == modes && now == 1 << 11) || (was == 0 && now == modes))
        return false;
    c->s.apic_base = v;
    if (c->apic && c->apic->msr_written)
        c->apic->msr_written(c->apic_ctx, MSR_APIC_BASE);
    return true;
}

static bool write_tsc(struct x86_core *c, u32 index, u64 v)
{
    u64 delta = v - (index == MSR_TSC ? x86_tsc(c) : c->s.tsc_adjust);

    c->s.tsc_offset += delta;
    c->s.tsc_adjust += delta;
    if (c->apic && c->apic->msr_written)
        c->apic->msr_written(c->apic_ctx, MSR_TSC_DEADLINE);
    return true;
}

// Not affected by what the lists of vulnerabilities know: RDCL_NO, SKIP_L1DFL_VMENTRY, SSB_NO,
// MDS_NO, PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, GDS_NO, RFDS_NO.
static const u64 arch_capabilities = 1 << 0 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 13 |
                                     1 << 14 | 1 << 15 | 1 << 26 | 1 << 27;

static bool read_special(struct x86_core *c, u32 index, u64 *ret)
{
    switch (index) {
    case MSR_TSC:
        *ret = x86_tsc(c);
        return x86_has(c, X86_FEATURE_TSC);
    case MSR_TSC_ADJUST:
        *ret = c->s.tsc_adjust;
        return x86_has(c, X86_FEATURE_TSC_ADJUST);
    case MSR_PLATFORM_ID:
        *ret = 0;
        return true;
    case MSR_BIOS_SIGN_ID: // microcode revision 1, as CPUID leaves it there
        *ret = 1ull << 32;
        return true;
    case MSR_APIC_BASE:
        *ret = c->s.apic_base;
        return x86_has(c, X86_FEATURE_APIC);
    case MSR_MTRR_CAP:
        *ret = MTRR_VARIABLE | 1 << 8 | 1 << 10; // fixed ranges, write combining
        return x86_has(c, X86_FEATURE_MTRR);
    case MSR_ARCH_CAPABILITIES:
        *ret = arch_capabilities;
        return x86_has(c, X86_FEATURE_ARCH_CAPABILITIES);
    case MSR_MCG_CAP:
        *ret = 0; // no banks
        return x86_has(c, X86_FEATURE_MCA);
    case MSR_PAT:
        *ret = c->s.pat;
        return x86_has(c, X86_FEATURE_PAT);
    case MSR_TSC_DEADLINE:
        *ret = c->s.tsc_deadline;
        return x86_has(c, X86_FEATURE_TSC_DEADLINE);
    case MSR_EFER:
        *ret = c->s.efer;
        return x86_has(c, X86_FEATURE_LM);
    default:
        return false;
    }
}

static bool write_special(struct x86_core *c, u32 index, u64 v)
{
    switch (index) {
    case MSR_TSC:
        return x86_has(c, X86_FEATURE_TSC) && write_tsc(c, index, v);
    case MSR_TSC_ADJUST:
        return x86_has(c, X86_FEATURE_TSC_ADJUST) && write_tsc(c, index, v);
    case MSR_BIOS_SIGN_ID:
        return true;
    case MSR_APIC_BASE:
        return x86_has(c, X86_FEATURE_APIC) && write_apic_base(c, v);
    case MSR_PAT:
        if (!x86_has(c, X86_FEATURE_PAT) || !memory_types(v, true))
            return false;
        c->s.pat = v;
        return true;
    case MSR_TSC_DEADLINE:
        if (!x86_has(c, X86_FEATURE_TSC_DEADLINE))
            return false;
        c->s.tsc_deadline = v;
        if (c->apic && c->apic->msr_written)
            c->apic->msr_written(c->apic_ctx, index);
        return true;
    case MSR_EFER:
        return x86_has(c, X86_FEATURE_LM) && write_efer(c, v);
    default:
        return false;
    }
}

static bool is_x2apic(const struct x86_core *c, u32 index)
{
    return index - MSR_X2APIC < 0x100 && (c->s.apic_base >> 10 & 3) == 3;
}

bool x86_msr_read(struct x86_core *c, u32 index, u64 *ret)
{
    const struct msr *m = find_plain(c, index);
    const u64 *field = x86_has(c, X86_FEATURE_MTRR) ? mtrr(c, index) : NULL;

    if (m)
        field = plain_field(c, m);
    if (field) {
        *ret = *field;
        return true;
    }
    if (is_x2apic(c, index))
        return c->apic && c->apic->msr && c->apic->msr(c->apic_ctx, index, ret, false);
    return read_special(c, index, ret);
}

bool x86_msr_write(struct x86_core *c, u32 index, u64 value)
{
    const struct msr *m = find_plain(c, index);
    u64 *field = x86_has(c, X86_FEATURE_MTRR) ? mtrr(c, index) : NULL;

    if (m)
        return write_plain(c, m, value);
    if (field)
        return write_mtrr(field, index, value);
    if (is_x2apic(c, index))
        return c->apic && c->apic->msr && c->apic->msr(c->apic_ctx, index, &value, true);
    return write_special(c, index, value);
}
