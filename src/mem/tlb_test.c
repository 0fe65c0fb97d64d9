// SPDX-License-Identifier: BSD-3-Clause
// TLBs and the page walker, with a mock of the memory that walks read and of the page tables.
#include "mem/tlb_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { PORT_LATENCY = 4000, NOBODY = 1000 };
enum { ANSWERS_DONE, ANSWERS_PENDING, ANSWERS_BUSY };

// ---- a memory that answers at once, later, or not now

#define TEST_PORT_STATE(F, FA, FE, FV) FE(answer)
#define TEST_PORT_EVENTS(E) E(answer, test_port_answer)
COMPONENT_LISTS(test_port, NO_ROWS, TEST_PORT_STATE, NO_ROWS, TEST_PORT_EVENTS);

static struct test_port {
    struct component base;
    struct test_port_params p;
    struct test_port_state st;
    struct test_port_stats n;
} * port;

static struct {
    int answers;
    unsigned reads, waiting, first;
    paddr read[4096];
    struct {
        tick when;
        struct timed_client *client;
        u32 token;
    } queue[64];
    unsigned most_waiting;
} memory;

static void test_port_answer(void *owner, struct event *event)
{
    tick now = event->queue->now;

    while (memory.waiting && memory.queue[memory.first].when <= now) {
        unsigned i = memory.first;

        memory.first = (memory.first + 1) % 64;
        memory.waiting--;
        memory.queue[i].client->done(memory.queue[i].client, memory.queue[i].token, now);
    }
    if (memory.waiting)
        event_schedule(event, memory.queue[memory.first].when, EVENT_NORMAL);
}

static tick port_atomic(struct component *c, const struct timed_access *a)
{
    assert_int_equal(a->kind, TIMED_WALK);
    memory.read[memory.reads++ % ARRAY_SIZE(memory.read)] = a->pa;
    return PORT_LATENCY;
}

static enum timed_answer port_access(struct component *c, const struct timed_access *a, tick now,
                                     struct timed_client *client, u32 token, tick *ret_when)
{
    unsigned i = (memory.first + memory.waiting) % 64;

    assert_int_equal(a->kind, TIMED_WALK);
    *ret_when = now + PORT_LATENCY;
    if (memory.answers == ANSWERS_BUSY)
        return TIMED_BUSY;
    memory.read[memory.reads++ % ARRAY_SIZE(memory.read)] = a->pa;
    if (memory.answers == ANSWERS_DONE)
        return TIMED_DONE;
    memory.queue[i].when = *ret_when;
    memory.queue[i].client = client;
    memory.queue[i].token = token;
    memory.waiting++;
    memory.most_waiting = MAX(memory.most_waiting, memory.waiting);
    if (!port->st.answer.pending)
        event_schedule(&port->st.answer, *ret_when, EVENT_NORMAL);
    return TIMED_PENDING;
}

static bool port_probe(const struct component *c, paddr pa)
{
    return true;
}

static const struct timed_port_ops port_ops = {port_atomic, port_access, port_probe};
static const struct component_type test_port_type = {
    .name = "test_port",
    .doc = "Memory of a unit test",
    COMPONENT_LAYOUT(test_port),
    .provides = {IFACE(timed_port, &port_ops)},
};

// ---- page tables: four levels; the entry of a level for an address lies at level * 1 TiB + its
// index from the bottom of the address space * 8

static struct {
    struct timed_walker walker;
    u8 page_shift;
    bool mapped;
    unsigned walks;
} tables;

static bool walk_tables(struct timed_walker *w, vaddr va, struct timed_walk *ret)
{
    unsigned top = 39;

    tables.walks++;
    ret->page_shift = tables.page_shift;
    for (unsigned shift = top; shift >= tables.page_shift; shift -= 9)
        ret->entry[ret->levels++] = ((paddr)shift << 40) + (va >> shift) * 8;
    return tables.mapped;
}

// The page that an address leads to.
static paddr pa_of(vaddr va)
{
    return (va & ~(vaddr)0xfff) + GiB(512);
}

// ---- a machine: L1 I and D, a shared L2

static struct sim sim;
static struct component *itlb, *dtlb, *l2;
static struct timed_client client;
static tick done_at[NOBODY];
static unsigned done_count;

