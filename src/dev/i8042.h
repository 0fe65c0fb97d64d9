// SPDX-License-Identifier: BSD-3-Clause
// The keyboard controller of a PC: IFACE(mmio), its data port 0x60.
#pragma once

#include "sim/component.h"

extern const struct component_type i8042_type;

// For the board: the status and command port 0x64.
struct mmio i8042_command_port(struct component *c);
