// SPDX-License-Identifier: BSD-3-Clause
// Descriptor tables and what looks into them: LGDT, LLDT, LTR, LAR, LSL, VERR and their like.
#include "isa/x86/exec/system.h"

// LGDT and LIDT.
static enum x86_result load_table(struct x86_core *c, const struct x86_insn *i, u64 *base,
                                  u32 *limit)
{
    bool wide = c->code_mode == X86_CODE64;
    u8 bytes[10] = {0};
    u64 linear, to = 0;

    if (c->cpl != 0)
        return x86_raise_gp(c);
    if (x86_operand_address(c, i, CORE_READ, &linear) != X86_OK ||
        x86_load(c, linear, bytes, wide ? 10 : 6) != X86_OK)
        return X86_FAULT;
    memcpy(&to, bytes + 2, 8);
    if (!wide && i->op_bytes == 2)
        to &= 0xffffff;
    if (!x86_canonical(c, to))
        return x86_raise_gp(c);
    *limit = bytes[0] | (u32)bytes[1] << 8;
    *base = to;
    return x86_end(c, i);
}

static enum x86_result store_table(struct x86_core *c, const struct x86_insn *i, u64 base,
                                   u32 limit)
{
    bool wide = c->code_mode == X86_CODE64;
    u8 bytes[10] = {(u8)limit, (u8)(limit >> 8)};
    u64 linear;

    if (x86_umip_forbids(c))
        return x86_raise_gp(c);
    if (!wide && i->op_bytes == 2)
        base &= 0xffffff;
    memcpy(bytes + 2, &base, 8);
    if (x86_operand_address(c, i, CORE_WRITE, &linear) != X86_OK ||
        x86_store(c, linear, bytes, wide ? 10 : 6) != X86_OK)
        return X86_FAULT;
    return x86_end(c, i);
}

enum x86_result x86_exec_lgdt(struct x86_core *c, const struct x86_insn *i)
{
    return load_table(c, i, &c->s.gdt_base, &c->s.gdt_limit);
}

enum x86_result x86_exec_lidt(struct x86_core *c, const struct x86_insn *i)
{
    return load_table(c, i, &c->s.idt_base, &c->s.idt_limit);
}

enum x86_result x86_exec_sgdt(struct x86_core *c, const struct x86_insn *i)
{
    return store_table(c, i, c->s.gdt_base, c->s.gdt_limit);
}

enum x86_result x86_exec_sidt(struct x86_core *c, const struct x86_insn *i)
{
    return store_table(c, i, c->s.idt_base, c->s.idt_limit);
}

// LLDT and LTR: not recognised in real and virtual-8086 mode.
static enum x86_result read_selector(struct x86_core *c, const struct x86_insn *i, u64 *ret)
{
    if (!x86_protected(c))
        return x86_raise(c, X86_EXC_UD);
    if (c->cpl != 0)
        return x86_raise_gp(c);
    return x86_read(c, i, 0, ret);
}

enum x86_result x86_exec_lldt(struct x86_core *c, const struct x86_insn *i)
{
    u64 sel;
    enum x86_result r = read_selector(c, i, &sel);

    if (r == X86_OK)
        r = x86_load_ldtr(c, (u16)sel, X86_EXC_GP);
    return r == X86_OK ? x86_end(c, i) : r;
}

enum x86_result x86_exec_ltr(struct x86_core *c, const struct x86_insn *i)
{
    u64 sel;
    enum x86_result r = read_selector(c, i, &sel);

    if (r == X86_OK)
        r = x86_load_tr(c, (u16)sel);
    return r == X86_OK ? x86_end(c, i) : r;
}

static enum x86_result store_selector(struct x86_core *c, const struct x86_insn *i,
                                      enum x86_seg seg)
{
    enum x86_result r;

    if (!x86_protected(c))
        return x86_raise(c, X86_EXC_UD);
    if (x86_umip_forbids(c))
        return x86_raise_gp(c);
    r = x86_write(c, i, 0, c->s.seg_sel[seg]);
    return r == X86_OK ? x86_end(c, i) : r;
}

enum x86_result x86_exec_sldt(struct x86_core *c, const struct x86_insn *i)
{
    return store_selector(c, i, X86_LDTR);
}

enum x86_result x86_exec_str(struct x86_core *c, const struct x86_insn *i)
{
    return store_selector(c, i, X86_TR);
}

