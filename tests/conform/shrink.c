// SPDX-License-Identifier: BSD-3-Clause
#include "shrink.h"

#include "isa/x86/state.h"

#include <string.h>

struct shrinker {
    const struct forms *f;
    struct native *n;
    struct subject *s;
    struct case_result result;
    struct diffs diffs;
};

static bool differs(struct shrinker *s, const struct block_program *p)
{
    struct conform_case *c = native_spare_case(s->n);
    struct undefined u;
    struct error err;

    if (p->n == 0 || !block_assemble(p, c) || !native_run_spare(s->n, &err))
        return false;
    if (native_spare_result(s->n)->end == CASE_END_LOST)
        return false;
    subject_run(s->s, c, &s->result);
    undefined_find(s->f, c, &u);
    vendor_find(s->f, c, native_spare_result(s->n), &s->result, &u);
    return !compare(c, &u, native_spare_result(s->n), &s->result, &s->diffs);
}

static bool fewer_items(struct shrinker *s, struct block_program *p)
{
    bool smaller = false;

    for (u32 n = p->n; n-- > 0;) {
        struct block_program without = *p;

        block_remove(&without, n);
        if (!differs(s, &without))
            continue;
        *p = without;
        smaller = true;
    }
    return smaller;
}

static void keep_if(struct shrinker *s, struct block_program *p, const struct block_program *q)
{
    if (memcmp(p, q, sizeof(*p)) && differs(s, q))
        *p = *q;
}

static void simpler_state(struct shrinker *s, struct block_program *p)
{
    struct block_program q;

    for (u32 n = 0; n < 16; n++) {
        q = *p;
        q.base.in.gpr[n] = n == X86_RSP ? q.base.in.gpr[n] : 0;
        keep_if(s, p, &q);
        q = *p;
        memset(q.base.in.x.ymm_high[n], 0, 16);
        keep_if(s, p, &q);
        q = *p;
        memset(q.base.in.x.xmm[n], 0, 16);
        keep_if(s, p, &q);
    }
    q = *p;
    q.base.in.x.fcw = 0x37f;
    q.base.in.x.fsw = 0;
    q.base.in.x.ftw = 0;
    memset(q.base.in.x.st, 0, sizeof(q.base.in.x.st));
    keep_if(s, p, &q);
    q = *p;
    q.base.in.x.mxcsr = 0x1f80;
    keep_if(s, p, &q);
    q = *p;
    q.base.in.rflags = 0x202;
    keep_if(s, p, &q);
    q = *p;
    q.base.in.fs_base = q.base.in.gs_base = 0;
    keep_if(s, p, &q);
}

bool shrink(const struct forms *f, struct native *n, struct subject *s, struct block_program *p,
            struct diffs *ret_diffs)
{
    struct shrinker sh = {.f = f, .n = n, .s = s};

    if (!differs(&sh, p))
        return false;
    while (fewer_items(&sh, p))
        ;
    simpler_state(&sh, p);
    differs(&sh, p);
    *ret_diffs = sh.diffs;
    return true;
}
