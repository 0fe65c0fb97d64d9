// SPDX-License-Identifier: BSD-3-Clause
// Makes cases of a single instruction: the state before it, so that its operands are interesting
// and its addresses fall into the memory windows, at their edges, or outside on purpose.
#pragma once

#include "encode.h"

enum case_kind { CASE_KIND_INSN, CASE_KIND_BLOCK, CASE_KIND_SMC, CASE_KINDS };

// A state of the whole core at random: mode's segments, values of all kinds, flags, MXCSR, x87.
void gen_state(struct rng *r, u8 mode, struct case_state *ret);
// One case of a form, a function of seed alone. False if no instruction of the form was found.
bool gen_insn(const struct forms *f, const struct form *form, u64 seed, struct conform_case *ret);

// Ends the code of *c at c->code_len with the jump to CASE_STUB.
void gen_finish(struct conform_case *c);
// Puts bytes into the data windows, as far as they are there.
void gen_patch(struct conform_case *c, u64 address, const void *bytes, u32 size);
// The content of CASE_DATA before patches.
void gen_background(u8 *ret);
