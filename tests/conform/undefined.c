// SPDX-License-Identifier: BSD-3-Clause
// What the manual leaves undefined (SDM vol. 2, "Flags Affected" of each instruction): Zydis's
// table where it does not depend on the operands, and what it says less exactly.
#include "compare.h"

#include "isa/x86/state.h"

static u32 count_of(const struct conform_case *c, const ZydisDecodedInstruction *i,
                    const ZydisDecodedOperand *o, u32 n)
{
    u32 mask = i->operand_width == 64 ? 63 : 31;

    if (n < i->operand_count_visible && o[n].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
        return (u32)o[n].imm.value.u & mask;
    if (n < i->operand_count_visible && o[n].type == ZYDIS_OPERAND_TYPE_REGISTER)
        return (u32)c->in.gpr[X86_RCX] & mask;
    return 1;
}

static void of_shift(const struct conform_case *c, const ZydisDecodedInstruction *i,
                     const ZydisDecodedOperand *o, struct undefined *u)
{
    u32 count = count_of(c, i, o, 1);

    u->flags = 0;
    if (count)
        u->flags |= X86_AF;
    if (count > 1)
        u->flags |= X86_OF;
    if (count >= o[0].size && i->mnemonic != ZYDIS_MNEMONIC_SAR)
        u->flags |= X86_CF;
}

static void of_double_shift(const struct conform_case *c, const ZydisDecodedInstruction *i,
                            const ZydisDecodedOperand *o, struct undefined *u)
{
    u32 count = count_of(c, i, o, 2);

    u->flags = count > 1 ? X86_OF | X86_AF : count ? X86_AF : 0;
    u->unusable = count > o[0].size;
}

void undefined_find(const struct forms *f, const struct conform_case *c, struct undefined *ret)
{
    ZydisDecodedInstruction i;
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];

    *ret = (struct undefined){.flags = c->undefined_flags,
                              .flags_at_fault = c->undefined_at_fault,
                              .mmx = c->n_insts != 1};
    if (c->n_insts != 1 ||
        !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&f->decoder[c->mode], c->code, 15, &i, o)))
        return;
    if (i.cpu_flags)
        ret->flags = i.cpu_flags->undefined & X86_ARITH_FLAGS;
    ret->narrow = i.meta.category == ZYDIS_CATEGORY_STRINGOP && i.address_width == 32 &&
                  c->mode == CASE_MODE64;
    for (u32 n = 0; n < i.operand_count_visible; n++)
        ret->mmx |= o[n].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                    ZydisRegisterGetClass(o[n].reg.value) == ZYDIS_REGCLASS_MMX;
    switch (i.mnemonic) {
    case ZYDIS_MNEMONIC_FXSAVE: // large areas, in an order of the processor's own
    case ZYDIS_MNEMONIC_FXSAVE64:
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR64:
    case ZYDIS_MNEMONIC_XSAVE:
    case ZYDIS_MNEMONIC_XSAVE64:
    case ZYDIS_MNEMONIC_XSAVEC:
    case ZYDIS_MNEMONIC_XSAVEC64:
    case ZYDIS_MNEMONIC_XSAVEOPT:
    case ZYDIS_MNEMONIC_XSAVEOPT64:
    case ZYDIS_MNEMONIC_XRSTOR:
    case ZYDIS_MNEMONIC_XRSTOR64:
        ret->which = true;
        break;
    case ZYDIS_MNEMONIC_POPA: // those that come before the page that is missing are loaded
    case ZYDIS_MNEMONIC_POPAD:
        ret->gprs = true;
        break;
    case ZYDIS_MNEMONIC_CALL: // far, to 32-bit code: on whose stack
        ret->unusable = i.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR && c->in.gpr[X86_RSP] >> 32;
        break;
    case ZYDIS_MNEMONIC_RET: // far: which of CS and rIP is read first
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_IRETQ:
        ret->where = i.meta.branch_type != ZYDIS_BRANCH_TYPE_NEAR;
        break;
    case ZYDIS_MNEMONIC_FNSTENV: // several accesses, in an order of the processor's own
    case ZYDIS_MNEMONIC_FLDENV:
    case ZYDIS_MNEMONIC_FNSAVE:
    case ZYDIS_MNEMONIC_FRSTOR:

    case ZYDIS_MNEMONIC_MASKMOVQ:
    case ZYDIS_MNEMONIC_MASKMOVDQU:
    case ZYDIS_MNEMONIC_VMASKMOVDQU:
    case ZYDIS_MNEMONIC_VMASKMOVPS:
    case ZYDIS_MNEMONIC_VMASKMOVPD:
    case ZYDIS_MNEMONIC_VPMASKMOVD:
    case ZYDIS_MNEMONIC_VPMASKMOVQ:
        ret->where = true;
        break;
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR:
        of_shift(c, &i, o, ret);
        break;
    case ZYDIS_MNEMONIC_SHLD:
    case ZYDIS_MNEMONIC_SHRD:
        of_double_shift(c, &i, o, ret);
        break;
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR:
    case ZYDIS_MNEMONIC_RCL:
    case ZYDIS_MNEMONIC_RCR:
        ret->flags = count_of(c, &i, o, 1) > 1 ? X86_OF : 0;
        break;
    case ZYDIS_MNEMONIC_F2XM1: // facet has its own results
    case ZYDIS_MNEMONIC_FCOS:
    case ZYDIS_MNEMONIC_FPATAN:
    case ZYDIS_MNEMONIC_FPTAN:
    case ZYDIS_MNEMONIC_FSIN:
    case ZYDIS_MNEMONIC_FSINCOS:
    case ZYDIS_MNEMONIC_FYL2X:
    case ZYDIS_MNEMONIC_FYL2XP1:
        ret->transcendent = true;
        ret->fsw = 0x200; // C1: the rounding
        break;
    case ZYDIS_MNEMONIC_RCPPS: // likewise
    case ZYDIS_MNEMONIC_RCPSS:
    case ZYDIS_MNEMONIC_RSQRTPS:
    case ZYDIS_MNEMONIC_RSQRTSS:
    case ZYDIS_MNEMONIC_VRCPPS:
    case ZYDIS_MNEMONIC_VRCPSS:
    case ZYDIS_MNEMONIC_VRSQRTPS:
    case ZYDIS_MNEMONIC_VRSQRTSS:
        ret->approximate = true;
        ret->result = (u8)ZydisRegisterGetId(o[0].reg.value);
        break;
    default:
        break;
    }
}
