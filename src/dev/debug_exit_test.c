// SPDX-License-Identifier: BSD-3-Clause
#include "dev/debug_exit.h"

#include "dev/test_board.h"

static void a_write_of_any_size_ends_the_run(void **arg)
{
    for (unsigned size = 1; size <= 4; size *= 2) {
        struct fixture x;

        fixture_new(&x, &debug_exit_type);
        fixture_start(&x);
        mmio_write(&x.mmio, 0, size, 0x17);
        assert_int_equal(x.board->st.requests, 1);
        assert_int_equal(x.board->st.request, CONTROL_EXIT);
        assert_int_equal(x.board->st.request_value, 0x17);
        sim_release(&x.sim);
    }
}

static void a_read_gives_zero(void **arg)
{
    struct fixture x;

    fixture_new(&x, &debug_exit_type);
    fixture_start(&x);
    assert_int_equal(mmio_read(&x.mmio, 0, 4), 0);
    assert_int_equal(x.board->st.requests, 0);
    sim_release(&x.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_of_any_size_ends_the_run),
        cmocka_unit_test(a_read_gives_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
