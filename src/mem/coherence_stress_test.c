// SPDX-License-Identifier: BSD-3-Clause
// Random accesses of several cores and a device to a few lines in tiny caches, atomic and timed
// mixed, in hierarchies of all kinds: after each access the line it was about is coherent, from
// time to time all are; everybody is told; at the end everything comes to rest.
#include "base/hash.h"
#include "base/rng.h"
#include "mem/cache_test.h"

#include <stdlib.h>

// Asks for lines that nobody may ever want.
#define NOISE_STATE(F, FA, FE, FV) F(u64, random)

COMPONENT_LISTS(noise, NO_ROWS, NOISE_STATE, NO_ROWS, NO_ROWS);

struct noise {
    struct component base;
    struct noise_params p;
    struct noise_state st;
    struct noise_stats n;
};

static void noise_notify(struct component *c, const struct prefetch_seen *seen,
                         struct prefetch_list *list)
{
    struct rng rng = {((struct noise *)c)->st.random};

    while (list->count < rng_below(&rng, 4))
        list->line[list->count++] = rng_below(&rng, 60) * TIMED_LINE;
    ((struct noise *)c)->st.random = rng.state;
}

static const struct prefetcher_ops noise_ops = {.notify = noise_notify};
static const struct component_type noise_type = {
    .name = "noise",
    .doc = "Prefetcher of a unit test",
    COMPONENT_LAYOUT(noise),
    .provides = {IFACE(prefetcher, &noise_ops)},
};

const struct component_type *const test_extra_types[] = {&noise_type, NULL};

#define FOUR_L1(next)                                                          \
    "a cache size=256 ways=2 mshrs=2 targets=3 prefetcher=m.noise next=" next, \
        "b cache size=256 ways=2 next=" next,                                  \
        "c cache size=128 ways=1 replacement=random next=" next,               \
        "d cache size=512 ways=8 next=" next
#define MEMORY "mem mock_memory latency=60ns gap=5ns queue=2", "noise noise"
#define FOUR_L2(how, next)                                                            \
    "a cache size=128 ways=2 next=m.p", "ai cache size=128 ways=1 next=m.p",          \
        "b cache size=128 ways=2 next=m.q", "bi cache size=128 ways=1 next=m.q",      \
        "p cache size=512 ways=4 prefetcher=m.noise prefetch_on_hits=true next=" next \
        " inclusion=" how,                                                            \
        "q cache size=256 ways=2 mshrs=2 targets=2 write_buffers=1 next=" next " inclusion=" how

struct hierarchy {
    const char *name;
    const char *lines[20];
    const char *ports[10]; // of cores
    const char *device;
};

