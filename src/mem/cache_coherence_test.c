// SPDX-License-Identifier: BSD-3-Clause
// States: MESI and MOESI as a table of accesses and what they leave, in each kind of coherence
// point, atomic and timed; and what inclusion and exclusion mean.
#include "base/rng.h"
#include "mem/cache_test.h"

const struct component_type *const test_extra_types[] = {NULL};

// Accesses: a cache (a, b, c) or device (d) and what it does (R read, F fetch, W write, P and X
// prefetch to read and to write, E the line has to leave). Then the states of a, b and c.
struct row {
    const char *accesses, *mesi, *moesi;
};

static const struct row table[] = {
    {"aR", "EII", "EII"},       {"aF", "SII", "SII"},          {"aP", "EII", "EII"},
    {"aX", "EII", "EII"},       {"aW", "MII", "MII"},          {"aR aW", "MII", "MII"},
    {"aX aW", "MII", "MII"},    {"aF aW", "MII", "MII"},       {"aW aR", "MII", "MII"},
    {"aR bR", "SSI", "SSI"},    {"aF bR", "SSI", "SSI"},       {"aR bF", "SSI", "SSI"},
    {"aX bR", "SSI", "SSI"},    {"aR bR cR", "SSS", "SSS"},    {"aR bR cW", "IIM", "IIM"},
    {"aR bR aW", "MII", "MII"}, {"aR bR bX", "IEI", "IEI"},    {"aW bR", "SSI", "OSI"},
    {"aW bF", "SSI", "OSI"},    {"aW bP", "SSI", "OSI"},       {"aW bR cR", "SSS", "OSS"},
    {"aW bW", "IMI", "IMI"},    {"aW bR bW", "IMI", "IMI"},    {"aW bR aW", "MII", "MII"},
    {"aW bR cW", "IIM", "IIM"}, {"aW bW cR", "ISS", "IOS"},    {"aW aE", "III", "III"},
    {"aW aE aR", "EII", "EII"}, {"aR bR aE", "ISI", "ISI"},    {"aR bR aE bW", "IMI", "IMI"},
    {"aW bR aE", "ISI", "ISI"}, {"aW bR aE cR", "ISS", "ISS"}, {"aR dR", "EII", "EII"},
    {"aW dR", "MII", "MII"},    {"aW bR dR", "SSI", "OSI"},    {"aW dW", "III", "III"},
    {"aR bR dW", "III", "III"}, {"aW dW aR", "EII", "EII"},
};

static void act(struct fixture *x, const char *what, bool use_timed, tick *now)
{
    static const char letters[] = "RFWPX";
    static const enum timed_kind kinds[] = {TIMED_READ, TIMED_FETCH, TIMED_WRITE, TIMED_PREFETCH,
                                            TIMED_PREFETCH_WRITE};
    const char name[] = {what[0], '\0'};
    bool device = what[0] == 'd';
    enum timed_kind kind = device && what[1] == 'R' ? TIMED_DMA_READ
                           : device                 ? TIMED_DMA_WRITE
                           : what[1] == 'E'         ? TIMED_FETCH
                                                    : kinds[strchr(letters, what[1]) - letters];
    // The caches have one set of two lines.
    u32 lines = what[1] == 'E' ? 2 : 1;

    for (u32 i = 0; i < lines; i++) {
        paddr pa = what[1] == 'E' ? 0x10040 + i * 0x40 : 0x1000;

        *now += 1000 * CYCLE;
        if (use_timed)
            complete(x, device ? "point" : name, kind, pa, *now);
        else
            atomic(x, device ? "point" : name, kind, pa);
    }
}

static void check_table(const char *point, bool moesi, bool use_timed)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        const struct row *r = &table[i];
        const char *expected = moesi ? r->moesi : r->mesi;
        char line[256], got[4] = "";
        struct fixture x;
        struct error err;
        tick now = 0;

        snprintf(line, sizeof(line), "point %s next=m.mem protocol=%s", point,
                 moesi ? "moesi" : "mesi");
        fixture_new(&x, "a cache next=m.point size=128 ways=2",
                    "b cache next=m.point size=128 ways=2", "c cache next=m.point size=128 ways=2",
                    line, "mem mock_memory", NULL);
        for (const char *at = r->accesses; *at; at += at[2] ? 3 : 2)
            act(&x, at, use_timed, &now);
        for (u32 k = 0; k < 3; k++)
            got[k] = state(&x, (const char[]){(char)('a' + k), '\0'}, 0x1000);
        if (strcmp(got, expected) != 0)
            fail_msg("%s, %s: '%s' gives %s, not %s", point, moesi ? "MOESI" : "MESI", r->accesses,
                     got, expected);
        if (!coherence_check(&x.sim, &err))
            fail_msg("%s: '%s': %s", point, r->accesses, err.message);
        sim_release(&x.sim);
    }
}

