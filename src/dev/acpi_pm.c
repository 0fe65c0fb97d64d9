// SPDX-License-Identifier: BSD-3-Clause
// ACPI fixed hardware, after ACPI 6.4, section 4.8: PM1 event and control registers, the power
// management timer, a GPE block without events. The only sleep state is S5: off.
// UNMODELLED: other sleep states (the machine stays awake and sets WAK_STS), the global lock and
// bus master bits, sleep button and RTC wake-up (their enables are kept, their status is never
// set), what an SMI handler would do besides switching between ACPI and legacy mode.
// Timing: the timer is computed from the time, 3579545 Hz. There is an event only when the carry
// of its top bit will interrupt.
#include "dev/acpi_pm.h"

#include "dev/bytewise.h"
#include "sim/clock.h"
#include "sim/control.h"
#include "sim/sim.h"

enum { STS_TIMER = 0x0001, STS_BUTTON = 0x0100, STS_WAKE = 0x8000 };
enum { EN_TIMER = 0x0001, EN_BUTTON = 0x0100, EN_BITS = 0x0721 };
enum { CNT_SCI = 0x0001, CNT_TYPE_SHIFT = 10, CNT_SLEEP = 0x2000, CNT_BITS = 0x1c03 };
enum { GPE_ENABLE = ACPI_PM_GPE + ACPI_PM_GPE_SIZE / 2 };

#define ACPI_PM_PARAMS(P, PR, PB, PS, PC)                                              \
    PS(interrupts, "", "Path of the component that takes the interrupt (SCI)")         \
    P(u32, irq, 9, 0, 255, "Its input number there")                                   \
    P(u32, s5_type, 5, 0, 7, "SLP_TYP that switches the machine off; _S5 of the DSDT") \
    PC(timer_bits, "32", "24|32", "Width of the timer; TMR_VAL_EXT of the FADT")       \
    PB(acpi_mode, false, "ACPI mode from power-on: for a FADT without SMI_CMD")

// timer_seen: how often the timer's top bit had changed when TMR_STS was cleared.
#define ACPI_PM_STATE(F, FA, FE, FV) \
    FE(carry)                        \
    F(u64, timer_seen)               \
    F(u16, status)                   \
    F(u16, enable)                   \
    F(u16, control)                  \
    FA(u8, gpe_enable, ACPI_PM_GPE_SIZE / 2)

#define ACPI_PM_EVENTS(E) E(carry, acpi_pm_carry)

COMPONENT_LISTS(acpi_pm, ACPI_PM_PARAMS, ACPI_PM_STATE, NO_ROWS, ACPI_PM_EVENTS);

struct acpi_pm {
    struct component base;
    struct acpi_pm_params p;
    struct acpi_pm_state st;
    struct acpi_pm_stats n;
    WIRED(struct irq_line irq);
};

static const struct clock pm_clock = {3579545};

static struct acpi_pm *acpi_pm_of(const struct component *c)
{
    ASSERT(c->type == &acpi_pm_type);
    return (struct acpi_pm *)(uintptr_t)c;
}

static u64 timer(const struct acpi_pm *a)
{
    return clock_cycle(&pm_clock, a->base.sim->queue.now);
}

static unsigned timer_bits(const struct acpi_pm *a)
{
    return a->p.timer_bits ? 32 : 24;
}

static u64 carries(const struct acpi_pm *a)
{
    return timer(a) >> (timer_bits(a) - 1);
}

static u16 status(const struct acpi_pm *a)
{
    return a->st.status | (carries(a) != a->st.timer_seen ? STS_TIMER : 0);
}

static void update(struct acpi_pm *a)
{
    bool sci = a->st.control & CNT_SCI;
    u64 next = (carries(a) + 1) << (timer_bits(a) - 1);

    irq_line_set(&a->irq, sci && (status(a) & a->st.enable & (STS_TIMER | STS_BUTTON)));
    if (sci && (a->st.enable & EN_TIMER) && !(status(a) & STS_TIMER))
        event_schedule(&a->st.carry, clock_tick(&pm_clock, next), EVENT_NORMAL);
    else
        event_cancel(&a->st.carry);
}

static void acpi_pm_carry(void *owner, struct event *event)
{
    update(owner);
}

static void enter_sleep(struct acpi_pm *a)
{
    unsigned type = a->st.control >> CNT_TYPE_SHIFT & 7;

    if (type == a->p.s5_type) {
        control_request(&a->base, CONTROL_POWER_OFF, 0);
        return;
    }
    component_guest_warn(&a->base, "no sleep state of type %u: the machine stays awake", type);
    a->st.status |= STS_WAKE;
}

