// SPDX-License-Identifier: BSD-3-Clause
// Two checkpoints are compared by what their files say; memory by the chunks' hashes, and where
// these differ page by page.
#include "sim/checkpoint_info.h"
#include "sim/checkpoint_priv.h"

#include <inttypes.h>
#include <string.h>

enum { PAGE = 4096 };

struct side {
    struct checkpoint_files files;
    struct frame_cache cache;
    bool cached;
};

static void note(struct checkpoint_diff *d, enum checkpoint_difference_kind kind, const char *name,
                 const char *row, const char *a, const char *b)
{
    struct checkpoint_difference x = {.kind = kind, .elements = 1};

    x.name = name ? xstrdup(name) : NULL;
    x.row = row ? xstrdup(row) : NULL;
    x.a = a ? xstrdup(a) : NULL;
    x.b = b ? xstrdup(b) : NULL;
    VEC_PUSH(&d->items, x);
}

void checkpoint_diff_release(struct checkpoint_diff *diff)
{
    for (size_t i = 0; i < diff->items.count; i++) {
        free(diff->items.items[i].name);
        free(diff->items.items[i].row);
        free(diff->items.items[i].a);
        free(diff->items.items[i].b);
    }
    VEC_RELEASE(&diff->items);
    *diff = (struct checkpoint_diff){0};
}

// ---- states ----

// A value as text; NULL for none.
static char *text_of(const json_t *value)
{
    char *text, *copy;

    if (json_is_string(value))
        return xstrdup(json_string_value(value));
    text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    copy = text ? xstrdup(text) : NULL;
    free(text);
    return copy;
}

// One run of an array's text, "v" or "v*n"; an empty one at the end.
struct run {
    const char *value, *next;
    size_t length;
    u64 count;
};

static struct run run_at(const char *s)
{
    struct run r = {.value = s, .length = strcspn(s, " *"), .count = 1};

    r.next = s + r.length;
    if (*r.next == '*')
        r.count = strtoull(r.next + 1, (char **)&r.next, 10);
    r.next += strspn(r.next, " ");
    return r;
}

static bool is_array_text(const json_t *a, const json_t *b)
{
    return json_is_string(a) && json_is_string(b) &&
           (strpbrk(json_string_value(a), " *") || strpbrk(json_string_value(b), " *"));
}

// Two arrays: names the first element that differs, and counts the others.
static void diff_arrays(struct checkpoint_diff *d, enum checkpoint_difference_kind kind,
                        const char *name, const char *row, const char *a, const char *b)
{
    struct run x = run_at(a), y = run_at(b);
    u64 at = 0, differing = 0, first = 0;
    AUTO_FREE char *va = NULL, *vb = NULL, *element = NULL;

    while (x.length && y.length && x.count && y.count) {
        u64 n = MIN(x.count, y.count);

        if (x.length != y.length || memcmp(x.value, y.value, x.length) != 0) {
            if (!differing) {
                first = at;
                va = xasprintf("%.*s", (int)x.length, x.value);
                vb = xasprintf("%.*s", (int)y.length, y.value);
            }
            differing += n;
        }
        at += n;
        x.count -= n;
        y.count -= n;
        if (!x.count)
            x = run_at(x.next);
        if (!y.count)
            y = run_at(y.next);
    }
    if (!differing) {
        note(d, kind, name, row, a, b);
        return;
    }
    element = xasprintf("%s[%" PRIu64 "]", row, first);
    note(d, kind, name, element, va, vb);
    d->items.items[d->items.count - 1].elements = differing;
}

static void diff_objects(struct checkpoint_diff *d, enum checkpoint_difference_kind kind,
                         const char *name, const json_t *a, const json_t *b)
{
    const char *row;
    json_t *x;

    json_object_foreach((json_t *)(uintptr_t)a, row, x)
    {
        const json_t *y = json_object_get(b, row);
        AUTO_FREE char *s = NULL, *t = NULL;

        if (json_equal(x, y))
            continue;
        if (is_array_text(x, y)) {
            diff_arrays(d, kind, name, row, json_string_value(x), json_string_value(y));
            continue;
        }
        s = text_of(x);
        t = text_of(y);
        note(d, kind, name, row, s, t);
    }
    json_object_foreach((json_t *)(uintptr_t)b, row, x)
    {
        AUTO_FREE char *t = json_object_get(a, row) ? NULL : text_of(x);

        if (t)
            note(d, kind, name, row, NULL, t);
    }
}

