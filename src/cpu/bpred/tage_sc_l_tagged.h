// SPDX-License-Identifier: BSD-3-Clause
// The tagged part of TAGE-SC-L: indices, lookup, training, histories. Functions take the
// configuration as a constant.
#pragma once

#include "cpu/bpred/tage_sc_l_priv.h"

#include <emmintrin.h>

// Mixes the path history into the index of a table with an odd number.
static ALWAYS_INLINE u32 scl_mix_path(const struct scl_config *k, u32 path, unsigned row)
{
    unsigned log = k->log, number = 2u * k->pair[row] + 1;
    unsigned length = MIN(k->length[row], SCL_PATH_BITS);
    u32 mask = (1u << log) - 1, low, high;

    path &= (1u << length) - 1;
    low = path & mask;
    high = path >> log;
    if (number < log)
        high = (high << number & mask) + (high >> (log - number));
    low ^= high;
    if (number < log)
        low = (low << number & mask) + (low >> (log - number));
    return low;
}

static ALWAYS_INLINE u32 scl_index_64k(const struct scl_config *k, const struct tage_sc_l_state *st,
                                       u32 pc, unsigned row, u16 *ret_tag)
{
    unsigned log = k->log, number = 2u * k->pair[row] + 1;
    unsigned shift = (log > number ? log - number : number - log) + 1;
    u32 index = pc ^ pc >> shift ^ st->index_fold[row] ^ scl_mix_path(k, st->path, row);
    u32 tag = pc ^ st->tag_fold[row] ^ (u32)st->tag_fold2[row] << 1;

    *ret_tag = (u16)(tag & ((1u << k->tag_bits[row]) - 1));
    return index & ((1u << log) - 1);
}

static ALWAYS_INLINE u32 scl_index_8k(const struct scl_config *k, const struct tage_sc_l_state *st,
                                      u32 pc, unsigned row, u16 *ret_tag)
{
    unsigned log = k->log, number = 2u * k->pair[row] + 1, bits = k->tag_bits[row];
    unsigned shift = (log > number ? log - number : number - log) + 1;
    u32 mixed = scl_mix_path(k, st->path, row), fold = st->wide_fold[row];
    u32 index = pc ^ pc >> shift ^ fold ^ mixed;
    u32 tag = (row ? st->wide_fold[row - 1] << 2 : 0) ^ pc ^ pc >> 2 ^ fold;

    tag = tag >> 1 ^ (tag & 1) << 10 ^ mixed ^ st->tag_fold[row] ^ (u32)st->tag_fold2[row] << 1;
    *ret_tag = (u16)((tag ^ tag >> bits) & ((1u << bits) - 1));
    return (index ^ index >> log ^ index >> 2 * log) & ((1u << log) - 1);
}

// All indices and tags; a mask with a bit for each table that has the branch.
static ALWAYS_INLINE u64 scl_find(const struct scl_config *k, const struct tage_sc_l *s, vaddr pc,
                                  struct scl_found *m)
{
    const struct tage_sc_l_state *st = &s->st;
    // Modulo a constant: no division is made.
    const u16 *banks_short =
        s->bank_short + (pc ^ (st->path & ((1u << k->length[0]) - 1))) % k->banks_short;
    const u16 *banks_long = s->bank_long + (pc ^ (st->path & 0x1fffffff)) % k->banks_long;
    u64 match = 0;

#pragma GCC unroll 16
    for (unsigned row = 0; row < k->rows; row++) {
        const u16 *banks = row < k->long_row ? banks_short : banks_long;
        u16 tag;
        u32 index = k->size == SCL_8K ? scl_index_8k(k, st, (u32)pc, row, &tag)
                                      : scl_index_64k(k, st, (u32)pc, row, &tag);
        u32 second = (index ^ (tag & ((1u << k->log) - 1))) + banks[k->second_bank[row]];

        m->tag[row] = tag;
        m->index[1][row] = (u16)second;
        match |= (u64)(st->tags[second] == tag) << (2 * k->pair[row] + 2);
        if (k->has_first[row]) {
            index += banks[k->first_bank[row]];
            m->index[0][row] = (u16)index;
            match |= (u64)(st->tags[index] == tag) << (2 * k->pair[row] + 1);
        }
    }
    return match;
}

static ALWAYS_INLINE u32 scl_entry(const struct scl_config *k, const struct scl_found *m,
                                   unsigned number)
{
    unsigned row = k->row_of_pair[(number - 1) / 2];

    return m->index[(number - 1) % 2][row];
}

