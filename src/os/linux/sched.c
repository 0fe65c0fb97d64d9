// SPDX-License-Identifier: BSD-3-Clause
// Which task runs where and when. Each CPU has a time of its own; the one that is behind runs next,
// at most until its task's turn is over, the next event is due or the limit is reached. A machine
// where nothing can run jumps to the next event.
#include "base/bug.h"
#include "os/linux/inotify.h"
#include "os/linux/kernel.h"
#include "os/linux/signal.h"
#include "os/linux/syscall.h"

struct x86_arch_state *task_regs(struct task *t)
{
    if (!t->loaded)
        return &t->regs;
    cpu_settle(t->loaded->model);
    return &t->loaded->core->s;
}

void task_regs_changed(struct task *t)
{
    if (t->loaded)
        x86_update_mode(t->loaded->core);
}

void kernel_unload(struct task *t)
{
    if (!t->loaded)
        return;
    cpu_abandon(t->loaded->model);
    t->regs = t->loaded->core->s;
    t->loaded->loaded = NULL;
    t->loaded = NULL;
}

static void load(struct kernel_cpu *c, struct task *t)
{
    if (t->loaded == c)
        return;
    if (c->loaded)
        kernel_unload(c->loaded);
    kernel_unload(t);
    c->core->s = t->regs;
    c->core->s.cr3 = (u64)t->mm->root << PAGE_SHIFT;
    c->core->s.tsc_aux = c->id;
    if (c->space == t->mm)
        x86_state_swapped(c->core);
    else
        x86_state_loaded(c->core);
    c->space = t->mm;
    c->loaded = t;
    t->loaded = c;
    t->kernel->n.numSwitches++;
}

void kernel_ready(struct kernel *k, struct task *t)
{
    t->state = TASK_READY;
    t->ready_next = NULL;
    if (k->ready_last)
        k->ready_last->ready_next = t;
    else
        k->ready_first = t;
    k->ready_last = t;
}

static void unready(struct kernel *k, struct task *t)
{
    struct task *before = NULL;

    for (struct task *at = k->ready_first; at; before = at, at = at->ready_next) {
        if (at != t)
            continue;
        if (before)
            before->ready_next = t->ready_next;
        else
            k->ready_first = t->ready_next;
        if (k->ready_last == t)
            k->ready_last = before;
        return;
    }
}

static void leave_cpu(struct kernel *k, struct task *t)
{
    for (u32 i = 0; i < k->n_cpus; i++) {
        if (k->cpus[i].current == t)
            k->cpus[i].current = NULL;
    }
}

static void leave_sleepers(struct kernel *k, struct task *t)
{
    size_t kept = 0;

    for (size_t i = 0; i < k->sleepers.count; i++) {
        if (k->sleepers.items[i] != t)
            k->sleepers.items[kept++] = k->sleepers.items[i];
    }
    k->sleepers.count = kept;
}

void kernel_sleep(struct kernel *k, struct task *t)
{
    leave_cpu(k, t);
    t->state = TASK_BLOCKED;
    VEC_PUSH(&k->sleepers, t);
}

void kernel_drop(struct kernel *k, struct task *t)
{
    leave_cpu(k, t);
    leave_sleepers(k, t);
    if (t->state == TASK_READY)
        unready(k, t);
    if (t->loaded) {
        cpu_abandon(t->loaded->model);
        t->loaded->loaded = NULL;
        t->loaded = NULL;
    }
    event_cancel(&t->wait.timeout);
}

bool kernel_yield(struct kernel *k, struct task *t)
{
    if (!k->ready_first)
        return false;
    leave_cpu(k, t);
    kernel_ready(k, t);
    return true;
}

void task_wake(struct task *t)
{
    if (t->state != TASK_BLOCKED)
        return;
    leave_sleepers(t->kernel, t);
    event_cancel(&t->wait.timeout);
    kernel_ready(t->kernel, t);
}

