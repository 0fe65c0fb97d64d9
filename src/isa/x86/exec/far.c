// SPDX-License-Identifier: BSD-3-Clause
// Far transfers of control: JMP, CALL, RET, IRET (SDM vol. 3A §5.8, §7.3, vol. 2A).
#include "isa/x86/exec/system.h"

#include "isa/x86/task.h"

// Where a far transfer goes.
struct target {
    u16 sel;
    u64 offset;
    struct x86_descriptor d;
};

static enum x86_result read_target(struct x86_core *c, const struct x86_insn *i, struct target *t)
{
    u64 linear;

    t->offset = 0;
    if (i->o[0].kind == X86_O_PTR) {
        t->sel = (u16)i->imm2;
        t->offset = i->op_bytes == 2 ? (u16)i->imm : (u32)i->imm;
        return X86_OK;
    }
    if (x86_operand_address(c, i, CORE_READ, &linear) != X86_OK ||
        x86_load(c, linear, &t->offset, i->op_bytes) != X86_OK)
        return X86_FAULT;
    return x86_load(c, linear + i->op_bytes, &t->sel, 2);
}

// Whether `offset` lies in the code segment *d. 64-bit: canonical.
static enum x86_result check_offset(struct x86_core *c, const struct x86_descriptor *d, u64 offset)
{
    if (x86_long_mode(c) && (d->attr & X86_ATTR_L))
        return x86_canonical(c, offset) ? X86_OK : x86_raise_gp(c);
    return offset <= d->limit ? X86_OK : x86_raise_gp(c);
}

static enum x86_result check_present(struct x86_core *c, const struct target *t)
{
    if (!(t->d.attr & X86_ATTR_P))
        return x86_raise_error(c, X86_EXC_NP, X86_SEL_ERROR(t->sel));
    return X86_OK;
}

// A code segment that a direct JMP or CALL may enter at the current privilege level.
static enum x86_result check_code(struct x86_core *c, const struct target *t)
{
    u32 attr = t->d.attr, dpl = X86_ATTR_DPL(attr);
    bool allowed =
        x86_is_conforming(attr) ? dpl <= c->cpl : dpl == c->cpl && X86_SEL_RPL(t->sel) <= c->cpl;
    bool both = x86_long_mode(c) && (attr & X86_ATTR_L) && (attr & X86_ATTR_DB);

    if (!allowed || both)
        return x86_raise_error(c, X86_EXC_GP, X86_SEL_ERROR(t->sel));
    return check_present(c, t);
}

static void enter_code(struct x86_core *c, const struct target *t, u32 cpl)
{
    x86_segment_set(c, X86_CS, (u16)((t->sel & ~3u) | cpl), &t->d);
    c->s.rip = t->offset;
    x86_update_mode(c);
}

static enum x86_result read_descriptor(struct x86_core *c, struct target *t)
{
    if (X86_SEL_NULL(t->sel))
        return x86_raise_gp(c);
    return x86_descriptor_read(c, t->sel, X86_EXC_GP, 0, &t->d);
}

static enum x86_result push_return(struct x86_core *c, struct x86_stack *st, u64 rip, u32 bytes)
{
    if (x86_stack_push(c, st, c->s.seg_sel[X86_CS], bytes) != X86_OK)
        return X86_FAULT;
    return x86_stack_push(c, st, rip, bytes);
}

static enum x86_result far_real(struct x86_core *c, const struct x86_insn *i,
                                const struct target *t, bool call)
{
    struct x86_stack st;

    x86_stack_current(c, &st);
    if (call && push_return(c, &st, i->next_pc, i->op_bytes) != X86_OK)
        return X86_FAULT;
    if (t->offset > c->s.seg_limit[X86_CS])
        return x86_raise_gp(c);
    if (call)
        x86_stack_commit(c, &st);
    x86_segment_set_real(c, X86_CS, t->sel);
    c->s.rip = t->offset;
    x86_update_mode(c);
    return X86_OK;
}

static enum x86_result far_code(struct x86_core *c, const struct x86_insn *i, struct target *t,
                                bool call)
{
    struct x86_stack st;

    if (check_code(c, t) != X86_OK)
        return X86_FAULT;
    if (!x86_long_mode(c) || !(t->d.attr & X86_ATTR_L)) // of 64-bit code's offset
        t->offset &= 0xffffffff;
    x86_stack_current(c, &st);
    if (call && push_return(c, &st, i->next_pc, i->op_bytes) != X86_OK)
        return X86_FAULT;
    if (check_offset(c, &t->d, t->offset) != X86_OK ||
        x86_descriptor_touch(c, t->sel, &t->d) != X86_OK)
        return X86_FAULT;
    if (call)
        x86_stack_commit(c, &st);
    enter_code(c, t, c->cpl);
    return X86_OK;
}

// A call gate: slots of `bytes`, `params` of them copied to an inner stack.
struct gate {
    u32 bytes, params;
};

// Replaces *t, which is a call gate, by where it leads, checked for a JMP or CALL.
static enum x86_result open_gate(struct x86_core *c, struct target *t, bool call, struct gate *g)
{
    u64 raw = t->d.raw, high = 0;
    u32 type = X86_TYPE(t->d.attr), dpl = X86_ATTR_DPL(t->d.attr);
    u32 error = X86_SEL_ERROR(t->sel);
    bool wide = x86_long_mode(c);

