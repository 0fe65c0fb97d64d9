// SPDX-License-Identifier: BSD-3-Clause
// Published behaviour of each predictor on branches of known predictability: how many of the last
// `N` outcomes are mispredicted once it has learnt.
#include "cpu/bpred/bpred_test_board.h"

enum { N = 4000, WARM = 20000, PC = 0x401234 };

// An outcome as a function of its number.
typedef bool outcome_fn(u64 i, struct rng *rng);

static unsigned wrong_of(const char *settings, outcome_fn *outcome, bool back)
{
    struct bpred_board b;
    struct rng rng = {7};
    unsigned wrong = 0;

    board_init(&b, settings);
    for (u64 i = 0; i < WARM + N; i++) {
        bool bad = warm_conditional(&b, PC, back, outcome(i, &rng));

        wrong += bad && i >= WARM;
    }
    board_release(&b);
    return wrong;
}

static bool always(u64 i, struct rng *rng)
{
    return true;
}
static bool alternating(u64 i, struct rng *rng)
{
    return i & 1;
}
static bool loop_of_10(u64 i, struct rng *rng)
{
    return i % 10 != 9;
}
static bool loop_of_100(u64 i, struct rng *rng)
{
    return i % 100 != 99;
}
static bool at_random(u64 i, struct rng *rng)
{
    return rng_next(rng) >> 63;
}
static bool one_in_ten_at_random(u64 i, struct rng *rng)
{
    return rng_below(rng, 10) == 0;
}
// An arbitrary word over and over.
static bool period_of_12(u64 i, struct rng *rng)
{
    return 0x9b5 >> i % 12 & 1;
}
static bool period_of_50(u64 i, struct rng *rng)
{
    return 0x25a3c69e1b0f7ull >> i % 50 & 1;
}

static void a_branch_that_is_always_taken_is_learnt(void **state)
{
    assert_int_equal(wrong_of(*state, always, true), 0);
}

static void static_prediction_is_by_the_direction_of_the_jump(void **state)
{
    assert_int_equal(wrong_of("direction=static", always, true), 0);
    assert_int_equal(wrong_of("direction=static", always, false), N);
    assert_int_equal(wrong_of("direction=static predictor.rule=taken", always, false), 0);
    assert_int_equal(wrong_of("direction=static predictor.rule=not_taken", always, true), N);
}

static void an_alternating_branch_needs_history(void **state)
{
    assert_in_range(wrong_of("direction=bimodal", alternating, true), N / 2, N);
    assert_int_equal(wrong_of("direction=gshare", alternating, true), 0);
    assert_int_equal(wrong_of("direction=tournament", alternating, true), 0);
    assert_int_equal(wrong_of("direction=perceptron", alternating, true), 0);
    assert_int_equal(wrong_of("direction=tage", alternating, true), 0);
    assert_int_equal(wrong_of("direction=tage_sc_l_8k", alternating, true), 0);
    assert_int_equal(wrong_of("direction=tage_sc_l_64k", alternating, true), 0);
}

static void bimodal_mispredicts_the_end_of_each_loop(void **state)
{
    assert_int_equal(wrong_of("direction=bimodal", loop_of_10, true), N / 10);
    assert_int_equal(wrong_of("direction=bimodal", loop_of_100, true), N / 100);
}

static void a_loop_shorter_than_the_history_is_learnt(void **state)
{
    assert_int_equal(wrong_of(*state, loop_of_10, true), 0);
}

static void a_loop_longer_than_the_history_is_not(void **state)
{
    // gshare's 16 outcomes and the Alpha's 12 are all "taken" before the end.
    assert_int_equal(wrong_of("direction=gshare", loop_of_100, true), N / 100);
    assert_int_equal(wrong_of("direction=tournament", loop_of_100, true), N / 100);
}

static void the_loop_predictor_counts(void **state)
{
    assert_int_equal(wrong_of("direction=bimodal loop=true", loop_of_10, true), 0);
    assert_int_equal(wrong_of("direction=gshare loop=true", loop_of_100, true), 0);
    assert_int_equal(wrong_of("direction=tage_sc_l_8k", loop_of_100, true), 0);
    assert_int_equal(wrong_of("direction=tage_sc_l_64k", loop_of_100, true), 0);
    assert_int_equal(wrong_of("direction=tage", loop_of_100, true), 0); // its history is longer
}