static const struct hierarchy hierarchies[] = {
    {"two levels, inclusive",
     {"a cache next=m.l2 size=256 ways=2 mshrs=2 targets=3", "b cache next=m.l2 size=256 ways=2",
      "c cache next=m.l2 size=128 ways=1 replacement=random", "d cache next=m.l2 size=512 ways=8",
      "l2 cache next=m.mem size=1KiB ways=4 mshrs=4 write_buffers=2",
      "mem mock_memory latency=60ns gap=5ns queue=2"},
     {"a", "b", "c", "d"},
     "l2"},
    {"two levels, inclusive, MOESI",
     {FOUR_L1("m.l2"), "l2 cache next=m.mem size=1KiB ways=4 protocol=moesi replacement=tree-plru",
      MEMORY},
     {"a", "b", "c", "d"},
     "l2"},
    {"two levels, NINE",
     {FOUR_L1("m.l2"), "l2 cache next=m.mem size=1KiB ways=4 inclusion=nine", MEMORY},
     {"a", "b", "c", "d"},
     "l2"},
    {"two levels, NINE, MOESI",
     {FOUR_L1("m.l2"), "l2 cache next=m.mem size=1KiB ways=4 inclusion=nine protocol=moesi",
      MEMORY},
     {"a", "b", "c", "d"},
     "l2"},
    {"two levels, exclusive",
     {FOUR_L1("m.l2"), "l2 cache next=m.mem size=1KiB ways=4 inclusion=exclusive", MEMORY},
     {"a", "b", "c", "d"},
     "l2"},
    {"two levels, exclusive, MOESI",
     {FOUR_L1("m.l2"), "l2 cache next=m.mem size=1KiB ways=4 inclusion=exclusive protocol=moesi",
      MEMORY},
     {"a", "b", "c", "d"},
     "l2"},
    {"bus", {FOUR_L1("m.bus"), "bus snoop_bus next=m.mem", MEMORY}, {"a", "b", "c", "d"}, "bus"},
    {"bus, MOESI",
     {FOUR_L1("m.bus"), "bus snoop_bus next=m.mem protocol=moesi mshrs=2", MEMORY},
     {"a", "b", "c", "d"},
     "bus"},
    {"directory",
     {FOUR_L1("m.dir"), "dir directory entries=16 ways=4 next=m.mem", MEMORY},
     {"a", "b", "c", "d"},
     "dir"},
    {"directory, MOESI",
     {FOUR_L1("m.dir"), "dir directory entries=16 ways=4 next=m.mem protocol=moesi mshrs=2",
      MEMORY},
     {"a", "b", "c", "d"},
     "dir"},
    {"directory before an exclusive cache",
     {FOUR_L1("m.dir"), "dir directory entries=16 ways=4 next=m.l3",
      "l3 cache size=1KiB ways=4 inclusion=exclusive next=m.mem", MEMORY},
     {"a", "b", "c", "d"},
     "dir"},
    {"directory before an exclusive cache, MOESI",
     {FOUR_L1("m.dir"), "dir directory entries=16 ways=4 next=m.l3 protocol=moesi",
      "l3 cache size=1KiB ways=4 inclusion=exclusive next=m.mem", MEMORY},
     {"a", "b", "c", "d"},
     "l3"},
    {"bus before a NINE cache",
     {FOUR_L1("m.bus"), "bus snoop_bus next=m.l3",
      "l3 cache size=1KiB ways=4 inclusion=nine next=m.mem", MEMORY},
     {"a", "b", "c", "d"},
     "l3"},
    {"three levels, inclusive",
     {FOUR_L2("inclusive", "m.l3"),
      "l3 cache size=1KiB ways=4 prefetcher=m.noise next=m.mem mshrs=3", MEMORY},
     {"a", "ai", "b", "bi"},
     "l3"},
    {"three levels, inclusive, MOESI",
     {FOUR_L2("inclusive", "m.l3"),
      "l3 cache size=1KiB ways=4 prefetcher=m.noise next=m.mem protocol=moesi", MEMORY},
     {"a", "ai", "b", "bi"},
     "l3"},
    {"three levels, NINE in inclusive",
     {FOUR_L2("nine", "m.l3"), "l3 cache size=1KiB ways=4 prefetcher=m.noise next=m.mem", MEMORY},
     {"a", "ai", "b", "bi"},
     "l3"},
    {"three levels, NINE in inclusive, MOESI",
     {FOUR_L2("nine", "m.l3"),
      "l3 cache size=1KiB ways=4 prefetcher=m.noise next=m.mem protocol=moesi", MEMORY},
     {"a", "ai", "b", "bi"},
     "l3"},
    {"three levels, exclusive in inclusive",
     {FOUR_L2("exclusive", "m.l3"), "l3 cache size=1KiB ways=4 prefetcher=m.noise next=m.mem",
      MEMORY},
     {"a", "ai", "b", "bi"},
     "l3"},
    {"three levels, exclusive in inclusive, MOESI",
     {FOUR_L2("exclusive protocol=moesi", "m.l3"),
      "l3 cache size=1KiB ways=4 prefetcher=m.noise next=m.mem protocol=moesi", MEMORY},
     {"a", "ai", "b", "bi"},
     "l3"},
    {"three levels, inclusive in exclusive",
     {FOUR_L2("inclusive", "m.l3"),
      "l3 cache size=1KiB ways=4 prefetcher=m.noise next=m.mem inclusion=exclusive", MEMORY},
     {"a", "ai", "b", "bi"},
     "l3"},
    {"three levels, inclusive in exclusive, MOESI",
     {FOUR_L2("inclusive", "m.l3"),
      "l3 cache size=1KiB ways=4 prefetcher=m.noise next=m.mem inclusion=exclusive protocol=moesi",
      MEMORY},
     {"a", "ai", "b", "bi"},
     "l3"},
    {"three levels, NINE in NINE",
     {FOUR_L2("nine", "m.l3"),
      "l3 cache size=1KiB ways=4 prefetcher=m.noise next=m.mem inclusion=nine", MEMORY},
     {"a", "ai", "b", "bi"},
     "l3"},
    {"three levels, NINE in NINE, MOESI",
     {FOUR_L2("nine", "m.l3"),
      "l3 cache size=1KiB ways=4 prefetcher=m.noise next=m.mem inclusion=nine protocol=moesi",
      MEMORY},
     {"a", "ai", "b", "bi"},
     "l3"},
    {"three levels, NINE before a directory and an exclusive cache, MOESI",
     {FOUR_L2("nine", "m.dir"), "dir directory entries=32 ways=4 next=m.l3 protocol=moesi",
      "l3 cache size=1KiB ways=4 prefetcher=m.noise next=m.mem inclusion=exclusive", MEMORY},
     {"a", "ai", "b", "bi"},
     "dir"},
    {"clusters with a bus each",
     {"a cache size=128 ways=2 next=m.p", "ai cache size=128 ways=1 next=m.p",
      "b cache size=128 ways=2 next=m.q", "bi cache size=256 ways=2 next=m.q",
      "p snoop_bus next=m.l3", "q snoop_bus next=m.l3 protocol=moesi",
      "l3 cache size=1KiB ways=4 prefetcher=m.noise next=m.mem", MEMORY},
     {"a", "ai", "b", "bi"},
     "l3"},
    {"clusters with a directory each",
     {"a cache size=128 ways=2 next=m.p", "ai cache size=128 ways=1 next=m.p",
      "b cache size=128 ways=2 next=m.q", "bi cache size=256 ways=2 next=m.q",
      "p directory entries=8 ways=2 next=m.l3",
      "q directory entries=4 ways=2 next=m.l3 protocol=moesi",
      "l3 cache size=1KiB ways=4 prefetcher=m.noise next=m.mem protocol=moesi", MEMORY},
     {"a", "ai", "b", "bi"},
     "l3"},
    {"slices on a crossbar",
     {FOUR_L1("m.net"), "net interconnect targets=m.s0,m.s1 link_width=8",
      "s0 cache next=m.mem size=512 ways=4", "s1 cache next=m.mem size=512 ways=4", MEMORY},
     {"a", "b", "c", "d"},
     "net"},
    {"slices on a mesh",
     {FOUR_L2("nine", "m.net"),
      "net interconnect topology=mesh rows=2 columns=2 targets=m.s0,m.s1,m.s2 hop_latency=2 "
      "interleave=128",
      "s0 cache next=m.mem size=512 ways=4", "s1 cache next=m.mem size=512 ways=4",
      "s2 cache next=m.mem size=512 ways=4 protocol=moesi", MEMORY},
     {"a", "ai", "b", "bi"},
     "net"},
    {"memories on a ring",
     {FOUR_L1("m.l2"), "l2 cache next=m.net size=1KiB ways=4",
      "net interconnect topology=ring columns=3 targets=m.mem,m.mem2", MEMORY,
      "mem2 mock_memory latency=10ns"},
     {"a", "b", "c", "d"},
     "l2"},
};

