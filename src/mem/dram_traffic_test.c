// SPDX-License-Identifier: BSD-3-Clause
// The DRAM controller under load: every standard, page policy and way of refresh under the timing
// checker, bandwidth, determinism.
#include "mem/dram_test.h"

#include "base/hash.h"

static struct dram_fixture x;

// ---- traffic

struct traffic {
    unsigned writes; // in 256
    u64 area;        // random lines of it, or
    u64 stride;      // one after the other
    unsigned requests;
    tick gap;  // on average
    bool warm; // functional accesses in between
};

static paddr next_address(const struct traffic *t, struct rng *g, unsigned i)
{
    if (t->stride)
        return i * t->stride;
    return rng_below(g, t->area / 64) * 64;
}

// Returns when the last read was done.
static tick run_traffic(const struct traffic *t, u64 seed)
{
    struct rng g = {seed};
    u32 reads = 0;
    tick last = 0, when;

    for (unsigned i = 0; i < t->requests; i++) {
        bool write = rng_below(&g, 256) < t->writes;
        paddr pa = next_address(t, &g, i);
        enum timed_answer answer;

        if (t->warm && rng_below(&g, 8) == 0)
            dram_warm(&x, TIMED_READ, rng_below(&g, t->area));
        for (;;) {
            answer = dram_ask(&x, write ? TIMED_WRITE : TIMED_READ, pa, reads, &when);
            if (answer != TIMED_BUSY)
                break;
            assert_true(when > x.sim.queue.now);
            event_queue_run(&x.sim.queue, when);
        }
        reads += answer == TIMED_PENDING;
        if (t->gap)
            dram_advance(&x, rng_below(&g, 2 * t->gap));
    }
    dram_settle(&x);
    assert_int_equal(x.done_count, reads);
    for (u32 i = 0; i < reads; i++) {
        assert_true(x.done[i] != 0);
        last = MAX(last, x.done[i]);
    }
    assert_int_equal(x.d->n.readReqs + x.d->n.writeReqs, t->requests);
    assert_int_equal(x.d->n.readsDone, reads);
    return last;
}

static void start(const char *standard, const char *policy, const char *refresh, const char *extra,
                  const char *value)
{
    const char *const params[] = {"standard", standard, "page_policy", policy, "refresh",
                                  refresh,    extra,    value,         NULL};

    dram_fixture_new(&x, params);
}

static const char *const policies[] = {"open", "closed", "closed_adaptive", "timeout"};
static const char *const refreshes[] = {"all_bank", "per_bank", "none"};

static void random_traffic_keeps_every_standard_in_every_policy(void **arg)
{
    static const struct traffic mixes[] = {
        {.writes = 64, .area = MiB(64), .requests = 4000},
        {.writes = 128, .area = KiB(64), .requests = 4000, .gap = 3000},
        {.writes = 90, .area = GiB(1), .requests = 2000, .gap = 60000, .warm = true},
        {.writes = 100, .area = MiB(1), .requests = 300, .gap = 3000000},
    };

    for (u32 s = 0; s < dram_standards_count; s++) {
        for (unsigned p = 0; p < ARRAY_SIZE(policies); p++) {
            for (unsigned r = 0; r < ARRAY_SIZE(refreshes); r++) {
                if (r == 1 && !dram_standards[s].refresh_sets)
                    continue;
                for (unsigned m = 0; m < ARRAY_SIZE(mixes); m++) {
                    start(dram_standards[s].name, policies[p], refreshes[r], "ranks",
                          m & 1 ? "2" : "1");
                    run_traffic(&mixes[m], m + 1);
                    assert_true(r == 2 ? x.d->n.refreshes == 0 : x.d->n.refreshes || m < 2);
                    sim_release(&x.sim);
                }
            }
        }
    }
}

static void power_down_keeps_the_rules(void **arg)
{
    static const struct traffic t = {
        .writes = 80, .area = MiB(64), .requests = 2000, .gap = 100000};

    for (u32 s = 0; s < dram_standards_count; s++) {
        for (unsigned p = 0; p < ARRAY_SIZE(policies); p++) {
            const char *const params[] = {"standard",    dram_standards[s].name,
                                          "page_policy", policies[p],
                                          "powerdown",   "60ns",
                                          "ranks",       "2",
                                          NULL};

            dram_fixture_new(&x, params);
            run_traffic(&t, s);
            assert_true(x.d->n.powerDowns > 100);
            sim_release(&x.sim);
        }
    }
}

