// SPDX-License-Identifier: BSD-3-Clause
// The stack, and transfers of control inside a code segment.
#pragma once

#include "isa/x86/exec/exec.h"

// The bits of the stack pointer that count (SDM vol. 1 §6.2.3).
static inline u64 x86_stack_mask(const struct x86_core *c)
{
    if (LIKELY(c->code_mode == X86_CODE64))
        return ~0ull;
    return c->mode & X86_MODE_STACK32 ? 0xffffffff : 0xffff;
}

static inline u64 x86_stack_pointer(const struct x86_core *c)
{
    return c->s.gpr[X86_RSP] & x86_stack_mask(c);
}

static inline void x86_set_stack_pointer(struct x86_core *c, u64 v)
{
    u64 mask = x86_stack_mask(c);

    // ESP alone is 32 bits of RSP, and the upper half is zero then.
    if (mask == 0xffff)
        c->s.gpr[X86_RSP] = (c->s.gpr[X86_RSP] & ~mask) | (v & mask);
    else
        c->s.gpr[X86_RSP] = v & mask;
}

// Stores or loads `size` bytes at an offset of the stack pointer's in the stack segment; the stack
// pointer stays.
static inline enum x86_result x86_stack_store(struct x86_core *c, u64 at, u64 v, u32 size)
{
    u64 linear;
    enum x86_result r = x86_linear(c, X86_SS, at & x86_stack_mask(c), size, CORE_WRITE, &linear);

    return r ? r : x86_store(c, linear, &v, size);
}

static inline enum x86_result x86_stack_load(struct x86_core *c, u64 at, u64 *ret, u32 size)
{
    u64 linear;
    enum x86_result r = x86_linear(c, X86_SS, at & x86_stack_mask(c), size, CORE_READ, &linear);

    if (r)
        return r;
    *ret = 0;
    return x86_load(c, linear, ret, size);
}

static inline enum x86_result x86_push(struct x86_core *c, u64 v, u32 size)
{
    u64 sp = c->s.gpr[X86_RSP] - size;
    enum x86_result r = x86_stack_store(c, sp, v, size);

    if (LIKELY(!r))
        x86_set_stack_pointer(c, sp);
    return r;
}

static inline enum x86_result x86_pop(struct x86_core *c, u64 *ret, u32 size)
{
    u64 sp = c->s.gpr[X86_RSP];
    enum x86_result r = x86_stack_load(c, sp, ret, size);

    if (LIKELY(!r))
        x86_set_stack_pointer(c, sp + size);
    return r;
}

// Checks a target inside the code segment: canonical, or within the limit. #GP(0).
enum x86_result x86_check_target_slow(struct x86_core *c, u64 target);

static inline enum x86_result x86_check_target(struct x86_core *c, u64 target)
{
    if (LIKELY(c->code_mode == X86_CODE64 && (i64)(target << 16) >> 16 == (i64)target))
        return X86_OK;
    return x86_check_target_slow(c, target);
}

// A near jump: sets rip, or #GP(0).
static inline enum x86_result x86_jump(struct x86_core *c, u64 target)
{
    enum x86_result r = x86_check_target(c, target);

    if (LIKELY(!r))
        c->s.rip = target;
    return r;
}
