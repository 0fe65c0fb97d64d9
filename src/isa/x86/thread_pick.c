// SPDX-License-Identifier: BSD-3-Clause
// Chooses the handler of an instruction, by mnemonic and operands. What is not chosen here is
// executed by its exec function (x86_handlers.exec): nothing needs a case but for speed.
#include "isa/x86/thread.h"

#include "isa/x86/flags.h"
#include "isa/x86/stub.h"
#include "isa/x86/table.h"

#include <Zydis/Mnemonic.h>

struct pick {
    struct x86_core *c;
    const struct x86_handlers *h;
    const struct x86_insn *i;
    struct op *op;
    bool flags; // somebody may read the flags that i leaves
    const struct x86_insn *producer;
};

// Seen from gpr[0], the base of a segment is "register" number FIRST_SEG_BASE + enum x86_seg.
enum { FIRST_SEG_BASE = offsetof(struct x86_arch_state, seg_base) / 8 };
_Static_assert(offsetof(struct x86_arch_state, seg_base) % 8 == 0 && FIRST_SEG_BASE < 240,
               "segment bases are reachable as registers");

static u32 log2_of(u32 bytes)
{
    return (u32)__builtin_ctz(bytes | 0x100);
}

static bool has_segment(const struct x86_insn *i)
{
    return i->mem.seg >= X86_FS;
}

// Fills in the memory operand; false if no handler can do this kind of address.
static bool pick_ea(struct pick *p, enum x86_ea *ret_ea)
{
    const struct x86_insn *i = p->i;

    if (i->mode != X86_CODE64 || i->addr_bytes != 8)
        return false;
    p->op->base = i->mem.base;
    p->op->index = i->mem.index;
    p->op->scale = i->mem.scale;
    p->op->disp = i->mem.disp;
    p->op->x = has_segment(i) ? (u8)(FIRST_SEG_BASE + i->mem.seg) : X86_NULL_REG;
    *ret_ea = i->mem.index != X86_NULL_REG || has_segment(i) ? EA_FULL : EA_BD;
    return true;
}

// The form of a two-operand instruction whose first operand is `first`.
static bool pick_form(struct pick *p, u32 first, enum x86_op_form *ret_form)
{
    const struct x86_insn *i = p->i;
    const struct x86_operand *d = &i->o[first], *s = &i->o[first + 1];
    enum x86_ea ea = EA_BD;

    if (d->kind == X86_O_GPR) {
        p->op->a = d->offset;
        if (s->kind == X86_O_GPR) {
            p->op->b = s->offset;
            *ret_form = OF_RR;
            return true;
        }
        if (s->kind == X86_O_IMM) {
            p->op->imm = i->imm;
            *ret_form = OF_RI;
            return true;
        }
        if (s->kind != X86_O_MEM || !pick_ea(p, &ea))
            return false;
        *ret_form = (enum x86_op_form)(OF_RM + ea);
        return true;
    }
    if (d->kind != X86_O_MEM || i->prefixes & X86_LOCK || !pick_ea(p, &ea))
        return false;
    if (s->kind == X86_O_GPR) {
        p->op->b = s->offset;
        *ret_form = (enum x86_op_form)(OF_MR + ea);
        return true;
    }
    p->op->imm = i->imm;
    *ret_form = (enum x86_op_form)(OF_MI + ea);
    return s->kind == X86_O_IMM;
}

static int alu_of(u16 mnemonic)
{
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_ADD:
        return ALU_ADD;
    case ZYDIS_MNEMONIC_OR:
        return ALU_OR;
    case ZYDIS_MNEMONIC_AND:
        return ALU_AND;
    case ZYDIS_MNEMONIC_SUB:
        return ALU_SUB;
    case ZYDIS_MNEMONIC_XOR:
        return ALU_XOR;
    case ZYDIS_MNEMONIC_CMP:
        return ALU_CMP;
    case ZYDIS_MNEMONIC_TEST:
        return ALU_TEST;
    default:
        return -1;
    }
}

