// SPDX-License-Identifier: BSD-3-Clause
// Delivery of exceptions and interrupts through the IDT: SDM vol. 3A §6.8 to §6.15, §20.1.4 (real
// mode), §20.3 (virtual-8086 mode).
#include "isa/x86/fault.h"

#include "base/bug.h"
#include "isa/x86/flags.h"
#include "isa/x86/segment.h"
#include "isa/x86/task.h"

enum kind { EXCEPTION, SOFTWARE, EXTERNAL };

struct delivery {
    u8 vector;
    u8 kind; // enum kind
    bool has_error;
    u32 error;
    u64 rip; // to return to
};

// An interrupt or trap gate, and where it leads.
struct entry {
    u64 offset;
    u16 sel;
    u8 type; // of the gate: enum x86_system_type
    u8 ist;
    u8 bytes; // of a stack slot
    u32 ext;
    struct x86_descriptor code;
    u32 cpl; // of the handler
};

static u32 vector_error(const struct delivery *e, u32 ext)
{
    return e->vector * 8u + 2 + ext;
}

// RFLAGS as the handler's frame shows it: RF is set for faults, so that the instruction's own
// breakpoint does not hit again (§17.3.1.1).
static u64 saved_flags(const struct x86_core *c, const struct delivery *e)
{
    bool fault = e->kind == EXCEPTION && e->vector != X86_EXC_DB && e->vector != X86_EXC_BP &&
                 e->vector != X86_EXC_OF && e->vector != X86_EXC_DF && e->vector != X86_EXC_MC;

    return x86_rflags(c) | (fault || c->repeating ? X86_RF : 0);
}

static void clear_flags(struct x86_core *c, bool interrupt_gate)
{
    x86_flags_commit(c);
    c->s.rflags &= ~(u64)(X86_TF | X86_NT | X86_RF | X86_VM | (interrupt_gate ? X86_IF : 0));
}

static enum x86_result enter_real(struct x86_core *c, const struct delivery *e)
{
    struct x86_stack st;
    u32 vector = e->vector * 4u;
    u16 to[2];

    if (vector + 3 > c->s.idt_limit)
        return x86_raise_gp(c);
    if (x86_load_system(c, c->s.idt_base + vector, to, 4) != X86_OK)
        return X86_FAULT;
    x86_stack_current(c, &st);
    if (x86_stack_push(c, &st, x86_rflags(c), 2) != X86_OK ||
        x86_stack_push(c, &st, c->s.seg_sel[X86_CS], 2) != X86_OK ||
        x86_stack_push(c, &st, e->rip, 2) != X86_OK)
        return X86_FAULT;
    x86_stack_commit(c, &st);
    clear_flags(c, true);
    c->s.rflags &= ~(u64)X86_AC;
    x86_segment_set_real(c, X86_CS, to[1]);
    c->s.rip = to[0];
    return X86_OK;
}

// Finds the gate. A task gate gives type X86_TYPE_TASK and sel only.
static enum x86_result read_gate(struct x86_core *c, const struct delivery *e, struct entry *n)
{
    bool wide = x86_long_mode(c);
    u32 size = wide ? 16 : 8, at = e->vector * size;
    u64 gate[2] = {0};
    u32 type, dpl;

