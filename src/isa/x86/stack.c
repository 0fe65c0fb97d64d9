// SPDX-License-Identifier: BSD-3-Clause
// Stacks as control transfers use them: pushes and pops that change no register until the transfer
// is certain, and the inner stacks of the task state segment (SDM vol. 3A §5.8.5, §7.2, §7.7).
#include "isa/x86/segment.h"

enum x86_result x86_inner_stack(struct x86_core *c, u32 cpl, u32 ext, u16 *ret_ss, u64 *ret_sp)
{
    u32 error = X86_SEL_ERROR(c->s.seg_sel[X86_TR]) | ext;
    u64 tss = c->s.seg_base[X86_TR];
    u32 limit = c->s.seg_limit[X86_TR];
    bool wide = (c->s.seg_attr[X86_TR] & X86_ATTR_TYPE) & 8;
    u8 slot[6] = {0};

    *ret_sp = 0;
    if (x86_long_mode(c)) {
        if (4 + 8 * cpl + 7 > limit)
            return x86_raise_error(c, X86_EXC_TS, error);
        *ret_ss = (u16)cpl;
        return x86_load_system(c, tss + 4 + 8 * cpl, ret_sp, 8);
    }
    if (wide ? 4 + 8 * cpl + 5 > limit : 2 + 4 * cpl + 3 > limit)
        return x86_raise_error(c, X86_EXC_TS, error);
    if (x86_load_system(c, tss + (wide ? 4 + 8 * cpl : 2 + 4 * cpl), slot, wide ? 6 : 4) != X86_OK)
        return X86_FAULT;
    memcpy(ret_sp, slot, wide ? 4 : 2);
    memcpy(ret_ss, slot + (wide ? 4 : 2), 2);
    return X86_OK;
}

void x86_stack_current(const struct x86_core *c, struct x86_stack *ret)
{
    bool flat = c->code_mode == X86_CODE64;

    *ret = (struct x86_stack){
        .sp = c->s.gpr[X86_RSP],
        .mask = flat                                  ? ~0ull
                : c->s.seg_attr[X86_SS] & X86_ATTR_DB ? 0xffffffffu
                                                      : 0xffffu,
        .base = flat ? 0 : c->s.seg_base[X86_SS],
        .limit = c->s.seg_limit[X86_SS],
        .attr = c->s.seg_attr[X86_SS],
        .flat = flat,
        .privilege = (enum x86_privilege)c->privilege,
    };
    ret->sp &= ret->mask;
}

void x86_stack_new(const struct x86_descriptor *ss, u64 sp, u32 cpl, bool wide, u32 error,
                   struct x86_stack *ret)
{
    *ret = (struct x86_stack){
        .mask = wide                     ? ~0ull
                : ss->attr & X86_ATTR_DB ? 0xffffffffu
                                         : 0xffffu,
        .base = wide ? 0 : ss->base,
        .limit = ss->limit,
        .attr = ss->attr,
        .flat = wide,
        .privilege = cpl == 3 ? X86_USER : X86_SUPERVISOR,
        .error = error,
    };
    ret->sp = sp & ret->mask;
}

static bool fits(const struct x86_core *c, const struct x86_stack *st, u64 sp, u32 bytes)
{
    u64 last = sp + bytes - 1;

    if (st->flat)
        return x86_canonical(c, sp) && x86_canonical(c, last);
    if ((st->attr & (X86_ATTR_S | 0xc)) == (X86_ATTR_S | 4))
        return sp > st->limit && last <= st->mask;
    return last <= st->limit || st->limit == 0xffffffff;
}

// Alignment checks and watched data concern the program's own stack only.
static bool is_own(const struct x86_core *c, const struct x86_stack *st)
{
    return st->privilege == (enum x86_privilege)c->privilege;
}

enum x86_result x86_stack_push(struct x86_core *c, struct x86_stack *st, u64 value, u32 bytes)
{
    u64 sp = (st->sp - bytes) & st->mask;
    u64 linear = st->flat ? sp : (u32)(st->base + sp);
    enum x86_result r;

    if (!fits(c, st, sp, bytes))
        return x86_raise_error(c, X86_EXC_SS, st->error);
    r = is_own(c, st) ? x86_store_slow(c, linear, &value, bytes)
                      : x86_store_as(c, linear, &value, bytes, st->privilege);
    if (r == X86_OK)
        st->sp = sp;
    return r;
}

enum x86_result x86_stack_pop(struct x86_core *c, struct x86_stack *st, u64 *ret, u32 bytes)
{
    u64 linear = st->flat ? st->sp : (u32)(st->base + st->sp);
    enum x86_result r;

    if (!fits(c, st, st->sp, bytes))
        return x86_raise_error(c, X86_EXC_SS, st->error);
    *ret = 0;
    r = is_own(c, st) ? x86_load_slow(c, linear, ret, bytes)
                      : x86_load_as(c, linear, ret, bytes, st->privilege);
    if (r == X86_OK)
        st->sp = (st->sp + bytes) & st->mask;
    return r;
}

void x86_stack_commit(struct x86_core *c, const struct x86_stack *st)
{
    u64 *rsp = &c->s.gpr[X86_RSP];

    *rsp = st->mask == 0xffff ? (*rsp & ~0xffffull) | (st->sp & 0xffff) : st->sp;
}
