// SPDX-License-Identifier: BSD-3-Clause
// Signature path prefetcher (Kim, Pugsley, Gratz, Reddy, Wilkerson, Chishti, "Path Confidence Based
// Lookahead Prefetching", MICRO 2016). A page's signature is a compressed history of its deltas;
// the pattern table tells the deltas that came after a signature, how often; prefetching walks down
// the likeliest path until the product of confidences is too small. The global history register
// takes paths that leave a page over to the next one; the filter drops what was asked for and
// measures the accuracy. The sizes are the paper's (table 2): 256 pages, 512 patterns of 4 deltas,
// 8 entries of global history, 1,024 of the filter. APPROX: there is one level to prefetch into, so
// all that passes the lower threshold goes there (the paper's fill threshold chooses between L2 and
// LLC).
#include "mem/prefetch/prefetch_priv.h"

#include <string.h>

enum {
    DELTAS = 4,
    SIGNATURE_BITS = 12,
    SIGNATURE_MASK = (1 << SIGNATURE_BITS) - 1,
    SIGNATURE_SHIFT = 3,
    DELTA_SIGN = 1 << 6,  // deltas are sign and magnitude in a signature
    COUNT_MOST = 15,      // 4 bits
    ACCURACY_MOST = 1023, // 10 bits
    LINES = 64,           // of a page: deltas and offsets are those of 4 KiB
    PAGE_SHIFT = 12,
    HUNDRED = 100,
};

#define SPP_PARAMS(P, PR, PB, PS, PC)                                          \
    PREFETCH_PARAMS(P, PR, PB, PS, PC)                                         \
    P(u32, pages, 256, 1, 65536, "Signature table: pages")                     \
    P(u32, patterns, 512, 1, 4096, "Pattern table: entries, a power of two")   \
    P(u32, history, 8, 1, 256, "Global history register: entries")             \
    P(u32, filter, 1024, 16, 65536, "Filter: entries, a power of two")         \
    P(u32, threshold, 25, 1, 100, "Percentage of path confidence to prefetch") \
    P(u32, depth, 16, 1, PREFETCH_MAX, "Steps that a path may have")           \
    P(u32, degree, PREFETCH_MAX, 1, PREFETCH_MAX, "Lines asked for at once")

#define SPP_STATE(F, FA, FE, FV)                                     \
    F(u64, uses)                                                     \
    F(u64, useful) /* of prefetches that were asked for, counters */ \
    F(u64, asked)                                                    \
    FV(u64, page, p->pages) /* 1 + its number; 0: free */            \
    FV(u64, used, p->pages)                                          \
    FV(u64, filter, p->filter) /* the line << 2 | used << 1 | 1 */   \
    FV(u16, signature, p->pages)                                     \
    FV(u16, past_signature, p->history)                              \
    FV(u8, offset, p->pages)                                         \
    FV(u8, delta, p->patterns *DELTAS) /* sign and magnitude */      \
    FV(u8, delta_seen, p->patterns *DELTAS)                          \
    FV(u8, seen, p->patterns)                                        \
    FV(u8, past_confidence, p->history)                              \
    FV(u8, past_offset, p->history)                                  \
    FV(u8, past_delta, p->history)

#define SPP_STATS(S, SV, SH, SG, SR)                                    \
    PREFETCH_STATS(S, SV, SH, SG, SR)                                   \
    S(filtered, "Count", "Lines that it would have, but had asked for") \
    S(continued, "Count", "Pages that went on with another one's path") \
    S(paths, "Count", "Walks down a path")                              \
    S(steps, "Count", "Steps of them")                                  \
    SR(averageDepth, steps, paths, "Ratio", "Steps of a walk")

COMPONENT_LISTS(spp, SPP_PARAMS, SPP_STATE, SPP_STATS, NO_ROWS);

struct spp {
    struct component base;
    struct spp_params p;
    struct spp_state st;
    struct spp_stats n;
};

static struct spp *spp_of(const struct component *c)
{
    ASSERT(c->type == &spp_prefetcher_type);
    return (struct spp *)(uintptr_t)c;
}

static u8 code_of(int delta)
{
    return (u8)(delta < 0 ? -delta | DELTA_SIGN : delta);
}

static int delta_of(u8 code)
{
    int magnitude = code & (DELTA_SIGN - 1);

    return code & DELTA_SIGN ? -magnitude : magnitude;
}

static u16 next_signature(u16 signature, u8 delta)
{
    return (u16)((signature << SIGNATURE_SHIFT ^ delta) & SIGNATURE_MASK);
}

// ---- pattern table

static u64 pattern_of(const struct spp *f, u16 signature)
{
    return (signature ^ (u64)signature >> 9) & (f->p.patterns - 1);
}

