// SPDX-License-Identifier: BSD-3-Clause
// Control and debug registers, and the TLBs.
#include "isa/x86/control.h"

#include "isa/x86/exec/system.h"

#define DR6_BD 0x2000u
#define DR7_GD 0x2000u

// The size of control and debug register operands depends on the mode alone.
static u64 read_gpr(const struct x86_core *c, const struct x86_operand *o)
{
    u64 v = c->s.gpr[o->reg];

    return c->code_mode == X86_CODE64 ? v : (u32)v;
}

static void write_gpr(struct x86_core *c, const struct x86_operand *o, u64 v)
{
    c->s.gpr[o->reg] = c->code_mode == X86_CODE64 ? v : (u32)v;
}

static enum x86_result write_control(struct x86_core *c, u32 n, u64 v)
{
    switch (n) {
    case 0:
        return x86_cr0_write(c, v);
    case 2:
        c->s.cr2 = v;
        return X86_OK;
    case 3:
        return x86_cr3_write(c, v);
    case 4:
        return x86_cr4_write(c, v);
    case 8:
        return x86_cr8_write(c, v);
    default:
        return x86_raise(c, X86_EXC_UD);
    }
}

static bool read_control(const struct x86_core *c, u32 n, u64 *ret)
{
    switch (n) {
    case 0:
        *ret = c->s.cr0;
        return true;
    case 2:
        *ret = c->s.cr2;
        return true;
    case 3:
        *ret = c->s.cr3;
        return true;
    case 4:
        *ret = c->s.cr4;
        return true;
    case 8:
        *ret = c->s.cr8;
        return true;
    default:
        return false;
    }
}

enum x86_result x86_exec_mov_cr(struct x86_core *c, const struct x86_insn *i)
{
    bool write = i->o[0].kind == X86_O_CR;
    u32 n = i->o[write ? 0 : 1].reg;
    enum x86_result r;
    u64 v = 0;

    if (n != 0 && n != 2 && n != 3 && n != 4 && n != 8)
        return x86_raise(c, X86_EXC_UD);
    if (c->cpl != 0)
        return x86_raise_gp(c);
    if (write) {
        r = write_control(c, n, read_gpr(c, &i->o[1]));
        if (r != X86_OK)
            return r;
    } else {
        (void)read_control(c, n, &v);
        write_gpr(c, &i->o[0], v);
    }
    return x86_end(c, i);
}

enum x86_result x86_exec_mov_dr(struct x86_core *c, const struct x86_insn *i)
{
    bool write = i->o[0].kind == X86_O_DR;
    u32 n = i->o[write ? 0 : 1].reg;
    u64 v;

    if (n > 7 || ((n == 4 || n == 5) && (c->s.cr4 & X86_CR4_DE)))
        return x86_raise(c, X86_EXC_UD);
    if (c->cpl != 0)
        return x86_raise_gp(c);
    if (c->s.dr[7] & DR7_GD) {
        x86_raise(c, X86_EXC_DB);
        c->fault.address = DR6_BD;
        return X86_FAULT;
    }
    n += n == 4 || n == 5 ? 2 : 0;
    if (!write) {
        write_gpr(c, &i->o[0], c->s.dr[n]);
        return x86_end(c, i);
    }
    v = read_gpr(c, &i->o[1]);
    if (n >= 6 && v >> 32)
        return x86_raise_gp(c);
    x86_dr_write(c, n, v);
    return x86_end(c, i);
}

enum x86_result x86_exec_clts(struct x86_core *c, const struct x86_insn *i)
{
    if (c->cpl != 0)
        return x86_raise_gp(c);
    c->s.cr0 &= ~(u64)X86_CR0_TS;
    x86_update_mode(c);
    return x86_end(c, i);
}

// PE can be set but not cleared.
enum x86_result x86_exec_lmsw(struct x86_core *c, const struct x86_insn *i)
{
    enum x86_result r;
    u64 v;

    if (c->cpl != 0)
        return x86_raise_gp(c);
    r = x86_read(c, i, 0, &v);
    if (r == X86_OK)
        r = x86_cr0_write(c, (c->s.cr0 & ~0xeull) | (v & 0xf));
    return r == X86_OK ? x86_end(c, i) : r;
}

enum x86_result x86_exec_smsw(struct x86_core *c, const struct x86_insn *i)
{
    enum x86_result r;

    if (x86_umip_forbids(c))
        return x86_raise_gp(c);
    r = x86_write(c, i, 0, c->s.cr0);
    return r == X86_OK ? x86_end(c, i) : r;
}

// A non-canonical address is no fault here.
enum x86_result x86_exec_invlpg(struct x86_core *c, const struct x86_insn *i)
{
    u64 linear = x86_offset(c, i);

    if (c->cpl != 0)
        return x86_raise_gp(c);
    if (c->code_mode != X86_CODE64)
        linear = (u32)(linear + c->s.seg_base[i->mem.seg]);
    else if (i->mem.seg >= X86_FS)
        linear += c->s.seg_base[i->mem.seg];
    x86_tlb_flush_page(c, linear);
    return x86_end(c, i);
}

// SDM vol. 2A INVPCID. TLBs here hold translations of the current PCID only.
enum x86_result x86_exec_invpcid(struct x86_core *c, const struct x86_insn *i)
{
    u64 type = c->s.gpr[i->o[0].reg], descriptor[2], linear;
    bool current;

    if (c->code_mode != X86_CODE64)
        type = (u32)type;
    if (c->cpl != 0)
        return x86_raise_gp(c);
    if (x86_operand_address(c, i, CORE_READ, &linear) != X86_OK ||
        x86_load(c, linear, descriptor, 16) != X86_OK)
        return X86_FAULT;
    if (type > 3 || descriptor[0] >> 12 ||
        (type < 2 && descriptor[0] && !(c->s.cr4 & X86_CR4_PCIDE)) ||
        (type == 0 && !x86_canonical(c, descriptor[1])))
        return x86_raise_gp(c);
    current = !(c->s.cr4 & X86_CR4_PCIDE) || descriptor[0] == (c->s.cr3 & 0xfff);
    if (type == 0 && current)
        x86_tlb_flush_page(c, descriptor[1]);
    else if (type >= 2 || (type == 1 && current))
        x86_tlb_flush(c, type == 2);
    return x86_end(c, i);
}