// Returns a hash of the state that it leaves.
static u64 stress(const struct hierarchy *h, u64 seed, bool use_timed, u64 accesses)
{
    struct fixture x;
    struct rng rng = {seed};
    struct error err;
    u32 cores = 0, expected = 0, token = 0;
    tick now = 0;
    u64 hash;

    x = (struct fixture){.client.done = fixture_done};
    sim_init(&x.sim);
    component_new(&x.sim, &test_machine_type, NULL, "m", &err);
    for (u32 i = 0; h->lines[i]; i++)
        add_component(&x, h->lines[i]);
    if (!sim_build(&x.sim, &err))
        fail_msg("%s: %s", h->name, err.message);
    sim_reset(&x.sim);
    while (h->ports[cores])
        cores++;
    for (u64 i = 0; i < accesses; i++) {
        u64 who = rng_below(&rng, cores * 8 + 1), what = rng_below(&rng, 16);
        bool device = who == cores * 8;
        const char *name = device ? h->device : h->ports[who % cores];
        paddr pa = rng_below(&rng, 48) * TIMED_LINE;
        // Now and then a page walker asks where the device does.
        enum timed_kind kind = device && what > 12 ? TIMED_WALK
                               : device            ? what & 1 ? TIMED_DMA_READ : TIMED_DMA_WRITE
                               : what < 8          ? TIMED_READ
                               : what < 13         ? TIMED_WRITE
                               : what < 14         ? TIMED_FETCH
                               : what < 15         ? TIMED_PREFETCH
                                                   : TIMED_PREFETCH_WRITE;
        tick when;

        now += rng_below(&rng, 8) * CYCLE;
        if (!use_timed || rng_below(&rng, 8) == 0) {
            atomic(&x, name, kind, pa);
        } else {
            tick ahead = now + rng_below(&rng, 4) * CYCLE;

            event_queue_run(&x.sim.queue, now);
            switch (timed(&x, name, kind, pa, ahead, token, &when)) {
            case TIMED_PENDING:
                assert_true(kind != TIMED_PREFETCH && kind != TIMED_DMA_WRITE);
                expected++;
                token = (token + 1) % TOKENS;
                break;
            case TIMED_BUSY:
                assert_true(when > ahead);
                break;
            case TIMED_DONE:
                assert_true(when > ahead);
            }
        }
        if (!level_check_line(level(&x, h->ports[0]), pa >> TIMED_LINE_SHIFT, &err) ||
            (i % 64 == 0 && !coherence_check(&x.sim, &err)))
            fail_msg("%s, seed %llu, access %llu (%u of line 0x%llx at %s): %s", h->name,
                     (unsigned long long)seed, (unsigned long long)i, kind, (unsigned long long)pa,
                     name, err.message);
    }
    run(&x);
    assert_int_equal(x.told, expected);
    assert_true(drained(&x));
    if (!coherence_check(&x.sim, &err))
        fail_msg("%s: %s", h->name, err.message);
    hash = hash64_more(sim_hash(&x.sim), x.done, sizeof(x.done));
    sim_release(&x.sim);
    return hash;
}

