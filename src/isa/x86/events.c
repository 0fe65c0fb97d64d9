// SPDX-License-Identifier: BSD-3-Clause
// What a core looks at between two blocks: interrupts, NMI, single-step and breakpoint traps, HLT,
// in the order of SDM vol. 3A table 6-2. While something must be looked at after every instruction
// (TF, breakpoints, the shadow of STI and MOV SS) the budget is cut to one instruction at a time.
#include "isa/x86/fault.h"

#include "isa/x86/debug.h"
#include "isa/x86/flags.h"
#include "isa/x86/speculate.h"

#include <string.h>

#define DR6_BS 0x4000u

static void cut_budget(struct x86_core *c, i64 left)
{
    i64 excess = c->core.budget - left;

    if (excess <= 0)
        return;
    c->stolen += excess;
    c->core.budget -= excess;
    c->core.run_budget -= excess;
}

static void restore_budget(struct x86_core *c)
{
    c->core.budget += c->stolen;
    c->core.run_budget += c->stolen;
    c->stolen = 0;
}

void x86_attention(struct x86_core *c)
{
    cut_budget(c, 0);
}

void x86_stop(struct x86_core *c, enum core_exit why)
{
    if (why == CORE_DEBUG || (c->core.stop != CORE_STOP && c->core.stop != CORE_DEBUG))
        c->core.stop = (u8)why;
    x86_attention(c);
}

void x86_events_enter(struct x86_core *c)
{
    c->stolen = 0;
    c->stepped = false;
    if (c->core.speculation) // takes no time
        return;
    c->core.time.insts += c->core.time.ran;
    c->core.time.ran = 0;
}

// Settles what the one instruction of the last check leaves behind. Returns the DR6 bits of a trap.
static u64 after_step(struct x86_core *c)
{
    bool held = c->s.int_shadow == 2 && !c->shadow_seen; // MOV SS holds back debug traps
    u64 dr6 = 0;

    if (c->stepped) {
        if (c->shadow_seen)
            c->s.int_shadow = 0;
        if (c->step_trap && !held)
            dr6 |= DR6_BS;
        if (c->rf_seen)
            c->s.rflags &= ~(u64)X86_RF;
        c->stepped = false;
    }
    if (c->debug_hits && !held) {
        dr6 |= c->debug_hits;
        c->debug_hits = 0;
    }
    return dr6;
}

// The one instruction of the last check is done, but its check would come in another run.
static void settle_step(struct x86_core *c)
{
    u64 dr6;

    if (!c->stepped)
        return;
    dr6 = after_step(c);
    if (dr6 && !c->s.exc_pending) {
        c->s.exc_pending = 1;
        c->s.exc_vector = X86_EXC_DB;
        c->s.exc_has_error = 0;
        c->s.exc_payload = dr6;
    }
}

void x86_events_leave(struct x86_core *c)
{
    c->stolen = 0;
    if (c->core.speculation)
        return;
    c->core.time.ran = core_run_insts(&c->core);
    if (c->core.budget <= 0)
        settle_step(c);
}

static enum core_exit debug_exception(struct x86_core *c, u64 dr6)
{
    x86_raise(c, X86_EXC_DB);
    c->fault.address = dr6;
    return x86_deliver(c);
}

static enum core_exit inject_pending(struct x86_core *c)
{
    c->s.exc_pending = 0;
    c->fault = (struct x86_fault_info){.vector = c->s.exc_vector,
                                       .has_error = c->s.exc_has_error,
                                       .error = (u32)c->s.exc_error,
                                       .address = c->s.exc_payload};
    return x86_deliver(c);
}

// The next block has one instruction if more must be looked at behind it.
static void arm_step(struct x86_core *c)
{
    if (c->core.budget <= 0) // nothing will run before the next check
        return;
    c->step_trap = c->s.rflags & X86_TF;
    c->shadow_seen = c->s.int_shadow != 0;
    c->rf_seen = c->s.rflags & X86_RF;
    c->stepped = c->step_trap || c->shadow_seen || c->rf_seen || x86_breakpoints(c);
    if (c->stepped)
        cut_budget(c, 1);
}

static enum core_exit leave(struct x86_core *c, enum core_exit why)
{
    c->core.exit = why;
    return why;
}

static enum core_exit take_interrupt(struct x86_core *c)
{
    int vector;

    if (!c->irq || !(c->s.rflags & X86_IF) || c->s.int_shadow || (c->debug.hold && !c->s.halted))
        return CORE_CONTINUE;
    vector = c->apic ? c->apic->acknowledge(c->apic_ctx) : -1;
    if (vector < 0)
        return CORE_CONTINUE;
    return x86_interrupt(c, (u8)vector);
}

static enum core_exit look(struct x86_core *c)
{
    enum core_exit r = CORE_CONTINUE;
    u64 dr6;

