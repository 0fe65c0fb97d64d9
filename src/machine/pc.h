// SPDX-License-Identifier: BSD-3-Clause
// The PC board (type `pc`, the root of its machine): cores with local APICs, memory below and above
// the hole under 4 GiB, and the devices of a PC, wired. Its memory map is in pc.c.
#pragma once

#include "machine/models.h"
#include "os/boot/boot_load.h"
#include "sim/component.h"

extern const struct component_type pc_type;

enum { PC_MAX_CPUS = 64 };

// Where things are.
#define PC_HOLE_BASE 0xc0000000ull // RAM ends here and goes on at 4 GiB
#define PC_HOLE_END 0x100000000ull
#define PC_ECAM_BASE 0xe0000000ull
#define PC_VIRTIO_BASE 0xfeb00000ull // virtio devices of transport mmio, a page each
#define PC_IOAPIC_BASE 0xfec00000ull
#define PC_HPET_BASE 0xfed00000ull
#define PC_APIC_BASE 0xfee00000ull
// Where gem5 puts the address form of its operations (util/m5): 64 KiB below 4 GiB.
#define PC_SIMOP_BASE 0xffff0000ull
#define PC_SIMOP_SIZE 0x10000ull
#define PC_SIMOP_PORT 0xe4u     // 8 ports: function, then the result's halves
#define PC_BIOS_BASE 0xe0000ull // ACPI tables
#define PC_PM_PORT 0x600u       // ACPI's fixed registers (dev/acpi_pm.h)

struct component *pc_core(const struct component *pc, u32 number);
u32 pc_cpus(const struct component *pc);
u64 pc_mem_bytes(const struct component *pc);
// How guest memory is reached for loading.
struct mem_port pc_memory(const struct component *pc);

// ---- firmware, after a reset

// The memory map; room for BOOT_RANGES_MAX. Returns how many.
u32 pc_memory_ranges(const struct component *pc, struct boot_range *ret_ranges);
// Writes the ACPI tables; *ret_rsdp is where their root pointer is.
bool pc_firmware(struct component *pc, paddr *ret_rsdp, struct error *err) MUST_CHECK;

// ---- running

enum pc_end {
    PC_LIMIT,     // max_insts or max_ticks
    PC_STOPPED,   // pc_stop
    PC_POWER_OFF, // the guest switched itself off
    PC_RESET,     // the guest asked for a reset
    PC_EXIT,      // a test kernel's exit port, or an operation for the simulator; value: its code
    PC_PANIC,     // pvpanic; value: its bits
    PC_SHUTDOWN,  // triple fault; value: the core
    PC_EVENT,     // an operation for the simulator, or pc_request by who watches; value: which
    PC_IDLE,      // limits.idle: nothing to do until pc_next_event
    PC_FAILED,    // the simulation cannot go on (sim.failure)
    PC_HALTED,    // all cores wait for interrupts, and nothing can raise one
    PC_STUCK,     // limits.stuck
    PC_DEBUG,     // a breakpoint, a watchpoint or the end of a step; value: the core
    PC_KILLED,    // by the debugger
};

// How a debugger lets the cores go on; bit n is core n.
struct pc_debug {
    u64 may_run;
    u64 step;          // of these: end behind one instruction
    bool step_through; // a step may enter an interrupt's handler; else interrupts wait
};

struct pc_limits {
    u64 insts;                    // of all cores, since the start; ~0: none
    tick when;                    // ~0: none
    bool idle;                    // end instead of skipping time in which no core has work
    const struct pc_debug *debug; // NULL: all cores may run
    // End when cores were busy for so long and the guest did not get on: no program was running
    // when an interrupt came, nothing was written to a device that is neither timer nor interrupt
    // controller, and at no moment all cores had nothing to do. 0: never.
    tick stuck;
};

struct pc_result {
    enum pc_end end;
    u32 value;
};

// Runs until something ends it. Deterministic: how often it is called with which limits makes no
// difference to what the guest does. Serves drain requests while it runs.
struct pc_result pc_run(struct component *pc, const struct pc_limits *limits);
// Asks it to come back soon; safe in a signal handler.
void pc_stop(struct component *pc);
u64 pc_insts(const struct component *pc);
// How many cores the guest never started: they still wait for their start-up message.
u32 pc_idle_cpus(const struct component *pc);
// When the next thing happens; ~0: never.
tick pc_next_event(const struct component *pc);
// The state lists hold everything: before the machine is saved or hashed.
void pc_publish(struct component *pc);

// ---- models of CPUs

// There are models with timing from now on: those of `processor`, which is now owned.
bool pc_set_processor(struct component *pc, struct processor *processor, bool warm,
                      struct error *err) MUST_CHECK;
// Changes the model of core `number`, between runs.
bool pc_switch(struct component *pc, u32 number, enum model_kind kind,
               struct error *err) MUST_CHECK;
struct models *pc_models(const struct component *pc);
// Why it cannot go on (PC_FAILED), of the board's side or of a model's; its code is ERROR_NONE
// while all is well.
const struct error *pc_failure(const struct component *pc);

// The breakpoints that hold from now on; borrowed until the next call. NULL: none. `code`: those on
// instructions are not the ones of before.
struct x86_breaks;
void pc_set_breaks(struct component *pc, const struct x86_breaks *breaks, bool code);

// Operations for the simulator that guests ask for (gem5's m5 ops); arguments and result are
// registers of the core.
// Returns the result.
typedef u64 pc_simop_fn(void *context, struct component *pc, struct component *core, u16 function);
void pc_set_simop(struct component *pc, pc_simop_fn *fn, void *context);
// Ends the run behind the current instruction; the first request wins.
void pc_request(struct component *pc, enum pc_end end, u32 value);
