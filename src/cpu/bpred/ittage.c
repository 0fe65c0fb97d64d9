// SPDX-License-Identifier: BSD-3-Clause
// ITTAGE (A. Seznec, "A 64-Kbytes ITTAGE indirect branch predictor", JWAC-2/CBP-3, 2011): table 0
// with 4096 entries by address, and 15 tagged tables, which share three interleaved ones of 4096,
// 4096 and 2048 entries with tags of 9, 13 and 15 bits. The history has ten bits for each indirect
// branch and five for each direct call. History lengths are those of the paper.
// Speculative; after a misprediction the history is stepped back, exactly.
// UNMODELLED: the update mimicker for branches in flight.
// APPROX: an entry holds a whole target instead of an offset and a pointer into a table of 128
// regions of 256 KiB, so that no region is ever lost.
#include "cpu/bpred/ittage.h"

#include "base/rng.h"
#include "cpu/bpred/history.h"
#include "sim/sim.h"

enum {
    FOLDED = ITTAGE_TABLES - 2, // tables 0 and 1 have no history
    STEP = 5,   // bits that come in at once: one step for a call, two for an indirect branch
    TICKS = 64, // failed allocations until the useful bits are cleared
    USE_ALT_MAX = 15,
    USE_ALT_MIDDLE = 8,
};

static const u16 length_of[ITTAGE_TABLES] = {0,   0,   10,  16,  27,  44,   60,   96,
                                             109, 219, 449, 487, 714, 1313, 2146, 3881};
static const u8 log_of[ITTAGE_TABLES] = {12, 12, 9, 12, 9, 9, 9, 9, 9, 9, 9, 11, 8, 8, 8, 8};
static const u8 tag_of[ITTAGE_TABLES] = {0,  9,  9,  13, 13, 13, 13, 13,
                                         13, 13, 13, 15, 15, 15, 15, 15};
// The table that one shares, and where those begin in the arrays.
static const u8 group_of[ITTAGE_TABLES] = {0, 1, 1, 3, 3, 3, 3, 3, 3, 3, 3, 11, 11, 11, 11, 11};
static const u16 start_of[ITTAGE_TABLES] = {0,    4096, 4096, 8192,  8192,  8192,  8192,  8192,
                                            8192, 8192, 8192, 12288, 12288, 12288, 12288, 12288};
enum { ENTRIES = 12288 + 2048 };

// meta: 14..0 tag | 16..15 confidence | 17 useful
#define ITTAGE_STATE(F, FA, FE, FV) \
    F(u64, random)                  \
    F(u32, position)                \
    F(u32, ticks)                   \
    F(u32, use_alt)                 \
    FA(u32, meta, ENTRIES)          \
    FA(u16, index_fold, FOLDED)     \
    FA(u16, tag_fold, FOLDED)       \
    FA(u16, tag_fold2, FOLDED)      \
    FA(u8, ring, HISTORY_BYTES)     \
    FA(u8, pad, 4)                  \
    FA(u64, target, ENTRIES)

COMPONENT_LISTS(ittage, NO_ROWS, ITTAGE_STATE, NO_ROWS, NO_ROWS);

struct ittage {
    struct component base;
    struct ittage_params p;
    struct ittage_state st;
    struct ittage_stats n;
};

static struct ittage *ittage_of(const struct component *c)
{
    return (struct ittage *)(uintptr_t)c;
}

static void ittage_reset(struct component *c)
{
    struct ittage *s = ittage_of(c);

    memset(&s->st, 0, sizeof(s->st));
    s->st.random = 1;
    s->st.use_alt = USE_ALT_MIDDLE;
}

static u32 fold_max(unsigned width)
{
    return (1u << width) - 1;
}

static bool ittage_after_load(struct component *c, struct error *err)
{
    const struct ittage *s = ittage_of(c);

    for (unsigned i = 0; i < FOLDED; i++)
        if (s->st.index_fold[i] > fold_max(log_of[i + 2]) ||
            s->st.tag_fold[i] > fold_max(tag_of[i + 2]) ||
            s->st.tag_fold2[i] > fold_max(tag_of[i + 2] - 1u))
            return error_set(err, ERROR_INPUT, "a folded history is too wide");
    for (unsigned i = 0; i < ENTRIES; i++)
        if (s->st.meta[i] >> 18)
            return error_set(err, ERROR_INPUT, "'meta' has an element with unknown bits");
    if (s->st.ticks > TICKS || s->st.use_alt > USE_ALT_MAX || !history_valid(s->st.ring))
        return error_set(err, ERROR_INPUT, "a counter or the history is none that it can have");
    return true;
}

vaddr ittage_lookup(struct component *c, vaddr pc, struct ittage_found *m)
{
    const struct ittage *s = ittage_of(c);
    u32 pc32 = (u32)pc;

    m->index[0] = (u16)(pc32 & fold_max(log_of[0]));
    m->tag[0] = 0;
    for (unsigned i = 1; i < ITTAGE_TABLES; i++) {
        unsigned log = log_of[i], shift = (log > i ? log - i : i - log) + 1;
        u32 index = pc32 ^ pc32 >> shift, tag = pc32;

        if (i >= 2) {
            index ^= s->st.index_fold[i - 2];
            tag ^= s->st.tag_fold[i - 2] ^ (u32)s->st.tag_fold2[i - 2] << 1;
        }
        m->index[i] = (u16)(index & fold_max(log));
        m->tag[i] = (u16)(tag & fold_max(tag_of[i]));
    }
    for (unsigned i = 1; i < ITTAGE_TABLES; i++) {
        unsigned group = group_of[i];

        // Low bits of a shared table's index tell its users apart.
        if (i != group)
            m->index[i] = (u16)(((m->index[group] & 7) ^ (i - group)) + (m->index[i] << 3));
    }
    m->hit = m->alt = -1;
    for (int i = ITTAGE_TABLES - 1; i >= 0; i--) {
        m->index[i] = (u16)(m->index[i] + start_of[i]);
        if ((s->st.meta[m->index[i]] & 0x7fff) != m->tag[i])
            continue;
        if (m->hit < 0)
            m->hit = (i8)i;
        else if (m->alt < 0)
            m->alt = (i8)i;
    }
    m->longest = s->st.target[m->index[m->hit]];
    m->alternate = m->alt < 0 ? 0 : s->st.target[m->index[m->alt]];
    // A new entry may be worth less than the one before.
    if (m->alt >= 0 && s->st.use_alt >= USE_ALT_MIDDLE &&
        (s->st.meta[m->index[m->hit]] >> 15 & 3) == 0)
        return m->alternate;
    return m->longest;
}

