// SPDX-License-Identifier: BSD-3-Clause
// Model-specific registers (SDM vol. 4), and the time stamp counter.
#pragma once

#include "isa/x86/core.h"

// What RDMSR and WRMSR do at CPL 0; false means #GP(0).
bool x86_msr_read(struct x86_core *c, u32 index, u64 *ret);
bool x86_msr_write(struct x86_core *c, u32 index, u64 value);

// The time stamp counter, exact for an instruction that ends its block.
u64 x86_tsc(struct x86_core *c);
