// SPDX-License-Identifier: BSD-3-Clause
// The DRAM controller: latencies, order, refresh, page policies, refusals. Every command of every
// test goes through the timing checker.
#include "mem/dram_test.h"

#include "sim/checkpoint.h"

static struct dram_fixture x;

// The latencies of the standards' tables, in ps from the first clock edge at which the request can
// be served to the end of its data. From the tables of JESD79-3/-4/-5 and 209-5: tCL and burst,
// tRCD before it, tRP before that.
static const struct {
    const char *standard;
    tick hit, miss, conflict;
} expected[] = {
    {"ddr3-1600", (11 + 4) * 1250, (11 + 11 + 4) * 1250, (11 + 11 + 11 + 4) * 1250},
    {"ddr4-2400", (17 + 4) * 833, (17 + 17 + 4) * 833, (17 + 17 + 17 + 4) * 833},
    {"ddr4-3200", (22 + 4) * 625, (22 + 22 + 4) * 625, (22 + 22 + 22 + 4) * 625},
    {"ddr5-4800", (40 + 8) * 416, (39 + 40 + 8) * 416, (39 + 39 + 40 + 8) * 416},
    // Two bursts a line, tCCD_L apart.
    {"lpddr5-6400", (17 + 2 + 4) * 1250, (15 + 17 + 2 + 4) * 1250, (15 + 15 + 17 + 2 + 4) * 1250},
    {"hbm2-2000", (18 + 2 + 3) * 1000, (12 + 18 + 2 + 3) * 1000, (14 + 12 + 18 + 2 + 3) * 1000},
};

static void start(const char *const *params)
{
    dram_fixture_new(&x, params);
}

static void start_standard(const char *standard, const char *policy)
{
    const char *const params[] = {"standard", standard,  "page_policy", policy, "frontend",
                                  "0",        "backend", "0",           NULL};

    start(params);
}

// Waits for a clock edge, so that a latency is a whole number of clocks.
static void to_edge(void)
{
    u64 tCK = x.d->standard->tCK_ps;

    dram_advance(&x, tCK - x.sim.queue.now % tCK);
}

static paddr at(u32 rank, u32 bank, u32 row, u32 column)
{
    return dram_address_of(x.d, (struct dram_place){0, rank, bank, row, column});
}

static void latencies_are_those_of_the_standards(void **arg)
{
    assert_int_equal(ARRAY_SIZE(expected), dram_standards_count);
    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
        assert_string_equal(expected[i].standard, dram_standards[i].name);
        start_standard(expected[i].standard, "open");
        assert_int_equal(dram_read_alone(&x, at(0, 0, 5, 0)), expected[i].miss);
        dram_advance(&x, 200000);
        to_edge();
        assert_int_equal(dram_read_alone(&x, at(0, 0, 5, 1)), expected[i].hit);
        dram_advance(&x, 200000);
        to_edge();
        assert_int_equal(dram_read_alone(&x, at(0, 0, 6, 1)), expected[i].conflict);
        sim_release(&x.sim);
    }
}

static void a_closed_page_policy_makes_every_read_a_miss(void **arg)
{
    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
        start_standard(expected[i].standard, "closed");
        for (u32 row = 0; row < 4; row++) {
            assert_int_equal(dram_read_alone(&x, at(0, 0, row / 2, row)), expected[i].miss);
            dram_advance(&x, 200000);
            to_edge();
        }
        assert_int_equal(x.d->n.precharges, 0); // they close themselves
        sim_release(&x.sim);
    }
}

static void front_and_back_end_add_their_latencies(void **arg)
{
    const char *const params[] = {"standard", "ddr3-1600", "frontend", "10ns",
                                  "backend",  "7ns",       NULL};

    start(params);
    assert_int_equal(dram_read_alone(&x, 0), 10000 + (11 + 11 + 4) * 1250 + 7000);
    sim_release(&x.sim);
}

