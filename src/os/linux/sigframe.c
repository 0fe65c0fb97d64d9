// SPDX-License-Identifier: BSD-3-Clause
// The frame of a signal handler as x86-64 Linux lays it out (struct rt_sigframe of the kernel's
// arch/x86: return address, ucontext, siginfo; the XSAVE area above it, 64-byte aligned, standard
// format, with the software-reserved bytes that say how large it is).
#include "isa/x86/core.h"
#include "os/linux/kernel.h"
#include "os/linux/signal.h"

#include <string.h>
#include <ucontext.h>

enum {
    RED_ZONE = 128,
    FXSAVE_BYTES = 512,
    XSAVE_HEADER = 512,  // offset
    XSAVE_YMM = 576,     // offset
    XSAVE_BYTES = 832,   // x87, SSE, header, YMM
    SW_RESERVED = 464,   // offset in the FXSAVE image
    SEGMENT_CODE = 0x33, // what Linux gives to user code
    SEGMENT_DATA = 0x2b,
    UC_FP_XSTATE = 1,
    UC_SIGCONTEXT_SS = 2,
    UC_STRICT_RESTORE_SS = 4,
};
#define XSTATE_MAGIC1 0x46505853u
#define XSTATE_MAGIC2 0x46505845u
#define FRAME_FLAGS_KEPT (X86_ARITH_FLAGS | X86_DF | X86_TF | X86_AC | X86_ID)

struct sw_reserved {
    u32 magic1, extended_bytes;
    u64 features;
    u32 xstate_bytes, pad[7];
};

struct kernel_sigcontext {
    u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    u16 cs, gs, fs, ss;
    u64 error, trap, old_mask, cr2, fpstate, reserved[8];
};

struct kernel_ucontext {
    u64 flags, link, stack, stack_flags, stack_bytes;
    struct kernel_sigcontext mc;
    u64 mask;
};

struct rt_sigframe {
    u64 return_address;
    struct kernel_ucontext uc;
    siginfo_t info;
};
_Static_assert(sizeof(struct kernel_sigcontext) == 256 && sizeof(struct kernel_ucontext) == 304 &&
                   sizeof(siginfo_t) == 128,
               "the layout of the kernel");

static const u8 register_order[17] = {8,       9,       10,      11,      12,      13,
                                      14,      15,      X86_RDI, X86_RSI, X86_RBP, X86_RBX,
                                      X86_RDX, X86_RAX, X86_RCX, X86_RSP, 16};

// The abridged tag word names physical registers; the image of FXSAVE holds them from TOP on.
static void put_fxsave(const struct x86_arch_state *s, u8 *image)
{
    u32 top = s->fsw >> 11 & 7;
    u32 mxcsr_mask = 0xffff;
    u8 ftw = (u8)s->ftw;

    memset(image, 0, FXSAVE_BYTES);
    memcpy(image, &s->fcw, 2);
    memcpy(image + 2, &s->fsw, 2);
    image[4] = ftw;
    memcpy(image + 6, &s->fop, 2);
    memcpy(image + 8, &s->fip, 8);
    memcpy(image + 16, &s->fdp, 8);
    memcpy(image + 24, &s->mxcsr, 4);
    memcpy(image + 28, &mxcsr_mask, 4);
    for (u32 i = 0; i < 8; i++)
        memcpy(image + 32 + i * 16, &s->x87[(top + i) % 8 * 16], 10);
    for (u32 i = 0; i < 16; i++)
        memcpy(image + 160 + i * 16, &s->ymm[i * 4], 16);
}

static void get_fxsave(struct x86_arch_state *s, const u8 *image)
{
    u32 top;

    memcpy(&s->fcw, image, 2);
    memcpy(&s->fsw, image + 2, 2);
    s->ftw = image[4];
    memcpy(&s->fop, image + 6, 2);
    memcpy(&s->fip, image + 8, 8);
    memcpy(&s->fdp, image + 16, 8);
    memcpy(&s->mxcsr, image + 24, 4);
    s->mxcsr &= 0xffff;
    top = s->fsw >> 11 & 7;
    for (u32 i = 0; i < 8; i++)
        memcpy(&s->x87[(top + i) % 8 * 16], image + 32 + i * 16, 10);
    for (u32 i = 0; i < 16; i++)
        memcpy(&s->ymm[i * 4], image + 160 + i * 16, 16);
}

static u64 fpstate_bytes(const struct x86_arch_state *s)
{
    return s->xcr0 & 4 ? XSAVE_BYTES + 4 : s->xcr0 & 2 ? XSAVE_YMM + 4 : FXSAVE_BYTES;
}