static void a_period_within_the_history_is_learnt(void **state)
{
    assert_int_equal(wrong_of(*state, period_of_12, true), 0);
}

static void a_long_period_is_learnt_by_who_has_the_history(void **state)
{
    assert_int_equal(wrong_of("direction=tage", period_of_50, true), 0);
    assert_int_equal(wrong_of("direction=tage_sc_l_64k", period_of_50, true), 0);
    assert_in_range(wrong_of("direction=bimodal", period_of_50, true), N / 4, N);
}

static void nobody_predicts_random_outcomes(void **state)
{
    assert_in_range(wrong_of(*state, at_random, true), N * 45 / 100, N * 55 / 100);
}

static void a_bias_is_the_best_that_can_be_had_of_noise(void **state)
{
    assert_in_range(wrong_of(*state, one_in_ten_at_random, true), N * 8 / 100, N * 20 / 100);
}

// Of two branches with random outcomes and a third that has the exclusive or of the two.
static unsigned correlated(const char *settings)
{
    struct bpred_board b;
    struct rng rng = {3};
    unsigned wrong = 0;

    board_init(&b, settings);
    for (u64 i = 0; i < WARM + N; i++) {
        bool one = rng_next(&rng) >> 63, two = rng_next(&rng) >> 63, bad;

        warm_conditional(&b, PC, true, one);
        warm_conditional(&b, PC + 10, true, two);
        bad = warm_conditional(&b, PC + 20, true, one ^ two);
        wrong += bad && i >= WARM;
    }
    board_release(&b);
    return wrong;
}

static void correlation_with_other_branches_is_learnt_by_global_history(void **state)
{
    assert_in_range(correlated("direction=bimodal"), N * 4 / 10, N * 6 / 10);
    // A perceptron cannot learn an exclusive or (section 3.4 of the paper).
    assert_in_range(correlated("direction=perceptron"), N * 4 / 10, N * 6 / 10);
    assert_in_range(correlated("direction=gshare predictor.history=4"), 0, N / 50);
    assert_in_range(correlated("direction=tage"), 0, N / 20);
    assert_in_range(correlated("direction=tage_sc_l_8k"), 0, N / 20);
    assert_in_range(correlated("direction=tage_sc_l_64k"), 0, N / 20);
}

// A branch that repeats what another one did `distance` always-taken branches before.
static unsigned far_correlated(const char *settings, unsigned distance)
{
    struct bpred_board b;
    struct rng rng = {3};
    unsigned wrong = 0;

    board_init(&b, settings);
    for (u64 i = 0; i < 3000; i++) {
        bool one = rng_next(&rng) >> 63, bad;

        warm_conditional(&b, PC, true, one);
        for (unsigned k = 0; k < distance; k++)
            warm_conditional(&b, PC + 100, true, true);
        bad = warm_conditional(&b, PC + 20, true, one);
        wrong += bad && i >= 2000;
    }
    board_release(&b);
    return wrong;
}

static void tage_sees_further_than_gshare(void **state)
{
    assert_in_range(far_correlated("direction=gshare", 30), 400, 600);
    assert_in_range(far_correlated("direction=gshare", 150), 400, 600);
    assert_in_range(far_correlated("direction=perceptron", 30), 0, 20);
    assert_in_range(far_correlated("direction=perceptron", 150), 400, 600);
    for (unsigned distance = 30; distance <= 150; distance += 60) {
        assert_in_range(far_correlated("direction=tage", distance), 0, 50);
        assert_in_range(far_correlated("direction=tage_sc_l_8k", distance), 0, 50);
        assert_in_range(far_correlated("direction=tage_sc_l_64k", distance), 0, 50);
    }
}

// ---- targets

static void indirect_targets_in_a_row_are_learnt_by_history(void **state)
{
    static const u8 order[12] = {0, 3, 1, 0, 2, 2, 3, 0, 1, 1, 3, 2};
    static const struct {
        const char *settings;
        unsigned least, most;
    } cases[] = {{"direction=bimodal indirect=ittage", 0, 0},
                 {"direction=bimodal indirect=btb", 500, 1200}};

    for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
        struct bpred_board b;
        unsigned wrong = 0;

        board_init(&b, cases[k].settings);
        for (u64 i = 0; i < 13200; i++) {
            bool bad = warm_indirect(&b, PC, 0x500000 + order[i % 12] * 0x136);

            wrong += bad && i >= 12000;
        }
        assert_in_range(wrong, cases[k].least, cases[k].most);
        assert_int_equal(board_stat(&b, "indirectLookups"), 13200);
        assert_true(board_stat(&b, "indirectMispredicted") >= wrong);
        board_release(&b);
    }
}

