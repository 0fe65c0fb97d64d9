// SPDX-License-Identifier: BSD-3-Clause
// The tournament predictor of the Alpha 21264 (R. E. Kessler, "The Alpha 21264 Microprocessor",
// IEEE Micro 19(2), 1999): 1024 local histories of 10 outcomes choose among 1024 three-bit
// counters, 12 outcomes of global history among 4096 two-bit counters and among 4096 two-bit
// choosers.
// Both histories are speculative; what wrong paths did to local histories is undone from a log.
#include "cpu/bpred/direction.h"

#include "sim/sim.h"

#include <string.h>

#define TOURNAMENT_PARAMS(P, PR, PB, PS, PC)                                     \
    P(u32, local_histories, 1024, 2, 1 << 16, "Local histories")                 \
    P(u32, local_length, 10, 1, 16, "Outcomes in one, and bits of the index")    \
    P(u32, global_length, 12, 1, 20, "Outcomes in the global history, and bits") \
    P(u32, local_bits, 3, 1, 7, "Bits of a local counter")                       \
    P(u32, global_bits, 2, 1, 7, "Bits of a global counter and of a chooser")
#define TOURNAMENT_STATE(F, FA, FE, FV)        \
    F(u64, history)                            \
    FV(u16, histories, p->local_histories)     \
    FV(u8, local, (u64)1 << p->local_length)   \
    FV(u8, global, (u64)1 << p->global_length) \
    FV(u8, chooser, (u64)1 << p->global_length)

COMPONENT_LISTS(tournament, TOURNAMENT_PARAMS, TOURNAMENT_STATE, NO_ROWS, NO_ROWS);

struct tournament_undo {
    u16 index, history;
};

struct tournament {
    struct component base;
    struct tournament_params p;
    struct tournament_state st;
    struct tournament_stats n;
    DERIVED(struct tournament_undo *undo); // ring of BPRED_IN_FLIGHT
    DERIVED(u32 head);                     // of it; counts up
};

struct tournament_found {
    u32 local, global; // indices
    u8 local_taken, global_taken;
};
struct tournament_before {
    u64 history;
    u32 head;
};

static struct tournament *tournament_of(const struct component *c)
{
    return (struct tournament *)(uintptr_t)c;
}

static bool tournament_check(struct component *c, struct error *err)
{
    return check_power_of_two(tournament_of(c)->p.local_histories, "local_histories", err);
}

static bool tournament_build(struct component *c, struct error *err)
{
    struct tournament *s = tournament_of(c);

    s->undo = arena_array(&c->sim->arena, BPRED_IN_FLIGHT, sizeof(*s->undo));
    return true;
}

static void tournament_reset(struct component *c)
{
    struct tournament *s = tournament_of(c);

    s->st.history = 0;
    memset(s->st.histories, 0, s->p.local_histories * sizeof(*s->st.histories));
    memset(s->st.local, (1 << (s->p.local_bits - 1)) - 1, s->st.local_count);
    memset(s->st.global, (1 << (s->p.global_bits - 1)) - 1, s->st.global_count);
    memset(s->st.chooser, (1 << (s->p.global_bits - 1)) - 1, s->st.chooser_count);
}

static bool tournament_after_load(struct component *c, struct error *err)
{
    struct tournament *s = tournament_of(c);
    unsigned global_max = (1u << s->p.global_bits) - 1;

    if (s->st.history >> s->p.global_length)
        return error_set(err, ERROR_INPUT, "'history' is too long");
    for (u64 i = 0; i < s->p.local_histories; i++)
        if (s->st.histories[i] >> s->p.local_length)
            return error_set(err, ERROR_INPUT, "'histories' has one that is too long");
    return table_within(s->st.local, s->st.local_count, (1u << s->p.local_bits) - 1, "local",
                        err) &&
           table_within(s->st.global, s->st.global_count, global_max, "global", err) &&
           table_within(s->st.chooser, s->st.chooser_count, global_max, "chooser", err);
}

static u32 slot_of(const struct tournament *s, vaddr pc)
{
    return (u32)(pc & (s->p.local_histories - 1));
}

static bool tournament_lookup(struct component *c, const struct branch *b, void *found,
                              u8 *ret_provider)
{
    const struct tournament *s = tournament_of(c);
    struct tournament_found *m = found;
    unsigned top = (unsigned)s->p.global_bits - 1;
    bool global;

    m->local = s->st.histories[slot_of(s, b->pc)];
    m->global = (u32)s->st.history;
    m->local_taken = s->st.local[m->local] >> (s->p.local_bits - 1) & 1;
    m->global_taken = s->st.global[m->global] >> top & 1;
    global = s->st.chooser[m->global] >> top & 1;
    *ret_provider = global ? PROVIDER_GLOBAL : PROVIDER_LOCAL;
    return global ? m->global_taken : m->local_taken;
}

static void tournament_push(struct component *c, const struct branch *b, bool taken,
                            const void *found, void *before)
{
    struct tournament *s = tournament_of(c);
    struct tournament_before *m = before;
    u32 slot = slot_of(s, b->pc);
    u16 *local = &s->st.histories[slot];

    if (m) {
        m->history = s->st.history;
        m->head = s->head;
    }
    if (b->kind != BRANCH_CONDITIONAL)
        return;
    if (m)
        s->undo[s->head++ % BPRED_IN_FLIGHT] = (struct tournament_undo){(u16)slot, *local};
    *local = (u16)((*local << 1 | taken) & ((1u << s->p.local_length) - 1));
    s->st.history = (s->st.history << 1 | taken) & ((1ull << s->p.global_length) - 1);
}

static void tournament_restore(struct component *c, const void *before)
{
    struct tournament *s = tournament_of(c);
    const struct tournament_before *m = before;

    s->st.history = m->history;
    while (s->head != m->head) {
        struct tournament_undo *u = &s->undo[--s->head % BPRED_IN_FLIGHT];

        s->st.histories[u->index] = u->history;
    }
}

static void tournament_train(struct component *c, const struct branch *b, const void *found,
                             bool taken)
{
    struct tournament *s = tournament_of(c);
    const struct tournament_found *m = found;
    u8 *local = &s->st.local[m->local], *global = &s->st.global[m->global];
    u8 *chooser = &s->st.chooser[m->global];

    if (m->local_taken != m->global_taken)
        *chooser = counter_step(*chooser, m->global_taken == taken, (unsigned)s->p.global_bits);
    *local = counter_step(*local, taken, (unsigned)s->p.local_bits);
    *global = counter_step(*global, taken, (unsigned)s->p.global_bits);
}

static const struct direction_ops tournament_direction = {
    .lookup = tournament_lookup,
    .push = tournament_push,
    .restore = tournament_restore,
    .train = tournament_train,
};

static const struct component_ops tournament_ops = {
    .check = tournament_check,
    .build = tournament_build,
    .reset = tournament_reset,
    .after_load = tournament_after_load,
};

const struct component_type bpred_tournament_type = {
    .name = "bpred_tournament",
    .doc = "Tournament branch predictor of the Alpha 21264",
    COMPONENT_LAYOUT(tournament),
    .ops = &tournament_ops,
    .provides = {IFACE(direction, &tournament_direction)},
};
