// SPDX-License-Identifier: BSD-3-Clause
// For tests: a machine of one branch predictor, and branches with known behaviour.
#pragma once

#include "base/rng.h"
#include "cpu/bpred/bpred.h"
#include "sim/config.h"
#include "sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct bpred_board {
    struct config config;
    struct sim sim;
    struct component *bpred;
};

// settings: as --set has them, below the predictor: "direction=gshare predictor.entries=1024".
static inline bool board_try(struct bpred_board *b, const char *settings, struct error *err)
{
    static const struct component_type *const types[] = {&bpred_type, NULL};
    char text[256], assignment[128], *next = text, *word;
    bool good;

    sim_init(&b->sim);
    config_init(&b->config);
    good = config_override(&b->config, "bpred.type=bpred");
    snprintf(text, sizeof(text), "%s", settings);
    while ((word = strsep(&next, " "))) {
        snprintf(assignment, sizeof(assignment), "bpred.%s", word);
        if (*word)
            good &= config_override(&b->config, assignment);
    }
    if (!good || !config_create(&b->config, &b->sim, NULL, types))
        return config_check(&b->config, err);
    if (!sim_build(&b->sim, err))
        return false;
    sim_reset(&b->sim);
    b->bpred = b->sim.root;
    return true;
}

static inline void board_init(struct bpred_board *b, const char *settings)
{
    struct error err;

    if (!board_try(b, settings, &err))
        fail_msg("%s", err.message);
}

static inline void board_release(struct bpred_board *b)
{
    sim_release(&b->sim);
    config_release(&b->config);
}

static inline struct branch branch_at(vaddr pc, u8 kind, vaddr target)
{
    return (struct branch){.pc = pc, .fall = pc + 4, .target = target, .kind = kind};
}

// A conditional branch forward, or back when `back`.
static inline bool warm_conditional(struct bpred_board *b, vaddr pc, bool back, bool taken)
{
    struct branch br = branch_at(pc, BRANCH_CONDITIONAL, back ? pc - 64 : pc + 64);

    return bpred_warm(b->bpred, &br, taken, taken ? br.target : br.fall);
}
static inline bool warm_indirect(struct bpred_board *b, vaddr pc, vaddr target)
{
    struct branch br = branch_at(pc, BRANCH_INDIRECT, 0);

    return bpred_warm(b->bpred, &br, true, target);
}

// A counter of the predictor by name.
static inline u64 board_stat(struct bpred_board *b, const char *name)
{
    struct stat_set set = {0};
    u64 values[256];
    char path[80];
    double v;

    stat_set_add_tree(&set, b->bpred);
    assert_true(set.words <= ARRAY_SIZE(values));
    stat_set_take(&set, values);
    snprintf(path, sizeof(path), "bpred.%s", name);
    if (!stat_get(&set, values, path, &v))
        fail_msg("no statistic %s", name);
    stat_set_release(&set);
    return (u64)v;
}
