// SPDX-License-Identifier: BSD-3-Clause
// The local APIC's timer, Intel SDM vol. 3A §10.5.4. Nothing ticks: the count is computed from the
// time at which it will be 0, a cycle of the timer's clock, so that a periodic timer never drifts.
// Timing: the count goes down with every (divided) cycle of the clock that begins after the write
// of the initial count; the deadline fires at the tick that the core names.
#include "dev/lapic_priv.h"

#include "sim/clock.h"
#include "sim/sim.h"

enum timer_mode { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_DEADLINE, TIMER_RESERVED };

static enum timer_mode mode_of(u32 entry)
{
    return entry >> 17 & 3;
}

static enum timer_mode timer_mode(const struct lapic *l)
{
    return mode_of(l->st.lvt[LVT_TIMER]);
}

static bool counts(enum timer_mode mode)
{
    return mode == TIMER_ONE_SHOT || mode == TIMER_PERIODIC;
}

// Bits 3, 1, 0: by 2, 4, 8, 16, 32, 64, 128, 1.
static u64 divisor(const struct lapic *l)
{
    u32 code = (l->st.divide >> 1 & 4) | (l->st.divide & 3);

    return 1ull << ((code + 1) & 7);
}

static struct clock clock_of(const struct lapic *l)
{
    return (struct clock){.hertz = l->p.clock};
}

static void schedule_zero(struct lapic *l)
{
    struct clock clock = clock_of(l);

    event_schedule(&l->st.timer, clock_tick(&clock, l->st.zero_cycle), EVENT_NORMAL);
}

static void start(struct lapic *l, u32 count)
{
    struct clock clock = clock_of(l);

    if (!count || !counts(timer_mode(l))) {
        event_cancel(&l->st.timer);
        return;
    }
    l->st.zero_cycle = clock_cycle(&clock, l->base.sim->queue.now) + count * divisor(l);
    schedule_zero(l);
}

u32 lapic_timer_count(const struct lapic *l)
{
    struct clock clock = clock_of(l);
    u64 cycle = clock_cycle(&clock, l->base.sim->queue.now), by = divisor(l);

    if (!l->st.timer.pending || !counts(timer_mode(l)) || cycle >= l->st.zero_cycle)
        return 0;
    return (u32)((l->st.zero_cycle - cycle + by - 1) / by);
}

void lapic_timer_set_initial(struct lapic *l, u32 count)
{
    if (timer_mode(l) == TIMER_DEADLINE) // ignored, §10.5.4.1
        return;
    l->st.initial_count = count;
    start(l, count);
}

void lapic_timer_set_divide(struct lapic *l, u32 divide)
{
    u32 left = lapic_timer_count(l);

    l->st.divide = divide;
    if (left)
        start(l, left);
}

static void disarm_deadline(struct lapic *l)
{
    l->st.deadline = 0;
    if (l->core->deadline_fired)
        l->core->deadline_fired(l->core_ctx);
}

static void schedule_deadline(struct lapic *l, tick when)
{
    event_schedule(&l->st.timer, MAX(when, l->base.sim->queue.now), EVENT_NORMAL);
}

static tick deadline_when(const struct lapic *l)
{
    return l->core->tsc_when ? l->core->tsc_when(l->core_ctx, l->st.deadline) : ~(tick)0;
}

void lapic_deadline_written(struct component *c, u64 tsc_deadline)
{
    struct lapic *l = lapic_of(c);

    if (timer_mode(l) != TIMER_DEADLINE) { // ignored, and the register reads 0
        if (tsc_deadline)
            disarm_deadline(l);
        return;
    }
    l->st.deadline = tsc_deadline;
    if (tsc_deadline)
        schedule_deadline(l, deadline_when(l));
    else
        event_cancel(&l->st.timer);
}

// Between counting and the deadline, a switch disarms; between one-shot and periodic it goes on.
void lapic_timer_mode_written(struct lapic *l, u32 was)
{
    enum timer_mode old = mode_of(was), now = timer_mode(l);

    if (old == now || (counts(old) && counts(now)))
        return;
    event_cancel(&l->st.timer);
    l->st.initial_count = 0;
    if (old == TIMER_DEADLINE)
        disarm_deadline(l);
}

void lapic_timer_fire(struct lapic *l)
{
    enum timer_mode mode = timer_mode(l);

    if (mode == TIMER_DEADLINE) {
        tick when = deadline_when(l);

        if (when > l->base.sim->queue.now) { // the TSC went slower than foreseen
            schedule_deadline(l, when);
            return;
        }
        disarm_deadline(l);
    } else if (mode == TIMER_PERIODIC) {
        l->st.zero_cycle += l->st.initial_count * divisor(l);
        schedule_zero(l);
    }
    l->n.timer_firings++;
    lapic_fire_lvt(l, LVT_TIMER);
}

bool lapic_timer_check(const struct lapic *l)
{
    struct clock clock = clock_of(l);
    enum timer_mode mode = timer_mode(l);

    if (!l->st.timer.pending)
        return true;
    if (mode == TIMER_DEADLINE)
        return l->st.deadline != 0;
    // What is not at the end of its count would run through many periods at once.
    return counts(mode) && l->st.initial_count != 0 &&
           l->st.timer.when == clock_tick(&clock, l->st.zero_cycle);
}
