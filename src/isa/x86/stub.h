// SPDX-License-Identifier: BSD-3-Clause
// Vector and MMX instructions on the host's own units. For a guest instruction a small piece of
// host code, its stub, is made: it loads the guest's registers from struct x86_core into fixed host
// registers, executes the same operation with them, and stores the results and flags back. A memory
// operand is [rdx], a host pointer that the caller found. Results, MXCSR flags included, are the
// host's own, bit for bit.
//
// Upper halves: a legacy SSE instruction stores 16 bytes, a VEX one zero-extends to 32. Stubs use
// VEX encodings where the host has AVX, accept unaligned host pointers (the caller checks the
// guest's alignment rules), and may leave the host's upper halves dirty.
//
// Stubs depend on no core and on no address: they live until the arena is freed, at most a few MiB
// of them; what does not fit any more is made again at each execution, slowly. An arena is used by
// one thread. Pages are writable or executable, never both; forked processes get copies.
#pragma once

#include "isa/x86/core.h"

struct x86_stubs;

// A stub is a handler of threaded code with one more argument, the host pointer of the memory
// operand (anything else if the instruction has none): afterwards it passes on to op + 1.
typedef const struct op *x86_stub_fn(struct core *c, const struct op *op, void *mem);

// NULL and *err if the host refuses executable memory.
struct x86_stubs *x86_stubs_new(struct error *err);
void x86_stubs_free(struct x86_stubs *s);

// Whether the host has the SHA instructions: those alone are not needed (isa/x86/exec/sha.c).
bool x86_stubs_host_has_sha(const struct x86_stubs *s);
// For tests: from now on as on a host without AVX and SHA. Stubs made before stay.
void x86_stubs_pretend_old_host(struct x86_stubs *s);

// Says whether this host can execute the vector instructions of all `features` (as in
// x86_core.features); fills *err with one sentence if not.
bool x86_stubs_host_supports(const u64 features[4], struct error *err);

// The stub of the instruction in bytes[0..len), a valid one in that mode; made at the first call.
// NULL if the instruction cannot be executed so, or if the arena is full.
x86_stub_fn *x86_stub_find(struct x86_stubs *s, enum x86_code_mode mode, const u8 *bytes, u32 len);

// The same for a decoded instruction; quick for a form that was asked for before.
x86_stub_fn *x86_stub_of(struct x86_stubs *s, const struct x86_insn *i);

// After stubs were executed and before other code goes on for long: clears the host's upper halves
// (SDM Optimization Reference Manual, "Mixing AVX Code with SSE Code").
void x86_stubs_done(void);

// Calls a stub as a function.
void x86_stub_call(x86_stub_fn *stub, struct x86_core *c, void *mem);
// Makes, calls and forgets a stub. False if the instruction cannot be executed so.
bool x86_stub_call_once(struct x86_stubs *s, struct x86_core *c, enum x86_code_mode mode,
                        const u8 *bytes, u32 len, void *mem);
