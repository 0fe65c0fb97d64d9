// SPDX-License-Identifier: BSD-3-Clause
// I/O APIC after Intel 82093AA (290566-001, 1996) §3, with the EOI register that chipsets since the
// ICH have (82801 datasheets, "EOIR"; version 0x20).
// UNMODELLED: the arbitration id, the IRQ pin assertion register. Delivery status reads idle.
// Timing: a message leaves as soon as its line changes.
#include "dev/ioapic.h"

#include "dev/apic_bus.h"
#include "sim/sim.h"

#include <inttypes.h>

enum { OFFSET_SELECT = 0x00, OFFSET_WINDOW = 0x10, OFFSET_EOI = 0x40, REGS_SIZE = 4096 };
enum { REG_ID = 0, REG_VERSION = 1, REG_ARBITRATION = 2, REG_ENTRIES = 0x10 };

// A redirection entry: destination 63:56, mask 16, trigger 15, remote IRR 14, polarity 13, status
// 12, logical 11, delivery mode 10:8, vector 7:0.
#define ENTRY_LOGICAL (1ull << 11)
#define ENTRY_ACTIVE_LOW (1ull << 13)
#define ENTRY_REMOTE_IRR (1ull << 14)
#define ENTRY_LEVEL (1ull << 15)
#define ENTRY_MASKED (1ull << 16)
#define ENTRY_WRITABLE 0xff0000000001afffull

#define IOAPIC_PARAMS(P, PR, PB, PS, PC)                                                           \
    P(u32, pins, 24, 1, 64, "Interrupt inputs")                                                    \
    P(u32, id, 0, 0, 15, "APIC id after reset")                                                    \
    P(u32, version, 0x20, 0x11, 0x20, "What the version register shows; 0x20 has an EOI register") \
    P(u64, active_low, 0xffffffffffff0000, 0, 0xffffffffffffffff,                                  \
      "Bit n: the line of pin n is asserted by a low voltage")                                     \
    PS(bus, NULL, "Path of the apic_bus")

#define IOAPIC_STATE(F, FA, FE, FV)                     \
    FV(u64, entries, p->pins)                           \
    FV(u8, asserted, p->pins) /* levels of the lines */ \
    F(u8, id)                                           \
    F(u8, select)                                       \
    FA(u8, pad, 6)

#define IOAPIC_STATS(S, SV, SH, SG, SR)                                 \
    S(messages, "Count", "Interrupts sent and accepted")                \
    S(refused, "Count", "Interrupts that no local APIC accepted")       \
    S(masked_edges, "Count", "Edges lost because their pin was masked") \
    S(eois, "Count", "Level-triggered interrupts ended by an EOI")

COMPONENT_LISTS(ioapic, IOAPIC_PARAMS, IOAPIC_STATE, IOAPIC_STATS, NO_ROWS);

struct ioapic {
    struct component base;
    struct ioapic_params p;
    struct ioapic_state st;
    struct ioapic_stats n;
    WIRED(struct component *bus);
};

static struct ioapic *ioapic_of(const struct component *c)
{
    ASSERT(c->type == &ioapic_type);
    return (struct ioapic *)(uintptr_t)c;
}

// As the pin sees it: the voltage of the line against the polarity of the entry.
static bool is_active(const struct ioapic *s, unsigned pin)
{
    bool high = s->st.asserted[pin] != (s->p.active_low >> pin & 1);

    return high != !!(s->st.entries[pin] & ENTRY_ACTIVE_LOW);
}

// Only fixed and lowest-priority interrupts have levels (§3.2.4, delivery modes).
static bool is_level(u64 entry)
{
    return (entry & ENTRY_LEVEL) && (entry >> 8 & 7) <= APIC_LOWEST;
}

static bool send(struct ioapic *s, unsigned pin)
{
    u64 entry = s->st.entries[pin];
    struct apic_message m = {
        .dest = apic_dest8((u8)(entry >> 56)),
        .logical = entry & ENTRY_LOGICAL,
        .mode = entry >> 8 & 7,
        .vector = (u8)entry,
        .level_trigger = is_level(entry),
        .asserted = true,
    };
    bool accepted;

    if (m.mode == APIC_RESERVED || m.mode == APIC_STARTUP) {
        component_guest_warn(&s->base, "pin %u has a reserved delivery mode", pin);
        return false;
    }
    accepted = apic_bus_send(s->bus, &m, APIC_TO_DEST, NULL);
    if (accepted)
        s->n.messages++;
    else
        s->n.refused++;
    return accepted;
}

// A level-triggered pin that is active, not masked and not being served sends.
static void serve_level(struct ioapic *s, unsigned pin)
{
    u64 *entry = &s->st.entries[pin];

    if (!is_level(*entry) || (*entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)) || !is_active(s, pin))
        return;
    // Before it is sent: whoever accepts it may answer at once.
    *entry |= ENTRY_REMOTE_IRR;
    if (!send(s, pin))
        *entry &= ~ENTRY_REMOTE_IRR;
}

