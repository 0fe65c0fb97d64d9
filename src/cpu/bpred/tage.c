// SPDX-License-Identifier: BSD-3-Clause
// TAGE: a bimodal table, and twelve tagged tables with geometric history lengths from 4 to 640
// (A. Seznec, P. Michaud, "A case for (partially) tagged geometric history length branch
// prediction", JILP 8, 2006), with the sizes of the 32-KB L-TAGE (A. Seznec, "The L-TAGE branch
// predictor", JILP 9, 2007) but without its loop predictor.
// The history has one bit for each branch, its outcome; the path history one bit of its address.
// Both are speculative: folded histories are part of a prediction and restored from it.
#include "cpu/bpred/direction.h"

#include "base/rng.h"
#include "cpu/bpred/history.h"
#include "sim/sim.h"

enum {
    TABLES = 12, // tagged ones; their numbers begin at 0
    BASE_LOG = 14,
    HYSTERESIS_SHIFT = 2, // base counters that share a hysteresis bit
    PATH_BITS = 16,
    RESET_LOG = 19, // branches between two agings of useful counters
    USE_ALT_BITS = 4,
    NO_TABLE = -1,
};

// Length i is 4 * 160^(i/11), rounded.
static const u16 length_of[TABLES] = {4, 6, 10, 16, 25, 40, 64, 101, 160, 254, 403, 640};
static const u8 log_of[TABLES] = {10, 10, 11, 11, 11, 11, 10, 10, 10, 10, 9, 9};
static const u8 tag_of[TABLES] = {7, 7, 8, 8, 9, 10, 11, 12, 12, 13, 14, 15};
static const u16 start_of[TABLES] = {0,     1024,  2048,  4096,  6144,  8192,
                                     10240, 11264, 12288, 13312, 14336, 14848};
enum { ENTRIES = 14848 + 512 };

// counters: 2..0 the signed counter | 4..3 useful. base: the predictions' bits in bit 1, of every
// fourth entry the shared hysteresis in bit 0.
#define TAGE_STATE(F, FA, FE, FV) \
    F(u64, random)                \
    F(u32, position)              \
    F(u32, path)                  \
    F(u32, branches)              \
    F(u32, use_alt)               \
    FA(u16, tags, ENTRIES)        \
    FA(u8, counters, ENTRIES)     \
    FA(u8, base, 1 << BASE_LOG)   \
    FA(u16, index_fold, TABLES)   \
    FA(u16, tag_fold, TABLES)     \
    FA(u16, tag_fold2, TABLES)    \
    FA(u8, ring, HISTORY_BYTES)   \
    FA(u8, pad, 4)

COMPONENT_LISTS(tage, NO_ROWS, TAGE_STATE, NO_ROWS, NO_ROWS);

struct tage {
    struct component base;
    struct tage_params p;
    struct tage_state st;
    struct tage_stats n;
};

struct tage_found {
    u16 index[TABLES], tag[TABLES];
    u32 base;
    i8 hit, alt;
    u8 longest, alternate, taken, fresh;
};
struct tage_before {
    u16 index_fold[TABLES], tag_fold[TABLES], tag_fold2[TABLES];
    u32 position, path;
};
_Static_assert(sizeof(struct tage_found) <= DIRECTION_FOUND_BYTES &&
                   sizeof(struct tage_before) <= DIRECTION_BEFORE_BYTES,
               "a prediction has no room for it");

static struct tage *tage_of(const struct component *c)
{
    return (struct tage *)(uintptr_t)c;
}

static int counter_of(u8 bits)
{
    return (i8)(u8)(bits << 5) >> 5;
}

static void tage_reset(struct component *c)
{
    struct tage *s = tage_of(c);

    memset(&s->st, 0, sizeof(s->st));
    s->st.random = 1;
    s->st.use_alt = 1 << (USE_ALT_BITS - 1);
    for (u32 i = 0; i < 1 << BASE_LOG; i += 1 << HYSTERESIS_SHIFT)
        s->st.base[i] = 1;
}

static bool tage_after_load(struct component *c, struct error *err)
{
    const struct tage *s = tage_of(c);

    for (unsigned i = 0; i < TABLES; i++)
        if (s->st.index_fold[i] >> log_of[i] || s->st.tag_fold[i] >> tag_of[i] ||
            s->st.tag_fold2[i] >> (tag_of[i] - 1))
            return error_set(err, ERROR_INPUT, "a folded history is too wide");
    if (s->st.use_alt >> USE_ALT_BITS || s->st.path >> PATH_BITS || !history_valid(s->st.ring))
        return error_set(err, ERROR_INPUT, "a counter or the history is none that it can have");
    return table_within(s->st.counters, ENTRIES, 31, "counters", err) &&
           table_within(s->st.base, 1 << BASE_LOG, 3, "base", err);
}

