// SPDX-License-Identifier: BSD-3-Clause
// Caches, TLBs, prefetchers and DRAM together, under the coherence and the timing checker.
#include "base/rng.h"
#include "mem/cache_test.h"
#include "mem/dram.h"
#include "mem/prefetch/prefetchers.h"
#include "mem/tlb.h"

#include <stdlib.h>

const struct component_type *const test_extra_types[] = {
    &dram_type,
    &tlb_type,
    &next_line_prefetcher_type,
    &stride_prefetcher_type,
    &stream_prefetcher_type,
    &best_offset_prefetcher_type,
    &spp_prefetcher_type,
    NULL,
};

static struct fixture x;
static const struct timed_port_ops *l1;
static const struct timed_tlb_ops *dtlb;
static struct component *l1_component, *dtlb_component;

static bool walk_tables(struct timed_walker *w, vaddr va, struct timed_walk *ret)
{
    ret->page_shift = 12;
    ret->levels = 4;
    for (unsigned i = 0; i < 4; i++)
        ret->entry[i] = GiB(1) + ((paddr)i << 24) + (va >> (39 - 9 * i) << 3 & 0xffffff);
    return true;
}

static void start(const char *dram, const char *prefetcher)
{
    char text[128];
    struct error err;

    snprintf(text, sizeof(text), "prefetcher %s", prefetcher);
    fixture_new(&x, "l1 cache next=m.l2 size=16KiB ways=4",
                "l2 cache next=m.mem size=256KiB ways=8 prefetcher=m.prefetcher", text,
                "dtlb tlb next=m.stlb entries=16 ways=4", "stlb tlb port=m.l2 entries=64 latency=5",
                dram, NULL);
    l1_component = component_lookup(&x.sim, "m.l1", &err);
    dtlb_component = component_lookup(&x.sim, "m.dtlb", &err);
    l1 = component_interface(l1_component, "timed_port");
    dtlb = component_interface(dtlb_component, "timed_tlb");
}

// A translation or an access; waits until it is taken.
static void run_once(u32 token, struct rng *g, vaddr va, bool translate)
{
    struct timed_walker walker = {walk_tables};
    struct timed_access a = {.pa = va, .pc = 0x400000, .kind = TIMED_READ};
    enum timed_answer answer;
    tick when;

    a.kind = rng_below(g, 3) ? TIMED_READ : TIMED_WRITE;
    x.done[token] = 0;
    for (;;) {
        tick now = x.sim.queue.now;

        if (translate)
            answer = dtlb->access(dtlb_component, va, va & ~(vaddr)0xfff, now, &walker, &x.client,
                                  token, &when);
        else
            answer = l1->access(l1_component, &a, now, &x.client, token, &when);
        if (answer != TIMED_BUSY)
            break;
        assert_true(when > now);
        event_queue_run(&x.sim.queue, when);
    }
    if (answer == TIMED_DONE)
        x.done[token] = when;
}

static u64 run_traffic(unsigned accesses, u64 area)
{
    struct drain_request request = {.why = "test"};
    struct rng g = {11};
    struct error err;

    for (unsigned i = 0; i < accesses; i++) {
        vaddr va = rng_below(&g, 4) ? i % (area / 16) * 16 : rng_below(&g, area);

        // Not more than the tokens that there are.
        while (i >= TOKENS && !x.done[i % TOKENS])
            assert_true(event_queue_step(&x.sim.queue, ~(tick)0 - 1));
        run_once(i % TOKENS, &g, va, rng_below(&g, 4) == 0);
        if (rng_below(&g, 16) == 0)
            event_queue_run(&x.sim.queue, x.sim.queue.now + rng_below(&g, 200000));
    }
    assert_true(drain_now(&x.sim.drain, &request, &err));
    for (u32 i = 0; i < TOKENS; i++)
        assert_true(x.done[i] != 0);
    drain_resume(&x.sim.drain);
    return sim_hash(&x.sim);
}

static double stat(const char *name)
{
    struct stat_set set = {0};
    u64 *values;
    double value = 0;

    stat_set_add_tree(&set, x.sim.root);
    values = calloc(set.words, sizeof(*values));
    assert_non_null(values);
    stat_set_take(&set, values);
    if (!stat_get(&set, values, name, &value))
        fail_msg("there is no statistic %s", name);
    free(values);
    stat_set_release(&set);
    return value;
}

