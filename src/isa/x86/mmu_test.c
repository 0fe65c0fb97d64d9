// SPDX-License-Identifier: BSD-3-Clause
// Translation: every combination of rights against the sentences of SDM vol. 3A §4.6, the bits that
// a walk sets, what the TLBs may hold and when they must not, and accesses across pages.
#include "isa/x86/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { RAM = 64 << 10, PML5 = 0x1000, PML4 = 0x2000, PDPT = 0x3000, PD = 0x4000, PT = 0x5000 };
enum { PAGE = 0x8000, OTHER = 0x9000, DEVICE = 0x100000 };

#define VA 0x0000123456789000ull
#define XD (1ull << 63)

struct bench {
    struct x86_core c; // first
    u8 ram[RAM];
    u64 device; // last value written
    u32 device_size;
};

static bool bus_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    struct bench *b = ctx;

    if (addr < DEVICE || addr >= DEVICE + CORE_PAGE_SIZE) {
        if (!write)
            memset(data, 0xff, size);
        return false;
    }
    if (write) {
        b->device = 0;
        memcpy(&b->device, data, MIN(size, 8));
    } else {
        memset(data, 0x5a, size);
    }
    b->device_size = size;
    return true;
}

static u8 *bus_page(void *ctx, paddr page, bool write)
{
    return page < RAM ? ((struct bench *)ctx)->ram + page : NULL;
}

static u64 *entry(struct bench *b, paddr table, u32 level)
{
    u64 index = VA >> (12 + 9 * (level - 1)) & 511;

    return (u64 *)(void *)(b->ram + table + index * 8);
}