static void pin_set(void *ctx, unsigned pin, bool level)
{
    struct ioapic *s = ioapic_of(ctx);
    bool was;

    if (pin >= s->p.pins) {
        component_guest_warn(&s->base, "there is no pin %u", pin);
        return;
    }
    was = is_active(s, pin);
    s->st.asserted[pin] = level;
    if (is_level(s->st.entries[pin])) {
        serve_level(s, pin);
    } else if (!was && is_active(s, pin)) {
        if (s->st.entries[pin] & ENTRY_MASKED)
            s->n.masked_edges++;
        else
            send(s, pin);
    }
}

static void eoi(struct ioapic *s, u8 vector)
{
    for (unsigned pin = 0; pin < s->p.pins; pin++) {
        u64 *entry = &s->st.entries[pin];

        if (!(*entry & ENTRY_REMOTE_IRR) || (u8)*entry != vector)
            continue;
        *entry &= ~ENTRY_REMOTE_IRR;
        s->n.eois++;
        serve_level(s, pin);
    }
}

static void ioapic_eoi(struct component *c, u8 vector)
{
    eoi(ioapic_of(c), vector);
}

static u32 read_register(struct ioapic *s)
{
    unsigned index = s->st.select, pin = (index - REG_ENTRIES) / 2;

    switch (index) {
    case REG_ID:
    case REG_ARBITRATION:
        return (u32)s->st.id << 24;
    case REG_VERSION:
        return (u32)(s->p.version | (s->p.pins - 1) << 16);
    }
    if (index >= REG_ENTRIES && pin < s->p.pins)
        return (u32)(s->st.entries[pin] >> (index & 1 ? 32 : 0));
    component_guest_warn(&s->base, "read of register 0x%x", index);
    return 0;
}

static void write_entry(struct ioapic *s, unsigned pin, bool high, u32 value)
{
    u64 *entry = &s->st.entries[pin];
    u64 v = high ? (u64)value << 32 | (u32)*entry : (*entry >> 32 << 32) | value;

    v &= ENTRY_WRITABLE;
    if (is_level(v)) // software ends a level by a trip through edge (Linux does)
        v |= *entry & ENTRY_REMOTE_IRR;
    *entry = v;
    serve_level(s, pin);
}

static void write_register(struct ioapic *s, u32 value)
{
    unsigned index = s->st.select, pin = (index - REG_ENTRIES) / 2;

    if (index == REG_ID)
        s->st.id = value >> 24 & 0xf;
    else if (index >= REG_ENTRIES && pin < s->p.pins)
        write_entry(s, pin, index & 1, value);
    else
        component_guest_warn(&s->base, "write of register 0x%x", index);
}

static u64 ioapic_read(struct component *c, u64 offset, unsigned size)
{
    struct ioapic *s = ioapic_of(c);

    if (offset == OFFSET_SELECT)
        return s->st.select;
    if (offset == OFFSET_WINDOW)
        return read_register(s);
    component_guest_warn(c, "read at 0x%" PRIx64, offset);
    return 0;
}

static void ioapic_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    struct ioapic *s = ioapic_of(c);

    if (offset == OFFSET_SELECT)
        s->st.select = (u8)value;
    else if (offset == OFFSET_WINDOW && size >= 4)
        write_register(s, (u32)value);
    else if (offset == OFFSET_EOI && s->p.version >= 0x20)
        eoi(s, (u8)value);
    else
        component_guest_warn(c, "write of %u bytes at 0x%" PRIx64, size, offset);
}

static bool ioapic_connect(struct component *c, struct error *err)
{
    static const struct apic_io_ops io_ops = {.eoi = ioapic_eoi};
    struct ioapic *s = ioapic_of(c);

    s->bus = apic_bus_find(c, s->p.bus, err);
    if (!s->bus)
        return false;
    apic_bus_add_io(s->bus, c, &io_ops);
    return true;
}

static void ioapic_reset(struct component *c)
{
    struct ioapic *s = ioapic_of(c);

    for (unsigned pin = 0; pin < s->p.pins; pin++)
        s->st.entries[pin] = ENTRY_MASKED;
    s->st.id = (u8)s->p.id;
}

static bool ioapic_after_load(struct component *c, struct error *err)
{
    struct ioapic *s = ioapic_of(c);

    for (unsigned pin = 0; pin < s->p.pins; pin++) {
        u64 entry = s->st.entries[pin];

        if ((entry & ~(ENTRY_WRITABLE | ENTRY_REMOTE_IRR)) || s->st.asserted[pin] > 1 ||
            ((entry & ENTRY_REMOTE_IRR) && !is_level(entry)))
            return error_set(err, ERROR_INPUT, "pin %u holds what it never can", pin);
    }
    if (s->st.id > 15)
        return error_set(err, ERROR_INPUT, "the id is %u", s->st.id);
    return true;
}

static const struct component_ops ioapic_ops = {
    .connect = ioapic_connect,
    .reset = ioapic_reset,
    .after_load = ioapic_after_load,
};
static const struct mmio_ops ioapic_mmio = {
    .size = REGS_SIZE,
    .read = ioapic_read,
    .write = ioapic_write,
};
static const struct irq_ops ioapic_irq = {.set = pin_set};

const struct component_type ioapic_type = {
    .name = "ioapic",
    .doc = "I/O APIC",
    COMPONENT_LAYOUT(ioapic),
    .ops = &ioapic_ops,
    .provides = {IFACE(mmio, &ioapic_mmio), IFACE(irq, &ioapic_irq)},
};
