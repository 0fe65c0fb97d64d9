// SPDX-License-Identifier: BSD-3-Clause
// A disk: an image file and, above it, the guest's writes. Where these go:
//
//   nothing given     a private overlay in memory, gone with the machine
//   overlay=FILE      an overlay file (docs/formats/overlay.md), for this machine alone
//   write_through     the image itself (raw only)
//
// A checkpoint holds the overlay's content, private or file, so that it can be restored at any time
// and many times side by side: a restored disk always goes on with a private overlay, and an
// overlay file that the description names stays untouched from then on. The image below is not in
// the checkpoint; it is recognised by its size and samples of its content.
//
// A reset of the machine leaves the content alone, as that of a real disk.
// Timing: none, the controller's business.
#include "dev/disk.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "dev/disk_priv.h"
#include "sim/block.h"
#include "sim/checkpoint.h"
#include "sim/sim.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SAMPLE_HEAD MiB(4) // partition tables, first superblock: what changes with any use
enum { SAMPLE_BYTES = 4096, SAMPLES = 128 };

#define DISK_PARAMS(P, PR, PB, PS, PC)                                             \
    PS(file, NULL, "Image file")                                                   \
    PC(format, "raw", "raw|qcow2", "Its format; no file is ever asked what it is") \
    PC(backing, "beside", "none|beside|anywhere",                                  \
       "Backing files of a qcow2 image: none, in its folder, or wherever it says") \
    PS(overlay, "", "File that takes the guest's writes; empty: memory")           \
    PB(readonly, false, "Refuse writes")                                           \
    PB(write_through, false, "Write to the image itself; such a disk has no checkpoints")

#define DISK_STATE(F, FA, FE, FV) \
    F(u64, base_size)             \
    F(u64, base_hash)

#define DISK_STATS(S, SV, SH, SG, SR)                                 \
    S(bytes_read, "Byte", "Bytes read by the guest")                  \
    S(bytes_written, "Byte", "Bytes written by the guest")            \
    S(bytes_zeroed, "Byte", "Bytes zeroed or discarded by the guest") \
    S(flushes, "Count", "Flushes by the guest")                       \
    S(errors, "Count", "Requests that failed on the host")            \
    SG(overlay_clusters, "Count", "Clusters of 64 KiB of data in the overlay")

COMPONENT_LISTS(disk, DISK_PARAMS, DISK_STATE, DISK_STATS, NO_ROWS);

struct disk {
    struct component base;
    struct disk_params p;
    struct disk_state st;
    struct disk_stats n;
    WIRED(struct disk_image *image);         // owned
    WIRED(struct overlay_identity identity); // of the image
    WIRED(u8 *cluster);                      // room for one
    DERIVED(struct overlay overlay);         // saved by disk_save
    DERIVED(bool restored);                  // the overlay is private, whatever the parameters say
};

static struct disk *disk_of(const struct component *c)
{
    ASSERT(c->type == &disk_type);
    return (struct disk *)(uintptr_t)c;
}

static bool has_overlay(const struct disk *d)
{
    return !d->p.readonly && !d->p.write_through;
}

static bool disk_check(struct component *c, struct error *err)
{
    struct disk *d = disk_of(c);

    if (d->p.overlay[0] && !has_overlay(d))
        return error_set(err, ERROR_INPUT, "with readonly or write_through there is no overlay");
    if (d->p.readonly && d->p.write_through)
        return error_set(err, ERROR_INPUT, "readonly and write_through exclude each other");
    if (d->p.write_through && d->p.format != DISK_RAW)
        return error_set(err, ERROR_INPUT, "write_through is possible with raw images only");
    return true;
}

