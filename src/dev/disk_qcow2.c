// SPDX-License-Identifier: BSD-3-Clause
// qcow2 images, versions 2 and 3, for reading, after QEMU's docs/interop/qcow2.txt ("Cluster
// mapping"): two levels of tables, zero clusters, compressed clusters (zlib, zstd), backing files.
// What a table names is checked when it is used; what is wrong makes the read fail. Nothing is
// allocated after opening.
#include "dev/disk_priv.h"

#include "base/alloc.h"

#include <ctype.h>
#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum {
    PIECE = 4096, // tables are cached in pieces of the file
    PIECES = 64,
    PLAIN_MAX = 16,        // decompressed clusters kept,
    PLAIN_BYTES = 1 << 20, // of together as many bytes
    ZLIB_POOL = 1 << 16,   // inflate's state and window need 40 KiB
};

#define ENTRY_OFFSET 0x00fffffffffffe00u
#define L1_RESERVED 0x7f000000000001ffu
#define L2_RESERVED 0x3f000000000001feu
#define L2_ZERO 1u
#define L2_COMPRESSED (1ull << 62)

struct qcow2 {
    struct disk_image image; // first
    struct qcow2_header h;
    struct disk_image *backing; // owned
    u64 cluster;
    u8 *pieces;           // PIECES of PIECE bytes
    u64 at[PIECES];       // which piece of the file is there, plus one
    u8 *packed;           // a cluster's compressed bytes
    u8 *plain;            // plain_count decompressed clusters
    u64 entry[PLAIN_MAX]; // the L2 entry each is of; 0: none
    unsigned plain_count, plain_next;
    z_stream zlib;
    u8 *pool; // memory of zlib
    size_t pool_used;
    ZSTD_DCtx *zstd; // owned
};

static struct qcow2 *qcow2_of(struct disk_image *i)
{
    return CONTAINER_OF(i, struct qcow2, image);
}

static bool bad(const struct qcow2 *q, u64 offset, struct error *err, const char *what)
{
    return error_set(err, ERROR_INPUT, "'%s': at 0x%llx of the disk: %s", q->image.path,
                     (unsigned long long)offset, what);
}

// An entry of a table. `at` is a multiple of 8 in the file.
static bool table_entry(struct qcow2 *q, u64 at, u64 *ret_entry, struct error *err)
{
    u64 piece = at / PIECE, slot = piece % PIECES;
    u8 *bytes = q->pieces + slot * PIECE;

    if (q->at[slot] != piece + 1) {
        q->at[slot] = 0;
        if (!disk_file_read(&q->image, piece * PIECE, bytes, PIECE, err))
            return false;
        q->at[slot] = piece + 1;
    }
    memcpy(ret_entry, bytes + at % PIECE, sizeof(*ret_entry));
    *ret_entry = be64toh(*ret_entry);
    return true;
}

// The L2 entry of the cluster at `offset` of the disk; 0 when there is no table.
static bool cluster_entry(struct qcow2 *q, u64 offset, u64 *ret_entry, struct error *err)
{
    u64 number = offset >> q->h.cluster_bits, in_l2 = q->cluster / 8, l1, table;

    if (!table_entry(q, q->h.l1_at + number / in_l2 * 8, &l1, err))
        return false;
    table = l1 & ENTRY_OFFSET;
    if (l1 & L1_RESERVED)
        return bad(q, offset, err, "reserved bits are set in the L1 entry");
    if (!table) {
        *ret_entry = 0;
        return true;
    }
    if (table % q->cluster || table >= q->image.file_bytes ||
        q->cluster > q->image.file_bytes - table)
        return bad(q, offset, err, "the L2 table is unaligned or beyond the end of the file");
    return table_entry(q, table + number % in_l2 * 8, ret_entry, err);
}

// zlib gets its memory once, from a pool: it keeps it until the end.
static voidpf pool_alloc(voidpf opaque, uInt items, uInt size)
{
    struct qcow2 *q = opaque;
    size_t bytes = ((size_t)items * size + 15) & ~(size_t)15;
    u8 *p = q->pool + q->pool_used;

    if (bytes > ZLIB_POOL - q->pool_used)
        return Z_NULL;
    q->pool_used += bytes;
    return p;
}

