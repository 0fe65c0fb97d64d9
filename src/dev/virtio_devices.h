// SPDX-License-Identifier: BSD-3-Clause
// The virtio devices, as types for a board. Their parameters begin with those of VIRTIO_PARAMS.
#pragma once

#include "sim/component.h"

extern const struct component_type virtio_blk_type;     // `disk`: provides "block"
extern const struct component_type virtio_rng_type;     // seeded, the same bytes in each run
extern const struct component_type virtio_console_type; // provides "char_device"
extern const struct component_type virtio_net_type;     // provides "net_device"
extern const struct component_type virtio_9p_type;      // `folder`: of the host, read-only
