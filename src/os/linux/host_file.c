// SPDX-License-Identifier: BSD-3-Clause
// Files, folders and standard streams of the host. Reads and writes keep mapped pages in line.
// APPROX: a terminal or pipe of the host counts as ready for reading in poll, whether there is
// input or not: the answer must not depend on when the other side writes.
#include "os/linux/file.h"
#include "os/linux/file_times.h"
#include "os/linux/signal.h"
#include "os/linux/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>

struct file *host_file_new(struct kernel *k, int host, u32 flags, char *path)
{
    struct file *f = file_new(k, &host_file_ops, flags, path);
    struct stat st;

    f->host = host;
    if (fstat(host, &st) == 0) {
        f->type = st.st_mode & S_IFMT;
        f->dev = st.st_dev;
        f->ino = st.st_ino;
    }
    return f;
}

static i64 host_result(ssize_t n)
{
    return n >= 0 ? n : -errno;
}

static bool waits(const struct file *f)
{
    return f->type == S_IFIFO || f->type == S_IFSOCK || f->type == S_IFCHR;
}

static i64 host_read(struct file *f, struct task *t, const struct iovec *iov, int n, i64 at)
{
    i64 r;

    if (f->type == S_IFDIR)
        return -EISDIR;
    if (f->type == S_IFREG)
        mapping_before_read(&f->kernel->mappings, f->dev, f->ino);
    if (waits(f) && (f->flags & O_NONBLOCK)) {
        struct pollfd p = {.fd = f->host, .events = POLLIN};

        if (poll(&p, 1, 0) == 0)
            return -EWOULDBLOCK;
    }
    for (;;) {
        r = host_result(at < 0 ? readv(f->host, iov, n) : preadv(f->host, iov, n, at));
        // The host's own flag may say non-blocking, whatever the program believes.
        if (r == -EAGAIN && !(f->flags & O_NONBLOCK)) {
            struct pollfd p = {.fd = f->host, .events = POLLIN};

            poll(&p, 1, 1000);
            if (f->kernel->stop)
                return -ERESTARTSYS;
            continue;
        }
        if (r == -EINTR && !f->kernel->stop)
            continue;
        return r == -EINTR ? -ERESTARTSYS : r;
    }
}

// The host must not die of a pipe without readers or a file that is too large.
static void forget_host_signal(int number)
{
    sigset_t set;
    struct timespec now = {0};

    sigemptyset(&set);
    sigaddset(&set, number);
    while (sigtimedwait(&set, NULL, &now) == number)
        ;
}

// The caller's own streams keep the host's times: only the program sees simulated ones.
void file_changed(struct file *f)
{
    file_times_touch(f->kernel, f->host, f->dev, f->ino, TIMES_M | TIMES_C, !f->borrowed_host);
}

static i64 host_write(struct file *f, struct task *t, const struct iovec *iov, int n, i64 at)
{
    i64 r, where = at;

    if (f->type == S_IFREG) {
        mapping_before_read(&f->kernel->mappings, f->dev, f->ino);
        if (at < 0)
            where = f->flags & O_APPEND ? lseek(f->host, 0, SEEK_END) : lseek(f->host, 0, SEEK_CUR);
    }
    for (;;) {
        r = host_result(at < 0 ? writev(f->host, iov, n) : pwritev(f->host, iov, n, at));
        if (r == -EAGAIN && !(f->flags & O_NONBLOCK)) {
            struct pollfd p = {.fd = f->host, .events = POLLOUT};

            poll(&p, 1, 1000);
            if (f->kernel->stop)
                return -ERESTARTSYS;
            continue;
        }
        if (r == -EINTR && !f->kernel->stop)
            continue;
        break;
    }
    if (r == -EINTR)
        return -ERESTARTSYS;
    if (r == -EPIPE) {
        siginfo_t info = {.si_signo = SIGPIPE, .si_code = SI_KERNEL};

        forget_host_signal(SIGPIPE);
        signal_send_task(t, &info);
    }
    if (r > 0 && f->type == S_IFREG)
        file_changed(f);
    if (r > 0 && f->type == S_IFREG && where >= 0)
        mapping_after_write(&f->kernel->mappings, f->dev, f->ino, (u64)where, (u64)r);
    return r;
}

static i64 host_seek(struct file *f, i64 offset, int whence)
{
    off_t at = lseek(f->host, offset, whence);

    return at < 0 ? -errno : at;
}

// Only what is known to be harmless: terminal queries and settings, sizes.
static i64 host_ioctl(struct file *f, struct task *t, u64 command, u64 arg)
{
    static const struct {
        u32 command;
        u16 in, out;
    } known[] = {
        {TCGETS, 0, 36},    {TCSETS, 36, 0},    {TCSETSW, 36, 0}, {TCSETSF, 36, 0},
        {TIOCGWINSZ, 0, 8}, {TIOCSWINSZ, 8, 0}, {FIONREAD, 0, 4}, {FS_IOC_GETFLAGS, 0, 8},
        {TIOCOUTQ, 0, 4},   {FIGETBSZ, 0, 4},
    };
    u8 data[64] = {0};

    if (command == TIOCGPGRP && isatty(f->host))
        return USER_PUT(t, arg, t->process->group) ? 0 : -EFAULT;
    if (command == TIOCSPGRP && isatty(f->host))
        return 0;
    if (command == FIOCLEX || command == FIONCLEX) {
        for (size_t i = 0; i < t->fds->count; i++) {
            if (t->fds->items[i].file == f && i == (u32)t->call.arg[0])
                t->fds->items[i].close_on_exec = command == FIOCLEX;
        }
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (known[i].command != (u32)command)
            continue;
        if (known[i].in && !user_read(t, arg, data, known[i].in))
            return -EFAULT;
        if (ioctl(f->host, command, data) != 0)
            return -errno;
        return !known[i].out || user_write(t, arg, data, known[i].out) ? 0 : -EFAULT;
    }
    return -ENOTTY;
}

static u32 host_poll(struct file *f, struct task *t)
{
    u32 access = f->flags & O_ACCMODE, ready = 0;

    if (access != O_WRONLY)
        ready |= POLLIN | POLLRDNORM;
    if (access != O_RDONLY)
        ready |= POLLOUT | POLLWRNORM;
    return ready;
}

static int host_status(struct file *f, struct stat *ret_stat)
{
    return fstat(f->host, ret_stat) == 0 ? 0 : -errno;
}

const struct file_ops host_file_ops = {
    .name = "host",
    .read = host_read,
    .write = host_write,
    .poll = host_poll,
    .seek = host_seek,
    .ioctl = host_ioctl,
    .status = host_status,
};
