// SPDX-License-Identifier: BSD-3-Clause
// The memory pack of a checkpoint: 64 KiB chunks as zstd frames, one behind the other, equal chunks
// once, zero chunks not at all. memory.json maps memories to chunks:
//
//     {"chunk_bytes": 65536, "chunks": [[frame bytes, bytes, "0xhash of the frame"], …],
//      "memories": [{"name": "pc.ram", "size": "0x…", "map": "0 - 1*3 -*12"}, …]}
//
// In a map, "n" is a chunk's number, "-" a zero chunk, "*k" repeats it k times.
#include "base/bug.h"
#include "base/file.h"
#include "base/hash.h"
#include "sim/checkpoint_priv.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <zstd.h>

enum { COMPRESSION_LEVEL = 1, ZERO_CHUNK = -1, PAGE = 4096 };

bool pack_writer_open(struct pack_writer *p, const char *path, struct error *err)
{
    *p = (struct pack_writer){.path = path};
    p->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (p->fd < 0)
        return error_set_errno(err, "cannot create '%s'", path);
    p->json = json_out_to(&p->memories);
    json_put_array(&p->json);
    p->slot_count = 1024;
    p->slots = xcalloc(p->slot_count, sizeof(p->slots[0]));
    p->compressor = ZSTD_createCCtx();
    p->frame_room = ZSTD_compressBound(CHECKPOINT_CHUNK_BYTES);
    p->frame = xcalloc(p->frame_room, 1);
    return true;
}

void pack_writer_release(struct pack_writer *p)
{
    if (p->frame && p->fd >= 0)
        close(p->fd);
    VEC_RELEASE(&p->chunks);
    free(p->slots);
    free(p->frame);
    ZSTD_freeCCtx(p->compressor);
    strbuf_release(&p->memories);
    *p = (struct pack_writer){.fd = -1};
}

