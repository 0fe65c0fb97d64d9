// SPDX-License-Identifier: BSD-3-Clause
#include "image/compress.h"

#include "base/alloc.h"
#include "base/bug.h"

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