// Mixes the path history into an index (as in O-GEHL).
static inline __attribute__((always_inline)) u32 mix_path(u32 path, unsigned table)
{
    unsigned log = log_of[table], rotate = (table + 1) % log;
    unsigned length = MIN(length_of[table], PATH_BITS);
    u32 mask = (1u << log) - 1, low, high;

    path &= (1u << length) - 1;
    low = path & mask;
    high = path >> log;
    high = (high << rotate & mask) + (high >> (log - rotate));
    low ^= high;
    return (low << rotate & mask) + (low >> (log - rotate));
}

static void find(const struct tage_state *st, struct tage_found *m, vaddr pc)
{
    u32 pc32 = (u32)pc;

    // The tables are constants in each turn.
    m->hit = m->alt = NO_TABLE;
#pragma GCC unroll 12
    for (int i = TABLES - 1; i >= 0; i--) {
        unsigned log = log_of[i], number = (unsigned)i + 1;
        unsigned shift = (log > number ? log - number : number - log) + 1;
        u32 index = pc32 ^ pc32 >> shift ^ st->index_fold[i] ^ mix_path(st->path, (unsigned)i);
        u32 tag = pc32 ^ st->tag_fold[i] ^ (u32)st->tag_fold2[i] << 1;

        m->index[i] = (u16)((index & ((1u << log) - 1)) + start_of[i]);
        m->tag[i] = (u16)(tag & ((1u << tag_of[i]) - 1));
        if (st->tags[m->index[i]] != m->tag[i])
            continue;
        if (m->hit == NO_TABLE)
            m->hit = (i8)i;
        else if (m->alt == NO_TABLE)
            m->alt = (i8)i;
    }
}

static bool tage_lookup(struct component *c, const struct branch *b, void *found, u8 *ret_provider)
{
    const struct tage_state *st = &tage_of(c)->st;
    struct tage_found *m = found;
    bool base;
    int counter;

    m->base = (u32)(b->pc & ((1 << BASE_LOG) - 1));
    base = st->base[m->base] >> 1 & 1;
    find(st, m, b->pc);
    if (m->hit == NO_TABLE) {
        m->longest = m->alternate = m->taken = base;
        m->fresh = false;
        *ret_provider = PROVIDER_BIMODAL;
        return base;
    }
    counter = counter_of(st->counters[m->index[m->hit]]);
    m->longest = counter >= 0;
    m->alternate = m->alt == NO_TABLE ? base : counter_of(st->counters[m->index[m->alt]]) >= 0;
    m->fresh = counter == 0 || counter == -1;
    if (m->fresh && st->use_alt >= 1 << (USE_ALT_BITS - 1)) {
        m->taken = m->alternate;
        *ret_provider = m->alt == NO_TABLE ? PROVIDER_BIMODAL : PROVIDER_TAGE_ALTERNATE;
    } else {
        m->taken = m->longest;
        *ret_provider = PROVIDER_TAGE_LONGEST;
    }
    return m->taken;
}

static void tage_push(struct component *c, const struct branch *b, bool taken, const void *found,
                      void *before)
{
    struct tage_state *st = &tage_of(c)->st;
    struct tage_before *m = before;
    u32 position = st->position - 1;

    if (m) {
        memcpy(m->index_fold, st->index_fold, sizeof(m->index_fold));
        memcpy(m->tag_fold, st->tag_fold, sizeof(m->tag_fold));
        memcpy(m->tag_fold2, st->tag_fold2, sizeof(m->tag_fold2));
        m->position = st->position;
        m->path = st->path;
    }
#pragma GCC unroll 12
    for (unsigned i = 0; i < TABLES; i++) {
        unsigned length = length_of[i];
        unsigned out = history_get(st->ring, position + length, 1);

        st->index_fold[i] = (u16)fold_push(st->index_fold[i], log_of[i], length, 1, taken, out);
        st->tag_fold[i] = (u16)fold_push(st->tag_fold[i], tag_of[i], length, 1, taken, out);
        st->tag_fold2[i] = (u16)fold_push(st->tag_fold2[i], tag_of[i] - 1u, length, 1, taken, out);
    }
    history_put(st->ring, position, 1, taken);
    st->position = position;
    st->path = (u32)(st->path << 1 | ((b->pc ^ b->pc >> 2) & 1)) & ((1u << PATH_BITS) - 1);
}

