// SPDX-License-Identifier: BSD-3-Clause
// What integer instructions leave behind where the host cannot be asked directly: faults in the
// middle, repeated instructions under tracing, 16- and 32-bit stacks and branches. Expected values
// are from the SDM, vol. 1 chapters 6 and 7 and vol. 2.
#include "isa/x86/flags.h"
#include "isa/x86/mem.h"
#include "isa/x86/step.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { RAM_SIZE = 64 * 1024, CODE = 0x1000, DATA = 0x4000, STACK = 0x8000 };

struct bench {
    struct x86_core core; // first
    u8 ram[RAM_SIZE];
};

static bool ram_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    u8 *at = (u8 *)ctx + addr;

    if (addr + size > RAM_SIZE) {
        if (!write)
            memset(data, 0xff, size);
        return false;
    }
    memcpy(write ? at : data, write ? data : at, size);
    return true;
}

static u8 *ram_page(void *ctx, paddr page, bool write)
{
    return page < RAM_SIZE ? (u8 *)ctx + page : NULL;
}

// Flat segments, protected mode, no paging.
static struct bench *bench_new(enum x86_code_mode mode, bool stack32)
{
    static const struct mem_port_ops ops = {.access = ram_access, .host_page = ram_page};
    struct bench *b = aligned_alloc(4096, (sizeof(*b) + 4095) / 4096 * 4096);
    struct x86_core *c = &b->core;
    struct error err;

    memset(b, 0, sizeof(*b));
    if (!x86_core_init(c, 0, &(struct mem_port){.ops = &ops, .ctx = b->ram}, "x86-64-v3", &err))
        fail_msg("%s", err.message);
    c->s.cr0 |= X86_CR0_PE;
    for (u32 seg = 0; seg < X86_LDTR; seg++) {
        c->s.seg_base[seg] = 0;
        c->s.seg_limit[seg] = 0xffffffff;
    }
    c->s.seg_attr[X86_CS] |= (mode == X86_CODE32 ? X86_ATTR_DB : 0) | 8;
    if (mode == X86_CODE64) {
        c->s.seg_attr[X86_CS] |= X86_ATTR_L;
        c->s.efer = X86_EFER_LMA;
    }
    if (stack32)
        c->s.seg_attr[X86_SS] |= X86_ATTR_DB;
    c->s.rip = CODE;
    c->s.gpr[X86_RSP] = STACK;
    x86_state_loaded(c);
    return b;
}

static void bench_free(struct bench *b)
{
    x86_core_release(&b->core);
    free(b);
}

#define RUN(b, ...) run(b, (const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}))

// Executes one instruction, once.
static enum x86_result run(struct bench *b, const u8 *bytes, u32 n)
{
    struct x86_insn i;

    memcpy(b->ram + b->core.s.rip, bytes, n);
    return x86_step(&b->core, &i);
}

static u32 word(const struct bench *b, u32 at, u32 size)
{
    u32 v = 0;

    memcpy(&v, b->ram + at, size);
    return v;
}

static void repeated_store_stops_exactly_at_a_fault(void **state)
{
    struct bench *b = bench_new(X86_CODE32, true);
    struct x86_core *c = &b->core;

    c->s.seg_limit[X86_ES] = DATA + 0x102f; // in the second page
    c->s.gpr[X86_RDI] = DATA;
    c->s.gpr[X86_RCX] = 0x1000;
    c->s.gpr[X86_RAX] = 0x12345678;
    while (RUN(b, 0xf3, 0xab) == X86_AGAIN)
        ;
    assert_int_equal(c->fault.vector, X86_EXC_GP);
    assert_int_equal(c->s.rip, CODE);
    assert_int_equal(c->s.gpr[X86_RDI], DATA + 0x1030);
    assert_int_equal(c->s.gpr[X86_RCX], 0x1000 - 0x1030 / 4);
    assert_int_equal(word(b, DATA + 0x102c, 4), 0x12345678);
    assert_int_equal(word(b, DATA + 0x1030, 4), 0);
    bench_free(b);
}

static void comparison_that_faults_keeps_the_flags(void **state)
{
    struct bench *b = bench_new(X86_CODE32, true);
    struct x86_core *c = &b->core;

    c->s.seg_limit[X86_ES] = DATA + 7;
    c->s.gpr[X86_RDI] = DATA;
    c->s.gpr[X86_RCX] = 100;
    x86_flags_put(c, X86_CF | X86_OF);
    while (RUN(b, 0xf3, 0xae) == X86_AGAIN) // repe scasb
        ;
    assert_int_equal(c->fault.vector, X86_EXC_GP);
    assert_int_equal(c->s.gpr[X86_RCX], 92);
    assert_int_equal(x86_flags_get(c), X86_CF | X86_OF);
    bench_free(b);
}