// Of the disk as the guest sees it, so a converted image is the same image.
static bool identify(struct disk *d, struct error *err)
{
    u64 size = d->image->size, step = (size / (SAMPLES + 1)) & ~(u64)511;
    struct overlay_identity id = {.size = size};

    for (u64 at = 0; at < MIN(size, SAMPLE_HEAD); at += OVERLAY_CLUSTER) {
        if (!disk_image_read(d->image, at, d->cluster, OVERLAY_CLUSTER, err))
            return false;
        id.hash = hash64_more(id.hash, d->cluster, OVERLAY_CLUSTER);
    }
    for (u64 i = 1; size > SAMPLE_HEAD && i <= SAMPLES; i++) {
        if (!disk_image_read(d->image, i * step, d->cluster, SAMPLE_BYTES, err))
            return false;
        id.hash = hash64_more(id.hash, d->cluster, SAMPLE_BYTES);
    }
    d->identity = id;
    return true;
}

// Opens the overlay unless it is open. A file that another machine has open is *ret_busy.
static bool open_overlay(struct disk *d, bool *ret_busy, struct error *err)
{
    *ret_busy = false;
    if (!has_overlay(d) || d->overlay.table)
        return true;
    if (d->p.overlay[0] && !d->restored)
        return overlay_open_file(&d->overlay, d->p.overlay, d->identity, ret_busy, err);
    return overlay_open_memory(&d->overlay, d->identity, err);
}

static bool disk_build(struct component *c, struct error *err)
{
    struct disk *d = disk_of(c);
    struct disk_open how = {.arena = &c->sim->arena,
                            .backing = (enum disk_backing)d->p.backing,
                            .write = d->p.write_through};
    bool busy;

    d->cluster = arena_alloc(&c->sim->arena, OVERLAY_CLUSTER);
    d->image = disk_image_open(d->p.file, (enum disk_format)d->p.format, &how, err);
    if (!d->image || !identify(d, err))
        return false;
    if (open_overlay(d, &busy, err))
        return true;
    // A checkpoint may be loaded next, which makes the file unnecessary; else the first access
    // tries again.
    if (busy)
        component_log(c, LOG_WARN, "%s", err->message);
    return busy;
}

static void disk_destroy(struct component *c)
{
    struct disk *d = disk_of(c);
    struct error err;

    if (!overlay_flush(&d->overlay, &err))
        component_log(c, LOG_ERROR, "%s", err.message);
    overlay_release(&d->overlay);
    disk_image_release(d->image);
    d->image = NULL;
}

static void disk_reset(struct component *c)
{
    struct disk *d = disk_of(c);

    d->st.base_size = d->identity.size;
    d->st.base_hash = d->identity.hash;
    d->n.overlay_clusters = d->overlay.slots;
}

static bool disk_save(struct component *c, struct checkpoint_writer *w, struct error *err)
{
    struct disk *d = disk_of(c);
    AUTO_FREE char *table = xasprintf("%s/table", c->path);
    AUTO_FREE char *clusters = xasprintf("%s/clusters", c->path);
    struct overlay *o = &d->overlay;
    const u8 *slots;
    bool busy, ok;

    if (d->p.write_through)
        return error_set(err, ERROR_UNSUPPORTED,
                         "a checkpoint cannot hold '%s', which the guest writes itself "
                         "(write_through)",
                         d->p.file);
    if (!has_overlay(d))
        return true;
    if (!open_overlay(d, &busy, err))
        return false;
    slots = overlay_map(o, err);
    if (!slots)
        return false;
    ok = checkpoint_write_memory(w, table, o->table, o->table_bytes, err) &&
         checkpoint_write_memory(w, clusters, slots, o->slots * OVERLAY_CLUSTER, err);
    overlay_unmap(o, slots);
    return ok;
}

static bool load_overlay(struct disk *d, struct checkpoint_reader *r, struct error *err)
{
    AUTO_FREE char *table = xasprintf("%s/table", d->base.path);
    AUTO_FREE char *clusters = xasprintf("%s/clusters", d->base.path);
    struct overlay *o = &d->overlay;
    u64 size;

    if (!checkpoint_memory_size(r, clusters, &size) || size % OVERLAY_CLUSTER ||
        size > o->clusters * OVERLAY_CLUSTER)
        return error_set(err, ERROR_INPUT, "the written clusters are missing or too many");
    return checkpoint_read_memory(r, table, o->table, o->table_bytes, err) &&
           checkpoint_read_memory(r, clusters, o->bytes, size, err) &&
           overlay_adopt(o, size / OVERLAY_CLUSTER, err);
}

