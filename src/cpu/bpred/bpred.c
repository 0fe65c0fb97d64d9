// SPDX-License-Identifier: BSD-3-Clause
// Composes a branch predictor: a direction predictor (child `predictor`), a loop predictor (child
// `loop_predictor`), an indirect target predictor (child `ittage`), one to three levels of branch
// target buffer and a return address stack. Histories and the stack change speculatively when a
// branch is predicted, and are repaired; tables and buffers change when it commits. APPROX: buffers
// are looked up for each branch that is fetched, also where a front end would not know yet that
// there is one; direction and history of such a branch are as if it had known. APPROX: a branch
// moves to the first level when it commits, not when it is fetched. Timing: none; bpred.h says what
// a front end may charge for.
#include "cpu/bpred/bpred.h"

#include "cpu/bpred/btb.h"
#include "cpu/bpred/direction.h"
#include "cpu/bpred/ittage.h"
#include "cpu/bpred/loop.h"
#include "cpu/bpred/ras.h"
#include "sim/sim.h"

enum { BTB_LEVELS = 3 };
#define ALWAYS_INLINE inline __attribute__((always_inline))

#define BPRED_PARAMS(P, PR, PB, PS, PC)                                                          \
    PC(direction, "tage_sc_l_64k",                                                               \
       "static|bimodal|gshare|tournament|perceptron|tage|tage_sc_l_8k|tage_sc_l_64k",            \
       "Predicts conditional branches; its parameters are those of the child 'predictor'")       \
    PC(indirect, "ittage", "ittage|btb", "Predicts targets of indirect branches")                \
    PB(loop, false, "Loop predictor, the child 'loop_predictor' (TAGE-SC-L has one of its own)") \
    P(u32, btb1_entries, 4096, 1, 1 << 22, "Branches in the first branch target buffer")         \
    P(u32, btb1_ways, 4, 1, 32, "Its ways")                                                      \
    P(u32, btb2_entries, 0, 0, 1 << 22,                                                          \
      "Branches in the second one, which takes what the first "                                  \
      "one had to drop; 0: there is none")                                                       \
    P(u32, btb2_ways, 4, 1, 32, "Its ways")                                                      \
    P(u32, btb3_entries, 0, 0, 1 << 22, "Branches in the third one; 0: there is none")           \
    P(u32, btb3_ways, 4, 1, 32, "Its ways")                                                      \
    P(u32, ras_entries, 32, 1, 4096, "Addresses in the return stack")                            \
    PC(ras_repair, "exact", "exact|top|none", "What a misprediction restores of it")

#define BPRED_STATE(F, FA, FE, FV)      \
    F(u32, ras_top)                     \
    F(u32, ras_depth)                   \
    FV(u64, ras, p->ras_entries)        \
    FV(u64, btb1, 2 * p->btb1_entries)  \
    FV(u64, btb2, 2 * p->btb2_entries)  \
    FV(u64, btb3, 2 * p->btb3_entries)  \
    FV(u8, btb1_ranks, p->btb1_entries) \
    FV(u8, btb2_ranks, p->btb2_entries) \
    FV(u8, btb3_ranks, p->btb3_entries)

static const char *const kind_names[] = {"DirectCond", "DirectUncond", "IndirectUncond",
                                         "CallDirect", "CallIndirect", "Return"};
static const char *const provider_names[] = {"static",        "bimodal",    "global",
                                             "local",         "perceptron", "tageLongest",
                                             "tageAlternate", "corrector",  "loop"};
static const char *const level_names[] = {"L1", "L2", "L3"};
_Static_assert(ARRAY_SIZE(kind_names) == BRANCH_KINDS, "a name for each");
_Static_assert(ARRAY_SIZE(provider_names) == PROVIDERS, "a name for each");
_Static_assert(ARRAY_SIZE(level_names) == BTB_LEVELS, "a name for each");

