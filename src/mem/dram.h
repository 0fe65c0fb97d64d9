// SPDX-License-Identifier: BSD-3-Clause
// A DRAM memory controller with its devices: the bottom of a memory hierarchy. Provides
// "timed_port" (sim/timed.h). TIMED_WRITE and TIMED_DMA_WRITE are writes: DONE as soon as they are
// in the write queue, never PENDING. All other kinds read a line.
#pragma once

#include "sim/component.h"

extern const struct component_type dram_type;
