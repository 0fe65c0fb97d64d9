// SPDX-License-Identifier: BSD-3-Clause
// A port of diagnostic codes (0x80, 0xed), which keeps what was written: IFACE(mmio), one port.
#pragma once

#include "sim/component.h"

extern const struct component_type post_port_type;
