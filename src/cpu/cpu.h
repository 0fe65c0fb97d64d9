// SPDX-License-Identifier: BSD-3-Clause
// What every CPU model offers to those who drive it (the machine, user-mode emulation).
#pragma once

#include "isa/core.h"

struct cpu;

struct cpu_ops {
    const char *name; // "functional"
    // Runs the core until something leaves it or max_insts instructions are done. A timed model
    // also comes back, with CORE_LIMIT, once its time has reached `until`; it leaves for any other
    // reason only when nothing is in flight. Models without timing ignore `until`.
    enum core_exit (*run)(struct cpu *cpu, u64 max_insts, tick until, u64 *ret_insts);
    // Asks a running CPU to come back soon with CORE_STOP; safe in a signal handler.
    void (*kick)(struct cpu *cpu);
    // Timed models: whether nothing is in flight, so that another model may take over. While it is
    // asked to drain, or to run no instructions, run executes no new ones.
    bool (*drained)(const struct cpu *cpu);
    // What is in flight is forgotten, with the reason to leave that it would have had: the core's
    // state is that after its last instruction on the right path, and may be replaced.
    void (*abandon)(struct cpu *cpu);
    // The core's state is looked at from outside: it becomes what abandon says, but nothing else is
    // forgotten.
    void (*settle)(struct cpu *cpu);
    // The model becomes the one of its core, which other models may have changed; its time goes on
    // from `now`. And the opposite. Both only with nothing in flight. NULL: nothing to do.
    void (*activate)(struct cpu *cpu, tick now);
    void (*deactivate)(struct cpu *cpu);
    // Timed models, while an instruction accesses a device: that took so many cycles.
    void (*stall)(struct cpu *cpu, u64 cycles);
    void (*free)(struct cpu *cpu);
};

struct cpu {
    const struct cpu_ops *ops;
    struct core *core; // borrowed: the slot that the model is active on
    bool timed;        // has a time of its own
    bool draining;     // timed models: execute nothing new
    tick now; // of a timed model: that of its core. The machine may move it on when nothing
              // is in flight: the core had nothing to do
};

static inline enum core_exit cpu_run(struct cpu *cpu, u64 max_insts, u64 *ret_insts)
{
    return cpu->ops->run(cpu, max_insts, ~(tick)0, ret_insts);
}

static inline enum core_exit cpu_run_until(struct cpu *cpu, u64 max_insts, tick until,
                                           u64 *ret_insts)
{
    return cpu->ops->run(cpu, max_insts, until, ret_insts);
}

static inline bool cpu_drained(const struct cpu *cpu)
{
    return !cpu->ops->drained || cpu->ops->drained(cpu);
}

static inline void cpu_abandon(struct cpu *cpu)
{
    if (cpu->ops->abandon)
        cpu->ops->abandon(cpu);
}

static inline void cpu_settle(struct cpu *cpu)
{
    if (cpu->ops->settle)
        cpu->ops->settle(cpu);
}

static inline void cpu_activate(struct cpu *cpu, tick now)
{
    if (cpu->ops->activate)
        cpu->ops->activate(cpu, now);
}

static inline void cpu_deactivate(struct cpu *cpu)
{
    if (cpu->ops->deactivate)
        cpu->ops->deactivate(cpu);
}

static inline void cpu_kick(struct cpu *cpu)
{
    if (cpu->ops->kick)
        cpu->ops->kick(cpu);
}

static inline void cpu_free(struct cpu *cpu)
{
    if (cpu)
        cpu->ops->free(cpu);
}