static ALWAYS_INLINE unsigned scl_use_alt_at(const struct scl_config *k, const struct scl_found *m)
{
    return (((m->hit - 1u) / 8 << 1) + m->alternate_sure) % k->use_alts;
}

static ALWAYS_INLINE void scl_lookup_tagged(const struct scl_config *k, const struct tage_sc_l *s,
                                            vaddr pc, struct scl_found *m, u8 *ret_provider)
{
    const struct tage_sc_l_state *st = &s->st;
    u64 match = scl_find(k, s, pc, m);
    unsigned base;
    int counter;

    m->base = (u16)((pc ^ pc >> 2) & ((1u << k->base_log) - 1));
    base = (st->base[m->base] & 2) | (st->base[m->base & ~3u] & 1);
    m->alternate = m->longest = m->tage = (u8)(base >> 1);
    m->alternate_sure = base == 0 || base == 3;
    m->confidence = m->alternate_sure ? SCL_HIGH : SCL_LOW;
    m->hit = m->alt = 0;
    *ret_provider = PROVIDER_BIMODAL;
    if (!match)
        return;
    m->hit = (u8)(63 - __builtin_clzll(match));
    match ^= 1ull << m->hit;
    counter = scl_counter(st->counters[scl_entry(k, m, m->hit)]);
    m->longest = counter >= 0;
    m->confidence = (u8)(counter >= 0 ? counter : ~counter);
    if (match) {
        int other;

        m->alt = (u8)(63 - __builtin_clzll(match));
        other = scl_counter(st->counters[scl_entry(k, m, m->alt)]);
        m->alternate = other >= 0;
        m->alternate_sure = other != 0 && other != -1;
    }
    if (m->confidence == SCL_LOW && (i8)st->use_alt[scl_use_alt_at(k, m)] >= 0) {
        m->tage = m->alternate;
        if (m->alt)
            *ret_provider = PROVIDER_TAGE_ALTERNATE;
    } else {
        m->tage = m->longest;
        *ret_provider = PROVIDER_TAGE_LONGEST;
    }
}

// ---- histories

// What leaves the histories in the next 16 outcomes.
static ALWAYS_INLINE void scl_look_ahead(const struct scl_config *k, struct tage_sc_l *s)
{
    for (unsigned row = k->short_rows; row < k->rows; row++)
        s->leaving[row] = (u16)history_get(s->st.ring, s->st.position + k->length[row] - 16, 16);
    s->leaving_left = 16;
}

static ALWAYS_INLINE __m128i scl_fold_step(__m128i fold, __m128i out, unsigned bits, __m128i in,
                                           const u16 *multiplier, const u16 *wrap, const u16 *mask)
{
    __m128i t = _mm_xor_si128(_mm_slli_epi16(fold, (int)bits), in);

    t = _mm_xor_si128(t, _mm_mullo_epi16(out, _mm_loadu_si128((const __m128i *)multiplier)));
    t = _mm_xor_si128(t, _mm_mulhi_epu16(t, _mm_loadu_si128((const __m128i *)wrap)));
    return _mm_and_si128(t, _mm_loadu_si128((const __m128i *)mask));
}

