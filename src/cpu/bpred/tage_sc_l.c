// SPDX-License-Identifier: BSD-3-Clause
// TAGE-SC-L, 8 KB and 64 KB, as published (A. Seznec, "TAGE-SC-L Branch Predictors Again", 5th
// Championship Branch Prediction, 2016): TAGE with banks that tables of similar history length
// share, partial two-way associativity and two new entries per misprediction; a loop predictor; a
// statistical corrector with bias tables and GEHL tables on global, path, local and IMLI histories.
// Sizes, history lengths, widths, hashes and update rules are those of the championship's code.
// All histories are speculative and exactly repaired: scalars and folded histories from the
// prediction, tables of local histories from a log.
// APPROX: the corrector trains with the sum that was predicted with, not with one made anew when
// the branch commits. Random numbers are SplitMix64's.
// APPROX: in the 8 KB version, after an entry was made the neighbour table is left out, as in the
// 64 KB one; the championship's code goes on with the table after that.
#include "cpu/bpred/tage_sc_l_corrector.h"
#include "cpu/bpred/tage_sc_l_tagged.h"
#include "sim/sim.h"

// pair, history length, bits of the tag, first table exists, its bank, bank of the second table.
#define ROWS_64K(X)           \
    X(0, 6, 8, 0, 0, 0)       \
    X(2, 12, 8, 0, 0, 1)      \
    X(4, 26, 8, 1, 2, 3)      \
    X(5, 37, 8, 1, 4, 5)      \
    X(6, 54, 12, 1, 0, 1)     \
    X(7, 78, 12, 1, 2, 3)     \
    X(8, 112, 12, 1, 4, 5)    \
    X(9, 161, 12, 1, 6, 7)    \
    X(10, 232, 12, 1, 8, 9)   \
    X(11, 335, 12, 0, 0, 10)  \
    X(12, 482, 12, 0, 0, 11)  \
    X(13, 695, 12, 0, 0, 12)  \
    X(15, 1444, 12, 0, 0, 13) \
    X(17, 3000, 12, 0, 0, 14)
#define ROWS_8K(X)           \
    X(0, 4, 8, 0, 0, 0)      \
    X(1, 6, 8, 0, 0, 1)      \
    X(2, 9, 8, 0, 0, 2)      \
    X(3, 13, 8, 1, 3, 4)     \
    X(4, 19, 8, 1, 5, 6)     \
    X(5, 29, 12, 1, 0, 1)    \
    X(6, 43, 12, 1, 2, 3)    \
    X(7, 63, 12, 1, 4, 5)    \
    X(8, 94, 12, 1, 6, 7)    \
    X(9, 139, 12, 1, 8, 9)   \
    X(10, 206, 12, 0, 0, 10) \
    X(11, 306, 12, 0, 0, 11) \
    X(12, 454, 12, 0, 0, 12) \
    X(13, 674, 12, 0, 0, 13) \
    X(14, 1000, 12, 0, 0, 14)

#define ROW_PAIR(pair, length, tag, has, first, second) pair,
#define ROW_LENGTH(pair, length, tag, has, first, second) length,
#define ROW_TAG(pair, length, tag, has, first, second) tag,
#define ROW_HAS(pair, length, tag, has, first, second) has,
#define ROW_FIRST(pair, length, tag, has, first, second) first,
#define ROW_SECOND(pair, length, tag, has, first, second) second,
// A folded history of `width` bits.
#define FOLD_OUT(length, width) 1u << (length) % (width),
#define FOLD_WRAP(width) 1u << (16 - (width)),
#define FOLD_MASK(width) (1u << (width)) - 1,
#define OUT_INDEX_64K(pair, length, tag, has, first, second) FOLD_OUT(length, 10)
#define OUT_TAG_64K(pair, length, tag, has, first, second) FOLD_OUT(length, tag)
#define OUT_TAG2_64K(pair, length, tag, has, first, second) FOLD_OUT(length, (tag)-1)
#define WRAP_INDEX_64K(pair, length, tag, has, first, second) FOLD_WRAP(10)
#define WRAP_TAG_64K(pair, length, tag, has, first, second) FOLD_WRAP(tag)
#define WRAP_TAG2_64K(pair, length, tag, has, first, second) FOLD_WRAP((tag)-1)
#define MASK_INDEX_64K(pair, length, tag, has, first, second) FOLD_MASK(10)
#define MASK_TAG_64K(pair, length, tag, has, first, second) FOLD_MASK(tag)
#define MASK_TAG2_64K(pair, length, tag, has, first, second) FOLD_MASK((tag)-1)
#define ROW_BANKS_64K(pair, length, tag, has, first, second) (tag) == 8 ? 10 : 20,
#define ROW_START_64K(pair, length, tag, has, first, second) (tag) == 8 ? 0 : 10,
// The address is shifted right by |10 - (2 pair + 1)| + 1; in halves of 16 bits.
#define ROW_SHIFT(pair) ((pair) < 5 ? 10 - 2 * (pair) : 2 * (pair)-8)
#define ROW_LOW_64K(pair, length, tag, has, first, second) \
    ROW_SHIFT(pair) > 16 ? 0 : 1u << (16 - MIN(ROW_SHIFT(pair), 16)),
