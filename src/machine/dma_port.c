// SPDX-License-Identifier: BSD-3-Clause
#include "machine/dma_port.h"

#include "isa/core.h"

#define DMA_PORT_PARAMS(P, PR, PB, PS, PC) \
    PS(memory, NULL, "Path of the component that is memory (provides mem_port)")
#define DMA_PORT_STATS(S, SV, SH, SG, SR) \
    S(code_writes, "Count", "Writes to pages with decoded code")

COMPONENT_LISTS(dma_port, DMA_PORT_PARAMS, NO_ROWS, DMA_PORT_STATS, NO_ROWS);

struct dma_port {
    struct component base;
    struct dma_port_params p;
    struct dma_port_state st;
    struct dma_port_stats n;
    WIRED(struct mem_port memory);
    WIRED(struct core *core);
};

static struct dma_port *dma_port_of(const struct component *c)
{
    ASSERT(c->type == &dma_port_type);
    return (struct dma_port *)(uintptr_t)c;
}

static bool has_code(const struct dma_port *d, paddr addr)
{
    return d->core && d->core->page_has_code &&
           d->core->page_has_code(d->core->cache, addr & CORE_PAGE_MASK);
}

static bool dma_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    struct dma_port *d = ctx;

    if (!mem_port_access(&d->memory, addr, size, data, write))
        return false;
    if (write && has_code(d, addr)) {
        d->core->code_written(d->core->cache, d->core, addr, size);
        d->n.code_writes++;
    }
    return true;
}

static u8 *dma_host_page(void *ctx, paddr page, bool write)
{
    struct dma_port *d = ctx;

    return write && has_code(d, page) ? NULL : mem_port_host_page(&d->memory, page, write);
}

static const struct mem_port_ops dma_port_memory = {
    .access = dma_access,
    .host_page = dma_host_page,
};

void dma_port_watch(struct component *c, struct core *core)
{
    dma_port_of(c)->core = core;
}

static bool dma_port_connect(struct component *c, struct error *err)
{
    struct dma_port *d = dma_port_of(c);
    struct component *memory = component_lookup(c->sim, d->p.memory, err);

    return memory && component_mem_port(memory, &d->memory, err);
}

static const struct component_ops dma_port_ops = {.connect = dma_port_connect};

const struct component_type dma_port_type = {
    .name = "dma_port",
    .doc = "Memory as devices see it",
    COMPONENT_LAYOUT(dma_port),
    .ops = &dma_port_ops,
    .provides = {IFACE(mem_port, &dma_port_memory)},
};
