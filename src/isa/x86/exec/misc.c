// SPDX-License-Identifier: BSD-3-Clause
// What is left of user mode: random numbers, range checks, cache hints that can fault.
#include "isa/x86/exec/stack.h"

#include "base/rng.h"

// RDRAND, RDSEED: the core's own generator, which is part of its state. There is always a number.
enum x86_result x86_exec_rdrand(struct x86_core *c, const struct x86_insn *i)
{
    struct rng rng = {.state = c->s.rng};
    u64 v = rng_next(&rng);

    c->s.rng = rng.state;
    x86_flags_put(c, X86_CF);
    return x86_write(c, i, 0, v);
}

// BOUND: #BR unless lower <= index <= upper, all signed.
enum x86_result x86_exec_bound(struct x86_core *c, const struct x86_insn *i)
{
    u32 size = i->o[0].size, log2 = x86_log2(size);
    u64 index = x86_sign_extend(x86_get_gpr(c, i->o[0].offset, size), log2);
    u64 linear, lower = 0, upper = 0;
    enum x86_result r =
        x86_linear(c, (enum x86_seg)i->mem.seg, x86_offset(c, i), 2 * size, CORE_READ, &linear);

    if (!r)
        r = x86_load(c, linear, &lower, size);
    if (!r && (i64)index < (i64)x86_sign_extend(lower, log2))
        return x86_raise(c, X86_EXC_BR);
    if (!r)
        r = x86_load(c, linear + size, &upper, size);
    if (!r && (i64)index > (i64)x86_sign_extend(upper, log2))
        return x86_raise(c, X86_EXC_BR);
    return r;
}

// CLFLUSH, CLFLUSHOPT, CLWB fault as a load does, and read nothing.
enum x86_result x86_exec_clflush(struct x86_core *c, const struct x86_insn *i)
{
    u64 linear;
    paddr page;
    enum x86_result r =
        x86_linear(c, (enum x86_seg)i->mem.seg, x86_offset(c, i), 1, CORE_READ, &linear);

    if (!r)
        r = x86_translate_as(c, linear, CORE_READ, (enum x86_privilege)c->privilege, &page);
    return r;
}
