// SPDX-License-Identifier: BSD-3-Clause
// Clocks, sleeping and timers, all on simulated time. The time of day begins at KERNEL_EPOCH.
#include "os/linux/file.h"
#include "os/linux/signal.h"
#include "os/linux/syscall.h"
#include "os/linux/timer.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>

#define NS 1000000000ull

static u64 cpu_ns(const struct task *t, u64 insts)
{
    return insts * t->kernel->period / 1000;
}

i64 clock_now_ns(const struct task *t, int clock)
{
    u64 now = kernel_now_ns(t->kernel);

    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
    case CLOCK_REALTIME_ALARM:
        return (i64)(KERNEL_EPOCH * NS + now);
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        return (i64)(100 * NS + now); // as if the machine had been on for a while
    case CLOCK_PROCESS_CPUTIME_ID:
        return (i64)cpu_ns(t, process_insts(t->process));
    case CLOCK_THREAD_CPUTIME_ID:
        return (i64)cpu_ns(t, t->insts);
    default:
        if (clock < 0) { // clock of another process or thread: ~id << 3 | kind
            int id = ~(clock >> 3);
            const struct process *p = process_find(t->kernel, id);
            const struct task *other = task_find(t->kernel, id);

            if (clock & 4)
                return other || id == 0 ? (i64)cpu_ns(t, other ? other->insts : t->insts) : -EINVAL;
            return p || id == 0 ? (i64)cpu_ns(t, process_insts(p ? p : t->process)) : -EINVAL;
        }
        return -EINVAL;
    }
}

tick ticks_of_ns(u64 ns)
{
    return ns > (~0ull >> 2) / 1000 ? ~0ull >> 2 : ns * 1000;
}

tick clock_to_tick(const struct task *t, int clock, u64 ns)
{
    u64 shown = (u64)clock_now_ns(t, clock);

    return kernel_now(t->kernel) + (ns > shown ? ticks_of_ns(ns - shown) : 0);
}

bool timespec_valid(const struct timespec *ts)
{
    return ts->tv_sec >= 0 && ts->tv_nsec >= 0 && ts->tv_nsec < (long)NS;
}

u64 timespec_ns(const struct timespec *ts)
{
    return (u64)ts->tv_sec >= LONG_MAX / NS ? LONG_MAX : (u64)ts->tv_sec * NS + (u64)ts->tv_nsec;
}

struct timespec timespec_of_ns(u64 ns)
{
    return (struct timespec){(time_t)(ns / NS), (long)(ns % NS)};
}

i64 sys_clock_gettime(struct task *t, const u64 *a)
{
    i64 ns = clock_now_ns(t, (int)a[0]);
    struct timespec ts = timespec_of_ns((u64)ns);

    if (ns < 0)
        return ns;
    return USER_PUT(t, a[1], ts) ? 0 : -EFAULT;
}

i64 sys_clock_getres(struct task *t, const u64 *a)
{
    bool coarse = a[0] == CLOCK_REALTIME_COARSE || a[0] == CLOCK_MONOTONIC_COARSE;
    struct timespec ts = {0, coarse ? 4000000 : 1};

    if (clock_now_ns(t, (int)a[0]) < 0)
        return -EINVAL;
    return a[1] && !USER_PUT(t, a[1], ts) ? -EFAULT : 0;
}

i64 sys_clock_settime(struct task *t, const u64 *a)
{
    return -EPERM;
}

// The clock is right and cannot be adjusted.
static i64 adjust(struct task *t, vaddr va)
{
    struct timex x;
    u32 modes;

    if (!USER_GET(t, va, modes))
        return -EFAULT;
    if (modes)
        return -EPERM;
    x = (struct timex){.tick = 10000, .precision = 1, .tolerance = 32768000};
    x.time.tv_sec = clock_now_ns(t, CLOCK_REALTIME) / (i64)NS;
    x.time.tv_usec = clock_now_ns(t, CLOCK_REALTIME) % (i64)NS / 1000;
    return USER_PUT(t, va, x) ? TIME_OK : -EFAULT;
}

i64 sys_adjtimex(struct task *t, const u64 *a)
{
    return adjust(t, a[0]);
}

i64 sys_clock_adjtime(struct task *t, const u64 *a)
{
    return a[0] == CLOCK_REALTIME ? adjust(t, a[1]) : -EINVAL;
}

i64 sys_gettimeofday(struct task *t, const u64 *a)
{
    u64 ns = (u64)clock_now_ns(t, CLOCK_REALTIME);
    struct timeval tv = {(time_t)(ns / NS), (suseconds_t)(ns % NS / 1000)};
    struct timezone tz = {0};

    if ((a[0] && !USER_PUT(t, a[0], tv)) || (a[1] && !USER_PUT(t, a[1], tz)))
        return -EFAULT;
    return 0;
}

