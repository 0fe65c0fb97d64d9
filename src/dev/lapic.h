// SPDX-License-Identifier: BSD-3-Clause
// A core's local APIC (type `lapic`), as xAPIC and x2APIC. The board joins it to its core:
//
//     lapic_attach(lapic, &ops, core);      in connect, before the first reset
//
// and passes on what the core does: acknowledge, CR8, x2APIC MSRs, IA32_APIC_BASE,
// IA32_TSC_DEADLINE, accesses to the APIC page (IFACE(mmio), only while the core is in xAPIC mode).
// IFACE(irq): input 0 is LINT0 (INTR of the PIC), 1 is LINT1 (NMI).
#pragma once

#include "sim/component.h"

extern const struct component_type lapic_type;

// Calls into the core. Every method may be NULL: nothing to do. All may come while the core is in
// the middle of an instruction (its own IPI or register write), also init.
struct lapic_core_ops {
    // Level of the core's INTR: an interrupt above the processor priority waits, or the PIC's.
    void (*interrupt)(void *ctx, bool deliverable);
    void (*nmi)(void *ctx);
    void (*init)(void *ctx); // the local APIC has been reset already
    void (*startup)(void *ctx, u8 vector);
    // The time at which the core's TSC reaches `tsc`; up to now when it did; ~0 for never. NULL:
    // never.
    tick (*tsc_when)(void *ctx, u64 tsc);
    // Interrupt acknowledge cycle to the PIC: its vector, -1 when it has none. NULL: none.
    int (*extint)(void *ctx);
    // The guest changed the TPR, not through CR8; or INIT did.
    void (*tpr_changed)(void *ctx, u64 cr8);
    // IA32_TSC_DEADLINE reads 0 from now on: it fired, or the timer is in another mode.
    void (*deadline_fired)(void *ctx);
};
void lapic_attach(struct component *c, const struct lapic_core_ops *ops, void *ctx);

// What ops->interrupt was told last; for the core's after_load (it is computed from state alone).
bool lapic_deliverable(const struct component *c);
// The vector to take now, which then is in service, or the PIC's, which is not; -1: there is none
// any more.
int lapic_acknowledge(struct component *c);
// CR8 is bits 7:4 of the TPR.
void lapic_set_tpr(struct component *c, u64 cr8);
u64 lapic_tpr(const struct component *c);
// MSRs 0x800 to 0x8ff. False: #GP.
bool lapic_msr(struct component *c, u32 index, u64 *value, bool write) MUST_CHECK;
// IA32_APIC_BASE was written: bit 11 enables, bit 10 is x2APIC mode. Switched off, it loses its
// state.
void lapic_base_written(struct component *c, u64 apic_base);
// IA32_TSC_DEADLINE was written, or the TSC has jumped (with the same deadline); 0 disarms.
void lapic_deadline_written(struct component *c, u64 tsc_deadline);
// Firmware's set-up for a boot without firmware, after reset: software-enabled, LINT0 takes the
// PIC's interrupts, LINT1 NMIs. For the boot processor only.
void lapic_virtual_wire(struct component *c);
