// SPDX-License-Identifier: BSD-3-Clause
// System calls with random numbers and arguments, from children that may die of it. The parent only
// says that it is still there: whatever the calls do, the simulator must survive. hostile SEED
// ROUNDS
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BYTES = 1 << 16, CALLS = 400 };

static uint64_t state;
static uint8_t *memory;

static uint64_t next(void)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t argument(void)
{
    static const uint64_t odd[] = {0,          1,          2,       ~0ull,      4096,
                                   0x7fffffff, 0x80000000, 1 << 20, 1ull << 47, 1ull << 63};

    switch (next() % 8) {
    case 0:
        return next() % 12;
    case 1:
        return odd[next() % (sizeof(odd) / sizeof(odd[0]))];
    case 2:
        return next();
    case 3:
        return next() % 5000;
    case 4:
        return (uint64_t)memory + BYTES - next() % 16; // ends in what is not mapped
    case 5:
        return 1ull << next() % 64;
    default:
        return (uint64_t)memory + next() % (BYTES / 8) * 8;
    }
}

// Names without a slash: nothing outside of the working folder is touched.
static void fill(void)
{
    for (int i = 0; i < BYTES; i += 8) {
        uint64_t v = next() % 4 ? argument() : 0;

        if (next() % 4 == 0)
            snprintf((char *)&v, sizeof(v), "f%d", (int)(next() % 10));
        memcpy(memory + i, &v, 8);
        for (int n = 0; n < 8; n++) {
            if (memory[i + n] == '/' || memory[i + n] == '.')
                memory[i + n] = 'x';
        }
    }
}

// Not: ends of the process, signals to others, more processes.
static int forbidden(long number)
{
    static const short list[] = {15,  34,  56,  57,  58,  60,  62,  127, 128, 129,
                                 130, 200, 231, 234, 297, 424, 435, 59,  322, 219};

    for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        if (list[i] == number)
            return 1;
    }
    return 0;
}

static void nothing(int number)
{
}

static void child(void)
{
    struct itimerval it = {{0, 20000}, {0, 20000}};
    struct sigaction sa = {.sa_handler = nothing};

    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &it, NULL);
    for (int i = 0; i < CALLS; i++) {
        long number = (long)(next() % 452);

        if (next() % 16 == 0)
            fill();
        if (!forbidden(number))
            syscall(number, argument(), argument(), argument(), argument(), argument(), argument());
    }
    _exit(0);
}

int main(int argc, char **argv)
{
    int rounds = argc > 2 ? atoi(argv[2]) : 10;
    struct sigaction sa = {.sa_handler = nothing};

    state = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    sigaction(SIGALRM, &sa, NULL);
    for (int i = 0; i < rounds; i++) {
        int status;
        pid_t pid;

        next();
        pid = fork();
        if (pid == 0) {
            memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            state ^= (uint64_t)i << 32;
            fill();
            child();
        }
        alarm(60);
        while (waitpid(pid, &status, 0) != pid)
            kill(pid, SIGKILL);
    }
    syscall(SYS_write, 2, "still here\n", 11);
    return 0;
}
