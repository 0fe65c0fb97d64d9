// SPDX-License-Identifier: BSD-3-Clause
// Reset control register, after Intel 82371AB (PIIX4), section 4.2.4: bit 2 resets when it becomes
// one. Bit 1 (a hard reset instead of one of the processor) makes no difference: the whole machine
// is reset. Timing: none.
#include "dev/reset_control.h"

#include "sim/control.h"
#include "sim/mmio.h"

enum { RESET = 0x04, BITS = 0x0e };

#define RESET_CONTROL_STATE(F, FA, FE, FV) F(u8, value)

COMPONENT_LISTS(reset_control, NO_ROWS, RESET_CONTROL_STATE, NO_ROWS, NO_ROWS);

struct reset_control {
    struct component base;
    struct reset_control_params p;
    struct reset_control_state st;
    struct reset_control_stats n;
};

static struct reset_control *reset_control_of(const struct component *c)
{
    ASSERT(c->type == &reset_control_type);
    return (struct reset_control *)(uintptr_t)c;
}

static u64 reset_control_read(struct component *c, u64 offset, unsigned size)
{
    return reset_control_of(c)->st.value;
}

static void reset_control_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    struct reset_control *r = reset_control_of(c);
    bool resets = value & ~(u64)r->st.value & RESET;

    r->st.value = value & BITS;
    if (resets)
        control_request(c, CONTROL_RESET, 0);
}

static const struct mmio_ops reset_control_mmio = {
    .size = 1,
    .read = reset_control_read,
    .write = reset_control_write,
};

const struct component_type reset_control_type = {
    .name = "reset_control",
    .doc = "Reset register",
    COMPONENT_LAYOUT(reset_control),
    .provides = {IFACE(mmio, &reset_control_mmio)},
};
