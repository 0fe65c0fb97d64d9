// SPDX-License-Identifier: BSD-3-Clause
#include "gen.h"

#include "isa/x86/insn.h"
#include "isa/x86/state.h"
#include "native.h"
#include "operands.h"

#include <string.h>

enum { USER_CODE32 = 0x23, USER_DATA = 0x2b, USER_CODE64 = 0x33 }; // Linux's selectors

void gen_background(u8 *ret)
{
    struct rng r = {12345};

    for (u32 at = 0; at < CASE_DATA_PAGES * CASE_PAGE; at += 64)
        value_fill(&r, value_kind_any(&r), 64, ret + at);
}

// --- the state

static void gen_vectors(struct rng *r, struct case_xsave *x)
{
    enum value_kind kind = value_kind_any(r); // most registers alike

    for (u32 n = 0; n < 16; n++) {
        enum value_kind k = chance(r, 700) ? kind : value_kind_any(r);

        value_fill(r, k, 16, x->xmm[n]);
        value_fill(r, k, 16, x->ymm_high[n]);
    }
}

static void gen_x87(struct rng *r, struct case_xsave *x)
{
    u32 top = (u32)rng_below(r, 8);
    u32 exceptions = chance(r, 500) ? 0 : (u32)rng_next(r) & 0x7f;

    x->fcw = (u16)(0x7f | rng_below(r, 4) << 10 | (chance(r, 700) ? 3 : rng_below(r, 4)) << 8);
    if (x->fcw >> 8 == 1) // precision 1 is reserved
        x->fcw |= 0x300;
    if (chance(r, 80))
        x->fcw &= (u16) ~(rng_next(r) & 0x3f);
    x->fcw = (u16)((x->fcw & ~0x300u) | ((x->fcw & 0x300u) == 0x100 ? 0x200 : x->fcw & 0x300u));
    if (chance(r, 700)) // else often pending
        exceptions &= x->fcw | 0x40;
    if (!(exceptions & 1))
        exceptions &= 0x3f; // a stack fault is an invalid operation
    x->fsw = (u16)(top << 11 | (rng_next(r) & 0x4700) | exceptions);
    if (exceptions & ~x->fcw & 0x3f)
        x->fsw |= 0x8080;
    x->ftw = chance(r, 300) ? 0xff : chance(r, 200) ? 0 : (u8)rng_next(r);
    x->fop = rng_next(r) & 0x7ff;
    x->fip = rng_next(r) >> 17;
    x->fdp = rng_next(r) >> 17;
    for (u32 n = 0; n < 8; n++) {
        memset(x->st[n], 0, 16);
        value_x87(r, x->st[n]);
        if (chance(r, 100)) { // as MMX leaves it
            value_fill(r, value_kind_any(r), 8, x->st[n]);
            memset(x->st[n] + 8, 0xff, 2);
        }
    }
}

static u32 gen_mxcsr(struct rng *r)
{
    u32 v = 0x1f80;

    if (chance(r, 400))
        v |= (u32)rng_next(r) & 0xe07f & ~0x40u; // rounding, FTZ, sticky flags
    if (chance(r, 150))
        v |= 0x40; // DAZ
    if (chance(r, 60))
        v &= ~((u32)rng_next(r) & 0x1f80);
    return v;
}

static u64 gen_rflags(struct rng *r)
{
    u64 v = 2 | X86_IF | (rng_next(r) & X86_ARITH_FLAGS);

    if (chance(r, 250))
        v |= X86_DF;
    if (chance(r, 10))
        v |= X86_AC;
    if (chance(r, 5))
        v |= X86_TF;
    if (chance(r, 20))
        v |= X86_ID;
    return v;
}

static u64 gen_segment_base(struct rng *r, u8 mode)
{
    u64 v = between(r, 0, 0x2000);

    if (mode == CASE_MODE64 && chance(r, 100))
        v = (u64)((i64)(rng_next(r) << 16) >> 16); // any canonical one
    else
        v = chance(r, 300) ? 0 : CASE_DATA - v;
    if (native_any_base())
        return v;
    return mode == CASE_MODE64 && chance(r, 150) ? v & 0x3fffffffffff : 0; // the others cost time
}