#define ROW_HIGH_64K(pair, length, tag, has, first, second) \
    ROW_SHIFT(pair) > 16 ? 1u << (32 - MAX(ROW_SHIFT(pair), 17)) : 0,

#define OUT_TAG_8K(pair, length, tag, has, first, second) FOLD_OUT(length, 13)
#define OUT_TAG2_8K(pair, length, tag, has, first, second) FOLD_OUT(length, 11)
#define WRAP_TAG_8K(pair, length, tag, has, first, second) FOLD_WRAP(13)
#define WRAP_TAG2_8K(pair, length, tag, has, first, second) FOLD_WRAP(11)
#define MASK_TAG_8K(pair, length, tag, has, first, second) FOLD_MASK(13)
#define MASK_TAG2_8K(pair, length, tag, has, first, second) FOLD_MASK(11)

static const struct scl_config config_64k = {
    .size = SCL_64K,
    .rows = 14,
    .short_rows = 2,
    .last_number = 36,
    .log = 10,
    .long_row = 4,
    .banks_short = 10,
    .banks_long = 20,
    .useful_bits = 1,
    .base_log = 13,
    .loop_log = 5,
    .bias_log = 8,
    .local_mask = 255,
    .use_alts = 15,
    .pair = {ROWS_64K(ROW_PAIR)},
    .length = {ROWS_64K(ROW_LENGTH)},
    .tag_bits = {ROWS_64K(ROW_TAG)},
    .has_first = {ROWS_64K(ROW_HAS)},
    .first_bank = {ROWS_64K(ROW_FIRST)},
    .second_bank = {ROWS_64K(ROW_SECOND)},
    .row_of_pair = {0, SCL_NO_ROW, 1, SCL_NO_ROW, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, SCL_NO_ROW, 12,
                    SCL_NO_ROW, 13},
    .out = {{ROWS_64K(OUT_INDEX_64K)}, {ROWS_64K(OUT_TAG_64K)}, {ROWS_64K(OUT_TAG2_64K)}},
    .wrap = {{ROWS_64K(WRAP_INDEX_64K)}, {ROWS_64K(WRAP_TAG_64K)}, {ROWS_64K(WRAP_TAG2_64K)}},
    .mask = {{ROWS_64K(MASK_INDEX_64K)}, {ROWS_64K(MASK_TAG_64K)}, {ROWS_64K(MASK_TAG2_64K)}},
    .gehl = {[SCL_BACKWARD] = {3, 10, true, {40, 24, 10}, 0, 0},
             [SCL_PATH] = {3, 9, true, {25, 16, 9}, 3072, 3},
             [SCL_LOCAL] = {3, 10, true, {11, 6, 3}, 4608, 6},
             [SCL_LOCAL2] = {3, 9, true, {16, 11, 6}, 7680, 9},
             [SCL_LOCAL3] = {2, 10, true, {9, 4}, 9216, 12},
             [SCL_IMLI_HISTORY] = {2, 9, true, {10, 4}, 11264, 14},
             [SCL_IMLI] = {1, 8, true, {8}, 12288, 16}},
    .first_banks = {ROWS_64K(ROW_FIRST)},
    .second_banks = {ROWS_64K(ROW_SECOND)},
    .banks = {ROWS_64K(ROW_BANKS_64K)},
    .start = {ROWS_64K(ROW_START_64K)},
    .shift_low = {ROWS_64K(ROW_LOW_64K)},
    .shift_high = {ROWS_64K(ROW_HIGH_64K)},
    // All second tables of 14 rows, the first ones of rows 2 to 8.
    .slots = 0xaaaaaaa | 0x15550,
};

