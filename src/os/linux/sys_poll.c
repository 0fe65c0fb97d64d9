// SPDX-License-Identifier: BSD-3-Clause
// poll(2), ppoll(2), select(2), pselect(2).
#include "os/linux/file.h"
#include "os/linux/syscall.h"
#include "os/linux/timer.h"

#include <errno.h>
#include <string.h>
#include <sys/select.h>

// Takes the mask of ppoll and pselect6 over for the time of the call.
static i64 set_mask(struct task *t, vaddr set)
{
    u64 mask;

    if (!set || t->wait.resumed)
        return 0;
    if (!USER_GET(t, set, mask))
        return -EFAULT;
    t->saved_mask = t->blocked;
    t->restore_mask = true;
    t->blocked = mask & ~(SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP));
    return 0;
}

// Nothing is ready: waits, or ends the call with 0. timeout_ns < 0: for ever.
static i64 wait_more(struct task *t, i64 timeout_ns)
{
    i64 r;

    if (timeout_ns == 0 || task_wait_expired(t))
        return 0;
    if (timeout_ns > 0 && !t->wait.has_deadline)
        task_wait_until(t, kernel_now(t->kernel) + ticks_of_ns((u64)timeout_ns));
    r = task_block(t);
    return r == -ERESTARTSYS ? -EINTR : r;
}

static i64 do_poll(struct task *t, vaddr fds, u64 n, i64 timeout_ns)
{
    struct pollfd *p;
    i64 ready = 0;

    if (n > t->process->limits[RLIMIT_NOFILE].rlim_cur)
        return -EINVAL;
    p = xcalloc(n + 1, sizeof(*p));
    if (!user_read(t, fds, p, n * sizeof(*p))) {
        free(p);
        return -EFAULT;
    }
    for (u64 i = 0; i < n; i++) {
        struct file *f = p[i].fd >= 0 ? fd_get(t, (u64)p[i].fd) : NULL;
        u32 wanted = (u16)p[i].events | POLLERR | POLLHUP;

        p[i].revents = 0;
        if (p[i].fd >= 0)
            p[i].revents = (short)(f ? file_poll(f, t) & wanted : POLLNVAL);
        ready += p[i].revents != 0;
        if (f)
            file_wait(f, t);
    }
    if (ready == 0) {
        ready = wait_more(t, timeout_ns);
        if (ready != 0) {
            free(p);
            return ready;
        }
    }
    t->wait.count = 0;
    if (!user_write(t, fds, p, n * sizeof(*p)))
        ready = -EFAULT;
    free(p);
    return ready;
}

i64 sys_poll(struct task *t, const u64 *a)
{
    i64 ms = (i32)a[2];

    return do_poll(t, a[0], (u32)a[1], ms < 0 ? -1 : ms * 1000000);
}

static i64 read_timeout(struct task *t, vaddr va, i64 *ret_ns)
{
    struct timespec ts;

    *ret_ns = -1;
    if (!va)
        return 0;
    if (!USER_GET(t, va, ts))
        return -EFAULT;
    if (!timespec_valid(&ts))
        return -EINVAL;
    *ret_ns = (i64)timespec_ns(&ts);
    return 0;
}

i64 sys_ppoll(struct task *t, const u64 *a)
{
    i64 ns, r = read_timeout(t, a[2], &ns);

    if (r == 0)
        r = set_mask(t, a[3]);
    return r < 0 ? r : do_poll(t, a[0], (u32)a[1], ns);
}

enum { SET_READ, SET_WRITE, SET_EXCEPT, SETS };

struct select_sets {
    u64 bytes;
    u8 in[SETS][FD_SETSIZE / 8], out[SETS][FD_SETSIZE / 8];
};

static i64 select_scan(struct task *t, struct select_sets *s, u64 n)
{
    static const u32 conditions[SETS] = {POLLIN | POLLRDNORM | POLLHUP | POLLERR,
                                         POLLOUT | POLLWRNORM | POLLERR, POLLPRI};
    i64 ready = 0;

    memset(s->out, 0, sizeof(s->out));
    for (u64 fd = 0; fd < n; fd++) {
        u8 bit = (u8)(1u << (fd % 8));
        struct file *f;
        u32 now;

        if (!((s->in[0][fd / 8] | s->in[1][fd / 8] | s->in[2][fd / 8]) & bit))
            continue;
        f = fd_get(t, fd);
        if (!f)
            return -EBADF;
        now = file_poll(f, t);
        file_wait(f, t);
        for (int i = 0; i < SETS; i++) {
            if ((s->in[i][fd / 8] & bit) && (now & conditions[i])) {
                s->out[i][fd / 8] |= bit;
                ready++;
            }
        }
    }
    return ready;
}

static i64 do_select(struct task *t, const u64 *a, i64 timeout_ns)
{
    struct select_sets s = {0};
    u64 n = a[0];
    i64 ready;

    if ((i32)n < 0)
        return -EINVAL;
    n = MIN((u32)n, FD_SETSIZE);
    s.bytes = (n + 63) / 64 * 8;
    for (int i = 0; i < SETS; i++) {
        if (a[1 + i] && !user_read(t, a[1 + i], s.in[i], s.bytes))
            return -EFAULT;
    }
    ready = select_scan(t, &s, n);
    if (ready == 0)
        ready = wait_more(t, timeout_ns);
    if (ready < 0)
        return ready;
    t->wait.count = 0;
    for (int i = 0; i < SETS; i++) {
        if (a[1 + i] && !user_write(t, a[1 + i], s.out[i], s.bytes))
            return -EFAULT;
    }
    return ready;
}

i64 sys_select(struct task *t, const u64 *a)
{
    struct timeval tv;
    i64 ns = -1, r;

    if (a[4]) {
        if (!USER_GET(t, a[4], tv))
            return -EFAULT;
        if (tv.tv_sec < 0 || tv.tv_usec < 0)
            return -EINVAL;
        ns = (i64)MIN(tv.tv_sec, 1ll << 32) * 1000000000 + (i64)MIN(tv.tv_usec, 1ll << 32) * 1000;
    }
    r = do_select(t, a, ns);
    if (r >= 0 && a[4]) { // what is left of the time, as Linux does
        u64 left = 0;

        if (t->wait.has_deadline && t->wait.deadline > kernel_now(t->kernel))
            left = (t->wait.deadline - kernel_now(t->kernel)) / 1000000;
        else if (!t->wait.has_deadline && ns > 0)
            left = (u64)ns / 1000;
        tv = (struct timeval){(time_t)(left / 1000000), (suseconds_t)(left % 1000000)};
        if (!USER_PUT(t, a[4], tv))
            return -EFAULT;
    }
    return r;
}

i64 sys_pselect6(struct task *t, const u64 *a)
{
    struct {
        u64 set, bytes;
    } mask = {0};
    i64 ns, r = read_timeout(t, a[4], &ns);

    if (r < 0)
        return r;
    if (a[5] && !USER_GET(t, a[5], mask))
        return -EFAULT;
    r = set_mask(t, mask.set);
    return r < 0 ? r : do_select(t, a, ns);
}
