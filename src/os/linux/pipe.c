// SPDX-License-Identifier: BSD-3-Clause
// Pipes and named pipes: byte queues between tasks (pipe(7)). Both ends share the queue, which is
// what waiting tasks wait for. APPROX: a named pipe of the host joins tasks of the simulated
// machine only, not a process of the host.
#include "base/bug.h"
#include "os/linux/file.h"
#include "os/linux/signal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

enum { PIPE_BYTES = 65536, PIPE_ATOMIC = 4096, PIPE_MAX = 1 << 20 };

struct queue {
    u8 *bytes; // owned ring
    u64 size, start, used;
    u32 readers, writers; // files that could
    u32 ends;             // files that refer to it, and tasks that are opening it
    // Named pipes: which one, and how often each side was opened.
    bool named;
    u64 dev, ino, read_opens, write_opens;
    u64 edges; // how often something changed, for edge-triggered epoll
};

static void queue_changed(struct kernel *k, struct queue *q)
{
    q->edges++;
    kernel_wake(k, q);
}

static struct queue *queue_new(u64 size)
{
    struct queue *q = xcalloc(1, sizeof(*q));

    q->size = size;
    q->bytes = xcalloc(size, 1);
    q->readers = q->writers = 1;
    q->ends = 2;
    return q;
}

static void queue_drop(struct kernel *k, struct queue *q)
{
    size_t kept = 0;

    if (--q->ends > 0)
        return;
    for (size_t i = 0; i < k->fifos.count && q->named; i++) {
        if (k->fifos.items[i] != q)
            k->fifos.items[kept++] = k->fifos.items[i];
    }
    if (q->named)
        k->fifos.count = kept;
    free(q->bytes);
    free(q);
}

static void queue_drop_unused(struct kernel *k, struct queue *q)
{
    if (q->ends == 0) {
        q->ends = 1;
        queue_drop(k, q);
    }
}

static void put_bytes(struct queue *q, const void *from, u64 n)
{
    u64 at = (q->start + q->used) % q->size, first = MIN(n, q->size - at);

    memcpy(q->bytes + at, from, first);
    memcpy(q->bytes, (const u8 *)from + first, n - first);
    q->used += n;
}

static void peek_bytes(const struct queue *q, u64 skip, void *to, u64 n)
{
    u64 at = (q->start + skip) % q->size, first = MIN(n, q->size - at);

    memcpy(to, q->bytes + at, first);
    memcpy((u8 *)to + first, q->bytes, n - first);
}

static void drop_bytes(struct queue *q, u64 n)
{
    q->start = (q->start + n) % q->size;
    q->used -= n;
}

// All of the iovec's bytes from `skip` on that fit.
static u64 put_iov(struct queue *q, const struct iovec *iov, int n, u64 skip, u64 size)
{
    u8 part[4096];
    u64 done = 0;

    while (done < size) {
        u64 some = iov_gather(iov, n, skip + done, part, MIN(sizeof(part), size - done));

        put_bytes(q, part, some);
        done += some;
    }
    return done;
}

static u64 get_iov(struct queue *q, const struct iovec *iov, int n, u64 size)
{
    u8 part[4096];
    u64 done = 0;

    while (done < size) {
        u64 some = MIN(sizeof(part), size - done);

        peek_bytes(q, 0, part, some);
        iov_scatter(iov, n, done, part, some);
        drop_bytes(q, some);
        done += some;
    }
    return done;
}

static i64 queue_read(struct file *f, struct queue *q, const struct iovec *iov, int n)
{
    u64 want = iov_bytes(iov, n), got;

    if (q->used == 0)
        return q->writers == 0 || want == 0 ? 0 : -EAGAIN;
    got = get_iov(q, iov, n, MIN(want, q->used));
    queue_changed(f->kernel, q);
    return (i64)got;
}

static i64 broken(struct task *t)
{
    siginfo_t info = {.si_signo = SIGPIPE, .si_code = SI_KERNEL};

    signal_send_task(t, &info);
    return -EPIPE;
}

// A blocking write that does not fit goes on where it was: progress counts what is written.
static i64 queue_write(struct file *f, struct queue *q, struct task *t, const struct iovec *iov,
                       int n)
{
    u64 want = iov_bytes(iov, n), done = t->wait.progress, room, some;

    if (q->readers == 0)
        return done > 0 ? (i64)done : broken(t);
    if (want == 0)
        return 0;
    room = q->size - q->used;
    if (room == 0 || (want - done <= PIPE_ATOMIC && done == 0 && room < want))
        return -EAGAIN;
    some = put_iov(q, iov, n, done, MIN(want - done, room));
    queue_changed(f->kernel, q);
    done += some;
    if (done < want && !(f->flags & O_NONBLOCK)) {
        t->wait.progress = done;
        return -EAGAIN;
    }
    t->wait.progress = 0;
    return (i64)done;
}

