// SPDX-License-Identifier: BSD-3-Clause
// What every CPU model offers to those who drive it (the machine, user-mode emulation).
#pragma once

#include "isa/core.h"

struct cpu;

struct cpu_ops {
    const char *name; // "functional"
    // Runs the core until something leaves it or max_insts instructions are done.
    enum core_exit (*run)(struct cpu *cpu, u64 max_insts, u64 *ret_insts);
    // Asks a running CPU to come back soon with CORE_STOP; safe in a signal handler.
    void (*kick)(struct cpu *cpu);
    void (*free)(struct cpu *cpu);
};

struct cpu {
    const struct cpu_ops *ops;
    struct core *core; // borrowed: the slot that the model is active on
};

static inline enum core_exit cpu_run(struct cpu *cpu, u64 max_insts, u64 *ret_insts)
{
    return cpu->ops->run(cpu, max_insts, ret_insts);
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
