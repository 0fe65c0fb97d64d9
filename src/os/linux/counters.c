// SPDX-License-Identifier: BSD-3-Clause
// Files without a name: event counters (eventfd(2)), timers (timerfd_create(2)), signals
// (signalfd(2)), texts of /proc, random bytes.
#include "os/linux/file.h"
#include "os/linux/signal.h"
#include "os/linux/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static int anonymous_status(struct file *f, struct stat *ret_stat)
{
    *ret_stat = (struct stat){
        .st_mode = 0600, .st_nlink = 1, .st_ino = f->ino, .st_dev = 13, .st_blksize = 4096};
    return 0;
}

// ---- eventfd ----

struct counter {
    u64 value;
    bool semaphore;
    u64 edges;
};

static i64 counter_read(struct file *f, struct task *t, const struct iovec *iov, int n, i64 at)
{
    struct counter *c = f->data;
    u64 taken;

    if (iov_bytes(iov, n) < sizeof(taken))
        return -EINVAL;
    if (c->value == 0)
        return -EAGAIN;
    taken = c->semaphore ? 1 : c->value;
    c->value -= taken;
    iov_scatter(iov, n, 0, &taken, sizeof(taken));
    kernel_wake(f->kernel, f->key);
    return sizeof(taken);
}

static i64 counter_write(struct file *f, struct task *t, const struct iovec *iov, int n, i64 at)
{
    struct counter *c = f->data;
    u64 add;

    if (iov_gather(iov, n, 0, &add, sizeof(add)) < sizeof(add) || add == ~0ull)
        return -EINVAL;
    if (add > ~0ull - 1 - c->value)
        return -EAGAIN;
    c->value += add;
    c->edges++;
    kernel_wake(f->kernel, f->key);
    return sizeof(add);
}

static u32 counter_poll(struct file *f, struct task *t)
{
    const struct counter *c = f->data;

    return (c->value ? POLLIN | POLLRDNORM : 0) | (c->value < ~0ull - 1 ? POLLOUT | POLLWRNORM : 0);
}

static u64 counter_edges(struct file *f)
{
    return ((const struct counter *)f->data)->edges;
}

static void data_release(struct file *f)
{
    free(f->data);
}

static const struct file_ops counter_ops = {
    .name = "eventfd",
    .read = counter_read,
    .write = counter_write,
    .poll = counter_poll,
    .edges = counter_edges,
    .status = anonymous_status,
    .release = data_release,
};

struct file *eventfd_new(struct kernel *k, u32 initial, u32 flags)
{
    struct file *f =
        file_new(k, &counter_ops, O_RDWR | (flags & O_NONBLOCK), xstrdup("anon_inode:[eventfd]"));
    struct counter *c = xcalloc(1, sizeof(*c));

    *c = (struct counter){.value = initial, .semaphore = flags & EFD_SEMAPHORE};
    f->data = c;
    f->type = 0;
    return f;
}

// ---- timerfd ----

static void timer_fires(void *owner, struct event *event)
{
    struct file *f = owner;
    struct file_timer *timer = f->data;

    timer->expirations++;
    timer->expires = timer->interval ? timer->expires + timer->interval : 0;
    if (timer->interval)
        event_schedule(&timer->event, timer->expires, EVENT_NORMAL);
    kernel_wake(f->kernel, f->key);
}

static i64 timer_read(struct file *f, struct task *t, const struct iovec *iov, int n, i64 at)
{
    struct file_timer *timer = f->data;
    u64 count = timer->expirations;

    if (iov_bytes(iov, n) < sizeof(count))
        return -EINVAL;
    if (count == 0)
        return -EAGAIN;
    timer->expirations = 0;
    iov_scatter(iov, n, 0, &count, sizeof(count));
    return sizeof(count);
}

static u32 timer_poll(struct file *f, struct task *t)
{
    return ((struct file_timer *)f->data)->expirations ? POLLIN | POLLRDNORM : 0;
}

static void timer_release(struct file *f)
{
    event_cancel(&((struct file_timer *)f->data)->event);
    free(f->data);
}

const struct file_ops timerfd_ops = {
    .name = "timerfd",
    .read = timer_read,
    .poll = timer_poll,
    .status = anonymous_status,
    .release = timer_release,
};

struct file *timerfd_new(struct kernel *k, int clock, u32 flags)
{
    struct file *f =
        file_new(k, &timerfd_ops, O_RDWR | (flags & O_NONBLOCK), xstrdup("anon_inode:[timerfd]"));
    struct file_timer *timer = xcalloc(1, sizeof(*timer));

    timer->clock = clock;
    event_init(&timer->event, &k->events, "timerfd", timer_fires, f);
    f->data = timer;
    f->type = 0;
    return f;
}

// ---- signalfd ----

