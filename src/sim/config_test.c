// SPDX-License-Identifier: BSD-3-Clause
#include "sim/config.h"

#include "base/rng.h"
#include "sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

// A device with a parameter of each kind, and a board that makes one device itself.
#define DEVICE_PARAMS(P, PR, PB, PS, PC)              \
    P(bytes, size, KiB(32), 64, GiB(4), "Size")       \
    P(hertz, clock, 1000000, 1, 10000000000, "Clock") \
    PR(share, 0.5, 0, 1, "Share")                     \
    PB(fast, false, "Fast")                           \
    PS(label, "a: \"b\" #c", "Label")                 \
    PC(policy, "lru", "lru|random", "Policy")

#define DISK_PARAMS(P, PR, PB, PS, PC) PS(image, NULL, "Image; must be given")

#define BOARD_PARAMS(P, PR, PB, PS, PC) P(u32, cpus, 1, 1, 8, "Number of CPUs")

COMPONENT_LISTS(device, DEVICE_PARAMS, NO_ROWS, NO_ROWS, NO_ROWS);
COMPONENT_LISTS(disk, DISK_PARAMS, NO_ROWS, NO_ROWS, NO_ROWS);
COMPONENT_LISTS(board, BOARD_PARAMS, NO_ROWS, NO_ROWS, NO_ROWS);

struct device {
    struct component base;
    struct device_params p;
    struct device_state st;
    struct device_stats n;
};
struct disk {
    struct component base;
    struct disk_params p;
    struct disk_state st;
    struct disk_stats n;
};
struct board {
    struct component base;
    struct board_params p;
    struct board_state st;
    struct board_stats n;
};

static const struct component_type device_type = {
    .name = "device", .doc = "A device", COMPONENT_LAYOUT(device)};
static const struct component_type disk_type = {
    .name = "disk", .doc = "A disk", COMPONENT_LAYOUT(disk)};

static bool board_build(struct component *c, struct error *err)
{
    for (u64 i = 0; i < ((struct board *)c)->p.cpus; i++) {
        char name[16];
        struct component *cpu;

        snprintf(name, sizeof(name), "cpu%u", (unsigned)i);
        cpu = component_new(c->sim, &device_type, c, name, err);
        if (!cpu || !component_set(cpu, "clock", "3GHz", err))
            return false;
    }
    return true;
}

static const struct component_ops board_ops = {.build = board_build};
static const struct component_type board_type = {
    .name = "board", .doc = "A board", COMPONENT_LAYOUT(board), .ops = &board_ops};

static const struct component_type *const types[] = {&board_type, &device_type, &disk_type, NULL};

struct machine {
    struct config cfg;
    struct sim sim;
};

// Everything from text to a built machine; the message is in *err.
static bool make(struct machine *m, const char *text, const char *const *sets, struct error *err)
{
    bool ok;

    config_init(&m->cfg);
    sim_init(&m->sim);
    config_parse(&m->cfg, text, strlen(text), "m.yaml");
    for (; sets && *sets; sets++)
        config_override(&m->cfg, *sets);
    ok = config_create(&m->cfg, &m->sim, NULL, types);
    if (!ok)
        return config_check(&m->cfg, err);
    return sim_build(&m->sim, err);
}

static void drop(struct machine *m)
{
    sim_release(&m->sim);
    config_release(&m->cfg);
}

static const struct device_params *params_of(struct machine *m, const char *path)
{
    struct error err;
    struct component *c = component_lookup(&m->sim, path, &err);

    if (!c)
        fail_msg("%s", err.message);
    return component_params(c);
}

static const char good[] = "# a machine\n"
                           "pc:\n"
                           "  type: board\n"
                           "  cpus: 2\n"
                           "  l1:\n"
                           "    type: device\n"
                           "    size: 64KiB\n"
                           "    policy: random\n"
                           "    inner: {type: device, fast: true}\n"
                           "  cpu1: {clock: 2.4GHz, share: 0.25}\n";

static void a_description_makes_a_machine(void **arg)
{
    struct machine m;
    struct error err;

    if (!make(&m, good, NULL, &err))
        fail_msg("%s", err.message);
    assert_int_equal(params_of(&m, "pc.l1")->size, 65536);
    assert_int_equal(params_of(&m, "pc.l1")->policy, 1);
    assert_true(params_of(&m, "pc.l1.inner")->fast);
    assert_int_equal(params_of(&m, "pc.cpu0")->clock, 3000000000);
    assert_int_equal(params_of(&m, "pc.cpu1")->clock, 2400000000);
    assert_true(params_of(&m, "pc.cpu1")->share == 0.25);
    drop(&m);
}

