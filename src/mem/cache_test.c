// SPDX-License-Identifier: BSD-3-Clause
// A cache among others: what is refused, what is saved and what is refused of it, and what it has
// to do with a prefetcher and with memories of any manners.
#include "mem/cache_test.h"
#include "base/rng.h"
#include "sim/checkpoint.h"

#include <stdlib.h>
#include <unistd.h>

// ---- a prefetcher that is told what to say

static struct {
    struct prefetch_seen seen[16];
    u32 count;
    struct prefetch_list list;
    u32 filled, filled_prefetched, evicted, evicted_unused;
} asked;

static void mock_notify(struct component *c, const struct prefetch_seen *seen,
                        struct prefetch_list *list)
{
    asked.seen[asked.count++ % 16] = *seen;
    *list = asked.list;
}

static void mock_filled(struct component *c, paddr pa, bool prefetched)
{
    asked.filled++;
    asked.filled_prefetched += prefetched;
}

static void mock_evicted(struct component *c, paddr pa, bool unused)
{
    asked.evicted++;
    asked.evicted_unused += unused;
}

COMPONENT_LISTS(mock_prefetcher, NO_ROWS, NO_ROWS, NO_ROWS, NO_ROWS);

struct mock_prefetcher {
    struct component base;
    struct mock_prefetcher_params p;
    struct mock_prefetcher_state st;
    struct mock_prefetcher_stats n;
};

static const struct prefetcher_ops mock_ops = {
    .notify = mock_notify, .filled = mock_filled, .evicted = mock_evicted};
static const struct component_type mock_prefetcher_type = {
    .name = "mock_prefetcher",
    .doc = "Prefetcher of a unit test",
    COMPONENT_LAYOUT(mock_prefetcher),
    .provides = {IFACE(prefetcher, &mock_ops)},
};

// ---- a memory that is busy at first, and then does reads at once

static u32 busy_left, writes_pending;
static struct timed_client *write_client;
static u32 write_token;

static tick odd_atomic(struct component *c, const struct timed_access *a)
{
    return 1000;
}

static enum timed_answer odd_access(struct component *c, const struct timed_access *a, tick now,
                                    struct timed_client *client, u32 token, tick *ret_when)
{
    assert_int_equal(now, c->sim->queue.now);
    assert_true(a->kind == TIMED_READ || a->kind == TIMED_WRITE);
    assert_int_equal(a->pa % TIMED_LINE, 0);
    if (busy_left) {
        busy_left--;
        *ret_when = now + 3000;
        return TIMED_BUSY;
    }
    *ret_when = now + 1000;
    if (a->kind == TIMED_READ)
        return TIMED_DONE;
    writes_pending++;
    write_client = client;
    write_token = token;
    return TIMED_PENDING;
}

COMPONENT_LISTS(odd_memory, NO_ROWS, NO_ROWS, NO_ROWS, NO_ROWS);

struct odd_memory {
    struct component base;
    struct odd_memory_params p;
    struct odd_memory_state st;
    struct odd_memory_stats n;
};

static const struct timed_port_ops odd_timed = {.atomic = odd_atomic, .access = odd_access};
static const struct component_type odd_memory_type = {
    .name = "odd_memory",
    .doc = "Memory of a unit test",
    COMPONENT_LAYOUT(odd_memory),
    .provides = {IFACE(timed_port, &odd_timed)},
};

const struct component_type *const test_extra_types[] = {&mock_prefetcher_type, &odd_memory_type,
                                                         NULL};

// ---- configurations

#define MEMORY "mem mock_memory"

static void impossible_caches_are_refused(void **arg)
{
    fixture_refused("the size is not a multiple", "a cache next=m.mem size=100", MEMORY, NULL);
    fixture_refused("more ways (8) than lines (4)", "a cache next=m.mem size=256 ways=8", MEMORY,
                    NULL);
    fixture_refused("12 lines in 4 ways: the number of sets is not a power of two",
                    "a cache next=m.mem size=768 ways=4", MEMORY, NULL);
    fixture_refused("12 lines in 8 ways", "a cache next=m.mem size=768 ways=8", MEMORY, NULL);
    fixture_refused("the number of banks", "a cache next=m.mem banks=3", MEMORY, NULL);
    fixture_refused("'next' must be given", "a cache", MEMORY, NULL);
    fixture_refused("did you mean 'm.mem'", "a cache next=m.men", MEMORY, NULL);
    fixture_refused("provides no 'timed_port'", "a cache next=m", NULL);
    fixture_refused("provides no 'prefetcher'", "a cache next=m.mem prefetcher=m.mem", MEMORY,
                    NULL);
    fixture_refused("12 entries in 4 ways", "a directory next=m.mem entries=12 ways=4", MEMORY,
                    NULL);
}