// gem5's names where gem5 has the quantity.
#define BPRED_STATS(S, SV, SH, SG, SR)                                                        \
    S(lookups, "Count", "Number of BP lookups")                                               \
    S(condPredicted, "Count", "Number of conditional branches predicted")                     \
    S(condCommitted, "Count", "Number of conditional branches committed")                     \
    S(condIncorrect, "Count", "Number of committed conditional branches predicted wrong")     \
    SR(condMispredictRate, condIncorrect, condCommitted, "Ratio", "Of those committed")       \
    S(BTBLookups, "Count", "Number of BTB lookups")                                           \
    S(BTBHits, "Count", "Number of BTB hits")                                                 \
    SR(BTBHitRatio, BTBHits, BTBLookups, "Ratio", "BTB hit ratio")                            \
    SV(BTBLevelHits, BTB_LEVELS, level_names, "Count", "Number of BTB hits, by level")        \
    S(BTBUpdates, "Count", "Number of branches put into the BTB")                             \
    S(BTBMispredicted, "Count", "Number of taken direct branches whose target was not known") \
    S(RASUsed, "Count", "Number of times the RAS was used to get a target")                   \
    S(RASIncorrect, "Count", "Number of incorrect RAS predictions")                           \
    S(indirectLookups, "Count", "Number of indirect predictor lookups")                       \
    S(indirectHits, "Count", "Number of indirect target hits")                                \
    S(indirectMisses, "Count", "Number of indirect misses")                                   \
    S(indirectMispredicted, "Count", "Number of mispredicted indirect branches")              \
    S(squashes, "Count", "Number of predictions that were dropped")                           \
    SV(committed, BRANCH_KINDS, kind_names, "Count", "Number of branches committed")          \
    SV(mispredicted, BRANCH_KINDS, kind_names, "Count", "Number of those predicted wrong")    \
    SV(provided, PROVIDERS, provider_names, "Count",                                          \
       "Number of committed conditional branches that a part decided")                        \
    SV(providedWrong, PROVIDERS, provider_names, "Count", "Number of those predicted wrong")

COMPONENT_LISTS(bpred, BPRED_PARAMS, BPRED_STATE, BPRED_STATS, NO_ROWS);

enum { DIRECTION_TAGE_SC_L_8K = 6, DIRECTION_TAGE_SC_L_64K };

struct bpred {
    struct component base;
    struct bpred_params p;
    struct bpred_state st;
    struct bpred_stats n;
    WIRED(const struct direction_ops *ops); // of the direction predictor
    WIRED(struct component *direction);
    WIRED(struct component *indirect); // or NULL
    WIRED(struct component *loop);     // or NULL
    DERIVED(struct btb btb[BTB_LEVELS]);
    DERIVED(u32 btb_levels);
    DERIVED(struct ras ras);
    DERIVED(u32 open); // predictions that were neither committed nor squashed
};

// What is in prediction.memory.
struct flight {
    struct ras_memory ras;
    u32 btb_entry; // where it was found
    struct ittage_before indirect_before;
    struct loop_component_memory loop;
    union {
        struct ittage_found indirect;                    // of an indirect branch
        _Alignas(8) u8 direction[DIRECTION_FOUND_BYTES]; // of a conditional one
    };
    _Alignas(8) u8 direction_before[DIRECTION_BEFORE_BYTES];
};
_Static_assert(sizeof(struct flight) <= PREDICTION_BYTES, "a prediction has no room for it");

static struct bpred *bpred_of(const struct component *c)
{
    ASSERT(c->type == &bpred_type);
    return (struct bpred *)(uintptr_t)c;
}

static struct flight *flight_of(const struct prediction *p)
{
    return (struct flight *)(uintptr_t)p->memory;
}

static ALWAYS_INLINE bool is_indirect(u8 kind)
{
    return kind == BRANCH_INDIRECT || kind == BRANCH_INDIRECT_CALL;
}

// ---- the parts

static bool check_btb(u64 entries, u64 ways, unsigned level, struct error *err)
{
    if (entries % ways || (entries && !is_power_of_two(entries / ways)))
        return error_set(err, ERROR_INPUT,
                         "btb%u_entries is %llu: not btb%u_ways (%llu) times a power of two", level,
                         (unsigned long long)entries, level, (unsigned long long)ways);
    return true;
}

static bool bpred_check(struct component *c, struct error *err)
{
    const struct bpred *s = bpred_of(c);

    if (s->p.btb3_entries && !s->p.btb2_entries)
        return error_set(err, ERROR_INPUT, "btb3_entries without btb2_entries");
    if (s->p.loop && s->p.direction >= DIRECTION_TAGE_SC_L_8K)
        return error_set(err, ERROR_INPUT, "TAGE-SC-L has a loop predictor: 'loop' must be false");
    return check_btb(s->p.btb1_entries, s->p.btb1_ways, 1, err) &&
           check_btb(s->p.btb2_entries, s->p.btb2_ways, 2, err) &&
           check_btb(s->p.btb3_entries, s->p.btb3_ways, 3, err);
}

