// SPDX-License-Identifier: BSD-3-Clause
// The local APIC's register file: one table for xAPIC (Intel SDM vol. 3A table 10-1: an aligned
// 32-bit register every 16 bytes) and x2APIC (table 10-6: an MSR each, reserved bits raise #GP).
// APPROX: the delivery status and remote IRR bits of x2APIC registers may be written, without
// effect, as processors let it be.
#include "dev/lapic_priv.h"

#include "sim/sim.h"

#include <inttypes.h>

enum { REGISTERS = 64, REGISTER_BYTES = 16, MSR_FIRST = 0x800 };

// MMIO offset / 16, or MSR - 0x800.
enum lapic_register {
    REG_ID = 0x02,
    REG_VERSION = 0x03,
    REG_TPR = 0x08,
    REG_APR = 0x09,
    REG_PPR = 0x0a,
    REG_EOI = 0x0b,
    REG_REMOTE_READ = 0x0c,
    REG_LDR = 0x0d,
    REG_DFR = 0x0e,
    REG_SVR = 0x0f,
    REG_ISR = 0x10,
    REG_TMR = 0x18,
    REG_IRR = 0x20,
    REG_ESR = 0x28,
    REG_LVT_CMCI = 0x2f,
    REG_ICR = 0x30,
    REG_ICR_HIGH = 0x31,
    REG_LVT = 0x32, // to 0x37
    REG_INITIAL_COUNT = 0x38,
    REG_CURRENT_COUNT = 0x39,
    REG_DIVIDE = 0x3e,
    REG_SELF_IPI = 0x3f,
};

// Who may do what, xAPIC and x2APIC.
enum { XR = 1, XW = 2, X2R = 4, X2W = 8, RO = XR | X2R, WO = XW | X2W, RW = RO | WO };

enum {
    BITS_SVR = 0x13ff,
    BITS_ICR = 0xccfff & ~LVT_STATUS,
    BITS_TIMER = 0x700ff,
    BITS_LVT = 0x107ff,
    BITS_LINT = 0x1a7ff,
    BITS_LVT_ERROR = 0x100ff,
    BITS_DIVIDE = 0xb,
};

static const struct {
    u8 access;
    u32 writable; // in x2APIC mode others raise #GP…
    u32 ignored;  // …but for these
} registers[REGISTERS] = {
    [REG_ID] = {RO, 0, 0},
    [REG_VERSION] = {RO, 0, 0},
    [REG_TPR] = {RW, 0xff, 0},
    [REG_APR] = {XR, 0, 0},
    [REG_PPR] = {RO, 0, 0},
    [REG_EOI] = {WO, 0, 0},
    [REG_REMOTE_READ] = {XR, 0, 0},
    [REG_LDR] = {RO | XW, 0xff000000, 0},
    [REG_DFR] = {XR | XW, 0xf0000000, 0},
    [REG_SVR] = {RW, BITS_SVR, 0},
    [REG_ISR... REG_ISR + 7] = {RO, 0, 0},
    [REG_TMR... REG_TMR + 7] = {RO, 0, 0},
    [REG_IRR... REG_IRR + 7] = {RO, 0, 0},
    [REG_ESR] = {RW, 0, 0},
    [REG_LVT_CMCI] = {RW, BITS_LVT, LVT_STATUS},
    [REG_ICR] = {RW, BITS_ICR, LVT_STATUS},
    [REG_ICR_HIGH] = {XR | XW, 0xff000000, 0},
    [REG_LVT + LVT_TIMER] = {RW, BITS_TIMER, LVT_STATUS},
    [REG_LVT + LVT_THERMAL] = {RW, BITS_LVT, LVT_STATUS},
    [REG_LVT + LVT_COUNTERS] = {RW, BITS_LVT, LVT_STATUS},
    [REG_LVT + LVT_LINT0] = {RW, BITS_LINT, LVT_STATUS | LVT_REMOTE_IRR},
    [REG_LVT + LVT_LINT1] = {RW, BITS_LINT, LVT_STATUS | LVT_REMOTE_IRR},
    [REG_LVT + LVT_ERROR] = {RW, BITS_LVT_ERROR, LVT_STATUS},
    [REG_INITIAL_COUNT] = {RW, 0xffffffff, 0},
    [REG_CURRENT_COUNT] = {RO, 0, 0},
    [REG_DIVIDE] = {RW, BITS_DIVIDE, 0},
    [REG_SELF_IPI] = {X2W, 0xff, 0},
};

static u8 access_of(const struct lapic *l, u32 index)
{
    return index == REG_LVT_CMCI && l->p.lvts <= LVT_CMCI ? 0 : registers[index].access;
}

