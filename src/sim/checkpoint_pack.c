// SPDX-License-Identifier: BSD-3-Clause
// The writer of a checkpoint's memory. A memory is cut into chunks; zero ones are left out, those
// that the pack or an ancestor's pack has already are referred to (by XXH3's 128 bits: a guest that
// makes them collide on purpose cheats nobody but itself), new ones are numbered in the order of
// their first appearance. Sixteen new chunks make a frame of zstd. Hashing and compression run on
// several threads, numbering and writing in order: the bytes do not depend on the threads.
#include "base/bug.h"
#include "base/file.h"
#include "sim/checkpoint_priv.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <zstd.h>

enum { COMPRESSION_LEVEL = 3, SYNC_BYTES = 8 << 20 };

bool pack_writer_open(struct pack_writer *p, const char *path,
                      const struct checkpoint_source *parent, unsigned threads, struct error *err)
{
    *p = (struct pack_writer){.path = path, .parent = parent};
    p->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (p->fd < 0)
        return error_set_errno(err, "cannot create '%s'", path);
    p->threads = MIN(threads ? threads : parallel_threads(), PARALLEL_MAX);
    p->frame_slots = p->threads * 3;
    p->json = json_out_to(&p->memories);
    json_put_array(&p->json);
    p->tail = xcalloc(FRAME_BYTES, 1);
    p->slot_count = 1024;
    p->slots = xcalloc(p->slot_count, sizeof(p->slots[0]));
    return true;
}

void pack_writer_release(struct pack_writer *p)
{
    if (p->tail && p->fd >= 0)
        close(p->fd);
    for (unsigned i = 0; i < ARRAY_SIZE(p->workers); i++) {
        ZSTD_freeCCtx(p->workers[i].compressor);
        free(p->workers[i].content);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(p->frame); i++)
        free(p->frame[i].bytes);
    VEC_RELEASE(&p->frames);
    VEC_RELEASE(&p->hashes);
    VEC_RELEASE(&p->queue);
    free(p->slots);
    free(p->tail);
    strbuf_release(&p->memories);
    *p = (struct pack_writer){.fd = -1};
}

// ---- which chunks there are already ----

static struct hash128 hash_of(const struct pack_writer *p, u64 ref)
{
    if (chunk_depth(ref))
        return p->parent->packs.items[chunk_depth(ref) - 1].hashes[chunk_number(ref)];
    return p->hashes.items[chunk_number(ref)];
}

// The slot of a chunk, or the empty one where it belongs.
static u64 *find_slot(const struct pack_writer *p, struct hash128 hash)
{
    size_t i = hash.low & (p->slot_count - 1);

    while (p->slots[i] && !hash128_equal(hash_of(p, p->slots[i] - 1), hash))
        i = (i + 1) & (p->slot_count - 1);
    return &p->slots[i];
}

static void remember(struct pack_writer *p, u64 *slot, u64 ref)
{
    u64 *old = p->slots;
    size_t count = p->slot_count;

    *slot = ref + 1;
    if (++p->used * 2 < p->slot_count)
        return;
    p->slot_count *= 4;
    p->slots = xcalloc(p->slot_count, sizeof(p->slots[0]));
    for (size_t i = 0; i < count; i++)
        if (old[i])
            *find_slot(p, hash_of(p, old[i] - 1)) = old[i];
    free(old);
}

// What the ancestors have, the nearest first.
static void remember_ancestors(struct pack_writer *p)
{
    for (u64 depth = 1; p->parent && depth <= p->parent->packs.count; depth++) {
        const struct pack *pack = &p->parent->packs.items[depth - 1];

        for (u64 i = 0; i < pack->chunk_count; i++) {
            u64 *slot = find_slot(p, pack->hashes[i]);

            if (!*slot)
                remember(p, slot, chunk_ref(depth, i));
        }
    }
}

static u64 refer(struct pack_writer *p, struct hash128 hash, const u8 *data, u32 length)
{
    u64 *slot = find_slot(p, hash);
    u64 ref = chunk_ref(0, p->hashes.count);

    if (*slot)
        return *slot - 1;
    VEC_PUSH(&p->hashes, hash);
    VEC_PUSH(&p->queue, (struct waiting_chunk){data, length});
    remember(p, slot, ref);
    return ref;
}

// ---- frames ----

