// SPDX-License-Identifier: BSD-3-Clause
// Pipeline traces of the out-of-order models (cpu/o3/o3_trace.h), a file for each core.
#pragma once

#include "base/error.h"

struct models;
struct pipe_traces;

// One more trace, of format `what` ("konata", "o3pipeview"), to `file`; with several cores each has
// a file of its own, the core's number before the last dot: "f.1.kanata". *traces may be NULL
// before.
bool pipe_traces_add(struct pipe_traces **traces, const char *what, const char *file,
                     struct error *err) MUST_CHECK;
// Opens the files and begins. NULL is fine.
bool pipe_traces_begin(struct pipe_traces *traces, const struct models *models,
                       struct error *err) MUST_CHECK;
// Between runs: whether all could be written so far. NULL is fine.
bool pipe_traces_flush(struct pipe_traces *traces, struct error *err) MUST_CHECK;
// When the models are gone. NULL is fine.
void pipe_traces_close(struct pipe_traces *traces);
