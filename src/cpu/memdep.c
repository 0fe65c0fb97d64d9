// SPDX-License-Identifier: BSD-3-Clause
// Store sets (G. Z. Chrysos, J. S. Emer, "Memory Dependence Prediction using Store Sets", ISCA
// 1998): a table from addresses of instructions to store sets (SSIT), and the last store of each
// set that was fetched and is not done (LFST). A violation puts a load and a store into one set.
// As in the paper, stores of a set wait for each other, of two sets the one with the smaller number
// takes the other's member over (section 4.4), and all sets are dissolved now and then. The sizes
// are the paper's 4096 and 128.
// The LFST is not saved: nothing is in flight when a machine is saved.
// Timing: none; sets are dissolved after a number of loads and stores, not after a time.
#include "cpu/memdep.h"

#include "sim/sim.h"

#include <string.h>

#define MEMDEP_PARAMS(P, PR, PB, PS, PC)                                                  \
    P(u32, instructions, 4096, 2, 1 << 20, "Entries of the table of instructions (SSIT)") \
    P(u32, sets, 128, 1, 1 << 14, "Store sets (LFST)")                                    \
    P(u32, clear_period, 250000, 0, 1 << 30,                                              \
      "Loads and stores until all sets are dissolved; 0: "                                \
      "never")
// ssit: a set's number plus 1; 0: in none.
#define MEMDEP_STATE(F, FA, FE, FV) F(u64, seen) FV(u16, ssit, p->instructions)
// gem5's names where gem5 has the quantity.
#define MEMDEP_STATS(S, SV, SH, SG, SR)                                            \
    S(insertedLoads, "Count", "Number of loads inserted")                          \
    S(insertedStores, "Count", "Number of stores inserted")                        \
    S(conflictingLoads, "Count", "Number of loads that had to wait for a store")   \
    S(conflictingStores, "Count", "Number of stores that had to wait for another") \
    S(violations, "Count", "Number of memory order violations learnt from")        \
    S(clears, "Count", "Number of times all sets were dissolved")

COMPONENT_LISTS(memdep, MEMDEP_PARAMS, MEMDEP_STATE, MEMDEP_STATS, NO_ROWS);

struct memdep {
    struct component base;
    struct memdep_params p;
    struct memdep_state st;
    struct memdep_stats n;
    DERIVED(u32 *lfst);                    // token of each set's last store, or MEMDEP_NONE
    DERIVED(u16 set_of[MEMDEP_IN_FLIGHT]); // of each store in flight, as in ssit
};

static struct memdep *memdep_of(const struct component *c)
{
    ASSERT(c->type == &memdep_type);
    return (struct memdep *)(uintptr_t)c;
}

static bool memdep_check(struct component *c, struct error *err)
{
    const struct memdep *s = memdep_of(c);

    if (s->p.instructions & (s->p.instructions - 1))
        return error_set(err, ERROR_INPUT, "'instructions' is %llu, which is no power of two",
                         (unsigned long long)s->p.instructions);
    if (s->p.sets & (s->p.sets - 1))
        return error_set(err, ERROR_INPUT, "'sets' is %llu, which is no power of two",
                         (unsigned long long)s->p.sets);
    return true;
}

static bool memdep_build(struct component *c, struct error *err)
{
    struct memdep *s = memdep_of(c);

    s->lfst = arena_array(&c->sim->arena, s->p.sets, sizeof(*s->lfst));
    return true;
}

static void forget_stores(struct memdep *s)
{
    memset(s->lfst, 0xff, s->p.sets * sizeof(*s->lfst));
}

static void memdep_reset(struct component *c)
{
    struct memdep *s = memdep_of(c);

    s->st.seen = 0;
    memset(s->st.ssit, 0, s->p.instructions * sizeof(*s->st.ssit));
    forget_stores(s);
}

static bool memdep_after_load(struct component *c, struct error *err)
{
    struct memdep *s = memdep_of(c);

    forget_stores(s);
    for (u64 i = 0; i < s->p.instructions; i++)
        if (s->st.ssit[i] > s->p.sets)
            return error_set(err, ERROR_INPUT, "'ssit' has set %u of %llu", s->st.ssit[i],
                             (unsigned long long)s->p.sets);
    return s->st.seen <= s->p.clear_period || s->p.clear_period == 0 ||
           error_set(err, ERROR_INPUT, "'seen' is more than the clear period");
}

static u16 *entry_of(const struct memdep *s, vaddr pc)
{
    return &s->st.ssit[(pc ^ pc >> 12) & (s->p.instructions - 1)];
}

static void count_access(struct memdep *s)
{
    if (s->p.clear_period == 0 || ++s->st.seen < s->p.clear_period)
        return;
    s->st.seen = 0;
    s->n.clears++;
    memset(s->st.ssit, 0, s->p.instructions * sizeof(*s->st.ssit));
    forget_stores(s);
}

u32 memdep_load(struct component *memdep, vaddr pc)
{
    struct memdep *s = memdep_of(memdep);
    u16 set = *entry_of(s, pc);
    u32 token = set ? s->lfst[set - 1] : MEMDEP_NONE;

    s->n.insertedLoads++;
    s->n.conflictingLoads += token != MEMDEP_NONE;
    count_access(s);
    return token;
}

u32 memdep_store(struct component *memdep, vaddr pc, u32 token)
{
    struct memdep *s = memdep_of(memdep);
    u16 set;
    u32 before = MEMDEP_NONE;

    ASSERT(token != MEMDEP_NONE);
    s->n.insertedStores++;
    count_access(s);
    set = *entry_of(s, pc);
    s->set_of[token % MEMDEP_IN_FLIGHT] = set;
    if (set) {
        before = s->lfst[set - 1];
        s->lfst[set - 1] = token;
    }
    s->n.conflictingStores += before != MEMDEP_NONE;
    return before;
}

void memdep_store_done(struct component *memdep, u32 token)
{
    struct memdep *s = memdep_of(memdep);
    // Not the set that it would be in by now.
    u16 set = s->set_of[token % MEMDEP_IN_FLIGHT];

    if (set && s->lfst[set - 1] == token)
        s->lfst[set - 1] = MEMDEP_NONE;
}

void memdep_violation(struct component *memdep, vaddr load_pc, vaddr store_pc)
{
    struct memdep *s = memdep_of(memdep);
    u16 *load = entry_of(s, load_pc), *store = entry_of(s, store_pc);

    s->n.violations++;
    if (*load && *store)
        *load = *store = MIN(*load, *store);
    else if (*load)
        *store = *load;
    else if (*store)
        *load = *store;
    else
        *load = *store = (u16)(1 + ((load_pc ^ load_pc >> 10) & (s->p.sets - 1)));
}

static const struct component_ops memdep_ops = {
    .check = memdep_check,
    .build = memdep_build,
    .reset = memdep_reset,
    .after_load = memdep_after_load,
};

const struct component_type memdep_type = {
    .name = "memdep",
    .doc = "Memory dependence predictor: store sets",
    COMPONENT_LAYOUT(memdep),
    .ops = &memdep_ops,
    // Its functions are called directly: the table only says that it is one.
    .provides = {{"memdep", &memdep_type}},
};
