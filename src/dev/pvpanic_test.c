// SPDX-License-Identifier: BSD-3-Clause
#include "dev/pvpanic.h"

#include "dev/test_board.h"

static void it_knows_two_events(void **arg)
{
    struct fixture x;

    fixture_new(&x, &pvpanic_type);
    fixture_start(&x);
    assert_int_equal(in8(&x, 0), 3);
    sim_release(&x.sim);
}

static void a_panic_is_reported_with_its_bits(void **arg)
{
    struct fixture x;

    fixture_new(&x, &pvpanic_type);
    fixture_start(&x);
    out8(&x, 0, 0x82);
    assert_int_equal(x.board->st.requests, 1);
    assert_int_equal(x.board->st.request, CONTROL_PANIC);
    assert_int_equal(x.board->st.request_value, 2);
    sim_release(&x.sim);
}

static void unknown_events_are_ignored(void **arg)
{
    struct fixture x;

    fixture_new(&x, &pvpanic_type);
    fixture_start(&x);
    out8(&x, 0, 0x80);
    assert_int_equal(x.board->st.requests, 0);
    sim_release(&x.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_knows_two_events),
        cmocka_unit_test(a_panic_is_reported_with_its_bits),
        cmocka_unit_test(unknown_events_are_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