static void circles_are_refused(void **arg)
{
    fixture_refused("in a circle", "a cache next=m.a", NULL);
    fixture_refused("in a circle", "a cache next=m.b", "b cache next=m.c", "c cache next=m.b",
                    MEMORY, NULL);
    fixture_refused("in a circle", "a cache next=m.n", "n interconnect targets=m.mem,m.b",
                    "b cache next=m.a", MEMORY, NULL);
}

static void incoherent_hierarchies_are_refused(void **arg)
{
    fixture_refused("nothing keeps the two coherent", "a cache next=m.mem", "b cache next=m.mem",
                    MEMORY, NULL);
    fixture_refused("nothing keeps the two coherent", "a cache next=m.n", "b cache next=m.mem",
                    "n interconnect targets=m.mem,m.mem2", MEMORY, "mem2 mock_memory", NULL);
}

static void no_ports_are_refused(void **arg)
{
    struct sim sim;
    struct component *c;
    struct error err;

    sim_init(&sim);
    c = component_new(&sim, &cache_type, NULL, "a", &err);
    assert_false(component_set(c, "ports", "0", &err));
    assert_int_equal(err.code, ERROR_INPUT);
    assert_false(component_set(c, "mshrs", "0", &err));
    sim_release(&sim);
}

// ---- saving

#define TWO_CORES                                                                               \
    "a cache next=m.l2 size=512 ways=4 replacement=srrip", "b cache next=m.l2 size=512 ways=2", \
        "l2 cache next=m.mem size=2KiB ways=4 replacement=drrip", MEMORY

static void warm(struct fixture *x, u64 seed, u32 accesses)
{
    struct rng rng = {seed};
    tick now = x->sim.queue.now;

    for (u32 i = 0; i < accesses; i++) {
        now += 1000 * CYCLE;
        complete(x, rng_below(&rng, 2) ? "a" : "b", rng_below(&rng, 3) ? TIMED_READ : TIMED_WRITE,
                 rng_below(&rng, 80) * TIMED_LINE, now);
    }
}

