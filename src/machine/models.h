// SPDX-License-Identifier: BSD-3-Clause
// The CPU models of a machine's cores, and the change from one to another: any time that nothing is
// in flight, which the model is asked for. What a guest computes does not depend on it.
#pragma once

#include "cpu/functional/functional.h"
#include "machine/processor.h"

enum model_kind {
    MODEL_FUNCTIONAL, // with models.warm it keeps caches and predictors warm
    MODEL_TIMING,
    MODEL_O3,
    MODEL_KINDS
};
extern const char *const model_names[MODEL_KINDS + 1]; // NULL at the end

// What is asked for.
struct models_options {
    struct processor_options processor; // of models with timing; its `cores` is not looked at
    bool timed;                         // there is a processor
    bool warm;                          // the functional model keeps caches and predictors warm
    enum model_kind first;
};

struct core_models {
    struct core *core;
    struct cpu *model[MODEL_KINDS]; // functional: owned; the others are the processor's
    struct cpu *warm;               // owned; functional with warming; NULL: not yet, or without
    struct cpu *active;             // one of these
    enum model_kind kind;           // which
};

struct models {
    struct processor *processor; // owned; NULL: functional only
    struct block_cache *plain;   // owned
    struct block_cache *traced;  // owned; NULL: functional only
    u64 pool_bytes;
    bool warm;
    u32 n;
    struct core_models core[64];
    tick latest_read;
};

// pool_bytes: of each cache of decoded blocks. `traced`: the functional models are the traced
// engine; then there is no processor.
bool models_init(struct models *m, u64 pool_bytes, bool traced, struct error *err) MUST_CHECK;
void models_release(struct models *m);
// From now on there are models with timing: those of `processor`, which is now owned. `warm`: the
// functional model keeps its caches and predictors warm.
bool models_set_processor(struct models *m, struct processor *processor, bool warm,
                          struct error *err) MUST_CHECK;
// The next core's models; it starts with the functional one, which hands its records to `batch`
// (NULL: it has none).
bool models_add(struct models *m, struct core *core, struct dyn_batch *batch,
                struct error *err) MUST_CHECK;
// Core `number` changes to a model of `kind` at time `now`; nothing is in flight there.
// False and *err when the processor's description has no such model.
bool models_switch(struct models *m, u32 number, enum model_kind kind, tick now,
                   struct error *err) MUST_CHECK;
// Whether any core's model has a time of its own.
bool models_timed(const struct models *m);
// All decoded blocks go.
void models_flush(struct models *m);
