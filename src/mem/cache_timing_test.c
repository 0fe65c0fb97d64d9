// SPDX-License-Identifier: BSD-3-Clause
// Times of a cache, one property a test: what takes how many cycles (of 1000 ticks here), and what
// has to wait for what.
#include "mem/cache_test.h"

const struct component_type *const test_extra_types[] = {NULL};

// Tags 2 cycles, data 3, response 4; the memory 50 cycles.
#define L1 "l1 cache next=m.mem size=1KiB ways=2 tag_latency=2 data_latency=3 response_latency=4 "
#define MEMORY "mem mock_memory latency=50ns"
enum { HIT = 3 * CYCLE, MISS = (2 + 50 + 4) * CYCLE };

static u64 count(struct fixture *x, const char *name, const char *stat)
{
    const struct component *c = at(x, name);
    const u64 *words = component_stats(c);

    for (const struct stat_field *f = c->type->stats; f->name; words += f->words, f++) {
        u64 sum = 0;

        for (u32 i = 0; i < f->words; i++)
            sum += words[i];
        if (strcmp(f->name, stat) == 0)
            return sum;
    }
    fail_msg("%s has no %s", name, stat);
    return 0;
}

static void a_miss_takes_tags_memory_and_response(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, L1, MEMORY, NULL);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x1234, 7000, 1, &when), TIMED_PENDING);
    run(&x);
    assert_int_equal(x.done[1], 7000 + MISS);
    assert_int_equal(count(&x, "l1", "overallMissLatency"), MISS - 4 * CYCLE);
    sim_release(&x.sim);
}

static void a_hit_takes_the_longer_of_tags_and_data(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, L1, MEMORY, NULL);
    atomic(&x, "l1", TIMED_READ, 0x1234);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x1200, 7000, 1, &when), TIMED_DONE);
    assert_int_equal(when, 7000 + HIT);
    assert_int_equal(x.sim.queue.pending, 0);
    sim_release(&x.sim);
}

static void a_sequential_hit_takes_tags_and_data(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, L1 "sequential=true", MEMORY, NULL);
    atomic(&x, "l1", TIMED_READ, 0x1234);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x1200, 7000, 1, &when), TIMED_DONE);
    assert_int_equal(when, 7000 + 5 * CYCLE);
    sim_release(&x.sim);
}

static void a_hit_follows_a_miss(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, L1, MEMORY, NULL);
    assert_int_equal(complete(&x, "l1", TIMED_READ, 0x1234, 0), MISS);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x1238, MISS, 1, &when), TIMED_DONE);
    assert_int_equal(when, MISS + HIT);
    assert_int_equal(count(&x, "l1", "overallHits"), 1);
    assert_int_equal(count(&x, "l1", "overallMisses"), 1);
    sim_release(&x.sim);
}

static void an_atomic_access_takes_what_a_timed_one_takes_alone(void **arg)
{
    struct fixture x;

    fixture_new(&x, L1, MEMORY, NULL);
    assert_int_equal(atomic(&x, "l1", TIMED_READ, 0x1234), MISS);
    assert_int_equal(atomic(&x, "l1", TIMED_READ, 0x1234), HIT);
    assert_int_equal(atomic(&x, "l1", TIMED_WRITE, 0x1234), HIT);
    assert_int_equal(x.sim.queue.pending, 0);
    sim_release(&x.sim);
}

static void misses_of_one_line_share_a_register_and_an_access(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, L1 "mshrs=1", MEMORY, NULL);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x1200, 0, 1, &when), TIMED_PENDING);
    assert_int_equal(timed(&x, "l1", TIMED_WRITE, 0x1208, 5000, 2, &when), TIMED_PENDING);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x1210, 6000, 3, &when), TIMED_PENDING);
    run(&x);
    assert_int_equal(x.done[1], MISS);
    assert_int_equal(x.done[2], MISS);
    assert_int_equal(x.done[3], MISS);
    assert_int_equal(count(&x, "mem", "numReads"), 1);
    assert_int_equal(count(&x, "l1", "overallMshrHits"), 2);
    assert_int_equal(count(&x, "l1", "overallMshrMisses"), 1);
    assert_int_equal(state(&x, "l1", 0x1200), 'M');
    sim_release(&x.sim);
}

