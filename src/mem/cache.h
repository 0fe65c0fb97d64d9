// SPDX-License-Identifier: BSD-3-Clause
// The memory hierarchy of a machine's timing side (sim/timed.h), from components that name, each,
// what lies below:
//
//     system.cpu0.l1d  cache          next=system.l2        a client's port is its "timed_port"
//     system.cpu0.l1i  cache          next=system.l2
//     system.l2        cache          next=system.dram      shared: whoever names it is above it
//     system.dram      anything that provides "timed_port"
//
// A cache that is inclusive of those above (the default) keeps them coherent from sharer bits in
// its tags. Caches without an inclusive one below are kept coherent by a `directory`, or by a
// `snoop_bus`, which asks everyone:
//
//     system.cpu0.l2 … system.cpu7.l2   next=system.dir
//     system.dir   directory            next=system.l3
//     system.l3    cache                inclusion=exclusive next=system.dram
//
// An `interconnect` is named like any level and passes on to its targets: memories, or slices of a
// shared cache that lines are dealt out to:
//
//     system.cpu0.l2                    next=system.mesh
//     system.mesh  interconnect         targets=system.l3_0,system.l3_1 topology=mesh …
//
// Devices: DMA goes to the "timed_port" of a shared level (TIMED_DMA_READ, TIMED_DMA_WRITE), or of
// an interconnect.
// At rest (drained) the whole state is in the state lists: tags, states, replacement, sharers.
#pragma once

#include "base/error.h"
#include "base/types.h"

struct component;
struct sim;

extern const struct component_type cache_type, directory_type, snoop_bus_type,
    coherence_checker_type;

// Checks all lines of all levels of the machine: at most one may write, who may write is alone,
// sharer bits and inclusion hold. False: *err names the line and the levels.
bool coherence_check(struct sim *sim, struct error *err) MUST_CHECK;
