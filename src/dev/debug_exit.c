// SPDX-License-Identifier: BSD-3-Clause
// As QEMU's isa-debug-exit: any write asks for the end of the run, with the value as its status.
// Reads give zero. Timing: none.
#include "dev/debug_exit.h"

#include "sim/control.h"
#include "sim/mmio.h"

COMPONENT_LISTS(debug_exit, NO_ROWS, NO_ROWS, NO_ROWS, NO_ROWS);

struct debug_exit {
    struct component base;
    struct debug_exit_params p;
    struct debug_exit_state st;
    struct debug_exit_stats n;
};

static void debug_exit_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    control_request(c, CONTROL_EXIT, (u32)value);
}

static const struct mmio_ops debug_exit_mmio = {.size = 4, .write = debug_exit_write};

const struct component_type debug_exit_type = {
    .name = "debug_exit",
    .doc = "Port that ends the run",
    COMPONENT_LAYOUT(debug_exit),
    .provides = {IFACE(mmio, &debug_exit_mmio)},
};
