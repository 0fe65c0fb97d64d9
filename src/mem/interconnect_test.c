// SPDX-License-Identifier: BSD-3-Clause
// The time of ways and of links that others are on, and to which slice a line goes.
#include "mem/cache_test.h"

const struct component_type *const test_extra_types[] = {NULL};

#define L1(name) name " cache next=m.net size=1KiB ways=2 "
#define SLICE(name) name " cache next=m.mem size=4KiB ways=4 "
#define MEMORY "mem mock_memory"

static void a_crossbar_is_one_hop_each_way(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, L1("a"), "net interconnect targets=m.s hop_latency=3 link_width=72", SLICE("s"),
                MEMORY, NULL);
    atomic(&x, "s", TIMED_READ, 0x1000);
    assert_int_equal(timed(&x, "a", TIMED_READ, 0x1000, 0, 1, &when), TIMED_DONE);
    assert_int_equal(when, (2 + 3 + 2 + 3 + 2) * CYCLE);
    assert_int_equal(atomic(&x, "a", TIMED_READ, 0x1400), (2 + 3 + 2 + 60 + 2 + 3 + 2) * CYCLE);
    sim_release(&x.sim);
}

static void a_line_takes_as_many_flits_as_the_link_is_narrow(void **arg)
{
    struct fixture x;
    tick when;

    // 72 bytes with the head: nine flits; the last one comes eight cycles after the first.
    fixture_new(&x, L1("a"), "net interconnect targets=m.s hop_latency=3 link_width=8", SLICE("s"),
                MEMORY, NULL);
    atomic(&x, "s", TIMED_READ, 0x1000);
    assert_int_equal(timed(&x, "a", TIMED_READ, 0x1000, 0, 1, &when), TIMED_DONE);
    assert_int_equal(when, (2 + 3 + 2 + 3 + 8 + 2) * CYCLE);
    sim_release(&x.sim);
}

static void messages_to_one_target_take_turns(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, L1("a"), L1("b"), "net interconnect targets=m.s link_width=72",
                SLICE("s") "ports=4", MEMORY, NULL);
    atomic(&x, "s", TIMED_READ, 0x1000);
    atomic(&x, "s", TIMED_READ, 0x2000);
    assert_int_equal(timed(&x, "a", TIMED_READ, 0x1000, 0, 1, &when), TIMED_DONE);
    assert_int_equal(when, (2 + 1 + 2 + 1 + 2) * CYCLE);
    assert_int_equal(timed(&x, "b", TIMED_READ, 0x2000, 0, 1, &when), TIMED_DONE);
    assert_int_equal(when, (2 + 1 + 1 + 2 + 1 + 2) * CYCLE);
    sim_release(&x.sim);
}

// From the first cache, on node 0, to the slice on each node and back, beyond what it takes on the
// same node.
static void check_hops(const char *net, const u32 *hops, u32 nodes)
{
    struct fixture x;
    tick when;

    fixture_new(&x, L1("a"), net, SLICE("s0"), SLICE("s1"), SLICE("s2"), SLICE("s3"), SLICE("s4"),
                SLICE("s5"), MEMORY, NULL);
    for (u32 i = 0; i < nodes; i++) {
        paddr pa = 0x3000 + i * TIMED_LINE; // 0x3000 / 64 is a multiple of six

        atomic(&x, "net", TIMED_READ, pa);
        assert_int_equal(timed(&x, "a", TIMED_READ, pa, 100000 * (i + 1), 1, &when), TIMED_DONE);
        assert_int_equal(when - 100000 * (i + 1), (2 + 2 + 2 + 2 * hops[i] * 5) * CYCLE);
    }
    sim_release(&x.sim);
}

static void a_ring_takes_the_shorter_way_round(void **arg)
{
    check_hops("net interconnect topology=ring columns=6 hop_latency=5 link_width=72 "
               "targets=m.s0,m.s1,m.s2,m.s3,m.s4,m.s5",
               (const u32[]){0, 1, 2, 3, 2, 1}, 6);
}

static void a_mesh_takes_rows_and_columns(void **arg)
{
    check_hops("net interconnect topology=mesh columns=3 rows=2 hop_latency=5 link_width=72 "
               "targets=m.s0,m.s1,m.s2,m.s3,m.s4,m.s5",
               (const u32[]){0, 1, 2, 1, 2, 3}, 6);
}

