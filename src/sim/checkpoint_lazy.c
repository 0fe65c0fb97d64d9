// SPDX-License-Identifier: BSD-3-Clause
// Memory that is filled where it is touched (docs/decisions/0005-lazy-restore.md): no signals, no
// threads, no kernel feature. The owner of the memory asks before it hands out a byte.
#include "base/bug.h"
#include "sim/checkpoint_priv.h"

#include <inttypes.h>
#include <string.h>

enum { PAGE = 4096 };

struct checkpoint_lazy {
    struct checkpoint_source *source; // borrowed
    u8 *data;                         // borrowed
    u64 size, left;                   // left: chunks that are not filled
    u64 *refs;                        // owned; CHUNK_ZERO: nothing to do
    unsigned threads;
    struct frame_cache cache;
};

// Puts a chunk at its place, touching no page that is zero.
static void put_chunk(struct checkpoint_lazy *l, u64 number, const u8 *content)
{
    u64 length = MIN(l->size - number * CHUNK_BYTES, CHUNK_BYTES);
    u8 *to = l->data + number * CHUNK_BYTES;

    for (u64 at = 0; at < length; at += PAGE) {
        u64 part = MIN(length - at, PAGE);

        if (!chunk_is_zero(content + at, part))
            memcpy(to + at, content + at, part);
    }
    l->refs[number] = CHUNK_ZERO;
}

void checkpoint_source_drop(struct checkpoint_source *s)
{
    if (--s->holders)
        return;
    for (size_t i = 0; i < s->packs.count; i++)
        pack_release(&s->packs.items[i]);
    s->packs.count = 0;
}

static void finish(struct checkpoint_lazy *l)
{
    if (!l->source)
        return;
    frame_cache_release(&l->cache);
    free(l->refs);
    l->refs = NULL;
    checkpoint_source_drop(l->source);
    l->source = NULL;
}

bool checkpoint_lazy_new(struct checkpoint_source *s, const json_t *index, const char *name,
                         u8 *data, u64 size, unsigned threads, struct checkpoint_lazy **ret_lazy,
                         struct error *err)
{
    const json_t *m = memory_find(index, name);
    struct checkpoint_lazy *l;
    u64 saved;

    if (!m)
        return error_set(err, ERROR_INPUT, "the memory '%s' is missing", name);
    if (!json_get_u64(m, "size", &saved) || saved != size)
        return error_set(err, ERROR_INPUT,
                         "the memory '%s' has %" PRIu64 " bytes instead of %" PRIu64, name, saved,
                         size);
    l = xcalloc(1, sizeof(*l));
    *l = (struct checkpoint_lazy){.source = s, .data = data, .size = size, .threads = threads};
    l->refs = xcalloc(chunks_of(size), sizeof(l->refs[0]));
    frame_cache_init(&l->cache, s);
    s->holders++;
    if (!map_read(json_get_string(m, "map"), s, chunks_of(size), l->refs, err)) {
        checkpoint_lazy_free(l);
        return false;
    }
    for (u64 i = 0; i < chunks_of(size); i++)
        l->left += l->refs[i] != CHUNK_ZERO;
    if (!l->left) {
        checkpoint_lazy_free(l);
        l = NULL;
    }
    *ret_lazy = l;
    return true;
}

void checkpoint_lazy_free(struct checkpoint_lazy *l)
{
    if (l)
        finish(l);
    free(l);
}

u64 checkpoint_lazy_left(const struct checkpoint_lazy *l)
{
    return l->left * CHUNK_BYTES;
}

bool checkpoint_lazy_fill(struct checkpoint_lazy *l, u64 at, u64 size, struct error *err)
{
    ASSERT(at <= l->size && size <= l->size - at);
    if (!l->left || !size)
        return true;
    for (u64 i = at / CHUNK_BYTES; i <= (at + size - 1) / CHUNK_BYTES; i++) {
        const u8 *content;

        if (l->refs[i] == CHUNK_ZERO)
            continue;
        content = frame_cache_chunk(&l->cache, l->refs[i], err);
        if (!content)
            return false;
        put_chunk(l, i, content);
        if (!--l->left) {
            finish(l);
            return true;
        }
    }
    return true;
}

// ---- all at once ----

struct place {
    u64 ref, number;
};

struct fill {
    struct checkpoint_lazy *lazy;
    struct place *places; // owned; in the order of the packs
    u64 *starts;          // owned; of each frame's places, and the end
    u64 frames;
    struct pack_scratch scratch[PARALLEL_MAX];
    u8 *content[PARALLEL_MAX]; // owned
    struct error errors[PARALLEL_MAX];
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    return x->ref != y->ref ? (x->ref > y->ref) - (x->ref < y->ref)
                            : (x->number > y->number) - (x->number < y->number);
}

static bool fill_frame(void *context, u64 i, unsigned worker)
{
    struct fill *f = context;
    const struct place *p = &f->places[f->starts[i]], *end = &f->places[f->starts[i + 1]];
    const struct pack *pack = &f->lazy->source->packs.items[chunk_depth(p->ref)];

    if (!f->content[worker]) {
        f->content[worker] = xcalloc(FRAME_BYTES, 1);
        pack_scratch_init(&f->scratch[worker]);
    }
    if (!pack_read_frame(pack, chunk_number(p->ref) / FRAME_CHUNKS, &f->scratch[worker],
                         f->content[worker], &f->errors[worker]))
        return false;
    for (; p < end; p++)
        put_chunk(f->lazy, p->number,
                  f->content[worker] + chunk_number(p->ref) % FRAME_CHUNKS * CHUNK_BYTES);
    return true;
}

static bool plan(struct fill *f, struct error *err)
{
    struct checkpoint_lazy *l = f->lazy;
    u64 n = 0;

    f->places = xcalloc(l->left, sizeof(f->places[0]));
    f->starts = xcalloc(l->left + 1, sizeof(f->starts[0]));
    for (u64 i = 0; i < chunks_of(l->size); i++)
        if (l->refs[i] != CHUNK_ZERO)
            f->places[n++] = (struct place){l->refs[i], i};
    qsort(f->places, n, sizeof(f->places[0]), compare_places);
    for (u64 i = 0; i < n; i++) {
        u64 ref = f->places[i].ref;

        if (i && frame_key(ref) == frame_key(f->places[i - 1].ref))
            continue;
        f->starts[f->frames++] = i;
        if (!pack_open(&l->source->packs.items[chunk_depth(ref)], err))
            return false;
    }
    f->starts[f->frames] = n;
    return true;
}

bool checkpoint_lazy_complete(struct checkpoint_lazy *l, struct error *err)
{
    struct fill f = {.lazy = l};
    bool ok;

    if (!l->left)
        return true;
    ok = plan(&f, err);
    if (ok && !parallel_for(f.frames, l->threads, fill_frame, &f)) {
        ok = false;
        err->code = ERROR_NONE;
        for (unsigned i = 0; err->code == ERROR_NONE && i < PARALLEL_MAX; i++)
            *err = f.errors[i];
    }
    l->left = 0;
    for (u64 i = 0; i < chunks_of(l->size); i++)
        l->left += l->refs[i] != CHUNK_ZERO;
    for (unsigned i = 0; i < PARALLEL_MAX; i++) {
        pack_scratch_release(&f.scratch[i]);
        free(f.content[i]);
    }
    free(f.places);
    free(f.starts);
    if (ok)
        finish(l);
    return ok;
}
