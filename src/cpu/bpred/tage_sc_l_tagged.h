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

// Both find all indices and tags, and return a mask with a bit for each table, by slot, that has
// the branch.
static ALWAYS_INLINE u32 scl_find_8k(const struct scl_config *k, const struct tage_sc_l *s,
                                     vaddr pc, struct scl_found *m)
{
    const struct tage_sc_l_state *st = &s->st;
    // Modulo a constant: no division is made.
    const u16 *banks_short =
        s->bank_short + (pc ^ (st->path & ((1u << k->length[0]) - 1))) % k->banks_short;
    const u16 *banks_long = s->bank_long + (pc ^ (st->path & 0x1fffffff)) % k->banks_long;
    u32 match = 0;

#pragma GCC unroll 16
    for (unsigned row = 0; row < k->rows; row++) {
        const u16 *banks = row < k->long_row ? banks_short : banks_long;
        u16 tag;
        u32 index = scl_index_8k(k, st, (u32)pc, row, &tag);
        u32 second = (index ^ (tag & ((1u << k->log) - 1))) + banks[k->second_bank[row]];

        m->tag[row] = tag;
        m->index[1][row] = (u16)second;
        match |= (u32)(st->tags[second] == tag) << (2 * row + 1);
        if (k->has_first[row]) {
            index += banks[k->first_bank[row]];
            m->index[0][row] = (u16)index;
            match |= (u32)(st->tags[index] == tag) << 2 * row;
        }
    }
    return match;
}

static ALWAYS_INLINE __m128i scl_load(const u16 *lanes)
{
    return _mm_loadu_si128((const __m128i *)lanes);
}

// Indices of eight tables get their banks: the `place`-th after `bank`, round and round.
static ALWAYS_INLINE __m128i scl_add_banks(const struct scl_config *k, unsigned half, __m128i index,
                                           __m128i bank, const u16 *place)
{
    __m128i banks = scl_load(k->banks + half);

    bank = _mm_add_epi16(bank, scl_load(place + half));
    bank = _mm_sub_epi16(bank, _mm_andnot_si128(_mm_cmpgt_epi16(banks, bank), banks));
    bank = _mm_add_epi16(bank, scl_load(k->start + half));
    return _mm_add_epi16(index, _mm_slli_epi16(bank, 10));
}

// Indices and tags of eight rows.
static ALWAYS_INLINE __m128i scl_rows_64k(const struct scl_config *k,
                                          const struct tage_sc_l_state *st, u32 pc, __m128i path,
                                          __m128i bank, unsigned half, struct scl_found *m)
{
    const __m128i log_mask = _mm_set1_epi16(0x3ff);
    __m128i low = _mm_set1_epi16((short)pc), high = _mm_set1_epi16((short)(pc >> 16));
    __m128i by = scl_load(k->shift_low + half), fold2 = scl_load(st->tag_fold2 + half);
    __m128i shifted = _mm_xor_si128(_mm_mulhi_epu16(low, by), _mm_mullo_epi16(high, by));
    __m128i tag = _mm_xor_si128(low, scl_load(st->tag_fold + half)), index;

    if (half)
        shifted = _mm_xor_si128(shifted, _mm_mulhi_epu16(high, scl_load(k->shift_high + half)));
    tag =
        _mm_and_si128(_mm_xor_si128(tag, _mm_add_epi16(fold2, fold2)), scl_load(k->mask[1] + half));
    index = _mm_xor_si128(_mm_xor_si128(low, shifted),
                          _mm_xor_si128(scl_load(st->index_fold + half), path));
    index = _mm_and_si128(index, log_mask);
    _mm_storeu_si128((__m128i *)(m->tag + half), tag);
    _mm_storeu_si128((__m128i *)(m->index[0] + half),
                     scl_add_banks(k, half, index, bank, k->first_banks));
    index = _mm_xor_si128(index, _mm_and_si128(tag, log_mask));
    _mm_storeu_si128((__m128i *)(m->index[1] + half),
                     scl_add_banks(k, half, index, bank, k->second_banks));
    return tag;
}

