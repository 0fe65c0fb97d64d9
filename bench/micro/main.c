// SPDX-License-Identifier: BSD-3-Clause
// micro [--runs N] [--list] [NAME...]: prints name, group, cycles per operation and what that is, a
// line each. Cycles are those of a chain of dependent additions, which is timed before every run:
// the least of all runs of both counts.
#include "micro.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CALIBRATION = 4096, TABLES = 3 };

static const struct micro *const tables[TABLES] = {micro_kernels, micro_branches, micro_memory};

static u64 ticks(void)
{
    u32 low, high;

    __asm__ volatile("lfence\nrdtsc\nlfence" : "=a"(low), "=d"(high) : : "memory");
    return (u64)high << 32 | low;
}

static u64 additions(u64 n)
{
    u64 begin = ticks();

    __asm__ volatile("1:\n.rept 64\nadd %%rcx, %%rax\n.endr\nsub $64, %0\njnz 1b"
                     : "+r"(n)
                     :
                     : "rax", "rcx", "cc");
    return ticks() - begin;
}

static u64 once(const struct micro *m, u64 loops, u8 *buffer)
{
    u64 begin = ticks();

    m->run(m, loops, buffer);
    return ticks() - begin;
}

static u64 least(u64 a, u64 b)
{
    return a < b ? a : b;
}

// Cycles per operation. What every run takes is in a run of the same with no work: the difference
// of two lengths of additions tells the ticks of a cycle.
static double measure(const struct micro *m, int runs, u8 *buffer)
{
    u64 shortest = ~0ull, longest = ~0ull, work = ~0ull;
    double tick;

    if (m->prepare)
        m->prepare(m, buffer);
    for (int i = 0; i < runs; i++) {
        shortest = least(shortest, additions(CALIBRATION));
        longest = least(longest, additions(5 * CALIBRATION));
        work = least(work, once(m, m->loops, buffer));
    }
    tick = (double)(longest - shortest) / (4 * CALIBRATION);
    // what is around the additions is around the work
    return ((double)work - ((double)shortest - CALIBRATION * tick)) / tick /
           ((double)m->ops * m->loops);
}

static const struct micro *find(const char *name)
{
    for (int t = 0; t < TABLES; t++)
        for (const struct micro *m = tables[t]; m->name; m++)
            if (!strcmp(m->name, name))
                return m;
    fprintf(stderr, "micro: no benchmark '%s'; see --list\n", name);
    exit(1);
}

static void show(const struct micro *m, int runs, u8 *buffer)
{
    double cycles = measure(m, runs, buffer);

    if (m->minus)
        cycles = (cycles - measure(find(m->minus), runs, buffer)) * m->scale;
    printf("%s\t%s\t%.3f\t%s\n", m->name, m->group, cycles, m->what);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    int runs = 200, first = 1;
    bool list = false;
    u8 *buffer;

    if (first < argc && !strcmp(argv[first], "--list")) {
        list = true;
        first++;
    }
    if (first + 1 < argc && !strcmp(argv[first], "--runs")) {
        runs = atoi(argv[first + 1]);
        first += 2;
    }
    buffer = mmap(NULL, MICRO_BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer == MAP_FAILED) {
        perror("micro");
        return 1;
    }
    if (first < argc) {
        for (; first < argc; first++)
            show(find(argv[first]), runs, buffer);
        return 0;
    }
    for (int t = 0; t < TABLES; t++)
        for (const struct micro *m = tables[t]; m->name; m++)
            if (list)
                printf("%s\t%s\t%s\n", m->name, m->group, m->what);
            else
                show(m, runs, buffer);
    return 0;
}