static void atomic_accesses_open_rows_and_tell_the_latency_alone(void **arg)
{
    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
        start_standard(expected[i].standard, "open");
        assert_int_equal(dram_warm(&x, TIMED_READ, at(0, 1, 3, 0)), expected[i].miss);
        assert_int_equal(dram_warm(&x, TIMED_READ, at(0, 1, 3, 1)), expected[i].hit);
        assert_int_equal(dram_warm(&x, TIMED_READ, at(0, 1, 4, 1)), expected[i].conflict);
        assert_int_equal(x.command_count, 0);
        assert_int_equal(dram_read_alone(&x, at(0, 1, 4, 2)), expected[i].hit);
        sim_release(&x.sim);
    }
}

static void writes_are_done_when_they_are_queued(void **arg)
{
    tick when;

    start(NULL);
    assert_int_equal(dram_ask(&x, TIMED_WRITE, 0x1000, 1, &when), TIMED_DONE);
    assert_int_equal(when, x.d->p.frontend);
    assert_int_equal(dram_ask(&x, TIMED_DMA_WRITE, 0x2000, 2, &when), TIMED_DONE);
    dram_settle(&x);
    assert_int_equal(x.done_count, 0);
    assert_int_equal(x.d->n.writeBursts, 2);
    assert_int_equal(x.d->n.bytesWritten, 128);
    sim_release(&x.sim);
}

static void prefetches_are_never_pending(void **arg)
{
    tick when;

    start(NULL);
    assert_int_equal(dram_ask(&x, TIMED_PREFETCH, 0x1000, 1, &when), TIMED_DONE);
    dram_settle(&x);
    assert_int_equal(x.done_count, 0);
    assert_int_equal(x.d->n.readBursts, 1);
    sim_release(&x.sim);
}

static void a_read_of_a_queued_write_is_answered_from_the_queue(void **arg)
{
    tick when;

    start(NULL);
    assert_int_equal(dram_ask(&x, TIMED_WRITE, 0x1000, 1, &when), TIMED_DONE);
    assert_int_equal(dram_ask(&x, TIMED_WRITE, 0x1010, 1, &when), TIMED_DONE);
    assert_int_equal(dram_ask(&x, TIMED_READ, 0x1020, 2, &when), TIMED_DONE);
    assert_int_equal(when, x.d->p.frontend + x.d->p.backend);
    dram_settle(&x);
    assert_int_equal(x.d->n.writeBursts, 1);
    assert_int_equal(x.d->n.mergedWrBursts, 1);
    assert_int_equal(x.d->n.servicedByWrQ, 1);
    assert_int_equal(x.d->n.readBursts, 0);
    // Now it is in the devices.
    assert_int_equal(dram_ask(&x, TIMED_READ, 0x1020, 2, &when), TIMED_PENDING);
    dram_settle(&x);
    sim_release(&x.sim);
}

static void row_hits_go_before_older_conflicts(void **arg)
{
    tick when;

    start_standard("ddr4-2400", "open");
    dram_ask(&x, TIMED_READ, at(0, 0, 1, 0), 1, &when);
    dram_ask(&x, TIMED_READ, at(0, 0, 2, 0), 2, &when);
    dram_ask(&x, TIMED_READ, at(0, 0, 1, 1), 3, &when);
    dram_ask(&x, TIMED_READ, at(0, 0, 1, 2), 4, &when);
    dram_settle(&x);
    assert_int_equal(x.order[0], 1);
    assert_int_equal(x.order[1], 3);
    assert_int_equal(x.order[2], 4);
    assert_int_equal(x.order[3], 2);
    assert_int_equal(x.d->n.readRowHits, 2);
    // Same bank group: tCCD_L (6 clocks) apart.
    assert_int_equal(x.done[3] - x.done[1], 6 * 833);
    assert_int_equal(x.done[4] - x.done[3], 6 * 833);
    sim_release(&x.sim);
}

static void hits_to_different_bank_groups_are_a_burst_apart(void **arg)
{
    tick when;

    start_standard("ddr4-2400", "open");
    dram_warm(&x, TIMED_READ, at(0, 0, 1, 0));
    dram_warm(&x, TIMED_READ, at(0, 4, 1, 0));
    dram_ask(&x, TIMED_READ, at(0, 0, 1, 1), 1, &when);
    dram_ask(&x, TIMED_READ, at(0, 4, 1, 1), 2, &when);
    dram_settle(&x);
    assert_int_equal(x.done[2] - x.done[1], 4 * 833);
    sim_release(&x.sim);
}

