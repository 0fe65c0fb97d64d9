// SPDX-License-Identifier: BSD-3-Clause
// FXSAVE, FXRSTOR and the XSAVE family (SDM vol. 1 §10.5 and chapter 13). The components are x87
// (0), SSE (1) and AVX (2), so that the compacted layout is the standard one.
//
// XINUSE depends on values alone: a component is in use if it differs from its initial state (for
// SSE that includes MXCSR, as processors do it). XSAVEOPT does not use the modified optimisation.
// UNMODELLED: XSAVES and XRSTORS, which no level shows.
#include "isa/x86/exec/vector.h"
#include "isa/x86/exec/x87.h"
#include "isa/x86/feature.h"
#include "isa/x86/table.h"

#include <Zydis/Zydis.h>

enum {
    COMPONENT_X87 = 1,
    COMPONENT_SSE = 2,
    COMPONENT_AVX = 4,
    AREA_LEGACY = 512,
    HEADER = 512,
    AVX = 576,
    AREA = 832,
};

#define COMPACTED (1ull << 63)

// The legacy region: the 32-bit forms have selectors instead of the upper halves of FIP and FDP.
struct legacy {
    u16 fcw, fsw;
    u8 ftw, reserved;
    u16 fop;
    u64 fip, fdp;
    u32 mxcsr, mxcsr_mask;
    u8 st[8][16];
    u8 xmm[16][16];
};

_Static_assert(sizeof(struct legacy) == 416, "the processor's layout");

struct header {
    u64 xstate_bv, xcomp_bv;
    u64 zero[6];
};

static bool wide_pointers(const struct x86_insn *i)
{
    switch (i->si.opcode) {
    case ZYDIS_MNEMONIC_FXSAVE64:
    case ZYDIS_MNEMONIC_FXRSTOR64:
    case ZYDIS_MNEMONIC_XSAVE64:
    case ZYDIS_MNEMONIC_XSAVEC64:
    case ZYDIS_MNEMONIC_XSAVEOPT64:
    case ZYDIS_MNEMONIC_XRSTOR64:
        return true;
    default:
        return false;
    }
}

static u32 xmm_count(const struct x86_insn *i)
{
    return i->mode == X86_CODE64 ? 16 : 8;
}

static void x87_out(struct x86_core *c, struct legacy *l, bool wide)
{
    l->fcw = c->s.fcw;
    l->fsw = c->s.fsw;
    l->ftw = (u8)c->s.ftw;
    l->fop = c->s.fop & 0x7ff;
    l->fip = wide ? c->s.fip : (u32)c->s.fip | (u64)c->s.fcs << 32;
    l->fdp = wide ? c->s.fdp : (u32)c->s.fdp | (u64)c->s.fds << 32;
    for (u32 k = 0; k < 8; k++)
        memcpy(l->st[k], x87_st(c, k), 10);
}

static void x87_in(struct x86_core *c, const struct legacy *l, bool wide)
{
    x87_set_control(c, l->fcw, l->fsw);
    c->s.ftw = l->ftw;
    c->s.fop = l->fop & 0x7ff;
    c->s.fip = wide ? (u64)((i64)(l->fip << 16) >> 16) : (u32)l->fip;
    c->s.fdp = wide ? l->fdp : (u32)l->fdp;
    for (u32 k = 0; k < 8; k++)
        memcpy(x87_st(c, k), l->st[k], 10);
}

static void sse_out(struct x86_core *c, struct legacy *l, u32 n)
{
    for (u32 k = 0; k < n; k++)
        memcpy(l->xmm[k], x86_ymm(c, k), 16);
}

static void sse_in(struct x86_core *c, const struct legacy *l, u32 n)
{
    for (u32 k = 0; k < n; k++)
        memcpy(x86_ymm(c, k), l->xmm[k], 16);
}

static void mxcsr_out(const struct x86_core *c, struct legacy *l)
{
    l->mxcsr = x86_mxcsr_get(c);
    l->mxcsr_mask = X86_MXCSR_MASK;
}

static enum x86_result area_address(struct x86_core *c, const struct x86_insn *i, u32 align,
                                    enum core_access access, u64 *ret_linear)
{
    enum x86_result r = x86_operand_address(c, i, access, ret_linear);

    if (!r && align == 16)
        r = x87_check_alignment(c, *ret_linear, 4);
    return !r && *ret_linear & (align - 1) ? x86_raise_gp(c) : r;
}

static enum x86_result fxsave_allowed(struct x86_core *c)
{
    if (c->s.cr0 & X86_CR0_EM)
        return x86_raise(c, X86_EXC_UD);
    return c->s.cr0 & X86_CR0_TS ? x86_raise(c, X86_EXC_NM) : X86_OK;
}

enum x86_result x86_exec_fxsave(struct x86_core *c, const struct x86_insn *i)
{
    enum x86_result r = fxsave_allowed(c);
    struct legacy l = {0};
    u64 linear;

