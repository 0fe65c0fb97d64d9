// SPDX-License-Identifier: BSD-3-Clause
// The architectural state of a core obeys what every state must: nothing of it is lost by saving
// and loading, nothing of it is missing from hash and comparison, and saving is canonical.
#include "base/alloc.h"
#include "base/json.h"
#include "isa/x86/state.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct state_field *const fields = x86_arch_state_fields;

static void save(const struct x86_arch_state *s, struct strbuf *out)
{
    struct json_out j = json_out_to(out);

    strbuf_clear(out);
    state_save(&j, s, fields);
}

static void random_states_survive_save_and_load(void **arg)
{
    struct strbuf one = {0}, two = {0};
    struct rng rng = {2026};

    for (unsigned i = 0; i < 500; i++) {
        struct x86_arch_state a, b;
        struct error err;
        json_t *root;
        u64 index;

        state_randomise(&a, fields, &rng);
        save(&a, &one);
        memset(&b, 0xa5, sizeof(b));
        root = json_parse(one.text, one.length, "state", &err);
        assert_non_null(root);
        if (!state_load(&b, fields, root, &err))
            fail_msg("%s", err.message);
        json_decref(root);
        assert_null(state_compare(&a, &b, fields, &index));
        assert_memory_equal(&a, &b, sizeof(a));
        save(&b, &two);
        assert_string_equal(one.text, two.text);
    }
    strbuf_release(&one);
    strbuf_release(&two);
}

static void every_byte_counts(void **arg)
{
    struct x86_arch_state a, b;
    struct rng rng = {1};
    u64 hash, index;

    assert_int_equal(state_size(fields), sizeof(a));
    state_randomise(&a, fields, &rng);
    b = a;
    hash = state_hash(&a, fields);
    for (size_t i = 0; i < sizeof(a); i++) {
        ((u8 *)&b)[i] ^= 0x10;
        assert_non_null(state_compare(&a, &b, fields, &index));
        assert_int_not_equal(state_hash(&b, fields), hash);
        ((u8 *)&b)[i] ^= 0x10;
    }
    assert_int_equal(state_hash(&b, fields), hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_states_survive_save_and_load),
        cmocka_unit_test(every_byte_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
