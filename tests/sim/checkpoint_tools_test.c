// SPDX-License-Identifier: BSD-3-Clause
// What tools see of checkpoints, and memory that belongs to a component: needed or optional.
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "checkpoint_help.h"
#include "mem/ram.h"
#include "sample.h"
#include "sim/checkpoint.h"
#include "sim/checkpoint_info.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

// ---- a component with memory of its own ----

#define HOARD_PARAMS(P, PR, PB, PS, PC)                               \
    P(u64, bytes, 100, 0, 1000000, "Size of its table")               \
    PB(table, true, "Has a table, which a checkpoint must have, too") \
    PB(warm, true, "Saves and loads what it can do without")

COMPONENT_LISTS(hoard, HOARD_PARAMS, NO_ROWS, NO_ROWS, NO_ROWS);

struct hoard {
    struct component base;
    struct hoard_params p;
    struct hoard_state st;
    struct hoard_stats n;
    DERIVED(u8 table[1000000]);
    DERIVED(u8 warm[70000]);
    DERIVED(bool was_warm);
};

static struct hoard *hoard_of(struct component *c)
{
    return (struct hoard *)(void *)c;
}

static bool hoard_save(struct component *c, struct checkpoint_writer *w, struct error *err)
{
    struct hoard *h = hoard_of(c);
    AUTO_FREE char *table = xasprintf("%s.table", c->path), *warm = xasprintf("%s.tlb", c->path);
    // The writer needs the data only while it is asked.
    AUTO_FREE u8 *copy = xcalloc(h->p.bytes + 1, 1);
    bool ok;

    memcpy(copy, h->table, h->p.bytes);
    ok = (!h->p.table || checkpoint_write_memory(w, table, copy, h->p.bytes, err)) &&
         (!h->p.warm || checkpoint_write_optional(w, warm, h->warm, sizeof(h->warm), err));
    memset(copy, 0xee, h->p.bytes);
    return ok;
}

static bool hoard_load(struct component *c, struct checkpoint_reader *r, struct error *err)
{
    struct hoard *h = hoard_of(c);
    AUTO_FREE char *table = xasprintf("%s.table", c->path), *warm = xasprintf("%s.tlb", c->path);
    u64 size;

    memset(h->table, 0, sizeof(h->table));
    memset(h->warm, 0, sizeof(h->warm));
    h->was_warm = h->p.warm && checkpoint_memory_size(r, warm, &size) && size == sizeof(h->warm);
    return (!h->p.table || checkpoint_read_memory(r, table, h->table, h->p.bytes, err)) &&
           (!h->was_warm || checkpoint_read_memory(r, warm, h->warm, size, err));
}

static const struct component_ops hoard_ops = {.save = hoard_save, .load = hoard_load};
static const struct component_type hoard_type = {
    .name = "hoard", .doc = "Memory of its own", COMPONENT_LAYOUT(hoard), .ops = &hoard_ops};

struct hoards {
    struct sim sim;
    struct component *root, *child;
};

static void hoards_init(struct hoards *h, const char *bytes, const char *table, const char *warm)
{
    struct error err;

    sim_init(&h->sim);
    h->root = component_new(&h->sim, &hoard_type, NULL, "root", &err);
    h->child = component_new(&h->sim, &hoard_type, h->root, "child", &err);
    must(h->child && component_set(h->child, "bytes", bytes, &err) &&
             component_set(h->child, "table", table, &err) &&
             component_set(h->child, "warm", warm, &err) && sim_build(&h->sim, &err),
         &err);
    sim_reset(&h->sim);
}

static void memory_of_any_size_is_saved(void **arg)
{
    static const char *const sizes[] = {"0", "1", "4095", "65536", "65537", "999999"};
    AUTO_FREE char *path = scratch("hoard");
    struct rng rng = {3};

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct hoards a, b;
        struct error err;

        hoards_init(&a, sizes[i], "true", "true");
        hoards_init(&b, sizes[i], "true", "true");
        for (u64 k = 0; k < hoard_of(a.child)->p.bytes; k++)
            hoard_of(a.child)->table[k] = (u8)rng_next(&rng);
        hoard_of(a.root)->table[5] = 9;
        hoard_of(a.child)->warm[69999] = 7;
        must(checkpoint_save(&a.sim, path, NULL, &err), &err);
        must(checkpoint_verify(path, &err), &err);
        must(checkpoint_load(&b.sim, path, NULL, &err), &err);
        assert_memory_equal(hoard_of(a.child)->table, hoard_of(b.child)->table, 1000000);
        assert_memory_equal(hoard_of(a.child)->warm, hoard_of(b.child)->warm, 70000);
        assert_int_equal(hoard_of(b.root)->table[5], 9);
        must_remove(path);
        sim_release(&a.sim);
        sim_release(&b.sim);
    }
}

