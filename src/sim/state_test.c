// SPDX-License-Identifier: BSD-3-Clause
#include "sim/state.h"

#include "base/json.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SAMPLE_STATE(F, FA, FE, FV)  \
    F(u64, pc)                       \
    F(i64, offset)                   \
    FA(u32, words, 4)                \
    FV(u16, tags, p->sets * p->ways) \
    FE(timer)                        \
    F(u16, half)                     \
    FA(u8, bytes, 5)                 \
    F(u8, last)

STATE_STRUCT(sample_state, SAMPLE_STATE);
static STATE_FIELDS(sample_state, SAMPLE_STATE);

#define OTHER_STATE(F, FA, FE, FV) F(u64, pc) F(u64, offset)
STATE_STRUCT(other_state, OTHER_STATE);
static STATE_FIELDS(other_state, OTHER_STATE);

struct fixture {
    struct event_queue queue;
    u16 tags[6];
    struct sample_state st;
};

static void no_event(void *owner, struct event *event)
{
}

static void fixture_init(struct fixture *x)
{
    *x = (struct fixture){0};
    event_queue_init(&x->queue);
    x->st.tags = x->tags;
    x->st.tags_count = 6;
    event_init(&x->st.timer, &x->queue, "timer", no_event, NULL);
}

static void rows_find_their_members(void **arg)
{
    size_t at;

    assert_int_equal(state_size(sample_state_fields), sizeof(struct sample_state));
    for (const struct state_field *f = sample_state_fields; f->name; f++)
        assert_ptr_equal(state_find(sample_state_fields, f->name, &at), f);
    assert_non_null(state_find(sample_state_fields, "bytes", &at));
    assert_int_equal(at, offsetof(struct sample_state, bytes));
    assert_non_null(state_find(sample_state_fields, "words", &at));
    assert_int_equal(at, offsetof(struct sample_state, words));
    assert_null(state_find(sample_state_fields, "nothing", &at));
}

static void fingerprint_depends_on_the_declaration(void **arg)
{
    assert_int_not_equal(state_fingerprint(sample_state_fields),
                         state_fingerprint(other_state_fields));
}

static void every_byte_of_every_row_counts(void **arg)
{
    struct fixture a, b;
    struct rng rng = {1};
    u64 index;
    size_t base = 0;

    fixture_init(&a);
    state_randomise(&a.st, sample_state_fields, &rng);
    fixture_init(&b);
    rng.state = 1;
    state_randomise(&b.st, sample_state_fields, &rng);
    assert_null(state_compare(&a.st, &b.st, sample_state_fields, &index));
    assert_int_equal(state_hash(&a.st, sample_state_fields),
                     state_hash(&b.st, sample_state_fields));
    for (const struct state_field *f = sample_state_fields; f->name; base += f->size, f++) {
        u8 *data = (u8 *)&b.st + base;
        size_t size = f->size;

        if (f->shape == STATE_EVENT)
            continue;
        if (f->shape == STATE_VECTOR) {
            data = (u8 *)b.tags;
            size = sizeof(b.tags);
        }
        for (size_t i = 0; i < size; i++) {
            data[i] ^= 0x40;
            assert_ptr_equal(state_compare(&a.st, &b.st, sample_state_fields, &index), f);
            assert_int_equal(index, i / state_kind_size(f->kind));
            assert_int_not_equal(state_hash(&a.st, sample_state_fields),
                                 state_hash(&b.st, sample_state_fields));
            data[i] ^= 0x40;
        }
    }
    assert_null(state_compare(&a.st, &b.st, sample_state_fields, &index));
}

static void pending_events_are_state_relative_to_now(void **arg)
{
    struct fixture a, b;
    u64 index;

    fixture_init(&a);
    fixture_init(&b);
    event_schedule_in(&a.st.timer, 100);
    assert_non_null(state_compare(&a.st, &b.st, sample_state_fields, &index));
    b.queue.now = 5000;
    event_schedule_in(&b.st.timer, 100);
    assert_null(state_compare(&a.st, &b.st, sample_state_fields, &index));
    assert_int_equal(state_hash(&a.st, sample_state_fields),
                     state_hash(&b.st, sample_state_fields));
}

