// SPDX-License-Identifier: BSD-3-Clause
// A PCI function: its configuration space (PCI Local Bus 3.0, chapter 6, header type 0), BARs,
// capabilities, INTx and way to memory. Three arrays beside the registers say what they are after
// reset, which bits the guest writes and which it clears by writing ones; what a write means is
// looked up in the registers afterwards, so nothing is kept twice.
// UNMODELLED: expansion ROMs, BIST, error bits of the status register, power management, PCI
// Express extended capabilities (that space reads as zero), INTB# to INTD#.
// APPROX: between the end of the registers and the end of a BAR that is larger nothing answers.
// Timing: none; accesses and messages take effect at once.
#include "dev/pci_priv.h"

#include "sim/sim.h"

COMPONENT_TABLES(pci_function, PCI_FUNCTION_PARAMS, PCI_FUNCTION_STATE, PCI_FUNCTION_STATS,
                 NO_ROWS);

struct pci_function *pci_function_of(const struct component *c)
{
    ASSERT(c->type == &pci_function_type);
    return (struct pci_function *)(uintptr_t)c;
}

// Set-up.

static void identify(struct pci_function *f, const struct pci_ids *ids)
{
    u8 *c = f->initial;

    pci_set16(c + PCI_VENDOR, ids->vendor);
    pci_set16(c + PCI_DEVICE, ids->device);
    pci_set32(c + PCI_REVISION, ids->class_code << 8 | ids->revision);
    pci_set16(c + PCI_SUBSYSTEM_VENDOR, ids->subsystem_vendor);
    pci_set16(c + PCI_SUBSYSTEM, ids->subsystem);
    c[PCI_INTERRUPT_PIN] = ids->has_intx;
    pci_set16(f->writable + PCI_COMMAND,
              PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_NO_INTX);
    pci_set16(f->clearable + PCI_STATUS, PCI_STATUS_ERRORS);
    f->writable[PCI_CACHE_LINE] = 0xff;
    f->writable[PCI_INTERRUPT_LINE] = 0xff;
}

struct component *pci_function_named(struct component *device, const char *name,
                                     const struct pci_ids *ids, const struct pci_function_ops *ops,
                                     struct error *err)
{
    struct component *c = component_new(device->sim, &pci_function_type, device, name, err);
    struct pci_function *f = c ? pci_function_of(c) : NULL;
    static const struct pci_function_ops no_ops;

    if (!f)
        return NULL;
    f->device = device;
    f->device_ops = ops ? ops : &no_ops;
    f->initial = arena_alloc(&device->sim->arena, PCI_CONFIG_SIZE);
    f->writable = arena_alloc(&device->sim->arena, PCI_CONFIG_SIZE);
    f->clearable = arena_alloc(&device->sim->arena, PCI_CONFIG_SIZE);
    f->config_end = PCI_HEADER_END;
    for (unsigned i = 0; i < PCI_BARS; i++)
        f->bars[i].wanted = f->bars[i].mapped = f->bars[i].refused = PCI_NOWHERE;
    identify(f, ids);
    return c;
}

struct component *pci_function_new(struct component *device, const struct pci_ids *ids,
                                   const struct pci_function_ops *ops, struct error *err)
{
    return pci_function_named(device, "pci", ids, ops, err);
}

void pci_function_set_bar(struct component *function, unsigned index, enum pci_bar_kind kind,
                          struct mmio registers)
{
    static const u8 low_bits[] = {
        [PCI_BAR_MEMORY32] = 0x0,
        [PCI_BAR_MEMORY64] = 0x4,
        [PCI_BAR_MEMORY64_PREFETCH] = 0xc,
        [PCI_BAR_IO] = 0x1,
    };
    struct pci_function *f = pci_function_of(function);
    bool is_io = kind == PCI_BAR_IO, is_64bit = kind != PCI_BAR_IO && kind != PCI_BAR_MEMORY32;
    u64 size = is_io ? 4 : KiB(4);
    unsigned at = PCI_BAR0 + 4 * index;

    ASSERT(!function->built && index + is_64bit < PCI_BARS);
    ASSERT(!pci_get32(f->writable + at) && !(is_64bit && pci_get32(f->writable + at + 4)));
    ASSERT(registers.ops->size <= (is_io ? 256 : is_64bit ? (u64)1 << 40 : GiB(1)));
    while (size < registers.ops->size)
        size *= 2;
    f->bars[index].mmio = registers;
    f->bars[index].kind = kind;
    f->bars[index].size = size;
    pci_set32(f->initial + at, low_bits[kind]);
    pci_set32(f->writable + at, (u32)(0 - size));
    if (is_64bit)
        pci_set32(f->writable + at + 4, (u32)((0 - size) >> 32));
    f->writable[PCI_COMMAND] |= is_io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
}

