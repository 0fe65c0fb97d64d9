// SPDX-License-Identifier: BSD-3-Clause
// Two 8259As, after Intel 8259A (231468-003), and their edge/level control registers, after Intel
// 82371AB (PIIX4), section 4.2.5. ELCR takes the place of ICW1's LTIM, as in that chip. In edge
// mode a request that goes away before it is acknowledged is forgotten.
// UNMODELLED: the 8080's call instructions (ICW4 bit 0 clear), buffered mode, other cascades than a
// PC's (ICW3 is ignored).
// Timing: none, all answers come at once.
#include "dev/pic8259.h"

#include "dev/bytewise.h"

enum { MASTER, SLAVE, CHIPS, CASCADE = 2, IRQS = 16 };
enum { ICW1 = 0x10, ICW1_ICW4 = 0x01, ICW1_SINGLE = 0x02 };
enum { ICW4_AUTO_EOI = 0x02, ICW4_NESTED = 0x10 };
enum { OCW3 = 0x08, OCW3_ISR = 0x01, OCW3_READ = 0x02, OCW3_POLL = 0x04 };
enum { OCW3_MASK = 0x20, OCW3_SET_MASK = 0x40 };
enum { POLL_REQUEST = 0x80 };

#define PIC_PARAMS(P, PR, PB, PS, PC)                                    \
    PS(interrupts, "", "Path of the component that takes the interrupt") \
    P(u32, irq, 0, 0, 255, "Its input number there")

// A value for each chip. lowest: the input of the lowest priority; init: the ICW that comes next,
// 0: none; ready: has been initialised.
#define PIC_STATE(F, FA, FE, FV)  \
    FA(u8, lines, CHIPS)          \
    FA(u8, elcr, CHIPS)           \
    FA(u8, irr, CHIPS)            \
    FA(u8, isr, CHIPS)            \
    FA(u8, imr, CHIPS)            \
    FA(u8, base, CHIPS)           \
    FA(u8, lowest, CHIPS)         \
    FA(u8, init, CHIPS)           \
    FA(u8, ready, CHIPS)          \
    FA(u8, wants_icw4, CHIPS)     \
    FA(u8, single, CHIPS)         \
    FA(u8, auto_eoi, CHIPS)       \
    FA(u8, auto_rotate, CHIPS)    \
    FA(u8, special_mask, CHIPS)   \
    FA(u8, special_nested, CHIPS) \
    FA(u8, poll, CHIPS)           \
    FA(u8, read_isr, CHIPS)

#define PIC_STATS(S, SV, SH, SG, SR)                  \
    S(interrupts, "Count", "Interrupts acknowledged") \
    S(spurious, "Count", "Those whose request was gone")

COMPONENT_LISTS(pic, PIC_PARAMS, PIC_STATE, PIC_STATS, NO_ROWS);

struct pic {
    struct component base;
    struct pic_params p;
    struct pic_state st;
    struct pic_stats n;
    WIRED(struct irq_line output);
};

static struct pic *pic_of(const struct component *c)
{
    ASSERT(c->type == &pic8259_type);
    return (struct pic *)(uintptr_t)c;
}

// 0: the highest priority.
static unsigned rank(const struct pic *s, unsigned chip, unsigned input)
{
    return (input - s->st.lowest[chip] - 1) & 7;
}

// The input of the highest priority among `inputs`, or -1.
static int highest(const struct pic *s, unsigned chip, unsigned inputs)
{
    for (unsigned i = 1; i <= 8; i++) {
        unsigned input = (s->st.lowest[chip] + i) & 7;

        if (inputs >> input & 1)
            return (int)input;
    }
    return -1;
}

// What is in service and holds others back. In special mask mode masked inputs do not.
static unsigned in_service(const struct pic *s, unsigned chip)
{
    return s->st.special_mask[chip] ? s->st.isr[chip] & ~(unsigned)s->st.imr[chip]
                                    : s->st.isr[chip];
}

// The input that a chip asks an interrupt for, or -1.
static int request(const struct pic *s, unsigned chip)
{
    int wants = highest(s, chip, s->st.irr[chip] & ~(unsigned)s->st.imr[chip]);
    int served = highest(s, chip, in_service(s, chip));

    if (!s->st.ready[chip] || wants < 0)
        return -1;
    if (served < 0 || rank(s, chip, (unsigned)wants) < rank(s, chip, (unsigned)served))
        return wants;
    // Special fully nested mode: the slave may interrupt itself.
    if (chip == MASTER && s->st.special_nested[chip] && wants == CASCADE && served == CASCADE)
        return wants;
    return -1;
}

