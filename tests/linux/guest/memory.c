// SPDX-License-Identifier: BSD-3-Clause
// Address spaces: mapping, protection, moving, sharing, the heap and the stack; prints results.
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(call)                                                 \
    do {                                                           \
        long show = (long)(call);                                  \
        printf("%s = %ld%s%s\n", #call, show, show < 0 ? " " : "", \
               show < 0 ? strerror(errno) : "");                   \
    } while (0)

enum { PAGE = 4096 };
static sigjmp_buf back;

static void on_fault(int number)
{
    siglongjmp(back, number);
}

static int touches(volatile char *p, int write)
{
    int number = sigsetjmp(back, 1);

    if (number)
        return number;
    if (write)
        *p = 1;
    else
        (void)*p;
    return 0;
}

static void mapping(void)
{
    char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;

    printf("zero %d\n", p[5 * PAGE]);
    memset(p, 'a', 16 * PAGE);
    SHOW(munmap(p + 4 * PAGE, 2 * PAGE));
    printf("hole %d %d %d\n", touches(p + 4 * PAGE, 0), touches(p + 6 * PAGE, 0),
           touches(p + 3 * PAGE, 1));
    SHOW(mprotect(p, 16 * PAGE, PROT_READ));
    SHOW(mprotect(p, 4 * PAGE, PROT_READ));
    printf("read-only %d %d\n", touches(p, 0), touches(p, 1));
    SHOW(mprotect(p, 2 * PAGE, PROT_NONE));
    printf("none %d\n", touches(p, 0));
    SHOW(mprotect(p, 4 * PAGE, PROT_READ | PROT_WRITE));
    printf("again %d %c\n", touches(p + PAGE + 1, 1), p[PAGE]);
    q = mremap(p + 6 * PAGE, 10 * PAGE, 40 * PAGE, MREMAP_MAYMOVE);
    printf("moved %c %d\n", q[9 * PAGE], q[10 * PAGE]);
    SHOW(mremap(q, 40 * PAGE, 2 * PAGE, 0) == q);
    printf("shrunk %d %d\n", touches(q + PAGE, 0), touches(q + 2 * PAGE, 0));
    SHOW(madvise(q, PAGE, MADV_DONTNEED));
    printf("fresh %d %c\n", q[0], q[PAGE]);
    SHOW(mmap(p, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    SHOW(mmap(p, PAGE, PROT_READ, MAP_PRIVATE, 99, 0) == MAP_FAILED);
    SHOW(mmap(p, PAGE, PROT_READ, MAP_FIXED_NOREPLACE | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
         MAP_FAILED);
    SHOW(msync(p, PAGE, MS_SYNC));
    SHOW(munmap(p + 1, PAGE));
}

static void sharing(void)
{
    int *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int *own = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int status;

    *shared = *own = 1;
    if (fork() == 0) {
        *shared = *own = 2;
        if (fork() == 0) {
            *own = 3;
            _exit(*own + *shared);
        }
        wait(&status);
        _exit(WEXITSTATUS(status) * 10 + *own);
    }
    wait(&status);
    printf("shared %d own %d status %d\n", *shared, *own, WEXITSTATUS(status));
}

static int deep(int n)
{
    volatile char room[1000];

    room[0] = (char)n;
    return n == 0 ? room[0] : deep(n - 1) + 1;
}

static int endless(int n)
{
    volatile char room[1000];

    room[0] = (char)n;
    return endless(n + 1) + room[0];
}

static void stack_and_heap(void)
{
    char *start = sbrk(0);
    struct rlimit limit;
    stack_t other = {.ss_sp = malloc(65536), .ss_size = 65536};
    struct sigaction sa = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
    char *big;

    printf("deep %d\n", deep(6000));
    sigaltstack(&other, NULL);
    sigaction(SIGSEGV, &sa, NULL);
    if (!sigsetjmp(back, 1))
        printf("%d\n", endless(0));
    else
        printf("overflow caught\n");
    printf("aligned %d\n", (unsigned long)start % PAGE == 0);
    big = malloc(50000000);
    memset(big, 1, 50000000);
    printf("big %d\n", big[49999999]);
    free(big);
    SHOW(getrlimit(RLIMIT_STACK, &limit));
    printf("%ld\n", (long)limit.rlim_cur);
    SHOW(malloc(1ul << 46) == NULL);
}

// Code that is written, executed, overwritten and executed again.
static void code(void)
{
    unsigned char *p =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    static const unsigned char text[] = {0xb8, 1, 0, 0, 0, 0xc3}; // mov eax, 1; ret

    memcpy(p, text, sizeof(text));
    printf("code %d\n", ((int (*)(void))p)());
    p[1] = 42;
    printf("code %d\n", ((int (*)(void))p)());
    mprotect(p, PAGE, PROT_READ | PROT_WRITE);
    printf("not executable %d\n", sigsetjmp(back, 1) ? 11 : ((int (*)(void))p)());
    mprotect(p, PAGE, PROT_READ | PROT_EXEC);
    printf("code %d\n", ((int (*)(void))p)());
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGSEGV, on_fault);
    signal(SIGBUS, on_fault);
    mapping();
    sharing();
    code();
    stack_and_heap();
    return 0;
}
