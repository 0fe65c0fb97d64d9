// SPDX-License-Identifier: BSD-3-Clause
// The physical address map: which addresses are RAM, which are a device's registers, and which are
// nothing. CPUs and DMA devices reach it through its memory port; the board fills it in connect,
// devices that move (PCI) change it while the machine runs.
#pragma once

#include "sim/component.h"
#include "sim/mmio.h"

extern const struct component_type physmap_type;

// Puts bytes [offset, offset + size) of a RAM at `base`; all three are multiples of 4 KiB. A ROM
// ignores writes. False when ranges overlap or the table is full.
bool physmap_add_ram(struct component *c, paddr base, struct component *ram, u64 offset, u64 size,
                     bool rom, struct error *err) MUST_CHECK;
// Puts a device's registers at `base`; the size is the device's.
bool physmap_add_mmio(struct component *c, paddr base, struct mmio mmio,
                      struct error *err) MUST_CHECK;
// Removes the range that begins at `base`; false when none does.
bool physmap_remove(struct component *c, paddr base);
// Changes whenever a range comes or goes: who keeps host pages compares it.
u64 physmap_generation(const struct component *c);
