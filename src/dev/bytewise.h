// SPDX-License-Identifier: BSD-3-Clause
// Registers a byte wide, as on the ISA bus: a wider access is as many of one byte, lowest first.
#pragma once

#include "sim/mmio.h"

typedef u8 bytewise_read_fn(struct component *c, unsigned offset);
typedef void bytewise_write_fn(struct component *c, unsigned offset, u8 value);

static inline u64 bytewise_read(struct component *c, bytewise_read_fn *read, u64 offset,
                                unsigned size)
{
    u64 v = 0;

    for (unsigned i = 0; i < size; i++)
        v |= (u64)read(c, (unsigned)offset + i) << (8 * i);
    return v;
}

static inline void bytewise_write(struct component *c, bytewise_write_fn *write, u64 offset,
                                  unsigned size, u64 value)
{
    for (unsigned i = 0; i < size; i++)
        write(c, (unsigned)offset + i, (u8)(value >> (8 * i)));
}
