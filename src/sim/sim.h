// SPDX-License-Identifier: BSD-3-Clause
// One machine under simulation: its memory, its time, its tree of components and its life. There is
// no global: any number of these live in one process.
#pragma once

#include "base/arena.h"
#include "sim/component.h"
#include "sim/drain.h"
#include "sim/event.h"

enum sim_phase { SIM_NEW, SIM_BUILT, SIM_READY };

struct checkpoint_source;
struct config;

struct sim {
    struct arena arena;
    struct event_queue queue;
    struct component *root, *last; // owned, in the arena
    struct drain_manager drain;
    struct config *description; // borrowed; NULL when there is none, and after config_finish
    struct checkpoint_source *restored; // owned; what memory is still filled from
    struct error failure;               // sim_fail; its code is ERROR_NONE while all is well
    enum sim_phase phase;
};

void sim_init(struct sim *sim);
// Destroys every component, children before parents, and gives back the memory; accepts a machine
// in any phase, also a half-built one.
void sim_release(struct sim *sim);

// Checks, builds and connects all components. On failure only sim_release is allowed.
bool sim_build(struct sim *sim, struct error *err) MUST_CHECK;
// Power-on: state and statistics zero, then every component's reset. After the first one nothing
// is allocated any more (the arena is sealed). Pending events are cancelled; time goes on.
void sim_reset(struct sim *sim);

// The host took away what the running machine needs (files that its memory comes from): the run
// has to end, and *err says why. Kept in `failure`, the first one, and the board is told.
void sim_fail(struct component *from, const struct error *err);

// A hash of the whole state: equal machines have equal ones.
u64 sim_hash(const struct sim *sim);