static bool warm_call(struct bpred_board *b, vaddr pc, vaddr target)
{
    struct branch br = branch_at(pc, BRANCH_CALL, target);

    return bpred_warm(b->bpred, &br, true, target);
}
static bool warm_return(struct bpred_board *b, vaddr pc, vaddr target)
{
    struct branch br = branch_at(pc, BRANCH_RETURN, 0);

    return bpred_warm(b->bpred, &br, true, target);
}

// Calls `depth` deep and returns; how many returns were mispredicted.
static unsigned nest(struct bpred_board *b, unsigned depth)
{
    unsigned wrong = 0;

    for (unsigned i = 0; i < depth; i++)
        warm_call(b, 0x1000 + i * 64, 0x1000 + i * 64 + 32);
    for (unsigned i = depth; i-- > 0;)
        wrong += warm_return(b, 0x9000, 0x1000 + i * 64 + 4);
    return wrong;
}

static void returns_go_back_to_their_calls(void **state)
{
    struct bpred_board b;

    board_init(&b, "direction=bimodal ras_entries=16");
    assert_int_equal(nest(&b, 1), 0);
    assert_int_equal(nest(&b, 16), 0);
    assert_int_equal(board_stat(&b, "RASUsed"), 17);
    assert_int_equal(board_stat(&b, "RASIncorrect"), 0);
    // The oldest four of twenty are forgotten; then the stack is empty.
    assert_int_equal(nest(&b, 20), 4);
    assert_int_equal(board_stat(&b, "RASIncorrect"), 4);
    board_release(&b);
}

static void a_call_of_the_next_instruction_is_no_call(void **state)
{
    struct bpred_board b;

    board_init(&b, "direction=bimodal");
    warm_call(&b, 0x1000, 0x2000);
    warm_call(&b, 0x2000, 0x2004); // how position-independent code gets its own address
    assert_false(warm_return(&b, 0x2010, 0x1004));
    board_release(&b);
}

static void a_btb_that_is_too_small_forgets_what_was_used_least(void **state)
{
    struct bpred_board b;
    struct branch br;
    struct prediction p;
    unsigned known = 0;

    board_init(&b, "direction=bimodal btb1_entries=8 btb1_ways=8");
    for (unsigned i = 0; i < 9; i++)
        warm_call(&b, 0x1000 + i * 256, 0x8000);
    for (unsigned i = 0; i < 9; i++) {
        br = branch_at(0x1000 + i * 256, BRANCH_CALL, 0x8000);
        bpred_predict(b.bpred, &br, &p);
        known += p.target_known;
        assert_int_equal(p.btb_level, p.target_known);
        assert_int_equal(p.target_known, i > 0);
        bpred_squash(b.bpred, &p);
    }
    assert_int_equal(known, 8);
    board_release(&b);
}

static void btb_levels_report_where_a_branch_was(void **state)
{
    struct bpred_board b;
    struct branch br;
    struct prediction p;
    unsigned levels[4] = {0};

    board_init(&b, "direction=bimodal btb1_entries=4 btb1_ways=4 btb2_entries=8 btb2_ways=8 "
                   "btb3_entries=16 btb3_ways=16");
    for (unsigned i = 0; i < 32; i++)
        warm_call(&b, 0x1000 + i * 256, 0x8000);
    for (unsigned i = 0; i < 32; i++) {
        br = branch_at(0x1000 + i * 256, BRANCH_CALL, 0x8000);
        bpred_predict(b.bpred, &br, &p);
        levels[p.btb_level]++;
        bpred_squash(b.bpred, &p);
    }
    // Each level takes what the one before dropped: 4 + 8 + 16 branches are known.
    assert_int_equal(levels[1], 4);
    assert_int_equal(levels[2], 8);
    assert_int_equal(levels[3], 16);
    assert_int_equal(levels[0], 4);
    // One that is used again comes to the first level.
    warm_call(&b, 0x1000 + 10 * 256, 0x8000);
    br = branch_at(0x1000 + 10 * 256, BRANCH_CALL, 0x8000);
    bpred_predict(b.bpred, &br, &p);
    assert_int_equal(p.btb_level, 1);
    bpred_squash(b.bpred, &p);
    board_release(&b);
}

