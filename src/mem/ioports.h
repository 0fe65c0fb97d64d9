// SPDX-License-Identifier: BSD-3-Clause
// The I/O port space: 65536 byte-wide ports, which devices claim in ranges. CPUs reach it through
// its memory port (the address is the port), devices and boards put registers into it through its
// bus interface. Where nothing answers, reads give all ones and writes vanish, as on a PC: guests
// probe ports, so that is no error and no message.
#pragma once

#include "sim/bus.h"
#include "sim/component.h"

extern const struct component_type ioports_type;