static void check_tables(const char *point)
{
    for (u32 i = 0; i < 4; i++)
        check_table(point, i & 1, i & 2);
}

static void an_inclusive_cache_keeps_mesi_and_moesi(void **arg)
{
    check_tables("cache size=64KiB ways=8");
}

static void a_directory_keeps_mesi_and_moesi(void **arg)
{
    check_tables("directory entries=64 ways=8");
}

static void a_snooping_bus_keeps_mesi_and_moesi(void **arg)
{
    check_tables("snoop_bus");
}

static void a_cache_that_is_not_inclusive_keeps_mesi_and_moesi(void **arg)
{
    check_tables("cache inclusion=nine size=64KiB ways=8");
}

#define TWO(inclusion)                   \
    "a cache next=m.l2 size=256 ways=4", \
        "l2 cache next=m.mem size=128 ways=1 inclusion=" inclusion, "mem mock_memory"

static void what_an_inclusive_cache_loses_those_above_lose(void **arg)
{
    struct fixture x;

    fixture_new(&x, TWO("inclusive"), NULL);
    atomic(&x, "a", TIMED_WRITE, 0x000);
    atomic(&x, "a", TIMED_READ, 0x080);
    assert_int_equal(state(&x, "l2", 0x000), 'I');
    assert_int_equal(state(&x, "a", 0x000), 'I');
    assert_int_equal(level(&x, "a")->n->backInvalidations, 1);
    assert_int_equal(level(&x, "l2")->n->writebacks, 1);
    sim_release(&x.sim);
}

static void what_a_nine_cache_loses_those_above_keep(void **arg)
{
    struct fixture x;

    fixture_new(&x, TWO("nine"), NULL);
    atomic(&x, "a", TIMED_WRITE, 0x000);
    assert_int_equal(state(&x, "l2", 0x000), 'E');
    atomic(&x, "a", TIMED_READ, 0x080);
    assert_int_equal(state(&x, "l2", 0x000), 'I');
    assert_int_equal(state(&x, "a", 0x000), 'M');
    sim_release(&x.sim);
}

static void an_exclusive_cache_has_what_left_above(void **arg)
{
    struct fixture x;

    fixture_new(&x, "a cache next=m.l2 size=64 ways=1",
                "l2 cache next=m.mem size=256 ways=4 inclusion=exclusive", "mem mock_memory", NULL);
    atomic(&x, "a", TIMED_WRITE, 0x000);
    assert_int_equal(state(&x, "l2", 0x000), 'I');
    atomic(&x, "a", TIMED_READ, 0x040);
    assert_int_equal(state(&x, "l2", 0x000), 'M');
    assert_int_equal(state(&x, "l2", 0x040), 'I');
    // It goes back up, dirty as it is, and the other one comes down, clean.
    atomic(&x, "a", TIMED_READ, 0x000);
    assert_int_equal(state(&x, "a", 0x000), 'M');
    assert_int_equal(state(&x, "l2", 0x000), 'I');
    assert_int_equal(state(&x, "l2", 0x040), 'E');
    assert_int_equal(level(&x, "l2")->n->overallHits[TIMED_READ], 1);
    sim_release(&x.sim);
}

static void dma_reads_leave_no_copy(void **arg)
{
    struct fixture x;

    fixture_new(&x, TWO("inclusive"), NULL);
    complete(&x, "l2", TIMED_DMA_READ, 0x1000, 0);
    assert_int_equal(state(&x, "l2", 0x1000), 'I');
    assert_int_equal(complete(&x, "a", TIMED_DMA_READ, 0x1000, 500 * CYCLE),
                     500 * CYCLE + (2 + 2 + 60 + 2 + 2) * CYCLE);
    assert_int_equal(state(&x, "a", 0x1000), 'I');
    sim_release(&x.sim);
}

static void a_page_walker_below_takes_no_copy_away(void **arg)
{
    static const char *const kinds[] = {"inclusive", "nine", "exclusive"};

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct fixture x;
        struct error err;
        char l2[128];
        tick when;

        snprintf(l2, sizeof(l2), "l2 cache next=m.mem size=4KiB ways=4 inclusion=%s", kinds[i]);
        fixture_new(&x, "a cache next=m.l2 size=256 ways=4", l2, "mem mock_memory", NULL);
        atomic(&x, "a", TIMED_WRITE, 0x1000);
        assert_int_equal(timed(&x, "l2", TIMED_WALK, 0x1000, 1000, 1, &when), TIMED_DONE);
        assert_int_equal(when, 1000 + (2 + 2) * CYCLE); // its own tags, and the other's
        assert_int_equal(state(&x, "a", 0x1000), 'M');
        assert_true(coherence_check(&x.sim, &err));
        sim_release(&x.sim);
    }
}