static void a_request_is_not_passed_more_often_than_the_cap(void **arg)
{
    const char *const params[] = {"starvation_cap", "5", NULL};
    tick when;
    u32 before = 0;

    start(params);
    dram_ask(&x, TIMED_READ, at(0, 0, 1, 0), 1, &when);
    dram_ask(&x, TIMED_READ, at(0, 0, 2, 0), 2, &when);
    for (u32 i = 3; i < 40; i++)
        dram_ask(&x, TIMED_READ, at(0, 0, 1, i), i, &when);
    dram_settle(&x);
    while (x.order[before] != 2)
        before++;
    assert_int_equal(before, 1 + 5);
    assert_int_equal(x.d->n.starved, 1);
    sim_release(&x.sim);
}

static void a_full_read_queue_is_busy_until_one_is_answered(void **arg)
{
    const char *const params[] = {"read_queue", "4", NULL};
    tick when = 0, again;

    start(params);
    for (u32 i = 0; i < 4; i++)
        assert_int_equal(dram_ask(&x, TIMED_READ, i * 64, i, &when), TIMED_PENDING);
    for (u32 i = 0; x.done_count == 0; i++) {
        assert_int_equal(dram_ask(&x, TIMED_READ, 4 * 64, 4, &again), TIMED_BUSY);
        assert_true(again > x.sim.queue.now);
        event_queue_run(&x.sim.queue, again);
        assert_true(i < 100);
    }
    assert_int_equal(dram_ask(&x, TIMED_READ, 4 * 64, 4, &again), TIMED_PENDING);
    dram_settle(&x);
    assert_int_equal(x.done_count, 5);
    assert_true(x.d->n.numRdRetry != 0);
    sim_release(&x.sim);
}

static void a_full_write_queue_is_busy(void **arg)
{
    const char *const params[] = {"write_queue", "16", NULL};
    tick again;

    start(params);
    for (u32 i = 0; i < 16; i++)
        assert_int_equal(dram_ask(&x, TIMED_WRITE, i * 4096, 0, &again), TIMED_DONE);
    assert_int_equal(dram_ask(&x, TIMED_WRITE, 16 * 4096, 0, &again), TIMED_BUSY);
    for (u32 i = 0; dram_ask(&x, TIMED_WRITE, 16 * 4096, 0, &again) == TIMED_BUSY; i++) {
        assert_true(again > x.sim.queue.now && i < 1000);
        event_queue_run(&x.sim.queue, again);
    }
    dram_settle(&x);
    assert_int_equal(x.d->n.writeBursts, 17);
    sim_release(&x.sim);
}

// Writes do not disturb reads until the high watermark; then a batch of them goes first.
static void writes_are_drained_between_the_watermarks(void **arg)
{
    const char *const params[] = {"write_queue", "20",          "write_high", "80", "write_low",
                                  "40",          "write_batch", "4",          NULL};
    tick when;
    u32 writes = 0, reads_after = 0;

    start(params);
    for (u32 i = 0; i < 15; i++)
        dram_ask(&x, TIMED_WRITE, at(0, 1, 7, i), 0, &when);
    for (u32 i = 0; i < 20; i++)
        dram_ask(&x, TIMED_READ, at(0, 0, 1, i), i, &when);
    while (x.d->n.readBursts < 4)
        event_queue_step(&x.sim.queue, ~(tick)0 - 1);
    assert_int_equal(x.d->n.writeBursts, 0);
    dram_ask(&x, TIMED_WRITE, at(0, 1, 7, 15), 0, &when); // the 16th: 80 % of 20
    dram_settle(&x);
    for (u32 i = 0; i < x.command_count; i++) {
        writes += x.commands[i].kind == DRAM_WR;
        if (x.commands[i].kind == DRAM_RD && writes) {
            // Down to the low watermark: 16 - 8 = 8.
            assert_true(writes == 8 || reads_after);
            reads_after++;
        }
    }
    assert_int_equal(writes, 16);
    assert_true(reads_after != 0);
    assert_int_equal(x.d->n.readToWrite, 2);
    sim_release(&x.sim);
}

