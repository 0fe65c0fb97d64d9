// SPDX-License-Identifier: BSD-3-Clause
// Life and death of tasks and processes.
#include "os/linux/task.h"

#include "base/bug.h"
#include "os/linux/file.h"
#include "os/linux/fs.h"
#include "os/linux/kernel.h"
#include "os/linux/signal.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static void timed_out(void *owner, struct event *event)
{
    task_wake(owner);
}

static void alarm_rings(void *owner, struct event *event)
{
    struct process *p = owner;
    siginfo_t info = {.si_signo = SIGALRM, .si_code = SI_KERNEL};

    if (p->alarm_interval)
        event_schedule_in(&p->alarm, p->alarm_interval);
    signal_send_process(p, &info);
}

struct process *process_new(struct kernel *k, int ppid)
{
    struct process *p = xcalloc(1, sizeof(*p));

    p->kernel = k;
    p->pid = k->next_pid++;
    p->ppid = ppid;
    p->group = p->session = p->pid;
    p->dumpable = true;
    p->exit_signal = SIGCHLD;
    p->started = kernel_now(k);
    event_init(&p->alarm, &k->events, "alarm", alarm_rings, p);
    for (u32 i = 0; i < RLIMITS; i++)
        p->limits[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    p->limits[RLIMIT_STACK].rlim_cur = MiB(8);
    p->limits[RLIMIT_NOFILE] = (struct rlimit){1024, 4096};
    p->limits[RLIMIT_CORE].rlim_cur = 0;
    p->limits[RLIMIT_NPROC] = (struct rlimit){4096, 4096};
    p->limits[RLIMIT_SIGPENDING] = (struct rlimit){4096, 4096};
    p->limits[RLIMIT_MEMLOCK] = (struct rlimit){MiB(8), MiB(8)};
    p->limits[RLIMIT_MSGQUEUE] = (struct rlimit){819200, 819200};
    p->limits[RLIMIT_NICE] = (struct rlimit){0, 0};
    p->limits[RLIMIT_RTPRIO] = (struct rlimit){0, 0};
    VEC_PUSH(&k->processes, p);
    k->n.numProcesses++;
    return p;
}

struct task *task_new(struct process *p, int tid)
{
    struct task *t = xcalloc(1, sizeof(*t));
    struct kernel *k = p->kernel;

