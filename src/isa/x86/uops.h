// SPDX-License-Identifier: BSD-3-Clause
// Uop recipes: what an instruction is to a timing model. A recipe is made from the instruction's
// operands when a block is decoded for the traced engine.
#pragma once

#include "isa/x86/insn.h"

// How the recipe of a row is composed. COMPUTE, the usual case: a load for a memory source, the
// computation, store address and store data for a memory destination.
enum x86_recipe {
    RECIPE_COMPUTE,
    RECIPE_MOVE,      // as COMPUTE, but a load or store alone computes nothing
    RECIPE_LEA,       // address arithmetic, no access
    RECIPE_PUSH,      // store to the stack, stack pointer update
    RECIPE_POP,       //
    RECIPE_CALL,      // push of the return address, branch
    RECIPE_RET,       // pop, indirect branch
    RECIPE_BRANCH,    // compare-free branch on flags or always; indirect ones may load
    RECIPE_XCHG,      // three moves; locked with memory
    RECIPE_STRING,    // one iteration of MOVS, STOS, LODS, CMPS, SCAS, INS, OUTS
    RECIPE_DIV,       // several uops
    RECIPE_SPLIT,     // two computations (256-bit work in halves, horizontal operations)
    RECIPE_GATHER,    // a load per element
    RECIPE_MICROCODE, // UOP_SYSTEM many times
    RECIPE_NONE,      // NOP, prefetch hints without effect
};

enum { X86_RECIPE_MAX = UOPS_MAX };

// Register numbers of uops (isa/isa.h): GPRs are 0-15.
enum x86_uop_reg {
    X86_UREG_RSP = 4,
    X86_UREG_CF = 17,
    X86_UREG_OF = 18,
    X86_UREG_ZAPS = 19, // SF, ZF, AF, PF
    X86_UREG_DF = 20,
    X86_UREG_MXCSR = 21,
    X86_UREG_FCW = 22,
    X86_UREG_FSW = 23,
    X86_UREG_ST0 = 24,    // x87 or MMX, to 31
    X86_UREG_VEC0 = 32,   // XMM and YMM, to 47
    X86_UREG_TMP0 = 80,   // temporaries of one recipe, to 87
    X86_UREG_SYSTEM = 96, // segment, control, debug and model-specific registers as one
};

// Writes the recipe of *i (as x86_decode made it) to uops[] and returns the number of uops, at
// least one. APPROX: x87 registers are named relative to the top of the stack, so a dependence
// across a push or pop is one on the wrong register. Sticky status bits (MXCSR, x87 status) make no
// instruction wait for another.
u32 x86_make_recipe(const struct x86_insn *i, struct uop uops[X86_RECIPE_MAX]);

// The name of a uop's register, for traces; NULL for numbers that are not in use.
const char *x86_uop_reg_name(u8 reg);
enum uop_bank x86_uop_reg_bank(u8 reg); // isa_ops.reg_bank
