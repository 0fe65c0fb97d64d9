// SPDX-License-Identifier: BSD-3-Clause
// Guest RAM: host memory of any size, taken from the host only where it is touched. All models and
// devices see these bytes and no others: guest data lives nowhere else.
#pragma once

#include "sim/component.h"

extern const struct component_type ram_type;

// After build. The bytes are page aligned and stay at their place.
u8 *ram_bytes(const struct component *c);
u64 ram_size(const struct component *c);
// The descriptor when the backing is "memfd" (to share with another process), else -1.
int ram_fd(const struct component *c);