static void halve(struct spp *f, u64 pattern)
{
    f->st.seen[pattern] /= 2;
    for (u64 i = pattern * DELTAS; i < (pattern + 1) * DELTAS; i++)
        f->st.delta_seen[i] /= 2;
}

static void learn_pattern(struct spp *f, u16 signature, u8 delta)
{
    u64 pattern = pattern_of(f, signature), first = pattern * DELTAS, at = first;

    if (f->st.seen[pattern] >= COUNT_MOST)
        halve(f, pattern);
    f->st.seen[pattern]++;
    for (u64 i = first; i < first + DELTAS; i++) {
        if (f->st.delta[i] == delta && f->st.delta_seen[i]) {
            f->st.delta_seen[i]++;
            return;
        }
        if (f->st.delta_seen[i] < f->st.delta_seen[at])
            at = i;
    }
    f->st.delta[at] = delta;
    f->st.delta_seen[at] = 1;
}

// ---- accuracy and filter

static unsigned accuracy(const struct spp *f)
{
    return f->st.asked ? (unsigned)(f->st.useful * HUNDRED / f->st.asked) : 0;
}

static u64 *filter_of(struct spp *f, u64 line)
{
    return &f->st.filter[(line ^ line >> 10 ^ line >> 20) & (f->p.filter - 1)];
}

// True when it was not asked for yet.
static bool pass_filter(struct spp *f, u64 line)
{
    u64 *entry = filter_of(f, line);

    if (*entry >> 2 == line && *entry & 1) {
        f->n.filtered++;
        return false;
    }
    *entry = line << 2 | 1;
    if (++f->st.asked > ACCURACY_MOST) {
        f->st.asked /= 2;
        f->st.useful /= 2;
    }
    return true;
}

static void note_use(struct spp *f, u64 line)
{
    u64 *entry = filter_of(f, line);

    if (*entry == (line << 2 | 1)) {
        *entry |= 2;
        f->st.useful += f->st.useful < f->st.asked;
    } else if (*entry >> 2 != line) {
        // A line that is here for another reason need not be prefetched.
        *entry = line << 2 | 3;
    }
}

// ---- global history: paths that left their page

static void keep_path(struct spp *f, u16 signature, unsigned confidence, int offset, u8 delta)
{
    u64 at = 0;

    for (u64 i = 0; i < f->p.history; i++) {
        if (f->st.past_signature[i] == signature && f->st.past_confidence[i]) {
            at = i;
            break;
        }
        if (f->st.past_confidence[i] < f->st.past_confidence[at])
            at = i;
    }
    f->st.past_signature[at] = signature;
    f->st.past_confidence[at] = (u8)confidence;
    f->st.past_offset[at] = (u8)offset;
    f->st.past_delta[at] = delta;
}

// The signature with which a new page that is entered at `offset` begins.
static u16 find_path(struct spp *f, int offset)
{
    unsigned best = 0;
    u16 signature = 0;

    for (u64 i = 0; i < f->p.history; i++) {
        u8 delta = f->st.past_delta[i];
        int to = f->st.past_offset[i] + delta_of(delta);

        to += to < 0 ? LINES : -LINES;
        if (to == offset && f->st.past_confidence[i] > best) {
            best = f->st.past_confidence[i];
            signature = next_signature(f->st.past_signature[i], delta);
        }
    }
    f->n.continued += best != 0;
    return signature;
}

// ---- signature table

// Learns from the access; false when there is nothing to go on with.
static bool update_page(struct spp *f, u64 page, int offset, u16 *ret_signature)
{
    u64 at = 0;
    u8 delta;

    for (u64 i = 0; i < f->p.pages; i++) {
        if (f->st.page[i] == page + 1) {
            f->st.used[i] = ++f->st.uses;
            if (offset == f->st.offset[i])
                return false;
            delta = code_of(offset - f->st.offset[i]);
            learn_pattern(f, f->st.signature[i], delta);
            f->st.signature[i] = next_signature(f->st.signature[i], delta);
            f->st.offset[i] = (u8)offset;
            *ret_signature = f->st.signature[i];
            return true;
        }
        if (f->st.used[i] < f->st.used[at])
            at = i;
    }
    f->st.page[at] = page + 1;
    f->st.used[at] = ++f->st.uses;
    f->st.offset[at] = (u8)offset;
    f->st.signature[at] = find_path(f, offset);
    *ret_signature = f->st.signature[at];
    return f->st.signature[at] != 0;
}

// ---- prefetching

