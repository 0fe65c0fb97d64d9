// SPDX-License-Identifier: BSD-3-Clause
// The header of a qcow2 file, versions 2 and 3, after QEMU's docs/interop/qcow2.txt ("Header",
// "Header extensions"). No I/O here. All numbers in the file are big-endian.
// UNMODELLED: encryption, an external data file, extended L2 entries. Snapshots, bitmaps and
// reference counts play no part in reading.
#include "dev/disk_priv.h"

#include <endian.h>
#include <string.h>

enum {
    V2_BYTES = 72,
    V3_BYTES = 104,
    CLUSTER_BITS_LEAST = 9,
    CLUSTER_BITS_MOST = 21,
    L1_ENTRIES_MAX = 4 << 20, // QEMU's limit: 32 MiB
};
#define MAGIC 0x514649fbu
#define EXTENSION_BACKING_FORMAT 0xe2792acau

// Incompatible features.
#define FEATURE_DIRTY (1u << 0) // reference counts may be wrong: does not matter for reading
#define FEATURE_CORRUPT (1u << 1)
#define FEATURE_DATA_FILE (1u << 2)
#define FEATURE_COMPRESSION (1u << 3)
#define FEATURE_EXTENDED_L2 (1u << 4)
#define FEATURES_READ (FEATURE_DIRTY | FEATURE_COMPRESSION)

static u32 get32(const u8 *at)
{
    u32 v;

    memcpy(&v, at, sizeof(v));
    return be32toh(v);
}

static u64 get64(const u8 *at)
{
    u64 v;

    memcpy(&v, at, sizeof(v));
    return be64toh(v);
}

static bool bad(struct error *err, const char *what)
{
    return error_set(err, ERROR_INPUT, "%s", what);
}

static bool parse_features(const u8 *head, u32 length, struct qcow2_header *h, struct error *err)
{
    u64 features = get64(head + 72);
    u8 type = length > V3_BYTES ? head[V3_BYTES] : 0;

    if (features & FEATURE_CORRUPT)
        return bad(err, "it is marked as corrupt (qemu-img check -r all may repair it)");
    if (features & FEATURE_DATA_FILE)
        return bad(err, "its data is in another file, which facet does not support");
    if (features & FEATURE_EXTENDED_L2)
        return bad(err, "it has extended L2 entries, which facet does not support");
    if (features & ~(u64)FEATURES_READ)
        return error_set(err, ERROR_INPUT, "it needs unknown features (0x%llx)",
                         (unsigned long long)features);
    if ((type != 0) != ((features & FEATURE_COMPRESSION) != 0) || type > QCOW2_ZSTD)
        return error_set(err, ERROR_INPUT, "its compression type %u is wrong or unknown", type);
    h->compression = type ? QCOW2_ZSTD : QCOW2_ZLIB;
    return true;
}

static bool parse_table(const u8 *head, u64 file_bytes, struct qcow2_header *h, struct error *err)
{
    u64 cluster = 1ull << h->cluster_bits, by_l1 = cluster / 8 * cluster, need;

    h->size = get64(head + 24);
    h->l1_entries = get32(head + 36);
    h->l1_at = get64(head + 40);
    if (h->size == 0 || h->size % 512 || h->size > DISK_SIZE_MAX)
        return error_set(err, ERROR_INPUT,
                         "its disk has %llu bytes: not a multiple of 512, or more than 16TiB",
                         (unsigned long long)h->size);
    need = (h->size - 1) / by_l1 + 1;
    if (h->l1_entries < need || h->l1_entries > L1_ENTRIES_MAX)
        return error_set(err, ERROR_INPUT, "its L1 table has %u entries; the disk needs %llu",
                         h->l1_entries, (unsigned long long)need);
    if (h->l1_at == 0 || h->l1_at % cluster || h->l1_at > file_bytes ||
        (u64)h->l1_entries * 8 > file_bytes - h->l1_at)
        return error_set(err, ERROR_INPUT,
                         "its L1 table, at 0x%llx, is unaligned or beyond the end of the file",
                         (unsigned long long)h->l1_at);
    return true;
}

