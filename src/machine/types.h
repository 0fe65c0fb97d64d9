// SPDX-License-Identifier: BSD-3-Clause
// The component types that machine descriptions may name: machine/types.def.
#pragma once

#include "sim/component.h"

extern const struct component_type *const machine_types[]; // NULL at the end