// Neither starves the other, however fast they come.
static void reads_and_writes_take_turns_when_both_come_too_fast(void **arg)
{
    const char *const params[] = {"read_queue", "16", "write_queue", "32", NULL};
    u64 reads, writes;
    tick when;

    start(params);
    for (u32 i = 0; i < 4000; i++) {
        while (dram_ask(&x, TIMED_WRITE, at(0, i % 16, 7, i / 16 % 128) + MiB(64) * (i / 2048), 0,
                        &when) != TIMED_BUSY)
            i++;
        if (dram_ask(&x, TIMED_READ, at(0, i % 16, 1, i / 16 % 128), i, &when) == TIMED_BUSY)
            event_queue_run(&x.sim.queue, when);
    }
    reads = x.d->n.readsDone;
    writes = x.d->n.writesDone;
    assert_true(reads > 100 && writes > 100);
    assert_true(reads * 4 > writes && writes * 4 > reads);
    dram_settle(&x);
    sim_release(&x.sim);
}

// A write that was begun for want of reads does not keep one waiting.
static void idle_writing_stops_for_a_read(void **arg)
{
    tick when;
    u32 writes = 0;

    start(NULL);
    for (u32 i = 0; i < 20; i++)
        dram_ask(&x, TIMED_WRITE, at(0, 1, 7, i), 0, &when);
    while (x.d->n.writeBursts < 2)
        event_queue_step(&x.sim.queue, ~(tick)0 - 1);
    dram_ask(&x, TIMED_READ, at(0, 5, 1, 0), 1, &when);
    dram_settle(&x);
    for (u32 i = 0; x.commands[i].kind != DRAM_RD; i++)
        writes += x.commands[i].kind == DRAM_WR;
    // Those that were issued before it came to the queue: 10 ns, a write in 5.
    assert_in_range(writes, 2, 5);
    sim_release(&x.sim);
}

static u32 count(u32 kind)
{
    u32 n = 0;

    for (u32 i = 0; i < x.command_count; i++)
        n += x.commands[i].kind == kind;
    return n;
}

static void refreshes_come_at_tREFI_under_load(void **arg)
{
    u64 last = 0;
    u32 refreshes = 0;
    tick when;

    start_standard("ddr4-2400", "open");
    for (u32 i = 0; x.sim.queue.now < 100000000; i++) {
        while (dram_ask(&x, TIMED_READ, (i * 64) % MiB(64), i % TEST_TOKENS, &when) == TIMED_BUSY)
            event_queue_run(&x.sim.queue, when);
        x.done[(i + 1) % TEST_TOKENS] = 0;
        x.done_count = 0;
        x.command_count = MIN(x.command_count, TEST_COMMANDS / 2);
        for (; x.command_count > 1000; x.command_count = 0)
            for (u32 k = 0; k < x.command_count; k++)
                if (x.commands[k].kind == DRAM_REF) {
                    // 7.8 us; a refresh waits a little for open rows to close.
                    assert_in_range(x.commands[k].when - last, 9363 - 200, 9363 + 200);
                    last = x.commands[k].when;
                    refreshes++;
                }
    }
    assert_in_range(refreshes, 11, 12);
    sim_release(&x.sim);
}

static void refreshes_of_an_idle_channel_are_caught_up_on(void **arg)
{
    const char *const params[] = {"standard", "ddr4-2400", "ranks", "2", NULL};

    start(params);
    dram_read_alone(&x, 0);
    dram_advance(&x, 6 * 7800000);
    assert_int_equal(x.sim.queue.pending, 0);
    dram_read_alone(&x, 0);
    assert_int_equal(count(DRAM_REF), 2 * 6);
    // A long rest is no work, yet counted: 7.8 us are 9363 clocks.
    dram_advance(&x, TICKS_PER_SECOND);
    dram_read_alone(&x, 0);
    assert_true(count(DRAM_REF) < 100);
    assert_int_equal(x.d->n.refreshes / 2, x.sim.queue.now / (9363 * 833));
    sim_release(&x.sim);
}

