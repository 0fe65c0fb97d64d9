// SPDX-License-Identifier: BSD-3-Clause
// The stack: PUSH, POP, PUSHA, POPA, ENTER, LEAVE.
#include "isa/x86/exec/stack.h"

enum x86_result x86_exec_push(struct x86_core *c, const struct x86_insn *i)
{
    u64 v;
    enum x86_result r = x86_read(c, i, 0, &v);

    return r ? r : x86_push(c, v, i->stack_bytes);
}

// A memory destination is addressed with the stack pointer after the pop (SDM vol. 2B POP).
enum x86_result x86_exec_pop(struct x86_core *c, const struct x86_insn *i)
{
    u64 sp = c->s.gpr[X86_RSP], v;
    enum x86_result r = x86_pop(c, &v, i->stack_bytes);

    if (r)
        return r;
    r = x86_write(c, i, 0, v);
    if (r)
        c->s.gpr[X86_RSP] = sp;
    return r;
}

// AX, CX, DX, BX, the old SP, BP, SI, DI; all or nothing.
enum x86_result x86_exec_pusha(struct x86_core *c, const struct x86_insn *i)
{
    u64 sp = c->s.gpr[X86_RSP];

    for (u32 n = 0; n < 8; n++) {
        enum x86_result r = x86_push(c, n == X86_RSP ? sp : c->s.gpr[n], i->stack_bytes);

        if (r) {
            c->s.gpr[X86_RSP] = sp;
            return r;
        }
    }
    return X86_OK;
}

// At a fault, registers that were loaded stay loaded, as on the host; the stack pointer does not
// move.
enum x86_result x86_exec_popa(struct x86_core *c, const struct x86_insn *i)
{
    u64 sp = c->s.gpr[X86_RSP];

    for (u32 n = 8; n-- > 0; sp += i->stack_bytes) {
        u64 v;
        enum x86_result r = x86_stack_load(c, sp, &v, i->stack_bytes);

        if (r)
            return r;
        if (n != X86_RSP)
            x86_put_reg(c, n, i->stack_bytes, v);
    }
    x86_set_stack_pointer(c, sp);
    return X86_OK;
}

// Copies the enclosing procedures' frame pointers to below `sp`, then the new one.
static enum x86_result copy_frames(struct x86_core *c, u32 size, u32 level, u64 *sp, u64 frame)
{
    u64 bp = c->s.gpr[X86_RBP], v;

    for (u32 n = 1; n < level; n++) {
        enum x86_result r;

        bp -= size;
        r = x86_stack_load(c, bp, &v, size);
        if (!r)
            r = x86_stack_store(c, *sp - size, v, size);
        if (r)
            return r;
        *sp -= size;
    }
    *sp -= size;
    return x86_stack_store(c, *sp, frame, size);
}

// ENTER size, level (SDM vol. 2A ENTER).
enum x86_result x86_exec_enter(struct x86_core *c, const struct x86_insn *i)
{
    u32 size = i->stack_bytes, level = i->imm2 & 31;
    u64 sp = c->s.gpr[X86_RSP] - size, frame = sp, linear;
    enum x86_result r = x86_stack_store(c, sp, c->s.gpr[X86_RBP], size);

    if (!r && level)
        r = copy_frames(c, size, level, &sp, frame);
    sp -= (u16)i->imm;
    if (!r) // the new top of the stack must be writable
        r = x86_linear(c, X86_SS, sp & x86_stack_mask(c), size, CORE_WRITE, &linear);
    if (!r)
        r = x86_probe_write(c, linear, size);
    if (r)
        return r;
    x86_put_reg(c, X86_RBP, size, frame);
    x86_set_stack_pointer(c, sp);
    return X86_OK;
}

// rSP = rBP, with the width of the stack; rBP = pop, with the operand size.
enum x86_result x86_exec_leave(struct x86_core *c, const struct x86_insn *i)
{
    u64 frame = c->s.gpr[X86_RBP], v;
    enum x86_result r = x86_stack_load(c, frame, &v, i->stack_bytes);

    if (r)
        return r;
    x86_set_stack_pointer(c, frame + i->stack_bytes);
    x86_put_reg(c, X86_RBP, i->stack_bytes, v);
    return X86_OK;
}
