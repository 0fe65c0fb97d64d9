// SPDX-License-Identifier: BSD-3-Clause
// What a machine's statistics count from and to: dumps, intervals (setting stats_every), regions of
// interest (setting roi).
#pragma once

#include "api/switching.h"
#include "sim/stats.h"

struct facet_machine;

struct machine_stats {
    u64 *before;   // owned; values at the last reset; NULL: none
    u64 *interval; // owned; values at the last interval's end; NULL: the machine's start
    u64 *regions;  // owned; sums of the regions of interest that have ended; NULL: none
    struct stat_records records;
    enum switch_at every; // insts or time
    u64 period;           // 0: none
    u64 next;             // when the interval ends
    u64 from_insts;       // where it began
    tick from_ticks;
    bool inside; // a region
};

// A program or kernel is loaded.
bool api_stats_begin(struct facet_machine *machine, struct error *err) MUST_CHECK;
void api_stats_release(struct machine_stats *s);
// The interval's end, to limit a run with.
void api_stats_next(const struct machine_stats *s, u64 *insts, tick *when);
// Whether an interval ended here.
bool api_stats_due(struct facet_machine *machine, u64 insts, tick now);
// The guest asks for `function` (machine/simop.h): its work may begin or end.
void api_stats_region(struct facet_machine *machine, u16 function);
