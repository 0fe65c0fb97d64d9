// SPDX-License-Identifier: BSD-3-Clause
// The reader of a checkpoint's memory: index, frames and maps (docs/formats/checkpoint.md). Nothing
// that it is given is trusted.
#include "base/bug.h"
#include "sim/checkpoint_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

static bool damaged_index(const struct pack *p, struct error *err)
{
    return error_set(err, ERROR_INPUT, "the index of '%s' is damaged", p->path);
}

bool pack_init(struct pack *p, const char *path, u64 size, u64 chunk_count, const void *index,
               size_t index_size, struct error *err)
{
    u64 frames = chunk_count / FRAME_CHUNKS + (chunk_count % FRAME_CHUNKS != 0), at = 0;
    const u8 *entry = index;

    *p = (struct pack){.path = xstrdup(path), .fd = -1, .size = size};
    if (chunk_count > UINT32_MAX ||
        index_size != frames * 2 * sizeof(u64) + chunk_count * sizeof(struct hash128))
        return damaged_index(p, err);
    p->chunk_count = chunk_count;
    p->frame_count = frames;
    p->frames = xcalloc(frames + 1, sizeof(p->frames[0]));
    p->hashes = xcalloc(chunk_count + 1, sizeof(p->hashes[0]));
    for (u64 i = 0; i < frames; i++, entry += 2 * sizeof(u64)) {
        struct pack_frame *f = &p->frames[i];

        memcpy(&f->bytes, entry, sizeof(u64));
        memcpy(&f->hash, entry + sizeof(u64), sizeof(u64));
        f->at = at;
        if (f->bytes > size - at || f->bytes > ZSTD_compressBound(FRAME_BYTES))
            return damaged_index(p, err);
        at += f->bytes;
    }
    if (chunk_count)
        memcpy(p->hashes, entry, chunk_count * sizeof(p->hashes[0]));
    return at == size || damaged_index(p, err);
}

bool pack_open(struct pack *p, struct error *err)
{
    struct stat st;

    if (p->fd >= 0 || p->data)
        return true;
    p->fd = open(p->path, O_RDONLY | O_CLOEXEC);
    if (p->fd < 0 || fstat(p->fd, &st) < 0)
        return error_set_errno(err, "cannot open '%s'", p->path);
    if ((u64)st.st_size != p->size)
        return error_set(err, ERROR_INPUT,
                         "'%s' is damaged: it has %" PRIu64 " bytes instead of %" PRIu64, p->path,
                         (u64)st.st_size, p->size);
    return true;
}

void pack_release(struct pack *p)
{
    if (p->path && p->fd >= 0)
        close(p->fd);
    free(p->path);
    free(p->frames);
    free(p->hashes);
    *p = (struct pack){.fd = -1};
}

void checkpoint_source_free(struct checkpoint_source *s)
{
    while (s) {
        struct checkpoint_source *next = s->next;

        for (size_t i = 0; i < s->packs.count; i++)
            pack_release(&s->packs.items[i]);
        VEC_RELEASE(&s->packs);
        free(s);
        s = next;
    }
}

// ---- frames ----

void pack_scratch_init(struct pack_scratch *s)
{
    s->decompressor = ZSTD_createDCtx();
    s->frame = xcalloc(ZSTD_compressBound(FRAME_BYTES), 1);
}

void pack_scratch_release(struct pack_scratch *s)
{
    ZSTD_freeDCtx(s->decompressor);
    free(s->frame);
    *s = (struct pack_scratch){0};
}

// Read, not mapped: a file that is cut off under a mapping would kill the process.
static bool read_bytes(const struct pack *p, u64 at, u8 *to, u64 size, struct error *err)
{
    if (p->data) {
        memcpy(to, p->data + at, size);
        return true;
    }
    while (size) {
        ssize_t n = pread(p->fd, to, size, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, "cannot read '%s'", p->path);
        if (n == 0)
            return error_set(err, ERROR_INPUT, "'%s' is damaged: it was cut off", p->path);
        at += (u64)n;
        to += n;
        size -= (u64)n;
    }
    return true;
}

static bool damaged_frame(const struct pack *p, u64 frame, struct error *err)
{
    return error_set(err, ERROR_INPUT, "'%s' is damaged at byte %" PRIu64, p->path,
                     p->frames[frame].at);
}

bool pack_check_frame(const struct pack *p, u64 frame, struct pack_scratch *s, struct error *err)
{
    const struct pack_frame *f = &p->frames[frame];

    if (!read_bytes(p, f->at, s->frame, f->bytes, err))
        return false;
    return hash64(s->frame, f->bytes) == f->hash || damaged_frame(p, frame, err);
}

bool pack_read_frame(const struct pack *p, u64 frame, struct pack_scratch *s, u8 *content,
                     struct error *err)
{
    const struct pack_frame *f = &p->frames[frame];
    u64 first = frame * FRAME_CHUNKS, count = MIN(p->chunk_count - first, FRAME_CHUNKS);

    if (!pack_check_frame(p, frame, s, err))
        return false;
    if (ZSTD_decompressDCtx(s->decompressor, content, FRAME_BYTES, s->frame, f->bytes) !=
        count * CHUNK_BYTES)
        return damaged_frame(p, frame, err);
    for (u64 i = 0; i < count; i++)
        if (!hash128_equal(hash128(content + i * CHUNK_BYTES, CHUNK_BYTES), p->hashes[first + i]))
            return damaged_frame(p, frame, err);
    return true;
}

