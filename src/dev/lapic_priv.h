// SPDX-License-Identifier: BSD-3-Clause
// The local APIC's inside, for lapic*.c: lapic.c accepts and delivers interrupts, lapic_regs.c is
// the register file, lapic_timer.c the timer.
#pragma once

#include "dev/apic_bus.h"
#include "dev/lapic.h"

// In the order of their registers from 0x320 on; CMCI's is at 0x2f0.
enum lapic_lvt {
    LVT_TIMER,
    LVT_THERMAL,
    LVT_COUNTERS,
    LVT_LINT0,
    LVT_LINT1,
    LVT_ERROR,
    LVT_CMCI,
    LVT_COUNT,
};

enum lapic_lvt_bits {
    LVT_STATUS = 1 << 12,
    LVT_ACTIVE_LOW = 1 << 13,
    LVT_REMOTE_IRR = 1 << 14,
    LVT_LEVEL = 1 << 15,
    LVT_MASKED = 1 << 16,
};

enum lapic_svr_bits { SVR_ENABLED = 1 << 8, SVR_NO_EOI_BROADCAST = 1 << 12 };

enum lapic_error {
    LAPIC_SEND_ILLEGAL_VECTOR = 1 << 5,
    LAPIC_RECEIVE_ILLEGAL_VECTOR = 1 << 6,
    LAPIC_ILLEGAL_REGISTER = 1 << 7,
};

enum lapic_mode { LAPIC_OFF, LAPIC_XAPIC, LAPIC_X2APIC, LAPIC_MODES }; // by IA32_APIC_BASE

enum { LAPIC_FIRST_VECTOR = 16 }; // vectors below are illegal

#define LAPIC_PARAMS(P, PR, PB, PS, PC)                                                      \
    P(u32, id, 0, 0, 254, "APIC id, also the x2APIC id")                                     \
    P(hertz, clock, 1000000000, 1000, 10000000000, "Input of the timer, before its divider") \
    P(u32, version, 0x14, 0x10, 0x15, "What the version register shows")                     \
    P(u32, lvts, 6, 6, 7, "Local vector table entries; the seventh is for machine checks")   \
    PS(bus, NULL, "Path of the apic_bus")

#define LAPIC_STATE(F, FA, FE, FV)                                            \
    F(u64, icr)                                                               \
    F(u64, deadline)   /* of the TSC; 0: none */                              \
    F(u64, zero_cycle) /* of the clock, in which the count gets to 0 */       \
    FE(timer)          /* pending: the timer counts, or waits for deadline */ \
    FA(u32, irr, 8)                                                           \
    FA(u32, isr, 8)                                                           \
    FA(u32, tmr, 8)                                                           \
    FA(u32, lvt, LVT_COUNT)                                                   \
    F(u32, tpr)                                                               \
    F(u32, ldr)                                                               \
    F(u32, dfr)                                                               \
    F(u32, svr)                                                               \
    F(u32, esr)                                                               \
    F(u32, errors) /* since the last write of esr */                          \
    F(u32, initial_count)                                                     \
    F(u32, divide)                                                            \
    F(u8, mode)                                                               \
    F(u8, extint)   /* an ExtINT message waits */                             \
    FA(u8, lint, 2) /* levels of the inputs */

#define LAPIC_STATS(S, SV, SH, SG, SR)                                                          \
    SV(accepted, APIC_MODES, apic_mode_names, "Count", "Interrupts accepted, by delivery mode") \
    S(merged, "Count", "Those whose vector was pending already")                                \
    S(eois, "Count", "EOIs")                                                                    \
    S(ipis, "Count", "Interrupt commands")                                                      \
    S(timer_firings, "Count", "Times the timer ran out")                                        \
    S(errors, "Count", "Errors recorded")

PARAM_STRUCT(lapic_params, LAPIC_PARAMS);
STATE_STRUCT(lapic_state, LAPIC_STATE);
STAT_STRUCT(lapic_stats, LAPIC_STATS);

struct lapic {
    struct component base;
    struct lapic_params p;
    struct lapic_state st;
    struct lapic_stats n;
    WIRED(struct component *bus);
    WIRED(const struct lapic_core_ops *core); // never NULL
    WIRED(void *core_ctx);
};

static inline struct lapic *lapic_of(const struct component *c)
{
    ASSERT(c->type == &lapic_type);
    return (struct lapic *)(uintptr_t)c;
}

// lapic.c

// After anything that may change it: tells the core whether an interrupt waits.
void lapic_update(struct lapic *l);
u32 lapic_ppr(const struct lapic *l);
u32 lapic_apr(const struct lapic *l);
u32 lapic_ldr(const struct lapic *l);
void lapic_error(struct lapic *l, u32 bits);
// What an entry of the local vector table asks for, unless it is masked.
void lapic_fire_lvt(struct lapic *l, enum lapic_lvt which);
// LINT0 or LINT1 after a change of the line (`rose`: to active) or of its entry.
void lapic_sample_lint(struct lapic *l, unsigned number, bool rose);
void lapic_eoi(struct lapic *l);
// As the interrupt command register says.
void lapic_send_ipi(struct lapic *l);
void lapic_self_ipi(struct lapic *l, u8 vector);

// lapic_regs.c

extern const struct mmio_ops lapic_mmio;
// Power-on values of all registers; stays in its mode and keeps the levels of its inputs.
void lapic_reset_registers(struct lapic *l);
// Whether the registers hold nothing that a guest could not have put there.
bool lapic_check_registers(const struct lapic *l);

// lapic_timer.c

u32 lapic_timer_count(const struct lapic *l);
void lapic_timer_set_initial(struct lapic *l, u32 count);
void lapic_timer_set_divide(struct lapic *l, u32 divide);
// After the entry of the local vector table was written; `was` is the old one.
void lapic_timer_mode_written(struct lapic *l, u32 was);
void lapic_timer_fire(struct lapic *l);
bool lapic_timer_check(const struct lapic *l);
