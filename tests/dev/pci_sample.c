// SPDX-License-Identifier: BSD-3-Clause
#include "pci_sample.h"

#include "mem/ioports.h"
#include "mem/physmap.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct pci_seen pci_seen;

// The sample device.

#define SAMPLE_PARAMS(P, PR, PB, PS, PC)                 \
    P(u32, number, 0, 0, 255, "What its registers show") \
    PS(host, "", "Host")                                 \
    PS(slot, "255", "Slot")                              \
    PS(function, "0", "Function")                        \
    PB(intx, true, "Uses INTA#")                         \
    P(bytes, large, KiB(64), 1, GiB(64), "Size of BAR 2")

COMPONENT_LISTS(sample, SAMPLE_PARAMS, NO_ROWS, NO_ROWS, NO_ROWS);

struct sample {
    struct component base;
    struct sample_params p;
    struct sample_state st;
    struct sample_stats n;
    WIRED(struct component *pci);
    WIRED(struct mmio_ops large);
};

static struct sample *sample_of(const struct component *c)
{
    ASSERT(c->type == &pci_sample_type);
    return (struct sample *)(uintptr_t)c;
}

#define REGISTERS(bar, bytes)                                                          \
    static u64 read_##bar(struct component *c, u64 offset, unsigned size)              \
    {                                                                                  \
        return offset == 0 ? sample_of(c)->p.number << 8 | (bar) : 0;                  \
    }                                                                                  \
    static void write_##bar(struct component *c, u64 offset, unsigned size, u64 value) \
    {                                                                                  \
        pci_seen.write_bar = (bar);                                                    \
        pci_seen.write_offset = offset;                                                \
        pci_seen.write_value = value;                                                  \
    }                                                                                  \
    static const struct mmio_ops registers_##bar = {                                   \
        .size = (bytes), .read = read_##bar, .write = write_##bar}

REGISTERS(0, 0x20);
REGISTERS(1, 6);
REGISTERS(2, KiB(64));

static void own_read(struct component *c, unsigned offset, unsigned size)
{
    if (offset + size > SAMPLE_OWN && offset < SAMPLE_OWN + 8)
        pci_function_config(sample_of(c)->pci)[SAMPLE_OWN + 7] = (u8)++pci_seen.own_reads;
}

static void own_written(struct component *c, unsigned offset, unsigned size)
{
    pci_seen.own_writes += offset + size > SAMPLE_OWN && offset < SAMPLE_OWN + 8;
}

static bool sample_build(struct component *c, struct error *err)
{
    static const struct pci_function_ops ops = {own_read, own_written};
    static const u8 bytes[6] = {1, 2, 3, 4, 5, 0}, writable[6] = {0, 0xff, 0x0f, 0, 0, 0};
    struct sample *s = sample_of(c);
    struct pci_ids ids = {
        .vendor = SAMPLE_VENDOR,
        .device = SAMPLE_DEVICE,
        .subsystem_vendor = 0x1111,
        .subsystem = 0x2222,
        .class_code = SAMPLE_CLASS,
        .revision = 7,
        .has_intx = s->p.intx,
    };

    s->pci = pci_function_new(c, &ids, &ops, err);
    if (!s->pci || !component_set(s->pci, "host", s->p.host, err) ||
        !component_set(s->pci, "slot", s->p.slot, err) ||
        !component_set(s->pci, "function", s->p.function, err))
        return false;
    s->large = registers_2;
    s->large.size = s->p.large;
    pci_function_set_bar(s->pci, 0, PCI_BAR_MEMORY32, (struct mmio){&registers_0, c});
    pci_function_set_bar(s->pci, 1, PCI_BAR_IO, (struct mmio){&registers_1, c});
    pci_function_set_bar(s->pci, 2, PCI_BAR_MEMORY64_PREFETCH, (struct mmio){&s->large, c});
    pci_function_add_msi(s->pci, 4);
    pci_function_add_msix(s->pci, 4, 3);
    pci_function_add_express(s->pci);
    assert_int_equal(pci_function_add_capability(s->pci, 9, bytes, writable, 6), SAMPLE_OWN);
    return true;
}

static const struct component_ops sample_ops = {.build = sample_build};

const struct component_type pci_sample_type = {
    .name = "pci_sample",
    .doc = "Sample PCI device",
    COMPONENT_LAYOUT(sample),
    .ops = &sample_ops,
};

// The watcher takes interrupt lines, interrupt messages, accesses to the reset control register and
// to memory. Memory it hands on, but pages to write to it does not: it wants to see writes.

COMPONENT_LISTS(watcher, NO_ROWS, NO_ROWS, NO_ROWS, NO_ROWS);
struct watcher {
    struct component base;
    struct watcher_params p;
    struct watcher_state st;
    struct watcher_stats n;
};

static void watcher_irq(void *ctx, unsigned number, bool level)
{
    pci_seen.levels[number] = level;
}

static void message_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    pci_seen.messages++;
    pci_seen.address = MACHINE_MESSAGES + offset;
    pci_seen.data = (u32)value;
}

static u64 reset_read(struct component *c, u64 offset, unsigned size)
{
    return pci_seen.reset_control;
}

static void reset_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    pci_seen.reset_control = (u8)value;
}

static struct mem_port memory_behind(void *ctx)
{
    struct component *c = ctx;
    struct mem_port port;
    struct error err;

    must(component_mem_port(c->sim->root, &port, &err), &err);
    return port;
}