static const struct scl_config config_8k = {
    .size = SCL_8K,
    .rows = 15,
    .short_rows = 4,
    .last_number = 30,
    .log = 7,
    .long_row = 5,
    .banks_short = 9,
    .banks_long = 17,
    .useful_bits = 2,
    .base_log = 12,
    .loop_log = 3,
    .bias_log = 7,
    .local_mask = 63,
    .use_alts = 8,
    .pair = {ROWS_8K(ROW_PAIR)},
    .length = {ROWS_8K(ROW_LENGTH)},
    .tag_bits = {ROWS_8K(ROW_TAG)},
    .has_first = {ROWS_8K(ROW_HAS)},
    .first_bank = {ROWS_8K(ROW_FIRST)},
    .second_bank = {ROWS_8K(ROW_SECOND)},
    .row_of_pair = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, SCL_NO_ROW, SCL_NO_ROW,
                    SCL_NO_ROW},
    .out = {{0}, {ROWS_8K(OUT_TAG_8K)}, {ROWS_8K(OUT_TAG2_8K)}},
    .wrap = {{0}, {ROWS_8K(WRAP_TAG_8K)}, {ROWS_8K(WRAP_TAG2_8K)}},
    .mask = {{0}, {ROWS_8K(MASK_TAG_8K)}, {ROWS_8K(MASK_TAG2_8K)}},
    .gehl = {[SCL_BACKWARD] = {2, 7, false, {16, 8}, 0, 0},
             [SCL_GLOBAL] = {2, 7, false, {6, 3}, 256, 2},
             [SCL_LOCAL] = {2, 7, false, {6, 3}, 512, 4},
             [SCL_IMLI] = {1, 7, false, {8}, 768, 6}},
};

// ---- life

static const struct scl_config *config_of(const struct tage_sc_l *s)
{
    return s->p.size == SCL_8K ? &config_8k : &config_64k;
}

static void build_lanes(struct tage_sc_l *s, const struct scl_config *k)
{
    for (unsigned group = SCL_LOCAL; group < SCL_GROUPS; group++) {
        const struct scl_gehl *g = &k->gehl[group];

        for (unsigned i = 0; i < g->tables && g->slot >= SCL_GEHL_LANE; i++) {
            unsigned lane = g->slot + i - SCL_GEHL_LANE;

            s->lanes[0][lane] = (u16)((1u << g->length[i]) - 1);
            s->lanes[1][lane] = (u16)(1u << (8 + i));
            s->lanes[2][lane] = (u16)((1u << (g->log - (g->halved && i + 2 >= g->tables))) - 1);
            s->lanes[3][lane] = (u16)(g->start + (i << g->log));
        }
    }
}

static bool scl_build(struct component *c, struct error *err)
{
    struct tage_sc_l *s = scl_of(c);
    const struct scl_config *k = config_of(s);
    u32 long_start = (u32)k->banks_short << k->log;

    s->loop = (struct loop_table){s->st.loops, s->st.loop_current, k->loop_log};
    s->undo = arena_array(&c->sim->arena, BPRED_IN_FLIGHT, sizeof(*s->undo));
    build_lanes(s, k);
    for (u32 i = 0; i < ARRAY_SIZE(s->bank_short); i++)
        s->bank_short[i] = (u16)(i % k->banks_short << k->log);
    for (u32 i = 0; i < ARRAY_SIZE(s->bank_long); i++)
        s->bank_long[i] = (u16)(long_start + (i % k->banks_long << k->log));
    return true;
}

static void reset_corrector(struct tage_sc_l_state *st, u64 bias_entries)
{
    static const i8 bias[4] = {-32, 31, -1, 0}, skewed[4] = {-8, 7, -32, 31};

    for (u64 i = 0; i < bias_entries; i++) {
        st->bias[i] = st->bias[2 * bias_entries + i] = (u8)bias[i % 4];
        st->bias[bias_entries + i] = (u8)skewed[i % 4];
    }
    for (u64 i = 0; i < st->gehl_count; i++)
        st->gehl[i] = i % 2 ? 0 : (u8)-1;
    for (unsigned i = 0; i < sizeof(st->weights); i++)
        st->weights[i] = i % SCL_WEIGHT_ROW == SCL_IMLI_HISTORY ? 0
                         : i % SCL_WEIGHT_ROW == SCL_BIAS       ? 4
                         : i % SCL_WEIGHT_ROW < SCL_GROUPS      ? 7
                                                                : 0;
    st->threshold = 35 << 3;
}

static void scl_reset(struct component *c)
{
    struct tage_sc_l *s = scl_of(c);
    struct tage_sc_l_state *st = &s->st;

    memset(st, 0, offsetof(struct tage_sc_l_state, tags_count));
    memset(st->tags, 0, st->tags_count * sizeof(*st->tags));
    memset(st->counters, 0, st->counters_count);
    memset(st->base, 0, st->base_count);
    for (u64 i = 0; i < st->base_count; i += 4)
        st->base[i] = 1; // weakly not taken
    memset(st->loops, 0, st->loops_count * sizeof(*st->loops));
    memset(st->loop_current, 0, st->loop_current_count * sizeof(*st->loop_current));
    st->random = 1;
    st->use_loop = -1;
    reset_corrector(st, 1ull << config_of(s)->bias_log);
    s->leaving_left = 0;
}

