// SPDX-License-Identifier: BSD-3-Clause
// A serial port, National PC16550D, as PCs have it: IFACE(mmio), 8 ports, and IFACE(char_device).
#pragma once

#include "sim/component.h"

extern const struct component_type uart16550_type;