static bool watcher_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    struct mem_port port = memory_behind(ctx);

    pci_seen.memory_writes += write;
    return mem_port_access(&port, addr, size, data, write);
}

static u8 *watcher_host_page(void *ctx, paddr page, bool write)
{
    struct mem_port port = memory_behind(ctx);

    return write ? NULL : mem_port_host_page(&port, page, false);
}

static const struct mem_port_ops watcher_memory = {
    .access = watcher_access,
    .host_page = watcher_host_page,
};
static const struct irq_ops watcher_lines = {.set = watcher_irq};
static const struct mmio_ops message_registers = {.size = MiB(1), .write = message_write};
static const struct mmio_ops reset_registers = {
    .size = 1,
    .read = reset_read,
    .write = reset_write,
};
static const struct component_type watcher_type = {
    .name = "watcher",
    .doc = "Sees interrupts",
    COMPONENT_LAYOUT(watcher),
    .provides = {IFACE(irq, &watcher_lines), IFACE(mmio, &reset_registers),
                 IFACE(mem_port, &watcher_memory)},
};

// The machine.

void must(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s", err->message);
}

static void make(struct pci_machine *m, unsigned count, const char *const *set)
{
    static const char *const wiring[] = {
        "pci",        "memory_bus", "pc",   "pci",        "io_bus",     "pc.ports", "pci",
        "memory",     "pc",         "pci",  "interrupts", "pc.watcher", "pci",      "reset_control",
        "pc.watcher", "ram",        "size", "1MiB",       NULL,
    };
    struct error err;

    *m = (struct pci_machine){0};
    pci_seen = (struct pci_seen){0};
    sim_init(&m->sim);
    m->map = component_new(&m->sim, &physmap_type, NULL, "pc", &err);
    m->ram = component_new(&m->sim, &ram_type, m->map, "ram", &err);
    m->ports = component_new(&m->sim, &ioports_type, m->map, "ports", &err);
    m->watcher = component_new(&m->sim, &watcher_type, m->map, "watcher", &err);
    m->host = component_new(&m->sim, &pci_type, m->map, "pci", &err);
    for (unsigned i = 0; i < count; i++) {
        char name[] = {'d', 'e', 'v', (char)('0' + i), 0};

        m->devices[i] = component_new(&m->sim, &pci_sample_type, m->map, name, &err);
        must(m->devices[i] && component_set(m->devices[i], "number", name + 3, &err), &err);
    }
    for (const char *const *w = wiring; *w; w += 3)
        must(component_set(component_find(m->map, w[0]), w[1], w[2], &err), &err);
    for (; set && *set; set += 3)
        must(component_set(component_find(m->map, set[0]), set[1], set[2], &err), &err);
}

bool pci_machine_build(struct pci_machine *m, unsigned count, const char *const *set,
                       struct error *err)
{
    make(m, count, set);
    return sim_build(&m->sim, err);
}

void pci_machine_init(struct pci_machine *m, unsigned count, const char *const *set)
{
    const struct bus_ops *ports;
    struct error err;

    must(log_set_filter("error", &err), &err);
    must(pci_machine_build(m, count, set, &err), &err);
    must(physmap_add_ram(m->map, 0, m->ram, 0, ram_size(m->ram), false, &err), &err);
    must(physmap_add_mmio(m->map, MACHINE_ECAM, pci_ecam(m->host), &err), &err);
    must(physmap_add_mmio(m->map, MACHINE_MESSAGES, (struct mmio){&message_registers, m->watcher},
                          &err),
         &err);
    ports = component_interface(m->ports, "bus");
    must(ports->map(m->ports, 0xcf8, (struct mmio){component_interface(m->host, "mmio"), m->host},
                    &err),
         &err);
    must(component_mem_port(m->map, &m->memory, &err), &err);
    must(component_mem_port(m->ports, &m->io, &err), &err);
    for (unsigned i = 0; i < count; i++)
        m->functions[i] = component_child(m->devices[i], "pci");
    sim_reset(&m->sim);
}

u64 mem_get(struct pci_machine *m, u64 addr, unsigned size)
{
    u64 v = 0;

    // Nothing there: ones, which is what the tests compare with.
    (void)!mem_port_read(&m->memory, addr, size, &v);
    return v;
}

void mem_put(struct pci_machine *m, u64 addr, unsigned size, u64 value)
{
    (void)!mem_port_write(&m->memory, addr, size, &value);
}

u32 io_get(struct pci_machine *m, u16 port, unsigned size)
{
    u32 v = 0;

    (void)!mem_port_read(&m->io, port, size, &v);
    return v;
}

void io_put(struct pci_machine *m, u16 port, unsigned size, u32 value)
{
    (void)!mem_port_write(&m->io, port, size, &value);
}

u32 config_get(struct pci_machine *m, unsigned slot, unsigned offset, unsigned size)
{
    return (u32)mem_get(m, MACHINE_ECAM + (slot << 15) + offset, size);
}

void config_put(struct pci_machine *m, unsigned slot, unsigned offset, unsigned size, u32 value)
{
    mem_put(m, MACHINE_ECAM + (slot << 15) + offset, size, value);
}

u64 stat_of(const struct component *c, const char *name)
{
    const u64 *words = component_stats(c);

    for (const struct stat_field *f = c->type->stats; f->name; words += f->words, f++)
        if (strcmp(f->name, name) == 0)
            return *words;
    fail_msg("%s has no statistic '%s'", c->path, name);
    return 0;
}
