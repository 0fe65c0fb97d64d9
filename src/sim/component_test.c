// SPDX-License-Identifier: BSD-3-Clause
// The life of components, and clocks.
#include "sim/clock.h"
#include "sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

// A probe writes down what happens to it; it can be told to fail.
#define PROBE_PARAMS(P, PR, PB, PS, PC)                              \
    PC(fail, "nothing", "nothing|check|build|connect", "What fails") \
    P(u32, length, 3, 0, 1000, "Elements")                           \
    P(u32, must, 0, 1, 9, "Must be given")
#define PROBE_STATE(F, FA, FE, FV) F(u64, a) FV(u32, list, p->length * 2) FE(tick) FE(tock)
#define PROBE_STATS(S, SV, SH, SG, SR) S(count, "Count", "Count")
#define PROBE_EVENTS(E) E(tock, probe_tock) E(tick, probe_tick)

COMPONENT_LISTS(probe, PROBE_PARAMS, PROBE_STATE, PROBE_STATS, PROBE_EVENTS);

struct probe {
    struct component base;
    struct probe_params p;
    struct probe_state st;
    struct probe_stats n;
};

enum { FAIL_NOTHING, FAIL_CHECK, FAIL_BUILD, FAIL_CONNECT };

static struct strbuf story;

static void tell(const struct component *c, const char *what)
{
    strbuf_printf(&story, "%s:%s ", c->path, what);
}

static bool step(struct component *c, const char *what, u64 fail, struct error *err)
{
    tell(c, what);
    return ((struct probe *)c)->p.fail != fail || error_set(err, ERROR_INPUT, "%s failed", what);
}

static bool probe_check(struct component *c, struct error *err)
{
    return step(c, "check", FAIL_CHECK, err);
}

static bool probe_build(struct component *c, struct error *err)
{
    return step(c, "build", FAIL_BUILD, err);
}

static bool probe_connect(struct component *c, struct error *err)
{
    return step(c, "connect", FAIL_CONNECT, err);
}

static void probe_reset(struct component *c)
{
    struct probe *p = (struct probe *)c;

    tell(c, "reset");
    p->st.a = 7;
}

static void probe_destroy(struct component *c)
{
    tell(c, "destroy");
}

static void probe_tick(void *owner, struct event *event)
{
    tell(owner, "tick");
}

static void probe_tock(void *owner, struct event *event)
{
    tell(owner, "tock");
}

static const struct component_ops probe_ops = {
    .check = probe_check,
    .build = probe_build,
    .connect = probe_connect,
    .reset = probe_reset,
    .destroy = probe_destroy,
};
static const struct component_type probe_type = {
    .name = "probe", .doc = "A probe", COMPONENT_LAYOUT(probe), .ops = &probe_ops};

// a(b(c) d), made in the order a b d c.
static struct probe *make_tree(struct sim *sim)
{
    struct error err;
    struct component *a, *b;

    strbuf_clear(&story);
    sim_init(sim);
    a = component_new(sim, &probe_type, NULL, "a", &err);
    b = component_new(sim, &probe_type, a, "b", &err);
    assert_non_null(component_new(sim, &probe_type, a, "d", &err));
    assert_non_null(component_new(sim, &probe_type, b, "c", &err));
    for (struct component *c = a; c; c = component_after(c))
        assert_true(component_set(c, "must", "1", &err));
    return (struct probe *)a;
}

