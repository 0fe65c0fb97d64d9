// SPDX-License-Identifier: BSD-3-Clause
// Next-line prefetcher, tagged: a miss, or the first use of a line that was prefetched, asks for
// the lines behind it (Smith, "Cache Memories", Computing Surveys 1982, section 2.1).
#include "mem/prefetch/prefetch_priv.h"

#define NEXT_LINE_PARAMS(P, PR, PB, PS, PC)                       \
    PREFETCH_PARAMS(P, PR, PB, PS, PC)                            \
    P(u32, degree, 1, 1, PREFETCH_MAX, "Lines asked for at once") \
    P(u32, distance, 1, 1, 64, "Lines from the access to the first one of them")

COMPONENT_LISTS(next_line, NEXT_LINE_PARAMS, NO_ROWS, PREFETCH_STATS, NO_ROWS);

struct next_line {
    struct component base;
    struct next_line_params p;
    struct next_line_state st;
    struct next_line_stats n;
};

static struct next_line *next_line_of(const struct component *c)
{
    ASSERT(c->type == &next_line_prefetcher_type);
    return (struct next_line *)(uintptr_t)c;
}

static void next_line_notify(struct component *c, const struct prefetch_seen *seen,
                             struct prefetch_list *list)
{
    struct next_line *f = next_line_of(c);

    if (!PREFETCH_TAKES(f, seen) || (seen->hit && !seen->first_use))
        return;
    for (u32 i = 0; i < f->p.degree; i++)
        if (!PREFETCH_WANT(f, list, seen->pa, (i64)(f->p.distance + i)))
            break;
}

static bool next_line_check(struct component *c, struct error *err)
{
    return prefetch_check_page(next_line_of(c)->p.page, err);
}

static const struct prefetcher_ops next_line_prefetcher = {.notify = next_line_notify};
static const struct component_ops next_line_ops = {.check = next_line_check};
const struct component_type next_line_prefetcher_type = {
    .name = "next_line_prefetcher",
    .doc = "Next-line prefetcher",
    COMPONENT_LAYOUT(next_line),
    .ops = &next_line_ops,
    .provides = {IFACE(prefetcher, &next_line_prefetcher)},
};