static void a_register_takes_so_many_targets(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, L1 "targets=2", MEMORY, NULL);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x1200, 0, 1, &when), TIMED_PENDING);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x1208, 5000, 2, &when), TIMED_PENDING);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x1210, 6000, 3, &when), TIMED_BUSY);
    assert_true(when > 6000);
    run(&x);
    assert_int_equal(x.told, 2);
    sim_release(&x.sim);
}

static void without_a_free_register_the_cache_is_busy(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, L1 "mshrs=2", MEMORY, NULL);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x1000, 0, 1, &when), TIMED_PENDING);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x2000, 1000, 2, &when), TIMED_PENDING);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x3000, 2000, 3, &when), TIMED_BUSY);
    assert_int_equal(state(&x, "l1", 0x3000), 'I');
    assert_int_equal(count(&x, "l1", "overallMisses"), 2);
    // The first one's register is free when its data have come.
    event_queue_run(&x.sim.queue, 52 * CYCLE);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x3000, 52 * CYCLE, 3, &when), TIMED_PENDING);
    run(&x);
    assert_int_equal(x.done[3], 52 * CYCLE + MISS);
    sim_release(&x.sim);
}

static void hits_go_on_under_misses(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, L1 "mshrs=1", MEMORY, NULL);
    atomic(&x, "l1", TIMED_READ, 0x1200);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x1000, 0, 1, &when), TIMED_PENDING);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x1200, 1000, 2, &when), TIMED_DONE);
    assert_int_equal(when, 1000 + HIT);
    sim_release(&x.sim);
}

static void a_cycle_has_as_many_accesses_as_ports(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, L1 "ports=2", MEMORY, NULL);
    atomic(&x, "l1", TIMED_READ, 0x1200);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x1200, 5000, 1, &when), TIMED_DONE);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x1200, 5000, 1, &when), TIMED_DONE);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x1200, 5000, 1, &when), TIMED_BUSY);
    assert_int_equal(when, 6000);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x1200, 6000, 1, &when), TIMED_DONE);
    assert_int_equal(count(&x, "l1", "blockedNoPorts"), 1);
    sim_release(&x.sim);
}

static void a_bank_takes_one_access_a_cycle(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, L1 "ports=4 banks=2", MEMORY, NULL);
    for (paddr pa = 0; pa < 0x100; pa += TIMED_LINE)
        atomic(&x, "l1", TIMED_READ, pa);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x00, 5000, 1, &when), TIMED_DONE);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x40, 5000, 1, &when), TIMED_DONE);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x80, 5000, 1, &when), TIMED_BUSY);
    assert_int_equal(when, 6000);
    sim_release(&x.sim);
}

static void a_dirty_line_is_written_back_when_it_leaves(void **arg)
{
    struct fixture x;

    fixture_new(&x, "l1 cache next=m.mem size=128 ways=1", MEMORY, NULL);
    complete(&x, "l1", TIMED_WRITE, 0x000, 0);
    complete(&x, "l1", TIMED_READ, 0x040, 100000);
    assert_int_equal(count(&x, "mem", "numWrites"), 0);
    complete(&x, "l1", TIMED_READ, 0x080, 200000);
    complete(&x, "l1", TIMED_READ, 0x0c0, 300000);
    assert_int_equal(count(&x, "mem", "numWrites"), 1);
    assert_int_equal(count(&x, "l1", "writebacks"), 1);
    assert_int_equal(count(&x, "l1", "replacements"), 2);
    sim_release(&x.sim);
}

