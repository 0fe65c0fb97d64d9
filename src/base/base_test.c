// SPDX-License-Identifier: BSD-3-Clause
// The small pieces of base: arena, strbuf, json, units, names, hash, file, log.
#include "base/alloc.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/names.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "base/units.h"

#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static void arena_gives_zeroed_aligned_disjoint_memory(void **arg)
{
    struct arena a = {0};
    struct rng rng = {3};

    for (unsigned i = 0; i < 2000; i++) {
        size_t size = rng_below(&rng, i % 100 ? 300 : 200000);
        u8 *p = arena_alloc(&a, size);

        assert_int_equal((uintptr_t)p % (size >= 64 ? 64 : 16), 0);
        for (size_t k = 0; k < size; k++)
            assert_int_equal(p[k], 0);
        memset(p, 0xa5, size);
    }
    assert_string_equal(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
    arena_release(&a);
}

static void json_writer_is_read_back_by_jansson(void **arg)
{
    AUTO(strbuf) struct strbuf s = {0};
    struct json_out j = json_out_to(&s);
    struct error err;
    json_t *root;
    u64 v;

    json_put_object(&j);
    json_put_key_string(&j, "text", "a\"\\\n\t\x01 \xc3\xa9 \xff\xc0\xaf\xed\xa0\x80 z");
    json_put_key_hex(&j, "big", ~0ull);
    json_put_key(&j, "list");
    json_put_row(&j);
    json_put_u64(&j, 1);
    json_put_i64(&j, -2);
    json_put_f64(&j, 0.1);
    json_put_f64(&j, (double)NAN);
    json_put_bool(&j, true);
    json_put_end(&j);
    json_put_key(&j, "empty");
    json_put_array(&j);
    json_put_end(&j);
    json_put_end(&j);
    root = json_parse(s.text, s.length, "test", &err);
    assert_non_null(root);
    assert_true(json_get_u64(root, "big", &v));
    assert_true(v == ~0ull);
    assert_string_equal(json_get_string(root, "text"),
                        "a\"\\\n\t\x01 \xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd z");
    assert_true(json_real_value(json_array_get(json_object_get(root, "list"), 2)) == 0.1);
    assert_true(json_is_null(json_array_get(json_object_get(root, "list"), 3)));
    json_decref(root);
    assert_null(json_parse("{\"a\":1,\"a\":2}", 13, "twice", &err));
    assert_non_null(strstr(err.message, "twice:1"));
}

static void units_are_exact(void **arg)
{
    static const struct {
        const char *text;
        enum unit unit;
        u64 value;
    } good[] = {
        {"0", UNIT_NONE, 0},
        {"1_000_000", UNIT_NONE, 1000000},
        {"0xFf", UNIT_NONE, 255},
        {"2k", UNIT_NONE, 2000},
        {"18446744073709551615", UNIT_NONE, ~0ull},
        {"32KiB", UNIT_BYTES, 32768},
        {"1.5 MiB", UNIT_BYTES, 1572864},
        {"64", UNIT_BYTES, 64},
        {"2.4GHz", UNIT_HERTZ, 2400000000},
        {"15ns", UNIT_TIME, 15000},
        {"0.5ns", UNIT_TIME, 500},
        {"1ms", UNIT_TIME, 1000000000},
        {"0", UNIT_TIME, 0},
    };
    static const struct {
        const char *text;
        enum unit unit;
        const char *says;
    } wrong[] = {
        {"", UNIT_NONE, "no number"},
        {"12q", UNIT_NONE, "no number"},
        {"-1", UNIT_NONE, "no number"},
        {"0x", UNIT_NONE, "no number"},
        {"1.5", UNIT_NONE, "whole"},
        {"18446744073709551616", UNIT_NONE, "too large"},
        {"0x10000000000000000", UNIT_NONE, "too large"},
        {"99999999999999999999999999999999999999999999", UNIT_NONE, "too large"},
        {"32kB", UNIT_BYTES, "ambiguous"},
        {"32ns", UNIT_BYTES, "no size"},
        {"5", UNIT_HERTZ, "no frequency"},
        {"15", UNIT_TIME, "no time"},
        {"0.1ps", UNIT_TIME, "whole"},
        {".5ns", UNIT_TIME, "no time"},
        {"1.2.3ns", UNIT_TIME, "no time"},
        {"99999999TiB", UNIT_BYTES, "too large"},
    };
    struct error err;
    u64 v;

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_true(unit_parse(good[i].text, good[i].unit, &v, &err));
        assert_true(v == good[i].value);
    }
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_false(unit_parse(wrong[i].text, wrong[i].unit, &v, &err));
        assert_non_null(strstr(err.message, wrong[i].says));
    }
}

