// SPDX-License-Identifier: BSD-3-Clause
// The cycle-level out-of-order CPU: component type `o3`, interface "core_model" (cpu/model.h).
#pragma once

#include "cpu/model.h"

struct o3_trace;

extern const struct component_type o3_type;

// What was attached; NULL before.
struct cpu *o3_cpu(struct component *c);
// Who is told of every instruction (cpu/o3/o3_trace.h); NULL: nobody. Borrowed. Only with nothing
// in flight.
void o3_observe(struct component *c, struct o3_trace *trace);