static bool compress_frame(void *context, u64 i, unsigned worker)
{
    struct pack_writer *p = context;
    struct pack_worker *w = &p->workers[worker];
    struct pack_slot *slot = &p->frame[i % p->frame_slots];
    size_t room = ZSTD_compressBound(FRAME_BYTES), size;
    u64 first = i * FRAME_CHUNKS, count = MIN(p->queue.count - first, FRAME_CHUNKS);

    if (!w->compressor) {
        w->compressor = ZSTD_createCCtx();
        w->content = xcalloc(FRAME_BYTES, 1);
    }
    if (!slot->bytes)
        slot->bytes = xcalloc(room, 1);
    for (u64 k = 0; k < count; k++) {
        const struct waiting_chunk *c = &p->queue.items[first + k];
        u8 *to = w->content + k * CHUNK_BYTES;

        memcpy(to, c->data, c->length);
        memset(to + c->length, 0, CHUNK_BYTES - c->length);
    }
    size = ZSTD_compressCCtx(w->compressor, slot->bytes, room, w->content, count * CHUNK_BYTES,
                             COMPRESSION_LEVEL);
    if (ZSTD_isError(size))
        return error_set(&w->error, ERROR_HOST, "compression failed: %s", ZSTD_getErrorName(size));
    slot->size = size;
    slot->hash = hash64(slot->bytes, size);
    return true;
}

static bool write_frame(void *context, u64 i)
{
    struct pack_writer *p = context;
    const struct pack_slot *slot = &p->frame[i % p->frame_slots];
    struct pack_frame f = {p->size, slot->size, slot->hash};

    if (!file_write_fd(p->fd, slot->bytes, slot->size, p->path, &p->error))
        return false;
    VEC_PUSH(&p->frames, f);
    p->size += slot->size;
    // The disk works meanwhile; advice only.
    if (p->size - p->syncing >= SYNC_BYTES) {
        (void)sync_file_range(p->fd, (off_t)p->syncing, (off_t)(p->size - p->syncing),
                              SYNC_FILE_RANGE_WRITE);
        p->syncing = p->size;
    }
    return true;
}

static bool write_frames(struct pack_writer *p, u64 count, struct error *err)
{
    if (parallel_in_order(count, p->threads, p->frame_slots, compress_frame, write_frame, p))
        return true;
    *err = p->error;
    for (unsigned i = 0; err->code == ERROR_NONE && i < p->threads; i++)
        *err = p->workers[i].error;
    return false;
}

// Writes the full frames; what is left moves to the tail, because the data is only borrowed.
static bool flush(struct pack_writer *p, struct error *err)
{
    u64 full = p->queue.count / FRAME_CHUNKS, left = p->queue.count % FRAME_CHUNKS;
    struct waiting_chunk *rest = p->queue.items + full * FRAME_CHUNKS;

    if (full && !write_frames(p, full, err))
        return false;
    for (u64 i = 0; i < left; i++) {
        u8 *to = p->tail + i * CHUNK_BYTES;

        // What is in the tail already is at its place: then no frame was full.
        if (rest[i].data != to)
            memcpy(to, rest[i].data, rest[i].length);
        p->queue.items[i] = (struct waiting_chunk){to, rest[i].length};
    }
    p->queue.count = left;
    return true;
}

// ---- memories ----

