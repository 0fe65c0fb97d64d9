// SPDX-License-Identifier: BSD-3-Clause
// Gives the operands of an instruction values: memory operands, explicit and implicit, get
// addresses in or at the edge of the windows, through the registers and displacements that make
// them up.
#pragma once

#include "encode.h"

// Changes c->in, adds patches to c and may change displacement and immediate of *in, which will lie
// at address `at`. False: this instruction had better not be executed; take another one.
bool operands_solve(const struct forms *f, struct rng *r, struct conform_case *c,
                    struct instance *in, u32 at);
