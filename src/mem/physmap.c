// SPDX-License-Identifier: BSD-3-Clause
// Ranges in a sorted table, found by bisection. Which ranges there are is not state: the board adds
// the fixed ones in connect, devices that can move add theirs in reset and after_load.
#include "mem/physmap.h"

#include "base/bug.h"
#include "mem/ram.h"
#include "sim/bus.h"
#include "sim/sim.h"

#include <inttypes.h>

#define PHYSMAP_PARAMS(P, PR, PB, PS, PC) \
    P(u32, max_ranges, 256, 1, 65536, "Most ranges there can be at a time")

#define PHYSMAP_STATS(S, SV, SH, SG, SR)                          \
    S(mmio_reads, "Count", "Reads of device registers")           \
    S(mmio_writes, "Count", "Writes of device registers")         \
    S(rom_writes, "Count", "Writes to read-only memory, ignored") \
    S(unmapped_reads, "Count", "Reads where nothing answers")     \
    S(unmapped_writes, "Count", "Writes where nothing answers")

COMPONENT_LISTS(physmap, PHYSMAP_PARAMS, NO_ROWS, PHYSMAP_STATS, NO_ROWS);

struct range {
    paddr base, last;
    u8 *bytes;                   // borrowed; NULL: mmio
    const struct component *ram; // borrowed; whose bytes these are, from `offset` on
    u64 offset;
    bool rom;
    struct mmio mmio;
};

struct physmap {
    struct component base;
    struct physmap_params p;
    struct physmap_state st;
    struct physmap_stats n;
    WIRED(struct range *ranges); // from the arena, sorted
    WIRED(size_t count);
    WIRED(u64 generation);
};

static struct physmap *physmap_of(const struct component *c)
{
    ASSERT(c->type == &physmap_type);
    return (struct physmap *)(uintptr_t)c;
}

static bool physmap_build(struct component *c, struct error *err)
{
    struct physmap *m = physmap_of(c);

    m->ranges = arena_array(&c->sim->arena, m->p.max_ranges, sizeof(m->ranges[0]));
    return true;
}