static void units_format_reads_back(void **arg)
{
    struct rng rng = {11};
    struct error err;
    char text[40];

    unit_format(32768, UNIT_BYTES, text);
    assert_string_equal(text, "32KiB");
    unit_format(2400000000, UNIT_HERTZ, text);
    assert_string_equal(text, "2.4GHz");
    unit_format(15000, UNIT_TIME, text);
    assert_string_equal(text, "15ns");
    for (unsigned i = 0; i < 20000; i++) {
        enum unit unit = (enum unit)(i % 4);
        u64 v = rng_next(&rng) >> rng_below(&rng, 64), back;

        if (rng_next(&rng) & 1)
            v = v / 1000000 * 1000000;
        unit_format(v, unit, text);
        assert_true(unit_parse(text, unit, &back, &err));
        assert_true(v == back);
    }
}

static void names_suggest_what_was_meant(void **arg)
{
    static const char *const valid[] = {"size", "assoc", "latency", "line_size"};
    static const char *const words[][2] = {
        {"sise", "size"},   {"asocc", "assoc"},        {"Latency", "latency"},
        {"lat", "latency"}, {"linesize", "line_size"}, {"zebra", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        struct names_nearest n = {.word = words[i][0]};

        for (size_t k = 0; k < ARRAY_SIZE(valid); k++)
            names_offer(&n, valid[k]);
        if (words[i][1])
            assert_string_equal(n.best, words[i][1]);
        else
            assert_null(n.best);
    }
    assert_int_equal(names_distance("ab", "ba"), 1);
    assert_int_equal(names_distance("kitten", "sitting"), 3);
    assert_int_equal(names_distance("", "abc"), 3);
}

static void globs_match_paths(void **arg)
{
    assert_true(names_glob("pc.cpu*", "pc.cpu0.mmu"));
    assert_true(names_glob("*.l?", "pc.cpu0.l1"));
    assert_true(names_glob("*", ""));
    assert_false(names_glob("pc.cpu", "pc.cpu0"));
    assert_false(names_glob("*.mmu", "pc.cpu0.mmu2"));
    assert_true(names_glob("a*b*c", "aXbYbZc"));
}

static void sha256_of_known_texts(void **arg)
{
    // FIPS 180-2 appendix B.
    struct sha256_digest d = sha256_of("abc", 3);
    char hex[65];

    sha256_hex(&d, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void files_are_replaced_whole(void **arg)
{
    char dir[] = "/tmp/facet-base-XXXXXX";
    AUTO(strbuf) struct strbuf s = {0};
    AUTO_FREE char *deep = NULL, *path = NULL, *link_path = NULL;
    struct stat st;
    struct sha256_digest d, e;
    struct error err;

    assert_non_null(mkdtemp(dir));
    deep = xasprintf("%s/a/b/c", dir);
    path = xasprintf("%s/file", deep);
    assert_true(file_make_directories(deep, &err));
    assert_true(file_write(path, "one", 3, &err));
    assert_true(file_write(path, "second", 6, &err));
    assert_true(file_read(path, 100, &s, &err));
    assert_string_equal(s.text, "second");
    assert_false(file_read(path, 5, &s, &err));
    assert_non_null(strstr(err.message, "larger than 5"));
    assert_true(sha256_file(path, &d, &err));
    e = sha256_of("second", 6);
    assert_memory_equal(&d, &e, sizeof(d));
    assert_true(file_write("/dev/null", "x", 1, &err));
    // A link stays a link, the mode stays the mode.
    link_path = xasprintf("%s/link", dir);
    assert_int_equal(symlink(path, link_path), 0);
    assert_int_equal(chmod(path, 0600), 0);
    assert_true(file_write(link_path, "third", 5, &err));
    assert_int_equal(lstat(link_path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 5);
    assert_true(file_remove_tree(dir, &err));
    assert_false(file_exists(dir));
    assert_true(file_remove_tree(dir, &err));
    assert_false(file_write(path, "x", 1, &err));
    assert_int_equal(err.code, ERROR_INPUT);
}

static void log_filters_by_path_and_limits_guests(void **arg)
{
    struct log_limit limit = {0};
    AUTO(strbuf) struct strbuf s = {0};
    struct error err;
    char path[] = "/tmp/facet-log-XXXXXX";
    int fd = mkstemp(path);
    unsigned lines = 0;
    json_t *root;

    log_set_sink(fd, false);
    assert_true(log_set_filter("pc.cpu*=debug,linux=error", &err));
    log_debug("pc.cpu0", "one");
    log_debug("pc.uart", "two");
    log_warn("pc.uart", "three\x1b[2J\n");
    log_warn("linux", "four");
    log_message_at(LOG_ERROR, 123, "linux", "five");
    assert_true(file_read(path, 1000, &s, &err));
    assert_string_equal(s.text,
                        "facet: debug: pc.cpu0: one\nfacet: warn: pc.uart: three\\x1b[2J\\x0a\n"
                        "facet: error: 123 linux: five\n");
    assert_false(log_set_filter("pc=loud", &err));
    assert_non_null(strstr(err.message, "'loud'"));
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    for (unsigned i = 0; i < 1000; i++)
        log_limited(&limit, LOG_WARN, "guest", "bad access");
    strbuf_clear(&s);
    assert_true(file_read(path, 100000, &s, &err));
    for (size_t i = 0; i < s.length; i++)
        lines += s.text[i] == '\n';
    assert_int_equal(lines, 8 + 6);
    assert_int_equal(limit.count, 1000);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    log_set_sink(fd, true);
    log_warn("x", "a\nb");
    strbuf_clear(&s);
    assert_true(file_read(path, 1000, &s, &err));
    root = json_parse(s.text, s.length, "line", &err);
    assert_string_equal(json_get_string(root, "message"), "a\nb");
    json_decref(root);
    log_set_sink(2, false);
    assert_true(log_set_filter("", &err));
    close(fd);
    unlink(path);
}

enum { PIECES = 2000 };
struct pieces {
    u64 slots[16], done[PIECES], emitted, fail_at;
    unsigned busy[PARALLEL_MAX];
};

static bool square(void *context, u64 i, unsigned worker)
{
    struct pieces *p = context;

    assert_int_equal(__atomic_fetch_add(&p->busy[worker], 1, __ATOMIC_SEQ_CST), 0);
    p->slots[i % 16] = i * i;
    __atomic_fetch_add(&p->done[i], 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_sub(&p->busy[worker], 1, __ATOMIC_SEQ_CST);
    return i != p->fail_at;
}

static bool take(void *context, u64 i)
{
    struct pieces *p = context;

    assert_int_equal(p->emitted++, i);
    assert_int_equal(p->slots[i % 16], i * i);
    return true;
}

static void parallel_work_is_done_once_and_taken_in_order(void **arg)
{
    for (unsigned threads = 1; threads <= PARALLEL_MAX; threads++) {
        struct pieces p = {.fail_at = PIECES};

        assert_true(parallel_in_order(PIECES, threads, 16, square, take, &p));
        assert_int_equal(p.emitted, PIECES);
        for (unsigned i = 0; i < PIECES; i++)
            assert_int_equal(p.done[i], 1);
        p = (struct pieces){.fail_at = 100};
        assert_false(parallel_in_order(PIECES, threads, 16, square, take, &p));
        assert_in_range(p.emitted, 80, 100);
        assert_false(parallel_for(PIECES, threads, square, &p));
        p = (struct pieces){.fail_at = PIECES};
        assert_true(parallel_for(PIECES, threads, square, &p));
        assert_true(parallel_for(0, threads, square, &p));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_zeroed_aligned_disjoint_memory),
        cmocka_unit_test(json_writer_is_read_back_by_jansson),
        cmocka_unit_test(units_are_exact),
        cmocka_unit_test(units_format_reads_back),
        cmocka_unit_test(names_suggest_what_was_meant),
        cmocka_unit_test(globs_match_paths),
        cmocka_unit_test(sha256_of_known_texts),
        cmocka_unit_test(files_are_replaced_whole),
        cmocka_unit_test(parallel_work_is_done_once_and_taken_in_order),
        cmocka_unit_test(log_filters_by_path_and_limits_guests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
