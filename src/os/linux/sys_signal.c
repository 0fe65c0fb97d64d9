// SPDX-License-Identifier: BSD-3-Clause
// Signals: sigaction(2), sigprocmask(2), kill(2), sigaltstack(2)...
#include "os/linux/signal.h"
#include "os/linux/syscall.h"
#include "os/linux/timer.h"

#include <errno.h>
#include <string.h>

#define UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))

i64 sys_rt_sigaction(struct task *t, const u64 *a)
{
    struct signal_action fresh, old;
    int number = (i32)a[0];

    if (number < 1 || number > SIGNALS || a[3] != 8)
        return -EINVAL;
    if (a[1] && (number == SIGKILL || number == SIGSTOP))
        return -EINVAL;
    if (a[1] && !USER_GET(t, a[1], fresh))
        return -EFAULT;
    old = t->actions->action[number - 1];
    if (a[1]) {
        fresh.mask &= ~UNBLOCKABLE;
        t->actions->action[number - 1] = fresh;
    }
    return a[2] && !USER_PUT(t, a[2], old) ? -EFAULT : 0;
}

i64 sys_rt_sigprocmask(struct task *t, const u64 *a)
{
    u64 old = t->blocked, set;

    if (a[3] != 8)
        return -EINVAL;
    if (a[1]) {
        if (!USER_GET(t, a[1], set))
            return -EFAULT;
        switch (a[0]) {
        case SIG_BLOCK:
            t->blocked |= set;
            break;
        case SIG_UNBLOCK:
            t->blocked &= ~set;
            break;
        case SIG_SETMASK:
            t->blocked = set;
            break;
        default:
            return -EINVAL;
        }
        t->blocked &= ~UNBLOCKABLE;
    }
    return a[2] && !USER_PUT(t, a[2], old) ? -EFAULT : 0;
}

i64 sys_rt_sigpending(struct task *t, const u64 *a)
{
    u64 set = (t->pending.set | t->process->pending.set) & t->blocked;

    return user_write(t, a[0], &set, MIN(a[1], 8)) ? 0 : -EFAULT;
}

i64 sys_rt_sigreturn(struct task *t, const u64 *a)
{
    siginfo_t segv = {.si_signo = SIGSEGV, .si_code = SI_KERNEL};

    if (!signal_frame_pop(t))
        signal_force(t, &segv);
    return SYS_DONE;
}

i64 sys_rt_sigsuspend(struct task *t, const u64 *a)
{
    u64 set;
    i64 r;

    if (!t->wait.resumed) {
        if (!USER_GET(t, a[0], set))
            return -EFAULT;
        t->saved_mask = t->blocked;
        t->restore_mask = true;
        t->blocked = set & ~UNBLOCKABLE;
    }
    r = task_block(t);
    return r == -ERESTARTSYS ? -ERESTARTNOHAND : r;
}

i64 sys_pause(struct task *t, const u64 *a)
{
    i64 r = task_block(t);

    return r == -ERESTARTSYS ? -ERESTARTNOHAND : r;
}

i64 sys_rt_sigtimedwait(struct task *t, const u64 *a)
{
    struct timespec ts;
    siginfo_t info;
    u64 set;
    i64 r;

    if (!USER_GET(t, a[0], set))
        return -EFAULT;
    set &= ~UNBLOCKABLE;
    if (signal_take(t, set, &info))
        return a[1] && !USER_PUT(t, a[1], info) ? -EFAULT : info.si_signo;
    if (a[2] && !t->wait.has_deadline) {
        if (!USER_GET(t, a[2], ts))
            return -EFAULT;
        if (!timespec_valid(&ts))
            return -EINVAL;
        task_wait_until(t, kernel_now(t->kernel) + ticks_of_ns(timespec_ns(&ts)));
    }
    if (task_wait_expired(t))
        return -EAGAIN;
    t->wait.progress = set;
    r = task_block(t);
    return r == -ERESTARTSYS ? -EINTR : r;
}

// ---- sending ----

static siginfo_t user_info(const struct task *t, u64 number, int code)
{
    siginfo_t info = {.si_signo = (int)number, .si_code = code};

    info.si_pid = t->process->pid;
    info.si_uid = getuid();
    return info;
}

