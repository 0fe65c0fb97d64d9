// SPDX-License-Identifier: BSD-3-Clause
// Steps of a timing model, and where wrong paths end: 64-bit supervisor code with paging.
#include "cpu/front.h"

#include "isa/x86/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { RAM = 1 << 20, PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, PT = 0x4000 };
// Pages that are mapped where they are.
enum { CODE = 0x10000, COLD = 0x20000, DATA = 0x30000, NO_EXEC = 0x40000, ABSENT = 0x50000 };
enum { ON_DEVICE = 0x60000, DEVICE = 0x200000, BATCH = 64 << 10 };

struct bench {
    struct x86_core c; // first
    u8 ram[RAM];
    struct block_cache *blocks;
    struct front front;
    u32 device_accesses;
};

static bool bus_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    ((struct bench *)ctx)->device_accesses++;
    if (!write)
        memset(data, 0xff, size);
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

static int bench_new(void **state)
{
    static const struct mem_port_ops ops = {.access = bus_access, .host_page = bus_page};
    struct bench *b = calloc(1, sizeof(*b));
    struct error err;

    if (!x86_core_init(&b->c, 0, &(struct mem_port){.ops = &ops, .ctx = b}, "x86-64-v3", &err))
        fail_msg("%s", err.message);
    b->c.io = b->c.core.mem;
    b->c.s.cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_WP;
    b->c.s.cr3 = PML4;
    b->c.s.cr4 = X86_CR4_PAE | X86_CR4_OSFXSR;
    b->c.s.efer = X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE | X86_EFER_SCE;
    b->c.s.seg_attr[X86_CS] |= X86_ATTR_L;
    *entry(b, PML4, 0) = PDPT | 3;
    *entry(b, PDPT, 0) = PD | 3;
    *entry(b, PD, 0) = PT | 3;
    for (u64 page = 0; page < RAM; page += CORE_PAGE_SIZE)
        *entry(b, PT, page >> CORE_PAGE_SHIFT) = page | 3;
    *entry(b, PT, NO_EXEC >> CORE_PAGE_SHIFT) |= 1ull << 63;
    *entry(b, PT, ABSENT >> CORE_PAGE_SHIFT) = 0;
    *entry(b, PT, ON_DEVICE >> CORE_PAGE_SHIFT) = DEVICE | 3;
    memset(b->ram + CODE, 0x90, 2 * CORE_PAGE_SIZE);
    b->c.s.gpr[X86_RSP] = DATA + 0x800;
    b->c.s.rip = CODE;
    x86_state_loaded(&b->c);
    b->blocks = block_cache_new(MiB(1), true, &err);
    if (!b->blocks || !front_init(&b->front, &b->c.core, b->blocks, &err))
        fail_msg("%s", err.message);
    *state = b;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *b = *state;

    front_release(&b->front);
    block_cache_free(b->blocks);
    x86_core_release(&b->c);
    free(b);
    return 0;
}

static void put(struct bench *b, u64 at, const void *code, size_t n)
{
    memcpy(b->ram + at, code, n);
}

static u32 wrong_way(struct bench *b, vaddr pc)
{
    u32 level = b->c.core.isa->speculate(&b->c.core);

    b->c.core.isa->set_pc(&b->c.core, pc);
    return level;
}

static void back(struct bench *b, u32 level)
{
    b->c.core.isa->rewind(&b->c.core, level);
}