static void a_read_during_a_refresh_waits_for_tRFC(void **arg)
{
    start_standard("ddr4-2400", "open");
    dram_advance(&x, 9363 * 833 + 10 * 833);
    to_edge();
    assert_true(dram_read_alone(&x, 0) > 350000 - 20 * 833);
    sim_release(&x.sim);
}

static void per_bank_refresh_leaves_other_banks_alone(void **arg)
{
    const char *const names[] = {"ddr5-4800", "lpddr5-6400", "hbm2-2000"};

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        const char *const params[] = {"standard", names[i], "refresh", "per_bank", NULL};
        u64 period;

        start(params);
        period = (u64)x.d->t.tREFIpb * x.d->standard->refresh_sets * x.d->standard->tCK_ps;
        for (u32 j = 0; j < 1000; j++) {
            dram_advance(&x, period / 100);
            dram_read_alone(&x, at(0, j % 16, j, 0));
        }
        assert_in_range(count(DRAM_REFPB) * period / x.d->standard->refresh_sets,
                        x.sim.queue.now - period, x.sim.queue.now);
        assert_int_equal(count(DRAM_REF), 0);
        sim_release(&x.sim);
    }
}

static void rows_time_out(void **arg)
{
    const char *const params[] = {"standard",     "ddr3-1600", "page_policy", "timeout",
                                  "page_timeout", "100ns",     "frontend",    "0",
                                  "backend",      "0",         NULL};

    start(params);
    dram_read_alone(&x, at(0, 0, 1, 0));
    to_edge();
    dram_advance(&x, 12 * 1250);
    assert_int_equal(dram_read_alone(&x, at(0, 0, 1, 1)), expected[0].hit);
    to_edge();
    dram_advance(&x, 200 * 1250);
    assert_int_equal(dram_read_alone(&x, at(0, 0, 1, 2)), expected[0].miss);
    assert_int_equal(x.d->n.precharges, 1);
    sim_release(&x.sim);
}

static void an_adaptive_policy_keeps_a_row_that_is_wanted(void **arg)
{
    tick when;

    start_standard("ddr4-2400", "closed_adaptive");
    for (u32 i = 0; i < 4; i++)
        dram_ask(&x, TIMED_READ, at(0, 0, 1, i), i, &when);
    dram_settle(&x);
    assert_int_equal(count(DRAM_ACT), 1);
    assert_int_equal(count(DRAM_RD), 3);
    assert_int_equal(count(DRAM_RDA), 1);
    sim_release(&x.sim);
}

static void a_rank_in_power_down_wakes_in_tXP(void **arg)
{
    const char *const params[] = {"standard", "ddr3-1600", "powerdown", "50ns", "frontend",
                                  "0",        "backend",   "0",         NULL};

    start(params);
    dram_advance(&x, 1000 * 1250);
    // PDX, five clocks of tXP, then as ever.
    assert_int_equal(dram_read_alone(&x, 0), expected[0].miss + 5 * 1250);
    assert_int_equal(count(DRAM_PDE), 1);
    assert_int_equal(count(DRAM_PDX), 1);
    assert_in_range(x.d->n.powerDownTime, (1000 - 41) * 1250, 1000 * 1250);
    dram_advance(&x, 1000000000);
    dram_read_alone(&x, 0);
    // Awake for the refreshes and 50 ns after each.
    assert_in_range(x.d->n.powerDownTime, 940000000, 985000000);
    sim_release(&x.sim);
}

