// SPDX-License-Identifier: BSD-3-Clause
// 9P2000.L: the messages that change files, of a device that is `writable`. What they create
// belongs to the user who runs the simulator, and keeps no set-user-id bits; device nodes, sockets
// and pipes are refused. APPROX: changes of owners are accepted and forgotten, those of times too
// unless real_attributes are shown; a mode can be changed only where the file can be opened.
#include "dev/virtio_9p_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum {
    MODE_BITS = 0777,
    SET_MODE = 1 << 0,
    SET_SIZE = 1 << 3,
    SET_ATIME = 1 << 4,
    SET_MTIME = 1 << 5,
    SET_ATIME_GIVEN = 1 << 7,
    SET_MTIME_GIVEN = 1 << 8,
    UNLINK_DIRECTORY = 0x200,
    LINK_TARGET_MAX = 4096,
};

static int errno_of(int result)
{
    return result < 0 ? errno : 0;
}

// A name to be made in the directory of a fid.
struct place {
    int fid;
    char name[NINE_NAME_MAX];
    char path[NINE_PATH_MAX];
};

static int check_place(const struct nine *d, const struct nine_wire *in, struct place *at)
{
    if (nine_check(in))
        return nine_check(in);
    if (at->fid < 0)
        return EBADF;
    if (!nine_name_is_good(at->name))
        return EINVAL;
    return nine_join(at->path, nine_fid_path(d, at->fid), at->name) ? 0 : ENAMETOOLONG;
}

static void get_place(struct nine *d, struct nine_wire *in, struct place *ret_at)
{
    ret_at->fid = nine_fid_find(d, (u32)nine_get(in, 4));
    nine_get_string(in, ret_at->name, sizeof(ret_at->name));
}

// The descriptor of the directory of a fid, or minus an errno.
static int open_directory(const struct nine *d, int fid)
{
    return nine_open(d->root, nine_fid_path(d, fid), O_PATH | O_DIRECTORY);
}

static int put_new_qid(const struct nine *d, struct nine_wire *out, const char *path)
{
    struct stat s;
    int result = nine_stat(d->root, path, &s);

    if (result < 0)
        return -result;
    nine_put_qid(out, path, s.st_mode);
    return 0;
}

// Opens or makes a regular file; only that. Its descriptor, or minus an errno.
static int create(const struct nine *d, const struct place *at, int flags, u32 mode)
{
    int directory = open_directory(d, at->fid), fd;
    struct stat s;

    if (directory < 0)
        return directory;
    fd = openat(directory, at->name,
                (flags & (O_ACCMODE | O_EXCL | O_TRUNC)) | O_CREAT | O_NOFOLLOW | O_NONBLOCK |
                    O_NOCTTY | O_CLOEXEC,
                mode & MODE_BITS);
    if (fd < 0)
        fd = -errno;
    close(directory);
    if (fd >= 0 && (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode))) {
        close(fd);
        return -EEXIST;
    }
    return fd;
}

int nine_lcreate(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    struct place at;
    int flags, file, result;
    u32 mode;

    get_place(d, in, &at);
    flags = (int)nine_get(in, 4);
    mode = (u32)nine_get(in, 4);
    result = check_place(d, in, &at);
    if (result)
        return result;
    if (d->st.open[at.fid] || (flags & O_ACCMODE) == O_ACCMODE)
        return EBADF;
    file = create(d, &at, flags, mode);
    if (file < 0)
        return -file;
    nine_put_qid(out, at.path, S_IFREG);
    nine_put(out, 4, 0);
    nine_fid_set_file(d, at.fid, file);
    memcpy(nine_fid_path(d, at.fid), at.path, strlen(at.path) + 1);
    d->st.open[at.fid] = (u8)(1 + (flags & O_ACCMODE));
    return 0;
}

int nine_symlink(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    char target[LINK_TARGET_MAX];
    struct place at;
    int directory, result;

    get_place(d, in, &at);
    nine_get_string(in, target, sizeof(target));
    result = check_place(d, in, &at);
    if (result)
        return result;
    directory = open_directory(d, at.fid);
    if (directory < 0)
        return -directory;
    result = errno_of(symlinkat(target, directory, at.name));
    close(directory);
    return result ? result : put_new_qid(d, out, at.path);
}

int nine_mknod(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    struct place at;
    int file, result;
    u32 mode;

    get_place(d, in, &at);
    mode = (u32)nine_get(in, 4);
    result = check_place(d, in, &at);
    if (result)
        return result;
    if (mode & S_IFMT && !S_ISREG(mode))
        return EPERM;
    file = create(d, &at, O_WRONLY | O_EXCL, mode);
    if (file < 0)
        return -file;
    close(file);
    nine_put_qid(out, at.path, S_IFREG);
    return 0;
}