static void set_input(struct pic *s, unsigned chip, unsigned input, bool level)
{
    u8 bit = (u8)(1u << input);

    if (!level) {
        s->st.lines[chip] &= (u8)~bit;
        s->st.irr[chip] &= (u8)~bit;
        return;
    }
    if ((s->st.elcr[chip] & bit) || !(s->st.lines[chip] & bit))
        s->st.irr[chip] |= bit;
    s->st.lines[chip] |= bit;
}

static void update_output(struct pic *s)
{
    set_input(s, MASTER, CASCADE, request(s, SLAVE) >= 0);
    irq_line_set(&s->output, request(s, MASTER) >= 0);
}

// What happens in a chip when the request of an input is acknowledged.
static void acknowledge(struct pic *s, unsigned chip, unsigned input)
{
    u8 bit = (u8)(1u << input);

    if (!(s->st.elcr[chip] & bit))
        s->st.irr[chip] &= (u8)~bit;
    if (!s->st.auto_eoi[chip])
        s->st.isr[chip] |= bit;
    else if (s->st.auto_rotate[chip])
        s->st.lowest[chip] = (u8)input;
    // The slave drops its output meanwhile: what else it has is a new edge.
    if (chip == MASTER && input == CASCADE)
        set_input(s, MASTER, CASCADE, false);
}

// Acknowledges a chip's request; its vector, or that of input 7 if there is none.
static u8 chip_vector(struct pic *s, unsigned chip)
{
    int input = request(s, chip);

    if (input < 0)
        s->n.spurious++;
    else
        acknowledge(s, chip, (unsigned)input);
    return s->st.base[chip] | (input < 0 ? 7 : (u8)input);
}

u8 pic8259_acknowledge(struct component *c)
{
    struct pic *s = pic_of(c);
    bool cascaded = request(s, MASTER) == CASCADE && !s->st.single[MASTER];
    u8 vector;

    s->n.interrupts++;
    if (cascaded) {
        acknowledge(s, MASTER, CASCADE);
        vector = chip_vector(s, SLAVE);
    } else {
        vector = chip_vector(s, MASTER);
    }
    update_output(s);
    return vector;
}

static void pic_irq(void *ctx, unsigned number, bool level)
{
    struct pic *s = pic_of(ctx);

    if (number >= IRQS || number == CASCADE)
        return;
    set_input(s, number / 8, number % 8, level);
    update_output(s);
}

static void write_icw1(struct pic *s, unsigned chip, u8 v)
{
    s->st.irr[chip] = s->st.lines[chip] & s->st.elcr[chip]; // edges must come anew
    s->st.isr[chip] = 0;
    s->st.imr[chip] = 0;
    s->st.lowest[chip] = 7;
    s->st.auto_eoi[chip] = s->st.auto_rotate[chip] = 0;
    s->st.special_mask[chip] = s->st.special_nested[chip] = 0;
    s->st.poll[chip] = s->st.read_isr[chip] = 0;
    s->st.wants_icw4[chip] = v & ICW1_ICW4;
    s->st.single[chip] = v & ICW1_SINGLE;
    s->st.ready[chip] = 0;
    s->st.init[chip] = 2;
}

static void write_next_icw(struct pic *s, unsigned chip, u8 v)
{
    unsigned next = 0;

    switch (s->st.init[chip]) {
    case 2:
        s->st.base[chip] = v & 0xf8;
        next = !s->st.single[chip] ? 3 : s->st.wants_icw4[chip] ? 4 : 0;
        break;
    case 3:
        next = s->st.wants_icw4[chip] ? 4 : 0;
        break;
    default:
        s->st.auto_eoi[chip] = v & ICW4_AUTO_EOI;
        s->st.special_nested[chip] = v & ICW4_NESTED;
    }
    s->st.init[chip] = (u8)next;
    s->st.ready[chip] = next == 0;
}

// Priorities and ends of interrupts: R, SL, EOI in bits 7-5, an input in bits 2-0.
static void write_ocw2(struct pic *s, unsigned chip, u8 v)
{
    enum { ROTATE = 4, SPECIFIC = 2, EOI = 1 };
    unsigned what = v >> 5;
    int input = what & SPECIFIC ? v & 7 : highest(s, chip, in_service(s, chip));

    if (what == 0 || what == ROTATE) {
        s->st.auto_rotate[chip] = what == ROTATE;
        return;
    }
    if (input < 0)
        return;
    if (what & EOI)
        s->st.isr[chip] &= (u8) ~(1u << input);
    if (what & ROTATE)
        s->st.lowest[chip] = (u8)input;
}

static void write_ocw3(struct pic *s, unsigned chip, u8 v)
{
    if (v & OCW3_POLL)
        s->st.poll[chip] = 1;
    if (v & OCW3_READ)
        s->st.read_isr[chip] = v & OCW3_ISR;
    if (v & OCW3_SET_MASK)
        s->st.special_mask[chip] = v & OCW3_MASK;
}