static bool is_zero(const u8 *data, size_t size)
{
    return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

// The slot of an equal chunk, or the empty one where it belongs.
static u32 *find_slot(struct pack_writer *p, const u8 *data, u32 length, u64 hash)
{
    size_t i = hash & (p->slot_count - 1);

    for (; p->slots[i]; i = (i + 1) & (p->slot_count - 1)) {
        const struct pack_chunk *c = &p->chunks.items[p->slots[i] - 1];

        if (c->hash == hash && c->length == length && memcmp(c->source, data, length) == 0)
            break;
    }
    return &p->slots[i];
}

static void grow_slots(struct pack_writer *p)
{
    free(p->slots);
    p->slot_count *= 4;
    p->slots = xcalloc(p->slot_count, sizeof(p->slots[0]));
    for (size_t i = 0; i < p->chunks.count; i++) {
        const struct pack_chunk *c = &p->chunks.items[i];

        *find_slot(p, c->source, c->length, c->hash) = (u32)i + 1;
    }
}

static bool put_chunk(struct pack_writer *p, const u8 *data, u32 length, i64 *ret_number,
                      struct error *err)
{
    u64 hash = hash64(data, length);
    u32 *slot = find_slot(p, data, length, hash);
    struct pack_chunk c = {.source = data, .hash = hash, .at = p->size, .length = length};
    size_t n;

    if (*slot) {
        *ret_number = *slot - 1;
        return true;
    }
    n = ZSTD_compressCCtx(p->compressor, p->frame, p->frame_room, data, length, COMPRESSION_LEVEL);
    if (ZSTD_isError(n))
        return error_set(err, ERROR_HOST, "compression failed: %s", ZSTD_getErrorName(n));
    if (!file_write_fd(p->fd, p->frame, n, p->path, err))
        return false;
    c.frame = (u32)n;
    c.frame_hash = hash64(p->frame, n);
    p->size += n;
    *ret_number = (i64)p->chunks.count;
    VEC_PUSH(&p->chunks, c);
    *slot = (u32)p->chunks.count;
    if (p->chunks.count * 2 > p->slot_count)
        grow_slots(p);
    return true;
}

static void put_run(struct strbuf *map, i64 number, u64 run)
{
    if (!run)
        return;
    if (map->length)
        strbuf_putc(map, ' ');
    if (number == ZERO_CHUNK)
        strbuf_putc(map, '-');
    else
        strbuf_printf(map, "%" PRId64, number);
    if (run > 1)
        strbuf_printf(map, "*%" PRIu64, run);
}

bool pack_writer_add(struct pack_writer *p, const char *name, const u8 *data, u64 size,
                     checkpoint_data_fn *data_from, void *context, struct error *err)
{
    AUTO(strbuf) struct strbuf map = {0};
    u64 run = 0, next = 0; // the first byte that may not be zero, from `at` on
    i64 last = ZERO_CHUNK;

    for (u64 at = 0; at < size; at += CHECKPOINT_CHUNK_BYTES) {
        u32 length = (u32)MIN(size - at, CHECKPOINT_CHUNK_BYTES);
        i64 number = ZERO_CHUNK;

        if (data_from && (next < at || at == 0))
            next = data_from(context, at);
        if (next < at + length && !is_zero(data + at, length) &&
            !put_chunk(p, data + at, length, &number, err))
            return false;
        if (number != last) {
            put_run(&map, last, run);
            last = number;
            run = 0;
        }
        run++;
    }
    put_run(&map, last, run);
    json_put_object(&p->json);
    json_put_key_string(&p->json, "name", name);
    json_put_key_hex(&p->json, "size", size);
    json_put_key_string(&p->json, "map", strbuf_text(&map));
    json_put_end(&p->json);
    return true;
}

bool pack_writer_finish(struct pack_writer *p, struct strbuf *index, struct error *err)
{
    json_put_end(&p->json);
    strbuf_printf(index, "{\n\"chunk_bytes\": %u,\n\"chunks\": [", CHECKPOINT_CHUNK_BYTES);
    for (size_t i = 0; i < p->chunks.count; i++) {
        const struct pack_chunk *c = &p->chunks.items[i];

        strbuf_printf(index, "%s\n[%" PRIu32 ", %" PRIu32 ", \"0x%" PRIx64 "\"]", i ? "," : "",
                      c->frame, c->length, c->frame_hash);
    }
    strbuf_printf(index, "],\n\"memories\": %s}\n", p->memories.text);
    return file_sync(p->fd, p->path, err);
}

static bool damaged(struct error *err, const char *what)
{
    return error_set(err, ERROR_INPUT, "memory.json: %s", what);
}

static bool read_chunk_table(struct pack_reader *p, struct error *err)
{
    const json_t *chunks = json_object_get(p->index, "chunks"), *row;
    u64 bytes, at = 0;
    size_t i;

    if (!json_get_u64(p->index, "chunk_bytes", &bytes) || bytes != CHECKPOINT_CHUNK_BYTES ||
        !json_is_array(chunks) || !json_is_array(json_object_get(p->index, "memories")))
        return damaged(err, "a member is missing or wrong");
    json_array_foreach(chunks, i, row)
    {
        u64 frame, length, hash;
        struct pack_chunk c;

        if (json_array_size(row) != 3 || !json_to_u64(json_array_get(row, 0), &frame) ||
            !json_to_u64(json_array_get(row, 1), &length) ||
            !json_to_u64(json_array_get(row, 2), &hash) || length > CHECKPOINT_CHUNK_BYTES ||
            frame > p->size - at)
            return damaged(err, "a chunk's entry is wrong");
        if (hash64(p->data + at, frame) != hash)
            return error_set(err, ERROR_INPUT, "memory.pack: chunk %zu is damaged", i);
        c = (struct pack_chunk){.hash = hash, .at = at, .frame = (u32)frame, .length = (u32)length};
        VEC_PUSH(&p->chunks, c);
        at += frame;
    }
    if (at != p->size)
        return error_set(err, ERROR_INPUT, "memory.pack: %" PRIu64 " bytes too many", p->size - at);
    return true;
}

bool pack_reader_init(struct pack_reader *p, const u8 *data, u64 size, json_t *index,
                      struct error *err)
{
    *p = (struct pack_reader){.index = index, .data = data, .size = size};
    p->decompressor = ZSTD_createDCtx();
    p->buffer = xcalloc(CHECKPOINT_CHUNK_BYTES, 1);
    return read_chunk_table(p, err);
}

bool pack_reader_open(struct pack_reader *p, const char *path, json_t *index, struct error *err)
{
    AUTO_CLOSE int fd = -1;
    struct stat st;
    void *map = NULL;
    bool ok;

    *p = (struct pack_reader){.index = index};
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_set_errno(err, "cannot open '%s'", path);
    if (st.st_size) {
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED)
            return error_set_errno(err, "cannot map '%s'", path);
    }
    ok = pack_reader_init(p, map, (u64)st.st_size, index, err);
    p->mapped = map;
    return ok;
}

