// SPDX-License-Identifier: BSD-3-Clause
// The interrupt messages of a PC (type `apic_bus`): from I/O APICs, MSI writes and local APICs to
// local APICs, and the broadcast of EOIs back to the I/O APICs. Local and I/O APICs add themselves
// in their connect; the order of that is the round of lowest-priority arbitration.
//
// Provides IFACE(mmio): the 1 MiB in which a write is an MSI. The board maps it at 0xfee00000; a
// core's accesses to its own APIC page never come here.
#pragma once

#include "sim/component.h"

extern const struct component_type apic_bus_type;

// Delivery modes, as everywhere in bits 10:8.
enum apic_mode {
    APIC_FIXED,
    APIC_LOWEST,
    APIC_SMI,
    APIC_RESERVED,
    APIC_NMI,
    APIC_INIT,
    APIC_STARTUP,
    APIC_EXTINT,
    APIC_MODES,
};
extern const char *const apic_mode_names[APIC_MODES];

// Of an interrupt command, bits 19:18.
enum apic_shorthand { APIC_TO_DEST, APIC_TO_SELF, APIC_TO_ALL, APIC_TO_OTHERS };

#define APIC_EVERYONE 0xffffffffu // as `dest`, physical or logical

struct apic_message {
    u32 dest;
    bool logical;
    u8 mode; // enum apic_mode
    u8 vector;
    bool level_trigger;
    bool asserted;
};

// The 8-bit destination of an xAPIC, I/O APIC or MSI, which has its own broadcast.
static inline u32 apic_dest8(u8 dest)
{
    return dest == 0xff ? APIC_EVERYONE : dest;
}

struct apic_local_ops {
    // Whether the destination includes it. An APIC that is switched off takes part in nothing.
    bool (*addressed)(struct component *lapic, u32 dest, bool logical);
    // Its processor priority; -1: takes no lowest-priority interrupts.
    int (*priority)(struct component *lapic);
    // False: not accepted (its software has disabled it, an illegal vector).
    bool (*accept)(struct component *lapic, const struct apic_message *m);
};

struct apic_io_ops {
    void (*eoi)(struct component *ioapic, u8 vector);
};

// For connect: the bus at `path`, NULL and *err when there is none; then one of these.
struct component *apic_bus_find(struct component *c, const char *path, struct error *err);
void apic_bus_add_local(struct component *bus, struct component *lapic,
                        const struct apic_local_ops *ops);
void apic_bus_add_io(struct component *bus, struct component *ioapic,
                     const struct apic_io_ops *ops);

// Delivers at once. `sender` is the local APIC that shorthands are relative to, else NULL. False
// when nobody accepted it.
bool apic_bus_send(struct component *bus, const struct apic_message *m,
                   enum apic_shorthand shorthand, struct component *sender);
// A level-triggered interrupt has been served.
void apic_bus_eoi(struct component *bus, u8 vector);
