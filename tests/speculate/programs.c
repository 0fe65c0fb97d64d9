// SPDX-License-Identifier: BSD-3-Clause
// Programs that wander off down wrong paths all the time, and without: what they write, how many
// instructions they take, their registers and all memory (page tables included) must be the same at
// many points.
//
//     speculate_programs memory|output EVERY INSTRUCTIONS PROGRAM [ARGUMENT]...
//
// "output": of a program that looks at what is not the same each time, only what it writes is
// compared.
#include "wander.h"

#include "base/hash.h"
#include "machine/se.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MEMORY = 96 << 20, POINTS = 12 };

struct outcome {
    u32 n;
    u64 hash[POINTS], insts[POINTS];
    struct se_result end;
    u64 output, output_bytes;
};

static struct wander wander;

static enum core_exit run(struct cpu *cpu, u64 max_insts, tick until, u64 *ret_insts)
{
    return wander_run(&wander, max_insts, ret_insts);
}

// Puts the wandering model in the place of the machine's.
static void take_over(struct se_machine *m, struct cpu_ops *ops, u32 every)
{
    struct cpu *cpu = se_cpu(m, 0);
    struct error err;

    if (!wander_init(&wander, cpu->core, cpu->core->cache, 1, every, &err)) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    *ops = *cpu->ops;
    ops->run = run;
    cpu->ops = ops;
}

static u64 file_hash(int fd, u64 *ret_bytes)
{
    u64 bytes = (u64)lseek(fd, 0, SEEK_END), h = 0;
    u8 *p = mmap(NULL, bytes ? bytes : 1, PROT_READ, MAP_SHARED, fd, 0);

    if (bytes && p != MAP_FAILED)
        h = hash64(p, bytes);
    if (p != MAP_FAILED)
        munmap(p, bytes ? bytes : 1);
    *ret_bytes = bytes;
    return h;
}

static void record(struct se_machine *m, struct outcome *o, u64 insts)
{
    o->hash[o->n] = wander_hash(se_cpu(m, 0)->core, MEMORY);
    o->insts[o->n++] = insts;
}

// `captured`: what the program writes is kept. It can then see when it was started (fstat), and
// its memory is not the same each time.
static void execute(char **argv, u64 limit, u32 every, bool captured, struct outcome *o)
{
    static const char *const environment[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8",
                                              "PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1",
                                              NULL};
    struct se_options options = {.cpus = 1,
                                 .cpuid = "x86-64-v3",
                                 .mem_bytes = MEMORY,
                                 .traced = true,
                                 .program = argv[0],
                                 .argv = (const char *const *)argv,
                                 .envp = environment};
    int out = captured ? memfd_create("output", MFD_CLOEXEC) : open("/dev/null", O_WRONLY);
    int old = dup(1);
    struct cpu_ops ops;
    struct se_machine *m;
    enum se_load why;
    struct error err;

    fflush(stdout);
    dup2(out, 1);
    m = se_new(&options, &why, &err);
    if (!m) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    take_over(m, &ops, every);
    memset(o, 0, sizeof(*o));
    for (u64 at = limit / POINTS; at <= limit && o->n < POINTS; at += limit / POINTS) {
        if (!se_run(m, at, ~(tick)0, &o->end, &err)) {
            fprintf(stderr, "%s\n", err.message);
            exit(1);
        }
        if (!captured)
            record(m, o, o->end.insts);
        if (o->end.end != SE_LIMIT)
            break;
    }
    dup2(old, 1);
    close(old);
    if (captured)
        o->output = file_hash(out, &o->output_bytes);
    close(out);
    se_free(m);
}

static bool same(const struct outcome *a, const struct outcome *b)
{
    if (a->n != b->n || a->end.end != b->end.end || a->end.status != b->end.status)
        printf("ends differ: %s; %s\n", a->end.reason, b->end.reason);
    for (u32 i = 0; i < MIN(a->n, b->n); i++)
        if (a->hash[i] != b->hash[i] || a->insts[i] != b->insts[i]) {
            printf("point %u: instruction %" PRIu64 " and %" PRIu64 "\n", i, a->insts[i],
                   b->insts[i]);
            return false;
        }
    if (a->output != b->output || a->output_bytes != b->output_bytes)
        printf("the output differs\n");
    return a->n == b->n && a->end.end == b->end.end && a->end.status == b->end.status &&
           a->output == b->output && a->output_bytes == b->output_bytes;
}

// Both runs, compared.
static bool compare(char **argv, u64 limit, u32 every, bool captured, struct outcome *ret)
{
    struct outcome straight;

    execute(argv, limit, 0, captured, &straight);
    wander_release(&wander);
    execute(argv, limit, every, captured, ret);
    if (wander.broken)
        printf("%s\n", wander.broken);
    printf("%" PRIu64 " wrong paths, %" PRIu64 " nested, %" PRIu64 " instructions, %" PRIu64
           " references (%" PRIu64 " stores), %" PRIu64 " dead ends\n",
           wander.paths, wander.nested, wander.wrong_insts, wander.wrong_refs, wander.stores,
           wander.dead_ends);
    wander_release(&wander);
    return same(&straight, ret) && !wander.broken && wander.paths;
}

int main(int argc, char **argv)
{
    struct outcome o;
    u64 limit;
    u32 every;
    bool good;

    if (argc < 5)
        return 2;
    every = (u32)strtoul(argv[2], NULL, 10);
    limit = strtoull(argv[3], NULL, 10);
    good = strcmp(argv[1], "output") == 0 || compare(argv + 4, limit, every, false, &o);
    good &= compare(argv + 4, limit, every, true, &o);
    printf("%s: %" PRIu64 " instructions, %" PRIu64 " bytes written, %s\n", argv[4], o.end.insts,
           o.output_bytes, o.end.reason);
    return good ? 0 : 1;
}