static void draining_finishes_what_is_queued(void **arg)
{
    struct drain_request request = {.why = "test"};
    struct error err;
    tick when;

    start(NULL);
    for (u32 i = 0; i < 30; i++) {
        dram_ask(&x, TIMED_READ, i * 8192, i, &when);
        dram_ask(&x, TIMED_WRITE, i * 8192 + MiB(1), 0, &when);
    }
    assert_false(x.d->base.type->ops->drain(&x.d->base));
    assert_true(drain_now(&x.sim.drain, &request, &err));
    assert_int_equal(x.done_count, 30);
    assert_int_equal(x.d->n.writeBursts, 30);
    assert_int_equal(x.sim.queue.pending, 0);
    drain_resume(&x.sim.drain);
    sim_release(&x.sim);
}

static void every_place_has_one_address(void **arg)
{
    const char *const maps[] = {"RoRaBaCoBgCh", "RoRaBaChCo", "RoCoRaBaCh", "ChRaBgBaRoCo"};

    for (unsigned i = 0; i < 2 * ARRAY_SIZE(maps); i++) {
        const char *const params[] = {"mapping", maps[i / 2], "channels",  "2",
                                      "ranks",   "4",         "bank_hash", i & 1 ? "true" : "false",
                                      NULL};
        struct rng g = {i};

        start(params);
        for (unsigned n = 0; n < 10000; n++) {
            paddr pa = rng_below(&g, dram_capacity(x.d)) & ~(u64)63;
            struct dram_place p = dram_place_of(x.d, pa);

            assert_true(p.channel < 2 && p.rank < 4 && p.bank < 16 && p.row < 65536 &&
                        p.column < 128);
            if (x.d->p.bank_hash)
                p.bank ^= p.row & 15;
            assert_int_equal(dram_address_of(x.d, p), pa);
        }
        assert_int_equal(dram_capacity(x.d), 8 * GiB(8));
        sim_release(&x.sim);
    }
}

static void consecutive_lines_alternate_bank_groups_and_channels(void **arg)
{
    const char *const params[] = {"channels", "2", NULL};

    start(params);
    for (u32 i = 0; i < 8; i++) {
        struct dram_place p = dram_place_of(x.d, i * 64);

        assert_int_equal(p.channel, i % 2);
        assert_int_equal(p.bank / 4, i / 2);
    }
    sim_release(&x.sim);
}

static void impossible_configurations_are_refused(void **arg)
{
    static const char *const cases[][3] = {
        {"channels", "3", "channels and ranks must be powers of two"},
        {"ranks", "6", "channels and ranks must be powers of two"},
        {"mapping", "RoRaBaCoBg", "lacks 'Ch'"},
        {"mapping", "RoRaBaCoBgChRo", "'Ro' is no field"},
        {"mapping", "RoRaBaCoXxCh", "'Xx' is no field"},
        {"mapping", "", "lacks 'Ro'"},
        {"refresh", "per_bank", "ddr4-2400 has no per-bank refresh"},
        {"write_low", "90", "write_low (90) must be less than write_high (85)"},
        {"write_batch", "100", "write_batch (100) is more than the write queue holds (64)"},
        {"size", "16GiB", "16384 MiB are wanted"},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct sim sim;
        struct error err;
        struct component *c;

        sim_init(&sim);
        c = component_new(&sim, &dram_type, NULL, "dram", &err);
        assert_true(component_set(c, cases[i][0], cases[i][1], &err));
        assert_false(sim_build(&sim, &err));
        if (!strstr(err.message, cases[i][2]))
            fail_msg("'%s' lacks '%s'", err.message, cases[i][2]);
        sim_release(&sim);
    }
}