static op_fn *pick_alu(struct pick *p, enum x86_alu_op alu)
{
    enum x86_op_form form;

    if (!pick_form(p, 0, &form))
        return NULL;
    return p->h->alu[alu][log2_of(p->i->o[0].size)][form][p->flags];
}

static op_fn *pick_unary(struct pick *p, enum x86_unary_op un)
{
    if (p->i->o[0].kind != X86_O_GPR)
        return NULL;
    p->op->a = p->i->o[0].offset;
    return p->h->unary[un][log2_of(p->i->o[0].size)][p->flags];
}

static op_fn *pick_shift(struct pick *p, enum x86_shift_op sh, bool left)
{
    const struct x86_insn *i = p->i;
    u32 bits = i->o[0].size * 8u, count = (u32)i->imm & (bits == 64 ? 63 : 31);

    if (i->o[0].kind != X86_O_GPR || i->o[1].kind != X86_O_IMM || count == 0 || count >= bits)
        return NULL;
    p->op->a = i->o[0].offset;
    p->op->imm = left ? count : bits - count;
    return p->h->shift[sh][log2_of(i->o[0].size)][p->flags];
}

static op_fn *pick_mov(struct pick *p)
{
    const struct x86_insn *i = p->i;
    u32 l = log2_of(i->o[0].size);
    enum x86_op_form form;

    if (l > 3 || !pick_form(p, 0, &form))
        return NULL;
    if (form == OF_RR)
        return p->h->mov_rr[l];
    if (form == OF_RI)
        return p->h->mov_ri[l];
    if (form < OF_MR)
        return p->h->load[l][form - OF_RM];
    if (form < OF_MI)
        return p->h->store[l][form - OF_MR];
    return p->h->store_imm[l][form - OF_MI];
}

static op_fn *pick_extend(struct pick *p, bool sign)
{
    const struct x86_insn *i = p->i;
    u32 to = i->o[0].size, from = i->o[1].size;
    enum x86_op_form form;
    enum x86_extend e;

    if (to < 4)
        return NULL;
    if (!sign)
        e = from == 1 ? EXT_ZB_D : EXT_ZW_D;
    else if (to == 4)
        e = from == 1 ? EXT_SB_D : EXT_SW_D;
    else
        e = from == 1 ? EXT_SB_Q : from == 2 ? EXT_SW_Q : EXT_SD_Q;
    if (from >= to || !pick_form(p, 0, &form))
        return NULL;
    return form == OF_RR ? p->h->extend_rr[e] : p->h->extend_rm[e][form - OF_RM];
}

static op_fn *pick_lea(struct pick *p)
{
    const struct x86_insn *i = p->i;
    enum x86_ea ea;

    if (i->o[0].size < 4 || !pick_ea(p, &ea))
        return NULL;
    p->op->a = i->o[0].offset;
    p->op->x = X86_NULL_REG; // LEA ignores the segment
    return p->h->lea[i->o[0].size == 8][ea];
}

static op_fn *pick_imul(struct pick *p)
{
    const struct x86_insn *i = p->i;
    bool wide = i->o[0].size == 8;

    if (i->n_operands < 2 || i->o[0].size < 4 || i->o[1].kind != X86_O_GPR)
        return NULL;
    p->op->a = i->o[0].offset;
    if (i->n_operands == 2) { // a = a * b: the handler multiplies b by a
        p->op->b = i->o[1].offset;
        return p->h->imul[wide][0][p->flags];
    }
    p->op->b = i->o[1].offset;
    p->op->imm = i->imm;
    return p->h->imul[wide][1][p->flags];
}

static int condition_of(u16 mnemonic, const u16 *table)
{
    for (int cc = 0; cc < 16; cc++)
        if (table[cc] == mnemonic)
            return cc;
    return -1;
}