static int bench_new(void **state)
{
    static const struct mem_port_ops ops = {.access = bus_access, .host_page = bus_page};
    struct bench *b = calloc(1, sizeof(*b));
    struct error err;

    if (!x86_core_init(&b->c, 0, &(struct mem_port){.ops = &ops, .ctx = b}, "x86-64-v3,+la57",
                       &err))
        fail_msg("%s", err.message);
    b->c.s.cr0 = X86_CR0_PE | X86_CR0_PG;
    b->c.s.cr3 = PML4;
    b->c.s.cr4 = X86_CR4_PAE;
    b->c.s.efer = X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE;
    b->c.s.seg_attr[X86_CS] |= X86_ATTR_L;
    *entry(b, PML5, 5) = PML4 | 7;
    *entry(b, PML4, 4) = PDPT | 7;
    *entry(b, PDPT, 3) = PD | 7;
    *entry(b, PD, 2) = PT | 7;
    *entry(b, PT, 1) = PAGE | 7;
    x86_state_loaded(&b->c);
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

// The manual's sentences, one by one.
static bool manual_allows(const struct x86_arch_state *s, bool user, enum core_access access,
                          bool page_user, bool page_write, bool page_xd)
{
    bool wp = s->cr0 & X86_CR0_WP, smep = s->cr4 & X86_CR4_SMEP, smap = s->cr4 & X86_CR4_SMAP;
    bool ac = s->rflags & X86_AC;

    if (user)
        switch (access) {
        case CORE_READ:
            return page_user;
        case CORE_WRITE:
            return page_user && page_write;
        default:
            return page_user && !page_xd;
        }
    switch (access) {
    case CORE_READ:
        return !page_user || !smap || ac;
    case CORE_WRITE:
        if (page_user && smap && !ac)
            return false;
        return page_write || !wp;
    default:
        return !(page_user && smep) && !page_xd;
    }
}

// Sets state and the rights of two levels from the bits of n; returns whether bits were left.
static void configure(struct bench *b, u32 n, bool *user, bool *write, bool *xd)
{
    u64 upper = (n & 1 ? 4 : 0) | (n & 2 ? 2 : 0) | (n & 4 ? XD : 0);
    u64 leaf = (n & 8 ? 4 : 0) | (n & 16 ? 2 : 0) | (n & 32 ? XD : 0);

    *entry(b, PDPT, 3) = PD | 1 | upper;
    *entry(b, PT, 1) = PAGE | 1 | leaf;
    b->c.s.cr0 = X86_CR0_PE | X86_CR0_PG | (n & 64 ? X86_CR0_WP : 0);
    b->c.s.cr4 = X86_CR4_PAE | (n & 128 ? X86_CR4_SMEP : 0) | (n & 256 ? X86_CR4_SMAP : 0);
    b->c.s.rflags = 2 | (n & 512 ? X86_AC : 0);
    x86_state_loaded(&b->c);
    *user = upper & leaf & 4;
    *write = upper & leaf & 2;
    *xd = (upper | leaf) & XD;
}

static void rights_are_those_of_the_manual(void **state)
{
    struct bench *b = *state;

    for (u32 n = 0; n < 1024 * 6; n++) {
        bool as_user = n >= 1024 * 3, page_user, page_write, page_xd, allowed;
        enum core_access access = (enum core_access)(n / 1024 % 3);
        enum x86_result r;
        paddr page;
        u32 error =
            1 | (access == CORE_WRITE ? 2 : 0) | (as_user ? 4 : 0) | (access == CORE_EXEC ? 16 : 0);

        configure(b, n % 1024, &page_user, &page_write, &page_xd);
        allowed = manual_allows(&b->c.s, as_user, access, page_user, page_write, page_xd);
        r = x86_translate(&b->c, VA + 5, access, as_user, &page);
        if ((r == X86_OK) != allowed)
            fail_msg("case %u: allowed %d, result %d", n, allowed, r);
        if (r == X86_OK) {
            assert_int_equal(page, PAGE);
            continue;
        }
        assert_int_equal(b->c.fault.vector, X86_EXC_PF);
        assert_int_equal(b->c.fault.error, error);
        assert_int_equal(b->c.fault.address, VA + 5);
        assert_int_equal(*entry(b, PT, 1) & 0x60, 0); // a fault marks nothing
    }
}

static void walks_set_accessed_and_dirty_bits(void **state)
{
    struct bench *b = *state;
    paddr page;

    assert_int_equal(x86_translate(&b->c, VA, CORE_READ, false, &page), X86_OK);
    assert_int_equal(*entry(b, PML4, 4), PDPT | 0x27);
    assert_int_equal(*entry(b, PT, 1), PAGE | 0x27);
    assert_null(x86_host(&b->c, VA, 1, CORE_WRITE));
    assert_non_null(x86_host(&b->c, VA, 1, CORE_READ));
    assert_int_equal(x86_translate(&b->c, VA, CORE_WRITE, false, &page), X86_OK);
    assert_int_equal(*entry(b, PD, 2), PT | 0x27);
    assert_int_equal(*entry(b, PT, 1), PAGE | 0x67);
    assert_ptr_equal(x86_host(&b->c, VA + 7, 1, CORE_WRITE), b->ram + PAGE + 7);
}

static void large_pages_translate_and_are_flushed_whole(void **state)
{
    struct bench *b = *state;
    u64 base = VA & ~((1ull << 21) - 1);
    paddr page;

    *entry(b, PD, 2) = 0x83;
    assert_int_equal(x86_translate(&b->c, base + PAGE, CORE_READ, false, &page), X86_OK);
    assert_int_equal(page, PAGE);
    assert_int_equal(x86_translate(&b->c, base + OTHER, CORE_READ, false, &page), X86_OK);
    x86_tlb_flush_page(&b->c, base + 0x100000);
    assert_null(x86_host(&b->c, base + PAGE, 1, CORE_READ));
    assert_null(x86_host(&b->c, base + OTHER, 1, CORE_READ));
    *entry(b, PD, 2) = 0x2083; // bit 13 is reserved
    assert_int_equal(x86_translate(&b->c, base, CORE_READ, false, &page), X86_FAULT);
    assert_int_equal(b->c.fault.error, 9);
    *entry(b, PDPT, 3) = 0x83;
    base = VA & ~((1ull << 30) - 1);
    assert_int_equal(x86_translate(&b->c, base + OTHER, CORE_WRITE, false, &page), X86_OK);
    assert_int_equal(page, OTHER);
    assert_int_equal(*entry(b, PDPT, 3), 0xe3);
    b->c.features[0] = b->c.features[1] = b->c.features[2] = b->c.features[3] = 0; // no 1 GiB pages
    assert_int_equal(x86_translate(&b->c, base, CORE_READ, false, &page), X86_FAULT);
    assert_int_equal(b->c.fault.error, 9);
}

static void five_levels(void **state)
{
    struct bench *b = *state;
    u64 high = VA | 1ull << 48;
    paddr page;

    b->c.s.cr3 = PML5;
    b->c.s.cr4 |= X86_CR4_LA57;
    x86_state_loaded(&b->c);
    assert_int_equal(x86_translate(&b->c, VA, CORE_READ, false, &page), X86_OK);
    assert_int_equal(page, PAGE);
    assert_int_equal(*entry(b, PML5, 5), PML4 | 0x27);
    assert_int_equal(x86_translate(&b->c, high, CORE_READ, false, &page), X86_FAULT);
    *(u64 *)(void *)(b->ram + PML5 + 8) = PML4 | 3;
    assert_int_equal(x86_translate(&b->c, high, CORE_READ, false, &page), X86_OK);
    assert_int_equal(x86_translate(&b->c, high, CORE_READ, true, &page), X86_FAULT);
    assert_int_equal(b->c.fault.error, 5);
    *(u64 *)(void *)(b->ram + PML5 + 8) = PML4 | 0x83; // there are no such large pages
    assert_int_equal(x86_translate(&b->c, high, CORE_READ, false, &page), X86_FAULT);
    assert_int_equal(b->c.fault.error, 9);
}

static void accesses_across_pages_happen_as_a_whole(void **state)
{
    struct bench *b = *state;
    u64 v = 0x1122334455667788;

    (entry(b, PT, 1))[1] = OTHER | 3;
    assert_int_equal(x86_store(&b->c, VA + 0xffd, &v, 8), X86_OK);
    assert_memory_equal(b->ram + PAGE + 0xffd, &v, 8);
    v = 0;
    assert_int_equal(x86_load(&b->c, VA + 0xffd, &v, 8), X86_OK);
    assert_int_equal(v, 0x1122334455667788);
    (entry(b, PT, 1))[1] = OTHER | 1;
    b->c.s.cr0 |= X86_CR0_WP;
    x86_state_loaded(&b->c);
    v = 0;
    assert_int_equal(x86_store(&b->c, VA + 0xffd, &v, 8), X86_FAULT);
    assert_int_equal(b->c.fault.address, VA + 0x1000);
    assert_int_equal(b->c.fault.error, 3);
    assert_int_equal(b->ram[PAGE + 0xffd], 0x88);
    assert_int_equal(x86_load(&b->c, VA + 0xffd, &v, 8), X86_OK);
    assert_int_equal(v, 0x1122334455667788);
}

static void devices_see_each_access_and_its_size(void **state)
{
    struct bench *b = *state;
    u32 v = 0x11223344;

    *entry(b, PT, 1) = DEVICE | 3;
    x86_state_loaded(&b->c);
    assert_int_equal(x86_store(&b->c, VA + 0x10, &v, 4), X86_OK);
    assert_int_equal(b->device, 0x11223344);
    assert_int_equal(b->device_size, 4);
    assert_int_equal(x86_load(&b->c, VA + 0x11, &v, 2), X86_OK);
    assert_int_equal(b->device_size, 2);
    assert_int_equal(v, 0x11225a5a);
    assert_null(x86_host(&b->c, VA, 1, CORE_READ));
    assert_null(x86_host(&b->c, VA, 1, CORE_WRITE));
}

static u32 code_writes;

static bool all_code(struct block_cache *cache, paddr page)
{
    return page == PAGE;
}

static void count_write(struct block_cache *cache, struct core *core, paddr pa, u32 size)
{
    if (pa == PAGE + 8 && size == 4)
        code_writes++;
}

static void stores_to_code_are_reported(void **state)
{
    struct bench *b = *state;
    u32 v = 1;

    assert_int_equal(x86_store(&b->c, VA + 8, &v, 4), X86_OK);
    assert_non_null(x86_host(&b->c, VA, 1, CORE_WRITE));
    b->c.core.page_has_code = all_code;
    b->c.core.code_written = count_write;
    x86_tlb_protect_page(&b->c.core, PAGE);
    assert_null(x86_host(&b->c, VA, 1, CORE_WRITE));
    assert_non_null(x86_host(&b->c, VA, 1, CORE_READ));
    code_writes = 0;
    assert_int_equal(x86_store(&b->c, VA + 8, &v, 4), X86_OK);
    assert_int_equal(x86_store(&b->c, VA + 8, &v, 4), X86_OK);
    assert_int_equal(code_writes, 2);
    assert_null(x86_host(&b->c, VA, 1, CORE_WRITE));
}

// What a restore leaves: the entry's page is known, its memory not yet.
static void put_to_sleep(struct bench *b, enum core_access access, paddr page)
{
    struct core_tlb *tlb = &b->c.tlbs[b->c.privilege][access];
    u32 i = core_tlb_index(VA);

    tlb->entry[i] = (struct tlb_entry){.tag = VA | CORE_TLB_DORMANT};
    tlb->page[i] = page;
    tlb->used[i / 64] |= 1ull << i % 64;
}

static void dormant_entries_hit_without_a_walk(void **state)
{
    struct bench *b = *state;
    u32 v = 0x12345678;

    *entry(b, PT, 1) = 0; // a walk would fault
    put_to_sleep(b, CORE_READ, PAGE);
    put_to_sleep(b, CORE_WRITE, PAGE);
    assert_int_equal(x86_store_slow(&b->c, VA + 4, &v, 4), X86_OK);
    assert_ptr_equal(x86_host(&b->c, VA + 4, 4, CORE_READ), b->ram + PAGE + 4);
    assert_memory_equal(b->ram + PAGE + 4, &v, 4);
}

static void dormant_entries_are_flushed_like_others(void **state)
{
    struct bench *b = *state;

    put_to_sleep(b, CORE_READ, PAGE);
    x86_tlb_flush_page(&b->c, VA);
    assert_null(x86_host(&b->c, VA, 1, CORE_READ));
    put_to_sleep(b, CORE_READ, PAGE);
    x86_tlb_flush(&b->c, false);
    assert_null(x86_host(&b->c, VA, 1, CORE_READ));
    put_to_sleep(b, CORE_WRITE, PAGE);
    x86_tlb_protect_page(&b->c.core, PAGE);
    assert_null(x86_host(&b->c, VA, 1, CORE_WRITE));
}

static void dormant_entries_of_what_is_no_memory_walk(void **state)
{
    struct bench *b = *state;
    u32 v;

    *entry(b, PT, 1) = 0;
    put_to_sleep(b, CORE_READ, 1ull << 40);
    assert_int_equal(x86_load(&b->c, VA, &v, 4), X86_FAULT);
    assert_int_equal(b->c.fault.vector, X86_EXC_PF);
}

static void user_and_supervisor_entries_are_apart(void **state)
{
    struct bench *b = *state;
    u32 v;

    *entry(b, PT, 1) = PAGE | 3;
    x86_state_loaded(&b->c);
    assert_int_equal(x86_load(&b->c, VA, &v, 4), X86_OK);
    b->c.s.seg_attr[X86_SS] |= 3 << 5;
    x86_update_mode(&b->c);
    assert_int_equal(b->c.cpl, 3);
    assert_int_equal(x86_load(&b->c, VA, &v, 4), X86_FAULT);
    assert_int_equal(b->c.fault.error, 5);
    assert_int_equal(x86_load_system(&b->c, VA, &v, 4), X86_OK);
    assert_int_equal(x86_load(&b->c, VA, &v, 4), X86_FAULT);
}

static void ac_lifts_smap_only_while_it_is_set(void **state)
{
    struct bench *b = *state;
    u32 v;

    b->c.s.cr4 |= X86_CR4_SMAP;
    b->c.s.rflags |= X86_AC;
    x86_state_loaded(&b->c);
    assert_int_equal(x86_load(&b->c, VA, &v, 4), X86_OK);
    assert_int_equal(x86_load_system(&b->c, VA, &v, 4), X86_FAULT);
    b->c.s.rflags &= ~(u64)X86_AC;
    x86_update_mode(&b->c);
    assert_int_equal(x86_load(&b->c, VA, &v, 4), X86_FAULT);
    assert_int_equal(b->c.fault.error, 1);
    b->c.s.rflags |= X86_AC;
    x86_update_mode(&b->c);
    assert_int_equal(x86_load(&b->c, VA, &v, 4), X86_OK);
}

static void alignment_is_checked_for_users_who_ask(void **state)
{
    struct bench *b = *state;
    u64 v;

    b->c.s.seg_attr[X86_SS] |= 3 << 5;
    b->c.s.cr0 |= X86_CR0_AM;
    b->c.s.rflags |= X86_AC;
    x86_state_loaded(&b->c);
    assert_int_equal(x86_load(&b->c, VA + 8, &v, 8), X86_OK);
    assert_int_equal(x86_load(&b->c, VA + 4, &v, 8), X86_FAULT);
    assert_int_equal(b->c.fault.vector, X86_EXC_AC);
    assert_int_equal(x86_store(&b->c, VA + 1, &v, 2), X86_FAULT);
    assert_int_equal(x86_store(&b->c, VA + 1, &v, 1), X86_OK);
    b->c.s.rflags &= ~(u64)X86_AC;
    x86_update_mode(&b->c);
    assert_int_equal(x86_load(&b->c, VA + 4, &v, 8), X86_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_new, bench_free)
    const struct CMUnitTest tests[] = {
        TEST(rights_are_those_of_the_manual),
        TEST(walks_set_accessed_and_dirty_bits),
        TEST(large_pages_translate_and_are_flushed_whole),
        TEST(five_levels),
        TEST(accesses_across_pages_happen_as_a_whole),
        TEST(devices_see_each_access_and_its_size),
        TEST(stores_to_code_are_reported),
        TEST(dormant_entries_hit_without_a_walk),
        TEST(dormant_entries_are_flushed_like_others),
        TEST(dormant_entries_of_what_is_no_memory_walk),
        TEST(user_and_supervisor_entries_are_apart),
        TEST(ac_lifts_smap_only_while_it_is_set),
        TEST(alignment_is_checked_for_users_who_ask),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