static void life_goes_phase_by_phase(void **arg)
{
    struct sim sim;
    struct probe *a = make_tree(&sim);
    struct error err;

    assert_true(sim_build(&sim, &err));
    assert_string_equal(story.text, "a:check a:build a.b:check a.b:build a.d:check a.d:build "
                                    "a.b.c:check a.b.c:build "
                                    "a:connect a.b:connect a.b.c:connect a.d:connect ");
    strbuf_clear(&story);
    sim_reset(&sim);
    assert_string_equal(story.text, "a:reset a.b:reset a.b.c:reset a.d:reset ");
    assert_int_equal(a->st.list_count, 6);
    assert_int_equal(a->st.a, 7);
    strbuf_clear(&story);
    event_schedule(&a->st.tock, 5, 0);
    event_schedule(&a->st.tick, 6, 0);
    event_queue_run(&sim.queue, 10);
    assert_string_equal(story.text, "a:tock a:tick ");
    event_schedule(&a->st.tick, 20, 0);
    a->n.count = a->st.list[5] = 3;
    sim_reset(&sim);
    assert_false(a->st.tick.pending);
    assert_int_equal(a->n.count + a->st.list[5], 0);
    strbuf_clear(&story);
    sim_release(&sim);
    assert_string_equal(story.text, "a.d:destroy a.b.c:destroy a.b:destroy a:destroy ");
}

static void failures_name_the_component_and_stop(void **arg)
{
    static const char *const fails[] = {"check", "build", "connect"};

    for (size_t i = 0; i < ARRAY_SIZE(fails); i++) {
        struct sim sim;
        struct error err;
        char message[80];

        make_tree(&sim);
        assert_true(component_set(component_find(sim.root, "b.c"), "fail", fails[i], &err));
        assert_false(sim_build(&sim, &err));
        snprintf(message, sizeof(message), "a.b.c (probe): %s failed", fails[i]);
        assert_string_equal(err.message, message);
        strbuf_clear(&story);
        sim_release(&sim);
        assert_string_equal(story.text, "a.d:destroy a.b.c:destroy a.b:destroy a:destroy ");
    }
}

static void required_parameters_are_required(void **arg)
{
    struct sim sim;
    struct error err;

    sim_init(&sim);
    assert_non_null(component_new(&sim, &probe_type, NULL, "a", &err));
    assert_false(sim_build(&sim, &err));
    assert_string_equal(err.message, "a (probe): the parameter 'must' must be given");
    sim_release(&sim);
}

static void clocks_never_drift(void **arg)
{
    struct clock c = {2400000000};
    tick last = 0;

    assert_int_equal(clock_tick(&c, 12), 5000);
    assert_int_equal(clock_tick(&c, 2400000000), TICKS_PER_SECOND);
    for (u64 n = 1; n < 100000; n++) {
        tick t = clock_tick(&c, n);

        assert_in_range(t - last, 416, 417);
        assert_int_equal(clock_cycle(&c, t), n);
        assert_int_equal(clock_cycle(&c, t - 1), n - 1);
        assert_int_equal(clock_edge(&c, t, 0), t);
        assert_int_equal(clock_edge(&c, t - 1, 0), t);
        assert_int_equal(clock_edge(&c, t - 1, 1), t);
        assert_int_equal(clock_edge(&c, t, 1), clock_tick(&c, n + 1));
        last = t;
    }
    assert_int_equal(clock_cycle(&c, clock_tick(&c, 40000000000000000)), 40000000000000000);
    // The end of time is a place, not an overflow.
    assert_int_equal(clock_tick(&c, ~0ull), ~(tick)0);
    assert_int_equal(clock_edge(&c, 5000, ~0ull), ~(tick)0);
    assert_int_equal(clock_edge(&c, ~(tick)0, 1), ~(tick)0);
}

static void a_guest_cannot_schedule_into_the_past(void **arg)
{
    struct sim sim;
    struct probe *a = make_tree(&sim);
    struct error err;

    assert_true(sim_build(&sim, &err));
    sim_reset(&sim);
    event_queue_run(&sim.queue, 1000);
    event_schedule_in(&a->st.tick, ~0ull);
    assert_int_equal(event_queue_next(&sim.queue), ~(tick)0);
    assert_int_equal(event_queue_run(&sim.queue, ~(tick)0), 0);
    sim_release(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(life_goes_phase_by_phase),
        cmocka_unit_test(failures_name_the_component_and_stop),
        cmocka_unit_test(required_parameters_are_required),
        cmocka_unit_test(clocks_never_drift),
        cmocka_unit_test(a_guest_cannot_schedule_into_the_past),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    strbuf_release(&story);
    return failed;
}
