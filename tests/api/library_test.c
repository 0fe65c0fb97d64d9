// SPDX-License-Identifier: BSD-3-Clause
// The public API from the outside: linked with libfacet.so and nothing else of facet.
#include <facet/facet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
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

static const char *guest; // a program that ends with status 0

static struct facet_machine *loaded_machine(const char *seed)
{
    const struct facet_program program = {.path = guest,
                                          .argv = (const char *[]){guest, "1", NULL}};
    struct facet_machine *machine = facet_machine_new();
    struct facet_error err;

    assert_true(facet_machine_set(machine, "seed", seed, &err));
    if (!facet_machine_load(machine, &program, &err))
        fail_msg("%s", err.message);
    assert_false(facet_machine_set(machine, "cpus", "2", &err));
    assert_false(facet_machine_load(machine, &program, &err));
    return machine;
}

static struct facet_result run_to(struct facet_machine *machine, unsigned long long insts)
{
    struct facet_result result;
    struct facet_error err;
    char text[32];

    snprintf(text, sizeof(text), "%llu", insts);
    assert_true(facet_machine_set(machine, "max_insts", text, &err));
    if (!facet_machine_run(machine, &result, &err))
        fail_msg("%s", err.message);
    return result;
}

static void two_machines_take_turns_and_do_not_notice(void **state)
{
    struct facet_machine *alone = loaded_machine("7"), *a = loaded_machine("7"),
                         *b = loaded_machine("8");
    struct facet_result whole = run_to(alone, 0), last_a, last_b;

    assert_int_equal(whole.end, FACET_END_EXITED);
    assert_int_equal(whole.status, 0);
    for (unsigned long long at = whole.insts / 7; at < whole.insts; at += whole.insts / 7) {
        last_a = run_to(a, at);
        last_b = run_to(b, at + 1);
        assert_int_equal(last_a.end, FACET_END_LIMIT);
        assert_int_equal(last_a.insts, at);
        assert_int_equal(last_b.insts, at + 1);
    }
    last_a = run_to(a, 0);
    last_b = run_to(b, 0);
    assert_int_equal(last_a.end, FACET_END_EXITED);
    assert_int_equal(last_a.insts, whole.insts);
    assert_int_equal(last_a.ticks, whole.ticks);
    assert_int_equal(last_b.end, FACET_END_EXITED);
    facet_machine_free(alone);
    facet_machine_free(a);
    facet_machine_free(b);
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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_checked_at_once),
        cmocka_unit_test(every_setting_accepts_its_default),
        cmocka_unit_test(nothing_runs_before_a_program_is_loaded),
        cmocka_unit_test(two_machines_take_turns_and_do_not_notice),
        cmocka_unit_test(the_host_has_been_tried),
    };

    guest = argc > 1 ? argv[1] : "/bin/true";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
