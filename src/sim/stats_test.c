// SPDX-License-Identifier: BSD-3-Clause
#include "sim/stats.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { KINDS = 3 };
static const char *const kind_names[] = {"read", "write", "fetch"};

#define CACHE_STATS(S, SV, SH, SG, SR)                        \
    S(hits, "Count", "Accesses found")                        \
    S(accesses, "Count", "All accesses, \"demand\", that is") \
    SV(kinds, KINDS, kind_names, "Count", "Accesses by kind") \
    SH(latency, 4, 10, "Tick", "Access latency")              \
    SH(sizes, 8, 0, "Byte", "Sizes")                          \
    SG(lines, "Count", "Lines in use")                        \
    SR(hit_rate, hits, accesses, "Ratio", "Hits per access")  \
    SR(read_share, kinds, accesses, "Ratio", "Kinds per access")

#define TOP_STATS(S, SV, SH, SG, SR)                 \
    S(simTicks, "Tick", "Number of ticks simulated") \
    SR(nothing, simTicks, simTicks, "Ratio", "Not a number at first")

STAT_STRUCT(cache_stats, CACHE_STATS);
static STAT_FIELDS(cache_stats, CACHE_STATS);
STAT_STRUCT(top_stats, TOP_STATS);
static STAT_FIELDS(top_stats, TOP_STATS);

struct fixture {
    struct top_stats top;
    struct cache_stats cache;
    struct stat_set set;
};

static void fixture_init(struct fixture *x)
{
    *x = (struct fixture){0};
    stat_set_add(&x->set, "", top_stats_fields, &x->top);
    stat_set_add(&x->set, "system.l1", cache_stats_fields, &x->cache);
    x->cache.hits = 3;
    x->cache.accesses = 4;
    x->cache.kinds[0] = 1;
    x->cache.kinds[2] = 3;
    x->cache.lines = 7;
    stat_sample(&x->cache.latency, 10, 5);
    stat_sample(&x->cache.latency, 10, 15);
    stat_sample(&x->cache.latency, 10, 1000);
    stat_sample(&x->cache.sizes, 0, 0);
    stat_sample(&x->cache.sizes, 0, 1);
    stat_sample(&x->cache.sizes, 0, 8);
    stat_sample(&x->cache.sizes, 0, ~0ull);
}

static u64 *take(struct fixture *x)
{
    u64 *values = xcalloc(x->set.words, sizeof(u64));

    stat_set_take(&x->set, values);
    return values;
}

static double value_of(struct fixture *x, const char *name)
{
    AUTO_FREE u64 *values = take(x);
    double v = -1;

    assert_true(stat_get(&x->set, values, name, &v));
    return v;
}

static void structs_are_plain_words(void **arg)
{
    assert_int_equal(stat_words(cache_stats_fields) * 8, sizeof(struct cache_stats));
}

static void values_are_found_by_name(void **arg)
{
    struct fixture x;
    AUTO_FREE u64 *values = NULL;
    double v;

    fixture_init(&x);
    assert_true(value_of(&x, "system.l1.hits") == 3);
    assert_true(value_of(&x, "system.l1.hit_rate") == 0.75);
    assert_true(value_of(&x, "system.l1.read_share") == 1);
    assert_true(value_of(&x, "system.l1.kinds::fetch") == 3);
    assert_true(value_of(&x, "system.l1.kinds::total") == 4);
    assert_true(value_of(&x, "system.l1.latency::mean") == 340);
    // sqrt(((5-340)^2 + (15-340)^2 + (1000-340)^2) / 2)
    assert_true(fabs(value_of(&x, "system.l1.latency::stdev") - 571.6) < 0.1);
    assert_true(value_of(&x, "system.l1.latency::0-9") == 1);
    assert_true(value_of(&x, "system.l1.latency::overflows") == 1);
    assert_true(value_of(&x, "system.l1.sizes::0") == 1);
    assert_true(value_of(&x, "system.l1.sizes::1") == 1);
    assert_true(value_of(&x, "system.l1.sizes::8-15") == 1);
    assert_true(value_of(&x, "system.l1.sizes::overflows") == 1);
    assert_true(isnan(value_of(&x, "nothing")));
    values = take(&x);
    assert_false(stat_get(&x.set, values, "system.l1.none", &v));
    stat_set_release(&x.set);
}

