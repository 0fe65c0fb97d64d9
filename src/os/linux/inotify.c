// SPDX-License-Identifier: BSD-3-Clause
// inotify(7). The host watches; what it reports moves into a queue of the simulator's after each
// system call, so that what a program did itself is reported in the same order in every run. What
// the simulator does to host files for itself (times, pages of mappings) is not reported.
// APPROX: what others on the host do to watched files is seen after the program's next system call,
// or at once when no task of it can run.
#include "os/linux/inotify.h"

#include "os/linux/file.h"
#include "os/linux/fs.h"
#include "os/linux/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

enum {
    EVENTS_MAX = 16384, // Linux's fs.inotify.max_queued_events
    HEAD = sizeof(struct inotify_event),
    NAME_ROOM = NAME_MAX + 1 + HEAD,
    LOOK_MS = 1000,
};

struct watcher {
    u8 *bytes; // owned: whole events, as a program reads them
    u64 size, room;
    u64 last; // offset of the last event
    u32 events;
    bool overflow; // the last event says so
    u64 edges;
};

// Events name each other by a number that the host counts up for all its programs.
static u32 cookie_of(struct kernel *k, u32 host)
{
    if (host == 0)
        return 0;
    if (host != k->watchers.host_cookie) {
        k->watchers.host_cookie = host;
        k->watchers.cookie++;
    }
    return k->watchers.cookie;
}

static void append(struct watcher *w, const void *event, u64 size)
{
    if (w->size + size > w->room) {
        w->room = MAX(w->room * 2, w->size + size);
        w->bytes = xrealloc(w->bytes, w->room, 1);
    }
    memcpy(w->bytes + w->size, event, size);
    w->last = w->size;
    w->size += size;
    w->events++;
    w->edges++;
}

// An event like the last one that waits is not told twice.
static bool repeats(const struct watcher *w, const struct inotify_event *event, u64 size)
{
    struct inotify_event last;

    if (w->events == 0 || (event->mask & IN_IGNORED) || w->size - w->last != size)
        return false;
    memcpy(&last, w->bytes + w->last, HEAD);
    return last.wd == event->wd && last.mask == event->mask &&
           memcmp(w->bytes + w->last + HEAD, (const u8 *)event + HEAD, size - HEAD) == 0;
}

static void take_event(struct file *f, struct inotify_event *event, u64 size)
{
    static const struct inotify_event overflow = {.wd = -1, .mask = IN_Q_OVERFLOW};
    struct watcher *w = f->data;

    event->cookie = cookie_of(f->kernel, event->cookie);
    if (w->overflow || repeats(w, event, size))
        return;
    w->overflow = w->events == EVENTS_MAX;
    if (w->overflow)
        append(w, &overflow, HEAD);
    else
        append(w, event, size);
}

// Reads what the host has into the queue, but for what the simulator did itself.
static bool drain(struct file *f, bool own)
{
    const u32 hidden = IN_OPEN | IN_ACCESS | IN_MODIFY | IN_ATTRIB | IN_CLOSE;
    _Alignas(struct inotify_event) u8 data[16 * NAME_ROOM];
    bool some = false;
    ssize_t n;

    while ((n = read(f->host, data, sizeof(data))) > 0) {
        for (ssize_t at = 0; at < n;) {
            struct inotify_event *event = (void *)(data + at);

            at += (ssize_t)(HEAD + event->len);
            if (own && (event->mask & hidden))
                continue;
            take_event(f, event, HEAD + event->len);
            some = true;
        }
    }
    return some;
}

void inotify_own_access(struct kernel *k, bool done)
{
    for (size_t i = 0; i < k->watchers.count; i++) {
        struct file *f = k->watchers.items[i];

        if (drain(f, done))
            kernel_wake(k, f->key);
    }
}

void inotify_collect(struct kernel *k)
{
    inotify_own_access(k, false);
}

static bool somebody_waits(const struct kernel *k, const struct file *f)
{
    for (size_t i = 0; i < k->sleepers.count; i++) {
        const struct task *t = k->sleepers.items[i];

        for (size_t n = 0; n < t->wait.count; n++) {
            if (t->wait.items[n] == f->key)
                return true;
        }
    }
    return false;
}

bool inotify_wait(struct kernel *k)
{
    struct pollfd *fds = xcalloc(k->watchers.count + 1, sizeof(*fds));
    nfds_t n = 0;

    for (size_t i = 0; i < k->watchers.count; i++) {
        if (somebody_waits(k, k->watchers.items[i]))
            fds[n++] = (struct pollfd){.fd = k->watchers.items[i]->host, .events = POLLIN};
    }
    if (n > 0 && poll(fds, n, LOOK_MS) > 0)
        inotify_collect(k);
    free(fds);
    return n > 0;
}