static void full_write_buffers_keep_misses_away(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, "l1 cache next=m.mem size=128 ways=1 write_buffers=1",
                "mem mock_memory latency=50ns queue=1", NULL);
    atomic(&x, "l1", TIMED_WRITE, 0x000);
    atomic(&x, "l1", TIMED_WRITE, 0x040);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x080, 0, 1, &when), TIMED_PENDING);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x0c0, 0, 2, &when), TIMED_BUSY);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x0c0, 1000, 2, &when), TIMED_BUSY);
    assert_int_equal(count(&x, "l1", "blockedNoBuffers"), 1);
    run(&x);
    assert_int_equal(x.told, 1);
    sim_release(&x.sim);
}

#define TWO_LEVELS                                                                              \
    "a cache next=m.l2 size=256 ways=2", "b cache next=m.l2 size=256 ways=2",                   \
        "l2 cache next=m.mem size=4KiB ways=4 tag_latency=5 data_latency=9 response_latency=3", \
        MEMORY

static void a_hit_below_is_known_at_once(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, TWO_LEVELS, NULL);
    atomic(&x, "b", TIMED_FETCH, 0x1000);
    assert_int_equal(timed(&x, "a", TIMED_FETCH, 0x1000, 0, 1, &when), TIMED_DONE);
    assert_int_equal(when, (2 + 9 + 2) * CYCLE);
    assert_int_equal(x.sim.queue.pending, 0);
    // The line is on its way until then.
    assert_int_equal(timed(&x, "a", TIMED_FETCH, 0x1000, 5000, 1, &when), TIMED_DONE);
    assert_int_equal(when, (2 + 9 + 2) * CYCLE);
    assert_int_equal(timed(&x, "a", TIMED_FETCH, 0x1000, 20000, 1, &when), TIMED_DONE);
    assert_int_equal(when, 22000);
    sim_release(&x.sim);
}

static void a_miss_of_two_levels_adds_up(void **arg)
{
    struct fixture x;

    fixture_new(&x, TWO_LEVELS, NULL);
    assert_int_equal(complete(&x, "a", TIMED_READ, 0x1000, 0), (2 + 5 + 50 + 3 + 2) * CYCLE);
    assert_int_equal(atomic(&x, "b", TIMED_READ, 0x2000), (2 + 5 + 50 + 3 + 2) * CYCLE);
    sim_release(&x.sim);
}

static void misses_of_two_caches_share_an_access(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, TWO_LEVELS, NULL);
    assert_int_equal(timed(&x, "a", TIMED_FETCH, 0x1000, 0, 1, &when), TIMED_PENDING);
    assert_int_equal(timed(&x, "b", TIMED_FETCH, 0x1000, 9000, 2, &when), TIMED_PENDING);
    run(&x);
    assert_int_equal(x.done[1], (2 + 5 + 50 + 3 + 2) * CYCLE);
    assert_int_equal(x.done[2], (2 + 5 + 50 + 3 + 2) * CYCLE);
    assert_int_equal(count(&x, "mem", "numReads"), 1);
    sim_release(&x.sim);
}

static void an_upgrade_waits_for_the_other_copies_end(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, TWO_LEVELS, NULL);
    atomic(&x, "a", TIMED_READ, 0x1000);
    atomic(&x, "b", TIMED_READ, 0x1000);
    assert_int_equal(timed(&x, "a", TIMED_WRITE, 0x1000, 0, 1, &when), TIMED_DONE);
    // Tags here 2, below 5, the other's 2, and back 2; no data are read below.
    assert_int_equal(when, (2 + 5 + 2 + 2) * CYCLE);
    assert_int_equal(count(&x, "a", "upgrades"), 1);
    assert_int_equal(count(&x, "b", "invalidations"), 1);
    sim_release(&x.sim);
}

