// SPDX-License-Identifier: BSD-3-Clause
#include "isa/x86/disasm.h"

#include "isa/x86/decode.h"

#include <stdio.h>

#include <Zydis/Zydis.h>

void x86_disasm(const struct x86_insn *i, char *text, size_t size)
{
    static const ZydisMachineMode machine[] = {
        [X86_CODE16] = ZYDIS_MACHINE_MODE_LONG_COMPAT_16,
        [X86_CODE32] = ZYDIS_MACHINE_MODE_LONG_COMPAT_32,
        [X86_CODE64] = ZYDIS_MACHINE_MODE_LONG_64,
    };
    ZydisDisassembledInstruction d;

    if (ZYAN_SUCCESS(
            ZydisDisassembleIntel(machine[i->mode], i->si.pc, i->bytes, X86_MAX_LENGTH, &d)))
        snprintf(text, size, "%s", d.text);
    else
        snprintf(text, size, "(bad)");
}

const char *x86_mnemonic(u16 opcode)
{
    const char *name = ZydisMnemonicGetString((ZydisMnemonic)opcode);

    return name ? name : "(bad)";
}
