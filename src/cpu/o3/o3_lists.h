// SPDX-License-Identifier: BSD-3-Clause
// Parameters and statistics of the out-of-order CPU. Defaults are those of the Zen 5-like core.
#pragma once

#include "sim/component.h"

#define O3_PARAMS(P, PR, PB, PS, PC)                                                              \
    PS(icache, "", "Path of the instruction cache; empty: every fetch hits")                      \
    PS(dcache, "", "Path of the data cache; empty: every access takes hit_cycles")                \
    PS(itlb, "", "Path of the instruction TLB; empty: translation takes no time")                 \
    PS(dtlb, "", "Path of the data TLB; empty: translation takes no time")                        \
    PS(bpred, "", "Path of the branch predictor; empty: every branch is predicted")               \
    P(u32, number, 0, 0, 255, "Number of the core, which shared caches tell apart")               \
    P(hertz, clock, 3000000000, 1000000, 100000000000, "Clock")                                   \
    PC(kind, "zen5", "zen5|skylake|wide|small", "Ports and latencies (uop_timing.def)")           \
    PB(wrong_path, true, "Execute the path behind a mispredicted branch; else fetch waits")       \
    P(u32, fetch_bytes, 32, 4, 256, "Code bytes fetched per cycle for the decoders")              \
    P(u32, fetch_blocks, 2, 1, 8, "Taken branches that fetch follows per cycle")                  \
    P(u32, fetch_hit_cycles, 4, 1, 64, "Hit latency of the instruction cache; is in decode_path") \
    P(u32, fast_string, 32, 1, 64, "Bytes that repeated moves and stores do per micro-op")        \
    P(u32, decode_width, 8, 1, 32, "Instructions decoded per cycle")                              \
    P(u32, decode_path, 12, 2, 64, "Cycles from fetch to rename through the decoders")            \
    P(u32, microcode_rate, 8, 1, 32, "Micro-ops per cycle of microcoded instructions")            \
    P(u32, microcode_above, 4, 1, 16, "Instructions with more micro-ops are microcoded")          \
    PB(uop_cache, true, "There is a micro-op cache")                                              \
    P(u32, uop_cache_sets, 64, 1, 4096, "Sets of the micro-op cache")                             \
    P(u32, uop_cache_ways, 16, 1, 32, "Ways of the micro-op cache")                               \
    P(u32, uop_cache_line, 6, 1, 32, "Micro-ops per line of the micro-op cache")                  \
    P(u32, uop_cache_window, 64, 16, 64, "Code bytes that a line of it is from")                  \
    P(u32, uop_cache_lines, 2, 1, 8, "Lines of the micro-op cache read per cycle")                \
    P(u32, uop_cache_width, 12, 1, 32, "Micro-ops per cycle from the micro-op cache")             \
    P(u32, uop_cache_path, 9, 1, 64, "Cycles from fetch to rename through it")                    \
    P(u32, uop_queue, 160, 16, 512, "Micro-ops between fetch and rename")                         \
    PB(macro_fusion, true, "Compare and branch become one micro-op")                              \
    PB(micro_fusion, true, "Load and operation, store address and data take one slot")            \
    P(cycles, btb_bubble, 1, 0, 16, "Lost cycles per further BTB level that had the target")      \
    P(cycles, decode_resteer, 7, 0, 64, "Lost cycles when decode finds a branch of no BTB")       \
    P(cycles, redirect, 1, 0, 64, "Cycles from a branch's resolution to the new fetch")           \
    P(u32, branches, 192, 8, 1000, "Branches in flight")                                          \
    P(u32, rename_width, 8, 1, 32, "Micro-ops renamed and dispatched per cycle")                  \
    P(u32, retire_width, 8, 1, 32, "Micro-ops retired per cycle")                                 \
    P(u32, rob, 448, 4, 1024, "Entries of the reorder buffer")                                    \
    P(u32, int_registers, 240, 40, 4096, "Physical integer registers")                            \
    P(u32, vec_registers, 384, 40, 4096, "Physical vector registers")                             \
    P(u32, flag_registers, 192, 16, 4096, "Physical flag registers")                              \
    PB(move_elimination, true, "Moves between registers are done by renaming")                    \
    PB(zero_idioms, true, "Results that do not depend on the sources are done by renaming")       \
    P(u32, int_scheduler, 88, 1, 512, "Entries of the integer scheduler")                         \
    P(u32, mem_scheduler, 56, 1, 512, "Entries of the address scheduler")                         \
    P(u32, vec_scheduler, 114, 1, 512, "Entries of the vector scheduler")                         \
    P(u32, load_queue, 128, 1, 512, "Entries of the load queue")                                  \
    P(u32, store_queue, 104, 1, 512, "Entries of the store queue, also after retirement")         \
    P(cycles, hit_cycles, 3, 1, 64, "Data access without a data cache, behind the address")       \
    P(cycles, forward_cycles, 3, 1, 64, "Load from a store in the queue, behind the address")     \
    P(cycles, device_cycles, 100, 1, 100000, "An access to a device")                             \
    P(u32, store_drain, 2, 1, 8, "Stores that leave the queue per cycle")                         \
    P(u32, store_ahead, 8, 0, 64, "Retired stores behind the first that ask for their lines")     \
    PC(dependence, "store_sets", "store_sets|wait|none",                                          \
       "What loads do about older stores with unknown addresses")                                 \
    P(cycles, fault_cycles, 20, 0, 1000, "Entry to a handler of a fault or interrupt")            \
    P(u32, l1_cycles, 6, 1, 100000, "Longest load latency that counts as L1 in the CPI stack")    \
    P(u32, l2_cycles, 24, 1, 100000, "Longest load latency that counts as L2")                    \
    P(u32, l3_cycles, 80, 1, 100000, "Longest load latency that counts as L3")                    \
    P(u64, watchdog, 1000000, 1000, 1000000000000, "Cycles without a retirement that mean: stuck")