static void tracing_sees_each_iteration(void **state)
{
    struct bench *b = bench_new(X86_CODE32, true);
    struct x86_core *c = &b->core;
    struct mem_ref refs[8];
    struct dyn_batch batch = {.mem = refs, .mem_capacity = 8};

    c->core.trace = &batch;
    c->s.gpr[X86_RSI] = DATA;
    c->s.gpr[X86_RDI] = DATA + 0x100;
    c->s.gpr[X86_RCX] = 2;
    assert_int_equal(RUN(b, 0xf3, 0xa5), X86_AGAIN); // rep movsd
    assert_int_equal(c->s.gpr[X86_RCX], 1);
    assert_int_equal(batch.n_mem, 2);
    assert_int_equal(RUN(b, 0xf3, 0xa5), X86_OK);
    assert_int_equal(batch.n_mem, 4);
    assert_int_equal(refs[2].va, DATA + 4);
    assert_false(refs[2].write);
    assert_int_equal(refs[3].va, DATA + 0x104);
    assert_true(refs[3].write);
    assert_int_equal(refs[3].size, 4);
    bench_free(b);
}

static void overlapping_copy_repeats_the_pattern(void **state)
{
    struct bench *b = bench_new(X86_CODE64, false);
    struct x86_core *c = &b->core;

    memcpy(b->ram + DATA, "abc", 3);
    c->s.gpr[X86_RSI] = DATA;
    c->s.gpr[X86_RDI] = DATA + 3;
    c->s.gpr[X86_RCX] = 6;
    assert_int_equal(RUN(b, 0xf3, 0xa4), X86_OK);
    assert_memory_equal(b->ram + DATA, "abcabcabc", 9);
    bench_free(b);
}

static void push_that_faults_moves_nothing(void **state)
{
    struct bench *b = bench_new(X86_CODE32, true);
    struct x86_core *c = &b->core;

    c->s.seg_limit[X86_SS] = STACK - 2;
    assert_int_equal(RUN(b, 0x50), X86_FAULT);
    assert_int_equal(c->fault.vector, X86_EXC_SS);
    assert_int_equal(c->s.gpr[X86_RSP], STACK);
    bench_free(b);
}

static void pop_to_memory_that_faults_moves_nothing(void **state)
{
    struct bench *b = bench_new(X86_CODE32, true);
    struct x86_core *c = &b->core;

    c->s.seg_limit[X86_DS] = DATA;
    c->s.gpr[X86_RBX] = DATA;
    assert_int_equal(RUN(b, 0x8f, 0x03), X86_FAULT);
    assert_int_equal(c->fault.vector, X86_EXC_GP);
    assert_int_equal(c->s.gpr[X86_RSP], STACK);
    bench_free(b);
}

// The address of POP [ESP] is computed with the new stack pointer.
static void pop_addresses_with_the_new_stack_pointer(void **state)
{
    struct bench *b = bench_new(X86_CODE32, true);

    b->ram[STACK] = 0x5a;
    assert_int_equal(RUN(b, 0x8f, 0x04, 0x24), X86_OK);
    assert_int_equal(word(b, STACK + 4, 4), 0x5a);
    assert_int_equal(b->core.s.gpr[X86_RSP], STACK + 4);
    bench_free(b);
}

static void a_16_bit_stack_wraps(void **state)
{
    struct bench *b = bench_new(X86_CODE16, false);
    struct x86_core *c = &b->core;

    c->s.gpr[X86_RSP] = 0xabcd0000;
    c->s.gpr[X86_RAX] = 0x1234;
    assert_int_equal(RUN(b, 0x50), X86_OK);
    assert_int_equal(c->s.gpr[X86_RSP], 0xabcdfffe);
    assert_int_equal(word(b, 0xfffe, 2), 0x1234);
    bench_free(b);
}

static void branches_wrap_at_the_operand_size(void **state)
{
    struct bench *b = bench_new(X86_CODE16, false);
    struct x86_core *c = &b->core;

    assert_int_equal(RUN(b, 0xe9, 0x00, 0xf0), X86_OK); // jmp $ + 3 - 0x1000
    assert_int_equal(c->s.rip, 3);
    assert_int_equal(RUN(b, 0xe8, 0x00, 0xf0), X86_OK); // call, below 0
    assert_int_equal(c->s.rip, 0xf006);
    assert_int_equal(c->s.gpr[X86_RSP], STACK - 2);
    assert_int_equal(word(b, STACK - 2, 2), 6);
    assert_int_equal(RUN(b, 0xc2, 0x04, 0x00), X86_OK); // ret 4
    assert_int_equal(c->s.rip, 6);
    assert_int_equal(c->s.gpr[X86_RSP], STACK + 4);
    bench_free(b);
}

