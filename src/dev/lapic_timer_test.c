// SPDX-License-Identifier: BSD-3-Clause
// The local APIC's timer in each mode, and through a checkpoint. Expectations: Intel SDM vol. 3A
// §10.5.4. The clock is 1 GHz: a cycle is 1000 ticks.
#include "dev/lapic_priv.h"

#include "dev/lapic_test.h"

enum { CYCLE = 1000, BY_1 = 0xb, PERIODIC = 1 << 17, DEADLINE = 2 << 17, MASKED = 1 << 16 };

static void run(struct machine *m, tick ticks)
{
    event_queue_run(&m->sim.queue, m->sim.queue.now + ticks);
}

static struct lapic *apic(struct machine *m)
{
    return lapic_of(m->cpu[0]);
}

// Takes and ends an interrupt, if there is one.
static int serve(struct machine *m)
{
    int vector = lapic_acknowledge(m->cpu[0]);

    if (vector >= 0)
        wr(m, 0, R_EOI, 0);
    return vector;
}

static void init(struct machine *m, u32 entry)
{
    machine_init(m);
    wr(m, 0, R_DIVIDE, BY_1);
    wr(m, 0, R_TIMER, entry);
}

static void one_shot_counts_down_and_fires_once(void **arg)
{
    struct machine m;

    init(&m, 0xec);
    wr(&m, 0, R_INITIAL, 100);
    assert_int_equal(rd(&m, 0, R_CURRENT), 100);
    run(&m, 40 * CYCLE);
    assert_int_equal(rd(&m, 0, R_CURRENT), 60);
    run(&m, 60 * CYCLE - 1);
    assert_int_equal(rd(&m, 0, R_CURRENT), 1);
    assert_false(m.core[0].intr);
    run(&m, 1);
    assert_int_equal(serve(&m), 0xec);
    assert_int_equal(rd(&m, 0, R_CURRENT), 0);
    assert_int_equal(rd(&m, 0, R_INITIAL), 100);
    run(&m, 1000 * CYCLE);
    assert_int_equal(serve(&m), -1);
    assert_int_equal(apic(&m)->n.timer_firings, 1);
    machine_free(&m);
}

static void the_divider_has_eight_values(void **arg)
{
    static const u32 codes[] = {0xb, 0, 1, 2, 3, 8, 9, 0xa};
    struct machine m;

    init(&m, 0xec);
    for (unsigned i = 0; i < 8; i++) {
        wr(&m, 0, R_DIVIDE, codes[i]);
        wr(&m, 0, R_INITIAL, 10);
        run(&m, (10 * CYCLE << i) - 1);
        assert_int_equal(serve(&m), -1);
        run(&m, 1);
        assert_int_equal(serve(&m), 0xec);
    }
    machine_free(&m);
}

static void periodic_never_drifts(void **arg)
{
    struct machine m;

    machine_build(&m, "clock", "3GHz"); // a cycle is 333 1/3 ticks
    wr(&m, 0, R_SVR, 0x1ff);
    wr(&m, 0, R_DIVIDE, BY_1);
    wr(&m, 0, R_TIMER, PERIODIC | 0xec);
    wr(&m, 0, R_INITIAL, 7);
    for (unsigned i = 1; i <= 3000; i++) {
        run(&m, (7000 * i + 2) / 3 - 1 - m.sim.queue.now);
        assert_int_equal(serve(&m), -1);
        run(&m, 1);
        assert_int_equal(serve(&m), 0xec);
    }
    wr(&m, 0, R_INITIAL, 0);
    run(&m, 100 * CYCLE);
    assert_int_equal(serve(&m), -1);
    machine_free(&m);
}

static void a_masked_timer_counts_without_interrupt(void **arg)
{
    struct machine m;

    init(&m, MASKED | PERIODIC | 0xec);
    wr(&m, 0, R_INITIAL, 10);
    run(&m, 35 * CYCLE);
    assert_int_equal(serve(&m), -1);
    assert_int_equal(rd(&m, 0, R_CURRENT), 5);
    wr(&m, 0, R_TIMER, PERIODIC | 0xec);
    assert_int_equal(serve(&m), -1);
    run(&m, 5 * CYCLE);
    assert_int_equal(serve(&m), 0xec);
    machine_free(&m);
}

static void initial_count_0_stops_it(void **arg)
{
    struct machine m;

    init(&m, 0xec);
    wr(&m, 0, R_INITIAL, 10);
    run(&m, 3 * CYCLE);
    wr(&m, 0, R_INITIAL, 0);
    assert_int_equal(rd(&m, 0, R_CURRENT), 0);
    run(&m, 1000 * CYCLE);
    assert_int_equal(serve(&m), -1);
    assert_int_equal(m.sim.queue.pending, 0);
    machine_free(&m);
}