#define CC_MNEMONICS(M)                                                             \
    {                                                                               \
        ZYDIS_MNEMONIC_##M##O, ZYDIS_MNEMONIC_##M##NO, ZYDIS_MNEMONIC_##M##B,       \
            ZYDIS_MNEMONIC_##M##NB, ZYDIS_MNEMONIC_##M##Z, ZYDIS_MNEMONIC_##M##NZ,  \
            ZYDIS_MNEMONIC_##M##BE, ZYDIS_MNEMONIC_##M##NBE, ZYDIS_MNEMONIC_##M##S, \
            ZYDIS_MNEMONIC_##M##NS, ZYDIS_MNEMONIC_##M##P, ZYDIS_MNEMONIC_##M##NP,  \
            ZYDIS_MNEMONIC_##M##L, ZYDIS_MNEMONIC_##M##NL, ZYDIS_MNEMONIC_##M##LE,  \
            ZYDIS_MNEMONIC_##M##NLE                                                 \
    }
static const u16 jcc_mnemonics[16] = CC_MNEMONICS(J);
static const u16 setcc_mnemonics[16] = CC_MNEMONICS(SET);
static const u16 cmov_mnemonics[16] = CC_MNEMONICS(CMOV);

bool x86_reads_condition(u16 mnemonic)
{
    return condition_of(mnemonic, setcc_mnemonics) >= 0 ||
           condition_of(mnemonic, cmov_mnemonics) >= 0 ||
           condition_of(mnemonic, jcc_mnemonics) >= 0;
}

bool x86_known_flags_of(const struct x86_insn *i, enum x86_known_flags *ret_kind, u32 *ret_log2)
{
    int alu = alu_of(i->si.opcode);

    if (alu < 0 || alu == ALU_ADD || i->prefixes & X86_LOCK)
        return false;
    *ret_kind = alu == ALU_SUB || alu == ALU_CMP ? KNOWN_SUB : KNOWN_LOGIC;
    *ret_log2 = log2_of(i->o[0].size);
    return true;
}

static op_fn *pick_setcc(struct pick *p, u32 cc)
{
    enum x86_known_flags kind;
    op_fn *fn = NULL;
    u32 l;

    if (p->i->o[0].kind != X86_O_GPR)
        return NULL;
    p->op->a = p->i->o[0].offset;
    p->op->size = (u8)cc;
    if (p->producer && x86_known_flags_of(p->producer, &kind, &l))
        fn = p->h->setcc_known[kind][l][cc];
    return fn ? fn : p->h->setcc;
}

static op_fn *pick_cmov(struct pick *p, u32 cc)
{
    const struct x86_insn *i = p->i;
    bool wide = i->o[0].size == 8;
    enum x86_known_flags kind;
    op_fn *fn = NULL;
    u32 l;

    if (i->o[1].kind != X86_O_GPR || i->o[0].size < 4)
        return NULL;
    p->op->a = i->o[0].offset;
    p->op->b = i->o[1].offset;
    p->op->size = (u8)cc;
    if (p->producer && x86_known_flags_of(p->producer, &kind, &l))
        fn = p->h->cmov_known[kind][l][wide][cc];
    return fn ? fn : p->h->cmov[wide];
}

static op_fn *pick_stack(struct pick *p)
{
    const struct x86_insn *i = p->i;
    bool push = i->si.opcode == ZYDIS_MNEMONIC_PUSH;

    if (i->mode != X86_CODE64 || i->stack_bytes != 8)
        return NULL;
    if (i->o[0].kind == X86_O_GPR) {
        p->op->a = i->o[0].offset;
        return push ? p->h->push : p->h->pop;
    }
    p->op->imm = i->imm;
    return push && i->o[0].kind == X86_O_IMM ? p->h->push_imm : NULL;
}