static void targets_are_checked_against_the_limit(void **state)
{
    struct bench *b = bench_new(X86_CODE32, true);
    struct x86_core *c = &b->core;

    c->s.seg_limit[X86_CS] = 0x1fff;
    c->s.gpr[X86_RCX] = 5;
    assert_int_equal(RUN(b, 0xe9, 0x00, 0x10, 0x00, 0x00), X86_FAULT);
    assert_int_equal(c->fault.vector, X86_EXC_GP);
    assert_int_equal(c->s.rip, CODE);
    bench_free(b);
}

static void addresses_of_16_bits_wrap(void **state)
{
    struct bench *b = bench_new(X86_CODE16, false);
    struct x86_core *c = &b->core;

    b->ram[2] = 0x77;
    c->s.gpr[X86_RBX] = 0xfffff;
    c->s.gpr[X86_RSI] = 3;
    assert_int_equal(RUN(b, 0x8a, 0x00), X86_OK); // mov al, [bx + si]
    assert_int_equal(c->s.gpr[X86_RAX], 0x77);
    bench_free(b);
}

static void enter_builds_a_display(void **state)
{
    struct bench *b = bench_new(X86_CODE32, true);
    struct x86_core *c = &b->core;

    c->s.gpr[X86_RBP] = STACK + 0x100;
    b->ram[STACK + 0xfc] = 0x11;
    assert_int_equal(RUN(b, 0xc8, 0x10, 0x00, 0x02), X86_OK); // enter 16, 2
    assert_int_equal(word(b, STACK - 4, 4), STACK + 0x100);
    assert_int_equal(word(b, STACK - 8, 4), 0x11);
    assert_int_equal(word(b, STACK - 12, 4), STACK - 4);
    assert_int_equal(c->s.gpr[X86_RBP], STACK - 4);
    assert_int_equal(c->s.gpr[X86_RSP], STACK - 12 - 16);
    assert_int_equal(RUN(b, 0xc9), X86_OK);
    assert_int_equal(c->s.gpr[X86_RSP], STACK);
    assert_int_equal(c->s.gpr[X86_RBP], STACK + 0x100);
    bench_free(b);
}

static void division_faults_keep_everything(void **state)
{
    struct bench *b = bench_new(X86_CODE64, false);
    struct x86_core *c = &b->core;

    c->s.gpr[X86_RAX] = 1ull << 63;
    c->s.gpr[X86_RDX] = ~0ull;
    c->s.gpr[X86_RCX] = ~0ull;
    assert_int_equal(RUN(b, 0x48, 0xf7, 0xf9), X86_FAULT); // idiv rcx
    assert_int_equal(c->fault.vector, X86_EXC_DE);
    assert_int_equal(c->s.gpr[X86_RAX], 1ull << 63);
    c->s.gpr[X86_RCX] = 0;
    assert_int_equal(RUN(b, 0xf6, 0xf1), X86_FAULT); // div cl
    assert_int_equal(c->fault.vector, X86_EXC_DE);
    assert_int_equal(c->s.rip, CODE);
    bench_free(b);
}

static void random_numbers_come_from_the_state(void **state)
{
    struct bench *b = bench_new(X86_CODE64, false);
    struct x86_core *c = &b->core;
    u64 seed = c->s.rng, first;

    assert_int_equal(RUN(b, 0x48, 0x0f, 0xc7, 0xf0), X86_OK); // rdrand rax
    first = c->s.gpr[X86_RAX];
    assert_true(x86_flags_carry(c));
    assert_int_equal(RUN(b, 0x48, 0x0f, 0xc7, 0xf0), X86_OK);
    assert_int_not_equal(c->s.gpr[X86_RAX], first);
    c->s.rng = seed;
    assert_int_equal(RUN(b, 0x48, 0x0f, 0xc7, 0xf0), X86_OK);
    assert_int_equal(c->s.gpr[X86_RAX], first);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeated_store_stops_exactly_at_a_fault),
        cmocka_unit_test(comparison_that_faults_keeps_the_flags),
        cmocka_unit_test(tracing_sees_each_iteration),
        cmocka_unit_test(overlapping_copy_repeats_the_pattern),
        cmocka_unit_test(push_that_faults_moves_nothing),
        cmocka_unit_test(pop_to_memory_that_faults_moves_nothing),
        cmocka_unit_test(pop_addresses_with_the_new_stack_pointer),
        cmocka_unit_test(a_16_bit_stack_wraps),
        cmocka_unit_test(branches_wrap_at_the_operand_size),
        cmocka_unit_test(targets_are_checked_against_the_limit),
        cmocka_unit_test(addresses_of_16_bits_wrap),
        cmocka_unit_test(enter_builds_a_display),
        cmocka_unit_test(division_faults_keep_everything),
        cmocka_unit_test(random_numbers_come_from_the_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
