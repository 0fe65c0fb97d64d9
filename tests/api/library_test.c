// SPDX-License-Identifier: BSD-3-Clause
// The public API from the outside: linked with libfacet.so and nothing else of facet.
#include <facet/facet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void settings_are_checked_at_once(void **state)
{
    struct facet_machine *machine = facet_machine_new();
    struct facet_error err;

    assert_true(facet_machine_set(machine, "cpus", "2", &err));
    assert_false(facet_machine_set(machine, "cpsu", "2", &err));
    assert_int_equal(err.code, FACET_ERROR_INPUT);
    assert_non_null(strstr(err.message, "cpus"));
    facet_machine_free(machine);
    facet_machine_free(NULL);
}

static void every_setting_accepts_its_default(void **state)
{
    struct facet_machine *machine = facet_machine_new();
    struct facet_error err;

    assert_true(facet_setting_count() > 4);
    for (size_t i = 0; i < facet_setting_count(); i++) {
        struct facet_setting setting = facet_setting(i);

        assert_true(setting.doc[0] != 0);
        if (!facet_machine_set(machine, setting.path, setting.initial, &err))
            fail_msg("%s: %s", setting.path, err.message);
    }
    facet_machine_free(machine);
}

static void nothing_runs_before_a_program_is_loaded(void **state)
{
    struct facet_machine *machine = facet_machine_new();
    struct facet_result result;
    struct facet_error err;

    assert_false(facet_machine_run(machine, &result, &err));
    assert_false(facet_machine_write_stats(machine, "/tmp/never.json", &err));
    facet_machine_free(machine);
}

static void the_host_has_been_tried(void **state)
{
    struct facet_host *host = facet_host_probe();
    bool level = false;

    for (size_t i = 0; i < facet_host_finding_count(host); i++)
        level |= strcmp(facet_host_finding(host, i)->name, "cpu.x86-64-v1") == 0;
    assert_true(level);
    facet_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_checked_at_once),
        cmocka_unit_test(every_setting_accepts_its_default),
        cmocka_unit_test(nothing_runs_before_a_program_is_loaded),
        cmocka_unit_test(the_host_has_been_tried),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