// `bits` outcomes `in` (newest first) come into all histories.
static ALWAYS_INLINE void scl_push_bits(const struct scl_config *k, struct tage_sc_l *s,
                                        unsigned bits, unsigned in)
{
    struct tage_sc_l_state *st = &s->st;
    _Alignas(16) u16 out[SCL_ROWS];
    __m128i ins = _mm_set1_epi16((short)in);

    if (UNLIKELY(s->leaving_left < bits))
        scl_look_ahead(k, s);
    s->leaving_left -= bits;
    for (unsigned half = 0; half < SCL_ROWS; half += 8) {
        __m128i next = _mm_load_si128((const __m128i *)(s->leaving + half)), outs;

        outs = _mm_srli_epi16(next, (int)(16 - bits));
        _mm_store_si128((__m128i *)(s->leaving + half), _mm_slli_epi16(next, (int)bits));
        if (half == 0) { // these are too short to know in advance
            u32 mask = (1u << bits) - 1;

            outs = _mm_insert_epi16(outs, (int)(st->recent >> (k->length[0] - bits) & mask), 0);
            outs = _mm_insert_epi16(outs, (int)(st->recent >> (k->length[1] - bits) & mask), 1);
            if (k->short_rows > 2) {
                outs = _mm_insert_epi16(outs, (int)(st->recent >> (k->length[2] - bits) & mask), 2);
                outs = _mm_insert_epi16(outs, (int)(st->recent >> (k->length[3] - bits) & mask), 3);
            }
        }
        for (unsigned i = k->size == SCL_8K; i < 3; i++) {
            __m128i *fold = (__m128i *)((i == 0   ? st->index_fold
                                         : i == 1 ? st->tag_fold
                                                  : st->tag_fold2) +
                                        half);

            _mm_storeu_si128(fold,
                             scl_fold_step(_mm_loadu_si128(fold), outs, bits, ins, k->out[i] + half,
                                           k->wrap[i] + half, k->mask[i] + half));
        }
        if (k->size == SCL_8K)
            _mm_store_si128((__m128i *)(out + half), outs);
    }
    if (k->size == SCL_8K) {
#pragma GCC unroll 16
        for (unsigned row = 0; row < k->rows; row++)
            st->wide_fold[row] = fold_push(st->wide_fold[row], 17 + 2u * k->pair[row] % 4,
                                           k->length[row], bits, in, out[row]);
    }
    st->position -= bits;
    history_put(st->ring, st->position, bits, in);
    st->recent = st->recent << bits | in;
}

static ALWAYS_INLINE void scl_push_tagged(const struct scl_config *k, struct tage_sc_l *s,
                                          const struct branch *b, bool taken)
{
    u32 pc = (u32)b->pc, bits = pc ^ pc >> 2 ^ taken, path = pc ^ pc >> 2 ^ pc >> 4;
    u32 old = s->st.path;
    bool three =
        b->kind == BRANCH_INDIRECT || b->kind == BRANCH_INDIRECT_CALL || b->kind == BRANCH_RETURN;

    old = (old << 1 ^ (path & 127)) << 1 ^ (path >> 1 & 127);
    if (three) {
        old = old << 1 ^ (path >> 2 & 127);
        scl_push_bits(k, s, 3, (bits & 1) << 2 | (bits & 2) | (bits >> 2 & 1));
    } else {
        scl_push_bits(k, s, 2, (bits & 1) << 1 | (bits >> 1 & 1));
    }
    s->st.path = k->size == SCL_8K ? old : old & ((1u << SCL_PATH_BITS) - 1);
}

// ---- training

static ALWAYS_INLINE void scl_train_base(struct tage_sc_l_state *st, const struct scl_found *m,
                                         bool taken)
{
    u8 *prediction = &st->base[m->base], *hysteresis = &st->base[m->base & ~3u];
    u8 counter = counter_step((u8)((*prediction & 2) | (*hysteresis & 1)), taken, 2);

    *prediction = (u8)((*prediction & 1) | (counter & 2));
    *hysteresis = (u8)((*hysteresis & 2) | (counter & 1));
}

static ALWAYS_INLINE void scl_step(u8 *entry, bool taken)
{
    *entry =
        (u8)((*entry & 0x18) | (signed_step(scl_counter(*entry), taken, SCL_COUNTER_BITS) & 7));
}
static ALWAYS_INLINE bool scl_weak(u8 entry)
{
    return (entry & 7) == 0 || (entry & 7) == 7; // 0 or -1
}

struct scl_allocation {
    int penalty, made;
};

// Tries to make an entry in the table with this number; true when it did.
static ALWAYS_INLINE bool scl_try(const struct scl_config *k, struct tage_sc_l *s,
                                  const struct scl_found *m, unsigned number, bool taken,
                                  struct scl_allocation *a)
{
    unsigned row = k->row_of_pair[(number - 1) / 2];
    u32 e;
    u8 *entry;
    int counter;

    if (row == SCL_NO_ROW || (number % 2 && !k->has_first[row]))
        return false;
    e = scl_entry(k, m, number);
    entry = &s->st.counters[e];
    counter = scl_counter(*entry);
    if (*entry >= 8) { // useful
        a->penalty++;
        if (k->size == SCL_8K) {
            if (*entry >> 3 == 1 && scl_weak(*entry)) {
                if ((scl_random(s) & 7) == 0)
                    *entry &= 7;
            } else {
                a->penalty++;
            }
        }
        return false;
    }
    if (k->size == SCL_64K && (counter > 1 || counter < -2)) { // sure, although not useful
        *entry = (u8)((counter > 0 ? counter - 1 : counter + 1) & 7);
        return false;
    }
    s->st.tags[e] = m->tag[row];
    *entry = taken ? 0 : 7;
    // Protects a few at random from being replaced soon.
    if (k->size == SCL_8K && (scl_random(s) & 31) == 0)
        *entry |= 8;
    a->made++;
    return true;
}

