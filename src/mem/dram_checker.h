// SPDX-License-Identifier: BSD-3-Clause
// The JEDEC timing checker of a DRAM channel: sees every command that a controller issues and
// verifies every constraint between it and what went before, from the standard's numbers and its
// own record of the past; it knows nothing of the scheduler. Time counts in clocks.
#pragma once

#include "base/arena.h"
#include "mem/dram_timings.h"

enum dram_command_kind {
    DRAM_ACT,
    DRAM_PRE,
    DRAM_PREA, // all banks of the rank
    DRAM_RD,
    DRAM_RDA, // RD, and the bank precharges itself
    DRAM_WR,
    DRAM_WRA,
    DRAM_REF,
    DRAM_REFPB, // a set of banks
    DRAM_PDE,   // power-down, entry
    DRAM_PDX,   // and exit
    DRAM_COMMANDS
};

struct dram_command {
    u64 when; // clock
    u32 kind, rank;
    u32 bank; // of the rank; of REFPB: the set
    u32 row;  // of ACT, RD, WR
};

struct dram_checker;

struct dram_checker *dram_checker_new(struct arena *arena, const struct dram_standard *s,
                                      u32 ranks);
// Forgets the past: at clock `now` all banks are precharged and refreshed.
void dram_checker_reset(struct dram_checker *c, u64 now);
// NULL, or the constraint that is violated, in a text that lives until the next call.
const char *dram_checker_command(struct dram_checker *c, const struct dram_command *command);
// A row was opened without commands (functional warming); row ~0: closed.
void dram_checker_warm(struct dram_checker *c, u32 rank, u32 bank, u32 row);
// After a reset: the set that a rank refreshes next, and whether it is in power-down.
void dram_checker_resume(struct dram_checker *c, u32 rank, u32 set, bool down);
// That many clocks passed in which a whole number of refreshes ran as before.
void dram_checker_skip(struct dram_checker *c, u64 clocks);
const char *dram_command_name(u32 kind);
