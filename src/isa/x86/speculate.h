// SPDX-License-Identifier: BSD-3-Clause
// Execution that will be undone: isa_ops.speculate and rewind. While core.speculation is not 0
//
// * registers and all else that instructions change in the core are what the last rewind will bring
//   back; what the board changes meanwhile (interrupt line, NMI, TSC deadline) stays;
// * stores go to copies of their pages, which only this core's loads see; what a level has stored
//   over the copies of the levels below is in a log;
// * translations are looked up in TLBs of their own, which are empty at the start of the outermost
//   level; the real ones are read but never filled, and no accessed or dirty bit is set;
// * page walks and instruction fetch see memory without the stores: a processor, too, keeps them in
//   its store queue until they retire;
// * what cannot be undone (exceptions, devices, instructions with INSN_LASTING), and what finds no
//   more room for copies or in the log, ends the run with CORE_WRONG_PATH. X86_FAULT from whatever
//   executes an instruction means that, too: no exception is delivered.
#pragma once

#include "isa/x86/core.h"

u32 x86_speculate(struct core *core);
// A level that is no more (the core was reset meanwhile) is none to come back from.
void x86_rewind(struct core *core, u32 level);
void x86_speculation_free(struct x86_core *c);

// Speculation ends without coming back: the state was replaced as a whole.
void x86_speculation_forget(struct x86_core *c);

// The state that counts: without what is speculative.
const struct x86_arch_state *x86_speculation_state(const struct x86_core *c);
// The board sets a field of the state, between two instructions.
void x86_speculation_set_nmi(struct x86_core *c);
void x86_speculation_set_deadline(struct x86_core *c, u64 deadline);

// Which TLB the engine may use for explicit accesses. NULL: none.
struct core_tlb *x86_speculation_tlb(struct x86_core *c, enum core_access access);
// The real TLBs were emptied from outside.
void x86_speculation_flush(struct x86_core *c);

// Finds the byte at `linear` for an explicit or implicit access. On success *ret_host is where this
// core sees it, up to the end of its page; for writing, x86_speculation_log comes first.
enum x86_result x86_speculation_locate(struct x86_core *c, u64 linear, enum core_access access,
                                       enum x86_privilege privilege, paddr *ret_pa, u8 **ret_host);
// Remembers `size` bytes within one page that are about to be overwritten. False: no room.
bool x86_speculation_log(struct x86_core *c, const u8 *host, u32 size);