static void json_is_accepted(void **arg)
{
    struct machine m;
    struct error err;

    assert_true(make(&m, "{\"pc\": {\"type\": \"device\", \"size\": \"1MiB\", \"fast\": true}}",
                     NULL, &err));
    assert_int_equal(params_of(&m, "pc")->size, MiB(1));
    drop(&m);
}

static void overrides_win(void **arg)
{
    static const char *const sets[] = {"pc.l1.size=1MiB", "pc.cpu0.clock=1GHz", "pc.cpus=3",
                                       "pc.l1.size=2MiB", "pc.l1.label=x=y",    NULL};
    struct machine m;
    struct error err;

    if (!make(&m, good, sets, &err))
        fail_msg("%s", err.message);
    assert_int_equal(params_of(&m, "pc.l1")->size, MiB(2));
    assert_string_equal(params_of(&m, "pc.l1")->label, "x=y");
    assert_int_equal(params_of(&m, "pc.cpu0")->clock, 1000000000);
    assert_int_equal(params_of(&m, "pc.cpu2")->clock, 3000000000);
    drop(&m);
}

static void later_files_refine_earlier_ones(void **arg)
{
    static const char more[] = "pc:\n  cpus: 4\n  l1: {size: 1KiB}\n";
    struct machine m;
    struct error err;

    config_init(&m.cfg);
    sim_init(&m.sim);
    assert_true(config_parse(&m.cfg, good, strlen(good), "a.yaml"));
    assert_true(config_parse(&m.cfg, more, strlen(more), "b.yaml"));
    assert_true(config_create(&m.cfg, &m.sim, "pc", types));
    assert_true(sim_build(&m.sim, &err));
    assert_int_equal(params_of(&m, "pc.l1")->size, 1024);
    assert_int_equal(params_of(&m, "pc.l1")->policy, 1);
    params_of(&m, "pc.cpu3");
    drop(&m);
}

static void all_problems_are_told_at_once(void **arg)
{
    static const char text[] = "pc:\n"
                               "  type: board\n"
                               "  cpus: 9\n"
                               "  cpuz: 1\n"
                               "  l1:\n"
                               "    type: devise\n"
                               "  l2:\n"
                               "    type: device\n"
                               "    sise: 1KiB\n"
                               "    size: [1, 2]\n"
                               "    clock:\n"
                               "  hd: {type: disk}\n";
    static const char *const share[] = {"pc.l2.share=2", NULL}, *const wrong[] = {"nonsense", NULL};
    static const char *const expected[] = {
        "m.yaml:3: pc.cpus: 9 is more than the most allowed, 8\n",
        "m.yaml:4: pc (board) has no parameter 'cpuz'; did you mean 'cpus'?\n",
        "m.yaml:6: there is no component type 'devise'; did you mean 'device'?\n",
        "m.yaml:9: pc.l2 (device) has no parameter 'sise'; did you mean 'size'?\n",
        "m.yaml:10: pc.l2.size: one value is expected, a size\n",
        "m.yaml:11: pc.l2.clock: one value is expected, a frequency\n",
        "m.yaml:12: pc.hd (disk): the parameter 'image' must be given\n",
        "--set pc.l2.share=2: pc.l2.share: 2 is more than the most allowed, 1\n",
    };
    struct machine m;
    struct error err;

    assert_false(make(&m, text, wrong, &err));
    assert_non_null(strstr(err.message, "--set 'nonsense': PATH=VALUE is expected"));
    drop(&m);
    assert_false(make(&m, text, share, &err));
    assert_int_equal(m.cfg.problem_count, ARRAY_SIZE(expected));
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
        if (!strstr(m.cfg.problems.text, expected[i]))
            fail_msg("missing: %s in\n%s", expected[i], m.cfg.problems.text);
    assert_non_null(strstr(err.message, "more)"));
    drop(&m);
}

static void what_nobody_used_is_a_problem(void **arg)
{
    static const char *const sets[] = {"pc.cpo1.clock=1GHz", "pc.l1.x.y=2", NULL};
    struct machine m;
    struct error err;

    assert_false(make(&m, good, sets, &err));
    assert_non_null(
        strstr(err.message, "pc (board) has no component 'cpo1'; did you mean 'cpu1'?"));
    assert_non_null(strstr(err.message, "pc.l1 (device) has no component 'x'"));
    drop(&m);
}

