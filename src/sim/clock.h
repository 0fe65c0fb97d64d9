// SPDX-License-Identifier: BSD-3-Clause
// A clock domain: which tick the n-th cycle begins at. Exact for any frequency (a 2.4 GHz cycle is
// 416 or 417 ticks long), so two clocks never drift apart.
#pragma once

#include "base/bug.h"
#include "base/types.h"

struct clock {
    u64 hertz;
};

// The tick at which cycle n begins: the first at or after n / hertz. Time ends after 213 days (2^64
// ticks): what would be later is at the last tick, whatever a guest asks for.
static inline tick clock_tick_wide(const struct clock *c, u128 cycle)
{
    u128 ticks;

    if (cycle > ~(u64)0)
        return ~(tick)0;
    ticks = (cycle * TICKS_PER_SECOND + c->hertz - 1) / c->hertz;
    return ticks > ~(tick)0 ? ~(tick)0 : (tick)ticks;
}

static inline tick clock_tick(const struct clock *c, u64 cycle)
{
    return clock_tick_wide(c, cycle);
}

// The cycle that is running at `now`: the last one that began at or before it.
static inline u64 clock_cycle(const struct clock *c, tick now)
{
    return (u64)((u128)now * c->hertz / TICKS_PER_SECOND);
}

// The tick of the edge `cycles` (1 and more) after `now`; with 0, the first edge at or after it.
static inline tick clock_edge(const struct clock *c, tick now, u64 cycles)
{
    u64 cycle = clock_cycle(c, now);

    if (cycles == 0 && clock_tick(c, cycle) != now)
        cycles = 1;
    return clock_tick_wide(c, (u128)cycle + cycles);
}