static i64 pipe_read(struct file *f, struct task *t, const struct iovec *iov, int n, i64 at)
{
    return at >= 0 ? -ESPIPE : queue_read(f, f->data, iov, n);
}

static i64 pipe_write(struct file *f, struct task *t, const struct iovec *iov, int n, i64 at)
{
    return at >= 0 ? -ESPIPE : queue_write(f, f->data, t, iov, n);
}

static u32 readable(const struct queue *q)
{
    return (q->used > 0 ? POLLIN | POLLRDNORM : 0) | (q->writers == 0 ? POLLHUP : 0);
}

static u32 writable(const struct queue *q)
{
    return (q->size - q->used >= PIPE_ATOMIC ? POLLOUT | POLLWRNORM : 0) |
           (q->readers == 0 ? POLLERR : 0);
}

static u32 pipe_read_poll(struct file *f, struct task *t)
{
    return readable(f->data);
}

static u32 pipe_write_poll(struct file *f, struct task *t)
{
    return writable(f->data);
}

static i64 queue_ioctl(const struct queue *q, struct task *t, u64 command, u64 arg)
{
    u32 used = (u32)q->used;

    if (command != FIONREAD)
        return -ENOTTY;
    return mm_write(t->mm, arg, &used, sizeof(used)) ? 0 : -EFAULT;
}

static u64 pipe_edges(struct file *f)
{
    return ((const struct queue *)f->data)->edges;
}

static i64 pipe_ioctl(struct file *f, struct task *t, u64 command, u64 arg)
{
    return queue_ioctl(f->data, t, command, arg);
}

static int pipe_status(struct file *f, struct stat *ret_stat)
{
    *ret_stat = (struct stat){.st_mode = f->type | 0600,
                              .st_nlink = 1,
                              .st_ino = f->ino,
                              .st_dev = 12,
                              .st_uid = getuid(),
                              .st_gid = getgid(),
                              .st_blksize = 4096};
    return 0;
}

static void pipe_read_release(struct file *f)
{
    struct queue *q = f->data;

    q->readers--;
    queue_changed(f->kernel, q);
    queue_drop(f->kernel, q);
}

static void pipe_write_release(struct file *f)
{
    struct queue *q = f->data;

    q->writers--;
    queue_changed(f->kernel, q);
    queue_drop(f->kernel, q);
}

const struct file_ops pipe_read_ops = {
    .name = "pipe",
    .read = pipe_read,
    .poll = pipe_read_poll,
    .edges = pipe_edges,
    .ioctl = pipe_ioctl,
    .status = pipe_status,
    .release = pipe_read_release,
};
const struct file_ops pipe_write_ops = {
    .name = "pipe",
    .write = pipe_write,
    .poll = pipe_write_poll,
    .edges = pipe_edges,
    .ioctl = pipe_ioctl,
    .status = pipe_status,
    .release = pipe_write_release,
};

void pipe_new(struct kernel *k, u32 flags, struct file **ret_read, struct file **ret_write)
{
    struct queue *q = queue_new(PIPE_BYTES);
    char *name = xasprintf("pipe:[%llu]", (unsigned long long)k->next_ino + 1);

    *ret_read = file_new(k, &pipe_read_ops, flags | O_RDONLY, name);
    *ret_write = file_new(k, &pipe_write_ops, flags | O_WRONLY, xstrdup(name));
    (*ret_write)->ino = (*ret_read)->ino;
    (*ret_read)->data = (*ret_write)->data = q;
    (*ret_read)->key = (*ret_write)->key = q;
    (*ret_read)->type = (*ret_write)->type = S_IFIFO;
}

// ---- named pipes: the name is the host's, the data are ours ----

static u32 fifo_poll(struct file *f, struct task *t)
{
    return (readable(f->data) & ~(u32)POLLHUP) | (writable(f->data) & ~(u32)POLLERR);
}

static void fifo_release(struct file *f)
{
    struct queue *q = f->data;

    q->readers--;
    pipe_write_release(f);
}