static void chip_write(struct pic *s, unsigned chip, unsigned offset, u8 v)
{
    if (offset == 0 && (v & ICW1))
        write_icw1(s, chip, v);
    else if (offset == 0 && (v & OCW3))
        write_ocw3(s, chip, v);
    else if (offset == 0)
        write_ocw2(s, chip, v);
    else if (s->st.init[chip])
        write_next_icw(s, chip, v);
    else
        s->st.imr[chip] = v;
    update_output(s);
}

// A read in poll mode acknowledges, without a vector.
static u8 poll(struct pic *s, unsigned chip)
{
    int input = request(s, chip);

    s->st.poll[chip] = 0;
    if (input < 0)
        return 0;
    acknowledge(s, chip, (unsigned)input);
    update_output(s);
    return (u8)(POLL_REQUEST | input);
}

static u8 chip_read(struct pic *s, unsigned chip, unsigned offset)
{
    if (s->st.poll[chip])
        return poll(s, chip);
    if (offset == 1)
        return s->st.imr[chip];
    return s->st.read_isr[chip] ? s->st.isr[chip] : s->st.irr[chip];
}

static u8 read_master(struct component *c, unsigned offset)
{
    return chip_read(pic_of(c), MASTER, offset);
}

static u8 read_slave(struct component *c, unsigned offset)
{
    return chip_read(pic_of(c), SLAVE, offset);
}

static u8 read_elcr(struct component *c, unsigned offset)
{
    return pic_of(c)->st.elcr[offset & 1];
}

static void write_master(struct component *c, unsigned offset, u8 v)
{
    chip_write(pic_of(c), MASTER, offset, v);
}

static void write_slave(struct component *c, unsigned offset, u8 v)
{
    chip_write(pic_of(c), SLAVE, offset, v);
}

static void write_elcr(struct component *c, unsigned offset, u8 v)
{
    static const u8 can_be_level[] = {0xf8, 0xde}; // not IRQ 0, 1, 2, 8 and 13
    struct pic *s = pic_of(c);
    unsigned chip = offset & 1;

    s->st.elcr[chip] = v & can_be_level[chip];
    s->st.irr[chip] |= s->st.lines[chip] & s->st.elcr[chip];
    update_output(s);
}

static u64 pic_read(struct component *c, u64 offset, unsigned size)
{
    return bytewise_read(c, read_master, offset, size);
}

static void pic_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    bytewise_write(c, write_master, offset, size, value);
}

static u64 slave_read(struct component *c, u64 offset, unsigned size)
{
    return bytewise_read(c, read_slave, offset, size);
}

static void slave_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    bytewise_write(c, write_slave, offset, size, value);
}

static u64 elcr_read(struct component *c, u64 offset, unsigned size)
{
    return bytewise_read(c, read_elcr, offset, size);
}

static void elcr_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    bytewise_write(c, write_elcr, offset, size, value);
}

static const struct mmio_ops pic_mmio = {.size = 2, .read = pic_read, .write = pic_write};
static const struct mmio_ops slave_mmio = {.size = 2, .read = slave_read, .write = slave_write};
static const struct mmio_ops elcr_mmio = {.size = 2, .read = elcr_read, .write = elcr_write};

struct mmio pic8259_slave(struct component *c)
{
    return (struct mmio){&slave_mmio, &pic_of(c)->base};
}

struct mmio pic8259_elcr(struct component *c)
{
    return (struct mmio){&elcr_mmio, &pic_of(c)->base};
}

static bool pic_connect(struct component *c, struct error *err)
{
    struct pic *s = pic_of(c);

    return component_irq_line(c, s->p.interrupts, (unsigned)s->p.irq, &s->output, err);
}

static void pic_reset(struct component *c)
{
    struct pic *s = pic_of(c);

    s->st.lowest[MASTER] = s->st.lowest[SLAVE] = 7;
}

static bool pic_after_load(struct component *c, struct error *err)
{
    const struct pic_state *st = &pic_of(c)->st;

    for (unsigned chip = 0; chip < CHIPS; chip++)
        if (st->lowest[chip] > 7 || st->init[chip] > 4)
            return error_set(err, ERROR_INPUT, "%s: no such state of an 8259A", c->path);
    return true;
}

static const struct component_ops pic_ops = {
    .connect = pic_connect,
    .reset = pic_reset,
    .after_load = pic_after_load,
};
static const struct irq_ops pic_irqs = {.set = pic_irq};

const struct component_type pic8259_type = {
    .name = "pic8259",
    .doc = "Both 8259A interrupt controllers of a PC",
    COMPONENT_LAYOUT(pic),
    .ops = &pic_ops,
    .provides = {IFACE(mmio, &pic_mmio), IFACE(irq, &pic_irqs)},
};
