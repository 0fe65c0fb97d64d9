// SPDX-License-Identifier: BSD-3-Clause
// The PCI host and its bus 0: configuration mechanism #1 (PCI Local Bus 3.0, section 3.2.2.3.2),
// the memory-mapped one (PCI Express Base 2.1, section 7.2.2), INTx lines. Function 00.0 is a host
// bridge without registers of its own. There is no firmware: after reset, BARs have addresses.
// UNMODELLED: bridges and buses other than 0, special cycles. Timing: none.
#include "dev/pci_priv.h"

#include "sim/sim.h"

COMPONENT_TABLES(pci_host, PCI_HOST_PARAMS, PCI_HOST_STATE, PCI_HOST_STATS, NO_ROWS);

struct pci_host *pci_host_of(const struct component *c)
{
    ASSERT(c->type == &pci_type);
    return (struct pci_host *)(uintptr_t)c;
}

// The generic host bridge that QEMU's maker gave a number.
static const struct pci_ids bridge_ids = {
    .vendor = 0x1b36,
    .device = 0x0008,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .class_code = 0x060000,
};

static bool host_check(struct component *c, struct error *err)
{
    const struct pci_host *h = pci_host_of(c);
    u64 memory_end = h->p.memory_base + h->p.memory_size;

    if (h->p.io_base + h->p.io_size > 0x10000)
        return error_set(err, ERROR_INPUT, "the window of I/O ports ends beyond the last port");
    if (memory_end > GiB(4))
        return error_set(err, ERROR_INPUT, "the window of 32-bit memory ends beyond 4 GiB");
    if (h->p.memory64_size > ~(u64)0 - h->p.memory64_base ||
        pci_overlap(h->p.memory_base, h->p.memory_size, h->p.memory64_base, h->p.memory64_size))
        return error_set(
            err, ERROR_INPUT,
            "the window of 64-bit memory overlaps that of 32-bit memory, or has no end");
    return true;
}

static bool host_build(struct component *c, struct error *err)
{
    struct component *bridge = pci_function_named(c, "bridge", &bridge_ids, NULL, err);

    return bridge && component_set(bridge, "slot", "0", err);
}

// Which functions there are.

static bool place(struct pci_host *h, struct pci_function *f, unsigned slot, struct error *err)
{
    unsigned devfn = slot * PCI_FUNCTIONS + (unsigned)f->p.function;

    if (h->by_devfn[devfn])
        return error_set(err, ERROR_INPUT, "%s and %s are both function %u of slot %u",
                         h->by_devfn[devfn]->base.path, f->base.path, devfn % PCI_FUNCTIONS, slot);
    h->by_devfn[devfn] = f;
    f->devfn = (u8)devfn;
    return true;
}

static bool slot_is_free(const struct pci_host *h, unsigned slot)
{
    for (unsigned i = 0; i < PCI_FUNCTIONS; i++)
        if (h->by_devfn[slot * PCI_FUNCTIONS + i])
            return false;
    return true;
}

// The functions of this host that want a certain slot, or those that take any.
static bool place_all(struct pci_host *h, bool anywhere, struct error *err)
{
    for (struct component *c = h->base.sim->root; c; c = component_after(c)) {
        struct pci_function *f = c->type == &pci_function_type ? pci_function_of(c) : NULL;
        struct component *host = f ? pci_function_find_host(f, err) : NULL;
        unsigned slot = 0;

        if (f && !host)
            return false;
        if (host != &h->base || (f->p.slot == PCI_SLOT_ANY) != anywhere)
            continue;
        while (anywhere && slot < PCI_SLOTS && !slot_is_free(h, slot))
            slot++;
        if (slot == PCI_SLOTS)
            return error_set(err, ERROR_INPUT, "no slot is left for %s", c->path);
        if (!place(h, f, anywhere ? slot : (unsigned)f->p.slot, err))
            return false;
    }
    return true;
}

// A slot has several functions when its function 0 says so, and only then are they looked for.
static bool list_functions(struct pci_host *h, struct error *err)
{
    for (unsigned devfn = 0; devfn < ARRAY_SIZE(h->by_devfn); devfn++) {
        struct pci_function *f = h->by_devfn[devfn];
        struct pci_function *first = h->by_devfn[devfn & ~(PCI_FUNCTIONS - 1u)];

        if (!f)
            continue;
        h->functions[h->count++] = f;
        if (!first)
            return error_set(err, ERROR_INPUT, "%s: slot %u has no function 0", f->base.path,
                             devfn / PCI_FUNCTIONS);
        if (f != first)
            first->initial[PCI_HEADER_TYPE] |= PCI_MULTIFUNCTION;
    }
    return true;
}