static void odd_yaml_is_refused(void **arg)
{
    static const char *const cases[][2] = {
        {"", "m.yaml:1: the file is empty"},
        {"# only a comment\n", "the file is empty"},
        {"- a\n", "a mapping is expected"},
        {"text\n", "a mapping is expected"},
        {"pc: {type: board\n", "not valid YAML"},
        {"pc:\n\ttype: board\n", "m.yaml:2: not valid YAML"},
        {"pc: &x {type: board}\n", "anchors and aliases"},
        {"pc: *x\n", "anchors and aliases"},
        {"pc: !!map {type: board}\n", "tags are not allowed"},
        {"pc: {type: board}\n---\npc: {type: board}\n", "one document"},
        {"pc: {type: board}\npc: {type: board}\n",
         "m.yaml:2: 'pc' is given twice; first in line 1"},
        {"[a]: b\n", "a key must be a name"},
        {"pc: {type: board}\nqc: {type: board}\n", "one machine is expected"},
        {"pc: 5\n", "must be a mapping with a type"},
        {"pc: {}\n", "must be a mapping with a type"},
        {"pc: {type: [board]}\n", "a type must be a name"},
        {"p.c: {type: board}\n", "no name for a component"},
        {"pc: {type: board, x: \"a\\0b\"}\n", "NUL"},
        {"pc: {type: board, cpus: 0x}\n", "no number"},
        {"pc: {type: board, cpu0: {type: disk, image: x}}\n", "already a component 'pc.cpu0'"},
        {"pc: {type: board, cpu0: [1]}\n", "has no parameter 'cpu0'"},
    };
    char deep[200] = "a: ";
    struct machine m;
    struct error err;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_false(make(&m, cases[i][0], NULL, &err));
        if (!strstr(err.message, cases[i][1]))
            fail_msg("%s\nsays: %s", cases[i][0], err.message);
        drop(&m);
    }
    memset(deep + 3, '[', 100);
    assert_false(make(&m, deep, NULL, &err));
    assert_non_null(strstr(err.message, "nested too deep"));
    drop(&m);
}

static void effective_descriptions_make_the_same_machine(void **arg)
{
    struct strbuf yaml = {0}, json = {0}, again = {0};
    struct machine m, n;
    struct error err;
    char a[65], b[65];

    assert_true(make(&m, good, NULL, &err));
    config_write_yaml(m.sim.root, &yaml);
    config_write_json(m.sim.root, &json);
    assert_non_null(strstr(yaml.text, "\n  cpu1:\n    type: device\n    size: 32KiB\n"
                                      "    clock: 2.4GHz\n    share: 0.25\n    fast: false\n"
                                      "    label: \"a: \\\"b\\\" #c\"\n    policy: lru\n"));
    config_digest(m.sim.root, a);
    if (!make(&n, yaml.text, NULL, &err))
        fail_msg("%s\n%s", err.message, yaml.text);
    config_write_yaml(n.sim.root, &again);
    assert_string_equal(yaml.text, again.text);
    config_digest(n.sim.root, b);
    assert_string_equal(a, b);
    drop(&n);
    assert_true(make(&n, json.text, NULL, &err));
    strbuf_clear(&again);
    config_write_yaml(n.sim.root, &again);
    assert_string_equal(yaml.text, again.text);
    drop(&n);
    drop(&m);
    strbuf_release(&yaml);
    strbuf_release(&json);
    strbuf_release(&again);
}

// Damaged descriptions are errors, never crashes.
static void random_damage_is_survived(void **arg)
{
    struct rng rng = {77};
    unsigned accepted = 0;

    for (unsigned i = 0; i < 3000; i++) {
        char text[sizeof(good)];
        struct machine m;
        struct error err;

        memcpy(text, good, sizeof(good));
        for (u64 k = 1 + rng_below(&rng, 3); k; k--)
            text[rng_below(&rng, sizeof(good) - 1)] = (char)(rng_next(&rng) % 127 + 1);
        accepted += make(&m, text, NULL, &err);
        drop(&m);
    }
    assert_in_range(accepted, 1, 2999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_description_makes_a_machine),
        cmocka_unit_test(json_is_accepted),
        cmocka_unit_test(overrides_win),
        cmocka_unit_test(later_files_refine_earlier_ones),
        cmocka_unit_test(all_problems_are_told_at_once),
        cmocka_unit_test(what_nobody_used_is_a_problem),
        cmocka_unit_test(odd_yaml_is_refused),
        cmocka_unit_test(effective_descriptions_make_the_same_machine),
        cmocka_unit_test(random_damage_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
