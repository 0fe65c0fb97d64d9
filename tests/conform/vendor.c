// SPDX-License-Identifier: BSD-3-Clause
// Where the host's processor differs from the guest's by design (isa/x86/vendor_test.def), as far
// as an instruction shows it. All that is not named here is compared.
#include "compare.h"

#include "isa/x86/state.h"
#include "isa/x86/vendor_test.h"

#include <string.h>

static bool is_x87_environment(ZydisMnemonic m)
{
    return m == ZYDIS_MNEMONIC_FNSTENV || m == ZYDIS_MNEMONIC_FNSAVE;
}

static bool is_near_branch(const ZydisDecodedInstruction *i)
{
    return i->meta.branch_type == ZYDIS_BRANCH_TYPE_SHORT ||
           i->meta.branch_type == ZYDIS_BRANCH_TYPE_NEAR;
}

static bool has_memory(const ZydisDecodedInstruction *i, const ZydisDecodedOperand *o, u32 bytes)
{
    for (u32 n = 0; n < i->operand_count_visible; n++)
        if (o[n].type == ZYDIS_OPERAND_TYPE_MEMORY && o[n].size >= bytes * 8)
            return true;
    return false;
}

static bool is_far_pointer_64(const ZydisDecodedInstruction *i, const ZydisDecodedOperand *o)
{
    switch (i->mnemonic) {
    case ZYDIS_MNEMONIC_LFS:
    case ZYDIS_MNEMONIC_LGS:
    case ZYDIS_MNEMONIC_LSS:
        return i->operand_width == 64;
    default:
        return i->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR && i->operand_width == 64 &&
               has_memory(i, o, 10) && i->operand_count_visible == 1;
    }
}

static bool is_sha(const ZydisDecodedInstruction *i)
{
    return i->meta.isa_ext == ZYDIS_ISA_EXT_SHA;
}

static bool is_f16c(ZydisMnemonic m)
{
    return m == ZYDIS_MNEMONIC_VCVTPH2PS || m == ZYDIS_MNEMONIC_VCVTPS2PH;
}

static bool is_narrow_rep(const ZydisDecodedInstruction *i)
{
    return i->meta.category == ZYDIS_CATEGORY_STRINGOP && i->address_width == 32 &&
           i->machine_mode == ZYDIS_MACHINE_MODE_LONG_64 &&
           i->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
}

// The last of the prefixes F2 and F3; 0: there is none.
static u8 last_repeat(const ZydisDecodedInstruction *i)
{
    u8 last = 0;

    for (u32 n = 0; n < i->raw.prefix_count; n++)
        if ((i->raw.prefixes[n].value & 0xfe) == 0xf2)
            last = i->raw.prefixes[n].value;
    return last;
}

static bool is_compare_string(ZydisMnemonic m)
{
    return m == ZYDIS_MNEMONIC_CMPSB || m == ZYDIS_MNEMONIC_CMPSW || m == ZYDIS_MNEMONIC_CMPSD ||
           m == ZYDIS_MNEMONIC_CMPSQ;
}

// Instructions of which the host makes something else, whatever the state.
static bool is_another(const ZydisDecodedInstruction *i, const ZydisDecodedOperand *o)
{
    bool mode64 = i->machine_mode == ZYDIS_MACHINE_MODE_LONG_64;

    if (vendor_differs(DIFFERS_NEAR_BRANCH_SIZE) && mode64 && is_near_branch(i) &&
        i->attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE && !(i->raw.rex.W & 1))
        return true;
    if (vendor_differs(DIFFERS_FAR_POINTER_64) && is_far_pointer_64(i, o))
        return true;
    if (vendor_differs(DIFFERS_SYSEXIT_UD) && i->mnemonic == ZYDIS_MNEMONIC_SYSEXIT)
        return true;
    if (vendor_differs(DIFFERS_PREFETCH_REGISTER) && i->opcode_map == ZYDIS_OPCODE_MAP_0F &&
        i->opcode == 0x0d && i->raw.modrm.mod == 3)
        return true;
    if (vendor_differs(DIFFERS_LOOP_PREFIX) &&
        ((i->mnemonic == ZYDIS_MNEMONIC_LOOPE && last_repeat(i) == 0xf2) ||
         (i->mnemonic == ZYDIS_MNEMONIC_LOOPNE && last_repeat(i) == 0xf3)))
        return true;
    return vendor_differs(DIFFERS_PAUSE_R8) && i->mnemonic == ZYDIS_MNEMONIC_PAUSE && i->raw.rex.B;
}

bool vendor_unlike(const ZydisDecodedInstruction *i, const ZydisDecodedOperand *o)
{
    return is_another(i, o) ||
           (vendor_differs(DIFFERS_SHA_ALIGNMENT) && is_sha(i) && has_memory(i, o, 16)) ||
           (vendor_differs(DIFFERS_CMPS_ORDER) && is_compare_string(i->mnemonic));
}

