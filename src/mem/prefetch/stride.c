// SPDX-License-Identifier: BSD-3-Clause
// Stride prefetcher: for each instruction the distance between its accesses, with a confidence
// (Chen, Baer, "Effective Hardware-Based Data Prefetching for High-Performance Processors", IEEE
// Transactions on Computers 1995; here with a saturating counter). Set-associative table by program
// counter, LRU.
#include "mem/prefetch/prefetch_priv.h"

#define STRIDE_PARAMS(P, PR, PB, PS, PC)                                   \
    PREFETCH_PARAMS(P, PR, PB, PS, PC)                                     \
    P(u32, degree, 4, 1, PREFETCH_MAX, "Lines asked for at once")          \
    P(u32, distance, 1, 1, 64, "Strides from the access to the first one") \
    P(u32, sets, 64, 1, 65536, "Sets of the table, a power of two")        \
    P(u32, ways, 4, 1, 64, "Instructions in a set")                        \
    P(u32, most, 7, 1, 255, "Highest confidence")                          \
    P(u32, threshold, 4, 1, 255, "Confidence from which on it prefetches") \
    P(u32, penalty, 2, 1, 255, "What a wrong stride takes of the confidence")

#define STRIDE_STATE(F, FA, FE, FV)     \
    F(u64, uses)                        \
    FV(vaddr, pcs, p->sets * p->ways)   \
    FV(paddr, last, p->sets * p->ways)  \
    FV(i64, strides, p->sets * p->ways) \
    FV(u64, used, p->sets * p->ways)    \
    FV(u8, confidence, p->sets * p->ways)

#define STRIDE_STATS(S, SV, SH, SG, SR) \
    PREFETCH_STATS(S, SV, SH, SG, SR)   \
    S(replaced, "Count", "Instructions that left the table")

COMPONENT_LISTS(stride, STRIDE_PARAMS, STRIDE_STATE, STRIDE_STATS, NO_ROWS);

struct stride {
    struct component base;
    struct stride_params p;
    struct stride_state st;
    struct stride_stats n;
};

static struct stride *stride_of(const struct component *c)
{
    ASSERT(c->type == &stride_prefetcher_type);
    return (struct stride *)(uintptr_t)c;
}

static u64 set_of(const struct stride *f, vaddr pc)
{
    return ((pc ^ pc >> 6 ^ pc >> 12) & (f->p.sets - 1)) * f->p.ways;
}

// The instruction's entry; a new one is empty but for the address.
static u64 find(struct stride *f, const struct prefetch_seen *seen, bool *ret_known)
{
    u64 first = set_of(f, seen->pc), entry = first;

    *ret_known = true;
    for (u64 i = first; i < first + f->p.ways; i++) {
        if (f->st.pcs[i] == seen->pc)
            return i;
        if (f->st.used[i] < f->st.used[entry])
            entry = i;
    }
    *ret_known = false;
    f->n.replaced += f->st.pcs[entry] != 0;
    f->st.pcs[entry] = seen->pc;
    f->st.last[entry] = seen->pa;
    f->st.strides[entry] = 0;
    f->st.confidence[entry] = 0;
    return entry;
}

static void learn(struct stride *f, u64 entry, i64 stride)
{
    u64 confidence = f->st.confidence[entry];

    if (stride == f->st.strides[entry]) {
        f->st.confidence[entry] = (u8)MIN(confidence + 1, f->p.most);
        return;
    }
    confidence -= MIN(confidence, f->p.penalty);
    f->st.confidence[entry] = (u8)confidence;
    if (confidence < f->p.threshold)
        f->st.strides[entry] = stride;
}

static void stride_notify(struct component *c, const struct prefetch_seen *seen,
                          struct prefetch_list *list)
{
    struct stride *f = stride_of(c);
    bool known;
    u64 entry;
    i64 stride, lines;

    if (!PREFETCH_TAKES(f, seen) || !seen->pc)
        return;
    entry = find(f, seen, &known);
    f->st.used[entry] = ++f->st.uses;
    if (!known)
        return;
    stride = (i64)(seen->pa - f->st.last[entry]);
    f->st.last[entry] = seen->pa;
    if (stride == 0)
        return;
    learn(f, entry, stride);
    if (f->st.confidence[entry] < f->p.threshold)
        return;
    // Strides within a line: the lines one after the other.
    stride = f->st.strides[entry];
    if (stride > -TIMED_LINE && stride < TIMED_LINE)
        stride = stride < 0 ? -TIMED_LINE : TIMED_LINE;
    for (u32 i = 0; i < f->p.degree; i++) {
        paddr to;

        if (__builtin_mul_overflow(stride, (i64)(f->p.distance + i), &lines))
            break;
        to = seen->pa + (u64)lines;
        lines = (i64)(to >> TIMED_LINE_SHIFT) - (i64)(seen->pa >> TIMED_LINE_SHIFT);
        if (!PREFETCH_WANT(f, list, seen->pa, lines))
            break;
    }
}

static bool stride_check(struct component *c, struct error *err)
{
    struct stride *f = stride_of(c);

    if (!prefetch_is_power(f->p.sets))
        return error_set(err, ERROR_INPUT, "the number of sets must be a power of two");
    if (f->p.threshold > f->p.most)
        return error_set(err, ERROR_INPUT, "no confidence comes up to the threshold");
    return prefetch_check_page(f->p.page, err);
}

static const struct prefetcher_ops stride_prefetcher = {.notify = stride_notify};
static const struct component_ops stride_ops = {.check = stride_check};
const struct component_type stride_prefetcher_type = {
    .name = "stride_prefetcher",
    .doc = "Stride prefetcher, by instruction",
    COMPONENT_LAYOUT(stride),
    .ops = &stride_ops,
    .provides = {IFACE(prefetcher, &stride_prefetcher)},
};
