// SPDX-License-Identifier: BSD-3-Clause
// A port as a diagnostic card shows it: the last code of a power-on self test. Guests also write to
// it to pass the time. Timing: none.
#include "dev/post_port.h"

#include "sim/mmio.h"

#define POST_PORT_STATE(F, FA, FE, FV) F(u8, value)
#define POST_PORT_STATS(S, SV, SH, SG, SR) S(writes, "Count", "Writes")

COMPONENT_LISTS(post_port, NO_ROWS, POST_PORT_STATE, POST_PORT_STATS, NO_ROWS);

struct post_port {
    struct component base;
    struct post_port_params p;
    struct post_port_state st;
    struct post_port_stats n;
};

static struct post_port *post_port_of(const struct component *c)
{
    ASSERT(c->type == &post_port_type);
    return (struct post_port *)(uintptr_t)c;
}

static u64 post_port_read(struct component *c, u64 offset, unsigned size)
{
    return post_port_of(c)->st.value;
}

static void post_port_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    struct post_port *s = post_port_of(c);

    s->st.value = (u8)value;
    s->n.writes++;
}

static const struct mmio_ops post_port_mmio = {
    .size = 1,
    .read = post_port_read,
    .write = post_port_write,
};

const struct component_type post_port_type = {
    .name = "post_port",
    .doc = "Port of diagnostic codes",
    COMPONENT_LAYOUT(post_port),
    .provides = {IFACE(mmio, &post_port_mmio)},
};
