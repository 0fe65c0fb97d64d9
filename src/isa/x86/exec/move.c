// SPDX-License-Identifier: BSD-3-Clause
// Moves: MOV and its relatives, LEA, conditional moves, exchanges, sign extension of the
// accumulator.
#include "isa/x86/exec/exec.h"

// Also MOVZX, MOVNTI; the source is zero-extended by reading it.
enum x86_result x86_exec_mov(struct x86_core *c, const struct x86_insn *i)
{
    u64 v;
    enum x86_result r = x86_read(c, i, 1, &v);

    return r ? r : x86_write(c, i, 0, v);
}

// MOVSX, MOVSXD.
enum x86_result x86_exec_movsx(struct x86_core *c, const struct x86_insn *i)
{
    u64 v;
    enum x86_result r = x86_read(c, i, 1, &v);

    return r ? r : x86_write(c, i, 0, x86_sign_extend(v, x86_operand_log2(i, 1)));
}

enum x86_result x86_exec_lea(struct x86_core *c, const struct x86_insn *i)
{
    x86_put_gpr(c, i->o[0].offset, i->o[0].size, x86_offset(c, i));
    return X86_OK;
}

// The source is read, and a 32-bit destination cleared above, whatever the condition.
enum x86_result x86_exec_cmov(struct x86_core *c, const struct x86_insn *i)
{
    const struct x86_operand *o = &i->o[0];
    u64 v;
    enum x86_result r = x86_read(c, i, 1, &v);

    if (r)
        return r;
    if (!x86_condition(c, i->cc))
        v = x86_get_gpr(c, o->offset, o->size);
    x86_put_gpr(c, o->offset, o->size, v);
    return X86_OK;
}

enum x86_result x86_exec_setcc(struct x86_core *c, const struct x86_insn *i)
{
    return x86_write(c, i, 0, x86_condition(c, i->cc));
}

static u64 reversed(u64 v, u32 size)
{
    return __builtin_bswap64(v) >> (64 - 8 * size);
}

// With 16 bits, which is undefined, the register becomes 0.
enum x86_result x86_exec_bswap(struct x86_core *c, const struct x86_insn *i)
{
    const struct x86_operand *o = &i->o[0];
    u64 v = x86_get_gpr(c, o->offset, o->size);

    x86_put_gpr(c, o->offset, o->size, o->size == 2 ? 0 : reversed(v, o->size));
    return X86_OK;
}

enum x86_result x86_exec_movbe(struct x86_core *c, const struct x86_insn *i)
{
    u64 v;
    enum x86_result r = x86_read(c, i, 1, &v);

    return r ? r : x86_write(c, i, 0, reversed(v, i->o[0].size));
}

// One operand may be in memory, either one; the access is locked always.
enum x86_result x86_exec_xchg(struct x86_core *c, const struct x86_insn *i)
{
    u32 reg = i->o[1].kind == X86_O_MEM ? 0 : 1, other = !reg;
    u32 size = i->o[0].size;
    u64 v = x86_get_gpr(c, i->o[reg].offset, size), linear;
    struct x86_modify m;
    enum x86_result r;

    if (i->o[other].kind == X86_O_GPR) {
        x86_put_gpr(c, i->o[reg].offset, size, x86_get_gpr(c, i->o[other].offset, size));
        x86_put_gpr(c, i->o[other].offset, size, v);
        return X86_OK;
    }
    r = x86_operand_address(c, i, CORE_WRITE, &linear);
    if (!r)
        r = x86_modify_memory(c, linear, size, true, &m);
    if (r)
        return r;
    while (!x86_modify_end(c, &m, v))
        ;
    x86_put_gpr(c, i->o[reg].offset, size, m.old);
    return X86_OK;
}

// CBW, CWDE, CDQE: by operand size.
enum x86_result x86_exec_cbw(struct x86_core *c, const struct x86_insn *i)
{
    u64 v = x86_get_reg(c, X86_RAX, i->op_bytes / 2);

    x86_put_reg(c, X86_RAX, i->op_bytes, x86_sign_extend(v, x86_log2(i->op_bytes) - 1));
    return X86_OK;
}

// CWD, CDQ, CQO.
enum x86_result x86_exec_cwd(struct x86_core *c, const struct x86_insn *i)
{
    u64 v = x86_sign_extend(c->s.gpr[X86_RAX], x86_log2(i->op_bytes));

    x86_put_reg(c, X86_RDX, i->op_bytes, (i64)v < 0 ? ~0ull : 0);
    return X86_OK;
}

// XLAT: AL = [rBX + AL].
enum x86_result x86_exec_xlat(struct x86_core *c, const struct x86_insn *i)
{
    u64 at = c->s.gpr[X86_RBX] + (u8)c->s.gpr[X86_RAX], linear;
    enum x86_result r;
    u8 v;

    if (i->addr_bytes != 8)
        at &= i->addr_bytes == 4 ? 0xffffffff : 0xffff;
    r = x86_linear(c, (enum x86_seg)i->mem.seg, at, 1, CORE_READ, &linear);
    if (!r)
        r = x86_load(c, linear, &v, 1);
    if (!r)
        x86_put_reg(c, X86_RAX, 1, v);
    return r;
}

// Instructions without architectural effect: NOP and its long forms, PAUSE, prefetches, fences
// (one machine's cores execute one after the other), ENDBR.
enum x86_result x86_exec_nop(struct x86_core *c, const struct x86_insn *i)
{
    return X86_OK;
}
