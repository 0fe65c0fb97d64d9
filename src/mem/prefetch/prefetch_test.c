// SPDX-License-Identifier: BSD-3-Clause
// The prefetchers on streams whose pattern is known: what they cover, and how much of what they ask
// for is wanted. The fixture checks that none asks for lines beyond the page of the access.
#include "mem/prefetch/prefetch_test.h"

static struct prefetch_fixture x;

static const struct component_type *const all[] = {
    &next_line_prefetcher_type,   &stride_prefetcher_type, &stream_prefetcher_type,
    &best_offset_prefetcher_type, &spp_prefetcher_type,
};

static void start(const struct component_type *type)
{
    prefetch_new(&x, type, NULL);
}

// `lines` apart, from the beginning of memory, until `accesses` are made.
static void run_stride(int lines, unsigned accesses)
{
    paddr from = lines > 0 ? 0 : (paddr)(CACHE_LINES - 1) * TIMED_LINE;

    for (unsigned i = 0; i < accesses; i++)
        prefetch_touch(&x, from + (u64)((i64)i * lines * TIMED_LINE), 0x400000);
}

static void a_sequential_stream_is_covered_by_all(void **arg)
{
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        start(all[i]);
        run_stride(1, 20000);
        if (prefetch_coverage(&x) < 85 || prefetch_accuracy(&x) < 90)
            fail_msg("%s: covers %u, accuracy %u", all[i]->name, (unsigned)prefetch_coverage(&x),
                     (unsigned)prefetch_accuracy(&x));
        sim_release(&x.sim);
    }
}

static void a_stride_of_three_lines_is_found(void **arg)
{
    static const struct component_type *const types[] = {
        &stride_prefetcher_type, &best_offset_prefetcher_type, &spp_prefetcher_type};

    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        start(types[i]);
        run_stride(3, 20000);
        // Of the 21 or 22 of a page, the first cannot be known from within the page.
        if (prefetch_coverage(&x) < 85 || prefetch_accuracy(&x) < 90)
            fail_msg("%s: covers %u, accuracy %u", types[i]->name, (unsigned)prefetch_coverage(&x),
                     (unsigned)prefetch_accuracy(&x));
        sim_release(&x.sim);
    }
    // One line on is never what is wanted.
    start(&next_line_prefetcher_type);
    run_stride(3, 20000);
    assert_int_equal(prefetch_coverage(&x), 0);
    sim_release(&x.sim);
}

static void descending_streams_are_found(void **arg)
{
    static const struct component_type *const types[] = {
        &stride_prefetcher_type, &stream_prefetcher_type, &spp_prefetcher_type};
    static const char *const both[] = {"negative", "true", NULL};

    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        start(types[i]);
        run_stride(-1, 20000);
        if (prefetch_coverage(&x) < 85)
            fail_msg("%s: covers %u", types[i]->name, (unsigned)prefetch_coverage(&x));
        sim_release(&x.sim);
    }
    prefetch_new(&x, &best_offset_prefetcher_type, both);
    run_stride(-2, 60000);
    assert_in_range(prefetch_coverage(&x), 85, 100);
    sim_release(&x.sim);
}

static void random_accesses_give_few_prefetches(void **arg)
{
    static const struct component_type *const types[] = {
        &stride_prefetcher_type, &stream_prefetcher_type, &best_offset_prefetcher_type,
        &spp_prefetcher_type};

    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        struct rng g = {i + 1};

        start(types[i]);
        // Each line at most about once: nothing is learned from lines that are here.
        // Best offset asks for the next line until its first 100 rounds of 52 offsets are over.
        for (unsigned n = 0; n < 20000; n++) {
            x.prefetches = n == 5200 ? 0 : x.prefetches;
            prefetch_touch(&x, rng_below(&g, CACHE_LINES) * TIMED_LINE, 0x400000);
        }
        if (x.prefetches > 20000 / 10)
            fail_msg("%s: %u prefetches", types[i]->name, (unsigned)x.prefetches);
        sim_release(&x.sim);
    }
}

