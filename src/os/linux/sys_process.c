// SPDX-License-Identifier: BSD-3-Clause
// Processes and threads: clone(2), execve(2), exit(2), wait(2), identifiers of groups.
#include "os/linux/exec.h"
#include "os/linux/file.h"
#include "os/linux/signal.h"
#include "os/linux/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { ARGUMENT_MAX = 131072, ARGUMENTS_MAX = 1 << 17 };

static bool clone_flags_valid(u64 flags)
{
    if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
        return false;
    if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND))
        return false;
    return (flags & (CLONE_FS | CLONE_NEWNS)) != (CLONE_FS | CLONE_NEWNS);
}

static struct signal_table *copy_actions(const struct signal_table *from, bool clear)
{
    struct signal_table *s = xcalloc(1, sizeof(*s));

    *s = *from;
    s->refs = 1;
    for (u32 i = 0; i < SIGNALS && clear; i++) {
        if (s->action[i].handler != (u64)(uintptr_t)SIG_IGN)
            s->action[i] = (struct signal_action){0};
    }
    return s;
}

static struct process *child_process(struct task *t, const struct clone_args *c)
{
    struct process *from = t->process, *p;

    p = process_new(t->kernel, c->flags & CLONE_PARENT ? from->ppid : from->pid);
    p->group = from->group;
    p->session = from->session;
    memcpy(p->limits, from->limits, sizeof(p->limits));
    p->exit_signal = (int)c->exit_signal;
    p->no_new_privileges = from->no_new_privileges;
    p->dumpable = from->dumpable;
    p->nice = from->nice;
    return p;
}

static void share_or_copy(struct task *t, struct task *n, u64 flags)
{
    n->fds = flags & CLONE_FILES ? fd_table_ref(t->fds) : fd_table_copy(t->fds);
    n->fs = flags & CLONE_FS ? fs_ref(t->fs) : fs_copy(t->fs);
    if (flags & CLONE_SIGHAND) {
        t->actions->refs++;
        n->actions = t->actions;
    } else {
        n->actions = copy_actions(t->actions, flags & CLONE_CLEAR_SIGHAND);
    }
    memcpy(n->comm, t->comm, sizeof(n->comm));
    n->blocked = t->restore_mask ? t->saved_mask : t->blocked;
    n->affinity = t->affinity;
    if (!(t->policy & SCHED_RESET_ON_FORK)) {
        n->policy = t->policy;
        n->priority = t->priority;
    }
    if (!(flags & CLONE_VM) || (flags & CLONE_VFORK)) {
        n->alt_stack = t->alt_stack;
        n->alt_stack_bytes = t->alt_stack_bytes;
        n->alt_stack_flags = t->alt_stack_flags;
    }
}

static void child_registers(struct task *t, struct task *n, const struct clone_args *c)
{
    n->regs = *task_regs(t);
    n->regs.gpr[X86_RAX] = 0;
    if (c->stack)
        n->regs.gpr[X86_RSP] = c->stack + c->stack_size;
    if (c->flags & CLONE_SETTLS)
        n->regs.seg_base[X86_FS] = c->tls;
}

static i64 wait_for_vfork(struct task *t)
{
    if (t->vfork_done)
        return (i64)t->wait.progress;
    return task_block_uninterruptible(t);
}

