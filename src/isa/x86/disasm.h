// SPDX-License-Identifier: BSD-3-Clause
// Assembler text of decoded instructions.
#pragma once

#include "isa/x86/insn.h"

// Writes the instruction to text[0..size) in Intel's notation, addresses and branch targets as
// absolute numbers; "(bad)" for what is no instruction.
void x86_disasm(const struct x86_insn *i, char *text, size_t size);

// The mnemonic in lower case; static_inst.opcode is its number.
const char *x86_mnemonic(u16 opcode);
