// SPDX-License-Identifier: BSD-3-Clause
#include "base/json.h"

#include "base/bug.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void new_line(struct json_out *j)
{
    if (j->compact)
        return;
    strbuf_putc(j->out, '\n');
    for (unsigned i = 0; i < j->depth; i++)
        strbuf_puts(j->out, "  ");
}

// Separator and indentation before an element.
static void before_value(struct json_out *j)
{
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    if (!j->depth)
        return;
    ASSERT(j->open[j->depth - 1] != '{');
    if (j->some[j->depth - 1])
        strbuf_puts(j->out, j->open[j->depth - 1] == '-' && !j->compact ? ", " : ",");
    j->some[j->depth - 1] = true;
    if (j->open[j->depth - 1] == '[')
        new_line(j);
}

static void begin(struct json_out *j, u8 kind)
{
    before_value(j);
    ASSERT(j->depth < JSON_DEPTH_MAX);
    strbuf_putc(j->out, kind == '{' ? '{' : '[');
    j->open[j->depth] = kind;
    j->some[j->depth] = false;
    j->depth++;
}

void json_put_object(struct json_out *j)
{
    begin(j, '{');
}

void json_put_array(struct json_out *j)
{
    begin(j, '[');
}

void json_put_row(struct json_out *j)
{
    begin(j, '-');
}

void json_put_end(struct json_out *j)
{
    ASSERT(j->depth && !j->after_key);
    j->depth--;
    if (j->some[j->depth] && j->open[j->depth] != '-')
        new_line(j);
    strbuf_putc(j->out, j->open[j->depth] == '{' ? '}' : ']');
    if (!j->depth)
        strbuf_putc(j->out, '\n');
}

// The length of the UTF-8 sequence at s, or 0 when it is none (overlong, surrogate, too large).
static unsigned utf8_length(const u8 *s)
{
    unsigned n;
    u32 c;

    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        n = 2;
    else if ((s[0] & 0xf0) == 0xe0)
        n = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        n = 4;
    else
        return 0;
    c = s[0] & (0x7fu >> n);
    for (unsigned i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3fu);
    }
    if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)) ||
        (c >= 0xd800 && c <= 0xdfff))
        return 0;
    return n;
}

static void put_string(struct json_out *j, const char *s)
{
    strbuf_putc(j->out, '"');
    for (const u8 *p = (const u8 *)s; *p;) {
        unsigned n = utf8_length(p);

        if (!n) {
            strbuf_puts(j->out, "\\ufffd");
            p++;
            continue;
        }
        if (*p == '"' || *p == '\\')
            strbuf_printf(j->out, "\\%c", *p);
        else if (*p == '\n')
            strbuf_puts(j->out, "\\n");
        else if (*p < 0x20 || *p == 0x7f)
            strbuf_printf(j->out, "\\u%04x", *p);
        else
            strbuf_add(j->out, p, n);
        p += n;
    }
    strbuf_putc(j->out, '"');
}

void json_put_key(struct json_out *j, const char *name)
{
    ASSERT(j->depth && j->open[j->depth - 1] == '{' && !j->after_key);
    if (j->some[j->depth - 1])
        strbuf_putc(j->out, ',');
    j->some[j->depth - 1] = true;
    new_line(j);
    put_string(j, name);
    strbuf_puts(j->out, j->compact ? ":" : ": ");
    j->after_key = true;
}

void json_put_string(struct json_out *j, const char *s)
{
    before_value(j);
    put_string(j, s);
}

void json_put_u64(struct json_out *j, u64 v)
{
    before_value(j);
    strbuf_printf(j->out, "%" PRIu64, v);
}

void json_put_i64(struct json_out *j, i64 v)
{
    before_value(j);
    strbuf_printf(j->out, "%" PRId64, v);
}

void json_format_f64(double v, char text[32])
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            return;
    }
}

void json_put_f64(struct json_out *j, double v)
{
    char text[32];

    if (!isfinite(v)) {
        json_put_null(j);
        return;
    }
    json_format_f64(v, text);
    before_value(j);
    strbuf_puts(j->out, text);
}

void json_put_bool(struct json_out *j, bool v)
{
    before_value(j);
    strbuf_puts(j->out, v ? "true" : "false");
}

void json_put_null(struct json_out *j)
{
    before_value(j);
    strbuf_puts(j->out, "null");
}

void json_put_raw(struct json_out *j, const char *text)
{
    before_value(j);
    strbuf_puts(j->out, text);
}

void json_put_key_string(struct json_out *j, const char *name, const char *s)
{
    json_put_key(j, name);
    json_put_string(j, s);
}

void json_put_key_u64(struct json_out *j, const char *name, u64 v)
{
    json_put_key(j, name);
    json_put_u64(j, v);
}

void json_put_key_hex(struct json_out *j, const char *name, u64 v)
{
    char text[24];

    snprintf(text, sizeof(text), "0x%" PRIx64, v);
    json_put_key_string(j, name, text);
}

struct json_t *json_parse(const char *text, size_t size, const char *what, struct error *err)
{
    json_error_t e;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &e);

    if (!root)
        error_set(err, ERROR_INPUT, "%s:%d:%d: not valid JSON: %s", what, e.line, e.column, e.text);
    return root;
}

bool json_to_u64(const struct json_t *value, u64 *ret_value)
{
    const char *text;
    char *end;
    u64 v;

    if (json_is_integer(value)) {
        json_int_t i = json_integer_value(value);

        if (i < 0)
            return false;
        *ret_value = (u64)i;
        return true;
    }
    text = json_string_value(value);
    if (!text || text[0] != '0' || text[1] != 'x' || !text[2] || strlen(text) > 18 ||
        strspn(text + 2, "0123456789abcdef") != strlen(text) - 2)
        return false;
    v = strtoull(text, &end, 16);
    if (*end)
        return false;
    *ret_value = v;
    return true;
}

bool json_get_u64(const struct json_t *object, const char *key, u64 *ret_value)
{
    return json_to_u64(json_object_get(object, key), ret_value);
}

const char *json_get_string(const struct json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}
