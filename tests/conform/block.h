// SPDX-License-Identifier: BSD-3-Clause
// Random programs: 10 to 50 instructions with branches forward, one loop, calls and returns, memory
// operands, and flags that flow from one to the next; some change their own code. A program is a
// list of items, so that one that fails can be made smaller.
#pragma once

#include "encode.h"

enum { BLOCK_ITEMS = 56, BLOCK_ITEM_MAX = 32 };

enum block_link {
    LINK_NONE,
    LINK_REL8,  // a distance from the end of the instruction that holds it
    LINK_REL32, //
    LINK_ABS32, // an address
};

struct block_item {
    u8 bytes[BLOCK_ITEM_MAX];
    u8 len;
    u8 link;      // enum block_link
    u8 link_at;   // where in bytes
    u8 link_end;  // REL: end of the instruction that holds it
    u8 target;    // item that the link is to; n: the end
    u8 target_at; // bytes into it
    u32 flags_read, flags_defined, flags_undefined;
};

struct block_program {
    struct block_item item[BLOCK_ITEMS];
    u32 n;
    struct conform_case base; // everything but the code
};

// A program, a function of seed alone. smc: it writes into its own code.
bool block_generate(const struct forms *f, u8 mode, bool smc, u64 seed, struct block_program *ret);
// The case of a program. False if an instruction would read flags that are not defined.
bool block_assemble(const struct block_program *p, struct conform_case *ret);
// Takes item n out; links to it go to the one behind it.
void block_remove(struct block_program *p, u32 n);