static unsigned lvt_of(u32 index)
{
    return index == REG_LVT_CMCI ? LVT_CMCI : index - REG_LVT;
}

void lapic_reset_registers(struct lapic *l)
{
    if (l->st.deadline && l->core->deadline_fired)
        l->core->deadline_fired(l->core_ctx);
    event_cancel(&l->st.timer);
    l->st.icr = l->st.deadline = l->st.zero_cycle = 0;
    for (unsigned i = 0; i < 8; i++)
        l->st.irr[i] = l->st.isr[i] = l->st.tmr[i] = 0;
    for (unsigned i = 0; i < LVT_COUNT; i++)
        l->st.lvt[i] = LVT_MASKED;
    l->st.tpr = l->st.ldr = l->st.esr = l->st.errors = 0;
    l->st.initial_count = l->st.divide = 0;
    l->st.dfr = 0xffffffff;
    l->st.svr = 0xff;
    l->st.extint = 0;
}

static u32 version(const struct lapic *l)
{
    return (u32)(l->p.version | (l->p.lvts - 1) << 16 | 1 << 24); // EOI broadcast can be suppressed
}

static u32 read_register(const struct lapic *l, u32 index)
{
    switch (index) {
    case REG_ID:
        return (u32)l->p.id << (l->st.mode == LAPIC_X2APIC ? 0 : 24);
    case REG_VERSION:
        return version(l);
    case REG_TPR:
        return l->st.tpr;
    case REG_APR:
        return lapic_apr(l);
    case REG_PPR:
        return lapic_ppr(l);
    case REG_LDR:
        return lapic_ldr(l);
    case REG_DFR:
        return l->st.dfr;
    case REG_SVR:
        return l->st.svr;
    case REG_ISR ... REG_ISR + 7:
        return l->st.isr[index - REG_ISR];
    case REG_TMR ... REG_TMR + 7:
        return l->st.tmr[index - REG_TMR];
    case REG_IRR ... REG_IRR + 7:
        return l->st.irr[index - REG_IRR];
    case REG_ESR:
        return l->st.esr;
    case REG_ICR:
        return (u32)l->st.icr;
    case REG_ICR_HIGH:
        return (u32)(l->st.icr >> 32);
    case REG_LVT_CMCI:
    case REG_LVT ... REG_LVT + LVT_ERROR:
        return l->st.lvt[lvt_of(index)];
    case REG_INITIAL_COUNT:
        return l->st.initial_count;
    case REG_CURRENT_COUNT:
        return lapic_timer_count(l);
    case REG_DIVIDE:
        return l->st.divide;
    default:
        return 0; // remote read, and what can only be written
    }
}

static void write_lvt(struct lapic *l, unsigned which, u32 value)
{
    u32 was = l->st.lvt[which];

    if (!(l->st.svr & SVR_ENABLED)) // §10.4.7.2
        value |= LVT_MASKED;
    if (value & LVT_LEVEL)
        value |= was & LVT_REMOTE_IRR;
    l->st.lvt[which] = value;
    if (which == LVT_TIMER)
        lapic_timer_mode_written(l, was);
    else if (which == LVT_LINT0 || which == LVT_LINT1)
        lapic_sample_lint(l, which - LVT_LINT0, false);
}

static void write_svr(struct lapic *l, u32 value)
{
    l->st.svr = value;
    if (!(value & SVR_ENABLED))
        for (unsigned i = 0; i < LVT_COUNT; i++)
            l->st.lvt[i] |= LVT_MASKED;
    lapic_update(l);
}

static void write_tpr(struct lapic *l, u32 value)
{
    l->st.tpr = value;
    if (l->core->tpr_changed)
        l->core->tpr_changed(l->core_ctx, value >> 4);
    lapic_update(l);
}

// `value` has writable bits only.
static void write_register(struct lapic *l, u32 index, u32 value)
{
    switch (index) {
    case REG_TPR:
        write_tpr(l, value);
        break;
    case REG_EOI:
        lapic_eoi(l);
        break;
    case REG_LDR:
        l->st.ldr = value;
        break;
    case REG_DFR:
        l->st.dfr = value | 0x0fffffff;
        break;
    case REG_SVR:
        write_svr(l, value);
        break;
    case REG_ESR:
        l->st.esr = l->st.errors;
        l->st.errors = 0;
        break;
    case REG_ICR:
        l->st.icr = (l->st.icr >> 32 << 32) | value;
        lapic_send_ipi(l);
        break;
    case REG_ICR_HIGH:
        l->st.icr = (u64)value << 32 | (u32)l->st.icr;
        break;
    case REG_LVT_CMCI:
    case REG_LVT ... REG_LVT + LVT_ERROR:
        write_lvt(l, lvt_of(index), value);
        break;
    case REG_INITIAL_COUNT:
        lapic_timer_set_initial(l, value);
        break;
    case REG_DIVIDE:
        lapic_timer_set_divide(l, value);
        break;
    case REG_SELF_IPI:
        lapic_self_ipi(l, (u8)value);
        break;
    }
}

