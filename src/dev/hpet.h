// SPDX-License-Identifier: BSD-3-Clause
// High precision event timers: IFACE(mmio), 1 KiB, at 0xfed00000 on PCs. IFACE(irq): inputs 0 and 8
// come from the PIT and the RTC, which it passes on to the ISA lines while it does not use these
// itself (legacy replacement); other inputs below 16 are passed on always.
#pragma once

#include "sim/component.h"

extern const struct component_type hpet_type;
