// SPDX-License-Identifier: BSD-3-Clause
#include "os/linux/mm.h"

#include "base/rng.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct pages pages;
    struct mapping_set maps;
    struct mm_env env;
    struct mm *mm;
    u64 flushes;
};

static void flushed(void *ctx, struct mm *mm, vaddr va, u64 n_pages)
{
    ((struct fixture *)ctx)->flushes++;
}

static int setup(void **arg)
{
    struct fixture *x = calloc(1, sizeof(*x));
    struct error err;

    assert_true(pages_init(&x->pages, MiB(16), &err));
    mapping_set_init(&x->maps, &x->pages);
    x->env = (struct mm_env){&x->pages, &x->maps, flushed, x};
    x->mm = mm_new(&x->env);
    assert_non_null(x->mm);
    *arg = x;
    return 0;
}

static int teardown(void **arg)
{
    struct fixture *x = *arg;

    mm_unref(x->mm);
    mapping_set_release(&x->maps);
    assert_int_equal(x->pages.used, 1); // the page of zeros
    pages_release(&x->pages);
    free(x);
    return 0;
}

#define RW (MM_READ | MM_WRITE)

static void untouched_memory_reads_as_zeros_and_costs_nothing(void **arg)
{
    struct fixture *x = *arg;
    i64 va = mm_map(x->mm, 0, MiB(8), RW, 0, NULL, 0);
    u8 byte = 1;
    u64 used;

    assert_true(va > 0);
    assert_true(mm_read(x->mm, (vaddr)va, &byte, 1));
    used = x->pages.used;
    for (u64 at = 0; at < MiB(1); at += PAGE_BYTES) {
        assert_true(mm_read(x->mm, (vaddr)va + at, &byte, 1));
        assert_int_equal(byte, 0);
    }
    assert_in_range(x->pages.used, used, used + 1); // perhaps another page table
    used = x->pages.used;
    assert_true(mm_write(x->mm, (vaddr)va, "x", 1));
    assert_int_equal(x->pages.used, used + 1);
}

static void fork_copies_on_write(void **arg)
{
    struct fixture *x = *arg;
    vaddr va = (vaddr)mm_map(x->mm, 0, 2 * PAGE_BYTES, RW, 0, NULL, 0);
    struct mm *child;
    char c;

    assert_true(mm_write(x->mm, va, "parent", 7));
    child = mm_fork(x->mm);
    assert_non_null(child);
    assert_true(mm_write(child, va, "C", 1));
    assert_true(mm_read(x->mm, va, &c, 1));
    assert_int_equal(c, 'p');
    assert_true(mm_write(x->mm, va + 1, "P", 1));
    assert_true(mm_read(child, va + 1, &c, 1));
    assert_int_equal(c, 'a');
    mm_unref(child);
}

static void shared_memory_is_shared_with_a_child(void **arg)
{
    struct fixture *x = *arg;
    struct mapping *m = mapping_anonymous(&x->maps, "/dev/zero");
    vaddr va = (vaddr)mm_map(x->mm, 0, PAGE_BYTES, RW, MM_SHARED, m, 0);
    struct mm *child = mm_fork(x->mm);
    char c;

    assert_true(mm_write(child, va, "s", 1));
    assert_true(mm_read(x->mm, va, &c, 1));
    assert_int_equal(c, 's');
    mm_unref(child);
    mapping_unref(m);
}

static void file_mappings_agree_with_the_file(void **arg)
{
    struct fixture *x = *arg;
    FILE *f = tmpfile();
    int fd = fileno(f);
    struct mapping *m;
    vaddr shared, private;
    char text[6] = "";

    assert_int_equal(write(fd, "hello", 5), 5);
    m = mapping_of_file(&x->maps, fd, true, "file");
    shared = (vaddr)mm_map(x->mm, 0, 2 * PAGE_BYTES, RW, MM_SHARED, m, 0);
    private = (vaddr)mm_map(x->mm, 0, PAGE_BYTES, RW, 0, m, 0);
    assert_true(mm_read(x->mm, private, text, 5));
    assert_string_equal(text, "hello");
    assert_true(mm_write(x->mm, private, "P", 1));
    assert_true(mm_write(x->mm, shared, "J", 1));
    assert_int_equal(mm_sync(x->mm, shared, PAGE_BYTES), 0);
    assert_int_equal(pread(fd, text, 5, 0), 5);
    assert_string_equal(text, "Jello");
    assert_int_equal(pwrite(fd, "y", 1, 4), 1);
    mapping_after_write(&x->maps, m->dev, m->ino, 4, 1);
    assert_true(mm_read(x->mm, shared, text, 5));
    assert_string_equal(text, "Jelly");
    assert_int_equal(mm_fault(x->mm, shared + PAGE_BYTES, MM_READ), MM_FAULT_BUS);
    mapping_unref(m);
    fclose(f);
}