static bool build_children(struct bpred *s, struct error *err)
{
    static const struct component_type *const types[] = {
        &bpred_static_type,     &bpred_bimodal_type, &bpred_gshare_type,    &bpred_tournament_type,
        &bpred_perceptron_type, &bpred_tage_type,    &bpred_tage_sc_l_type, &bpred_tage_sc_l_type};
    struct component *c = &s->base;

    s->direction = component_new(c->sim, types[s->p.direction], c, "predictor", err);
    if (!s->direction)
        return false;
    s->ops = component_interface(s->direction, "direction");
    if (s->p.direction >= DIRECTION_TAGE_SC_L_8K &&
        !component_set(s->direction, "size",
                       s->p.direction == DIRECTION_TAGE_SC_L_8K ? "8k" : "64k", err))
        return false;
    if (s->p.indirect == 0) {
        s->indirect = component_new(c->sim, &bpred_ittage_type, c, "ittage", err);
        if (!s->indirect)
            return false;
    }
    if (s->p.loop) {
        s->loop = component_new(c->sim, &bpred_loop_type, c, "loop_predictor", err);
        if (!s->loop)
            return false;
    }
    return true;
}

static bool bpred_build(struct component *c, struct error *err)
{
    struct bpred *s = bpred_of(c);
    struct bpred_state *st = &s->st;

    btb_init(&s->btb[0], st->btb1, st->btb1_ranks, (u32)s->p.btb1_entries, (u32)s->p.btb1_ways);
    btb_init(&s->btb[1], st->btb2, st->btb2_ranks, (u32)s->p.btb2_entries, (u32)s->p.btb2_ways);
    btb_init(&s->btb[2], st->btb3, st->btb3_ranks, (u32)s->p.btb3_entries, (u32)s->p.btb3_ways);
    s->btb_levels = s->p.btb3_entries ? 3 : s->p.btb2_entries ? 2 : 1;
    s->ras = (struct ras){
        .slots = st->ras,
        .top = &st->ras_top,
        .depth = &st->ras_depth,
        .undo = arena_array(&c->sim->arena, BPRED_IN_FLIGHT, sizeof(struct ras_undo)),
        .count = (u32)s->p.ras_entries,
        .repair = (u32)s->p.ras_repair,
    };
    return build_children(s, err);
}

static void bpred_reset(struct component *c)
{
    struct bpred *s = bpred_of(c);

    for (unsigned i = 0; i < BTB_LEVELS; i++)
        btb_reset(&s->btb[i]);
    s->st.ras_top = s->st.ras_depth = 0;
    memset(s->st.ras, 0, s->st.ras_count * sizeof(*s->st.ras));
    s->open = 0;
}

static bool bpred_after_load(struct component *c, struct error *err)
{
    struct bpred *s = bpred_of(c);

    s->open = 0;
    if (s->st.ras_top >= s->p.ras_entries || s->st.ras_depth > s->p.ras_entries)
        return error_set(err, ERROR_INPUT, "the return stack's top is beyond its entries");
    return btb_valid(&s->btb[0], "btb1_ranks", err) && btb_valid(&s->btb[1], "btb2_ranks", err) &&
           btb_valid(&s->btb[2], "btb3_ranks", err);
}

static bool bpred_drain(struct component *c)
{
    struct bpred *s = bpred_of(c);

    if (s->open)
        return false;
    ras_settle(&s->ras);
    if (s->ops->settle)
        s->ops->settle(s->direction);
    if (s->indirect)
        ittage_settle(s->indirect);
    return true;
}

// ---- prediction

static ALWAYS_INLINE bool look_up_direction(struct bpred *s, const struct branch *b,
                                            struct prediction *p, struct flight *f)
{
    u8 provider = PROVIDER_STATIC;
    bool taken;

    s->n.condPredicted++;
    taken = s->ops->lookup(s->direction, b, f->direction, &provider);
    if (s->loop)
        taken = bpred_loop_lookup(s->loop, b->pc, taken, &f->loop, &provider);
    p->provider = provider;
    return taken;
}

static ALWAYS_INLINE void look_up_btb(struct bpred *s, const struct branch *b, struct prediction *p,
                                      struct flight *f)
{
    s->n.BTBLookups++;
    p->btb_level = 0;
    p->target = 0;
    p->target_known = false;
    for (u32 i = 0; i < s->btb_levels; i++) {
        f->btb_entry = btb_find(&s->btb[i], b->pc);
        if (f->btb_entry == BTB_NONE)
            continue;
        p->btb_level = (u8)(i + 1);
        p->target = btb_target(&s->btb[i], f->btb_entry);
        p->target_known = true;
        s->n.BTBHits++;
        s->n.BTBLevelHits[i]++;
        return;
    }
}