static bool parse_backing_format(const u8 *text, u32 length, struct qcow2_header *h,
                                 bool *ret_declared, struct error *err)
{
    if (length == 3 && memcmp(text, "raw", 3) == 0)
        h->backing_format = DISK_RAW;
    else if (length == 5 && memcmp(text, "qcow2", 5) == 0)
        h->backing_format = DISK_QCOW2;
    else
        return bad(err, "the format of its backing file is neither raw nor qcow2");
    *ret_declared = true;
    return true;
}

// They end with type 0, at the backing file's name, or with the first cluster.
static bool parse_extensions(const u8 *head, size_t size, u64 at, u64 end, struct qcow2_header *h,
                             struct error *err)
{
    bool declared = false;

    end = MIN(end, size);
    while (at + 8 <= end && get32(head + at)) {
        u32 type = get32(head + at), length = get32(head + at + 4);

        at += 8;
        if (length > end - at)
            return error_set(err, ERROR_INPUT, "its header extension 0x%x is too long", type);
        if (type == EXTENSION_BACKING_FORMAT && h->has_backing &&
            !parse_backing_format(head + at, length, h, &declared, err))
            return false;
        at += ((u64)length + 7) & ~(u64)7;
    }
    if (h->has_backing && !declared)
        return bad(err, "it declares no format of its backing file (qemu-img rebase -u -F raw "
                        "or -F qcow2 does)");
    return true;
}

static bool parse_backing_name(const u8 *head, size_t size, u32 length, struct qcow2_header *h,
                               struct error *err)
{
    u64 at = get64(head + 8);
    u32 name = get32(head + 16);

    h->has_backing = at != 0;
    if (!at)
        return true;
    if (name == 0 || name > QCOW2_NAME_MAX || at < length || at > size || name > size - at)
        return bad(err, "the name of its backing file is too long or outside of the header");
    if (memchr(head + at, '\0', name))
        return bad(err, "the name of its backing file contains a NUL");
    memcpy(h->backing, head + at, name);
    h->backing[name] = '\0';
    return true;
}

bool qcow2_parse(const u8 *head, size_t size, u64 file_bytes, struct qcow2_header *ret_header,
                 struct error *err)
{
    struct qcow2_header h = {0};
    u32 length = V2_BYTES;
    u64 end;

    if (size < V2_BYTES || get32(head) != MAGIC)
        return bad(err, "it is no qcow2 file");
    h.version = get32(head + 4);
    h.cluster_bits = get32(head + 20);
    if (h.version != 2 && h.version != 3)
        return error_set(err, ERROR_INPUT, "its version is %u; facet reads 2 and 3", h.version);
    if (h.cluster_bits < CLUSTER_BITS_LEAST || h.cluster_bits > CLUSTER_BITS_MOST)
        return error_set(err, ERROR_INPUT, "its clusters have 2^%u bytes; 2^9 to 2^21 is allowed",
                         h.cluster_bits);
    if (get32(head + 32))
        return bad(err, "it is encrypted, which facet does not support");
    if (h.version == 3) {
        length = size >= V3_BYTES ? get32(head + 100) : 0;
        if (length < V3_BYTES || length % 8 || length > size || length > 1u << h.cluster_bits)
            return error_set(err, ERROR_INPUT, "its header's length %u is wrong", length);
        if (!parse_features(head, length, &h, err))
            return false;
    }
    if (!parse_table(head, file_bytes, &h, err) || !parse_backing_name(head, size, length, &h, err))
        return false;
    end = h.has_backing ? get64(head + 8) : 1ull << h.cluster_bits;
    if (!parse_extensions(head, size, length, end, &h, err))
        return false;
    *ret_header = h;
    return true;
}
