// SPDX-License-Identifier: BSD-3-Clause
// The functional side of a timing model: executes a core's instructions a block or a few at a time
// and hands their records to the model. What is executed is executed; the model only decides when,
// and where (the wrong path) it is undone.
#pragma once

#include "cpu/functional/block_cache.h"
#include "cpu/functional/functional.h"

// After that many records a step ends: repeated string instructions have one for each iteration.
enum { FRONT_RECORDS = 12 * 1024 };

struct front {
    struct core *core;          // borrowed
    struct block_cache *blocks; // borrowed; traced
    struct dyn_batch *batch;    // owned; the records of the last step
};

bool front_init(struct front *f, struct core *core, struct block_cache *blocks, struct error *err);
void front_release(struct front *f);

// Executes the block at the core's pc and, as long as there is `slack`, those behind it: at most
// slack instructions after the first block, max_insts in all. Their records are then in f->batch
// (until the next step); *ret_insts is what counts as instructions done, which is less than the
// records when instructions are repeated. Whether anything is pending is looked at first. In
// speculation nothing is pending.
// Returns CORE_CONTINUE, or why the core left (CORE_LIMIT is not a reason here).
enum core_exit front_step(struct front *f, u64 max_insts, u64 slack, u64 *ret_insts);
