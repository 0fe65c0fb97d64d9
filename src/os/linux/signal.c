// SPDX-License-Identifier: BSD-3-Clause
// Sending and taking signals; signal(7) has the default actions.
#include "os/linux/signal.h"

#include "base/log.h"
#include "isa/x86/core.h"
#include "os/linux/kernel.h"
#include "os/linux/syscall.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))
enum { QUEUE_MAX = 4096, FIRST_REALTIME = 32 };

enum default_action { ACTION_TERMINATE, ACTION_CORE, ACTION_IGNORE, ACTION_STOP, ACTION_CONTINUE };

static enum default_action default_action(int number)
{
    switch (number) {
    case SIGCHLD:
    case SIGURG:
    case SIGWINCH:
        return ACTION_IGNORE;
    case SIGCONT:
        return ACTION_CONTINUE;
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
        return ACTION_STOP;
    case SIGQUIT:
    case SIGILL:
    case SIGTRAP:
    case SIGABRT:
    case SIGBUS:
    case SIGFPE:
    case SIGSEGV:
    case SIGXCPU:
    case SIGXFSZ:
    case SIGSYS:
        return ACTION_CORE;
    default:
        return ACTION_TERMINATE;
    }
}

struct signal_text signal_name(int number)
{
    struct signal_text t;
    const char *abbrev = number > 0 && number < FIRST_REALTIME ? sigabbrev_np(number) : NULL;

    if (abbrev)
        snprintf(t.text, sizeof(t.text), "SIG%s", abbrev);
    else
        snprintf(t.text, sizeof(t.text), "signal %d", number);
    return t;
}

void signal_pending_release(struct pending *p)
{
    free(p->items);
    *p = (struct pending){0};
}

static void queue(struct pending *p, const siginfo_t *info)
{
    u64 bit = SIGNAL_BIT(info->si_signo);

    if ((p->set & bit) && (info->si_signo < FIRST_REALTIME || p->count >= QUEUE_MAX))
        return;
    p->set |= bit;
    VEC_PUSH(p, *info);
}

static bool unqueue(struct pending *p, int number, siginfo_t *ret_info)
{
    bool more = false;
    size_t at = p->count;

    for (size_t i = p->count; i-- > 0;) {
        if (p->items[i].si_signo != number)
            continue;
        more = at < p->count;
        at = i;
    }
    if (at == p->count)
        return false;
    *ret_info = p->items[at];
    memmove(&p->items[at], &p->items[at + 1], (p->count - at - 1) * sizeof(p->items[0]));
    p->count--;
    if (!more)
        p->set &= ~SIGNAL_BIT(number);
    return true;
}

static void unqueue_all(struct pending *p, int number)
{
    siginfo_t info;

    while (unqueue(p, number, &info))
        ;
}

static bool ignored(const struct task *t, int number)
{
    u64 handler = t->actions->action[number - 1].handler;

    if (handler == (u64)(uintptr_t)SIG_IGN)
        return number != SIGKILL && number != SIGSTOP;
    return handler == (u64)(uintptr_t)SIG_DFL && default_action(number) == ACTION_IGNORE;
}

// Effects that do not wait until the signal is taken.
static void prepare(struct process *p, int number)
{
    if (number == SIGCONT || number == SIGKILL) {
        for (int s = SIGSTOP; s <= SIGTTOU; s++)
            unqueue_all(&p->pending, s);
        if (p->stopped) {
            p->stopped = false;
            p->continued = number == SIGCONT;
            kernel_wake(p->kernel, &p->stopped);
            if (process_find(p->kernel, p->ppid))
                kernel_wake(p->kernel, process_find(p->kernel, p->ppid));
        }
    }
    if (default_action(number) == ACTION_STOP)
        unqueue_all(&p->pending, SIGCONT);
}

static u64 waiting_set(const struct task *t)
{
    // rt_sigtimedwait keeps the set it waits for in progress.
    return t->call.active && t->call.number == 128 ? t->wait.progress : 0;
}

