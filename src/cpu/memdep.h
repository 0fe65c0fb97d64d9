// SPDX-License-Identifier: BSD-3-Clause
// Memory dependence prediction for out-of-order models: which older store a load (or a store) has
// to wait for. Called in program order when an instruction is dispatched, wrong paths included; the
// model names its stores by tokens: those in flight differ modulo MEMDEP_IN_FLIGHT.
#pragma once

#include "sim/component.h"

enum { MEMDEP_NONE = 0xffffffff, MEMDEP_IN_FLIGHT = 1024 };

// Interface name: "memdep"; implemented by the component `memdep`.

// The store that a load has to wait for, or MEMDEP_NONE.
u32 memdep_load(struct component *memdep, vaddr pc);
// The same of a store, which younger ones of its set will wait for from now on.
u32 memdep_store(struct component *memdep, vaddr pc, u32 token);
// The store has its address and data, or was squashed: nobody needs to wait for it any more.
void memdep_store_done(struct component *memdep, u32 token);
// The load at load_pc was executed before the older store at store_pc, to the same bytes.
void memdep_violation(struct component *memdep, vaddr load_pc, vaddr store_pc);

extern const struct component_type memdep_type;
