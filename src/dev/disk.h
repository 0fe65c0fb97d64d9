// SPDX-License-Identifier: BSD-3-Clause
// A disk's content: an image file below, what the guest wrote above. Provides IFACE(block). It has
// no timing: that is the controller's (dev/nvme).
#pragma once

#include "sim/component.h"

extern const struct component_type disk_type;
