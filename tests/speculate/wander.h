// SPDX-License-Identifier: BSD-3-Clause
// A CPU model for tests: executes like a timing model does, through cpu/front, and now and then
// goes down a wrong path: somewhere, for a while, with more wrong paths on it, which it comes back
// from in any order. It checks what must hold whenever it has come back.
#pragma once

#include "base/rng.h"
#include "cpu/front.h"
#include "isa/x86/core.h"

struct wander {
    struct front front;
    struct core *core; // borrowed
    struct rng steps;  // how many instructions a step takes: the same with and without wandering
    struct rng turns;  // where and how far wrong paths go
    u32 every;         // blocks between two wrong paths, about; 0: none
    vaddr recent[64];  // places that were executed, and targets of branches that were not taken
    u32 n_recent;      //
    u64 blocks, paths, nested, wrong_insts, wrong_refs, stores, dead_ends;
    const char *broken; // the first thing that did not hold; NULL: all does
};

bool wander_init(struct wander *w, struct core *core, struct block_cache *blocks, u64 seed,
                 u32 every, struct error *err);
void wander_release(struct wander *w);

// As cpu_ops.run.
enum core_exit wander_run(struct wander *w, u64 max_insts, u64 *ret_insts);

// Of all registers, and of all memory below `bytes`.
u64 wander_hash(const struct core *core, u64 bytes);
