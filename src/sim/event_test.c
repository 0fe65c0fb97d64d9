// SPDX-License-Identifier: BSD-3-Clause
#include "sim/event.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 500 };

struct world {
    struct event_queue queue;
    struct event events[N];
    struct event *fired[N];
    unsigned n;
};

static void record(void *owner, struct event *event)
{
    struct world *w = owner;

    assert_false(event->pending);
    assert_int_equal(w->queue.now, event->when);
    w->fired[w->n++] = event;
}

static int by_key(const void *a, const void *b)
{
    const struct event *x = *(struct event *const *)a, *y = *(struct event *const *)b;

    if (x->when != y->when)
        return x->when < y->when ? -1 : 1;
    if (x->priority != y->priority)
        return x->priority < y->priority ? -1 : 1;
    return x->sequence < y->sequence ? -1 : 1;
}

static void world_init(struct world *w)
{
    event_queue_init(&w->queue);
    w->n = 0;
    for (unsigned i = 0; i < N; i++)
        event_init(&w->events[i], &w->queue, "e", record, w);
}

static void events_fire_in_order_of_when_priority_sequence(void **arg)
{
    struct rng rng = {7};
    static struct world w;

    for (unsigned round = 0; round < 20; round++) {
        struct event *expect[N];
        unsigned live = 0;

        world_init(&w);
        for (unsigned i = 0; i < N; i++)
            event_schedule(&w.events[i], rng_below(&rng, 50), (i32)rng_below(&rng, 3) - 1);
        for (unsigned i = 0; i < 200; i++) {
            struct event *e = &w.events[rng_below(&rng, N)];

            if (rng_next(&rng) & 1)
                event_cancel(e);
            else
                event_schedule(e, rng_below(&rng, 50), 0);
        }
        for (unsigned i = 0; i < N; i++)
            if (w.events[i].pending)
                expect[live++] = &w.events[i];
        assert_int_equal(w.queue.pending, live);
        qsort(expect, live, sizeof(expect[0]), by_key);
        assert_int_equal(event_queue_run(&w.queue, 1000), live);
        assert_int_equal(w.n, live);
        assert_memory_equal(w.fired, expect, live * sizeof(expect[0]));
        assert_int_equal(w.queue.now, 1000);
        assert_int_equal(w.queue.pending, 0);
    }
}

static void run_stops_at_its_limit(void **arg)
{
    static struct world w;

    world_init(&w);
    event_schedule(&w.events[0], 10, 0);
    event_schedule(&w.events[1], 11, 0);
    assert_int_equal(event_queue_run(&w.queue, 10), 1);
    assert_int_equal(event_queue_next(&w.queue), 11);
    assert_int_equal(w.queue.now, 10);
    event_cancel(&w.events[1]);
    assert_int_equal(event_queue_next(&w.queue), ~(tick)0);
}

static void rescheduling_moves_an_event(void **arg)
{
    static struct world w;

    world_init(&w);
    event_schedule(&w.events[0], 10, 0);
    event_schedule(&w.events[0], 5, 0);
    assert_int_equal(w.queue.pending, 1);
    assert_int_equal(event_queue_run(&w.queue, 7), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_fire_in_order_of_when_priority_sequence),
        cmocka_unit_test(run_stops_at_its_limit),
        cmocka_unit_test(rescheduling_moves_an_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
