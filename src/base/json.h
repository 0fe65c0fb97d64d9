// SPDX-License-Identifier: BSD-3-Clause
// Writes JSON (RFC 8259) into a string, in the order of the calls, the same bytes every time.
// Reading is jansson's work (json_parse below adds our kind of error message).
//
//     struct json_out j = json_out_to(&text);
//     json_put_object(&j);
//     json_put_key(&j, "hits"); json_put_u64(&j, 5);
//     json_put_end(&j);
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

#define JSON_DEPTH_MAX 32

struct json_out {
    struct strbuf *out; // borrowed
    unsigned depth;
    u8 open[JSON_DEPTH_MAX]; // '{' '[' or '-' for an array on one line
    bool some[JSON_DEPTH_MAX];
    bool after_key;
    bool compact; // no white space at all: JSON lines
};

static inline struct json_out json_out_to(struct strbuf *out)
{
    return (struct json_out){.out = out};
}

void json_put_object(struct json_out *j);
void json_put_array(struct json_out *j);
void json_put_row(struct json_out *j); // an array written on one line
void json_put_end(struct json_out *j); // closes the innermost of these

void json_put_key(struct json_out *j, const char *name);

// Bytes that are not UTF-8 become U+FFFD.
void json_put_string(struct json_out *j, const char *s);
void json_put_u64(struct json_out *j, u64 v);
void json_put_i64(struct json_out *j, i64 v);
// Shortest text that reads back as the same number; null when not finite.
void json_put_f64(struct json_out *j, double v);
void json_put_bool(struct json_out *j, bool v);
void json_put_null(struct json_out *j);
// A value that is JSON already.
void json_put_raw(struct json_out *j, const char *text);

// key and value at once
void json_put_key_string(struct json_out *j, const char *name, const char *s);
void json_put_key_u64(struct json_out *j, const char *name, u64 v);
void json_put_key_hex(struct json_out *j, const char *name, u64 v); // "0x…": no reader rounds it

// Shortest decimal text of a finite number that reads back as the same number.
void json_format_f64(double v, char text[32]);

struct json_t;
// Parses a whole document; `what` names it in messages. NULL and *err on failure. The caller gives
// it back with json_decref. Duplicate keys are refused.
struct json_t *json_parse(const char *text, size_t size, const char *what, struct error *err);
// Member `key` of an object as a u64, written as a number or as "0x…". False when absent or not so.
bool json_get_u64(const struct json_t *object, const char *key, u64 *ret_value) MUST_CHECK;
bool json_to_u64(const struct json_t *value, u64 *ret_value) MUST_CHECK;
// NULL when absent or no string.
const char *json_get_string(const struct json_t *object, const char *key);