static void interleaved_streams_are_told_apart(void **arg)
{
    static const struct component_type *const types[] = {
        &stride_prefetcher_type, &stream_prefetcher_type, &spp_prefetcher_type};

    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        start(types[i]);
        for (unsigned n = 0; n < 4000; n++)
            for (unsigned s = 0; s < 8; s++)
                prefetch_touch(&x, s * MiB(2) + (n + 8ull * s) * TIMED_LINE, 0x400000 + s * 16);
        assert_in_range(prefetch_coverage(&x), 85, 100);
        assert_in_range(prefetch_accuracy(&x), 85, 100);
        sim_release(&x.sim);
    }
}

// ---- next line

static void next_line_asks_for_degree_lines_at_a_distance(void **arg)
{
    static const char *const params[] = {"degree", "3", "distance", "2", NULL};

    prefetch_new(&x, &next_line_prefetcher_type, params);
    prefetch_touch(&x, 0x10044, 0);
    assert_int_equal(x.last.count, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(x.last.line[i], 0x10040 + (2 + i) * TIMED_LINE);
    prefetch_touch(&x, 0x10044, 0); // a hit of a line that was not prefetched
    assert_int_equal(x.last.count, 0);
    prefetch_touch(&x, 0x10044 + 2 * TIMED_LINE, 0); // first use
    assert_int_equal(x.last.count, 3);
    sim_release(&x.sim);
}

// ---- stride

static void strides_are_learned_per_instruction(void **arg)
{
    static const char *const params[] = {"degree", "2", "distance", "3", NULL};

    prefetch_new(&x, &stride_prefetcher_type, params);
    for (unsigned i = 0; i < 7; i++) {
        prefetch_touch(&x, 0x10000 + i * 256ull, 0x400000);
        prefetch_touch(&x, 0x20000 + i * 128ull, 0x400004);
    }
    assert_int_equal(x.last.count, 2);
    assert_int_equal(x.last.line[0], 0x20000 + 6 * 128 + 3 * 128);
    assert_int_equal(x.last.line[1], 0x20000 + 6 * 128 + 4 * 128);
    prefetch_touch(&x, 0x10000 + 7 * 256, 0x400000);
    assert_int_equal(x.last.line[0], 0x10000 + (7 + 3) * 256);
    // Without an instruction there is nothing to learn.
    prefetch_touch(&x, 0x30000, 0);
    assert_int_equal(x.last.count, 0);
    sim_release(&x.sim);
}

static void strides_within_a_line_ask_for_the_next_lines(void **arg)
{
    start(&stride_prefetcher_type);
    for (unsigned i = 0; i < 8; i++)
        prefetch_touch(&x, 0x10000 + i * 8ull, 0x400000);
    assert_int_equal(x.last.count, 4);
    assert_int_equal(x.last.line[0], 0x10040);
    sim_release(&x.sim);
}

// ---- stream

static void a_stream_is_trained_by_three_misses_and_stays_within_its_distance(void **arg)
{
    static const char *const params[] = {"degree", "2", "distance", "5", NULL};
    u64 ahead = 0;

    prefetch_new(&x, &stream_prefetcher_type, params);
    for (unsigned i = 0; i < 40; i++) {
        prefetch_touch(&x, 0x10000 + i * 64ull, 0);
        assert_int_equal(x.last.count != 0 || i > 3, i >= 2);
        for (u32 k = 0; k < x.last.count; k++)
            ahead = MAX(ahead, (x.last.line[k] - 0x10000) / 64);
        assert_true(ahead <= i + 5);
    }
    assert_int_equal(ahead, 39 + 5);
    sim_release(&x.sim);
}

// ---- best offset

// With lines that come 20 accesses late only offsets of 20 and more are in time.
static void the_best_offset_is_in_time(void **arg)
{
    static const char *const params[] = {"page", "1GiB", NULL};
    struct best_offset_offset {
        u64 least;
    } expected[] = {{1}, {20}};

    for (unsigned i = 0; i < 2; i++) {
        double offset = 0;
        struct stat_set set = {0};
        u64 values[64];

        prefetch_new(&x, &best_offset_prefetcher_type, params);
        x.delay = i ? 20 : 0;
        // The fixture allows only prefetches within 4 KiB: here the lists alone are looked at.
        for (unsigned n = 0; n < 20000; n++) {
            u64 line = n;
            struct prefetch_seen seen = {.pa = line * TIMED_LINE};
            struct prefetch_list list = {0};

            x.ops->notify(x.c, &seen, &list);
            if (n >= x.delay)
                x.ops->filled(x.c, (line - x.delay) * TIMED_LINE, false);
            for (u32 k = 0; k < list.count && n >= x.delay; k++)
                x.ops->filled(x.c, list.line[k] - x.delay * TIMED_LINE, true);
        }
        stat_set_add_tree(&set, x.c);
        assert_true(set.words <= ARRAY_SIZE(values));
        stat_set_take(&set, values);
        assert_true(stat_get(&set, values, "prefetcher.offset", &offset));
        assert_true((u64)offset >= expected[i].least && (u64)offset <= 32);
        stat_set_release(&set);
        sim_release(&x.sim);
    }
}

static void best_offset_stops_when_nothing_is_good(void **arg)
{
    struct rng g = {3};
    u64 before;

    start(&best_offset_prefetcher_type);
    for (unsigned n = 0; n < 20000; n++)
        prefetch_touch(&x, rng_below(&g, CACHE_LINES) * TIMED_LINE, 0);
    before = x.prefetches;
    for (unsigned n = 0; n < 1000; n++)
        prefetch_touch(&x, rng_below(&g, CACHE_LINES) * TIMED_LINE, 0);
    assert_int_equal(x.prefetches, before);
    sim_release(&x.sim);
}

// ---- SPP

static void spp_learns_patterns_of_deltas(void **arg)
{
    start(&spp_prefetcher_type);
    // 1, 2, 1, 2...: no single offset covers it.
    for (u64 line = 0, n = 0; line < CACHE_LINES / 4; line += 1 + n++ % 2)
        prefetch_touch(&x, line * TIMED_LINE, 0);
    assert_in_range(prefetch_coverage(&x), 85, 100);
    assert_in_range(prefetch_accuracy(&x), 90, 100);
    sim_release(&x.sim);
}

static void spp_goes_on_in_the_next_page(void **arg)
{
    u64 second = 0, misses;

    start(&spp_prefetcher_type);
    run_stride(1, 64 * 64);
    misses = x.misses;
    // Once it knows, the second access of a new page is covered by what the page before it knew.
    for (u64 line = 64 * 64; line < 64 * 128; line++) {
        u64 before = x.misses;

        prefetch_touch(&x, line * TIMED_LINE, 0);
        second += line % 64 == 1 && x.misses != before;
    }
    assert_int_equal(second, 0);
    assert_int_equal(x.misses - misses, 64); // the first of each page
    sim_release(&x.sim);
}

static void spp_looks_further_ahead_when_it_is_right(void **arg)
{
    u32 early = 0, late = 0;

    start(&spp_prefetcher_type);
    for (u64 line = 0; line < 64 * 100; line++) {
        u32 ahead = 0;

        prefetch_touch(&x, line * TIMED_LINE, 0);
        for (u32 i = 0; i < x.last.count; i++)
            ahead = MAX(ahead, (u32)(x.last.line[i] / TIMED_LINE - line));
        early = line < 16 ? MAX(early, ahead) : early;
        late = MAX(late, ahead);
    }
    assert_true(early < late && late >= 8);
    sim_release(&x.sim);
}

// ---- all

static void wrong_path_accesses_can_be_left_out(void **arg)
{
    static const char *const params[] = {"train_wrong_path", "false", NULL};

    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        u64 hash;

        prefetch_new(&x, all[i], params);
        hash = sim_hash(&x.sim);
        for (unsigned n = 0; n < 100; n++) {
            struct prefetch_seen seen = {.pa = n * 64ull, .pc = 4, .wrong_path = true};
            struct prefetch_list list = {0};

            x.ops->notify(x.c, &seen, &list);
            assert_int_equal(list.count, 0);
        }
        assert_int_equal(sim_hash(&x.sim), hash);
        sim_release(&x.sim);
    }
}

