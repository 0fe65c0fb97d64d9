// SPDX-License-Identifier: BSD-3-Clause
#include "native.h"

#include "native_asm.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { TICK_USEC = 100000 }; // of the watchdog; a case that sees two is over
enum { USER_CODE32 = 0x23 };

// Shared with the child.
struct shared {
    u32 request;                             // batches asked for (futex)
    u32 answer;                              // batches done (futex)
    u32 first;                               // the batch: cases first..count-1
    u32 count;                               //
    u32 progress;                            // the case in execution
    struct conform_case c[NATIVE_BATCH + 1]; // the last one is the spare
    struct case_result r[NATIVE_BATCH + 1];
};

// The memory windows: what the child maps at fixed addresses, and the parent does not touch.
struct windows {
    u8 stub[CASE_PAGE];
    u8 control[CASE_PAGE];
    u8 code[CASE_CODE_PAGES * CASE_PAGE];
    u8 smc[CASE_CODE_PAGES * CASE_PAGE];
    u8 data[CASE_DATA_PAGES * CASE_PAGE];
};

struct native {
    struct shared *shared;   // owned
    struct windows *windows; // owned: the same memory, writable
    const u8 *background;    // borrowed
    int memory;              // file behind the windows
    pid_t child;
};

#define CONTROL ((struct native_control *)NATIVE_CONTROL)

bool native_cpuid_bit(u32 leaf, u32 subleaf, u32 reg, u32 bit)
{
    u32 r[4];

    if (!__get_cpuid_count(leaf, subleaf, &r[0], &r[1], &r[2], &r[3]))
        return false;
    return r[reg] >> bit & 1;
}

static void futex_wait(u32 *word, u32 value, const struct timespec *timeout)
{
    syscall(SYS_futex, word, FUTEX_WAIT, value, timeout, NULL, 0);
}

