// SPDX-License-Identifier: BSD-3-Clause
// Signals as programs use them; prints what it sees. Compared with a native run.
#include <errno.h>
#include <immintrin.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile int count;

static void fault(int number, siginfo_t *info, void *context)
{
    const ucontext_t *uc = context;

    // Whether the page was there (bit 0 of the error code) is the kernel's affair.
    printf("signal %d code %d offset %lx error %llx trap %llx\n", number, info->si_code,
           (unsigned long)info->si_addr & 0xfff, uc->uc_mcontext.gregs[REG_ERR] & ~1ll,
           uc->uc_mcontext.gregs[REG_TRAPNO]);
    siglongjmp(back, 1);
}

static void tick(int number)
{
    __m256d v = _mm256_set1_pd(count * 1.5);
    volatile double out[4];

    _mm256_storeu_pd((double *)out, _mm256_add_pd(v, v));
    count++;
}

static void skip_two(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;

    uc->uc_mcontext.gregs[REG_RIP] += 2;
    printf("signal %d code %d skipped\n", number, info->si_code);
}

static void on_stack(int number)
{
    stack_t now;

    sigaltstack(NULL, &now);
    printf("on the other stack: %d\n", (now.ss_flags & SS_ONSTACK) != 0);
}

static void faults(void)
{
    struct sigaction sa = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGTRAP};
    char *page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    volatile int zero = 0;

    for (int i = 0; i < 4; i++)
        sigaction(signals[i], &sa, NULL);
    if (!sigsetjmp(back, 1))
        *(volatile int *)0x10 = 1;
    if (!sigsetjmp(back, 1))
        (void)*(volatile int *)0x123456789000;
    if (!sigsetjmp(back, 1))
        page[5] = 1;
    if (!sigsetjmp(back, 1))
        printf("%d\n", 1 / zero);
    if (!sigsetjmp(back, 1))
        *(volatile int *)0x8000000000000000 = 1;
    if (!sigsetjmp(back, 1))
        __asm__ volatile("int3");
    if (!sigsetjmp(back, 1))
        __asm__ volatile("hlt");
    if (!sigsetjmp(back, 1))
        ((void (*)(void))page)();
    sa.sa_sigaction = skip_two;
    sigaction(SIGILL, &sa, NULL);
    __asm__ volatile("ud2");
}

// A handler that uses vector registers must not disturb the ones of the program.
static void vectors_survive(void)
{
    struct itimerval it = {{0, 1000}, {0, 1000}};
    __m256d x = _mm256_set1_pd(1);

    signal(SIGALRM, tick);
    setitimer(ITIMER_REAL, &it, NULL);
    while (count < 5) {
        for (int i = 0; i < 1000; i++)
            x = _mm256_mul_pd(x, _mm256_set1_pd(1.0000001));
        if (((double *)&x)[0] != ((double *)&x)[3]) {
            printf("disturbed\n");
            break;
        }
    }
    memset(&it, 0, sizeof(it));
    setitimer(ITIMER_REAL, &it, NULL);
    printf("ticks: %d\n", count >= 5);
}

static void waiting(void)
{
    sigset_t set;
    siginfo_t info;
    union sigval value = {.sival_int = 77};

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    raise(SIGUSR1);
    printf("got %d\n", sigwaitinfo(&set, &info) == SIGUSR1);
    sigqueue(getpid(), SIGRTMIN + 1, value);
    value.sival_int = 78;
    sigqueue(getpid(), SIGRTMIN + 1, value);
    for (int i = 0; i < 2; i++) {
        sigwaitinfo(&set, &info);
        printf("real-time: %d\n", info.si_value.sival_int);
    }
    printf("none left: %d\n", sigtimedwait(&set, &info, &(struct timespec){0, 1000}));
}

static void interrupted_read(int flags)
{
    struct sigaction sa = {.sa_handler = tick, .sa_flags = flags};
    int ends[2], status;
    char c = 0;
    ssize_t n;
    pid_t child;

    count = 0;
    sigaction(SIGUSR2, &sa, NULL);
    if (pipe(ends) != 0)
        return;
    child = fork();
    if (child == 0) {
        usleep(20000);
        kill(getppid(), SIGUSR2);
        usleep(20000);
        if (write(ends[1], "a", 1) != 1)
            _exit(1);
        _exit(9);
    }
    n = read(ends[0], &c, 1);
    printf("read %zd %s, signals %d\n", n, n < 0 ? strerror(errno) : "", count);
    waitpid(child, &status, 0);
    printf("child %d\n", WEXITSTATUS(status));
}

static void suspended(void)
{
    sigset_t old, set;
    int r;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, &old);
    count = 0;
    raise(SIGUSR2);
    printf("blocked: %d\n", count);
    r = sigsuspend(&old);
    printf("suspend %d %s, signals %d\n", r, strerror(errno), count);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

static void children(void)
{
    int status;
    pid_t child = fork();

    if (child == 0)
        for (;;)
            pause();
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    printf("stopped %d by %d\n", WIFSTOPPED(status), WSTOPSIG(status));
    kill(child, SIGCONT);
    waitpid(child, &status, WCONTINUED);
    printf("continued %d\n", WIFCONTINUED(status));
    kill(child, SIGTERM);
    waitpid(child, &status, 0);
    printf("killed %d by %d\n", WIFSIGNALED(status), WTERMSIG(status));
}

static volatile int taken_by;

static void note_thread(int number)
{
    taken_by = gettid();
}

static void *kill_process(void *blocked)
{
    for (int i = 0; i < 3; i++) {
        usleep(30000);
        kill(getpid(), SIGUSR2);
    }
    return NULL;
}

// A signal for the process goes to its first thread, unless that blocks it.
static void which_thread(void)
{
    struct sigaction sa = {.sa_handler = note_thread};
    pthread_t thread;
    sigset_t set;

    sigaction(SIGUSR2, &sa, NULL);
    pthread_create(&thread, NULL, kill_process, NULL);
    for (int i = 0; i < 3; i++) {
        taken_by = 0;
        while (!taken_by)
            usleep(100);
        printf("taken by the first thread: %d\n", taken_by == getpid());
    }
    pthread_join(thread, NULL);
    pthread_create(&thread, NULL, kill_process, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    taken_by = 0;
    pthread_join(thread, NULL);
    printf("taken by the other thread: %d\n", taken_by != 0 && taken_by != getpid());
}

int main(void)
{
    stack_t other = {.ss_sp = malloc(65536), .ss_size = 65536};
    struct sigaction sa = {.sa_handler = on_stack, .sa_flags = SA_ONSTACK | SA_RESETHAND};

    setvbuf(stdout, NULL, _IOLBF, 0);
    faults();
    sigaltstack(&other, NULL);
    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
    vectors_survive();
    waiting();
    interrupted_read(SA_RESTART);
    interrupted_read(0);
    suspended();
    children();
    which_thread();
    alarm(1);
    sleep(3);
    fflush(stdout);
    abort();
}
