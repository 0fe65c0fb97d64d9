// SPDX-License-Identifier: BSD-3-Clause
// What a guest wrote: clusters of 64 KiB in slots, and a table that says which cluster has which.
// In memory (private to the machine, also after a fork), or in a file (docs/formats/overlay.md).
//
// A file survives a kill or a loss of power at any moment with what was flushed last, because of
// the order of writes: a slot is never used again for another cluster, a cluster's first data goes
// to a free slot, and the table's entries follow in overlay_flush, after the data is on the medium.
// Slots whose entries got lost so are free when the file is opened again.
#include "dev/disk_priv.h"

#include "base/file.h"
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TABLE_AT = 4096,
    TABLE_PAGE = 4096,
    ENTRIES_IN_PAGE = TABLE_PAGE / 4,
    VERSION = 1,
};

// The first bytes of the file; little-endian, as the hosts are.
struct file_header {
    char magic[8];
    u32 version, cluster_bytes;
    u64 base_size, base_hash;
    u64 table_at, data_at;
    u64 clusters;
    u64 hash; // of the bytes before
};
_Static_assert(sizeof(struct file_header) == 64, "as docs/formats/overlay.md has it");

static const char magic[8] = "FACETOVL";

static int descriptor(const struct overlay *o)
{
    return o->fd - 1;
}

static off_t place(const struct overlay *o, u64 slot, u64 at)
{
    return (off_t)(o->data_at + slot * OVERLAY_CLUSTER + at);
}

// The slot of a cluster that has one.
static u64 slot_of(const struct overlay *o, u64 cluster)
{
    return o->table[cluster] - OVERLAY_FIRST;
}

static void *map_memory(u64 size, struct error *err)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    if (p != MAP_FAILED)
        return p;
    error_set_errno(err, "cannot map %llu bytes for an overlay", (unsigned long long)size);
    return NULL;
}

static u64 table_pages(const struct overlay *o)
{
    return o->table_bytes / TABLE_PAGE;
}

// A bit for each slot: there are never more in use than clusters.
static u64 used_bytes(const struct overlay *o)
{
    return o->clusters / 8 + 1;
}

static bool prepare(struct overlay *o, struct overlay_identity base, struct error *err)
{
    *o = (struct overlay){.base = base};
    o->clusters = (base.size + OVERLAY_CLUSTER - 1) / OVERLAY_CLUSTER;
    o->table_bytes = (o->clusters * 4 + TABLE_PAGE - 1) & ~(u64)(TABLE_PAGE - 1);
    o->data_at = (TABLE_AT + o->table_bytes + OVERLAY_CLUSTER - 1) & ~(u64)(OVERLAY_CLUSTER - 1);
    o->table = map_memory(o->table_bytes, err);
    o->used = o->table ? map_memory(used_bytes(o), err) : NULL;
    return o->used != NULL;
}

bool overlay_open_memory(struct overlay *o, struct overlay_identity base, struct error *err)
{
    if (prepare(o, base, err)) {
        o->bytes = map_memory(o->clusters * OVERLAY_CLUSTER, err);
        if (o->bytes)
            return true;
    }
    overlay_release(o);
    return false;
}

static void unmap(void *at, u64 size)
{
    if (at)
        munmap(at, size);
}

void overlay_release(struct overlay *o)
{
    if (o->fd)
        close(descriptor(o));
    unmap(o->table, o->table_bytes);
    unmap(o->used, used_bytes(o));
    unmap(o->dirty, table_pages(o));
    unmap(o->bytes, o->clusters * OVERLAY_CLUSTER);
    *o = (struct overlay){0};
}

static bool read_all(const struct overlay *o, off_t at, void *data, u64 size, struct error *err)
{
    u8 *to = data;

    while (size) {
        ssize_t n = pread(descriptor(o), to, size, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, "cannot read the overlay '%s'", o->path);
        if (n == 0)
            return error_set(err, ERROR_INPUT, "the overlay '%s' ends early", o->path);
        to += n;
        at += n;
        size -= (u64)n;
    }
    return true;
}

static bool write_all(const struct overlay *o, off_t at, const void *data, u64 size,
                      struct error *err)
{
    const u8 *from = data;

    while (size) {
        ssize_t n = pwrite(descriptor(o), from, size, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, "cannot write the overlay '%s'", o->path);
        from += n;
        at += n;
        size -= (u64)n;
    }
    return true;
}

