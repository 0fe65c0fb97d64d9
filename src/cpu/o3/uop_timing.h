// SPDX-License-Identifier: BSD-3-Clause
// What a kind of core takes for each class of micro-operations (uop_timing.def).
#pragma once

#include "isa/isa.h"

enum { O3_PORTS_MAX = 32, O3_GROUPS = 3, O3_UNITS = 8 };

struct o3_class {
    u8 latency, interval;
    u8 unit; // 0: pipelined
    u32 ports;
};

struct o3_kind {
    const char *name, *doc;
    u32 group[O3_GROUPS]; // ports behind the schedulers int, mem, vec; 0: there is none
    struct o3_class class[UOP_CLASSES];
};

enum { O3_KINDS = 4 };

// By the index of the parameter `kind`.
extern const struct o3_kind o3_kinds[O3_KINDS];
