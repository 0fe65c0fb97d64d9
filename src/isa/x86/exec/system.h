// SPDX-License-Identifier: BSD-3-Clause
// Small helpers of the system instructions.
#pragma once

#include "isa/x86/exec/exec.h"
#include "isa/x86/fault.h"
#include "isa/x86/feature.h"
#include "isa/x86/segment.h"

// How a system instruction that is not a transfer ends.
static inline enum x86_result x86_end(struct x86_core *c, const struct x86_insn *i)
{
    c->s.rip = i->next_pc;
    return X86_OK;
}

// Store results of SGDT, SIDT, SLDT, SMSW and STR tell user programs too much (CR4.UMIP).
static inline bool x86_umip_forbids(const struct x86_core *c)
{
    return c->cpl > 0 && (c->s.cr4 & X86_CR4_UMIP);
}

// EDX:EAX.
static inline u64 x86_edx_eax(const struct x86_core *c)
{
    return (u64)(u32)c->s.gpr[X86_RDX] << 32 | (u32)c->s.gpr[X86_RAX];
}

static inline void x86_put_edx_eax(struct x86_core *c, u64 v)
{
    c->s.gpr[X86_RDX] = v >> 32;
    c->s.gpr[X86_RAX] = (u32)v;
}