static void several_channels_and_mappings_keep_the_rules(void **arg)
{
    static const struct traffic t = {.writes = 80, .area = MiB(256), .requests = 5000};
    static const char *const maps[] = {"RoRaBaChCo", "RoCoRaBaCh", "RoRaBaBgCoCh", "ChCoRoRaBgBa"};

    for (unsigned m = 0; m < ARRAY_SIZE(maps); m++) {
        const char *const params[] = {"mapping", maps[m],     "channels", "4", "ranks",
                                      "4",       "bank_hash", "true",     NULL};

        dram_fixture_new(&x, params);
        run_traffic(&t, m);
        sim_release(&x.sim);
    }
}

// ---- bandwidth

static u64 peak_bytes_per_second(const struct dram_standard *s)
{
    return (u64)s->width_bits / 8 * s->beats_per_clock * TICKS_PER_SECOND / s->tCK_ps;
}

static double stream_share_of_peak(const char *standard, const char *policy, unsigned writes)
{
    const struct traffic t = {.writes = writes, .stride = 64, .requests = 20000};
    tick last;
    double share;

    start(standard, policy, "all_bank", "read_queue", "64");
    last = run_traffic(&t, 1);
    share = (double)(x.d->n.bytesRead + x.d->n.bytesWritten) / ((double)last / 1e12) /
            (double)peak_bytes_per_second(x.d->standard);
    assert_true(x.d->n.busTicks <= x.sim.queue.now);
    sim_release(&x.sim);
    return share;
}

static void a_stream_of_reads_comes_near_the_peak_and_never_above(void **arg)
{
    for (u32 s = 0; s < dram_standards_count; s++) {
        // What refreshes leave of it: 1 - tRFC / tREFI is 0.92 to 0.97.
        double share = stream_share_of_peak(dram_standards[s].name, "open", 0);

        if (share < 0.85 || share > 1.0)
            fail_msg("%s: %f of the peak", dram_standards[s].name, share);
    }
}

static void a_mixed_stream_loses_to_turnarounds_only(void **arg)
{
    double share = stream_share_of_peak("ddr4-2400", "open", 85);

    assert_true(share > 0.6 && share < 0.95);
}

static void random_reads_of_closed_rows_are_limited_by_tFAW(void **arg)
{
    static const struct traffic t = {.area = GiB(8), .requests = 20000};
    double per_line;
    tick last;

    // Four activates in 30 ns: not more than one line in 7.5 ns.
    start("ddr3-1600", "closed", "none", "ranks", "1");
    last = run_traffic(&t, 9);
    per_line = (double)last / t.requests;
    assert_true(per_line >= 7500 && per_line < 9500);
    sim_release(&x.sim);
}

static void row_hits_first_is_faster_than_in_order(void **arg)
{
    static const struct traffic t = {.area = KiB(512), .requests = 10000};
    const char *const in_order[] = {"starvation_cap", "1", NULL};
    tick first, second;

    dram_fixture_new(&x, NULL);
    first = run_traffic(&t, 4);
    sim_release(&x.sim);
    dram_fixture_new(&x, in_order);
    second = run_traffic(&t, 4);
    sim_release(&x.sim);
    assert_true(first < second);
}

// ---- determinism and rest

static u64 commands_hash(void)
{
    u64 h = sim_hash(&x.sim);

    for (u32 i = 0; i < x.command_count; i++) {
        h = hash64_more(h, &x.commands[i], sizeof(x.commands[i]));
        h = hash64_more(h, &x.channels[i], sizeof(x.channels[i]));
    }
    return hash64_more(h, x.done, sizeof(x.done));
}

static void the_same_traffic_gives_the_same_commands(void **arg)
{
    static const struct traffic t = {
        .writes = 80, .area = MiB(16), .requests = 5000, .gap = 10000, .warm = true};
    u64 hash[2];

    for (unsigned i = 0; i < 2; i++) {
        start("ddr5-4800", "timeout", "per_bank", "channels", "2");
        run_traffic(&t, 12);
        hash[i] = commands_hash();
        sim_release(&x.sim);
    }
    assert_int_equal(hash[0], hash[1]);
}

