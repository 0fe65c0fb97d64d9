// SPDX-License-Identifier: BSD-3-Clause
// x86 state as text for people: disassembly and what an instruction changed.
#pragma once

#include "base/strbuf.h"
#include "isa/x86/core.h"

// Appends the instruction at the core's rip in Intel's notation, "(no memory)" or "(bad)".
void x86_show_insn(const struct x86_core *c, struct strbuf *out);

// Appends " name=value" for each register that differs; rip is left out. Both states are as outside
// of the engine (isa_ops.leave). Vector registers are written from the highest byte down.
void x86_show_effects(const struct x86_arch_state *before, const struct x86_arch_state *after,
                      struct strbuf *out);
