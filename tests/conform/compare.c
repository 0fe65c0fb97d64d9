// SPDX-License-Identifier: BSD-3-Clause
#include "compare.h"

#include "isa/x86/state.h"
#include "isa/x86/vendor_test.h"
#include "subject.h"

#include <stdio.h>
#include <string.h>

static void differ(struct diffs *d, const char *name, u64 expected, u64 got, u64 mask)
{
    if (!((expected ^ got) & mask))
        return;
    if (d->n < DIFF_MAX) {
        struct diff *x = &d->d[d->n];

        snprintf(x->name, sizeof(x->name), "%s", name);
        x->expected = expected & mask;
        x->got = got & mask;
        x->mask = mask;
    }
    d->n++;
}

static void differ_bytes(struct diffs *d, const char *name, u32 n, const u8 *expected,
                         const u8 *got, u32 size)
{
    if (!memcmp(expected, got, size))
        return;
    for (u32 at = 0; at < size; at += 8) {
        u64 e = 0, g = 0;
        char full[24];

        memcpy(&e, expected + at, MIN(8, size - at));
        memcpy(&g, got + at, MIN(8, size - at));
        snprintf(full, sizeof(full), "%s%u[%u]", name, n, at);
        differ(d, full, e, g, ~0ull);
    }
}

// 16 bytes of vector register n, which an element does not cross.
static void differ_vector(struct diffs *d, const char *name, u32 n, const u8 *expected,
                          const u8 *got, const struct undefined *u, bool fault)
{
    u8 e[16], g[16];

    memcpy(e, expected, 16);
    memcpy(g, got, 16);
    for (u32 at = 0; fault && u->sign_size && n == u->sign_of && at < 16; at++) {
        e[at] &= at % u->sign_size == u->sign_size - 1u ? 0x80 : 0;
        g[at] &= at % u->sign_size == u->sign_size - 1u ? 0x80 : 0;
    }
    if (u->approximate && n == u->result)
        vendor_take_approximations(g, e, 16);
    differ_bytes(d, name, n, e, g, 16);
}

static void compare_end(const struct case_result *e, const struct case_result *g,
                        const struct undefined *u, struct diffs *d)
{
    u32 error_mask = ~0u;

    differ(d, "end", e->end, g->end, ~0u);
    differ(d, "vector", e->vector, g->vector, ~0u);
    if (e->vector == X86_EXC_PF && e->end == CASE_END_FAULT) {
        differ(d, "cr2", e->address, g->address, u->which ? 0 : u->where ? ~0xfffull : ~0ull);
        // Linux hides whether a page of its own is there; facet has some for its descriptors.
        if (e->address >= 0x7ffffffff000 || subject_is_system(e->address))
            error_mask = ~1u;
    }
    if (u->which && e->vector == X86_EXC_PF)
        error_mask = 0;
    differ(d, "error code", e->error, g->error, error_mask);
    differ(d, "rip", e->out.rip, g->out.rip, ~0ull);
}

static const u8 *physical(const struct case_xsave *x, u32 n)
{
    return x->st[(n - (x->fsw >> 11)) & 7];
}

static void compare_fpu(const struct case_xsave *e, const struct case_xsave *g,
                        const struct undefined *u, bool fault, struct diffs *d)
{
    bool pointers = !u->pointers || e->fsw & 0x80;
    const u64 pointer_mask = pointers ? 0xffffffffffff : 0; // how many more bits there are differs
    bool passage = u->mmx && fault;

    differ(d, "fcw", e->fcw, g->fcw, 0xffff);
    differ(d, "fsw", e->fsw, g->fsw, (u16) ~(u->fsw | (passage ? 0x3800 : 0)));
    differ(d, "ftw", e->ftw, g->ftw, passage ? 0 : 0xff);
    differ(d, "fop", e->fop, g->fop, pointer_mask & 0x7ff);
    differ(d, "fip", e->fip, g->fip, pointer_mask);
    differ(d, "fdp", e->fdp, g->fdp, u->fdp ? 0 : pointer_mask);
    differ(d, "mxcsr", e->mxcsr, g->mxcsr, u->mxcsr && fault ? 0 : 0xffffffff);
    for (u32 n = 0; n < 8; n++) {
        bool changed = ((n - (e->fsw >> 11)) & 7) < 2; // ST0, ST1

        if (!(u->transcendent && changed && vendor_x87_agree(physical(e, n), physical(g, n))))
            differ_bytes(d, "x87 r", n, physical(e, n), physical(g, n), 10);
    }
    for (u32 n = 0; n < 16; n++) {
        differ_vector(d, "xmm", n, e->xmm[n], g->xmm[n], u, fault);
        if (!(fault && u->upper >> n & 1))
            differ_vector(d, "ymm_high", n, e->ymm_high[n], g->ymm_high[n], u, fault);
    }
}

