// SPDX-License-Identifier: BSD-3-Clause
// epoll(7): a set of files that are asked in the order they were added. Level-triggered; an
// edge-triggered file is reported again only after something happened to it.
#include "os/linux/syscall.h"

#include "os/linux/file.h"
#include "os/linux/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>

struct watch {
    struct file *file; // borrowed: a closed file leaves when it is met
    int fd;
    u32 events;
    u64 data;
    u32 last;  // what was reported, for edges
    u64 edges; // of the file, then
    bool disabled;
};
struct epoll_set {
    struct watch *items;
    size_t count, room;
};

static void epoll_release(struct file *f)
{
    struct epoll_set *set = f->data;

    for (size_t i = 0; i < set->count; i++)
        file_unref(set->items[i].file);
    free(set->items);
    free(set);
}

static u32 epoll_poll(struct file *f, struct task *t)
{
    const struct epoll_set *set = f->data;

    for (size_t i = 0; i < set->count; i++) {
        const struct watch *w = &set->items[i];

        if (!w->disabled && (file_poll(w->file, t) & (w->events | EPOLLERR | EPOLLHUP)))
            return POLLIN | POLLRDNORM;
    }
    return 0;
}

static void epoll_keys(struct file *f, struct task *t)
{
    const struct epoll_set *set = f->data;

    for (size_t i = 0; i < set->count; i++)
        file_wait(set->items[i].file, t);
}

static const struct file_ops epoll_ops = {
    .name = "epoll",
    .poll = epoll_poll,
    .wait = epoll_keys,
    .release = epoll_release,
};

struct file *epoll_new(struct kernel *k, u32 flags)
{
    struct file *f = file_new(k, &epoll_ops, O_RDWR, xstrdup("anon_inode:[eventpoll]"));

    f->data = xcalloc(1, sizeof(struct epoll_set));
    f->type = 0;
    return f;
}

i64 sys_epoll_create1(struct task *t, const u64 *a)
{
    return fd_add(t, epoll_new(t->kernel, 0), a[0] & EPOLL_CLOEXEC, 0);
}

i64 sys_epoll_create(struct task *t, const u64 *a)
{
    return (i32)a[0] <= 0 ? -EINVAL : fd_add(t, epoll_new(t->kernel, 0), false, 0);
}

// Files whose descriptor was closed everywhere are only held by the set.
static void forget_closed(struct epoll_set *set, const struct task *t)
{
    size_t kept = 0;

    for (size_t i = 0; i < set->count; i++) {
        struct file *f = set->items[i].file;

        if (f->refs == 1)
            file_unref(f);
        else
            set->items[kept++] = set->items[i];
    }
    set->count = kept;
}

// A set in a set that holds a set could close a circle.
static bool holds_epoll(const struct file *f)
{
    const struct epoll_set *set = f->data;

    for (size_t i = 0; i < set->count; i++) {
        if (set->items[i].file->ops == &epoll_ops)
            return true;
    }
    return false;
}

i64 sys_epoll_ctl(struct task *t, const u64 *a)
{
    struct file *ep = fd_get(t, a[0]), *f = fd_get(t, a[2]);
    struct epoll_event event = {0};
    struct epoll_set *set;
    struct watch *w = NULL;

    if (!ep || !f)
        return -EBADF;
    if (ep->ops != &epoll_ops || ep == f)
        return -EINVAL;
    if (a[1] != EPOLL_CTL_DEL && !USER_GET(t, a[3], event))
        return -EFAULT;
    if (f->type == S_IFREG || f->type == S_IFDIR)
        return -EPERM;
    set = ep->data;
    forget_closed(set, t);
    for (size_t i = 0; i < set->count && !w; i++) {
        if (set->items[i].file == f && set->items[i].fd == (int)a[2])
            w = &set->items[i];
    }
    switch (a[1]) {
    case EPOLL_CTL_ADD:
        if (w)
            return -EEXIST;
        if (f->ops == &epoll_ops && holds_epoll(f))
            return -ELOOP;
        VEC_PUSH(set, (struct watch){.file = file_ref(f),
                                     .fd = (int)a[2],
                                     .events = event.events,
                                     .data = event.data.u64});
        break;
    case EPOLL_CTL_MOD:
        if (!w)
            return -ENOENT;
        *w = (struct watch){.file = f, .fd = w->fd, .events = event.events, .data = event.data.u64};
        break;
    case EPOLL_CTL_DEL:
        if (!w)
            return -ENOENT;
        memmove(w, w + 1, (size_t)(&set->items[set->count] - (w + 1)) * sizeof(*w));
        set->count--;
        file_unref(f);
        break;
    default:
        return -EINVAL;
    }
    kernel_wake(t->kernel, ep->key);
    return 0;
}

