// SPDX-License-Identifier: BSD-3-Clause
// What every level of the hierarchy counts. Where gem5's caches count the same, names and units are
// gem5's (src/mem/cache/base.cc).
#pragma once

#include "sim/stats.h"
#include "sim/timed.h"

extern const char *const timed_kind_names[TIMED_KINDS + 1];

#define CACHE_STATS(S, SV, SH, SG, SR)                                                         \
    SV(overallHits, TIMED_KINDS, timed_kind_names, "Count", "Hits, of the right path")         \
    SV(overallMisses, TIMED_KINDS, timed_kind_names, "Count",                                  \
       "Misses, of the right path, those of lines under way included")                         \
    SV(wrongPathHits, TIMED_KINDS, timed_kind_names, "Count", "Hits of wrong paths")           \
    SV(wrongPathMisses, TIMED_KINDS, timed_kind_names, "Count", "Misses of wrong paths")       \
    S(overallMshrHits, "Count", "Misses of lines that were under way")                         \
    S(overallMshrMisses, "Count", "Misses that asked the level below")                         \
    S(upgrades, "Count", "Asked below for the permission to write, not for data")              \
    S(timedMisses, "Count", "Misses whose latency is in overallMissLatency")                   \
    S(overallMissLatency, "Tick", "From the access to its completion, misses")                 \
    SR(overallAvgMissLatency, overallMissLatency, timedMisses, "Tick/Count",                   \
       "Average latency of a miss")                                                            \
    S(blockedNoMshrs, "Count", "Turned away or kept waiting: no miss register or target free") \
    S(blockedNoBuffers, "Count", "Turned away or kept waiting: no write buffer free")          \
    S(blockedNoPorts, "Count", "Turned away or kept waiting: no port or bank free")            \
    S(replacements, "Count", "Lines that left for others")                                     \
    S(writebacks, "Count", "Dirty lines, or their data, handed to the level below")            \
    S(backInvalidations, "Count", "Lines that left since the level below lost them")           \
    S(probes, "Count", "Looked up for the level below")                                        \
    S(invalidations, "Count", "Lines taken away for another's write")                          \
    S(downgrades, "Count", "Lines that others may read, too, from now on")                     \
    S(cacheToCache, "Count", "Misses of caches above that another one above answered")         \
    S(pfIssued, "Count", "Lines asked for by the prefetcher")                                  \
    S(pfRedundant, "Count", "Prefetches of lines that were here or under way")                 \
    S(pfDropped, "Count", "Prefetches that nothing was free for")                              \
    S(pfUseful, "Count", "Lines that were prefetched and then used")                           \
    S(pfLate, "Count", "Lines that were wanted before their prefetch was done")                \
    S(pfUnused, "Count", "Lines that were prefetched and left unused")

STAT_STRUCT(cache_stats, CACHE_STATS);
