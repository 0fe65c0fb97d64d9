// SPDX-License-Identifier: BSD-3-Clause
// How long this host takes for one access to the modelled memory hierarchy, by where it hits.
//
//     build/bench/cache [ROW]
//
// A core with two levels of its own (32 KiB and 1 MiB) and a shared third one (8 MiB), behind them
// a memory of fixed latency. Nanoseconds, the best of five rounds; each access is to another line:
// an instruction's next bytes and most loads are to the line before, which is the "same line" row.
#include "mem/cache.h"
#include "base/rng.h"
#include "mem/simple_memory.h"
#include "sim/sim.h"
#include "sim/timed.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ACCESSES = 1 << 20, ROUNDS = 5 };

COMPONENT_LISTS(machine, NO_ROWS, NO_ROWS, NO_ROWS, NO_ROWS);

struct machine {
    struct component base;
    struct machine_params p;
    struct machine_state st;
    struct machine_stats n;
};

static const struct component_type machine_type = {
    .name = "machine", .doc = "Machine of a benchmark", COMPONENT_LAYOUT(machine)};

struct bench {
    struct sim sim;
    struct component *l1;
    const struct timed_port_ops *ops;
    struct timed_client client;
    u32 told;
    paddr *order;
};

static void told(struct timed_client *client, u32 token, tick when)
{
    CONTAINER_OF(client, struct bench, client)->told++;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void add(struct bench *b, const struct component_type *type, const char *name,
                const char *const *params)
{
    struct error err;
    struct component *c = component_new(&b->sim, type, b->sim.root, name, &err);

    for (; c && *params; params += 2)
        if (!component_set(c, params[0], params[1], &err))
            c = NULL;
    if (!c) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
}

static void make(struct bench *b)
{
    static const char *const l1[] = {"next", "m.l2",  "size", "32KiB", "ways",
                                     "8",    "ports", "3",    NULL};
    static const char *const l2[] = {"next",        "m.l3", "size",         "1MiB", "ways", "16",
                                     "tag_latency", "4",    "data_latency", "10",   NULL};
    static const char *const l3[] = {"next",         "m.memory", "size",        "8MiB",
                                     "ways",         "16",       "tag_latency", "10",
                                     "data_latency", "30",       NULL};
    static const char *const none[] = {NULL};
    struct error err;

    *b = (struct bench){.client.done = told};
    sim_init(&b->sim);
    component_new(&b->sim, &machine_type, NULL, "m", &err);
    add(b, &cache_type, "l1", l1);
    add(b, &cache_type, "l2", l2);
    add(b, &cache_type, "l3", l3);
    add(b, &simple_memory_type, "memory", none);
    if (!sim_build(&b->sim, &err)) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    sim_reset(&b->sim);
    b->l1 = component_child(b->sim.root, "l1");
    b->ops = component_interface(b->l1, "timed_port");
    b->order = calloc(ACCESSES, sizeof(*b->order));
}

// Lines of a working set in random order; `run` accesses in a row to each.
static void make_order(struct bench *b, u64 set_bytes, u32 run)
{
    struct rng rng = {1};
    paddr pa = 0;

    for (u32 i = 0; i < ACCESSES; i++) {
        if (i % run == 0)
            pa = rng_below(&rng, set_bytes / TIMED_LINE) * TIMED_LINE;
        b->order[i] = pa + i % run * 4;
    }
}

static void all_atomic(struct bench *b, enum timed_kind kind)
{
    struct timed_access a = {.kind = (u8)kind};

    for (u32 i = 0; i < ACCESSES; i++) {
        a.pa = b->order[i];
        b->ops->atomic(b->l1, &a);
    }
}

// One access a cycle, or what the hierarchy takes.
static void all_timed(struct bench *b, enum timed_kind kind)
{
    struct timed_access a = {.kind = (u8)kind};
    tick now = b->sim.queue.now, when;

    for (u32 i = 0; i < ACCESSES; i++) {
        a.pa = b->order[i];
        now += 333;
        while (b->ops->access(b->l1, &a, now, &b->client, i, &when) == TIMED_BUSY) {
            now = when;
            event_queue_run(&b->sim.queue, now);
        }
        if (event_queue_next(&b->sim.queue) <= now)
            event_queue_run(&b->sim.queue, now);
    }
    event_queue_run(&b->sim.queue, now + 1000000);
}

static double best(struct bench *b, void (*work)(struct bench *, enum timed_kind),
                   enum timed_kind kind)
{
    double least = 1e9;

    work(b, kind);
    for (u32 round = 0; round < ROUNDS; round++) {
        double begin = seconds();

        work(b, kind);
        least = MIN(least, seconds() - begin);
    }
    return least / ACCESSES * 1e9;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        u64 set;
        u32 run;
        enum timed_kind kind;
    } rows[] = {
        {"L1 hit, same line, load", KiB(24), 8, TIMED_READ},
        {"L1 hit, load", KiB(24), 1, TIMED_READ},
        {"L1 hit, store", KiB(24), 1, TIMED_WRITE},
        {"L2 hit, load", KiB(768), 1, TIMED_READ},
        {"L2 hit, store", KiB(768), 1, TIMED_WRITE},
        {"L3 hit, load", MiB(6), 1, TIMED_READ},
        {"memory, load", MiB(256), 1, TIMED_READ},
        {"memory, store", MiB(256), 1, TIMED_WRITE},
    };
    struct bench b;
    size_t first = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    size_t end = argc > 1 ? MIN(first + 1, ARRAY_SIZE(rows)) : ARRAY_SIZE(rows);

    make(&b);
    printf("%-28s %8s %8s\n", "ns per access", "atomic", "timed");
    for (size_t i = first; i < end; i++) {
        make_order(&b, rows[i].set, rows[i].run);
        printf("%-28s %8.1f", rows[i].name, best(&b, all_atomic, rows[i].kind));
        printf(" %8.1f\n", best(&b, all_timed, rows[i].kind));
    }
    free(b.order);
    sim_release(&b.sim);
    return 0;
}