static const struct file_ops fifo_ops = {
    .name = "fifo",
    .read = pipe_read,
    .write = pipe_write,
    .poll = fifo_poll,
    .edges = pipe_edges,
    .ioctl = pipe_ioctl,
    .status = pipe_status,
    .release = fifo_release,
};

static struct queue *fifo_find(struct kernel *k, u64 dev, u64 ino)
{
    struct queue *q;

    for (size_t i = 0; i < k->fifos.count; i++) {
        if (k->fifos.items[i]->ino == ino && k->fifos.items[i]->dev == dev)
            return k->fifos.items[i];
    }
    q = queue_new(PIPE_BYTES);
    q->readers = q->writers = q->ends = 0;
    q->named = true;
    q->dev = dev;
    q->ino = ino;
    VEC_PUSH(&k->fifos, q);
    return q;
}

static void fifo_count(struct queue *q, u32 access, u32 by)
{
    if (access != O_WRONLY) {
        q->readers += by;
        q->read_opens += by == 1;
    }
    if (access != O_RDONLY) {
        q->writers += by;
        q->write_opens += by == 1;
    }
    q->ends += by;
}

// Whether the task goes on waiting for the other side (fifo(7)). progress: how often that had been
// opened when the task came, plus one.
static bool fifo_waits(const struct queue *q, const struct task *t, u32 flags)
{
    u64 before = t->wait.progress - 1;

    switch (flags & (O_ACCMODE | O_NONBLOCK)) {
    case O_RDONLY:
        return q->writers == 0 && q->write_opens == before;
    case O_WRONLY:
        return q->readers == 0 && q->read_opens == before;
    default:
        return false;
    }
}

i64 fifo_open(struct task *t, u64 dev, u64 ino, u32 flags, const char *path, struct file **ret_file)
{
    struct kernel *k = t->kernel;
    struct queue *q = fifo_find(k, dev, ino);
    u32 access = flags & O_ACCMODE;
    struct file *f;
    i64 r;

    if (t->wait.progress == 0) {
        fifo_count(q, access, 1);
        t->wait.progress = 1 + (access == O_RDONLY ? q->write_opens : q->read_opens);
        queue_changed(k, q);
    }
    r = access == O_WRONLY && (flags & O_NONBLOCK) && q->readers == 0 ? -ENXIO : 0;
    if (r == 0 && fifo_waits(q, t, flags)) {
        task_wait_on(t, q);
        r = task_block(t);
        if (r == SYS_BLOCK)
            return r;
    }
    if (r < 0) {
        fifo_count(q, access, (u32)-1);
        queue_drop_unused(k, q);
        return r;
    }
    f = file_new(k,
                 access == O_RDONLY   ? &pipe_read_ops
                 : access == O_WRONLY ? &pipe_write_ops
                                      : &fifo_ops,
                 flags, xstrdup(path));
    f->data = q;
    f->key = q;
    f->type = S_IFIFO;
    f->ino = ino;
    *ret_file = f;
    return 0;
}

i64 pipe_tee(struct file *from, struct file *to, u64 size)
{
    struct queue *in = from->data, *out = to->data;
    u64 n = MIN(size, in->used), done = 0;
    u8 part[4096];

    if (in == out)
        return -EINVAL;
    if (in->used == 0)
        return in->writers == 0 ? 0 : -EAGAIN;
    n = MIN(n, out->size - out->used);
    if (n == 0)
        return size == 0 ? 0 : -EAGAIN;
    while (done < n) {
        u64 some = MIN(sizeof(part), n - done);

        peek_bytes(in, done, part, some);
        put_bytes(out, part, some);
        done += some;
    }
    queue_changed(to->kernel, out);
    return (i64)n;
}

i64 pipe_capacity(const struct file *f)
{
    return f->ops == &pipe_read_ops || f->ops == &pipe_write_ops || f->ops == &fifo_ops
               ? (i64)((const struct queue *)f->data)->size
               : -EBADF;
}

i64 pipe_set_capacity(struct file *f, u64 bytes)
{
    struct queue *q = f->data;
    u64 size = PIPE_ATOMIC;
    u8 *fresh;

    if (pipe_capacity(f) < 0)
        return -EBADF;
    if (bytes > PIPE_MAX)
        return -EPERM;
    while (size < bytes)
        size *= 2;
    if (size < q->used)
        return -EBUSY;
    fresh = xcalloc(size, 1);
    peek_bytes(q, 0, fresh, q->used);
    free(q->bytes);
    q->bytes = fresh;
    q->start = 0;
    q->size = size;
    return (i64)size;
}