// What a channel does at rest is the same, caught up on in small steps or at once.
static void sleep_is_not_seen(void **arg)
{
    for (u32 s = 0; s < dram_standards_count; s++) {
        u64 refreshed[2], asleep[2];
        tick latency[2];

        for (unsigned i = 0; i < 2; i++) {
            start(dram_standards[s].name, "timeout", "all_bank", "powerdown", "100ns");
            dram_read_alone(&x, 0);
            for (unsigned n = 0; n < (i ? 1000 : 1); n++) {
                dram_advance(&x, i ? 1000000 : 1000000000);
                if (i)
                    dram_catch_up(x.d, 0, x.sim.queue.now / x.d->standard->tCK_ps);
            }
            latency[i] = dram_read_alone(&x, 64);
            refreshed[i] = x.d->n.refreshes;
            asleep[i] = x.d->n.powerDownTime;
            sim_release(&x.sim);
        }
        assert_int_equal(latency[0], latency[1]);
        assert_int_equal(refreshed[0], refreshed[1]);
        assert_int_equal(asleep[0], asleep[1]);
    }
}

// ---- checkpoints

static u8 blob[1 << 20];
static tick blob_now;

// Copies the vectors of the state to the blob, or back; the events are not pending.
static void copy_state(bool back)
{
    u8 *at = component_state(&x.d->base), *to = blob;

    for (const struct state_field *f = dram_type.state; f->name; at += f->size, f++) {
        u64 count;
        void *data;
        size_t size;

        if (f->shape != STATE_VECTOR)
            continue;
        memcpy(&count, at, sizeof(count));
        memcpy(&data, at + sizeof(count), sizeof(data));
        size = count * state_kind_size(f->kind);
        assert_true(to + size <= blob + sizeof(blob));
        memcpy(back ? data : to, back ? to : data, size);
        to += size;
    }
}

static u64 later_commands(const struct traffic *t)
{
    u64 h = 0;

    memset(x.done, 0, sizeof(x.done));
    memset(&x.d->n, 0, sizeof(x.d->n));
    x.done_count = x.command_count = 0;
    run_traffic(t, 77);
    for (u32 i = 0; i < x.command_count; i++)
        h = hash64_more(h, &x.commands[i], sizeof(x.commands[i]));
    return hash64_more(h, x.done, sizeof(x.done));
}

static void a_restored_controller_goes_on_as_the_one_that_was_saved(void **arg)
{
    static const struct traffic t = {.writes = 80, .area = MiB(16), .requests = 1000, .gap = 20000};

    for (u32 s = 0; s < dram_standards_count; s++) {
        for (unsigned p = 0; p < 2 * ARRAY_SIZE(policies); p++) {
            const char *refresh = dram_standards[s].refresh_sets && p & 1 ? "per_bank" : "all_bank";
            struct error err;
            u64 hash[2];

            start(dram_standards[s].name, policies[p / 2], refresh, "powerdown", "100ns");
            run_traffic(&t, s);
            dram_advance(&x, p & 1 ? 0 : 10000000); // asleep: in power-down, refreshes due
            dram_catch_up(x.d, 0,
                          (x.sim.queue.now - (p & 1 ? 0 : 5000000)) / x.d->standard->tCK_ps);
            copy_state(false);
            blob_now = x.sim.queue.now;
            hash[0] = later_commands(&t);
            sim_release(&x.sim);
            start(dram_standards[s].name, policies[p / 2], refresh, "powerdown", "100ns");
            x.sim.queue.now = blob_now;
            copy_state(true);
            if (!dram_type.ops->after_load(&x.d->base, &err))
                fail_msg("%s", err.message);
            hash[1] = later_commands(&t);
            sim_release(&x.sim);
            assert_int_equal(hash[0], hash[1]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_traffic_keeps_every_standard_in_every_policy),
        cmocka_unit_test(power_down_keeps_the_rules),
        cmocka_unit_test(several_channels_and_mappings_keep_the_rules),
        cmocka_unit_test(a_stream_of_reads_comes_near_the_peak_and_never_above),
        cmocka_unit_test(a_mixed_stream_loses_to_turnarounds_only),
        cmocka_unit_test(random_reads_of_closed_rows_are_limited_by_tFAW),
        cmocka_unit_test(row_hits_first_is_faster_than_in_order),
        cmocka_unit_test(the_same_traffic_gives_the_same_commands),
        cmocka_unit_test(sleep_is_not_seen),
        cmocka_unit_test(a_restored_controller_goes_on_as_the_one_that_was_saved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