static bool in_hole(const struct undefined *u, u64 address)
{
    for (u32 n = 0; n < u->n_holes; n++)
        if (address - u->hole[n].at < u->hole[n].len)
            return true;
    return false;
}

static void compare_memory(const u8 *e, const u8 *g, u32 size, const u32 *page_at,
                           const struct undefined *u, struct diffs *d)
{
    if (!memcmp(e, g, size))
        return;
    for (u32 at = 0; at < size; at++) {
        u32 address = page_at[at / CASE_PAGE] + at % CASE_PAGE;
        char name[24];

        if (e[at] == g[at] || in_hole(u, address))
            continue;
        snprintf(name, sizeof(name), "[%08x]", address);
        differ(d, name, e[at], g[at], 0xff);
    }
}

// The bits of a GPR that are compared.
static u64 gpr_mask(const struct conform_case *c, const struct undefined *u,
                    const struct case_result *native, u32 n)
{
    bool fault = native->end == CASE_END_FAULT;

    if (u->gprs && fault && n != X86_RSP)
        return 0;
    if (c->mode != CASE_MODE64)
        return n < 8 ? 0xffffffff : 0;
    // Behind a far transfer to 32-bit code, the host's kernel sees the stack pointer of that.
    if (n == X86_RSP && native->out.sel[CASE_CS] != c->in.sel[CASE_CS])
        return 0xffffffff;
    if ((u->halves || (u->narrow && fault)) && (n == X86_RCX || n == X86_RSI || n == X86_RDI))
        return 0xffffffff;
    return ~0ull;
}

bool compare(const struct conform_case *c, const struct undefined *u,
             const struct case_result *native, const struct case_result *facet, struct diffs *ret)
{
    static const char *const gpr[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                      "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    static const char *const sel[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    static const u32 data_at[] = {CASE_DATA + CASE_PAGE, CASE_DATA + 2 * CASE_PAGE,
                                  CASE_DATA + 5 * CASE_PAGE};
    static const u32 smc_at[] = {CASE_SMC, CASE_SMC + CASE_PAGE};
    const struct case_state *e = &native->out, *g = &facet->out;
    // An exit from 32-bit code ends in a far jump to 64-bit code.
    bool exit = native->end == CASE_END_EXIT;

    ret->n = 0;
    if (u->unusable || u->vendor)
        return true;
    compare_end(native, facet, u, ret);
    for (u32 n = 0; n < 16; n++)
        differ(ret, gpr[n], e->gpr[n], g->gpr[n], gpr_mask(c, u, native, n));
    differ(ret, "rflags", e->rflags, g->rflags,
           ~(u64)(u->flags | (exit ? 0 : u->flags_at_fault) | X86_RF));
    // Null selectors 1 to 3 become 0 whenever the host's kernel returns to the case.
    for (u32 n = 0; n < 6; n++)
        if (!(n == CASE_CS && exit) && !(e->sel[n] < 4 && g->sel[n] < 4))
            differ(ret, sel[n], e->sel[n], g->sel[n], 0xffff);
    differ(ret, "fs base", e->fs_base, g->fs_base, ~0ull);
    differ(ret, "gs base", e->gs_base, g->gs_base, ~0ull);
    compare_fpu(&e->x, &g->x, u, native->end == CASE_END_FAULT, ret);
    if (!(u->fault_memory && native->end == CASE_END_FAULT))
        compare_memory(native->data, facet->data, CASE_IMAGE, data_at, u, ret);
    if (c->code_at >= CASE_SMC)
        compare_memory(native->code, facet->code, sizeof(native->code), smc_at, u, ret);
    return ret->n == 0;
}
