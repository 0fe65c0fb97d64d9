// SPDX-License-Identifier: BSD-3-Clause
// The instruction table (isa/x86/insn.def) as data: rows, and how a decoded instruction finds its
// own.
#pragma once

#include "isa/x86/insn.h"

// The functions that execute, one per row or shared by rows.
#define INSN(mnemonic, form, function, uop, recipe, feature, flags) x86_exec_fn x86_exec_##function;
#include "isa/x86/insn.def"
#undef INSN

// For instructions that have no row, or that cannot execute as the core is: they raise #UD, #NM
// or (longer than 15 bytes) #GP(0). None of them has a row.
x86_exec_fn x86_exec_ud, x86_exec_simop, x86_exec_too_long, x86_exec_no_sse, x86_exec_no_avx,
    x86_exec_no_x87, x86_exec_no_mmx;

// The row of what cannot be executed: mnemonic 0, INSN_END.
extern const struct x86_insn_def x86_undefined;

// All rows, in the order of insn.def.
extern const struct x86_insn_def x86_insn_table[];
extern const u32 x86_insn_rows;

// The row for *i, whose operands are filled in; NULL when there is none.
const struct x86_insn_def *x86_find_row(u16 mnemonic, const struct x86_insn *i);