static i64 do_clone(struct task *t, const struct clone_args *c)
{
    u64 flags = c->flags;
    struct kernel *k = t->kernel;
    struct process *p;
    struct task *n;
    struct mm *mm;
    u32 tid;
    bool ignored = false;
    i32 number;

    if (t->wait.resumed && (flags & CLONE_VFORK))
        return wait_for_vfork(t);
    if (!clone_flags_valid(flags))
        return -EINVAL;
    if (flags & (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                 CLONE_NEWNET | CLONE_NEWCGROUP))
        return -EPERM;
    if ((flags & CLONE_PIDFD) && (flags & (CLONE_THREAD | CLONE_DETACHED)))
        return -EINVAL;
    if (k->n_tasks >= 4096)
        return -EAGAIN;
    mm = flags & CLONE_VM ? mm_ref(t->mm) : mm_fork(t->mm);
    if (!mm)
        return -ENOMEM;
    p = flags & CLONE_THREAD ? t->process : child_process(t, c);
    tid = (u32)(flags & CLONE_THREAD ? k->next_pid++ : p->pid);
    n = task_new(p, (int)tid);
    n->mm = mm;
    share_or_copy(t, n, flags);
    child_registers(t, n, c);
    if (flags & CLONE_CHILD_CLEARTID)
        n->clear_tid = c->child_tid;
    // A bad address is the caller's affair: Linux ignores it, too.
    if ((flags & CLONE_CHILD_SETTID) && !mm_write(mm, c->child_tid, &tid, sizeof(tid)))
        ignored = true;
    if ((flags & CLONE_PARENT_SETTID) && !USER_PUT(t, c->parent_tid, tid))
        ignored = true;
    if (flags & CLONE_PIDFD) {
        number = (i32)fd_add(t, pidfd_new(k, p, 0), true, 0);
        ignored |= !USER_PUT(t, c->pidfd, number);
    }
    (void)ignored;
    kernel_ready(k, n);
    if (!(flags & CLONE_VFORK))
        return tid;
    n->vfork_parent = t;
    t->vfork_done = false;
    t->wait.progress = tid;
    return task_block_uninterruptible(t);
}

i64 sys_clone(struct task *t, const u64 *a)
{
    struct clone_args c = {.flags = a[0] & ~0xffull,
                           .exit_signal = a[0] & 0xff,
                           .stack = a[1],
                           .parent_tid = a[2],
                           .pidfd = a[2],
                           .child_tid = a[3],
                           .tls = a[4]};

    return do_clone(t, &c);
}

i64 sys_clone3(struct task *t, const u64 *a)
{
    struct clone_args c = {0};

    if (a[1] < 64)
        return -EINVAL;
    if (a[1] > 4096)
        return -E2BIG;
    if (!user_read(t, a[0], &c, MIN(a[1], sizeof(c))))
        return -EFAULT;
    if ((c.flags & 0xff) || c.set_tid_size || (c.stack != 0) != (c.stack_size != 0))
        return -EINVAL;
    return do_clone(t, &c);
}

i64 sys_fork(struct task *t, const u64 *a)
{
    struct clone_args c = {.exit_signal = SIGCHLD};

    return do_clone(t, &c);
}

i64 sys_vfork(struct task *t, const u64 *a)
{
    struct clone_args c = {.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD};

    return do_clone(t, &c);
}

// ---- execve ----

static void free_strings(char **s)
{
    for (char **at = s; at && *at; at++)
        free(*at);
    free(s);
}

// The strings that a NULL-terminated array of pointers names.
static i64 read_strings(struct task *t, vaddr va, char ***ret_strings)
{
    struct {
        char **items;
        size_t count, room;
    } v = {0};
    AUTO_FREE char *text = xcalloc(ARGUMENT_MAX, 1);
    u64 pointer = 0, total = 0;
    i64 r = 0;

    for (; r >= 0; va += 8) {
        if (va && !USER_GET(t, va, pointer))
            r = -EFAULT;
        else if (pointer == 0)
            break;
        else if (v.count >= ARGUMENTS_MAX || total > MiB(6))
            r = -E2BIG;
        else
            r = mm_read_string(t->mm, pointer, text, ARGUMENT_MAX);
        if (r >= 0) {
            VEC_PUSH(&v, xstrdup(text));
            total += (u64)r;
        }
    }
    VEC_PUSH(&v, NULL);
    if (r < 0) {
        free_strings(v.items);
        return r == -ENAMETOOLONG ? -E2BIG : r;
    }
    *ret_strings = v.items;
    return 0;
}

static i64 do_exec(struct task *t, const char *path, vaddr argv, vaddr envp)
{
    struct exec_args args = {.path = path};
    struct error err;
    int number = 0;
    i64 r = read_strings(t, argv, &args.argv);

    if (r < 0)
        return r;
    r = read_strings(t, envp, &args.envp);
    if (r == 0)
        r = exec_load(t, &args, &number, &err) == EXEC_OK ? SYS_DONE : -number;
    free_strings(args.argv);
    free_strings(args.envp);
    return r;
}

