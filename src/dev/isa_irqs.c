// SPDX-License-Identifier: BSD-3-Clause
// IRQ n goes to input n of the 8259As and to pin n of the IOAPIC, but IRQ 0 to pin 2, as ACPI's
// MADT of a PC says (an interrupt source override). IRQ 2 is the 8259As' cascade: not on the bus.
// Timing: none, the lines are wires.
#include "dev/isa_irqs.h"

enum { ISA_IRQS = 16, TIMER_IRQ = 0, CASCADE_IRQ = 2, TIMER_PIN = 2 };

#define ISA_IRQS_PARAMS(P, PR, PB, PS, PC)                   \
    PS(pic, "", "Path of the interrupt controller (8259As)") \
    PS(ioapic, "", "Path of the IOAPIC")

COMPONENT_LISTS(isa_irqs, ISA_IRQS_PARAMS, NO_ROWS, NO_ROWS, NO_ROWS);

struct isa_irqs {
    struct component base;
    struct isa_irqs_params p;
    struct isa_irqs_state st;
    struct isa_irqs_stats n;
    WIRED(struct irq_line pic[ISA_IRQS]);
    WIRED(struct irq_line ioapic[ISA_IRQS]);
};

static struct isa_irqs *isa_irqs_of(const struct component *c)
{
    ASSERT(c->type == &isa_irqs_type);
    return (struct isa_irqs *)(uintptr_t)c;
}

static void isa_irqs_set(void *ctx, unsigned number, bool level)
{
    const struct isa_irqs *s = isa_irqs_of(ctx);

    if (number < ISA_IRQS) {
        irq_line_set(&s->pic[number], level);
        irq_line_set(&s->ioapic[number], level);
    }
}

static bool isa_irqs_connect(struct component *c, struct error *err)
{
    struct isa_irqs *s = isa_irqs_of(c);

    for (unsigned n = 0; n < ISA_IRQS; n++) {
        unsigned pin = n == TIMER_IRQ ? TIMER_PIN : n;

        if (n == CASCADE_IRQ)
            continue;
        if (!component_irq_line(c, s->p.pic, n, &s->pic[n], err) ||
            !component_irq_line(c, s->p.ioapic, pin, &s->ioapic[n], err))
            return false;
    }
    return true;
}

static const struct component_ops isa_irqs_ops = {.connect = isa_irqs_connect};
static const struct irq_ops isa_irqs_irqs = {.set = isa_irqs_set};

const struct component_type isa_irqs_type = {
    .name = "isa_irqs",
    .doc = "Interrupt lines of the ISA bus",
    COMPONENT_LAYOUT(isa_irqs),
    .ops = &isa_irqs_ops,
    .provides = {IFACE(irq, &isa_irqs_irqs)},
};