    if (at + size - 1 > c->s.idt_limit)
        return x86_raise_error(c, X86_EXC_GP, vector_error(e, n->ext));
    if (x86_load_system(c, c->s.idt_base + at, gate, size) != X86_OK)
        return X86_FAULT;
    type = gate[0] >> 40 & 0x1f;
    dpl = gate[0] >> 45 & 3;
    if (wide ? type != X86_TYPE_INT && type != X86_TYPE_TRAP
             : type < X86_TYPE_TASK || (type > X86_TYPE_TRAP16 && type < X86_TYPE_INT) ||
                   type > X86_TYPE_TRAP)
        return x86_raise_error(c, X86_EXC_GP, vector_error(e, n->ext));
    if (e->kind == SOFTWARE && dpl < c->cpl)
        return x86_raise_error(c, X86_EXC_GP, vector_error(e, n->ext));
    if (!(gate[0] >> 47 & 1))
        return x86_raise_error(c, X86_EXC_NP, vector_error(e, n->ext));
    n->sel = (u16)(gate[0] >> 16);
    n->type = (u8)type;
    n->offset = (gate[0] & 0xffff) | (gate[0] >> 32 & 0xffff0000) | (wide ? gate[1] << 32 : 0);
    n->ist = wide ? gate[0] >> 32 & 7 : 0;
    n->bytes = wide ? 8 : type & 8 ? 4 : 2;
    if (n->bytes == 2)
        n->offset &= 0xffff;
    return X86_OK;
}

static enum x86_result check_handler(struct x86_core *c, struct entry *n)
{
    u32 error = X86_SEL_ERROR(n->sel) | n->ext;
    bool wide = x86_long_mode(c);

    if (X86_SEL_NULL(n->sel))
        return x86_raise_error(c, X86_EXC_GP, n->ext);
    if (x86_descriptor_read(c, n->sel, X86_EXC_GP, n->ext, &n->code) != X86_OK)
        return X86_FAULT;
    if (!x86_is_code(n->code.attr) || X86_ATTR_DPL(n->code.attr) > c->cpl ||
        (wide && (n->code.attr & (X86_ATTR_L | X86_ATTR_DB)) != X86_ATTR_L))
        return x86_raise_error(c, X86_EXC_GP, error);
    if (!(n->code.attr & X86_ATTR_P))
        return x86_raise_error(c, X86_EXC_NP, error);
    n->cpl = x86_is_conforming(n->code.attr) ? c->cpl : X86_ATTR_DPL(n->code.attr);
    if ((c->s.rflags & X86_VM) && n->cpl != 0)
        return x86_raise_error(c, X86_EXC_GP, error);
    return x86_descriptor_touch(c, n->sel, &n->code);
}

// IA-32e mode: the stack of the interrupt stack table, of the inner level, or the current one.
static enum x86_result stack64(struct x86_core *c, const struct entry *n, struct x86_stack *st)
{
    u64 sp = c->s.gpr[X86_RSP];
    u32 at = 36 + 8 * (n->ist - 1u);
    u16 ss;

    if (n->ist) {
        if (at + 7 > c->s.seg_limit[X86_TR])
            return x86_raise_error(c, X86_EXC_TS, X86_SEL_ERROR(c->s.seg_sel[X86_TR]) | n->ext);
        if (x86_load_system(c, c->s.seg_base[X86_TR] + at, &sp, 8) != X86_OK)
            return X86_FAULT;
    } else if (n->cpl < c->cpl && x86_inner_stack(c, n->cpl, n->ext, &ss, &sp) != X86_OK) {
        return X86_FAULT;
    }
    *st = (struct x86_stack){.sp = sp & ~15ull,
                             .mask = ~0ull,
                             .flat = true,
                             .privilege = n->cpl == 3 ? X86_USER : X86_SUPERVISOR,
                             .error = n->ext};
    return X86_OK;
}

static enum x86_result push_frame(struct x86_core *c, struct x86_stack *st,
                                  const struct delivery *e, u32 bytes, bool with_stack)
{
    if (with_stack && (x86_stack_push(c, st, c->s.seg_sel[X86_SS], bytes) != X86_OK ||
                       x86_stack_push(c, st, c->s.gpr[X86_RSP], bytes) != X86_OK))
        return X86_FAULT;
    if (x86_stack_push(c, st, saved_flags(c, e), bytes) != X86_OK ||
        x86_stack_push(c, st, c->s.seg_sel[X86_CS], bytes) != X86_OK ||
        x86_stack_push(c, st, e->rip, bytes) != X86_OK)
        return X86_FAULT;
    return e->has_error ? x86_stack_push(c, st, e->error, bytes) : X86_OK;
}

