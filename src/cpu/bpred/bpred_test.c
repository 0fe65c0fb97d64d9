// SPDX-License-Identifier: BSD-3-Clause
// Published behaviour of each predictor on branches of known predictability.
#include "cpu/bpred/bpred_test_board.h"

static void always_taken_is_learnt(void **state)
{
    struct bpred_board b;
    unsigned wrong = 0;

    board_init(&b, *state);
    for (int i = 0; i < 1000; i++)
        wrong += warm_conditional(&b, 0x400100, true, true);
    assert_in_range(wrong, 1, 30);
    board_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(always_taken_is_learnt, "direction=bimodal"),
        cmocka_unit_test_prestate(always_taken_is_learnt, "direction=gshare"),
        cmocka_unit_test_prestate(always_taken_is_learnt, "direction=tournament"),
        cmocka_unit_test_prestate(always_taken_is_learnt, "direction=perceptron"),
        cmocka_unit_test_prestate(always_taken_is_learnt, "direction=tage"),
        cmocka_unit_test_prestate(always_taken_is_learnt, "direction=tage_sc_l_8k"),
        cmocka_unit_test_prestate(always_taken_is_learnt, "direction=tage_sc_l_64k"),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