static void what_is_optional_may_be_missing_or_unwanted(void **arg)
{
    AUTO_FREE char *with = scratch("with"), *without = scratch("without");
    struct hoards warm, cold;
    struct error err;

    hoards_init(&warm, "10", "true", "true");
    hoards_init(&cold, "10", "true", "false");
    hoard_of(warm.child)->table[3] = 4;
    hoard_of(warm.child)->warm[3] = 4;
    must(checkpoint_save(&warm.sim, with, NULL, &err), &err);
    must(checkpoint_load(&cold.sim, with, NULL, &err), &err);
    assert_int_equal(hoard_of(cold.child)->table[3], 4);
    must(checkpoint_save(&cold.sim, without, NULL, &err), &err);
    must(checkpoint_load(&warm.sim, without, NULL, &err), &err);
    assert_false(hoard_of(warm.child)->was_warm);
    assert_true(hoard_of(warm.root)->was_warm);
    must_remove(with);
    must_remove(without);
    sim_release(&warm.sim);
    sim_release(&cold.sim);
}

static void what_is_needed_is_named(void **arg)
{
    AUTO_FREE char *with = scratch("with"), *without = scratch("without");
    struct hoards full, empty, other;
    struct error err;

    hoards_init(&full, "10", "true", "false");
    hoards_init(&empty, "10", "false", "false");
    hoards_init(&other, "11", "true", "false");
    must(checkpoint_save(&full.sim, with, NULL, &err), &err);
    must(checkpoint_save(&empty.sim, without, NULL, &err), &err);
    assert_false(checkpoint_load(&full.sim, without, NULL, &err));
    assert_non_null(strstr(err.message, "the memory 'root.child.table' is missing"));
    assert_false(checkpoint_load(&empty.sim, with, NULL, &err));
    assert_non_null(strstr(err.message, "it has a memory 'root.child.table' that no component"));
    assert_false(checkpoint_load(&other.sim, with, NULL, &err));
    assert_non_null(strstr(err.message, "'root.child.table' has 10 bytes instead of 11"));
    must_remove(with);
    must_remove(without);
    sim_release(&full.sim);
    sim_release(&empty.sim);
    sim_release(&other.sim);
}

// ---- info, list, diff ----

static void info_says_what_is_in_a_checkpoint(void **arg)
{
    AUTO_FREE char *one = scratch("list/one"), *two = scratch("list/two"), *dir = scratch("list");
    AUTO_FREE char *unfinished = scratch("list/x.tmp-1-0"), *bad = scratch("list/bad");
    AUTO_FREE char *manifest = NULL;
    struct checkpoint_options o = {.config_digest = "abc"};
    struct checkpoint_info info;
    struct checkpoint_list list;
    struct sample_machine m;
    struct error err;

    must(file_make_directories(dir, &err), &err);
    must(file_make_directories(bad, &err), &err);
    sample_machine_init(&m, 3, "1MiB");
    for (unsigned n = 0; n < 5000; n++)
        sample_machine_step(&m);
    memset(ram_bytes(m.ram), 0, MiB(1) / 2);
    must(checkpoint_save(&m.sim, one, &o, &err), &err);
    memset(ram_bytes(m.ram), 1, 1);
    o.parent = one;
    must(checkpoint_save(&m.sim, two, &o, &err), &err);
    must(checkpoint_save(&m.sim, unfinished, &o, &err), &err);
    manifest = xasprintf("%s/manifest.json", bad);
    must(file_write(manifest, "{}", 2, &err), &err);

    must(checkpoint_info_read(&info, two, &err), &err);
    assert_int_equal(info.time, m.sim.queue.now);
    assert_int_equal(info.events_fired, m.sim.queue.fired);
    assert_string_equal(info.parent, "../one");
    assert_string_equal(info.config_digest, "abc");
    assert_int_equal(info.components.count, 5);
    assert_string_equal(info.components.items[2].path, "map.timer0");
    assert_string_equal(info.components.items[2].type, sample_timer_type.name);
    assert_int_equal(info.memories.count, 1);
    assert_string_equal(info.memories.items[0].name, "map.ram");
    assert_int_equal(info.memory_bytes, MiB(1));
    assert_int_equal(info.memories.items[0].zero, 7);
    assert_int_equal(info.memories.items[0].own, 1);
    assert_int_equal(info.memories.items[0].inherited, 8);
    assert_in_range(info.file_bytes, 500, 100000);

    must(checkpoint_list_read(&list, dir, &err), &err);
    assert_int_equal(list.items.count, 3);
    assert_non_null(strstr(list.items.items[0].problem, "is no facet checkpoint"));
    assert_string_equal(list.items.items[1].path, one);
    assert_null(list.items.items[1].parent);
    assert_string_equal(list.items.items[1].digest, info.parent_digest);
    assert_string_equal(list.items.items[2].digest, info.digest);
    checkpoint_list_release(&list);
    checkpoint_info_release(&info);
    assert_false(checkpoint_list_read(&list, "/nonexistent", &err));
    assert_false(checkpoint_info_read(&info, bad, &err));
    must_remove(dir);
    sim_release(&m.sim);
}

