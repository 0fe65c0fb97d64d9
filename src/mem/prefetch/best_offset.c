// SPDX-License-Identifier: BSD-3-Clause
// Best-offset prefetcher (Michaud, "Best-Offset Hardware Prefetching", HPCA 2016): learns the
// offset D for which a prefetch of X + D, had it been made at the access to X - D, would have been
// in time. Lines whose fill is complete put their base into the table of recent requests; each
// access that misses, or uses a prefetched line first, tests one offset of the list against it.
// The sizes are the paper's: 256 recent requests, 52 offsets, score up to 31, 100 rounds.
// APPROX: in functional warming fills are complete at once, so all offsets are in time.
#include "mem/prefetch/prefetch_priv.h"

#include <string.h>

// 1 to 256, of prime factors up to 5 (section 4.2 of the paper).
static const u16 offsets[] = {
    1,   2,   3,   4,   5,   6,   8,   9,   10,  12,  15,  16,  18,  20,  24,  25,  27,  30,
    32,  36,  40,  45,  48,  50,  54,  60,  64,  72,  75,  80,  81,  90,  96,  100, 108, 120,
    125, 128, 135, 144, 150, 160, 162, 180, 192, 200, 216, 225, 240, 243, 250, 256,
};

enum { TAG_BITS = 12, VALID = 1 << TAG_BITS };

#define BEST_OFFSET_PARAMS(P, PR, PB, PS, PC)                               \
    PREFETCH_PARAMS(P, PR, PB, PS, PC)                                      \
    P(u32, degree, 1, 1, 8, "Multiples of the offset that are asked for")   \
    P(u32, recent, 256, 16, 65536, "Recent requests, a power of two")       \
    P(u32, score_most, 31, 1, 255, "A score that ends the learning")        \
    P(u32, rounds, 100, 1, 10000, "Rounds that end the learning")           \
    P(u32, score_bad, 1, 0, 255, "Score up to which an offset is not used") \
    PB(negative, false, "Tests negative offsets as well")

#define BEST_OFFSET_STATE(F, FA, FE, FV)          \
    F(i64, offset) /* in use */                   \
    F(u64, tested) /* the next one of the list */ \
    F(u64, round)                                 \
    F(u64, off) /* 1: the best one was too bad */ \
    FV(u16, recent, p->recent)                    \
    FV(u16, scores, 2 * ARRAY_SIZE(offsets))

#define BEST_OFFSET_STATS(S, SV, SH, SG, SR)            \
    PREFETCH_STATS(S, SV, SH, SG, SR)                   \
    S(phases, "Count", "Times an offset was chosen")    \
    S(offPhases, "Count", "Times none was good enough") \
    SG(offset, "Count", "Lines of the offset in use; its size")

COMPONENT_LISTS(best_offset, BEST_OFFSET_PARAMS, BEST_OFFSET_STATE, BEST_OFFSET_STATS, NO_ROWS);

struct best_offset {
    struct component base;
    struct best_offset_params p;
    struct best_offset_state st;
    struct best_offset_stats n;
};

static struct best_offset *best_offset_of(const struct component *c)
{
    ASSERT(c->type == &best_offset_prefetcher_type);
    return (struct best_offset *)(uintptr_t)c;
}

static u64 candidates(const struct best_offset *f)
{
    return f->p.negative ? 2 * ARRAY_SIZE(offsets) : ARRAY_SIZE(offsets);
}

static i64 candidate(u64 i)
{
    return i < ARRAY_SIZE(offsets) ? offsets[i] : -(i64)offsets[i - ARRAY_SIZE(offsets)];
}

static u16 *recent_of(struct best_offset *f, u64 line)
{
    unsigned bits = (unsigned)__builtin_ctzll(f->p.recent);

    return &f->st.recent[(line ^ line >> bits) & (f->p.recent - 1)];
}

static u16 tag_of(const struct best_offset *f, u64 line)
{
    return (u16)((line >> __builtin_ctzll(f->p.recent) & (VALID - 1)) | VALID);
}

