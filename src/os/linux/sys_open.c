// SPDX-License-Identifier: BSD-3-Clause
// Opening files, folders' entries, and what is known about files: open(2), getdents(2), stat(2).
#include "os/linux/file.h"
#include "os/linux/file_times.h"
#include "os/linux/fs.h"
#include "os/linux/synth.h"
#include "os/linux/syscall.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

static i64 open_place(struct task *t, struct place *p, u32 flags, u32 mode, struct file **ret_file)
{
    struct stat st;
    mode_t old;
    int host, saved;
    bool there = true;

    if (p->synthetic)
        return synth_open(t, p->guest, flags, ret_file);
    if (flags & O_CREAT)
        there = fstatat(p->at, p->path, &st, 0) == 0;
    old = umask(t->fs->umask);
    // Never waits for the other end of a named pipe, and never takes the caller's terminal.
    host = openat(p->at, p->path, (int)(flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), mode);
    saved = errno;
    umask(old);
    if (host < 0 && saved == ENXIO && fstatat(p->at, p->path, &st, 0) == 0 && S_ISFIFO(st.st_mode))
        return fifo_open(t, st.st_dev, st.st_ino, flags, p->guest, ret_file);
    if (host < 0)
        return -saved;
    *ret_file = host_file_new(t->kernel, host, flags, xstrdup(p->guest));
    if (!there || (flags & O_TMPFILE) == O_TMPFILE)
        file_times_created(t->kernel, host);
    if ((*ret_file)->type == S_IFIFO && !(flags & O_PATH)) {
        u64 dev = (*ret_file)->dev, ino = (*ret_file)->ino;

        file_unref(*ret_file);
        return fifo_open(t, dev, ino, flags, p->guest, ret_file);
    }
    if ((flags & O_TRUNC) && (*ret_file)->type == S_IFREG) {
        kernel_truncated(t->kernel, (*ret_file)->dev, (*ret_file)->ino, 0);
        if (there)
            file_changed(*ret_file);
    }
    return 0;
}

static i64 open_user(struct task *t, u64 dirfd, vaddr path, u32 flags, u32 mode)
{
    struct place p;
    struct file *f = NULL;
    i64 r = place_user(t, dirfd, path, flags & O_NOFOLLOW ? 0 : PLACE_FOLLOW, &p);

    if (r < 0)
        return r;
    r = open_place(t, &p, flags, mode, &f);
    return r != 0 || !f ? r : fd_add(t, f, flags & O_CLOEXEC, 0);
}

i64 sys_open(struct task *t, const u64 *a)
{
    return open_user(t, (u64)AT_FDCWD, a[0], (u32)a[1], (u32)a[2]);
}

i64 sys_openat(struct task *t, const u64 *a)
{
    return open_user(t, a[0], a[1], (u32)a[2], (u32)a[3]);
}

i64 sys_creat(struct task *t, const u64 *a)
{
    return open_user(t, (u64)AT_FDCWD, a[0], O_CREAT | O_WRONLY | O_TRUNC, (u32)a[1]);
}

i64 sys_openat2(struct task *t, const u64 *a)
{
    struct open_how how;

    if (a[3] < sizeof(how))
        return -EINVAL;
    if (!USER_GET(t, a[2], how))
        return -EFAULT;
    if (how.resolve)
        return -EAGAIN; // "try again without": callers fall back
    return open_user(t, a[0], a[1], (u32)how.flags, (u32)how.mode);
}

// ---- folders ----

// Where a name stands in a folder's order: descriptors and processes by their number, after all
// else, so that a reader misses none when others go meanwhile.
static u64 entry_place(const char *name, u64 index)
{
    char *end;
    u64 number = strtoull(name, &end, 10);

    return end != name && !*end ? (1ull << 32) + MIN(number, 1ull << 31) : index;
}

static i64 put_entry(struct task *t, vaddr out, u64 room, const char *name, u64 place)
{
    union {
        struct dirent64 entry;
        u8 bytes[sizeof(struct dirent64)];
    } u = {0};
    u64 length = (offsetof(struct dirent64, d_name) + strlen(name) + 1 + 7) & ~7ull;

    if (length > room)
        return 0;
    u.entry.d_ino = place + 1;
    u.entry.d_off = (off_t)place + 1;
    u.entry.d_reclen = (u16)length;
    u.entry.d_type = DT_UNKNOWN;
    memcpy(u.entry.d_name, name, strlen(name) + 1);
    return user_write(t, out, &u, length) ? (i64)length : -EFAULT;
}

