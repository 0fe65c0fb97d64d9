// SPDX-License-Identifier: BSD-3-Clause
// Which way leaves, by hand from the published rules.
#include "mem/replacement/replacement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_LINES = 4096 };

static struct {
    struct replacement r;
    u64 rank[MOST_LINES], shared[REPLACEMENT_SHARED];
} x;

static void start(const struct replacement_ops *ops, u32 sets, u32 ways)
{
    memset(&x, 0, sizeof(x));
    x.r = (struct replacement){
        .ops = ops, .sets = sets, .ways = ways, .rank = x.rank, .shared = x.shared};
    if (ops->reset)
        ops->reset(&x.r, 1);
}

static void fill_all(u32 set)
{
    for (u32 way = 0; way < x.r.ways; way++)
        x.r.ops->fill(&x.r, set, way);
}

// Touches the ways in the text, then says which one leaves.
static u32 after(const char *touches)
{
    for (; *touches; touches++)
        x.r.ops->touch(&x.r, 0, (u32)(*touches - '0'));
    return x.r.ops->victim(&x.r, 0);
}

static void lru_takes_the_one_unused_for_longest(void **arg)
{
    start(&replacement_lru, 2, 4);
    fill_all(0);
    assert_int_equal(after(""), 0);
    assert_int_equal(after("0"), 1);
    assert_int_equal(after("1302"), 1);
    assert_int_equal(after("1"), 3);
    x.r.ops->fill(&x.r, 0, 3);
    assert_int_equal(after(""), 0);
}

static void lru_is_the_same_with_few_and_many_ways(void **arg)
{
    u32 used[16] = {0}, clock = 0;
    u64 random = 1;

    for (u32 ways = 1; ways <= 17; ways++) {
        start(&replacement_lru, 1, ways);
        fill_all(0);
        for (u32 way = 0; way < MIN(ways, 16); way++)
            used[way] = ++clock;
        for (u32 i = 0; ways <= 16 && i < 200; i++) {
            u32 way = (u32)(random >> 33) % ways, oldest = 0;

            x.r.ops->touch(&x.r, 0, way);
            used[way] = ++clock;
            for (u32 k = 1; k < ways; k++)
                oldest = used[k] < used[oldest] ? k : oldest;
            assert_int_equal(x.r.ops->victim(&x.r, 0), oldest);
            assert_true(x.r.ops->good(&x.r));
            random = random * 6364136223846793005u + 1;
        }
        assert_int_equal(ways == 17 ? x.r.ops->victim(&x.r, 0) : 0, 0);
    }
}

static void plru_points_away_from_what_was_touched(void **arg)
{
    start(&replacement_plru, 1, 4);
    // Root to the right half after 0, its left node to 1; the right node still to 2.
    assert_int_equal(after("0"), 2);
    assert_int_equal(after("2"), 1);
    assert_int_equal(after("1"), 3);
    // 3 is touched: the left half; there the last was 1, so 0.
    assert_int_equal(after("3"), 0);
    // Not LRU: 0, 1, 2, 3 in order, then 0 and 1 again: the right half's older one is 2.
    assert_int_equal(after("012301"), 2);
    assert_int_equal(after("02"), 1);
}

static void plru_of_three_ways_has_three_leaves(void **arg)
{
    u32 seen[3] = {0};

    start(&replacement_plru, 1, 3);
    for (u32 i = 0; i < 30; i++) {
        u32 way = x.r.ops->victim(&x.r, 0);

        assert_true(way < 3);
        seen[way]++;
        x.r.ops->fill(&x.r, 0, way);
    }
    assert_true(seen[0] && seen[1] && seen[2]);
}

static void srrip_takes_distant_lines_from_the_left(void **arg)
{
    start(&replacement_srrip, 1, 4);
    fill_all(0);
    assert_int_equal(x.rank[0], 2);
    // All are "long": all age by one, the first leaves.
    assert_int_equal(after(""), 0);
    assert_int_equal(x.rank[3], 3);
    // Hit lines are "near".
    assert_int_equal(after("01"), 2);
    x.r.ops->fill(&x.r, 0, 2);
    assert_int_equal(after(""), 3);
    x.r.ops->fill(&x.r, 0, 3);
    assert_int_equal(after(""), 2);
    assert_int_equal(x.rank[0], 1);
}

