// SPDX-License-Identifier: BSD-3-Clause
// A translation look-aside buffer of the timing side, first or second level; provides "timed_tlb"
// (sim/timed.h). The last level has the page walker.
#pragma once

#include "sim/component.h"

extern const struct component_type tlb_type;