    t->kernel = k;
    t->process = p;
    t->tid = tid;
    t->state = TASK_DEAD;
    t->affinity = k->n_cpus >= 64 ? ~0ull : (1ull << k->n_cpus) - 1;
    t->alt_stack_flags = SS_DISABLE;
    event_init(&t->wait.timeout, &k->events, "timeout", timed_out, t);
    VEC_PUSH(p, t);
    k->n_tasks++;
    k->n.numThreads++;
    return t;
}

u64 process_insts(const struct process *p)
{
    u64 sum = p->insts;

    for (size_t i = 0; i < p->count; i++)
        sum += p->items[i]->insts;
    return sum;
}

static u64 cpu_limit_insts(const struct process *p, u64 seconds)
{
    return seconds >= 1u << 30 ? ~0ull : seconds * (TICKS_PER_SECOND / p->kernel->period);
}

u64 process_budget(const struct process *p)
{
    u64 least = ~0ull;

    for (u32 i = 0; i < 2; i++) {
        if (p->cpu_timers[i].left)
            least = MIN(least, p->cpu_timers[i].left);
    }
    return least;
}

// Every second beyond the soft limit a SIGXCPU, at the hard one SIGKILL (getrlimit(2)).
static void watch_cpu_limit(struct process *p)
{
    const struct rlimit *limit = &p->limits[RLIMIT_CPU];
    u64 used;
    siginfo_t info = {.si_signo = SIGXCPU, .si_code = SI_KERNEL};

    if (limit->rlim_cur == RLIM_INFINITY && limit->rlim_max == RLIM_INFINITY)
        return;
    used = process_insts(p);
    if (used < MAX(p->cpu_limit, cpu_limit_insts(p, limit->rlim_cur)))
        return;
    if (used >= cpu_limit_insts(p, limit->rlim_max))
        info.si_signo = SIGKILL;
    p->cpu_limit = used + cpu_limit_insts(p, 1);
    signal_send_process(p, &info);
}

void process_executed(struct process *p, u64 insts)
{
    static const int signals[2] = {SIGVTALRM, SIGPROF};

    for (u32 i = 0; i < 2; i++) {
        struct cpu_timer *c = &p->cpu_timers[i];
        siginfo_t info = {.si_signo = signals[i], .si_code = SI_KERNEL};

        if (c->left == 0)
            continue;
        c->left -= MIN(c->left, insts);
        if (c->left == 0) {
            c->left = c->interval;
            signal_send_process(p, &info);
        }
    }
    watch_cpu_limit(p);
}

struct process *process_find(struct kernel *k, int pid)
{
    for (size_t i = 0; i < k->processes.count; i++) {
        if (k->processes.items[i]->pid == pid)
            return k->processes.items[i];
    }
    return NULL;
}

struct task *task_find(struct kernel *k, int tid)
{
    for (size_t i = 0; i < k->processes.count; i++) {
        struct process *p = k->processes.items[i];

        for (size_t n = 0; n < p->count; n++) {
            if (p->items[n]->tid == tid)
                return p->items[n];
        }
    }
    return NULL;
}

// A robust futex whose owner died: the next locker learns of it.
static void robust_futex_died(struct task *t, vaddr va, bool pi)
{
    u32 word;

    if (!mm_read(t->mm, va, &word, sizeof(word)) || (word & FUTEX_TID_MASK) != (u32)t->tid)
        return;
    if (pi) {
        futex_pi_owner_died(t, va);
        return;
    }
    word = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
    if (mm_write(t->mm, va, &word, sizeof(word)) && (word & FUTEX_WAITERS))
        futex_wake_address(t, va, 1);
}

static void walk_robust_list(struct task *t)
{
    enum { ENTRIES_MAX = 2048 };
    struct robust_list_head head;
    vaddr at;

    if (!t->robust_list || !mm_read(t->mm, t->robust_list, &head, sizeof(head)))
        return;
    at = (vaddr)head.list.next;
    for (u32 i = 0; i < ENTRIES_MAX && (at & ~1ull) != t->robust_list; i++) {
        u64 next;

        if (!mm_read(t->mm, at & ~1ull, &next, sizeof(next)))
            return;
        robust_futex_died(t, (at & ~1ull) + (u64)head.futex_offset, at & 1);
        at = next;
    }
    if (head.list_op_pending)
        robust_futex_died(t, ((vaddr)head.list_op_pending & ~1ull) + (u64)head.futex_offset,
                          (vaddr)head.list_op_pending & 1);
}

// What a task does when it leaves an address space (exit and execve).
void task_leave_mm(struct task *t)
{
    u32 zero = 0;

    walk_robust_list(t);
    t->robust_list = 0;
    if (t->clear_tid && t->mm && t->mm->refs > 1) {
        if (mm_write(t->mm, t->clear_tid, &zero, sizeof(zero)))
            futex_wake_address(t, t->clear_tid, 1);
    }
    t->clear_tid = 0;
    if (t->vfork_parent) {
        t->vfork_parent->vfork_done = true;
        task_wake(t->vfork_parent);
        t->vfork_parent = NULL;
    }
}

void signal_table_unref(struct signal_table *s)
{
    if (s && --s->refs == 0)
        free(s);
}

static void task_free(struct task *t)
{
    struct kernel *k = t->kernel;

    t->process->insts += t->insts;
    kernel_drop(k, t);
    // Somebody may wait with this task as vfork parent.
    for (size_t i = 0; i < k->processes.count; i++) {
        for (size_t n = 0; n < k->processes.items[i]->count; n++) {
            if (k->processes.items[i]->items[n]->vfork_parent == t)
                k->processes.items[i]->items[n]->vfork_parent = NULL;
        }
    }
    fd_table_unref(t->fds);
    fs_unref(t->fs);
    signal_table_unref(t->actions);
    mm_unref(t->mm);
    signal_pending_release(&t->pending);
    free(t->wait.items);
    free(t);
    k->n_tasks--;
}

// Orphans go to no one: they are reaped at once when they end.
static void adopt_children(struct process *p)
{
    enum { NO_ONE = 1 };
    struct kernel *k = p->kernel;

    for (size_t i = 0; i < k->processes.count; i++) {
        struct process *child = k->processes.items[i];
        siginfo_t info = {.si_signo = child->parent_death_signal, .si_code = SI_KERNEL};

        if (child->ppid != p->pid)
            continue;
        child->ppid = NO_ONE;
        if (info.si_signo && !child->zombie)
            signal_send_process(child, &info);
    }
    for (size_t i = k->processes.count; i-- > 0;) {
        if (k->processes.items[i]->zombie && k->processes.items[i]->ppid == NO_ONE &&
            k->processes.items[i] != p)
            process_reap(k->processes.items[i]);
    }
}

static void tell_parent(struct process *p)
{
    struct kernel *k = p->kernel;
    struct process *parent = process_find(k, p->ppid);
    siginfo_t info = {.si_signo = p->exit_signal};
    bool signalled = p->exit_status & 0x7f;
    const struct signal_action *action;

    if (!parent || parent->count == 0) {
        process_reap(p);
        return;
    }
    info.si_pid = p->pid;
    info.si_uid = getuid();
    info.si_code = signalled ? CLD_KILLED : CLD_EXITED;
    info.si_status = signalled ? p->exit_status & 0x7f : p->exit_status >> 8;
    action = p->exit_signal ? &parent->items[0]->actions->action[p->exit_signal - 1] : NULL;
    if (p->exit_signal)
        signal_send_process(parent, &info);
    kernel_wake(k, parent);
    if (action && p->exit_signal == SIGCHLD &&
        (action->handler == (u64)(uintptr_t)SIG_IGN || (action->flags & SA_NOCLDWAIT)))
        process_reap(p);
}

static void process_ended(struct process *p)
{
    struct kernel *k = p->kernel;

    if (p->pid == k->init_pid) {
        k->init_ended = true;
        k->init_status = p->exit_status;
    }
    event_cancel(&p->alarm);
    for (size_t i = 0; i < p->n_timers; i++)
        event_cancel(&p->timers[i]->event);
    p->zombie = true;
    kernel_wake(k, p); // pidfds
    adopt_children(p);
    tell_parent(p);
}

static void remove_task(struct process *p, struct task *t)
{
    size_t kept = 0;

    for (size_t i = 0; i < p->count; i++) {
        if (p->items[i] != t)
            p->items[kept++] = p->items[i];
    }
    p->count = kept;
}

// Ends a task; its process may have none afterwards.
static void end_task(struct task *t, int status)
{
    struct process *p = t->process;

    task_leave_mm(t);
    if (!p->exiting)
        p->exit_status = status;
    p->faults += t->mm->faults_minor;
    remove_task(p, t);
    task_free(t);
    kernel_wake(p->kernel, p->items); // execve and others that wait for threads
}

void task_exit(struct task *t, int status)
{
    struct process *p = t->process;

    end_task(t, status);
    if (p->count == 0)
        process_ended(p);
}

void process_exit(struct process *p, int status)
{
    if (p->exiting)
        return;
    p->exiting = true;
    p->exit_status = status;
    while (p->count > 0)
        end_task(p->items[p->count - 1], status);
    process_ended(p);
}

void process_keep_only(struct task *t)
{
    struct process *p = t->process;

    for (size_t i = p->count; i-- > 0;) {
        if (p->items[i] != t)
            end_task(p->items[i], 0);
    }
    t->tid = p->pid;
}

void process_reap(struct process *p)
{
    struct kernel *k = p->kernel;
    struct process *parent = process_find(k, p->ppid);
    size_t kept = 0;

    if (parent)
        parent->children_insts += p->insts + p->children_insts;
    for (size_t i = 0; i < k->processes.count; i++) {
        if (k->processes.items[i] != p)
            k->processes.items[kept++] = k->processes.items[i];
    }
    k->processes.count = kept;
    for (size_t i = 0; i < p->n_timers; i++)
        free(p->timers[i]);
    event_cancel(&p->alarm);
    free(p->timers);
    free(p->items);
    signal_pending_release(&p->pending);
    free(p);
}
