// SPDX-License-Identifier: BSD-3-Clause
// What the standards say of DRAM devices (dram_standards.def), in clocks of the command bus.
#pragma once

#include "base/types.h"

enum dram_rounding {
    DRAM_ROUND_UP,   // to the next clock
    DRAM_ROUND_DDR4, // JESD79-4: up, but for an excess of less than 2.6 % of a clock
    DRAM_ROUND_DDR5, // JESD79-5: up, after 0.3 % were taken off
};

// All timings, in clocks. The distances between commands that follow from them are in
// dram_schedule.c, and once more, independently, in dram_checker.c.
#define DRAM_TIMINGS(T)                                              \
    T(tCL)       /* RD to data */                                    \
    T(tCWL)      /* WR to data */                                    \
    T(tRCD)      /* ACT to RD */                                     \
    T(tRCD_WR)   /* ACT to WR */                                     \
    T(tRP)       /* PRE to ACT */                                    \
    T(tRPab)     /* PRE of all banks to ACT */                       \
    T(tRAS)      /* ACT to PRE */                                    \
    T(tRC)       /* ACT to ACT of a bank */                          \
    T(tRRD_S)    /* ACT to ACT of another bank group */              \
    T(tRRD_L)    /* the same bank group */                           \
    T(tFAW)      /* no five ACT within */                            \
    T(tCCD_S)    /* RD to RD, WR to WR, another bank group */        \
    T(tCCD_L)    /* RD to RD, the same bank group */                 \
    T(tCCD_L_WR) /* WR to WR, the same bank group */                 \
    T(tWTR_S)    /* end of write data to RD, another bank group */   \
    T(tWTR_L)    /* the same bank group */                           \
    T(tWR)       /* end of write data to PRE */                      \
    T(tRTP)      /* RD to PRE */                                     \
    T(tTURN)     /* RD to WR, beyond tCL + burst - tCWL */           \
    T(tRTRS)     /* gap on the data bus when the rank changes */     \
    T(tRFC)      /* REF of all banks to ACT */                       \
    T(tREFI)     /* REF to REF, on average at most */                \
    T(tRFCpb)    /* REF of a set of banks to ACT of these banks */   \
    T(tREFIpb)   /* REF of a set to REF of the next one, at most */  \
    T(tPBR2PBR)  /* the same, at least */                            \
    T(tPBR2ACT)  /* REF of a set to ACT of another bank, at least */ \
    T(tXP)       /* end of power-down to a command */                \
    T(tCKE)      /* least stay in power-down */

struct dram_limit {
    u32 clocks, ps;
};

struct dram_standard {
    const char *name, *doc;
    u32 tCK_ps, rounding, beats_per_clock, burst_beats;
    u32 width_bits; // of a channel
    u32 bank_groups, banks_per_group, rows;
    u32 columns;      // of width_bits each
    u32 refresh_sets; // bank b is refreshed with set b % refresh_sets; 0: only all at once
    u32 activate_slots, column_slots; // clocks on the command bus
#define DRAM_TIMING_LIMIT(name) struct dram_limit name;
    DRAM_TIMINGS(DRAM_TIMING_LIMIT)
};

struct dram_timings {
#define DRAM_TIMING_MEMBER(name) u32 name;
    DRAM_TIMINGS(DRAM_TIMING_MEMBER)
    u32 burst; // clocks of data of a column command
};

// One row of dram_standards.def, for reference pages.
struct dram_source {
    const char *standard, *name, *source;
};

extern const struct dram_standard dram_standards[];
extern const unsigned dram_standards_count;
extern const struct dram_source dram_sources[];
extern const unsigned dram_sources_count;

// The choices of a PC parameter, in the order of dram_standards[].
#define DRAM_STANDARD_NAMES "ddr3-1600|ddr4-2400|ddr4-3200|ddr5-4800|lpddr5-6400|hbm2-2000"

void dram_timings_resolve(const struct dram_standard *s, struct dram_timings *ret);
static inline u32 dram_standard_banks(const struct dram_standard *s)
{
    return s->bank_groups * s->banks_per_group;
}
