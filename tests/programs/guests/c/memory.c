// SPDX-License-Identifier: BSD-3-Clause
// Mappings: files, sharing, growth, moves, protection, fixed places, discarding, code made at run
// time.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf back;

static void fault(int signal)
{
    siglongjmp(back, signal);
}

static int touch(volatile char *at)
{
    int signal = sigsetjmp(back, 1);

    if (!signal)
        *at = 1;
    return signal;
}

int main(void)
{
    char *p, *q, *r;
    unsigned x = 1;
    int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644), signals = 0;

    signal(SIGSEGV, fault);
    signal(SIGBUS, fault);
    ftruncate(fd, 3 * 4096 + 100);
    p = mmap(NULL, 5 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    q = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096);
    strcpy(p + 4096, "shared");
    strcpy(q + 4096, "private");
    printf("%s|%s|%d %d\n", q, p + 2 * 4096, touch(p + 3 * 4096 + 200), touch(p + 4 * 4096));
    pwrite(fd, "by write", 9, 100);
    printf("%s\n", p + 100);
    munmap(p, 5 * 4096);

    p = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 16; i++)
        p[i * 4096] = (char)i;
    mprotect(p + 4 * 4096, 4 * 4096, PROT_READ);
    munmap(p + 10 * 4096, 4096);
    madvise(p + 12 * 4096, 4096, MADV_DONTNEED);
    for (int i = 0; i < 16; i++)
        printf("%d ", touch(p + i * 4096 + 1));
    printf("%d %d\n", p[12 * 4096], p[13 * 4096]);
    r = mremap(p, 4 * 4096, 40 * 4096, MREMAP_MAYMOVE);
    printf("%d %d %d\n", r[3 * 4096], r[39 * 4096], touch(r + 39 * 4096));
    r = mremap(r, 40 * 4096, 2 * 4096, 0);
    printf("%d %d\n", touch(r + 4096), touch(r + 3 * 4096));
    q = mmap(r, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    printf("%d %d\n", q == r, q[0]);
    q = mmap(r, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    printf("%d\n", q == MAP_FAILED && errno == EEXIST);

    // random maps and unmaps, the content checked
    p = mmap(NULL, 64 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (int i = 0; i < 3000; i++) {
        size_t at, n;

        x = x * 1103515245 + 12345;
        at = x >> 10 & 63;
        n = (x >> 20 & 7) + 1;
        n = at + n > 64 ? 64 - at : n;
        switch (x >> 28) {
        case 0:
        case 1:
        case 2:
        case 3:
            mprotect(p + at * 4096, n * 4096, PROT_READ | PROT_WRITE);
            break;
        case 4:
        case 5:
            mprotect(p + at * 4096, n * 4096, PROT_READ);
            break;
        case 6:
            madvise(p + at * 4096, n * 4096, MADV_DONTNEED);
            break;
        case 7:
            mmap(p + at * 4096, n * 4096, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
            break;
        default:
            signals = signals * 31 + touch(p + at * 4096 + (x >> 5 & 4095));
        }
    }
    mprotect(p, 64 * 4096, PROT_READ);
    x = 0;
    for (int i = 0; i < 64 * 4096; i++)
        x = x * 31 + (unsigned char)p[i];
    printf("%u %d\n", x, signals);

    // code written, run, rewritten, run; then in a child
    static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};
    p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(p, code, sizeof(code));
    for (int i = 0; i < 3; i++) {
        p[1] = (char)(40 + i);
        printf("%d ", ((int (*)(void))p)());
    }
    fflush(stdout);
    if (fork() == 0) {
        p[1] = 99;
        _exit(((int (*)(void))p)());
    }
    wait(&fd);
    printf("%d %d\n", WEXITSTATUS(fd), ((int (*)(void))p)());
    q = sbrk(0);
    sbrk(100000);
    memset(q, 1, 100000);
    sbrk(-100000);
    printf("%d %d\n", (char *)sbrk(0) == q, touch(q + 50000));
    return 0;
}
