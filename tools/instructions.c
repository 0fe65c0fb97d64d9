// SPDX-License-Identifier: BSD-3-Clause
// Prints docs/reference/instructions.md: the instructions of the x86-64 guest, from insn.def.
#include "isa/x86/disasm.h"
#include "isa/x86/feature.h"
#include "isa/x86/table.h"

#include <stdio.h>

static const struct {
    const char *name, *text;
    int level;
} features[] = {
#define FEATURE(name, leaf, subleaf, reg, bit, level, text) {#name, text, level},
#include "isa/x86/feature.def"
#undef FEATURE
};

static const char *const forms[X86_FORMS] = {
    [FORM_STRING] = " (string)",     [FORM_VECTOR] = " (vector)",
    [FORM_MMX] = " (MMX)",           [FORM_CR] = " (control register)",
    [FORM_DR] = " (debug register)", [FORM_SEG] = " (segment register)",
    [FORM_FAR] = " (far)",           [FORM_REL] = " (direct)",
    [FORM_MEM] = " (memory)",        [FORM_REG] = " (register)",
};

static void print_level(int level)
{
    if (level == 0)
        printf("every level");
    else if (level <= 4)
        printf("x86-64-v%d", level);
    else
        printf("on request");
}

static u32 print_instructions(unsigned feature)
{
    u32 count = 0;

    for (u32 n = 0; n < x86_insn_rows; n++) {
        const struct x86_insn_def *d = &x86_insn_table[n];

        if (d->feature != feature)
            continue;
        printf("%s%s%s", count ? ", " : "", x86_mnemonic(d->mnemonic),
               forms[d->form] ? forms[d->form] : "");
        count++;
    }
    return count;
}

int main(void)
{
    printf("# Instructions\n\n"
           "Made by `tools/instructions.c` from `src/isa/x86/insn.def` and `feature.def`; do not "
           "edit (`make update-reference`).\n\n"
           "The guest executes these %u instruction forms, each if CPUID shows its feature. "
           "Everything else raises #UD.\n",
           x86_insn_rows);
    for (unsigned f = 0; f < X86_FEATURES; f++) {
        bool any = false;

        for (u32 n = 0; n < x86_insn_rows && !any; n++)
            any = x86_insn_table[n].feature == f;
        if (!any || f == X86_FEATURE_NEVER)
            continue;
        printf("\n## %s: %s (", features[f].name, features[f].text);
        print_level(features[f].level);
        printf(")\n\n");
        print_instructions(f);
        printf("\n");
    }
    return 0;
}
