// SPDX-License-Identifier: BSD-3-Clause
// Clocks and timers of the program, all on simulated time.
#pragma once

#include "os/linux/kernel.h"

#include <time.h>

struct file_timer { // a timerfd
    int clock;
    u64 expirations;
    tick interval, expires; // 0: disarmed
    struct event event;
};

// Nanoseconds on a clock of the task, or -EINVAL.
i64 clock_now_ns(const struct task *t, int clock);
// The tick at which `clock` shows `ns`.
tick clock_to_tick(const struct task *t, int clock, u64 ns);
bool timespec_valid(const struct timespec *ts);
// Saturates; in nanoseconds and ticks.
u64 timespec_ns(const struct timespec *ts);
struct timespec timespec_of_ns(u64 ns);
tick ticks_of_ns(u64 ns);
