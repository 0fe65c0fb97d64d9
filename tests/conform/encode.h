// SPDX-License-Identifier: BSD-3-Clause
// One instruction of a given form with everything else at random: registers, addressing, prefixes,
// immediates.
#pragma once

#include "forms.h"
#include "values.h"

struct instance {
    u8 bytes[24];
    u8 len;
    ZydisDecodedInstruction i;
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
};

// Limits on what is chosen, for blocks of code.
struct encode_limits {
    u16 bases;   // GPRs that may be the base of a memory operand; 0: anything goes
    u16 indices; // GPRs that may be its index
    u16 written; // GPRs that must not be written
    bool plain;  // no odd prefixes
};

// False if no such instruction was found (limits may exclude all).
bool encode_random(const struct forms *f, const struct form *form, const struct encode_limits *l,
                   struct rng *r, struct instance *ret);
// Decodes ret->bytes again, after a change.
bool encode_decode(const struct forms *f, u8 mode, struct instance *ret);
