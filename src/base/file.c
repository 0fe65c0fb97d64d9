// SPDX-License-Identifier: BSD-3-Clause
#include "base/file.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

bool file_read(const char *path, u64 max, struct strbuf *out, struct error *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    char buffer[16384];
    u64 total = 0;

    if (fd < 0)
        return error_set_errno(err, "cannot open '%s'", path);
    for (;;) {
        ssize_t n = read(fd, buffer, sizeof(buffer));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, "cannot read '%s'", path);
        if (n == 0)
            return true;
        total += (u64)n;
        if (total > max)
            return error_set(err, ERROR_INPUT, "'%s' is larger than %llu bytes", path,
                             (unsigned long long)max);
        strbuf_add(out, buffer, (size_t)n);
    }
}

bool file_write_fd(int fd, const void *data, size_t size, const char *what, struct error *err)
{
    const u8 *p = data;

    while (size) {
        ssize_t n = write(fd, p, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, "cannot write '%s'", what);
        p += n;
        size -= (size_t)n;
    }
    return true;
}

bool file_sync(int fd, const char *what, struct error *err)
{
    // A pipe or a character device has nothing to sync (EINVAL).
    if (fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
        return error_set_errno(err, "cannot sync '%s'", what);
    return true;
}

bool file_sync_directory(const char *path, struct error *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return error_set_errno(err, "cannot open directory '%s'", path);
    return file_sync(fd, path, err);
}

bool file_sync_parent(const char *path, struct error *err)
{
    AUTO_FREE char *parent = xstrdup(path);
    char *slash = strrchr(parent, '/');

    if (!slash)
        return file_sync_directory(".", err);
    slash[slash == parent] = '\0';
    return file_sync_directory(parent, err);
}

static bool write_and_sync(int fd, const char *path, const void *data, size_t size,
                           struct error *err)
{
    return file_write_fd(fd, data, size, path, err) && file_sync(fd, path, err);
}

bool file_write(const char *path, const void *data, size_t size, struct error *err)
{
    AUTO_FREE char *temporary = NULL;
    struct stat st;
    int fd;
    bool ok;

    // A device or pipe (/dev/stdout, /dev/null, a fifo) is written to, not replaced.
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        AUTO_CLOSE int device = open(path, O_WRONLY | O_CLOEXEC);

        if (device < 0)
            return error_set_errno(err, "cannot open '%s'", path);
        return write_and_sync(device, path, data, size, err);
    }
    temporary = xasprintf("%s.tmp-XXXXXX", path);
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, "cannot create '%s'", path);
    ok = write_and_sync(fd, path, data, size, err);
    if (ok && fchmod(fd, 0644) < 0)
        ok = error_set_errno(err, "cannot set the mode of '%s'", path);
    if (close(fd) < 0 && ok)
        ok = error_set_errno(err, "cannot close '%s'", path);
    if (ok && rename(temporary, path) < 0)
        ok = error_set_errno(err, "cannot rename to '%s'", path);
    if (!ok) {
        unlink(temporary);
        return false;
    }
    return file_sync_parent(path, err);
}

bool file_exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

bool file_make_directories(const char *path, struct error *err)
{
    AUTO_FREE char *copy = xstrdup(path);

    for (char *p = copy + 1; copy[0]; p++) {
        char c = *p;

        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mkdir(copy, 0777) < 0 && errno != EEXIST)
            return error_set_errno(err, "cannot make directory '%s'", copy);
        *p = c;
        if (!c)
            break;
    }
    return true;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

bool file_remove_tree(const char *path, struct error *err)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
        return error_set_errno(err, "cannot remove '%s'", path);
    return true;
}