bool chunk_is_zero(const u8 *data, size_t size)
{
    return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

u64 chunks_of(u64 size)
{
    return size / CHUNK_BYTES + (size % CHUNK_BYTES != 0);
}

struct candidate {
    u64 number; // of the chunk in the memory
    struct hash128 hash;
    bool zero;
};

struct scan {
    const u8 *data;
    u64 size;
    VEC(struct candidate) candidates;
};

static u32 length_at(u64 size, u64 number)
{
    return (u32)MIN(size - number * CHUNK_BYTES, CHUNK_BYTES);
}

static void find_candidates(struct scan *s, checkpoint_data_fn *data_from, void *context)
{
    u64 at = 0;

    while (at < s->size) {
        u64 next = data_from ? data_from(context, at) : at;

        if (next >= s->size)
            return;
        at = next - next % CHUNK_BYTES;
        VEC_PUSH(&s->candidates, (struct candidate){.number = at / CHUNK_BYTES});
        at += length_at(s->size, at / CHUNK_BYTES);
    }
}

enum { CANDIDATES_AT_ONCE = 16 };

// The hash of a chunk is of its padded bytes, so that equal chunks are equal wherever they are.
static struct hash128 hash_padded(const u8 *data, u32 length)
{
    struct hash128 h;
    u8 *copy;

    if (length == CHUNK_BYTES)
        return hash128(data, CHUNK_BYTES);
    copy = xcalloc(CHUNK_BYTES, 1);
    memcpy(copy, data, length);
    h = hash128(copy, CHUNK_BYTES);
    free(copy);
    return h;
}

static bool scan_some(void *context, u64 i, unsigned worker)
{
    struct scan *s = context;
    u64 end = MIN((i + 1) * CANDIDATES_AT_ONCE, s->candidates.count);

    for (u64 k = i * CANDIDATES_AT_ONCE; k < end; k++) {
        struct candidate *c = &s->candidates.items[k];
        const u8 *data = s->data + c->number * CHUNK_BYTES;
        u32 length = length_at(s->size, c->number);

        c->zero = chunk_is_zero(data, length);
        if (!c->zero)
            c->hash = hash_padded(data, length);
    }
    return true;
}

// A run of a map: `count` chunks, the same one or one after the other.
struct run {
    struct strbuf *out;
    u64 first, count;
    bool same;
};

static void put_run(struct run *r)
{
    if (!r->count)
        return;
    if (r->out->length)
        strbuf_putc(r->out, ' ');
    if (r->first == CHUNK_ZERO)
        strbuf_putc(r->out, '-');
    else if (chunk_depth(r->first))
        strbuf_printf(r->out, "%" PRIu32 ":%" PRIu32, chunk_depth(r->first),
                      chunk_number(r->first));
    else
        strbuf_printf(r->out, "%" PRIu32, chunk_number(r->first));
    if (r->count > 1 && r->same)
        strbuf_printf(r->out, "*%" PRIu64, r->count);
    else if (r->count > 1)
        strbuf_printf(r->out, "+%" PRIu64, r->count - 1);
    r->count = 0;
}

static void put_chunks(struct run *r, u64 ref, u64 count)
{
    bool zero = ref == CHUNK_ZERO, more;

    if (!count)
        return;
    if (r->count == 1 && !zero && r->first != CHUNK_ZERO)
        r->same = ref == r->first;
    more = r->count && (r->same ? ref == r->first : !zero && ref == r->first + r->count);
    if (!more) {
        put_run(r);
        r->first = ref;
        r->same = zero;
    }
    r->count += count;
}

bool pack_writer_add(struct pack_writer *p, const char *name, const u8 *data, u64 size,
                     bool optional, checkpoint_data_fn *data_from, void *context, struct error *err)
{
    struct scan s = {.data = data, .size = size};
    AUTO(strbuf) struct strbuf map = {0};
    struct run run = {.out = &map};
    u64 at = 0;

    if (!p->used)
        remember_ancestors(p);
    find_candidates(&s, data_from, context);
    (void)parallel_for((s.candidates.count + CANDIDATES_AT_ONCE - 1) / CANDIDATES_AT_ONCE,
                       p->threads, scan_some, &s);
    for (size_t i = 0; i < s.candidates.count; i++) {
        const struct candidate *c = &s.candidates.items[i];
        const u8 *from = data + c->number * CHUNK_BYTES;
        u64 ref = CHUNK_ZERO;

        put_chunks(&run, CHUNK_ZERO, c->number - at);
        if (!c->zero)
            ref = refer(p, c->hash, from, length_at(size, c->number));
        put_chunks(&run, ref, 1);
        at = c->number + 1;
    }
    put_chunks(&run, CHUNK_ZERO, chunks_of(size) - at);
    put_run(&run);
    VEC_RELEASE(&s.candidates);
    json_put_object(&p->json);
    json_put_key_string(&p->json, "name", name);
    json_put_key_hex(&p->json, "size", size);
    json_put_key(&p->json, "optional");
    json_put_bool(&p->json, optional);
    json_put_key_string(&p->json, "map", strbuf_text(&map));
    json_put_end(&p->json);
    return flush(p, err);
}

bool pack_writer_finish(struct pack_writer *p, struct strbuf *json, struct strbuf *index,
                        struct error *err)
{
    struct json_out j = json_out_to(json);

    if (p->queue.count && !write_frames(p, 1, err))
        return false;
    json_put_end(&p->json);
    json_put_object(&j);
    json_put_key_u64(&j, "chunk_bytes", CHUNK_BYTES);
    json_put_key_u64(&j, "frame_chunks", FRAME_CHUNKS);
    json_put_key(&j, "memories");
    json_put_raw(&j, strbuf_text(&p->memories));
    json_put_end(&j);
    for (size_t i = 0; i < p->frames.count; i++) {
        u64 words[2] = {p->frames.items[i].bytes, p->frames.items[i].hash};

        strbuf_add(index, words, sizeof(words));
    }
    if (p->hashes.count)
        strbuf_add(index, p->hashes.items, p->hashes.count * sizeof(p->hashes.items[0]));
    return file_sync(p->fd, p->path, err);
}