static void is_done(struct timed_client *c, u32 token, tick when)
{
    assert_int_equal(when, sim.queue.now);
    assert_true(token < NOBODY && !done_at[token]);
    done_at[token] = when;
    done_count++;
}

static struct component *make(const char *name, const char *next)
{
    struct error err;
    struct component *c = component_new(&sim, &tlb_type, &port->base, name, &err);

    assert_non_null(c);
    assert_true(component_set(c, next ? "next" : "port", next ? next : "port", &err));
    assert_true(component_set(c, "clock", "1GHz", &err));
    assert_true(component_set(c, "latency", next ? "1" : "7", &err));
    return c;
}

static void set(struct component *c, const char *param, const char *value)
{
    struct error err;

    if (!component_set(c, param, value, &err))
        fail_msg("%s", err.message);
}

static void prepare(void)
{
    struct error err;

    assert_true(log_set_filter("error", &err));
    memset(&memory, 0, sizeof(memory));
    memset(done_at, 0, sizeof(done_at));
    done_count = 0;
    client.done = is_done;
    tables.walker.walk = walk_tables;
    tables.page_shift = 12;
    tables.mapped = true;
    tables.walks = 0;
    sim_init(&sim);
    port = (struct test_port *)component_new(&sim, &test_port_type, NULL, "port", &err);
    itlb = make("itlb", "port.l2");
    dtlb = make("dtlb", "port.l2");
    l2 = make("l2", NULL);
    set(l2, "entries", "1024");
    set(l2, "ways", "8");
}

static void start(void)
{
    struct error err;

    if (!sim_build(&sim, &err))
        fail_msg("%s", err.message);
    sim_reset(&sim);
}

static enum timed_answer ask(struct component *c, vaddr va, u32 token, tick *ret_when)
{
    const struct timed_tlb_ops *ops = component_interface(c, "timed_tlb");

    return ops->access(c, va, pa_of(va), sim.queue.now, &tables.walker, &client, token, ret_when);
}

// How long it takes; it must be known at once.
static tick takes(struct component *c, vaddr va)
{
    tick when = 0;

    assert_int_equal(ask(c, va, NOBODY, &when), TIMED_DONE);
    return when - sim.queue.now;
}

static void later(tick ticks)
{
    event_queue_run(&sim.queue, sim.queue.now + ticks);
}

static void settle(void)
{
    while (event_queue_step(&sim.queue, ~(tick)0 - 1))
        ;
}

static struct tlb_stats *stats(struct component *c)
{
    return &((struct tlb *)c)->n;
}

static void a_walk_reads_four_entries_one_after_the_other(void **arg)
{
    prepare();
    start();
    // L1 1 ns, L2 7 ns, the walker 1 ns, four reads of 4 ns.
    assert_int_equal(takes(dtlb, 0x7f0012345678), 1000 + 7000 + 1000 + 4 * PORT_LATENCY);
    assert_int_equal(memory.reads, 4);
    for (unsigned i = 0; i < 4; i++) {
        unsigned shift = 39 - 9 * i;

        assert_int_equal(memory.read[i], ((paddr)shift << 40) + (0x7f0012345678 >> shift) * 8);
    }
    assert_int_equal(tables.walks, 1);
    sim_release(&sim);
}

static void a_hit_takes_the_first_level_latency(void **arg)
{
    prepare();
    start();
    takes(dtlb, 0x1000);
    takes(dtlb, 0x2000);
    later(100000);
    assert_int_equal(takes(dtlb, 0x1000), 1000);
    assert_int_equal(takes(dtlb, 0x1fff), 1000); // the last page again
    assert_int_equal(takes(dtlb, 0x2fff), 1000);
    assert_int_equal(tables.walks, 2);
    assert_int_equal(stats(dtlb)->hits, 3);
    assert_int_equal(stats(dtlb)->misses, 2);
    sim_release(&sim);
}

static void the_second_level_is_shared(void **arg)
{
    prepare();
    start();
    takes(dtlb, 0x1000);
    later(100000);
    assert_int_equal(takes(itlb, 0x1000), 1000 + 7000);
    later(100000);
    assert_int_equal(takes(itlb, 0x1000), 1000);
    assert_int_equal(tables.walks, 1);
    assert_int_equal(stats(l2)->hits, 1);
    sim_release(&sim);
}

