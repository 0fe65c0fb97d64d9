// SPDX-License-Identifier: BSD-3-Clause
// A few threads for a while, for work on much data that is not simulation (hashing, compression).
// They end before the call returns; the caller's thread is one of them, so it also works where the
// host gives no more. The order in which pieces are done is open, what comes out must not depend
// on it.
#pragma once

#include "base/types.h"

#define PARALLEL_MAX 8

// How many to use when nobody says: the host's processors that this process may use, at most
// PARALLEL_MAX.
unsigned parallel_threads(void);

// Calls work(context, i, worker) for every i below `count`; `worker` (below `threads`) is never in
// two calls at a time. After a false no further call begins; false when there was one.
typedef bool parallel_work_fn(void *context, u64 i, unsigned worker);
bool parallel_for(u64 count, unsigned threads, parallel_work_fn *work, void *context);

// The same as a pipeline: what work(i) left in slot i % slots, emit(context, i) takes, in order
// and one at a time, while others work on. `slots` is at least `threads`.
typedef bool parallel_emit_fn(void *context, u64 i);
bool parallel_in_order(u64 count, unsigned threads, unsigned slots, parallel_work_fn *work,
                       parallel_emit_fn *emit, void *context);
