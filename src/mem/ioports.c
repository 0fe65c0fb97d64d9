// SPDX-License-Identifier: BSD-3-Clause
// A table with an entry for each port: which range it belongs to. Which ranges there are is not
// state (as in mem/physmap).
#include "mem/ioports.h"

#include "sim/sim.h"

#include <inttypes.h>

enum { PORTS = 65536 };

#define IOPORTS_PARAMS(P, PR, PB, PS, PC) \
    P(u32, max_ranges, 255, 1, 255, "Most ranges there can be at a time")

#define IOPORTS_STATS(S, SV, SH, SG, SR)  \
    S(reads, "Count", "Reads of ports")   \
    S(writes, "Count", "Writes of ports") \
    S(unclaimed, "Count", "Accesses that nobody answers")

COMPONENT_LISTS(ioports, IOPORTS_PARAMS, NO_ROWS, IOPORTS_STATS, NO_ROWS);

struct port_range {
    u32 base, end;
    struct mmio mmio; // no ops: the entry is free
};

struct ioports {
    struct component base;
    struct ioports_params p;
    struct ioports_state st;
    struct ioports_stats n;
    WIRED(struct port_range *ranges); // from the arena; ranges[0] is nobody
    WIRED(u8 *owner);                 // of each port, an index into ranges
};

static struct ioports *ioports_of(const struct component *c)
{
    ASSERT(c->type == &ioports_type);
    return (struct ioports *)(uintptr_t)c;
}

static bool ioports_build(struct component *c, struct error *err)
{
    struct ioports *s = ioports_of(c);

    s->ranges = arena_array(&c->sim->arena, s->p.max_ranges + 1, sizeof(s->ranges[0]));
    s->owner = arena_array(&c->sim->arena, PORTS, 1);
    return true;
}

static bool ioports_map(struct component *c, u64 base, struct mmio mmio, struct error *err)
{
    struct ioports *s = ioports_of(c);
    u64 size = mmio.ops->size;
    u32 free_entry = 0;

    if (base >= PORTS || size == 0 || size > PORTS - base)
        return error_set(err, ERROR_INPUT, "%s: there are no ports 0x%" PRIx64 "-0x%" PRIx64,
                         c->path, base, base + size - 1);
    for (u64 i = base; i < base + size; i++)
        if (s->owner[i])
            return error_set(err, ERROR_INPUT, "%s: port 0x%" PRIx64 " of %s belongs to %s already",
                             c->path, i, mmio.device->path,
                             s->ranges[s->owner[i]].mmio.device->path);
    for (u32 i = 1; i <= s->p.max_ranges && !free_entry; i++)
        if (!s->ranges[i].mmio.ops)
            free_entry = i;
    if (!free_entry)
        return error_set(err, ERROR_INPUT, "%s: more than %" PRIu64 " ranges", c->path,
                         s->p.max_ranges);
    s->ranges[free_entry] =
        (struct port_range){.base = (u32)base, .end = (u32)(base + size), .mmio = mmio};
    memset(s->owner + base, (u8)free_entry, size);
    return true;
}

static bool ioports_unmap(struct component *c, u64 base)
{
    struct ioports *s = ioports_of(c);
    u32 entry = base < PORTS ? s->owner[base] : 0;

    if (!entry || s->ranges[entry].base != base)
        return false;
    memset(s->owner + base, 0, s->ranges[entry].end - s->ranges[entry].base);
    s->ranges[entry] = (struct port_range){0};
    return true;
}

// An access beyond the end of a range is as many accesses as there are bytes.
static bool ioports_access(void *ctx, paddr port, unsigned size, void *data, bool write)
{
    struct ioports *s = ioports_of(ctx);
    const struct port_range *r = &s->ranges[port < PORTS ? s->owner[port] : 0];
    u8 *bytes = data;
    u64 v = 0;

    if (r->mmio.ops && port + size > r->end && size > 1) {
        for (unsigned i = 0; i < size; i++)
            ioports_access(ctx, port + i, 1, bytes + i, write);
        return true;
    }
    if (write)
        s->n.writes++;
    else
        s->n.reads++;
    if (!r->mmio.ops) {
        s->n.unclaimed++;
        if (!write)
            memset(data, 0xff, size);
        return true;
    }
    if (write) {
        memcpy(&v, data, MIN(size, 8u));
        mmio_write(&r->mmio, port - r->base, size, v);
    } else {
        v = mmio_read(&r->mmio, port - r->base, size);
        memcpy(data, &v, MIN(size, 8u));
    }
    return true;
}

static const struct component_ops ioports_ops = {.build = ioports_build};
static const struct mem_port_ops ioports_port = {.access = ioports_access};
static const struct bus_ops ioports_bus = {.map = ioports_map, .unmap = ioports_unmap};

const struct component_type ioports_type = {
    .name = "ioports",
    .doc = "I/O port space",
    COMPONENT_LAYOUT(ioports),
    .ops = &ioports_ops,
    .provides = {IFACE(mem_port, &ioports_port), IFACE(bus, &ioports_bus)},
};