static void futex_wake(u32 *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static bool has_fsgsbase(void)
{
    return getauxval(AT_HWCAP2) & 2; // HWCAP2_FSGSBASE
}

bool native_any_base(void)
{
    return has_fsgsbase();
}

u32 native_modes(void)
{
    u32 rights = 0;

    __asm__("lar %1, %0" : "+r"(rights) : "r"(USER_CODE32) : "cc");
    return 1 << CASE_MODE64 | (rights ? 1 << CASE_MODE32 : 0);
}

// --- the child

// The kernel's XSAVE area may leave out what is in its initial state.
static void copy_xsave(struct case_xsave *to, const struct case_xsave *from)
{
    u64 present;

    *to = *from;
    present = from->xstate_bv;
    if (!(present & 1)) {
        to->fcw = 0x37f;
        to->fsw = 0;
        to->ftw = 0;
        to->fop = 0;
        to->fip = to->fdp = 0;
        memset(to->st, 0, sizeof(to->st));
    }
    if (!(present & 2))
        memset(to->xmm, 0, sizeof(to->xmm));
    if (!(present & 4))
        memset(to->ymm_high, 0, sizeof(to->ymm_high));
}

int native_record(int sig, void *info, void *context)
{
    static const u8 greg[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                REG_R12, REG_R13, REG_R14, REG_R15};
    struct native_control *n = CONTROL;
    const ucontext_t *u = context;
    const greg_t *r = u->uc_mcontext.gregs;

    if (sig == SIGVTALRM && (!n->running || n->ticks++ == 0))
        return 0;
    if (!n->running)
        _exit(1); // a bug of ours, not of the case
    for (int i = 0; i < 16; i++)
        n->gpr[i] = (u64)r[greg[i]];
    n->rip = (u64)r[REG_RIP];
    n->rflags = (u64)r[REG_EFL];
    memcpy(n->sel, n->signal_sel, sizeof(n->sel));
    n->fs = n->signal_fs;
    n->gs = n->signal_gs;
    n->sel[CASE_CS] = (u16)r[REG_CSGSFS];
    n->sel[CASE_SS] = (u16)(r[REG_CSGSFS] >> 48);
    n->trapno = (u32)r[REG_TRAPNO];
    n->error = (u32)r[REG_ERR];
    n->address = (u64)r[REG_CR2];
    n->end = sig == SIGVTALRM ? CASE_END_LIMIT : CASE_END_FAULT;
    copy_xsave(&n->x, (const struct case_xsave *)u->uc_mcontext.fpregs);
    return 1;
}

// The kernel sets and gets segment bases. Each takes its microseconds, so that is done when it must
// be; the child's own FS base comes back at the end of a batch. In between, nothing here may use
// thread-local memory.
static void arch_prctl(u64 code, u64 address)
{
    u64 number = SYS_arch_prctl;

    __asm__ volatile("syscall" : "+a"(number) : "D"(code), "S"(address) : "rcx", "r11", "memory");
}

// The selector is null, so that the base is 0 already unless the kernel knows another: it would
// come back with a change of tasks.
static void put_base(u64 code, u64 base, u64 *known)
{
    if (base != 0 || *known != 0)
        arch_prctl(code, base);
    *known = base;
}

void native_put_bases(void)
{
    put_base(ARCH_SET_FS, CONTROL->fs, &CONTROL->kernel_fs);
    put_base(ARCH_SET_GS, CONTROL->gs, &CONTROL->kernel_gs);
}

// No descriptor has a base but 0, so that 0 stays 0.
void native_take_bases(u64 *ret)
{
    ret[0] = ret[1] = 0;
    if (CONTROL->kernel_fs)
        arch_prctl(ARCH_GET_FS, (u64)&ret[0]);
    if (CONTROL->kernel_gs)
        arch_prctl(ARCH_GET_GS, (u64)&ret[1]);
}

static void back_to_host_bases(void)
{
    if (!CONTROL->by_kernel)
        return;
    put_base(ARCH_SET_FS, CONTROL->host_fs, &CONTROL->kernel_fs);
    put_base(ARCH_SET_GS, CONTROL->host_gs, &CONTROL->kernel_gs);
}

static void put_background(struct windows *w, const struct conform_case *c, const u8 *background)
{
    static const u8 pages[] = {1, 2, CASE_RO_PAGE, 5};

    for (u32 i = 0; i < ARRAY_SIZE(pages); i++)
        memcpy(w->data + pages[i] * CASE_PAGE, background + pages[i] * CASE_PAGE, CASE_PAGE);
    for (u32 i = 0; i < c->n_patches; i++)
        memcpy(w->data + (c->patch[i].at - CASE_DATA), c->patch[i].bytes, c->patch[i].len);
}

// Puts the code in place, as far as it is in the window; returns how many bytes that is.
static u32 put_code(struct windows *w, const struct conform_case *c)
{
    u32 at = c->code_at - (c->code_at >= CASE_SMC ? CASE_SMC : CASE_CODE);
    u32 len = MIN(c->code_len, CASE_CODE_PAGES * CASE_PAGE - at);

    memcpy((c->code_at >= CASE_SMC ? w->smc : w->code) + at, c->code, len);
    return len;
}

static void enter(const struct conform_case *c)
{
    struct native_control *n = CONTROL;

    memcpy(n->gpr, c->in.gpr, sizeof(n->gpr));
    n->iret.rip = c->in.rip;
    n->iret.cs = c->in.sel[CASE_CS];
    n->iret.rflags = c->in.rflags;
    n->iret.rsp = c->in.gpr[4];
    n->iret.ss = c->in.sel[CASE_SS];
    memcpy(n->sel, c->in.sel, sizeof(c->in.sel));
    n->fs = c->in.fs_base;
    n->gs = c->in.gs_base;
    n->x = c->in.x;
    n->rip = c->end;
    n->trapno = n->error = 0;
    n->address = 0;
    n->end = CASE_END_EXIT;
    n->ticks = 0;
    n->running = 1;
    native_enter();
    n->running = 0;
}

static void take_result(struct windows *w, const struct conform_case *c, struct case_result *r)
{
    static const u8 rw[CASE_RW_PAGES] = CASE_RW;
    const struct native_control *n = CONTROL;

    memcpy(r->out.gpr, n->gpr, sizeof(n->gpr));
    r->out.rip = n->rip;
    r->out.rflags = n->rflags;
    r->out.fs_base = n->fs;
    r->out.gs_base = n->gs;
    memcpy(r->out.sel, n->sel, sizeof(r->out.sel));
    r->out.x = n->x;
    r->end = n->end;
    r->vector = n->trapno;
    r->error = n->error;
    r->address = n->address;
    for (u32 i = 0; i < CASE_RW_PAGES; i++)
        memcpy(r->data + i * CASE_PAGE, w->data + rw[i] * CASE_PAGE, CASE_PAGE);
    if (c->code_at >= CASE_SMC)
        memcpy(r->code, w->smc, sizeof(w->smc));
}

static void run_one(struct native *native, u32 i)
{
    const struct conform_case *c = &native->shared->c[i];
    struct windows *w = native->windows;
    bool smc = c->code_at >= CASE_SMC;
    u32 len;

    put_background(w, c, native->background);
    len = put_code(w, c);
    enter(c);
    take_result(w, c, &native->shared->r[i]);
    if (smc)
        memset(w->smc, 0xcc, sizeof(w->smc));
    else
        memset(w->code + (c->code_at - CASE_CODE), 0xcc, len);
}

static bool map_fixed(int fd, u64 at, u64 offset, u64 size, int prot)
{
    void *p = mmap((void *)at, size, prot, MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE, fd,
                   (off_t)offset);
    volatile const u8 *touch = p;

    if (p == MAP_FAILED || p != (void *)at)
        return false;
    for (u64 i = 0; i < size; i += CASE_PAGE) {
        (void)touch[i];
        if (prot & PROT_WRITE) // so that its page table entry exists, writable
            ((volatile u8 *)p)[i] = touch[i];
    }
    return true;
}

static bool map_windows(int fd)
{
    static const u8 rw[CASE_RW_PAGES] = CASE_RW;
    const int rwp = PROT_READ | PROT_WRITE;
    u64 data = offsetof(struct windows, data);

    for (u32 i = 0; i < CASE_RW_PAGES; i++)
        if (!map_fixed(fd, CASE_DATA + rw[i] * CASE_PAGE, data + rw[i] * CASE_PAGE, CASE_PAGE, rwp))
            return false;
    return map_fixed(fd, CASE_DATA + CASE_RO_PAGE * CASE_PAGE, data + CASE_RO_PAGE * CASE_PAGE,
                     CASE_PAGE, PROT_READ) &&
           map_fixed(fd, CASE_STUB, offsetof(struct windows, stub), CASE_PAGE,
                     PROT_READ | PROT_EXEC) &&
           map_fixed(fd, NATIVE_CONTROL, offsetof(struct windows, control), CASE_PAGE, rwp) &&
           map_fixed(fd, CASE_CODE, offsetof(struct windows, code), CASE_CODE_PAGES * CASE_PAGE,
                     PROT_READ | PROT_EXEC) &&
           map_fixed(fd, CASE_SMC, offsetof(struct windows, smc), CASE_CODE_PAGES * CASE_PAGE,
                     rwp | PROT_EXEC);
}

static bool take_signals(void)
{
    static const int signals[] = {SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGTRAP, SIGVTALRM};
    stack_t stack = {.ss_size = 256 * 1024};
    struct itimerval interval = {{0, TICK_USEC}, {0, TICK_USEC}};
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

    stack.ss_sp =
        mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, NULL) != 0)
        return false;
    action.sa_sigaction = (void (*)(int, siginfo_t *, void *))(void *)native_signal;
    for (u32 i = 0; i < ARRAY_SIZE(signals); i++)
        if (sigaction(signals[i], &action, NULL) != 0)
            return false;
    return setitimer(ITIMER_VIRTUAL, &interval, NULL) == 0;
}

