// SPDX-License-Identifier: BSD-3-Clause
#include "api/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void defaults_are_as_documented(void **state)
{
    struct settings s;

    settings_init(&s);
    assert_int_equal(s.cpus, 1);
    assert_int_equal(s.mem_bytes, GiB(4));
    assert_int_equal(s.cpuid, CPUID_X86_64_V3);
    assert_int_equal(s.max_insts, 0);
    assert_false(s.traced);
}

static void values_have_units_names_and_bounds(void **state)
{
    struct settings s;
    struct error err;

    settings_init(&s);
    assert_true(settings_set(&s, "mem", "512MiB", &err));
    assert_int_equal(s.mem_bytes, MiB(512));
    assert_true(settings_set(&s, "max_insts", "10M", &err));
    assert_int_equal(s.max_insts, 10000000);
    assert_true(settings_set(&s, "cpuid", "x86-64-v1", &err));
    assert_int_equal(s.cpuid, CPUID_X86_64_V1);
    assert_false(settings_set(&s, "cpus", "65", &err));
    assert_non_null(strstr(err.message, "at most 64"));
    assert_false(settings_set(&s, "cpus", "four", &err));
    assert_int_equal(s.cpus, 1);
}

static void what_is_wrong_is_told_with_what_would_be_right(void **state)
{
    struct settings s;
    struct error err;

    settings_init(&s);
    assert_false(settings_set(&s, "cpsu", "1", &err));
    assert_int_equal(err.code, ERROR_INPUT);
    assert_non_null(strstr(err.message, "did you mean 'cpus'"));
    assert_false(settings_set(&s, "cpuid", "x86-64-v4", &err));
    assert_non_null(strstr(err.message, "did you mean"));
    assert_false(settings_set(&s, "cpu", "banana", &err));
    assert_non_null(strstr(err.message, "functional"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_as_documented),
        cmocka_unit_test(values_have_units_names_and_bounds),
        cmocka_unit_test(what_is_wrong_is_told_with_what_would_be_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