i64 sys_execve(struct task *t, const u64 *a)
{
    char path[PATH_MAX];
    i64 n = mm_read_string(t->mm, a[0], path, sizeof(path));

    return n < 0 ? n : do_exec(t, path, a[1], a[2]);
}

i64 sys_execveat(struct task *t, const u64 *a)
{
    struct place p;
    i64 r = place_user(t, a[0], a[1], a[4] & 0x1000 ? PLACE_EMPTY : 0, &p);

    return r < 0 ? r : do_exec(t, p.guest, a[2], a[3]);
}

// ---- the end ----

i64 sys_exit(struct task *t, const u64 *a)
{
    task_exit(t, (int)(a[0] & 0xff) << 8);
    return SYS_DONE;
}

i64 sys_exit_group(struct task *t, const u64 *a)
{
    process_exit(t->process, (int)(a[0] & 0xff) << 8);
    return SYS_DONE;
}

// ---- waiting for children ----

static bool child_matches(const struct process *p, const struct process *parent, i64 which)
{
    if (p->ppid != parent->pid)
        return false;
    return which == -1 || (which > 0 && p->pid == which) ||
           (which == 0 && p->group == parent->group) || (which < -1 && p->group == -which);
}

struct wait_report {
    struct process *child; // gone if it was reaped
    int pid, status;
    u64 insts;
};

enum { WAIT_NOTHING, WAIT_REPORT, WAIT_NO_CHILD };

static int find_report(struct task *t, i64 which, u64 options, struct wait_report *ret)
{
    struct kernel *k = t->kernel;
    bool any = false;

    for (size_t i = 0; i < k->processes.count; i++) {
        struct process *p = k->processes.items[i];

        if (!child_matches(p, t->process, which))
            continue;
        any = true;
        *ret = (struct wait_report){p, p->pid, p->exit_status, p->insts + p->children_insts};
        if (p->zombie && (options & WEXITED)) {
            if (!(options & WNOWAIT))
                process_reap(p);
            return WAIT_REPORT;
        }
        if (p->stopped && !p->stop_reported && (options & WSTOPPED)) {
            p->stop_reported = !(options & WNOWAIT);
            ret->status = p->stop_signal << 8 | 0x7f;
            return WAIT_REPORT;
        }
        if (p->continued && (options & WCONTINUED)) {
            p->continued = options & WNOWAIT;
            ret->status = 0xffff;
            return WAIT_REPORT;
        }
    }
    return any ? WAIT_NOTHING : WAIT_NO_CHILD;
}

static struct rusage usage_of(const struct kernel *k, u64 insts)
{
    u64 us = insts * k->period / 1000000;

    return (struct rusage){.ru_utime = {(time_t)(us / 1000000), (suseconds_t)(us % 1000000)}};
}

i64 sys_wait4(struct task *t, const u64 *a)
{
    struct wait_report report;
    u64 options = WEXITED | (a[2] & WUNTRACED ? WSTOPPED : 0) | (a[2] & WCONTINUED);
    struct rusage usage;

    if (a[2] & ~(u64)(WNOHANG | WUNTRACED | WCONTINUED | __WALL | __WCLONE | __WNOTHREAD))
        return -EINVAL;
    switch (find_report(t, (i32)a[0], options, &report)) {
    case WAIT_NO_CHILD:
        return -ECHILD;
    case WAIT_NOTHING:
        if (a[2] & WNOHANG)
            return 0;
        task_wait_on(t, t->process);
        return task_block(t);
    default:
        break;
    }
    usage = usage_of(t->kernel, report.insts);
    if ((a[1] && !USER_PUT(t, a[1], report.status)) || (a[3] && !USER_PUT(t, a[3], usage)))
        return -EFAULT;
    return report.pid;
}

