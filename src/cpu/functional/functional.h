// SPDX-License-Identifier: BSD-3-Clause
// The functional CPU: exact, fast, no timing. It decodes basic blocks once and executes them as
// threaded code. The traced variant also hands out a record per instruction.
#pragma once

#include "cpu/cpu.h"
#include "cpu/functional/block_cache.h"

// bc: shared by all functional CPUs of a machine (borrowed). batch: NULL for the plain engine; else
// its consume gets all records, and bc must be a traced cache. NULL and *err on failure.
struct cpu *functional_new(struct core *core, struct block_cache *bc, struct dyn_batch *batch,
                           struct error *err);

// A batch with room for `insts` records and the memory references that they may have.
struct dyn_batch *dyn_batch_new(u32 insts, void (*consume)(struct dyn_batch *), void *ctx,
                                struct error *err);
void dyn_batch_free(struct dyn_batch *b);
