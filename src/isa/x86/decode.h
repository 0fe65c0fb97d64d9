// SPDX-License-Identifier: BSD-3-Clause
// Decoding: bytes to a struct x86_insn, over Zydis.
#pragma once

#include "isa/x86/core.h"

enum { X86_MAX_LENGTH = 15 };

// Decodes the instruction at `bytes` (n of them can be read) as core *c would execute it now: in
// its code mode, with the features that it shows and the units that are switched on (c->mode). `pc`
// is the value of rip: next_pc and the branch target are derived from it, so they are offsets in
// the code segment.
//
// False only if the instruction continues behind the n bytes; never with n = X86_MAX_LENGTH. What
// cannot be executed decodes to an instruction that raises the right exception: its `def` is
// x86_undefined, and its si.len is 1 if it could not be decoded at all.
bool x86_decode(const struct x86_core *c, const u8 *bytes, u32 n, vaddr pc, struct x86_insn *ret);
