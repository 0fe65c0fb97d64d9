// SPDX-License-Identifier: BSD-3-Clause
// The real-time clock and CMOS RAM of a PC: IFACE(mmio), ports 0x70 (index) and 0x71 (data).
#pragma once

#include "sim/component.h"

extern const struct component_type rtc_type;