int nine_mkdir(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    struct place at;
    int directory, result;
    u32 mode;

    get_place(d, in, &at);
    mode = (u32)nine_get(in, 4);
    result = check_place(d, in, &at);
    if (result)
        return result;
    directory = open_directory(d, at.fid);
    if (directory < 0)
        return -directory;
    result = errno_of(mkdirat(directory, at.name, mode & MODE_BITS));
    close(directory);
    return result ? result : put_new_qid(d, out, at.path);
}

int nine_link(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    struct place at;
    const char *name;
    int old, directory, from, result;

    at.fid = nine_fid_find(d, (u32)nine_get(in, 4));
    old = nine_fid_find(d, (u32)nine_get(in, 4));
    nine_get_string(in, at.name, sizeof(at.name));
    result = check_place(d, in, &at);
    if (result)
        return result;
    if (old < 0)
        return EBADF;
    from = nine_open_parent(d->root, nine_fid_path(d, old), &name);
    if (from < 0)
        return -from;
    directory = open_directory(d, at.fid);
    result = directory < 0 ? -directory : errno_of(linkat(from, name, directory, at.name, 0));
    if (directory >= 0)
        close(directory);
    close(from);
    return result;
}

// Renaming moves the fids of the file and of all below it.

// What follows `old` in `path`, when that is it or below it; else NULL.
static const char *below(const char *path, const char *old)
{
    size_t n = strlen(old);

    return strncmp(path, old, n) == 0 && (path[n] == '/' || !path[n]) ? path + n : NULL;
}

static bool fids_can_move(const struct nine *d, const char *old, const char *new)
{
    for (u64 i = 0; i < d->p.fids; i++) {
        const char *rest = d->st.in_use[i] ? below(nine_fid_path(d, (int)i), old) : NULL;

        if (rest && strlen(new) + strlen(rest) >= NINE_PATH_MAX)
            return false;
    }
    return true;
}

static void move_fids(struct nine *d, const char *old, const char *new)
{
    for (u64 i = 0; i < d->p.fids; i++) {
        char *path = nine_fid_path(d, (int)i);
        const char *rest = d->st.in_use[i] ? below(path, old) : NULL;
        size_t n = strlen(new);

        if (!rest)
            continue;
        memmove(path + n, rest, strlen(rest) + 1);
        memcpy(path, new, n);
    }
}

static int move(struct nine *d, const char *old_path, const char *new_path)
{
    const char *old_name, *new_name;
    int from, to, result;

    if (!fids_can_move(d, old_path, new_path))
        return ENAMETOOLONG;
    from = nine_open_parent(d->root, old_path, &old_name);
    if (from < 0)
        return -from;
    to = nine_open_parent(d->root, new_path, &new_name);
    result = to < 0 ? -to : errno_of(renameat(from, old_name, to, new_name));
    if (to >= 0)
        close(to);
    close(from);
    if (!result)
        move_fids(d, old_path, new_path);
    return result;
}

int nine_rename(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    int fid = nine_fid_find(d, (u32)nine_get(in, 4)), result;
    char old_path[NINE_PATH_MAX];
    struct place to;

    get_place(d, in, &to);
    result = check_place(d, in, &to);
    if (result)
        return result;
    if (fid < 0)
        return EBADF;
    memcpy(old_path, nine_fid_path(d, fid), NINE_PATH_MAX);
    return move(d, old_path, to.path);
}

int nine_renameat(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    struct place from, to;
    int result;

    get_place(d, in, &from);
    get_place(d, in, &to);
    result = check_place(d, in, &from);
    if (!result)
        result = check_place(d, in, &to);
    return result ? result : move(d, from.path, to.path);
}

// Removing.

int nine_unlinkat(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    struct place at;
    int directory, result;
    u64 flags;

    get_place(d, in, &at);
    flags = nine_get(in, 4);
    result = check_place(d, in, &at);
    if (result)
        return result;
    directory = open_directory(d, at.fid);
    if (directory < 0)
        return -directory;
    result = errno_of(unlinkat(directory, at.name, flags & UNLINK_DIRECTORY ? AT_REMOVEDIR : 0));
    close(directory);
    return result;
}