static void another_divider_stretches_what_is_left(void **arg)
{
    struct machine m;

    init(&m, 0xec);
    wr(&m, 0, R_INITIAL, 10);
    run(&m, 4 * CYCLE);
    wr(&m, 0, R_DIVIDE, 1); // by 4
    assert_int_equal(rd(&m, 0, R_CURRENT), 6);
    run(&m, 24 * CYCLE - 1);
    assert_int_equal(serve(&m), -1);
    run(&m, 1);
    assert_int_equal(serve(&m), 0xec);
    machine_free(&m);
}

static void the_longest_count_is_exact(void **arg)
{
    struct machine m;

    init(&m, 0xec);
    wr(&m, 0, R_DIVIDE, 0xa); // by 128
    wr(&m, 0, R_INITIAL, 0xffffffff);
    run(&m, 128ull * 0xffffffff * CYCLE - 1);
    assert_int_equal(rd(&m, 0, R_CURRENT), 1);
    assert_int_equal(serve(&m), -1);
    run(&m, 1);
    assert_int_equal(serve(&m), 0xec);
    machine_free(&m);
}

static void the_deadline_fires_once_when_the_tsc_is_there(void **arg)
{
    struct machine m;

    init(&m, DEADLINE | 0xec);
    m.core[0].tsc_from = 1000;
    lapic_deadline_written(m.cpu[0], 1200);
    run(&m, 200 * TSC_TICKS - 1);
    assert_int_equal(serve(&m), -1);
    assert_int_equal(m.core[0].deadlines, 0);
    run(&m, 1);
    assert_int_equal(serve(&m), 0xec);
    assert_int_equal(m.core[0].deadlines, 1);
    assert_int_equal(apic(&m)->st.deadline, 0);
    run(&m, 1000 * CYCLE);
    assert_int_equal(serve(&m), -1);
    machine_free(&m);
}

static void a_deadline_in_the_past_fires_at_once(void **arg)
{
    struct machine m;

    init(&m, DEADLINE | 0xec);
    run(&m, 50 * CYCLE);
    lapic_deadline_written(m.cpu[0], 7);
    run(&m, 0);
    assert_int_equal(serve(&m), 0xec);
    machine_free(&m);
}

static void a_deadline_can_be_moved_and_disarmed(void **arg)
{
    struct machine m;

    init(&m, DEADLINE | 0xec);
    m.core[0].tsc_from = 100;
    lapic_deadline_written(m.cpu[0], 200);
    run(&m, 50 * TSC_TICKS);
    lapic_deadline_written(m.cpu[0], 400);
    run(&m, 249 * TSC_TICKS);
    assert_int_equal(serve(&m), -1);
    m.core[0].tsc_from -= 100; // the TSC was set back: the timer finds out when it wakes up
    run(&m, 100 * TSC_TICKS);
    assert_int_equal(serve(&m), -1);
    run(&m, 1 * TSC_TICKS);
    assert_int_equal(serve(&m), 0xec);
    lapic_deadline_written(m.cpu[0], 1000);
    lapic_deadline_written(m.cpu[0], 0);
    run(&m, 1000 * CYCLE);
    assert_int_equal(serve(&m), -1);
    assert_int_equal(m.core[0].deadlines, 1);
    machine_free(&m);
}

static void counts_and_deadlines_do_not_mix(void **arg)
{
    struct machine m;

    init(&m, 0xec);
    lapic_deadline_written(m.cpu[0], 100); // ignored, and the core's register reads 0
    assert_int_equal(m.core[0].deadlines, 1);
    assert_int_equal(m.sim.queue.pending, 0);
    wr(&m, 0, R_INITIAL, 100);
    wr(&m, 0, R_TIMER, PERIODIC | 0xec); // goes on
    assert_int_equal(rd(&m, 0, R_CURRENT), 100);
    wr(&m, 0, R_TIMER, DEADLINE | 0xec); // stops
    assert_int_equal(rd(&m, 0, R_CURRENT), 0);
    assert_int_equal(m.sim.queue.pending, 0);
    wr(&m, 0, R_INITIAL, 100); // ignored
    assert_int_equal(rd(&m, 0, R_INITIAL), 0);
    lapic_deadline_written(m.cpu[0], 5000);
    wr(&m, 0, R_DIVIDE, 0);
    assert_int_equal(rd(&m, 0, R_CURRENT), 0);
    assert_int_equal(m.sim.queue.pending, 1);
    wr(&m, 0, R_TIMER, 0xec); // disarms
    assert_int_equal(m.core[0].deadlines, 2);
    assert_int_equal(m.sim.queue.pending, 0);
    machine_free(&m);
}