static u8 read_register(struct component *c, unsigned offset)
{
    const struct acpi_pm *a = acpi_pm_of(c);
    unsigned shift = 8 * (offset & 1);

    switch (offset & ~1u) {
    case ACPI_PM_EVENT:
        return (u8)(status(a) >> shift);
    case ACPI_PM_EVENT + 2:
        return (u8)(a->st.enable >> shift);
    case ACPI_PM_CONTROL:
        return (u8)(a->st.control >> shift);
    case ACPI_PM_TIMER:
    case ACPI_PM_TIMER + 2:
        return (u8)((timer(a) & ((1ull << timer_bits(a)) - 1)) >> (8 * (offset - ACPI_PM_TIMER)));
    case GPE_ENABLE:
        return a->st.gpe_enable[offset & 1];
    default:
        return 0;
    }
}

static void write_status(struct acpi_pm *a, u16 clear)
{
    a->st.status &= (u16)~clear;
    if (clear & STS_TIMER)
        a->st.timer_seen = carries(a);
}

static void write_register(struct component *c, unsigned offset, u8 v)
{
    struct acpi_pm *a = acpi_pm_of(c);
    unsigned shift = 8 * (offset & 1);
    u16 mask = (u16)(0xff << shift), value = (u16)(v << shift);

    switch (offset & ~1u) {
    case ACPI_PM_EVENT:
        write_status(a, value);
        break;
    case ACPI_PM_EVENT + 2:
        a->st.enable = ((a->st.enable & (u16)~mask) | value) & EN_BITS;
        break;
    case ACPI_PM_CONTROL:
        a->st.control = ((a->st.control & (u16)~mask) | value) & CNT_BITS;
        if (value & CNT_SLEEP)
            enter_sleep(a);
        break;
    case GPE_ENABLE:
        a->st.gpe_enable[offset & 1] = v;
        break;
    default: // the timer is read-only, the status of the GPEs always zero
        break;
    }
    update(a);
}

static u8 read_smi_command(struct component *c, unsigned offset)
{
    return 0;
}

static void write_smi_command(struct component *c, unsigned offset, u8 v)
{
    struct acpi_pm *a = acpi_pm_of(c);

    if (v == ACPI_PM_ENABLE)
        a->st.control |= CNT_SCI;
    else if (v == ACPI_PM_DISABLE)
        a->st.control &= (u16)~CNT_SCI;
    update(a);
}

static u64 acpi_pm_read(struct component *c, u64 offset, unsigned size)
{
    return bytewise_read(c, read_register, offset, size);
}

static void acpi_pm_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    bytewise_write(c, write_register, offset, size, value);
}

static u64 smi_command_read(struct component *c, u64 offset, unsigned size)
{
    return bytewise_read(c, read_smi_command, offset, size);
}

static void smi_command_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    bytewise_write(c, write_smi_command, offset, size, value);
}

static const struct mmio_ops acpi_pm_mmio = {
    .size = ACPI_PM_SIZE,
    .read = acpi_pm_read,
    .write = acpi_pm_write,
};
static const struct mmio_ops smi_command_mmio = {
    .size = 1,
    .read = smi_command_read,
    .write = smi_command_write,
};

struct mmio acpi_pm_smi_command(struct component *c)
{
    return (struct mmio){&smi_command_mmio, &acpi_pm_of(c)->base};
}

void acpi_pm_press_power_button(struct component *c)
{
    struct acpi_pm *a = acpi_pm_of(c);

    a->st.status |= STS_BUTTON;
    update(a);
}

static bool acpi_pm_connect(struct component *c, struct error *err)
{
    struct acpi_pm *a = acpi_pm_of(c);

    return component_irq_line(c, a->p.interrupts, (unsigned)a->p.irq, &a->irq, err);
}

static void acpi_pm_reset(struct component *c)
{
    struct acpi_pm *a = acpi_pm_of(c);

    a->st.timer_seen = carries(a);
    a->st.control = a->p.acpi_mode ? CNT_SCI : 0;
}

static const struct component_ops acpi_pm_ops = {
    .connect = acpi_pm_connect,
    .reset = acpi_pm_reset,
};

const struct component_type acpi_pm_type = {
    .name = "acpi_pm",
    .doc = "Fixed hardware of ACPI",
    COMPONENT_LAYOUT(acpi_pm),
    .ops = &acpi_pm_ops,
    .provides = {IFACE(mmio, &acpi_pm_mmio)},
};
