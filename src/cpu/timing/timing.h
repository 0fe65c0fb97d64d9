// SPDX-License-Identifier: BSD-3-Clause
// The timing CPU (component type `timing`): in order, one or two instructions a cycle, with the
// latencies of the memory system, of its units and of mispredicted branches. It consumes records of
// the functional engine and computes no values.
#pragma once

#include "cpu/model.h"

extern const struct component_type timing_type;
