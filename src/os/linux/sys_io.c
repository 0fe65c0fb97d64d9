// SPDX-License-Identifier: BSD-3-Clause
// Reading and writing: read(2), pread(2), readv(2), sendfile(2), copy_file_range(2), splice(2)...
#include "os/linux/file.h"
#include "os/linux/signal.h"
#include "os/linux/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

enum { PIECES = 512 }; // of one transfer; more than 1 MiB goes in several

// The host's view of a buffer of the program: page by page, neighbours joined.
struct pieces {
    struct iovec iov[PIECES];
    int n;
    u64 bytes;
};

// Adds [va, va + size) as far as there is room; false when a page is missing (EFAULT).
static bool pieces_add(struct pieces *p, struct task *t, vaddr va, u64 size, bool write)
{
    while (size > 0 && p->n < PIECES) {
        u64 part = MIN(size, PAGE_BYTES - va % PAGE_BYTES);
        u8 *host = mm_host(t->mm, va, write);
        struct iovec *last = p->n ? &p->iov[p->n - 1] : NULL;

        if (!host)
            return false;
        if (last && (u8 *)last->iov_base + last->iov_len == host)
            last->iov_len += part;
        else
            p->iov[p->n++] = (struct iovec){host, part};
        p->bytes += part;
        va += part;
        size -= part;
    }
    return true;
}

struct transfer {
    struct file *f;
    bool write;
    i64 at;    // -1: the file's position
    u64 size;  // asked for
    u64 bytes; // of pieces
    i64 done;  // over all rounds
};

static i64 one_round(struct transfer *x, struct task *t, const struct pieces *p)
{
    i64 at = x->at < 0 ? -1 : x->at + x->done;

    if (x->write)
        return x->f->ops->write ? x->f->ops->write(x->f, t, p->iov, p->n, at) : -EINVAL;
    return x->f->ops->read ? x->f->ops->read(x->f, t, p->iov, p->n, at) : -EINVAL;
}

// The end of a transfer that would have to wait.
static i64 must_wait(struct transfer *x, struct task *t)
{
    i64 r;

    if (x->done > 0)
        return x->done;
    if (x->f->flags & O_NONBLOCK)
        return -EAGAIN;
    if (signal_waits(t) && t->wait.progress > 0)
        return (i64)t->wait.progress;
    file_wait(x->f, t);
    r = task_block(t);
    return r;
}

static i64 check_access(const struct file *f, bool write)
{
    u32 access = f->flags & O_ACCMODE;

    if (f->flags & O_PATH)
        return -EBADF;
    if (write ? access == O_RDONLY : access == O_WRONLY)
        return -EBADF;
    return 0;
}

static i64 transfer_vector(struct task *t, struct file *f, const struct iovec *user, u32 n,
                           bool write, i64 at)
{
    struct transfer x = {.f = f, .write = write, .at = at};
    struct pieces p;
    u32 i = 0;
    u64 offset = 0;
    i64 r = check_access(f, write);

    if (r < 0)
        return r;
    if (f->ops == &socket_ops)
        return at >= 0 ? -ESPIPE : socket_transfer(t, f, user, n, write);
    for (u32 v = 0; v < n; v++)
        x.size += user[v].iov_len;
    do {
        bool whole = true;

        p.n = 0;
        p.bytes = 0;
        for (; i < n && p.n < PIECES; i++, offset = 0) {
            u64 before = p.bytes;

            whole = pieces_add(&p, t, (vaddr)user[i].iov_base + offset, user[i].iov_len - offset,
                               !write);
            offset += p.bytes - before;
            if (!whole || offset < user[i].iov_len)
                break;
        }
        if (!whole && p.bytes == 0 && (x.size > 0))
            return x.done > 0 ? x.done : -EFAULT;
        r = one_round(&x, t, &p);
        if (r == -EAGAIN)
            return must_wait(&x, t);
        if (r < 0)
            return x.done > 0 ? x.done : r;
        x.done += r;
        if ((u64)r < p.bytes)
            break;
    } while ((u64)x.done < x.size && r > 0 && f->type == S_IFREG);
    return x.done;
}

