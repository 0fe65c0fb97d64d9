// SPDX-License-Identifier: BSD-3-Clause
// Names: links, folders, renaming, permissions, times, the working folder.
#include "os/linux/file.h"
#include "os/linux/file_times.h"
#include "os/linux/fs.h"
#include "os/linux/synth.h"
#include "os/linux/syscall.h"
#include "os/linux/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <utime.h>

static const u64 CWD = (u64)AT_FDCWD;

static i64 result(i64 r)
{
    return r < 0 ? -errno : r;
}

// A place that the program wants to change: the simulator's own cannot be.
static i64 place_to_change(struct task *t, u64 dirfd, vaddr path, u32 flags, struct place *p)
{
    i64 r = place_user(t, dirfd, path, flags, p);
    struct file *f;

    // C libraries change what an O_PATH descriptor stands for through /proc/self/fd/N.
    if (r == 0 && p->synthetic && !p->file && (flags & PLACE_FOLLOW)) {
        f = synth_file(t, p->guest);
        if (f && f->host >= 0) {
            p->synthetic = false;
            p->at = AT_FDCWD;
            snprintf(p->path, sizeof(p->path), "/proc/self/fd/%d", f->host);
        }
    }
    if (r == 0 && p->synthetic && !p->file)
        return -EACCES;
    if (r == 0 && p->file && p->file->host < 0)
        return -EPERM;
    return r;
}

// The name was made just now (or not: r < 0, an error of the host).
static i64 made(struct task *t, const struct place *p, i64 r)
{
    if (r < 0)
        return -errno;
    file_times_touch_at(t->kernel, p->at, p->path, TIMES_A | TIMES_M | TIMES_C,
                        AT_SYMLINK_NOFOLLOW);
    file_times_touch_folder(t->kernel, p->at, p->path);
    return r;
}

static i64 inode_changed(struct task *t, const struct place *p, int flags, i64 r)
{
    if (r < 0)
        return -errno;
    file_times_touch_at(t->kernel, p->at, p->path, TIMES_C, flags);
    return r;
}

i64 sys_readlinkat(struct task *t, const u64 *a)
{
    struct place p;
    char text[PATH_MAX];
    i64 r = place_user(t, a[0], a[1], PLACE_EMPTY, &p);

    if (r < 0)
        return r;
    if ((i32)a[3] <= 0)
        return -EINVAL;
    if (p.synthetic)
        r = synth_readlink(t, p.guest, text, MIN(a[3], sizeof(text)));
    else
        r = result(readlinkat(p.at, p.path, text, MIN(a[3], sizeof(text))));
    if (r < 0)
        return r;
    return user_write(t, a[2], text, (u64)r) ? r : -EFAULT;
}

i64 sys_readlink(struct task *t, const u64 *a)
{
    u64 args[6] = {CWD, a[0], a[1], a[2]};

    return sys_readlinkat(t, args);
}

i64 sys_getcwd(struct task *t, const u64 *a)
{
    u64 size = strlen(t->fs->cwd) + 1;

    if (size > a[1])
        return -ERANGE;
    return user_write(t, a[0], t->fs->cwd, size) ? (i64)size : -EFAULT;
}

