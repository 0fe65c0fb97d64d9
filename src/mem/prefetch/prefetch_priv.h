// SPDX-License-Identifier: BSD-3-Clause
// What the prefetchers share: parameters and statistics that all have, and the list of candidates.
#pragma once

#include "mem/prefetch/prefetcher.h"
#include "mem/prefetch/prefetchers.h"
#include "sim/sim.h"
#include "sim/timed.h"

#define PREFETCH_PARAMS(P, PR, PB, PS, PC)                                           \
    P(bytes, page, KiB(4), KiB(4), GiB(1), "Prefetches stay in a page of this size") \
    PB(train_wrong_path, true, "Accesses of a wrong path train it, too")

#define PREFETCH_STATS(S, SV, SH, SG, SR)              \
    S(notified, "Count", "Accesses that it was shown") \
    S(wanted, "Count", "Lines that it asked for")      \
    S(beyondPage, "Count", "Lines that it would have, but for the page")

// The line at `distance` lines from that of `pa`, when it is in the same page.
static inline bool prefetch_in_page(u64 page, paddr pa, i64 distance, paddr *ret_line)
{
    paddr line = pa & ~(paddr)(TIMED_LINE - 1), to = line + ((u64)distance << TIMED_LINE_SHIFT);

    if ((line ^ to) & ~(page - 1))
        return false;
    *ret_line = to;
    return true;
}

// Adds it, unless it is there already or the list is full.
static inline bool prefetch_add(struct prefetch_list *list, paddr line)
{
    for (u32 i = 0; i < list->count; i++)
        if (list->line[i] == line)
            return false;
    if (list->count == PREFETCH_MAX)
        return false;
    list->line[list->count++] = line;
    return true;
}

static inline bool prefetch_check_page(u64 page, struct error *err)
{
    if (page & (page - 1))
        return error_set(err, ERROR_INPUT, "the size of a page must be a power of two");
    return true;
}

static inline bool prefetch_is_power(u64 n)
{
    return n && (n & (n - 1)) == 0;
}

// What every notify begins with: counts; false when the access is not to be learned from.
#define PREFETCH_TAKES(c, seen) ((c)->n.notified++, (c)->p.train_wrong_path || !(seen)->wrong_path)

// Asks for the line at a distance; counts what the page forbids. True when it is in the page.
#define PREFETCH_WANT(c, list, pa, distance) \
    prefetch_want(&(c)->n.wanted, &(c)->n.beyondPage, (c)->p.page, (list), (pa), (distance))
static inline bool prefetch_want(u64 *wanted, u64 *beyond, u64 page, struct prefetch_list *list,
                                 paddr pa, i64 distance)
{
    paddr line;

    if (!prefetch_in_page(page, pa, distance, &line)) {
        ++*beyond;
        return false;
    }
    *wanted += prefetch_add(list, line);
    return true;
}
