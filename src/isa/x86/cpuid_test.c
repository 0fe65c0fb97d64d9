// SPDX-License-Identifier: BSD-3-Clause
// CPUID and model-specific registers. Where the bits of features are is taken from the compiler's
// cpuid.h, what the levels contain from the x86-64 psABI.
#include "isa/x86/cpuid.h"

#include "isa/x86/msr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <cpuid.h>

static bool no_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    return false;
}

static struct x86_core *new_core(u32 id, const char *level)
{
    static const struct mem_port_ops ops = {.access = no_access};
    struct x86_core *c = calloc(1, sizeof(*c));
    struct error err;

    if (!x86_core_init(c, id, &(struct mem_port){.ops = &ops}, level, &err))
        fail_msg("%s", err.message);
    c->s.cr4 |= X86_CR4_OSXSAVE;
    return c;
}

static void free_core(struct x86_core *c)
{
    x86_core_release(c);
    free(c);
}

struct bit {
    u32 leaf, subleaf, reg, mask; // EAX, EBX, ECX, EDX
};

static const struct bit level1[] = {
    {1, 0, 3, bit_CMOV}, {1, 0, 3, bit_CMPXCHG8B}, {1, 0, 3, 1},        {1, 0, 3, bit_FXSAVE},
    {1, 0, 3, bit_MMX},  {1, 0, 3, bit_SSE},       {1, 0, 3, bit_SSE2},
};
static const struct bit level2[] = {
    {1, 0, 2, bit_CMPXCHG16B}, {0x80000001, 0, 2, bit_LAHF_LM}, {1, 0, 2, bit_POPCNT},
    {1, 0, 2, bit_SSE3},       {1, 0, 2, bit_SSE4_1},           {1, 0, 2, bit_SSE4_2},
    {1, 0, 2, bit_SSSE3},
};
static const struct bit level3[] = {
    {1, 0, 2, bit_AVX},
    {7, 0, 1, bit_AVX2},
    {7, 0, 1, bit_BMI},
    {7, 0, 1, bit_BMI2},
    {1, 0, 2, bit_F16C},
    {1, 0, 2, bit_FMA},
    {0x80000001, 0, 2, bit_LZCNT},
    {1, 0, 2, bit_MOVBE},
    {1, 0, 2, bit_OSXSAVE},
};

static bool shows(const struct x86_core *c, const struct bit *b)
{
    u32 r[4];

    x86_cpuid(c, b->leaf, b->subleaf, r);
    return r[b->reg] & b->mask;
}

static void levels_are_those_of_the_psabi(void **state)
{
    static const char *const names[] = {"x86-64-v1", "x86-64-v2", "x86-64-v3"};

    for (u32 level = 1; level <= 3; level++) {
        struct x86_core *c = new_core(0, names[level - 1]);

        for (u32 i = 0; i < ARRAY_SIZE(level1); i++)
            assert_true(shows(c, &level1[i]));
        for (u32 i = 0; i < ARRAY_SIZE(level2); i++)
            assert_int_equal(shows(c, &level2[i]), level >= 2 || level2[i].leaf != 1);
        for (u32 i = 0; i < ARRAY_SIZE(level3); i++)
            assert_int_equal(shows(c, &level3[i]), level >= 3);
        free_core(c);
    }
}

static void no_hypervisor_is_ever_shown(void **state)
{
    struct x86_core *c = new_core(0, "x86-64-v3");
    u32 r[4], last[4];

    assert_false(shows(c, &(struct bit){1, 0, 2, 1u << 31}));
    x86_cpuid(c, 0x40000000, 0, r);
    x86_cpuid(c, 0x16, 0, last); // beyond the last leaf: the last one
    assert_memory_equal(r, last, sizeof(r));
    free_core(c);
}

static void each_core_has_its_own_apic_id(void **state)
{
    struct x86_core *c = new_core(5, "x86-64-v3");
    u32 r[4];

    c->topology.cores = 8;
    x86_cpuid(c, 1, 0, r);
    assert_int_equal(r[1] >> 24, 5);
    assert_int_equal(r[1] >> 16 & 0xff, 8);
    x86_cpuid(c, 0xb, 1, r);
    assert_int_equal(r[0], 3);
    assert_int_equal(r[1], 8);
    assert_int_equal(r[3], 5);
    x86_cpuid(c, 4, 3, r);
    assert_int_equal(r[0] >> 14 & 0xfff, 7);
    assert_false(c->s.apic_base & 1 << 8); // not the boot processor
    free_core(c);
}

