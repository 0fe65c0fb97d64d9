// SPDX-License-Identifier: BSD-3-Clause
// Store sets as the paper has them.
#include "cpu/memdep.h"

#include "sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { LOAD = 0x401000, LOAD2 = 0x402004, STORE = 0x401020, STORE2 = 0x403048 };

static struct component *setup(struct sim *sim, const char *period)
{
    struct component *c;
    struct error err;

    sim_init(sim);
    c = component_new(sim, &memdep_type, NULL, "memdep", &err);
    assert_non_null(c);
    assert_true(component_set(c, "clear_period", period, &err));
    assert_true(sim_build(sim, &err));
    sim_reset(sim);
    return c;
}

static void a_load_waits_for_nothing_until_it_was_too_early(void **state)
{
    struct sim sim;
    struct component *c = setup(&sim, "0");

    assert_int_equal(memdep_store(c, STORE, 1), MEMDEP_NONE);
    assert_int_equal(memdep_load(c, LOAD), MEMDEP_NONE);
    memdep_violation(c, LOAD, STORE);
    assert_int_equal(memdep_load(c, LOAD), MEMDEP_NONE); // no store is in flight
    assert_int_equal(memdep_store(c, STORE, 2), MEMDEP_NONE);
    assert_int_equal(memdep_load(c, LOAD), 2);
    assert_int_equal(memdep_load(c, LOAD2), MEMDEP_NONE);
    sim_release(&sim);
}

static void nobody_waits_for_a_store_that_is_done(void **state)
{
    struct sim sim;
    struct component *c = setup(&sim, "0");

    memdep_violation(c, LOAD, STORE);
    memdep_store(c, STORE, 5);
    memdep_store_done(c, 5);
    assert_int_equal(memdep_load(c, LOAD), MEMDEP_NONE);
    // A younger one is waited for, whatever becomes of the older one.
    memdep_store(c, STORE, 6);
    assert_int_equal(memdep_store(c, STORE, 7), 6);
    memdep_store_done(c, 6);
    assert_int_equal(memdep_load(c, LOAD), 7);
    sim_release(&sim);
}

static void a_store_is_done_in_the_set_it_had(void **state)
{
    struct sim sim;
    struct component *c = setup(&sim, "0");

    memdep_violation(c, LOAD2, STORE2);
    memdep_store(c, STORE2, 1);
    memdep_violation(c, LOAD, STORE2); // its store moves, or the load joins
    memdep_violation(c, LOAD, STORE);
    memdep_store_done(c, 1);
    assert_int_equal(memdep_load(c, LOAD), MEMDEP_NONE);
    assert_int_equal(memdep_load(c, LOAD2), MEMDEP_NONE);
    sim_release(&sim);
}

static void a_set_has_several_stores_which_stay_in_order(void **state)
{
    struct sim sim;
    struct component *c = setup(&sim, "0");

    memdep_violation(c, LOAD, STORE);
    memdep_violation(c, LOAD, STORE2);
    assert_int_equal(memdep_store(c, STORE, 1), MEMDEP_NONE);
    assert_int_equal(memdep_store(c, STORE2, 2), 1);
    assert_int_equal(memdep_load(c, LOAD), 2);
    sim_release(&sim);
}

static void two_sets_become_one(void **state)
{
    struct sim sim;
    struct component *c = setup(&sim, "0");

    memdep_violation(c, LOAD, STORE);
    memdep_violation(c, LOAD2, STORE2);
    memdep_store(c, STORE, 1);
    assert_int_equal(memdep_load(c, LOAD2), MEMDEP_NONE);
    memdep_violation(c, LOAD2, STORE);
    memdep_store(c, STORE, 3);
    assert_int_equal(memdep_load(c, LOAD2), 3);
    sim_release(&sim);
}

static void sets_are_dissolved_after_the_period(void **state)
{
    struct sim sim;
    struct component *c = setup(&sim, "10");

    memdep_violation(c, LOAD, STORE);
    for (u32 i = 0; i < 4; i++) {
        memdep_store(c, STORE, i);
        assert_int_equal(memdep_load(c, LOAD), i);
    }
    memdep_load(c, LOAD2);
    memdep_load(c, LOAD2); // the tenth access
    memdep_store(c, STORE, 9);
    assert_int_equal(memdep_load(c, LOAD), MEMDEP_NONE);
    sim_release(&sim);
}

static void a_saved_set_number_must_exist(void **state)
{
    struct sim sim;
    struct component *c = setup(&sim, "10");
    size_t at;
    struct error err;
    u16 *ssit;

    assert_non_null(state_find(memdep_type.state, "ssit", &at));
    memcpy(&ssit, (u8 *)component_state(c) + at + sizeof(u64), sizeof(ssit));
    ssit[17] = 128;
    assert_true(memdep_type.ops->after_load(c, &err));
    ssit[17] = 129;
    assert_false(memdep_type.ops->after_load(c, &err));
    sim_release(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_waits_for_nothing_until_it_was_too_early),
        cmocka_unit_test(nobody_waits_for_a_store_that_is_done),
        cmocka_unit_test(a_store_is_done_in_the_set_it_had),
        cmocka_unit_test(a_set_has_several_stores_which_stay_in_order),
        cmocka_unit_test(two_sets_become_one),
        cmocka_unit_test(sets_are_dissolved_after_the_period),
        cmocka_unit_test(a_saved_set_number_must_exist),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
