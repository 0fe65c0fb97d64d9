// SPDX-License-Identifier: BSD-3-Clause
#include "isa/x86/table.h"

#include "isa/x86/feature.h"
#include "isa/x86/uops.h"

#include <Zydis/Zydis.h>

const struct x86_insn_def x86_insn_table[] = {
#define INSN(mnemonic, form, function, uop, recipe, feature, flags)            \
    {ZYDIS_MNEMONIC_##mnemonic, FORM_##form, X86_FEATURE_##feature, UOP_##uop, \
     RECIPE_##recipe,           flags,       x86_exec_##function,   #function},
#include "isa/x86/insn.def"
#undef INSN
};

const u32 x86_insn_rows = ARRAY_SIZE(x86_insn_table);

const struct x86_insn_def x86_undefined = {
    .flags = INSN_END | INSN_LASTING, .exec = x86_exec_ud, .exec_name = "ud", .uop = UOP_SYSTEM};

// Two rows with the same mnemonic and form do not compile.
enum {
#define INSN(mnemonic, form, function, uop, recipe, feature, flags) ROW_##mnemonic##_##form,
#include "isa/x86/insn.def"
#undef INSN
};

// Row number + 1, or 0.
static const u16 row_of[ZYDIS_MNEMONIC_MAX_VALUE + 1][X86_FORMS] = {
#define INSN(mnemonic, form, function, uop, recipe, feature, flags) \
    [ZYDIS_MNEMONIC_##mnemonic][FORM_##form] = ROW_##mnemonic##_##form + 1,
#include "isa/x86/insn.def"
#undef INSN
};

// The forms that *i is of, as a bit mask.
static u32 forms_of(const struct x86_insn *i)
{
    u32 forms = 1u << FORM_ANY;
    bool mem = false, vec = false, mmx = false;

    for (u32 n = 0; n < i->n_operands; n++) {
        switch (i->o[n].kind) {
        case X86_O_VEC:
            vec = true;
            break;
        case X86_O_MMX:
            mmx = true;
            break;
        case X86_O_MEM:
            mem = true;
            break;
        case X86_O_SEG:
            forms |= 1u << FORM_SEG;
            break;
        case X86_O_CR:
            forms |= 1u << FORM_CR;
            break;
        case X86_O_DR:
            forms |= 1u << FORM_DR;
            break;
        case X86_O_REL:
            forms |= 1u << FORM_REL;
            break;
        default:
            break;
        }
    }
    if (i->far)
        forms |= 1u << FORM_FAR;
    if (vec)
        forms |= 1u << FORM_VECTOR;
    else if (mmx)
        forms |= 1u << FORM_MMX;
    else if (i->string)
        forms |= 1u << FORM_STRING;
    return forms | 1u << (mem ? FORM_MEM : FORM_REG);
}

const struct x86_insn_def *x86_find_row(u16 mnemonic, const struct x86_insn *i)
{
    const u16 *rows = row_of[mnemonic];
    u32 forms = forms_of(i);

    // FORM_ANY, the first, is the last resort.
    for (u32 form = 1; form < X86_FORMS; form++)
        if (rows[form] && forms >> form & 1)
            return &x86_insn_table[rows[form] - 1];
    return rows[FORM_ANY] ? &x86_insn_table[rows[FORM_ANY] - 1] : NULL;
}