static void set_handler(struct x86_core *c, const struct entry *n)
{
    clear_flags(c, (n->type & 1) == 0);
    x86_segment_set(c, X86_CS, (u16)((n->sel & ~3u) | n->cpl), &n->code);
    c->s.rip = n->offset;
}

static enum x86_result enter64(struct x86_core *c, const struct delivery *e, const struct entry *n)
{
    struct x86_stack st;

    if (!x86_canonical(c, n->offset))
        return x86_raise_error(c, X86_EXC_GP, n->ext);
    if (stack64(c, n, &st) != X86_OK || push_frame(c, &st, e, 8, true) != X86_OK)
        return X86_FAULT;
    if (n->cpl < c->cpl)
        x86_segment_set_null(c, X86_SS, (u16)n->cpl);
    c->s.gpr[X86_RSP] = st.sp;
    set_handler(c, n);
    return X86_OK;
}

static enum x86_result enter32(struct x86_core *c, const struct delivery *e, const struct entry *n)
{
    static const u8 data_segs[] = {X86_GS, X86_FS, X86_DS, X86_ES}; // as they are pushed
    bool inner = n->cpl < c->cpl, v86 = c->s.rflags & X86_VM;
    struct x86_descriptor ss;
    struct x86_stack st;
    u64 sp;
    u16 sel = 0;

    if (inner) {
        if (x86_inner_stack(c, n->cpl, n->ext, &sel, &sp) != X86_OK ||
            x86_stack_segment_check(c, sel, n->cpl, X86_EXC_TS, n->ext, &ss) != X86_OK)
            return X86_FAULT;
        x86_stack_new(&ss, sp, n->cpl, false, X86_SEL_ERROR(sel) | n->ext, &st);
    } else {
        x86_stack_current(c, &st);
        st.error = n->ext;
    }
    for (u32 i = 0; v86 && i < ARRAY_SIZE(data_segs); i++)
        if (x86_stack_push(c, &st, c->s.seg_sel[data_segs[i]], n->bytes) != X86_OK)
            return X86_FAULT;
    if (push_frame(c, &st, e, n->bytes, inner) != X86_OK)
        return X86_FAULT;
    if (n->offset > n->code.limit)
        return x86_raise_error(c, X86_EXC_GP, n->ext);
    set_handler(c, n);
    if (inner)
        x86_segment_set(c, X86_SS, sel, &ss);
    x86_stack_commit(c, &st);
    for (u32 i = 0; v86 && i < ARRAY_SIZE(data_segs); i++)
        x86_segment_set_null(c, (enum x86_seg)data_segs[i], 0);
    return X86_OK;
}

static enum x86_result enter_task(struct x86_core *c, const struct delivery *e,
                                  const struct entry *n)
{
    u64 before = c->s.rflags;
    enum x86_result r;

    c->s.rflags |= saved_flags(c, e) & X86_RF;
    r = x86_task_switch(c, n->sel, X86_TASK_INTERRUPT, n->ext, e->rip,
                        e->has_error ? &e->error : NULL);
    if (r != X86_OK && c->s.rip == e->rip) // still in the old task
        c->s.rflags = before;
    return r;
}

// Takes the event to its handler; on a fault no register has changed.
static enum x86_result enter(struct x86_core *c, const struct delivery *e)
{
    struct entry n = {.ext = e->kind != SOFTWARE};
    enum x86_result r;

    if (!(c->s.cr0 & X86_CR0_PE))
        return enter_real(c, e);
    r = read_gate(c, e, &n);
    if (r == X86_OK && n.type == X86_TYPE_TASK)
        return enter_task(c, e, &n);
    if (r == X86_OK)
        r = check_handler(c, &n);
    if (r != X86_OK)
        return r;
    return x86_long_mode(c) ? enter64(c, e, &n) : enter32(c, e, &n);
}

