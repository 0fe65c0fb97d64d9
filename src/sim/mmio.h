// SPDX-License-Identifier: BSD-3-Clause
// A device's registers, as whoever decodes addresses calls them. The device sees an offset into its
// own range, never its address. Provided by a component type as IFACE(mmio, &ops).
#pragma once

#include "base/types.h"

struct component;

struct mmio_ops {
    u64 size; // bytes of its range
    // size is 1, 2, 4 or 8 and offset + size lies in the range; unaligned accesses do come. What
    // comes back beyond `size` bytes is ignored. NULL: reads as zero, ignores writes.
    u64 (*read)(struct component *c, u64 offset, unsigned size);
    void (*write)(struct component *c, u64 offset, unsigned size, u64 value);
};

// A range as wired to whoever decodes addresses.
struct mmio {
    const struct mmio_ops *ops; // borrowed
    struct component *device;   // borrowed
};

static inline u64 mmio_read(const struct mmio *m, u64 offset, unsigned size)
{
    u64 v = m->ops->read ? m->ops->read(m->device, offset, size) : 0;

    return size < 8 ? v & ((1ull << (8 * size)) - 1) : v;
}

static inline void mmio_write(const struct mmio *m, u64 offset, unsigned size, u64 value)
{
    if (m->ops->write)
        m->ops->write(m->device, offset, size,
                      size < 8 ? value & ((1ull << (8 * size)) - 1) : value);
}