// One step of the path at `offset` of the page: asks for what is likely, and moves on to the
// likeliest. False at the end of the path.
static bool step(struct spp *f, paddr page, int *offset, u16 *signature, unsigned *confidence,
                 bool first, struct prefetch_list *list)
{
    u64 pattern = pattern_of(f, *signature), best = DELTAS;
    unsigned best_confidence = 0;

    for (u64 i = pattern * DELTAS; f->st.seen[pattern] && i < (pattern + 1) * DELTAS; i++) {
        unsigned likely = (unsigned)HUNDRED * f->st.delta_seen[i] / f->st.seen[pattern];
        int to = *offset + delta_of(f->st.delta[i]);
        paddr line;

        likely = MIN(likely, HUNDRED);
        if (!first)
            likely = likely * *confidence / HUNDRED * accuracy(f) / HUNDRED;
        if (likely < f->p.threshold || !f->st.delta_seen[i])
            continue;
        if (likely > best_confidence) {
            best_confidence = likely;
            best = i;
        }
        line = page + ((u64)(i64)to << TIMED_LINE_SHIFT);
        if (to < 0 || to >= LINES)
            keep_path(f, *signature, likely, *offset, f->st.delta[i]);
        if ((line ^ page) & ~(f->p.page - 1)) {
            f->n.beyondPage++;
        } else if (list->count < f->p.degree && pass_filter(f, line >> TIMED_LINE_SHIFT)) {
            f->n.wanted += prefetch_add(list, line);
        }
    }
    if (!best_confidence)
        return false;
    *offset += delta_of(f->st.delta[best]);
    *signature = next_signature(*signature, f->st.delta[best]);
    *confidence = best_confidence;
    return *offset >= 0 && *offset < LINES;
}

static void spp_notify(struct component *c, const struct prefetch_seen *seen,
                       struct prefetch_list *list)
{
    struct spp *f = spp_of(c);
    paddr page = seen->pa & ~(((paddr)1 << PAGE_SHIFT) - 1);
    int offset = (int)(seen->pa >> TIMED_LINE_SHIFT) & (LINES - 1);
    unsigned confidence = HUNDRED, depth = 0;
    u16 signature;

    if (!PREFETCH_TAKES(f, seen))
        return;
    note_use(f, seen->pa >> TIMED_LINE_SHIFT);
    if (!update_page(f, page >> PAGE_SHIFT, offset, &signature))
        return;
    f->n.paths++;
    while (depth < f->p.depth && list->count < f->p.degree &&
           step(f, page, &offset, &signature, &confidence, depth == 0, list))
        depth++;
    f->n.steps += depth;
}

static void spp_evicted(struct component *c, paddr pa, bool unused)
{
    struct spp *f = spp_of(c);
    u64 line = pa >> TIMED_LINE_SHIFT, *entry = filter_of(f, line);

    if (*entry >> 2 == line)
        *entry = 0;
}

static bool spp_check(struct component *c, struct error *err)
{
    struct spp *f = spp_of(c);

    if (!prefetch_is_power(f->p.patterns) || !prefetch_is_power(f->p.filter))
        return error_set(err, ERROR_INPUT, "patterns and filter must be powers of two");
    return prefetch_check_page(f->p.page, err);
}

static bool spp_after_load(struct component *c, struct error *err)
{
    struct spp *f = spp_of(c);
    bool good = f->st.asked <= ACCURACY_MOST && f->st.useful <= f->st.asked;

    for (u64 i = 0; i < f->p.pages; i++)
        good = good && f->st.offset[i] < LINES && f->st.signature[i] <= SIGNATURE_MASK;
    for (u64 i = 0; i < f->p.history; i++)
        good = good && f->st.past_offset[i] < LINES && f->st.past_delta[i] < 2 * DELTA_SIGN &&
               f->st.past_signature[i] <= SIGNATURE_MASK && f->st.past_confidence[i] <= HUNDRED;
    for (u64 i = 0; i < f->p.patterns; i++)
        good = good && f->st.seen[i] <= COUNT_MOST;
    for (u64 i = 0; i < f->p.patterns * DELTAS; i++)
        good = good && f->st.delta[i] < 2 * DELTA_SIGN && f->st.delta_seen[i] <= COUNT_MOST;
    if (!good)
        return error_set(err, ERROR_INPUT, "the state of the prefetcher is impossible");
    return true;
}

static const struct prefetcher_ops spp_prefetcher = {.notify = spp_notify, .evicted = spp_evicted};
static const struct component_ops spp_ops = {.check = spp_check, .after_load = spp_after_load};
const struct component_type spp_prefetcher_type = {
    .name = "spp_prefetcher",
    .doc = "Signature path prefetcher (Kim et al. 2016)",
    COMPONENT_LAYOUT(spp),
    .ops = &spp_ops,
    .provides = {IFACE(prefetcher, &spp_prefetcher)},
};