static struct file_header header_of(const struct overlay *o)
{
    struct file_header h = {
        .version = VERSION,
        .cluster_bytes = OVERLAY_CLUSTER,
        .base_size = o->base.size,
        .base_hash = o->base.hash,
        .table_at = TABLE_AT,
        .data_at = o->data_at,
        .clusters = o->clusters,
    };

    memcpy(h.magic, magic, sizeof(magic));
    h.hash = hash64(&h, offsetof(struct file_header, hash));
    return h;
}

static bool check_header(const struct overlay *o, struct error *err)
{
    struct file_header want = header_of(o), h;

    if (!read_all(o, 0, &h, sizeof(h), err))
        return false;
    if (memcmp(h.magic, magic, sizeof(magic)) != 0)
        return error_set(err, ERROR_INPUT, "'%s' is no overlay of facet's", o->path);
    if (hash64(&h, offsetof(struct file_header, hash)) != h.hash)
        return error_set(err, ERROR_INPUT, "the overlay '%s' is damaged: its header's hash differs",
                         o->path);
    if (h.version != VERSION)
        return error_set(err, ERROR_INPUT,
                         "the overlay '%s' has version %u of the format, this facet reads %d",
                         o->path, h.version, VERSION);
    if (h.base_size != want.base_size || h.base_hash != want.base_hash)
        return error_set(err, ERROR_INPUT,
                         "the overlay '%s' is of another image: one of %llu bytes (this: %llu) or "
                         "other content",
                         o->path, (unsigned long long)h.base_size,
                         (unsigned long long)want.base_size);
    if (memcmp(&h, &want, sizeof(h)) != 0)
        return error_set(err, ERROR_INPUT, "the overlay '%s' has a wrong layout", o->path);
    return true;
}

static bool is_used(const struct overlay *o, u64 slot)
{
    return o->used[slot / 8] >> slot % 8 & 1;
}

static void mark_used(struct overlay *o, u64 slot)
{
    o->used[slot / 8] |= (u8)(1u << slot % 8);
    o->slots = MAX(o->slots, slot + 1);
}

bool overlay_adopt(struct overlay *o, u64 slots, struct error *err)
{
    slots = MIN(slots, o->clusters);
    for (u64 i = 0; i < o->clusters; i++) {
        if (o->table[i] < OVERLAY_FIRST)
            continue;
        if (slot_of(o, i) >= slots)
            return error_set(err, ERROR_INPUT, "cluster %llu lies beyond the end of the overlay",
                             (unsigned long long)i);
        if (is_used(o, slot_of(o, i)))
            return error_set(err, ERROR_INPUT, "cluster %llu shares the data of another one",
                             (unsigned long long)i);
        mark_used(o, slot_of(o, i));
    }
    return true;
}

static bool load_table(struct overlay *o, u64 file_bytes, struct error *err)
{
    u64 slots = file_bytes > o->data_at ? (file_bytes - o->data_at) / OVERLAY_CLUSTER : 0;
    u64 in_file = file_bytes > TABLE_AT ? MIN(o->table_bytes, file_bytes - TABLE_AT) : 0;

    if (!read_all(o, TABLE_AT, o->table, in_file, err))
        return false;
    if (!overlay_adopt(o, slots, err))
        return error_wrap(err, "the overlay '%s' is damaged", o->path);
    // Data whose entry was not written before a crash.
    if (ftruncate(descriptor(o), place(o, o->slots, 0)) < 0)
        return error_set_errno(err, "cannot cut the overlay '%s'", o->path);
    return true;
}

static bool open_file(struct overlay *o, bool *ret_busy, struct error *err)
{
    int fd = open(o->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    struct stat st;
    struct file_header h = header_of(o);

    if (fd < 0)
        return error_set_errno(err, "cannot open the overlay '%s'", o->path);
    o->fd = fd + 1;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        *ret_busy = errno == EWOULDBLOCK;
        return error_set(err, ERROR_RESOURCE, "the overlay '%s' is in use by another machine",
                         o->path);
    }
    if (fstat(fd, &st) < 0)
        return error_set_errno(err, "cannot examine the overlay '%s'", o->path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERROR_INPUT, "the overlay '%s' is no file", o->path);
    if (st.st_size > 0)
        return check_header(o, err) && load_table(o, (u64)st.st_size, err);
    if (!write_all(o, 0, &h, sizeof(h), err))
        return false;
    // The table gets its room now, so that on a full file system data can still be flushed.
    if (fallocate(fd, 0, 0, (off_t)o->data_at) < 0 &&
        (errno != EOPNOTSUPP || ftruncate(fd, (off_t)o->data_at) < 0))
        return error_set_errno(err, "cannot make the overlay '%s'", o->path);
    return file_sync(fd, o->path, err) && file_sync_parent(o->path, err);
}

