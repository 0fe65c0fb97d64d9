// SPDX-License-Identifier: BSD-3-Clause
// Where BARs are. After reset they are where a firmware would have put them: largest first, then
// by function and index, in the windows of the host. Later they follow the guest. What is mapped
// depends on the configuration spaces alone, not on the order of writes (so that it is the same
// after a checkpoint was loaded): of two BARs that overlap, the one of the lower function and index
// is there and the other is not.
#include "dev/pci_priv.h"

#include "sim/bus.h"

#include <inttypes.h>

struct window {
    u64 base, end;
};

static struct window window_io(const struct pci_host *h)
{
    return (struct window){h->p.io_base, h->p.io_base + h->p.io_size};
}

static struct window window_memory(const struct pci_host *h)
{
    return (struct window){h->p.memory_base, h->p.memory_base + h->p.memory_size};
}

static struct window window_memory64(const struct pci_host *h)
{
    return (struct window){h->p.memory64_base, h->p.memory64_base + h->p.memory64_size};
}

static bool in_window(struct window w, u64 base, u64 size)
{
    return base >= w.base && base <= w.end && size <= w.end - base;
}

static bool is_64bit(const struct pci_bar *b)
{
    return b->kind == PCI_BAR_MEMORY64 || b->kind == PCI_BAR_MEMORY64_PREFETCH;
}

static bool assign(struct pci_function *f, struct pci_bar *b, struct window *w, struct error *err)
{
    u64 room = w->end - w->base, pad = (0 - w->base) & (b->size - 1);

    if (pad > room || b->size > room - pad)
        return error_set(err, ERROR_INPUT,
                         "%s: no room for a BAR of 0x%" PRIx64 " bytes below 0x%" PRIx64,
                         f->base.path, b->size, w->end);
    b->initial = w->base + pad;
    w->base = b->initial + b->size;
    return true;
}

bool pci_map_assign(struct pci_host *h, struct error *err)
{
    struct window io = window_io(h), memory = window_memory(h), memory64 = window_memory64(h);

    for (u64 size = (u64)1 << 63; size; size >>= 1)
        for (unsigned k = 0; k < h->count; k++)
            for (unsigned i = 0; i < PCI_BARS; i++) {
                struct pci_bar *b = &h->functions[k]->bars[i];
                struct window *w = b->kind == PCI_BAR_IO               ? &io
                                   : is_64bit(b) && h->p.memory64_size ? &memory64
                                                                       : &memory;

                if (b->mmio.ops && b->size == size && !assign(h->functions[k], b, w, err))
                    return false;
            }
    return true;
}

// Where BAR `i` decodes; PCI_NOWHERE when the guest switched that off.
static u64 decoded_at(const struct pci_function *f, unsigned i)
{
    const struct pci_bar *b = &f->bars[i];
    const u8 *at = f->st.config + PCI_BAR0 + 4 * i;
    u64 address = pci_get32(at);
    u16 enable = b->kind == PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;

    if (!b->mmio.ops || !(pci_get16(f->st.config + PCI_COMMAND) & enable))
        return PCI_NOWHERE;
    if (is_64bit(b))
        address |= (u64)pci_get32(at + 4) << 32;
    return address & ~(b->size - 1);
}

static bool in_windows(const struct pci_host *h, const struct pci_bar *b, u64 base)
{
    if (b->kind == PCI_BAR_IO)
        return in_window(window_io(h), base, b->size);
    return in_window(window_memory(h), base, b->size) ||
           (is_64bit(b) && in_window(window_memory64(h), base, b->size));
}

// A BAR that is being sized (one half of it may be), and one without an address, are no mistake.
static bool is_unset(const struct pci_bar *b, u64 base)
{
    return base == 0 || (u32)base == (u32)(0 - b->size) || base >> 32 == 0xffffffff;
}

static void refuse(struct pci_function *f, unsigned i, u64 base, bool count, const char *why)
{
    struct pci_bar *b = &f->bars[i];

    b->wanted = PCI_NOWHERE;
    if (b->refused == base)
        return;
    b->refused = base;
    if (!count || is_unset(b, base))
        return;
    f->n.bars_refused++;
    component_guest_warn(&f->base, "BAR %u cannot be at 0x%" PRIx64 ": %s", i, base, why);
}

// Whether a BAR before (k, i) has a part of its place.
static bool is_taken(const struct pci_host *h, unsigned k, unsigned i)
{
    const struct pci_bar *b = &h->functions[k]->bars[i];

    for (unsigned n = 0; n <= k; n++)
        for (unsigned j = 0; j < (n == k ? i : PCI_BARS); j++) {
            const struct pci_bar *o = &h->functions[n]->bars[j];

            if (o->mmio.ops && o->wanted != PCI_NOWHERE &&
                (o->kind == PCI_BAR_IO) == (b->kind == PCI_BAR_IO) &&
                pci_overlap(o->wanted, o->size, b->wanted, b->size))
                return true;
        }
    return false;
}

static void want(struct pci_host *h, unsigned k, unsigned i, bool count)
{
    struct pci_function *f = h->functions[k];
    struct pci_bar *b = &f->bars[i];
    u64 base = decoded_at(f, i);

    b->wanted = base;
    if (base == PCI_NOWHERE)
        b->refused = PCI_NOWHERE;
    else if (!in_windows(h, b, base))
        refuse(f, i, base, count, "that is outside of the host's windows");
    else if (is_taken(h, k, i))
        refuse(f, i, base, count, "another BAR is there");
}

static const struct bus *bus_of(const struct pci_host *h, const struct pci_bar *b)
{
    return b->kind == PCI_BAR_IO ? &h->io_bus : &h->memory_bus;
}

static void map(struct pci_host *h, struct pci_function *f, unsigned i, bool count)
{
    struct pci_bar *b = &f->bars[i];
    const struct bus *bus = bus_of(h, b);
    struct error err;

    if (bus->ops->map(bus->space, b->wanted, b->mmio, &err)) {
        b->mapped = b->wanted;
        b->refused = PCI_NOWHERE;
    } else {
        refuse(f, i, b->wanted, count, err.message);
    }
}

void pci_map_update(struct pci_host *h, bool count)
{
    for (unsigned k = 0; k < h->count; k++)
        for (unsigned i = 0; i < PCI_BARS; i++)
            want(h, k, i, count);
    // What goes makes room for what comes.
    for (unsigned k = 0; k < h->count; k++)
        for (unsigned i = 0; i < PCI_BARS; i++) {
            struct pci_bar *b = &h->functions[k]->bars[i];
            const struct bus *bus = bus_of(h, b);

            if (b->mapped != PCI_NOWHERE && b->mapped != b->wanted) {
                bus->ops->unmap(bus->space, b->mapped);
                b->mapped = PCI_NOWHERE;
            }
        }
    for (unsigned k = 0; k < h->count; k++)
        for (unsigned i = 0; i < PCI_BARS; i++) {
            struct pci_bar *b = &h->functions[k]->bars[i];

            if (b->wanted != PCI_NOWHERE && b->mapped != b->wanted)
                map(h, h->functions[k], i, count);
        }
}
