// SPDX-License-Identifier: BSD-3-Clause
#include "sim/params.h"

#include "base/bug.h"
#include "base/json.h"
#include "base/names.h"
#include "base/units.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum unit unit_of(enum param_kind kind)
{
    switch (kind) {
    case PARAM_bytes:
        return UNIT_BYTES;
    case PARAM_hertz:
        return UNIT_HERTZ;
    case PARAM_ticks:
        return UNIT_TIME;
    default:
        return UNIT_NONE;
    }
}

static bool is_number(enum param_kind kind)
{
    return kind >= PARAM_u32 && kind <= PARAM_cycles;
}

const char *params_kind_name(const struct param_field *field)
{
    static const char *const names[] = {
        [PARAM_u32] = "number",       [PARAM_u64] = "number",   [PARAM_bytes] = "size",
        [PARAM_hertz] = "frequency",  [PARAM_ticks] = "time",   [PARAM_cycles] = "cycles",
        [PARAM_REAL] = "real number", [PARAM_BOOL] = "boolean", [PARAM_TEXT] = "text",
        [PARAM_CHOICE] = "choice",
    };

    return names[field->kind];
}

static void put(void *params, int index, union param_value v)
{
    memcpy((u8 *)params + (size_t)index * 8, &v, 8);
}

static union param_value get(const void *params, int index)
{
    union param_value v;

    memcpy(&v, (const u8 *)params + (size_t)index * 8, 8);
    return v;
}

// The index of `text` in "a|b|c", or -1.
static int choice_index(const char *choices, const char *text)
{
    int index = 0;

    for (const char *p = choices; *p; index++) {
        size_t n = strcspn(p, "|");

        if (strlen(text) == n && memcmp(p, text, n) == 0)
            return index;
        p += n + (p[n] == '|');
    }
    return -1;
}

static void add_choice(struct strbuf *out, const char *choices, u64 index)
{
    for (const char *p = choices; *p; index--) {
        size_t n = strcspn(p, "|");

        if (index == 0) {
            strbuf_add(out, p, n);
            return;
        }
        p += n + (p[n] == '|');
    }
}

static union param_value initial_of(const struct param_field *f)
{
    union param_value v = f->initial;

    if (f->kind == PARAM_CHOICE) {
        int i = f->initial.text ? choice_index(f->choices, f->initial.text) : 0;

        ASSERT(i >= 0);
        v.number = (u64)i;
    }
    return v;
}

bool params_required(const struct param_field *f)
{
    if (is_number(f->kind))
        return f->initial.number < f->least.number || f->initial.number > f->most.number;
    if (f->kind == PARAM_REAL)
        return !(f->initial.real >= f->least.real && f->initial.real <= f->most.real);
    return (f->kind == PARAM_TEXT || f->kind == PARAM_CHOICE) && !f->initial.text;
}

void params_init(void *params, const struct param_field *fields)
{
    for (int i = 0; fields[i].name; i++)
        put(params, i, initial_of(&fields[i]));
}

int params_find(const struct param_field *fields, const char *name)
{
    for (int i = 0; fields[i].name; i++)
        if (strcmp(fields[i].name, name) == 0)
            return i;
    return -1;
}

static bool out_of_bounds(const struct param_field *f, const char *text, bool low,
                          struct error *err)
{
    struct strbuf bound = {0};

    params_format_value(f, low ? f->least : f->most, &bound);
    error_set(err, ERROR_INPUT, "%.60s is %s than the %s allowed, %s", text, low ? "less" : "more",
              low ? "least" : "most", strbuf_text(&bound));
    strbuf_release(&bound);
    return false;
}

static bool parse_number(const struct param_field *f, const char *text, union param_value *ret,
                         struct error *err)
{
    u64 v;

    if (!unit_parse(text, unit_of(f->kind), &v, err))
        return false;
    if (v < f->least.number || v > f->most.number)
        return out_of_bounds(f, text, v < f->least.number, err);
    ret->number = v;
    return true;
}

static bool parse_real(const struct param_field *f, const char *text, union param_value *ret,
                       struct error *err)
{
    char *end;
    double v;

    errno = 0;
    v = strtod(text, &end);
    if (!*text || *end || errno || !isfinite(v) || strspn(text, "0123456789+-.eE") != strlen(text))
        return error_set(err, ERROR_INPUT, "'%.60s' is no number (such as 0.25, 3, 1e-6)", text);
    if (v < f->least.real || v > f->most.real)
        return out_of_bounds(f, text, v < f->least.real, err);
    ret->real = v;
    return true;
}

static bool parse_choice(const struct param_field *f, const char *text, union param_value *ret,
                         struct error *err)
{
    int index = strchr(text, '|') ? -1 : choice_index(f->choices, text);

    if (index < 0)
        return error_set(err, ERROR_INPUT, "'%.60s' is not one of %s", text, f->choices);
    ret->number = (u64)index;
    return true;
}

bool params_set(void *params, const struct param_field *fields, int index, const char *text,
                struct arena *arena, struct error *err)
{
    const struct param_field *f = &fields[index];
    union param_value v = {0};

    switch (f->kind) {
    case PARAM_REAL:
        if (!parse_real(f, text, &v, err))
            return false;
        break;
    case PARAM_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return error_set(err, ERROR_INPUT, "'%.60s' is neither true nor false", text);
        v.number = text[0] == 't';
        break;
    case PARAM_TEXT:
        v.text = arena_strdup(arena, text);
        break;
    case PARAM_CHOICE:
        if (!parse_choice(f, text, &v, err))
            return false;
        break;
    default:
        if (!parse_number(f, text, &v, err))
            return false;
    }
    put(params, index, v);
    return true;
}

void params_format_value(const struct param_field *f, union param_value v, struct strbuf *out)
{
    char text[40];

    switch (f->kind) {
    case PARAM_REAL:
        json_format_f64(v.real, text);
        strbuf_puts(out, text);
        break;
    case PARAM_BOOL:
        strbuf_puts(out, v.number ? "true" : "false");
        break;
    case PARAM_TEXT:
        strbuf_puts(out, v.text ? v.text : "");
        break;
    case PARAM_CHOICE:
        add_choice(out, f->choices, v.number);
        break;
    default:
        unit_format(v.number, unit_of(f->kind), text);
        strbuf_puts(out, text);
    }
}

void params_format(const void *params, const struct param_field *fields, int index,
                   struct strbuf *out)
{
    params_format_value(&fields[index], get(params, index), out);
}
