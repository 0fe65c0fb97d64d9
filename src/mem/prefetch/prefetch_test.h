// SPDX-License-Identifier: BSD-3-Clause
// For the unit tests of prefetchers: a machine of one, and a cache without limits that has a line
// from when it was asked for, or only so many accesses later.
#pragma once

#include "base/rng.h"
#include "mem/prefetch/prefetch_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { CACHE_LINES = 1 << 18, FLIGHT_MOST = 1 << 12 }; // addresses below 16 MiB

struct prefetch_fixture {
    struct sim sim;
    struct component *c;
    const struct prefetcher_ops *ops;
    u8 state[CACHE_LINES]; // 0 absent, 1 here, 2 prefetched and unused, 3 on its way
    u32 delay;             // accesses until a prefetch arrives
    struct {
        u64 line;
        u64 when;
    } flight[FLIGHT_MOST];
    u32 first, in_flight;
    u64 accesses, misses, late, hits_of_prefetches, prefetches;
    struct prefetch_list last;
};

static inline void prefetch_new(struct prefetch_fixture *x, const struct component_type *type,
                                const char *const *params)
{
    struct error err;

    assert_true(log_set_filter("error", &err));
    memset(x, 0, sizeof(*x));
    sim_init(&x->sim);
    x->c = component_new(&x->sim, type, NULL, "prefetcher", &err);
    assert_non_null(x->c);
    for (; params && *params; params += 2)
        if (!component_set(x->c, params[0], params[1], &err))
            fail_msg("%s", err.message);
    if (!sim_build(&x->sim, &err))
        fail_msg("%s", err.message);
    sim_reset(&x->sim);
    x->ops = component_interface(x->c, "prefetcher");
}

static inline void prefetch_arrive(struct prefetch_fixture *x)
{
    while (x->in_flight && x->flight[x->first].when <= x->accesses) {
        u64 line = x->flight[x->first].line;

        x->first = (x->first + 1) % FLIGHT_MOST;
        x->in_flight--;
        if (x->state[line] == 3)
            x->state[line] = 2;
        if (x->ops->filled)
            x->ops->filled(x->c, line << TIMED_LINE_SHIFT, true);
    }
}

static inline void prefetch_send(struct prefetch_fixture *x, paddr pa, paddr from)
{
    u64 line = pa >> TIMED_LINE_SHIFT;

    assert_int_equal(pa % TIMED_LINE, 0);
    assert_int_equal(pa >> 12, from >> 12); // never beyond the page
    if (x->state[line])
        return;
    assert_true(x->in_flight < FLIGHT_MOST);
    x->prefetches++;
    x->state[line] = 3;
    x->flight[(x->first + x->in_flight) % FLIGHT_MOST].line = line;
    x->flight[(x->first + x->in_flight) % FLIGHT_MOST].when = x->accesses + x->delay;
    x->in_flight++;
}

// A demand access, with all that it leads to.
static inline void prefetch_touch(struct prefetch_fixture *x, paddr pa, vaddr pc)
{
    u64 line = pa >> TIMED_LINE_SHIFT;
    struct prefetch_seen seen = {.pa = pa, .pc = pc};

    assert_true(line < CACHE_LINES);
    x->accesses++;
    prefetch_arrive(x);
    seen.hit = x->state[line] == 1 || x->state[line] == 2;
    seen.first_use = x->state[line] == 2;
    seen.late = x->state[line] == 3;
    x->misses += x->state[line] == 0;
    x->late += seen.late;
    x->hits_of_prefetches += seen.first_use || seen.late;
    x->last = (struct prefetch_list){0};
    x->ops->notify(x->c, &seen, &x->last);
    if (!seen.hit && x->ops->filled && x->state[line] == 0)
        x->ops->filled(x->c, pa, false);
    x->state[line] = 1;
    for (u32 i = 0; i < x->last.count; i++)
        prefetch_send(x, x->last.line[i], pa);
    prefetch_arrive(x);
}

// Percentages: of the lines wanted, those that were prefetched; of the prefetches, those wanted.
static inline u64 prefetch_coverage(const struct prefetch_fixture *x)
{
    u64 wanted = x->misses + x->hits_of_prefetches;

    return wanted ? x->hits_of_prefetches * 100 / wanted : 0;
}

static inline u64 prefetch_accuracy(const struct prefetch_fixture *x)
{
    return x->prefetches ? x->hits_of_prefetches * 100 / x->prefetches : 100;
}