static enum x86_result set_zf(struct x86_core *c, const struct x86_insn *i, bool zf)
{
    x86_flags_merge(c, X86_ZF, zf ? X86_ZF : 0);
    return x86_end(c, i);
}

// Finds the descriptor that LAR and its like look at. *ret_found: there is one, visible at the
// current and the requested privilege level.
static enum x86_result look_up(struct x86_core *c, const struct x86_insn *i, u32 operand,
                               struct x86_descriptor *ret, bool *ret_found)
{
    u64 sel, linear, raw;
    enum x86_result r;

    *ret_found = false;
    if (!x86_protected(c))
        return x86_raise(c, X86_EXC_UD);
    r = x86_read(c, i, operand, &sel);
    if (r != X86_OK || !x86_descriptor_address(c, (u16)sel, 8, &linear))
        return r;
    r = x86_load_system(c, linear, &raw, 8);
    if (r != X86_OK)
        return r;
    x86_descriptor_parse(raw, ret);
    *ret_found = x86_is_conforming(ret->attr) ||
                 X86_ATTR_DPL(ret->attr) >= MAX((u32)c->cpl, X86_SEL_RPL(sel));
    return X86_OK;
}

// System descriptors that LAR shows, by type, and of these those that have a limit (vol. 2A).
enum {
    LAR_LEGACY = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 9 | 1 << 11 | 1 << 12,
    LAR_LONG = 1 << 2 | 1 << 9 | 1 << 11 | 1 << 12,
    LSL_LEGACY = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 9 | 1 << 11,
    LSL_LONG = 1 << 2 | 1 << 9 | 1 << 11,
};

static bool type_shown(const struct x86_descriptor *d, u32 system_types)
{
    return (d->attr & X86_ATTR_S) || (system_types >> (d->attr & X86_ATTR_TYPE) & 1);
}

enum x86_result x86_exec_lar(struct x86_core *c, const struct x86_insn *i)
{
    struct x86_descriptor d;
    bool found;
    enum x86_result r = look_up(c, i, 1, &d, &found);

    if (r != X86_OK)
        return r;
    if (!found || !type_shown(&d, x86_long_mode(c) ? LAR_LONG : LAR_LEGACY))
        return set_zf(c, i, false);
    x86_put_gpr(c, i->o[0].offset, i->o[0].size, d.raw >> 32 & 0xffff00);
    return set_zf(c, i, true);
}

enum x86_result x86_exec_lsl(struct x86_core *c, const struct x86_insn *i)
{
    struct x86_descriptor d;
    bool found;
    enum x86_result r = look_up(c, i, 1, &d, &found);

    if (r != X86_OK)
        return r;
    if (!found || !type_shown(&d, x86_long_mode(c) ? LSL_LONG : LSL_LEGACY))
        return set_zf(c, i, false);
    x86_put_gpr(c, i->o[0].offset, i->o[0].size, d.limit);
    return set_zf(c, i, true);
}

enum x86_result x86_exec_verr(struct x86_core *c, const struct x86_insn *i)
{
    struct x86_descriptor d;
    bool found;
    enum x86_result r = look_up(c, i, 0, &d, &found);

    if (r != X86_OK)
        return r;
    return set_zf(c, i, found && (d.attr & X86_ATTR_S) && (!x86_is_code(d.attr) || (d.attr & 2)));
}

enum x86_result x86_exec_verw(struct x86_core *c, const struct x86_insn *i)
{
    struct x86_descriptor d;
    bool found;
    enum x86_result r = look_up(c, i, 0, &d, &found);

    return r != X86_OK ? r : set_zf(c, i, found && x86_is_writable_data(d.attr));
}

// Raises the RPL of a selector to that of another (not in 64-bit mode).
enum x86_result x86_exec_arpl(struct x86_core *c, const struct x86_insn *i)
{
    u64 to, from;
    enum x86_result r;

    if (!x86_protected(c))
        return x86_raise(c, X86_EXC_UD);
    r = x86_read(c, i, 0, &to);
    if (r == X86_OK)
        r = x86_read(c, i, 1, &from);
    if (r != X86_OK)
        return r;
    if (X86_SEL_RPL(to) >= X86_SEL_RPL(from))
        return set_zf(c, i, false);
    r = x86_write(c, i, 0, (to & ~3ull) | X86_SEL_RPL(from));
    return r == X86_OK ? set_zf(c, i, true) : r;
}
