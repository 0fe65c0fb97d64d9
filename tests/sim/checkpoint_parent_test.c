// SPDX-License-Identifier: BSD-3-Clause
// Checkpoints that build on others, and memory that is filled when it is touched.
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "checkpoint_help.h"
#include "mem/ram.h"
#include "sim/checkpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static u64 pack_size(const char *checkpoint)
{
    AUTO_FREE char *pack = xasprintf("%s/memory.pack", checkpoint);

    return file_size(pack);
}

static u64 hash_of(const char *path, const char *size)
{
    struct sample_machine m;
    struct error err;
    u64 h;

    sample_machine_init(&m, 0, size);
    must(checkpoint_load(&m.sim, path, NULL, &err), &err);
    h = sample_machine_hash(&m);
    sim_release(&m.sim);
    return h;
}

enum { FAMILY = 4 };

struct family {
    struct sample_machine m;
    char *paths[FAMILY]; // owned; each the next one's parent
    u64 hashes[FAMILY];
};

static void family_init(struct family *f, const char *size)
{
    struct rng rng = {11};
    struct error err;

    sample_machine_init(&f->m, 2, size);
    sample_machine_randomise(&f->m, &rng);
    for (unsigned i = 0; i < FAMILY; i++) {
        AUTO_FREE char *name = xasprintf("family/%u", i);
        AUTO_FREE char *folder = scratch("family");
        struct checkpoint_options o = {.parent = i ? f->paths[i - 1] : NULL};

        must(file_make_directories(folder, &err), &err);
        f->paths[i] = scratch(name);
        for (unsigned k = 0; k < 5 && i; k++)
            ram_bytes(f->m.ram)[rng_below(&rng, ram_size(f->m.ram))] ^= 0xff;
        must(checkpoint_save(&f->m.sim, f->paths[i], &o, &err), &err);
        f->hashes[i] = sample_machine_hash(&f->m);
    }
}

static void family_release(struct family *f)
{
    AUTO_FREE char *folder = scratch("family");

    must_remove(folder);
    for (unsigned i = 0; i < FAMILY; i++)
        free(f->paths[i]);
    sim_release(&f->m.sim);
}

static void a_child_stores_only_what_its_ancestors_lack(void **arg)
{
    struct family f;
    struct error err;

    family_init(&f, "8MiB");
    for (unsigned i = 0; i < FAMILY; i++) {
        must(checkpoint_verify(f.paths[i], &err), &err);
        assert_int_equal(hash_of(f.paths[i], "8MiB"), f.hashes[i]);
        if (i)
            assert_in_range(pack_size(f.paths[i]), 65536, 6 * 66000);
    }
    assert_in_range(pack_size(f.paths[0]), MiB(2), MiB(8));
    family_release(&f);
}

static void a_family_can_be_moved(void **arg)
{
    AUTO_FREE char *from = scratch("family"), *to = scratch("moved"), *last = scratch("moved/3");
    struct family f;
    struct error err;

    family_init(&f, "2MiB");
    assert_int_equal(rename(from, to), 0);
    must(checkpoint_verify(last, &err), &err);
    assert_int_equal(hash_of(last, "2MiB"), f.hashes[3]);
    must_remove(to);
    family_release(&f);
}

static void the_parent_is_found_from_anywhere(void **arg)
{
    AUTO_FREE char *deep = scratch("deep"), *folder = scratch("deep/er"), *child = NULL;
    AUTO_FREE char *manifest = NULL;
    AUTO(strbuf) struct strbuf text = {0};
    struct family f;
    struct error err;
    struct checkpoint_options o = {0};

    family_init(&f, "2MiB");
    must(file_make_directories(folder, &err), &err);
    child = xasprintf("%s/child//", folder);
    o.parent = f.paths[1];
    must(checkpoint_save(&f.m.sim, child, &o, &err), &err);
    manifest = xasprintf("%s/child/manifest.json", folder);
    must(file_read(manifest, 1 << 20, &text, &err), &err);
    assert_non_null(strstr(text.text, "\"path\": \"../../../family/1\""));
    must(checkpoint_verify(child, &err), &err);
    must_remove(deep);
    family_release(&f);
}

static void refused(const char *path, const char *word)
{
    struct sample_machine m;
    struct error err;
    u64 before;

    sample_machine_init(&m, 1, "2MiB");
    before = sample_machine_hash(&m);
    assert_false(checkpoint_verify(path, &err));
    assert_int_equal(err.code, ERROR_INPUT);
    if (!strstr(err.message, word))
        fail_msg("'%s' is not in: %s", word, err.message);
    assert_false(checkpoint_load(&m.sim, path, NULL, &err));
    if (!strstr(err.message, word))
        fail_msg("'%s' is not in: %s", word, err.message);
    // Nothing was changed.
    assert_int_equal(sample_machine_hash(&m), before);
    sim_release(&m.sim);
}

