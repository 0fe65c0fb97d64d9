// SPDX-License-Identifier: BSD-3-Clause
// Near transfers of control. All of these end a block and set rip.
#include "isa/x86/exec/stack.h"

enum x86_result x86_exec_jmp(struct x86_core *c, const struct x86_insn *i)
{
    u64 target = i->si.target;

    if (i->o[0].kind != X86_O_REL) {
        enum x86_result r = x86_read(c, i, 0, &target);

        if (r)
            return r;
    }
    return x86_jump(c, target);
}

enum x86_result x86_exec_jcc(struct x86_core *c, const struct x86_insn *i)
{
    return x86_jump(c, x86_condition(c, i->cc) ? i->si.target : i->next_pc);
}

enum x86_result x86_exec_call(struct x86_core *c, const struct x86_insn *i)
{
    u64 target = i->si.target, sp;
    enum x86_result r = X86_OK;

    if (i->o[0].kind != X86_O_REL)
        r = x86_read(c, i, 0, &target);
    if (r)
        return r;
    // Processors have stored the return address when they find the target not canonical.
    sp = c->s.gpr[X86_RSP] - i->stack_bytes;
    r = x86_stack_store(c, sp, i->next_pc, i->stack_bytes);
    if (!r)
        r = x86_jump(c, target);
    if (!r)
        x86_set_stack_pointer(c, sp);
    return r;
}

// RET, and RET n, which releases n more bytes.
enum x86_result x86_exec_ret(struct x86_core *c, const struct x86_insn *i)
{
    u64 target;
    enum x86_result r = x86_stack_load(c, c->s.gpr[X86_RSP], &target, i->stack_bytes);

    if (!r)
        r = x86_jump(c, target);
    if (!r)
        x86_set_stack_pointer(c, c->s.gpr[X86_RSP] + i->stack_bytes +
                                     (i->n_operands ? (u16)i->imm : 0));
    return r;
}

// JCXZ, JECXZ, JRCXZ: by address size.
enum x86_result x86_exec_jcxz(struct x86_core *c, const struct x86_insn *i)
{
    bool taken = x86_get_reg(c, X86_RCX, i->addr_bytes) == 0;

    return x86_jump(c, taken ? i->si.target : i->next_pc);
}

// rCX counts only if the jump is allowed.
static enum x86_result loop(struct x86_core *c, const struct x86_insn *i, bool also)
{
    u64 count = x86_get_reg(c, X86_RCX, i->addr_bytes) - 1;
    bool taken = x86_zero_extend(count, x86_log2(i->addr_bytes)) != 0 && also;
    enum x86_result r = x86_jump(c, taken ? i->si.target : i->next_pc);

    if (!r)
        x86_put_reg(c, X86_RCX, i->addr_bytes, count);
    return r;
}

enum x86_result x86_exec_loop(struct x86_core *c, const struct x86_insn *i)
{
    return loop(c, i, true);
}

enum x86_result x86_exec_loope(struct x86_core *c, const struct x86_insn *i)
{
    return loop(c, i, x86_flags_get(c) & X86_ZF);
}

enum x86_result x86_exec_loopne(struct x86_core *c, const struct x86_insn *i)
{
    return loop(c, i, !(x86_flags_get(c) & X86_ZF));
}
