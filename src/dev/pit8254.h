// SPDX-License-Identifier: BSD-3-Clause
// The interval timer of a PC, an 8254: IFACE(mmio), its ports 0x40-0x43. Counter 0 drives an
// interrupt, counter 2 the speaker.
#pragma once

#include "sim/component.h"

extern const struct component_type pit8254_type;

// For the board: port 0x61, which has counter 2's gate and output, and the refresh toggle.
struct mmio pit8254_port61(struct component *c);
