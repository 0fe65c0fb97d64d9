// SPDX-License-Identifier: BSD-3-Clause
#include "os/linux/file.h"

#include "os/linux/locks.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct file *file_new(struct kernel *k, const struct file_ops *ops, u32 flags, char *path)
{
    struct file *f = xcalloc(1, sizeof(*f));

    f->ops = ops;
    f->kernel = k;
    f->refs = 1;
    f->flags = flags & ~(u32)(O_CLOEXEC | O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY);
    f->host = -1;
    f->path = path;
    f->key = f;
    f->type = S_IFCHR;
    f->ino = ++k->next_ino;
    return f;
}

struct file *file_ref(struct file *f)
{
    f->refs++;
    return f;
}

void file_unref(struct file *f)
{
    if (!f || --f->refs > 0)
        return;
    locks_released(f);
    if (f->ops->release)
        f->ops->release(f);
    if (f->host >= 0 && !f->borrowed_host)
        close(f->host);
    free(f->path);
    free(f);
}

struct fd_table *fd_table_new(void)
{
    struct fd_table *fds = xcalloc(1, sizeof(*fds));

    fds->refs = 1;
    return fds;
}

struct fd_table *fd_table_copy(const struct fd_table *from)
{
    struct fd_table *fds = fd_table_new();

    for (size_t i = 0; i < from->count; i++) {
        struct fd_entry e = from->items[i];

        if (e.file)
            file_ref(e.file);
        VEC_PUSH(fds, e);
    }
    return fds;
}

struct fd_table *fd_table_ref(struct fd_table *fds)
{
    fds->refs++;
    return fds;
}

// A descriptor of the table is closed.
static void let_go(const struct fd_table *fds, struct file *f)
{
    if (!f)
        return;
    locks_closed(fds, f);
    file_unref(f);
}

void fd_table_unref(struct fd_table *fds)
{
    if (!fds || --fds->refs > 0)
        return;
    for (size_t i = 0; i < fds->count; i++)
        let_go(fds, fds->items[i].file);
    free(fds->items);
    free(fds);
}

void fd_table_close_on_exec(struct fd_table *fds)
{
    for (size_t i = 0; i < fds->count; i++) {
        struct file *f = fds->items[i].file;

        if (f && fds->items[i].close_on_exec) {
            fds->items[i].file = NULL;
            let_go(fds, f);
        }
    }
}

struct file *fd_get(const struct task *t, u64 fd)
{
    fd = (u32)fd;
    return fd < t->fds->count ? t->fds->items[fd].file : NULL;
}

i64 fd_put(struct task *t, int fd, struct file *f, bool close_on_exec)
{
    struct fd_table *fds = t->fds;
    struct file *old;

    while (fds->count <= (size_t)fd)
        VEC_PUSH(fds, (struct fd_entry){0});
    old = fds->items[fd].file;
    fds->items[fd] = (struct fd_entry){f, close_on_exec};
    let_go(fds, old);
    return fd;
}

i64 fd_add(struct task *t, struct file *f, bool close_on_exec, int least)
{
    u64 limit = MIN(t->process->limits[RLIMIT_NOFILE].rlim_cur, 1u << 20);
    u64 fd = (u64)least;

    while (fd < t->fds->count && t->fds->items[fd].file)
        fd++;
    if (fd >= limit) {
        file_unref(f);
        return -EMFILE;
    }
    return fd_put(t, (int)fd, f, close_on_exec);
}

i64 fd_close(struct task *t, u64 fd)
{
    struct file *f = fd_get(t, fd);

    if (!f)
        return -EBADF;
    t->fds->items[(u32)fd] = (struct fd_entry){0};
    let_go(t->fds, f);
    return 0;
}

u64 iov_bytes(const struct iovec *iov, int n)
{
    u64 sum = 0;

    for (int i = 0; i < n; i++)
        sum += iov[i].iov_len;
    return sum;
}

u64 iov_gather(const struct iovec *iov, int n, u64 skip, void *to, u64 size)
{
    u64 done = 0;

    for (int i = 0; i < n && done < size; i++) {
        u64 part;

        if (skip >= iov[i].iov_len) {
            skip -= iov[i].iov_len;
            continue;
        }
        part = MIN(iov[i].iov_len - skip, size - done);
        memcpy((u8 *)to + done, (u8 *)iov[i].iov_base + skip, part);
        done += part;
        skip = 0;
    }
    return done;
}

u64 iov_scatter(const struct iovec *iov, int n, u64 skip, const void *from, u64 size)
{
    u64 done = 0;

    for (int i = 0; i < n && done < size; i++) {
        u64 part;

        if (skip >= iov[i].iov_len) {
            skip -= iov[i].iov_len;
            continue;
        }
        part = MIN(iov[i].iov_len - skip, size - done);
        memcpy((u8 *)iov[i].iov_base + skip, (const u8 *)from + done, part);
        done += part;
        skip = 0;
    }
    return done;
}