void kernel_wake(struct kernel *k, const void *key)
{
    for (size_t i = 0; i < k->sleepers.count;) {
        struct task *t = k->sleepers.items[i];
        bool hit = false;

        for (size_t n = 0; n < t->wait.count && !hit; n++)
            hit = t->wait.items[n] == key;
        if (hit)
            task_wake(t);
        else
            i++;
    }
}

void task_wait_on(struct task *t, const void *key)
{
    VEC_PUSH(&t->wait, key);
}

void task_wait_until(struct task *t, tick deadline)
{
    t->wait.has_deadline = true;
    t->wait.deadline = deadline;
}

bool task_wait_expired(const struct task *t)
{
    return t->wait.has_deadline && kernel_now(t->kernel) >= t->wait.deadline;
}

i64 task_block_uninterruptible(struct task *t)
{
    if (t->wait.has_deadline)
        event_schedule(&t->wait.timeout, MAX(t->wait.deadline, kernel_now(t->kernel)),
                       EVENT_NORMAL);
    kernel_sleep(t->kernel, t);
    return SYS_BLOCK;
}

i64 task_block(struct task *t)
{
    if (signal_waits(t)) {
        t->wait.count = 0;
        return -ERESTARTSYS;
    }
    return task_block_uninterruptible(t);
}

// The first task in the queue that may run on c; one whose registers are there comes first.
static struct task *choose(struct kernel *k, const struct kernel_cpu *c)
{
    struct task *t = k->ready_first;

    while (t && !(t->affinity >> c->id & 1))
        t = t->ready_next;
    return t;
}

static void assign(struct kernel *k)
{
    for (u32 i = 0; i < k->n_cpus && k->ready_first; i++) {
        struct kernel_cpu *c = &k->cpus[i];
        struct task *t = c->current ? NULL : choose(k, c);

        if (!t)
            continue;
        unready(k, t);
        t->state = TASK_RUNNING;
        c->current = t;
        c->quantum_left = k->quantum;
        c->time = MAX(c->time, kernel_now(k));
    }
}

static struct kernel_cpu *earliest(struct kernel *k)
{
    struct kernel_cpu *best = NULL;

    for (u32 i = 0; i < k->n_cpus; i++) {
        struct kernel_cpu *c = &k->cpus[i];

        if (c->current && (!best || c->time < best->time))
            best = c;
    }
    return best;
}

static u64 instructions_until(const struct kernel *k, const struct kernel_cpu *c, tick when)
{
    return when <= c->time ? 1 : (when - c->time + k->period - 1) / k->period;
}

// Until when a model with a time of its own may go on: the next event, and not too far ahead of the
// others that share memory with it.
static tick window_end(const struct kernel *k, const struct kernel_cpu *c)
{
    tick end = MIN(event_queue_next(&k->events), k->time_limit);

    for (u32 i = 0; i < k->n_cpus; i++) {
        const struct kernel_cpu *other = &k->cpus[i];

        if (other != c && other->current)
            end = MIN(end, MAX(other->time, c->time) + k->window);
    }
    return MAX(end, c->time + 1);
}

static enum core_exit run_timed(struct kernel *k, struct kernel_cpu *c, u64 n, u64 *ret_done)
{
    enum core_exit why;

    c->core->core.time.period = (u32)k->period;
    c->model->now = MAX(c->model->now, c->time); // it had nothing to do
    why = cpu_run_until(c->model, n, window_end(k, c), ret_done);
    c->time = c->model->now;
    return why;
}

static enum core_exit run_untimed(struct kernel *k, struct kernel_cpu *c, u64 n, u64 *ret_done)
{
    tick next = MIN(event_queue_next(&k->events), k->time_limit);
    enum core_exit why;

    if (next != ~0ull)
        n = MIN(n, instructions_until(k, c, next));
    core_set_time(&c->core->core, c->time, 0, (u32)k->period, 1);
    why = cpu_run(c->model, n, ret_done);
    c->time += *ret_done * k->period;
    return why;
}

