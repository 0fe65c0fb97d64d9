// SPDX-License-Identifier: BSD-3-Clause
// Bimodal prediction: a table of two-bit counters by address (J. E. Smith, ISCA 1981, strategy 7).
#include "cpu/bpred/direction.h"

#include <string.h>

#define BIMODAL_PARAMS(P, PR, PB, PS, PC) \
    P(u32, entries, 16384, 2, 1 << 24, "Counters") P(u32, bits, 2, 1, 7, "Bits of a counter")
#define BIMODAL_STATE(F, FA, FE, FV) FV(u8, counters, p->entries)

COMPONENT_LISTS(bimodal, BIMODAL_PARAMS, BIMODAL_STATE, NO_ROWS, NO_ROWS);

struct bimodal {
    struct component base;
    struct bimodal_params p;
    struct bimodal_state st;
    struct bimodal_stats n;
};

static struct bimodal *bimodal_of(const struct component *c)
{
    return (struct bimodal *)(uintptr_t)c;
}

static bool bimodal_check(struct component *c, struct error *err)
{
    return check_power_of_two(bimodal_of(c)->p.entries, "entries", err);
}

static void bimodal_reset(struct component *c)
{
    struct bimodal *s = bimodal_of(c);

    memset(s->st.counters, (1 << (s->p.bits - 1)) - 1, s->p.entries); // weakly not taken
}

static bool bimodal_after_load(struct component *c, struct error *err)
{
    struct bimodal *s = bimodal_of(c);

    return table_within(s->st.counters, s->p.entries, (1u << s->p.bits) - 1, "counters", err);
}

static u64 index_of(const struct bimodal *s, vaddr pc)
{
    return pc & (s->p.entries - 1);
}

static bool bimodal_lookup(struct component *c, const struct branch *b, void *found,
                           u8 *ret_provider)
{
    const struct bimodal *s = bimodal_of(c);

    *ret_provider = PROVIDER_BIMODAL;
    return s->st.counters[index_of(s, b->pc)] >> (s->p.bits - 1) & 1;
}

static void bimodal_push(struct component *c, const struct branch *b, bool taken, const void *found,
                         void *before)
{
}

static void bimodal_restore(struct component *c, const void *before)
{
}

static void bimodal_train(struct component *c, const struct branch *b, const void *found,
                          bool taken)
{
    struct bimodal *s = bimodal_of(c);
    u8 *counter = &s->st.counters[index_of(s, b->pc)];

    *counter = counter_step(*counter, taken, (unsigned)s->p.bits);
}

static const struct direction_ops bimodal_direction = {
    .lookup = bimodal_lookup,
    .push = bimodal_push,
    .restore = bimodal_restore,
    .train = bimodal_train,
};

static const struct component_ops bimodal_ops = {
    .check = bimodal_check,
    .reset = bimodal_reset,
    .after_load = bimodal_after_load,
};

const struct component_type bpred_bimodal_type = {
    .name = "bpred_bimodal",
    .doc = "Bimodal branch predictor",
    COMPONENT_LAYOUT(bimodal),
    .ops = &bimodal_ops,
    .provides = {IFACE(direction, &bimodal_direction)},
};
