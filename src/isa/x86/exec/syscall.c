// SPDX-License-Identifier: BSD-3-Clause
// System calls and software interrupts.
#include "isa/x86/exec/system.h"

static const struct x86_descriptor flat_code64 = {
    .limit = 0xffffffff,
    .attr = 0xb | X86_ATTR_S | X86_ATTR_P | X86_ATTR_L | X86_ATTR_G,
};
static const struct x86_descriptor flat_code32 = {
    .limit = 0xffffffff,
    .attr = 0xb | X86_ATTR_S | X86_ATTR_P | X86_ATTR_DB | X86_ATTR_G,
};
static const struct x86_descriptor flat_data = {
    .limit = 0xffffffff,
    .attr = 3 | X86_ATTR_S | X86_ATTR_P | X86_ATTR_DB | X86_ATTR_G,
};

// Flat CS and SS of a fast system call or return, at privilege level `cpl`.
static void set_flat(struct x86_core *c, u16 cs, u16 ss, u32 cpl, bool code64)
{
    struct x86_descriptor code = code64 ? flat_code64 : flat_code32, data = flat_data;

    code.attr |= cpl << 5;
    data.attr |= cpl << 5;
    x86_segment_set(c, X86_CS, (u16)((cs & ~3u) | cpl), &code);
    x86_segment_set(c, X86_SS, (u16)((ss & ~3u) | cpl), &data);
    x86_update_mode(c);
}

enum x86_result x86_exec_syscall(struct x86_core *c, const struct x86_insn *i)
{
    u64 flags = x86_rflags(c) & ~(u64)X86_RF;

    if (!(c->s.efer & X86_EFER_SCE) || c->code_mode != X86_CODE64)
        return x86_raise(c, X86_EXC_UD);
    c->s.gpr[X86_RCX] = i->next_pc;
    c->s.gpr[X86_R8 + 3] = flags;
    if (c->core.user_env) {
        c->s.rip = i->next_pc;
        c->core.exit = CORE_SYSCALL;
        return X86_LEAVE;
    }
    x86_rflags_write(c, flags & ~c->s.sfmask, ~0ull);
    set_flat(c, (u16)(c->s.star >> 32), (u16)((c->s.star >> 32 & 0xfffc) + 8), 0, true);
    c->s.rip = c->s.lstar;
    return X86_OK;
}

enum x86_result x86_exec_sysret(struct x86_core *c, const struct x86_insn *i)
{
    u16 base = (u16)(c->s.star >> 48);
    bool to64 = i->op_bytes == 8;
    u64 rip = c->s.gpr[X86_RCX];

    if (!(c->s.efer & X86_EFER_SCE) || c->code_mode != X86_CODE64)
        return x86_raise(c, X86_EXC_UD);
    if (c->cpl != 0 || (to64 && !x86_canonical(c, rip)))
        return x86_raise_gp(c);
    c->s.rip = to64 ? rip : (u32)rip;
    set_flat(c, (u16)(to64 ? base + 16 : base), (u16)(base + 8), 3, to64);
    x86_rflags_write(c, c->s.gpr[X86_R8 + 3] & 0x3c7fd7, ~0ull);
    return X86_OK;
}

enum x86_result x86_exec_sysenter(struct x86_core *c, const struct x86_insn *i)
{
    u16 cs = (u16)(c->s.sysenter_cs & 0xfffc);
    bool wide = x86_long_mode(c);

    if (!(c->s.cr0 & X86_CR0_PE) || cs == 0)
        return x86_raise_gp(c);
    c->s.rflags &= ~(u64)(X86_VM | X86_IF);
    c->s.rip = wide ? c->s.sysenter_eip : (u32)c->s.sysenter_eip;
    c->s.gpr[X86_RSP] = wide ? c->s.sysenter_esp : (u32)c->s.sysenter_esp;
    set_flat(c, cs, (u16)(cs + 8), 0, wide);
    return X86_OK;
}

enum x86_result x86_exec_sysexit(struct x86_core *c, const struct x86_insn *i)
{
    u16 cs = (u16)(c->s.sysenter_cs & 0xfffc);
    bool to64 = i->op_bytes == 8;
    u64 rip = c->s.gpr[X86_RDX], rsp = c->s.gpr[X86_RCX];

    if (!(c->s.cr0 & X86_CR0_PE) || c->cpl != 0 || cs == 0)
        return x86_raise_gp(c);
    if (to64 && (!x86_canonical(c, rip) || !x86_canonical(c, rsp)))
        return x86_raise_gp(c);
    c->s.rip = to64 ? rip : (u32)rip;
    c->s.gpr[X86_RSP] = to64 ? rsp : (u32)rsp;
    set_flat(c, (u16)(cs + (to64 ? 32 : 16)), (u16)(cs + (to64 ? 40 : 24)), 3, to64);
    return X86_OK;
}

enum x86_result x86_exec_int(struct x86_core *c, const struct x86_insn *i)
{
    if ((c->s.rflags & X86_VM) && (c->s.rflags & X86_IOPL) != X86_IOPL)
        return x86_raise_gp(c);
    return x86_software_interrupt(c, (u8)i->imm, i->next_pc);
}

enum x86_result x86_exec_int3(struct x86_core *c, const struct x86_insn *i)
{
    return x86_software_interrupt(c, X86_EXC_BP, i->next_pc);
}

enum x86_result x86_exec_into(struct x86_core *c, const struct x86_insn *i)
{
    if (!(x86_flags_get(c) & X86_OF))
        return x86_end(c, i);
    return x86_software_interrupt(c, X86_EXC_OF, i->next_pc);
}

// INT1 is a debug trap without DPL check, DR6 unchanged.
enum x86_result x86_exec_int1(struct x86_core *c, const struct x86_insn *i)
{
    enum core_exit exit;

    c->s.rip = i->next_pc;
    x86_raise(c, X86_EXC_DB);
    exit = x86_deliver(c);
    if (exit == CORE_CONTINUE)
        return X86_OK;
    c->core.exit = exit;
    return X86_LEAVE;
}