static void init_stops_the_timer(void **arg)
{
    struct apic_message init_message = {.mode = APIC_INIT, .asserted = true};
    struct machine m;

    init(&m, DEADLINE | 0xec);
    lapic_deadline_written(m.cpu[0], 5000);
    apic_bus_send(m.bus, &init_message, APIC_TO_DEST, NULL);
    assert_int_equal(m.core[0].deadlines, 1);
    assert_int_equal(m.sim.queue.pending, 0);
    machine_free(&m);
}

static void a_running_timer_survives_a_checkpoint(void **arg)
{
    static const u32 entries[] = {0xec, PERIODIC | 0xec, DEADLINE | 0xec};

    for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
        struct machine m, copy;
        struct error err;

        init(&m, entries[i]);
        run(&m, 12345);
        raise_vector(&m, 0, 0x31);
        wr(&m, 0, R_INITIAL, 100);
        lapic_deadline_written(m.cpu[0], 225);
        run(&m, 5000);
        machine_build(&copy, NULL, NULL);
        if (!machine_copy(&m, &copy, &err))
            fail_msg("%s", err.message);
        assert_true(sim_hash(&m.sim) == sim_hash(&copy.sim));
        assert_true(lapic_deliverable(copy.cpu[0]));
        assert_int_equal(rd(&m, 0, R_CURRENT), rd(&copy, 0, R_CURRENT));
        for (unsigned step = 0; step < 500; step++) {
            run(&m, 777);
            run(&copy, 777);
            assert_int_equal(serve(&m), serve(&copy));
        }
        assert_true(sim_hash(&m.sim) == sim_hash(&copy.sim));
        assert_int_equal(apic(&copy)->n.timer_firings, i == 1 ? 3 : 1);
        machine_free(&m);
        machine_free(&copy);
    }
}

// One hostile change to the state, then whether it can be loaded.
static bool loads_with(void (*spoil)(struct lapic *l))
{
    struct machine m, copy;
    struct error err;
    bool ok;

    init(&m, PERIODIC | 0xec);
    wr(&m, 0, R_INITIAL, 100);
    spoil(apic(&m));
    machine_build(&copy, NULL, NULL);
    ok = machine_copy(&m, &copy, &err);
    machine_free(&m);
    machine_free(&copy);
    return ok;
}

static void spoil_nothing(struct lapic *l)
{
}
static void spoil_zero_cycle(struct lapic *l)
{
    l->st.zero_cycle = 0;
}
static void spoil_initial_count(struct lapic *l)
{
    l->st.initial_count = 0;
}
static void spoil_deadline(struct lapic *l)
{
    l->st.lvt[LVT_TIMER] = DEADLINE | 0xec;
}
static void spoil_mode(struct lapic *l)
{
    l->st.mode = LAPIC_MODES;
}
static void spoil_vector(struct lapic *l)
{
    l->st.irr[0] = 1;
}
static void spoil_divide(struct lapic *l)
{
    l->st.divide = 4;
}
static void spoil_input(struct lapic *l)
{
    l->st.lint[1] = 2;
}
static void spoil_lvt(struct lapic *l)
{
    l->st.lvt[LVT_LINT0] = 1u << 31 | MASKED;
}

static void hostile_states_are_refused(void **arg)
{
    void (*const spoilers[])(struct lapic * l) = {
        spoil_zero_cycle, spoil_initial_count, spoil_deadline, spoil_mode,
        spoil_vector,     spoil_divide,        spoil_input,    spoil_lvt,
    };

    assert_true(loads_with(spoil_nothing));
    for (size_t i = 0; i < ARRAY_SIZE(spoilers); i++)
        if (loads_with(spoilers[i]))
            fail_msg("state %zu was loaded", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_shot_counts_down_and_fires_once),
        cmocka_unit_test(the_divider_has_eight_values),
        cmocka_unit_test(periodic_never_drifts),
        cmocka_unit_test(a_masked_timer_counts_without_interrupt),
        cmocka_unit_test(initial_count_0_stops_it),
        cmocka_unit_test(another_divider_stretches_what_is_left),
        cmocka_unit_test(the_longest_count_is_exact),
        cmocka_unit_test(the_deadline_fires_once_when_the_tsc_is_there),
        cmocka_unit_test(a_deadline_in_the_past_fires_at_once),
        cmocka_unit_test(a_deadline_can_be_moved_and_disarmed),
        cmocka_unit_test(counts_and_deadlines_do_not_mix),
        cmocka_unit_test(init_stops_the_timer),
        cmocka_unit_test(a_running_timer_survives_a_checkpoint),
        cmocka_unit_test(hostile_states_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
