// SPDX-License-Identifier: BSD-3-Clause
// Branch predictors on real programs: how often they are wrong, and how long they take.
//
//     build/bench/bpred synthetic
//     build/bench/bpred mpki|order|speed -- PROGRAM ARGUMENT... [-- PROGRAM ARGUMENT...]...
//
// Each program runs in user mode on the traced functional engine, up to a number of instructions.
// "mpki": mispredicted conditional branches per thousand instructions, of each predictor.
// "order": the same with fewer instructions, and a failure unless in total TAGE-SC-L 64 KB is
// better than 8 KB and than TAGE, TAGE than gshare, and gshare than bimodal. "speed": nanoseconds
// of CPU time per branch, when warming and when predicting and committing.
#include "base/alloc.h"
#include "base/rng.h"
#include "cpu/branch.h"
#include "cpu/functional/functional.h"
#include "machine/se.h"
#include "sim/config.h"
#include "sim/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_INSTS = 30000000, ORDER_INSTS = 5000000, BATCH = 4096, KEPT = 2000000, ROUNDS = 3 };

static const char *const names[] = {"bimodal", "gshare",       "tournament",   "perceptron",
                                    "tage",    "tage_sc_l_8k", "tage_sc_l_64k"};
enum { BIMODAL, GSHARE, TAGE = 4, SCL_8K, SCL_64K, PREDICTORS };

struct predictor {
    struct config config;
    struct sim sim;
};

struct event_of_branch {
    struct branch b;
    vaddr next;
    bool taken;
};

struct run {
    struct predictor *predictors;
    struct event_of_branch *kept; // for "speed"
    u64 n_kept, insts, branches, conditional;
    u64 max_insts;
};

static FILE *out;

static void give_up(const char *why)
{
    fprintf(stderr, "bpred: %s\n", why);
    exit(2);
}

static void predictor_init(struct predictor *p, const char *direction)
{
    static const struct component_type *const types[] = {&bpred_type, NULL};
    AUTO_FREE char *assignment = xasprintf("bpred.direction=%s", direction);
    struct error err;

    sim_init(&p->sim);
    config_init(&p->config);
    if (!config_override(&p->config, "bpred.type=bpred") ||
        !config_override(&p->config, assignment) ||
        !config_create(&p->config, &p->sim, NULL, types) || !sim_build(&p->sim, &err))
        give_up("cannot make a predictor");
    sim_reset(&p->sim);
}

static void predictor_release(struct predictor *p)
{
    sim_release(&p->sim);
    config_release(&p->config);
}

static void one_branch(struct run *r, const struct event_of_branch *e)
{
    r->branches++;
    r->conditional += e->b.kind == BRANCH_CONDITIONAL;
    if (r->kept) {
        if (r->n_kept < KEPT)
            r->kept[r->n_kept++] = *e;
        return;
    }
    for (unsigned i = 0; i < PREDICTORS; i++)
        bpred_warm(r->predictors[i].sim.root, &e->b, e->taken, e->next);
}

static void consume(struct dyn_batch *batch)
{
    struct run *r = batch->ctx;

    r->insts += batch->n_inst;
    for (u32 i = 0; i < batch->n_inst; i++) {
        const struct dyn_inst *d = &batch->inst[i];

        if (d->si->flags & STATIC_BRANCH && !(d->flags & DYN_FAULT)) {
            struct event_of_branch e = {branch_of(d->si), d->next_pc, d->flags & DYN_TAKEN};

            one_branch(r, &e);
        }
    }
}

static void run_program(struct run *r, const char *const *argv)
{
    struct error err;
    struct dyn_batch *batch = dyn_batch_new(BATCH, consume, r, &err);
    struct se_options o = {.cpus = 1,
                           .cpuid = "x86-64-v3",
                           .mem_bytes = GiB(1),
                           .traced = true,
                           .batch = batch,
                           .program = argv[0],
                           .argv = argv};
    enum se_load why;
    struct se_result result;
    struct se_machine *m = se_new(&o, &why, &err);

    if (!m || !se_run(m, r->max_insts, ~(tick)0, &result, &err))
        give_up(err.message);
    if (batch->n_inst)
        consume(batch);
    se_free(m);
    dyn_batch_free(batch);
}

static u64 counter(const struct predictor *p, const char *name)
{
    struct stat_set set = {0};
    u64 values[256];
    double v = 0;

    stat_set_add_tree(&set, p->sim.root);
    stat_set_take(&set, values);
    if (!stat_get(&set, values, name, &v))
        give_up("no such statistic");
    stat_set_release(&set);
    return (u64)v;
}