static void a_dropped_directory_entry_takes_the_copies_along(void **arg)
{
    struct fixture x;

    fixture_new(&x, "a cache next=m.dir size=256 ways=4",
                "dir directory next=m.mem entries=2 ways=2", "mem mock_memory", NULL);
    atomic(&x, "a", TIMED_WRITE, 0x000);
    atomic(&x, "a", TIMED_READ, 0x040);
    atomic(&x, "a", TIMED_READ, 0x080);
    assert_int_equal(state(&x, "a", 0x000), 'I');
    assert_int_equal(level(&x, "dir")->n->writebacks, 1);
    sim_release(&x.sim);
}

static void the_checker_finds_what_is_wrong(void **arg)
{
    struct fixture x;
    struct error err;

    fixture_new(&x, "a cache next=m.l2 size=128 ways=2", "b cache next=m.l2 size=128 ways=2",
                "l2 cache next=m.mem size=1KiB ways=4", "mem mock_memory",
                "check coherence_checker next=m.a interval=1us", NULL);
    atomic(&x, "check", TIMED_WRITE, 0x1000);
    atomic(&x, "b", TIMED_READ, 0x2000);
    event_queue_run(&x.sim.queue, 2500000);
    assert_int_equal(x.sim.failure.code, ERROR_NONE);
    level(&x, "b")->tags[0] = 0x1000 / TIMED_LINE << LINE_SHIFT | LINE_VALID | LINE_EXCLUSIVE;
    assert_false(coherence_check(&x.sim, &err));
    assert_non_null(strstr(err.message, "line 0x1000 at m.l2"));
    event_queue_run(&x.sim.queue, 3500000);
    assert_int_not_equal(x.sim.failure.code, ERROR_NONE);
    sim_release(&x.sim);
}

// The same accesses, atomic in one machine and timed, one after the other, in its twin.
static void timed_and_atomic_accesses_leave_the_same_tags(void **arg)
{
    static const char *const kinds[] = {"inclusive", "nine", "exclusive"};

    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        struct fixture x[2];
        struct rng rng = {k + 1};
        char l2[128];
        tick now = 0;

        snprintf(l2, sizeof(l2), "l2 cache next=m.l3 size=1KiB ways=4 inclusion=%s", kinds[k]);
        for (u32 i = 0; i < 2; i++)
            fixture_new(&x[i], "a cache next=m.l2 size=512 ways=4",
                        "b cache next=m.l2 size=512 ways=2 replacement=tree-plru", l2,
                        "l3 cache next=m.mem size=4KiB ways=8 replacement=drrip", "mem mock_memory",
                        NULL);
        for (u32 i = 0; i < 5000; i++) {
            const char *name = rng_below(&rng, 2) ? "a" : "b";
            enum timed_kind kind = (enum timed_kind)rng_below(&rng, TIMED_DMA_READ);
            paddr pa = rng_below(&rng, 100) * 48;

            now += 1000 * CYCLE;
            atomic(&x[0], name, kind, pa);
            complete(&x[1], name, kind, pa, now);
        }
        assert_true(drained(&x[0]) && drained(&x[1]));
        for (struct component *a = x[0].sim.root, *b = x[1].sim.root; a;
             a = component_after(a), b = component_after(b))
            if (component_hash(a) != component_hash(b))
                fail_msg("%s: %s differs", kinds[k], a->path);
        sim_release(&x[0].sim);
        sim_release(&x[1].sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_inclusive_cache_keeps_mesi_and_moesi),
        cmocka_unit_test(a_directory_keeps_mesi_and_moesi),
        cmocka_unit_test(a_snooping_bus_keeps_mesi_and_moesi),
        cmocka_unit_test(a_cache_that_is_not_inclusive_keeps_mesi_and_moesi),
        cmocka_unit_test(what_an_inclusive_cache_loses_those_above_lose),
        cmocka_unit_test(what_a_nine_cache_loses_those_above_keep),
        cmocka_unit_test(an_exclusive_cache_has_what_left_above),
        cmocka_unit_test(dma_reads_leave_no_copy),
        cmocka_unit_test(a_page_walker_below_takes_no_copy_away),
        cmocka_unit_test(a_dropped_directory_entry_takes_the_copies_along),
        cmocka_unit_test(the_checker_finds_what_is_wrong),
        cmocka_unit_test(timed_and_atomic_accesses_leave_the_same_tags),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