static void all_parts_work_together_and_come_to_rest(void **arg)
{
    static const char *const memories[] = {
        "mem dram standard=ddr4-2400 check=true",
        "mem dram standard=ddr5-4800 check=true channels=2 refresh=per_bank page_policy=timeout",
        "mem dram standard=hbm2-2000 check=true channels=4 page_policy=closed_adaptive",
        ("mem dram standard=lpddr5-6400 check=true ranks=2 powerdown=100ns read_queue=4 "
         "write_batch=4"),
    };
    static const char *const prefetchers[] = {"next_line_prefetcher", "stride_prefetcher",
                                              "stream_prefetcher", "best_offset_prefetcher",
                                              "spp_prefetcher"};

    for (unsigned m = 0; m < ARRAY_SIZE(memories); m++) {
        for (unsigned p = 0; p < ARRAY_SIZE(prefetchers); p++) {
            u64 hash;

            start(memories[m], prefetchers[p]);
            hash = run_traffic(5000, MiB(1));
            assert_int_equal(x.sim.queue.pending, 0);
            assert_true(stat("m.stlb.walks") > 0 && stat("m.prefetcher.wanted") > 0);
            assert_true(stat("m.mem.bytesWritten") > 0 && stat("m.mem.bytesRead") > 0);
            sim_release(&x.sim);
            start(memories[m], prefetchers[p]);
            assert_true(run_traffic(5000, MiB(1)) == hash);
            sim_release(&x.sim);
        }
    }
}

// A stream of reads through caches and DRAM takes less time with a prefetcher.
static void prefetchers_shorten_a_stream(void **arg)
{
    static const char *const prefetchers[] = {"next_line_prefetcher degree=2",
                                              "stride_prefetcher degree=4", "stream_prefetcher",
                                              "best_offset_prefetcher", "spp_prefetcher"};
    tick without = 0;

    // The table is too small for anything to be learned: no prefetcher.
    for (unsigned p = 0; p <= ARRAY_SIZE(prefetchers); p++) {
        struct rng g = {1};

        start("mem dram standard=ddr4-2400 check=true",
              p ? prefetchers[p - 1] : "stride_prefetcher threshold=7 penalty=255 sets=1 ways=1");
        for (unsigned i = 0; i < 20000; i++) {
            struct timed_access a = {.pa = i * 64ull, .pc = p ? 0x400000 : 0, .kind = TIMED_READ};
            tick when;

            x.done[0] = 0;
            if (l1->access(l1_component, &a, x.sim.queue.now, &x.client, 0, &when) == TIMED_DONE)
                event_queue_run(&x.sim.queue, when);
            while (!x.done[0] && x.sim.queue.now != when)
                assert_true(event_queue_step(&x.sim.queue, ~(tick)0 - 1));
            event_queue_run(&x.sim.queue, x.sim.queue.now + rng_below(&g, 40000));
        }
        if (!p)
            without = x.sim.queue.now;
        else if (x.sim.queue.now > without * 8 / 10)
            fail_msg("%s: %f of the time without", prefetchers[p - 1],
                     (double)x.sim.queue.now / (double)without);
        sim_release(&x.sim);
    }
}

// A chain of dependent reads: the whole latency of each level.
static void a_miss_of_all_caches_takes_the_sum_of_latencies(void **arg)
{
    struct timed_access a = {.pa = MiB(3), .kind = TIMED_READ};
    tick when;

    start("mem dram standard=ddr3-1600 frontend=0 backend=0", "stride_prefetcher");
    assert_int_equal(l1->access(l1_component, &a, 0, &x.client, 0, &when), TIMED_PENDING);
    while (event_queue_step(&x.sim.queue, ~(tick)0 - 1))
        ;
    // Tags of L1 and L2, 2 cycles each; a closed row: 11 + 11 + 4 clocks of 1.25 ns from the next
    // edge; the responses of L2 and L1, 2 cycles each.
    assert_int_equal(x.done[0], 5000 + 26 * 1250 + 4000);
    sim_release(&x.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_parts_work_together_and_come_to_rest),
        cmocka_unit_test(prefetchers_shorten_a_stream),
        cmocka_unit_test(a_miss_of_all_caches_takes_the_sum_of_latencies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
