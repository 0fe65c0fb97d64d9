// SPDX-License-Identifier: BSD-3-Clause
// The two 8259A interrupt controllers of a PC, the second one cascaded at IR2 of the first.
// IFACE(irq): inputs 0-15, of which 2 is not connected. IFACE(mmio): the first one's ports (0x20).
#pragma once

#include "sim/component.h"

extern const struct component_type pic8259_type;

// For the board: the second one's ports (0xa0), and the edge/level registers of both (0x4d0).
struct mmio pic8259_slave(struct component *c);
struct mmio pic8259_elcr(struct component *c);

// The processor's interrupt acknowledge cycle: the vector. When the request has gone meanwhile,
// that of input 7.
u8 pic8259_acknowledge(struct component *c);
