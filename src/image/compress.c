// SPDX-License-Identifier: BSD-3-Clause
#include "image/compress.h"

#include "base/alloc.h"
#include "base/bug.h"

#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum {
    GZIP_WINDOW_BITS = 15 + 16, // + 16: with gzip's header
    GZIP_MEMORY_LEVEL = 9,
    ZSTD_LEVEL = 15, // a window of 4 MiB: Linux takes up to 128 MiB
};

bool compression_parse(const char *name, enum compression *ret_kind, struct error *err)
{
    static const char *const names[] = {"none", "gzip", "zstd"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret_kind = (enum compression)i;
            return true;
        }
    }
    return error_set(err, ERROR_USAGE, "'%s' is no compression: none, gzip or zstd", name);
}

enum compression compression_of_name(const char *file)
{
    const char *dot = strrchr(file, '.');

    if (dot && strcmp(dot, ".gz") == 0)
        return COMPRESSION_GZIP;
    return dot && strcmp(dot, ".zst") == 0 ? COMPRESSION_ZSTD : COMPRESSION_NONE;
}

static bool compress_gzip(const struct strbuf *from, struct strbuf *out, struct error *err)
{
    // zlib writes the header without a name and with time 0.
    z_stream z = {0};
    size_t room;
    AUTO_FREE char *buffer = NULL;
    int result;

    if (from->length >= GiB(3))
        return error_set(err, ERROR_INPUT, "more than 3 GiB cannot be compressed with gzip");
    if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return error_set(err, ERROR_RESOURCE, "zlib cannot be started");
    room = deflateBound(&z, from->length);
    buffer = xcalloc(1, room);
    z.next_in = (Bytef *)strbuf_text(from);
    z.avail_in = (uInt)from->length;
    z.next_out = (Bytef *)buffer;
    z.avail_out = (uInt)room;
    result = deflate(&z, Z_FINISH);
    ASSERT(result == Z_STREAM_END);
    strbuf_add(out, buffer, z.total_out);
    deflateEnd(&z);
    return true;
}

static bool compress_zstd(const struct strbuf *from, struct strbuf *out, struct error *err)
{
    size_t room = ZSTD_compressBound(from->length), size;
    AUTO_FREE char *buffer = xcalloc(1, room);

    size = ZSTD_compress(buffer, room, strbuf_text(from), from->length, ZSTD_LEVEL);
    if (ZSTD_isError(size))
        return error_set(err, ERROR_RESOURCE, "zstd: %s", ZSTD_getErrorName(size));
    strbuf_add(out, buffer, size);
    return true;
}

bool compression_apply(enum compression kind, const struct strbuf *from, struct strbuf *out,
                       struct error *err)
{
    switch (kind) {
    case COMPRESSION_NONE:
        strbuf_add(out, strbuf_text(from), from->length);
        return true;
    case COMPRESSION_GZIP:
        return compress_gzip(from, out, err);
    case COMPRESSION_ZSTD:
        return compress_zstd(from, out, err);
    }
    BUG("compression %d", (int)kind);
}

// ---- back

enum { PIECE_BYTES = 1 << 16 };

// Takes a piece of what comes out; false: that is too much.
static bool take(struct strbuf *out, const u8 *piece, size_t size, u64 max)
{
    strbuf_add(out, (const char *)piece, size);
    return out->length <= max;
}

static bool undo_gzip(const struct strbuf *from, u64 max, struct strbuf *out)
{
    z_stream z = {.next_in = (Bytef *)strbuf_text(from), .avail_in = (uInt)from->length};
    int result = inflateInit2(&z, GZIP_WINDOW_BITS);
    u8 piece[PIECE_BYTES];

    while (result == Z_OK) {
        z.next_out = piece;
        z.avail_out = sizeof(piece);
        result = inflate(&z, Z_NO_FLUSH);
        if (!take(out, piece, sizeof(piece) - z.avail_out, max))
            result = Z_MEM_ERROR;
    }
    inflateEnd(&z);
    return result == Z_STREAM_END;
}

static bool undo_xz(const struct strbuf *from, u64 max, struct strbuf *out)
{
    lzma_stream z = LZMA_STREAM_INIT;
    lzma_ret result = lzma_stream_decoder(&z, max + MiB(64), 0);
    u8 piece[PIECE_BYTES];

    z.next_in = (const u8 *)strbuf_text(from);
    z.avail_in = from->length;
    while (result == LZMA_OK) {
        z.next_out = piece;
        z.avail_out = sizeof(piece);
        result = lzma_code(&z, LZMA_FINISH);
        if (!take(out, piece, sizeof(piece) - z.avail_out, max))
            result = LZMA_MEM_ERROR;
    }
    lzma_end(&z);
    return result == LZMA_STREAM_END;
}

static bool undo_zstd(const struct strbuf *from, u64 max, struct strbuf *out)
{
    ZSTD_inBuffer in = {strbuf_text(from), from->length, 0};
    ZSTD_DStream *z = ZSTD_createDStream();
    size_t left = ZSTD_initDStream(z);
    u8 piece[PIECE_BYTES];
    bool more = true;

    while (more && !ZSTD_isError(left)) {
        ZSTD_outBuffer to = {piece, sizeof(piece), 0};

        left = ZSTD_decompressStream(z, &to, &in);
        more = left && (to.pos || in.pos < in.size) && take(out, piece, to.pos, max);
        if (!left && !take(out, piece, to.pos, max))
            left = 1;
    }
    ZSTD_freeDStream(z);
    return left == 0;
}

bool compression_undo(const struct strbuf *from, u64 max, struct strbuf *out, struct error *err)
{
    static const struct {
        const char *name, *magic;
        size_t length;
        bool (*undo)(const struct strbuf *from, u64 max, struct strbuf *out);
    } kinds[] = {
        {"gzip", "\x1f\x8b", 2, undo_gzip},
        {"xz", "\xfd\x37zXZ", 6, undo_xz},
        {"zstd", "\x28\xb5\x2f\xfd", 4, undo_zstd},
    };

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (from->length < kinds[i].length ||
            memcmp(strbuf_text(from), kinds[i].magic, kinds[i].length) != 0)
            continue;
        return kinds[i].undo(from, max, out) ||
               error_set(err, ERROR_INPUT, "what %s compressed is damaged, or too large",
                         kinds[i].name);
    }
    return error_set(err, ERROR_INPUT, "it is compressed neither with gzip nor with xz or zstd");
}
