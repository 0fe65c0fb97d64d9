// SPDX-License-Identifier: BSD-3-Clause
// States to and from JSON.
#include "base/bug.h"
#include "base/json.h"
#include "sim/state.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static u64 element(const u8 *data, size_t size, u64 i)
{
    u64 v = 0;

    memcpy(&v, data + i * size, size);
    return v;
}

static void save_array(struct json_out *j, const u8 *data, u64 count, size_t size)
{
    struct strbuf text = {0};

    for (u64 i = 0; i < count;) {
        u64 v = element(data, size, i), run = 1;

        while (i + run < count && element(data, size, i + run) == v)
            run++;
        strbuf_printf(&text, i ? " %" PRIx64 : "%" PRIx64, v);
        if (run > 1)
            strbuf_printf(&text, "*%" PRIu64, run);
        i += run;
    }
    json_put_string(j, strbuf_text(&text));
    strbuf_release(&text);
}

static void save_scalar(struct json_out *j, const struct state_field *f, const u8 *at)
{
    u64 v = element(at, f->size, 0);
    char text[24];

    if (f->kind == STATE_i64) {
        json_put_i64(j, (i64)v);
    } else if (f->size < sizeof(u64)) {
        json_put_u64(j, v);
    } else {
        snprintf(text, sizeof(text), "0x%" PRIx64, v);
        json_put_string(j, text);
    }
}

static void save_event(struct json_out *j, const struct event *e)
{
    if (!e->pending) {
        json_put_null(j);
        return;
    }
    json_put_object(j);
    json_put_key_hex(j, "in", e->when - e->queue->now);
    json_put_key(j, "priority");
    json_put_i64(j, e->priority);
    json_put_key_hex(j, "sequence", e->sequence);
    json_put_end(j);
}

void state_save(struct json_out *j, const void *data, const struct state_field *fields)
{
    const u8 *at = data;

    json_put_object(j);
    for (const struct state_field *f = fields; f->name; at += f->size, f++) {
        json_put_key(j, f->name);
        switch (f->shape) {
        case STATE_SCALAR:
            save_scalar(j, f, at);
            break;
        case STATE_ARRAY:
            save_array(j, at, f->count, state_kind_size(f->kind));
            break;
        case STATE_EVENT:
            save_event(j, (const struct event *)(const void *)at);
            break;
        case STATE_VECTOR: {
            u64 count;
            u8 *elements;

            memcpy(&count, at, sizeof(count));
            memcpy(&elements, at + sizeof(count), sizeof(elements));
            save_array(j, elements, count, state_kind_size(f->kind));
            break;
        }
        }
    }
    json_put_end(j);
}

static bool bad(const struct state_field *f, struct error *err)
{
    return error_set(err, ERROR_INPUT, "'%s' has no valid value", f->name);
}

static bool fits(u64 v, size_t size)
{
    return size >= sizeof(u64) || v >> (8 * size) == 0;
}

static bool load_scalar(u8 *at, const struct state_field *f, const json_t *value, struct error *err)
{
    u64 v;

    if (f->kind == STATE_i64 && json_is_integer(value))
        v = (u64)json_integer_value(value);
    else if (f->kind == STATE_i64 || !json_to_u64(value, &v) || !fits(v, f->size))
        return bad(f, err);
    memcpy(at, &v, f->size);
    return true;
}

// One "v" or "v*n"; NULL when it is neither.
static const char *parse_run(const char *p, u64 *ret_value, u64 *ret_run)
{
    size_t n = strspn(p, "0123456789abcdef");

    if (!n || n > 16)
        return NULL;
    *ret_value = strtoull(p, NULL, 16);
    *ret_run = 1;
    p += n;
    if (*p != '*')
        return p;
    n = strspn(++p, "0123456789");
    if (!n || n > 18)
        return NULL;
    *ret_run = strtoull(p, NULL, 10);
    return p + n;
}

static bool load_array(u8 *data, u64 count, const struct state_field *f, const json_t *value,
                       struct error *err)
{
    const char *p = json_string_value(value);
    size_t size = state_kind_size(f->kind);
    u64 i = 0;

    if (!p)
        return bad(f, err);
    while (*p) {
        u64 v, run;

        p = parse_run(p, &v, &run);
        if (!p || !fits(v, size))
            return bad(f, err);
        if (run > count - i)
            return error_set(err, ERROR_INPUT, "'%s' has more than %" PRIu64 " elements", f->name,
                             count);
        for (; run; run--, i++)
            memcpy(data + i * size, &v, size);
        if (*p && *p++ != ' ')
            return bad(f, err);
    }
    if (i != count)
        return error_set(err, ERROR_INPUT, "'%s' has %" PRIu64 " elements instead of %" PRIu64,
                         f->name, i, count);
    return true;
}

static bool load_event(struct event *e, const struct state_field *f, const json_t *value,
                       struct error *err)
{
    const json_t *priority = json_object_get(value, "priority");
    u64 in, sequence;

    event_cancel(e);
    if (json_is_null(value))
        return true;
    if (json_object_size(value) != 3 || !json_get_u64(value, "in", &in) ||
        !json_get_u64(value, "sequence", &sequence) || !json_is_integer(priority) ||
        json_integer_value(priority) != (i32)json_integer_value(priority) ||
        in > ~(u64)0 - e->queue->now)
        return bad(f, err);
    event_restore(e, e->queue->now + in, (i32)json_integer_value(priority), sequence);
    return true;
}

static bool load_row(u8 *at, const struct state_field *f, const json_t *value, struct error *err)
{
    u64 count;
    u8 *elements;

    switch (f->shape) {
    case STATE_SCALAR:
        return load_scalar(at, f, value, err);
    case STATE_ARRAY:
        return load_array(at, f->count, f, value, err);
    case STATE_EVENT:
        return load_event((struct event *)(void *)at, f, value, err);
    case STATE_VECTOR:
        memcpy(&count, at, sizeof(count));
        memcpy(&elements, at + sizeof(count), sizeof(elements));
        return load_array(elements, count, f, value, err);
    }
    BUG("shape %d", (int)f->shape);
}

bool state_load(void *data, const struct state_field *fields, const struct json_t *object,
                struct error *err)
{
    u8 *at = data;
    size_t offset;
    const char *key;
    json_t *value;

    if (!json_is_object(object))
        return error_set(err, ERROR_INPUT, "the state is no JSON object");
    for (const struct state_field *f = fields; f->name; at += f->size, f++) {
        value = json_object_get(object, f->name);
        if (!value)
            return error_set(err, ERROR_INPUT, "'%s' is missing", f->name);
        if (!load_row(at, f, value, err))
            return false;
    }
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (!state_find(fields, key, &offset))
            return error_set(err, ERROR_INPUT, "'%.60s' is not part of the state", key);
    }
    return true;
}