void pack_reader_release(struct pack_reader *p)
{
    if (p->mapped)
        munmap(p->mapped, p->size);
    VEC_RELEASE(&p->chunks);
    json_decref(p->index);
    ZSTD_freeDCtx(p->decompressor);
    free(p->buffer);
    *p = (struct pack_reader){0};
}

static const json_t *find_memory(const struct pack_reader *p, const char *name)
{
    const json_t *memories = json_object_get(p->index, "memories"), *m;
    size_t i;

    json_array_foreach(memories, i, m)
    {
        const char *s = json_get_string(m, "name");

        if (s && strcmp(s, name) == 0)
            return m;
    }
    return NULL;
}

size_t pack_reader_count(const struct pack_reader *p)
{
    return json_array_size(json_object_get(p->index, "memories"));
}

bool pack_reader_size(const struct pack_reader *p, const char *name, u64 *ret_size)
{
    const json_t *m = find_memory(p, name);

    return m && json_get_u64(m, "size", ret_size);
}

// Decompresses one chunk to *data, touching no page that is zero.
static bool read_chunk(struct pack_reader *p, u64 number, u8 *data, u32 length, struct error *err)
{
    const struct pack_chunk *c;
    size_t n;

    if (number >= p->chunks.count || p->chunks.items[number].length != length)
        return damaged(err, "a map names a chunk that does not fit");
    c = &p->chunks.items[number];
    n = ZSTD_decompressDCtx(p->decompressor, p->buffer, length, p->data + c->at, c->frame);
    if (n != length)
        return error_set(err, ERROR_INPUT, "memory.pack: chunk %" PRIu64 " does not decompress",
                         number);
    for (u32 at = 0; at < length; at += PAGE) {
        u32 part = MIN(length - at, (u32)PAGE);

        if (!is_zero(p->buffer + at, part))
            memcpy(data + at, p->buffer + at, part);
    }
    return true;
}

// "n", "-", with "*k"; NULL when it is none.
static const char *parse_run(const char *s, i64 *ret_number, u64 *ret_run)
{
    size_t n = strspn(s, "0123456789");

    *ret_number = ZERO_CHUNK;
    *ret_run = 1;
    if (*s == '-')
        s++;
    else if (n && n < 18)
        *ret_number = (i64)strtoull(s, NULL, 10), s += n;
    else
        return NULL;
    if (*s != '*')
        return s;
    n = strspn(++s, "0123456789");
    if (!n || n > 18)
        return NULL;
    *ret_run = strtoull(s, NULL, 10);
    return s + n;
}

bool pack_reader_read(struct pack_reader *p, const char *name, u8 *data, u64 size,
                      struct error *err)
{
    const json_t *m = find_memory(p, name);
    const char *map;
    u64 saved, at = 0;

    if (!m)
        return error_set(err, ERROR_INPUT, "the memory '%s' is missing", name);
    map = json_get_string(m, "map");
    if (!map || !json_get_u64(m, "size", &saved))
        return damaged(err, "a memory's entry is wrong");
    if (saved != size)
        return error_set(err, ERROR_INPUT,
                         "the memory '%s' has %" PRIu64 " bytes instead of %" PRIu64, name, saved,
                         size);
    while (*map) {
        i64 number;
        u64 run;

        map = parse_run(map, &number, &run);
        if (!map)
            return damaged(err, "a map is malformed");
        for (; run && at < size; run--, at += CHECKPOINT_CHUNK_BYTES) {
            u32 length = (u32)MIN(size - at, CHECKPOINT_CHUNK_BYTES);

            if (number != ZERO_CHUNK && !read_chunk(p, (u64)number, data + at, length, err))
                return false;
        }
        if (run || (*map && *map++ != ' '))
            return damaged(err, "a map is malformed");
    }
    if (at < size)
        return damaged(err, "a map is too short");
    p->used++;
    return true;
}