// Nothing but waiting, returning from signals, segment bases (where only the kernel sets them) and
// leaving: whatever a case does, the host is safe.
static bool close_the_door(void)
{
    u32 bases = has_fsgsbase() ? SYS_exit_group : SYS_arch_prctl;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, bases, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {ARRAY_SIZE(filter), filter};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void child_main(struct native *native)
{
    struct shared *s = native->shared;
    u32 done = s->answer;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == 1 || !map_windows(native->memory) || !take_signals())
        _exit(2);
    CONTROL->by_kernel = !has_fsgsbase();
    arch_prctl(ARCH_GET_FS, (u64)&CONTROL->host_fs);
    arch_prctl(ARCH_GET_GS, (u64)&CONTROL->host_gs);
    CONTROL->kernel_fs = CONTROL->host_fs;
    CONTROL->kernel_gs = CONTROL->host_gs;
    if (!close_the_door())
        _exit(3);
    for (;;) {
        u32 request;

        while ((request = __atomic_load_n(&s->request, __ATOMIC_ACQUIRE)) == done)
            futex_wait(&s->request, done, NULL);
        for (u32 i = s->first; i < s->count; i++) {
            s->progress = i;
            run_one(native, i);
        }
        back_to_host_bases();
        done = request;
        __atomic_store_n(&s->answer, done, __ATOMIC_RELEASE);
        futex_wake(&s->answer);
    }
}