static void choose(struct best_offset *f)
{
    u64 best = 0;

    for (u64 i = 1; i < candidates(f); i++)
        if (f->st.scores[i] > f->st.scores[best])
            best = i;
    f->st.offset = candidate(best);
    f->st.off = f->st.scores[best] <= f->p.score_bad;
    f->n.phases++;
    f->n.offPhases += f->st.off;
    f->n.offset = (u64)(f->st.offset < 0 ? -f->st.offset : f->st.offset);
    f->st.tested = f->st.round = 0;
    memset(f->st.scores, 0, f->st.scores_count * sizeof(f->st.scores[0]));
}

static void learn(struct best_offset *f, paddr pa)
{
    u64 i = f->st.tested;
    paddr base;
    bool full = false;

    if (prefetch_in_page(f->p.page, pa, -candidate(i), &base)) {
        u64 line = base >> TIMED_LINE_SHIFT;

        if (*recent_of(f, line) == tag_of(f, line))
            full = ++f->st.scores[i] >= f->p.score_most;
    }
    if (++f->st.tested == candidates(f)) {
        f->st.tested = 0;
        f->st.round++;
    }
    // The paper lets a round end; so does this.
    if (full)
        f->st.round = f->p.rounds;
    if (f->st.tested == 0 && f->st.round >= f->p.rounds)
        choose(f);
}

static void best_offset_notify(struct component *c, const struct prefetch_seen *seen,
                               struct prefetch_list *list)
{
    struct best_offset *f = best_offset_of(c);

    if (!PREFETCH_TAKES(f, seen) || (seen->hit && !seen->first_use))
        return;
    learn(f, seen->pa);
    for (u32 i = 1; i <= f->p.degree && !f->st.off; i++)
        if (!PREFETCH_WANT(f, list, seen->pa, f->st.offset * (i64)i))
            break;
}

static void best_offset_filled(struct component *c, paddr pa, bool prefetched)
{
    struct best_offset *f = best_offset_of(c);
    paddr base = pa;

    // While it prefetches, prefetched lines tell what would have been in time; else all do.
    if (!f->st.off && (!prefetched || !prefetch_in_page(f->p.page, pa, -f->st.offset, &base)))
        return;
    *recent_of(f, base >> TIMED_LINE_SHIFT) = tag_of(f, base >> TIMED_LINE_SHIFT);
}

static bool best_offset_check(struct component *c, struct error *err)
{
    struct best_offset *f = best_offset_of(c);

    if (!prefetch_is_power(f->p.recent))
        return error_set(err, ERROR_INPUT, "the number of recent requests must be a power of two");
    if (f->p.score_bad >= f->p.score_most)
        return error_set(err, ERROR_INPUT, "no score is better than score_bad");
    return prefetch_check_page(f->p.page, err);
}

static void best_offset_reset(struct component *c)
{
    best_offset_of(c)->st.offset = 1;
}

static bool best_offset_after_load(struct component *c, struct error *err)
{
    struct best_offset *f = best_offset_of(c);

    if (f->st.tested >= candidates(f) || f->st.offset < -256 || f->st.offset > 256 ||
        f->st.offset == 0 || f->st.round > f->p.rounds || f->st.off > 1)
        return error_set(err, ERROR_INPUT, "the state of the prefetcher is impossible");
    return true;
}

static const struct prefetcher_ops best_offset_prefetcher = {.notify = best_offset_notify,
                                                             .filled = best_offset_filled};
static const struct component_ops best_offset_ops = {
    .check = best_offset_check,
    .reset = best_offset_reset,
    .after_load = best_offset_after_load,
};
const struct component_type best_offset_prefetcher_type = {
    .name = "best_offset_prefetcher",
    .doc = "Best-offset prefetcher (Michaud 2016)",
    COMPONENT_LAYOUT(best_offset),
    .ops = &best_offset_ops,
    .provides = {IFACE(prefetcher, &best_offset_prefetcher)},
};
