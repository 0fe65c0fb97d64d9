// SPDX-License-Identifier: BSD-3-Clause
// The oracle: a guarded child process that executes cases on the host's processor. Cases go in
// batches through shared memory; within a batch the child needs no system call, except for the
// signal that the kernel makes of an exception. The child may do nothing but wait and return from
// signals (seccomp), and is started anew when a case kills it.
#pragma once

#include "case.h"

#include "base/error.h"

enum { NATIVE_BATCH = 128 };

struct native;

// NULL when this host cannot be the oracle; ERROR_UNSUPPORTED then says why. `background` is the
// content of CASE_DATA before patches, CASE_DATA_PAGES pages.
struct native *native_new(const u8 *background, struct error *err);
void native_free(struct native *n);

// The slots that native_run reads and fills.
struct conform_case *native_case(struct native *n, u32 i);
const struct case_result *native_result(const struct native *n, u32 i);

// Executes cases 0..count-1. A case that kills the child ends as CASE_END_LOST, one that does not
// come to an end as CASE_END_LIMIT. False: the child cannot be started.
bool native_run(struct native *n, u32 count, struct error *err);
// The two halves of native_run, so that the caller can work meanwhile.
void native_start(struct native *n, u32 count);
bool native_wait(struct native *n, struct error *err);

// One more slot, outside the batches: for one case in between.
struct conform_case *native_spare_case(struct native *n);
const struct case_result *native_spare_result(const struct native *n);
bool native_run_spare(struct native *n, struct error *err);

// What CPUID of the host says: bit `bit` of register `reg` (0-3: EAX, EBX, ECX, EDX).
bool native_cpuid_bit(u32 leaf, u32 subleaf, u32 reg, u32 bit);

// Whether cases can have any bases of FS and GS. Otherwise (a kernel without user-mode FSGSBASE)
// those below 2^46 in 64-bit mode with null selectors, and 0 in 32-bit mode.
bool native_any_base(void);
// The modes that the host's kernel runs, as a bit set of enum case_mode.
u32 native_modes(void);
