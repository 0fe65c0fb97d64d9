// SPDX-License-Identifier: BSD-3-Clause
// Hardware task switches: SDM vol. 3A §7.2 (the TSS), §7.3 (the steps and their checks).
#include "isa/x86/task.h"

#include "isa/x86/debug.h"
#include "isa/x86/fault.h"
#include "isa/x86/flags.h"
#include "isa/x86/segment.h"

#define DR6_BT 0x8000u

// The part of a TSS that a switch saves and loads, 16- or 32-bit.
struct tss {
    bool wide;
    u32 cr3, eip, eflags;
    u32 gpr[8];
    u16 sel[6]; // ES to GS
    u16 ldt;
    bool trap;
};

enum { TSS32_BYTES = 104, TSS16_BYTES = 44 };

static u32 get(const u8 *p, u32 bytes)
{
    u32 v = 0;

    memcpy(&v, p, bytes);
    return v;
}

static void unpack(const u8 *p, struct tss *t)
{
    u32 width = t->wide ? 4 : 2, n = t->wide ? 6 : 4;

    t->cr3 = t->wide ? get(p + 28, 4) : 0;
    t->eip = get(p + (t->wide ? 32 : 14), width);
    t->eflags = get(p + (t->wide ? 36 : 16), width);
    for (u32 i = 0; i < 8; i++)
        t->gpr[i] = get(p + (t->wide ? 40 : 18) + i * width, width) | (t->wide ? 0 : 0xffff0000u);
    for (u32 i = 0; i < n; i++)
        t->sel[i] = (u16)get(p + (t->wide ? 72 : 34) + i * width, 2);
    t->ldt = (u16)get(p + (t->wide ? 96 : 42), 2);
    t->trap = t->wide && (p[100] & 1);
}

// Saves what changes while a task runs: EIP to the last segment selector.
static enum x86_result save(struct x86_core *c, u64 rip, u32 eflags)
{
    bool wide = c->s.seg_attr[X86_TR] & 8;
    u32 width = wide ? 4 : 2, n = wide ? 6 : 4, at = 0;
    u8 p[64] = {0};

    memcpy(p, &rip, width);
    memcpy(p + width, &eflags, width);
    at = 2 * width;
    for (u32 i = 0; i < 8; i++, at += width)
        memcpy(p + at, &c->s.gpr[i], width);
    for (u32 i = 0; i < n; i++, at += width)
        memcpy(p + at, &c->s.seg_sel[i], 2);
    return x86_store_system(c, c->s.seg_base[X86_TR] + (wide ? 32 : 14), p, at);
}

static enum x86_result set_busy(struct x86_core *c, u16 sel, bool busy)
{
    u64 linear;
    u8 access;

    if (!x86_descriptor_address(c, sel, 8, &linear))
        return X86_OK;
    if (x86_load_system(c, linear + 5, &access, 1) != X86_OK)
        return X86_FAULT;
    access = busy ? access | 2 : access & ~2;
    return x86_store_system(c, linear + 5, &access, 1);
}

// Step 2 to 5 of §7.3: may the task be switched to? Reads its TSS.
static enum x86_result read_new(struct x86_core *c, u16 sel, enum x86_task_cause cause, u32 ext,
                                struct x86_descriptor *d, struct tss *ret)
{
    enum x86_vector vector = cause == X86_TASK_RETURN ? X86_EXC_TS : X86_EXC_GP;
    u32 error = X86_SEL_ERROR(sel) | ext, type;
    u8 image[TSS32_BYTES] = {0};

    if (X86_SEL_NULL(sel) || (sel & 4))
        return x86_raise_error(c, vector, error);
    if (x86_descriptor_read(c, sel, vector, ext, d) != X86_OK)
        return X86_FAULT;
    type = X86_TYPE(d->attr);
    if ((type & ~(u32)8) != (cause == X86_TASK_RETURN ? X86_TYPE_TSS16_BUSY : X86_TYPE_TSS16))
        return x86_raise_error(c, vector, error);
    if (!(d->attr & X86_ATTR_P))
        return x86_raise_error(c, X86_EXC_NP, error);
    ret->wide = type & 8;
    if (d->limit < (ret->wide ? TSS32_BYTES : TSS16_BYTES) - 1)
        return x86_raise_error(c, X86_EXC_TS, error);
    if (x86_load_system(c, d->base, image, ret->wide ? TSS32_BYTES : TSS16_BYTES) != X86_OK)
        return X86_FAULT;
    unpack(image, ret);
    return X86_OK;
}

static enum x86_result load_code(struct x86_core *c, u16 sel)
{
    struct x86_descriptor d;
    u32 error = X86_SEL_ERROR(sel), rpl = X86_SEL_RPL(sel);

    if (X86_SEL_NULL(sel))
        return x86_raise_error(c, X86_EXC_TS, 0);
    if (x86_descriptor_read(c, sel, X86_EXC_TS, 0, &d) != X86_OK)
        return X86_FAULT;
    if (!x86_is_code(d.attr) ||
        (x86_is_conforming(d.attr) ? X86_ATTR_DPL(d.attr) > rpl : X86_ATTR_DPL(d.attr) != rpl))
        return x86_raise_error(c, X86_EXC_TS, error);
    if (!(d.attr & X86_ATTR_P))
        return x86_raise_error(c, X86_EXC_NP, error);
    if (x86_descriptor_touch(c, sel, &d) != X86_OK)
        return X86_FAULT;
    x86_segment_set(c, X86_CS, sel, &d);
    return X86_OK;
}

