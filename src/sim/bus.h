// SPDX-License-Identifier: BSD-3-Clause
// Where registers appear: a space of addresses (physical memory, I/O ports) in which ranges come
// and go. Provided as IFACE(bus, &ops) by mem/physmap and mem/ioports; a device that moves its own
// range (a PCI BAR) uses it, so does the board.
#pragma once

#include "base/error.h"
#include "sim/mmio.h"

struct bus_ops {
    // Puts a device's registers at `base`; the size is the device's. False when it overlaps.
    bool (*map)(struct component *c, u64 base, struct mmio mmio, struct error *err);
    // Removes the range that begins at `base`; false when none does.
    bool (*unmap)(struct component *c, u64 base);
};

struct bus {
    const struct bus_ops *ops; // borrowed
    struct component *space;   // borrowed
};