unsigned pci_function_add_capability(struct component *function, u8 id, const void *bytes,
                                     const void *writable, unsigned size)
{
    struct pci_function *f = pci_function_of(function);
    unsigned at = f->config_end;

    ASSERT(!function->built && size <= PCI_CONFIG_SIZE && at + 2 + size <= PCI_CONFIG_SIZE);
    f->initial[at] = id;
    f->initial[f->last_capability ? f->last_capability + 1 : PCI_CAPABILITIES] = (u8)at;
    f->initial[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
    memcpy(f->initial + at + 2, bytes, size);
    if (writable)
        memcpy(f->writable + at + 2, writable, size);
    f->last_capability = at;
    f->config_end = (at + 2 + size + 3) & ~3u;
    return at;
}

// PCI Express Base 2.1, section 7.8. A root complex integrated endpoint has no link.
void pci_function_add_express(struct component *function)
{
    enum { TYPE = 0x2, DEVICE_CAP = 0x4, DEVICE_CONTROL = 0x8, DEVICE_STATUS = 0xa, SIZE = 0x3c };
    u8 bytes[SIZE] = {0}, writable[SIZE] = {0};
    unsigned at;

    pci_set16(bytes + TYPE, 2 | 9 << 4);          // version 2, integrated endpoint
    pci_set32(bytes + DEVICE_CAP, 1 << 15);       // role-based error reporting; payload 128 bytes
    pci_set16(bytes + DEVICE_CONTROL, 0x2810);    // read requests of 512 bytes, relaxed, no snoop
    pci_set16(writable + DEVICE_CONTROL, 0x781f); // and the error reporting enables
    at = pci_function_add_capability(function, PCI_CAP_EXPRESS, bytes + 2, writable + 2, SIZE - 2);
    pci_function_of(function)->clearable[at + DEVICE_STATUS] = 0x0f;
}

// Life.

static bool function_check(struct component *c, struct error *err)
{
    const struct pci_function *f = pci_function_of(c);

    if (!f->device)
        return error_set(err, ERROR_INPUT, "a PCI function is made by its device");
    if (f->p.slot >= PCI_SLOTS && f->p.slot != PCI_SLOT_ANY)
        return error_set(err, ERROR_INPUT, "slots are 0 to 31, and 255 for the next free one");
    if (f->p.slot == PCI_SLOT_ANY && f->p.function)
        return error_set(err, ERROR_INPUT, "function %u needs a slot", (unsigned)f->p.function);
    return true;
}

struct component *pci_function_find_host(const struct pci_function *f, struct error *err)
{
    struct component *host = NULL;

    if (f->p.host[0]) {
        host = component_lookup(f->base.sim, f->p.host, err);
        if (host && host->type != &pci_type) {
            error_set(err, ERROR_INPUT, "%s (%s) is no PCI host", host->path, host->type->name);
            host = NULL;
        }
        return host;
    }
    for (struct component *c = f->device; c; c = c->parent) {
        if (c->type == &pci_type)
            return c;
        for (struct component *k = c->first_child; k; k = k->next_sibling)
            if (k->type == &pci_type)
                return k;
    }
    error_set(err, ERROR_INPUT, "%s: there is no PCI host beside it or above", f->base.path);
    return NULL;
}

static bool function_connect(struct component *c, struct error *err)
{
    struct pci_function *f = pci_function_of(c);
    struct component *host = pci_function_find_host(f, err);

    if (!host)
        return false;
    f->host = pci_host_of(host);
    return true;
}

// As after power-on and a firmware's work: BARs have addresses and decode, the interrupt line
// register says where INTx goes, bus mastering is off.
static void function_reset(struct component *c)
{
    struct pci_function *f = pci_function_of(c);
    u8 *config = f->st.config;

    memcpy(config, f->initial, PCI_CONFIG_SIZE);
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const struct pci_bar *b = &f->bars[i];
        u8 *at = config + PCI_BAR0 + 4 * i;

        if (!b->mmio.ops)
            continue;
        pci_set32(at, pci_get32(at) | (u32)b->initial);
        if (b->kind == PCI_BAR_MEMORY64 || b->kind == PCI_BAR_MEMORY64_PREFETCH)
            pci_set32(at + 4, (u32)(b->initial >> 32));
        config[PCI_COMMAND] |= b->kind == PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
    }
    if (config[PCI_INTERRUPT_PIN])
        config[PCI_INTERRUPT_LINE] = (u8)f->host->intx[pci_function_line(f)].number;
    pci_message_reset(f);
    pci_map_update(f->host, true);
}

