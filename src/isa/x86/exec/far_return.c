// SPDX-License-Identifier: BSD-3-Clause
// Far returns: RET and IRET, in all modes (SDM vol. 2A IRET, vol. 2B RET).
#include "isa/x86/exec/system.h"

#include "isa/x86/task.h"

#define IRET_FLAGS \
    (X86_ARITH_FLAGS | X86_TF | X86_IF | X86_DF | X86_IOPL | X86_NT | X86_RF | X86_AC | X86_ID)

// What is popped, and the segments it names.
struct frame {
    u64 rip, cs, rflags, rsp, ss;
    struct x86_descriptor code, stack;
    struct x86_stack st;
    u32 bytes; // of a slot
};

static enum x86_result pop(struct x86_core *c, struct frame *f, u64 *ret)
{
    return x86_stack_pop(c, &f->st, ret, f->bytes);
}

// A selector is a word, in a slot as large as the others.
static enum x86_result pop_selector(struct x86_core *c, struct frame *f, u64 *ret)
{
    enum x86_result r = x86_stack_pop(c, &f->st, ret, 2);

    if (r == X86_OK)
        f->st.sp = (f->st.sp + f->bytes - 2) & f->st.mask;
    return r;
}

static enum x86_result pop_stack(struct x86_core *c, struct frame *f)
{
    enum x86_result r = pop(c, f, &f->rsp);

    return r ? r : pop_selector(c, f, &f->ss);
}

// The code segment to return to, at its RPL.
static enum x86_result check_code(struct x86_core *c, struct frame *f)
{
    u16 sel = (u16)f->cs;
    u32 rpl = X86_SEL_RPL(sel), error = X86_SEL_ERROR(sel), dpl;

    if (X86_SEL_NULL(sel))
        return x86_raise_gp(c);
    if (x86_descriptor_read(c, sel, X86_EXC_GP, 0, &f->code) != X86_OK)
        return X86_FAULT;
    dpl = X86_ATTR_DPL(f->code.attr);
    if (!x86_is_code(f->code.attr) || rpl < c->cpl ||
        (x86_is_conforming(f->code.attr) ? dpl > rpl : dpl != rpl) ||
        (x86_long_mode(c) && (f->code.attr & X86_ATTR_L) && (f->code.attr & X86_ATTR_DB)))
        return x86_raise_error(c, X86_EXC_GP, error);
    if (!(f->code.attr & X86_ATTR_P))
        return x86_raise_error(c, X86_EXC_NP, error);
    return X86_OK;
}

// Where in that segment; the last of all checks.
static enum x86_result check_offset(struct x86_core *c, struct frame *f)
{
    if (x86_long_mode(c) && (f->code.attr & X86_ATTR_L))
        return x86_canonical(c, f->rip) ? X86_OK : x86_raise_gp(c);
    f->rip &= f->bytes == 2 ? 0xffffu : 0xffffffffu;
    return f->rip <= f->code.limit ? X86_OK : x86_raise_gp(c);
}

// The stack to return to. 64-bit code below CPL 3 may have a null SS.
static enum x86_result check_stack(struct x86_core *c, struct frame *f)
{
    u32 rpl = X86_SEL_RPL(f->cs);
    u16 sel = (u16)f->ss;

    if (X86_SEL_NULL(sel)) {
        if (!x86_long_mode(c) || !(f->code.attr & X86_ATTR_L) || rpl == 3)
            return x86_raise_gp(c);
        f->stack = (struct x86_descriptor){.attr = X86_ATTR_UNUSABLE | rpl << 5};
        return X86_OK;
    }
    return x86_stack_segment_check(c, sel, rpl, X86_EXC_GP, 0, &f->stack);
}

// Data segments that the outer level may not see become null (SDM vol. 3A §5.8.6).
static void hide_segments(struct x86_core *c)
{
    static const u8 data[] = {X86_ES, X86_DS, X86_FS, X86_GS};

    for (u32 n = 0; n < ARRAY_SIZE(data); n++) {
        u32 attr = c->s.seg_attr[data[n]];

        if (!(attr & X86_ATTR_UNUSABLE) && X86_ATTR_DPL(attr) < c->cpl &&
            !x86_is_conforming(attr)) {
            u64 base = c->s.seg_base[data[n]];

            x86_segment_set_null(c, (enum x86_seg)data[n], 0);
            if (x86_long_mode(c)) // bases stay
                c->s.seg_base[data[n]] = base;
        }
    }
}

// Sets CS:rIP and, when the level changes or `with_stack`, SS:rSP.
static void leave_to(struct x86_core *c, struct frame *f, bool with_stack, u64 release)
{
    u32 old = c->cpl;

    x86_segment_set(c, X86_CS, (u16)f->cs, &f->code);
    c->s.rip = f->rip;
    if (!with_stack) {
        f->st.sp = (f->st.sp + release) & f->st.mask;
        x86_stack_commit(c, &f->st);
        x86_update_mode(c);
        return;
    }
    x86_segment_set(c, X86_SS, (u16)f->ss, &f->stack);
    x86_update_mode(c);
    x86_stack_current(c, &f->st);
    f->st.sp = (f->rsp + release) & f->st.mask;
    x86_stack_commit(c, &f->st);
    if (c->cpl > old)
        hide_segments(c);
}

static void start(const struct x86_core *c, const struct x86_insn *i, struct frame *f)
{
    *f = (struct frame){.bytes = i->op_bytes};
    x86_stack_current(c, &f->st);
}

