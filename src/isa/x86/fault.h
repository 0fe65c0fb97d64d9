// SPDX-License-Identifier: BSD-3-Clause
// Exceptions and interrupts reach their handlers (SDM vol. 3A chapter 6), and what a core looks at
// between two blocks.
#pragma once

#include "isa/x86/core.h"

// Delivers c->fault, which was raised with rip at the instruction (faults) or behind it (traps), as
// the guest sees it; double faults follow from it. CORE_CONTINUE: rip is that of the handler.
// CORE_EXCEPTION: user-mode emulation, nothing was done. CORE_SHUTDOWN: triple fault.
// CORE_WRONG_PATH: in speculation, nothing was done.
enum core_exit x86_deliver(struct x86_core *c);

// An external interrupt or NMI that is accepted now, whatever IF says. Results as x86_deliver.
enum core_exit x86_interrupt(struct x86_core *c, u8 vector);
enum core_exit x86_nmi(struct x86_core *c);

// INT n, INT3, INTO as instructions: s.rip becomes that of the handler, or the fault is raised that
// the instruction ends with. `next_rip` is what the handler returns to.
enum x86_result x86_software_interrupt(struct x86_core *c, u8 vector, u64 next_rip);

// core.isa->check_events. May lower the budget so that the next block has one instruction; the
// budget comes back with the next check.
enum core_exit x86_check_events(struct core *core);
bool x86_events_pending(const struct core *core); // isa_ops.pending
// The engine comes to x86_check_events after the current instruction (if that ends its block) or
// block: an interrupt may have become deliverable.
void x86_attention(struct x86_core *c);
// Likewise, and it then leaves the engine with `why` (CORE_STOP or CORE_YIELD), which is kept over
// the ends of runs.
void x86_stop(struct x86_core *c, enum core_exit why);
// Before and after a run (isa_ops.enter and leave).
void x86_events_enter(struct x86_core *c);
void x86_events_leave(struct x86_core *c);
// Holds back interrupts until after the next instruction (cause: x86_arch_state.int_shadow).
void x86_shadow_set(struct x86_core *c, u8 cause);

// Replaces the bits in `mask` of RFLAGS (POPF, IRET, SYSRET, CLI…), with what follows from them.
void x86_rflags_write(struct x86_core *c, u64 value, u64 mask);

// The board's side, at any time between two instructions: the state of the INTR line, an NMI edge,
// INIT and start-up interrupts from another core.
void x86_set_irq(struct x86_core *c, bool level);
void x86_set_nmi(struct x86_core *c);
void x86_init_ipi(struct x86_core *c);
void x86_startup_ipi(struct x86_core *c, u8 vector);
