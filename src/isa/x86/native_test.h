// SPDX-License-Identifier: BSD-3-Clause
// For tests: the host's processor executes an instruction with a given state of all its registers,
// in this process; faults are caught. One thread.
#pragma once

#include "isa/x86/core.h"

struct native {
    u64 gpr[16];
    u64 rflags;
    u64 pad;
    _Alignas(16) u8 fx[512]; // FXSAVE64 image: x87 and MXCSR count, XMM registers do not
    u8 ymm[16][32];
};

enum native_fault { NATIVE_OK, NATIVE_SEGV, NATIVE_FPE, NATIVE_ILL, NATIVE_OTHER };

// Executable and writable memory of the test, below 4 GiB.
u8 *native_memory(u64 bytes);
void native_memory_free(u8 *p, u64 bytes);

// Executes bytes[0..len) at `code`, where 16 bytes are overwritten. RSP is left alone. After a
// fault *n is the state at the instruction; ymm is then unknown.
enum native_fault native_run(struct native *n, u8 *code, const u8 *bytes, u32 len);

// A core of level x86-64-v3 in 64-bit mode without paging, which no processor has, whose memory is
// this process's below 4 GiB.
struct x86_core *native_core_new(void);
void native_core_free(struct x86_core *c);

// The state of n to and from a core; x86_core.s.mxcsr too.
void native_to_core(const struct native *n, struct x86_core *c);
void native_from_core(struct native *n, const struct x86_core *c);

// Executes one instruction at `code`, from *in to *ret, as an engine would.
enum x86_result native_core_run(struct x86_core *c, const u8 *code, const struct native *in,
                                struct native *ret);
