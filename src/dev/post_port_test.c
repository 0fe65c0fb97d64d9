// SPDX-License-Identifier: BSD-3-Clause
#include "dev/post_port.h"

#include "dev/test_board.h"

static void it_keeps_the_last_value(void **arg)
{
    struct fixture x;

    fixture_new(&x, &post_port_type);
    fixture_start(&x);
    assert_int_equal(in8(&x, 0), 0);
    out8(&x, 0, 0x12);
    out8(&x, 0, 0xa5);
    assert_int_equal(in8(&x, 0), 0xa5);
    sim_release(&x.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_keeps_the_last_value)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