bool overlay_open_file(struct overlay *o, const char *path, struct overlay_identity base,
                       bool *ret_busy, struct error *err)
{
    *ret_busy = false;
    if (prepare(o, base, err)) {
        o->path = path;
        o->dirty = map_memory(table_pages(o), err);
        if (o->dirty && open_file(o, ret_busy, err))
            return true;
    }
    overlay_release(o);
    return false;
}

bool overlay_read(const struct overlay *o, u64 cluster, u64 at, void *data, u64 size,
                  struct error *err)
{
    u64 slot = slot_of(o, cluster);

    if (o->fd)
        return read_all(o, place(o, slot, at), data, size, err);
    memcpy(data, o->bytes + slot * OVERLAY_CLUSTER + at, size);
    return true;
}

static bool write_slot(struct overlay *o, u64 slot, u64 at, const void *data, u64 size,
                       struct error *err)
{
    if (!o->fd) {
        memcpy(o->bytes + slot * OVERLAY_CLUSTER + at, data, size);
        return true;
    }
    o->unsynced = true;
    return write_all(o, place(o, slot, at), data, size, err);
}

bool overlay_write(struct overlay *o, u64 cluster, u64 at, const void *data, u64 size,
                   struct error *err)
{
    return write_slot(o, slot_of(o, cluster), at, data, size, err);
}

bool overlay_clear(struct overlay *o, u64 cluster, u64 at, u64 size, struct error *err)
{
    static const u8 zeros[TABLE_PAGE];
    u64 slot = slot_of(o, cluster);

    if (!o->fd) {
        memset(o->bytes + slot * OVERLAY_CLUSTER + at, 0, size);
        return true;
    }
    o->unsynced = true;
    if (fallocate(descriptor(o), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, place(o, slot, at),
                  (off_t)size) == 0)
        return true;
    for (u64 done = 0; done < size; done += sizeof(zeros))
        if (!write_slot(o, slot, at + done, zeros, MIN(size - done, sizeof(zeros)), err))
            return false;
    return true;
}

static void set_entry(struct overlay *o, u64 cluster, u32 entry)
{
    o->table[cluster] = entry;
    if (o->fd) {
        o->dirty[cluster / ENTRIES_IN_PAGE] = 1;
        o->unsynced = true;
    }
}

bool overlay_add(struct overlay *o, u64 cluster, const void *data, struct error *err)
{
    while (is_used(o, o->next))
        o->next++;
    if (!write_slot(o, o->next, 0, data, OVERLAY_CLUSTER, err))
        return false;
    mark_used(o, o->next);
    set_entry(o, cluster, (u32)(OVERLAY_FIRST + o->next));
    return true;
}

void overlay_add_zero(struct overlay *o, u64 cluster)
{
    if (o->table[cluster] == OVERLAY_ABSENT)
        set_entry(o, cluster, OVERLAY_ZERO);
}

bool overlay_flush(struct overlay *o, struct error *err)
{
    if (!o->fd || !o->unsynced)
        return true;
    if (fdatasync(descriptor(o)) < 0)
        return error_set_errno(err, "cannot sync the overlay '%s'", o->path);
    for (u64 i = 0; i < table_pages(o); i++) {
        if (!o->dirty[i])
            continue;
        if (!write_all(o, (off_t)(TABLE_AT + i * TABLE_PAGE), o->table + i * ENTRIES_IN_PAGE,
                       TABLE_PAGE, err))
            return false;
        o->dirty[i] = 0;
    }
    if (fdatasync(descriptor(o)) < 0)
        return error_set_errno(err, "cannot sync the overlay '%s'", o->path);
    o->unsynced = false;
    return true;
}

const u8 *overlay_map(struct overlay *o, struct error *err)
{
    void *p;

    if (!o->fd)
        return o->bytes;
    // At least one page: a map of nothing is none.
    p = mmap(NULL, MAX(o->slots, 1) * OVERLAY_CLUSTER, PROT_READ, MAP_SHARED, descriptor(o),
             place(o, 0, 0));
    if (p != MAP_FAILED)
        return p;
    error_set_errno(err, "cannot map the overlay '%s'", o->path);
    return NULL;
}

void overlay_unmap(struct overlay *o, const u8 *slots)
{
    if (o->fd)
        munmap((void *)(uintptr_t)slots, MAX(o->slots, 1) * OVERLAY_CLUSTER);
}
