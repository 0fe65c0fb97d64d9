// SPDX-License-Identifier: BSD-3-Clause
#include "sim/state.h"

#include <setjmp.h>
#include <stdarg.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_find_their_members),
        cmocka_unit_test(fingerprint_depends_on_the_declaration),
        cmocka_unit_test(every_byte_of_every_row_counts),
        cmocka_unit_test(pending_events_are_state_relative_to_now),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