static void any_state_is_refused_or_works(void **arg)
{
    struct rng g = {7};
    struct error err;
    unsigned accepted = 0;
    tick when;

    start(NULL);
    for (unsigned round = 0; round < 3000; round++) {
        const struct state_field *f = x.d->base.type->state;

        sim_reset(&x.sim);
        x.done[0] = 0;
        dram_ask(&x, TIMED_READ, rng_next(&g), 0, &when);
        dram_settle(&x);
        for (unsigned i = 0; i < 3; i++) {
            u64 *words[] = {x.d->st.channels, x.d->st.ranks, x.d->st.groups, x.d->st.banks};
            u64 counts[] = {x.d->st.channels_count, x.d->st.ranks_count, x.d->st.groups_count,
                            x.d->st.banks_count};
            u64 which = rng_below(&g, 4), at = rng_below(&g, counts[which]);

            words[which][at] = rng_next(&g) >> rng_below(&g, 64);
        }
        assert_non_null(f->name);
        x.d->work[0].checker = NULL; // times that never were are no fault of the scheduler
        x.done[0] = 0;
        x.done_count = x.command_count = 0;
        if (!x.d->base.type->ops->after_load(&x.d->base, &err))
            continue;
        accepted++;
        assert_int_equal(dram_ask(&x, TIMED_READ, rng_next(&g), 0, &when), TIMED_PENDING);
        dram_settle(&x);
        assert_int_equal(x.done_count, 1);
    }
    assert_true(accepted > 100);
    sim_release(&x.sim);
}

static void every_number_has_a_source(void **arg)
{
    static const char *const rows[] = {
#define ROW(name) #name,
        DRAM_TIMINGS(ROW)
#undef ROW
            "tCK_ps",
        "rounding",
        "beats_per_clock",
        "burst_beats",
        "width_bits",
        "bank_groups",
        "banks_per_group",
        "rows",
        "columns",
        "refresh_sets",
        "activate_slots",
        "column_slots"};
    unsigned standards = 0, in_this = ARRAY_SIZE(rows);

    for (unsigned i = 0; i < dram_sources_count; i++) {
        const struct dram_source *s = &dram_sources[i];
        unsigned j = 0;

        assert_true(s->source[0] != '\0');
        if (s->standard[0]) {
            assert_int_equal(in_this, ARRAY_SIZE(rows));
            assert_string_equal(s->standard, dram_standards[standards++].name);
            in_this = 0;
            continue;
        }
        while (j < ARRAY_SIZE(rows) && strcmp(rows[j], s->name) != 0)
            j++;
        assert_true(j < ARRAY_SIZE(rows));
        in_this++;
    }
    assert_int_equal(standards, dram_standards_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latencies_are_those_of_the_standards),
        cmocka_unit_test(a_closed_page_policy_makes_every_read_a_miss),
        cmocka_unit_test(front_and_back_end_add_their_latencies),
        cmocka_unit_test(atomic_accesses_open_rows_and_tell_the_latency_alone),
        cmocka_unit_test(writes_are_done_when_they_are_queued),
        cmocka_unit_test(prefetches_are_never_pending),
        cmocka_unit_test(a_read_of_a_queued_write_is_answered_from_the_queue),
        cmocka_unit_test(row_hits_go_before_older_conflicts),
        cmocka_unit_test(hits_to_different_bank_groups_are_a_burst_apart),
        cmocka_unit_test(a_request_is_not_passed_more_often_than_the_cap),
        cmocka_unit_test(a_full_read_queue_is_busy_until_one_is_answered),
        cmocka_unit_test(a_full_write_queue_is_busy),
        cmocka_unit_test(writes_are_drained_between_the_watermarks),
        cmocka_unit_test(reads_and_writes_take_turns_when_both_come_too_fast),
        cmocka_unit_test(idle_writing_stops_for_a_read),
        cmocka_unit_test(refreshes_come_at_tREFI_under_load),
        cmocka_unit_test(refreshes_of_an_idle_channel_are_caught_up_on),
        cmocka_unit_test(a_read_during_a_refresh_waits_for_tRFC),
        cmocka_unit_test(per_bank_refresh_leaves_other_banks_alone),
        cmocka_unit_test(rows_time_out),
        cmocka_unit_test(an_adaptive_policy_keeps_a_row_that_is_wanted),
        cmocka_unit_test(a_rank_in_power_down_wakes_in_tXP),
        cmocka_unit_test(draining_finishes_what_is_queued),
        cmocka_unit_test(every_place_has_one_address),
        cmocka_unit_test(consecutive_lines_alternate_bank_groups_and_channels),
        cmocka_unit_test(impossible_configurations_are_refused),
        cmocka_unit_test(any_state_is_refused_or_works),
        cmocka_unit_test(every_number_has_a_source),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