static bool push_fpstate(struct task *t, const struct x86_arch_state *s, vaddr va)
{
    u8 image[XSAVE_BYTES + 4] = {0};
    u64 bytes = fpstate_bytes(s), features = s->xcr0;
    u32 magic2 = XSTATE_MAGIC2;
    struct sw_reserved sw = {.magic1 = XSTATE_MAGIC1,
                             .extended_bytes = (u32)bytes,
                             .features = features,
                             .xstate_bytes = (u32)bytes - 4};

    put_fxsave(s, image);
    if (features & 2) {
        memcpy(image + SW_RESERVED, &sw, sizeof(sw));
        memcpy(image + XSAVE_HEADER, &features, 8);
        for (u32 i = 0; i < 16 && (features & 4); i++)
            memcpy(image + XSAVE_YMM + i * 16, &s->ymm[i * 4 + 2], 16);
        memcpy(image + bytes - 4, &magic2, 4);
    }
    return mm_write(t->mm, va, image, bytes);
}

static bool pop_fpstate(struct task *t, struct x86_arch_state *s, vaddr va)
{
    u8 image[XSAVE_BYTES] = {0};
    struct sw_reserved sw;
    u64 present;

    if (!mm_read(t->mm, va, image, FXSAVE_BYTES))
        return false;
    memcpy(&sw, image + SW_RESERVED, sizeof(sw));
    if (sw.magic1 != XSTATE_MAGIC1 || !(s->xcr0 & 2)) {
        get_fxsave(s, image);
        return true;
    }
    if (!mm_read(t->mm, va, image, fpstate_bytes(s) - 4))
        return false;
    memcpy(&present, image + XSAVE_HEADER, 8);
    // A component whose bit is clear goes to its initial state.
    if (!(present & 1)) {
        u16 fcw = 0x37f;

        memset(image, 0, 24);
        memset(image + 32, 0, 128);
        memcpy(image, &fcw, 2);
    }
    if (!(present & 2))
        memset(image + 160, 0, 256);
    if (!(present & 4))
        memset(image + XSAVE_YMM, 0, 256);
    get_fxsave(s, image);
    for (u32 i = 0; i < 16 && (s->xcr0 & 4); i++)
        memcpy(&s->ymm[i * 4 + 2], image + XSAVE_YMM + i * 16, 16);
    return true;
}

static bool on_alt_stack(const struct task *t, vaddr sp)
{
    return sp - t->alt_stack - 1 < t->alt_stack_bytes;
}

static vaddr stack_for(const struct task *t, const struct signal_action *action)
{
    vaddr sp = task_regs((struct task *)t)->gpr[X86_RSP];

    if ((action->flags & SA_ONSTACK) && !(t->alt_stack_flags & SS_DISABLE) && !on_alt_stack(t, sp))
        return t->alt_stack + t->alt_stack_bytes;
    return sp - RED_ZONE;
}

static void fill_context(struct task *t, const struct x86_arch_state *s, struct kernel_ucontext *uc)
{
    u64 *regs = &uc->mc.r8;

    uc->flags = (s->xcr0 & 2 ? UC_FP_XSTATE : 0) | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
    uc->stack = t->alt_stack;
    uc->stack_bytes = t->alt_stack_bytes;
    uc->stack_flags = t->alt_stack_flags & SS_DISABLE    ? SS_DISABLE
                      : on_alt_stack(t, s->gpr[X86_RSP]) ? SS_ONSTACK
                                                         : 0;
    for (u32 i = 0; i < 16; i++)
        regs[i] = s->gpr[register_order[i]];
    uc->mc.rip = s->rip;
    uc->mc.rflags = s->rflags;
    uc->mc.cs = s->seg_sel[X86_CS];
    uc->mc.ss = s->seg_sel[X86_SS];
    uc->mc.error = s->exc_error;
    uc->mc.trap = s->exc_payload;
    uc->mc.cr2 = s->cr2;
    uc->mc.old_mask = uc->mask = t->restore_mask ? t->saved_mask : t->blocked;
}

bool signal_frame_push(struct task *t, const struct signal_action *action, const siginfo_t *info)
{
    enum { SA_RESTORER_FLAG = 0x04000000 };
    struct x86_arch_state *s = task_regs(t);
    struct rt_sigframe frame = {.return_address = action->restorer, .info = *info};
    vaddr sp = stack_for(t, action), fp;

    fp = (sp - fpstate_bytes(s)) & ~63ull;
    sp = ((fp - sizeof(frame)) & ~15ull) - 8;
    // A handler without a way back: the program dies as on Linux.
    if (!(action->flags & SA_RESTORER_FLAG))
        return false;
    if ((action->flags & SA_ONSTACK) && on_alt_stack(t, s->gpr[X86_RSP]) && !on_alt_stack(t, sp))
        return false;
    fill_context(t, s, &frame.uc);
    frame.uc.mc.fpstate = fp;
    if (!push_fpstate(t, s, fp) || !mm_write(t->mm, sp, &frame, sizeof(frame)))
        return false;
    s->gpr[X86_RDI] = (u64)info->si_signo;
    s->gpr[X86_RSI] = sp + offsetof(struct rt_sigframe, info);
    s->gpr[X86_RDX] = sp + offsetof(struct rt_sigframe, uc);
    s->gpr[X86_RAX] = 0;
    s->gpr[X86_RSP] = sp;
    s->rip = action->handler;
    s->rflags &= ~(u64)(X86_DF | X86_TF | X86_RF);
    task_regs_changed(t);
    return true;
}

