// SPDX-License-Identifier: BSD-3-Clause
#include "isa/x86/native_test.h"

#include "isa/x86/step.h"

#include "base/alloc.h"
#include "base/bug.h"
#include "base/error.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

void native_switch(struct native *n, const void *code);

// Loads *n, calls the code, stores to *n. The offsets are those of struct native.
__asm__(".text\n.type native_switch, @function\nnative_switch:\n"
        "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
        "sub $8, %rsp\n push %rdi\n push %rsi\n"
        "fxrstor64 144(%rdi)\n"
        ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        " vmovdqu 656+\\n*32(%rdi), %ymm\\n\n .endr\n"
        "push 128(%rdi)\n popfq\n"
        "mov 0(%rdi), %rax\n mov 8(%rdi), %rcx\n mov 16(%rdi), %rdx\n mov 24(%rdi), %rbx\n"
        "mov 40(%rdi), %rbp\n mov 48(%rdi), %rsi\n"
        "mov 64(%rdi), %r8\n mov 72(%rdi), %r9\n mov 80(%rdi), %r10\n mov 88(%rdi), %r11\n"
        "mov 96(%rdi), %r12\n mov 104(%rdi), %r13\n mov 112(%rdi), %r14\n mov 120(%rdi), %r15\n"
        "mov 56(%rdi), %rdi\n"
        "call *(%rsp)\n"
        "push %rdi\n mov 16(%rsp), %rdi\n pop 56(%rdi)\n pushfq\n pop 128(%rdi)\n"
        "mov %rax, 0(%rdi)\n mov %rcx, 8(%rdi)\n mov %rdx, 16(%rdi)\n mov %rbx, 24(%rdi)\n"
        "mov %rbp, 40(%rdi)\n mov %rsi, 48(%rdi)\n"
        "mov %r8, 64(%rdi)\n mov %r9, 72(%rdi)\n mov %r10, 80(%rdi)\n mov %r11, 88(%rdi)\n"
        "mov %r12, 96(%rdi)\n mov %r13, 104(%rdi)\n mov %r14, 112(%rdi)\n mov %r15, 120(%rdi)\n"
        ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        " vmovdqu %ymm\\n, 656+\\n*32(%rdi)\n .endr\n"
        "fxsave64 144(%rdi)\n fninit\n vzeroupper\n cld\n"
        "pop %rsi\n pop %rdi\n movl $0x1f80, (%rsp)\n ldmxcsr (%rsp)\n add $8, %rsp\n"
        "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n"
        ".size native_switch, . - native_switch\n");

_Static_assert(offsetof(struct native, fx) == 144 && offsetof(struct native, ymm) == 656,
               "as the assembler text says");

static struct native *running;
static sigjmp_buf back;

static void on_fault(int number, siginfo_t *info, void *context)
{
    static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                  REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                  REG_R12, REG_R13, REG_R14, REG_R15};
    ucontext_t *u = context;

    for (u32 k = 0; k < 16; k++)
        if (k != X86_RSP)
            running->gpr[k] = (u64)u->uc_mcontext.gregs[order[k]];
    running->rflags = (u64)u->uc_mcontext.gregs[REG_EFL];
    memcpy(running->fx, u->uc_mcontext.fpregs, sizeof(running->fx));
    siglongjmp(back, number);
}

u8 *native_memory(u64 bytes)
{
    u8 *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE | PROT_EXEC,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

    ASSERT(p != MAP_FAILED);
    return p;
}

void native_memory_free(u8 *p, u64 bytes)
{
    munmap(p, bytes);
}

enum native_fault native_run(struct native *n, u8 *code, const u8 *bytes, u32 len)
{
    static const int signals[] = {SIGSEGV, SIGFPE, SIGILL, SIGBUS};
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    struct sigaction old[ARRAY_SIZE(signals)];
    int number;