static void xsave_sizes(void **state)
{
    struct x86_core *c = new_core(0, "x86-64-v3");
    u32 r[4];

    x86_cpuid(c, 0xd, 0, r);
    assert_int_equal(r[0], 7);
    assert_int_equal(r[1], 576);
    assert_int_equal(r[2], 832);
    c->s.xcr0 = 7;
    x86_cpuid(c, 0xd, 0, r);
    assert_int_equal(r[1], 832);
    x86_cpuid(c, 0xd, 2, r);
    assert_int_equal(r[0], 256);
    assert_int_equal(r[1], 576);
    free_core(c);
}

static bool parse(const char *level, u64 set[4])
{
    struct error err;

    return x86_cpuid_features(level, set, &err);
}

static void features_are_added_and_taken_away(void **state)
{
    u64 set[4];
    struct error err;

    assert_true(parse("x86-64-v3,-avx", set)); // and what needs it
    assert_false(set[X86_FEATURE_AVX2 / 64] >> X86_FEATURE_AVX2 % 64 & 1);
    assert_false(set[X86_FEATURE_F16C / 64] >> X86_FEATURE_F16C % 64 & 1);
    assert_true(set[X86_FEATURE_BMI2 / 64] >> X86_FEATURE_BMI2 % 64 & 1);
    assert_true(parse("x86-64-v1,+sse3,+SSSE3,+sse4.1", set));
    assert_true(set[X86_FEATURE_SSE41 / 64] >> X86_FEATURE_SSE41 % 64 & 1);
    assert_false(parse("x86-64-v1,+avx2", set));
    assert_false(parse("x86-64-v4", set));
    assert_false(parse("haswell", set));
    assert_false(parse("x86-64-v3,+monitor", set)); // has no instructions here
    assert_false(parse("x86-64-v3,-base", set));
    assert_false(parse("x86-64-v2,avx", set));
    assert_false(x86_cpuid_features("x86-64-v2,+avx22", set, &err));
    assert_non_null(strstr(err.message, "AVX2"));
}

static void registers_refuse_what_they_do_not_have(void **state)
{
    struct x86_core *c = new_core(0, "x86-64-v3");
    u64 v;

    assert_false(x86_msr_read(c, 0xdead, &v));
    assert_false(x86_msr_write(c, 0x174, 1ull << 32));      // IA32_SYSENTER_CS
    assert_false(x86_msr_write(c, 0xc0000082, 1ull << 47)); // IA32_LSTAR, not canonical
    assert_true(x86_msr_write(c, 0xc0000082, ~0ull << 47)); //
    assert_true(x86_msr_read(c, 0xc0000082, &v) && v == ~0ull << 47);
    assert_false(x86_msr_write(c, 0x277, 0x0007040600070402)); // IA32_PAT, reserved type
    assert_true(x86_msr_write(c, 0x277, 0x0007010600070106));  //
    assert_false(x86_msr_write(c, 0xc0000080, 1 << 9));        // IA32_EFER, reserved bit
    assert_false(x86_msr_write(c, 0x2ff, 1 << 8));             // IA32_MTRR_DEF_TYPE
    assert_true(x86_msr_write(c, 0x2ff, 0xc06));               //
    assert_false(x86_msr_write(c, 0xfe, 0));                   // IA32_MTRRCAP is read-only
    assert_false(x86_msr_write(c, 0x1b, 0xfee00400));          // x2APIC without the enable bit
    assert_true(x86_msr_write(c, 0x1b, 0xfee00900));           //
    assert_false(x86_msr_read(c, 0x802, &v));                  // x2APIC off
    free_core(c);
}

static void the_time_stamp_can_be_set(void **state)
{
    struct x86_core *c = new_core(0, "x86-64-v3");
    u64 v;

    c->core.time.base = 1000;
    assert_true(x86_msr_read(c, 0x10, &v) && v == 1000);
    assert_true(x86_msr_write(c, 0x10, 5000));
    assert_true(x86_msr_read(c, 0x3b, &v) && v == 4000); // IA32_TSC_ADJUST follows
    c->core.time.base = 1500;
    assert_true(x86_msr_read(c, 0x10, &v) && v == 5500);
    assert_true(x86_msr_write(c, 0x3b, 0));
    assert_true(x86_msr_read(c, 0x10, &v) && v == 1500);
    free_core(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_are_those_of_the_psabi),
        cmocka_unit_test(no_hypervisor_is_ever_shown),
        cmocka_unit_test(each_core_has_its_own_apic_id),
        cmocka_unit_test(xsave_sizes),
        cmocka_unit_test(features_are_added_and_taken_away),
        cmocka_unit_test(registers_refuse_what_they_do_not_have),
        cmocka_unit_test(the_time_stamp_can_be_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
