// SPDX-License-Identifier: BSD-3-Clause
// Scheduling: CPUs a task may run on, policies and priorities. APPROX: tasks take turns whatever
// their policy, priority and niceness are; these are only kept and shown.
#include "os/linux/syscall.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

i64 sys_sched_yield(struct task *t, const u64 *a)
{
    t->loaded->quantum_left = 0;
    return 0;
}

static struct task *task_or_self(struct task *t, u64 id)
{
    return (i32)id == 0 ? t : task_find(t->kernel, (i32)id);
}

i64 sys_sched_getaffinity(struct task *t, const u64 *a)
{
    const struct task *other = task_or_self(t, a[0]);

    if (!other)
        return -ESRCH;
    if (a[1] < 8 || a[1] % 8)
        return -EINVAL;
    return USER_PUT(t, a[2], other->affinity) ? 8 : -EFAULT;
}

i64 sys_sched_setaffinity(struct task *t, const u64 *a)
{
    struct task *other = task_or_self(t, a[0]);
    u32 n = t->kernel->n_cpus;
    u64 mask = 0;

    if (!other)
        return -ESRCH;
    if (!user_read(t, a[2], &mask, MIN(a[1], 8)))
        return -EFAULT;
    mask &= n >= 64 ? ~0ull : (1ull << n) - 1;
    if (!mask)
        return -EINVAL;
    other->affinity = mask;
    if (other->state == TASK_RUNNING && other->loaded && !(mask >> other->loaded->id & 1))
        other->moves = true;
    return 0;
}

i64 sys_getcpu(struct task *t, const u64 *a)
{
    u32 cpu = t->loaded->id, node = 0;

    if ((a[0] && !USER_PUT(t, a[0], cpu)) || (a[1] && !USER_PUT(t, a[1], node)))
        return -EFAULT;
    return 0;
}

// ---- policies ----

static i64 check_policy(int policy, int priority)
{
    bool real_time = policy == SCHED_FIFO || policy == SCHED_RR;

    if (!real_time && policy != SCHED_OTHER && policy != SCHED_BATCH && policy != SCHED_IDLE)
        return -EINVAL;
    if (real_time ? priority < 1 || priority > 99 : priority != 0)
        return -EINVAL;
    return real_time && geteuid() != 0 ? -EPERM : 0;
}

static i64 set_policy(struct task *t, u64 id, int policy, vaddr param)
{
    struct task *other = task_or_self(t, id);
    i32 priority;
    i64 r;

    if ((i32)id < 0)
        return -EINVAL;
    if (!USER_GET(t, param, priority))
        return -EFAULT;
    if (!other)
        return -ESRCH;
    if (policy < 0)
        policy = other->policy;
    r = check_policy(policy & ~SCHED_RESET_ON_FORK, priority);
    if (r < 0)
        return r;
    other->policy = policy;
    other->priority = priority;
    return 0;
}

i64 sys_sched_getscheduler(struct task *t, const u64 *a)
{
    const struct task *other = task_or_self(t, a[0]);

    return (i32)a[0] < 0 ? -EINVAL : other ? other->policy : -ESRCH;
}

i64 sys_sched_setscheduler(struct task *t, const u64 *a)
{
    return (i32)a[1] < 0 ? -EINVAL : set_policy(t, a[0], (i32)a[1], a[2]);
}

i64 sys_sched_getparam(struct task *t, const u64 *a)
{
    const struct task *other = task_or_self(t, a[0]);

    if ((i32)a[0] < 0)
        return -EINVAL;
    if (!other)
        return -ESRCH;
    return USER_PUT(t, a[1], other->priority) ? 0 : -EFAULT;
}

i64 sys_sched_setparam(struct task *t, const u64 *a)
{
    return set_policy(t, a[0], -1, a[1]);
}

i64 sys_sched_get_priority_max(struct task *t, const u64 *a)
{
    return a[0] == SCHED_FIFO || a[0] == SCHED_RR ? 99 : a[0] <= 6 ? 0 : -EINVAL;
}

i64 sys_sched_get_priority_min(struct task *t, const u64 *a)
{
    return a[0] == SCHED_FIFO || a[0] == SCHED_RR ? 1 : a[0] <= 6 ? 0 : -EINVAL;
}

i64 sys_sched_rr_get_interval(struct task *t, const u64 *a)
{
    struct timespec ts = {0, (long)(t->kernel->quantum * t->kernel->period / 1000)};

    return USER_PUT(t, a[1], ts) ? 0 : -EFAULT;
}

// ---- niceness: of whole processes here ----

static bool nice_hit(const struct task *t, const struct process *p, u64 which, u64 who)
{
    switch (which) {
    case PRIO_PROCESS:
        return p->pid == ((i32)who ? (i32)who : t->process->pid);
    case PRIO_PGRP:
        return p->group == ((i32)who ? (i32)who : t->process->group);
    default:
        return (u32)who == getuid() || who == 0;
    }
}

i64 sys_getpriority(struct task *t, const u64 *a)
{
    const struct kernel *k = t->kernel;
    int least = 20;

    if (a[0] > PRIO_USER)
        return -EINVAL;
    for (size_t i = 0; i < k->processes.count; i++) {
        if (nice_hit(t, k->processes.items[i], a[0], a[1]))
            least = MIN(least, k->processes.items[i]->nice);
    }
    return least == 20 ? -ESRCH : 20 - least; // as the raw call gives it
}

i64 sys_setpriority(struct task *t, const u64 *a)
{
    const struct kernel *k = t->kernel;
    int nice = MAX(MIN((i32)a[2], 19), -20);
    i64 r = -ESRCH;

    if (a[0] > PRIO_USER)
        return -EINVAL;
    for (size_t i = 0; i < k->processes.count; i++) {
        struct process *p = k->processes.items[i];

        if (!nice_hit(t, p, a[0], a[1]))
            continue;
        if (nice < p->nice && geteuid() != 0) {
            r = -EACCES;
            continue;
        }
        p->nice = nice;
        r = r == -ESRCH ? 0 : r;
    }
    return r;
}
