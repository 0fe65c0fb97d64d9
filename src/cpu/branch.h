// SPDX-License-Identifier: BSD-3-Clause
// What a branch predictor is told of an instruction.
#pragma once

#include "cpu/bpred/bpred.h"
#include "isa/isa.h"

static inline struct branch branch_of(const struct static_inst *si)
{
    static const u8 kinds[8] = {
        [0] = BRANCH_JUMP,   [1] = BRANCH_INDIRECT,      // STATIC_INDIRECT
        [2] = BRANCH_CALL,   [3] = BRANCH_INDIRECT_CALL, // STATIC_CALL
        [4] = BRANCH_RETURN, [5] = BRANCH_RETURN,        // STATIC_RETURN
    };
    u32 kind = (si->flags & STATIC_RETURN ? 4u : 0) | (si->flags & STATIC_CALL ? 2u : 0) |
               (si->flags & STATIC_INDIRECT ? 1u : 0);

    return (struct branch){
        .pc = si->pc,
        .fall = si->pc + si->len,
        .target = si->flags & STATIC_INDIRECT ? 0 : si->target,
        .kind =
            si->flags & STATIC_CONDITIONAL ? (u8)BRANCH_CONDITIONAL : kinds[kind > 5 ? 5 : kind],
    };
}