static char *scratch(char *folder, size_t size)
{
    snprintf(folder, size, "/tmp/facet-cache-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static void remove_checkpoint(const char *folder)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void warm_tags_are_saved_and_go_on_alike(void **arg)
{
    struct checkpoint_options options = {0};
    struct fixture x[2];
    struct error err;
    char folder[64], path[80];

    snprintf(path, sizeof(path), "%s/c", scratch(folder, sizeof(folder)));
    for (u32 i = 0; i < 2; i++)
        fixture_new(&x[i], TWO_CORES, NULL);
    warm(&x[0], 1, 500);
    assert_true(drained(&x[0]));
    if (!checkpoint_save(&x[0].sim, path, &options, &err) ||
        !checkpoint_load(&x[1].sim, path, &options, &err))
        fail_msg("%s", err.message);
    assert_int_equal(sim_hash(&x[0].sim), sim_hash(&x[1].sim));
    assert_true(coherence_check(&x[1].sim, &err));
    for (u32 i = 0; i < 2; i++) {
        warm(&x[i], 2, 500);
        assert_true(drained(&x[i]));
    }
    assert_int_equal(sim_hash(&x[0].sim), sim_hash(&x[1].sim));
    sim_release(&x[0].sim);
    sim_release(&x[1].sim);
    remove_checkpoint(folder);
}

// Whatever a file says of tags: it is refused, or it is coherent and can be used.
static void hostile_tags_are_refused(void **arg)
{
    struct rng rng = {1};
    u32 refused = 0;

    for (u32 i = 0; i < 400; i++) {
        static const char *const names[] = {"a", "b", "l2"};
        struct fixture x;
        struct error err;
        bool good = true;
        struct level *l;
        u64 index;

        fixture_new(&x, TWO_CORES, NULL);
        warm(&x, i, 60);
        assert_true(drained(&x));
        l = level(&x, names[rng_below(&rng, 3)]);
        index = rng_below(&rng, l->sets * l->ways);
        switch (rng_below(&rng, 6)) {
        case 0:
            l->tags[index] ^= (u64)1 << rng_below(&rng, 64);
            break;
        case 1:
            l->tags[index] = 0;
            break;
        case 2:
            l->above[index] = rng_next(&rng);
            break;
        case 3:
            l->above[index] ^= (u64)1 << rng_below(&rng, 64);
            break;
        case 4:
            l->recent[index / l->ways] = (u8)rng_next(&rng);
            break;
        case 5:
            l->policy.rank[index] = rng_next(&rng);
            break;
        }
        for (u32 k = 0; k < 3; k++)
            good &= at(&x, names[k])->type->ops->after_load(at(&x, names[k]), &err);
        refused += !good;
        if (good)
            warm(&x, i + 1000, 60);
        sim_release(&x.sim);
    }
    assert_true(refused > 100);
}

static void forgetting_leaves_nothing(void **arg)
{
    struct fixture x;
    struct error err;

    fixture_new(&x, TWO_CORES, NULL);
    warm(&x, 1, 200);
    assert_true(drained(&x));
    for (struct component *c = x.sim.root; c; c = component_after(c))
        if (c->type->ops && c->type->ops->mem_writeback)
            c->type->ops->mem_writeback(c);
    assert_true(coherence_check(&x.sim, &err));
    for (struct component *c = x.sim.root; c; c = component_after(c))
        if (c->type->ops && c->type->ops->mem_invalidate)
            c->type->ops->mem_invalidate(c);
    for (paddr pa = 0; pa < 80 * TIMED_LINE; pa += TIMED_LINE)
        assert_int_equal(state(&x, "l2", pa), 'I');
    sim_release(&x.sim);
}

// ---- prefetching

#define PREFETCHING \
    "a cache next=m.mem size=128 ways=2 prefetcher=m.p ", "p mock_prefetcher", MEMORY

static void lines_that_are_prefetched_hit(void **arg)
{
    struct fixture x;

    memset(&asked, 0, sizeof(asked));
    fixture_new(&x, PREFETCHING, NULL);
    asked.list = (struct prefetch_list){.count = 2, .line = {0x1040, 0x1000}};
    complete(&x, "a", TIMED_READ, 0x1008, 0);
    assert_int_equal(asked.count, 1);
    assert_int_equal(asked.seen[0].pa, 0x1008);
    assert_int_equal(asked.seen[0].pc, 0x1000);
    assert_false(asked.seen[0].hit);
    asked.list.count = 0;
    assert_int_equal(complete(&x, "a", TIMED_READ, 0x1048, 500 * CYCLE), 502 * CYCLE);
    assert_int_equal(asked.count, 2);
    assert_true(asked.seen[1].hit && asked.seen[1].first_use);
    complete(&x, "a", TIMED_READ, 0x1048, 600 * CYCLE);
    assert_int_equal(asked.count, 2);
    assert_int_equal(level(&x, "a")->n->pfIssued, 1);
    assert_int_equal(level(&x, "a")->n->pfRedundant, 1);
    assert_int_equal(level(&x, "a")->n->pfUseful, 1);
    assert_int_equal(asked.filled, 2);
    assert_int_equal(asked.filled_prefetched, 1);
    sim_release(&x.sim);
}

static void a_late_prefetch_is_counted(void **arg)
{
    struct fixture x;
    tick when;

    memset(&asked, 0, sizeof(asked));
    fixture_new(&x, PREFETCHING, NULL);
    asked.list = (struct prefetch_list){.count = 1, .line = {0x1040}};
    assert_int_equal(timed(&x, "a", TIMED_READ, 0x1008, 0, 1, &when), TIMED_PENDING);
    asked.list.count = 0;
    assert_int_equal(timed(&x, "a", TIMED_READ, 0x1048, 5000, 2, &when), TIMED_PENDING);
    run(&x);
    assert_true(asked.seen[1].late && !asked.seen[1].hit);
    assert_int_equal(level(&x, "a")->n->pfLate, 1);
    assert_int_equal(level(&x, "a")->n->pfUseful, 1);
    // The prefetch began with the tags of the access before: two cycles later than that.
    assert_int_equal(x.done[2], x.done[1] + 2 * CYCLE);
    sim_release(&x.sim);
}

static void an_unused_prefetch_is_counted_when_it_leaves(void **arg)
{
    struct fixture x;

    memset(&asked, 0, sizeof(asked));
    fixture_new(&x, PREFETCHING, NULL);
    asked.list = (struct prefetch_list){.count = 1, .line = {0x1040}};
    atomic(&x, "a", TIMED_READ, 0x1000);
    asked.list.count = 0;
    atomic(&x, "a", TIMED_READ, 0x2000);
    atomic(&x, "a", TIMED_READ, 0x3000);
    assert_int_equal(level(&x, "a")->n->pfUnused, 1);
    assert_int_equal(asked.evicted, 2);
    assert_int_equal(asked.evicted_unused, 1);
    sim_release(&x.sim);
}

static void all_accesses_are_shown_on_demand(void **arg)
{
    struct fixture x;

    memset(&asked, 0, sizeof(asked));
    fixture_new(&x, "a cache next=m.mem prefetcher=m.p prefetch_on_hits=true", "p mock_prefetcher",
                MEMORY, NULL);
    for (u32 i = 0; i < 4; i++)
        atomic(&x, "a", TIMED_READ, 0x1000);
    assert_int_equal(asked.count, 4);
    assert_false(asked.seen[0].hit);
    assert_true(asked.seen[3].hit);
    sim_release(&x.sim);
}

// ---- memories

static void a_busy_memory_is_asked_again(void **arg)
{
    struct fixture x;

    busy_left = 3;
    fixture_new(&x, "a cache next=m.mem", "mem odd_memory", NULL);
    // 2 for the tags, 3 times 3 for nothing, 1 in memory, 2 back.
    assert_int_equal(complete(&x, "a", TIMED_READ, 0x1000, 0), (2 + 9 + 1 + 2) * CYCLE);
    sim_release(&x.sim);
}

static void a_write_under_way_keeps_from_rest(void **arg)
{
    struct fixture x;

    busy_left = writes_pending = 0;
    fixture_new(&x, "a cache next=m.mem size=64 ways=1", "mem odd_memory", NULL);
    complete(&x, "a", TIMED_WRITE, 0x1000, 0);
    complete(&x, "a", TIMED_READ, 0x2000, 100 * CYCLE);
    assert_int_equal(writes_pending, 1);
    assert_false(drained(&x));
    write_client->done(write_client, write_token, x.sim.queue.now);
    assert_true(drained(&x));
    sim_release(&x.sim);
}

static void a_line_on_its_way_to_memory_is_read_from_there(void **arg)
{
    struct fixture x;
    tick when;

    busy_left = 1000;
    fixture_new(&x, "a cache next=m.mem size=64 ways=1", "mem odd_memory", NULL);
    atomic(&x, "a", TIMED_WRITE, 0x1000);
    assert_int_equal(timed(&x, "a", TIMED_READ, 0x2000, 0, 1, &when), TIMED_PENDING);
    assert_int_equal(timed(&x, "a", TIMED_READ, 0x1000, 5 * CYCLE, 2, &when), TIMED_DONE);
    assert_int_equal(when, (5 + 2 + 2) * CYCLE);
    busy_left = 0;
    run(&x);
    assert_int_equal(x.told, 1);
    sim_release(&x.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(impossible_caches_are_refused),
        cmocka_unit_test(circles_are_refused),
        cmocka_unit_test(incoherent_hierarchies_are_refused),
        cmocka_unit_test(no_ports_are_refused),
        cmocka_unit_test(warm_tags_are_saved_and_go_on_alike),
        cmocka_unit_test(hostile_tags_are_refused),
        cmocka_unit_test(forgetting_leaves_nothing),
        cmocka_unit_test(lines_that_are_prefetched_hit),
        cmocka_unit_test(a_late_prefetch_is_counted),
        cmocka_unit_test(an_unused_prefetch_is_counted_when_it_leaves),
        cmocka_unit_test(all_accesses_are_shown_on_demand),
        cmocka_unit_test(a_busy_memory_is_asked_again),
        cmocka_unit_test(a_write_under_way_keeps_from_rest),
        cmocka_unit_test(a_line_on_its_way_to_memory_is_read_from_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
