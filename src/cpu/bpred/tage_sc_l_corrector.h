// SPDX-License-Identifier: BSD-3-Clause
// The statistical corrector of TAGE-SC-L: a sum of counters that see TAGE's prediction and its
// confidence (bias) and several histories (GEHL), which may overrule TAGE and the loop predictor.
// Functions take the configuration as a constant.
#pragma once

#include "cpu/bpred/tage_sc_l_priv.h"

#include <emmintrin.h>

static ALWAYS_INLINE u32 scl_gehl_index(const struct scl_gehl *g, unsigned i, u64 pc, u64 history)
{
    unsigned log = g->log - (g->halved && i + 2 >= g->tables);
    u64 h = history & ((1ull << g->length[i]) - 1);
    u64 index = pc ^ h ^ h >> (8 - i) ^ h >> (16 - 2 * i) ^ h >> (24 - 3 * i) ^ h >> (32 - 3 * i) ^
                h >> (40 - 4 * i);

    return g->start + (i << g->log) + (u32)(index & ((1u << log) - 1));
}

static ALWAYS_INLINE int scl_sum_of(const u8 *counters, const u16 *at, unsigned n)
{
    int sum = 0;

    for (unsigned i = 0; i < n; i++)
        sum += (i8)counters[at[i]];
    return 2 * sum + (int)n;
}

// The weights of the groups for this branch.
static ALWAYS_INLINE u8 *scl_weights(struct tage_sc_l_state *st, const struct scl_found *m)
{
    return st->weights + (size_t)m->weight_at * SCL_WEIGHT_ROW;
}

// Indices into a group's tables.
static ALWAYS_INLINE void scl_group_indices(const struct scl_config *k, struct scl_found *m,
                                            unsigned group, u64 pc, u64 history)
{
    const struct scl_gehl *g = &k->gehl[group];

#pragma GCC unroll 3
    for (unsigned i = 0; i < g->tables; i++)
        m->gehl[g->slot + i] = (u16)scl_gehl_index(g, i, pc, history);
}

// Eight at once, of tables whose histories have at most 16 outcomes.
static ALWAYS_INLINE void scl_eight_indices(const struct tage_sc_l *s, struct scl_found *m,
                                            unsigned lane, u32 pc, __m128i history)
{
    __m128i h = _mm_and_si128(history, _mm_load_si128((const __m128i *)(s->lanes[0] + lane)));
    __m128i t = _mm_mulhi_epu16(h, _mm_load_si128((const __m128i *)(s->lanes[1] + lane)));

    t = _mm_xor_si128(_mm_xor_si128(_mm_set1_epi16((short)pc), h), t);
    t = _mm_and_si128(t, _mm_load_si128((const __m128i *)(s->lanes[2] + lane)));
    t = _mm_add_epi16(t, _mm_load_si128((const __m128i *)(s->lanes[3] + lane)));
    _mm_storeu_si128((__m128i *)(m->gehl + SCL_GEHL_LANE + lane), t);
}

static ALWAYS_INLINE void scl_bias_indices(const struct scl_config *k, vaddr pc,
                                           struct scl_found *m)
{
    u32 mask = (1u << k->bias_log) - 1, pc32 = (u32)pc;
    bool high = m->confidence == SCL_HIGH, low = m->confidence == SCL_LOW;
    u32 bank = m->inter + ((m->hit + 1u) / 4 << 4) + ((u32)high << 1) + ((u32)low << 2) +
               ((u32)(m->alt != 0) << 3);

    if (k->size == SCL_64K)
        bank += (pc32 ^ pc32 >> 2) << 7;
    m->bias[0] =
        (u16)(((((pc32 ^ pc32 >> 2) << 1 ^ (low && m->longest != m->alternate)) << 1) + m->inter) &
              mask);
    m->bias[1] =
        (u16)((1u << k->bias_log) +
              (((((pc32 ^ pc32 >> (k->bias_log - 2)) << 1 ^ high) << 1) + m->inter) & mask));
    m->bias[2] = (u16)((2u << k->bias_log) + (bank & mask));
}