static const struct checkpoint_difference *find(const struct checkpoint_diff *d, const char *name,
                                                const char *row)
{
    for (size_t i = 0; i < d->items.count; i++) {
        const struct checkpoint_difference *x = &d->items.items[i];

        if (strcmp(x->name ? x->name : "", name) == 0 && strcmp(x->row ? x->row : "", row) == 0)
            return x;
    }
    fail_msg("no difference of '%s' '%s'", name, row);
    return NULL;
}

static void diff_names_every_row_and_page(void **arg)
{
    AUTO_FREE char *a = scratch("a"), *b = scratch("b"), *c = scratch("c");
    const struct checkpoint_difference *x;
    struct checkpoint_options o = {.config_digest = "abc"};
    struct checkpoint_diff d;
    struct sample_machine m, small;
    struct error err;

    sample_machine_init(&m, 3, "4MiB");
    memset(ram_bytes(m.ram), 3, MiB(3));
    must(checkpoint_save(&m.sim, a, NULL, &err), &err);
    must(checkpoint_diff(&d, a, a, &err), &err);
    assert_int_equal(d.items.count, 0);
    checkpoint_diff_release(&d);

    // Three neighbouring pages, across chunks, and one that was zero.
    memset(ram_bytes(m.ram) + 65536 - 4096, 4, 8193);
    ram_bytes(m.ram)[MiB(4) - 1] = 1;
    m.sim.queue.now += 17;
    *(u8 *)component_state(m.timers[0]) ^= 1;
    *(u64 *)component_stats(m.counter) += 5;
    o.parent = a;
    must(checkpoint_save(&m.sim, b, &o, &err), &err);
    must(checkpoint_diff(&d, a, b, &err), &err);
    assert_int_equal(d.items.count, 6);
    assert_int_equal(d.pages, 4);
    assert_int_equal(d.chunks, 3);
    assert_string_equal(find(&d, "", "tick")->b, "0x11");
    assert_string_equal(find(&d, "", "config_digest")->b, "abc");
    x = find(&d, "map.timer0", sample_timer_type.state[0].name);
    assert_int_equal(x->kind, CHECKPOINT_STATE);
    assert_string_not_equal(x->a, x->b);
    x = find(&d, "map.counter", "words[0]");
    assert_int_equal(x->kind, CHECKPOINT_COUNTER);
    assert_string_equal(x->a, "0");
    assert_string_equal(x->b, "5");
    x = find(&d, "map.ram", "");
    assert_int_equal(x->at, 65536 - 4096);
    assert_int_equal(x->size, 3 * 4096);
    assert_int_equal(d.items.items[5].at, MiB(4) - 4096);
    checkpoint_diff_release(&d);

    sample_machine_init(&small, 3, "1MiB");
    must(checkpoint_save(&small.sim, c, NULL, &err), &err);
    must(checkpoint_diff(&d, a, c, &err), &err);
    assert_int_equal(d.items.count, 1);
    assert_string_equal(find(&d, "map.ram", "size")->b, "1048576");
    checkpoint_diff_release(&d);
    must_remove(a);
    assert_false(checkpoint_diff(&d, c, b, &err));
    assert_non_null(strstr(err.message, "its parent '"));
    must_remove(b);
    must_remove(c);
    sim_release(&m.sim);
    sim_release(&small.sim);
}

static void diff_tells_different_machines_apart(void **arg)
{
    AUTO_FREE char *a = scratch("a"), *b = scratch("b");
    struct sample_machine m;
    struct checkpoint_diff d;
    struct hoards h;
    struct error err;

    sample_machine_init(&m, 3, "1MiB");
    hoards_init(&h, "10", "true", "true");
    must(checkpoint_save(&m.sim, a, NULL, &err), &err);
    must(checkpoint_save(&h.sim, b, NULL, &err), &err);
    must(checkpoint_diff(&d, a, b, &err), &err);
    assert_string_equal(find(&d, "map.timer0", "component")->a, "there");
    assert_null(find(&d, "map.timer0", "component")->b);
    assert_string_equal(find(&d, "root.child", "component")->b, "there");
    assert_string_equal(find(&d, "root.child.tlb", "memory")->b, "there");
    checkpoint_diff_release(&d);
    must_remove(a);
    must_remove(b);
    sim_release(&m.sim);
    sim_release(&h.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_of_any_size_is_saved),
        cmocka_unit_test(what_is_optional_may_be_missing_or_unwanted),
        cmocka_unit_test(what_is_needed_is_named),
        cmocka_unit_test(info_says_what_is_in_a_checkpoint),
        cmocka_unit_test(diff_names_every_row_and_page),
        cmocka_unit_test(diff_tells_different_machines_apart),
    };
    struct error err;

    if (!log_set_filter("error", &err))
        return 1;
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