static i64 collect(struct epoll_set *set, struct task *t, vaddr out, u32 max)
{
    u32 n = 0;

    for (size_t i = 0; i < set->count && n < max; i++) {
        struct watch *w = &set->items[i];
        u32 ready = file_poll(w->file, t) & (w->events | EPOLLERR | EPOLLHUP);
        u64 edges = w->file->ops->edges ? w->file->ops->edges(w->file) : w->edges;
        u32 fresh = w->events & (u32)EPOLLET && edges == w->edges ? ready & ~w->last : ready;
        struct epoll_event event = {.events = ready, .data.u64 = w->data};

        w->last = ready;
        w->edges = edges;
        if (w->disabled || !fresh)
            continue;
        if (!user_write(t, out + n * sizeof(event), &event, sizeof(event)))
            return -EFAULT;
        if (w->events & EPOLLONESHOT)
            w->disabled = true;
        n++;
    }
    return n;
}

// timeout_ns < 0: for ever.
static i64 epoll_wait_ns(struct task *t, u64 fd, vaddr out, i64 max, i64 timeout_ns)
{
    struct file *ep = fd_get(t, fd);
    struct epoll_set *set;
    i64 n;

    if (!ep)
        return -EBADF;
    if (ep->ops != &epoll_ops || max <= 0)
        return -EINVAL;
    set = ep->data;
    forget_closed(set, t);
    n = collect(set, t, out, (u32)MIN(max, 1 << 20));
    if (n != 0 || timeout_ns == 0 || task_wait_expired(t))
        return n;
    file_wait(ep, t);
    if (timeout_ns > 0 && !t->wait.has_deadline)
        task_wait_until(t, kernel_now(t->kernel) + ticks_of_ns((u64)timeout_ns));
    n = task_block(t);
    return n == -ERESTARTSYS ? -EINTR : n;
}

static i64 with_mask(struct task *t, vaddr set, i64 (*wait)(struct task *t, const u64 *a),
                     const u64 *a)
{
    u64 mask;

    if (set && !t->wait.resumed) {
        if (!USER_GET(t, set, mask))
            return -EFAULT;
        t->saved_mask = t->blocked;
        t->restore_mask = true;
        t->blocked = mask & ~(SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP));
    }
    return wait(t, a);
}

i64 sys_epoll_wait(struct task *t, const u64 *a)
{
    i64 ms = (i32)a[3];

    return epoll_wait_ns(t, a[0], a[1], (i32)a[2], ms < 0 ? -1 : ms * 1000000);
}

i64 sys_epoll_pwait(struct task *t, const u64 *a)
{
    return with_mask(t, a[4], sys_epoll_wait, a);
}

static i64 wait_timespec(struct task *t, const u64 *a)
{
    struct timespec ts;
    i64 ns = -1;

    if (a[3]) {
        if (!USER_GET(t, a[3], ts))
            return -EFAULT;
        if (!timespec_valid(&ts))
            return -EINVAL;
        ns = (i64)timespec_ns(&ts);
    }
    return epoll_wait_ns(t, a[0], a[1], (i32)a[2], ns);
}

i64 sys_epoll_pwait2(struct task *t, const u64 *a)
{
    return with_mask(t, a[4], wait_timespec, a);
}
