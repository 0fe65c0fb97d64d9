// SPDX-License-Identifier: BSD-3-Clause
// The functional CPU that keeps caches, TLBs and predictors warm: each record is an atomic access
// to them. Time is the functional one.
#pragma once

#include "cpu/cpu.h"
#include "cpu/functional/block_cache.h"
#include "sim/component.h"

// The structures that belong to a core; NULL: there is none.
struct warm_parts {
    struct component *icache, *dcache, *itlb, *dtlb, *bpred;
};

struct cpu *warm_new(struct core *core, struct block_cache *traced, const struct warm_parts *parts,
                     struct error *err);
