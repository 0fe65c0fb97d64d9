// SPDX-License-Identifier: BSD-3-Clause
// The results of x87 transcendental instructions are facet's own: rounded once as FCW says, the
// same whatever the rounding of MXCSR and of the host. x87_test.c compares them with the host's.
#include "isa/x86/exec/x87.h"
#include "isa/x86/native_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { F2XM1 = 0xf0, FYL2X = 0xf1, FPATAN = 0xf3, FSINCOS = 0xfb, FSIN = 0xfe, FCOS = 0xff };

struct outcome {
    u64 significand[2]; // ST0, ST1
    u16 top[2], fsw;
};

static int set_up(void **state)
{
    *state = native_core_new();
    return 0;
}

static int tear_down(void **state)
{
    native_core_free(*state);
    return 0;
}

static void put(struct x86_core *c, u32 n, long double v)
{
    memcpy(x87_st(c, n), &v, 10);
    c->s.ftw |= (u16)(1u << ((x87_top(c) + n) & 7));
}

static struct outcome run(struct x86_core *c, u8 modrm, long double x, long double y, u16 fcw,
                          u32 mxcsr)
{
    u8 *code = native_memory(4096);
    struct outcome o = {0};
    struct native in;

    x87_init(c);
    c->s.fcw = fcw;
    put(c, 0, x);
    put(c, 1, y);
    c->s.mxcsr = mxcsr;
    memset(&in, 0, sizeof(in));
    native_from_core(&in, c);
    code[0] = 0xd9;
    code[1] = modrm;
    assert_int_equal(native_core_run(c, code, &in, &in), X86_OK);
    for (u32 n = 0; n < 2; n++) {
        memcpy(&o.significand[n], x87_st(c, n), 8);
        memcpy(&o.top[n], x87_st(c, n) + 8, 2);
    }
    o.fsw = c->s.fsw;
    native_memory_free(code, 4096);
    return o;
}

static void is(struct outcome o, u16 top, u64 significand)
{
    if (o.top[0] != top || o.significand[0] != significand)
        fail_msg("%04x.%016lx instead of %04x.%016lx", o.top[0], o.significand[0], top,
                 significand);
}

// References: the functions with 40 digits, rounded to 64 bits.
static void results_are_rounded_to_nearest(void **state)
{
    is(run(*state, F2XM1, 0.5L, 0, 0x37f, 0x1f80), 0x3ffd, 0xd413cccfe7799211);
    is(run(*state, FYL2X, 10, 1, 0x37f, 0x1f80), 0x4000, 0xd49a784bcd1b8afe);
    is(run(*state, FYL2X, 8, 3, 0x37f, 0x1f80), 0x4002, 0x9000000000000000); // exact
    is(run(*state, FPATAN, 1, 1, 0x37f, 0x1f80), 0x3ffe, 0xc90fdaa22168c235);
    is(run(*state, FSIN, 1, 0, 0x37f, 0x1f80), 0x3ffe, 0xd76aa47848677021);
    is(run(*state, FCOS, 1, 0, 0x37f, 0x1f80), 0x3ffe, 0x8a51407da8345c92);
}

// SDM vol. 1 §8.3.8: sin(3.141592653589793) shows the 66 bits, 1.2246063538223773e-16 rather than
// the 1.2246467991473532e-16 of mathematics.
static void angles_are_reduced_by_66_bits_of_pi(void **state)
{
    struct outcome o = run(*state, FSIN, 3.141592653589793, 0, 0x37f, 0x1f80);
    long double v = 0;

    memcpy(&v, &o.significand[0], 8);
    memcpy((u8 *)&v + 8, &o.top[0], 2);
    assert_true((double)v == 1.2246063538223773e-16);
}

static void the_control_word_rounds(void **state)
{
    struct outcome down = run(*state, FSIN, 1, 0, 0x77f, 0x1f80);
    struct outcome up = run(*state, FSIN, 1, 0, 0xb7f, 0x1f80);
    struct outcome chop = run(*state, FSIN, -1, 0, 0xf7f, 0x1f80);

    assert_true(up.significand[0] == down.significand[0] + 1);
    assert_true(chop.significand[0] == down.significand[0]);
    assert_true(up.fsw & X87_C1);
    assert_false(down.fsw & X87_C1);
    assert_true(up.fsw & X87_PE);
}

static void mxcsr_has_no_part_in_it(void **state)
{
    struct x86_core *c = *state;

    for (u32 rounding = 0; rounding < 4; rounding++) {
        is(run(c, FSIN, 1, 0, 0x37f, 0x1f80 | rounding << 13), 0x3ffe, 0xd76aa47848677021);
        assert_int_equal(c->s.mxcsr, 0x1f80 | rounding << 13);
    }
    is(run(c, FSIN, 1, 0, 0x37f, 0), 0x3ffe, 0xd76aa47848677021); // all exceptions unmasked
}

static void both_results_of_fsincos(void **state)
{
    struct outcome o = run(*state, FSINCOS, 1, 0, 0x37f, 0x1f80);

    is(o, 0x3ffe, 0x8a51407da8345c92);
    assert_true(o.significand[1] == 0xd76aa47848677021);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_rounded_to_nearest),
        cmocka_unit_test(angles_are_reduced_by_66_bits_of_pi),
        cmocka_unit_test(the_control_word_rounds),
        cmocka_unit_test(mxcsr_has_no_part_in_it),
        cmocka_unit_test(both_results_of_fsincos),
    };

    return cmocka_run_group_tests_name("transcend", tests, set_up, tear_down);
}