static void illegal(struct lapic *l, u32 index)
{
    component_guest_warn(&l->base, "access to register 0x%x, which does not exist",
                         index * REGISTER_BYTES);
    lapic_error(l, LAPIC_ILLEGAL_REGISTER);
}

static u64 xapic_read(struct component *c, u64 offset, unsigned size)
{
    struct lapic *l = lapic_of(c);
    u32 index = (u32)(offset / REGISTER_BYTES), within = offset % REGISTER_BYTES;

    if (l->st.mode != LAPIC_XAPIC)
        return ~(u64)0;
    if (index >= REGISTERS || !(access_of(l, index) & (XR | XW))) {
        illegal(l, index);
        return 0;
    }
    return within < 4 ? read_register(l, index) >> 8 * within : 0;
}

static void xapic_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    struct lapic *l = lapic_of(c);
    u32 index = (u32)(offset / REGISTER_BYTES);

    if (l->st.mode != LAPIC_XAPIC)
        return;
    if (index >= REGISTERS || !(access_of(l, index) & (XR | XW)))
        illegal(l, index);
    else if (size != 4 || offset % REGISTER_BYTES)
        component_guest_warn(c, "write of %u bytes at 0x%" PRIx64 " is ignored", size, offset);
    else if (access_of(l, index) & XW)
        write_register(l, index, (u32)value & registers[index].writable);
}

const struct mmio_ops lapic_mmio = {.size = 4096, .read = xapic_read, .write = xapic_write};

// One write sets the whole command, with a destination of 32 bits (§10.12.9).
static bool write_x2apic_icr(struct lapic *l, u64 value)
{
    if ((u32)value & ~(u32)(BITS_ICR | LVT_STATUS))
        return false;
    l->st.icr = value & ~(u64)LVT_STATUS;
    lapic_send_ipi(l);
    return true;
}

bool lapic_msr(struct component *c, u32 index, u64 *value, bool write)
{
    struct lapic *l = lapic_of(c);
    u32 reg = index - MSR_FIRST;

    if (l->st.mode != LAPIC_X2APIC || reg >= REGISTERS ||
        !(access_of(l, reg) & (write ? X2W : X2R)))
        return false;
    if (!write) {
        *value = reg == REG_ICR ? l->st.icr : read_register(l, reg);
        return true;
    }
    if (reg == REG_ICR)
        return write_x2apic_icr(l, *value);
    if (*value & ~(u64)(registers[reg].writable | registers[reg].ignored))
        return false;
    write_register(l, reg, (u32)*value & registers[reg].writable);
    return true;
}

bool lapic_check_registers(const struct lapic *l)
{
    bool enabled = l->st.svr & SVR_ENABLED;
    u32 bad = 0;

    for (u32 i = 0; i < LVT_COUNT; i++) {
        u32 index = i == LVT_CMCI ? (u32)REG_LVT_CMCI : REG_LVT + i;
        u32 kept = registers[index].writable | (registers[index].ignored & LVT_REMOTE_IRR);

        bad |= l->st.lvt[i] & ~kept;
        bad |= !enabled && !(l->st.lvt[i] & LVT_MASKED);
        bad |= (l->st.lvt[i] & LVT_REMOTE_IRR) && !(l->st.lvt[i] & LVT_LEVEL);
    }
    bad |= (l->st.irr[0] | l->st.isr[0] | l->st.tmr[0]) & ((1u << LAPIC_FIRST_VECTOR) - 1);
    bad |= (u32)l->st.icr & ~(u32)BITS_ICR;
    bad |= l->st.tpr & ~0xffu;
    bad |= l->st.ldr & 0x00ffffff;
    bad |= ~l->st.dfr & 0x0fffffff;
    bad |= l->st.svr & ~(u32)BITS_SVR;
    bad |= (l->st.esr | l->st.errors) & ~0xffu;
    bad |= l->st.divide & ~(u32)BITS_DIVIDE;
    bad |= l->st.mode >= LAPIC_MODES;
    bad |= l->st.extint > 1 || l->st.lint[0] > 1 || l->st.lint[1] > 1;
    return !bad;
}
