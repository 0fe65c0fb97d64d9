// SPDX-License-Identifier: BSD-3-Clause
// Inside of the timing CPU: timing.c is its life and its time, timing_issue.c what an instruction
// costs.
#pragma once

#include "cpu/front.h"
#include "cpu/timing/timing.h"
#include "sim/sim.h"
#include "sim/timed.h"

// Where instructions spend the time: the rows add up to all time that the model was active.
#define TIMING_REASONS(R)                                                \
    R(base, "issuing instructions")                                      \
    R(fetch, "waiting for instructions: cache or TLB")                   \
    R(branch, "fetching anew behind a branch")                           \
    R(load, "waiting for the result of a load")                          \
    R(data, "waiting for another result")                                \
    R(unit, "waiting for a unit")                                        \
    R(translation, "waiting for the address of data")                    \
    R(memory, "the data cache or the store buffer takes nothing now")    \
    R(serialising, "an instruction that waits for everything before it") \
    R(device, "accesses to devices")
#define TIMING_REASON_ENUM(name, doc) TIMING_##name,
enum timing_reason { TIMING_REASONS(TIMING_REASON_ENUM) TIMING_REASON_COUNT };

enum timing_group {
    GROUP_ANY,
    GROUP_ALU,
    GROUP_SHIFT,
    GROUP_MUL,
    GROUP_DIV,
    GROUP_AGU,
    GROUP_BRANCH,
    GROUP_FP,
    GROUP_VEC,
    TIMING_GROUPS
};

#define TIMING_PARAMS(P, PR, PB, PS, PC)                                                        \
    P(hertz, clock, 2000000000, 1000000, 100000000000, "Clock of the core")                     \
    P(u32, width, 2, 1, 4, "Instructions that begin in a cycle")                                \
    PC(latencies, "inorder", "unit|inorder",                                                    \
       "Latencies of units: one cycle for everything, or those of a small in-order core")       \
    P(u32, alus, 2, 1, 4, "Integer units")                                                      \
    P(u32, agus, 1, 1, 4, "Address generation units, each with a port to the data cache")       \
    P(u32, vector_units, 2, 1, 4, "Units for packed integers and logic")                        \
    P(u32, loads, 8, 1, 32, "Loads that may wait for memory")                                   \
    P(u32, stores, 8, 1, 64, "Stores in the buffer")                                            \
    P(u32, fetch_ahead, 4, 0, 64, "Cycles by which the next line is fetched early")             \
    P(u32, taken_bubble, 1, 0, 16, "Cycles that a taken branch costs")                          \
    P(u32, mispredict_penalty, 10, 0, 64, "Cycles from resolving a branch to the right path")   \
    P(u32, serialise_penalty, 10, 0, 1000, "Cycles of an exception or serialising instruction") \
    P(u32, microcode_rate, 2, 1, 16, "Micro-operations a cycle of microcoded instructions")     \
    P(u32, slack, 32, 0, 1000, "Instructions by which function may run ahead of time")          \
    PS(icache, NULL, "Path of the instruction cache")                                           \
    PS(dcache, NULL, "Path of the data cache")                                                  \
    PS(itlb, "", "Path of the instruction TLB; none: translation is free")                      \
    PS(dtlb, "", "Path of the data TLB")                                                        \
    PS(bpred, "", "Path of the branch predictor; none: it is always right")

extern const char *const timing_reason_names[];

#define TIMING_STATS(S, SV, SH, SG, SR)                                                  \
    S(numCycles, "Cycle", "Cycles of this model")                                        \
    S(committedInsts, "Count", "Instructions, each iteration of a repeated one counted") \
    SR(ipc, committedInsts, numCycles, "(Count/Cycle)", "Instructions per cycle")        \
    SR(cpi, numCycles, committedInsts, "(Cycle/Count)", "Cycles per instruction")        \
    SV(cpiStack, TIMING_REASON_COUNT, timing_reason_names, "Cycle", "Where cycles went") \
    S(loads, "Count", "Loads")                                                           \
    S(stores, "Count", "Stores")                                                         \
    S(branches, "Count", "Branches")                                                     \
    S(branchMispredicts, "Count", "Branches whose direction or target was mispredicted") \
    S(serialisations, "Count", "Instructions that waited for everything before them")

PARAM_STRUCT(timing_params, TIMING_PARAMS);
STATE_STRUCT(timing_state, NO_ROWS); // at rest nothing is in flight
STAT_STRUCT(timing_stats, TIMING_STATS);

