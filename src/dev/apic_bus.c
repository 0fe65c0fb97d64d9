// SPDX-License-Identifier: BSD-3-Clause
// Interrupt messages after Intel SDM vol. 3A §10.6.2 (destinations, lowest priority) and §10.11
// (MSI address and data). Whom a destination means, each local APIC knows itself.
// Lowest priority goes to the lowest processor priority; among equals to the next in turn.
// UNMODELLED: focus processors (no processor since the Pentium 4 has them); interrupt remapping.
// Timing: none, a message is there at once.
#include "dev/apic_bus.h"

#include "sim/sim.h"

#include <inttypes.h>

#define APIC_BUS_STATE(F, FA, FE, FV) F(u32, turn) // who is first in the next arbitration

#define APIC_BUS_STATS(S, SV, SH, SG, SR)                                                 \
    SV(messages, APIC_MODES, apic_mode_names, "Count", "Messages sent, by delivery mode") \
    S(msis, "Count", "Messages that came as MSI writes")                                  \
    S(lost, "Count", "Messages that no local APIC accepted")                              \
    S(eois, "Count", "EOI broadcasts")

COMPONENT_LISTS(apic_bus, NO_ROWS, APIC_BUS_STATE, APIC_BUS_STATS, NO_ROWS);

const char *const apic_mode_names[APIC_MODES] = {
    [APIC_FIXED] = "fixed",       [APIC_LOWEST] = "lowest", [APIC_SMI] = "smi",
    [APIC_RESERVED] = "reserved", [APIC_NMI] = "nmi",       [APIC_INIT] = "init",
    [APIC_STARTUP] = "startup",   [APIC_EXTINT] = "extint",
};

struct local_apic {
    struct component *component; // borrowed
    const struct apic_local_ops *ops;
    struct local_apic *next;
};

struct io_apic {
    struct component *component; // borrowed
    const struct apic_io_ops *ops;
    struct io_apic *next;
};

struct apic_bus {
    struct component base;
    struct apic_bus_params p;
    struct apic_bus_state st;
    struct apic_bus_stats n;
    WIRED(struct local_apic *locals); // from the arena, in the order they were added
    WIRED(struct io_apic *ios);       // the same
    WIRED(u32 local_count);
};

static struct apic_bus *bus_of(const struct component *c)
{
    ASSERT(c->type == &apic_bus_type);
    return (struct apic_bus *)(uintptr_t)c;
}

struct component *apic_bus_find(struct component *c, const char *path, struct error *err)
{
    struct component *bus = component_lookup(c->sim, path, err);

    if (bus && bus->type != &apic_bus_type) {
        error_set(err, ERROR_INPUT, "%s (%s) is no apic_bus", bus->path, bus->type->name);
        return NULL;
    }
    return bus;
}

void apic_bus_add_local(struct component *bus, struct component *lapic,
                        const struct apic_local_ops *ops)
{
    struct apic_bus *b = bus_of(bus);
    struct local_apic *a = arena_alloc(&bus->sim->arena, sizeof(*a)), **at = &b->locals;

    *a = (struct local_apic){.component = lapic, .ops = ops};
    while (*at)
        at = &(*at)->next;
    *at = a;
    b->local_count++;
}

void apic_bus_add_io(struct component *bus, struct component *ioapic, const struct apic_io_ops *ops)
{
    struct io_apic *a = arena_alloc(&bus->sim->arena, sizeof(*a)), **at = &bus_of(bus)->ios;

    *a = (struct io_apic){.component = ioapic, .ops = ops};
    while (*at)
        at = &(*at)->next;
    *at = a;
}

static bool is_target(const struct local_apic *a, const struct apic_message *m,
                      enum apic_shorthand shorthand, const struct component *sender)
{
    switch (shorthand) {
    case APIC_TO_SELF:
        return a->component == sender;
    case APIC_TO_OTHERS:
        if (a->component == sender)
            return false;
        return a->ops->addressed(a->component, APIC_EVERYONE, false);
    case APIC_TO_ALL:
        return a->ops->addressed(a->component, APIC_EVERYONE, false);
    default:
        return a->ops->addressed(a->component, m->dest, m->logical);
    }
}

