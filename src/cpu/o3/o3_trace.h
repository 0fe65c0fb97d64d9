// SPDX-License-Identifier: BSD-3-Clause
// Who watches the pipeline: told once of each instruction, when it retires or is dropped, with the
// cycles of its stages. Instructions that were fetched later may be told of earlier.
#pragma once

#include "isa/isa.h"

#include <stdio.h>

struct core;
struct error;

enum o3_stage {
    O3_STAGE_FETCH,
    O3_STAGE_DECODE, // decoded: waits for rename
    O3_STAGE_DISPATCH,
    O3_STAGE_ISSUE,    // its first micro-op
    O3_STAGE_COMPLETE, // its last micro-op
    O3_STAGE_RETIRE,   // or dropped
    O3_STAGES
};

struct o3_trace_record {
    u64 number; // in order of fetch, from 0
    vaddr pc;
    u16 opcode;
    u8 n_uops;
    bool flushed, wrong_path;
    u64 at[O3_STAGES]; // cycles; ~0: did not get there
    tick cycle_ticks;  // length of a cycle
    u64 oldest_fetch;  // no record that follows was fetched earlier
};

struct o3_trace {
    void (*record)(struct o3_trace *t, const struct o3_trace_record *r);
    void (*close)(struct o3_trace *t); // nothing follows; frees *t
};

// Writers to `out` (borrowed): Konata's format 0004, and that of gem5's O3PipeView. `isa` names the
// instructions.
struct o3_trace *o3_trace_kanata(FILE *out, const struct isa_ops *isa);
struct o3_trace *o3_trace_pipeview(FILE *out, const struct isa_ops *isa);