// Where the cycles went; each is in exactly one.
enum o3_cpi {
    O3_CPI_BASE,       // something retired
    O3_CPI_ICACHE,     // nothing in the window, because…
    O3_CPI_ITLB,       //
    O3_CPI_FRONTEND,   // bubbles of branch targets, decode, path lengths
    O3_CPI_BRANCH,     // bad speculation: a misprediction's path and refill
    O3_CPI_ORDER,      // likewise, memory order
    O3_CPI_L1,         // the oldest waits for a load, within L1's latency…
    O3_CPI_L2,         // …and within what these add to it
    O3_CPI_L3,         //
    O3_CPI_DRAM,       //
    O3_CPI_STORE,      // store queue full or not empty when it must be
    O3_CPI_CORE,       // latencies of units, dependences, ports
    O3_CPI_SERIALISED, // an empty pipeline is waited for, or its owner executes alone
    O3_CPI_DRAIN,      // nothing new may be executed
    O3_CPI_KINDS
};

extern const char *const o3_cpi_names[O3_CPI_KINDS];

// Slots of dispatch (rename_width per cycle), each in exactly one; in flight: not known yet.
enum o3_slots {
    O3_SLOTS_RETIRING,
    O3_SLOTS_BAD_SPECULATION,
    O3_SLOTS_FRONTEND,
    O3_SLOTS_BACKEND,
    O3_SLOTS_KINDS
};

extern const char *const o3_slot_names[O3_SLOTS_KINDS];

