// SPDX-License-Identifier: BSD-3-Clause
// The instruction trace: a CPU around a CPU that writes a line for each instruction.
//
//     cpu0 0x401136: mov eax, 0x5                       rax=0x5
//     # cpu0 from outside: rax=0x3                      (a system call's result, another task)
#pragma once

#include "base/error.h"
#include "cpu/cpu.h"

struct insn_trace;

// Writes to `path`, "-" is standard error. NULL and *err on failure.
struct insn_trace *insn_trace_new(const char *path, struct error *err);
// Writes out what is buffered; false when not everything could be written. NULL is fine.
bool insn_trace_flush(struct insn_trace *trace, struct error *err) MUST_CHECK;
void insn_trace_free(struct insn_trace *trace);

// A CPU that behaves as `inner`, instruction by instruction, and traces. Takes over `inner`, which
// must be on an x86 core; the trace must live longer.
struct cpu *insn_trace_wrap(struct insn_trace *trace, struct cpu *inner);