static ALWAYS_INLINE u32 scl_local_at(const struct scl_config *k, vaddr pc)
{
    return (u32)(pc ^ pc >> 2) & k->local_mask;
}
static ALWAYS_INLINE u32 scl_local2_at(vaddr pc)
{
    return (u32)(pc ^ pc >> 5) & 15;
}
static ALWAYS_INLINE u32 scl_local3_at(vaddr pc)
{
    return (u32)(pc ^ pc >> 10) & 15;
}

static ALWAYS_INLINE void scl_indices(const struct scl_config *k, const struct tage_sc_l *s,
                                      vaddr pc, struct scl_found *m)
{
    const struct tage_sc_l_state *st = &s->st;
    short local = (short)st->local[scl_local_at(k, pc)];

    if (k->size == SCL_8K) {
        scl_group_indices(k, m, SCL_BACKWARD, pc, st->backward);
        scl_group_indices(k, m, SCL_GLOBAL, pc, st->global);
        scl_group_indices(k, m, SCL_LOCAL, pc, (u16)local);
        scl_group_indices(k, m, SCL_IMLI, pc, st->imli);
    } else {
        short local2 = (short)st->local2[scl_local2_at(pc)];
        short local3 = (short)st->local3[scl_local3_at(pc)];
        short imli = (short)st->imli_history[st->imli];

        scl_group_indices(k, m, SCL_BACKWARD, (pc << 1) + m->inter, st->backward);
        scl_group_indices(k, m, SCL_PATH, pc, st->path);
        scl_eight_indices(
            s, m, 0, (u32)pc,
            _mm_setr_epi16(local, local, local, local2, local2, local2, local3, local3));
        scl_eight_indices(s, m, 8, (u32)pc,
                          _mm_setr_epi16(imli, imli, (short)st->imli, 0, 0, 0, 0, 0));
    }
}

// The weighted sum and the threshold.
static ALWAYS_INLINE void scl_total(const struct scl_config *k, struct tage_sc_l_state *st,
                                    struct scl_found *m)
{
    // Weights count double unless they are negative.
    __m128i weights = _mm_loadu_si128((const __m128i *)scl_weights(st, m));
    unsigned heavy = ~(unsigned)_mm_movemask_epi8(weights), heavies = heavy >> SCL_BIAS & 1;
    int sum = scl_sum_of(st->bias, m->bias, 3) * (int)(1 + (heavy >> SCL_BIAS & 1));

#pragma GCC unroll 8
    for (unsigned group = 0; group < SCL_GROUPS; group++) {
        const struct scl_gehl *g = &k->gehl[group];

        if (!g->tables)
            continue;
        heavies += group == SCL_IMLI_HISTORY ? 0 : heavy >> group & 1;
        sum += scl_sum_of(st->gehl, m->gehl + g->slot, g->tables) * (int)(1 + (heavy >> group & 1));
    }
    m->sum = (i16)sum;
    m->threshold = (i16)((st->threshold >> 3) + (i8)st->thresholds[m->threshold_at] +
                         (k->size == SCL_64K ? 12 * (int)heavies : 0));
}

// m->inter is set; sets m->taken.
static ALWAYS_INLINE void scl_lookup_corrector(const struct scl_config *k, struct tage_sc_l *s,
                                               vaddr pc, struct scl_found *m, u8 *ret_provider)
{
    struct tage_sc_l_state *st = &s->st;
    u32 hash = (u32)(pc ^ pc >> 2);
    int sum, threshold, size;
    bool use = true;

    m->threshold_at = (u8)(hash % SCL_THRESHOLDS);
    m->weight_at = (u8)(hash % SCL_WEIGHTS);
    scl_bias_indices(k, pc, m);
    scl_indices(k, s, pc, m);
    scl_total(k, st, m);
    sum = m->sum;
    threshold = m->threshold;
    m->taken = m->inter;
    if ((sum >= 0) == m->inter)
        return;
    // Not against a sure TAGE with a small sum, unless that has paid of late.
    size = sum < 0 ? -sum : sum;
    if (m->confidence == SCL_HIGH) {
        if (size < threshold / 4)
            use = false;
        else if (size < threshold / 2)
            use = st->chooser2 < 0;
    } else if (m->confidence == SCL_MEDIUM && size < threshold / 4) {
        use = st->chooser < 0;
    }
    if (use) {
        m->taken = sum >= 0;
        *ret_provider = PROVIDER_CORRECTOR;
    }
}