void frame_cache_init(struct frame_cache *c, struct checkpoint_source *source)
{
    *c = (struct frame_cache){.source = source};
    pack_scratch_init(&c->scratch);
}

void frame_cache_release(struct frame_cache *c)
{
    pack_scratch_release(&c->scratch);
    for (unsigned i = 0; i < FRAME_CACHE; i++)
        free(c->contents[i]);
    *c = (struct frame_cache){0};
}

const u8 *frame_cache_chunk(struct frame_cache *c, u64 ref, struct error *err)
{
    struct pack *p = &c->source->packs.items[chunk_depth(ref)];
    u64 offset = (u64)(chunk_number(ref) % FRAME_CHUNKS) * CHUNK_BYTES, key = frame_key(ref) + 1;
    unsigned turn = c->turn;

    for (unsigned i = 0; i < FRAME_CACHE; i++)
        if (c->keys[i] == key)
            return c->contents[i] + offset;
    if (!c->contents[turn])
        c->contents[turn] = xcalloc(FRAME_BYTES, 1);
    c->keys[turn] = 0;
    if (!pack_open(p, err) ||
        !pack_read_frame(p, chunk_number(ref) / FRAME_CHUNKS, &c->scratch, c->contents[turn], err))
        return NULL;
    c->keys[turn] = key;
    c->turn = (turn + 1) % FRAME_CACHE;
    return c->contents[turn] + offset;
}

// ---- maps ----

static bool damaged_map(struct error *err, const char *what)
{
    return error_set(err, ERROR_INPUT, "memory.json is damaged: %s", what);
}

// A decimal number of at most 18 digits; NULL when there is none.
static const char *parse_number(const char *s, u64 *ret_value)
{
    size_t n = strspn(s, "0123456789");

    if (!n || n > 18)
        return NULL;
    *ret_value = strtoull(s, NULL, 10);
    return s + n;
}

struct map_run {
    u64 depth, number, count;
    bool zero, same; // same: one chunk, `count` times; else so many, one after the other
};

// "-", "n" or "d:n", then nothing, "*k" or "+k"; NULL when it is none of these.
static const char *parse_run(const char *s, struct map_run *r)
{
    *r = (struct map_run){.count = 1, .zero = *s == '-'};
    s = r->zero ? s + 1 : parse_number(s, &r->number);
    if (s && !r->zero && *s == ':') {
        r->depth = r->number;
        s = parse_number(s + 1, &r->number);
    }
    if (!s || r->number > UINT32_MAX || r->depth > CHECKPOINT_DEPTH_MAX + 1)
        return NULL;
    r->same = *s != '+';
    if (*s == '*' || (*s == '+' && !r->zero)) {
        s = parse_number(s + 1, &r->count);
        if (!s || !r->count)
            return NULL;
        r->count += !r->same;
    }
    return *s == '\0' || (*s == ' ' && s[1]) ? s + (*s == ' ') : NULL;
}

static bool run_is_there(const struct map_run *r, const struct checkpoint_source *s)
{
    u64 last = r->number + (r->same ? 0 : r->count - 1);

    return r->zero || (r->depth < s->packs.count && last < s->packs.items[r->depth].chunk_count);
}

bool map_read(const char *map, const struct checkpoint_source *s, u64 chunks, u64 *refs,
              struct error *err)
{
    u64 at = 0;

    while (*map) {
        struct map_run r;
        u64 first;

        map = parse_run(map, &r);
        if (!map || r.count > chunks - at || !run_is_there(&r, s))
            return damaged_map(err, "a map is malformed");
        first = r.zero ? CHUNK_ZERO : chunk_ref(r.depth, r.number);
        for (u64 i = 0; refs && i < r.count; i++)
            refs[at + i] = r.same ? first : first + i;
        at += r.count;
    }
    return at == chunks || damaged_map(err, "a map is too short");
}

bool map_count(const char *map, u64 chunks, u64 *ret_zero, u64 *ret_own, u64 *ret_inherited)
{
    u64 counts[3] = {0}, at = 0;

    while (*map) {
        struct map_run r;

        map = parse_run(map, &r);
        if (!map || r.count > chunks - at)
            return false;
        counts[r.zero ? 0 : r.depth ? 2 : 1] += r.count;
        at += r.count;
    }
    *ret_zero = counts[0];
    *ret_own = counts[1];
    *ret_inherited = counts[2];
    return at == chunks;
}

const json_t *memory_find(const json_t *index, const char *name)
{
    return checkpoint_record(json_object_get(index, "memories"), "name", name);
}

bool memory_index_check(const json_t *index, const struct checkpoint_source *s, struct error *err)
{
    const json_t *memories = json_object_get(index, "memories"), *m;
    u64 chunk, frame;
    size_t i;

    if (!json_get_u64(index, "chunk_bytes", &chunk) || chunk != CHUNK_BYTES ||
        !json_get_u64(index, "frame_chunks", &frame) || frame != FRAME_CHUNKS ||
        !json_is_array(memories))
        return damaged_map(err, "a member is missing or wrong");
    json_array_foreach(memories, i, m)
    {
        const char *name = json_get_string(m, "name"), *map = json_get_string(m, "map");
        u64 size;

        if (!name || !map || !json_get_u64(m, "size", &size) ||
            !json_is_boolean(json_object_get(m, "optional")))
            return damaged_map(err, "a memory's entry is wrong");
        if (memory_find(index, name) != m)
            return error_set(err, ERROR_INPUT, "it has the memory '%.80s' twice", name);
        if (!map_read(map, s, chunks_of(size), NULL, err))
            return false;
    }
    return true;
}
