// SPDX-License-Identifier: BSD-3-Clause
// Speculation without an engine: registers, and what loads and stores see at every level, compared
// with plain copies of memory. Programs and guests that go down wrong paths: tests/speculate.
#include "isa/x86/speculate.h"

#include "base/rng.h"
#include "isa/x86/fault.h"
#include "isa/x86/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, PT = 0x4000, DATA = 0x10000, DEVICE = 0x200000 };
// Pages of VA: 0 to 95 are RAM; then an alias of page 0, one that is read-only, a device, nothing.
enum { PAGES = 96, ALIAS = 100, READ_ONLY, ON_DEVICE, NOTHING };
enum { RAM = DATA + PAGES * CORE_PAGE_SIZE };

#define VA 0x0000123456600000ull

struct bench {
    struct x86_core c; // first
    u8 ram[RAM];
    u8 before[RAM];
    u32 device_accesses;
};

static u64 va_of(u32 page)
{
    return VA + (u64)page * CORE_PAGE_SIZE;
}

static bool bus_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    ((struct bench *)ctx)->device_accesses++;
    if (!write)
        memset(data, 0x5a, size);
    return true;
}

static u8 *bus_page(void *ctx, paddr page, bool write)
{
    return page < RAM ? ((struct bench *)ctx)->ram + page : NULL;
}

static u64 *entry(struct bench *b, paddr table, u64 index)
{
    return (u64 *)(void *)(b->ram + table + index * 8);
}

static u64 *leaf(struct bench *b, u32 page)
{
    return entry(b, PT, page);
}

static int bench_new(void **state)
{
    static const struct mem_port_ops ops = {.access = bus_access, .host_page = bus_page};
    struct bench *b = calloc(1, sizeof(*b));
    struct rng rng = {1};
    struct error err;

    if (!x86_core_init(&b->c, 0, &(struct mem_port){.ops = &ops, .ctx = b}, "x86-64-v3", &err))
        fail_msg("%s", err.message);
    for (u32 i = DATA; i < RAM; i++)
        b->ram[i] = (u8)rng_next(&rng);
    b->c.s.cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_WP;
    b->c.s.cr3 = PML4;
    b->c.s.cr4 = X86_CR4_PAE;
    b->c.s.efer = X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE;
    b->c.s.seg_attr[X86_CS] |= X86_ATTR_L;
    *entry(b, PML4, VA >> 39 & 511) = PDPT | 3;
    *entry(b, PDPT, VA >> 30 & 511) = PD | 3;
    *entry(b, PD, VA >> 21 & 511) = PT | 3;
    for (u32 i = 0; i < PAGES; i++)
        *leaf(b, i) = (DATA + i * CORE_PAGE_SIZE) | 3;
    *leaf(b, ALIAS) = DATA | 3;
    *leaf(b, READ_ONLY) = DATA | 1;
    *leaf(b, ON_DEVICE) = DEVICE | 3;
    x86_state_loaded(&b->c);
    memcpy(b->before, b->ram, RAM);
    *state = b;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *b = *state;

    x86_core_release(&b->c);
    free(b);
    return 0;
}

static u32 speculate(struct bench *b)
{
    return b->c.core.isa->speculate(&b->c.core);
}

static void rewind_to(struct bench *b, u32 level)
{
    b->c.core.isa->rewind(&b->c.core, level);
}

static u64 load(struct bench *b, u64 va)
{
    u64 v = 0;

    assert_int_equal(x86_load(&b->c, va, &v, 8), X86_OK);
    return v;
}

static void store(struct bench *b, u64 va, u64 v)
{
    assert_int_equal(x86_store(&b->c, va, &v, 8), X86_OK);
}

static void rewinding_brings_all_registers_back(void **state)
{
    struct bench *b = *state;
    struct x86_arch_state old[3];
    struct rng rng = {7};

    for (u32 i = 0; i < 3; i++) {
        for (u32 k = 0; k < 16; k++)
            b->c.s.gpr[k] = rng_next(&rng);
        for (u32 k = 0; k < 64; k++)
            b->c.s.ymm[k] = rng_next(&rng);
        b->c.s.rip = rng_next(&rng);
        b->c.s.rflags = 2 | (rng_next(&rng) & (X86_ARITH_FLAGS | X86_DF | X86_IF));
        b->c.s.mxcsr = (u32)rng_next(&rng) & 0xffbf;
        b->c.s.rng = rng_next(&rng);
        b->c.s.seg_base[X86_FS] = rng_next(&rng);
        old[i] = b->c.s;
        assert_int_equal(speculate(b), i);
    }
    b->c.s.cr4 = 0;
    for (u32 i = 3; i-- > 0;) {
        rewind_to(b, i);
        assert_memory_equal(&b->c.s, &old[i], sizeof(old[i]));
        assert_int_equal(b->c.core.speculation, i);
    }
}