// Runs the current task of c in user mode for a while: at most n instructions.
static void run_user(struct kernel *k, struct kernel_cpu *c, u64 n)
{
    struct task *t = c->current;
    u64 done = 0;
    struct process *p = t->process;
    enum core_exit why;

    n = MIN(n, process_budget(p));
    why = c->model->timed ? run_timed(k, c, n, &done) : run_untimed(k, c, n, &done);
    k->insts += done;
    t->insts += done;
    c->insts += done;
    c->quantum_left -= MIN(c->quantum_left, done);
    k->events.now = MAX(k->events.now, MIN(c->time, event_queue_next(&k->events)));
    process_executed(p, done);
    switch (why) {
    case CORE_SYSCALL:
        syscall_enter(t);
        break;
    case CORE_EXCEPTION:
        signal_of_exception(t, c->core);
        break;
    case CORE_LIMIT:
    case CORE_STOP:
    case CORE_YIELD:
    case CORE_CONTINUE:
        break;
    case CORE_HALT:
    case CORE_SHUTDOWN:
    case CORE_DEBUG:
    case CORE_WRONG_PATH:
        BUG("core exit %d in user mode", why);
    }
}

// One step of a CPU: finishes a system call, takes signals, runs instructions.
static void step(struct kernel *k, struct kernel_cpu *c)
{
    struct task *t = c->current;

    load(c, t);
    // Only what nothing is in flight on can be changed from here.
    if ((t->moves || signal_waits(t) || c->quantum_left == 0) && !cpu_drained(c->model)) {
        run_user(k, c, 0);
        return;
    }
    if (t->call.active) {
        syscall_again(t);
        if (c->current != t || t->call.active)
            return;
    }
    if (signal_waits(t) || t->call.returned) {
        if (!signal_deliver(t))
            return;
    }
    if (t->moves) {
        t->moves = false;
        leave_cpu(k, t);
        kernel_ready(k, t);
        return;
    }
    if (c->quantum_left == 0) {
        c->quantum_left = k->quantum;
        if (kernel_yield(k, t))
            return;
    }
    if (k->insts < k->insts_limit)
        run_user(k, c, MIN(c->quantum_left, k->insts_limit - k->insts));
}

static bool failed(const struct kernel *k)
{
    return k->failure && k->failure->code != ERROR_NONE;
}

// Lets every CPU's instructions in flight end.
static void drain(struct kernel *k)
{
    for (u32 i = 0; i < k->n_cpus; i++) {
        struct kernel_cpu *c = &k->cpus[i];

        while (c->current && !cpu_drained(c->model) && !failed(k))
            run_user(k, c, 0);
    }
}

static bool limit_reached(const struct kernel *k)
{
    return k->insts >= k->insts_limit || kernel_now(k) >= k->time_limit;
}

enum kernel_end kernel_run(struct kernel *k)
{
    while (k->n_tasks > 0) {
        struct kernel_cpu *c;

        if (failed(k))
            return KERNEL_STOPPED;
        if (k->event || k->stop || limit_reached(k)) {
            drain(k);
            return k->event ? KERNEL_EVENT : k->stop ? KERNEL_STOPPED : KERNEL_LIMIT;
        }
        assign(k);
        c = earliest(k);
        if (!c) {
            tick next = event_queue_next(&k->events);

            // Half of the time there is: what comes later never comes, and no sum overflows.
            if (next > 1ull << 63) {
                if (inotify_wait(k))
                    continue;
                return KERNEL_DEADLOCK;
            }
            event_queue_run(&k->events, next);
            continue;
        }
        if (event_queue_next(&k->events) <= c->time) {
            event_queue_run(&k->events, MAX(kernel_now(k), event_queue_next(&k->events)));
            continue;
        }
        if (c->time > kernel_now(k))
            event_queue_run(&k->events, c->time);
        step(k, c);
    }
    return KERNEL_ENDED;
}