static void what_lasts_ends_a_wrong_path_before_it(void **state)
{
    static const struct {
        u8 n, bytes[8];
    } code[] = {
        {2, {0x0f, 0xa2}},                      // cpuid
        {2, {0x0f, 0x31}},                      // rdtsc
        {3, {0x0f, 0x01, 0xf9}},                // rdtscp
        {2, {0x0f, 0x32}},                      // rdmsr
        {2, {0x0f, 0x30}},                      // wrmsr
        {1, {0xf4}},                            // hlt
        {2, {0x0f, 0x09}},                      // wbinvd
        {2, {0x0f, 0x05}},                      // syscall
        {2, {0x0f, 0x34}},                      // sysenter
        {2, {0xcd, 0x80}},                      // int 80h
        {1, {0xcc}},                            // int3
        {1, {0xf1}},                            // int1
        {3, {0x0f, 0x20, 0xc0}},                // mov rax, cr0
        {3, {0x0f, 0x22, 0xd8}},                // mov cr3, rax
        {3, {0x0f, 0x23, 0xc0}},                // mov dr0, rax
        {2, {0x0f, 0x06}},                      // clts
        {3, {0x0f, 0x01, 0x38}},                // invlpg [rax]
        {3, {0x0f, 0x01, 0x10}},                // lgdt [rax]
        {2, {0xe4, 0x40}},                      // in al, 40h
        {2, {0xe6, 0x40}},                      // out 40h, al
        {1, {0x6e}},                            // outsb
        {2, {0x48, 0xcf}},                      // iretq
        {2, {0x48, 0xcb}},                      // retf
        {2, {0x0f, 0x0b}},                      // ud2
        {8, {0x8b, 0x04, 0x25, 0, 0, 0x05, 0}}, // mov eax, [ABSENT]
        {8, {0x8b, 0x04, 0x25, 0, 0, 0x06, 0}}, // mov eax, [ON_DEVICE]
        {8, {0x89, 0x04, 0x25, 0, 0, 0x06, 0}}, // mov [ON_DEVICE], eax
        {2, {0xf7, 0xf1}},                      // div ecx: by zero
    };
    struct bench *b = *state;

    b->c.s.gpr[X86_RCX] = 0;
    for (u32 i = 0; i < ARRAY_SIZE(code); i++) {
        struct x86_arch_state old = b->c.s;
        enum core_exit exit;
        u64 at = CODE + 64 * i, n;
        u32 level;

        put(b, at + 1, code[i].bytes, code[i].n);
        level = wrong_way(b, at);
        exit = front_step(&b->front, 100, 0, &n);
        if (exit == CORE_CONTINUE) // the exception is not the block's last instruction
            fail_msg("number %u was executed", i);
        assert_int_equal(exit, CORE_WRONG_PATH);
        assert_int_equal(b->c.s.rip, at + 1);
        assert_int_equal(n, 1);
        assert_int_equal(b->front.batch->n_inst, 1);
        assert_int_equal(b->front.batch->n_mem, 0);
        assert_int_equal(front_step(&b->front, 100, 0, &n), CORE_WRONG_PATH); // and stays there
        assert_int_equal(n, 0);
        assert_int_equal(b->c.s.rip, at + 1);
        back(b, level);
        assert_memory_equal(&old, &b->c.s, sizeof(old));
    }
    assert_int_equal(b->device_accesses, 0);
}

static void a_wrong_path_ends_where_nothing_can_be_fetched(void **state)
{
    static const u64 places[] = {ABSENT, NO_EXEC, ON_DEVICE, 0x0123456789abcdef, ABSENT - 1};
    struct bench *b = *state;

    b->ram[ABSENT - 1] = 0x0f; // goes on where nothing is mapped
    for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
        u64 n;

        wrong_way(b, places[i]);
        assert_int_equal(front_step(&b->front, 100, 0, &n), CORE_WRONG_PATH);
        assert_int_equal(n, 0);
        assert_int_equal(b->front.batch->n_inst, 0);
        assert_int_equal(b->c.s.rip, places[i]);
        back(b, 0);
        assert_int_equal(b->c.s.rip, CODE);
    }
    assert_int_equal(b->device_accesses, 0);
}

static u64 code_entry(struct bench *b, u64 page)
{
    return *entry(b, PT, page >> CORE_PAGE_SHIFT);
}

static void fetch_on_a_wrong_path_sets_no_accessed_bit_and_hides_none(void **state)
{
    static const u8 jump[] = {0xe9, 0xfb, 0xff, 0x00, 0x00}; // from CODE to COLD
    static const u8 spin[] = {0xeb, 0xfe};
    struct bench *b = *state;
    u64 n;

    put(b, CODE, jump, sizeof(jump));
    put(b, COLD, spin, sizeof(spin));
    assert_int_equal(front_step(&b->front, 1, 0, &n), CORE_CONTINUE);
    assert_int_equal(b->c.s.rip, COLD);
    b->c.s.rip = CODE;
    wrong_way(b, CODE);
    for (u32 i = 0; i < 10; i++)
        assert_int_equal(front_step(&b->front, 4, 8, &n), CORE_CONTINUE);
    back(b, 0);
    assert_int_equal(code_entry(b, COLD) & 0x20, 0);
    do // until it is executed, however it is found
        assert_int_equal(front_step(&b->front, 4, 8, &n), CORE_CONTINUE);
    while (b->front.batch->inst[b->front.batch->n_inst - 1].si->pc != COLD);
    assert_int_equal(code_entry(b, COLD) & 0x20, 0x20);
}

