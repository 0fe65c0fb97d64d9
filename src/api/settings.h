// SPDX-License-Identifier: BSD-3-Clause
// The settings of a machine that runs one program.
#pragma once

#include "sim/params.h"

// clang-format off
#define SETTINGS(P, PR, PB, PS, PC)                                                                \
    P(u32, cpus, 1, 1, 64, "Number of simulated CPUs.")                                            \
    PC(cpu, "functional", "functional|timing|o3", "CPU model to begin with.")                      \
    PS(machine, "", "Built-in description of the processor, for models with timing.")              \
    PS(switch_at, "", "Changes of the CPU model: 'timing@1ms,o3@roi,cpu1:o3@100kinsts,functional@operation'.") \
    PS(switch_every, "", "Time ('1us') or number of instructions ('1insts') after which all CPUs change to another model.") \
    PS(switch_among, "functional,timing,o3", "The models that switch_every and the guest's operation choose among, at random.") \
    PS(stats_every, "", "Time ('1us') or number of instructions ('1kinsts') of an interval of the statistics.") \
    PB(roi, false, "Whether statistics are of what lies between the guest's work-begin and work-end only.") \
    PB(warm, false, "Whether the functional model keeps caches and predictors warm.")              \
    PC(cpuid, "x86-64-v3", "x86-64-v1|x86-64-v2|x86-64-v3", "The instruction set that the guest sees.") \
    P(bytes, mem, GiB(4), MiB(16), GiB(1024), "Memory of the guest.")                              \
    P(hertz, clock, 2000000000, 1000000, 1000000000000, "Clock of the CPUs.")                      \
    P(u64, quantum, 10000, 1, 1000000000, "Instructions that a CPU runs before the next has its turn.") \
    P(u64, seed, 1, 0, UINT64_MAX, "Seed of everything that is random to the guest.")              \
    P(u64, max_insts, 0, 0, UINT64_MAX, "Instructions of all CPUs together after which the run ends; 0: no limit.") \
    P(ticks, max_time, 0, 0, UINT64_MAX, "Simulated time after which the run of a computer ends; 0: no limit.") \
    P(ticks, stuck_after, 0, 0, UINT64_MAX, "Time of a computer that is busy without getting on after which its run ends; 0: none.") \
    PB(traced, false, "Whether the engine emits a record for each instruction into a counting consumer.")
// clang-format on

PARAM_STRUCT(settings, SETTINGS);
extern const struct param_field settings_fields[];

// Index of the setting, or -1 and an error that names the nearest.
int settings_find(const char *path, struct error *err);

// An unknown path or a value out of bounds is an error that says what would be valid. Texts go to
// the arena.
bool settings_set(struct settings *s, const char *path, const char *value, struct arena *arena,
                  struct error *err) MUST_CHECK;
