// SPDX-License-Identifier: BSD-3-Clause
#include "cpu/o3/uop_timing.h"

#define KIND(n, text) \
    {                 \
        .name = #n, .doc = text,
#define GROUP(n, number, ports) .group[number] = (ports),
#define T(c, l, i, u, p) \
    .class[UOP_##c] = {.latency = (l), .interval = (i), .unit = (u), .ports = (p)},
// clang-format off
#define END() },

const struct o3_kind o3_kinds[O3_KINDS] = {
#include "cpu/o3/uop_timing.def"
};
// clang-format on