static void tage_restore(struct component *c, const void *before)
{
    struct tage_state *st = &tage_of(c)->st;
    const struct tage_before *m = before;

    memcpy(st->index_fold, m->index_fold, sizeof(m->index_fold));
    memcpy(st->tag_fold, m->tag_fold, sizeof(m->tag_fold));
    memcpy(st->tag_fold2, m->tag_fold2, sizeof(m->tag_fold2));
    st->position = m->position;
    st->path = m->path;
}

static void train_base(struct tage_state *st, const struct tage_found *m, bool taken)
{
    u8 *prediction = &st->base[m->base];
    u8 *hysteresis = &st->base[m->base >> HYSTERESIS_SHIFT << HYSTERESIS_SHIFT];
    u8 counter = counter_step((u8)((*prediction & 2) | (*hysteresis & 1)), taken, 2);

    *prediction = (u8)((*prediction & 1) | (counter & 2));
    *hysteresis = (u8)((*hysteresis & 2) | (counter & 1));
}

static void step_counter(u8 *entry, bool taken)
{
    *entry = (u8)((*entry & 0x18) | (signed_step(counter_of(*entry), taken, 3) & 7));
}

// An entry in one of the tables with longer histories, where one is not useful.
static void allocate(struct tage_state *st, const struct tage_found *m, bool taken)
{
    struct rng rng = {st->random};
    u64 random = rng_next(&rng);
    int first = m->hit + 1;
    bool free = false;

    st->random = rng.state;
    for (int i = first; i < TABLES; i++)
        free |= st->counters[m->index[i]] < 8;
    // Not always the next table: half of the time another one, so that they do not ping-pong.
    if (random & 1 && first + 1 < TABLES) {
        first++;
        if (random & 2 && first + 1 < TABLES)
            first++;
    }
    if (!free)
        st->counters[m->index[first]] &= 7;
    for (int i = first; i < TABLES; i++) {
        u32 e = m->index[i];

        if (st->counters[e] >= 8)
            continue;
        st->tags[e] = m->tag[i];
        st->counters[e] = taken ? 0 : 7;
        return;
    }
}

static void age(struct tage_state *st)
{
    st->branches = (st->branches + 1) & ((1u << RESET_LOG) - 1);
    if (st->branches)
        return;
    for (u32 i = 0; i < ENTRIES; i++)
        st->counters[i] = (u8)((st->counters[i] >> 1 & 8) | (st->counters[i] & 7));
}

static void tage_train(struct component *c, const struct branch *b, const void *found, bool taken)
{
    struct tage_state *st = &tage_of(c)->st;
    const struct tage_found *m = found;
    bool grow = m->taken != taken && m->hit < TABLES - 1;
    u8 *hit;

    if (m->hit != NO_TABLE && m->fresh) {
        if (m->longest == taken)
            grow = false;
        if (m->longest != m->alternate)
            st->use_alt = counter_step((u8)st->use_alt, m->alternate == taken, USE_ALT_BITS);
    }
    if (grow)
        allocate(st, m, taken);
    age(st);
    if (m->hit == NO_TABLE) {
        train_base(st, m, taken);
        return;
    }
    hit = &st->counters[m->index[m->hit]];
    step_counter(hit, taken);
    // A useless entry may go soon: the one after it must be ready.
    if (*hit < 8) {
        if (m->alt == NO_TABLE)
            train_base(st, m, taken);
        else
            step_counter(&st->counters[m->index[m->alt]], taken);
    }
    if (m->longest != m->alternate) {
        u8 useful = counter_step(*hit >> 3, m->longest == taken, 2);

        *hit = (u8)((*hit & 7) | useful << 3);
    }
}

static void tage_settle(struct component *c)
{
    struct tage_state *st = &tage_of(c)->st;

    history_clean(st->ring, st->position, length_of[TABLES - 1]);
}

static const struct direction_ops tage_direction = {
    .lookup = tage_lookup,
    .push = tage_push,
    .restore = tage_restore,
    .train = tage_train,
    .settle = tage_settle,
};

static const struct component_ops tage_ops = {
    .reset = tage_reset,
    .after_load = tage_after_load,
};

const struct component_type bpred_tage_type = {
    .name = "bpred_tage",
    .doc = "TAGE branch predictor, 32 KB",
    COMPONENT_LAYOUT(tage),
    .ops = &tage_ops,
    .provides = {IFACE(direction, &tage_direction)},
};