static void a_scan_does_not_push_out_what_srrip_saw_twice(void **arg)
{
    start(&replacement_srrip, 1, 4);
    fill_all(0);
    x.r.ops->touch(&x.r, 0, 0);
    for (u32 i = 0; i < 3; i++) {
        u32 way = x.r.ops->victim(&x.r, 0);

        assert_int_not_equal(way, 0);
        x.r.ops->fill(&x.r, 0, way);
    }
}

static void brrip_inserts_far_but_for_one_in_32(void **arg)
{
    u32 near = 0;

    start(&replacement_brrip, 1, 4);
    for (u32 i = 0; i < 320; i++) {
        x.r.ops->fill(&x.r, 0, 1);
        near += x.rank[1] == 2;
    }
    assert_int_equal(near, 10);
}

static void drrip_follows_the_leaders_that_miss_less(void **arg)
{
    start(&replacement_drrip, 1024, 4);
    // Set 2 follows: as SRRIP while BRRIP's leaders (set 1) miss as often.
    x.r.ops->fill(&x.r, 2, 0);
    assert_int_equal(x.rank[2 * 4], 2);
    for (u32 i = 0; i < 10; i++)
        x.r.ops->fill(&x.r, 0, 0);
    x.r.ops->fill(&x.r, 2, 0);
    assert_int_equal(x.rank[2 * 4], 3);
    for (u32 i = 0; i < 10; i++)
        x.r.ops->fill(&x.r, 1, 0);
    x.r.ops->fill(&x.r, 2, 0);
    assert_int_equal(x.rank[2 * 4], 2);
    for (u32 i = 0; i < 5000; i++)
        x.r.ops->fill(&x.r, 32, 0); // a leader, too
    assert_int_equal(x.shared[1], 1023);
}

static void random_is_even_and_the_same_again(void **arg)
{
    u32 first[400], seen[8] = {0};

    for (u32 round = 0; round < 2; round++) {
        start(&replacement_random, 1, 8);
        for (u32 i = 0; i < 400; i++) {
            u32 way = x.r.ops->victim(&x.r, 0);

            assert_true(way < 8);
            seen[way]++;
            if (round == 0)
                first[i] = way;
            assert_int_equal(way, first[i]);
        }
    }
    for (u32 way = 0; way < 8; way++)
        assert_in_range(seen[way], 60, 140);
}

static void touching_twice_is_touching_once(void **arg)
{
    for (u32 i = 0; replacement_policies[i]; i++) {
        u64 rank[16];

        start(replacement_policies[i], 4, 4);
        fill_all(0);
        x.r.ops->touch(&x.r, 0, 2);
        memcpy(rank, x.rank, sizeof(rank));
        x.r.ops->touch(&x.r, 0, 2);
        assert_memory_equal(rank, x.rank, sizeof(rank));
    }
}

static void words_out_of_range_are_found(void **arg)
{
    start(&replacement_srrip, 4, 4);
    assert_true(x.r.ops->good(&x.r));
    x.rank[15] = 4;
    assert_false(x.r.ops->good(&x.r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lru_takes_the_one_unused_for_longest),
        cmocka_unit_test(lru_is_the_same_with_few_and_many_ways),
        cmocka_unit_test(plru_points_away_from_what_was_touched),
        cmocka_unit_test(plru_of_three_ways_has_three_leaves),
        cmocka_unit_test(srrip_takes_distant_lines_from_the_left),
        cmocka_unit_test(a_scan_does_not_push_out_what_srrip_saw_twice),
        cmocka_unit_test(brrip_inserts_far_but_for_one_in_32),
        cmocka_unit_test(drrip_follows_the_leaders_that_miss_less),
        cmocka_unit_test(random_is_even_and_the_same_again),
        cmocka_unit_test(touching_twice_is_touching_once),
        cmocka_unit_test(words_out_of_range_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