static void the_same_accesses_give_the_same_state(void **arg)
{
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        u64 hash[2], prefetches[2];

        for (unsigned k = 0; k < 2; k++) {
            struct rng g = {i};

            start(all[i]);
            for (unsigned n = 0; n < 5000; n++)
                prefetch_touch(&x, rng_below(&g, 4096) * TIMED_LINE, 0x400 + rng_below(&g, 64));
            hash[k] = sim_hash(&x.sim);
            prefetches[k] = x.prefetches;
            sim_release(&x.sim);
        }
        assert_int_equal(hash[0], hash[1]);
        assert_int_equal(prefetches[0], prefetches[1]);
    }
}

static void any_state_is_refused_or_works(void **arg)
{
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        struct rng g = {i};
        unsigned accepted = 0;
        struct error err;

        start(all[i]);
        for (unsigned round = 0; round < 400; round++) {
            u8 *at = component_state(x.c);
            const struct component_ops *ops = all[i]->ops;

            sim_reset(&x.sim);
            for (const struct state_field *f = all[i]->state; f->name; at += f->size, f++) {
                const struct state_field one[] = {*f, {0}};

                if (rng_below(&g, 8) == 0)
                    state_randomise(at, one, &g);
            }
            if (ops->after_load && !ops->after_load(x.c, &err))
                continue;
            accepted++;
            for (unsigned n = 0; n < 200; n++) {
                struct prefetch_seen seen = {.pa = rng_next(&g) >> rng_below(&g, 64),
                                             .pc = rng_below(&g, 1000),
                                             .hit = rng_below(&g, 2) != 0};
                struct prefetch_list list = {0};

                x.ops->notify(x.c, &seen, &list);
                assert_true(list.count <= PREFETCH_MAX);
                for (u32 k = 0; k < list.count; k++)
                    assert_int_equal(list.line[k] >> 12, seen.pa >> 12);
                if (x.ops->filled)
                    x.ops->filled(x.c, rng_next(&g), rng_below(&g, 2) != 0);
                if (x.ops->evicted)
                    x.ops->evicted(x.c, rng_next(&g), false);
            }
        }
        assert_true(accepted > 50);
        sim_release(&x.sim);
    }
}