static i64 inotify_read(struct file *f, struct task *t, const struct iovec *iov, int n, i64 at)
{
    struct watcher *w = f->data;
    u64 room = iov_bytes(iov, n), taken = 0;

    if (w->events == 0)
        return -EAGAIN;
    while (taken < w->size) {
        struct inotify_event event;

        memcpy(&event, w->bytes + taken, HEAD);
        if (taken + HEAD + event.len > room)
            break;
        taken += HEAD + event.len;
        w->events--;
    }
    if (taken == 0)
        return -EINVAL;
    iov_scatter(iov, n, 0, w->bytes, taken);
    w->size -= taken;
    w->last = w->events > 0 ? w->last - taken : 0;
    w->overflow = w->overflow && w->events > 0;
    memmove(w->bytes, w->bytes + taken, w->size);
    return (i64)taken;
}

static u32 inotify_poll(struct file *f, struct task *t)
{
    return ((const struct watcher *)f->data)->events ? POLLIN | POLLRDNORM : 0;
}

static u64 inotify_edges(struct file *f)
{
    return ((const struct watcher *)f->data)->edges;
}

static i64 inotify_ioctl(struct file *f, struct task *t, u64 command, u64 arg)
{
    u32 size = (u32)((const struct watcher *)f->data)->size;

    if (command != FIONREAD)
        return -ENOTTY;
    return USER_PUT(t, arg, size) ? 0 : -EFAULT;
}

static int inotify_status(struct file *f, struct stat *ret_stat)
{
    *ret_stat = (struct stat){
        .st_mode = 0600, .st_nlink = 1, .st_ino = f->ino, .st_dev = 13, .st_blksize = 4096};
    return 0;
}

static void inotify_release(struct file *f)
{
    struct kernel *k = f->kernel;
    struct watcher *w = f->data;
    size_t kept = 0;

    for (size_t i = 0; i < k->watchers.count; i++) {
        if (k->watchers.items[i] != f)
            k->watchers.items[kept++] = k->watchers.items[i];
    }
    k->watchers.count = kept;
    free(w->bytes);
    free(w);
}

static const struct file_ops inotify_ops = {
    .name = "inotify",
    .read = inotify_read,
    .poll = inotify_poll,
    .edges = inotify_edges,
    .ioctl = inotify_ioctl,
    .status = inotify_status,
    .release = inotify_release,
};

i64 sys_inotify_init1(struct task *t, const u64 *a)
{
    struct kernel *k = t->kernel;
    struct file *f;
    int host;

    if ((i32)a[0] & ~(IN_CLOEXEC | IN_NONBLOCK))
        return -EINVAL;
    host = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (host < 0)
        return -errno;
    f = file_new(k, &inotify_ops, (u32)a[0] & O_NONBLOCK, xstrdup("anon_inode:inotify"));
    f->host = host;
    f->type = 0;
    f->data = xcalloc(1, sizeof(struct watcher));
    VEC_PUSH(&k->watchers, f);
    return fd_add(t, f, a[0] & IN_CLOEXEC, 0);
}

i64 sys_inotify_init(struct task *t, const u64 *a)
{
    static const u64 no_flags[6] = {0};

    return sys_inotify_init1(t, no_flags);
}

// The file of an inotify descriptor, or an error.
static i64 find_watcher(struct task *t, u64 fd, struct file **ret_file)
{
    struct file *f = fd_get(t, fd);

    if (!f)
        return -EBADF;
    if (f->ops != &inotify_ops)
        return -EINVAL;
    *ret_file = f;
    return 0;
}

i64 sys_inotify_add_watch(struct task *t, const u64 *a)
{
    bool follow = !(a[2] & IN_DONT_FOLLOW);
    struct file *f = NULL;
    struct place p;
    char path[64];
    int host;
    i64 r;

    if (!(a[2] & (IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED)))
        return -EINVAL;
    r = find_watcher(t, a[0], &f);
    if (r == 0)
        r = place_user(t, (u64)AT_FDCWD, a[1], follow ? PLACE_FOLLOW : 0, &p);
    if (r < 0)
        return r;
    if (p.synthetic)
        return -EACCES;
    host = openat(p.at, p.path, O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
    if (host < 0)
        return -errno;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", host);
    r = inotify_add_watch(f->host, path, (u32)a[2] & ~(u32)IN_DONT_FOLLOW);
    r = r < 0 ? -errno : r;
    inotify_own_access(t->kernel, false);
    close(host);
    inotify_own_access(t->kernel, true);
    return r;
}

i64 sys_inotify_rm_watch(struct task *t, const u64 *a)
{
    struct file *f = NULL;
    i64 r = find_watcher(t, a[0], &f);

    if (r < 0)
        return r;
    return inotify_rm_watch(f->host, (int)a[1]) == 0 ? 0 : -errno;
}
