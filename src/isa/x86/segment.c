// SPDX-License-Identifier: BSD-3-Clause
// Segmentation: SDM vol. 3A chapters 3 and 5.
#include "isa/x86/segment.h"

bool x86_canonical(const struct x86_core *c, u64 linear)
{
    u32 unused = c->s.cr4 & X86_CR4_LA57 ? 7 : 16;

    return (u64)((i64)(linear << unused) >> unused) == linear;
}

static enum x86_result segment_fault(struct x86_core *c, enum x86_seg seg)
{
    return x86_raise_error(c, seg == X86_SS ? X86_EXC_SS : X86_EXC_GP, 0);
}

// Whether `size` bytes at `offset` lie inside the segment (expand-down: outside its limit).
static bool inside(const struct x86_core *c, enum x86_seg seg, u64 offset, u32 size)
{
    u32 attr = c->s.seg_attr[seg], limit = c->s.seg_limit[seg];
    u64 last = offset + size - 1;

    if ((attr & (X86_ATTR_S | 0xc)) == (X86_ATTR_S | 4))
        return offset > limit && last <= (attr & X86_ATTR_DB ? 0xffffffffu : 0xffffu);
    // Behind 4 GiB addresses start at 0 again: it need not fault (SDM vol. 3A §5.3), and does not
    // in a flat segment. With another base it does.
    return last <= limit || (limit == 0xffffffff && c->s.seg_base[seg] == 0);
}

static bool accessible(u32 attr, enum core_access access)
{
    bool code = attr & 8;

    if (attr & X86_ATTR_UNUSABLE)
        return false;
    if (access == CORE_WRITE)
        return !code && (attr & 2);
    return access == CORE_EXEC || !code || (attr & 2);
}

enum x86_result x86_linear_slow(struct x86_core *c, enum x86_seg seg, u64 offset, u32 size,
                                enum core_access access, u64 *ret_linear)
{
    u64 linear = offset + (c->code_mode != X86_CODE64 || seg >= X86_FS ? c->s.seg_base[seg] : 0);

    if (c->code_mode == X86_CODE64) {
        if (!x86_canonical(c, linear) || !x86_canonical(c, linear + size - 1))
            return segment_fault(c, seg);
        *ret_linear = linear;
        return X86_OK;
    }
    if (x86_protected(c) && !accessible(c->s.seg_attr[seg], access))
        return segment_fault(c, seg);
    if (!inside(c, seg, offset, size))
        return segment_fault(c, seg);
    *ret_linear = (u32)linear;
    return X86_OK;
}

void x86_descriptor_parse(u64 raw, struct x86_descriptor *ret)
{
    u32 limit = (u32)((raw & 0xffff) | (raw >> 32 & 0xf0000));
    u32 attr = (u32)(raw >> 40 & 0xf0ff);

    ret->raw = raw;
    ret->base = (raw >> 16 & 0xffffff) | (raw >> 32 & 0xff000000);
    ret->limit = attr & X86_ATTR_G ? limit << 12 | 0xfff : limit;
    ret->attr = attr;
}

bool x86_descriptor_address(const struct x86_core *c, u16 sel, u32 bytes, u64 *ret_linear)
{
    u32 offset = sel & ~7u;
    u64 base = c->s.gdt_base;
    u32 limit = c->s.gdt_limit;

    if (X86_SEL_NULL(sel))
        return false;
    if (sel & 4) {
        if (c->s.seg_attr[X86_LDTR] & X86_ATTR_UNUSABLE)
            return false;
        base = c->s.seg_base[X86_LDTR];
        limit = c->s.seg_limit[X86_LDTR];
    }
    *ret_linear = base + offset;
    return offset + bytes - 1 <= limit;
}

enum x86_result x86_descriptor_read(struct x86_core *c, u16 sel, enum x86_vector vector, u32 ext,
                                    struct x86_descriptor *ret)
{
    u64 linear, raw;
    enum x86_result r;

    if (!x86_descriptor_address(c, sel, 8, &linear))
        return x86_raise_error(c, vector, X86_SEL_ERROR(sel) | ext);
    r = x86_load_system(c, linear, &raw, 8);
    if (r == X86_OK)
        x86_descriptor_parse(raw, ret);
    return r;
}