// --- the parent

static bool start_child(struct native *n, struct error *err)
{
    memset(n->windows, 0, sizeof(*n->windows));
    memset(n->windows->code, 0xcc, sizeof(n->windows->code));
    memset(n->windows->smc, 0xcc, sizeof(n->windows->smc));
    // jmp *2(%rip): the address is aligned, because AC may be set.
    memcpy(n->windows->stub, "\xff\x25\x02\x00\x00\x00", 6);
    memcpy(n->windows->stub + 8, &(u64){(u64)native_exit}, 8);
    n->child = fork();
    if (n->child < 0)
        return error_set_errno(err, "cannot start the native child");
    if (n->child == 0)
        child_main(n);
    return true;
}

static void stop_child(struct native *n)
{
    if (n->child > 0) {
        kill(n->child, SIGKILL);
        waitpid(n->child, NULL, 0);
    }
    n->child = 0;
}

static bool host_can(struct error *err)
{
    if (!native_cpuid_bit(1, 0, 2, 28) || !native_cpuid_bit(7, 0, 1, 5))
        return error_set(err, ERROR_UNSUPPORTED, "the host has no AVX2");
    return true;
}

static void *share(int fd, u64 size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

    return p == MAP_FAILED ? NULL : p;
}

struct native *native_new(const u8 *background, struct error *err)
{
    struct native *n;

    if (!host_can(err))
        return NULL;
    n = calloc(1, sizeof(*n));
    if (!n) {
        error_set(err, ERROR_RESOURCE, "no memory");
        return NULL;
    }
    n->background = background;
    n->memory = memfd_create("conform", MFD_CLOEXEC);
    n->shared = share(-1, sizeof(*n->shared));
    if (n->memory >= 0 && ftruncate(n->memory, sizeof(*n->windows)) == 0)
        n->windows = share(n->memory, sizeof(*n->windows));
    if (!n->shared || !n->windows) {
        error_set_errno(err, "cannot share memory with the native child");
        native_free(n);
        return NULL;
    }
    if (!start_child(n, err)) {
        native_free(n);
        return NULL;
    }
    return n;
}

void native_free(struct native *n)
{
    if (!n)
        return;
    stop_child(n);
    if (n->shared)
        munmap(n->shared, sizeof(*n->shared));
    if (n->windows)
        munmap(n->windows, sizeof(*n->windows));
    if (n->memory >= 0)
        close(n->memory);
    free(n);
}

struct conform_case *native_case(struct native *n, u32 i)
{
    return &n->shared->c[i];
}

const struct case_result *native_result(const struct native *n, u32 i)
{
    return &n->shared->r[i];
}

static void post(struct native *n)
{
    __atomic_add_fetch(&n->shared->request, 1, __ATOMIC_RELEASE);
    futex_wake(&n->shared->request);
}

static void start_range(struct native *n, u32 first, u32 count)
{
    n->shared->first = n->shared->progress = first;
    n->shared->count = count;
    post(n);
}

void native_start(struct native *n, u32 count)
{
    start_range(n, 0, count);
}

bool native_wait(struct native *n, struct error *err)
{
    const struct timespec timeout = {.tv_nsec = 100000000};
    struct shared *s = n->shared;
    u32 answer, lost = 0;

    while ((answer = __atomic_load_n(&s->answer, __ATOMIC_ACQUIRE)) != s->request) {
        int status;

        if (waitpid(n->child, &status, WNOHANG) == n->child) {
            n->child = 0;
            if (WIFEXITED(status) || ++lost > 64)
                return error_set(err, ERROR_HOST, "the native child ends (status %#x)", status);
            s->r[s->progress].end = CASE_END_LOST;
            s->first = s->progress + 1;
            if (!start_child(n, err))
                return false;
            continue;
        }
        futex_wait(&s->answer, answer, &timeout);
    }
    return true;
}

bool native_run(struct native *n, u32 count, struct error *err)
{
    native_start(n, count);
    return native_wait(n, err);
}

struct conform_case *native_spare_case(struct native *n)
{
    return native_case(n, NATIVE_BATCH);
}

const struct case_result *native_spare_result(const struct native *n)
{
    return native_result(n, NATIVE_BATCH);
}

bool native_run_spare(struct native *n, struct error *err)
{
    start_range(n, NATIVE_BATCH, NATIVE_BATCH + 1);
    return native_wait(n, err);
}