static op_fn *pick_plain(struct pick *p)
{
    const struct x86_insn *i = p->i;
    int alu = alu_of(i->si.opcode), cc;

    if (alu >= 0)
        return pick_alu(p, (enum x86_alu_op)alu);
    switch (i->si.opcode) {
    case ZYDIS_MNEMONIC_MOV:
        return pick_mov(p);
    case ZYDIS_MNEMONIC_MOVZX:
        return pick_extend(p, false);
    case ZYDIS_MNEMONIC_MOVSX:
    case ZYDIS_MNEMONIC_MOVSXD:
        return pick_extend(p, true);
    case ZYDIS_MNEMONIC_LEA:
        return pick_lea(p);
    case ZYDIS_MNEMONIC_INC:
        return pick_unary(p, UN_INC);
    case ZYDIS_MNEMONIC_DEC:
        return pick_unary(p, UN_DEC);
    case ZYDIS_MNEMONIC_NEG:
        return pick_unary(p, UN_NEG);
    case ZYDIS_MNEMONIC_NOT:
        return pick_unary(p, UN_NOT);
    case ZYDIS_MNEMONIC_SHL:
        return pick_shift(p, SH_SHL, true);
    case ZYDIS_MNEMONIC_SHR:
        return pick_shift(p, SH_SHR, true);
    case ZYDIS_MNEMONIC_SAR:
        return pick_shift(p, SH_SAR, true);
    case ZYDIS_MNEMONIC_ROL:
        return pick_shift(p, SH_ROL, true);
    case ZYDIS_MNEMONIC_ROR:
        return pick_shift(p, SH_ROL, false);
    case ZYDIS_MNEMONIC_IMUL:
        return pick_imul(p);
    case ZYDIS_MNEMONIC_PUSH:
    case ZYDIS_MNEMONIC_POP:
        return pick_stack(p);
    case ZYDIS_MNEMONIC_LEAVE:
        return i->mode == X86_CODE64 && i->stack_bytes == 8 ? p->h->leave : NULL;
    case ZYDIS_MNEMONIC_CDQ:
        return p->h->cdq[0];
    case ZYDIS_MNEMONIC_CQO:
        return p->h->cdq[1];
    case ZYDIS_MNEMONIC_CWDE:
        return p->h->cdqe[0];
    case ZYDIS_MNEMONIC_CDQE:
        return p->h->cdqe[1];
    case ZYDIS_MNEMONIC_NOP:
    case ZYDIS_MNEMONIC_ENDBR64:
        return p->h->nop;
    }
    if ((cc = condition_of(i->si.opcode, setcc_mnemonics)) >= 0)
        return pick_setcc(p, (u32)cc);
    if ((cc = condition_of(i->si.opcode, cmov_mnemonics)) >= 0)
        return pick_cmov(p, (u32)cc);
    return NULL;
}

// Vector instructions: the stub is the computation, the handler finds the memory operand. With a
// trapping MXCSR what reports there goes the exact way.
static op_fn *pick_vector(struct pick *p)
{
    const struct x86_insn *i = p->i;
    bool write = i->o[0].kind == X86_O_MEM && i->o[0].action & X86_WRITE;
    bool aligned = i->def->flags & INSN_ALIGNED;
    x86_stub_fn *stub;
    enum x86_ea ea = EA_BD;

    if (i->exec != x86_exec_vector && !(i->exec == x86_exec_vector_128 && i->vec_bytes == 16))
        return NULL;
    if (p->c->mode & X86_MODE_FPTRAP && i->def->flags & INSN_FP)
        return NULL;
    if (i->mem.size && (!pick_ea(p, &ea) || i->mem.size < 4 || i->mem.size & (i->mem.size - 1u)))
        return NULL;
    stub = x86_stub_of(p->c->stubs, i);
    p->op->imm = (u64)(uintptr_t)stub;
    if (!stub)
        return NULL;
    if (!i->mem.size) // the stub is a handler itself, but leaves no trace
        return p->h == &x86_handlers_plain ? (op_fn *)(uintptr_t)stub : p->h->vec_reg;
    return (write ? p->h->vec_store : p->h->vec_load)[log2_of(i->mem.size)][ea][aligned];
}

static void set_links(struct op *slot, vaddr fall, vaddr taken)
{
    *(struct op_links *)slot = (struct op_links){.at = {fall, taken}};
}