bool signal_frame_pop(struct task *t)
{
    struct x86_arch_state *s = task_regs(t);
    struct kernel_ucontext uc;
    u64 *regs = &uc.mc.r8;

    // The handler's return has popped the return address.
    if (!mm_read(t->mm, s->gpr[X86_RSP], &uc, sizeof(uc)))
        return false;
    if (uc.mc.fpstate && !pop_fpstate(t, s, uc.mc.fpstate))
        return false;
    if (uc.mc.rip >= 1ull << 47)
        return false;
    for (u32 i = 0; i < 16; i++)
        s->gpr[register_order[i]] = regs[i];
    s->rip = uc.mc.rip;
    s->rflags =
        (s->rflags & ~(u64)FRAME_FLAGS_KEPT) | (uc.mc.rflags & FRAME_FLAGS_KEPT) | X86_IF | 2;
    t->blocked = uc.mask & ~(SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP));
    if (!on_alt_stack(t, s->gpr[X86_RSP])) {
        t->alt_stack = uc.stack;
        t->alt_stack_bytes = uc.stack_bytes;
        t->alt_stack_flags = (u32)uc.stack_flags & ~(u32)SS_ONSTACK;
    }
    task_regs_changed(t);
    return true;
}

static int float_code(u32 flags)
{
    // Bits as in MXCSR and the x87 status word: IE DE ZE OE UE PE.
    if (flags & 1)
        return FPE_FLTINV;
    if (flags & 4)
        return FPE_FLTDIV;
    if (flags & 8)
        return FPE_FLTOVF;
    if (flags & 0x12)
        return FPE_FLTUND;
    return flags & 0x20 ? FPE_FLTRES : FPE_FLTINV;
}

static bool page_fault(struct task *t, const struct x86_core *c, siginfo_t *info)
{
    u32 access = c->fault.error & 16 ? MM_EXEC : c->fault.error & 2 ? MM_WRITE : MM_READ;

    info->si_addr = (void *)(uintptr_t)c->fault.address;
    info->si_signo = SIGSEGV;
    t->kernel->n.numFaults++;
    switch (mm_fault(t->mm, c->fault.address, access)) {
    case MM_FAULT_OK:
        return true;
    case MM_FAULT_NO_AREA:
        info->si_code = SEGV_MAPERR;
        return false;
    case MM_FAULT_PROTECTED:
        info->si_code = SEGV_ACCERR;
        return false;
    case MM_FAULT_BUS:
        info->si_signo = SIGBUS;
        info->si_code = BUS_ADRERR;
        return false;
    case MM_FAULT_NO_MEMORY:
        *info = (siginfo_t){.si_signo = SIGKILL, .si_code = SI_KERNEL};
        t->kernel->out_of_memory = true;
        return false;
    }
    return false;
}

void signal_of_exception(struct task *t, const struct x86_core *c)
{
    struct x86_arch_state *s = task_regs(t);
    siginfo_t info = {.si_signo = SIGSEGV, .si_code = SI_KERNEL};
    void *here = (void *)(uintptr_t)s->rip;

    switch (c->fault.vector) {
    case X86_EXC_PF:
        if (page_fault(t, c, &info))
            return;
        s->cr2 = c->fault.address;
        break;
    case X86_EXC_DE:
        info = (siginfo_t){.si_signo = SIGFPE, .si_code = FPE_INTDIV, .si_addr = here};
        break;
    case X86_EXC_DB:
        info = (siginfo_t){.si_signo = SIGTRAP, .si_code = TRAP_TRACE, .si_addr = here};
        break;
    case X86_EXC_BP:
        info = (siginfo_t){.si_signo = SIGTRAP, .si_code = SI_KERNEL};
        break;
    case X86_EXC_UD:
        info = (siginfo_t){.si_signo = SIGILL, .si_code = ILL_ILLOPN, .si_addr = here};
        break;
    case X86_EXC_MF:
        info = (siginfo_t){
            .si_signo = SIGFPE, .si_code = float_code(s->fsw & ~s->fcw & 0x3f), .si_addr = here};
        break;
    case X86_EXC_XM:
        info = (siginfo_t){.si_signo = SIGFPE,
                           .si_code = float_code(s->mxcsr & ~(s->mxcsr >> 7) & 0x3f),
                           .si_addr = here};
        break;
    case X86_EXC_AC:
        info = (siginfo_t){.si_signo = SIGBUS, .si_code = BUS_ADRALN};
        break;
    case X86_EXC_SS:
        info = (siginfo_t){.si_signo = SIGBUS, .si_code = SI_KERNEL};
        break;
    default: // general protection and the rest
        break;
    }
    // What the handler finds in its context.
    s->exc_payload = c->fault.vector;
    s->exc_error = c->fault.has_error ? c->fault.error : 0;
    signal_force(t, &info);
}