static void an_entry_is_there_when_its_walk_is_over(void **arg)
{
    tick first;

    prepare();
    start();
    first = takes(dtlb, 0x1000);
    later(3000);
    assert_int_equal(takes(dtlb, 0x1000), first - 3000);
    assert_int_equal(takes(itlb, 0x1000), first - 3000);
    later(first);
    assert_int_equal(takes(dtlb, 0x1000), 1000);
    assert_int_equal(takes(itlb, 0x1000), 1000);
    sim_release(&sim);
}

static void paging_structure_caches_shorten_walks(void **arg)
{
    static const struct {
        vaddr va;
        unsigned reads;
    } steps[] = {
        {0x7f0000000000, 4}, {0x7f0000001000, 1}, // the same page table
        {0x7f0000200000, 2},                      // the same page directory
        {0x7f0040000000, 3},                      // the same table of page directory pointers
        {0x7e0000000000, 4}, {0x7f0040001000, 1},
    };

    prepare();
    start();
    for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
        later(1000000);
        memory.reads = 0;
        assert_int_equal(takes(dtlb, steps[i].va),
                         1000 + 7000 + 1000 + steps[i].reads * PORT_LATENCY);
        assert_int_equal(memory.reads, steps[i].reads);
    }
    assert_int_equal(stats(l2)->structureHits[0], 2);
    assert_int_equal(stats(l2)->structureHits[1], 1);
    assert_int_equal(stats(l2)->structureHits[2], 1);
    sim_release(&sim);
}

static void a_moved_table_is_not_taken_from_the_cache(void **arg)
{
    struct timed_walk w = {
        .entry = {0x1000, 0x2000, 0x3000, 0x4000}, .levels = 4, .page_shift = 12};
    struct tlb *t;

    prepare();
    start();
    t = (struct tlb *)l2;
    tlb_structures_learn(t, 0, &w, 0);
    assert_int_equal(tlb_structures_find(t, 0, &w), 3);
    w.entry[3] = 0x9000;
    assert_int_equal(tlb_structures_find(t, 0, &w), 2);
    w.entry[1] = 0x9000;
    assert_int_equal(tlb_structures_find(t, 0, &w), 2);
    w.entry[2] = 0x9000;
    assert_int_equal(tlb_structures_find(t, 0, &w), 0);
    sim_release(&sim);
}

static void a_walk_that_waits_for_memory_is_pending(void **arg)
{
    tick when;

    prepare();
    start();
    memory.answers = ANSWERS_PENDING;
    assert_int_equal(ask(dtlb, 0x1000, 1, &when), TIMED_PENDING);
    settle();
    assert_int_equal(done_at[1], 1000 + 7000 + 1000 + 4 * PORT_LATENCY);
    assert_int_equal(memory.most_waiting, 1);
    assert_int_equal(takes(dtlb, 0x1000), 1000);
    sim_release(&sim);
}

static void misses_of_a_page_share_a_walk(void **arg)
{
    tick when;

    prepare();
    start();
    memory.answers = ANSWERS_PENDING;
    assert_int_equal(ask(dtlb, 0x1000, 1, &when), TIMED_PENDING);
    assert_int_equal(ask(dtlb, 0x1800, 2, &when), TIMED_PENDING);
    later(2000);
    assert_int_equal(ask(itlb, 0x1000, 3, &when), TIMED_PENDING);
    settle();
    assert_int_equal(done_count, 3);
    assert_int_equal(done_at[1], done_at[2]);
    assert_int_equal(done_at[1], done_at[3]);
    assert_int_equal(memory.reads, 4);
    assert_int_equal(tables.walks, 1);
    assert_int_equal(stats(l2)->merged, 2);
    assert_int_equal(takes(itlb, 0x1000), 1000);
    sim_release(&sim);
}

