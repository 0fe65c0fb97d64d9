// SPDX-License-Identifier: BSD-3-Clause
// Vector arithmetic while MXCSR has unmasked exceptions (SDM vol. 1 §11.5). Which status bits an
// exception sets depends on intermediate results, so the host's processor decides: the stub is
// executed with the guest's MXCSR, and if the host traps, which it does before any result is
// written, the signal handler returns from the stub.
#include "isa/x86/exec/vector.h"

#include "isa/x86/stub.h"

#include <immintrin.h>
#include <signal.h>
#include <ucontext.h>

// Set while a stub may trap on this thread.
static _Thread_local volatile sig_atomic_t expected;

void x86_vector_trap_return(void);

// Where the interrupted stub goes on: like its own end, without the results.
__asm__(".text\n.globl x86_vector_trap_return\n.hidden x86_vector_trap_return\n"
        ".type x86_vector_trap_return, @function\n"
        "x86_vector_trap_return: xor %eax, %eax\n ret\n"
        ".size x86_vector_trap_return, . - x86_vector_trap_return\n");

static void on_sigfpe(int number, siginfo_t *info, void *context)
{
    ucontext_t *u = context;

    if (!expected) { // a fault of the host program: once more, for the default action
        signal(number, SIG_DFL);
        return;
    }
    expected = 0;
    u->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)x86_vector_trap_return;
}

enum x86_result x86_vector_run_trapping(struct x86_core *c, const struct x86_insn *i, void *mem)
{
    struct sigaction action = {.sa_sigaction = on_sigfpe, .sa_flags = SA_SIGINFO}, old_action;
    u32 guest = x86_mxcsr_get(c), masks = guest >> 7 & X86_MXCSR_STATUS, raised;
    enum x86_result r;
    sigset_t set, old_set;

    sigemptyset(&action.sa_mask);
    sigemptyset(&set);
    sigaddset(&set, SIGFPE);
    sigaction(SIGFPE, &action, &old_action);
    pthread_sigmask(SIG_UNBLOCK, &set, &old_set);
    expected = 1;
    _mm_setcsr(guest & ~(u32)X86_MXCSR_STATUS);
    r = x86_vector_run(c, i, mem);
    raised = _mm_getcsr() & X86_MXCSR_STATUS;
    _mm_setcsr(guest | raised | X86_MXCSR_MASKS);
    expected = 0;
    pthread_sigmask(SIG_SETMASK, &old_set, NULL);
    sigaction(SIGFPE, &old_action, NULL);
    if (r || !(raised & ~masks))
        return r;
    // The stub did not come to its end: an MMX operand has left the host's x87 stack full.
    __asm__ volatile("emms");
    x86_stubs_done();
    return x86_raise(c, c->s.cr4 & X86_CR4_OSXMMEXCPT ? X86_EXC_XM : X86_EXC_UD);
}
