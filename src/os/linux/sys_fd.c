// SPDX-License-Identifier: BSD-3-Clause
// Descriptors: dup(2), fcntl(2), close(2), pipe(2), ioctl(2), eventfd(2), and files by descriptor.
#include "os/linux/file.h"
#include "os/linux/file_times.h"
#include "os/linux/fs.h"
#include "os/linux/locks.h"
#include "os/linux/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define STATUS_FLAGS (O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME)

i64 sys_close(struct task *t, const u64 *a)
{
    return fd_close(t, a[0]);
}

i64 sys_close_range(struct task *t, const u64 *a)
{
    u64 first = (u32)a[0], last = (u32)a[1];

    if (first > last || (a[2] & ~(u64)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)))
        return -EINVAL;
    if ((a[2] & CLOSE_RANGE_UNSHARE) && t->fds->refs > 1) {
        struct fd_table *own = fd_table_copy(t->fds);

        fd_table_unref(t->fds);
        t->fds = own;
    }
    for (u64 fd = first; fd <= last && fd < t->fds->count; fd++) {
        if (!t->fds->items[fd].file)
            continue;
        if (a[2] & CLOSE_RANGE_CLOEXEC)
            t->fds->items[fd].close_on_exec = true;
        else
            fd_close(t, fd);
    }
    return 0;
}

i64 sys_dup(struct task *t, const u64 *a)
{
    struct file *f = fd_get(t, a[0]);

    return f ? fd_add(t, file_ref(f), false, 0) : -EBADF;
}

static i64 dup_to(struct task *t, u64 from, u64 to, bool close_on_exec)
{
    struct file *f = fd_get(t, from);

    if (!f || (u32)to >= t->process->limits[RLIMIT_NOFILE].rlim_cur)
        return -EBADF;
    return fd_put(t, (int)to, file_ref(f), close_on_exec);
}

i64 sys_dup2(struct task *t, const u64 *a)
{
    if ((u32)a[0] == (u32)a[1])
        return fd_get(t, a[0]) ? (i64)(u32)a[0] : -EBADF;
    return dup_to(t, a[0], a[1], false);
}

i64 sys_dup3(struct task *t, const u64 *a)
{
    if ((u32)a[0] == (u32)a[1] || (a[2] & ~(u64)O_CLOEXEC))
        return -EINVAL;
    return dup_to(t, a[0], a[1], a[2] & O_CLOEXEC);
}

static i64 set_flags(struct file *f, u32 flags)
{
    u32 changed = (f->flags ^ flags) & O_APPEND;

    f->flags = (f->flags & ~(u32)STATUS_FLAGS) | (flags & STATUS_FLAGS);
    // Only the flag that changes what the host does, and not on the caller's own streams.
    if (f->host >= 0 && !f->borrowed_host && changed)
        fcntl(f->host, F_SETFL, (int)(flags & O_APPEND));
    return 0;
}

i64 sys_fcntl(struct task *t, const u64 *a)
{
    struct file *f = fd_get(t, a[0]);
    struct fd_entry *e;

    if (!f)
        return -EBADF;
    e = &t->fds->items[(u32)a[0]];
    switch (a[1]) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        if (a[2] >= t->process->limits[RLIMIT_NOFILE].rlim_cur)
            return -EINVAL;
        return fd_add(t, file_ref(f), a[1] == F_DUPFD_CLOEXEC, (int)a[2]);
    case F_GETFD:
        return e->close_on_exec ? FD_CLOEXEC : 0;
    case F_SETFD:
        e->close_on_exec = a[2] & FD_CLOEXEC;
        return 0;
    case F_GETFL:
        return (i64)f->flags | (f->ops == &host_file_ops ? 0100000 : 0); // O_LARGEFILE
    case F_SETFL:
        return set_flags(f, (u32)a[2]);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return locks_fcntl(t, f, a[1], a[2]);
    case F_SETOWN:
        f->owner = (int)a[2];
        return 0;
    case F_GETOWN:
        return f->owner;
    case F_GETPIPE_SZ:
        return pipe_capacity(f);
    case F_SETPIPE_SZ:
        return pipe_set_capacity(f, a[2]);
    case F_ADD_SEALS:
    case F_GET_SEALS: {
        int r = f->host >= 0 ? fcntl(f->host, (int)a[1], (int)a[2]) : (errno = EINVAL, -1);

        return r < 0 ? -errno : r;
    }
    default:
        return -EINVAL;
    }
}

i64 sys_ioctl(struct task *t, const u64 *a)
{
    struct file *f = fd_get(t, a[0]);
    u32 on;

    if (!f)
        return -EBADF;
    switch (a[1]) {
    case FIOCLEX:
    case FIONCLEX:
        t->fds->items[(u32)a[0]].close_on_exec = a[1] == FIOCLEX;
        return 0;
    case FIONBIO:
        if (!USER_GET(t, a[2], on))
            return -EFAULT;
        return set_flags(f, on ? f->flags | O_NONBLOCK : f->flags & ~(u32)O_NONBLOCK);
    default:
        return f->ops->ioctl ? f->ops->ioctl(f, t, a[1], a[2]) : -ENOTTY;
    }
}

i64 fd_give_pair(struct task *t, struct file *f[2], bool close_on_exec, vaddr out)
{
    i64 first = fd_add(t, f[0], close_on_exec, 0), second;
    i32 numbers[2];

    if (first < 0) {
        file_unref(f[1]);
        return first;
    }
    second = fd_add(t, f[1], close_on_exec, 0);
    numbers[0] = (i32)first;
    numbers[1] = (i32)second;
    if (second < 0 || !USER_PUT(t, out, numbers)) {
        fd_close(t, (u64)first);
        if (second >= 0)
            fd_close(t, (u64)second);
        return second < 0 ? second : -EFAULT;
    }
    return 0;
}

