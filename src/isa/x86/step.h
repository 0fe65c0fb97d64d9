// SPDX-License-Identifier: BSD-3-Clause
// One instruction at a time, without an engine: for tests and tools.
#pragma once

#include "isa/x86/core.h"

// Fetches and decodes the instruction at rip. X86_FAULT: the fetch faults (core->fault).
enum x86_result x86_fetch(struct x86_core *c, struct x86_insn *ret);

// Executes the instruction at rip, once (X86_AGAIN: an iteration of it), and moves rip on. A fault
// is not delivered: core->fault says which. What was executed is in *ret.
enum x86_result x86_step(struct x86_core *c, struct x86_insn *ret);
