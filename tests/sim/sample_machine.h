// SPDX-License-Identifier: BSD-3-Clause
// A small machine of the sample components for the tests: RAM, a map, two timers that interrupt one
// counter. A "guest" program is played by sample_machine_step: pseudo-random accesses through the
// map's port.
#pragma once

#include "base/rng.h"
#include "sim/sim.h"

#define SAMPLE_TIMER0 0x10000000
#define SAMPLE_TIMER1 0x10001000

struct sample_machine {
    struct sim sim;
    struct component *map, *ram, *timers[2], *counter;
    struct mem_port port;
    struct rng guest; // not part of the simulated machine
};

// Built and reset; fails the test on any error.
void sample_machine_init(struct sample_machine *m, u64 seed, const char *size);
// One access or a while of nothing; time moves on.
void sample_machine_step(struct sample_machine *m);
// All of state, counters and RAM.
u64 sample_machine_hash(const struct sample_machine *m);
