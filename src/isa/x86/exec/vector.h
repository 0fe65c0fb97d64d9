// SPDX-License-Identifier: BSD-3-Clause
// What the functions for vector instructions share.
#pragma once

#include "isa/x86/mem.h"

// Executes *i on the host's units; mem: its memory operand, in host memory.
enum x86_result x86_vector_run(struct x86_core *c, const struct x86_insn *i, void *mem);

// The same while MXCSR has unmasked exceptions: #XM (#UD without CR4.OSXMMEXCPT) before anything
// but MXCSR's status is written. mem must be a copy of the memory operand.
enum x86_result x86_vector_run_trapping(struct x86_core *c, const struct x86_insn *i, void *mem);

// The SHA instructions, on hosts that lack them.
void x86_vector_sha(struct x86_core *c, const struct x86_insn *i, const void *mem);

// RCPPS, RSQRTPS and so on. False: *i is none of them.
bool x86_vector_approx(struct x86_core *c, const struct x86_insn *i, const void *mem);

// As x86_load, x86_probe_write and x86_store, for the instructions that alignment checks (#AC) do
// not concern.
enum x86_result x86_vector_load(struct x86_core *c, u64 linear, void *data, u32 size);
enum x86_result x86_vector_probe(struct x86_core *c, u64 linear, u32 size);
enum x86_result x86_vector_store(struct x86_core *c, u64 linear, const void *data, u32 size);

// MXCSR now, in the engine, where the host's register collects the status.
u32 x86_mxcsr_get(const struct x86_core *c);
// Replaces all of it. Call x86_update_mode afterwards: masks are part of the mode.
void x86_mxcsr_set(struct x86_core *c, u32 v);

enum { X86_MXCSR_MASK = 0xffff, X86_MXCSR_STATUS = 0x3f, X86_MXCSR_MASKS = 0x1f80 };

// MMX: #MF if an x87 exception waits.
enum x86_result x86_mmx_enter(struct x86_core *c);
// MMX instructions make all x87 registers valid and TOP 0 (SDM vol. 1 §9.5.1).
void x86_mmx_leave(struct x86_core *c);