// What the guest cannot write must be as it was made; capabilities may have registers that the
// device itself changes.
static bool function_after_load(struct component *c, struct error *err)
{
    struct pci_function *f = pci_function_of(c);

    for (unsigned i = 0; i < PCI_HEADER_END; i++) {
        u8 fixed =
            (u8) ~(f->writable[i] | f->clearable[i] | (i == PCI_STATUS ? PCI_STATUS_INTX : 0));

        if ((f->st.config[i] ^ f->initial[i]) & fixed)
            return error_set(err, ERROR_INPUT,
                             "%s: byte 0x%x of the configuration space is that of another device",
                             c->path, i);
    }
    pci_map_update(f->host, false);
    return true;
}

// The guest's side.

u32 pci_function_config_read(struct pci_function *f, unsigned offset, unsigned size)
{
    u32 v = 0;

    if (f->device_ops->config_read)
        f->device_ops->config_read(f->device, offset, size);
    memcpy(&v, f->st.config + offset, size);
    return v;
}

void pci_function_config_write(struct pci_function *f, unsigned offset, unsigned size, u32 value)
{
    bool intx = pci_function_intx(f);

    for (unsigned i = offset; i < offset + size; i++, value >>= 8) {
        u8 v = (u8)value, keep = (u8)~f->writable[i];

        f->st.config[i] =
            (u8)(((f->st.config[i] & keep) | (v & f->writable[i])) & ~(v & f->clearable[i]));
    }
    if (pci_overlap(offset, size, PCI_COMMAND, 2) ||
        pci_overlap(offset, size, PCI_BAR0, (u64)4 * PCI_BARS))
        pci_map_update(f->host, true);
    pci_message_config_written(f, offset, size);
    if (pci_function_intx(f) != intx)
        pci_host_update_line(f->host, pci_function_line(f));
    if (f->device_ops->config_written)
        f->device_ops->config_written(f->device, offset, size);
}

// The device's side.

u8 *pci_function_config(struct component *function)
{
    return pci_function_of(function)->st.config;
}

unsigned pci_function_line(const struct pci_function *f)
{
    return (f->devfn / PCI_FUNCTIONS) % 4;
}

bool pci_function_intx(const struct pci_function *f)
{
    const u8 *c = f->st.config;

    return pci_get16(c + PCI_STATUS) & PCI_STATUS_INTX && f->initial[PCI_INTERRUPT_PIN] &&
           !(pci_get16(c + PCI_COMMAND) & PCI_COMMAND_NO_INTX) &&
           !pci_function_message_enabled(&f->base);
}

void pci_function_set_intx(struct component *function, bool level)
{
    struct pci_function *f = pci_function_of(function);
    bool before = pci_function_intx(f);
    u16 status = pci_get16(f->st.config + PCI_STATUS) & (u16)~PCI_STATUS_INTX;

    pci_set16(f->st.config + PCI_STATUS, status | (level ? PCI_STATUS_INTX : 0));
    if (pci_function_intx(f) != before)
        pci_host_update_line(f->host, pci_function_line(f));
}

static bool is_master(const struct pci_function *f)
{
    return pci_get16(f->st.config + PCI_COMMAND) & PCI_COMMAND_MASTER;
}

static u8 *dma_host_page(void *ctx, paddr page, bool write)
{
    struct pci_function *f = pci_function_of(ctx);

    return is_master(f) ? mem_port_host_page(&f->host->memory, page, write) : NULL;
}

static bool dma_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    struct pci_function *f = pci_function_of(ctx);

    // Writable or not: RAM whose writes somebody watches has no page to write to, either.
    if (dma_host_page(f, addr & ~(paddr)(MEM_PAGE_SIZE - 1), false))
        return mem_port_access(&f->host->memory, addr, size, data, write);
    f->n.dma_refused++;
    component_guest_warn(&f->base, "DMA to 0x%llx %s", (unsigned long long)addr,
                         is_master(f) ? "where there is no RAM" : "while it is no bus master");
    if (!write)
        memset(data, 0xff, size);
    return false;
}

struct mem_port pci_function_dma(struct component *function)
{
    static const struct mem_port_ops dma = {.access = dma_access, .host_page = dma_host_page};

    return (struct mem_port){.ops = &dma, .ctx = pci_function_of(function)};
}

static const struct component_ops function_ops = {
    .check = function_check,
    .connect = function_connect,
    .reset = function_reset,
    .after_load = function_after_load,
};

const struct component_type pci_function_type = {
    .name = "pci_function",
    .doc = "PCI function of a device: configuration space, BARs, interrupts",
    COMPONENT_LAYOUT(pci_function),
    .ops = &function_ops,
};
