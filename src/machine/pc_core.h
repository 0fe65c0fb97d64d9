// SPDX-License-Identifier: BSD-3-Clause
// A core slot of a PC (type `pc_core`): the architectural state, which the active CPU model
// borrows, and what joins the core to the board: memory, I/O ports and the core's local APIC, which
// is its child `apic`.
#pragma once

#include "cpu/cpu.h"
#include "isa/x86/core.h"
#include "sim/component.h"

extern const struct component_type pc_core_type;

struct pc_core_links {
    struct mem_port memory; // the physical map, shared by all cores
    struct mem_port io;     // the I/O ports
    struct component *pic;  // pic8259, for interrupts through LINT0; NULL: none
    const struct x86_stubs *stubs;
    u32 period;                 // ticks per cycle
    u32 mmio_cycles, io_cycles; // that an access to a device's registers takes
    u32 cores;
    // The time must be that of the core before a device sees it, and the run may have to end
    // behind the instruction that reached a device. `context` is the board's.
    void (*before_device)(void *context, struct component *core);
    void (*after_device)(void *context, struct component *core, u32 cycles);
    // It has something to do while it may be halted.
    void (*woken)(void *context, struct component *core);
    u64 (*simop)(void *context, struct component *core, u16 function);
    // What shows that the guest gets on: an interrupt comes while the core runs a program; a write
    // to a port, or to what may be a device in memory.
    void (*user_interrupted)(void *context, struct component *core);
    void (*port_written)(void *context, u32 port);
    void (*memory_written)(void *context, paddr addr);
    void *context;
};

// In the board's connect, for the cores in order: initialises the core.
bool pc_core_join(struct component *c, const struct pc_core_links *links,
                  struct error *err) MUST_CHECK;

struct x86_core *pc_core_x86(const struct component *c);
struct component *pc_core_apic(const struct component *c);
struct cpu *pc_core_model(const struct component *c);
void pc_core_set_model(struct component *c, struct cpu *model);

// Whether it has anything to do: false while it is halted without an interrupt that would wake it,
// or waits for its start-up message.
bool pc_core_runnable(const struct component *c);
// Whether it can wake by an interrupt: it was started and has not switched interrupts off.
bool pc_core_takes_interrupts(const struct component *c);
// What came in the middle of its own instructions (INIT from itself); between runs.
void pc_core_settle(struct component *c);
void pc_core_count(struct component *c, u64 insts);
u64 pc_core_insts(const struct component *c);
// The component's state list is that of the core now: before it is hashed or saved.
void pc_core_publish(struct component *c);
