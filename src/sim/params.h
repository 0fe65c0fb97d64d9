// SPDX-License-Identifier: BSD-3-Clause
// Parameters by declaration: a list of rows is the C struct, the parser with units and bounds, the
// defaults, the help and the reference page.
//
//     #define CACHE_PARAMS(P, PR, PB, PS, PC)    (line continuations left out here)
//         P(bytes, size, KiB(32), 64, GiB(4), "Data capacity")      default, least, most
//         P(u32, ways, 8, 1, 128, "Ways per set")
//         PR(share, 0.5, 0, 1, "Share of the bandwidth")            a real number
//         PB(writeback, true, "Write back instead of through")      true or false
//         PS(image, NULL, "Image file")                             a text; NULL: must be given
//         PC(policy, "lru", "lru|random|plru", "Replacement")       one of a few; its index
//
//     PARAM_STRUCT(cache_params, CACHE_PARAMS);
//     PARAM_FIELDS(cache_params, CACHE_PARAMS);     in the .c: cache_params_fields[]
//
// Number types of P: u32, u64 (plain), bytes ("32KiB"), hertz ("2.4GHz"), ticks ("15ns"), cycles.
// A default outside of its bounds means that the parameter must be given. Every member is 8 bytes.
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"

enum param_kind {
    PARAM_END,
    PARAM_u32,
    PARAM_u64,
    PARAM_bytes,
    PARAM_hertz,
    PARAM_ticks,
    PARAM_cycles,
    PARAM_REAL,
    PARAM_BOOL,
    PARAM_TEXT,
    PARAM_CHOICE,
};

union param_value {
    u64 number; // also bool and choice
    double real;
    const char *text;
};

// One row; its value is the row's index times 8 bytes into the struct. Ends with a NULL name.
struct param_field {
    const char *name;
    enum param_kind kind;
    const char *doc;
    union param_value initial, least, most;
    const char *choices; // "a|b|c"
};

typedef u64 param_type_u32;
typedef u64 param_type_u64;
typedef u64 param_type_bytes;
typedef u64 param_type_hertz;
typedef u64 param_type_ticks;
typedef u64 param_type_cycles;

#define PARAM_STRUCT(tag, LIST)                                                                  \
    struct tag {                                                                                 \
        LIST(PARAM_MEMBER_P, PARAM_MEMBER_PR, PARAM_MEMBER_PB, PARAM_MEMBER_PS, PARAM_MEMBER_PC) \
    }

#define PARAM_FIELDS(tag, LIST)                                                        \
    const struct param_field tag##_fields[] = {                                        \
        LIST(PARAM_ROW_P, PARAM_ROW_PR, PARAM_ROW_PB, PARAM_ROW_PS, PARAM_ROW_PC){0}}; \
    _Static_assert(sizeof(struct tag) == (ARRAY_SIZE(tag##_fields) - 1) * 8, "params of 8 bytes")

#define PARAM_MEMBER_P(type, name, initial, least, most, doc) param_type_##type name;
#define PARAM_MEMBER_PR(name, initial, least, most, doc) double name;
#define PARAM_MEMBER_PB(name, initial, doc) _Alignas(8) bool name;
#define PARAM_MEMBER_PS(name, initial, doc) const char *name;
#define PARAM_MEMBER_PC(name, initial, choices, doc) u64 name;

#define PARAM_ROW_P(type, name, initial, least, most, doc)                                     \
    {#name, PARAM_##type, doc, {.number = (initial)}, {.number = (least)}, {.number = (most)}, \
     NULL},
#define PARAM_ROW_PR(name, initial, least, most, doc) \
    {#name, PARAM_REAL, doc, {.real = (initial)}, {.real = (least)}, {.real = (most)}, NULL},
#define PARAM_ROW_PB(name, initial, doc) \
    {#name, PARAM_BOOL, doc, {.number = (initial)}, {0}, {.number = 1}, NULL},
#define PARAM_ROW_PS(name, initial, doc) \
    {#name, PARAM_TEXT, doc, {.text = (initial)}, {0}, {0}, NULL},
#define PARAM_ROW_PC(name, initial, choices, doc) \
    {#name, PARAM_CHOICE, doc, {.text = (initial)}, {0}, {0}, choices},

// In the rest, `params` is a struct made by PARAM_STRUCT and `fields` its table.

void params_init(void *params, const struct param_field *fields);
// The index of the row called `name`, or -1.
int params_find(const struct param_field *fields, const char *name);
// Parses `text` into row `index`; texts are copied into the arena. The message of *err is only the
// problem ("'3' is less than 4"), the caller knows the name and the place.
bool params_set(void *params, const struct param_field *fields, int index, const char *text,
                struct arena *arena, struct error *err) MUST_CHECK;
// Whether the row has no usable default.
bool params_required(const struct param_field *field);
// The value as params_set reads it, or the default's.
void params_format(const void *params, const struct param_field *fields, int index,
                   struct strbuf *out);
void params_format_value(const struct param_field *field, union param_value v, struct strbuf *out);
const char *params_kind_name(const struct param_field *field); // for help: "size", "number"...