static bool host_connect(struct component *c, struct error *err)
{
    struct pci_host *h = pci_host_of(c);
    const u64 inputs[] = {h->p.intx_a, h->p.intx_b, h->p.intx_c, h->p.intx_d};
    struct component *memory;
    const void *ops;

    if (!component_bus(c, h->p.memory_bus, &h->memory_bus, err) ||
        !component_bus(c, h->p.io_bus, &h->io_bus, err) ||
        !component_lookup_interface(c, h->p.memory, "mem_port", &memory, &ops, err))
        return false;
    h->memory = (struct mem_port){.ops = ops, .ctx = memory};
    for (unsigned i = 0; i < ARRAY_SIZE(inputs); i++) {
        if (!component_irq_line(c, h->p.interrupts, (unsigned)inputs[i], &h->intx[i], err))
            return false;
        h->intx[i].number = (unsigned)inputs[i]; // for the interrupt line registers, in any case
    }
    if (h->p.reset_control[0]) {
        if (!component_lookup_interface(c, h->p.reset_control, "mmio", &h->reset_control.device,
                                        &ops, err))
            return false;
        h->reset_control.ops = ops;
    }
    return place_all(h, false, err) && place_all(h, true, err) && list_functions(h, err) &&
           pci_map_assign(h, err);
}

void pci_host_update_line(struct pci_host *h, unsigned line)
{
    bool level = false;

    for (unsigned k = 0; k < h->count; k++)
        level |= pci_function_line(h->functions[k]) == line && pci_function_intx(h->functions[k]);
    irq_line_set(&h->intx[line], level);
}

// Configuration space. `where`: 27:20 bus, 19:15 slot, 14:12 function, 11:0 register. Accesses are
// cut into aligned ones of 1, 2 or 4 bytes.

static unsigned piece(u64 where, unsigned left)
{
    return !(where & 3) && left >= 4 ? 4 : !(where & 1) && left >= 2 ? 2 : 1;
}

// NULL: reads give all ones there, writes vanish.
static struct pci_function *function_at(struct pci_host *h, u64 where)
{
    struct pci_function *f = where >> 20 ? NULL : h->by_devfn[where >> 12];

    h->n.config_absent += !f;
    return f;
}

static u64 config_read(struct pci_host *h, u64 where, unsigned size)
{
    struct pci_function *f = function_at(h, where);
    u64 v = 0;

    h->n.config_reads++;
    for (unsigned done = 0, n; f && done < size; done += n) {
        unsigned at = (where + done) & 0xfff;

        n = piece(at, size - done);
        if (at < PCI_CONFIG_SIZE)
            v |= (u64)pci_function_config_read(f, at, n) << (8 * done);
    }
    return f ? v : ~(u64)0;
}

static void config_write(struct pci_host *h, u64 where, unsigned size, u64 value)
{
    struct pci_function *f = function_at(h, where);

    h->n.config_writes++;
    for (unsigned done = 0, n; f && done < size; done += n) {
        unsigned at = (where + done) & 0xfff;

        n = piece(at, size - done);
        if (at < PCI_CONFIG_SIZE)
            pci_function_config_write(f, at, n, (u32)(value >> (8 * done)));
    }
}

static u64 ecam_read(struct component *c, u64 offset, unsigned size)
{
    return config_read(pci_host_of(c), offset, size);
}

static void ecam_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    config_write(pci_host_of(c), offset, size, value);
}

struct mmio pci_ecam(struct component *host)
{
    static const struct mmio_ops ecam = {
        .size = PCI_ECAM_SIZE,
        .read = ecam_read,
        .write = ecam_write,
    };

    return (struct mmio){.ops = &ecam, .device = &pci_host_of(host)->base};
}

// Ports. CONFIG_ADDRESS: 31 enable, 23:16 bus, 15:11 slot, 10:8 function, 7:2 register.
enum { PORT_ADDRESS = 0, PORT_RESET = 1, PORT_DATA = 4, PORTS = 8 };
#define ADDRESS_BITS 0x80fffffcu
#define ADDRESS_ENABLE 0x80000000u

static bool data_access(const struct pci_host *h, u64 offset, unsigned size, u64 *ret_where)
{
    u32 a = h->st.address;

    if (offset < PORT_DATA || offset + size > PORTS || !(a & ADDRESS_ENABLE))
        return false;
    *ret_where = (u64)(a >> 8 & 0xffff) << 12 | ((a & 0xfc) + (offset - PORT_DATA));
    return true;
}

static u64 ports_read(struct component *c, u64 offset, unsigned size)
{
    struct pci_host *h = pci_host_of(c);
    u64 where;

    if (offset == PORT_ADDRESS && size == 4)
        return h->st.address;
    if (offset == PORT_RESET && size == 1 && h->reset_control.ops)
        return mmio_read(&h->reset_control, 0, 1);
    return data_access(h, offset, size, &where) ? config_read(h, where, size) : ~(u64)0;
}

static void ports_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    struct pci_host *h = pci_host_of(c);
    u64 where;

    if (offset == PORT_ADDRESS && size == 4)
        h->st.address = (u32)value & ADDRESS_BITS;
    else if (offset == PORT_RESET && size == 1 && h->reset_control.ops)
        mmio_write(&h->reset_control, 0, 1, value);
    else if (data_access(h, offset, size, &where))
        config_write(h, where, size, value);
}

static const struct mmio_ops host_ports = {
    .size = PORTS,
    .read = ports_read,
    .write = ports_write,
};
static const struct component_ops host_ops = {
    .check = host_check,
    .build = host_build,
    .connect = host_connect,
};

const struct component_type pci_type = {
    .name = "pci",
    .doc = "PCI host: bus 0, configuration space, INTx lines",
    COMPONENT_LAYOUT(pci_host),
    .ops = &host_ops,
    .provides = {IFACE(mmio, &host_ports)},
};