static void a_modified_line_comes_from_the_other_cache(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, "a cache next=m.l2 size=256 ways=2",
                "b cache next=m.l2 size=256 ways=2 tag_latency=4 data_latency=6",
                "l2 cache next=m.mem size=4KiB ways=4 tag_latency=5 data_latency=9", MEMORY, NULL);
    atomic(&x, "b", TIMED_WRITE, 0x1000);
    assert_int_equal(timed(&x, "a", TIMED_READ, 0x1000, 0, 1, &when), TIMED_DONE);
    assert_int_equal(when, (2 + 5 + 6 + 2) * CYCLE);
    assert_int_equal(count(&x, "l2", "cacheToCache"), 1);
    assert_int_equal(count(&x, "mem", "numReads"), 1);
    sim_release(&x.sim);
}

static void requests_of_a_shared_cache_take_turns(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, TWO_LEVELS, NULL);
    atomic(&x, "b", TIMED_FETCH, 0x1000);
    atomic(&x, "b", TIMED_FETCH, 0x1040);
    atomic(&x, "b", TIMED_FETCH, 0x1080);
    atomic(&x, "b", TIMED_FETCH, 0x1100);
    atomic(&x, "b", TIMED_FETCH, 0x1180);
    assert_int_equal(timed(&x, "a", TIMED_FETCH, 0x1000, 0, 1, &when), TIMED_DONE);
    assert_int_equal(when, 13 * CYCLE);
    assert_int_equal(timed(&x, "b", TIMED_FETCH, 0x1000, 0, 1, &when), TIMED_DONE);
    assert_int_equal(when, 14 * CYCLE); // a cycle later at the only port below
    sim_release(&x.sim);
}

static void one_that_runs_ahead_takes_no_earlier_port(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, TWO_LEVELS, NULL);
    atomic(&x, "a", TIMED_FETCH, 0x1000);
    atomic(&x, "b", TIMED_FETCH, 0x1040);
    assert_int_equal(timed(&x, "a", TIMED_FETCH, 0x1040, 9000, 1, &when), TIMED_DONE);
    assert_int_equal(timed(&x, "b", TIMED_FETCH, 0x1000, 3000, 1, &when), TIMED_DONE);
    assert_int_equal(when, 3000 + 13 * CYCLE);
    sim_release(&x.sim);
}

static void software_prefetches_are_never_pending(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, L1, MEMORY, NULL);
    assert_int_equal(timed(&x, "l1", TIMED_PREFETCH, 0x1000, 0, 1, &when), TIMED_DONE);
    assert_int_equal(timed(&x, "l1", TIMED_PREFETCH_WRITE, 0x1000, 1000, 2, &when), TIMED_DONE);
    run(&x);
    assert_int_equal(x.told, 0);
    assert_int_equal(state(&x, "l1", 0x1000), 'E');
    sim_release(&x.sim);
}

static void at_rest_after_all_is_done(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, TWO_LEVELS, NULL);
    assert_true(drained(&x));
    assert_int_equal(timed(&x, "a", TIMED_READ, 0x1000, 0, 1, &when), TIMED_PENDING);
    assert_false(drained(&x));
    run(&x);
    assert_true(drained(&x));
    assert_int_equal(level(&x, "a")->tags[0] & LINE_INFLIGHT, 0);
    assert_int_equal(level(&x, "l2")->unknown, 0);
    sim_release(&x.sim);
}

static void a_reset_forgets_what_is_under_way(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, TWO_LEVELS, NULL);
    assert_int_equal(timed(&x, "a", TIMED_WRITE, 0x1000, 0, 1, &when), TIMED_PENDING);
    event_queue_run(&x.sim.queue, 3 * CYCLE);
    sim_reset(&x.sim);
    run(&x);
    assert_int_equal(x.told, 0);
    assert_true(drained(&x));
    assert_int_equal(complete(&x, "a", TIMED_WRITE, 0x1000, 100 * CYCLE),
                     (100 + 2 + 5 + 50 + 3 + 2) * CYCLE);
    sim_release(&x.sim);
}