// The fid goes in any case.
int nine_remove(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    int fid = nine_fid_find(d, (u32)nine_get(in, 4)), directory, result;
    const char *name;
    struct stat s;

    if (in->bad)
        return EPROTO;
    if (fid < 0)
        return EBADF;
    result = d->p.writable ? -nine_stat(d->root, nine_fid_path(d, fid), &s) : EROFS;
    if (!result) {
        directory = nine_open_parent(d->root, nine_fid_path(d, fid), &name);
        result = directory < 0
                     ? -directory
                     : errno_of(unlinkat(directory, name, S_ISDIR(s.st_mode) ? AT_REMOVEDIR : 0));
        if (directory >= 0)
            close(directory);
    }
    nine_fid_drop(d, fid);
    return result;
}

// Contents and attributes.

int nine_write(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    int fid = nine_fid_find(d, (u32)nine_get(in, 4)), fd;
    u64 offset = nine_get(in, 8), count = nine_get(in, 4);
    ssize_t n;

    if (in->bad || count > nine_left(in))
        return EPROTO;
    if (fid < 0 || d->st.open[fid] <= 1 + O_RDONLY)
        return EBADF;
    if (offset >> 63)
        return EINVAL;
    fd = nine_fid_file(d, fid);
    if (fd < 0)
        return -fd;
    n = pwrite(fd, in->data + in->at, count, (off_t)offset);
    if (n < 0)
        return errno;
    d->n.bytes_written += (u64)n;
    nine_put(out, 4, (u64)n);
    return 0;
}

int nine_fsync(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    int fid = nine_fid_find(d, (u32)nine_get(in, 4)), fd;

    if (in->bad)
        return EPROTO;
    if (fid < 0 || !d->st.open[fid])
        return EBADF;
    fd = nine_fid_file(d, fid);
    if (fd < 0)
        return -fd;
    return d->p.writable ? errno_of(fsync(fd)) : 0;
}

// The descriptor to change a file by: that of the fid when it is open with these rights, else a new
// one, in *ret_own, to be closed.
static int file_to_change(struct nine *d, int fid, int flags, int *ret_own)
{
    *ret_own = -1;
    if (d->st.open[fid] && (flags == O_RDONLY || d->st.open[fid] > 1 + O_RDONLY))
        return nine_fid_file(d, fid);
    *ret_own = nine_open_data(d->root, nine_fid_path(d, fid), flags);
    return *ret_own;
}

static int set_size(struct nine *d, int fid, u64 size)
{
    int own, fd, result;

    if (size >> 63)
        return EINVAL;
    fd = file_to_change(d, fid, O_WRONLY, &own);
    if (fd < 0)
        return -fd;
    result = errno_of(ftruncate(fd, (off_t)size));
    if (own >= 0)
        close(own);
    return result;
}

static int set_mode(struct nine *d, int fid, u32 mode)
{
    int own, fd = file_to_change(d, fid, O_RDONLY, &own), result;

    if (fd < 0)
        return -fd;
    result = errno_of(fchmod(fd, mode & MODE_BITS));
    if (own >= 0)
        close(own);
    return result;
}

static struct timespec new_time(u64 valid, u64 set, u64 given, u64 seconds, u64 nanoseconds)
{
    if (!(valid & set))
        return (struct timespec){.tv_nsec = UTIME_OMIT};
    if (!(valid & given))
        return (struct timespec){.tv_nsec = UTIME_NOW};
    return (struct timespec){.tv_sec = (time_t)seconds,
                             .tv_nsec = (long)(nanoseconds % 1000000000)};
}

static int set_times(const struct nine *d, const char *path, const struct timespec times[2])
{
    const char *name;
    int directory = nine_open_parent(d->root, path, &name), result;

    if (directory < 0)
        return -directory;
    result = errno_of(utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW));
    close(directory);
    return result;
}

int nine_setattr(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    int fid = nine_fid_find(d, (u32)nine_get(in, 4)), result = 0;
    u64 valid = nine_get(in, 4), mode = nine_get(in, 4), words[5];
    struct timespec times[2];

    nine_get(in, 8); // owner and group
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
        words[i] = nine_get(in, 8);
    if (in->bad)
        return EPROTO;
    if (fid < 0)
        return EBADF;
    times[0] = new_time(valid, SET_ATIME, SET_ATIME_GIVEN, words[1], words[2]);
    times[1] = new_time(valid, SET_MTIME, SET_MTIME_GIVEN, words[3], words[4]);
    if (valid & SET_MODE)
        result = set_mode(d, fid, (u32)mode);
    if (!result && valid & SET_SIZE)
        result = set_size(d, fid, words[0]);
    if (!result && valid & (SET_ATIME | SET_MTIME) && d->p.real_attributes)
        result = set_times(d, nine_fid_path(d, fid), times);
    return result;
}