static void save(const struct fixture *x, struct strbuf *text)
{
    struct json_out j = json_out_to(text);

    strbuf_clear(text);
    state_save(&j, &x->st, sample_state_fields);
}

static bool load(struct fixture *x, const char *text, struct error *err)
{
    json_t *root = json_parse(text, strlen(text), "text", err);
    bool ok = root && state_load(&x->st, sample_state_fields, root, err);

    json_decref(root);
    return ok;
}

// Everything but the wiring is garbage, as in a machine that ran something else before.
static void fill(struct fixture *x)
{
    struct sample_state *st = &x->st;

    fixture_init(x);
    memset(x->tags, 0xa5, sizeof(x->tags));
    memset(&st->pc, 0xa5, offsetof(struct sample_state, tags_count));
    memset(&st->half, 0xa5, sizeof(*st) - offsetof(struct sample_state, half));
}

static void random_state_survives_save_and_load(void **arg)
{
    struct strbuf one = {0}, two = {0};
    struct rng rng = {5};

    for (unsigned i = 0; i < 200; i++) {
        struct fixture a, b;
        struct error err;
        u64 index;

        fixture_init(&a);
        a.queue.now = rng_next(&rng) >> 2;
        state_randomise(&a.st, sample_state_fields, &rng);
        if (i & 1)
            memset(a.st.words, 0, sizeof(a.st.words));
        save(&a, &one);
        fill(&b);
        assert_true(load(&b, one.text, &err));
        assert_null(state_compare(&a.st, &b.st, sample_state_fields, &index));
        assert_int_equal(state_hash(&a.st, sample_state_fields),
                         state_hash(&b.st, sample_state_fields));
        save(&b, &two);
        assert_string_equal(one.text, two.text);
    }
    strbuf_release(&one);
    strbuf_release(&two);
}

static void wrong_states_are_refused(void **arg)
{
    static const char *const cases[][3] = {
        // what to replace, by what, what is said
        {"\"pc\": \"0x0\"", "\"pc\": \"0x10000000000000000\"", "'pc'"},
        {"\"pc\": \"0x0\"", "\"pc\": null", "'pc'"},
        {"\"pc\": \"0x0\"", "\"pcc\": \"0x0\"", "'pc' is missing"},
        {"\"pc\": \"0x0\"", "\"pc\": \"0x0\", \"x\": 1", "'x' is not part"},
        {"\"0*4\"", "\"0*5\"", "more than 4"},
        {"\"0*4\"", "\"0*3\"", "3 elements instead of 4"},
        {"\"0*4\"", "\"0*3 1ffffffff\"", "'words'"},
        {"\"0*4\"", "\"0*3,0\"", "'words'"},
        {"\"0*4\"", "\"0*99999999999999999999\"", "'words'"},
        {"\"0*6\"", "\"\"", "0 elements instead of 6"},
        {"\"timer\": null", "\"timer\": {}", "'timer'"},
        {"\"half\": 0", "\"half\": 65536", "'half'"},
        {"\"offset\": 0", "\"offset\": 0.5", "'offset'"},
    };
    struct strbuf good = {0}, bad = {0};
    struct fixture x;
    struct error err;

    fixture_init(&x);
    save(&x, &good);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *at = strstr(good.text, cases[i][0]);

        assert_non_null(at);
        strbuf_clear(&bad);
        strbuf_add(&bad, good.text, (size_t)(at - good.text));
        strbuf_puts(&bad, cases[i][1]);
        strbuf_puts(&bad, at + strlen(cases[i][0]));
        assert_false(load(&x, bad.text, &err));
        if (!strstr(err.message, cases[i][2]))
            fail_msg("case %zu: %s", i, err.message);
    }
    strbuf_release(&good);
    strbuf_release(&bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_find_their_members),
        cmocka_unit_test(fingerprint_depends_on_the_declaration),
        cmocka_unit_test(every_byte_of_every_row_counts),
        cmocka_unit_test(pending_events_are_state_relative_to_now),
        cmocka_unit_test(random_state_survives_save_and_load),
        cmocka_unit_test(wrong_states_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
