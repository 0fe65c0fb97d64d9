// SPDX-License-Identifier: BSD-3-Clause
// I/O ports: IN, OUT, INS, OUTS (SDM vol. 1 chapter 19).
#include "isa/x86/exec/system.h"

#include "isa/x86/debug.h"

// The I/O permission bit map of the task state segment decides if IOPL does not allow it.
static enum x86_result check_permission(struct x86_core *c, u16 port, u32 size)
{
    u32 iopl = (u32)(c->s.rflags & X86_IOPL) >> 12, at;
    u64 tss = c->s.seg_base[X86_TR];
    u16 map, bits;

    if (!(c->s.cr0 & X86_CR0_PE) || (!(c->s.rflags & X86_VM) && c->cpl <= iopl))
        return X86_OK;
    if (!(c->s.seg_attr[X86_TR] & 8) || c->s.seg_limit[X86_TR] < 103)
        return x86_raise_gp(c);
    if (x86_load_system(c, tss + 102, &map, 2) != X86_OK)
        return X86_FAULT;
    at = map + port / 8u;
    if (at + 1 > c->s.seg_limit[X86_TR])
        return x86_raise_gp(c);
    if (x86_load_system(c, tss + at, &bits, 2) != X86_OK)
        return X86_FAULT;
    return bits >> port % 8 & ((1u << size) - 1) ? x86_raise_gp(c) : X86_OK;
}

// Nothing answers: all ones.
static u32 port_read(struct x86_core *c, u16 port, u32 size)
{
    u32 v = 0xffffffff;

    x86_note_port_access(c, port, size);
    if (c->io.ops)
        (void)mem_port_access(&c->io, port, size, &v, false);
    return v;
}

static void port_write(struct x86_core *c, u16 port, u32 size, u32 v)
{
    x86_note_port_access(c, port, size);
    if (c->io.ops)
        (void)mem_port_access(&c->io, port, size, &v, true);
}

static u16 port_number(const struct x86_core *c, const struct x86_insn *i, u32 operand)
{
    if (i->o[operand].kind == X86_O_IMM)
        return (u8)i->imm;
    return (u16)c->s.gpr[X86_RDX];
}

enum x86_result x86_exec_in(struct x86_core *c, const struct x86_insn *i)
{
    u16 port = port_number(c, i, 1);
    u32 size = i->o[0].size;
    enum x86_result r = check_permission(c, port, size);

    if (r != X86_OK)
        return r;
    x86_put_reg(c, X86_RAX, size, port_read(c, port, size));
    return x86_end(c, i);
}

enum x86_result x86_exec_out(struct x86_core *c, const struct x86_insn *i)
{
    u16 port = port_number(c, i, 0);
    u32 size = i->o[1].size;
    enum x86_result r = check_permission(c, port, size);

    if (r != X86_OK)
        return r;
    port_write(c, port, size, (u32)x86_get_reg(c, X86_RAX, size));
    return x86_end(c, i);
}

// A port is at most 4 bytes wide: REX.W has no effect.
static u32 io_bytes(const struct x86_insn *i)
{
    return MIN(i->op_bytes, 4u);
}

static bool repeats(const struct x86_insn *i)
{
    return i->prefixes & (X86_REP | X86_REPNE);
}

// One iteration of a string instruction is done: moves the index register and counts.
static enum x86_result end_iteration(struct x86_core *c, const struct x86_insn *i, u32 index)
{
    u64 step = c->s.rflags & X86_DF ? -(u64)io_bytes(i) : io_bytes(i), count;

    x86_put_reg(c, index, i->addr_bytes, x86_get_reg(c, index, i->addr_bytes) + step);
    if (!repeats(i))
        return x86_end(c, i);
    count = x86_get_reg(c, X86_RCX, i->addr_bytes) - 1;
    x86_put_reg(c, X86_RCX, i->addr_bytes, count);
    return x86_get_reg(c, X86_RCX, i->addr_bytes) ? X86_AGAIN : x86_end(c, i);
}

static bool nothing_left(const struct x86_core *c, const struct x86_insn *i)
{
    return repeats(i) && x86_get_reg(c, X86_RCX, i->addr_bytes) == 0;
}

// The destination is checked before the port is read: reading may have side effects.
enum x86_result x86_exec_ins(struct x86_core *c, const struct x86_insn *i)
{
    u16 port = (u16)c->s.gpr[X86_RDX];
    u64 offset = x86_get_reg(c, X86_RDI, i->addr_bytes), linear;
    u32 v;

    if (check_permission(c, port, io_bytes(i)) != X86_OK)
        return X86_FAULT;
    if (nothing_left(c, i))
        return x86_end(c, i);
    if (x86_linear(c, X86_ES, offset, io_bytes(i), CORE_WRITE, &linear) != X86_OK ||
        x86_probe_write(c, linear, io_bytes(i)) != X86_OK)
        return X86_FAULT;
    v = port_read(c, port, io_bytes(i));
    if (x86_store(c, linear, &v, io_bytes(i)) != X86_OK)
        return X86_FAULT;
    return end_iteration(c, i, X86_RDI);
}

enum x86_result x86_exec_outs(struct x86_core *c, const struct x86_insn *i)
{
    u16 port = (u16)c->s.gpr[X86_RDX];
    u64 offset = x86_get_reg(c, X86_RSI, i->addr_bytes), linear;
    u32 v = 0;

    if (check_permission(c, port, io_bytes(i)) != X86_OK)
        return X86_FAULT;
    if (nothing_left(c, i))
        return x86_end(c, i);
    if (x86_linear(c, (enum x86_seg)i->mem.seg, offset, io_bytes(i), CORE_READ, &linear) !=
            X86_OK ||
        x86_load(c, linear, &v, io_bytes(i)) != X86_OK)
        return X86_FAULT;
    port_write(c, port, io_bytes(i), v);
    return end_iteration(c, i, X86_RSI);
}
