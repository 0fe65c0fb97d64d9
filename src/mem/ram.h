// SPDX-License-Identifier: BSD-3-Clause
// Guest RAM: host memory of any size, taken from the host only where it is touched. All models and
// devices see these bytes and no others: guest data lives nowhere else.
#pragma once

#include "sim/component.h"

extern const struct component_type ram_type;

// After build. The bytes are page aligned and stay at their place. After a restore memory is filled
// where it is touched: this call fills all of it first; where it lies is no reason to ask.
u8 *ram_bytes(const struct component *c);
// The same, but only what ram_ready has made so may be read or written.
u8 *ram_place(const struct component *c);
// Whether bytes [at, at + size) are what the guest is to see. False when they cannot be had; then
// the machine has failed (sim_fail), and nobody may look at them.
bool ram_ready(const struct component *c, u64 at, u64 size);
u64 ram_size(const struct component *c);
// The descriptor when the backing is "memfd" (to share with another process), else -1.
int ram_fd(const struct component *c);
