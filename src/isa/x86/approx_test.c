// SPDX-License-Identifier: BSD-3-Clause
// The approximations of RCPPS and RSQRTPS: all fractions against the error that SDM vol. 2B allows,
// special values as it lists them.
#include "isa/x86/exec/approx.h"
#include "isa/x86/vendor_test.h"

#include <immintrin.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALLOWED (1.5 * 0x1p-12)

static float as_float(u32 bits)
{
    float f;

    memcpy(&f, &bits, 4);
    return f;
}

static u32 as_bits(float f)
{
    u32 bits;

    memcpy(&bits, &f, 4);
    return bits;
}

static void reciprocals_are_within_the_allowed_error(void **state)
{
    double worst = 0;

    for (u32 fraction = 0; fraction < 1u << 23; fraction++) {
        u32 v = 127u << 23 | fraction;
        double error = fabs((double)as_float(x86_approx_rcp(v)) * as_float(v) - 1);

        worst = error > worst ? error : worst;
    }
    print_message("worst: %.4f * 2^-12\n", worst * 4096);
    assert_true(worst <= ALLOWED);
}

static void reciprocal_roots_are_within_the_allowed_error(void **state)
{
    double worst = 0;

    for (u32 v = 127u << 23; v < 129u << 23; v++) {
        double error = fabs((double)as_float(x86_approx_rsqrt(v)) * sqrt(as_float(v)) - 1);

        worst = error > worst ? error : worst;
    }
    print_message("worst: %.4f * 2^-12\n", worst * 4096);
    assert_true(worst <= ALLOWED);
}

static void all_exponents_scale(void **state)
{
    for (u32 exponent = 1; exponent < 253; exponent++) {
        float x = as_float(exponent << 23 | 0x345678);

        assert_true(fabs((double)as_float(x86_approx_rcp(as_bits(x))) * x - 1) <= ALLOWED);
        assert_true(fabs((double)as_float(x86_approx_rcp(as_bits(-x))) * -x - 1) <= ALLOWED);
    }
    for (u32 exponent = 1; exponent < 255; exponent++) {
        float x = as_float(exponent << 23 | 0x345678);

        assert_true(fabs((double)as_float(x86_approx_rsqrt(as_bits(x))) * sqrt(x) - 1) <= ALLOWED);
    }
}

static void special_values_are_those_of_the_manual(void **state)
{
    static const struct {
        u32 v, rcp, rsqrt;
    } rows[] = {
        {0x00000000, 0x7f800000, 0x7f800000}, // zeros
        {0x80000000, 0xff800000, 0xff800000},
        {0x007fffff, 0x7f800000, 0x7f800000}, // denormals are zeros
        {0x80000001, 0xff800000, 0xff800000},
        {0x7f800000, 0x00000000, 0x00000000}, // infinities
        {0xff800000, 0x80000000, 0xffc00000},
        {0x7f800001, 0x7fc00001, 0x7fc00001}, // NaNs become quiet
        {0xffc12345, 0xffc12345, 0xffc12345},
    };

    for (u32 n = 0; n < ARRAY_SIZE(rows); n++) {
        assert_int_equal(x86_approx_rcp(rows[n].v), rows[n].rcp);
        assert_int_equal(x86_approx_rsqrt(rows[n].v), rows[n].rsqrt);
    }
    assert_int_equal(x86_approx_rsqrt(0xbf800000), 0xffc00000); // -1
    assert_int_equal(x86_approx_rcp(0x7e7fd000), 0x00801000);   // the largest that is not tiny
    assert_int_equal(x86_approx_rcp(0xfe800c01), 0x80000000);   // the smallest that is
}

static void the_host_agrees_within_twice_the_error(void **state)
{
    for (u64 v = 0; v < 1ull << 32; v += 9973) {
        __m128 x = _mm_castsi128_ps(_mm_set1_epi32((int)v));
        u32 rcp = (u32)_mm_cvtsi128_si32(_mm_castps_si128(_mm_rcp_ss(x)));
        u32 rsqrt = (u32)_mm_cvtsi128_si32(_mm_castps_si128(_mm_rsqrt_ss(x)));

        if (!vendor_approximations_agree(rcp, x86_approx_rcp((u32)v)))
            fail_msg("rcp(%08x): host %08x, facet %08x", (u32)v, rcp, x86_approx_rcp((u32)v));
        if (!vendor_approximations_agree(rsqrt, x86_approx_rsqrt((u32)v)))
            fail_msg("rsqrt(%08x): host %08x, facet %08x", (u32)v, rsqrt, x86_approx_rsqrt((u32)v));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reciprocals_are_within_the_allowed_error),
        cmocka_unit_test(reciprocal_roots_are_within_the_allowed_error),
        cmocka_unit_test(all_exponents_scale),
        cmocka_unit_test(special_values_are_those_of_the_manual),
        cmocka_unit_test(the_host_agrees_within_twice_the_error),
    };

    return cmocka_run_group_tests_name("approx", tests, NULL, NULL);
}