    if (dpl < c->cpl || X86_SEL_RPL(t->sel) > dpl)
        return x86_raise_error(c, X86_EXC_GP, error);
    if (check_present(c, t) != X86_OK ||
        (wide && x86_descriptor_read_high(c, t->sel, X86_EXC_GP, 0, &high) != X86_OK))
        return X86_FAULT;
    *g = (struct gate){.bytes = wide ? 8 : type & 8 ? 4 : 2, .params = raw >> 32 & 0x1f};
    t->sel = (u16)(raw >> 16);
    t->offset = (raw & 0xffff) | (g->bytes > 2 ? raw >> 32 & 0xffff0000 : 0) | high << 32;
    error = X86_SEL_ERROR(t->sel);
    if (read_descriptor(c, t) != X86_OK)
        return X86_FAULT;
    dpl = X86_ATTR_DPL(t->d.attr);
    if (!x86_is_code(t->d.attr) || dpl > c->cpl ||
        (wide && (t->d.attr & (X86_ATTR_L | X86_ATTR_DB)) != X86_ATTR_L) ||
        (!call && !x86_is_conforming(t->d.attr) && dpl != c->cpl))
        return x86_raise_error(c, X86_EXC_GP, error);
    return check_present(c, t);
}

// Makes the inner stack of a call gate, with the caller's SS:rSP and its parameters.
static enum x86_result inner_stack(struct x86_core *c, const struct gate *g, u32 cpl,
                                   struct x86_descriptor *ss, u16 *sel, struct x86_stack *st)
{
    struct x86_stack old;
    u64 sp, params[32];

    x86_stack_current(c, &old);
    if (x86_inner_stack(c, cpl, 0, sel, &sp) != X86_OK)
        return X86_FAULT;
    if (g->bytes == 8) {
        *ss = (struct x86_descriptor){.attr = X86_ATTR_UNUSABLE | cpl << 5};
        x86_stack_new(ss, sp, cpl, true, 0, st);
    } else {
        if (x86_stack_segment_check(c, *sel, cpl, X86_EXC_TS, 0, ss) != X86_OK)
            return X86_FAULT;
        x86_stack_new(ss, sp, cpl, false, X86_SEL_ERROR(*sel), st);
        for (u32 n = 0; n < g->params; n++)
            if (x86_stack_pop(c, &old, &params[n], g->bytes) != X86_OK)
                return X86_FAULT;
    }
    if (x86_stack_push(c, st, c->s.seg_sel[X86_SS], g->bytes) != X86_OK ||
        x86_stack_push(c, st, c->s.gpr[X86_RSP], g->bytes) != X86_OK)
        return X86_FAULT;
    for (u32 n = g->bytes == 8 ? 0 : g->params; n-- > 0;)
        if (x86_stack_push(c, st, params[n], g->bytes) != X86_OK)
            return X86_FAULT;
    return X86_OK;
}

static enum x86_result far_gate(struct x86_core *c, const struct x86_insn *i, struct target *t,
                                bool call)
{
    struct x86_descriptor ss;
    struct x86_stack st;
    struct gate g;
    u32 cpl;
    u16 sel = 0;
    bool inner;

    if (open_gate(c, t, call, &g) != X86_OK)
        return X86_FAULT;
    cpl = x86_is_conforming(t->d.attr) ? c->cpl : X86_ATTR_DPL(t->d.attr);
    inner = cpl < c->cpl;
    if (!inner)
        x86_stack_current(c, &st);
    else if (inner_stack(c, &g, cpl, &ss, &sel, &st) != X86_OK)
        return X86_FAULT;
    if (call && push_return(c, &st, i->next_pc, g.bytes) != X86_OK)
        return X86_FAULT;
    if (check_offset(c, &t->d, t->offset) != X86_OK ||
        x86_descriptor_touch(c, t->sel, &t->d) != X86_OK)
        return X86_FAULT;
    if (inner)
        x86_segment_set(c, X86_SS, sel, &ss);
    if (call)
        x86_stack_commit(c, &st);
    enter_code(c, t, cpl);
    return X86_OK;
}

static enum x86_result far_task(struct x86_core *c, const struct x86_insn *i, struct target *t,
                                bool call)
{
    u32 dpl = X86_ATTR_DPL(t->d.attr);

    if (dpl < c->cpl || dpl < X86_SEL_RPL(t->sel))
        return x86_raise_error(c, X86_EXC_GP, X86_SEL_ERROR(t->sel));
    if (check_present(c, t) != X86_OK)
        return X86_FAULT;
    if (X86_TYPE(t->d.attr) == X86_TYPE_TASK)
        t->sel = (u16)(t->d.raw >> 16);
    return x86_task_switch(c, t->sel, call ? X86_TASK_CALL : X86_TASK_JUMP, 0, i->next_pc, NULL);
}

static enum x86_result far_transfer(struct x86_core *c, const struct x86_insn *i, bool call)
{
    struct target t;

    if (read_target(c, i, &t) != X86_OK)
        return X86_FAULT;
    if (!x86_protected(c))
        return far_real(c, i, &t, call);
    if (read_descriptor(c, &t) != X86_OK)
        return X86_FAULT;
    if (x86_is_code(t.d.attr))
        return far_code(c, i, &t, call);
    switch (X86_TYPE(t.d.attr)) {
    case X86_TYPE_CALL:
        return far_gate(c, i, &t, call);
    case X86_TYPE_CALL16:
        if (!x86_long_mode(c))
            return far_gate(c, i, &t, call);
        break;
    case X86_TYPE_TASK:
    case X86_TYPE_TSS16:
    case X86_TYPE_TSS:
        if (!x86_long_mode(c))
            return far_task(c, i, &t, call);
        break;
    }
    return x86_raise_error(c, X86_EXC_GP, X86_SEL_ERROR(t.sel));
}

enum x86_result x86_exec_jmp_far(struct x86_core *c, const struct x86_insn *i)
{
    return far_transfer(c, i, false);
}

enum x86_result x86_exec_call_far(struct x86_core *c, const struct x86_insn *i)
{
    return far_transfer(c, i, true);
}