// gem5's names where gem5 has the quantity.
#define O3_STATS(S, SV, SH, SG, SR)                                                              \
    S(numCycles, "Cycle", "Cycles simulated")                                                    \
    S(committedInsts, "Count", "Instructions retired")                                           \
    S(committedOps, "Count", "Micro-ops retired")                                                \
    SR(cpi, numCycles, committedInsts, "(Cycle/Count)", "Cycles per instruction")                \
    SR(ipc, committedInsts, numCycles, "(Count/Cycle)", "Instructions per cycle")                \
    SV(cpiStack, O3_CPI_KINDS, o3_cpi_names, "Cycle", "Where the cycles went")                   \
    SV(slots, O3_SLOTS_KINDS, o3_slot_names, "Count", "Where the slots of dispatch went")        \
    SG(slotsInFlight, "Count", "Slots dispatched, neither retired nor squashed yet")             \
    S(fetchedInsts, "Count", "Instructions fetched, wrong paths included")                       \
    S(wrongPathInsts, "Count", "Instructions fetched on wrong paths")                            \
    S(fetchedBranches, "Count", "Branches fetched")                                              \
    S(icacheAccesses, "Count", "Lines fetched from the instruction cache")                       \
    S(icacheStallCycles, "Cycle", "Fetch waited for the instruction cache")                      \
    S(itlbStallCycles, "Cycle", "Fetch waited for the instruction TLB")                          \
    S(uopCacheHits, "Count", "Windows found in the micro-op cache")                              \
    S(uopCacheMisses, "Count", "Windows decoded")                                                \
    S(uopQueueFullEvents, "Cycle", "Fetch waited for rename")                                    \
    S(macroFused, "Count", "Compares fused with branches")                                       \
    S(branches, "Count", "Branches retired")                                                     \
    S(branchMispredicts, "Count", "Mispredicted branches that retired")                          \
    S(conditionalMispredicts, "Count", "Those that are conditional")                             \
    S(indirectMispredicts, "Count", "Those that are indirect jumps or calls")                    \
    S(returnMispredicts, "Count", "Those that are returns")                                      \
    S(wrongPathMispredicts, "Count", "Mispredictions on wrong paths")                            \
    S(decodeResteers, "Count", "Branches whose target decode found")                             \
    SR(mispredictRate, branchMispredicts, branches, "Ratio", "Mispredictions per branch")        \
    S(renamedOps, "Count", "Micro-ops renamed")                                                  \
    S(movesEliminated, "Count", "Moves done by renaming")                                        \
    S(zeroIdioms, "Count", "Zero idioms done by renaming")                                       \
    S(robFullEvents, "Cycle", "Rename waited for the reorder buffer")                            \
    S(iqFullEvents, "Cycle", "Rename waited for a scheduler")                                    \
    S(lqFullEvents, "Cycle", "Rename waited for the load queue")                                 \
    S(sqFullEvents, "Cycle", "Rename waited for the store queue")                                \
    S(registersFullEvents, "Cycle", "Rename waited for a physical register")                     \
    S(serialiseStallCycles, "Cycle", "Rename waited for an empty pipeline")                      \
    S(serialisingInsts, "Count", "Instructions that waited for an empty pipeline")               \
    S(issuedOps, "Count", "Micro-ops issued, replays included")                                  \
    SH(issueWidth, 13, 1, "Count", "Micro-ops issued per cycle")                                 \
    S(portConflicts, "Count", "Cycles that ready micro-ops waited for ports")                    \
    S(squashedInsts, "Count", "Instructions dropped")                                            \
    S(squashedOps, "Count", "Micro-ops dropped after rename")                                    \
    S(loads, "Count", "Loads that accessed memory or a store in the queue")                      \
    S(stores, "Count", "Stores retired")                                                         \
    S(forwLoads, "Count", "Loads that got their data from a store in the queue")                 \
    S(partialForwards, "Count", "Loads that waited for an overlapping store to leave the queue") \
    S(memOrderViolation, "Count", "Loads that had read too early, and all behind them")          \
    S(dependenceWaits, "Count", "Loads held back by the memory dependence predictor")            \
    S(cacheBlocked, "Count", "Loads that the data cache had no room for")                        \
    S(storeBlocked, "Count", "Stores that the data cache had no room for")                       \
    SH(loadLatency, 16, 0, "Cycle", "From issue to data")                                        \
    S(syncs, "Count", "Instructions that asked for the exact time")

PARAM_STRUCT(o3_params, O3_PARAMS);
STAT_STRUCT(o3_stats, O3_STATS);