static void an_interval_is_a_difference(void **arg)
{
    struct fixture x;
    AUTO_FREE u64 *before = NULL, *after = NULL;
    double v;

    fixture_init(&x);
    before = take(&x);
    x.cache.hits += 10;
    x.cache.accesses += 40;
    x.cache.lines = 2;
    stat_sample(&x.cache.latency, 10, 25);
    after = take(&x);
    stat_set_subtract(&x.set, after, before);
    assert_true(stat_get(&x.set, after, "system.l1.hits", &v) && v == 10);
    assert_true(stat_get(&x.set, after, "system.l1.hit_rate", &v) && v == 0.25);
    assert_true(stat_get(&x.set, after, "system.l1.lines", &v) && v == 2);
    assert_true(stat_get(&x.set, after, "system.l1.latency::mean", &v) && v == 25);
    stat_set_release(&x.set);
}

static void text_has_the_layout_of_stats_txt(void **arg)
{
    AUTO(strbuf) struct strbuf out = {0};
    AUTO_FREE u64 *values = NULL;
    struct fixture x;

    fixture_init(&x);
    values = take(&x);
    stat_write_text(&x.set, values, &out);
    assert_non_null(strstr(out.text, "\n---------- Begin Simulation Statistics ----------\n"));
    assert_non_null(strstr(out.text, "\n---------- End Simulation Statistics   ----------\n"));
    assert_non_null(strstr(
        out.text, "simTicks                                            0                       "
                  "# Number of ticks simulated (Tick)\n"));
    assert_non_null(strstr(
        out.text, "system.l1.hit_rate                           0.750000                       "
                  "# Hits per access (Ratio)\n"));
    assert_non_null(strstr(
        out.text, "system.l1.kinds::fetch                              3     75.00%    100.00% "
                  "# Accesses by kind (Count)\n"));
    assert_non_null(strstr(out.text, "nothing                                           nan"));
    stat_set_release(&x.set);
}

static void json_and_csv_say_the_same(void **arg)
{
    char dir[] = "/tmp/facet-stats-XXXXXX";
    AUTO_FREE char *js = NULL, *csv = NULL, *wrong = NULL;
    AUTO(strbuf) struct strbuf text = {0};
    struct fixture x;
    struct error err;
    json_t *root, *l1;

    assert_non_null(mkdtemp(dir));
    js = xasprintf("%s/s.json", dir);
    csv = xasprintf("%s/s.csv", dir);
    wrong = xasprintf("%s/s.xml", dir);
    fixture_init(&x);
    assert_true(stat_set_write(&x.set, js, &err));
    assert_true(stat_set_write(&x.set, csv, &err));
    assert_false(stat_set_write(&x.set, wrong, &err));
    assert_true(file_read(js, 100000, &text, &err));
    root = json_parse(text.text, text.length, js, &err);
    assert_non_null(root);
    l1 = json_object_get(json_object_get(root, "stats"), "system.l1");
    assert_int_equal(json_integer_value(json_object_get(l1, "hits")), 3);
    assert_true(json_is_null(json_object_get(json_object_get(root, "stats"), "nothing")));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(l1, "kinds"), "fetch")), 3);
    json_decref(root);
    strbuf_clear(&text);
    assert_true(file_read(csv, 100000, &text, &err));
    assert_non_null(strstr(text.text, "\nsystem.l1.hit_rate,0.75,Ratio,Hits per access\n"));
    assert_non_null(strstr(text.text, "\nnothing,,Ratio,"));
    assert_non_null(strstr(text.text, ",\"All accesses, \"\"demand\"\", that is\"\n"));
    assert_true(file_remove_tree(dir, &err));
    stat_set_release(&x.set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(structs_are_plain_words),
        cmocka_unit_test(values_are_found_by_name),
        cmocka_unit_test(an_interval_is_a_difference),
        cmocka_unit_test(text_has_the_layout_of_stats_txt),
        cmocka_unit_test(json_and_csv_say_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