enum x86_result x86_descriptor_read_high(struct x86_core *c, u16 sel, enum x86_vector vector,
                                         u32 ext, u64 *ret_high)
{
    u64 linear;
    enum x86_result r;

    if (!x86_descriptor_address(c, sel, 16, &linear))
        return x86_raise_error(c, vector, X86_SEL_ERROR(sel) | ext);
    r = x86_load_system(c, linear + 8, ret_high, 8);
    if (r == X86_OK && (*ret_high >> 40 & 0x1f)) // the type field of the upper half must be 0
        return x86_raise_error(c, vector, X86_SEL_ERROR(sel) | ext);
    return r;
}

enum x86_result x86_descriptor_touch(struct x86_core *c, u16 sel, struct x86_descriptor *d)
{
    u64 linear;
    u8 access;

    if (d->attr & 1 || !x86_descriptor_address(c, sel, 8, &linear))
        return X86_OK;
    d->attr |= 1;
    d->raw |= 1ull << 40;
    access = (u8)d->attr;
    return x86_store_system(c, linear + 5, &access, 1);
}

void x86_segment_set(struct x86_core *c, enum x86_seg seg, u16 sel, const struct x86_descriptor *d)
{
    c->s.seg_sel[seg] = sel;
    c->s.seg_base[seg] = d->base;
    c->s.seg_limit[seg] = d->limit;
    c->s.seg_attr[seg] = d->attr;
}

void x86_segment_set_null(struct x86_core *c, enum x86_seg seg, u16 sel)
{
    c->s.seg_sel[seg] = sel;
    c->s.seg_base[seg] = 0;
    c->s.seg_limit[seg] = 0;
    c->s.seg_attr[seg] = X86_ATTR_UNUSABLE;
    if (seg == X86_SS) // its DPL is the CPL
        c->s.seg_attr[seg] |= X86_SEL_RPL(sel) << 5;
}

void x86_segment_set_real(struct x86_core *c, enum x86_seg seg, u16 sel)
{
    c->s.seg_sel[seg] = sel;
    c->s.seg_base[seg] = (u64)sel << 4;
    if (c->s.rflags & X86_VM) {
        c->s.seg_limit[seg] = 0xffff;
        c->s.seg_attr[seg] = X86_ATTR_P | 3 << 5 | X86_ATTR_S | 3;
    } else if (c->s.seg_attr[seg] & X86_ATTR_UNUSABLE) {
        c->s.seg_attr[seg] = X86_ATTR_P | X86_ATTR_S | 3;
    } else {
        c->s.seg_attr[seg] &= ~(3u << 5); // limit and rights stay: "unreal" mode
    }
}

enum x86_result x86_stack_segment_check(struct x86_core *c, u16 sel, u32 cpl,
                                        enum x86_vector vector, u32 ext, struct x86_descriptor *ret)
{
    u32 error = X86_SEL_ERROR(sel) | ext;
    enum x86_result r;

    if (X86_SEL_NULL(sel))
        return x86_raise_error(c, vector, ext);
    r = x86_descriptor_read(c, sel, vector, ext, ret);
    if (r != X86_OK)
        return r;
    if (X86_SEL_RPL(sel) != cpl || !x86_is_writable_data(ret->attr) ||
        X86_ATTR_DPL(ret->attr) != cpl)
        return x86_raise_error(c, vector, error);
    if (!(ret->attr & X86_ATTR_P))
        return x86_raise_error(c, X86_EXC_SS, error);
    return x86_descriptor_touch(c, sel, ret);
}

static enum x86_result load_null(struct x86_core *c, enum x86_seg seg, u16 sel)
{
    bool allowed =
        seg != X86_SS || (c->code_mode == X86_CODE64 && c->cpl < 3 && X86_SEL_RPL(sel) == c->cpl);

    if (!allowed)
        return x86_raise_gp(c);
    x86_segment_set_null(c, seg, sel);
    return X86_OK;
}

static enum x86_result check_data_segment(struct x86_core *c, u16 sel, struct x86_descriptor *d)
{
    u32 needed = MAX((u32)c->cpl, X86_SEL_RPL(sel));
    bool readable = (d->attr & X86_ATTR_S) && (!x86_is_code(d->attr) || (d->attr & 2));