static bool send_lowest(struct apic_bus *b, const struct apic_message *m,
                        enum apic_shorthand shorthand, const struct component *sender)
{
    const struct local_apic *best = NULL;
    u32 best_distance = 0, index = 0;
    int best_priority = 0;

    for (const struct local_apic *a = b->locals; a; a = a->next, index++) {
        u32 distance = (index + b->local_count - b->st.turn) % b->local_count;
        int priority;

        if (!is_target(a, m, shorthand, sender))
            continue;
        priority = a->ops->priority(a->component);
        if (priority < 0)
            continue;
        if (!best || priority < best_priority ||
            (priority == best_priority && distance < best_distance)) {
            best = a;
            best_priority = priority;
            best_distance = distance;
        }
    }
    if (!best)
        return false;
    b->st.turn = (b->st.turn + best_distance + 1) % b->local_count;
    return best->ops->accept(best->component, m);
}

bool apic_bus_send(struct component *bus, const struct apic_message *m,
                   enum apic_shorthand shorthand, struct component *sender)
{
    struct apic_bus *b = bus_of(bus);
    bool accepted = false;

    ASSERT(m->mode < APIC_MODES);
    b->n.messages[m->mode]++;
    if (m->mode == APIC_LOWEST) {
        accepted = send_lowest(b, m, shorthand, sender);
    } else {
        for (const struct local_apic *a = b->locals; a; a = a->next)
            if (is_target(a, m, shorthand, sender))
                accepted |= a->ops->accept(a->component, m);
    }
    b->n.lost += !accepted;
    return accepted;
}

void apic_bus_eoi(struct component *bus, u8 vector)
{
    struct apic_bus *b = bus_of(bus);

    b->n.eois++;
    for (const struct io_apic *a = b->ios; a; a = a->next)
        a->ops->eoi(a->component, vector);
}

// Address: 0xfee, destination 19:12, redirection hint 3, destination mode 2. Data: trigger 15,
// level 14, delivery mode 10:8, vector 7:0. With the hint, one of the destination's processors is
// chosen; without it the destination mode holds all the same ("sent ahead independent of" it).
static void msi_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    struct apic_bus *b = bus_of(c);
    struct apic_message m = {
        .dest = apic_dest8((u8)(offset >> 12)),
        .logical = offset >> 2 & 1,
        .mode = value >> 8 & 7,
        .vector = (u8)value,
        .level_trigger = value >> 15 & 1,
        .asserted = value >> 14 & 1,
    };

    if (size != 4 || (offset & 3) || m.mode == APIC_RESERVED || m.mode == APIC_STARTUP) {
        component_guest_warn(c, "write of %u bytes at 0x%" PRIx64 " is no MSI: 0x%" PRIx64, size,
                             offset, value);
        return;
    }
    b->n.msis++;
    if (m.level_trigger && !m.asserted) // the end of a level is of no interest to local APICs
        return;
    if ((offset >> 3 & 1) && m.mode == APIC_FIXED)
        m.mode = APIC_LOWEST;
    apic_bus_send(c, &m, APIC_TO_DEST, NULL);
}

static bool apic_bus_after_load(struct component *c, struct error *err)
{
    struct apic_bus *b = bus_of(c);

    if (b->st.turn >= MAX(b->local_count, 1u))
        return error_set(err, ERROR_INPUT, "there is no local APIC %" PRIu32, b->st.turn);
    return true;
}

static const struct component_ops apic_bus_ops = {.after_load = apic_bus_after_load};
static const struct mmio_ops apic_bus_mmio = {.size = MiB(1), .write = msi_write};

const struct component_type apic_bus_type = {
    .name = "apic_bus",
    .doc = "Interrupt messages between APICs",
    COMPONENT_LAYOUT(apic_bus),
    .ops = &apic_bus_ops,
    .provides = {IFACE(mmio, &apic_bus_mmio)},
};
