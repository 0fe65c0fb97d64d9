// SPDX-License-Identifier: BSD-3-Clause
#include "sim/drain.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

// A neighbour that needs a number of ticks to come to rest.
struct busy {
    struct event_queue *queue;
    struct event tick;
    tick needs;
    bool draining, quiet;
    unsigned resumed, written, invalidated;
};

static void rest(void *owner, struct event *event)
{
    struct busy *b = owner;

    b->quiet = true;
}

static bool busy_drain(void *owner)
{
    struct busy *b = owner;

    if (!b->draining && b->needs) {
        b->draining = true;
        event_schedule_in(&b->tick, b->needs);
    }
    return b->quiet || !b->needs;
}

static void busy_resume(void *owner)
{
    struct busy *b = owner;

    event_cancel(&b->tick);
    b->draining = b->quiet = false;
    b->resumed++;
}

static void busy_writeback(void *owner)
{
    ((struct busy *)owner)->written++;
}

static void busy_invalidate(void *owner)
{
    ((struct busy *)owner)->invalidated++;
}

static const struct drainable_ops busy_ops = {
    .drain = busy_drain,
    .resume = busy_resume,
    .mem_writeback = busy_writeback,
    .mem_invalidate = busy_invalidate,
};

struct world {
    struct event_queue queue;
    struct drain_manager m;
    struct busy a, b;
    unsigned done, failed;
    char message[480];
    bool again;
};

static void world_init(struct world *w, tick a, tick b)
{
    *w = (struct world){0};
    event_queue_init(&w->queue);
    drain_init(&w->m, &w->queue);
    w->a.needs = a;
    w->b.needs = b;
    event_init(&w->a.tick, &w->queue, "a", rest, &w->a);
    event_init(&w->b.tick, &w->queue, "b", rest, &w->b);
    drain_register(&w->m, "pc.a", &busy_ops, &w->a);
    drain_register(&w->m, "pc.b", &busy_ops, &w->b);
}

static void count(void *context, bool ok, const struct error *err)
{
    struct world *w = context;

    if (ok) {
        w->done++;
        assert_int_equal(w->m.state, DRAIN_DRAINED);
        assert_int_equal(w->a.resumed, w->b.resumed);
    } else {
        w->failed++;
        memcpy(w->message, err->message, sizeof(w->message));
    }
    if (w->again) {
        struct drain_request r = {.why = "again", .done = count, .context = w};

        w->again = false;
        drain_request(&w->m, &r);
    }
}

static void request(struct world *w, tick max_ticks)
{
    struct drain_request r = {
        .why = "test", .done = count, .context = w, .writeback = true, .limits = {max_ticks, 0}};

    drain_request(&w->m, &r);
}

static unsigned run(struct world *w)
{
    unsigned steps = 0;

    while (drain_poll(&w->m)) {
        assert_true(steps++ < 1000);
        event_queue_run(&w->queue, w->queue.now + 10);
    }
    return steps;
}

static void drains_when_all_are_quiet_and_resumes(void **arg)
{
    struct world w;

    world_init(&w, 100, 300);
    assert_false(drain_poll(&w.m));
    request(&w, 0);
    assert_true(drain_wanted(&w.m));
    run(&w);
    assert_int_equal(w.done, 1);
    assert_int_equal(w.queue.now, 300);
    assert_int_equal(w.a.resumed, 1);
    assert_int_equal(w.b.resumed, 1);
    assert_int_equal(w.a.written, 1);
    assert_int_equal(w.a.invalidated, 0);
    assert_int_equal(w.m.state, DRAIN_RUNNING);
    drain_release(&w.m);
}

static void says_who_is_still_busy_when_time_is_up(void **arg)
{
    struct world w;

    world_init(&w, 100, 5000);
    request(&w, 1000);
    run(&w);
    assert_int_equal(w.failed, 1);
    assert_int_equal(w.done, 0);
    assert_null(strstr(w.message, "pc.a"));
    assert_non_null(strstr(w.message, "pc.b"));
    assert_int_equal(w.a.resumed, 1);
    assert_int_equal(w.m.state, DRAIN_RUNNING);
    drain_release(&w.m);
}

static void requests_that_arrive_meanwhile_are_served_later(void **arg)
{
    struct world w;

    world_init(&w, 10, 20);
    request(&w, 0);
    request(&w, 0);
    w.again = true;
    assert_true(drain_poll(&w.m));
    request(&w, 0);
    run(&w);
    assert_int_equal(w.done, 4);
    assert_int_equal(w.a.resumed, 4);
    drain_release(&w.m);
}