static void pool_free(voidpf opaque, voidpf address)
{
}

static bool unpack_zlib(struct qcow2 *q, size_t packed, u8 *plain)
{
    if (inflateReset(&q->zlib) != Z_OK)
        return false;
    q->zlib.next_in = q->packed;
    q->zlib.avail_in = (uInt)packed;
    q->zlib.next_out = plain;
    q->zlib.avail_out = (uInt)q->cluster;
    inflate(&q->zlib, Z_FINISH);
    // What fills the cluster is all there is, even when the end of the stream is missing.
    return q->zlib.avail_out == 0;
}

// A cluster may be several frames, and padding follows.
static bool unpack_zstd(struct qcow2 *q, size_t packed, u8 *plain)
{
    size_t in = 0, out = 0;

    while (out < q->cluster) {
        size_t frame = ZSTD_findFrameCompressedSize(q->packed + in, packed - in), n;

        if (ZSTD_isError(frame) || frame == 0)
            return false;
        n = ZSTD_decompressDCtx(q->zstd, plain + out, q->cluster - out, q->packed + in, frame);
        if (ZSTD_isError(n))
            return false;
        in += frame;
        out += n;
    }
    return true;
}

// The cluster that a compressed entry describes, decompressed; NULL and *err.
static const u8 *unpack(struct qcow2 *q, u64 offset, u64 entry, struct error *err)
{
    unsigned split = 62 - (q->h.cluster_bits - 8);
    u64 at = entry & ((1ull << split) - 1), sectors = (entry & (L2_COMPRESSED - 1)) >> split;
    u64 packed = (sectors + 1) * 512 - at % 512;
    u8 *plain;

    for (unsigned k = 0; k < q->plain_count; k++)
        if (q->entry[k] == entry)
            return q->plain + k * q->cluster;
    if (at >= q->image.file_bytes) {
        bad(q, offset, err, "the compressed cluster is beyond the end of the file");
        return NULL;
    }
    packed = MIN(packed, q->image.file_bytes - at);
    if (!disk_file_read(&q->image, at, q->packed, packed, err))
        return NULL;
    q->plain_next = (q->plain_next + 1) % q->plain_count;
    plain = q->plain + q->plain_next * q->cluster;
    q->entry[q->plain_next] = 0;
    if (!(q->h.compression == QCOW2_ZSTD ? unpack_zstd : unpack_zlib)(q, packed, plain)) {
        bad(q, offset, err, "the compressed cluster is damaged");
        return NULL;
    }
    q->entry[q->plain_next] = entry;
    return plain;
}

static bool read_unallocated(struct qcow2 *q, u64 offset, u8 *data, u64 size, struct error *err)
{
    if (q->backing)
        return disk_image_read(q->backing, offset, data, size, err);
    memset(data, 0, size);
    return true;
}

// Within one cluster.
static bool read_part(struct qcow2 *q, u64 offset, u8 *data, u64 size, struct error *err)
{
    u64 entry, at, inside = offset & (q->cluster - 1);

    if (!cluster_entry(q, offset, &entry, err))
        return false;
    if (entry & L2_COMPRESSED) {
        const u8 *plain = unpack(q, offset, entry & ~(1ull << 63), err);

        if (plain)
            memcpy(data, plain + inside, size);
        return plain != NULL;
    }
    at = entry & ENTRY_OFFSET;
    if (entry & (q->h.version == 2 ? L2_RESERVED | L2_ZERO : L2_RESERVED))
        return bad(q, offset, err, "reserved bits are set in the L2 entry");
    if (entry & L2_ZERO) {
        memset(data, 0, size);
        return true;
    }
    if (!at)
        return read_unallocated(q, offset, data, size, err);
    if (at % q->cluster || at >= q->image.file_bytes)
        return bad(q, offset, err, "the cluster is unaligned or beyond the end of the file");
    return disk_file_read(&q->image, at + inside, data, size, err);
}

static bool qcow2_read(struct disk_image *i, u64 offset, void *data, u64 size, struct error *err)
{
    struct qcow2 *q = qcow2_of(i);
    u8 *to = data;

    while (size) {
        u64 n = MIN(size, q->cluster - (offset & (q->cluster - 1)));

        if (!read_part(q, offset, to, n, err))
            return false;
        to += n;
        offset += n;
        size -= n;
    }
    return true;
}