static void impossible_configurations_are_refused(void **arg)
{
    static const struct {
        const struct component_type *type;
        const char *param, *value, *message;
    } cases[] = {
        {&next_line_prefetcher_type, "page", "5KiB", "page must be a power of two"},
        {&stride_prefetcher_type, "sets", "3", "sets must be a power of two"},
        {&stride_prefetcher_type, "threshold", "9", "no confidence comes up to the threshold"},
        {&best_offset_prefetcher_type, "recent", "100", "must be a power of two"},
        {&best_offset_prefetcher_type, "score_bad", "31", "no score is better"},
        {&spp_prefetcher_type, "filter", "1000", "must be powers of two"},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct sim sim;
        struct error err;
        struct component *c;

        sim_init(&sim);
        c = component_new(&sim, cases[i].type, NULL, "prefetcher", &err);
        assert_true(component_set(c, cases[i].param, cases[i].value, &err));
        assert_false(sim_build(&sim, &err));
        assert_non_null(strstr(err.message, cases[i].message));
        sim_release(&sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sequential_stream_is_covered_by_all),
        cmocka_unit_test(a_stride_of_three_lines_is_found),
        cmocka_unit_test(descending_streams_are_found),
        cmocka_unit_test(random_accesses_give_few_prefetches),
        cmocka_unit_test(interleaved_streams_are_told_apart),
        cmocka_unit_test(next_line_asks_for_degree_lines_at_a_distance),
        cmocka_unit_test(strides_are_learned_per_instruction),
        cmocka_unit_test(strides_within_a_line_ask_for_the_next_lines),
        cmocka_unit_test(a_stream_is_trained_by_three_misses_and_stays_within_its_distance),
        cmocka_unit_test(the_best_offset_is_in_time),
        cmocka_unit_test(best_offset_stops_when_nothing_is_good),
        cmocka_unit_test(spp_learns_patterns_of_deltas),
        cmocka_unit_test(spp_goes_on_in_the_next_page),
        cmocka_unit_test(spp_looks_further_ahead_when_it_is_right),
        cmocka_unit_test(wrong_path_accesses_can_be_left_out),
        cmocka_unit_test(the_same_accesses_give_the_same_state),
        cmocka_unit_test(any_state_is_refused_or_works),
        cmocka_unit_test(impossible_configurations_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