static void look_up_indirect(struct bpred *s, const struct branch *b, struct prediction *p,
                             struct flight *f)
{
    vaddr target;

    s->n.indirectLookups++;
    if (s->indirect) {
        target = ittage_lookup(s->indirect, b->pc, &f->indirect);
        if (target) {
            p->target = target;
            p->target_known = true;
        }
    }
    s->n.indirectHits += p->target_known;
    s->n.indirectMisses += !p->target_known;
}

// In this and what follows, `kind` is that of the branch, and a constant where that pays.
static ALWAYS_INLINE void look_up(struct bpred *s, const struct branch *b, u8 kind,
                                  struct prediction *p, struct flight *f)
{
    s->n.lookups++;
    p->provider = PROVIDER_STATIC;
    p->taken = kind != BRANCH_CONDITIONAL || look_up_direction(s, b, p, f);
    look_up_btb(s, b, p, f);
    if (is_indirect(kind)) {
        look_up_indirect(s, b, p, f);
    } else if (kind == BRANCH_RETURN) {
        s->n.RASUsed++;
        p->target_known = ras_peek(&s->ras, &p->target);
    }
}

// in_flight: 0 when there will be no way back.
static void update_ras(struct bpred *s, const struct branch *b, u32 in_flight)
{
    // A call of the next instruction gets the program counter; nothing returns to it.
    if (b->kind == BRANCH_CALL ? b->target != b->fall : b->kind == BRANCH_INDIRECT_CALL)
        ras_push(&s->ras, b->fall, in_flight);
    else if (b->kind == BRANCH_RETURN)
        ras_pop(&s->ras);
}

// The target that goes into histories: that of a direct branch is known in time in any case.
static vaddr history_target(const struct branch *b, vaddr target)
{
    return is_indirect(b->kind) ? target : b->target;
}

static void push(struct bpred *s, const struct branch *b, bool taken, vaddr target,
                 struct flight *f)
{
    ras_remember(&s->ras, &f->ras);
    update_ras(s, b, BPRED_IN_FLIGHT);
    s->ops->push(s->direction, b, taken, f->direction, f->direction_before);
    if (s->loop)
        bpred_loop_push(s->loop, b->kind == BRANCH_CONDITIONAL, taken, &f->loop, false);
    if (s->indirect)
        ittage_push(s->indirect, b, history_target(b, target), &f->indirect_before);
}

static void restore(struct bpred *s, const struct flight *f)
{
    ras_restore(&s->ras, &f->ras, BPRED_IN_FLIGHT);
    s->ops->restore(s->direction, f->direction_before);
    if (s->loop)
        bpred_loop_restore(s->loop, &f->loop);
    if (s->indirect)
        ittage_restore(s->indirect, &f->indirect_before);
}

static ALWAYS_INLINE bool is_wrong(const struct prediction *p, bool taken, vaddr target)
{
    return p->taken != taken || (taken && (!p->target_known || p->target != target));
}

void bpred_predict(struct component *bpred, const struct branch *b, struct prediction *p)
{
    struct bpred *s = bpred_of(bpred);
    struct flight *f = flight_of(p);

    ASSERT(s->open < BPRED_IN_FLIGHT);
    s->open++;
    look_up(s, b, b->kind, p, f);
    p->handle = s->open;
    push(s, b, p->taken, p->target, f);
}

bool bpred_resolve(struct component *bpred, const struct branch *b, struct prediction *p,
                   bool taken, vaddr target)
{
    struct bpred *s = bpred_of(bpred);

    if (!is_wrong(p, taken, target))
        return false;
    restore(s, flight_of(p));
    push(s, b, taken, target, flight_of(p));
    return true;
}

void bpred_rewind(struct component *bpred, const struct prediction *p)
{
    restore(bpred_of(bpred), flight_of(p));
}

// ---- training

// Puts a taken branch into the first level; what must leave a level goes to the next one.
static void insert_btb(struct bpred *s, vaddr pc, vaddr target)
{
    s->n.BTBUpdates++;
    for (u32 i = 0; i < s->btb_levels; i++)
        if (!btb_insert(&s->btb[i], pc, target, &pc, &target))
            return;
}