static bool wants(const struct task *t, int number)
{
    return !(t->blocked & SIGNAL_BIT(number)) || (waiting_set(t) & SIGNAL_BIT(number));
}

static void notify(struct task *t)
{
    if (t->state == TASK_BLOCKED && !t->process->stopped)
        task_wake(t);
}

void signal_send_task(struct task *t, const siginfo_t *info)
{
    int number = info->si_signo;

    prepare(t->process, number);
    if (ignored(t, number) && !(t->blocked & SIGNAL_BIT(number)))
        return;
    queue(&t->pending, info);
    kernel_wake(t->kernel, t->actions); // signalfd
    if (wants(t, number))
        notify(t);
}

void signal_send_process(struct process *p, const siginfo_t *info)
{
    int number = info->si_signo;

    if (p->count == 0)
        return;
    prepare(p, number);
    if (ignored(p->items[0], number) && !(p->items[0]->blocked & SIGNAL_BIT(number)))
        return;
    queue(&p->pending, info);
    kernel_wake(p->kernel, p->items[0]->actions);
    for (size_t i = 0; i < p->count; i++) {
        if (wants(p->items[i], number)) {
            p->items[i]->directed |= SIGNAL_BIT(number);
            notify(p->items[i]);
            return;
        }
    }
}

void signal_force(struct task *t, const siginfo_t *info)
{
    struct signal_action *action = &t->actions->action[info->si_signo - 1];
    u64 bit = SIGNAL_BIT(info->si_signo);

    if ((t->blocked & bit) || action->handler == (u64)(uintptr_t)SIG_IGN)
        action->handler = (u64)(uintptr_t)SIG_DFL;
    t->blocked &= ~bit;
    queue(&t->pending, info);
}

// Signals of the process that were directed to other tasks, which still want them.
static u64 left_to_others(const struct task *t)
{
    const struct process *p = t->process;
    u64 set = 0;

    for (size_t i = 0; p->pending.set && i < p->count; i++) {
        if (p->items[i] != t)
            set |= p->items[i]->directed & (~p->items[i]->blocked | UNBLOCKABLE);
    }
    return set & ~t->directed;
}

static u64 takeable(const struct task *t)
{
    return (t->pending.set | (t->process->pending.set & ~left_to_others(t))) &
           (~t->blocked | UNBLOCKABLE);
}

bool signal_waits(const struct task *t)
{
    u64 set = takeable(t);

    while (set) {
        int number = __builtin_ctzll(set) + 1;

        if (!ignored(t, number))
            return true;
        set &= set - 1;
    }
    return false;
}

bool signal_take(struct task *t, u64 set, siginfo_t *ret_info)
{
    // Signals of faults come first, then by number; those of the task before the process's.
    static const u64 faults = SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) |
                              SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSYS);
    u64 own = t->pending.set & set, shared = t->process->pending.set & set;

    if (own)
        return unqueue(&t->pending, __builtin_ctzll(own & faults ? own & faults : own) + 1,
                       ret_info);
    if (!shared)
        return false;
    shared &= -shared;
    for (size_t i = 0; i < t->process->count; i++)
        t->process->items[i]->directed &= ~shared;
    return unqueue(&t->process->pending, __builtin_ctzll(shared) + 1, ret_info);
}

// The system call that was interrupted starts again, or ends with EINTR.
static void settle_restart(struct task *t, const struct signal_action *action)
{
    struct x86_arch_state *s = task_regs(t);
    i64 result = (i64)s->gpr[X86_RAX];

    if (!t->call.returned || result > -ERESTARTSYS || result < -ERESTART_RESTARTBLOCK)
        return;
    if (action && (result == -ERESTARTNOHAND || result == -ERESTART_RESTARTBLOCK ||
                   (result == -ERESTARTSYS && !(action->flags & SA_RESTART)))) {
        s->gpr[X86_RAX] = (u64)-EINTR;
        return;
    }
    s->gpr[X86_RAX] = t->call.number;
    s->rip -= 2;
    t->wait.keep_deadline = !action && t->wait.has_deadline;
}