static void a_line_that_left_while_under_way_comes_when_its_data_come(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x,
                "l1 cache next=m.mem size=64 ways=1 tag_latency=2 data_latency=3 "
                "response_latency=4 mshrs=2",
                MEMORY, NULL);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x1000, 0, 1, &when), TIMED_PENDING);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x2000, 1000, 2, &when), TIMED_PENDING);
    assert_int_equal(state(&x, "l1", 0x1000), 'I');
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x1000, 2000, 3, &when), TIMED_PENDING);
    assert_int_equal(timed(&x, "l1", TIMED_READ, 0x1000, 3000, 4, &when), TIMED_PENDING);
    run(&x);
    assert_int_equal(x.done[3], MISS);
    assert_int_equal(x.done[4], MISS);
    assert_int_equal(count(&x, "mem", "numReads"), 2);
    sim_release(&x.sim);
}

static void any_address_will_do(void **arg)
{
    struct fixture x;
    paddr pa = 0xf123456789abcdef;

    fixture_new(&x, TWO_LEVELS, NULL);
    complete(&x, "a", TIMED_WRITE, pa, 0);
    complete(&x, "a", TIMED_DMA_WRITE, pa + 64, 200 * CYCLE);
    assert_true(port(&x, "a")->probe(at(&x, "a"), pa));
    for (u32 i = 0; i < 64; i++)
        atomic(&x, "b", TIMED_WRITE, pa + i * KiB(4));
    assert_false(port(&x, "a")->probe(at(&x, "a"), pa));
    sim_release(&x.sim);
}

static void wrong_paths_are_counted_apart(void **arg)
{
    struct fixture x;
    struct timed_access a = {.pa = 0x1000, .wrong_path = true};

    fixture_new(&x, L1, MEMORY, NULL);
    port(&x, "l1")->atomic(at(&x, "l1"), &a);
    port(&x, "l1")->atomic(at(&x, "l1"), &a);
    assert_int_equal(count(&x, "l1", "wrongPathMisses"), 1);
    assert_int_equal(count(&x, "l1", "wrongPathHits"), 1);
    assert_int_equal(count(&x, "l1", "overallMisses") + count(&x, "l1", "overallHits"), 0);
    sim_release(&x.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_miss_takes_tags_memory_and_response),
        cmocka_unit_test(a_hit_takes_the_longer_of_tags_and_data),
        cmocka_unit_test(a_sequential_hit_takes_tags_and_data),
        cmocka_unit_test(a_hit_follows_a_miss),
        cmocka_unit_test(an_atomic_access_takes_what_a_timed_one_takes_alone),
        cmocka_unit_test(misses_of_one_line_share_a_register_and_an_access),
        cmocka_unit_test(a_register_takes_so_many_targets),
        cmocka_unit_test(without_a_free_register_the_cache_is_busy),
        cmocka_unit_test(hits_go_on_under_misses),
        cmocka_unit_test(a_cycle_has_as_many_accesses_as_ports),
        cmocka_unit_test(a_bank_takes_one_access_a_cycle),
        cmocka_unit_test(a_dirty_line_is_written_back_when_it_leaves),
        cmocka_unit_test(full_write_buffers_keep_misses_away),
        cmocka_unit_test(a_hit_below_is_known_at_once),
        cmocka_unit_test(a_miss_of_two_levels_adds_up),
        cmocka_unit_test(misses_of_two_caches_share_an_access),
        cmocka_unit_test(an_upgrade_waits_for_the_other_copies_end),
        cmocka_unit_test(a_modified_line_comes_from_the_other_cache),
        cmocka_unit_test(requests_of_a_shared_cache_take_turns),
        cmocka_unit_test(one_that_runs_ahead_takes_no_earlier_port),
        cmocka_unit_test(software_prefetches_are_never_pending),
        cmocka_unit_test(at_rest_after_all_is_done),
        cmocka_unit_test(a_reset_forgets_what_is_under_way),
        cmocka_unit_test(a_line_that_left_while_under_way_comes_when_its_data_come),
        cmocka_unit_test(any_address_will_do),
        cmocka_unit_test(wrong_paths_are_counted_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
