// SPDX-License-Identifier: BSD-3-Clause
// The sample device of docs/howto/add-a-device.md, and something that its interrupts can go to.
#pragma once

#include "sim/component.h"

extern const struct component_type sample_timer_type;
extern const struct component_type sample_counter_type;

// Interrupts a counter has finished to handle.
u64 sample_counter_handled(const struct component *c);