static void the_mode_comes_back_with_the_registers(void **state)
{
    struct bench *b = *state;
    u64 key = b->c.core.mode_key;
    struct core_tlb *tlb = b->c.core.tlb[CORE_READ];

    speculate(b);
    b->c.s.seg_attr[X86_SS] |= 3 << 5; // CPL 3
    x86_update_mode(&b->c);
    assert_int_not_equal(b->c.core.mode_key, key);
    rewind_to(b, 0);
    assert_int_equal(b->c.core.mode_key, key);
    assert_int_equal(b->c.cpl, 0);
    assert_ptr_equal(b->c.core.tlb[CORE_READ], tlb);
}

static void a_store_is_seen_by_loads_and_by_nobody_else(void **state)
{
    struct bench *b = *state;
    u64 was = load(b, VA + 0x10);

    speculate(b);
    store(b, VA + 0x10, ~was);
    assert_int_equal(load(b, VA + 0x10), ~was);
    assert_memory_equal(b->ram + DATA, b->before + DATA, RAM - DATA);
    rewind_to(b, 0);
    assert_int_equal(load(b, VA + 0x10), was);
}

static void a_store_is_seen_through_all_mappings_of_its_page(void **state)
{
    struct bench *b = *state;

    speculate(b);
    (void)load(b, va_of(READ_ONLY)); // is in the TLB before
    store(b, VA + 8, 0x1122334455667788);
    assert_int_equal(load(b, va_of(ALIAS) + 8), 0x1122334455667788);
    assert_int_equal(load(b, va_of(READ_ONLY) + 8), 0x1122334455667788);
    store(b, va_of(ALIAS) + 8, 42);
    assert_int_equal(load(b, VA + 8), 42);
    rewind_to(b, 0);
    assert_memory_equal(b->ram + DATA, b->before + DATA, RAM - DATA);
}

static void no_accessed_or_dirty_bit_is_set(void **state)
{
    struct bench *b = *state;

    speculate(b);
    store(b, VA + CORE_PAGE_SIZE - 3, 1);
    (void)load(b, va_of(5));
    rewind_to(b, 0);
    assert_memory_equal(b->ram, b->before, RAM);
    (void)load(b, va_of(5)); // and nothing remembers that the walk was done
    assert_int_equal(*leaf(b, 5) & 0x60, 0x20);
    store(b, VA, 1);
    assert_int_equal(*leaf(b, 0) & 0x60, 0x60);
}

static void what_cannot_be_undone_faults(void **state)
{
    struct bench *b = *state;
    u64 v = 1;

    speculate(b);
    assert_int_equal(x86_store(&b->c, va_of(READ_ONLY), &v, 8), X86_FAULT);
    assert_int_equal(x86_store(&b->c, va_of(NOTHING), &v, 8), X86_FAULT);
    assert_int_equal(x86_load(&b->c, va_of(NOTHING), &v, 8), X86_FAULT);
    assert_int_equal(x86_store(&b->c, va_of(ON_DEVICE), &v, 8), X86_FAULT);
    assert_int_equal(x86_load(&b->c, va_of(ON_DEVICE), &v, 8), X86_FAULT);
    assert_int_equal(x86_load(&b->c, va_of(ON_DEVICE) - 4, &v, 8), X86_FAULT);
    assert_int_equal(x86_deliver(&b->c), CORE_WRONG_PATH);
    rewind_to(b, 0);
    assert_int_equal(b->device_accesses, 0);
    assert_memory_equal(b->ram, b->before, RAM);
}

// Some accesses anywhere in four pages, at random levels, and the same with plain copies.
static void each_level_sees_the_bytes_that_it_should(void **state)
{
    enum { BYTES = 4 * CORE_PAGE_SIZE };
    struct bench *b = *state;
    static u8 model[CORE_SPECULATION_MAX + 1][BYTES];
    struct rng rng = {3};
    u32 depth = 0;

    memcpy(model[0], b->ram + DATA, BYTES);
    for (u32 n = 0; n < 400000; n++) {
        u32 size = 1 + (u32)rng_below(&rng, 64), at = (u32)rng_below(&rng, BYTES - size);
        u8 data[64];

        if (rng_below(&rng, 4) == 0) // across pages
            at = CORE_PAGE_SIZE * (1 + (u32)rng_below(&rng, 3)) - (u32)rng_below(&rng, size);
        switch (rng_below(&rng, 64)) {
        case 0:
            if (depth == CORE_SPECULATION_MAX)
                continue;
            assert_int_equal(speculate(b), depth);
            memcpy(model[depth + 1], model[depth], BYTES);
            depth++;
            continue;
        case 1:
            if (depth == 0)
                continue;
            depth = (u32)rng_below(&rng, depth);
            rewind_to(b, depth);
            continue;
        }
        if (depth && rng_below(&rng, 3) == 0) {
            for (u32 k = 0; k < size; k++)
                data[k] = (u8)rng_next(&rng);
            if (x86_store(&b->c, VA + at, data, size) != X86_OK) { // the log is full
                depth--;
                rewind_to(b, depth);
                continue;
            }
            memcpy(model[depth] + at, data, size);
        } else {
            assert_int_equal(x86_load(&b->c, VA + at, data, size), X86_OK);
            assert_memory_equal(data, model[depth] + at, size);
        }
    }
    if (depth)
        rewind_to(b, 0);
    assert_memory_equal(b->ram + DATA, b->before + DATA, RAM - DATA);
}