i64 sys_kill(struct task *t, const u64 *a)
{
    struct kernel *k = t->kernel;
    int pid = (i32)a[0];
    siginfo_t info = user_info(t, a[1], SI_USER);
    bool found = false;
    int group = pid == 0 ? t->process->group : -pid;

    if (a[1] > SIGNALS)
        return -EINVAL;
    for (size_t i = 0; i < k->processes.count; i++) {
        struct process *p = k->processes.items[i];
        bool hit = pid > 0 ? p->pid == pid : pid == -1 ? p != t->process : p->group == group;

        if (!hit)
            continue;
        found = true;
        if (a[1] && !p->zombie)
            signal_send_process(p, &info);
    }
    return found ? 0 : -ESRCH;
}

static i64 kill_task(struct task *t, u64 group, u64 tid, const siginfo_t *info)
{
    struct task *target = task_find(t->kernel, (i32)tid);

    if ((u32)info->si_signo > SIGNALS || (i32)tid <= 0)
        return -EINVAL;
    if (!target || (group && target->process->pid != (i32)group))
        return -ESRCH;
    if (info->si_signo)
        signal_send_task(target, info);
    return 0;
}

i64 sys_tgkill(struct task *t, const u64 *a)
{
    siginfo_t info = user_info(t, a[2], SI_TKILL);

    return (i32)a[0] <= 0 ? -EINVAL : kill_task(t, a[0], a[1], &info);
}

i64 sys_tkill(struct task *t, const u64 *a)
{
    siginfo_t info = user_info(t, a[1], SI_TKILL);

    return kill_task(t, 0, a[0], &info);
}

i64 sys_rt_sigqueueinfo(struct task *t, const u64 *a)
{
    struct process *p = process_find(t->kernel, (i32)a[0]);
    siginfo_t info;

    if (!USER_GET(t, a[2], info))
        return -EFAULT;
    if (a[1] > SIGNALS)
        return -EINVAL;
    if (!p)
        return -ESRCH;
    info.si_signo = (int)a[1];
    if (info.si_code >= 0 && p != t->process)
        return -EPERM;
    if (a[1])
        signal_send_process(p, &info);
    return 0;
}

i64 sys_rt_tgsigqueueinfo(struct task *t, const u64 *a)
{
    siginfo_t info;

    if (!USER_GET(t, a[3], info))
        return -EFAULT;
    info.si_signo = (int)a[2];
    return kill_task(t, a[0], a[1], &info);
}

i64 sys_sigaltstack(struct task *t, const u64 *a)
{
    enum { AUTODISARM = (i32)(1u << 31) };
    vaddr sp = task_regs(t)->gpr[X86_RSP];
    bool on = sp - t->alt_stack - 1 < t->alt_stack_bytes;
    stack_t fresh, old = {.ss_sp = (void *)(uintptr_t)t->alt_stack, .ss_size = t->alt_stack_bytes};

    old.ss_flags = t->alt_stack_flags & SS_DISABLE ? SS_DISABLE : on ? SS_ONSTACK : 0;
    if (a[0]) {
        if (!USER_GET(t, a[0], fresh))
            return -EFAULT;
        if (on)
            return -EPERM;
        if ((fresh.ss_flags & ~AUTODISARM) & ~(SS_DISABLE | SS_ONSTACK))
            return -EINVAL;
        if (!(fresh.ss_flags & SS_DISABLE) && fresh.ss_size < 2048)
            return -ENOMEM;
        t->alt_stack_flags = fresh.ss_flags & SS_DISABLE;
        t->alt_stack = fresh.ss_flags & SS_DISABLE ? 0 : (u64)(uintptr_t)fresh.ss_sp;
        t->alt_stack_bytes = fresh.ss_flags & SS_DISABLE ? 0 : fresh.ss_size;
    }
    return a[1] && !USER_PUT(t, a[1], old) ? -EFAULT : 0;
}

// Calls with a deadline are called again as they are; this number is never needed.
i64 sys_restart_syscall(struct task *t, const u64 *a)
{
    return -EINTR;
}
