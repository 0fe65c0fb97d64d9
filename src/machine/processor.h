// SPDX-License-Identifier: BSD-3-Clause
// The timing side of a machine: models of its cores, caches, TLBs, predictors, memory, under one
// root (type `processor`, called `system`) in a struct sim of its own. Its queue holds nothing that
// a guest could see, so it may run ahead of the functional machine (src/sim/timed.h).
#pragma once

#include "cpu/model.h"
#include "sim/stats.h"

extern const struct component_type processor_root_type;
extern const struct component_type processor_core_type;

struct processor_options {
    const char *preset;       // name of a built-in description; NULL: none
    const char *const *files; // descriptions with a key `system`; NULL at the end; may be NULL
    const char *const *assignments; // "system.cpu0.o3.rob=256"; those of others are skipped
    u32 cores;
};

struct processor;

// NULL and *err on failure, with all problems of the description.
struct processor *processor_new(const struct processor_options *options, struct error *err);
void processor_free(struct processor *p);

struct component *processor_root(struct processor *p);
// A model cannot go on: its code is ERROR_NONE while all is well.
const struct error *processor_failure(const struct processor *p);
// How far the times of cores may be apart.
tick processor_window(const struct processor *p);
// Core `number`: cpu0, cpu1... Its parts go by the names icache, dcache, itlb, dtlb, bpred, timing,
// o3.
struct component *processor_core(struct processor *p, u32 number);
// Its part `name`; NULL and *err when its description has none.
struct component *processor_part(struct processor *p, u32 number, const char *name,
                                 struct error *err);

// ---- presets

// Names of the built-in descriptions; NULL at the end.
extern const char *const processor_presets[];
// The text of one; NULL if there is none of that name.
const char *processor_preset(const char *name);
