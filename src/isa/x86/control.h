// SPDX-License-Identifier: BSD-3-Clause
// Writing control and debug registers, with all checks and what follows (SDM vol. 3A §2.5, §4,
// vol. 3B §17.2).
#pragma once

#include "isa/x86/core.h"

enum x86_result x86_cr0_write(struct x86_core *c, u64 v);
enum x86_result x86_cr3_write(struct x86_core *c, u64 v);
enum x86_result x86_cr4_write(struct x86_core *c, u64 v);
enum x86_result x86_cr8_write(struct x86_core *c, u64 v);
void x86_dr_write(struct x86_core *c, u32 n, u64 v);