static void a_missing_or_changed_parent_is_refused_by_name(void **arg)
{
    AUTO_FREE char *aside = scratch("aside");
    struct family f;
    struct error err;

    family_init(&f, "2MiB");
    assert_int_equal(rename(f.paths[1], aside), 0);
    refused(f.paths[3], "../1'");
    refused(f.paths[2], "../1'");
    must(checkpoint_verify(f.paths[0], &err), &err);
    // Another one in its place, though it has the same memory.
    must(checkpoint_save(&f.m.sim, f.paths[1], NULL, &err), &err);
    refused(f.paths[3], "not the one that was there");
    must_remove(f.paths[1]);
    assert_int_equal(rename(aside, f.paths[1]), 0);
    must(checkpoint_verify(f.paths[3], &err), &err);
    family_release(&f);
}

static void damage_of_any_ancestor_is_refused_by_name(void **arg)
{
    static const char *const needed[] = {"manifest.json", "memory.index", "memory.pack"};
    struct rng rng = {6};
    struct family f;
    struct error err;

    family_init(&f, "2MiB");
    for (unsigned i = 0; i < FAMILY; i++) {
        for (size_t k = 0; k < ARRAY_SIZE(needed); k++) {
            AUTO_FREE char *part = xasprintf("%s/%s", f.paths[i], needed[k]);
            AUTO_FREE char *folder = xasprintf("/%u", i);

            for (unsigned n = 0; n < 10; n++) {
                u64 at = rng_below(&rng, file_size(part));
                unsigned bit = (unsigned)rng_below(&rng, 8);

                flip_bit(part, at, bit);
                refused(f.paths[3], i == 3 ? needed[k] : folder);
                flip_bit(part, at, bit);
            }
        }
    }
    must(checkpoint_verify(f.paths[3], &err), &err);
    family_release(&f);
}

static void a_parent_that_cannot_be_used_is_refused_when_saving(void **arg)
{
    AUTO_FREE char *child = scratch("child"), *pack = NULL;
    struct checkpoint_options o = {.parent = "/nonexistent"};
    struct family f;
    struct error err;

    family_init(&f, "1MiB");
    assert_false(checkpoint_save(&f.m.sim, child, &o, &err));
    assert_non_null(strstr(err.message, "the parent '/nonexistent'"));
    o.parent = f.paths[1];
    pack = xasprintf("%s/memory.pack", f.paths[1]);
    assert_int_equal(truncate(pack, 100), 0);
    assert_false(checkpoint_save(&f.m.sim, child, &o, &err));
    assert_non_null(strstr(err.message, "100 bytes instead of"));
    assert_false(file_exists(child));
    family_release(&f);
}

static void the_bytes_do_not_depend_on_the_threads(void **arg)
{
    static const unsigned threads[] = {1, 2, 3, 8};
    AUTO_FREE char *first = scratch("first");
    struct checkpoint_options o = {0};
    struct sample_machine m;
    struct rng rng = {9};
    struct error err;

    sample_machine_init(&m, 1, "20MiB");
    sample_machine_randomise(&m, &rng);
    must(checkpoint_save(&m.sim, first, NULL, &err), &err);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        AUTO_FREE char *other = scratch("other");

        o.threads = threads[i];
        must(checkpoint_save(&m.sim, other, &o, &err), &err);
        assert_same_files(first, other);
        assert_int_equal(hash_of(other, "20MiB"), sample_machine_hash(&m));
        must_remove(other);
    }
    must_remove(first);
    sim_release(&m.sim);
}

// ---- filled when touched ----