static void describe_end(struct task *t, const siginfo_t *info)
{
    struct kernel *k = t->kernel;
    const struct x86_arch_state *s = task_regs(t);
    char where[96] = "";

    if (info->si_code > 0 && info->si_code != SI_KERNEL &&
        (info->si_signo == SIGSEGV || info->si_signo == SIGBUS))
        snprintf(where, sizeof(where), " (access to 0x%llx)",
                 (unsigned long long)(uintptr_t)info->si_addr);
    if (t->process->pid == k->init_pid)
        snprintf(k->end_note, sizeof(k->end_note), "killed by %s at pc 0x%llx%s",
                 signal_name(info->si_signo).text, (unsigned long long)s->rip, where);
    log_info("linux", "[%d] %s killed by %s at pc 0x%llx%s", t->tid, t->comm,
             signal_name(info->si_signo).text, (unsigned long long)s->rip, where);
}

static void stop_process(struct task *t, int number)
{
    struct process *p = t->process, *parent = process_find(t->kernel, p->ppid);

    p->stopped = true;
    p->stop_reported = false;
    p->stop_signal = number;
    if (parent && parent->count > 0) {
        siginfo_t info = {.si_signo = SIGCHLD, .si_code = CLD_STOPPED};

        info.si_pid = p->pid;
        info.si_status = number;
        if (!(parent->items[0]->actions->action[SIGCHLD - 1].flags & SA_NOCLDSTOP))
            signal_send_process(parent, &info);
        kernel_wake(t->kernel, parent);
    }
}

// False if the task is gone.
static bool take_default(struct task *t, const siginfo_t *info)
{
    switch (default_action(info->si_signo)) {
    case ACTION_IGNORE:
    case ACTION_CONTINUE:
        return true;
    case ACTION_STOP:
        stop_process(t, info->si_signo);
        return true;
    default:
        describe_end(t, info);
        process_exit(t->process, info->si_signo);
        return false;
    }
}

static bool take_handler(struct task *t, struct signal_action *action, const siginfo_t *info)
{
    struct signal_action copy = *action;

    settle_restart(t, &copy);
    t->call.returned = false;
    if (!signal_frame_push(t, &copy, info)) {
        siginfo_t segv = {.si_signo = SIGSEGV, .si_code = SI_KERNEL};

        if (info->si_signo == SIGSEGV)
            t->actions->action[SIGSEGV - 1].handler = (u64)(uintptr_t)SIG_DFL;
        signal_force(t, &segv);
        return true;
    }
    t->kernel->n.numSignals++;
    t->restore_mask = false;
    t->blocked |= copy.mask;
    if (!(copy.flags & SA_NODEFER))
        t->blocked |= SIGNAL_BIT(info->si_signo);
    t->blocked &= ~UNBLOCKABLE;
    if (copy.flags & (u32)SA_RESETHAND)
        action->handler = (u64)(uintptr_t)SIG_DFL;
    return true;
}

bool signal_deliver(struct task *t)
{
    siginfo_t info;

    while (signal_take(t, takeable(t), &info)) {
        struct signal_action *action = &t->actions->action[info.si_signo - 1];

        if (action->handler == (u64)(uintptr_t)SIG_IGN && info.si_signo != SIGKILL)
            continue;
        if (action->handler != (u64)(uintptr_t)SIG_DFL && info.si_signo != SIGKILL &&
            info.si_signo != SIGSTOP) {
            take_handler(t, action, &info);
            continue;
        }
        if (!take_default(t, &info))
            return false;
    }
    settle_restart(t, NULL);
    t->call.returned = false;
    if (t->restore_mask) {
        t->blocked = t->saved_mask;
        t->restore_mask = false;
    }
    if (t->process->stopped) {
        t->wait.count = 0;
        task_wait_on(t, &t->process->stopped);
        kernel_sleep(t->kernel, t);
        return false;
    }
    return true;
}
