// SPDX-License-Identifier: BSD-3-Clause
// gshare: a table of two-bit counters by address and global history, exclusive-ored (S. McFarling,
// "Combining Branch Predictors", DEC WRL TN-36, 1993, section 7).
// The history is that of conditional branches, speculative, and restored after a misprediction.
#include "cpu/bpred/direction.h"

#include <string.h>

#define GSHARE_PARAMS(P, PR, PB, PS, PC)                  \
    P(u32, entries, 65536, 2, 1 << 24, "Counters")        \
    P(u32, history, 16, 0, 24, "Outcomes in the history") \
    P(u32, bits, 2, 1, 7, "Bits of a counter")
#define GSHARE_STATE(F, FA, FE, FV) F(u64, history) FV(u8, counters, p->entries)

COMPONENT_LISTS(gshare, GSHARE_PARAMS, GSHARE_STATE, NO_ROWS, NO_ROWS);

struct gshare {
    struct component base;
    struct gshare_params p;
    struct gshare_state st;
    struct gshare_stats n;
};

struct gshare_found {
    u64 index;
};
struct gshare_before {
    u64 history;
};

static struct gshare *gshare_of(const struct component *c)
{
    return (struct gshare *)(uintptr_t)c;
}

static bool gshare_check(struct component *c, struct error *err)
{
    const struct gshare *s = gshare_of(c);

    if (s->p.entries >> s->p.history == 0)
        return error_set(err, ERROR_INPUT, "a history of %llu outcomes needs %llu entries",
                         (unsigned long long)s->p.history, 1ull << s->p.history);
    return check_power_of_two(s->p.entries, "entries", err);
}

static void gshare_reset(struct component *c)
{
    struct gshare *s = gshare_of(c);

    s->st.history = 0;
    memset(s->st.counters, (1 << (s->p.bits - 1)) - 1, s->p.entries); // weakly not taken
}

static bool gshare_after_load(struct component *c, struct error *err)
{
    struct gshare *s = gshare_of(c);

    if (s->st.history >> s->p.history)
        return error_set(err, ERROR_INPUT, "'history' is longer than %llu outcomes",
                         (unsigned long long)s->p.history);
    return table_within(s->st.counters, s->p.entries, (1u << s->p.bits) - 1, "counters", err);
}

static bool gshare_lookup(struct component *c, const struct branch *b, void *found,
                          u8 *ret_provider)
{
    const struct gshare *s = gshare_of(c);
    struct gshare_found *g = found;

    // A history shorter than the index meets the high end of the address.
    g->index = (b->pc ^ s->st.history * (s->p.entries >> s->p.history)) & (s->p.entries - 1);
    *ret_provider = PROVIDER_GLOBAL;
    return s->st.counters[g->index] >> (s->p.bits - 1) & 1;
}

static void gshare_push(struct component *c, const struct branch *b, bool taken, const void *found,
                        void *before)
{
    struct gshare *s = gshare_of(c);
    struct gshare_before *m = before;

    if (m)
        m->history = s->st.history;
    if (b->kind == BRANCH_CONDITIONAL)
        s->st.history = (s->st.history << 1 | taken) & ((1ull << s->p.history) - 1);
}

static void gshare_restore(struct component *c, const void *before)
{
    const struct gshare_before *m = before;

    gshare_of(c)->st.history = m->history;
}

static void gshare_train(struct component *c, const struct branch *b, const void *found, bool taken)
{
    struct gshare *s = gshare_of(c);
    const struct gshare_found *g = found;
    u8 *counter = &s->st.counters[g->index];

    *counter = counter_step(*counter, taken, (unsigned)s->p.bits);
}

static const struct direction_ops gshare_direction = {
    .lookup = gshare_lookup,
    .push = gshare_push,
    .restore = gshare_restore,
    .train = gshare_train,
};

static const struct component_ops gshare_ops = {
    .check = gshare_check,
    .reset = gshare_reset,
    .after_load = gshare_after_load,
};

const struct component_type bpred_gshare_type = {
    .name = "bpred_gshare",
    .doc = "gshare branch predictor",
    COMPONENT_LAYOUT(gshare),
    .ops = &gshare_ops,
    .provides = {IFACE(direction, &gshare_direction)},
};
