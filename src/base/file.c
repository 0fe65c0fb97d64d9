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

// Calls make(name) with new names until one is not taken.
static int make_unique(const char *path, int (*make)(const char *name), char **ret_path,
                       struct error *err)
{
    for (unsigned n = 0; n < 1000; n++) {
        char *name = xasprintf("%s.tmp-%d-%u", path, (int)getpid(), n);
        int result = make(name);

        if (result >= 0) {
            *ret_path = name;
            return result;
        }
        free(name);
        if (errno != EEXIST)
            break;
    }
    error_set_errno(err, "cannot create '%s'", path);
    return -1;
}

static int create_file(const char *name)
{
    return open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

static int create_directory(const char *name)
{
    return mkdir(name, 0777);
}

int file_make_unique(const char *path, char **ret_path, struct error *err)
{
    return make_unique(path, create_file, ret_path, err);
}

bool file_make_unique_directory(const char *path, char **ret_path, struct error *err)
{
    return make_unique(path, create_directory, ret_path, err) >= 0;
}

static bool write_in_place(const char *path, const void *data, size_t size, struct error *err)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

    if (fd < 0)
        return error_set_errno(err, "cannot open '%s'", path);
    return write_and_sync(fd, path, data, size, err);
}

static bool write_and_rename(const char *path, const mode_t *mode, const void *data, size_t size,
                             struct error *err)
{
    AUTO_FREE char *temporary = NULL;
    int fd = file_make_unique(path, &temporary, err);
    bool ok;

    if (fd < 0)
        return false;
    ok = write_and_sync(fd, path, data, size, err);
    if (ok && mode && fchmod(fd, *mode) < 0)
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

bool file_write(const char *path, const void *data, size_t size, struct error *err)
{
    AUTO_FREE char *real = realpath(path, NULL);
    struct stat st;
    mode_t mode;

    if (!real || stat(path, &st) < 0)
        return write_and_rename(path, NULL, data, size, err);
    if (!S_ISREG(st.st_mode) || strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0)
        return write_in_place(path, data, size, err);
    mode = st.st_mode & 07777;
    return write_and_rename(real, &mode, data, size, err);
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
