// SPDX-License-Identifier: BSD-3-Clause
// Debug registers: SDM vol. 3B chapter 17.
#pragma once

#include "isa/x86/core.h"

// What a breakpoint waits for (R/W bits of DR7).
enum x86_break_on { X86_BREAK_EXEC, X86_BREAK_WRITE, X86_BREAK_IO, X86_BREAK_ACCESS };

static inline bool x86_breakpoints(const struct x86_core *c)
{
    return c->s.dr[7] & 0xff;
}

bool x86_data_breakpoints(const struct x86_core *c);
// Whether some enabled breakpoint waits for the execution of an instruction.
bool x86_code_breakpoints(const struct x86_core *c);
// DR6 bits of the breakpoints that an access or an instruction (size 1) hits.
u32 x86_breakpoint_hits(const struct x86_core *c, u64 linear, u32 size, u32 kinds);
// Remembers what a data or port access hits, for a trap behind the instruction.
void x86_note_data_access(struct x86_core *c, u64 linear, u32 size, bool write);
void x86_note_port_access(struct x86_core *c, u16 port, u32 size);
