// SPDX-License-Identifier: BSD-3-Clause
// A port through which a guest says that it panicked (0x505): IFACE(mmio), one port.
#pragma once

#include "sim/component.h"

extern const struct component_type pvpanic_type;