static i64 transfer(struct task *t, u64 fd, vaddr va, u64 size, bool write, i64 at)
{
    struct file *f = fd_get(t, fd);
    struct iovec one = {(void *)(uintptr_t)va, MIN(size, 0x7ffff000ull)};

    return f ? transfer_vector(t, f, &one, 1, write, at) : -EBADF;
}

i64 sys_read(struct task *t, const u64 *a)
{
    return transfer(t, a[0], a[1], a[2], false, -1);
}

i64 sys_write(struct task *t, const u64 *a)
{
    return transfer(t, a[0], a[1], a[2], true, -1);
}

i64 sys_pread64(struct task *t, const u64 *a)
{
    return (i64)a[3] < 0 ? -EINVAL : transfer(t, a[0], a[1], a[2], false, (i64)a[3]);
}

i64 sys_pwrite64(struct task *t, const u64 *a)
{
    return (i64)a[3] < 0 ? -EINVAL : transfer(t, a[0], a[1], a[2], true, (i64)a[3]);
}

static i64 transfer_user_vector(struct task *t, const u64 *a, bool write, i64 at)
{
    struct file *f = fd_get(t, a[0]);
    struct iovec *v;
    u64 n = (u32)a[2], sum = 0;
    i64 r;

    if (!f)
        return -EBADF;
    if (n > IOV_MAX)
        return -EINVAL;
    v = xcalloc(n + 1, sizeof(*v));
    r = user_read(t, a[1], v, n * sizeof(*v)) ? 0 : -EFAULT;
    for (u64 i = 0; i < n && r == 0; i++) {
        if (v[i].iov_len > 0x7ffff000ull || (sum += v[i].iov_len) > 0x7ffff000ull)
            r = -EINVAL;
    }
    if (r == 0)
        r = transfer_vector(t, f, v, (u32)n, write, at);
    free(v);
    return r;
}

i64 sys_readv(struct task *t, const u64 *a)
{
    return transfer_user_vector(t, a, false, -1);
}

i64 sys_writev(struct task *t, const u64 *a)
{
    return transfer_user_vector(t, a, true, -1);
}

i64 sys_preadv(struct task *t, const u64 *a)
{
    return (i64)a[3] < 0 ? -EINVAL : transfer_user_vector(t, a, false, (i64)a[3]);
}

i64 sys_pwritev(struct task *t, const u64 *a)
{
    return (i64)a[3] < 0 ? -EINVAL : transfer_user_vector(t, a, true, (i64)a[3]);
}

i64 sys_preadv2(struct task *t, const u64 *a)
{
    return a[5] & ~1ull ? -EOPNOTSUPP : transfer_user_vector(t, a, false, (i64)a[3]);
}

i64 sys_pwritev2(struct task *t, const u64 *a)
{
    return a[5] & ~1ull ? -EOPNOTSUPP : transfer_user_vector(t, a, true, (i64)a[3]);
}

// ---- from file to file ----

struct copy {
    struct file *in, *out;
    i64 in_at, out_at; // -1: the position
};

// Up to `size` bytes. What cannot be written is not lost: it is read again, at its place.
static i64 copy_bytes(struct task *t, struct copy *c, u64 size)
{
    u8 part[65536];
    i64 total = 0;

    while (size > 0) {
        struct iovec iov = {part, MIN(size, sizeof(part))};
        i64 got = c->in->ops->read(c->in, t, &iov, 1, c->in_at), put;

        if (got <= 0)
            return total > 0 ? total : got;
        iov.iov_len = (u64)got;
        t->wait.progress = 0;
        put = c->out->ops->write(c->out, t, &iov, 1, c->out_at);
        if (put == -EAGAIN)
            put = (i64)t->wait.progress;
        t->wait.progress = 0;
        if (put < got && c->in_at < 0 && c->in->ops->seek)
            c->in->ops->seek(c->in, MAX(put, 0) - got, SEEK_CUR);
        if (put <= 0)
            return total > 0 ? total : put < 0 ? put : -EAGAIN;
        total += put;
        size -= (u64)put;
        if (c->in_at >= 0)
            c->in_at += put;
        if (c->out_at >= 0)
            c->out_at += put;
        if (put < got)
            break;
    }
    return total;
}

