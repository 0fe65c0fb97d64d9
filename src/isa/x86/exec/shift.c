// SPDX-License-Identifier: BSD-3-Clause
// Shifts and rotates, and those of BMI2 without flags.
#include "isa/x86/exec/exec.h"

typedef u64 shift_fn(struct x86_core *c, u64 a, u32 n, u32 log2);

static inline enum x86_result shift(struct x86_core *c, const struct x86_insn *i, shift_fn *f)
{
    u32 log2 = x86_operand_log2(i, 0), n;
    struct x86_modify m;
    enum x86_result r;
    u64 count = 0, v;

    x86_read(c, i, 1, &count); // an immediate, or CL
    n = x86_shift_count(count, log2);
    r = x86_modify(c, i, &m);
    if (r)
        return r;
    do {
        v = n ? f(c, m.old, n, log2) : m.old;
    } while (!x86_modify_end(c, &m, v));
    return X86_OK;
}

#define SHIFT(name)                                                               \
    enum x86_result x86_exec_##name(struct x86_core *c, const struct x86_insn *i) \
    {                                                                             \
        return shift(c, i, x86_alu_##name);                                       \
    }

SHIFT(shl)
SHIFT(shr)
SHIFT(sar)
SHIFT(rol)
SHIFT(ror)
SHIFT(rcl)
SHIFT(rcr)

typedef u64 double_shift_fn(struct x86_core *c, u64 a, u64 b, u32 n, u32 log2);

static inline enum x86_result double_shift(struct x86_core *c, const struct x86_insn *i,
                                           double_shift_fn *f)
{
    u32 log2 = x86_operand_log2(i, 0), n;
    struct x86_modify m;
    enum x86_result r;
    u64 count = 0, b = 0, v;

    x86_read(c, i, 1, &b);
    x86_read(c, i, 2, &count);
    n = x86_shift_count(count, log2);
    r = x86_modify(c, i, &m);
    if (r)
        return r;
    do {
        v = n ? f(c, m.old, b, n, log2) : m.old;
    } while (!x86_modify_end(c, &m, v));
    return X86_OK;
}

enum x86_result x86_exec_shld(struct x86_core *c, const struct x86_insn *i)
{
    return double_shift(c, i, x86_alu_shld);
}

enum x86_result x86_exec_shrd(struct x86_core *c, const struct x86_insn *i)
{
    return double_shift(c, i, x86_alu_shrd);
}

// SHLX, SHRX, SARX, RORX: destination, source, count.
static enum x86_result operands(struct x86_core *c, const struct x86_insn *i, u64 *ret_v,
                                u32 *ret_n)
{
    u64 count = 0;
    enum x86_result r = x86_read(c, i, 1, ret_v);

    x86_read(c, i, 2, &count);
    *ret_n = x86_shift_count(count, x86_operand_log2(i, 0));
    return r;
}

enum x86_result x86_exec_shlx(struct x86_core *c, const struct x86_insn *i)
{
    u64 v;
    u32 n;
    enum x86_result r = operands(c, i, &v, &n);

    return r ? r : x86_write(c, i, 0, v << n);
}

enum x86_result x86_exec_shrx(struct x86_core *c, const struct x86_insn *i)
{
    u64 v;
    u32 n;
    enum x86_result r = operands(c, i, &v, &n);

    return r ? r : x86_write(c, i, 0, v >> n);
}

enum x86_result x86_exec_sarx(struct x86_core *c, const struct x86_insn *i)
{
    u64 v;
    u32 n;
    enum x86_result r = operands(c, i, &v, &n);

    if (r)
        return r;
    v = x86_sign_extend(v, x86_operand_log2(i, 0));
    return x86_write(c, i, 0, (u64)((i64)v >> n));
}

enum x86_result x86_exec_rorx(struct x86_core *c, const struct x86_insn *i)
{
    u64 v;
    u32 n, bits = i->o[0].size * 8u;
    enum x86_result r = operands(c, i, &v, &n);

    return r ? r : x86_write(c, i, 0, n ? v >> n | v << (bits - n) : v);
}
