// SPDX-License-Identifier: BSD-3-Clause
#include "sim/params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SAMPLE_PARAMS(P, PR, PB, PS, PC)                       \
    P(bytes, size, KiB(32), 64, GiB(4), "Data capacity")       \
    P(hertz, clock, 1000000000, 1000000, 10000000000, "Clock") \
    P(ticks, latency, 15000, 0, 1000000, "Latency")            \
    P(u32, ways, 0, 1, 128, "Ways: must be given")             \
    PR(share, 0.5, 0, 1, "Share")                              \
    PB(writeback, true, "Write back")                          \
    PS(image, NULL, "Image")                                   \
    PC(policy, "lru", "random|lru|plru", "Replacement")

PARAM_STRUCT(sample_params, SAMPLE_PARAMS);
static PARAM_FIELDS(sample_params, SAMPLE_PARAMS);

static bool set(struct sample_params *p, struct arena *a, const char *name, const char *text,
                struct error *err)
{
    int i = params_find(sample_params_fields, name);

    assert_true(i >= 0);
    return params_set(p, sample_params_fields, i, text, a, err);
}

static void defaults_and_values(void **arg)
{
    struct sample_params p;
    struct arena a = {0};
    struct error err;

    params_init(&p, sample_params_fields);
    assert_int_equal(p.size, 32768);
    assert_true(p.writeback);
    assert_true(p.share == 0.5);
    assert_int_equal(p.policy, 1);
    assert_null(p.image);
    assert_true(set(&p, &a, "size", "1MiB", &err) && p.size == MiB(1));
    assert_true(set(&p, &a, "clock", "2.4GHz", &err) && p.clock == 2400000000);
    assert_true(set(&p, &a, "latency", "0.5ns", &err) && p.latency == 500);
    assert_true(set(&p, &a, "ways", "16", &err) && p.ways == 16);
    assert_true(set(&p, &a, "share", "1e-3", &err) && p.share == 1e-3);
    assert_true(set(&p, &a, "writeback", "false", &err) && !p.writeback);
    assert_true(set(&p, &a, "policy", "plru", &err) && p.policy == 2);
    assert_true(set(&p, &a, "image", "a.img", &err) && strcmp(p.image, "a.img") == 0);
    assert_int_equal(params_find(sample_params_fields, "none"), -1);
    arena_release(&a);
}

static void wrong_values_change_nothing(void **arg)
{
    static const char *const cases[][3] = {
        {"size", "32", "least allowed, 64B"},
        {"size", "8GiB", "most allowed, 4GiB"},
        {"clock", "5", "no frequency"},
        {"ways", "129", "most allowed, 128"},
        {"ways", "four", "no number"},
        {"share", "1.5", "most allowed, 1"},
        {"share", "nan", "no number"},
        {"share", "0x1p3", "no number"},
        {"writeback", "yes", "true nor false"},
        {"policy", "fifo", "random|lru|plru"},
        {"policy", "random|lru", "is not one of"},
        {"policy", "", "is not one of"},
    };
    struct sample_params p, old;
    struct arena a = {0};
    struct error err;

    params_init(&p, sample_params_fields);
    old = p;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_false(set(&p, &a, cases[i][0], cases[i][1], &err));
        if (!strstr(err.message, cases[i][2]))
            fail_msg("%s=%s: %s", cases[i][0], cases[i][1], err.message);
        assert_memory_equal(&p, &old, sizeof(p));
    }
    arena_release(&a);
}

static void formatted_values_read_back(void **arg)
{
    struct sample_params p, q;
    struct arena a = {0};
    struct strbuf text = {0};
    struct error err;

    params_init(&p, sample_params_fields);
    p.ways = 4;
    p.image = "x";
    p.clock = 2400000000;
    params_init(&q, sample_params_fields);
    for (int i = 0; sample_params_fields[i].name; i++) {
        strbuf_clear(&text);
        params_format(&p, sample_params_fields, i, &text);
        assert_true(params_set(&q, sample_params_fields, i, text.text, &a, &err));
    }
    assert_string_equal(q.image, "x");
    q.image = p.image;
    assert_memory_equal(&p, &q, sizeof(p));
    strbuf_release(&text);
    arena_release(&a);
}

static void some_must_be_given(void **arg)
{
    for (int i = 0; sample_params_fields[i].name; i++) {
        const char *name = sample_params_fields[i].name;

        assert_int_equal(params_required(&sample_params_fields[i]),
                         strcmp(name, "ways") == 0 || strcmp(name, "image") == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_and_values),
        cmocka_unit_test(wrong_values_change_nothing),
        cmocka_unit_test(formatted_values_read_back),
        cmocka_unit_test(some_must_be_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
