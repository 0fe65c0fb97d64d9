// SPDX-License-Identifier: BSD-3-Clause
// Inside of the PC board: pc.c builds and wires it, pc_run.c lets its cores take turns.
#pragma once

#include "dev/pci.h"
#include "machine/models.h"
#include "machine/pc.h"
#include "machine/pc_core.h"
#include "sim/control.h"
#include "sim/sim.h"

#include <stdatomic.h>

#define PC_PARAMS(P, PR, PB, PS, PC)                                                               \
    P(bytes, mem, MiB(512), MiB(4), GiB(1024), "Memory of the guest")                              \
    P(u32, cpus, 1, 1, PC_MAX_CPUS, "Number of cores")                                             \
    P(hertz, clock, 2000000000, 1000000, 4200000000, "Clock of the cores, and of their TSCs")      \
    P(u64, quantum, 10000, 1, 1000000000, "Instructions of a core's turn while several have work") \
    PC(cpuid, "x86-64-v3", "x86-64-v1|x86-64-v2|x86-64-v3",                                        \
       "The instruction set that the guest sees")                                                  \
    P(u64, seed, 1, 0, UINT64_MAX, "Seed of everything that is random to the guest")               \
    P(u32, mmio_cycles, 500, 0, 1000000, "Cycles that an access to registers in memory takes")     \
    P(u32, io_cycles, 2000, 0, 1000000, "Cycles that an access to an I/O port takes")              \
    P(u32, uarts, 2, 1, 4, "Number of serial ports")                                               \
    PB(has_hpet, true, "Whether there is a HPET")

// A round is one quantum of time, in which each core that had work at its start has one turn. The
// turns are one behind the other in time, so that time never goes back for anybody: a core runs
// `share` times faster than its clock in its turn. With one core in the round it lasts until
// something else comes up.
#define PC_STATE(F, FA, FE, FV)                                                        \
    F(tick, round)               /* when it began */                                   \
    F(u64, mask)                 /* the cores in it */                                 \
    F(u64, done)                 /* cycles of the turn */                              \
    F(u64, insts)                /* of all cores */                                    \
    F(tick, progress)            /* when the guest last got on */                      \
    F(u64, started)              /* cores that ever had a turn */                      \
    FA(tick, local, PC_MAX_CPUS) /* times of cores, with models that have their own */ \
    F(u32, share)                /* cores in mask; 0: no round */                      \
    F(u32, rank)                 /* of the turn */                                     \
    F(u32, turn)                 /* the core */                                        \
    F(u32, told)                 /* of cores not started */

// gem5's names where gem5 has the quantity.
#define PC_STATS(S, SV, SH, SG, SR)                                        \
    S(rounds, "Count", "Rounds of the cores")                              \
    S(yields, "Count", "Turns that ended early, waiting for another core") \
    S(stallCycles, "Cycle", "Cycles in which cores waited for devices")    \
    S(idleTicks, "Tick", "Time in which no core had work")

PARAM_STRUCT(pc_params, PC_PARAMS);
STATE_STRUCT(pc_state, PC_STATE);
STAT_STRUCT(pc_stats, PC_STATS);

struct pc {
    struct component base;
    struct pc_params p;
    struct pc_state st;
    struct pc_stats n;
    WIRED(struct component *cores[PC_MAX_CPUS]);
    WIRED(struct component *ram);
    WIRED(struct component *memory);
    WIRED(struct component *ports);
    WIRED(struct component *dma);
    WIRED(struct models models);
    DERIVED(bool timed); // a model has a time of its own
    WIRED(pc_simop_fn *simop);
    WIRED(void *simop_context);
    WIRED(u32 virtio);                  // devices of transport mmio
    DERIVED(u64 window64);              // of PCI BARs behind all RAM
    DERIVED(u32 period);                // ticks per cycle
    DERIVED(tick horizon);              // of the current run: nothing happens before
    DERIVED(struct component *running); // the core that runs now
    DERIVED(u64 stall);                 // cycles of devices in the current run
    DERIVED(bool ending);
    DERIVED(struct pc_result end);
    DERIVED(atomic_bool stop_asked);
};

struct pc *pc_of(const struct component *c);

#define PC_WINDOW64_SIZE GiB(32)
// Inputs of the I/O APIC: ISA's, PCI's four, then those of virtio devices of transport mmio.
enum { PC_SCI_IRQ = 9, PC_PCI_GSI = 16, PC_VIRTIO_GSI = 20, PC_VIRTIO_MAX = 12, PC_S5_TYPE = 5 };
extern const u16 pc_uart_ports[4];
extern const u8 pc_uart_irqs[4];

// pc_map.c: the component's connect.
bool pc_connect(struct component *c, struct error *err);

// pc_run.c, for pc_timed.c.
u64 pc_runnable(const struct pc *pc, const struct pc_limits *limits);
void pc_wait_for_event(struct pc *pc, const struct pc_limits *limits);
// By then the guest has to get on.
tick pc_stuck_at(const struct pc *pc, const struct pc_limits *limits);
// What follows from a core's run: counts, ends.
void pc_ran(struct pc *pc, u32 number, enum core_exit exit, u64 ran, bool stepped);

// pc_timed.c: while any model has a time of its own. One step: events, or one core for a while.
void pc_timed_step(struct pc *pc, const struct pc_limits *limits);
// Nothing is in flight any more.
void pc_timed_drain(struct pc *pc);

// pc_run.c: what cores tell the board.
void pc_before_device(void *context, struct component *core);
void pc_after_device(void *context, struct component *core, u32 cycles);
void pc_core_woken(void *context, struct component *core);
u64 pc_core_simop(void *context, struct component *core, u16 function);
void pc_user_interrupted(void *context, struct component *core);
void pc_port_written(void *context, u32 port);
void pc_memory_written(void *context, paddr addr);
void pc_control(struct component *root, enum control_request what, u32 value);