static void qcow2_release(struct disk_image *i)
{
    struct qcow2 *q = qcow2_of(i);

    disk_image_release(q->backing);
    q->backing = NULL;
    if (q->zlib.state)
        inflateEnd(&q->zlib);
    ZSTD_freeDCtx(q->zstd);
    q->zstd = NULL;
}

static const struct disk_image_ops qcow2_ops = {.read = qcow2_read, .release = qcow2_release};

// "json:…", "nbd://…", "https:…": not names of files.
static bool is_protocol(const char *name)
{
    size_t n = 0;

    while (isalnum((unsigned char)name[n]) || strchr("+-._", name[n] ? name[n] : '/'))
        n++;
    return name[n] == ':';
}

static bool leaves_folder(const char *name)
{
    if (name[0] == '/')
        return true;
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += part[0] == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return true;
    }
    return false;
}

static bool open_backing(struct qcow2 *q, const struct disk_open *how, struct error *err)
{
    const char *name = q->h.backing, *slash = strrchr(q->image.path, '/');
    int folder = slash && name[0] != '/' ? (int)(slash + 1 - q->image.path) : 0;
    AUTO_FREE char *path = xasprintf("%.*s%s", folder, q->image.path, name);
    struct disk_open next = *how;

    if (!q->h.has_backing)
        return true;
    if (how->backing == DISK_BACKING_NONE)
        return error_set(err, ERROR_INPUT, "it has a backing file, '%.200s', and may have none",
                         name);
    if (is_protocol(name))
        return error_set(err, ERROR_INPUT, "its backing '%.200s' is no file", name);
    if (how->backing == DISK_BACKING_BESIDE && leaves_folder(name))
        return error_set(err, ERROR_INPUT,
                         "its backing file '%.200s' is not in the image's folder "
                         "(backing=anywhere allows it)",
                         name);
    next.depth++;
    q->backing = disk_image_open(path, q->h.backing_format, &next, err);
    return q->backing || error_wrap(err, "its backing file");
}

static bool read_header(struct qcow2 *q, struct error *err)
{
    AUTO_FREE u8 *head = xcalloc(QCOW2_HEAD_MAX, 1);
    u64 size = MIN(q->image.file_bytes, QCOW2_HEAD_MAX);

    return disk_file_read(&q->image, 0, head, size, err) &&
           qcow2_parse(head, size, q->image.file_bytes, &q->h, err);
}

static bool prepare(struct qcow2 *q, struct arena *arena, struct error *err)
{
    q->image.size = q->h.size;
    q->cluster = 1ull << q->h.cluster_bits;
    q->plain_count = (unsigned)MAX(1, MIN(PLAIN_MAX, PLAIN_BYTES / q->cluster));
    q->pieces = arena_array(arena, PIECES, PIECE);
    q->plain = arena_array(arena, q->plain_count, q->cluster);
    // The count of sectors has cluster_bits - 8 bits: twice the cluster.
    q->packed = arena_alloc(arena, 2 * q->cluster);
    q->pool = arena_alloc(arena, ZLIB_POOL);
    q->zlib = (z_stream){.zalloc = pool_alloc, .zfree = pool_free, .opaque = q};
    q->zstd = ZSTD_createDCtx();
    // Without a zlib header; QEMU's window has 2^12 bytes, others' may have more.
    if (inflateInit2(&q->zlib, -MAX_WBITS) != Z_OK || !q->zstd)
        return error_set(err, ERROR_RESOURCE, "cannot prepare decompression");
    return true;
}

struct disk_image *disk_qcow2_open(const char *path, const struct disk_open *how, struct error *err)
{
    struct qcow2 *q = arena_alloc(how->arena, sizeof(*q));

    q->image = (struct disk_image){.ops = &qcow2_ops, .fd = -1};
    if (disk_file_open(&q->image, path, how, err)) {
        if (read_header(q, err) && prepare(q, how->arena, err) && open_backing(q, how, err))
            return &q->image;
        error_wrap(err, "'%s'", path);
    }
    disk_image_release(&q->image);
    return NULL;
}