static enum x86_result load_data(struct x86_core *c, enum x86_seg seg, u16 sel, u32 cpl)
{
    struct x86_descriptor d;
    u32 error = X86_SEL_ERROR(sel);

    if (X86_SEL_NULL(sel))
        return X86_OK; // is null already
    if (x86_descriptor_read(c, sel, X86_EXC_TS, 0, &d) != X86_OK)
        return X86_FAULT;
    if (!(d.attr & X86_ATTR_S) || (x86_is_code(d.attr) && !(d.attr & 2)) ||
        (!x86_is_conforming(d.attr) && MAX(cpl, X86_SEL_RPL(sel)) > X86_ATTR_DPL(d.attr)))
        return x86_raise_error(c, X86_EXC_TS, error);
    if (!(d.attr & X86_ATTR_P))
        return x86_raise_error(c, X86_EXC_NP, error);
    if (x86_descriptor_touch(c, sel, &d) != X86_OK)
        return X86_FAULT;
    x86_segment_set(c, seg, sel, &d);
    return X86_OK;
}

// The new task's segments; faults happen in its context.
static enum x86_result load_segments(struct x86_core *c, const struct tss *t)
{
    static const u8 data[] = {X86_ES, X86_DS, X86_FS, X86_GS};
    struct x86_descriptor ss;
    u32 cpl = X86_SEL_RPL(t->sel[X86_CS]);

    for (u32 i = X86_ES; i <= X86_GS; i++)
        x86_segment_set_null(c, (enum x86_seg)i, t->sel[i]);
    c->s.seg_attr[X86_SS] = X86_ATTR_UNUSABLE | cpl << 5;
    x86_segment_set_null(c, X86_LDTR, t->ldt);
    if (x86_load_ldtr(c, t->ldt, X86_EXC_TS) != X86_OK)
        return X86_FAULT;
    if (c->s.rflags & X86_VM) {
        for (u32 i = X86_ES; i <= X86_GS; i++)
            x86_segment_set_real(c, (enum x86_seg)i, t->sel[i]);
        return X86_OK;
    }
    if (load_code(c, t->sel[X86_CS]) != X86_OK ||
        x86_stack_segment_check(c, t->sel[X86_SS], cpl, X86_EXC_TS, 0, &ss) != X86_OK)
        return X86_FAULT;
    x86_segment_set(c, X86_SS, t->sel[X86_SS], &ss);
    for (u32 i = 0; i < ARRAY_SIZE(data); i++)
        if (load_data(c, (enum x86_seg)data[i], t->sel[data[i]], cpl) != X86_OK)
            return X86_FAULT;
    return X86_OK;
}

static void load_registers(struct x86_core *c, const struct tss *t, bool nested)
{
    u32 eflags = t->eflags | (nested ? X86_NT : 0);

    if ((c->s.cr0 & X86_CR0_PG) && t->wide) {
        c->s.cr3 = t->cr3;
        x86_tlb_flush(c, false);
    }
    c->s.rip = t->eip;
    if (!t->wide)
        eflags |= (u32)c->s.rflags & 0xffff0000;
    x86_flags_put(c, eflags & X86_ARITH_FLAGS);
    c->s.rflags = (eflags & 0x3f7fd5) | 2;
    for (u32 i = 0; i < 8; i++)
        c->s.gpr[i] = t->gpr[i];
    c->s.dr[7] &= ~0x55ull; // local breakpoints
    c->s.cr0 |= X86_CR0_TS;
}

static enum x86_result push_error(struct x86_core *c, const struct tss *t, u32 error)
{
    struct x86_stack st;

    x86_stack_current(c, &st);
    if (x86_stack_push(c, &st, error, t->wide ? 4 : 2) != X86_OK)
        return X86_FAULT;
    x86_stack_commit(c, &st);
    return X86_OK;
}

enum x86_result x86_task_switch(struct x86_core *c, u16 sel, enum x86_task_cause cause, u32 ext,
                                u64 rip, const u32 *error)
{
    u16 old = c->s.seg_sel[X86_TR];
    bool nested = cause == X86_TASK_CALL || cause == X86_TASK_INTERRUPT;
    u32 eflags = (u32)x86_rflags(c) & ~(cause == X86_TASK_RETURN ? X86_NT : 0);
    struct x86_descriptor d;
    struct tss t = {0};
    enum x86_result r;

    if (read_new(c, sel, cause, ext, &d, &t) != X86_OK || save(c, rip, eflags) != X86_OK)
        return X86_FAULT;
    if (nested ? x86_store_system(c, d.base, &old, 2) != X86_OK : set_busy(c, old, false) != X86_OK)
        return X86_FAULT;
    if (cause != X86_TASK_RETURN && set_busy(c, sel, true) != X86_OK)
        return X86_FAULT;
    d.attr |= 2;
    x86_segment_set(c, X86_TR, sel, &d);
    load_registers(c, &t, nested);
    r = load_segments(c, &t);
    x86_update_mode(c);
    if (r == X86_OK && error)
        r = push_error(c, &t, *error);
    if (r == X86_OK && t.eip > c->s.seg_limit[X86_CS])
        r = x86_raise_gp(c);
    if (r == X86_OK && t.trap) {
        x86_raise(c, X86_EXC_DB);
        c->fault.address = DR6_BT;
        r = X86_FAULT;
    }
    if (c->s.rflags & X86_TF)
        x86_attention(c);
    return r;
}
