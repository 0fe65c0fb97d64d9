// SPDX-License-Identifier: BSD-3-Clause
// Host files as images. A raw image is the disk byte by byte; its size is rounded up to 512.
#include "dev/disk_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 8 };

struct disk_image *disk_image_open(const char *path, enum disk_format format,
                                   const struct disk_open *how, struct error *err)
{
    struct disk_image *i;

    if (how->depth >= DEPTH_MAX) {
        error_set(err, ERROR_INPUT, "there are more than %d files behind each other", DEPTH_MAX);
        return NULL;
    }
    i = format == DISK_QCOW2 ? disk_qcow2_open(path, how, err) : disk_raw_open(path, how, err);
    if (i && i->size > DISK_SIZE_MAX) {
        error_set(err, ERROR_INPUT, "'%s': a disk of %llu bytes; the most is 16TiB", path,
                  (unsigned long long)i->size);
        disk_image_release(i);
        return NULL;
    }
    return i;
}

void disk_image_release(struct disk_image *i)
{
    if (!i)
        return;
    if (i->ops->release)
        i->ops->release(i);
    if (i->fd >= 0)
        close(i->fd);
    i->fd = -1;
}

bool disk_image_read(struct disk_image *i, u64 offset, void *data, u64 size, struct error *err)
{
    u64 inside = offset < i->size ? MIN(size, i->size - offset) : 0;

    memset((u8 *)data + inside, 0, size - inside);
    return !inside || i->ops->read(i, offset, data, inside, err);
}

bool disk_file_open(struct disk_image *i, const char *path, const struct disk_open *how,
                    struct error *err)
{
    struct stat st;
    off_t end;

    // O_NONBLOCK: a pipe is refused below instead of waited for.
    i->fd = open(path, (how->write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (i->fd < 0)
        return error_set_errno(err, "cannot open '%s'", path);
    if (fstat(i->fd, &st) < 0)
        return error_set_errno(err, "cannot examine '%s'", path);
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return error_set(err, ERROR_INPUT, "'%s' is neither a file nor a block device", path);
    if (flock(i->fd, (how->write ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return error_set(err, ERROR_RESOURCE, "'%s' is in use by another machine%s", path,
                         how->write ? "" : " that writes to it");
    end = lseek(i->fd, 0, SEEK_END);
    if (end < 0)
        return error_set_errno(err, "cannot measure '%s'", path);
    i->path = arena_strdup(how->arena, path);
    i->file_bytes = (u64)end;
    return true;
}

bool disk_file_read(const struct disk_image *i, u64 offset, void *data, u64 size, struct error *err)
{
    u64 inside = offset < i->file_bytes ? MIN(size, i->file_bytes - offset) : 0;
    u8 *to = data;

    memset(to + inside, 0, size - inside);
    while (inside) {
        ssize_t n = pread(i->fd, to, inside, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, "cannot read '%s'", i->path);
        if (n == 0)
            return error_set(err, ERROR_HOST, "'%s' has become shorter", i->path);
        to += n;
        offset += (u64)n;
        inside -= (u64)n;
    }
    return true;
}

bool disk_file_write(const struct disk_image *i, u64 offset, const void *data, u64 size,
                     struct error *err)
{
    const u8 *from = data;

    while (size) {
        ssize_t n = pwrite(i->fd, from, size, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, "cannot write '%s'", i->path);
        from += n;
        offset += (u64)n;
        size -= (u64)n;
    }
    return true;
}

static bool raw_read(struct disk_image *i, u64 offset, void *data, u64 size, struct error *err)
{
    return disk_file_read(i, offset, data, size, err);
}

static const struct disk_image_ops raw_ops = {.read = raw_read};

struct disk_image *disk_raw_open(const char *path, const struct disk_open *how, struct error *err)
{
    struct disk_image *i = arena_alloc(how->arena, sizeof(*i));

    *i = (struct disk_image){.ops = &raw_ops, .fd = -1};
    if (disk_file_open(i, path, how, err)) {
        i->size = (i->file_bytes + 511) & ~(u64)511;
        if (i->size && (!how->write || i->size == i->file_bytes))
            return i;
        error_set(err, ERROR_INPUT, "'%s' %s", path,
                  i->size ? "cannot be written: its size is not a multiple of 512" : "is empty");
    }
    disk_image_release(i);
    return NULL;
}