bool vendor_takes(const u8 *bytes, u32 n)
{
    static const u8 prefixes[] = {0x66, 0xf2, 0xf3, 0xf0, 0x67, 0x64, 0x65, 0x2e, 0x36, 0x3e, 0x26};
    bool lock = false;
    u32 at = 0;

    while (at + 3 < n && memchr(prefixes, bytes[at], sizeof(prefixes)))
        lock |= bytes[at++] == 0xf0;
    if (at + 3 < n && (bytes[at] & 0xf0) == 0x40)
        at++;
    return vendor_differs(DIFFERS_LOCK_SYSTEM) && lock && bytes[at] == 0x0f &&
           (bytes[at + 1] == 0x00 || (bytes[at + 1] & 0xfd) == 0x20);
}

bool vendor_avoids(const ZydisDecodedInstruction *i, const ZydisDecodedOperand *o)
{
    return is_another(i, o) ||
           (vendor_differs(DIFFERS_X87_OPCODE) && is_x87_environment(i->mnemonic)) ||
           (vendor_differs(DIFFERS_REP_NARROW) && is_narrow_rep(i));
}

static u64 offset_of(const struct conform_case *c, const ZydisDecodedInstruction *i,
                     const ZydisDecodedOperand *o)
{
    ZydisRegisterContext registers = {0};
    ZyanU64 address = 0;

    for (u32 n = 0; n < 16; n++) {
        registers.values[ZYDIS_REGISTER_RAX + n] = c->in.gpr[n];
        registers.values[ZYDIS_REGISTER_EAX + n] = (u32)c->in.gpr[n];
    }
    ZydisCalcAbsoluteAddressEx(i, o, c->in.rip, &registers, &address);
    return address;
}

static u64 address_of(const struct conform_case *c, const ZydisDecodedInstruction *i,
                      const ZydisDecodedOperand *o)
{
    return offset_of(c, i, o) + (o->mem.segment == ZYDIS_REGISTER_FS   ? c->in.fs_base
                                 : o->mem.segment == ZYDIS_REGISTER_GS ? c->in.gs_base
                                                                       : 0);
}

// A memory operand that is canonical only with its base.
static bool is_offset_odd(const struct conform_case *c, const ZydisDecodedInstruction *i,
                          const ZydisDecodedOperand *o)
{
    u64 offset;

    if (o->type != ZYDIS_OPERAND_TYPE_MEMORY || c->mode != CASE_MODE64 ||
        (o->mem.segment != ZYDIS_REGISTER_FS && o->mem.segment != ZYDIS_REGISTER_GS))
        return false;
    offset = offset_of(c, i, o);
    return (u64)((i64)(offset << 16) >> 16) != offset;
}

static bool page_fault(const struct case_result *native)
{
    return native->end == CASE_END_FAULT && native->vector == X86_EXC_PF;
}

static bool operand_fault(const struct case_result *native)
{
    return page_fault(native) || (native->end == CASE_END_FAULT &&
                                  (native->vector == X86_EXC_GP || native->vector == X86_EXC_SS));
}

static void add_hole(struct undefined *u, u64 at, u32 len)
{
    u->hole[u->n_holes].at = at;
    u->hole[u->n_holes++].len = len;
}

// The image that FXSAVE and its like make.
static void of_image(const struct conform_case *c, u64 at, struct undefined *u)
{
    if (vendor_differs(DIFFERS_X87_POINTERS) && !(c->in.x.fsw & 0x80)) {
        add_hole(u, at + offsetof(struct case_xsave, fop), 2);
        add_hole(u, at + offsetof(struct case_xsave, fip), 16);
    }
    if (vendor_differs(DIFFERS_MXCSR_MM))
        add_hole(u, at + offsetof(struct case_xsave, mxcsr_mask), 4);
}

static void of_x87_store(const struct conform_case *c, const struct case_result *native,
                         struct undefined *u)
{
    if (!vendor_differs(DIFFERS_X87_EXCEPTION_ORDER) || native->end != CASE_END_FAULT ||
        native->vector == X86_EXC_MF)
        return;
    u->vendor |= (c->in.x.fcw & 0x3f) != 0x3f;
    u->fault_memory = true;
}

static void of_gather(const ZydisDecodedOperand *o, struct undefined *u)
{
    if (!vendor_differs(DIFFERS_GATHER_MASK))
        return;
    u->sign_of = (u8)ZydisRegisterGetId(o[2].reg.value);
    u->sign_size = (u8)(o[0].element_size / 8);
    if (o[0].size < 256 && o[2].size < 256)
        u->upper = 1u << u->sign_of | 1u << ZydisRegisterGetId(o[0].reg.value);
}

static void of_string(const ZydisDecodedInstruction *i, const struct case_result *native,
                      const struct case_result *facet, struct undefined *u)
{
    if (native->end != CASE_END_FAULT)
        return;
    if (vendor_differs(DIFFERS_CMPS_ORDER) && is_compare_string(i->mnemonic)) {
        u->vendor |= native->vector != facet->vector && facet->end == CASE_END_FAULT;
        u->which = true;
    }
    if (vendor_differs(DIFFERS_REP_FLAGS))
        u->flags_at_fault |= X86_ARITH_FLAGS;
}

