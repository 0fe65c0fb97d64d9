// SPDX-License-Identifier: BSD-3-Clause
// The host's side of the 9P device. Each access begins at the folder's descriptor and is resolved
// by openat2 (Linux 5.6) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS: there is no path, no link
// and no race with a rename by which it could leave the folder.
#include "dev/virtio_9p_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

int nine_open(int root, const char *path, int flags)
{
    struct open_how how = {
        .flags = (u64)(u32)(flags | O_CLOEXEC | O_NOFOLLOW),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long fd = syscall(SYS_openat2, root, path[0] ? path : ".", &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

int nine_open_parent(int root, const char *path, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    char parent[NINE_PATH_MAX] = "";
    int fd;

    if (!path[0])
        return -EPERM;
    if (slash)
        memcpy(parent, path, (size_t)(slash - path));
    fd = nine_open(root, parent, O_PATH | O_DIRECTORY);
    if (fd >= 0)
        *ret_name = slash ? slash + 1 : path;
    return fd;
}

int nine_stat(int root, const char *path, struct stat *ret_stat)
{
    int fd = nine_open(root, path, O_PATH), result = 0;

    if (fd < 0)
        return fd;
    if (fstat(fd, ret_stat) != 0)
        result = -errno;
    close(fd);
    return result;
}

static int check_data(const struct stat *s)
{
    if (S_ISREG(s->st_mode) || S_ISDIR(s->st_mode))
        return 0;
    return S_ISLNK(s->st_mode) ? -ELOOP : -EACCES;
}

int nine_open_data(int root, const char *path, int flags)
{
    struct stat s;
    int fd, result = nine_stat(root, path, &s);

    if (result == 0)
        result = check_data(&s);
    if (result < 0)
        return result;
    fd = nine_open(root, path, flags | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return fd;
    // The host may have put something else in its place.
    result = fstat(fd, &s) == 0 ? check_data(&s) : -errno;
    if (result < 0)
        close(fd);
    return result < 0 ? result : fd;
}

// Directories.

static const char *name_at(const struct nine_listing *l, u32 index)
{
    return l->text + l->entries[index] + 1;
}

u32 nine_listing_after(const struct nine_listing *l, const char *name)
{
    u32 low = 0, high = l->count;

    while (low < high) {
        u32 middle = (low + high) / 2;

        if (strcmp(name_at(l, middle), name) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Some file systems do not say what a name is.
static u8 type_of(int fd, const char *name, u8 type)
{
    struct stat s;

    if (type != DT_UNKNOWN || fstatat(fd, name, &s, AT_SYMLINK_NOFOLLOW) != 0)
        return type;
    return (u8)IFTODT(s.st_mode);
}

static int list_one(struct nine_listing *l, u32 *used, int fd, const struct dirent64 *e)
{
    size_t size = strlen(e->d_name) + 1;
    u32 at;

    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
        return 0;
    if (size > NINE_NAME_MAX || size + 1 > l->text_bytes - *used || l->count == l->most)
        return -EOVERFLOW;
    l->text[*used] = (char)type_of(fd, e->d_name, e->d_type);
    memcpy(l->text + *used + 1, e->d_name, size);
    at = nine_listing_after(l, e->d_name);
    memmove(&l->entries[at + 1], &l->entries[at], (l->count - at) * sizeof(l->entries[0]));
    l->entries[at] = *used;
    l->count++;
    *used += (u32)size + 1;
    return 0;
}

int nine_list(int root, const char *path, struct nine_listing *l)
{
    int fd = nine_open(root, path, O_RDONLY | O_DIRECTORY), result = 0;
    u32 used = 0;
    long n;

    l->count = 0;
    if (fd < 0)
        return fd;
    while ((n = syscall(SYS_getdents64, fd, l->raw, NINE_RAW_BYTES)) > 0 && result == 0) {
        for (long at = 0; at < n && result == 0;) {
            const struct dirent64 *e = (const struct dirent64 *)(const void *)(l->raw + at);

            result = list_one(l, &used, fd, e);
            at += e->d_reclen;
        }
    }
    if (n < 0)
        result = -errno;
    close(fd);
    return result;
}