    if (!readable || (!x86_is_conforming(d->attr) && needed > X86_ATTR_DPL(d->attr)))
        return x86_raise_error(c, X86_EXC_GP, X86_SEL_ERROR(sel));
    if (!(d->attr & X86_ATTR_P))
        return x86_raise_error(c, X86_EXC_NP, X86_SEL_ERROR(sel));
    return x86_descriptor_touch(c, sel, d);
}

enum x86_result x86_segment_load(struct x86_core *c, enum x86_seg seg, u16 sel)
{
    struct x86_descriptor d;
    enum x86_result r;

    if (!x86_protected(c)) {
        x86_segment_set_real(c, seg, sel);
        return X86_OK;
    }
    if (X86_SEL_NULL(sel)) {
        r = load_null(c, seg, sel);
    } else if (seg == X86_SS) {
        r = x86_stack_segment_check(c, sel, c->cpl, X86_EXC_GP, 0, &d);
        if (r == X86_OK)
            x86_segment_set(c, seg, sel, &d);
    } else {
        r = x86_descriptor_read(c, sel, X86_EXC_GP, 0, &d);
        if (r == X86_OK)
            r = check_data_segment(c, sel, &d);
        if (r == X86_OK)
            x86_segment_set(c, seg, sel, &d);
    }
    if (r == X86_OK)
        x86_update_mode(c);
    return r;
}

enum x86_result x86_load_ldtr(struct x86_core *c, u16 sel, enum x86_vector vector)
{
    struct x86_descriptor d;
    u64 high = 0;

    if (X86_SEL_NULL(sel)) {
        x86_segment_set_null(c, X86_LDTR, sel);
        return X86_OK;
    }
    if (sel & 4)
        return x86_raise_error(c, vector, X86_SEL_ERROR(sel));
    if (x86_descriptor_read(c, sel, vector, 0, &d) != X86_OK ||
        (x86_long_mode(c) && x86_descriptor_read_high(c, sel, vector, 0, &high) != X86_OK))
        return X86_FAULT;
    if (X86_TYPE(d.attr) != X86_TYPE_LDT)
        return x86_raise_error(c, vector, X86_SEL_ERROR(sel));
    if (!(d.attr & X86_ATTR_P))
        return x86_raise_error(c, vector == X86_EXC_TS ? X86_EXC_TS : X86_EXC_NP,
                               X86_SEL_ERROR(sel));
    d.base |= high << 32;
    if (!x86_canonical(c, d.base))
        return x86_raise_error(c, vector, X86_SEL_ERROR(sel));
    x86_segment_set(c, X86_LDTR, sel, &d);
    return X86_OK;
}

enum x86_result x86_load_tr(struct x86_core *c, u16 sel)
{
    struct x86_descriptor d;
    u64 high = 0, linear;
    u32 type;

    if (X86_SEL_NULL(sel))
        return x86_raise_gp(c);
    if (sel & 4)
        return x86_raise_error(c, X86_EXC_GP, X86_SEL_ERROR(sel));
    if (x86_descriptor_read(c, sel, X86_EXC_GP, 0, &d) != X86_OK)
        return X86_FAULT;
    type = X86_TYPE(d.attr);
    if (type != X86_TYPE_TSS && (type != X86_TYPE_TSS16 || x86_long_mode(c)))
        return x86_raise_error(c, X86_EXC_GP, X86_SEL_ERROR(sel));
    if (!(d.attr & X86_ATTR_P))
        return x86_raise_error(c, X86_EXC_NP, X86_SEL_ERROR(sel));
    if (x86_long_mode(c) && x86_descriptor_read_high(c, sel, X86_EXC_GP, 0, &high) != X86_OK)
        return X86_FAULT;
    d.base |= high << 32;
    if (!x86_canonical(c, d.base))
        return x86_raise_error(c, X86_EXC_GP, X86_SEL_ERROR(sel));
    d.attr |= 2; // busy
    (void)x86_descriptor_address(c, sel, 8, &linear);
    if (x86_store_system(c, linear + 5, &(u8){(u8)d.attr}, 1) != X86_OK)
        return X86_FAULT;
    x86_segment_set(c, X86_TR, sel, &d);
    return X86_OK;
}
