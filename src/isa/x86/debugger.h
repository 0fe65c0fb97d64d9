// SPDX-License-Identifier: BSD-3-Clause
// Breakpoints and watchpoints of a debugger that stands outside of the guest. Nothing in the guest
// shows them: no byte of its memory and none of its debug registers. Addresses are linear and hold
// in every address space. A breakpoint is an op at the start of a decoded block, so that blocks
// must be flushed when breakpoints change; watchpoints send every access of the core through the
// slow path (x86_core.watched). Without either, the engine is as if this were not there.
#pragma once

#include "base/types.h"

struct x86_core;

// Which accesses a watchpoint waits for; bits.
enum x86_watch_on { X86_WATCH_READ = 1, X86_WATCH_WRITE = 2, X86_WATCH_ACCESS = 3 };

struct x86_watch {
    u64 first, last; // bytes
    u32 on;          // enum x86_watch_on
};

struct x86_breaks {
    const u64 *code; // sorted
    u32 n_code, n_data;
    const struct x86_watch *data;
};

// Why the core left its engine with CORE_DEBUG.
enum x86_debug_hit { X86_HIT_NONE, X86_HIT_CODE, X86_HIT_DATA };

struct x86_debug {
    const struct x86_breaks *breaks; // of all cores; NULL: nobody debugs. Borrowed
    bool hold;                       // interrupts from outside wait: for single steps
    bool pass;                       // the breakpoint at pass_pc is passed once
    u8 hit;                          // enum x86_debug_hit
    u32 hit_on;                      // of the watchpoint
    u64 pass_pc;
    u64 hit_address; // the breakpoint; or the first byte of the watchpoint that was accessed
};

// Whether a block must end before this instruction and the next begin with a breakpoint.
bool x86_break_at(const struct x86_core *c, u64 linear);
// The breakpoint at `linear` is reached. True: the core stops before the instruction.
bool x86_break_reached(struct x86_core *c, u64 linear);
// An access was made: the core stops behind the instruction if somebody watches.
void x86_watch_access(struct x86_core *c, u64 linear, u32 size, bool write);

// Between two runs: forgets the last hit. `pass`: the instruction at the pc is executed even if
// there is a breakpoint.
void x86_debug_resume(struct x86_core *c, bool pass);
