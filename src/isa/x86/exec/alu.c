// SPDX-License-Identifier: BSD-3-Clause
// Arithmetic and logic with two operands or one (SDM vol. 2: ADD … XOR, INC, DEC, NEG, NOT).
#include "isa/x86/exec/exec.h"

typedef u64 binary_fn(struct x86_core *c, u64 a, u64 b, u32 log2);
typedef u64 unary_fn(struct x86_core *c, u64 a, u32 log2);

static inline enum x86_result binary(struct x86_core *c, const struct x86_insn *i, binary_fn *f)
{
    struct x86_modify m;
    u32 log2 = x86_operand_log2(i, 0);
    u64 b, v;
    enum x86_result r = x86_read(c, i, 1, &b);

    if (!r)
        r = x86_modify(c, i, &m);
    if (r)
        return r;
    do {
        v = f(c, m.old, b, log2);
    } while (!x86_modify_end(c, &m, v));
    return X86_OK;
}

static inline enum x86_result unary(struct x86_core *c, const struct x86_insn *i, unary_fn *f)
{
    struct x86_modify m;
    u32 log2 = x86_operand_log2(i, 0);
    enum x86_result r = x86_modify(c, i, &m);
    u64 v;

    if (r)
        return r;
    do {
        v = f(c, m.old, log2);
    } while (!x86_modify_end(c, &m, v));
    return X86_OK;
}

#define BINARY(name)                                                              \
    enum x86_result x86_exec_##name(struct x86_core *c, const struct x86_insn *i) \
    {                                                                             \
        return binary(c, i, x86_alu_##name);                                      \
    }
#define UNARY(name)                                                               \
    enum x86_result x86_exec_##name(struct x86_core *c, const struct x86_insn *i) \
    {                                                                             \
        return unary(c, i, x86_alu_##name);                                       \
    }

BINARY(add)
BINARY(adc)
BINARY(sub)
BINARY(sbb)
BINARY(and)
BINARY(or)
BINARY(xor)
UNARY(inc)
UNARY(dec)
UNARY(neg)

static u64 complement(struct x86_core *c, u64 a, u32 log2)
{
    return ~a;
}

enum x86_result x86_exec_not(struct x86_core *c, const struct x86_insn *i)
{
    return unary(c, i, complement);
}

enum x86_result x86_exec_cmp(struct x86_core *c, const struct x86_insn *i)
{
    u64 a, b;
    enum x86_result r = x86_read(c, i, 0, &a);

    if (!r)
        r = x86_read(c, i, 1, &b);
    if (r)
        return r;
    x86_alu_sub(c, a, b, x86_operand_log2(i, 0));
    return X86_OK;
}

enum x86_result x86_exec_test(struct x86_core *c, const struct x86_insn *i)
{
    u64 a, b;
    enum x86_result r = x86_read(c, i, 0, &a);

    if (!r)
        r = x86_read(c, i, 1, &b);
    if (r)
        return r;
    x86_alu_and(c, a, b, x86_operand_log2(i, 0));
    return X86_OK;
}

// ADCX, ADOX: an addition with carry in and out of one flag.
static enum x86_result add_with(struct x86_core *c, const struct x86_insn *i, u32 flag)
{
    u32 log2 = x86_operand_log2(i, 0);
    u64 a = x86_get_gpr(c, i->o[0].offset, i->o[0].size), b;
    enum x86_result r = x86_read(c, i, 1, &b);
    u128 sum;

    if (r)
        return r;
    sum = (u128)a + b + (x86_flags_get(c) & flag ? 1 : 0);
    x86_flags_merge(c, flag, sum >> (8u << log2) ? flag : 0);
    x86_put_gpr(c, i->o[0].offset, i->o[0].size, (u64)sum);
    return X86_OK;
}

enum x86_result x86_exec_adcx(struct x86_core *c, const struct x86_insn *i)
{
    return add_with(c, i, X86_CF);
}

enum x86_result x86_exec_adox(struct x86_core *c, const struct x86_insn *i)
{
    return add_with(c, i, X86_OF);
}