    if (!r)
        r = area_address(c, i, 16, CORE_WRITE, &linear);
    if (!r) // processors look at the unused end first
        r = x86_probe_write(c, linear + AREA_LEGACY - 1, 1);
    if (r)
        return r;
    x87_out(c, &l, wide_pointers(i));
    mxcsr_out(c, &l);
    sse_out(c, &l, xmm_count(i));
    return x86_store(c, linear, &l, xmm_count(i) == 16 ? sizeof(l) : sizeof(l) - 128);
}

enum x86_result x86_exec_fxrstor(struct x86_core *c, const struct x86_insn *i)
{
    enum x86_result r = fxsave_allowed(c);
    struct legacy l;
    u64 linear;
    u8 end;

    if (!r)
        r = area_address(c, i, 16, CORE_READ, &linear);
    if (!r)
        r = x86_load(c, linear + AREA_LEGACY - 1, &end, 1);
    if (!r)
        r = x86_load(c, linear, &l, sizeof(l));
    if (r)
        return r;
    if (l.mxcsr & ~(u32)X86_MXCSR_MASK)
        return x86_raise_gp(c);
    x87_in(c, &l, wide_pointers(i));
    sse_in(c, &l, xmm_count(i));
    x86_mxcsr_set(c, l.mxcsr);
    c->s.rip = i->next_pc;
    x86_update_mode(c);
    return X86_OK;
}

