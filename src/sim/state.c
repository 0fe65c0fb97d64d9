// SPDX-License-Identifier: BSD-3-Clause
#include "sim/state.h"

#include "base/bug.h"

#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

static const struct {
    const char *name;
    size_t size;
} kinds[] = {
    [STATE_END] = {"event", 0},
    [STATE_u8] = {"u8", sizeof(u8)},
    [STATE_u16] = {"u16", sizeof(u16)},
    [STATE_u32] = {"u32", sizeof(u32)},
    [STATE_u64] = {"u64", sizeof(u64)},
    [STATE_i64] = {"i64", sizeof(i64)},
    [STATE_tick] = {"tick", sizeof(u64)},
    [STATE_paddr] = {"paddr", sizeof(u64)},
    [STATE_vaddr] = {"vaddr", sizeof(u64)},
};

// The elements of one row.
struct elements {
    u8 *data;
    u64 count;
    size_t size;
};

static struct elements elements_of(const u8 *at, const struct state_field *f)
{
    struct elements e = {.data = (u8 *)(uintptr_t)at, .count = f->count};

    e.size = kinds[f->kind].size;
    if (f->shape == STATE_VECTOR) {
        memcpy(&e.count, at, sizeof(u64));
        memcpy(&e.data, at + sizeof(u64), sizeof(void *));
    }
    return e;
}

static u64 get(const struct elements *e, u64 i)
{
    u64 v = 0;

    memcpy(&v, e->data + i * e->size, e->size);
    return v;
}

// What of an event is state: its time counts from now.
struct event_value {
    u64 pending, delay, sequence;
    i64 priority;
};

static struct event_value event_value(const u8 *at)
{
    const struct event *e = (const struct event *)(const void *)at;

    if (!e->pending)
        return (struct event_value){0};
    return (struct event_value){1, e->when - e->queue->now, e->sequence, e->priority};
}

size_t state_kind_size(enum state_kind kind)
{
    return kinds[kind].size;
}

size_t state_size(const struct state_field *fields)
{
    size_t n = 0;

    for (const struct state_field *f = fields; f->name; f++)
        n += f->size;
    return n;
}

const struct state_field *state_find(const struct state_field *fields, const char *name,
                                     size_t *ret_offset)
{
    size_t offset = 0;

    for (const struct state_field *f = fields; f->name; offset += f->size, f++) {
        if (strcmp(f->name, name) == 0) {
            *ret_offset = offset;
            return f;
        }
    }
    return NULL;
}

u64 state_fingerprint(const struct state_field *fields)
{
    u64 h = 0;

    for (const struct state_field *f = fields; f->name; f++) {
        char row[160];
        int n = snprintf(row, sizeof(row), "%s %s %d %" PRIu32, kinds[f->kind].name, f->name,
                         (int)f->shape, f->count);

        ASSERT(n > 0 && (size_t)n < sizeof(row));
        h = XXH3_64bits_withSeed(row, (size_t)n, h);
    }
    return h;
}

u64 state_hash(const void *data, const struct state_field *fields)
{
    const u8 *at = data;
    u64 h = 0;

    for (const struct state_field *f = fields; f->name; at += f->size, f++) {
        if (f->shape == STATE_EVENT) {
            struct event_value v = event_value(at);

            h = XXH3_64bits_withSeed(&v, sizeof(v), h);
        } else {
            struct elements e = elements_of(at, f);

            h = XXH3_64bits_withSeed(e.data, e.count * e.size, h + e.count);
        }
    }
    return h;
}

const struct state_field *state_compare(const void *a, const void *b,
                                        const struct state_field *fields, u64 *ret_index)
{
    const u8 *at = a, *bt = b;

    for (const struct state_field *f = fields; f->name; at += f->size, bt += f->size, f++) {
        struct elements x, y;

        if (f->shape == STATE_EVENT) {
            struct event_value v = event_value(at), w = event_value(bt);

            if (memcmp(&v, &w, sizeof(v)) == 0)
                continue;
            *ret_index = 0;
            return f;
        }
        x = elements_of(at, f);
        y = elements_of(bt, f);
        for (u64 i = 0; i < MIN(x.count, y.count); i++) {
            if (get(&x, i) != get(&y, i)) {
                *ret_index = i;
                return f;
            }
        }
        if (x.count != y.count) {
            *ret_index = MIN(x.count, y.count);
            return f;
        }
    }
    return NULL;
}

u64 state_pending(const void *data, const struct state_field *fields)
{
    const u8 *at = data;
    u64 n = 0;

    for (const struct state_field *f = fields; f->name; at += f->size, f++)
        if (f->shape == STATE_EVENT)
            n += event_value(at).pending;
    return n;
}

static void print_number(const struct state_field *f, u64 v, FILE *out)
{
    if (f->kind == STATE_i64)
        fprintf(out, "%" PRId64 "\n", (i64)v);
    else
        fprintf(out, "0x%" PRIx64 "\n", v);
}

void state_print(const void *data, const struct state_field *fields, const char *prefix, FILE *out)
{
    const u8 *at = data;

    for (const struct state_field *f = fields; f->name; at += f->size, f++) {
        struct elements e;

        if (f->shape == STATE_EVENT) {
            struct event_value v = event_value(at);

            if (v.pending)
                fprintf(out, "%s.%s in %" PRIu64 " priority %" PRId64 "\n", prefix, f->name,
                        v.delay, v.priority);
            else
                fprintf(out, "%s.%s idle\n", prefix, f->name);
            continue;
        }
        e = elements_of(at, f);
        for (u64 i = 0; i < e.count; i++) {
            u64 v = get(&e, i);

            if (f->shape == STATE_SCALAR)
                fprintf(out, "%s.%s ", prefix, f->name);
            else if (v)
                fprintf(out, "%s.%s[%" PRIu64 "] ", prefix, f->name, i);
            else
                continue;
            print_number(f, v, out);
        }
    }
}

void state_randomise(void *data, const struct state_field *fields, struct rng *rng)
{
    u8 *at = data;

    for (const struct state_field *f = fields; f->name; at += f->size, f++) {
        struct elements e;

        if (f->shape == STATE_EVENT) {
            struct event *event = (struct event *)(void *)at;

            event_cancel(event);
            if (rng_next(rng) & 1)
                event_schedule(event, event->queue->now + rng_below(rng, TICKS_PER_SECOND),
                               (i32)rng_below(rng, 21) - 10);
            continue;
        }
        e = elements_of(at, f);
        for (u64 i = 0; i < e.count * e.size; i++)
            e.data[i] = (u8)rng_next(rng);
    }
}