static void a_target_found_at_decode_is_no_misprediction(void **state)
{
    struct bpred_board b;
    struct branch br = branch_at(0x1000, BRANCH_JUMP, 0x2000);
    struct prediction p;

    board_init(&b, "direction=bimodal");
    bpred_predict(b.bpred, &br, &p);
    assert_true(p.taken);
    assert_false(p.target_known);
    p.target = br.target;
    p.target_known = true;
    assert_false(bpred_resolve(b.bpred, &br, &p, true, 0x2000));
    bpred_commit(b.bpred, &br, &p, true, 0x2000);
    assert_int_equal(board_stat(&b, "mispredicted::DirectUncond"), 0);
    // Without help it is one.
    br.pc = 0x3000;
    bpred_predict(b.bpred, &br, &p);
    assert_true(bpred_resolve(b.bpred, &br, &p, true, 0x2000));
    bpred_commit(b.bpred, &br, &p, true, 0x2000);
    assert_int_equal(board_stat(&b, "BTBMispredicted"), 1);
    board_release(&b);
}

// ---- settings

static void what_cannot_be_built_is_refused(void **state)
{
    static const char *const cases[][2] = {
        {"btb1_entries=1000 btb1_ways=4", "not btb1_ways (4) times a power of two"},
        {"btb3_entries=1024", "btb3_entries without btb2_entries"},
        {"loop=true", "TAGE-SC-L has a loop predictor"},
        {"direction=gshare predictor.entries=1000 predictor.history=4", "no power of two"},
        {"direction=gshare predictor.entries=1024 predictor.history=12", "needs 4096 entries"},
        {"direction=bimodal predictor.history=12", "has no parameter 'history'"},
        {"direction=tagel", "tagel"},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bpred_board b;
        struct error err;

        assert_false(board_try(&b, cases[i][0], &err));
        if (!strstr(err.message, cases[i][1]))
            fail_msg("%s: %s", cases[i][0], err.message);
        board_release(&b);
    }
}

#define FOR_ALL(test)                                             \
    cmocka_unit_test_prestate(test, (void *)"direction=bimodal"), \
        cmocka_unit_test_prestate(test, (void *)"direction=gshare"), FOR_LONG(test)
#define FOR_LONG(test)                                                     \
    cmocka_unit_test_prestate(test, (void *)"direction=tournament"),       \
        cmocka_unit_test_prestate(test, (void *)"direction=perceptron"),   \
        cmocka_unit_test_prestate(test, (void *)"direction=tage"),         \
        cmocka_unit_test_prestate(test, (void *)"direction=tage_sc_l_8k"), \
        cmocka_unit_test_prestate(test, (void *)"direction=tage_sc_l_64k")
#define FOR_HISTORY(test) \
    cmocka_unit_test_prestate(test, (void *)"direction=gshare"), FOR_LONG(test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOR_ALL(a_branch_that_is_always_taken_is_learnt),
        FOR_ALL(nobody_predicts_random_outcomes),
        FOR_ALL(a_bias_is_the_best_that_can_be_had_of_noise),
        FOR_HISTORY(a_loop_shorter_than_the_history_is_learnt),
        FOR_HISTORY(a_period_within_the_history_is_learnt),
        cmocka_unit_test(static_prediction_is_by_the_direction_of_the_jump),
        cmocka_unit_test(an_alternating_branch_needs_history),
        cmocka_unit_test(bimodal_mispredicts_the_end_of_each_loop),
        cmocka_unit_test(a_loop_longer_than_the_history_is_not),
        cmocka_unit_test(the_loop_predictor_counts),
        cmocka_unit_test(a_long_period_is_learnt_by_who_has_the_history),
        cmocka_unit_test(correlation_with_other_branches_is_learnt_by_global_history),
        cmocka_unit_test(tage_sees_further_than_gshare),
        cmocka_unit_test(indirect_targets_in_a_row_are_learnt_by_history),
        cmocka_unit_test(returns_go_back_to_their_calls),
        cmocka_unit_test(a_call_of_the_next_instruction_is_no_call),
        cmocka_unit_test(a_btb_that_is_too_small_forgets_what_was_used_least),
        cmocka_unit_test(btb_levels_report_where_a_branch_was),
        cmocka_unit_test(a_target_found_at_decode_is_no_misprediction),
        cmocka_unit_test(what_cannot_be_built_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
