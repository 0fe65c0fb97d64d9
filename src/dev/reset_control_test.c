// SPDX-License-Identifier: BSD-3-Clause
#include "dev/reset_control.h"

#include "dev/test_board.h"

static void start(struct fixture *x)
{
    fixture_new(x, &reset_control_type);
    fixture_start(x);
}

// Linux: native_machine_emergency_restart() writes the kind of reset first, then it with bit 2.
static void bit_2_resets_when_it_becomes_one(void **arg)
{
    struct fixture x;

    start(&x);
    out8(&x, 0, 0x02);
    assert_int_equal(x.board->st.requests, 0);
    out8(&x, 0, 0x06);
    assert_int_equal(x.board->st.requests, 1);
    assert_int_equal(x.board->st.request, CONTROL_RESET);
    out8(&x, 0, 0x06);
    assert_int_equal(x.board->st.requests, 1);
    sim_release(&x.sim);
}

static void it_keeps_its_bits(void **arg)
{
    struct fixture x;

    start(&x);
    assert_int_equal(in8(&x, 0), 0);
    out8(&x, 0, 0xfb);
    assert_int_equal(in8(&x, 0), 0x0a);
    sim_release(&x.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bit_2_resets_when_it_becomes_one),
        cmocka_unit_test(it_keeps_its_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
