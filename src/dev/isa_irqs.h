// SPDX-License-Identifier: BSD-3-Clause
// The 16 interrupt lines of the ISA bus: IFACE(irq), inputs 0-15, which go to the 8259As and to the
// IOAPIC.
#pragma once

#include "sim/component.h"

extern const struct component_type isa_irqs_type;
