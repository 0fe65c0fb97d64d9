// SPDX-License-Identifier: BSD-3-Clause
// Branches with patterns, indirect ones, calls of some depth.
#include "micro.h"

#include <stddef.h>

enum { OUTCOMES = 1 << 16 };

static u8 outcomes[OUTCOMES];
static u64 seed = 42;

// One conditional branch per outcome, over one instruction.
static void run_outcomes(const struct micro *m, u64 n, u8 *buffer)
{
    const u8 *at = outcomes;

    (void)m;
    (void)buffer;
    __asm__ volatile(".p2align 6\n"
                     "1: movzbl (%0), %%eax\n"
                     "inc %0\n"
                     "test %%eax, %%eax\n"
                     "jz 2f\n"
                     "add $1, %%rcx\n"
                     "2: dec %1\n"
                     "jnz 1b\n"
                     : "+r"(at), "+r"(n)
                     :
                     : "rax", "rcx", "memory", "cc");
}

// New ones each time, so that nothing is to be learnt.
static void run_random(const struct micro *m, u64 n, u8 *buffer)
{
    for (u64 i = 0; i < n; i += 64) {
        u64 bits = micro_random(&seed);

        for (u64 k = 0; k < 64; k++)
            outcomes[(i + k) % OUTCOMES] = bits >> k & 1;
    }
    run_outcomes(m, n, buffer);
}

static void prepare_outcomes(const struct micro *m, u8 *buffer)
{
    u8 pattern[64];

    (void)buffer;
    for (u64 i = 0; i < m->size; i++)
        pattern[i] = m->kind ? micro_random(&seed) >> 63 : i == 0;
    for (u64 i = 0; i < OUTCOMES; i++)
        outcomes[i] = pattern[i % m->size];
}

// Loops of m->size iterations in a loop.
static void run_nest(const struct micro *m, u64 n, u8 *buffer)
{
    (void)buffer;
    for (u64 left = n; left; left--) {
        u64 inner = m->size;

        __asm__ volatile("1: add $1, %%rax\nadd $1, %%rcx\ndec %0\njnz 1b"
                         : "+r"(inner)
                         :
                         : "rax", "rcx", "cc");
    }
}

// An indirect jump to one of m->size places, in turn or at random.
static void run_indirect(const struct micro *m, u64 n, u8 *buffer)
{
    static const void *const targets[] = {&&t0, &&t1, &&t2, &&t3, &&t4, &&t5, &&t6, &&t7};
    const u8 *at = outcomes, *end = outcomes + n;

    (void)m;
    (void)buffer;
next:
    __asm__ volatile("" : "+r"(at));
    if (at == end)
        return;
    goto *targets[*at++];
#define TARGET(k)                           \
    t##k : __asm__ volatile("" ::"i"(k) :); \
    goto next;
    TARGET(0)
    TARGET(1)
    TARGET(2)
    TARGET(3)
    TARGET(4)
    TARGET(5)
    TARGET(6)
    TARGET(7)
#undef TARGET
}

static void prepare_targets(const struct micro *m, u8 *buffer)
{
    (void)buffer;
    for (u64 i = 0; i < OUTCOMES; i++)
        outcomes[i] = (u8)((m->kind ? micro_random(&seed) >> 32 : i) % m->size);
}

static __attribute__((noinline)) void nested(u64 depth)
{
    if (depth > 1)
        nested(depth - 1);
    __asm__ volatile("");
}

static void run_depth(const struct micro *m, u64 n, u8 *buffer)
{
    (void)buffer;
    for (; n; n--)
        nested(m->size);
}

#define OUTCOMES_OF(id, text, period, random, loops_)                                    \
    {                                                                                    \
        .name = id, .group = "branch", .what = text, .ops = 1, .loops = loops_,          \
        .run = run_outcomes, .prepare = prepare_outcomes, .size = period, .kind = random \
    }
#define NEST(id, text, length, loops_)                                               \
    {                                                                                \
        .name = id, .group = "branch", .what = text, .ops = length, .loops = loops_, \
        .run = run_nest, .size = length                                              \
    }
#define INDIRECT(id, text, places, random, loops_)                                      \
    {                                                                                   \
        .name = id, .group = "branch", .what = text, .ops = 1, .loops = loops_,         \
        .run = run_indirect, .prepare = prepare_targets, .size = places, .kind = random \
    }
#define DEPTH(id, text, depth, loops_)                                              \
    {                                                                               \
        .name = id, .group = "branch", .what = text, .ops = depth, .loops = loops_, \
        .run = run_depth, .size = depth                                             \
    }

const struct micro micro_branches[] = {
    OUTCOMES_OF("pattern_1", "loop with a branch never taken", 1, 0, 8000),
    OUTCOMES_OF("pattern_2", "loop with a branch of period 2", 2, 0, 8000),
    OUTCOMES_OF("pattern_3", "loop with a branch of period 3", 3, 0, 8000),
    OUTCOMES_OF("pattern_7", "loop with a branch of period 7", 7, 1, 8000),
    OUTCOMES_OF("pattern_16", "loop with a branch of random period 16", 16, 1, 8000),
    OUTCOMES_OF("pattern_64", "loop with a branch of random period 64", 64, 1, 16000),
    {.name = "mispredict",
     .group = "branch",
     .what = "misprediction (random branch)",
     .ops = 1,
     .loops = 8000,
     .run = run_random,
     .prepare = prepare_outcomes,
     .size = 1,
     .minus = "pattern_1",
     .scale = 2},
    NEST("loop_4", "iteration of a loop of 4", 4, 1500),
    NEST("loop_16", "iteration of a loop of 16", 16, 500),
    NEST("loop_64", "iteration of a loop of 64", 64, 200),
    INDIRECT("indirect_1", "indirect jump, 1 target", 1, 0, 8000),
    INDIRECT("indirect_2", "indirect jump, 2 targets in turn", 2, 0, 8000),
    INDIRECT("indirect_8", "indirect jump, 8 targets in turn", 8, 0, 8000),
    DEPTH("calls_8", "call and return, 8 deep", 8, 300),
    DEPTH("calls_40", "call and return, 40 deep", 40, 60),
    DEPTH("calls_100", "call and return, 100 deep", 100, 40),
    {.name = NULL},
};