static void cancelling_tells_everyone_who_waits(void **arg)
{
    struct world w;

    world_init(&w, 10, 20);
    request(&w, 0);
    request(&w, 0);
    assert_true(drain_poll(&w.m));
    drain_cancel(&w.m);
    assert_false(drain_poll(&w.m));
    assert_int_equal(w.failed, 2);
    assert_non_null(strstr(w.message, "cancelled"));
    assert_int_equal(w.m.state, DRAIN_RUNNING);
    request(&w, 0);
    run(&w);
    assert_int_equal(w.done, 1);
    drain_release(&w.m);
}

static void someone_may_register_while_draining(void **arg)
{
    struct world w;
    struct busy late = {.needs = 500};

    world_init(&w, 10, 20);
    event_init(&late.tick, &w.queue, "late", rest, &late);
    request(&w, 0);
    assert_true(drain_poll(&w.m));
    drain_register(&w.m, "late", &busy_ops, &late);
    late.resumed = 0;
    run(&w);
    assert_int_equal(w.done, 1);
    assert_int_equal(w.queue.now, 500);
    drain_unregister(&w.m, &late);
    request(&w, 0);
    run(&w);
    assert_int_equal(late.resumed, 1);
    drain_release(&w.m);
}

static void drain_now_stays_drained_until_resumed(void **arg)
{
    struct world w;
    struct drain_request r = {.why = "now", .invalidate = true};
    struct error err;

    world_init(&w, 10, 20);
    request(&w, 0);
    assert_true(drain_now(&w.m, &r, &err));
    assert_int_equal(w.done, 1);
    assert_int_equal(w.m.state, DRAIN_DRAINED);
    assert_int_equal(w.a.invalidated, 1);
    drain_resume(&w.m);
    assert_int_equal(w.m.state, DRAIN_RUNNING);
    w.a.needs = 2 * TICKS_PER_SECOND;
    assert_false(drain_now(&w.m, &r, &err));
    assert_non_null(strstr(err.message, "pc.a"));
    assert_int_equal(w.m.state, DRAIN_RUNNING);
    drain_release(&w.m);
}

// Whatever is asked for and cancelled, whenever: each request is answered once, and in the end the
// machine runs.
static void every_request_is_answered_once(void **arg)
{
    struct rng rng = {41};
    u64 served = 0, failed = 0;

    for (unsigned round = 0; round < 200; round++) {
        struct world w;
        unsigned made = 0, resumed;

        world_init(&w, rng_below(&rng, 60), rng_below(&rng, 60));
        for (unsigned i = 0; i < 100; i++) {
            switch (rng_below(&rng, 6)) {
            case 0:
                request(&w, rng_below(&rng, 50) + 1);
                made++;
                break;
            case 1:
                if (rng_below(&rng, 4) == 0)
                    drain_cancel(&w.m);
                break;
            case 2:
                w.again = w.m.waiting != 0 && !w.again;
                made += w.again;
                if (!w.again)
                    break;
                run(&w);
                assert_false(w.again);
                break;
            default:
                drain_poll(&w.m);
                event_queue_run(&w.queue, w.queue.now + rng_below(&rng, 10));
            }
        }
        run(&w);
        assert_int_equal(w.done + w.failed, made);
        assert_int_equal(w.m.served, w.done);
        assert_int_equal(w.m.state, DRAIN_RUNNING);
        assert_int_equal(w.m.waiting, 0);
        assert_int_equal(w.a.resumed, w.b.resumed);
        assert_false(w.a.draining || w.b.draining);
        resumed = w.a.resumed;
        assert_in_range(resumed, w.done, made);
        served += w.done;
        failed += w.failed;
        drain_release(&w.m);
    }
    assert_true(served > 500 && failed > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drains_when_all_are_quiet_and_resumes),
        cmocka_unit_test(says_who_is_still_busy_when_time_is_up),
        cmocka_unit_test(requests_that_arrive_meanwhile_are_served_later),
        cmocka_unit_test(cancelling_tells_everyone_who_waits),
        cmocka_unit_test(someone_may_register_while_draining),
        cmocka_unit_test(every_request_is_answered_once),
        cmocka_unit_test(drain_now_stays_drained_until_resumed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