// A processor's stores wait for retirement: fetch does not see those of a wrong path.
static void code_that_a_wrong_path_writes_is_not_executed(void **state)
{
    static const u8 writer[] = {
        0xc7, 0x04, 0x25, 0x00, 0x00, 0x02, 0x00, 0x0f,
        0x0b, 0xf4, 0xf4, 0xe9, 0xf0, 0xff, 0x00, 0x00}; // mov dword [COLD], ud2 hlt hlt; jmp
    static const u8 spin[] = {0xeb, 0xfe};
    struct bench *b = *state;
    u32 v;
    u64 n;

    put(b, CODE, writer, sizeof(writer));
    put(b, COLD, spin, sizeof(spin));
    wrong_way(b, CODE);
    assert_int_equal(front_step(&b->front, 10, 20, &n), CORE_CONTINUE);
    assert_int_equal(front_step(&b->front, 10, 20, &n), CORE_CONTINUE);
    assert_int_equal(b->c.s.rip, COLD);
    assert_int_equal(x86_load(&b->c, COLD, &v, 4), X86_OK);
    assert_int_equal(v, 0xf4f40b0f);
    back(b, 0);
    assert_memory_equal(b->ram + COLD, spin, 2);
    b->c.s.rip = COLD;
    assert_int_equal(front_step(&b->front, 10, 20, &n), CORE_CONTINUE);
    assert_int_equal(b->c.s.rip, COLD);
    b->c.s.rip = CODE; // and now for real
    assert_int_equal(front_step(&b->front, 2, 0, &n), CORE_CONTINUE);
    assert_memory_equal(b->ram + COLD, &v, 4);
}

static void all_iterations_of_repeated_instructions_are_recorded(void **state)
{
    // mov ecx, 9000; rep stosb; mov ecx, 9000; rep stosb; jmp $
    static const u8 code[] = {0xb9, 0x28, 0x23, 0, 0,    0xf3, 0xaa, 0xb9,
                              0x28, 0x23, 0,    0, 0xf3, 0xaa, 0xeb, 0xfe};
    struct bench *b = *state;
    u64 n, iterations = 0;

    put(b, CODE, code, sizeof(code));
    b->c.s.gpr[X86_RDI] = 0x70000;
    b->c.s.gpr[X86_RAX] = 0xab;
    while (b->c.s.rip != CODE + sizeof(code) - 2) {
        assert_int_equal(front_step(&b->front, 4, 0, &n), CORE_CONTINUE);
        for (u32 i = 0; i < b->front.batch->n_inst; i++)
            iterations += (b->front.batch->inst[i].si->flags & STATIC_REPEAT) != 0;
    }
    assert_int_equal(iterations, 18000);
    assert_int_equal(b->ram[0x70000 + 17999], 0xab);
    assert_int_equal(b->ram[0x70000 + 18000], 0);
}

static void the_last_steps_end_is_where_the_next_begins(void **state)
{
    static const u8 spin[] = {0x90, 0x90, 0xff, 0xc0, 0xeb, 0xfa};
    struct bench *b = *state;
    u64 done = 0, n;

    put(b, CODE, spin, sizeof(spin));
    for (u32 i = 1; i <= 40; i++) {
        assert_int_equal(front_step(&b->front, i % 7 + 1, i, &n), CORE_CONTINUE);
        assert_in_range(n, 1, i % 7 + 1);
        assert_int_equal(b->front.batch->n_inst, n);
        done += n;
    }
    assert_int_equal((u32)b->c.s.gpr[X86_RAX], (done + 1) / 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_new, bench_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_lasts_ends_a_wrong_path_before_it),
        TEST(a_wrong_path_ends_where_nothing_can_be_fetched),
        TEST(fetch_on_a_wrong_path_sets_no_accessed_bit_and_hides_none),
        TEST(code_that_a_wrong_path_writes_is_not_executed),
        TEST(all_iterations_of_repeated_instructions_are_recorded),
        TEST(the_last_steps_end_is_where_the_next_begins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