enum { LOADS_MAX = 32, STORES_MAX = 64, UNITS_MAX = 4, LOAD_REGS = 4 };
// Tokens: loads and stores have their own number, these wait alone.
enum { TOKEN_STORE = 64, TOKEN_FETCH = 128, TOKEN_ITLB, TOKEN_DTLB };
#define NOT_YET (~(tick)0)

// A load that waits for memory, and the registers that come from it.
struct load {
    u8 n;
    u8 reg[LOAD_REGS];
    u16 latency[LOAD_REGS]; // cycles behind the data
    bool live;
};

enum fetch_stage { FETCH_TRANSLATE, FETCH_ASK, FETCH_ASKED };
enum phase { PHASE_FETCH, PHASE_ISSUE, PHASE_UOPS };

// Where the current instruction is. Everything here starts anew with each one.
struct cursor {
    u32 inst; // number in the batch
    enum phase phase;
    u8 uop;
    u8 piece;                  // of the current access: one that crosses lines has several
    bool translated, accessed; // of the current piece
    bool begun;
    i32 token;                 // of the load that the current uop waits for; -1: none
    tick data;                 // when the data of its access is there
    tick resolved;             // when its branch is
    u32 next_read, next_write; // references in the batch
    u64 local[2];              // registers that it has written itself
};

struct timing {
    struct component base;
    struct timing_params p;
    struct timing_state st;
    struct timing_stats n;
    WIRED(struct component *icache);
    WIRED(struct component *dcache);
    WIRED(struct component *itlb); // NULL: none
    WIRED(struct component *dtlb); //
    WIRED(struct component *bpred);
    WIRED(const struct timed_port_ops *icache_ops);
    WIRED(const struct timed_port_ops *dcache_ops);
    WIRED(const struct timed_tlb_ops *itlb_ops);
    WIRED(const struct timed_tlb_ops *dtlb_ops);
    WIRED(struct cpu cpu);
    WIRED(struct front front);
    WIRED(struct timed_client client);
    WIRED(struct timed_walker walker);
    WIRED(tick *latest_read);
    DERIVED(tick period);
    DERIVED(u8 units[TIMING_GROUPS]); // of each group
    // All that follows is empty when nothing is in flight.
    DERIVED(struct cursor at);
    DERIVED(u32 slots);           // instructions begun in this cycle
    DERIVED(enum core_exit held); // why the core left, to be said when all is done
    DERIVED(tick wake);           // when to try again; NOT_YET: when an event has fired
    DERIVED(enum timing_reason why);
    DERIVED(vaddr fetch_line);
    DERIVED(vaddr fetch_page);
    DERIVED(bool redirected); // the next line is not fetched early
    DERIVED(bool fetching);   // a line or its translation is on its way
    DERIVED(u8 fetch_stage);  // enum fetch_stage
    DERIVED(bool translating);
    DERIVED(u32 epoch); // of the mappings that the TLBs hold
    DERIVED(tick group_free[TIMING_GROUPS][UNITS_MAX]);
    DERIVED(tick ready[UOP_REGS]); // NOT_YET: with load `source`
    DERIVED(u8 source[UOP_REGS]);
    DERIVED(bool from_load[UOP_REGS]); // what a wait for it is called
    DERIVED(struct load load[LOADS_MAX]);
    DERIVED(u32 loads);
    DERIVED(tick store_done[STORES_MAX]);
    DERIVED(u32 store_head);
    DERIVED(u32 stores);
};

// Time goes on to `when` (not a multiple of cycles, perhaps), for a reason.
static inline void timing_advance(struct timing *t, tick when, enum timing_reason why)
{
    u64 cycles;

    if (when <= t->cpu.now)
        return;
    cycles = (when - t->cpu.now + t->period - 1) / t->period;
    t->cpu.now += cycles * t->period;
    t->n.numCycles += cycles;
    if (t->slots) { // instructions began in the first of these
        t->n.cpiStack[TIMING_base]++;
        cycles--;
        t->slots = 0;
    }
    t->n.cpiStack[why] += cycles;
}

// timing_issue.c: the current instruction goes on. False: it waits, t->wake and t->why say for
// what.
bool timing_execute(struct timing *t);
// When nothing waits for memory; NOT_YET: an event decides.
tick timing_quiet_at(const struct timing *t);
static inline bool timing_quiet(const struct timing *t)
{
    return timing_quiet_at(t) <= t->cpu.now;
}