// Instructions that end a block. Direct ones use the slot behind as links.
static op_fn *pick_end(struct pick *p, u32 *ret_ops)
{
    const struct x86_insn *i = p->i;
    enum x86_known_flags kind;
    op_fn *fn = NULL;
    enum x86_ea ea;
    int cc;
    u32 l;

    if ((cc = condition_of(i->si.opcode, jcc_mnemonics)) >= 0) {
        set_links(p->op + 1, i->next_pc, i->si.target);
        *ret_ops = 2;
        if (p->producer && x86_known_flags_of(p->producer, &kind, &l))
            fn = p->h->jcc_known[kind][l][cc];
        return fn ? fn : p->h->jcc[cc];
    }
    switch (i->si.opcode) {
    case ZYDIS_MNEMONIC_JMP:
        if (i->o[0].kind == X86_O_REL) {
            set_links(p->op + 1, i->next_pc, i->si.target);
            *ret_ops = 2;
            return p->h->jump;
        }
        if (i->mode != X86_CODE64 || i->o[0].size != 8)
            return NULL;
        p->op->a = i->o[0].offset;
        if (i->o[0].kind == X86_O_GPR)
            return p->h->jump_reg;
        return i->o[0].kind == X86_O_MEM && pick_ea(p, &ea) ? p->h->jump_mem[ea] : NULL;
    case ZYDIS_MNEMONIC_CALL:
        if (i->mode != X86_CODE64)
            return NULL;
        p->op->imm = i->next_pc;
        p->op->a = i->o[0].offset;
        if (i->o[0].kind == X86_O_REL) {
            set_links(p->op + 1, i->next_pc, i->si.target);
            *ret_ops = 2;
            return p->h->call;
        }
        if (i->o[0].size != 8)
            return NULL;
        if (i->o[0].kind == X86_O_GPR)
            return p->h->call_reg;
        return i->o[0].kind == X86_O_MEM && pick_ea(p, &ea) ? p->h->call_mem[ea] : NULL;
    case ZYDIS_MNEMONIC_RET:
        if (i->mode != X86_CODE64 || i->stack_bytes != 8)
            return NULL;
        p->op->imm = i->n_operands ? i->imm : 0;
        return p->h->ret;
    }
    return NULL;
}

// cmp or test with the conditional branch behind it, as one op.
static op_fn *pick_fused(struct pick *p, const struct x86_insn *branch)
{
    int alu = alu_of(p->i->si.opcode), cc = condition_of(branch->si.opcode, jcc_mnemonics);
    enum x86_op_form form;

    if ((alu != ALU_CMP && alu != ALU_TEST) || cc < 0 || !pick_form(p, 0, &form))
        return NULL;
    p->op->size = (u8)cc;
    set_links(p->op + 1, branch->next_pc, branch->si.target);
    return p->h->cmp_jcc[alu == ALU_TEST][log2_of(p->i->o[0].size)][form][cc];
}

u32 x86_pick_ops(struct x86_core *c, const struct x86_handlers *h, struct x86_insn *const *insns,
                 u32 n, u32 k, const u16 *live, const struct x86_insn *producer, struct op *ops,
                 u32 *ret_ops)
{
    struct x86_insn *i = insns[k];
    struct pick p = {.c = c, .h = h, .i = i, .op = ops, .producer = producer};

    *ret_ops = 1;
    *ops = (struct op){.insn = (u8)k, .base = X86_NULL_REG, .index = X86_NULL_REG};
    p.flags = live[k] & i->flags_written;
    if (k + 1 < n && insns[k + 1]->si.flags & STATIC_CONDITIONAL) {
        ops->fn = pick_fused(&p, insns[k + 1]);
        if (ops->fn) {
            *ret_ops = 2;
            return 2;
        }
    }
    if (i->def->flags & INSN_END) {
        ops->fn = !i->far && i->exec == i->def->exec ? pick_end(&p, ret_ops) : NULL;
        if (!ops->fn) {
            ops->fn = h->exec_end;
            *ret_ops = 1;
        }
        return 1;
    }
    if (i->exec == i->def->exec) { // not an instruction that raises #UD here
        ops->fn = pick_plain(&p);
        if (!ops->fn)
            ops->fn = pick_vector(&p);
    }
    if (!ops->fn)
        ops->fn = h->exec;
    return 1;
}