// ---- training

static ALWAYS_INLINE void scl_train_weight(struct tage_sc_l_state *st, const struct scl_found *m,
                                           unsigned group, int part, bool taken)
{
    u8 *weight = &scl_weights(st, m)[group];
    int rest = m->sum - ((i8)*weight >= 0 ? part : 0);

    // Whether a double weight would have decided.
    if ((rest + part >= 0) != (rest >= 0))
        *weight = (u8)signed_step((i8)*weight, (part >= 0) == taken, SCL_WEIGHT_BITS);
}

static ALWAYS_INLINE void scl_train_counters(struct tage_sc_l_state *st, const struct scl_found *m,
                                             unsigned group, u8 *counters, const u16 *at,
                                             unsigned n, bool taken)
{
    scl_train_weight(st, m, group, scl_sum_of(counters, at, n), taken);
    for (unsigned i = 0; i < n; i++)
        counters[at[i]] = (u8)signed_step((i8)counters[at[i]], taken, SCL_GEHL_BITS);
}

static ALWAYS_INLINE void scl_train_choosers(struct tage_sc_l_state *st, const struct scl_found *m,
                                             bool taken)
{
    int size = m->sum < 0 ? -m->sum : m->sum;
    bool right = m->inter == taken;

    if ((m->sum >= 0) == m->inter)
        return;
    if (m->confidence == SCL_HIGH && size < m->threshold / 2 && size >= m->threshold / 4)
        st->chooser2 = signed_step((int)st->chooser2, right, 7);
    if (m->confidence == SCL_MEDIUM && size < m->threshold / 4)
        st->chooser = signed_step((int)st->chooser, right, 7);
}

static ALWAYS_INLINE void scl_train_corrector(const struct scl_config *k, struct tage_sc_l *s,
                                              const struct scl_found *m, bool taken)
{
    struct tage_sc_l_state *st = &s->st;
    bool wrong = (m->sum >= 0) != taken;
    u8 *own = &st->thresholds[m->threshold_at];

    scl_train_choosers(st, m, taken);
    if (!wrong && (m->sum < 0 ? -m->sum : m->sum) >= m->threshold)
        return;
    st->threshold = signed_step((int)st->threshold, wrong, 12);
    *own = (u8)signed_step((i8)*own, wrong, 8);
    scl_train_counters(st, m, SCL_BIAS, st->bias, m->bias, 3, taken);
#pragma GCC unroll 8
    for (unsigned group = 0; group < SCL_GROUPS; group++) {
        const struct scl_gehl *g = &k->gehl[group];

        if (g->tables)
            scl_train_counters(st, m, group, st->gehl, m->gehl + g->slot, g->tables, taken);
    }
}

// ---- histories

static ALWAYS_INLINE void scl_push_corrector(const struct scl_config *k, struct tage_sc_l *s,
                                             const struct branch *b, bool taken)
{
    struct tage_sc_l_state *st = &s->st;
    bool back = b->target < b->pc;
    u16 *local = &st->local[scl_local_at(k, b->pc)];
    u32 local_bits = k->gehl[SCL_LOCAL].length[0];

    st->global = (st->global << 1 | taken) & 0xff;
    st->backward =
        (st->backward << 1 | (taken && back)) & ((1ull << k->gehl[SCL_BACKWARD].length[0]) - 1);
    *local = (u16)((*local << 1 | taken) & ((1u << local_bits) - 1));
    if (k->size == SCL_64K) {
        u16 *local2 = &st->local2[scl_local2_at(b->pc)];
        u16 *local3 = &st->local3[scl_local3_at(b->pc)];
        u16 *imli = &st->imli_history[st->imli];

        *local2 = (u16)((*local2 << 1 | taken) ^ (b->pc & 15));
        *local3 = (u16)((*local3 << 1 | taken) & 0x1ff);
        *imli = (u16)((*imli << 1 | taken) & 0x3ff);
    }
    if (back)
        st->imli = taken ? st->imli + (st->imli < SCL_IMLI_MAX) : 0;
}