static i64 copy_between(struct task *t, struct copy *c, u64 size)
{
    i64 r;

    if (!c->in->ops->read || !c->out->ops->write)
        return -EINVAL;
    if (check_access(c->in, false) || check_access(c->out, true))
        return -EBADF;
    r = copy_bytes(t, c, MIN(size, 0x7ffff000ull));
    if (r != -EAGAIN || ((c->in->flags | c->out->flags) & O_NONBLOCK))
        return r;
    file_wait(c->in, t);
    file_wait(c->out, t);
    return task_block(t);
}

i64 sys_sendfile(struct task *t, const u64 *a)
{
    struct copy c = {.in = fd_get(t, a[1]), .out = fd_get(t, a[0]), .in_at = -1, .out_at = -1};
    i64 r;

    if (!c.in || !c.out)
        return -EBADF;
    if (a[2] && !USER_GET(t, a[2], c.in_at))
        return -EFAULT;
    if (a[2] && c.in_at < 0)
        return -EINVAL;
    r = copy_between(t, &c, a[3]);
    if (r > 0 && a[2] && !USER_PUT(t, a[2], c.in_at))
        return -EFAULT;
    return r;
}

static i64 copy_with_offsets(struct task *t, const u64 *a)
{
    struct copy c = {.in = fd_get(t, a[0]), .out = fd_get(t, a[2]), .in_at = -1, .out_at = -1};
    i64 r;

    if (!c.in || !c.out)
        return -EBADF;
    if ((a[1] && !USER_GET(t, a[1], c.in_at)) || (a[3] && !USER_GET(t, a[3], c.out_at)))
        return -EFAULT;
    if ((a[1] && c.in_at < 0) || (a[3] && c.out_at < 0))
        return -EINVAL;
    r = copy_between(t, &c, a[4]);
    if (r > 0 && ((a[1] && !USER_PUT(t, a[1], c.in_at)) || (a[3] && !USER_PUT(t, a[3], c.out_at))))
        return -EFAULT;
    return r;
}

i64 sys_copy_file_range(struct task *t, const u64 *a)
{
    struct file *in = fd_get(t, a[0]), *out = fd_get(t, a[2]);

    if (in && out && (in->type != S_IFREG || out->type != S_IFREG))
        return -EINVAL;
    return copy_with_offsets(t, a);
}

// At least one side is a pipe; data that was read from one must not get lost, so that only as much
// is read as the other side takes at once.
i64 sys_splice(struct task *t, const u64 *a)
{
    struct file *in = fd_get(t, a[0]), *out = fd_get(t, a[2]);
    u64 args[6] = {a[0], a[1], a[2], a[3], MIN(a[4], 4096)};

    if (!in || !out)
        return -EBADF;
    if (in->type != S_IFIFO && out->type != S_IFIFO)
        return -EINVAL;
    if (!(file_poll(out, t) & (POLLOUT | POLLERR))) {
        if ((a[5] & 2) || (out->flags & O_NONBLOCK))
            return -EAGAIN;
        file_wait(out, t);
        return task_block(t);
    }
    return copy_with_offsets(t, args);
}

i64 sys_tee(struct task *t, const u64 *a)
{
    struct file *in = fd_get(t, a[0]), *out = fd_get(t, a[1]);
    i64 r;

    if (!in || !out)
        return -EBADF;
    if (pipe_capacity(in) < 0 || pipe_capacity(out) < 0)
        return -EINVAL;
    if (check_access(in, false) || check_access(out, true))
        return -EBADF;
    r = pipe_tee(in, out, a[2]);
    if (r != -EAGAIN || (a[3] & 2) || ((in->flags | out->flags) & O_NONBLOCK))
        return r;
    file_wait(in, t);
    file_wait(out, t);
    return task_block(t);
}

i64 sys_lseek(struct task *t, const u64 *a)
{
    struct file *f = fd_get(t, a[0]);

    if (!f)
        return -EBADF;
    return f->ops->seek ? f->ops->seek(f, (i64)a[1], (int)a[2]) : -ESPIPE;
}