static void stores_that_find_no_room_fault(void **state)
{
    struct bench *b = *state;
    u64 v = 1;
    u32 page = 0;

    speculate(b);
    while (page < PAGES && x86_store(&b->c, va_of(page), &v, 8) == X86_OK)
        page++;
    assert_in_range(page, 16, PAGES - 1);
    rewind_to(b, 0);
    speculate(b);
    store(b, va_of(PAGES - 1), 1);
    rewind_to(b, 0);
    assert_memory_equal(b->ram + DATA, b->before + DATA, RAM - DATA);
}

static void the_real_tlbs_stay_as_they_are(void **state)
{
    struct bench *b = *state;
    static struct core_tlb old[X86_PRIVILEGES][CORE_ACCESSES];

    store(b, VA, 1);
    memcpy(old, b->c.tlbs, sizeof(old));
    speculate(b);
    store(b, VA + 8, 2);
    store(b, va_of(1), 2);
    (void)load(b, va_of(2));
    assert_memory_equal(old, b->c.tlbs, sizeof(old));
    rewind_to(b, 0);
    assert_int_equal(load(b, VA), 1);
}

static void what_the_board_does_meanwhile_stays(void **state)
{
    struct bench *b = *state;

    b->c.s.tsc_deadline = 5;
    speculate(b);
    speculate(b);
    x86_set_nmi(&b->c);
    x86_set_irq(&b->c, true);
    x86_speculation_set_deadline(&b->c, 0);
    rewind_to(b, 1);
    assert_int_equal(b->c.s.nmi_pending, 1);
    rewind_to(b, 0);
    assert_int_equal(b->c.s.nmi_pending, 1);
    assert_int_equal(b->c.s.tsc_deadline, 0);
    assert_true(b->c.irq);
}

static void what_is_pending_depends_on_the_state_that_counts(void **state)
{
    struct bench *b = *state;

    b->c.s.rflags |= X86_IF;
    x86_set_irq(&b->c, true);
    assert_true(b->c.core.isa->pending(&b->c.core));
    speculate(b);
    b->c.s.rflags &= ~(u64)X86_IF; // CLI on the wrong path
    assert_true(b->c.core.isa->pending(&b->c.core));
    rewind_to(b, 0);
    b->c.s.rflags &= ~(u64)X86_IF;
    speculate(b);
    b->c.s.rflags |= X86_IF;
    assert_false(b->c.core.isa->pending(&b->c.core));
    rewind_to(b, 0);
}

static void an_init_ends_speculation(void **state)
{
    struct bench *b = *state;

    b->c.s.ymm[0] = 99;
    speculate(b);
    b->c.s.ymm[0] = 1;
    store(b, VA, 1);
    x86_init_ipi(&b->c);
    assert_int_equal(b->c.core.speculation, 0);
    assert_int_equal(b->c.s.ymm[0], 99);
    assert_int_equal(b->c.s.rip, 0xfff0);
    rewind_to(b, 0); // comes too late
    assert_int_equal(b->c.s.rip, 0xfff0);
    assert_int_equal(speculate(b), 0);
    rewind_to(b, 0);
}

static void no_time_passes(void **state)
{
    struct bench *b = *state;
    struct core *core = &b->c.core;
    tick before;

    core_set_time(core, 1000, 0, 7, 1);
    core->isa->enter(core);
    core->budget -= 3;
    core->isa->leave(core);
    before = core_now(core);
    speculate(b);
    core->budget = core->run_budget = 100;
    core->isa->enter(core);
    core->budget -= 50;
    core->isa->leave(core);
    rewind_to(b, 0);
    core->budget = core->run_budget = 100;
    core->isa->enter(core);
    assert_int_equal(core_now(core), before);
}

static void a_flush_from_outside_is_heeded(void **state)
{
    struct bench *b = *state;

    speculate(b);
    (void)load(b, va_of(3));
    *leaf(b, 3) = *leaf(b, 4);
    x86_tlb_flush_page(&b->c, va_of(3));
    assert_int_equal(load(b, va_of(3)), load(b, va_of(4)));
    rewind_to(b, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_new, bench_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rewinding_brings_all_registers_back),
        TEST(the_mode_comes_back_with_the_registers),
        TEST(a_store_is_seen_by_loads_and_by_nobody_else),
        TEST(a_store_is_seen_through_all_mappings_of_its_page),
        TEST(no_accessed_or_dirty_bit_is_set),
        TEST(what_cannot_be_undone_faults),
        TEST(each_level_sees_the_bytes_that_it_should),
        TEST(stores_that_find_no_room_fault),
        TEST(the_real_tlbs_stay_as_they_are),
        TEST(what_the_board_does_meanwhile_stays),
        TEST(what_is_pending_depends_on_the_state_that_counts),
        TEST(an_init_ends_speculation),
        TEST(no_time_passes),
        TEST(a_flush_from_outside_is_heeded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