static i64 change_folder(struct task *t, int at, const char *path, const char *guest)
{
    int host = openat(at, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    char real[PATH_MAX], link[64];
    ssize_t n;

    if (host < 0)
        return -errno;
    if (faccessat(host, ".", X_OK, 0) != 0) {
        close(host);
        return -EACCES;
    }
    close(t->fs->cwd_host);
    t->fs->cwd_host = host;
    // The kernel knows a folder by its place, not by the links that led there.
    snprintf(link, sizeof(link), "/proc/self/fd/%d", host);
    n = t->kernel->root ? -1 : readlink(link, real, sizeof(real) - 1);
    if (n > 0)
        real[n] = 0;
    free(t->fs->cwd);
    t->fs->cwd = xstrdup(n > 0 ? real : guest);
    return 0;
}

i64 sys_chdir(struct task *t, const u64 *a)
{
    struct place p;
    i64 r = place_user(t, CWD, a[0], PLACE_FOLLOW, &p);

    if (r < 0)
        return r;
    return p.synthetic ? -EACCES : change_folder(t, p.at, p.path, p.guest);
}

i64 sys_fchdir(struct task *t, const u64 *a)
{
    struct file *f = fd_get(t, a[0]);

    if (!f)
        return -EBADF;
    if (f->type != S_IFDIR)
        return -ENOTDIR;
    return f->host < 0 ? -EACCES : change_folder(t, f->host, ".", f->path);
}

static mode_t with_umask(const struct task *t, u64 mode)
{
    return (mode_t)(mode & ~(u64)t->fs->umask);
}

i64 sys_mkdirat(struct task *t, const u64 *a)
{
    struct place p;
    i64 r = place_to_change(t, a[0], a[1], 0, &p);
    mode_t old;

    if (r < 0)
        return r == -EACCES ? -EEXIST : r;
    old = umask(0);
    r = made(t, &p, mkdirat(p.at, p.path, with_umask(t, a[2])));
    umask(old);
    return r;
}

i64 sys_mkdir(struct task *t, const u64 *a)
{
    u64 args[6] = {CWD, a[0], a[1]};

    return sys_mkdirat(t, args);
}

i64 sys_mknodat(struct task *t, const u64 *a)
{
    struct place p;
    i64 r = place_to_change(t, a[0], a[1], 0, &p);
    mode_t old;

    if (r < 0)
        return r;
    if (S_ISCHR(a[2]) || S_ISBLK(a[2]))
        return -EPERM;
    old = umask(0);
    r = made(t, &p, mknodat(p.at, p.path, with_umask(t, a[2]), 0));
    umask(old);
    return r;
}

i64 sys_mknod(struct task *t, const u64 *a)
{
    u64 args[6] = {CWD, a[0], a[1], a[2]};

    return sys_mknodat(t, args);
}

i64 sys_unlinkat(struct task *t, const u64 *a)
{
    struct place p;
    struct stat st;
    i64 r = place_to_change(t, a[0], a[1], 0, &p);
    int held = -1;

    if (r < 0)
        return r;
    if (fstatat(p.at, p.path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
        held = openat(p.at, p.path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    r = result(unlinkat(p.at, p.path, (int)a[2]));
    if (r == 0) {
        file_times_touch_folder(t->kernel, p.at, p.path);
        if (held >= 0) // other links, or descriptors, still show it
            file_times_touch(t->kernel, held, st.st_dev, st.st_ino, TIMES_C, false);
    }
    if (held >= 0)
        close(held);
    if (r == 0 && held >= 0)
        mapping_unlinked(&t->kernel->mappings, st.st_dev, st.st_ino);
    return r;
}

i64 sys_unlink(struct task *t, const u64 *a)
{
    u64 args[6] = {CWD, a[0], 0};

    return sys_unlinkat(t, args);
}

i64 sys_rmdir(struct task *t, const u64 *a)
{
    u64 args[6] = {CWD, a[0], AT_REMOVEDIR};

    return sys_unlinkat(t, args);
}

i64 sys_renameat2(struct task *t, const u64 *a)
{
    struct place from, to;
    i64 r = place_to_change(t, a[0], a[1], 0, &from);

    if (r == 0)
        r = place_to_change(t, a[2], a[3], 0, &to);
    if (r != 0)
        return r;
    r = result(renameat2(from.at, from.path, to.at, to.path, (u32)a[4]));
    if (r < 0)
        return r;
    file_times_touch_at(t->kernel, to.at, to.path, TIMES_C, AT_SYMLINK_NOFOLLOW);
    file_times_touch_folder(t->kernel, from.at, from.path);
    file_times_touch_folder(t->kernel, to.at, to.path);
    return r;
}

i64 sys_renameat(struct task *t, const u64 *a)
{
    u64 args[6] = {a[0], a[1], a[2], a[3], 0};

    return sys_renameat2(t, args);
}

i64 sys_rename(struct task *t, const u64 *a)
{
    u64 args[6] = {CWD, a[0], CWD, a[1], 0};

    return sys_renameat2(t, args);
}

i64 sys_linkat(struct task *t, const u64 *a)
{
    struct place from, to;
    i64 r = place_to_change(t, a[0], a[1],
                            (a[4] & AT_SYMLINK_FOLLOW ? PLACE_FOLLOW : 0) |
                                (a[4] & AT_EMPTY_PATH ? PLACE_EMPTY : 0),
                            &from);
    char fd_path[64];

    if (r == 0)
        r = place_to_change(t, a[2], a[3], 0, &to);
    if (r != 0)
        return r;
    if (from.file) {
        snprintf(fd_path, sizeof(fd_path), "/proc/self/fd/%d", from.file->host);
        r = result(linkat(AT_FDCWD, fd_path, to.at, to.path, AT_SYMLINK_FOLLOW));
    } else {
        r = result(linkat(from.at, from.path, to.at, to.path, (int)a[4] & AT_SYMLINK_FOLLOW));
    }
    if (r < 0)
        return r;
    file_times_touch_folder(t->kernel, to.at, to.path);
    return inode_changed(t, &to, AT_SYMLINK_NOFOLLOW, r);
}

i64 sys_link(struct task *t, const u64 *a)
{
    u64 args[6] = {CWD, a[0], CWD, a[1], 0};

    return sys_linkat(t, args);
}

i64 sys_symlinkat(struct task *t, const u64 *a)
{
    struct place p;
    char target[PATH_MAX];
    i64 n = mm_read_string(t->mm, a[0], target, sizeof(target));
    i64 r = n < 0 ? n : place_to_change(t, a[1], a[2], 0, &p);

    return r < 0 ? r : made(t, &p, symlinkat(target, p.at, p.path));
}

i64 sys_symlink(struct task *t, const u64 *a)
{
    u64 args[6] = {a[0], CWD, a[1]};

    return sys_symlinkat(t, args);
}

i64 sys_fchmodat(struct task *t, const u64 *a)
{
    struct place p;
    i64 r = place_to_change(t, a[0], a[1], PLACE_FOLLOW, &p);

    return r < 0 ? r : inode_changed(t, &p, 0, fchmodat(p.at, p.path, (mode_t)a[2], 0));
}

i64 sys_chmod(struct task *t, const u64 *a)
{
    u64 args[6] = {CWD, a[0], a[1]};

    return sys_fchmodat(t, args);
}

i64 sys_fchownat(struct task *t, const u64 *a)
{
    struct place p;
    i64 r = place_to_change(t, a[0], a[1],
                            (a[4] & AT_SYMLINK_NOFOLLOW ? 0 : PLACE_FOLLOW) |
                                (a[4] & AT_EMPTY_PATH ? PLACE_EMPTY : 0),
                            &p);

    if (r < 0)
        return r;
    return inode_changed(t, &p, (int)a[4] & (AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH),
                         fchownat(p.at, p.path, (uid_t)a[2], (gid_t)a[3],
                                  (int)a[4] & (AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)));
}

i64 sys_chown(struct task *t, const u64 *a)
{
    u64 args[6] = {CWD, a[0], a[1], a[2], 0};

    return sys_fchownat(t, args);
}

i64 sys_lchown(struct task *t, const u64 *a)
{
    u64 args[6] = {CWD, a[0], a[1], a[2], AT_SYMLINK_NOFOLLOW};

    return sys_fchownat(t, args);
}

i64 sys_umask(struct task *t, const u64 *a)
{
    u32 old = t->fs->umask;

    t->fs->umask = (u32)a[0] & 0777;
    return old;
}

i64 sys_truncate(struct task *t, const u64 *a)
{
    struct place p;
    struct stat st;
    i64 r = place_to_change(t, CWD, a[0], PLACE_FOLLOW, &p);
    char path[64];
    int fd;

    if (r < 0)
        return r;
    fd = openat(p.at, p.path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    r = result(truncate(path, (off_t)a[1]));
    if (r == 0 && fstat(fd, &st) == 0) {
        file_times_touch_at(t->kernel, AT_FDCWD, path, TIMES_M | TIMES_C, 0);
        kernel_truncated(t->kernel, st.st_dev, st.st_ino, a[1]);
    }
    close(fd);
    return r;
}

// ---- times: "now" is the simulated time ----

static void resolve_now(const struct task *t, struct timespec times[2])
{
    for (int i = 0; i < 2; i++) {
        if (times[i].tv_nsec == UTIME_NOW)
            times[i] = timespec_of_ns((u64)clock_now_ns(t, CLOCK_REALTIME));
    }
}

static i64 set_host_times(struct task *t, int at, const char *path, const struct timespec times[2],
                          int flags)
{
    struct stat st;

    if (times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT)
        return 0;
    if (utimensat(at, path, times, flags) != 0)
        return -errno;
    if (fstatat(at, path, &st, flags) == 0)
        file_times_given(t->kernel, &st, times);
    return 0;
}

static i64 set_open_times(struct task *t, const struct file *f, const struct timespec times[2])
{
    struct stat st;

    if (f->host < 0)
        return 0;
    if (futimens(f->host, times) != 0)
        return -errno;
    if (fstat(f->host, &st) == 0)
        file_times_given(t->kernel, &st, times);
    return 0;
}

static i64 set_times(struct task *t, u64 dirfd, vaddr path, struct timespec times[2], u64 flags)
{
    struct place p;
    struct file *f;
    i64 r;

    resolve_now(t, times);
    if (!path) {
        f = fd_get(t, dirfd);
        return f ? set_open_times(t, f, times) : -EBADF;
    }
    r = place_to_change(t, dirfd, path,
                        (flags & AT_SYMLINK_NOFOLLOW ? 0 : PLACE_FOLLOW) |
                            (flags & AT_EMPTY_PATH ? PLACE_EMPTY : 0),
                        &p);
    if (r < 0)
        return r == -EACCES ? 0 : r;
    if (p.file)
        return set_open_times(t, p.file, times);
    return set_host_times(t, p.at, p.path, times, (int)flags & AT_SYMLINK_NOFOLLOW);
}

i64 sys_utimensat(struct task *t, const u64 *a)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};

    if (a[2] && !USER_GET(t, a[2], times))
        return -EFAULT;
    return set_times(t, a[0], a[1], times, a[3]);
}

static i64 set_timevals(struct task *t, u64 dirfd, vaddr path, vaddr times)
{
    struct timeval tv[2];
    struct timespec ts[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};

    if (times) {
        if (!USER_GET(t, times, tv))
            return -EFAULT;
        for (int i = 0; i < 2; i++) {
            if (tv[i].tv_usec < 0 || tv[i].tv_usec >= 1000000)
                return -EINVAL;
            ts[i] = (struct timespec){tv[i].tv_sec, tv[i].tv_usec * 1000};
        }
    }
    return set_times(t, dirfd, path, ts, 0);
}

i64 sys_futimesat(struct task *t, const u64 *a)
{
    return set_timevals(t, a[0], a[1], a[2]);
}

i64 sys_utimes(struct task *t, const u64 *a)
{
    return set_timevals(t, CWD, a[0], a[1]);
}

i64 sys_utime(struct task *t, const u64 *a)
{
    struct utimbuf u;
    struct timespec ts[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};

    if (a[1]) {
        if (!USER_GET(t, a[1], u))
            return -EFAULT;
        ts[0] = (struct timespec){u.actime, 0};
        ts[1] = (struct timespec){u.modtime, 0};
    }
    return set_times(t, CWD, a[0], ts, 0);
}
