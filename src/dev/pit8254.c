// SPDX-License-Identifier: BSD-3-Clause
// Interval timer, after Intel 8254 (231164-005), and the PC's port 0x61, after the IBM PC/AT
// Technical Reference: bit 0 is counter 2's gate, bit 5 its output; the other gates are high. The
// refresh toggle, bit 4, changes every 18 clocks, whatever counter 1 does.
// UNMODELLED: the speaker's sound; port 0x61's parity and channel errors (always none).
// Timing: see dev/pit_counter.c, which has the counters.
#include "dev/pit8254.h"

#include "dev/bytewise.h"
#include "dev/pit_counter.h"
#include "sim/sim.h"

enum { COUNTERS = 3, REG_CONTROL = 3, REGS = 4, SPEAKER = 2 };
enum { READ_BACK = 3, READ_BACK_NO_COUNT = 0x20, READ_BACK_NO_STATUS = 0x10 };
enum { P61_GATE = 0x01, P61_BITS = 0x0f, P61_REFRESH = 0x10, P61_OUTPUT = 0x20 };
enum { REFRESH_CLOCKS = 18 };

#define PIT_PARAMS(P, PR, PB, PS, PC)                                                 \
    PS(interrupts, "", "Path of the component that takes the interrupt of counter 0") \
    P(u32, irq, 0, 0, 255, "Its input number there")

#define PIT_STATE(F, FA, FE, FV) F(u8, port61)

COMPONENT_LISTS(pit, PIT_PARAMS, PIT_STATE, NO_ROWS, NO_ROWS);

struct pit {
    struct component base;
    struct pit_params p;
    struct pit_state st;
    struct pit_stats n;
    WIRED(struct component *counters[COUNTERS]); // children
};

static struct pit *pit_of(const struct component *c)
{
    ASSERT(c->type == &pit8254_type);
    return (struct pit *)(uintptr_t)c;
}

static void write_control(struct pit *s, u8 v)
{
    unsigned counter = v >> 6;

    if (counter == READ_BACK) {
        for (unsigned i = 0; i < COUNTERS; i++)
            if (v >> (i + 1) & 1)
                pit_counter_latch(s->counters[i], !(v & READ_BACK_NO_COUNT),
                                  !(v & READ_BACK_NO_STATUS));
    } else if ((v & 0x30) == 0) {
        pit_counter_latch(s->counters[counter], true, false);
    } else {
        pit_counter_control(s->counters[counter], v);
    }
}

static u8 read_register(struct component *c, unsigned offset)
{
    return offset < COUNTERS ? pit_counter_read(pit_of(c)->counters[offset]) : 0xff;
}

static void write_register(struct component *c, unsigned offset, u8 v)
{
    if (offset < COUNTERS)
        pit_counter_write(pit_of(c)->counters[offset], v);
    else
        write_control(pit_of(c), v);
}

static u8 read_port61(struct component *c, unsigned offset)
{
    struct pit *s = pit_of(c);
    u64 clock = clock_cycle(&pit_clock, c->sim->queue.now);

    return (u8)((s->st.port61 & P61_BITS) | (clock / REFRESH_CLOCKS & 1 ? P61_REFRESH : 0) |
                (pit_counter_output(s->counters[SPEAKER]) ? P61_OUTPUT : 0));
}

static void write_port61(struct component *c, unsigned offset, u8 v)
{
    struct pit *s = pit_of(c);

    s->st.port61 = v & P61_BITS;
    pit_counter_set_gate(s->counters[SPEAKER], v & P61_GATE);
}

static u64 pit_read(struct component *c, u64 offset, unsigned size)
{
    return bytewise_read(c, read_register, offset, size);
}

static void pit_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    bytewise_write(c, write_register, offset, size, value);
}

static u64 port61_read(struct component *c, u64 offset, unsigned size)
{
    return bytewise_read(c, read_port61, offset, size);
}

static void port61_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    bytewise_write(c, write_port61, offset, size, value);
}

static const struct mmio_ops pit_mmio = {.size = REGS, .read = pit_read, .write = pit_write};
static const struct mmio_ops port61_mmio = {
    .size = 1,
    .read = port61_read,
    .write = port61_write,
};

struct mmio pit8254_port61(struct component *c)
{
    return (struct mmio){&port61_mmio, &pit_of(c)->base};
}

static bool pit_build(struct component *c, struct error *err)
{
    static const char *const names[COUNTERS] = {"counter0", "counter1", "counter2"};
    struct pit *s = pit_of(c);
    char irq[8];

    for (unsigned i = 0; i < COUNTERS; i++) {
        s->counters[i] = component_new(c->sim, &pit_counter_type, c, names[i], err);
        if (!s->counters[i])
            return false;
    }
    snprintf(irq, sizeof(irq), "%u", (unsigned)s->p.irq);
    return component_set(s->counters[0], "interrupts", s->p.interrupts, err) &&
           component_set(s->counters[0], "irq", irq, err) &&
           component_set(s->counters[SPEAKER], "gate", "false", err);
}

static const struct component_ops pit_ops = {.build = pit_build};

const struct component_type pit8254_type = {
    .name = "pit8254",
    .doc = "8254 interval timer",
    COMPONENT_LAYOUT(pit),
    .ops = &pit_ops,
    .provides = {IFACE(mmio, &pit_mmio)},
};
