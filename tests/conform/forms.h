// SPDX-License-Identifier: BSD-3-Clause
// What there is to test: the rows of isa/x86/insn.def, and for each the forms that Zydis knows,
// found by decoding the opcode space: every opcode map, mandatory prefix, VEX field and ModRM
// class. A form is a mnemonic with one combination of operand kinds, sizes and encodings; its
// templates are the encodings that have it.
#pragma once

#include "case.h"

#include "base/error.h"

#include <Zydis/Zydis.h>

// A row of insn.def that user-mode cases are made from, or why none are.
struct form_row {
    const char *name, *form_name;
    u16 mnemonic;
    u8 form; // enum x86_form
    u16 flags;
    u16 feature;
    bool host_has; // the feature
    u32 forms;     // found, of all modes
    u16 next;      // row of the same mnemonic + 1
    u64 cases;     // generated
};

enum template_flags {
    TEMPLATE_VEX = 1 << 0,
    TEMPLATE_W = 1 << 1,
    TEMPLATE_L = 1 << 2,
    TEMPLATE_66 = 1 << 3,
    TEMPLATE_F2 = 1 << 4,
    TEMPLATE_F3 = 1 << 5,
    TEMPLATE_MODRM = 1 << 6, // has a ModRM byte
    TEMPLATE_67 = 1 << 7,    // JCXZ and its like
};

struct form_template {
    u8 flags; // enum template_flags
    u8 map;   // 0: one byte, 1: 0F, 2: 0F38, 3: 0F3A
    u8 opcode;
    u8 modrm; // mod is 0 (any memory operand) or 3
};

enum form_class { FORM_INTEGER, FORM_VECTORS, FORM_X87, FORM_CLASSES };

struct form {
    struct form_row *row; // borrowed
    u64 signature;
    u32 template_count, template_at;
    u8 mode;  // enum case_mode
    u8 class; // enum form_class
    u64 cases;
    u64 faults;        // of these ended in an exception on the host
    char operands[40]; // for reports: "r32 m32 imm8"
};

struct forms {
    struct form_row *rows; // owned
    u32 n_rows;
    u16 first_row[ZYDIS_MNEMONIC_MAX_VALUE + 1]; // + 1
    struct form *form;                           // owned
    u32 n_forms;
    u32 first[CASE_MODES + 1];       // forms of mode m: first[m]..first[m + 1] - 1
    struct form_template *templates; // owned
    u32 n_templates;
    ZydisDecoder decoder[CASE_MODES];
};

// `modes`: bit set of enum case_mode.
bool forms_init(struct forms *f, u32 modes, struct error *err);
void forms_release(struct forms *f);

// The signature by which a decoded instruction is of a form.
u64 forms_signature(const ZydisDecodedInstruction *i, const ZydisDecodedOperand *operands);

// The row for a decoded instruction; NULL if insn.def has none.
struct form_row *forms_row(const struct forms *f, const ZydisDecodedInstruction *i,
                           const ZydisDecodedOperand *operands);
// The features that insn.def asks for in the words of CPUID: true if the host has it.
bool forms_host_has(unsigned feature);
