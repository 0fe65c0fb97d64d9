// SPDX-License-Identifier: BSD-3-Clause
// A port through which a test kernel ends the run (0xf4): IFACE(mmio), 4 ports.
#pragma once

#include "sim/component.h"

extern const struct component_type debug_exit_type;