static ALWAYS_INLINE void train_btb(struct bpred *s, const struct branch *b,
                                    const struct prediction *p, const struct flight *f, bool taken,
                                    vaddr target)
{
    struct btb *first = &s->btb[0];
    u32 entry = p->btb_level == 1 ? f->btb_entry : BTB_NONE;

    if (!taken)
        return;
    if (entry == BTB_NONE || first->entries[2 * entry] != ~b->pc)
        entry = btb_find(first, b->pc);
    if (entry != BTB_NONE) {
        first->entries[2 * entry + 1] = target;
        btb_touch(first, entry);
        return;
    }
    for (u32 i = 1; i < s->btb_levels; i++) {
        entry = btb_find(&s->btb[i], b->pc);
        if (entry != BTB_NONE)
            btb_remove(&s->btb[i], entry);
    }
    insert_btb(s, b->pc, target);
}

static void count_wrong(struct bpred *s, const struct branch *b, const struct prediction *p,
                        bool taken)
{
    s->n.mispredicted[b->kind]++;
    if (b->kind == BRANCH_CONDITIONAL && p->taken != taken) {
        s->n.condIncorrect++;
        s->n.providedWrong[p->provider]++;
    } else if (is_indirect(b->kind)) {
        s->n.indirectMispredicted++;
    } else if (b->kind == BRANCH_RETURN) {
        s->n.RASIncorrect++;
    } else {
        s->n.BTBMispredicted++;
    }
}

static ALWAYS_INLINE bool train(struct bpred *s, const struct branch *b, u8 kind,
                                const struct prediction *p, const struct flight *f, bool taken,
                                vaddr target)
{
    bool wrong = is_wrong(p, taken, target);

    s->n.committed[kind]++;
    if (kind == BRANCH_CONDITIONAL) {
        s->n.condCommitted++;
        s->n.provided[p->provider]++;
        s->ops->train(s->direction, b, f->direction, taken);
        if (s->loop)
            bpred_loop_train(s->loop, &f->loop, taken, p->taken != taken);
    } else if (s->indirect && is_indirect(kind)) {
        ittage_train(s->indirect, &f->indirect, target);
    }
    train_btb(s, b, p, f, taken, target);
    if (wrong)
        count_wrong(s, b, p, taken);
    return wrong;
}

void bpred_commit(struct component *bpred, const struct branch *b, struct prediction *p, bool taken,
                  vaddr target)
{
    struct bpred *s = bpred_of(bpred);

    ASSERT(s->open > 0);
    s->open--;
    train(s, b, b->kind, p, flight_of(p), taken, target);
}

void bpred_squash(struct component *bpred, struct prediction *p)
{
    struct bpred *s = bpred_of(bpred);

    ASSERT(s->open > 0);
    s->open--;
    s->n.squashes++;
}

static ALWAYS_INLINE bool warm(struct bpred *s, const struct branch *b, u8 kind, bool taken,
                               vaddr target)
{
    struct prediction p;
    struct flight f;

    look_up(s, b, kind, &p, &f);
    s->ops->push(s->direction, b, taken, f.direction, NULL);
    if (s->loop)
        bpred_loop_push(s->loop, kind == BRANCH_CONDITIONAL, taken, &f.loop, true);
    if (kind != BRANCH_CONDITIONAL) {
        update_ras(s, b, 0);
        if (s->indirect)
            ittage_push(s->indirect, b, history_target(b, target), &f.indirect_before);
    }
    return train(s, b, kind, &p, &f, taken, target);
}

bool bpred_warm(struct component *bpred, const struct branch *b, bool taken, vaddr target)
{
    struct bpred *s = bpred_of(bpred);

    ASSERT(s->open == 0);
    return b->kind == BRANCH_CONDITIONAL ? warm(s, b, BRANCH_CONDITIONAL, taken, target)
                                         : warm(s, b, b->kind, taken, target);
}

static const struct component_ops bpred_ops = {
    .check = bpred_check,
    .build = bpred_build,
    .reset = bpred_reset,
    .after_load = bpred_after_load,
    .drain = bpred_drain,
};

const struct component_type bpred_type = {
    .name = "bpred",
    .doc = "Branch predictor",
    COMPONENT_LAYOUT(bpred),
    .ops = &bpred_ops,
    // Its functions are called directly: the table only says that it is one.
    .provides = {{"bpred", &bpred_type}},
};