    if (c->s.wait_for_sipi)
        return leave(c, CORE_HALT);
    dr6 = after_step(c);
    if (c->s.exc_pending)
        r = inject_pending(c);
    else if (dr6)
        r = debug_exception(c, dr6);
    if (r == CORE_CONTINUE && c->s.nmi_pending && !c->s.nmi_masked && c->s.int_shadow != 2)
        r = x86_nmi(c);
    if (r == CORE_CONTINUE)
        r = take_interrupt(c);
    if (r != CORE_CONTINUE)
        return r;
    if (c->s.halted)
        return leave(c, CORE_HALT);
    if (x86_breakpoints(c) && !(c->s.rflags & X86_RF)) {
        dr6 = x86_breakpoint_hits(c, x86_linear_pc(c), 1, 1u << X86_BREAK_EXEC);
        if (dr6)
            r = debug_exception(c, dr6);
    }
    arm_step(c);
    return r;
}

enum core_exit x86_check_events(struct core *core)
{
    struct x86_core *c = x86_core_of(core);
    u32 state = core->stop | c->irq | c->repeating | c->stepped | c->debug_hits | c->s.exc_pending |
                c->s.nmi_pending | c->s.int_shadow | c->s.halted | c->s.wait_for_sipi |
                x86_breakpoints(c);

    enum core_exit r;

    restore_budget(c);
    if (LIKELY(!state && !(c->s.rflags & (X86_TF | X86_RF))))
        return CORE_CONTINUE;
    if (core->stop == CORE_DEBUG) { // before anything else happens
        core->stop = 0;
        settle_step(c);
        return leave(c, CORE_DEBUG);
    }
    r = look(c);
    c->repeating = false;
    if (r == CORE_CONTINUE && core->stop)
        r = leave(c, (enum core_exit)core->stop);
    core->stop = 0;
    return r;
}

bool x86_events_pending(const struct core *core)
{
    const struct x86_core *c = CONTAINER_OF(core, struct x86_core, core);
    const struct x86_arch_state *s = x86_speculation_state(c);

    if (s->exc_pending || s->halted || s->wait_for_sipi || core->stop ||
        (c->debug_hits && !core->speculation))
        return true;
    if (s->nmi_pending && !s->nmi_masked && s->int_shadow != 2)
        return true;
    return (c->irq && (s->rflags & X86_IF) && !s->int_shadow) || (s->rflags & X86_TF);
}

void x86_rflags_write(struct x86_core *c, u64 value, u64 mask)
{
    u64 old = x86_rflags(c), now = (old & ~mask) | (value & mask) | 2;

    if (!x86_code_breakpoints(c)) // then nothing can tell whether it was set
        now &= ~(u64)X86_RF;
    c->s.rflags = now;
    x86_flags_put(c, (u32)now & X86_ARITH_FLAGS);
    if ((old ^ now) & (X86_AC | X86_VM))
        x86_update_mode(c);
    if ((now & (X86_TF | X86_RF)) || (~old & now & X86_IF))
        x86_attention(c);
}

void x86_shadow_set(struct x86_core *c, u8 cause)
{
    c->s.int_shadow = cause;
    c->shadow_seen = false;
    x86_attention(c);
}

void x86_set_irq(struct x86_core *c, bool level)
{
    c->irq = level;
    if (level)
        x86_attention(c);
}

void x86_set_nmi(struct x86_core *c)
{
    x86_speculation_set_nmi(c);
    x86_attention(c);
}

// SDM vol. 3A table 9-1: INIT leaves the vector and x87 registers and most MSRs as they are.
void x86_init_ipi(struct x86_core *c)
{
    struct x86_arch_state old = *x86_speculation_state(c);
    bool bsp = old.apic_base & 1 << 8;

    x86_core_reset(c);
    memcpy(c->s.ymm, old.ymm, sizeof(old.ymm));
    memcpy(c->s.x87, old.x87, sizeof(old.x87));
    c->s.fcw = old.fcw;
    c->s.fsw = old.fsw;
    c->s.ftw = old.ftw;
    c->s.fop = old.fop;
    c->s.fip = old.fip;
    c->s.fdp = old.fdp;
    c->s.fcs = old.fcs;
    c->s.fds = old.fds;
    c->s.mxcsr = old.mxcsr;
    c->s.cr0 = X86_CR0_ET | (old.cr0 & (X86_CR0_NW | X86_CR0_CD));
    c->s.xcr0 = old.xcr0;
    c->s.tsc_aux = old.tsc_aux;
    c->s.tsc_offset = old.tsc_offset;
    c->s.tsc_adjust = old.tsc_adjust;
    c->s.pat = old.pat;
    c->s.apic_base = old.apic_base;
    c->s.misc_enable = old.misc_enable;
    c->s.spec_ctrl = old.spec_ctrl;
    c->s.mtrr_def_type = old.mtrr_def_type;
    memcpy(c->s.mtrr_fixed, old.mtrr_fixed, sizeof(old.mtrr_fixed));
    memcpy(c->s.mtrr_var, old.mtrr_var, sizeof(old.mtrr_var));
    c->s.rng = old.rng;
    c->s.wait_for_sipi = !bsp;
    x86_state_loaded(c);
    x86_attention(c);
}

void x86_startup_ipi(struct x86_core *c, u8 vector)
{
    if (!c->s.wait_for_sipi)
        return;
    c->s.wait_for_sipi = 0;
    c->s.seg_sel[X86_CS] = (u16)(vector << 8);
    c->s.seg_base[X86_CS] = (u64)vector << 12;
    c->s.rip = 0;
    x86_state_loaded(c);
}
