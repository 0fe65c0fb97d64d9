// SPDX-License-Identifier: BSD-3-Clause
#include "cpu/bpred/loop.h"

#include "sim/sim.h"

#include <string.h>

static u64 entry_of(u32 tag, u32 iterations, u32 current, u32 confidence, u32 age, bool direction)
{
    return (u64)tag | (u64)iterations << 10 | (u64)current << 20 | (u64)confidence << 30 |
           (u64)age << 34 | (u64)direction << 38;
}

static void train_hit(u64 *entry, const struct loop_memory *m, bool taken, bool base,
                      struct rng *rng)
{
    u64 e = *entry;
    u32 tag = e & 0x3ff, iterations = e >> 10 & 0x3ff, current = e >> 20 & 0x3ff;
    u32 confidence = e >> 30 & 15, age = e >> 34 & 15;
    bool direction = e >> 38 & 1;

    if (m->valid) {
        if (taken != m->taken) { // it is free again
            *entry = entry_of(tag, 0, 0, 0, 0, direction);
            return;
        }
        if (m->taken != base || (rng_next(rng) & 7) == 0)
            age += age < 15;
    }
    current = (current + 1) & LOOP_ITERATIONS_MAX;
    if (current > iterations) // longer than the last time, or the first time
        confidence = iterations = 0;
    if (taken != direction) {
        if (current == iterations) {
            confidence += confidence < LOOP_CONFIDENT;
            if (iterations < 3) { // leave those to others
                direction = taken;
                iterations = age = confidence = 0;
            }
        } else {
            // The first whole loop, or one that was shorter than the last.
            iterations = iterations ? 0 : current;
            confidence = 0;
        }
        current = 0;
    }
    *entry = entry_of(tag, iterations, current, confidence, age, direction);
}

void loop_train(struct loop_table *t, const struct loop_memory *m, bool taken, bool base,
                bool wrong, struct rng *rng)
{
    u64 *entry;
    u64 random;

    if (m->index != LOOP_MISS) {
        train_hit(&t->entries[m->index], m, taken, base, rng);
        return;
    }
    if (!wrong)
        return;
    random = rng_next(rng);
    if (random >> 2 & 3)
        return;
    entry = &t->entries[loop_way(m, random & 3)];
    if (*entry >> 34 & 15) // grows older
        *entry -= 1ull << 34;
    else // most mispredictions are in the last iteration
        *entry = entry_of(m->tag, 0, 0, 0, LOOP_AGE_NEW, !taken);
}

bool loop_valid(const struct loop_table *t, struct error *err)
{
    for (u64 i = 0; i < 1ull << t->log; i++)
        if (t->entries[i] > LOOP_ENTRY_MAX || t->current[i] > LOOP_ITERATIONS_MAX)
            return error_set(err, ERROR_INPUT, "a loop's entry has bits beyond its fields");
    return true;
}

// ---- the component

#define LOOP_PARAMS(P, PR, PB, PS, PC) P(u32, log_entries, 6, 2, 12, "Entries, as a power of two")
#define LOOP_STATE(F, FA, FE, FV)              \
    F(u64, random)                             \
    F(u64, use)                                \
    FV(u64, entries, (u64)1 << p->log_entries) \
    FV(u16, current, (u64)1 << p->log_entries)

COMPONENT_LISTS(loop, LOOP_PARAMS, LOOP_STATE, NO_ROWS, NO_ROWS);

struct loop_undo {
    u16 index, current;
};

struct loop {
    struct component base;
    struct loop_params p;
    struct loop_state st;
    struct loop_stats n;
    DERIVED(struct loop_table table);
    DERIVED(struct loop_undo *undo); // ring of BPRED_IN_FLIGHT
    DERIVED(u32 head);               // of it; counts up
};

// st.use: a counter of 7 bits; from its middle on, the predictor is used.
enum { USE_BITS = 7, USE_MIDDLE = 1 << (USE_BITS - 1) };

static struct loop *loop_of(const struct component *c)
{
    return (struct loop *)(uintptr_t)c;
}

static bool loop_build(struct component *c, struct error *err)
{
    struct loop *s = loop_of(c);

    s->table = (struct loop_table){s->st.entries, s->st.current, (u32)s->p.log_entries};
    s->undo = arena_array(&c->sim->arena, BPRED_IN_FLIGHT, sizeof(*s->undo));
    return true;
}

static void loop_reset(struct component *c)
{
    struct loop *s = loop_of(c);

    s->st.random = 1;
    s->st.use = USE_MIDDLE - 1;
    memset(s->st.entries, 0, s->st.entries_count * sizeof(*s->st.entries));
    memset(s->st.current, 0, s->st.current_count * sizeof(*s->st.current));
}

static bool loop_after_load(struct component *c, struct error *err)
{
    struct loop *s = loop_of(c);

    if (s->st.use >= 1 << USE_BITS)
        return error_set(err, ERROR_INPUT, "'use' has more than %d bits", USE_BITS);
    return loop_valid(&s->table, err);
}

bool bpred_loop_lookup(struct component *c, vaddr pc, bool base, struct loop_component_memory *m,
                       u8 *provider)
{
    const struct loop *s = loop_of(c);

    loop_lookup(&s->table, pc, &m->m);
    m->base = base;
    if (!m->m.valid || s->st.use < USE_MIDDLE)
        return base;
    *provider = PROVIDER_LOOP;
    return m->m.taken;
}

void bpred_loop_push(struct component *c, bool conditional, bool taken,
                     struct loop_component_memory *m, bool final)
{
    struct loop *s = loop_of(c);
    u16 *current;

    m->head = s->head;
    if (!conditional)
        return;
    current = loop_slot(&s->table, &m->m);
    if (!current)
        return;
    if (!final)
        s->undo[s->head++ % BPRED_IN_FLIGHT] =
            (struct loop_undo){(u16)(current - s->st.current), *current};
    loop_advance(&s->table, &m->m, taken);
}

void bpred_loop_restore(struct component *c, const struct loop_component_memory *m)
{
    struct loop *s = loop_of(c);

    while (s->head != m->head) {
        const struct loop_undo *u = &s->undo[--s->head % BPRED_IN_FLIGHT];

        s->st.current[u->index] = u->current;
    }
}

void bpred_loop_train(struct component *c, const struct loop_component_memory *m, bool taken,
                      bool wrong)
{
    struct loop *s = loop_of(c);
    struct rng rng = {s->st.random};

    if (m->m.valid && m->m.taken != m->base)
        s->st.use = counter_step((u8)s->st.use, m->m.taken == taken, USE_BITS);
    loop_train(&s->table, &m->m, taken, m->base, wrong, &rng);
    s->st.random = rng.state;
}

static const struct component_ops loop_ops = {
    .build = loop_build,
    .reset = loop_reset,
    .after_load = loop_after_load,
};

const struct component_type bpred_loop_type = {
    .name = "bpred_loop",
    .doc = "Loop predictor",
    COMPONENT_LAYOUT(loop),
    .ops = &loop_ops,
};
