// SPDX-License-Identifier: BSD-3-Clause
// A memory of fixed latency and limited bandwidth (component type `simple_memory`), for models in
// which DRAM does not matter.
#pragma once

#include "sim/component.h"

extern const struct component_type simple_memory_type;
