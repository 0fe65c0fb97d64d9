// SPDX-License-Identifier: BSD-3-Clause
// Several machines live in one process without touching each other.
#include "sample.h"
#include "sample_machine.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { STEPS = 20000 };

static u64 run_alone(u64 seed)
{
    struct sample_machine m;
    u64 h;

    sample_machine_init(&m, seed, "256KiB");
    for (unsigned i = 0; i < STEPS; i++)
        sample_machine_step(&m);
    assert_true(sample_counter_handled(m.counter) > 100);
    h = sample_machine_hash(&m);
    sim_release(&m.sim);
    return h;
}

static void interleaved_machines_end_as_each_does_alone(void **arg)
{
    enum { MACHINES = 3 };
    struct sample_machine m[MACHINES];
    unsigned steps[MACHINES] = {0};
    struct rng rng = {99};

    for (unsigned i = 0; i < MACHINES; i++)
        sample_machine_init(&m[i], i + 1, "256KiB");
    for (unsigned left = MACHINES * STEPS; left;) {
        unsigned i = (unsigned)rng_below(&rng, MACHINES);

        if (steps[i] == STEPS)
            continue;
        sample_machine_step(&m[i]);
        steps[i]++;
        left--;
    }
    for (unsigned i = 0; i < MACHINES; i++)
        assert_int_equal(sample_machine_hash(&m[i]), run_alone(i + 1));
    assert_int_not_equal(run_alone(1), run_alone(2));
    for (unsigned i = 0; i < MACHINES; i++)
        sim_release(&m[i].sim);
}

static void timers_fire_on_the_edges_of_their_clock(void **arg)
{
    struct sample_machine m;
    u64 v = 3;

    sample_machine_init(&m, 1, "64KiB");
    mem_port_write(&m.port, SAMPLE_TIMER0, 8, &v);
    v = 1;
    mem_port_write(&m.port, SAMPLE_TIMER0 + 8, 8, &v);
    event_queue_run(&m.sim.queue, 8999999);
    mem_port_read(&m.port, SAMPLE_TIMER0 + 16, 8, &v);
    assert_int_equal(v, 2);
    event_queue_run(&m.sim.queue, 9000000);
    mem_port_read(&m.port, SAMPLE_TIMER0 + 16, 8, &v);
    assert_int_equal(v, 3);
    sim_release(&m.sim);
}

static void reset_is_a_new_start(void **arg)
{
    struct sample_machine m, fresh;

    sample_machine_init(&m, 1, "64KiB");
    for (unsigned i = 0; i < 1000; i++)
        sample_machine_step(&m);
    sim_reset(&m.sim);
    sample_machine_init(&fresh, 1, "64KiB");
    assert_int_equal(sim_hash(&m.sim), sim_hash(&fresh.sim));
    assert_int_equal(m.sim.queue.pending, 0);
    sim_release(&m.sim);
    sim_release(&fresh.sim);
}

static void wrong_wiring_is_explained(void **arg)
{
    static const char *const cases[][2] = {
        {"map.conter", "timer (sample_timer): there is no component 'map.conter'; did you mean "
                       "'map.counter'?"},
        {"map", "timer (sample_timer): map takes no interrupts"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct sim sim;
        struct error err;
        struct component *root, *t;

        sim_init(&sim);
        root = component_new(&sim, &sample_counter_type, NULL, "map", &err);
        t = component_new(&sim, &sample_timer_type, root, "timer", &err);
        assert_non_null(component_new(&sim, &sample_counter_type, root, "counter", &err));
        assert_null(component_new(&sim, &sample_counter_type, root, "counter", &err));
        assert_null(component_new(&sim, &sample_counter_type, root, "a.b", &err));
        // The root takes interrupts; only a timer does not.
        assert_true(component_set(t, "interrupts", i ? "map.timer" : cases[0][0], &err));
        assert_false(component_set(t, "interupts", "x", &err));
        assert_non_null(strstr(err.message, "did you mean 'interrupts'?"));
        assert_false(sim_build(&sim, &err));
        assert_non_null(strstr(err.message, i ? "map.timer takes no interrupts" : cases[0][1]));
        sim_release(&sim);
    }
}

static void a_running_machine_does_not_allocate(void **arg)
{
    struct sample_machine m;
    struct mallinfo2 before, after;

    sample_machine_init(&m, 4, "256KiB");
    before = mallinfo2();
    for (unsigned i = 0; i < STEPS; i++)
        sample_machine_step(&m);
    after = mallinfo2();
    assert_int_equal(before.uordblks, after.uordblks);
    assert_int_equal(before.hblkhd, after.hblkhd);
    sim_release(&m.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interleaved_machines_end_as_each_does_alone),
        cmocka_unit_test(timers_fire_on_the_edges_of_their_clock),
        cmocka_unit_test(reset_is_a_new_start),
        cmocka_unit_test(wrong_wiring_is_explained),
        cmocka_unit_test(a_running_machine_does_not_allocate),
    };
    struct error err;

    // The sample guest touches what is not there on purpose.
    if (!log_set_filter("error", &err))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