static void memory_is_filled_where_it_is_touched(void **arg)
{
    AUTO_FREE char *path = scratch("lazy"), *again = scratch("again");
    struct sample_machine m, n;
    struct rng rng = {21};
    struct error err;
    u64 v = 0;

    sample_machine_init(&m, 1, "8MiB");
    sample_machine_init(&n, 1, "8MiB");
    for (u64 at = 0; at < MiB(8); at += 8) {
        u64 x = rng_next(&rng) | 1;

        memcpy(ram_bytes(m.ram) + at, &x, 8);
    }
    must(checkpoint_save(&m.sim, path, NULL, &err), &err);
    must(checkpoint_load(&n.sim, path, NULL, &err), &err);
    // Whoever comes first: an access, a page, DMA; the neighbours are left alone.
    assert_true(mem_port_read(&n.port, MiB(3) + 8, 8, &v));
    assert_memory_equal(&v, ram_bytes(m.ram) + MiB(3) + 8, 8);
    assert_memory_equal(mem_port_host_page(&n.port, MiB(5), true), ram_bytes(m.ram) + MiB(5), 4096);
    assert_memory_equal(ram_place(n.ram) + MiB(3), ram_bytes(m.ram) + MiB(3), 65536);
    for (u64 at = MiB(1); at < MiB(2); at++)
        assert_int_equal(ram_place(n.ram)[at], 0);
    // What the guest writes stays, also on a page of which the rest was not there yet.
    v = 0x1234567890abcdef;
    assert_true(mem_port_write(&n.port, MiB(6) + 16, 8, &v));
    assert_true(mem_port_write(&m.port, MiB(6) + 16, 8, &v));
    // The checkpoint may go away, and be the ground of another one.
    must_remove(path);
    must(checkpoint_save(&n.sim, path, NULL, &err), &err);
    must(checkpoint_save(&m.sim, again, NULL, &err), &err);
    assert_same_files(path, again);
    assert_int_equal(sample_machine_hash(&m), sample_machine_hash(&n));
    must_remove(path);
    must_remove(again);
    sim_release(&m.sim);
    sim_release(&n.sim);
}

static void a_machine_can_be_loaded_again_before_it_is_complete(void **arg)
{
    struct sample_machine n;
    struct family f;
    struct error err;
    u64 v;

    family_init(&f, "4MiB");
    sample_machine_init(&n, 1, "4MiB");
    for (unsigned i = 0; i < 10; i++) {
        must(checkpoint_load(&n.sim, f.paths[i % FAMILY], NULL, &err), &err);
        assert_true(mem_port_read(&n.port, i * 100000, 1, &v));
        if (i % 3 == 0)
            assert_int_equal(sample_machine_hash(&n), f.hashes[i % FAMILY]);
    }
    // A reset forgets what was to come.
    must(checkpoint_load(&n.sim, f.paths[2], NULL, &err), &err);
    sim_reset(&n.sim);
    for (u64 at = 0; at < MiB(4); at++)
        assert_int_equal(ram_bytes(n.ram)[at], 0);
    must(checkpoint_load(&n.sim, f.paths[3], &(struct checkpoint_options){.eager = true}, &err),
         &err);
    assert_memory_equal(ram_place(n.ram), ram_bytes(f.m.ram), MiB(4));
    sim_release(&n.sim);
    family_release(&f);
}

static void damage_that_comes_later_stops_the_machine(void **arg)
{
    AUTO_FREE char *path = scratch("later"), *pack = scratch("later/memory.pack");

    for (unsigned kind = 0; kind < 2; kind++) {
        struct sample_machine m, n;
        struct rng rng = {4};
        struct error err;
        u64 v = 0;

        sample_machine_init(&m, 1, "8MiB");
        sample_machine_init(&n, 1, "8MiB");
        for (u64 at = 0; at < MiB(8); at++)
            ram_bytes(m.ram)[at] = (u8)rng_next(&rng);
        must(checkpoint_save(&m.sim, path, NULL, &err), &err);
        must(checkpoint_load(&n.sim, path, NULL, &err), &err);
        if (kind)
            assert_int_equal(truncate(pack, 3000000), 0);
        else
            flip_bit(pack, 7000000, 3);
        assert_true(mem_port_read(&n.port, MiB(1), 8, &v));
        assert_int_equal(n.sim.failure.code, ERROR_NONE);
        assert_false(mem_port_read(&n.port, 7000000, 8, &v));
        assert_int_equal(v, ~(u64)0);
        assert_int_equal(n.sim.failure.code, ERROR_INPUT);
        assert_non_null(strstr(n.sim.failure.message, "memory.pack' is damaged"));
        assert_null(mem_port_host_page(&n.port, MiB(7) - 4096, false));
        assert_false(checkpoint_save(&n.sim, "/nonexistent/x", NULL, &err));
        must_remove(path);
        sim_release(&m.sim);
        sim_release(&n.sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_stores_only_what_its_ancestors_lack),
        cmocka_unit_test(a_family_can_be_moved),
        cmocka_unit_test(the_parent_is_found_from_anywhere),
        cmocka_unit_test(a_missing_or_changed_parent_is_refused_by_name),
        cmocka_unit_test(damage_of_any_ancestor_is_refused_by_name),
        cmocka_unit_test(a_parent_that_cannot_be_used_is_refused_when_saving),
        cmocka_unit_test(the_bytes_do_not_depend_on_the_threads),
        cmocka_unit_test(memory_is_filled_where_it_is_touched),
        cmocka_unit_test(a_machine_can_be_loaded_again_before_it_is_complete),
        cmocka_unit_test(damage_that_comes_later_stops_the_machine),
    };
    struct error err;

    if (!log_set_filter("error", &err))
        return 1;
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