    memcpy(code, bytes, len);
    code[len] = 0xc3;
    running = n;
    for (u32 k = 0; k < ARRAY_SIZE(signals); k++)
        sigaction(signals[k], &action, &old[k]);
    number = sigsetjmp(back, 0);
    if (number == 0)
        native_switch(n, code);
    for (u32 k = 0; k < ARRAY_SIZE(signals); k++)
        sigaction(signals[k], &old[k], NULL);
    switch (number) {
    case 0:
        return NATIVE_OK;
    case SIGSEGV:
        return NATIVE_SEGV;
    case SIGFPE:
        return NATIVE_FPE;
    case SIGILL:
        return NATIVE_ILL;
    default:
        return NATIVE_OTHER;
    }
}

// FXSAVE64 image (SDM vol. 1 table 10-2).
struct image {
    u16 fcw, fsw;
    u8 ftw, pad;
    u16 fop;
    u64 fip, fdp;
    u32 mxcsr, mxcsr_mask;
    u8 st[8][16];
};

void native_to_core(const struct native *n, struct x86_core *c)
{
    const struct image *x = (const struct image *)n->fx;
    u32 top = x->fsw >> 11 & 7;

    memcpy(c->s.gpr, n->gpr, sizeof(n->gpr));
    memcpy(c->s.ymm, n->ymm, sizeof(n->ymm));
    c->s.rflags = n->rflags;
    c->lazy.kind = 0;
    c->s.fcw = x->fcw;
    c->s.fsw = x->fsw;
    c->s.ftw = x->ftw;
    c->s.fop = x->fop;
    c->s.fip = x->fip;
    c->s.fdp = x->fdp;
    c->s.mxcsr = x->mxcsr;
    for (u32 k = 0; k < 8; k++)
        memcpy(c->s.x87 + 16 * ((top + k) & 7), x->st[k], 10);
}

void native_from_core(struct native *n, const struct x86_core *c)
{
    struct image *x = (struct image *)n->fx;
    u32 top = c->s.fsw >> 11 & 7;

    memcpy(n->gpr, c->s.gpr, sizeof(n->gpr));
    memcpy(n->ymm, c->s.ymm, sizeof(n->ymm));
    n->rflags = c->s.rflags;
    x->fcw = c->s.fcw;
    x->fsw = c->s.fsw;
    x->ftw = (u8)c->s.ftw;
    x->fop = c->s.fop;
    x->fip = c->s.fip;
    x->fdp = c->s.fdp;
    x->mxcsr = c->s.mxcsr;
    for (u32 k = 0; k < 8; k++)
        memcpy(x->st[k], c->s.x87 + 16 * ((top + k) & 7), 10);
}

static bool flat_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    memcpy(write ? (void *)addr : data, write ? data : (void *)addr, size);
    return true;
}

static u8 *flat_page(void *ctx, paddr page, bool write)
{
    return (u8 *)page;
}

struct x86_core *native_core_new(void)
{
    static const struct mem_port_ops flat = {.access = flat_access, .host_page = flat_page};
    struct x86_core *c = xcalloc(1, sizeof(*c));
    struct error err;

    if (!x86_core_init(c, 0, &(struct mem_port){.ops = &flat}, "x86-64-v3", &err))
        BUG("%s", err.message);
    c->core.isa = &x86_isa_ops;
    c->s.efer = X86_EFER_LMA;
    c->s.cr0 |= X86_CR0_PE | X86_CR0_NE;
    c->s.cr4 = X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_OSXSAVE;
    c->s.xcr0 = 7;
    c->s.seg_attr[X86_CS] |= X86_ATTR_L;
    x86_state_loaded(c);
    return c;
}

void native_core_free(struct x86_core *c)
{
    x86_core_release(c);
    free(c);
}

enum x86_result native_core_run(struct x86_core *c, const u8 *code, const struct native *in,
                                struct native *ret)
{
    struct x86_insn insn;
    enum x86_result r;

    native_to_core(in, c);
    c->s.rip = (u64)code;
    c->fault = (struct x86_fault_info){0};
    x86_update_mode(c);
    c->core.isa->enter(&c->core);
    r = x86_step(c, &insn);
    c->core.isa->leave(&c->core);
    *ret = *in;
    native_from_core(ret, c);
    return r;
}