static void messages_wait_for_links_that_others_are_on(void **arg)
{
    struct fixture x;
    tick when, first;

    // Both caches are on the left of the slice: b's request goes over the link that a's is on.
    fixture_new(&x, L1("a"), L1("b"),
                "net interconnect topology=ring columns=8 link_width=8 "
                "targets=m.s0,m.s1,m.s2",
                SLICE("s0"), SLICE("s1"), SLICE("s2") "ports=4", MEMORY, NULL);
    atomic(&x, "net", TIMED_READ, 0x3080);
    atomic(&x, "net", TIMED_READ, 0x3140);
    assert_int_equal(timed(&x, "a", TIMED_READ, 0x3080, 0, 1, &first), TIMED_DONE);
    // 2, two hops, 2, then nine flits over two hops, 2.
    assert_int_equal(first, (2 + 2 + 2 + 2 + 8 + 2) * CYCLE);
    // One cycle later than a's on the link from 1 to 2 each way: it leaves a cycle later itself,
    // and its data wait for the nine flits of a's on the first link back.
    assert_int_equal(timed(&x, "b", TIMED_READ, 0x3140, 1000, 1, &when), TIMED_DONE);
    assert_int_equal(when, 1000 + (2 + 1 + 1 + 2 + 8 + 1 + 8 + 2) * CYCLE);
    sim_release(&x.sim);
}

static void lines_are_dealt_out_to_slices(void **arg)
{
    struct fixture x;

    fixture_new(&x, L1("a"), "net interconnect targets=m.s0,m.s1,m.s2 interleave=128", SLICE("s0"),
                SLICE("s1"), SLICE("s2"), MEMORY, NULL);
    for (paddr pa = 0; pa < KiB(12); pa += TIMED_LINE) {
        char name[] = "s0";

        name[1] = (char)('0' + pa / 128 % 3);
        atomic(&x, "a", TIMED_FETCH, pa);
        assert_int_equal(state(&x, name, pa), 'E');
    }
    // All of it is here: every set of the slices is used.
    for (paddr pa = 0; pa < KiB(12); pa += TIMED_LINE) {
        char name[] = "s0";

        name[1] = (char)('0' + pa / 128 % 3);
        assert_int_equal(state(&x, name, pa), 'E');
    }
    sim_release(&x.sim);
}

static void data_of_another_cache_come_directly(void **arg)
{
    struct fixture x;
    tick when;

    fixture_new(&x, L1("a"), L1("b"), "net interconnect targets=m.s hop_latency=7 link_width=72",
                SLICE("s"), MEMORY, NULL);
    atomic(&x, "b", TIMED_WRITE, 0x1000);
    assert_int_equal(timed(&x, "a", TIMED_READ, 0x1000, 0, 1, &when), TIMED_DONE);
    // Three ways, not four.
    assert_int_equal(when, (2 + 7 + 2 + 7 + 2 + 7 + 2) * CYCLE);
    sim_release(&x.sim);
}

static void impossible_interconnects_are_refused(void **arg)
{
    fixture_refused("interleave is not a power of two", L1("a"),
                    "net interconnect targets=m.s interleave=192", SLICE("s"), MEMORY, NULL);
    fixture_refused("needs two nodes", L1("a"),
                    "net interconnect targets=m.s topology=ring columns=1", SLICE("s"), MEMORY,
                    NULL);
    fixture_refused("a ring has no rows", L1("a"),
                    "net interconnect targets=m.s topology=ring rows=2", SLICE("s"), MEMORY, NULL);
    fixture_refused("there is no component 'm.r'", L1("a"), "net interconnect targets=m.s,m.r",
                    SLICE("s"), MEMORY, NULL);
    fixture_refused("leads to memories and to caches", L1("a"),
                    "net interconnect targets=m.s,m.mem", SLICE("s"), MEMORY, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crossbar_is_one_hop_each_way),
        cmocka_unit_test(a_line_takes_as_many_flits_as_the_link_is_narrow),
        cmocka_unit_test(messages_to_one_target_take_turns),
        cmocka_unit_test(a_ring_takes_the_shorter_way_round),
        cmocka_unit_test(a_mesh_takes_rows_and_columns),
        cmocka_unit_test(messages_wait_for_links_that_others_are_on),
        cmocka_unit_test(lines_are_dealt_out_to_slices),
        cmocka_unit_test(data_of_another_cache_come_directly),
        cmocka_unit_test(impossible_interconnects_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