// Components, or extra states, which have no type and no counters.
static void diff_records(struct checkpoint_diff *d, const json_t *a, const json_t *b,
                         const char *key)
{
    static const char *const identity[] = {"type", "schema"};
    const json_t *x;
    size_t i;

    json_array_foreach(a, i, x)
    {
        const char *name = json_get_string(x, key);
        const json_t *y = name ? checkpoint_record(b, key, name) : NULL;

        if (name && !y)
            note(d, CHECKPOINT_COMPONENT, name, "component", "there", NULL);
        for (size_t k = 0; y && k < ARRAY_SIZE(identity); k++) {
            const char *s = json_get_string(x, identity[k]), *t = json_get_string(y, identity[k]);

            if (s && t && strcmp(s, t) != 0)
                note(d, CHECKPOINT_COMPONENT, name, identity[k], s, t);
        }
        if (!y)
            continue;
        diff_objects(d, CHECKPOINT_STATE, name, json_object_get(x, "state"),
                     json_object_get(y, "state"));
        diff_objects(d, CHECKPOINT_COUNTER, name, json_object_get(x, "counters"),
                     json_object_get(y, "counters"));
    }
    json_array_foreach(b, i, x)
    {
        const char *name = json_get_string(x, key);

        if (name && !checkpoint_record(a, key, name))
            note(d, CHECKPOINT_COMPONENT, name, "component", NULL, "there");
    }
}

static void diff_machine(struct checkpoint_diff *d, const struct side *a, const struct side *b)
{
    static const char *const rows[] = {"tick", "next_sequence", "events_fired"};
    const char *x = json_get_string(a->files.manifest, "config_digest");
    const char *y = json_get_string(b->files.manifest, "config_digest");

    if (strcmp(x ? x : "", y ? y : "") != 0)
        note(d, CHECKPOINT_MACHINE, NULL, "config_digest", x, y);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO_FREE char *s = text_of(json_object_get(a->files.state, rows[i]));
        AUTO_FREE char *t = text_of(json_object_get(b->files.state, rows[i]));

        if (!s || !t || strcmp(s, t) != 0)
            note(d, CHECKPOINT_MACHINE, NULL, rows[i], s, t);
    }
}

// ---- memory ----

static const u8 *chunk_of(struct side *s, u64 ref, struct error *err)
{
    static const u8 zero[CHUNK_BYTES];

    if (ref == CHUNK_ZERO)
        return zero;
    if (!s->cached)
        frame_cache_init(&s->cache, s->files.source);
    s->cached = true;
    return frame_cache_chunk(&s->cache, ref, err);
}

static struct hash128 hash_of(const struct side *s, u64 ref)
{
    if (ref == CHUNK_ZERO)
        return (struct hash128){0, 0};
    return s->files.source->packs.items[chunk_depth(ref)].hashes[chunk_number(ref)];
}

// Pages one behind the other become one run.
static void note_page(struct checkpoint_diff *d, const char *name, size_t first_item, u64 at)
{
    struct checkpoint_difference *last =
        d->items.count > first_item ? &d->items.items[d->items.count - 1] : NULL;

    d->pages++;
    if (last && last->at + last->size == at) {
        last->size += PAGE;
        return;
    }
    if (d->items.count - first_item == CHECKPOINT_RUNS_MAX)
        return;
    note(d, CHECKPOINT_MEMORY, name, NULL, NULL, NULL);
    d->items.items[d->items.count - 1].at = at;
    d->items.items[d->items.count - 1].size = PAGE;
}