static void no_more_walks_run_than_there_are_walkers(void **arg)
{
    tick when;

    prepare();
    set(l2, "walkers", "2");
    set(l2, "walks", "6");
    set(l2, "waiters", "6");
    start();
    memory.answers = ANSWERS_PENDING;
    for (u32 i = 0; i < 6; i++)
        assert_int_equal(ask(dtlb, (vaddr)i << 39, i, &when), TIMED_PENDING);
    assert_int_equal(ask(dtlb, (vaddr)6 << 39, 6, &when), TIMED_BUSY);
    assert_true(when > sim.queue.now);
    assert_int_equal(tables.walks, 6); // the last one was not taken
    settle();
    assert_int_equal(done_count, 6);
    assert_int_equal(memory.most_waiting, 2);
    for (u32 i = 0; i < 6; i++)
        assert_int_equal(done_at[i], 8000 + (i / 2 + 1) * (1000 + 4 * PORT_LATENCY));
    sim_release(&sim);
}

static void walks_computed_at_once_keep_their_walkers_busy(void **arg)
{
    prepare();
    set(l2, "walkers", "1");
    start();
    assert_int_equal(takes(dtlb, (vaddr)1 << 39), 8000 + 1000 + 4 * PORT_LATENCY);
    assert_int_equal(takes(dtlb, (vaddr)2 << 39), 8000 + 2 * (1000 + 4 * PORT_LATENCY));
    sim_release(&sim);
}

static void a_busy_memory_is_asked_again(void **arg)
{
    tick when;

    prepare();
    start();
    memory.answers = ANSWERS_BUSY;
    assert_int_equal(ask(dtlb, 0x1000, 1, &when), TIMED_PENDING);
    later(20000);
    assert_int_equal(done_count, 0);
    memory.answers = ANSWERS_DONE;
    settle();
    assert_int_equal(done_count, 1);
    // From the next time that it was asked at: 9, 13, 17, 21 ns.
    assert_int_equal(done_at[1], 21000 + 4 * PORT_LATENCY);
    sim_release(&sim);
}

static void an_unmapped_page_costs_its_walk_and_gives_nothing(void **arg)
{
    prepare();
    start();
    tables.mapped = false;
    assert_int_equal(takes(dtlb, 0x1000), 8000 + 1000 + 4 * PORT_LATENCY);
    later(1000000);
    assert_int_equal(takes(dtlb, 0x1000), 8000 + 1000 + 4 * PORT_LATENCY);
    assert_int_equal(stats(l2)->unmapped, 2);
    sim_release(&sim);
}

static void a_flush_forgets_all_levels_and_structures(void **arg)
{
    const struct timed_tlb_ops *ops;

    prepare();
    start();
    ops = component_interface(dtlb, "timed_tlb");
    takes(dtlb, 0x1000);
    later(1000000);
    ops->flush(dtlb);
    memory.reads = 0;
    assert_int_equal(takes(dtlb, 0x1000), 8000 + 1000 + 4 * PORT_LATENCY);
    assert_int_equal(memory.reads, 4);
    // However often.
    for (unsigned i = 0; i < 70000; i++)
        ops->flush(dtlb);
    later(1000000);
    assert_int_equal(takes(dtlb, 0x1000), 8000 + 1000 + 4 * PORT_LATENCY);
    sim_release(&sim);
}

static void a_walk_that_a_flush_overtakes_leaves_no_entry(void **arg)
{
    const struct timed_tlb_ops *ops;
    tick when;

    prepare();
    start();
    ops = component_interface(dtlb, "timed_tlb");
    memory.answers = ANSWERS_PENDING;
    ask(dtlb, 0x1000, 1, &when);
    ops->flush(dtlb);
    settle();
    assert_int_equal(done_count, 1);
    assert_int_equal(ask(dtlb, 0x1000, 2, &when), TIMED_PENDING);
    settle();
    assert_int_equal(tables.walks, 2);
    sim_release(&sim);
}

static void an_entry_that_leads_elsewhere_misses(void **arg)
{
    const struct timed_tlb_ops *ops;
    tick when;

    prepare();
    start();
    ops = component_interface(dtlb, "timed_tlb");
    takes(dtlb, 0x1000);
    later(1000000);
    assert_int_equal(
        ops->access(dtlb, 0x1000, 0x5000, sim.queue.now, &tables.walker, &client, NOBODY, &when),
        TIMED_DONE);
    assert_int_equal(tables.walks, 2);
    assert_int_equal(stats(dtlb)->stale, 1);
    assert_int_equal(stats(l2)->stale, 1);
    sim_release(&sim);
}

