// SPDX-License-Identifier: BSD-3-Clause
#include "sim/port.h"

static bool copy_piece(const struct mem_port *port, paddr addr, u8 *data, u64 size, bool write)
{
    u8 *page = mem_port_host_page(port, addr & ~(paddr)(MEM_PAGE_SIZE - 1), write);
    u64 in_page = addr % MEM_PAGE_SIZE;

    if (page) {
        if (write)
            memcpy(page + in_page, data, size);
        else
            memcpy(data, page + in_page, size);
        return true;
    }
    while (size) {
        unsigned n = (unsigned)MIN(size, MEM_ACCESS_MAX);

        if (!mem_port_access(port, addr, n, data, write))
            return false;
        addr += n;
        data += n;
        size -= n;
    }
    return true;
}

static bool copy(const struct mem_port *port, paddr addr, u8 *data, u64 size, bool write)
{
    while (size) {
        u64 n = MIN(size, MEM_PAGE_SIZE - addr % MEM_PAGE_SIZE);

        if (!copy_piece(port, addr, data, n, write))
            return false;
        addr += n;
        data += n;
        size -= n;
    }
    return true;
}

bool mem_port_copy_out(const struct mem_port *port, paddr addr, void *data, u64 size)
{
    return copy(port, addr, data, size, false);
}

bool mem_port_copy_in(const struct mem_port *port, paddr addr, const void *data, u64 size)
{
    // The ops take one pointer for both directions; a write only reads through it.
    return copy(port, addr, (u8 *)(uintptr_t)data, size, true);
}