static bool diff_chunks(struct checkpoint_diff *d, struct side *a, struct side *b, const char *name,
                        u64 chunks, const u64 *x, const u64 *y, struct error *err)
{
    size_t first_item = d->items.count;

    for (u64 i = 0; i < chunks; i++) {
        const u8 *p, *q;

        if ((x[i] == CHUNK_ZERO) == (y[i] == CHUNK_ZERO) &&
            hash128_equal(hash_of(a, x[i]), hash_of(b, y[i])))
            continue;
        d->chunks++;
        p = chunk_of(a, x[i], err);
        q = p ? chunk_of(b, y[i], err) : NULL;
        if (!q)
            return false;
        for (u64 at = 0; at < CHUNK_BYTES; at += PAGE)
            if (memcmp(p + at, q + at, PAGE) != 0)
                note_page(d, name, first_item, i * CHUNK_BYTES + at);
    }
    return true;
}

// Memory sizes are only as trustworthy as the files: a map is one string, but says how many chunks
// it has, and a hostile one says more than fit into this host.
#define MEMORY_MAX (1ull << 46)

static bool diff_memory(struct checkpoint_diff *d, struct side *a, struct side *b, const json_t *x,
                        const json_t *y, struct error *err)
{
    const char *name = json_get_string(x, "name");
    u64 sizes[2] = {0, 0};
    AUTO_FREE u64 *refs = NULL; // a's, then b's
    u64 chunks;

    if (!json_get_u64(x, "size", &sizes[0]) || !json_get_u64(y, "size", &sizes[1]) ||
        MAX(sizes[0], sizes[1]) > MEMORY_MAX)
        return error_set(err, ERROR_INPUT, "the memory '%.80s' is too large", name);
    if (sizes[0] != sizes[1]) {
        AUTO_FREE char *s = xasprintf("%" PRIu64, sizes[0]), *t = xasprintf("%" PRIu64, sizes[1]);

        note(d, CHECKPOINT_MEMORY, name, "size", s, t);
        return true;
    }
    chunks = chunks_of(sizes[0]);
    refs = calloc(2 * chunks + 1, sizeof(*refs));
    if (!refs)
        return error_set(err, ERROR_RESOURCE, "no memory for the map of '%.80s'", name);
    return map_read(json_get_string(x, "map"), a->files.source, chunks, refs, err) &&
           map_read(json_get_string(y, "map"), b->files.source, chunks, refs + chunks, err) &&
           diff_chunks(d, a, b, name, chunks, refs, refs + chunks, err);
}

static bool diff_memories(struct checkpoint_diff *d, struct side *a, struct side *b,
                          struct error *err)
{
    const json_t *xs = json_object_get(a->files.index, "memories"), *x;
    const json_t *ys = json_object_get(b->files.index, "memories");
    size_t i;

    json_array_foreach(xs, i, x)
    {
        const char *name = json_get_string(x, "name");
        const json_t *y = memory_find(b->files.index, name);

        if (!y)
            note(d, CHECKPOINT_MEMORY, name, "memory", "there", NULL);
        else if (!diff_memory(d, a, b, x, y, err))
            return false;
    }
    json_array_foreach(ys, i, x)
    {
        if (!memory_find(a->files.index, json_get_string(x, "name")))
            note(d, CHECKPOINT_MEMORY, json_get_string(x, "name"), "memory", NULL, "there");
    }
    return true;
}

// ---- the whole ----

static bool side_open(struct side *s, const char *path, struct error *err)
{
    return checkpoint_files_open(&s->files, path, CHECKPOINT_CHAIN, err) ||
           error_wrap(err, "cannot use checkpoint '%s'", path);
}

static void side_release(struct side *s)
{
    if (s->cached)
        frame_cache_release(&s->cache);
    checkpoint_files_release(&s->files);
}

bool checkpoint_diff(struct checkpoint_diff *diff, const char *a, const char *b, struct error *err)
{
    struct side x = {.cached = false}, y = {.cached = false};
    bool ok = side_open(&x, a, err) && side_open(&y, b, err);

    *diff = (struct checkpoint_diff){0};
    if (ok) {
        diff_machine(diff, &x, &y);
        diff_records(diff, json_object_get(x.files.state, "components"),
                     json_object_get(y.files.state, "components"), "path");
        diff_records(diff, json_object_get(x.files.state, "extras"),
                     json_object_get(y.files.state, "extras"), "name");
        ok = diff_memories(diff, &x, &y, err);
    }
    side_release(&x);
    side_release(&y);
    if (!ok)
        checkpoint_diff_release(diff);
    return ok;
}