// The host's processor takes more bits of MXCSR.
static bool has_more_mxcsr(const struct case_result *native)
{
    return vendor_differs(DIFFERS_MXCSR_MM) && native->out.x.mxcsr >> 16;
}

// Whether the instruction may go beyond the last page of code.
static bool is_at_the_end(const struct conform_case *c)
{
    return c->code_at + 15 > CASE_CODE + CASE_CODE_PAGES * CASE_PAGE;
}

// What only some instructions show.
static void of_instruction(const struct conform_case *c, const ZydisDecodedInstruction *i,
                           const ZydisDecodedOperand *o, const struct case_result *native,
                           struct undefined *ret)
{
    switch (i->mnemonic) {
    case ZYDIS_MNEMONIC_RET:
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_IRETQ:
        ret->vendor |= vendor_differs(DIFFERS_FAR_RETURN_ORDER) && !is_near_branch(i) &&
                       (page_fault(native) || (native->vector == X86_EXC_GP && native->error == 0));
        break;
    case ZYDIS_MNEMONIC_VCVTPS2PH:
        ret->mxcsr = vendor_differs(DIFFERS_F16C_STORE_ORDER);
        ret->vendor |= ret->mxcsr && operand_fault(native) && (c->in.x.mxcsr & 0x1f80) != 0x1f80;
        break;
    case ZYDIS_MNEMONIC_MOVSXD:
        ret->vendor |= vendor_differs(DIFFERS_MOVSXD_16) && i->operand_width == 16 &&
                       native->end == CASE_END_FAULT;
        break;
    case ZYDIS_MNEMONIC_POP:
        ret->vendor |= vendor_differs(DIFFERS_POP_SEGMENT_WIDTH) && page_fault(native) &&
                       ZydisRegisterGetClass(o[0].reg.value) == ZYDIS_REGCLASS_SEGMENT;
        break;
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
        ret->vendor |= vendor_differs(DIFFERS_UD_OPERAND) && is_at_the_end(c);
        break;
    case ZYDIS_MNEMONIC_CALL:
        ret->fault_memory = vendor_differs(DIFFERS_CALL_ORDER) && is_near_branch(i);
        break;
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXSAVE64:
    case ZYDIS_MNEMONIC_XSAVE:
    case ZYDIS_MNEMONIC_XSAVE64:
    case ZYDIS_MNEMONIC_XSAVEC:
    case ZYDIS_MNEMONIC_XSAVEC64:
    case ZYDIS_MNEMONIC_XSAVEOPT:
    case ZYDIS_MNEMONIC_XSAVEOPT64:
        of_image(c, address_of(c, i, &o[0]), ret);
        break;
    case ZYDIS_MNEMONIC_FST:
    case ZYDIS_MNEMONIC_FSTP:
    case ZYDIS_MNEMONIC_FIST:
    case ZYDIS_MNEMONIC_FISTP:
    case ZYDIS_MNEMONIC_FISTTP:
    case ZYDIS_MNEMONIC_FBSTP:
        of_x87_store(c, native, ret);
        break;
    default:
        if (i->meta.category == ZYDIS_CATEGORY_AVX2GATHER)
            of_gather(o, ret);
    }
}

void vendor_find(const struct forms *f, const struct conform_case *c,
                 const struct case_result *native, const struct case_result *facet,
                 struct undefined *ret)
{
    ZydisDecodedInstruction i;
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    bool vector;

    ret->pointers = vendor_differs(DIFFERS_X87_POINTERS);
    ret->fdp = vendor_differs(DIFFERS_X87_OPCODE) && c->n_insts != 1;
    if (c->n_insts != 1 ||
        !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&f->decoder[c->mode], c->code, 15, &i, o)))
        return;
    vector = has_memory(&i, o, 16) || is_f16c(i.mnemonic);
    ret->vendor = is_another(&i, o) || has_more_mxcsr(native) ||
                  (vendor_differs(DIFFERS_SHA_ALIGNMENT) && is_sha(&i) && has_memory(&i, o, 16) &&
                   address_of(c, &i, &o[1]) & 15) ||
                  (vendor_differs(DIFFERS_VECTOR_AC) && vector && native->vector == X86_EXC_AC &&
                   native->end == CASE_END_FAULT);
    for (u32 n = 0; n < i.operand_count_visible; n++)
        ret->vendor |= vendor_differs(DIFFERS_OFFSET_CANONICAL) && native->vector == X86_EXC_GP &&
                       is_offset_odd(c, &i, &o[n]);
    ret->halves =
        vendor_differs(DIFFERS_REP_NARROW) && is_narrow_rep(&i) && (u32)c->in.gpr[X86_RCX] == 0;
    if (i.meta.category == ZYDIS_CATEGORY_STRINGOP)
        of_string(&i, native, facet, ret);
    of_instruction(c, &i, o, native, ret);
}
