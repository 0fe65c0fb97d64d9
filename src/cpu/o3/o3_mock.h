// SPDX-License-Identifier: BSD-3-Clause
// Neighbours of the out-of-order CPU for its tests: memory and TLB with two fixed latencies, and a
// machine around it.
#pragma once

#include "cpu/o3/o3.h"
#include "sim/sim.h"

// A direct-mapped tag store in front of a fixed latency; provides timed_port. Parameters: lines,
// hit, miss (ticks).
extern const struct component_type mock_memory_type;
// Provides timed_tlb: pages that were seen before hit.
extern const struct component_type mock_tlb_type;
struct mock_machine {
    struct sim sim;
    struct component *o3, *icache, *dcache, *itlb, *dtlb, *bpred;
    tick latest_read;
    struct cpu *cpu; // active
};

// `settings`: "part.parameter=value", NULL-terminated; parts as above. A part that a setting
// "part" = "none" names is left out ("dtlb=none").
void mock_machine_init(struct mock_machine *m, struct core *core, struct block_cache *blocks,
                       const char *const *settings);
void mock_machine_release(struct mock_machine *m);
// A statistic of the o3 component.
u64 mock_stat(const struct mock_machine *m, const char *name);
// How often the memory was asked for the line of pa.
u64 mock_asked(const struct component *memory, paddr pa);