// The number of pages that are walked when a region is touched again.
static unsigned walks_of_second_pass(u64 size, u8 page_shift)
{
    tables.page_shift = page_shift;
    for (vaddr va = 0; va < size; va += 4096) {
        takes(dtlb, va);
        later(100000);
    }
    tables.walks = 0;
    for (vaddr va = 0; va < size; va += 4096) {
        takes(dtlb, va);
        later(100000);
    }
    return tables.walks;
}

static void reach_grows_with_the_size_of_pages(void **arg)
{
    prepare();
    set(l2, "entries_1g", "4");
    start();
    assert_int_equal(walks_of_second_pass(MiB(4), 12), 0);
    assert_int_equal(walks_of_second_pass(MiB(8), 12), 2048); // LRU: none is left
    sim_reset(&sim);
    assert_int_equal(walks_of_second_pass(MiB(64), 21), 0);
    assert_int_equal(stats(l2)->walks, 32);
    sim_reset(&sim);
    tables.page_shift = 30;
    for (vaddr va = 0; va < GiB(4); va += MiB(64))
        takes(dtlb, va);
    assert_int_equal(stats(l2)->walks, 4);
    sim_release(&sim);
}

static void sizes_can_have_entries_of_their_own(void **arg)
{
    prepare();
    set(dtlb, "entries_2m", "8");
    set(dtlb, "ways_2m", "4");
    start();
    // Pages of 2 MiB do not drive out those of 4 KiB.
    for (vaddr va = 0; va < 64 * 4096; va += 4096)
        takes(dtlb, va);
    tables.page_shift = 21;
    for (vaddr va = GiB(1); va < GiB(1) + MiB(64); va += MiB(2))
        takes(dtlb, va);
    later(10000000);
    for (vaddr va = 0; va < 64 * 4096; va += 4096)
        assert_int_equal(takes(dtlb, va), 1000);
    sim_release(&sim);
}

static void the_least_recently_used_entry_of_a_set_leaves(void **arg)
{
    prepare();
    set(dtlb, "entries", "4");
    set(dtlb, "ways", "0");
    start();
    for (vaddr va = 0; va < 4 * 4096; va += 4096)
        takes(dtlb, va);
    takes(dtlb, 0);
    takes(dtlb, 4 * 4096);
    later(1000000);
    assert_int_equal(takes(dtlb, 0), 1000);
    assert_int_equal(takes(dtlb, 4096), 8000);
    sim_release(&sim);
}

static void atomic_accesses_leave_what_timed_ones_do(void **arg)
{
    const struct timed_tlb_ops *ops;
    struct rng g = {3};
    u64 hits, walks, reads;

    prepare();
    start();
    ops = component_interface(dtlb, "timed_tlb");
    for (unsigned i = 0; i < 20000; i++) {
        takes(i & 1 ? dtlb : itlb, rng_below(&g, MiB(16)));
        later(1000000);
        memory.reads = 0;
    }
    hits = stats(dtlb)->hits;
    walks = stats(l2)->walks;
    reads = stats(l2)->walkReads;
    sim_reset(&sim);
    g.state = 3;
    for (unsigned i = 0; i < 20000; i++) {
        struct component *c = i & 1 ? dtlb : itlb;
        vaddr va = rng_below(&g, MiB(16));

        ops->atomic(c, va, pa_of(va), &tables.walker);
        memory.reads = 0;
    }
    assert_int_equal(stats(dtlb)->hits, hits);
    assert_int_equal(stats(l2)->walks, walks);
    assert_int_equal(stats(l2)->walkReads, reads);
    sim_release(&sim);
}

static void five_levels_have_a_cache_more(void **arg)
{
    struct timed_walk w = {
        .entry = {0, 0x1000, 0x2000, 0x3000, 0x4000}, .levels = 5, .page_shift = 12};

    prepare();
    start();
    tlb_structures_learn((struct tlb *)l2, 0, &w, 0);
    assert_int_equal(tlb_structures_find((struct tlb *)l2, (vaddr)1 << 40, &w), 1);
    assert_int_equal(stats(l2)->structureHits[3], 1);
    sim_release(&sim);
}