i64 sys_pipe2(struct task *t, const u64 *a)
{
    struct file *f[2];

    if (a[1] & ~(u64)(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
        return -EINVAL;
    pipe_new(t->kernel, (u32)a[1] & O_NONBLOCK, &f[0], &f[1]);
    return fd_give_pair(t, f, a[1] & O_CLOEXEC, a[0]);
}

i64 sys_pipe(struct task *t, const u64 *a)
{
    u64 args[6] = {a[0], 0};

    return sys_pipe2(t, args);
}

i64 sys_eventfd2(struct task *t, const u64 *a)
{
    if (a[1] & ~(u64)(EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE))
        return -EINVAL;
    return fd_add(t, eventfd_new(t->kernel, (u32)a[0], (u32)a[1]), a[1] & EFD_CLOEXEC, 0);
}

i64 sys_eventfd(struct task *t, const u64 *a)
{
    u64 args[6] = {a[0], 0};

    return sys_eventfd2(t, args);
}

i64 sys_signalfd4(struct task *t, const u64 *a)
{
    struct file *f;
    u64 set;

    if (!USER_GET(t, a[1], set))
        return -EFAULT;
    if ((i32)a[0] == -1)
        return fd_add(t, signalfd_new(t->kernel, set, (u32)a[3]), a[3] & O_CLOEXEC, 0);
    f = fd_get(t, a[0]);
    if (!f)
        return -EBADF;
    if (f->ops != &signalfd_ops)
        return -EINVAL;
    f->position = (i64)set;
    return (i64)a[0];
}

i64 sys_signalfd(struct task *t, const u64 *a)
{
    u64 args[6] = {a[0], a[1], a[2], 0};

    return sys_signalfd4(t, args);
}

i64 sys_memfd_create(struct task *t, const u64 *a)
{
    char name[256];
    i64 n = mm_read_string(t->mm, a[0], name, 250);
    int host;

    if (n < 0)
        return n == -ENAMETOOLONG ? -EINVAL : n;
    host = memfd_create(name, (u32)a[1] | MFD_CLOEXEC);
    if (host < 0)
        return -errno;
    file_times_created(t->kernel, host);
    return fd_add(t, host_file_new(t->kernel, host, O_RDWR, xasprintf("/memfd:%s (deleted)", name)),
                  a[1] & MFD_CLOEXEC, 0);
}

// ---- host calls by descriptor ----

static i64 host_call(struct task *t, u64 fd, struct file **ret_file)
{
    struct file *f = fd_get(t, fd);

    if (!f)
        return -EBADF;
    *ret_file = f;
    return f->host >= 0 ? 0 : -EINVAL;
}

#define WITH_HOST(f)                    \
    struct file *f;                     \
    i64 check = host_call(t, a[0], &f); \
    if (check < 0)                      \
    return check

static i64 result(int r)
{
    return r < 0 ? -errno : r;
}

i64 sys_fsync(struct task *t, const u64 *a)
{
    WITH_HOST(f);
    mapping_before_read(&t->kernel->mappings, f->dev, f->ino);
    return result(fsync(f->host));
}

i64 sys_fdatasync(struct task *t, const u64 *a)
{
    return sys_fsync(t, a);
}

i64 sys_syncfs(struct task *t, const u64 *a)
{
    WITH_HOST(f);
    return f->host >= 0 ? 0 : -EBADF;
}

i64 sys_sync(struct task *t, const u64 *a)
{
    return 0;
}

i64 sys_sync_file_range(struct task *t, const u64 *a)
{
    WITH_HOST(f);
    return f->host >= 0 ? 0 : -EBADF;
}

i64 sys_ftruncate(struct task *t, const u64 *a)
{
    WITH_HOST(f);
    mapping_before_read(&t->kernel->mappings, f->dev, f->ino);
    if (ftruncate(f->host, (off_t)a[1]) != 0)
        return -errno;
    file_changed(f);
    kernel_truncated(t->kernel, f->dev, f->ino, a[1]);
    return 0;
}

i64 sys_fallocate(struct task *t, const u64 *a)
{
    WITH_HOST(f);
    mapping_before_read(&t->kernel->mappings, f->dev, f->ino);
    if (fallocate(f->host, (int)a[1], (off_t)a[2], (off_t)a[3]) != 0)
        return -errno;
    file_changed(f);
    mapping_after_write(&t->kernel->mappings, f->dev, f->ino, a[2], a[3]);
    return 0;
}

i64 sys_fadvise64(struct task *t, const u64 *a)
{
    struct file *f = fd_get(t, a[0]);

    if (!f)
        return -EBADF;
    return f->type == S_IFIFO || f->type == S_IFSOCK ? -ESPIPE : 0;
}

i64 sys_readahead(struct task *t, const u64 *a)
{
    WITH_HOST(f);
    return f->type == S_IFREG ? 0 : -EINVAL;
}

// Only the inode's own time changes.
static i64 inode_changed(struct file *f, int r)
{
    if (r < 0)
        return -errno;
    file_times_touch(f->kernel, f->host, f->dev, f->ino, TIMES_C, false);
    return r;
}

i64 sys_fchmod(struct task *t, const u64 *a)
{
    WITH_HOST(f);
    return inode_changed(f, fchmod(f->host, (mode_t)a[1]));
}

i64 sys_fchown(struct task *t, const u64 *a)
{
    WITH_HOST(f);
    return inode_changed(f, fchown(f->host, (uid_t)a[1], (gid_t)a[2]));
}
