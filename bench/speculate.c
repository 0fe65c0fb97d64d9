// SPDX-License-Identifier: BSD-3-Clause
// What going down a wrong path and coming back costs, in a program that runs in user mode:
//
//     build/bench/speculate PROGRAM [ARGUMENT]...
//
// Straight on: blocks executed one by one as a timing model does. Wrong paths: the same
// instructions, but every few of them undone and executed again.
#include "cpu/front.h"
#include "isa/x86/core.h"
#include "machine/se.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SKIPPED = 3000000, PAIRS = 1000000, STRAIGHT = 3000000, PATHS = 30000 };

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); // others may be busy
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void drop(struct dyn_batch *batch)
{
}

static void measure_pairs(struct core *core, u32 below)
{
    double start;

    for (u32 i = 0; i < below; i++)
        (void)core->isa->speculate(core);
    start = seconds();
    for (u32 i = 0; i < PAIRS; i++)
        core->isa->rewind(core, core->isa->speculate(core));
    printf("speculate and rewind, %2u levels below: %6.1f ns\n", below,
           (seconds() - start) / PAIRS * 1e9);
    if (below)
        core->isa->rewind(core, 0);
}

// Executes until something else than the budget ends it: a system call, mostly.
static u64 run(struct front *f, u64 insts, u64 slack)
{
    u64 done = 0, n;

    while (done < insts) {
        if (front_step(f, insts - done, slack, &n) != CORE_CONTINUE)
            break;
        done += n;
    }
    return done;
}

static void measure_straight(struct front *f, u64 slack)
{
    double start = seconds();
    u64 done = run(f, STRAIGHT, slack);

    printf("straight on, slack %3llu:               %6.1f MIPS\n", (unsigned long long)slack,
           (double)done / (seconds() - start) * 1e-6);
}

static void measure_wrong(struct front *f, u64 slack, u64 length)
{
    struct core *core = f->core;
    double start = seconds(), time;
    u64 done = 0;

    for (u32 i = 0; i < PATHS; i++) {
        u32 level = core->isa->speculate(core);

        done += run(f, length, slack);
        core->isa->rewind(core, level);
        if (i % 16 == 0 && run(f, length, slack) < length)
            break;
    }
    time = seconds() - start;
    printf("wrong paths of %3llu, slack %3llu:        %6.1f MIPS, %.0f ns each\n",
           (unsigned long long)length, (unsigned long long)slack, (double)done / time * 1e-6,
           time / PATHS * 1e9);
}

int main(int argc, char **argv)
{
    struct se_options options = {.cpus = 1,
                                 .cpuid = "x86-64-v3",
                                 .mem_bytes = 256 << 20,
                                 .traced = true,
                                 .program = argv[1],
                                 .argv = (const char *const *)argv + 1};
    struct se_machine *m;
    struct se_result r;
    struct front front;
    enum se_load why;
    struct error err;
    struct core *core;

    if (argc < 2)
        return 2;
    options.batch = dyn_batch_new(1000, drop, NULL, &err);
    m = se_new(&options, &why, &err);
    if (!m || !se_run(m, SKIPPED, ~(tick)0, &r, &err) || r.end != SE_LIMIT)
        return 1;
    core = se_cpu(m, 0)->core;
    if (!front_init(&front, core, core->cache, &err))
        return 1;
    measure_pairs(core, 0);
    measure_pairs(core, 3);
    for (u64 slack = 0; slack <= 256; slack += 256) {
        measure_straight(&front, slack);
        measure_wrong(&front, slack, 50);
        measure_wrong(&front, slack, 300);
    }
    front_release(&front);
    se_free(m);
    dyn_batch_free(options.batch);
    return 0;
}
