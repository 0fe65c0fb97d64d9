// SPDX-License-Identifier: BSD-3-Clause
#include "api/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"

static void defaults_are_as_documented(void **state)
{
    struct settings s;

    params_init(&s, settings_fields);
    assert_int_equal(s.cpus, 1);
    assert_int_equal(s.mem, GiB(4));
    assert_int_equal(s.cpuid, 2);
    assert_int_equal(s.max_insts, 0);
    assert_false(s.traced);
}

static void values_have_units_names_and_bounds(void **state)
{
    AUTO(arena) struct arena arena = {0};
    struct settings s;
    struct error err;

    params_init(&s, settings_fields);
    assert_true(settings_set(&s, "mem", "512MiB", &arena, &err));
    assert_int_equal(s.mem, MiB(512));
    assert_true(settings_set(&s, "max_insts", "10M", &arena, &err));
    assert_int_equal(s.max_insts, 10000000);
    assert_true(settings_set(&s, "cpuid", "x86-64-v1", &arena, &err));
    assert_int_equal(s.cpuid, 0);
    assert_false(settings_set(&s, "cpus", "65", &arena, &err));
    assert_non_null(strstr(err.message, "64"));
    assert_false(settings_set(&s, "cpus", "four", &arena, &err));
    assert_int_equal(s.cpus, 1);
}

static void what_is_wrong_is_told_with_what_would_be_right(void **state)
{
    AUTO(arena) struct arena arena = {0};
    struct settings s;
    struct error err;

    params_init(&s, settings_fields);
    assert_false(settings_set(&s, "cpsu", "1", &arena, &err));
    assert_int_equal(err.code, ERROR_INPUT);
    assert_non_null(strstr(err.message, "did you mean 'cpus'"));
    assert_false(settings_set(&s, "cpuid", "x86-64-v4", &arena, &err));
    assert_non_null(strstr(err.message, "x86-64-v3"));
    assert_false(settings_set(&s, "cpu", "banana", &arena, &err));
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