static i64 signals_read(struct file *f, struct task *t, const struct iovec *iov, int n, i64 at)
{
    u64 set = (u64)f->position, done = 0;
    siginfo_t info;

    if (iov_bytes(iov, n) < sizeof(struct signalfd_siginfo))
        return -EINVAL;
    f->key = t->actions;
    while (iov_bytes(iov, n) - done >= sizeof(struct signalfd_siginfo) &&
           signal_take(t, set, &info)) {
        struct signalfd_siginfo out = {.ssi_signo = (u32)info.si_signo,
                                       .ssi_errno = info.si_errno,
                                       .ssi_code = info.si_code,
                                       .ssi_pid = (u32)info.si_pid,
                                       .ssi_uid = info.si_uid,
                                       .ssi_status = info.si_status,
                                       .ssi_int = info.si_int,
                                       .ssi_ptr = (u64)(uintptr_t)info.si_ptr};

        iov_scatter(iov, n, done, &out, sizeof(out));
        done += sizeof(out);
    }
    return done ? (i64)done : -EAGAIN;
}

static u32 signals_poll(struct file *f, struct task *t)
{
    f->key = t->actions;
    return (t->pending.set | t->process->pending.set) & (u64)f->position ? POLLIN | POLLRDNORM : 0;
}

const struct file_ops signalfd_ops = {
    .name = "signalfd",
    .read = signals_read,
    .poll = signals_poll,
    .status = anonymous_status,
};

// The set is kept in `position`.
struct file *signalfd_new(struct kernel *k, u64 set, u32 flags)
{
    struct file *f =
        file_new(k, &signalfd_ops, O_RDWR | (flags & O_NONBLOCK), xstrdup("anon_inode:[signalfd]"));

    f->position = (i64)set;
    f->type = 0;
    return f;
}

// ---- texts ----

static i64 memory_read(struct file *f, struct task *t, const struct iovec *iov, int n, i64 at)
{
    u64 from = at >= 0 ? (u64)at : (u64)f->position, size = f->dev, done;

    if (f->type == S_IFDIR)
        return -EISDIR;
    if (from >= size)
        return 0;
    done = iov_scatter(iov, n, 0, (const u8 *)f->data + from, size - from);
    if (at < 0)
        f->position += (i64)done;
    return (i64)done;
}

static i64 memory_seek(struct file *f, i64 offset, int whence)
{
    i64 base = whence == SEEK_CUR ? f->position : whence == SEEK_END ? (i64)f->dev : 0;

    if (whence > SEEK_END || base + offset < 0)
        return -EINVAL;
    return f->position = base + offset;
}

static i64 memory_write(struct file *f, struct task *t, const struct iovec *iov, int n, i64 at)
{
    return (i64)iov_bytes(iov, n); // /proc/self/comm: taken, without effect
}

static int memory_status(struct file *f, struct stat *ret_stat)
{
    *ret_stat = (struct stat){.st_mode = f->type | (f->type == S_IFDIR ? 0555 : 0444),
                              .st_nlink = 1,
                              .st_ino = f->ino,
                              .st_dev = 5,
                              .st_blksize = 1024};
    return 0;
}

static const struct file_ops memory_ops = {
    .name = "memory",
    .read = memory_read,
    .write = memory_write,
    .seek = memory_seek,
    .status = memory_status,
    .release = data_release,
};

// The size is kept in `dev`.
struct file *memory_file_new(struct kernel *k, char *text, u64 size, u32 flags, char *path)
{
    struct file *f = file_new(k, &memory_ops, flags, path);

    f->data = text;
    f->dev = size;
    f->type = S_IFREG;
    return f;
}

static i64 random_read(struct file *f, struct task *t, const struct iovec *iov, int n, i64 at)
{
    u64 size = iov_bytes(iov, n);

    for (u64 done = 0; done < size; done += 8) {
        u64 word = kernel_random(f->kernel);

        iov_scatter(iov, n, done, &word, MIN(8, size - done));
    }
    return (i64)size;
}

static i64 random_write(struct file *f, struct task *t, const struct iovec *iov, int n, i64 at)
{
    return (i64)iov_bytes(iov, n);
}

static int random_status(struct file *f, struct stat *ret_stat)
{
    *ret_stat = (struct stat){.st_mode = S_IFCHR | 0666,
                              .st_nlink = 1,
                              .st_ino = f->ino,
                              .st_dev = 6,
                              .st_rdev = 0x109,
                              .st_blksize = 4096};
    return 0;
}

static i64 random_seek(struct file *f, i64 offset, int whence)
{
    return 0;
}

static const struct file_ops random_ops = {
    .name = "random",
    .read = random_read,
    .write = random_write,
    .seek = random_seek,
    .status = random_status,
};

struct file *random_file_new(struct kernel *k, u32 flags, char *path)
{
    return file_new(k, &random_ops, flags, path);
}