static bool contributory(u8 vector)
{
    return vector == X86_EXC_DE || (vector >= X86_EXC_TS && vector <= X86_EXC_GP);
}

// The event that follows when *second comes up while the first one is being delivered (SDM vol. 3A
// tables 6-4 and 6-5). False: shutdown.
static bool combine(const struct delivery *first, struct delivery *second)
{
    if (first->kind != EXCEPTION)
        return true;
    if (first->vector == X86_EXC_DF &&
        (contributory(second->vector) || second->vector == X86_EXC_PF))
        return false;
    if ((contributory(first->vector) && contributory(second->vector)) ||
        (first->vector == X86_EXC_PF &&
         (contributory(second->vector) || second->vector == X86_EXC_PF)))
        *second = (struct delivery){.vector = X86_EXC_DF, .has_error = true, .rip = second->rip};
    return true;
}

static struct delivery pending_fault(const struct x86_core *c, u64 rip)
{
    return (struct delivery){.vector = c->fault.vector,
                             .has_error = c->fault.has_error,
                             .error = c->fault.error,
                             .rip = rip};
}

static void note_fault(struct x86_core *c)
{
    if (c->fault.vector == X86_EXC_PF)
        c->s.cr2 = c->fault.address;
    if (c->fault.vector == X86_EXC_DB) {
        c->s.dr[6] = (c->s.dr[6] & ~0xfull) | c->fault.address;
        c->s.dr[7] &= ~(1ull << 13); // GD
    }
}

static enum core_exit deliver(struct x86_core *c, struct delivery e)
{
    c->stepped = false;
    c->s.halted = 0;
    c->s.int_shadow = 0;
    c->core.link = NULL;    // the block before was on its way to somewhere else
    if (c->core.budget > 0) // counts as an instruction: some guests do nothing but fault
        c->core.budget--;
    while (enter(c, &e) != X86_OK) {
        struct delivery next = pending_fault(c, c->s.rip); // a task switch may have changed it

        note_fault(c);
        if (!combine(&e, &next)) {
            c->core.exit = CORE_SHUTDOWN;
            return CORE_SHUTDOWN;
        }
        e = next;
    }
    x86_update_mode(c);
    return CORE_CONTINUE;
}

enum core_exit x86_deliver(struct x86_core *c)
{
    if (c->core.speculation) {
        c->core.exit = CORE_WRONG_PATH;
        return CORE_WRONG_PATH;
    }
    if (c->core.user_env) {
        c->core.exit = CORE_EXCEPTION;
        return CORE_EXCEPTION;
    }
    note_fault(c);
    return deliver(c, pending_fault(c, c->s.rip));
}

enum core_exit x86_interrupt(struct x86_core *c, u8 vector)
{
    return deliver(c, (struct delivery){.vector = vector, .kind = EXTERNAL, .rip = c->s.rip});
}

enum core_exit x86_nmi(struct x86_core *c)
{
    c->s.nmi_pending = 0;
    c->s.nmi_masked = 1;
    return deliver(c, (struct delivery){.vector = X86_EXC_NMI, .kind = EXTERNAL, .rip = c->s.rip});
}

enum x86_result x86_software_interrupt(struct x86_core *c, u8 vector, u64 next_rip)
{
    struct delivery e = {.vector = vector, .kind = SOFTWARE, .rip = next_rip};
    enum x86_result r;

    if (c->core.user_env) { // a trap of the program; the environment finds rip behind it
        if (vector != X86_EXC_BP && vector != X86_EXC_OF)
            return x86_raise_error(c, X86_EXC_GP, vector_error(&e, 0));
        x86_raise(c, (enum x86_vector)vector);
        c->s.rip = next_rip;
        c->core.exit = CORE_EXCEPTION;
        return X86_LEAVE;
    }
    r = enter(c, &e);
    if (r == X86_OK) {
        c->stepped = false;
        x86_update_mode(c);
    }
    return r;
}