static void atomic_accesses_stay_coherent(void **arg)
{
    for (size_t i = 0; i < ARRAY_SIZE(hierarchies); i++)
        for (u64 seed = 1; seed <= 5; seed++)
            stress(&hierarchies[i], seed, false, 3000);
}

static void timed_and_atomic_accesses_stay_coherent(void **arg)
{
    for (size_t i = 0; i < ARRAY_SIZE(hierarchies); i++)
        for (u64 seed = 1; seed <= 5; seed++)
            stress(&hierarchies[i], seed, true, 3000);
}

static void the_same_accesses_leave_the_same_state(void **arg)
{
    for (size_t i = 0; i < ARRAY_SIZE(hierarchies); i++)
        assert_int_equal(stress(&hierarchies[i], 7, true, 2000),
                         stress(&hierarchies[i], 7, true, 2000));
}

// By hand, longer: coherence_stress_test SEEDS.
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(atomic_accesses_stay_coherent),
        cmocka_unit_test(timed_and_atomic_accesses_stay_coherent),
        cmocka_unit_test(the_same_accesses_leave_the_same_state),
    };

    for (u64 seed = 100; argc > 1 && seed < 100 + strtoul(argv[1], NULL, 10); seed++)
        for (size_t i = 0; i < ARRAY_SIZE(hierarchies); i++)
            stress(&hierarchies[i], seed, seed & 1, 20000);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