static bool is_zero(const void *data, size_t n)
{
    const u8 *p = data;

    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static u64 in_use(const struct x86_core *c)
{
    u64 used = 0;

    if (c->s.fcw != 0x37f || c->s.fsw || c->s.ftw || c->s.fop || c->s.fip || c->s.fdp ||
        !is_zero(c->s.x87, sizeof(c->s.x87)))
        used |= COMPONENT_X87;
    if (x86_mxcsr_get(c) != 0x1f80)
        used |= COMPONENT_SSE;
    for (u32 k = 0; k < 16; k++) {
        if (c->s.ymm[k * 4] | c->s.ymm[k * 4 + 1])
            used |= COMPONENT_SSE;
        if (c->s.ymm[k * 4 + 2] | c->s.ymm[k * 4 + 3])
            used |= COMPONENT_AVX;
    }
    return used;
}

// Operand check of the whole family; *ret_mask: the components asked for.
static enum x86_result xsave_begin(struct x86_core *c, const struct x86_insn *i,
                                   enum core_access access, u64 *ret_linear, u64 *ret_mask)
{
    if (!(c->s.cr4 & X86_CR4_OSXSAVE))
        return x86_raise(c, X86_EXC_UD);
    if (c->s.cr0 & X86_CR0_TS)
        return x86_raise(c, X86_EXC_NM);
    *ret_mask = ((c->s.gpr[X86_RDX] << 32) | (u32)c->s.gpr[X86_RAX]) & c->s.xcr0;
    return area_address(c, i, 64, access, ret_linear);
}

// Stores the components in `write`, and MXCSR if asked to; other bytes stay as they are.
static enum x86_result store_components(struct x86_core *c, const struct x86_insn *i, u64 linear,
                                        u64 write, bool mxcsr)
{
    u32 n = xmm_count(i);
    enum x86_result r = X86_OK;
    struct legacy l = {0};
    u8 upper[256];

    x87_out(c, &l, wide_pointers(i));
    mxcsr_out(c, &l);
    sse_out(c, &l, n);
    for (u32 k = 0; k < n; k++)
        memcpy(upper + 16 * k, x86_ymm(c, k) + 16, 16);
    if (write & COMPONENT_X87) {
        r = x86_store(c, linear, &l, offsetof(struct legacy, mxcsr));
        if (!r)
            r = x86_store(c, linear + offsetof(struct legacy, st), l.st, sizeof(l.st));
    }
    if (!r && mxcsr)
        r = x86_store(c, linear + offsetof(struct legacy, mxcsr), &l.mxcsr, 8);
    if (!r && write & COMPONENT_SSE)
        r = x86_store(c, linear + offsetof(struct legacy, xmm), l.xmm, 16 * n);
    if (!r && write & COMPONENT_AVX)
        r = x86_store(c, linear + AVX, upper, 16 * n);
    return r;
}

static enum x86_result probe_area(struct x86_core *c, u64 linear, u64 mask)
{
    return x86_probe_write(c, linear, mask & COMPONENT_AVX ? AREA : AVX);
}

// XSAVE and XSAVEOPT; the latter leaves memory of components in their initial state alone.
static enum x86_result save_standard(struct x86_core *c, const struct x86_insn *i, bool optimised)
{
    u64 linear, mask, used, xstate_bv;
    enum x86_result r = xsave_begin(c, i, CORE_WRITE, &linear, &mask);

    if (!r)
        r = probe_area(c, linear, mask);
    if (!r)
        r = x86_load(c, linear + HEADER, &xstate_bv, 8);
    if (r)
        return r;
    used = in_use(c) & mask;
    xstate_bv = (xstate_bv & ~mask) | used;
    r = store_components(c, i, linear, optimised ? used : mask,
                         mask & (COMPONENT_SSE | COMPONENT_AVX));
    return r ? r : x86_store(c, linear + HEADER, &xstate_bv, 8);
}

enum x86_result x86_exec_xsave(struct x86_core *c, const struct x86_insn *i)
{
    return save_standard(c, i, false);
}

enum x86_result x86_exec_xsaveopt(struct x86_core *c, const struct x86_insn *i)
{
    return save_standard(c, i, true);
}

enum x86_result x86_exec_xsavec(struct x86_core *c, const struct x86_insn *i)
{
    u64 linear, mask, header[2];
    enum x86_result r = xsave_begin(c, i, CORE_WRITE, &linear, &mask);

    if (!r)
        r = probe_area(c, linear, mask);
    if (r)
        return r;
    header[0] = in_use(c) & mask;
    header[1] = mask | COMPACTED;
    r = store_components(c, i, linear, header[0], header[0] & COMPONENT_SSE);
    return r ? r : x86_store(c, linear + HEADER, header, sizeof(header));
}

static bool header_is_valid(const struct x86_core *c, const struct header *h)
{
    if (!(h->xcomp_bv & COMPACTED))
        return !(h->xstate_bv & ~c->s.xcr0) && h->xcomp_bv == 0 && h->zero[0] == 0;
    return x86_has(c, X86_FEATURE_XSAVEC) && !(h->xcomp_bv & ~COMPACTED & ~c->s.xcr0) &&
           !(h->xstate_bv & ~h->xcomp_bv) && is_zero(h->zero, sizeof(h->zero));
}

static void restore_x87(struct x86_core *c, const struct x86_insn *i, const struct legacy *l,
                        bool load)
{
    if (load) {
        x87_in(c, l, wide_pointers(i));
    } else {
        x87_init(c);
        memset(c->s.x87, 0, sizeof(c->s.x87));
    }
}

static void restore_sse(struct x86_core *c, const struct x86_insn *i, const struct legacy *l,
                        bool load)
{
    static const struct legacy zero;

    sse_in(c, load ? l : &zero, xmm_count(i));
}

static void restore_avx(struct x86_core *c, const struct x86_insn *i, const u8 *upper, bool load)
{
    for (u32 k = 0; k < xmm_count(i); k++) {
        if (load)
            memcpy(x86_ymm(c, k) + 16, upper + 16 * k, 16);
        else
            memset(x86_ymm(c, k) + 16, 0, 16);
    }
}

// Whether MXCSR is replaced, and by what. The standard form takes it from memory with SSE or AVX,
// even if XSTATE_BV says that SSE is in its initial state; the compacted form with SSE only.
static bool new_mxcsr(const struct header *h, u64 mask, const struct legacy *l, u32 *ret)
{
    bool compacted = h->xcomp_bv & COMPACTED;

    *ret = compacted && !(h->xstate_bv & COMPONENT_SSE) ? 0x1f80 : l->mxcsr;
    return mask & (compacted ? COMPONENT_SSE : COMPONENT_SSE | COMPONENT_AVX);
}

enum x86_result x86_exec_xrstor(struct x86_core *c, const struct x86_insn *i)
{
    u64 linear, mask, load;
    enum x86_result r = xsave_begin(c, i, CORE_READ, &linear, &mask);
    struct legacy l = {0};
    struct header h;
    u8 upper[256] = {0};
    bool has_mxcsr;
    u32 mxcsr;

    if (!r)
        r = x86_load(c, linear + HEADER, &h, sizeof(h));
    if (!r)
        r = header_is_valid(c, &h) ? x86_load(c, linear, &l, sizeof(l)) : x86_raise_gp(c);
    if (r)
        return r;
    load = mask & h.xstate_bv;
    if (load & COMPONENT_AVX)
        r = x86_load(c, linear + AVX, upper, 16 * xmm_count(i));
    if (r)
        return r;
    has_mxcsr = new_mxcsr(&h, mask, &l, &mxcsr);
    if (has_mxcsr && mxcsr & ~(u32)X86_MXCSR_MASK)
        return x86_raise_gp(c);
    if (mask & COMPONENT_X87)
        restore_x87(c, i, &l, load & COMPONENT_X87);
    if (mask & COMPONENT_SSE)
        restore_sse(c, i, &l, load & COMPONENT_SSE);
    if (mask & COMPONENT_AVX)
        restore_avx(c, i, upper, load & COMPONENT_AVX);
    if (has_mxcsr)
        x86_mxcsr_set(c, mxcsr);
    c->s.rip = i->next_pc;
    x86_update_mode(c);
    return X86_OK;
}
