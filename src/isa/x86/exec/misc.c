// SPDX-License-Identifier: BSD-3-Clause
// What is left of user mode: random numbers, time, identification, software interrupts, cache
// hints that can fault.
#include "isa/x86/exec/stack.h"

#include "isa/x86/cpuid.h"
#include "isa/x86/fault.h"

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

static void put_pair(struct x86_core *c, u64 v)
{
    x86_put_reg(c, X86_RAX, 4, v);
    x86_put_reg(c, X86_RDX, 4, v >> 32);
}

// RDTSC ends its block: then the instructions before it have been counted.
enum x86_result x86_exec_rdtsc(struct x86_core *c, const struct x86_insn *i)
{
    if (c->s.cr4 & X86_CR4_TSD && c->cpl != 0)
        return x86_raise_gp(c);
    put_pair(c, x86_tsc(c));
    c->s.rip = i->next_pc;
    return X86_OK;
}

enum x86_result x86_exec_rdtscp(struct x86_core *c, const struct x86_insn *i)
{
    enum x86_result r = x86_exec_rdtsc(c, i);

    if (!r)
        x86_put_reg(c, X86_RCX, 4, c->s.tsc_aux);
    return r;
}

enum x86_result x86_exec_rdpid(struct x86_core *c, const struct x86_insn *i)
{
    return x86_write(c, i, 0, c->s.tsc_aux);
}

enum x86_result x86_exec_cpuid(struct x86_core *c, const struct x86_insn *i)
{
    u32 regs[4];

    x86_cpuid(c, (u32)c->s.gpr[X86_RAX], (u32)c->s.gpr[X86_RCX], regs);
    c->s.gpr[X86_RAX] = regs[0];
    c->s.gpr[X86_RBX] = regs[1];
    c->s.gpr[X86_RCX] = regs[2];
    c->s.gpr[X86_RDX] = regs[3];
    return X86_OK;
}

enum x86_result x86_exec_int3(struct x86_core *c, const struct x86_insn *i)
{
    return x86_software_interrupt(c, X86_EXC_BP, i->next_pc);
}

enum x86_result x86_exec_int(struct x86_core *c, const struct x86_insn *i)
{
    if (c->s.rflags & X86_VM && (c->s.rflags & X86_IOPL) != X86_IOPL)
        return x86_raise_gp(c);
    return x86_software_interrupt(c, (u8)i->imm, i->next_pc);
}

enum x86_result x86_exec_into(struct x86_core *c, const struct x86_insn *i)
{
    if (x86_flags_get(c) & X86_OF)
        return x86_software_interrupt(c, X86_EXC_OF, i->next_pc);
    c->s.rip = i->next_pc;
    return X86_OK;
}

// INT1 (ICEBP): the debug exception, as a trap.
enum x86_result x86_exec_int1(struct x86_core *c, const struct x86_insn *i)
{
    c->s.rip = i->next_pc;
    return x86_raise(c, X86_EXC_DB);
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
    if (!r)
        r = x86_load(c, linear + size, &upper, size);
    if (r)
        return r;
    if ((i64)index < (i64)x86_sign_extend(lower, log2) ||
        (i64)index > (i64)x86_sign_extend(upper, log2))
        return x86_raise(c, X86_EXC_BR);
    return X86_OK;
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