// The scalars and folded histories.
static bool scalars_valid(const struct scl_config *k, const struct tage_sc_l_state *st)
{
    for (unsigned row = 0; row < SCL_ROWS; row++) {
        u32 wide = 17 + 2u * k->pair[row] % 4;

        if (st->index_fold[row] & ~k->mask[0][row] || st->tag_fold[row] & ~k->mask[1][row] ||
            st->tag_fold2[row] & ~k->mask[2][row])
            return false;
        if (k->size == SCL_8K && row < k->rows ? st->wide_fold[row] >> wide : st->wide_fold[row])
            return false;
    }
    return st->threshold >= -2048 && st->threshold < 2048 && st->use_loop >= -64 &&
           st->use_loop < 64 && st->chooser >= -64 && st->chooser < 64 && st->chooser2 >= -64 &&
           st->chooser2 < 64 && st->imli <= SCL_IMLI_MAX && st->ticks < SCL_TICKS &&
           history_valid(st->ring);
}

static bool scl_after_load(struct component *c, struct error *err)
{
    struct tage_sc_l *s = scl_of(c);
    const struct tage_sc_l_state *st = &s->st;

    s->leaving_left = 0;
    if (!scalars_valid(config_of(s), st))
        return error_set(err, ERROR_INPUT, "a counter or a history is none that it can have");
    return table_within(st->counters, st->counters_count, 31, "counters", err) &&
           table_within(st->base, st->base_count, 3, "base", err) &&
           signed_table_within(st->bias, st->bias_count, SCL_GEHL_BITS, "bias", err) &&
           signed_table_within(st->gehl, st->gehl_count, SCL_GEHL_BITS, "gehl", err) &&
           signed_table_within(st->weights, sizeof(st->weights), SCL_WEIGHT_BITS, "weights", err) &&
           signed_table_within(st->use_alt, sizeof(st->use_alt), 5, "use_alt", err) &&
           loop_valid(&s->loop, err);
}

static void scl_settle(struct component *c)
{
    struct tage_sc_l *s = scl_of(c);
    const struct scl_config *k = config_of(s);

    history_clean(s->st.ring, s->st.position, k->length[k->rows - 1]);
}

// ---- prediction

static ALWAYS_INLINE bool lookup(const struct scl_config *k, struct tage_sc_l *s, vaddr pc,
                                 struct scl_found *m, u8 *ret_provider)
{
    scl_lookup_tagged(k, s, pc, m, ret_provider);
    loop_lookup(&s->loop, pc, &m->loop);
    m->inter = m->tage;
    if (m->loop.valid && s->st.use_loop >= 0) {
        m->inter = m->loop.taken;
        *ret_provider = PROVIDER_LOOP;
    }
    scl_lookup_corrector(k, s, pc, m, ret_provider);
    return m->taken;
}

static bool scl_lookup(struct component *c, const struct branch *b, void *found, u8 *ret_provider)
{
    struct tage_sc_l *s = scl_of(c);

    return s->p.size == SCL_8K ? lookup(&config_8k, s, b->pc, found, ret_provider)
                               : lookup(&config_64k, s, b->pc, found, ret_provider);
}

static ALWAYS_INLINE void train(const struct scl_config *k, struct tage_sc_l *s,
                                const struct scl_found *m, bool taken)
{
    if (m->loop.valid && m->taken != m->loop.taken)
        s->st.use_loop = signed_step((int)s->st.use_loop, m->loop.taken == taken, 7);
    if (m->loop.index != LOOP_MISS || m->taken != taken) {
        struct rng rng = {s->st.random};

        loop_train(&s->loop, &m->loop, taken, m->tage, m->taken != taken, &rng);
        s->st.random = rng.state;
    }
    scl_train_corrector(k, s, m, taken);
    scl_train_tagged(k, s, m, taken);
}

static void scl_train(struct component *c, const struct branch *b, const void *found, bool taken)
{
    struct tage_sc_l *s = scl_of(c);

    if (s->p.size == SCL_8K)
        train(&config_8k, s, found, taken);
    else
        train(&config_64k, s, found, taken);
}

// ---- histories

