// SPDX-License-Identifier: BSD-3-Clause
// Multiplications and divisions.
#include "isa/x86/exec/exec.h"

typedef u64 multiply_fn(struct x86_core *c, u64 a, u64 b, u32 log2, u64 *ret_high);
typedef bool divide_fn(u64 high, u64 low, u64 by, u32 log2, u64 *ret_quotient, u64 *ret_remainder);

// rDX:rAX, or AX for bytes.
static void put_pair(struct x86_core *c, u32 size, u64 high, u64 low)
{
    if (size == 1) {
        x86_put_reg(c, X86_RAX, 2, (high & 0xff) << 8 | (low & 0xff));
    } else {
        x86_put_reg(c, X86_RAX, size, low);
        x86_put_reg(c, X86_RDX, size, high);
    }
}

static inline enum x86_result multiply(struct x86_core *c, const struct x86_insn *i, multiply_fn *f)
{
    u32 size = i->o[0].size;
    u64 v, high;
    enum x86_result r = x86_read(c, i, 0, &v);

    if (r)
        return r;
    v = f(c, x86_get_reg(c, X86_RAX, size), v, x86_log2(size), &high);
    put_pair(c, size, high, v);
    return X86_OK;
}

enum x86_result x86_exec_mul(struct x86_core *c, const struct x86_insn *i)
{
    return multiply(c, i, x86_alu_mul);
}

// With one, two or three operands.
enum x86_result x86_exec_imul(struct x86_core *c, const struct x86_insn *i)
{
    u64 a, b;
    enum x86_result r;

    if (i->n_operands == 1)
        return multiply(c, i, x86_alu_imul);
    r = x86_read(c, i, i->n_operands - 2, &a);
    if (!r)
        r = x86_read(c, i, i->n_operands - 1, &b);
    if (r)
        return r;
    return x86_write(c, i, 0, x86_alu_imul(c, a, b, x86_operand_log2(i, 0), NULL));
}

// High half, low half, source; RDX implied. The high half wins if both are the same register.
enum x86_result x86_exec_mulx(struct x86_core *c, const struct x86_insn *i)
{
    u32 size = i->o[0].size;
    u64 v;
    u128 p;
    enum x86_result r = x86_read(c, i, 2, &v);

    if (r)
        return r;
    p = (u128)v * x86_get_reg(c, X86_RDX, size);
    x86_put_gpr(c, i->o[1].offset, size, (u64)p);
    x86_put_gpr(c, i->o[0].offset, size, (u64)(p >> (8 * size)));
    return X86_OK;
}

static inline enum x86_result divide(struct x86_core *c, const struct x86_insn *i, divide_fn *f)
{
    u32 size = i->o[0].size;
    u64 v, high, low, quotient, remainder;
    enum x86_result r = x86_read(c, i, 0, &v);

    if (r)
        return r;
    low = x86_get_reg(c, X86_RAX, size);
    high = size == 1 ? (u8)(c->s.gpr[X86_RAX] >> 8) : x86_get_reg(c, X86_RDX, size);
    if (!f(high, low, v, x86_log2(size), &quotient, &remainder))
        return x86_raise(c, X86_EXC_DE);
    put_pair(c, size, remainder, quotient);
    return X86_OK;
}

enum x86_result x86_exec_div(struct x86_core *c, const struct x86_insn *i)
{
    return divide(c, i, x86_alu_div);
}

enum x86_result x86_exec_idiv(struct x86_core *c, const struct x86_insn *i)
{
    return divide(c, i, x86_alu_idiv);
}