static bool disk_load(struct component *c, struct checkpoint_reader *r, struct error *err)
{
    struct disk *d = disk_of(c);
    bool busy;

    if (d->st.base_size != d->identity.size || d->st.base_hash != d->identity.hash)
        return error_set(err, ERROR_INPUT,
                         "%s: the image '%s' (%llu bytes) is not the one of the checkpoint (%llu "
                         "bytes), or its content has changed",
                         c->path, d->p.file, (unsigned long long)d->identity.size,
                         (unsigned long long)d->st.base_size);
    if (!has_overlay(d))
        return true;
    if (!overlay_flush(&d->overlay, err))
        return false;
    overlay_release(&d->overlay);
    if (d->p.overlay[0] && !d->restored)
        component_log(c, LOG_INFO,
                      "restored: writes stay in memory from now on, '%s' is left as it is",
                      d->p.overlay);
    d->restored = true;
    return (open_overlay(d, &busy, err) && load_overlay(d, r, err)) ||
           error_wrap(err, "%s", c->path);
}

static const struct component_ops disk_ops = {
    .check = disk_check,
    .build = disk_build,
    .reset = disk_reset,
    .save = disk_save,
    .load = disk_load,
    .destroy = disk_destroy,
};

static u64 disk_size(struct component *c)
{
    return disk_of(c)->image->size;
}

static bool disk_read_only(struct component *c)
{
    return disk_of(c)->p.readonly;
}

// What every request begins with.
static bool accept(struct disk *d, u64 offset, u64 size, bool write, struct error *err)
{
    bool busy;

    if (offset % 512 || size % 512 || offset > d->image->size || size > d->image->size - offset)
        return error_set(err, ERROR_INPUT, "a request at 0x%llx of %llu bytes is outside",
                         (unsigned long long)offset, (unsigned long long)size);
    if (write && d->p.readonly)
        return error_set(err, ERROR_INPUT, "the disk is read-only");
    return open_overlay(d, &busy, err);
}

static bool read_part(struct disk *d, u64 offset, u8 *data, u64 size, struct error *err)
{
    u64 cluster = offset / OVERLAY_CLUSTER;
    u32 entry = d->overlay.table ? d->overlay.table[cluster] : OVERLAY_ABSENT;

    if (entry == OVERLAY_ABSENT)
        return disk_image_read(d->image, offset, data, size, err);
    if (entry >= OVERLAY_FIRST)
        return overlay_read(&d->overlay, cluster, offset % OVERLAY_CLUSTER, data, size, err);
    memset(data, 0, size);
    return true;
}

static bool write_part(struct disk *d, u64 offset, const u8 *data, u64 size, struct error *err)
{
    struct overlay *o = &d->overlay;
    u64 cluster = offset / OVERLAY_CLUSTER, at = offset % OVERLAY_CLUSTER;

    if (o->table[cluster] >= OVERLAY_FIRST)
        return overlay_write(o, cluster, at, data, size, err);
    if (size < OVERLAY_CLUSTER) {
        if (!read_part(d, offset - at, d->cluster, OVERLAY_CLUSTER, err))
            return false;
        memcpy(d->cluster + at, data, size);
        data = d->cluster;
    }
    if (!overlay_add(o, cluster, data, err))
        return false;
    d->n.overlay_clusters = o->slots;
    return true;
}

