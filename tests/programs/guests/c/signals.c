// SPDX-License-Identifier: BSD-3-Clause
// Signals: siginfo and ucontext of faults on an alternate stack, timers, masks, queues, long jumps.
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf back;
static char alternate[65536];
static volatile sig_atomic_t ticks, queued[8], count;
static char *page;

static void fault(int signal, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    char here;

    printf("signal %d code %d trap %lld error %llx cr2 %d own stack %d\n", signal, info->si_code,
           (long long)u->uc_mcontext.gregs[REG_TRAPNO],
           (unsigned long long)u->uc_mcontext.gregs[REG_ERR], info->si_addr == page,
           &here >= alternate && &here < alternate + sizeof(alternate));
    siglongjmp(back, signal);
}

static void skip(int signal, siginfo_t *info, void *context)
{
    ucontext_t *u = context;

    (void)signal;
    u->uc_mcontext.gregs[REG_RIP] += 2;
    u->uc_mcontext.gregs[REG_RAX] = info->si_code;
}

static void tick(int signal)
{
    (void)signal;
    ticks++;
}

static void queue(int signal, siginfo_t *info, void *context)
{
    (void)context;
    queued[count++] = signal - SIGRTMIN + info->si_value.sival_int;
}

static void handle(int signal, void (*f)(int, siginfo_t *, void *), int flags)
{
    struct sigaction a = {.sa_sigaction = f, .sa_flags = SA_SIGINFO | flags};

    sigaction(signal, &a, NULL);
}

static void overflow(volatile int depth)
{
    volatile char room[4096];

    room[0] = (char)depth;
    overflow(depth + 1);
    room[1] = room[0];
}

int main(void)
{
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
    struct itimerval interval = {{0, 2000}, {0, 2000}};
    volatile int zero = 0;
    sigset_t set, old;
    int status, child;

    setvbuf(stdout, NULL, _IONBF, 0);
    sigaltstack(&stack, NULL);
    page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int s = 0; s < 4; s++)
        handle((int[]){SIGSEGV, SIGFPE, SIGILL, SIGTRAP}[s], fault, SA_ONSTACK);
    if (!sigsetjmp(back, 1))
        *(volatile char *)page = 1;
    if (!sigsetjmp(back, 1))
        (void)*(volatile char *)page;
    if (!sigsetjmp(back, 1))
        ((void (*)(void))page)();
    if (!sigsetjmp(back, 1))
        zero = 1 / zero;
    if (!sigsetjmp(back, 1))
        __builtin_trap();
    if (!sigsetjmp(back, 1))
        (void)*(volatile char *)(uintptr_t)0x8000000000000000;
    if (!sigsetjmp(back, 1))
        __asm__ volatile("int3");
    if (!sigsetjmp(back, 1))
        __asm__ volatile("hlt");
    if (!sigsetjmp(back, 1))
        overflow(0);
    handle(SIGILL, skip, 0);
    __asm__ volatile("ud2" : "=a"(status));
    printf("skipped, code %d\n", status);

    signal(SIGALRM, tick);
    setitimer(ITIMER_REAL, &interval, NULL);
    sigemptyset(&set);
    while (ticks < 5)
        sigsuspend(&set);
    memset(&interval, 0, sizeof(interval));
    setitimer(ITIMER_REAL, &interval, NULL);
    printf("ticks %d\n", ticks >= 5);

    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, &old);
    for (int i = 0; i < 3; i++) {
        handle(SIGRTMIN + i, queue, 0);
        sigqueue(getpid(), SIGRTMIN + i, (union sigval){.sival_int = 100 * i});
        sigqueue(getpid(), SIGRTMIN + i, (union sigval){.sival_int = 10 * i});
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    for (int i = 0; i < count; i++)
        printf("%d ", queued[i]);
    printf("\n");
    child = fork();
    if (child == 0) {
        raise(SIGSTOP);
        _exit(4);
    }
    wait4(-1, &status, WUNTRACED, NULL);
    printf("stopped %d %d\n", WIFSTOPPED(status), WSTOPSIG(status));
    kill(child, SIGCONT);
    wait4(child, &status, 0, NULL);
    printf("exited %d\n", WEXITSTATUS(status));
    return 0;
}
