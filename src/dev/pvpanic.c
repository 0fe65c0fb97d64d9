// SPDX-License-Identifier: BSD-3-Clause
// After QEMU's docs/specs/pvpanic.rst: reads give the events it knows, bit 0 "panicked" and bit 1
// "panicked, and a crash kernel takes over"; writes report some of them. Timing: none.
#include "dev/pvpanic.h"

#include "sim/control.h"
#include "sim/mmio.h"

enum { PANICKED = 0x01, CRASH_LOADED = 0x02, EVENTS = PANICKED | CRASH_LOADED };

COMPONENT_LISTS(pvpanic, NO_ROWS, NO_ROWS, NO_ROWS, NO_ROWS);

struct pvpanic {
    struct component base;
    struct pvpanic_params p;
    struct pvpanic_state st;
    struct pvpanic_stats n;
};

static u64 pvpanic_read(struct component *c, u64 offset, unsigned size)
{
    return EVENTS;
}

static void pvpanic_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    if (value & EVENTS)
        control_request(c, CONTROL_PANIC, value & EVENTS);
    else
        component_guest_warn(c, "unknown event 0x%x", (unsigned)value);
}

static const struct mmio_ops pvpanic_mmio = {
    .size = 1,
    .read = pvpanic_read,
    .write = pvpanic_write,
};

const struct component_type pvpanic_type = {
    .name = "pvpanic",
    .doc = "Port that reports a guest's panic",
    COMPONENT_LAYOUT(pvpanic),
    .provides = {IFACE(mmio, &pvpanic_mmio)},
};