static bool zero_part(struct disk *d, u64 offset, u64 size, struct error *err)
{
    struct overlay *o = &d->overlay;
    u64 cluster = offset / OVERLAY_CLUSTER, at = offset % OVERLAY_CLUSTER;
    bool whole = at == 0 && (size == OVERLAY_CLUSTER || offset + size == d->image->size);
    static const u8 zeros[OVERLAY_CLUSTER];

    if (o->table[cluster] == OVERLAY_ZERO)
        return true;
    if (o->table[cluster] >= OVERLAY_FIRST)
        return overlay_clear(o, cluster, at, size, err);
    if (!whole)
        return write_part(d, offset, zeros, size, err);
    overlay_add_zero(o, cluster);
    return true;
}

// How many bytes from `offset` on lie in one cluster.
static u64 part_size(u64 offset, u64 size)
{
    return MIN(size, OVERLAY_CLUSTER - offset % OVERLAY_CLUSTER);
}

static bool count(struct disk *d, bool ok, u64 *counter, u64 size)
{
    *counter += ok ? size : 0;
    d->n.errors += !ok;
    return ok;
}

static bool read_parts(struct disk *d, u64 offset, u8 *data, u64 size, struct error *err)
{
    if (!accept(d, offset, size, false, err))
        return false;
    while (size) {
        u64 n = part_size(offset, size);

        if (!read_part(d, offset, data, n, err))
            return false;
        data += n;
        offset += n;
        size -= n;
    }
    return true;
}

static bool disk_read(struct component *c, u64 offset, void *data, u64 size, struct error *err)
{
    struct disk *d = disk_of(c);

    return count(d, read_parts(d, offset, data, size, err), &d->n.bytes_read, size);
}

static bool write_parts(struct disk *d, u64 offset, const u8 *data, u64 size, struct error *err)
{
    if (!accept(d, offset, size, true, err))
        return false;
    if (d->p.write_through)
        return disk_file_write(d->image, offset, data, size, err);
    while (size) {
        u64 n = part_size(offset, size);

        if (!write_part(d, offset, data, n, err))
            return false;
        data += n;
        offset += n;
        size -= n;
    }
    return true;
}

static bool disk_write(struct component *c, u64 offset, const void *data, u64 size,
                       struct error *err)
{
    struct disk *d = disk_of(c);

    return count(d, write_parts(d, offset, data, size, err), &d->n.bytes_written, size);
}

static bool zero_parts(struct disk *d, u64 offset, u64 size, struct error *err)
{
    static const u8 zeros[OVERLAY_CLUSTER];

    if (!accept(d, offset, size, true, err))
        return false;
    // A block device or an old file system has no holes: then zeros are written.
    if (d->p.write_through && size &&
        fallocate(d->image->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                  (off_t)size) == 0)
        return true;
    while (size) {
        u64 n = part_size(offset, size);

        if (!(d->p.write_through ? disk_file_write(d->image, offset, zeros, n, err)
                                 : zero_part(d, offset, n, err)))
            return false;
        offset += n;
        size -= n;
    }
    return true;
}

static bool disk_zero(struct component *c, u64 offset, u64 size, struct error *err)
{
    struct disk *d = disk_of(c);

    return count(d, zero_parts(d, offset, size, err), &d->n.bytes_zeroed, size);
}

static bool disk_flush(struct component *c, struct error *err)
{
    struct disk *d = disk_of(c);
    bool ok;

    if (d->p.write_through)
        ok = fdatasync(d->image->fd) == 0 || error_set_errno(err, "cannot sync '%s'", d->p.file);
    else
        ok = overlay_flush(&d->overlay, err);
    return count(d, ok, &d->n.flushes, 1);
}

static const struct block_ops disk_block = {
    .size = disk_size,
    .read_only = disk_read_only,
    .read = disk_read,
    .write = disk_write,
    .zero = disk_zero,
    .flush = disk_flush,
};

const struct component_type disk_type = {
    .name = "disk",
    .doc = "Disk image with an overlay for writes",
    COMPONENT_LAYOUT(disk),
    .ops = &disk_ops,
    .provides = {IFACE(block, &disk_block)},
};