static void remember(struct tage_sc_l *s, struct scl_before *m)
{
    const struct tage_sc_l_state *st = &s->st;

    if (s->p.size == SCL_8K)
        memcpy(m->index_fold.wide, st->wide_fold, sizeof(st->wide_fold));
    else
        memcpy(m->index_fold.narrow, st->index_fold, sizeof(st->index_fold));
    memcpy(m->tag_fold, st->tag_fold, sizeof(st->tag_fold));
    memcpy(m->tag_fold2, st->tag_fold2, sizeof(st->tag_fold2));
    m->recent = st->recent;
    m->global = st->global;
    m->backward = st->backward;
    m->position = st->position;
    m->path = st->path;
    m->imli = (u16)st->imli;
    m->head = s->head;
}

static void log_tables(const struct scl_config *k, struct tage_sc_l *s, const struct branch *b,
                       const struct scl_found *found)
{
    const struct tage_sc_l_state *st = &s->st;
    struct scl_undo *u = &s->undo[s->head++ % BPRED_IN_FLIGHT];
    const u16 *loop = loop_slot(&s->loop, &found->loop);

    u->local_at = (u8)scl_local_at(k, b->pc);
    u->local2_at = (u8)scl_local2_at(b->pc);
    u->local3_at = (u8)scl_local3_at(b->pc);
    u->imli_at = (u8)st->imli;
    u->local = st->local[u->local_at];
    u->local2 = st->local2[u->local2_at];
    u->local3 = st->local3[u->local3_at];
    u->imli = st->imli_history[u->imli_at];
    u->loop_at = loop ? (u16)(loop - st->loop_current) : SCL_NO_LOOP;
    u->loop = loop ? *loop : 0;
}

static ALWAYS_INLINE void push(const struct scl_config *k, struct tage_sc_l *s,
                               const struct branch *b, bool taken, const struct scl_found *found,
                               struct scl_before *before)
{
    if (before)
        remember(s, before);
    if (b->kind == BRANCH_CONDITIONAL) {
        if (before)
            log_tables(k, s, b, found);
        scl_push_corrector(k, s, b, taken);
        loop_advance(&s->loop, &found->loop, taken);
    }
    scl_push_tagged(k, s, b, taken);
}

static void scl_push(struct component *c, const struct branch *b, bool taken, const void *found,
                     void *before)
{
    struct tage_sc_l *s = scl_of(c);

    if (s->p.size == SCL_8K)
        push(&config_8k, s, b, taken, found, before);
    else
        push(&config_64k, s, b, taken, found, before);
}

static void scl_restore(struct component *c, const void *before)
{
    struct tage_sc_l *s = scl_of(c);
    struct tage_sc_l_state *st = &s->st;
    const struct scl_before *m = before;

    if (s->p.size == SCL_8K)
        memcpy(st->wide_fold, m->index_fold.wide, sizeof(st->wide_fold));
    else
        memcpy(st->index_fold, m->index_fold.narrow, sizeof(st->index_fold));
    memcpy(st->tag_fold, m->tag_fold, sizeof(st->tag_fold));
    memcpy(st->tag_fold2, m->tag_fold2, sizeof(st->tag_fold2));
    st->recent = m->recent;
    st->global = m->global;
    st->backward = m->backward;
    st->position = m->position;
    st->path = m->path;
    st->imli = m->imli;
    s->leaving_left = 0;
    while (s->head != m->head) {
        const struct scl_undo *u = &s->undo[--s->head % BPRED_IN_FLIGHT];

        st->local[u->local_at] = u->local;
        st->local2[u->local2_at] = u->local2;
        st->local3[u->local3_at] = u->local3;
        st->imli_history[u->imli_at] = u->imli;
        if (u->loop_at != SCL_NO_LOOP)
            st->loop_current[u->loop_at] = u->loop;
    }
}

static const struct direction_ops tage_sc_l_direction = {
    .lookup = scl_lookup,
    .push = scl_push,
    .restore = scl_restore,
    .train = scl_train,
    .settle = scl_settle,
};

static const struct component_ops tage_sc_l_ops = {
    .build = scl_build,
    .reset = scl_reset,
    .after_load = scl_after_load,
};

COMPONENT_TABLES(tage_sc_l, SCL_PARAMS, SCL_STATE, NO_ROWS, NO_ROWS);

const struct component_type bpred_tage_sc_l_type = {
    .name = "bpred_tage_sc_l",
    .doc = "TAGE-SC-L branch predictor, 8 or 64 KB",
    COMPONENT_LAYOUT(tage_sc_l),
    .ops = &tage_sc_l_ops,
    .provides = {IFACE(direction, &tage_sc_l_direction)},
};
