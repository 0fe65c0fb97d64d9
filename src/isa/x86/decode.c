// SPDX-License-Identifier: BSD-3-Clause
// Zydis's description of an instruction becomes ours. Decoding is on the path of everything that is
// executed for the first time: operands that assembler text does not show are never decoded.
#include "isa/x86/decode.h"

#include "isa/x86/feature.h"
#include "isa/x86/table.h"
#include "isa/x86/uops.h"

#include <Zydis/Zydis.h>

// The decoder for a core. Extensions that reuse encodings are on only if the core shows them: the
// bytes of TZCNT are BSF on a processor without BMI1. No level has CET, MPX or CLDEMOTE, whose
// encodings are NOPs without them.
static void make_decoder(const struct x86_core *c, ZydisDecoder *ret)
{
    static const ZydisMachineMode machine[] = {
        [X86_CODE16] = ZYDIS_MACHINE_MODE_LONG_COMPAT_16,
        [X86_CODE32] = ZYDIS_MACHINE_MODE_LONG_COMPAT_32,
        [X86_CODE64] = ZYDIS_MACHINE_MODE_LONG_64,
    };
    ZydisStackWidth stack = c->code_mode == X86_CODE64   ? ZYDIS_STACK_WIDTH_64
                            : c->mode & X86_MODE_STACK32 ? ZYDIS_STACK_WIDTH_32
                                                         : ZYDIS_STACK_WIDTH_16;

    ZydisDecoderInit(ret, machine[c->code_mode], stack);
    ZydisDecoderEnableMode(ret, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
    ZydisDecoderEnableMode(ret, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
    ZydisDecoderEnableMode(ret, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
    ZydisDecoderEnableMode(ret, ZYDIS_DECODER_MODE_TZCNT, x86_has(c, X86_FEATURE_BMI1));
    ZydisDecoderEnableMode(ret, ZYDIS_DECODER_MODE_LZCNT, x86_has(c, X86_FEATURE_LZCNT));
    ZydisDecoderEnableMode(ret, ZYDIS_DECODER_MODE_WBNOINVD, x86_has(c, X86_FEATURE_WBNOINVD));
}

static bool in_range(ZydisRegister r, ZydisRegister first, ZydisRegister last)
{
    return r >= first && r <= last;
}

// The number of a general-purpose register of any size; X86_NULL_REG for none. AH to BH are 0-3
// with *ret_high set.
static u8 gpr_number(ZydisRegister r, bool *ret_high)
{
    *ret_high = false;
    if (in_range(r, ZYDIS_REGISTER_RAX, ZYDIS_REGISTER_R15))
        return (u8)(r - ZYDIS_REGISTER_RAX);
    if (in_range(r, ZYDIS_REGISTER_EAX, ZYDIS_REGISTER_R15D))
        return (u8)(r - ZYDIS_REGISTER_EAX);
    if (in_range(r, ZYDIS_REGISTER_AX, ZYDIS_REGISTER_R15W))
        return (u8)(r - ZYDIS_REGISTER_AX);
    if (in_range(r, ZYDIS_REGISTER_AL, ZYDIS_REGISTER_BL))
        return (u8)(r - ZYDIS_REGISTER_AL);
    if (in_range(r, ZYDIS_REGISTER_SPL, ZYDIS_REGISTER_R15B))
        return (u8)(4 + r - ZYDIS_REGISTER_SPL);
    if (in_range(r, ZYDIS_REGISTER_AH, ZYDIS_REGISTER_BH)) {
        *ret_high = true;
        return (u8)(r - ZYDIS_REGISTER_AH);
    }
    return X86_NULL_REG;
}

static u8 address_register(ZydisRegister r)
{
    bool high;

    if (in_range(r, ZYDIS_REGISTER_XMM0, ZYDIS_REGISTER_XMM15))
        return (u8)(r - ZYDIS_REGISTER_XMM0);
    if (in_range(r, ZYDIS_REGISTER_YMM0, ZYDIS_REGISTER_YMM15))
        return (u8)(r - ZYDIS_REGISTER_YMM0);
    return gpr_number(r, &high);
}

// False for registers that no instruction of ours has.
static bool register_operand(ZydisRegister r, struct x86_operand *ret)
{
    bool high;
    u8 n = gpr_number(r, &high);

    if (n != X86_NULL_REG) {
        ret->kind = X86_O_GPR;
        ret->reg = n;
        ret->offset = (u8)(n * 8 + high);
        return true;
    }
#define CLASS(operand_kind, first, last)                              \
    if (in_range(r, ZYDIS_REGISTER_##first, ZYDIS_REGISTER_##last)) { \
        ret->kind = operand_kind;                                     \
        ret->reg = (u8)(r - ZYDIS_REGISTER_##first);                  \
        return true;                                                  \
    }
    CLASS(X86_O_VEC, XMM0, XMM15)
    CLASS(X86_O_VEC, YMM0, YMM15)
    CLASS(X86_O_MMX, MM0, MM7)
    CLASS(X86_O_X87, ST0, ST7)
    CLASS(X86_O_SEG, ES, GS)
    CLASS(X86_O_CR, CR0, CR15)
    CLASS(X86_O_DR, DR0, DR15)
#undef CLASS
    return false;
}

static void memory_operand(const ZydisDecodedOperand *z, struct x86_insn *i)
{
    struct x86_mem_operand *m = &i->mem;

    m->base = address_register(z->mem.base); // none for rip and eip
    m->index = address_register(z->mem.index);
    m->scale = z->mem.scale ? (u8)__builtin_ctz(z->mem.scale) : 0;
    m->seg = (u8)(z->mem.segment - ZYDIS_REGISTER_ES);
    m->size = (u16)(z->size / 8);
    m->disp = z->mem.disp.has_displacement ? z->mem.disp.value : 0;
    if (z->mem.base == ZYDIS_REGISTER_RIP || z->mem.base == ZYDIS_REGISTER_EIP)
        m->disp = (i64)((u64)m->disp + i->next_pc);
}

static bool operand(const ZydisDecodedOperand *z, struct x86_insn *i, u32 *n_imm)
{
    struct x86_operand *o = &i->o[i->n_operands];

    o->size = (u16)(z->size / 8);
    o->action = (u8)((z->actions & ZYDIS_OPERAND_ACTION_MASK_READ ? X86_READ : 0) |
                     (z->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE ? X86_WRITE : 0));
    switch (z->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        if (!register_operand(z->reg.value, o))
            return false;
        break;
    case ZYDIS_OPERAND_TYPE_MEMORY:
        if (i->string) // [rSI] and [rDI] are the execution function's affair
            return true;
        o->kind = X86_O_MEM;
        memory_operand(z, i);
        break;
    case ZYDIS_OPERAND_TYPE_POINTER:
        o->kind = X86_O_PTR;
        i->imm = z->ptr.offset;
        i->imm2 = z->ptr.segment;
        break;
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        if (z->imm.is_relative) {
            o->kind = X86_O_REL;
            i->si.target = i->next_pc + z->imm.value.u;
        } else {
            o->kind = X86_O_IMM;
            *((*n_imm)++ ? &i->imm2 : &i->imm) = z->imm.value.u;
        }
        break;
    default:
        return false;
    }
    i->n_operands++;
    return true;
}

// Where Zydis 4.0 is not what processors do: with REX.B and 32-bit addresses, no base at all is
// taken for R13D; MOVSXD to a 16-bit register reads 16 bits (SDM vol. 2B).
static void correct_operand(const ZydisDecodedInstruction *z, ZydisDecodedOperand *o)
{
    if (o->type != ZYDIS_OPERAND_TYPE_MEMORY)
        return;
    if (z->raw.sib.offset && z->raw.modrm.mod == 0 && z->raw.sib.base == 5) {
        o->mem.base = ZYDIS_REGISTER_NONE;
        o->mem.disp.has_displacement = ZYAN_TRUE;
        o->mem.disp.value = z->raw.disp.value;
    }
    if (z->mnemonic == ZYDIS_MNEMONIC_MOVSXD && z->operand_width == 16)
        o->size = 16;
}

static bool operands(const ZydisDecoder *d, const ZydisDecoderContext *context,
                     const ZydisDecodedInstruction *z, struct x86_insn *i)
{
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT_VISIBLE];
    u32 n_imm = 0;

    if (!ZYAN_SUCCESS(ZydisDecoderDecodeOperands(d, context, z, o, z->operand_count_visible)))
        return false;
    for (u32 n = 0; n < z->operand_count_visible; n++) {
        correct_operand(z, &o[n]);
        if (!operand(&o[n], i, &n_imm))
            return false;
    }
    if (i->mode != X86_CODE64) // branches wrap at the operand size
        i->si.target &= i->op_bytes == 2 ? 0xffffu : 0xffffffffu;
    return true;
}

// The segment of [rSI], [rBX + AL] and so on, which are no operands of ours.
static u8 implied_segment(const ZydisDecodedInstruction *z)
{
    if (z->attributes & ZYDIS_ATTRIB_HAS_SEGMENT_FS)
        return X86_FS;
    if (z->attributes & ZYDIS_ATTRIB_HAS_SEGMENT_GS)
        return X86_GS;
    if (z->attributes & ZYDIS_ATTRIB_HAS_SEGMENT_ES)
        return X86_ES;
    if (z->attributes & ZYDIS_ATTRIB_HAS_SEGMENT_CS)
        return X86_CS;
    if (z->attributes & ZYDIS_ATTRIB_HAS_SEGMENT_SS)
        return X86_SS;
    return X86_DS;
}

// Flags that an instruction may leave as they are count as read, so that a flag is never lost that
// somebody can see; undefined ones that our functions leave as they are do not count as written.
static void flags(const ZydisDecodedInstruction *z, struct x86_insn *i)
{
    const ZydisAccessedFlags *f = z->cpu_flags;
    u32 seen = X86_ARITH_FLAGS | X86_DF, written = 0, undefined = 0;

    if (f) {
        i->flags_read = (u16)(f->tested & seen);
        written = (f->modified | f->set_0 | f->set_1) & seen;
        undefined = f->undefined & seen;
    }
    switch (z->mnemonic) {
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC:
    case ZYDIS_MNEMONIC_DIV:
    case ZYDIS_MNEMONIC_IDIV:
        undefined = 0;
        break;
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR:
    case ZYDIS_MNEMONIC_SHLD:
    case ZYDIS_MNEMONIC_SHRD:
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR:
    case ZYDIS_MNEMONIC_RCL:
    case ZYDIS_MNEMONIC_RCR: // a count of 0 changes nothing
        i->flags_read |= written | undefined;
        break;
    default:
        if (i->prefixes & (X86_REP | X86_REPNE)) // nor does one of a repeated comparison
            i->flags_read |= written;
    }
    i->flags_written = (u16)(written | undefined);
}

static u32 branch_flags(const ZydisDecodedInstruction *z, const struct x86_insn *i)
{
    u32 f = 0;

    switch (z->meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
        f = STATIC_BRANCH | STATIC_CONDITIONAL;
        break;
    case ZYDIS_CATEGORY_UNCOND_BR:
        f = STATIC_BRANCH;
        break;
    case ZYDIS_CATEGORY_CALL:
        f = STATIC_BRANCH | STATIC_CALL;
        break;
    case ZYDIS_CATEGORY_RET:
        return STATIC_BRANCH | STATIC_RETURN | STATIC_INDIRECT;
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_INTERRUPT:
        return z->mnemonic == ZYDIS_MNEMONIC_INT3 ? 0 : STATIC_SYSCALL;
    default:
        return 0;
    }
    if (!i->n_operands || i->o[0].kind != X86_O_REL)
        f |= STATIC_INDIRECT;
    return f;
}

// Flags by what the row's recipe does beside the operands.
static u32 recipe_flags(const struct x86_insn *i, ZydisMnemonic mnemonic)
{
    switch (i->def->recipe) {
    case RECIPE_PUSH:
    case RECIPE_CALL:
        return STATIC_STORE;
    case RECIPE_POP:
    case RECIPE_RET:
        return STATIC_LOAD;
    case RECIPE_MICROCODE:
        return STATIC_MICROCODED;
    case RECIPE_GATHER:
        return STATIC_LOAD;
    case RECIPE_STRING:
        switch (mnemonic) {
        case ZYDIS_MNEMONIC_STOSB:
        case ZYDIS_MNEMONIC_STOSW:
        case ZYDIS_MNEMONIC_STOSD:
        case ZYDIS_MNEMONIC_STOSQ:
        case ZYDIS_MNEMONIC_INSB:
        case ZYDIS_MNEMONIC_INSW:
        case ZYDIS_MNEMONIC_INSD:
            return STATIC_STORE;
        case ZYDIS_MNEMONIC_MOVSB:
        case ZYDIS_MNEMONIC_MOVSD:
        case ZYDIS_MNEMONIC_MOVSQ:
        case ZYDIS_MNEMONIC_MOVSW:
            return STATIC_LOAD | STATIC_STORE;
        default:
            return STATIC_LOAD;
        }
    default:
        return 0;
    }
}

static bool same_registers(const struct x86_insn *i)
{
    const struct x86_operand *a = &i->o[i->n_operands - 2], *b = &i->o[i->n_operands - 1];

    return a->kind == b->kind && a->reg == b->reg && a->size == b->size && a->offset == b->offset &&
           (a->kind == X86_O_VEC || a->kind == X86_O_MMX || (a->kind == X86_O_GPR && a->size >= 4));
}

// Register moves, zero idioms and what fuses with a following branch (SDM Optimization Reference
// Manual, "Macro-Fusion" and "Dependency Breaking Idioms").
static u32 idiom_flags(const struct x86_insn *i, ZydisMnemonic mnemonic)
{
    bool mem_imm = i->n_operands == 2 && i->o[0].kind == X86_O_MEM && i->o[1].kind == X86_O_IMM;

    switch (mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
        return i->o[0].kind == X86_O_GPR && i->o[1].kind == X86_O_GPR && i->o[0].size >= 4
                   ? STATIC_MOVE
                   : 0;
    case ZYDIS_MNEMONIC_MOVAPS:
    case ZYDIS_MNEMONIC_MOVAPD:
    case ZYDIS_MNEMONIC_MOVUPS:
    case ZYDIS_MNEMONIC_MOVUPD:
    case ZYDIS_MNEMONIC_MOVDQA:
    case ZYDIS_MNEMONIC_MOVDQU:
    case ZYDIS_MNEMONIC_VMOVAPS:
    case ZYDIS_MNEMONIC_VMOVAPD:
    case ZYDIS_MNEMONIC_VMOVUPS:
    case ZYDIS_MNEMONIC_VMOVUPD:
    case ZYDIS_MNEMONIC_VMOVDQA:
    case ZYDIS_MNEMONIC_VMOVDQU:
        return i->o[0].kind == X86_O_VEC && i->o[1].kind == X86_O_VEC ? STATIC_MOVE : 0;
    case ZYDIS_MNEMONIC_SUB:
        return (same_registers(i) ? STATIC_ZERO_IDIOM : 0) |
               (i->o[0].kind == X86_O_MEM ? 0 : STATIC_FUSES_NEXT);
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_AND:
    case ZYDIS_MNEMONIC_INC:
    case ZYDIS_MNEMONIC_DEC:
        return i->o[0].kind == X86_O_MEM ? 0 : STATIC_FUSES_NEXT;
    case ZYDIS_MNEMONIC_CMP:
    case ZYDIS_MNEMONIC_TEST:
        return mem_imm ? 0 : STATIC_FUSES_NEXT;
    case ZYDIS_MNEMONIC_XOR:
    case ZYDIS_MNEMONIC_PXOR:
    case ZYDIS_MNEMONIC_XORPS:
    case ZYDIS_MNEMONIC_XORPD:
    case ZYDIS_MNEMONIC_VPXOR:
    case ZYDIS_MNEMONIC_VXORPS:
    case ZYDIS_MNEMONIC_VXORPD:
    case ZYDIS_MNEMONIC_PSUBB:
    case ZYDIS_MNEMONIC_PSUBW:
    case ZYDIS_MNEMONIC_PSUBD:
    case ZYDIS_MNEMONIC_PSUBQ:
    case ZYDIS_MNEMONIC_VPSUBB:
    case ZYDIS_MNEMONIC_VPSUBW:
    case ZYDIS_MNEMONIC_VPSUBD:
    case ZYDIS_MNEMONIC_VPSUBQ:
    case ZYDIS_MNEMONIC_PCMPGTB:
    case ZYDIS_MNEMONIC_PCMPGTW:
    case ZYDIS_MNEMONIC_PCMPGTD:
    case ZYDIS_MNEMONIC_PCMPGTQ:
    case ZYDIS_MNEMONIC_VPCMPGTB:
    case ZYDIS_MNEMONIC_VPCMPGTW:
    case ZYDIS_MNEMONIC_VPCMPGTD:
    case ZYDIS_MNEMONIC_VPCMPGTQ:
        return same_registers(i) ? STATIC_ZERO_IDIOM : 0;
    default:
        return 0;
    }
}

static u32 static_flags(const ZydisDecodedInstruction *z, const struct x86_insn *i)
{
    u32 f = branch_flags(z, i) | recipe_flags(i, z->mnemonic) | idiom_flags(i, z->mnemonic);

    for (u32 n = 0; n < i->n_operands; n++) {
        if (i->o[n].kind != X86_O_MEM || i->def->recipe == RECIPE_LEA ||
            i->def->recipe == RECIPE_NONE)
            continue;
        f |= i->o[n].action & X86_READ ? STATIC_LOAD : 0;
        f |= i->o[n].action & X86_WRITE ? STATIC_STORE : 0;
        if (i->prefixes & X86_LOCK || z->mnemonic == ZYDIS_MNEMONIC_XCHG)
            f |= STATIC_ATOMIC;
    }
    switch (z->mnemonic) { // implied operands
    case ZYDIS_MNEMONIC_XLAT:
        f |= STATIC_LOAD;
        break;
    case ZYDIS_MNEMONIC_MASKMOVQ:
    case ZYDIS_MNEMONIC_MASKMOVDQU:
    case ZYDIS_MNEMONIC_VMASKMOVDQU:
        f |= STATIC_STORE;
        break;
    default:
        break;
    }
    if (z->meta.category == ZYDIS_CATEGORY_IO || z->meta.category == ZYDIS_CATEGORY_IOSTRINGOP)
        f |= STATIC_IO;
    if (i->string && i->prefixes & (X86_REP | X86_REPNE))
        f |= STATIC_REPEAT;
    if (i->def->flags & INSN_SERIALISE)
        f |= STATIC_SERIALISING;
    return f;
}

// Which unit an instruction needs that the core may have switched off.
static x86_exec_fn *missing_unit(const struct x86_core *c, const struct x86_insn *i)
{
    bool vec = i->def->exec == x86_exec_vector, mmx = false; // CVTSD2SI with memory: no register
    unsigned feature = i->def->feature;

    for (u32 n = 0; n < i->n_operands; n++) {
        vec |= i->o[n].kind == X86_O_VEC;
        mmx |= i->o[n].kind == X86_O_MMX;
    }
    switch (i->si.opcode) {
    case ZYDIS_MNEMONIC_LDMXCSR:
    case ZYDIS_MNEMONIC_STMXCSR:
        vec = true;
        break;
    case ZYDIS_MNEMONIC_EMMS:
        mmx = true;
        break;
    default:
        break;
    }
    if (i->vex && (vec || feature == X86_FEATURE_AVX))
        return c->mode & X86_MODE_AVX && x86_has(c, X86_FEATURE_AVX) ? NULL : x86_exec_no_avx;
    if (vec && !(c->mode & X86_MODE_SSE))
        return x86_exec_no_sse;
    if (mmx && !(c->mode & X86_MODE_X87))
        return x86_exec_no_mmx;
    // WAIT has conditions of its own.
    if (feature == X86_FEATURE_FPU && i->si.opcode != ZYDIS_MNEMONIC_FWAIT &&
        !(c->mode & X86_MODE_X87))
        return x86_exec_no_x87;
    return NULL;
}

// Makes *i raise an exception instead of what it says.
static void cannot_execute(struct x86_insn *i, x86_exec_fn *exec)
{
    i->def = &x86_undefined;
    i->exec = exec;
    i->si.flags = 0;
}

static void undecodable(struct x86_insn *i, x86_exec_fn *exec)
{
    i->si.len = 1;
    i->next_pc = i->si.pc + 1;
    cannot_execute(i, exec);
}

// An operation for the simulator. 0: it is none; -1: more bytes are needed.
static int simop(const struct x86_core *c, const u8 *bytes, u32 n, struct x86_insn *i)
{
    if (!c->simop || n < 2 || bytes[0] != 0x0f || bytes[1] != 0x04)
        return 0;
    if (n < 4)
        return -1;
    memcpy(i->bytes, bytes, 4);
    i->si.len = 4;
    i->next_pc = i->si.pc + 4;
    i->imm = (u64)(bytes[2] | bytes[3] << 8);
    cannot_execute(i, x86_exec_simop);
    i->si.flags = STATIC_SERIALISING | STATIC_MICROCODED;
    return 1;
}

static void from_zydis(const ZydisDecodedInstruction *z, vaddr pc, struct x86_insn *i)
{
    i->si.pc = pc;
    i->si.opcode = (u16)z->mnemonic;
    i->si.len = z->length;
    i->next_pc = pc + z->length;
    if (i->mode != X86_CODE64)
        i->next_pc &= 0xffffffff;
    i->op_bytes = z->operand_width / 8;
    i->addr_bytes = z->address_width / 8;
    i->stack_bytes = i->op_bytes;
    if (i->mode == X86_CODE64 && i->op_bytes != 2)
        i->stack_bytes = 8;
    i->prefixes =
        (u8)((z->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE) ? X86_REP : 0) |
             (z->attributes & ZYDIS_ATTRIB_HAS_REPNE ? X86_REPNE : 0) |
             (z->attributes & ZYDIS_ATTRIB_HAS_LOCK ? X86_LOCK : 0));
    i->cc = z->opcode & 15;
    i->vex = z->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
    i->vec_bytes = (u8)(z->avx.vector_length / 8);
    i->far = z->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
    i->string = z->meta.category == ZYDIS_CATEGORY_STRINGOP ||
                z->meta.category == ZYDIS_CATEGORY_IOSTRINGOP;
    i->mem = (struct x86_mem_operand){
        .base = X86_NULL_REG, .index = X86_NULL_REG, .seg = implied_segment(z)};
}

// A vector instruction's size, where it is not VEX-encoded.
static u8 legacy_vector_bytes(const struct x86_insn *i)
{
    for (u32 n = 0; n < i->n_operands; n++)
        if (i->o[n].kind == X86_O_VEC)
            return 16;
    return 0;
}

static bool lock_is_allowed(const struct x86_insn *i)
{
    return i->def->flags & INSN_LOCKABLE && i->n_operands && i->o[0].kind == X86_O_MEM;
}

bool x86_decode(const struct x86_core *c, const u8 *bytes, u32 n, vaddr pc, struct x86_insn *ret)
{
    ZydisDecoder decoder;
    ZydisDecoderContext context;
    ZydisDecodedInstruction z;
    x86_exec_fn *missing;
    ZyanStatus status;

    make_decoder(c, &decoder);
    status = ZydisDecoderDecodeInstruction(&decoder, &context, bytes, MIN(n, X86_MAX_LENGTH), &z);
    if (status == ZYDIS_STATUS_NO_MORE_DATA && n < X86_MAX_LENGTH)
        return false;
    *ret = (struct x86_insn){.si.pc = pc, .mode = c->code_mode};
    if (!ZYAN_SUCCESS(status)) {
        int found = simop(c, bytes, n, ret);

        if (found)
            return found > 0;
        bool too_long =
            status == ZYDIS_STATUS_NO_MORE_DATA || status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG;

        memcpy(ret->bytes, bytes, MIN(n, X86_MAX_LENGTH));
        undecodable(ret, too_long ? x86_exec_too_long : x86_exec_ud);
        return true;
    }
    from_zydis(&z, pc, ret);
    memcpy(ret->bytes, bytes, z.length);
    // VEX forms of POPCNT, TZCNT and LZCNT are Knights Corner's.
    if ((z.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY && !ret->vex) ||
        (ret->vex && z.meta.isa_ext == ZYDIS_ISA_EXT_KNC) ||
        !operands(&decoder, &context, &z, ret)) {
        cannot_execute(ret, x86_exec_ud);
        return true;
    }
    if (!ret->vec_bytes)
        ret->vec_bytes = legacy_vector_bytes(ret);
    ret->def = x86_find_row(ret->si.opcode, ret);
    if (!ret->def || !x86_has(c, ret->def->feature) ||
        (ret->prefixes & X86_LOCK && !lock_is_allowed(ret))) {
        cannot_execute(ret, x86_exec_ud);
        return true;
    }
    missing = missing_unit(c, ret);
    if (missing) {
        cannot_execute(ret, missing);
        return true;
    }
    ret->exec = ret->def->exec;
    flags(&z, ret);
    ret->si.flags = static_flags(&z, ret);
    return true;
}