static ALWAYS_INLINE u32 scl_find_64k(const struct scl_config *k, const struct tage_sc_l *s,
                                      vaddr pc, struct scl_found *m)
{
    const struct tage_sc_l_state *st = &s->st;
    // Modulo constants: no division is made.
    short bank_short = (short)((pc ^ (st->path & ((1u << k->length[0]) - 1))) % k->banks_short);
    short bank_long = (short)((pc ^ st->path) % k->banks_long);
    // From row 3 on, the whole path comes in unrotated.
    __m128i path = _mm_set1_epi16((short)scl_mix_path(k, st->path, 3)), path0 = path, none, tag[2];
    __m128i bank = _mm_set1_epi16(bank_long), found[4], first, second;
    const u16 *tags = st->tags;

    path0 = _mm_insert_epi16(path0, (int)scl_mix_path(k, st->path, 0), 0);
    path0 = _mm_insert_epi16(path0, (int)scl_mix_path(k, st->path, 1), 1);
    path0 = _mm_insert_epi16(path0, (int)scl_mix_path(k, st->path, 2), 2);
    tag[0] = scl_rows_64k(k, st, (u32)pc, path0,
                          _mm_unpacklo_epi64(_mm_set1_epi16(bank_short), bank), 0, m);
    tag[1] = scl_rows_64k(k, st, (u32)pc, path, bank, 8, m);
#define TAG(which, row) (short)tags[m->index[which][row]]
    none = _mm_setzero_si128();
    found[0] =
        _mm_setr_epi16(0, 0, TAG(0, 2), TAG(0, 3), TAG(0, 4), TAG(0, 5), TAG(0, 6), TAG(0, 7));
    found[1] = _mm_insert_epi16(none, TAG(0, 8), 0);
    found[2] = _mm_setr_epi16(TAG(1, 0), TAG(1, 1), TAG(1, 2), TAG(1, 3), TAG(1, 4), TAG(1, 5),
                              TAG(1, 6), TAG(1, 7));
    found[3] =
        _mm_setr_epi16(TAG(1, 8), TAG(1, 9), TAG(1, 10), TAG(1, 11), TAG(1, 12), TAG(1, 13), 0, 0);
#undef TAG
    first = _mm_packs_epi16(_mm_cmpeq_epi16(found[0], tag[0]), _mm_cmpeq_epi16(found[1], tag[1]));
    second = _mm_packs_epi16(_mm_cmpeq_epi16(found[2], tag[0]), _mm_cmpeq_epi16(found[3], tag[1]));
    return k->slots & ((u32)_mm_movemask_epi8(_mm_unpacklo_epi8(first, second)) |
                       (u32)_mm_movemask_epi8(_mm_unpackhi_epi8(first, second)) << 16);
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
    u32 match = k->size == SCL_8K ? scl_find_8k(k, s, pc, m) : scl_find_64k(k, s, pc, m);
    unsigned base, slot;
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
    slot = 31 - (unsigned)__builtin_clz(match);
    match ^= 1u << slot;
    m->hit = (u8)scl_number(k, slot);
    m->hit_entry = m->index[slot % 2][slot / 2];
    counter = scl_counter(st->counters[m->hit_entry]);
    m->longest = counter >= 0;
    m->confidence = (u8)(counter >= 0 ? counter : ~counter);
    if (match) {
        int other;

        slot = 31 - (unsigned)__builtin_clz(match);
        m->alt = (u8)scl_number(k, slot);
        m->alt_entry = m->index[slot % 2][slot / 2];
        other = scl_counter(st->counters[m->alt_entry]);
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
#pragma GCC unroll 16
    for (unsigned row = k->short_rows; row < k->rows; row++)
        s->leaving[row] = (u16)history_get(s->st.ring, s->st.position + k->length[row] - 16, 16);
    s->leaving_left = 16;
}

// Eight folded histories, of the kind-th sort, take a step.
static ALWAYS_INLINE void scl_fold_step(const struct scl_config *k, unsigned kind, unsigned half,
                                        u16 *folds, __m128i out, unsigned bits, __m128i in)
{
    __m128i t = _mm_xor_si128(_mm_slli_epi16(scl_load(folds), (int)bits), in);

    t = _mm_xor_si128(t, _mm_mullo_epi16(out, scl_load(k->out[kind] + half)));
    t = _mm_xor_si128(t, _mm_mulhi_epu16(t, scl_load(k->wrap[kind] + half)));
    _mm_storeu_si128((__m128i *)folds, _mm_and_si128(t, scl_load(k->mask[kind] + half)));
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
#pragma GCC unroll 2
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
        if (k->size == SCL_64K)
            scl_fold_step(k, 0, half, st->index_fold + half, outs, bits, ins);
        scl_fold_step(k, 1, half, st->tag_fold + half, outs, bits, ins);
        scl_fold_step(k, 2, half, st->tag_fold2 + half, outs, bits, ins);
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
    entry = &st->counters[m->alt_entry];
    if (k->size == SCL_8K && scl_weak(*entry))
        *entry &= 7;
    scl_step(entry, taken);
    if (k->size == SCL_8K && scl_weak(*entry))
        *entry &= 7;
}

static ALWAYS_INLINE void scl_train_hit(const struct scl_config *k, struct tage_sc_l_state *st,
                                        const struct scl_found *m, bool taken)
{
    u8 *hit = &st->counters[m->hit_entry];

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
        int counter = scl_counter(st->counters[m->alt_entry]);

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

    if (m->hit && scl_weak(st->counters[m->hit_entry])) {
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