i64 sys_time(struct task *t, const u64 *a)
{
    i64 now = clock_now_ns(t, CLOCK_REALTIME) / (i64)NS;

    return a[0] && !USER_PUT(t, a[0], now) ? -EFAULT : now;
}

i64 sys_times(struct task *t, const u64 *a)
{
    u64 unit = NS / 100;
    struct tms tms = {
        .tms_utime = (clock_t)(cpu_ns(t, process_insts(t->process)) / unit),
        .tms_cutime = (clock_t)(cpu_ns(t, t->process->children_insts) / unit),
    };

    if (a[0] && !USER_PUT(t, a[0], tms))
        return -EFAULT;
    return clock_now_ns(t, CLOCK_MONOTONIC) / (i64)unit;
}

i64 sys_getrusage(struct task *t, const u64 *a)
{
    u64 insts, us;
    struct rusage r = {0};

    switch ((i32)a[0]) {
    case RUSAGE_SELF:
        insts = process_insts(t->process);
        break;
    case RUSAGE_CHILDREN:
        insts = t->process->children_insts;
        break;
    case RUSAGE_THREAD:
        insts = t->insts;
        break;
    default:
        return -EINVAL;
    }
    us = cpu_ns(t, insts) / 1000;
    r.ru_utime = (struct timeval){(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};
    if ((i32)a[0] != RUSAGE_CHILDREN) {
        r.ru_maxrss = (long)t->mm->peak_resident * 4;
        r.ru_minflt = (long)t->mm->faults_minor;
    }
    return USER_PUT(t, a[1], r) ? 0 : -EFAULT;
}

// ---- sleeping ----

static i64 sleep_until(struct task *t, tick deadline, vaddr remaining)
{
    i64 r;

    if (!t->wait.has_deadline)
        task_wait_until(t, deadline);
    if (task_wait_expired(t))
        return 0;
    r = task_block(t);
    if (r == -ERESTARTSYS) {
        struct timespec left = timespec_of_ns((t->wait.deadline - kernel_now(t->kernel)) / 1000);

        if (remaining && !USER_PUT(t, remaining, left))
            return -EFAULT;
        return -ERESTART_RESTARTBLOCK;
    }
    return r;
}

i64 sys_nanosleep(struct task *t, const u64 *a)
{
    struct timespec ts;

    if (!USER_GET(t, a[0], ts))
        return -EFAULT;
    if (!timespec_valid(&ts))
        return -EINVAL;
    return sleep_until(t, kernel_now(t->kernel) + ticks_of_ns(timespec_ns(&ts)), a[1]);
}

i64 sys_clock_nanosleep(struct task *t, const u64 *a)
{
    struct timespec ts;
    int clock = (int)a[0];

    if (clock_now_ns(t, clock) < 0 || clock == CLOCK_THREAD_CPUTIME_ID)
        return -EINVAL;
    if (!USER_GET(t, a[2], ts))
        return -EFAULT;
    if (!timespec_valid(&ts))
        return -EINVAL;
    if (a[1] & TIMER_ABSTIME) {
        i64 r = sleep_until(t, clock_to_tick(t, clock, timespec_ns(&ts)), 0);

        return r == -ERESTART_RESTARTBLOCK ? -ERESTARTNOHAND : r;
    }
    return sleep_until(t, kernel_now(t->kernel) + ticks_of_ns(timespec_ns(&ts)), a[3]);
}

// ---- interval timers. All of a process's time is user time: ITIMER_VIRTUAL and ITIMER_PROF agree
// --

static struct timeval timeval_of(tick ticks)
{
    u64 us = ticks / 1000000;

    return (struct timeval){(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};
}

static tick ticks_of_timeval(const struct timeval *tv)
{
    return ticks_of_ns(((u64)tv->tv_sec * 1000000 + (u64)tv->tv_usec) * 1000);
}

static struct itimerval alarm_value(const struct process *p)
{
    struct itimerval v = {.it_interval = timeval_of(p->alarm_interval)};

    if (p->alarm.pending)
        v.it_value = timeval_of(MAX(p->alarm.when - kernel_now(p->kernel), 1000000));
    return v;
}

static struct itimerval timer_value(const struct process *p, u64 which)
{
    tick period = p->kernel->period;
    const struct cpu_timer *c;

    if (which == ITIMER_REAL)
        return alarm_value(p);
    c = &p->cpu_timers[which - 1];
    return (struct itimerval){timeval_of(c->interval * period), timeval_of(c->left * period)};
}

i64 sys_getitimer(struct task *t, const u64 *a)
{
    struct itimerval v = {0};

    if (a[0] > ITIMER_PROF)
        return -EINVAL;
    v = timer_value(t->process, a[0]);
    return USER_PUT(t, a[1], v) ? 0 : -EFAULT;
}

static void set_alarm(struct process *p, tick value, tick interval)
{
    event_cancel(&p->alarm);
    p->alarm_interval = interval;
    if (value)
        event_schedule_in(&p->alarm, value);
}

static bool timeval_valid(const struct timeval *tv)
{
    return tv->tv_sec >= 0 && tv->tv_usec >= 0 && tv->tv_usec < 1000000;
}

i64 sys_setitimer(struct task *t, const u64 *a)
{
    struct itimerval fresh = {0}, old = {0};

    if (a[0] > ITIMER_PROF)
        return -EINVAL;
    if (a[1] && !USER_GET(t, a[1], fresh))
        return -EFAULT;
    if (!timeval_valid(&fresh.it_value) || !timeval_valid(&fresh.it_interval))
        return -EINVAL;
    old = timer_value(t->process, a[0]);
    if (a[0] == ITIMER_REAL) {
        set_alarm(t->process, ticks_of_timeval(&fresh.it_value),
                  ticks_of_timeval(&fresh.it_interval));
    } else {
        t->process->cpu_timers[a[0] - 1] =
            (struct cpu_timer){ticks_of_timeval(&fresh.it_value) / t->kernel->period,
                               ticks_of_timeval(&fresh.it_interval) / t->kernel->period};
    }
    return a[2] && !USER_PUT(t, a[2], old) ? -EFAULT : 0;
}

i64 sys_alarm(struct task *t, const u64 *a)
{
    struct itimerval old = alarm_value(t->process);

    set_alarm(t->process, ticks_of_ns((u32)a[0] * NS), 0);
    return old.it_value.tv_sec + (old.it_value.tv_usec > 0);
}

// ---- timer_create ----

static void posix_timer_rings(void *owner, struct event *event)
{
    struct posix_timer *p = owner;
    siginfo_t info = {.si_signo = p->signal, .si_code = SI_TIMER};
    struct task *target = p->tid ? task_find(p->process->kernel, p->tid) : NULL;

    info.si_timerid = p->id - 1;
    info.si_ptr = (void *)(uintptr_t)p->value;
    p->expires = p->interval ? p->expires + p->interval : 0;
    if (p->interval)
        event_schedule(&p->event, p->expires, EVENT_NORMAL);
    if (p->notify == SIGEV_NONE)
        return;
    if (target)
        signal_send_task(target, &info);
    else
        signal_send_process(p->process, &info);
}

static struct posix_timer *timer_find(struct task *t, u64 id)
{
    struct process *p = t->process;

    return (u32)id < p->n_timers && p->timers[(u32)id]->id ? p->timers[(u32)id] : NULL;
}

i64 sys_timer_create(struct task *t, const u64 *a)
{
    enum { THREAD_ID = 4 };
    struct process *p = t->process;
    struct posix_timer *timer = NULL;
    struct sigevent ev = {.sigev_signo = SIGALRM, .sigev_notify = SIGEV_SIGNAL};
    i32 id;

    if (clock_now_ns(t, (int)a[0]) < 0)
        return -EINVAL;
    if (a[1] && !USER_GET(t, a[1], ev))
        return -EFAULT;
    if (ev.sigev_notify != SIGEV_NONE && (ev.sigev_signo < 1 || ev.sigev_signo > SIGNALS))
        return -EINVAL;
    if (p->n_timers >= p->limits[RLIMIT_SIGPENDING].rlim_cur || p->n_timers >= 4096)
        return -EAGAIN;
    for (size_t i = 0; i < p->n_timers && !timer; i++)
        timer = p->timers[i]->id ? NULL : p->timers[i];
    if (!timer) {
        timer = xcalloc(1, sizeof(*timer));
        p->timers = xrealloc(p->timers, p->n_timers + 1, sizeof(struct posix_timer *));
        p->timers[p->n_timers++] = timer;
        event_init(&timer->event, &p->kernel->events, "timer", posix_timer_rings, timer);
    }
    id = 0;
    while (p->timers[id] != timer)
        id++;
    timer->process = p;
    timer->id = id + 1;
    timer->clock = (int)a[0];
    timer->signal = ev.sigev_signo;
    timer->notify = ev.sigev_notify;
    timer->tid = ev.sigev_notify == THREAD_ID ? ev._sigev_un._tid : 0;
    timer->value = a[1] ? (u64)(uintptr_t)ev.sigev_value.sival_ptr : (u64)id;
    timer->interval = timer->expires = 0;
    return USER_PUT(t, a[2], id) ? 0 : -EFAULT;
}

static struct itimerspec remaining(const struct kernel *k, tick expires, tick interval)
{
    struct itimerspec v = {.it_interval = timespec_of_ns(interval / 1000)};

    if (expires > kernel_now(k))
        v.it_value = timespec_of_ns(MAX((expires - kernel_now(k)) / 1000, 1));
    return v;
}

i64 sys_timer_gettime(struct task *t, const u64 *a)
{
    const struct posix_timer *timer = timer_find(t, a[0]);
    struct itimerspec v;

    if (!timer)
        return -EINVAL;
    v = remaining(t->kernel, timer->expires, timer->interval);
    return USER_PUT(t, a[1], v) ? 0 : -EFAULT;
}

// When a timer that is set to `v` on `clock` expires; 0: never.
static tick expiry(const struct task *t, int clock, const struct itimerspec *v, bool absolute)
{
    u64 ns = timespec_ns(&v->it_value);

    if (ns == 0)
        return 0;
    return MAX(absolute ? clock_to_tick(t, clock, ns) : kernel_now(t->kernel) + ticks_of_ns(ns), 1);
}

static i64 read_itimerspec(struct task *t, vaddr va, struct itimerspec *v)
{
    if (!user_read(t, va, v, sizeof(*v)))
        return -EFAULT;
    return timespec_valid(&v->it_value) && timespec_valid(&v->it_interval) ? 0 : -EINVAL;
}

i64 sys_timer_settime(struct task *t, const u64 *a)
{
    struct posix_timer *timer = timer_find(t, a[0]);
    struct itimerspec fresh, old;
    i64 r;

    if (!timer)
        return -EINVAL;
    r = read_itimerspec(t, a[2], &fresh);
    if (r < 0)
        return r;
    old = remaining(t->kernel, timer->expires, timer->interval);
    event_cancel(&timer->event);
    timer->interval = ticks_of_ns(timespec_ns(&fresh.it_interval));
    timer->expires = expiry(t, timer->clock, &fresh, a[1] & TIMER_ABSTIME);
    if (timer->expires)
        event_schedule(&timer->event, timer->expires, EVENT_NORMAL);
    return a[3] && !USER_PUT(t, a[3], old) ? -EFAULT : 0;
}

i64 sys_timer_getoverrun(struct task *t, const u64 *a)
{
    return timer_find(t, a[0]) ? 0 : -EINVAL;
}

i64 sys_timer_delete(struct task *t, const u64 *a)
{
    struct posix_timer *timer = timer_find(t, a[0]);

    if (!timer)
        return -EINVAL;
    event_cancel(&timer->event);
    timer->id = 0;
    return 0;
}

// ---- timerfd ----

i64 sys_timerfd_create(struct task *t, const u64 *a)
{
    if (clock_now_ns(t, (int)a[0]) < 0 || (a[1] & ~(u64)(TFD_CLOEXEC | TFD_NONBLOCK)))
        return -EINVAL;
    return fd_add(t, timerfd_new(t->kernel, (int)a[0], (u32)a[1]), a[1] & TFD_CLOEXEC, 0);
}

static struct file_timer *file_timer_of(struct task *t, u64 fd, i64 *ret_error)
{
    struct file *f = fd_get(t, fd);

    *ret_error = !f ? -EBADF : -EINVAL;
    return f && f->ops == &timerfd_ops ? f->data : NULL;
}

i64 sys_timerfd_settime(struct task *t, const u64 *a)
{
    i64 r;
    struct file_timer *timer = file_timer_of(t, a[0], &r);
    struct itimerspec fresh, old;

    if (!timer)
        return r;
    r = read_itimerspec(t, a[2], &fresh);
    if (r < 0)
        return r;
    old = remaining(t->kernel, timer->expires, timer->interval);
    event_cancel(&timer->event);
    timer->expirations = 0;
    timer->interval = ticks_of_ns(timespec_ns(&fresh.it_interval));
    timer->expires = expiry(t, timer->clock, &fresh, a[1] & TFD_TIMER_ABSTIME);
    if (timer->expires)
        event_schedule(&timer->event, timer->expires, EVENT_NORMAL);
    return a[3] && !USER_PUT(t, a[3], old) ? -EFAULT : 0;
}

i64 sys_timerfd_gettime(struct task *t, const u64 *a)
{
    i64 r;
    const struct file_timer *timer = file_timer_of(t, a[0], &r);
    struct itimerspec v;

    if (!timer)
        return r;
    v = remaining(t->kernel, timer->expires, timer->interval);
    return USER_PUT(t, a[1], v) ? 0 : -EFAULT;
}
