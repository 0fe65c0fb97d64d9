// SPDX-License-Identifier: BSD-3-Clause
// What CPUID shows: named levels of the x86-64 psABI, with features added or taken away.
#pragma once

#include "base/error.h"
#include "isa/x86/core.h"
#include "isa/x86/feature.h"

enum { X86_MAXPHYADDR = 46 };

// The features of a level such as "x86-64-v3" or "x86-64-v2,+avx,-rdrand". Features that depend on
// one taken away go with it.
bool x86_cpuid_features(const char *level, u64 ret_features[4], struct error *err);

// Executes CPUID for the leaf and subleaf; regs: EAX, EBX, ECX, EDX.
void x86_cpuid(const struct x86_core *c, u32 leaf, u32 subleaf, u32 ret_regs[4]);

// The frequency that leaf 15H gives the crystal, which also is that of the local APICs' timers.
u32 x86_crystal_khz(u32 tsc_khz);