static ALWAYS_INLINE void scl_age(const struct scl_config *k, struct tage_sc_l *s)
{
    s->st.ticks = 0;
    for (u64 i = 0; i < s->st.counters_count; i++) {
        u8 entry = s->st.counters[i];

        // One bit is cleared, two bits count down.
        s->st.counters[i] = (u8)(entry >= 8 ? entry - 8 : entry);
    }
}

// Up to two new entries in tables with longer histories.
static ALWAYS_INLINE void scl_allocate(const struct scl_config *k, struct tage_sc_l *s,
                                       const struct scl_found *m, bool taken)
{
    u64 random = scl_random(s);
    unsigned skip = (random & 127) < 32 ? 4 : 2;
    unsigned at = ((m->hit - 1u + skip) & 0xffe) ^ (random >> 7 & 1);
    struct scl_allocation a = {0, 0};
    i64 ticks;

    for (; at < k->last_number && a.made < 2; at += 2) {
        if (scl_try(k, s, m, at + 1, taken, &a) || scl_try(k, s, m, (at ^ 1) + 1, taken, &a))
            at += 2; // not in neighbours
    }
    ticks = (i64)s->st.ticks + a.penalty - (k->size == SCL_8K ? 5 : 2) * a.made;
    s->st.ticks = (u32)MAX(ticks, 0);
    if (s->st.ticks >= SCL_TICKS)
        scl_age(k, s);
}

// The entry that would have predicted without the hitting one learns, when that one was new.
static ALWAYS_INLINE void scl_train_alternate(const struct scl_config *k,
                                              struct tage_sc_l_state *st, const struct scl_found *m,
                                              bool taken)
{
    u8 *entry;

    if (!m->alt) {
        scl_train_base(st, m, taken);
        return;
    }
    entry = &st->counters[scl_entry(k, m, m->alt)];
    if (k->size == SCL_8K && scl_weak(*entry))
        *entry &= 7;
    scl_step(entry, taken);
    if (k->size == SCL_8K && scl_weak(*entry))
        *entry &= 7;
}

static ALWAYS_INLINE void scl_train_hit(const struct scl_config *k, struct tage_sc_l_state *st,
                                        const struct scl_found *m, bool taken)
{
    u8 *hit = &st->counters[scl_entry(k, m, m->hit)];

    if (scl_weak(*hit)) {
        if (m->longest != taken)
            scl_train_alternate(k, st, m, taken);
        if (k->size == SCL_8K)
            *hit &= 7;
    }
    scl_step(hit, taken);
    if (scl_weak(*hit)) // its sign changed: it cannot have been useful
        *hit &= 7;
    if (m->alternate == taken && m->alt && m->longest == taken && *hit >> 3 == 1) {
        int counter = scl_counter(st->counters[scl_entry(k, m, m->alt)]);

        if (counter == 3 || counter == -4) // the other one knows as well
            *hit &= 7;
    }
    if (m->longest != m->alternate && m->longest == taken) {
        u8 useful = counter_step(*hit >> 3, true, k->useful_bits);

        *hit = (u8)((*hit & 7) | useful << 3);
    }
}

static ALWAYS_INLINE void scl_train_tagged(const struct scl_config *k, struct tage_sc_l *s,
                                           const struct scl_found *m, bool taken)
{
    struct tage_sc_l_state *st = &s->st;
    bool grow = m->tage != taken && m->hit < k->last_number;

    if (m->hit && scl_weak(st->counters[scl_entry(k, m, m->hit)])) {
        // A new entry that was right needs no longer one, even if it was not asked.
        if (m->longest == taken)
            grow = false;
        if (m->longest != m->alternate) {
            u8 *use = &st->use_alt[scl_use_alt_at(k, m)];

            *use = (u8)signed_step((i8)*use, m->alternate == taken, 5);
        }
    }
    if (grow && (m->taken != taken || (scl_random(s) & 31) == 0))
        scl_allocate(k, s, m, taken);
    if (m->hit)
        scl_train_hit(k, st, m, taken);
    else
        scl_train_base(st, m, taken);
}