static void impossible_configurations_are_refused(void **arg)
{
    static const struct {
        const char *which, *param, *value, *message;
    } cases[] = {
        {"port.dtlb", "entries", "96", "the number of sets must be a power of two"},
        {"port.dtlb", "ways", "128", "the number of sets must be a power of two"},
        {"port.dtlb", "entries_2m", "24", NULL}, // fully associative: any number
        {"port.dtlb", "port", "port", "only the last level walks"},
        {"port.l2", "port", "", "needs a 'port'"},
        {"port.l2", "port", "port.dtlb", "provides no 'timed_port'"},
        {"port.dtlb", "next", "port", "which is no TLB"},
        {"port.dtlb", "next", "port.dtlb", "is behind itself"},
        {"port.dtlb", "next", "port.l3", "there is no component 'port.l3'"},
        {"port.l2", "walkers", "20", "more walkers than walks"},
        {"port.l2", "waiters", "2", "fewer waiters than walks"},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err;
        struct component *c;

        prepare();
        c = component_lookup(&sim, cases[i].which, &err);
        set(c, cases[i].param, cases[i].value);
        assert_int_equal(sim_build(&sim, &err), !cases[i].message);
        if (cases[i].message && !strstr(err.message, cases[i].message))
            fail_msg("'%s' lacks '%s'", err.message, cases[i].message);
        sim_release(&sim);
    }
}

static void any_state_is_refused_or_works(void **arg)
{
    struct rng g = {5};
    struct error err;
    unsigned accepted = 0;

    prepare();
    start();
    for (unsigned round = 0; round < 3000; round++) {
        struct component *all[] = {itlb, dtlb, l2};
        bool good = true;

        for (unsigned i = 0; i < 3; i++) {
            u8 *at = component_state(all[i]);

            for (const struct state_field *f = tlb_type.state; f->name; at += f->size, f++) {
                const struct state_field one[] = {*f, {0}};

                if (rng_below(&g, 24) == 0)
                    state_randomise(at, one, &g);
            }
        }
        for (unsigned i = 0; i < 3; i++)
            good = tlb_type.ops->after_load(all[i], &err) && good;
        for (unsigned i = 0; i < 50 && good; i++) {
            takes(i & 1 ? itlb : dtlb, rng_next(&g) & 0xffffffff3fff);
            memory.reads = 0;
        }
        accepted += good;
        sim_reset(&sim);
    }
    assert_true(accepted > 100);
    sim_release(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_reads_four_entries_one_after_the_other),
        cmocka_unit_test(a_hit_takes_the_first_level_latency),
        cmocka_unit_test(the_second_level_is_shared),
        cmocka_unit_test(an_entry_is_there_when_its_walk_is_over),
        cmocka_unit_test(paging_structure_caches_shorten_walks),
        cmocka_unit_test(a_moved_table_is_not_taken_from_the_cache),
        cmocka_unit_test(a_walk_that_waits_for_memory_is_pending),
        cmocka_unit_test(misses_of_a_page_share_a_walk),
        cmocka_unit_test(no_more_walks_run_than_there_are_walkers),
        cmocka_unit_test(walks_computed_at_once_keep_their_walkers_busy),
        cmocka_unit_test(a_busy_memory_is_asked_again),
        cmocka_unit_test(an_unmapped_page_costs_its_walk_and_gives_nothing),
        cmocka_unit_test(a_flush_forgets_all_levels_and_structures),
        cmocka_unit_test(a_walk_that_a_flush_overtakes_leaves_no_entry),
        cmocka_unit_test(an_entry_that_leads_elsewhere_misses),
        cmocka_unit_test(reach_grows_with_the_size_of_pages),
        cmocka_unit_test(sizes_can_have_entries_of_their_own),
        cmocka_unit_test(the_least_recently_used_entry_of_a_set_leaves),
        cmocka_unit_test(atomic_accesses_leave_what_timed_ones_do),
        cmocka_unit_test(five_levels_have_a_cache_more),
        cmocka_unit_test(impossible_configurations_are_refused),
        cmocka_unit_test(any_state_is_refused_or_works),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
