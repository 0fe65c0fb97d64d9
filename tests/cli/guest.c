// SPDX-License-Identifier: BSD-3-Clause
// A guest that behaves as its first argument says; test_exec.py compares it with a native run.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile unsigned long sink;

static __attribute__((noinline)) unsigned long recurse(unsigned long n)
{
    volatile char room[4096];

    room[n % 4096] = (char)n;
    return room[n % 4096] + recurse(n + 1) + 1;
}

static int print_environment(char **environment)
{
    for (; *environment; environment++)
        puts(*environment);
    return 0;
}

static int close_streams(void)
{
    close(0);
    close(1);
    close(2);
    return write(1, "x", 1) < 0 && errno == EBADF ? 7 : 8;
}

static int random_bytes(void)
{
    unsigned char bytes[16];

    if (getentropy(bytes, sizeof(bytes)) != 0)
        return 1;
    for (size_t i = 0; i < sizeof(bytes); i++)
        printf("%02x", bytes[i]);
    putchar('\n');
    return 0;
}

int main(int argc, char **argv, char **environment)
{
    const char *what = argc > 1 ? argv[1] : "";
    int number = argc > 2 ? atoi(argv[2]) : 0;

    if (strcmp(what, "exit") == 0)
        return number;
    if (strcmp(what, "kill") == 0)
        return kill(getpid(), number);
    if (strcmp(what, "abort") == 0)
        abort();
    if (strcmp(what, "jump") == 0)
        ((void (*)(void))0x10)();
    if (strcmp(what, "load") == 0)
        return *(volatile int *)8;
    if (strcmp(what, "stack") == 0)
        sink = recurse(0);
    if (strcmp(what, "ud2") == 0)
        __asm__ volatile("ud2");
    if (strcmp(what, "avx512") == 0)
        __asm__ volatile(".byte 0x62, 0xf1, 0xfd, 0x48, 0xd4, 0xc0"); // vpaddq zmm0, zmm0, zmm0
    if (strcmp(what, "privileged") == 0)
        __asm__ volatile("hlt");
    if (strcmp(what, "divide") == 0)
        __asm__ volatile("xor %%edx, %%edx\n\txor %%ecx, %%ecx\n\tdiv %%ecx" ::
                             : "eax", "ecx", "edx");
    if (strcmp(what, "loop") == 0)
        for (;;)
            sink++;
    if (strcmp(what, "wait") == 0)
        for (;;)
            pause();
    if (strcmp(what, "close") == 0)
        return close_streams();
    if (strcmp(what, "environment") == 0)
        return print_environment(environment);
    if (strcmp(what, "random") == 0)
        return random_bytes();
    if (strcmp(what, "is-open") == 0)
        return fcntl(number, F_GETFD) < 0;
    if (strcmp(what, "cat") == 0)
        for (int c; (c = getchar()) != EOF;)
            putchar(c);
    return 0;
}
