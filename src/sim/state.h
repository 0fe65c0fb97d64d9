// SPDX-License-Identifier: BSD-3-Clause
// State by declaration: a list of rows is at once the C struct and the table from which it is
// saved, loaded, hashed, compared, printed and randomised. A field cannot exist without being
// saved, and padding does not compile. Works for any struct, not only for components.
//
//     #define UART_STATE(F, FA, FE, FV)    (line continuations left out here)
//         F(u8, ier)               one number: u8 u16 u32 u64 i64 tick paddr vaddr
//         FA(u8, rx_fifo, 16)      an array
//         FE(tx_done)              a struct event, pending or not
//         FV(u64, tags, p->lines)  an array from the arena, sized by the params p; the struct gets
//                                  `u64 tags_count; u64 *tags;`
//
//     STATE_STRUCT(uart_state, UART_STATE);     // in a header or the .c: struct uart_state
//     STATE_FIELDS(uart_state, UART_STATE);     // in the .c: uart_state_fields[]
//
// Every list takes all four row names. `FE` rows exist in components only.
#pragma once

#include "base/error.h"
#include "base/rng.h"
#include "base/types.h"
#include "sim/event.h"

#include <stdio.h>

struct json_out;
struct json_t;

enum state_kind {
    STATE_END,
    STATE_u8,
    STATE_u16,
    STATE_u32,
    STATE_u64,
    STATE_i64,
    STATE_tick,
    STATE_paddr,
    STATE_vaddr,
};

enum state_shape { STATE_SCALAR, STATE_ARRAY, STATE_EVENT, STATE_VECTOR };

// One row. There is no offset: rows follow each other without padding (STATE_STRUCT asserts it), so
// the offset is the sum of the sizes before. A table ends with a row whose name is NULL.
struct state_field {
    const char *name;
    enum state_kind kind; // of an element
    enum state_shape shape;
    u32 count; // elements; 0 for a vector, whose count is in the struct
    u32 size;  // bytes in the struct
};

#define STATE_STRUCT(tag, LIST)                                                           \
    struct tag {                                                                          \
        LIST(STATE_MEMBER_F, STATE_MEMBER_FA, STATE_MEMBER_FE, STATE_MEMBER_FV)           \
    };                                                                                    \
    _Static_assert(sizeof(struct tag) ==                                                  \
                       0 LIST(STATE_SIZE_F, STATE_SIZE_FA, STATE_SIZE_FE, STATE_SIZE_FV), \
                   "padding in struct " #tag ": order the rows by size or add a pad row")

#define STATE_FIELDS(tag, LIST)                 \
    const struct state_field tag##_fields[] = { \
        LIST(STATE_ROW_F, STATE_ROW_FA, STATE_ROW_FE, STATE_ROW_FV){0}}

#define STATE_MEMBER_F(type, name) type name;
#define STATE_MEMBER_FA(type, name, n) type name[n];
#define STATE_MEMBER_FE(name) struct event name;
#define STATE_MEMBER_FV(type, name, n) \
    u64 name##_count;                  \
    type *name;

#define STATE_SIZE_F(type, name) +sizeof(type)
#define STATE_SIZE_FA(type, name, n) +sizeof(type) * (n)
#define STATE_SIZE_FE(name) +sizeof(struct event)
#define STATE_SIZE_FV(type, name, n) +sizeof(u64) + sizeof(type *)

// The type token selects the codec: a pointer or an unknown type does not compile.
#define STATE_ROW_F(type, name) {#name, STATE_##type, STATE_SCALAR, 1, sizeof(type)},
#define STATE_ROW_FA(type, name, n) {#name, STATE_##type, STATE_ARRAY, (n), sizeof(type) * (n)},
#define STATE_ROW_FE(name) {#name, STATE_END, STATE_EVENT, 1, sizeof(struct event)},
#define STATE_ROW_FV(type, name, n) \
    {#name, STATE_##type, STATE_VECTOR, 0, sizeof(u64) + sizeof(type *)},

// In the rest, `data` is a struct made by STATE_STRUCT and `fields` its table.

size_t state_kind_size(enum state_kind kind);
size_t state_size(const struct state_field *fields);
// The row called `name` and, in *ret_offset, where it lies in the struct; NULL when there is none.
const struct state_field *state_find(const struct state_field *fields, const char *name,
                                     size_t *ret_offset);
// The declaration's identity: changes when any name, type, order or count does.
u64 state_fingerprint(const struct state_field *fields);

// Equal states have equal hashes, on every host. Times of events count relative to now.
u64 state_hash(const void *data, const struct state_field *fields);
// The first row that differs, and the index of the element in *ret_index; NULL when equal.
const struct state_field *state_compare(const void *a, const void *b,
                                        const struct state_field *fields, u64 *ret_index);
// How many of its events are pending.
u64 state_pending(const void *data, const struct state_field *fields);
// Lines of "prefix.name value"; arrays are printed as "prefix.name[i] value", zero elements
// omitted.
void state_print(const void *data, const struct state_field *fields, const char *prefix, FILE *out);
// Writes one JSON object, a member for each row; the same state gives the same bytes.
// u8 to u32 and i64 are numbers, wider ones "0x…", arrays one string of hexadecimal elements in
// which "v*n" stands for n times v, events null or {in, priority, sequence}.
void state_save(struct json_out *j, const void *data, const struct state_field *fields);
// Reads what state_save wrote. Refuses missing and extra members, values that do not fit and arrays
// of another length; *data is then partly changed. The message names the member.
bool state_load(void *data, const struct state_field *fields, const struct json_t *object,
                struct error *err) MUST_CHECK;
// Every number gets a random value; events become pending (or not) at random times from now.
void state_randomise(void *data, const struct state_field *fields, struct rng *rng);
