// SPDX-License-Identifier: BSD-3-Clause
// The compressions of Linux kernels: gzip (RFC 1952), xz and lzma (liblzma), zstd (RFC 8878), lz4
// (its legacy frame: blocks of at most 8 MiB, each behind its length).
#include "os/boot/boot_priv.h"

#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

// A stripped kernel has some dozen MiB; more is an attempt to fill the host's memory.
#define RESULT_MAX MiB(256)
#define LZ4_BLOCK_MAX MiB(8)
#define LZ4_MAGIC 0x184c2102u

struct span {
    const u8 *data;
    u64 size;
};

// Each: exactly out->size bytes come out of `in`. False: they do not.
static bool inflate_gzip(struct span in, u8 *out, u64 size)
{
    z_stream z = {.next_in = (u8 *)(uintptr_t)in.data,
                  .avail_in = (uInt)in.size,
                  .next_out = out,
                  .avail_out = (uInt)size};
    int result;

    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
        return false;
    result = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    return result == Z_STREAM_END && z.avail_out == 0;
}

static bool run_lzma(lzma_stream *z, lzma_ret result, struct span in, u8 *out, u64 size)
{
    bool whole;

    z->next_in = in.data;
    z->avail_in = in.size;
    z->next_out = out;
    z->avail_out = size;
    while (result == LZMA_OK)
        result = lzma_code(z, LZMA_FINISH);
    whole = result == LZMA_STREAM_END && z->avail_out == 0;
    lzma_end(z);
    return whole;
}

static bool unpack_xz(struct span in, u8 *out, u64 size)
{
    lzma_stream z = LZMA_STREAM_INIT;

    return run_lzma(&z, lzma_stream_decoder(&z, RESULT_MAX, 0), in, out, size);
}

static bool unpack_lzma(struct span in, u8 *out, u64 size)
{
    lzma_stream z = LZMA_STREAM_INIT;

    return run_lzma(&z, lzma_alone_decoder(&z, RESULT_MAX), in, out, size);
}

static bool unpack_zstd(struct span in, u8 *out, u64 size)
{
    return ZSTD_decompress(out, size, in.data, in.size) == size;
}

static bool unpack_lz4(struct span in, u8 *out, u64 size)
{
    u64 at = 0, done = 0;

    while (in.size - at >= 4) {
        u32 length = boot_get32(in.data + at);
        int n;

        at += 4;
        if (length == LZ4_MAGIC)
            continue;
        if (length > in.size - at)
            return false;
        n = LZ4_decompress_safe((const char *)in.data + at, (char *)out + done, (int)length,
                                (int)MIN(size - done, LZ4_BLOCK_MAX));
        if (n < 0)
            return false;
        at += length;
        done += (u64)n;
    }
    return at == in.size && done == size;
}

static const struct compression {
    const char *name;
    const char *magic;
    u32 magic_bytes;
    bool (*unpack)(struct span in, u8 *out, u64 size); // NULL: not supported
} compressions[] = {
    {"gzip", "\x1f\x8b\x08", 3, inflate_gzip},
    {"xz",
     "\xfd"
     "7zXZ\0",
     6, unpack_xz},
    {"zstd", "\x28\xb5\x2f\xfd", 4, unpack_zstd},
    {"lz4", "\x02\x21\x4c\x18", 4, unpack_lz4},
    {"lzma", "\x5d\x00\x00", 3, unpack_lzma},
    {"bzip2", "BZh", 3, NULL},
    {"lzo", "\x89LZO", 4, NULL},
};

static const struct compression *find(const u8 *data, u64 size)
{
    for (size_t i = 0; i < ARRAY_SIZE(compressions); i++) {
        const struct compression *c = &compressions[i];

        if (size >= c->magic_bytes && memcmp(data, c->magic, c->magic_bytes) == 0)
            return c;
    }
    return NULL;
}

const char *boot_compression_name(const u8 *data, u64 size)
{
    const struct compression *c = find(data, size);

    return c ? c->name : NULL;
}

bool boot_decompress(const u8 *payload, u64 size, u8 **ret_bytes, u64 *ret_size, struct error *err)
{
    const struct compression *c = find(payload, size);
    u64 result_bytes;
    u8 *bytes;

    if (!c || size < 8)
        return error_set(err, ERROR_INPUT, "corrupt: not compressed in a known way");
    if (!c->unpack)
        return error_set(err, ERROR_INPUT,
                         "compressed with %s, which is not supported; give the vmlinux inside",
                         c->name);
    result_bytes = boot_get32(payload + size - 4);
    if (result_bytes == 0 || result_bytes > RESULT_MAX)
        return error_set(err, ERROR_INPUT, "corrupt: claims to have %llu bytes when decompressed",
                         (unsigned long long)result_bytes);
    bytes = malloc(result_bytes);
    if (!bytes)
        return error_set(err, ERROR_RESOURCE, "no memory to decompress %llu MiB",
                         (unsigned long long)result_bytes >> 20);
    // gzip's own format ends with the size.
    size -= c->unpack == inflate_gzip ? 0 : 4;
    if (!c->unpack((struct span){payload, size}, bytes, result_bytes)) {
        free(bytes);
        return error_set(err, ERROR_INPUT, "corrupt: its %s data cannot be decompressed", c->name);
    }
    *ret_bytes = bytes;
    *ret_size = result_bytes;
    return true;
}