// The index of the first range that ends at or after `addr`.
static size_t first_from(const struct physmap *m, paddr addr)
{
    size_t low = 0, high = m->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (m->ranges[middle].last < addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct range *find(const struct physmap *m, paddr addr)
{
    size_t i = first_from(m, addr);

    return i < m->count && m->ranges[i].base <= addr ? &m->ranges[i] : NULL;
}

static bool add(struct physmap *m, struct range r, struct error *err)
{
    size_t i = first_from(m, r.base);

    if (r.last < r.base)
        return error_set(err, ERROR_INPUT, "%s: the range at 0x%" PRIx64 " has no size or no end",
                         m->base.path, r.base);
    if (i < m->count && m->ranges[i].base <= r.last)
        return error_set(err, ERROR_INPUT,
                         "%s: 0x%" PRIx64 "-0x%" PRIx64 " overlaps 0x%" PRIx64 "-0x%" PRIx64,
                         m->base.path, r.base, r.last, m->ranges[i].base, m->ranges[i].last);
    if (m->count == m->p.max_ranges)
        return error_set(err, ERROR_INPUT, "%s: more than %" PRIu64 " ranges", m->base.path,
                         m->p.max_ranges);
    memmove(&m->ranges[i + 1], &m->ranges[i], (m->count - i) * sizeof(r));
    m->ranges[i] = r;
    m->count++;
    m->generation++;
    return true;
}

bool physmap_add_ram(struct component *c, paddr base, struct component *ram, u64 offset, u64 size,
                     bool rom, struct error *err)
{
    if ((base | offset | size) % MEM_PAGE_SIZE || offset > ram_size(ram) ||
        size > ram_size(ram) - offset)
        return error_set(err, ERROR_INPUT,
                         "%s: 0x%" PRIx64 " bytes from 0x%" PRIx64
                         " of %s are no whole pages of it",
                         c->path, size, offset, ram->path);
    return add(physmap_of(c),
               (struct range){.base = base,
                              .last = base + size - 1,
                              .bytes = ram_place(ram) + offset,
                              .ram = ram,
                              .offset = offset,
                              .rom = rom},
               err);
}

bool physmap_add_mmio(struct component *c, paddr base, struct mmio mmio, struct error *err)
{
    return add(physmap_of(c),
               (struct range){.base = base, .last = base + mmio.ops->size - 1, .mmio = mmio}, err);
}

bool physmap_remove(struct component *c, paddr base)
{
    struct physmap *m = physmap_of(c);
    size_t i = first_from(m, base);

    if (i == m->count || m->ranges[i].base != base)
        return false;
    memmove(&m->ranges[i], &m->ranges[i + 1], (--m->count - i) * sizeof(m->ranges[0]));
    m->generation++;
    return true;
}

u64 physmap_generation(const struct component *c)
{
    return physmap_of(c)->generation;
}

// Registers take powers of two up to 8 bytes; anything else becomes several accesses. `mmio` is a
// copy: a write may move ranges (a PCI BAR), and what follows still goes to this device.
static void mmio_access(struct physmap *m, struct mmio mmio, u64 offset, unsigned size, u8 *data,
                        bool write)
{
    while (size) {
        unsigned n = size >= 8 ? 8 : size >= 4 ? 4 : size >= 2 ? 2 : 1;
        u64 v = 0;

        if (write) {
            memcpy(&v, data, n);
            mmio_write(&mmio, offset, n, v);
            m->n.mmio_writes++;
        } else {
            v = mmio_read(&mmio, offset, n);
            memcpy(data, &v, n);
            m->n.mmio_reads++;
        }
        offset += n;
        data += n;
        size -= n;
    }
}

static bool nothing_there(struct physmap *m, paddr addr, unsigned size, void *data, bool write)
{
    if (write)
        m->n.unmapped_writes++;
    else
        m->n.unmapped_reads++;
    component_guest_warn(&m->base, "%s of %u bytes at 0x%" PRIx64 ", where nothing answers",
                         write ? "write" : "read", size, addr);
    if (!write)
        memset(data, 0xff, size);
    return false;
}

// The machine has failed: nobody sees what the memory holds instead.
static bool lost(void *data, unsigned size, bool write)
{
    if (!write)
        memset(data, 0xff, size);
    return false;
}

static bool physmap_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    struct physmap *m = physmap_of(ctx);
    const struct range *r = find(m, addr);

    if (!r || size - 1 > r->last - addr)
        return nothing_there(m, addr, size, data, write);
    if (!r->bytes)
        mmio_access(m, r->mmio, addr - r->base, size, data, write);
    else if (!ram_ready(r->ram, r->offset + (addr - r->base), size))
        return lost(data, size, write);
    else if (!write)
        memcpy(data, r->bytes + (addr - r->base), size);
    else if (!r->rom)
        memcpy(r->bytes + (addr - r->base), data, size);
    else
        m->n.rom_writes++;
    return true;
}

static u8 *physmap_host_page(void *ctx, paddr page, bool write)
{
    const struct range *r = find(physmap_of(ctx), page);

    if (!r || !r->bytes || (write && r->rom) ||
        !ram_ready(r->ram, r->offset + (page - r->base), MEM_PAGE_SIZE))
        return NULL;
    return r->bytes + (page - r->base);
}

static bool physmap_bus_map(struct component *c, u64 base, struct mmio mmio, struct error *err)
{
    return physmap_add_mmio(c, base, mmio, err);
}

static bool physmap_bus_unmap(struct component *c, u64 base)
{
    return physmap_remove(c, base);
}

static const struct bus_ops physmap_bus = {.map = physmap_bus_map, .unmap = physmap_bus_unmap};
static const struct component_ops physmap_ops = {.build = physmap_build};
static const struct mem_port_ops physmap_port = {
    .access = physmap_access,
    .host_page = physmap_host_page,
};

const struct component_type physmap_type = {
    .name = "physmap",
    .doc = "Physical address map: RAM and device registers",
    COMPONENT_LAYOUT(physmap),
    .ops = &physmap_ops,
    .provides = {IFACE(mem_port, &physmap_port), IFACE(bus, &physmap_bus)},
};
