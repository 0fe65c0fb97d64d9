// SPDX-License-Identifier: BSD-3-Clause
// A memory port: how a CPU or a DMA device reaches guest physical memory without knowing what lies
// behind it. This is the functional side (data moves at once, no time passes); guest data lives
// only in RAM, so whoever models time asks for latencies elsewhere.
#pragma once

#include "base/types.h"

#include <string.h>

#define MEM_PAGE_SIZE 4096u
#define MEM_ACCESS_MAX 64u

// Implemented by whatever answers at the other end (mem/physmap, a bus tracer, a test's mock).
struct mem_port_ops {
    // Moves `size` (1..64) bytes between *data and guest memory at `addr`; the access never crosses
    // a 4 KiB page. False when nothing answers there; a read has then filled *data with 0xff.
    bool (*access)(void *ctx, paddr addr, unsigned size, void *data, bool write);
    // The host address of the 4 KiB page at `page` (aligned), or NULL when it is not plain RAM (or
    // not writable RAM, with `write`). Stays valid until the map changes. NULL method: no RAM.
    u8 *(*host_page)(void *ctx, paddr page, bool write);
};

struct mem_port {
    const struct mem_port_ops *ops; // borrowed
    void *ctx;                      // borrowed
};

static inline bool mem_port_access(const struct mem_port *port, paddr addr, unsigned size,
                                   void *data, bool write)
{
    return port->ops->access(port->ctx, addr, size, data, write);
}

static inline u8 *mem_port_host_page(const struct mem_port *port, paddr page, bool write)
{
    return port->ops->host_page ? port->ops->host_page(port->ctx, page, write) : NULL;
}

static inline bool mem_port_read(const struct mem_port *port, paddr addr, unsigned size, void *data)
{
    return mem_port_access(port, addr, size, data, false);
}

static inline bool mem_port_write(const struct mem_port *port, paddr addr, unsigned size,
                                  const void *data)
{
    u8 copy[MEM_ACCESS_MAX];

    memcpy(copy, data, size);
    return mem_port_access(port, addr, size, copy, true);
}

// Any length, any alignment, page by page; false as soon as a piece fails (earlier ones stay done).
bool mem_port_copy_out(const struct mem_port *port, paddr addr, void *data, u64 size);
bool mem_port_copy_in(const struct mem_port *port, paddr addr, const void *data, u64 size);