static void protection_is_kept(void **arg)
{
    struct fixture *x = *arg;
    vaddr va = (vaddr)mm_map(x->mm, 0, 3 * PAGE_BYTES, RW, 0, NULL, 0);

    assert_true(mm_clear(x->mm, va, 3 * PAGE_BYTES));
    assert_int_equal(mm_protect(x->mm, va + PAGE_BYTES, PAGE_BYTES, MM_READ), 0);
    assert_int_equal(x->mm->count, 3);
    assert_false(mm_write(x->mm, va + PAGE_BYTES, "x", 1));
    assert_int_equal(mm_fault(x->mm, va + PAGE_BYTES, MM_WRITE), MM_FAULT_PROTECTED);
    assert_int_equal(mm_fault(x->mm, va, MM_EXEC), MM_FAULT_PROTECTED);
    assert_int_equal(mm_protect(x->mm, va + PAGE_BYTES, PAGE_BYTES, 0), 0);
    assert_null(mm_host(x->mm, va + PAGE_BYTES, false));
    assert_int_equal(mm_protect(x->mm, va + PAGE_BYTES, PAGE_BYTES, RW), 0);
    assert_int_equal(x->mm->count, 1);
    assert_true(mm_write(x->mm, va + PAGE_BYTES, "x", 1));
    assert_int_equal(mm_protect(x->mm, va, 5 * PAGE_BYTES, RW), -ENOMEM);
    assert_int_equal(mm_fault(x->mm, 0, MM_READ), MM_FAULT_NO_AREA);
    assert_int_equal(mm_fault(x->mm, ~0ull, MM_READ), MM_FAULT_NO_AREA);
}

static void the_stack_grows_to_its_limit(void **arg)
{
    struct fixture *x = *arg;
    vaddr top = MM_STACK_TOP;

    x->mm->stack_limit = MiB(1);
    mm_map(x->mm, top - PAGE_BYTES, PAGE_BYTES, RW, MM_GROWS_DOWN | MM_FIXED, NULL, 0);
    assert_int_equal(mm_fault(x->mm, top - KiB(64), MM_WRITE), MM_FAULT_OK);
    assert_int_equal(mm_fault(x->mm, top - MiB(1), MM_WRITE), MM_FAULT_OK);
    assert_int_equal(mm_fault(x->mm, top - MiB(1) - 1, MM_WRITE), MM_FAULT_NO_AREA);
}

static void remap_moves_content(void **arg)
{
    struct fixture *x = *arg;
    vaddr va = (vaddr)mm_map(x->mm, 0, PAGE_BYTES, RW, 0, NULL, 0);
    i64 to;
    char c;

    assert_true(mm_write(x->mm, va, "m", 1));
    mm_map(x->mm, va + PAGE_BYTES, PAGE_BYTES, MM_READ, MM_FIXED, NULL, 0);
    assert_int_equal(mm_remap(x->mm, va, PAGE_BYTES, 4 * PAGE_BYTES, 0, 0), -ENOMEM);
    to = mm_remap(x->mm, va, PAGE_BYTES, 4 * PAGE_BYTES, 1, 0);
    assert_true(to > 0);
    assert_true(mm_read(x->mm, (vaddr)to, &c, 1));
    assert_int_equal(c, 'm');
    assert_null(mm_host(x->mm, va, false));
}

static void ram_that_is_full_is_reported(void **arg)
{
    struct fixture *x = *arg;
    vaddr va = (vaddr)mm_map(x->mm, 0, MiB(15), RW, 0, NULL, 0);
    vaddr more = (vaddr)mm_map(x->mm, 0, MiB(15), RW, 0, NULL, 0);

    assert_int_equal(mm_map(x->mm, 0, MiB(17), RW, 0, NULL, 0), -ENOMEM);
    assert_true(mm_clear(x->mm, va, MiB(15)));
    assert_false(mm_clear(x->mm, more, MiB(15)));
    assert_int_equal(mm_unmap(x->mm, va, MiB(15)), 0);
    assert_true(mm_clear(x->mm, more, MiB(15)));
}

static void check_invariants(const struct mm *mm)
{
    for (size_t i = 0; i < mm->count; i++) {
        assert_true(mm->items[i].start < mm->items[i].end);
        assert_true(mm->items[i].end <= MM_USER_END);
        assert_true(i == 0 || mm->items[i - 1].end <= mm->items[i].start);
    }
}

// Random calls against a byte map of what should be mapped.
static void random_calls_keep_the_areas_in_order(void **arg)
{
    struct fixture *x = *arg;
    enum { SLOTS = 64 };
    const vaddr base = 0x100000000;
    struct rng rng = {7};
    bool mapped[SLOTS] = {0};

    for (int n = 0; n < 20000; n++) {
        u64 at = rng_below(&rng, SLOTS), size = 1 + rng_below(&rng, SLOTS - at);
        vaddr va = base + at * PAGE_BYTES;
        u64 bytes = size * PAGE_BYTES;

        switch (rng_below(&rng, 4)) {
        case 0:
            assert_int_equal(mm_map(x->mm, va, bytes, RW, MM_FIXED, NULL, 0), va);
            memset(&mapped[at], 1, size);
            break;
        case 1:
            assert_int_equal(mm_unmap(x->mm, va, bytes), 0);
            memset(&mapped[at], 0, size);
            break;
        case 2:
            mm_protect(x->mm, va, bytes, rng_below(&rng, 2) ? RW : MM_READ);
            break;
        default:
            (void)mm_fault(x->mm, va, rng_below(&rng, 2) ? MM_READ : MM_WRITE);
        }
        check_invariants(x->mm);
        for (u64 i = 0; i < SLOTS; i++)
            assert_int_equal(mm_find(x->mm, base + i * PAGE_BYTES) != NULL, mapped[i]);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(untouched_memory_reads_as_zeros_and_costs_nothing),
        TEST(fork_copies_on_write),
        TEST(shared_memory_is_shared_with_a_child),
        TEST(file_mappings_agree_with_the_file),
        TEST(protection_is_kept),
        TEST(the_stack_grows_to_its_limit),
        TEST(remap_moves_content),
        TEST(ram_that_is_full_is_reported),
        TEST(random_calls_keep_the_areas_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