static i64 list_synthetic(struct task *t, struct file *f, vaddr out, u64 room)
{
    u64 size = 0, done = 0;
    AUTO_FREE char *names = synth_list(t, f->path, &size);
    i64 r = 1;

    if (!names)
        return -ENOTDIR;
    for (int numbers = 0; numbers < 2 && r > 0; numbers++) {
        u64 index = 0;

        for (u64 at = 0; at < size && r > 0; at += strlen(names + at) + 1) {
            u64 place = entry_place(names + at, index++);

            if ((place >> 32 != 0) != numbers || place < (u64)f->position)
                continue;
            r = put_entry(t, out + done, room - done, names + at, place);
            if (r <= 0)
                break;
            done += (u64)r;
            f->position = (i64)place + 1;
        }
    }
    return r < 0 ? r : done == 0 && r == 0 ? -EINVAL : (i64)done;
}

i64 sys_getdents64(struct task *t, const u64 *a)
{
    struct file *f = fd_get(t, a[0]);
    u8 entries[32768];
    long n;

    if (!f)
        return -EBADF;
    if (f->type != S_IFDIR)
        return -ENOTDIR;
    if (f->host < 0)
        return list_synthetic(t, f, a[1], (u32)a[2]);
    memset(entries, 0, sizeof(entries)); // Linux skips what pads the names
    n = syscall(SYS_getdents64, f->host, entries, MIN((u32)a[2], sizeof(entries)));
    if (n < 0)
        return -errno;
    return user_write(t, a[1], entries, (u64)n) ? n : -EFAULT;
}

// ---- status ----

static i64 status_of(struct task *t, struct place *p, bool follow, struct stat *ret_stat)
{
    if (p->file && p->file->host < 0)
        return p->file->ops->status ? p->file->ops->status(p->file, ret_stat) : -EBADF;
    if (p->synthetic && !p->file)
        return synth_stat(t, p->guest, follow, ret_stat);
    if (fstatat(p->at, p->path, ret_stat,
                (p->file ? AT_EMPTY_PATH : 0) | (follow ? 0 : AT_SYMLINK_NOFOLLOW)) != 0)
        return -errno;
    return 0;
}

static i64 put_status(struct task *t, vaddr out, struct stat *st)
{
    file_times_show(t->kernel, st);
    return user_write(t, out, st, sizeof(*st)) ? 0 : -EFAULT;
}

i64 sys_newfstatat(struct task *t, const u64 *a)
{
    struct place p;
    struct stat st;
    bool follow = !(a[3] & AT_SYMLINK_NOFOLLOW);
    i64 r = place_user(t, a[0], a[1],
                       (follow ? PLACE_FOLLOW : 0) | (a[3] & AT_EMPTY_PATH ? PLACE_EMPTY : 0), &p);

    if (r == 0)
        r = status_of(t, &p, follow, &st);
    if (r < 0)
        return r;
    return put_status(t, a[2], &st);
}

i64 sys_stat(struct task *t, const u64 *a)
{
    u64 args[6] = {(u64)AT_FDCWD, a[0], a[1], 0};

    return sys_newfstatat(t, args);
}

i64 sys_lstat(struct task *t, const u64 *a)
{
    u64 args[6] = {(u64)AT_FDCWD, a[0], a[1], AT_SYMLINK_NOFOLLOW};

    return sys_newfstatat(t, args);
}

i64 sys_fstat(struct task *t, const u64 *a)
{
    struct file *f = fd_get(t, a[0]);
    struct stat st;
    int r;

    if (!f)
        return -EBADF;
    if (!f->ops->status) {
        st = (struct stat){.st_mode = f->type | 0600, .st_nlink = 1, .st_ino = f->ino};
        r = 0;
    } else {
        r = f->ops->status(f, &st);
    }
    if (r < 0)
        return r;
    return put_status(t, a[1], &st);
}

static struct statx_timestamp stamp(struct timespec ts)
{
    return (struct statx_timestamp){.tv_sec = ts.tv_sec, .tv_nsec = (u32)ts.tv_nsec};
}