// k more outcomes: `in`, newest first.
static void step(struct ittage_state *st, unsigned k, unsigned in)
{
    u32 position = st->position - k;

#pragma GCC unroll 14
    for (unsigned i = 0; i < FOLDED; i++) {
        unsigned length = length_of[i + 2], log = log_of[i + 2], tag = tag_of[i + 2];
        unsigned out = history_get(st->ring, position + length, k);

        st->index_fold[i] = (u16)fold_push(st->index_fold[i], log, length, k, in, out);
        st->tag_fold[i] = (u16)fold_push(st->tag_fold[i], tag, length, k, in, out);
        st->tag_fold2[i] = (u16)fold_push(st->tag_fold2[i], tag - 1, length, k, in, out);
    }
    history_put(st->ring, position, k, in);
    st->position = position;
}

// Takes the last k outcomes back.
static void step_back(struct ittage_state *st, unsigned k)
{
    unsigned in = history_get(st->ring, st->position, k);

    for (unsigned i = 0; i < FOLDED; i++) {
        unsigned length = length_of[i + 2], log = log_of[i + 2], tag = tag_of[i + 2];
        unsigned out = history_get(st->ring, st->position + length, k);

        st->index_fold[i] = (u16)fold_pull(st->index_fold[i], log, length, k, in, out);
        st->tag_fold[i] = (u16)fold_pull(st->tag_fold[i], tag, length, k, in, out);
        st->tag_fold2[i] = (u16)fold_pull(st->tag_fold2[i], tag - 1, length, k, in, out);
    }
    st->position += k;
}

void ittage_push(struct component *c, const struct branch *b, vaddr target, struct ittage_before *m)
{
    struct ittage_state *st = &ittage_of(c)->st;
    u32 path = (u32)(target ^ target >> 3 ^ b->pc);

    m->position = st->position;
    if (b->kind == BRANCH_CALL) {
        step(st, STEP, history_order(path & 31, STEP));
    } else if (b->kind == BRANCH_INDIRECT || b->kind == BRANCH_INDIRECT_CALL) {
        step(st, STEP, history_order(path & 31, STEP));
        step(st, STEP, history_order(path >> 5 & 31, STEP));
    }
}

void ittage_restore(struct component *c, const struct ittage_before *m)
{
    struct ittage_state *st = &ittage_of(c)->st;

    while (st->position != m->position)
        step_back(st, STEP);
}

static void allocate(struct ittage_state *st, const struct ittage_found *m, vaddr target)
{
    struct rng rng = {st->random};
    int at = m->hit + 1 + ((rng_next(&rng) & 31) == 0), left = 3;

    st->random = rng.state;
    for (; at < ITTAGE_TABLES && left; at++) {
        u32 e = m->index[at];

        if (st->meta[e] >> 17 & 1) {
            st->ticks++;
            continue;
        }
        st->meta[e] = m->tag[at];
        st->target[e] = target;
        st->ticks -= st->ticks > 0;
        left--;
        at++; // not in neighbours
    }
    if (st->ticks < TICKS)
        return;
    st->ticks = 0;
    for (u32 i = 0; i < ENTRIES; i++)
        st->meta[i] &= ~(1u << 17);
}

void ittage_train(struct component *c, const struct ittage_found *m, vaddr target)
{
    struct ittage_state *st = &ittage_of(c)->st;
    u32 hit = m->index[m->hit];
    u32 confidence = st->meta[hit] >> 15 & 3;

    if (m->hit > 0 && m->alt >= 0 && confidence == 0 && m->longest != m->alternate) {
        if (m->alternate == target)
            st->use_alt += st->use_alt < USE_ALT_MAX;
        else if (m->longest == target)
            st->use_alt -= st->use_alt > 0;
    }
    if (m->longest != target)
        allocate(st, m, target);
    if (m->longest == target)
        confidence += confidence < 3;
    else if (confidence > 0)
        confidence--;
    else
        st->target[hit] = target;
    st->meta[hit] = (st->meta[hit] & ~(3u << 15)) | confidence << 15;
    if (m->hit > 0 && m->longest == target && m->longest != m->alternate)
        st->meta[hit] |= 1u << 17;
}

void ittage_settle(struct component *c)
{
    struct ittage_state *st = &ittage_of(c)->st;

    history_clean(st->ring, st->position, length_of[ITTAGE_TABLES - 1]);
}

static const struct component_ops ittage_ops = {
    .reset = ittage_reset,
    .after_load = ittage_after_load,
};

const struct component_type bpred_ittage_type = {
    .name = "bpred_ittage",
    .doc = "ITTAGE indirect branch predictor",
    COMPONENT_LAYOUT(ittage),
    .ops = &ittage_ops,
};