static void fill_wait_info(siginfo_t *info, const struct wait_report *report)
{
    int status = report->status;

    *info = (siginfo_t){.si_signo = SIGCHLD};
    info->si_pid = report->pid;
    info->si_uid = getuid();
    if (status == 0xffff) {
        info->si_code = CLD_CONTINUED;
        info->si_status = SIGCONT;
    } else if ((status & 0xff) == 0x7f) {
        info->si_code = CLD_STOPPED;
        info->si_status = status >> 8;
    } else if (status & 0x7f) {
        info->si_code = CLD_KILLED;
        info->si_status = status & 0x7f;
    } else {
        info->si_code = CLD_EXITED;
        info->si_status = status >> 8;
    }
}

i64 sys_waitid(struct task *t, const u64 *a)
{
    struct wait_report report;
    siginfo_t info = {0};
    const struct file *f;
    i64 which;
    bool no_wait = false;

    if (!(a[3] & (WEXITED | WSTOPPED | WCONTINUED)))
        return -EINVAL;
    switch (a[0]) {
    case P_ALL:
        which = -1;
        break;
    case P_PID:
        which = (i32)a[1];
        break;
    case P_PGID:
        which = (i32)a[1] ? -(i32)a[1] : 0;
        break;
    case P_PIDFD:
        f = fd_get(t, a[1]);
        which = f ? pidfd_pid(f) : -EBADF;
        if (which < 0)
            return which;
        no_wait = f->flags & O_NONBLOCK;
        break;
    default:
        return -EINVAL;
    }
    switch (find_report(t, which, a[3], &report)) {
    case WAIT_NO_CHILD:
        return -ECHILD;
    case WAIT_NOTHING:
        if (no_wait)
            return -EAGAIN;
        if (!(a[3] & WNOHANG)) {
            task_wait_on(t, t->process);
            return task_block(t);
        }
        break;
    default:
        fill_wait_info(&info, &report);
    }
    return a[2] && !USER_PUT(t, a[2], info) ? -EFAULT : 0;
}

// ---- who is who ----

i64 sys_getpid(struct task *t, const u64 *a)
{
    return t->process->pid;
}

i64 sys_gettid(struct task *t, const u64 *a)
{
    return t->tid;
}

i64 sys_getppid(struct task *t, const u64 *a)
{
    return t->process->ppid;
}

static struct process *process_or_self(struct task *t, u64 pid)
{
    return (i32)pid == 0 ? t->process : process_find(t->kernel, (i32)pid);
}

i64 sys_getpgid(struct task *t, const u64 *a)
{
    const struct process *p = process_or_self(t, a[0]);

    return p ? p->group : -ESRCH;
}

i64 sys_getpgrp(struct task *t, const u64 *a)
{
    return t->process->group;
}

i64 sys_setpgid(struct task *t, const u64 *a)
{
    struct process *p = process_or_self(t, a[0]);
    int group = (i32)a[1];

    if (group < 0)
        return -EINVAL;
    if (!p || (p != t->process && p->ppid != t->process->pid))
        return -ESRCH;
    if (p != t->process && p->execed)
        return -EACCES;
    if (p->session == p->pid)
        return -EPERM;
    p->group = group ? group : p->pid;
    return 0;
}

i64 sys_getsid(struct task *t, const u64 *a)
{
    const struct process *p = process_or_self(t, a[0]);

    return p ? p->session : -ESRCH;
}

i64 sys_setsid(struct task *t, const u64 *a)
{
    struct process *p = t->process;

    if (p->group == p->pid && p->session == p->pid)
        return -EPERM;
    p->session = p->group = p->pid;
    return p->pid;
}

i64 sys_set_tid_address(struct task *t, const u64 *a)
{
    t->clear_tid = a[0];
    return t->tid;
}

i64 sys_set_robust_list(struct task *t, const u64 *a)
{
    if (a[1] != 24)
        return -EINVAL;
    t->robust_list = a[0];
    return 0;
}

i64 sys_get_robust_list(struct task *t, const u64 *a)
{
    const struct task *other = (i32)a[0] ? task_find(t->kernel, (i32)a[0]) : t;
    u64 size = 24;

    if (!other)
        return -ESRCH;
    return USER_PUT(t, a[1], other->robust_list) && USER_PUT(t, a[2], size) ? 0 : -EFAULT;
}
