// SPDX-License-Identifier: BSD-3-Clause
// Quantities as people write them: "32KiB", "2.4GHz", "15ns", "1_000_000", "0x100". Exact: a value
// that is no whole number of the base unit is refused, not rounded.
#pragma once

#include "base/error.h"

enum unit {
    UNIT_NONE,  // a plain number; k, M, G are accepted as 10^3, 10^6, 10^9
    UNIT_BYTES, // B, KiB, MiB, GiB, TiB; kB and the like are refused as ambiguous
    UNIT_HERTZ, // Hz, kHz, MHz, GHz
    UNIT_TIME,  // ps, ns, us, ms, s; in ticks of 1 ps
};

// The message of *err is only the problem ("'12q' is no size: ..."); the caller says where.
bool unit_parse(const char *text, enum unit unit, u64 *ret_value, struct error *err) MUST_CHECK;

// The shortest exact text, readable by unit_parse.
void unit_format(u64 value, enum unit unit, char text[40]);