static enum x86_result return_real(struct x86_core *c, struct frame *f, u64 release)
{
    if (f->rip > 0xffff)
        return x86_raise_gp(c);
    x86_segment_set_real(c, X86_CS, (u16)f->cs);
    c->s.rip = f->rip;
    f->st.sp = (f->st.sp + release) & f->st.mask;
    x86_stack_commit(c, &f->st);
    x86_update_mode(c);
    return X86_OK;
}

enum x86_result x86_exec_ret_far(struct x86_core *c, const struct x86_insn *i)
{
    u64 release = i->n_operands ? (u16)i->imm : 0;
    struct frame f;
    bool outer;

    start(c, i, &f);
    if (pop(c, &f, &f.rip) != X86_OK || pop_selector(c, &f, &f.cs) != X86_OK)
        return X86_FAULT;
    if (!x86_protected(c))
        return return_real(c, &f, release);
    if (check_code(c, &f) != X86_OK)
        return X86_FAULT;
    outer = X86_SEL_RPL(f.cs) > c->cpl;
    if (outer) {
        f.st.sp = (f.st.sp + release) & f.st.mask;
        if (pop(c, &f, &f.rsp) != X86_OK || pop_selector(c, &f, &f.ss) != X86_OK ||
            check_stack(c, &f) != X86_OK)
            return X86_FAULT;
    }
    if (check_offset(c, &f) != X86_OK || x86_descriptor_touch(c, (u16)f.cs, &f.code) != X86_OK)
        return X86_FAULT;
    leave_to(c, &f, outer, release);
    return X86_OK;
}

static enum x86_result iret_real(struct x86_core *c, struct frame *f)
{
    u64 mask = IRET_FLAGS & (f->bytes == 2 ? 0xffff : 0xffffffff);

    if (c->s.rflags & X86_VM) {
        if ((c->s.rflags & X86_IOPL) != X86_IOPL)
            return x86_raise_gp(c);
        mask &= ~(u64)X86_IOPL;
    }
    if (return_real(c, f, 0) != X86_OK)
        return X86_FAULT;
    x86_rflags_write(c, f->rflags, mask);
    return X86_OK;
}

// A task switch back along the link of the current task.
static enum x86_result iret_task(struct x86_core *c, const struct x86_insn *i)
{
    u16 link;

    if (x86_long_mode(c))
        return x86_raise_gp(c);
    if (x86_load_system(c, c->s.seg_base[X86_TR], &link, 2) != X86_OK)
        return X86_FAULT;
    return x86_task_switch(c, link, X86_TASK_RETURN, 0, i->next_pc, NULL);
}

// To virtual-8086 mode, from CPL 0.
static enum x86_result iret_v86(struct x86_core *c, struct frame *f)
{
    static const u8 order[] = {X86_ES, X86_DS, X86_FS, X86_GS};
    u64 sel[ARRAY_SIZE(order)];

    if (pop_stack(c, f) != X86_OK)
        return X86_FAULT;
    for (u32 n = 0; n < ARRAY_SIZE(order); n++)
        if (pop(c, f, &sel[n]) != X86_OK)
            return X86_FAULT;
    x86_rflags_write(c, f->rflags, 0x3fffff);
    x86_segment_set_real(c, X86_CS, (u16)f->cs);
    x86_segment_set_real(c, X86_SS, (u16)f->ss);
    for (u32 n = 0; n < ARRAY_SIZE(order); n++)
        x86_segment_set_real(c, (enum x86_seg)order[n], (u16)sel[n]);
    c->s.rip = f->rip & 0xffff;
    c->s.gpr[X86_RSP] = (u32)f->rsp;
    x86_update_mode(c);
    return X86_OK;
}

static enum x86_result iret_protected(struct x86_core *c, struct frame *f)
{
    u64 mask = IRET_FLAGS & (f->bytes == 2 ? 0xffff : 0xffffffff);
    bool outer, with_stack;

    if (!x86_long_mode(c) && f->bytes == 4 && (f->rflags & X86_VM) && c->cpl == 0)
        return iret_v86(c, f);
    if (check_code(c, f) != X86_OK)
        return X86_FAULT;
    outer = X86_SEL_RPL(f->cs) > c->cpl;
    with_stack = outer || c->code_mode == X86_CODE64;
    if (with_stack && (pop_stack(c, f) != X86_OK || check_stack(c, f) != X86_OK))
        return X86_FAULT;
    if (check_offset(c, f) != X86_OK || x86_descriptor_touch(c, (u16)f->cs, &f->code) != X86_OK)
        return X86_FAULT;
    if (c->cpl > 0)
        mask &= ~(u64)X86_IOPL;
    if (c->cpl > (c->s.rflags & X86_IOPL) >> 12)
        mask &= ~(u64)X86_IF;
    leave_to(c, f, with_stack, 0);
    x86_rflags_write(c, f->rflags, mask);
    return X86_OK;
}

enum x86_result x86_exec_iret(struct x86_core *c, const struct x86_insn *i)
{
    struct frame f;
    enum x86_result r;

    if (x86_protected(c) && (c->s.rflags & X86_NT))
        r = iret_task(c, i);
    else {
        start(c, i, &f);
        if (pop(c, &f, &f.rip) != X86_OK || pop_selector(c, &f, &f.cs) != X86_OK ||
            pop(c, &f, &f.rflags) != X86_OK)
            return X86_FAULT;
        r = x86_protected(c) ? iret_protected(c, &f) : iret_real(c, &f);
    }
    if (r == X86_OK)
        c->s.nmi_masked = 0;
    return r;
}
