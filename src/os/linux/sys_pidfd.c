// SPDX-License-Identifier: BSD-3-Clause
// Processes as descriptors (pidfd_open(2)): readable when the process has ended. Numbers of
// processes are not used again, so a number is as good as a reference.
#include "os/linux/file.h"
#include "os/linux/signal.h"
#include "os/linux/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/pidfd.h>

int pidfd_pid(const struct file *f)
{
    return f->ops == &pidfd_ops ? (int)f->position : -EBADF;
}

static u32 pidfd_poll(struct file *f, struct task *t)
{
    const struct process *p = process_find(f->kernel, pidfd_pid(f));

    return !p || p->zombie ? POLLIN | POLLRDNORM : 0;
}

static int pidfd_status(struct file *f, struct stat *ret_stat)
{
    *ret_stat = (struct stat){
        .st_mode = 0600, .st_nlink = 1, .st_ino = f->ino, .st_dev = 13, .st_blksize = 4096};
    return 0;
}

const struct file_ops pidfd_ops = {.name = "pidfd", .poll = pidfd_poll, .status = pidfd_status};

struct file *pidfd_new(struct kernel *k, const struct process *p, u32 flags)
{
    struct file *f =
        file_new(k, &pidfd_ops, O_RDWR | (flags & O_NONBLOCK), xstrdup("anon_inode:[pidfd]"));

    f->position = p->pid;
    f->type = 0;
    f->key = p;
    return f;
}

i64 sys_pidfd_open(struct task *t, const u64 *a)
{
    const struct process *p = process_find(t->kernel, (i32)a[0]);

    if ((i32)a[0] <= 0 || (a[1] & ~(u64)O_NONBLOCK))
        return -EINVAL;
    if (!p)
        return task_find(t->kernel, (i32)a[0]) ? -EINVAL : -ESRCH;
    return fd_add(t, pidfd_new(t->kernel, p, (u32)a[1]), true, 0);
}

// A folder /proc/PID names a process, too.
static int pid_of_folder(const struct task *t, const struct file *f)
{
    static const char proc[] = "/proc/";
    char *end;
    long pid;

    if (f->host >= 0 || f->type != S_IFDIR || strncmp(f->path, proc, sizeof(proc) - 1) != 0)
        return -EBADF;
    if (strcmp(f->path + sizeof(proc) - 1, "self") == 0)
        return t->process->pid;
    pid = strtol(f->path + sizeof(proc) - 1, &end, 10);
    return *end || pid <= 0 || pid > INT_MAX ? -EBADF : (int)pid;
}

i64 sys_pidfd_send_signal(struct task *t, const u64 *a)
{
    const struct file *f = fd_get(t, a[0]);
    siginfo_t info = {.si_signo = (int)a[1], .si_code = SI_USER};
    struct process *p;
    int pid = f ? pidfd_pid(f) : -EBADF;

    if (f && pid < 0)
        pid = pid_of_folder(t, f);

    if (a[3])
        return -EINVAL;
    if (pid < 0)
        return pid;
    p = process_find(t->kernel, pid);
    info.si_pid = t->process->pid;
    info.si_uid = getuid();
    if (a[2]) {
        if (!USER_GET(t, a[2], info))
            return -EFAULT;
        if (info.si_signo != (int)a[1])
            return -EINVAL;
        if (info.si_code >= 0 && p != t->process)
            return -EPERM;
    }
    if ((u32)a[1] > SIGNALS)
        return -EINVAL;
    if (!p)
        return -ESRCH;
    if (a[1] && !p->zombie)
        signal_send_process(p, &info);
    return 0;
}

i64 sys_pidfd_getfd(struct task *t, const u64 *a)
{
    const struct file *f = fd_get(t, a[0]);
    const struct process *p;
    struct file *taken;
    int pid = f ? pidfd_pid(f) : -EBADF;

    if (a[2])
        return -EINVAL;
    if (pid < 0)
        return pid;
    p = process_find(t->kernel, pid);
    if (!p || p->count == 0)
        return -ESRCH;
    taken = fd_get(p->items[0], a[1]);
    return taken ? fd_add(t, file_ref(taken), true, 0) : -EBADF;
}