static void statx_of(const struct stat *st, struct statx *x)
{
    *x = (struct statx){.stx_mask = STATX_BASIC_STATS,
                        .stx_blksize = (u32)st->st_blksize,
                        .stx_nlink = (u32)st->st_nlink,
                        .stx_uid = st->st_uid,
                        .stx_gid = st->st_gid,
                        .stx_mode = (u16)st->st_mode,
                        .stx_ino = st->st_ino,
                        .stx_size = (u64)st->st_size,
                        .stx_blocks = (u64)st->st_blocks,
                        .stx_atime = stamp(st->st_atim),
                        .stx_ctime = stamp(st->st_ctim),
                        .stx_mtime = stamp(st->st_mtim),
                        .stx_rdev_major = major(st->st_rdev),
                        .stx_rdev_minor = minor(st->st_rdev),
                        .stx_dev_major = major(st->st_dev),
                        .stx_dev_minor = minor(st->st_dev)};
}

i64 sys_statx(struct task *t, const u64 *a)
{
    struct place p;
    struct stat st;
    struct statx x;
    bool follow = !(a[2] & AT_SYMLINK_NOFOLLOW);
    i64 r = place_user(t, a[0], a[1],
                       (follow ? PLACE_FOLLOW : 0) | (a[2] & AT_EMPTY_PATH ? PLACE_EMPTY : 0), &p);

    if (r < 0)
        return r;
    if (p.file && p.file->host < 0 && !p.file->ops->status) {
        st = (struct stat){.st_mode = p.file->type | 0600, .st_nlink = 1};
    } else {
        r = status_of(t, &p, follow, &st);
        if (r < 0)
            return r;
    }
    file_times_show(t->kernel, &st);
    statx_of(&st, &x);
    return USER_PUT(t, a[4], x) ? 0 : -EFAULT;
}

static i64 access_place(struct task *t, u64 dirfd, vaddr path, u64 mode, u64 flags)
{
    struct place p;
    struct stat st;
    bool follow = !(flags & AT_SYMLINK_NOFOLLOW);
    i64 r = place_user(t, dirfd, path,
                       (follow ? PLACE_FOLLOW : 0) | (flags & AT_EMPTY_PATH ? PLACE_EMPTY : 0), &p);

    if (r < 0)
        return r;
    if (p.synthetic || (p.file && p.file->host < 0)) {
        r = status_of(t, &p, follow, &st);
        if (r < 0)
            return r;
        return (mode & W_OK) && !(st.st_mode & 0222) && geteuid() != 0 ? -EACCES : 0;
    }
    if (p.file)
        return 0;
    return faccessat(p.at, p.path, (int)mode, (int)flags & (AT_SYMLINK_NOFOLLOW | AT_EACCESS)) == 0
               ? 0
               : -errno;
}

i64 sys_access(struct task *t, const u64 *a)
{
    return access_place(t, (u64)AT_FDCWD, a[0], a[1], 0);
}

i64 sys_faccessat(struct task *t, const u64 *a)
{
    return access_place(t, a[0], a[1], a[2], 0);
}

i64 sys_faccessat2(struct task *t, const u64 *a)
{
    return access_place(t, a[0], a[1], a[2], a[3]);
}

static i64 put_statfs(struct task *t, vaddr out, struct statfs *s)
{
    return user_write(t, out, s, sizeof(*s)) ? 0 : -EFAULT;
}

i64 sys_statfs(struct task *t, const u64 *a)
{
    struct place p;
    struct statfs s = {.f_type = 0x9fa0, .f_bsize = 4096, .f_namelen = 255, .f_frsize = 4096};
    i64 r = place_user(t, (u64)AT_FDCWD, a[0], PLACE_FOLLOW, &p);
    int fd;

    if (r < 0)
        return r;
    if (p.synthetic)
        return put_statfs(t, a[1], &s);
    fd = openat(p.at, p.path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    r = fstatfs(fd, &s) == 0 ? put_statfs(t, a[1], &s) : -errno;
    close(fd);
    return r;
}

i64 sys_fstatfs(struct task *t, const u64 *a)
{
    struct file *f = fd_get(t, a[0]);
    struct statfs s = {.f_type = 0x9fa0, .f_bsize = 4096, .f_namelen = 255, .f_frsize = 4096};

    if (!f)
        return -EBADF;
    if (f->host >= 0 && fstatfs(f->host, &s) != 0)
        return -errno;
    return put_statfs(t, a[1], &s);
}
