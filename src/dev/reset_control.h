// SPDX-License-Identifier: BSD-3-Clause
// The reset register of PC chipsets: IFACE(mmio), one port, 0xcf9. The PCI host passes accesses on
// to it, as the port lies within its own.
#pragma once

#include "sim/component.h"

extern const struct component_type reset_control_type;