void gen_state(struct rng *r, u8 mode, struct case_state *ret)
{
    *ret = (struct case_state){.rflags = gen_rflags(r)};
    for (u32 n = 0; n < 16; n++)
        ret->gpr[n] = value_int(r);
    ret->gpr[X86_RSP] = CASE_DATA + CASE_PAGE + (between(r, 64, 2 * CASE_PAGE - 64) & ~15ull);
    if (mode != CASE_MODE64)
        for (u32 n = 0; n < 16; n++)
            ret->gpr[n] = n < 8 ? (u32)ret->gpr[n] : 0;
    ret->fs_base = gen_segment_base(r, mode);
    ret->gs_base = gen_segment_base(r, mode);
    for (u32 n = 0; n < 6; n++)
        ret->sel[n] = mode == CASE_MODE64 ? 0 : USER_DATA;
    ret->sel[CASE_SS] = USER_DATA;
    ret->sel[CASE_CS] = mode == CASE_MODE64 ? USER_CODE64 : USER_CODE32;
    gen_vectors(r, &ret->x);
    gen_x87(r, &ret->x);
    ret->x.mxcsr = gen_mxcsr(r);
    ret->x.xstate_bv = 7;
}

// --- the case

void gen_patch(struct conform_case *c, u64 address, const void *bytes, u32 size)
{
    const u64 end = CASE_DATA + CASE_DATA_PAGES * CASE_PAGE;
    struct case_patch *p = &c->patch[c->n_patches];

    if (c->n_patches == CASE_PATCHES || address < CASE_DATA || address >= end)
        return;
    p->at = (u32)address;
    p->len = (u32)MIN(MIN(size, CASE_PATCH_MAX), end - address);
    memcpy(p->bytes, bytes, p->len);
    c->n_patches++;
}

void gen_finish(struct conform_case *c)
{
    u8 *at = c->code + c->code_len;

    c->end = c->code_at + c->code_len;
    if (c->mode == CASE_MODE64) { // jmp rel32
        u32 rel = CASE_STUB - (c->end + 5);

        at[0] = 0xe9;
        memcpy(at + 1, &rel, 4);
        c->code_len += 5;
    } else { // jmp far 0x33:CASE_STUB
        u32 to = CASE_STUB;
        u16 sel = USER_CODE64;

        at[0] = 0xea;
        memcpy(at + 1, &to, 4);
        memcpy(at + 5, &sel, 2);
        c->code_len += 7;
    }
}

static u32 choose_code_at(struct rng *r)
{
    u32 window = CASE_CODE_PAGES * CASE_PAGE, x = (u32)rng_below(r, 1000);

    if (x < 30) // from one page to the next
        return CASE_CODE + CASE_PAGE - (u32)between(r, 1, 14);
    if (x < 40) // into the page that is not there
        return CASE_CODE + window - (u32)between(r, 1, 14);
    return CASE_CODE + (u32)between(r, 256, window - 512);
}

bool gen_insn(const struct forms *f, const struct form *form, u64 seed, struct conform_case *ret)
{
    struct rng r = {seed};
    struct encode_limits limits = {0};
    struct instance in;

    if (!encode_random(f, form, &limits, &r, &in))
        return false;
    memset(ret, 0, sizeof(*ret));
    ret->seed = seed;
    ret->mode = form->mode;
    ret->n_insts = 1;
    ret->kind = CASE_KIND_INSN;
    ret->code_at = choose_code_at(&r);
    gen_state(&r, form->mode, &ret->in);
    ret->in.rip = ret->code_at;
    if (!operands_solve(f, &r, ret, &in, ret->code_at))
        return false;
    memcpy(ret->code, in.bytes, in.len);
    ret->code_len = in.len;
    gen_finish(ret);
    return true;
}