static void mpki(const char *const *argv, u64 max_insts, u64 *totals, u64 *ret_insts)
{
    struct predictor p[PREDICTORS] = {0};
    struct run r = {.predictors = p, .max_insts = max_insts};
    const char *name = strrchr(argv[0], '/');

    for (unsigned i = 0; i < PREDICTORS; i++)
        predictor_init(&p[i], names[i]);
    run_program(&r, argv);
    fprintf(out, "%-12s %8.1f %8.1f", name ? name + 1 : argv[0], (double)r.insts / 1e6,
            (double)r.conditional * 1e3 / (double)r.insts);
    for (unsigned i = 0; i < PREDICTORS; i++) {
        u64 wrong = counter(&p[i], "bpred.condIncorrect");

        fprintf(out, " %13.3f", (double)wrong * 1e3 / (double)r.insts);
        totals[i] += wrong;
    }
    fprintf(out, " %9.3f %7.3f\n",
            (double)counter(&p[SCL_64K], "bpred.indirectMispredicted") * 1e3 / (double)r.insts,
            (double)counter(&p[SCL_64K], "bpred.RASIncorrect") * 1e3 / (double)r.insts);
    for (unsigned i = 0; i < PREDICTORS; i++)
        predictor_release(&p[i]);
    *ret_insts += r.insts;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static __attribute__((noinline)) double time_warming(struct component *bpred, const struct run *r)
{
    double start = now();

    for (u64 i = 0; i < r->n_kept; i++)
        bpred_warm(bpred, &r->kept[i].b, r->kept[i].taken, r->kept[i].next);
    return (now() - start) / (double)r->n_kept;
}

// With eight branches in flight.
static __attribute__((noinline)) double time_flight(struct component *bpred, const struct run *r)
{
    enum { FLIGHT = 8 };
    static struct prediction p[FLIGHT];
    double start = now();

    for (u64 i = 0; i < r->n_kept + FLIGHT; i++) {
        const struct event_of_branch *e = &r->kept[i];
        struct prediction *slot = &p[i % FLIGHT];

        if (i >= FLIGHT) {
            const struct event_of_branch *old = &r->kept[i - FLIGHT];

            bpred_commit(bpred, &old->b, slot, old->taken, old->next);
        }
        if (i < r->n_kept) {
            bpred_predict(bpred, &e->b, slot);
            bpred_resolve(bpred, &e->b, slot, e->taken, e->next);
        }
    }
    return (now() - start) / (double)r->n_kept;
}

// 256 branches in a row, over and over: five of eight always go one way, one has a period of
// seven, one repeats the outcome before it, and one is random, taken nine times of ten.
static void synthesise(struct run *r)
{
    struct rng rng = {1};
    bool last = false;

    for (r->n_kept = 0; r->n_kept < KEPT; r->n_kept++) {
        u64 i = r->n_kept % 256, round = r->n_kept / 256;
        vaddr pc = 0x401000 + i * 13;
        bool taken = i & 16;

        switch (i % 8) {
        case 5:
            taken = round % 7 != 6;
            break;
        case 6:
            taken = last;
            break;
        case 7:
            taken = rng_below(&rng, 10) != 0;
            break;
        }
        last = taken;
        r->kept[r->n_kept] = (struct event_of_branch){
            {.pc = pc, .fall = pc + 2, .target = pc + 40, .kind = BRANCH_CONDITIONAL},
            taken ? pc + 40 : pc + 2,
            taken};
    }
}

static void speed(const char *const *argv)
{
    struct run r = {.kept = xcalloc(KEPT + 8, sizeof(*r.kept)), .max_insts = MAX_INSTS};

    if (argv)
        run_program(&r, argv);
    else
        synthesise(&r);
    fprintf(out, "%s: %.1f M branches\n", argv ? argv[0] : "synthetic", (double)r.n_kept / 1e6);
    for (unsigned i = 0; i < PREDICTORS; i++) {
        double best[2] = {1e9, 1e9}, times[2];

        for (unsigned round = 0; round < ROUNDS; round++) {
            struct predictor p;

            predictor_init(&p, names[i]);
            times[0] = time_warming(p.sim.root, &r);
            times[1] = time_flight(p.sim.root, &r);
            for (unsigned k = 0; k < 2; k++)
                best[k] = MIN(best[k], times[k]);
            predictor_release(&p);
        }
        fprintf(out, "  %-14s %6.1f ns warming, %6.1f ns predicted and committed\n", names[i],
                best[0], best[1]);
    }
    free(r.kept);
}

static bool in_order(const u64 *totals)
{
    return totals[SCL_64K] < totals[SCL_8K] && totals[SCL_64K] < totals[TAGE] &&
           totals[TAGE] < totals[GSHARE] && totals[GSHARE] < totals[BIMODAL];
}

static void print_head(void)
{
    fprintf(out, "%-12s %8s %8s", "program", "M insts", "cond/k");
    for (unsigned i = 0; i < PREDICTORS; i++)
        fprintf(out, " %13s", names[i]);
    fprintf(out, " %9s %7s\n", "ittage", "return");
}

int main(int argc, char **argv)
{
    bool order = argc > 1 && strcmp(argv[1], "order") == 0;
    bool speeds = argc > 1 && strcmp(argv[1], "speed") == 0;
    bool synthetic = argc == 2 && strcmp(argv[1], "synthetic") == 0;
    u64 totals[PREDICTORS] = {0}, insts = 0;

    if (argc < 4 && !synthetic)
        give_up("bpred synthetic, or bpred mpki|order|speed -- PROGRAM ARGUMENT... [-- PROGRAM "
                "ARGUMENT...]...");
    out = fdopen(fcntl(1, F_DUPFD_CLOEXEC, 10), "w");
    if (!out || !freopen("/dev/null", "w", stdout))
        give_up(strerror(errno));
    setvbuf(out, NULL, _IOLBF, 0);
    if (synthetic) {
        speed(NULL);
        return 0;
    }
    if (!speeds)
        print_head();
    for (int i = 2; i < argc; i++) {
        int first = i + 1;

        for (i = first; i < argc && strcmp(argv[i], "--") != 0;)
            i++;
        argv[i] = NULL;
        if (speeds)
            speed((const char *const *)argv + first);
        else
            mpki((const char *const *)argv + first, order ? ORDER_INSTS : MAX_INSTS, totals,
                 &insts);
        i--;
    }
    if (speeds)
        return 0;
    fprintf(out, "%-12s %8.1f %8s", "all", (double)insts / 1e6, "");
    for (unsigned i = 0; i < PREDICTORS; i++)
        fprintf(out, " %13.3f", (double)totals[i] * 1e3 / (double)insts);
    fprintf(out, "\n");
    return order && !in_order(totals);
}
