// SPDX-License-Identifier: BSD-3-Clause
// The handlers of threaded code. Compiled twice: for the plain engine and for the traced one.
#include "isa/x86/thread_go.h"

#include "isa/x86/exec/alu.h"
#include "isa/x86/fault.h"
#include "isa/x86/stub.h"

// ---- any instruction, through its exec function

// Leaves the block behind (done) or at instruction number `insn`.
static void uncount(struct core *core, u32 insn, bool done)
{
    core->budget += core->block->n_insts - insn - done;
}

// In speculation, before an instruction that faulted or must not be executed: it leaves no record.
static COLD const struct op *wrong_path(struct core *core, const struct x86_insn *i, u32 insn)
{
    if (TRACED)
        core->trace->n_mem = core->trace->mem_done;
    uncount(core, insn, false);
    X->s.rip = i->si.pc;
    core->exit = CORE_WRONG_PATH;
    return NULL;
}

static COLD const struct op *exec_fault(struct core *core, const struct x86_insn *i, u32 insn)
{
    if (core->speculation)
        return wrong_path(core, i, insn);
    trace_inst(core, &i->si, i->si.pc, DYN_FAULT);
    uncount(core, insn, false);
    X->s.rip = i->si.pc;
    core->exit = x86_deliver(X);
    return NULL;
}

enum { REPEATS_MAX = 10000 };

// Executes *i, all iterations of it unless events must be looked at in between or there are very
// many. True: completed.
static inline bool exec_insn(struct core *core, const struct x86_insn *i, enum x86_result *ret)
{
    enum x86_result r;
    u32 repeats = 0;

    X->s.rip = i->si.pc;
    while (UNLIKELY((r = i->exec(X, i)) == X86_AGAIN)) {
        trace_inst(core, &i->si, i->si.pc, 0);
        trace_room(core, BLOCK_MAX_INSTS);
        if (UNLIKELY(X->stepped || X->stolen || ++repeats == REPEATS_MAX))
            break;
    }
    *ret = r;
    return r == X86_OK;
}

static COLD const struct op *exec_odd(struct core *core, const struct x86_insn *i, u32 insn,
                                      enum x86_result r)
{
    bool done = true;

    if (r == X86_FAULT)
        return exec_fault(core, i, insn);
    if (r == X86_AGAIN) {
        X->s.rip = i->si.pc; // its record is there already
        X->repeating = true;
        // It counts when it ends, wherever it is broken off, so that all engines count alike; but
        // under TF, or a breakpoint, each iteration is a step. A debugger's stop is none.
        done = X->stepped && core->stop != CORE_DEBUG;
    } else if (r == X86_LEAVE) {
        trace_inst(core, &i->si, X->s.rip, 0);
    } else { // completed, but what comes next may not be what stands in the block
        trace_inst(core, &i->si, i->next_pc, 0);
        X->s.rip = i->next_pc;
    }
    uncount(core, insn, done);
    return NULL;
}

HANDLER(op_exec)
{
    const struct x86_insn *i = (const struct x86_insn *)core->block->insns[op->insn];
    enum x86_result r;

    core->insn = op->insn;
    if (UNLIKELY(!exec_insn(core, i, &r) || core->leave_block))
        return exec_odd(core, i, op->insn, r);
    DONE();
}

HANDLER(op_exec_end)
{
    const struct x86_insn *i = (const struct x86_insn *)core->block->insns[op->insn];
    enum x86_result r;

    core->insn = op->insn;
    if (UNLIKELY(core->speculation) && i->def->flags & (INSN_LASTING | INSN_SERIALISE))
        return wrong_path(core, i, op->insn);
    if (UNLIKELY(!exec_insn(core, i, &r)))
        return exec_odd(core, i, op->insn, r);
    trace_inst(core, &i->si, X->s.rip, X->s.rip != i->next_pc ? (u32)DYN_TAKEN : 0);
    // Others may have enabled interrupts or changed the mode; elsewhere rip is no linear address.
    if (!(i->si.flags & STATIC_BRANCH) || X->code_mode != X86_CODE64 || i->far)
        return NULL;
    GOTO_PC(X->s.rip);
}

// The miss path of an op that stands for one instruction, and of one that stands for two.
#define MISS() TAIL op_exec(core, op)
#define MISS_END() TAIL op_exec_end(core, op)

static const struct op *exec_pair(struct core *core, const struct op *op)
{
    const struct x86_insn *i = (const struct x86_insn *)core->block->insns[op->insn];
    enum x86_result r;

    core->insn = op->insn;
    if (UNLIKELY(!exec_insn(core, i, &r) || core->leave_block))
        return exec_odd(core, i, op->insn, r);
    trace_op(core, op);
    BRANCH(op + 1, x86_condition(X, op->size));
}

#define MISS_PAIR() TAIL exec_pair(core, op)

HANDLER(op_nop)
{
    DONE();
}

// Links to a dead block stay; the jump cache knows no dead blocks.
HANDLER(op_dead)
{
    over_budget(core, op);
    if (X->code_mode == X86_CODE64)
        GOTO_PC(X->s.rip);
    return NULL;
}

HANDLER(op_debug)
{
    if (core->speculation) {
        core->exit = CORE_WRONG_PATH;
        TAIL over_budget(core, op);
    }
    if (x86_break_reached(X, core->block->va)) {
        core->exit = CORE_DEBUG;
        TAIL over_budget(core, op);
    }
    NEXT(op + 1);
}

HANDLER(op_jump)
{
    BRANCH(op + 1, 1);
}

// A block that ends without a branch: its last instruction is already traced.
HANDLER(op_fall)
{
    struct block *b = LINKS(op + 1)->to[1];

    if (UNLIKELY(!b))
        TAIL follow_taken(core, op + 1);
    ENTER(b);
}

// ---- two-operand arithmetic

static inline u64 alu(struct core *core, enum x86_alu_op o, u64 a, u64 b, u32 log2, bool flags)
{
    switch (o) {
    case ALU_ADD:
        return flags ? x86_alu_add(X, a, b, log2) : a + b;
    case ALU_SUB:
    case ALU_CMP:
        return flags ? x86_alu_sub(X, a, b, log2) : a - b;
    case ALU_OR:
        return flags ? x86_alu_or(X, a, b, log2) : a | b;
    case ALU_XOR:
        return flags ? x86_alu_xor(X, a, b, log2) : a ^ b;
    default:
        return flags ? x86_alu_and(X, a, b, log2) : a & b;
    }
}

#define WRITES(o) ((o) != ALU_CMP && (o) != ALU_TEST)

#define ALU_FORMS(n, o, s, T, L, F)                               \
    HANDLER(n##_rr_##s##F)                                        \
    {                                                             \
        u64 r = alu(core, o, REG(op->a, T), REG(op->b, T), L, F); \
        if (WRITES(o))                                            \
            PUT_##T(op->a, r);                                    \
        DONE();                                                   \
    }                                                             \
    HANDLER(n##_ri_##s##F)                                        \
    {                                                             \
        u64 r = alu(core, o, REG(op->a, T), (T)op->imm, L, F);    \
        if (WRITES(o))                                            \
            PUT_##T(op->a, r);                                    \
        DONE();                                                   \
    }                                                             \
    ALU_MEM(n, o, s, T, L, F, bd)                                 \
    ALU_MEM(n, o, s, T, L, F, full)

#define ALU_MEM(n, o, s, T, L, F, E)                       \
    HANDLER(n##_rm_##E##_##s##F)                           \
    {                                                      \
        LOAD_AT(T, p, ea_##E(core, op), MISS());           \
        u64 r = alu(core, o, REG(op->a, T), *p, L, F);     \
        if (WRITES(o))                                     \
            PUT_##T(op->a, r);                             \
        DONE();                                            \
    }                                                      \
    HANDLER(n##_mr_##E##_##s##F)                           \
    {                                                      \
        if (WRITES(o)) {                                   \
            MODIFY_AT(T, p, ea_##E(core, op), MISS());     \
            *p = (T)alu(core, o, *p, REG(op->b, T), L, F); \
        } else {                                           \
            LOAD_AT(T, p, ea_##E(core, op), MISS());       \
            alu(core, o, *p, REG(op->b, T), L, F);         \
        }                                                  \
        DONE();                                            \
    }                                                      \
    HANDLER(n##_mi_##E##_##s##F)                           \
    {                                                      \
        if (WRITES(o)) {                                   \
            MODIFY_AT(T, p, ea_##E(core, op), MISS());     \
            *p = (T)alu(core, o, *p, (T)op->imm, L, F);    \
        } else {                                           \
            LOAD_AT(T, p, ea_##E(core, op), MISS());       \
            alu(core, o, *p, (T)op->imm, L, F);            \
        }                                                  \
        DONE();                                            \
    }

#define ALU_SIZES(n, o)           \
    ALU_FORMS(n, o, b, u8, 0, 1)  \
    ALU_FORMS(n, o, w, u16, 1, 1) \
    ALU_FORMS(n, o, d, u32, 2, 0) \
    ALU_FORMS(n, o, d, u32, 2, 1) \
    ALU_FORMS(n, o, q, u64, 3, 0) \
    ALU_FORMS(n, o, q, u64, 3, 1)

ALU_SIZES(add, ALU_ADD)
ALU_SIZES(or, ALU_OR)
ALU_SIZES(and, ALU_AND)
ALU_SIZES(sub, ALU_SUB)
ALU_SIZES(xor, ALU_XOR)
ALU_SIZES(cmp, ALU_CMP)
ALU_SIZES(test, ALU_TEST)

#define ALU_PAIR(n, form, s0, s1)            \
    {                                        \
        n##_##form##_##s0, n##_##form##_##s1 \
    }
#define ALU_TABLE_SIZE(n, s0, s1)                                             \
    {                                                                         \
        [OF_RR] = ALU_PAIR(n, rr, s0, s1), [OF_RI] = ALU_PAIR(n, ri, s0, s1), \
        [OF_RM + EA_BD] = ALU_PAIR(n, rm_bd, s0, s1),                         \
        [OF_RM + EA_FULL] = ALU_PAIR(n, rm_full, s0, s1),                     \
        [OF_MR + EA_BD] = ALU_PAIR(n, mr_bd, s0, s1),                         \
        [OF_MR + EA_FULL] = ALU_PAIR(n, mr_full, s0, s1),                     \
        [OF_MI + EA_BD] = ALU_PAIR(n, mi_bd, s0, s1),                         \
        [OF_MI + EA_FULL] = ALU_PAIR(n, mi_full, s0, s1),                     \
    }
#define ALU_TABLE(n)                                                                     \
    {                                                                                    \
        ALU_TABLE_SIZE(n, b1, b1), ALU_TABLE_SIZE(n, w1, w1), ALU_TABLE_SIZE(n, d0, d1), \
            ALU_TABLE_SIZE(n, q0, q1)                                                    \
    }

// ---- one-operand arithmetic and shifts of registers

static inline u64 unary(struct core *core, enum x86_unary_op o, u64 a, u32 log2, bool flags)
{
    switch (o) {
    case UN_INC:
        return flags ? x86_alu_inc(X, a, log2) : a + 1;
    case UN_DEC:
        return flags ? x86_alu_dec(X, a, log2) : a - 1;
    case UN_NEG:
        return flags ? x86_alu_neg(X, a, log2) : 0 - a;
    default:
        return ~a;
    }
}

#define UNARY(n, o, s, T, L, F)                      \
    HANDLER(n##_##s##F)                              \
    {                                                \
        u64 r = unary(core, o, REG(op->a, T), L, F); \
        PUT_##T(op->a, r);                           \
        DONE();                                      \
    }
#define UNARY_SIZES(n, o)     \
    UNARY(n, o, b, u8, 0, 1)  \
    UNARY(n, o, w, u16, 1, 1) \
    UNARY(n, o, d, u32, 2, 0) \
    UNARY(n, o, d, u32, 2, 1) \
    UNARY(n, o, q, u64, 3, 0) \
    UNARY(n, o, q, u64, 3, 1)
UNARY_SIZES(inc, UN_INC)
UNARY_SIZES(dec, UN_DEC)
UNARY_SIZES(neg, UN_NEG)
UNARY_SIZES(not, UN_NOT)
#define UNARY_TABLE(n)                                        \
    {                                                         \
        {n##_b1, n##_b1}, {n##_w1, n##_w1}, {n##_d0, n##_d1}, \
        {                                                     \
            n##_q0, n##_q1                                    \
        }                                                     \
    }

// The count (imm) is 1 to bits - 1.
static inline u64 shift(struct core *core, enum x86_shift_op o, u64 a, u32 n, u32 log2, bool flags)
{
    switch (o) {
    case SH_SHL:
        return flags ? x86_alu_shl(X, a, n, log2) : a << n;
    case SH_SHR:
        return flags ? x86_alu_shr(X, a, n, log2) : a >> n;
    case SH_SAR:
        return flags ? x86_alu_sar(X, a, n, log2) : (u64)((i64)x86_sign_extend(a, log2) >> n);
    default: // only without flags
        return a << n | a >> ((8u << log2) - n);
    }
}

#define SHIFT(n, o, s, T, L, F)                                    \
    HANDLER(n##_##s##F)                                            \
    {                                                              \
        u64 r = shift(core, o, REG(op->a, T), (u32)op->imm, L, F); \
        PUT_##T(op->a, r);                                         \
        DONE();                                                    \
    }
#define SHIFT_SIZES(n, o)     \
    SHIFT(n, o, d, u32, 2, 0) \
    SHIFT(n, o, d, u32, 2, 1) \
    SHIFT(n, o, q, u64, 3, 0) \
    SHIFT(n, o, q, u64, 3, 1)
SHIFT_SIZES(shl, SH_SHL)
SHIFT_SIZES(shr, SH_SHR)
SHIFT_SIZES(sar, SH_SAR)
SHIFT(rol, SH_ROL, d, u32, 2, 0)
SHIFT(rol, SH_ROL, q, u64, 3, 0)
#define SHIFT_TABLE(n)                    \
    {                                     \
        {NULL}, {NULL}, {n##_d0, n##_d1}, \
        {                                 \
            n##_q0, n##_q1                \
        }                                 \
    }

// ---- conditions

// Of a - b, for the sizes at hand.
#define SUB_b(T, S, a, b) ((T)(a) < (T)(b))
#define SUB_ae(T, S, a, b) ((T)(a) >= (T)(b))
#define SUB_e(T, S, a, b) ((T)(a) == (T)(b))
#define SUB_ne(T, S, a, b) ((T)(a) != (T)(b))
#define SUB_be(T, S, a, b) ((T)(a) <= (T)(b))
#define SUB_a(T, S, a, b) ((T)(a) > (T)(b))
#define SUB_s(T, S, a, b) ((S)(T)((a) - (b)) < 0)
#define SUB_ns(T, S, a, b) ((S)(T)((a) - (b)) >= 0)
#define SUB_l(T, S, a, b) ((S)(a) < (S)(b))
#define SUB_ge(T, S, a, b) ((S)(a) >= (S)(b))
#define SUB_le(T, S, a, b) ((S)(a) <= (S)(b))
#define SUB_g(T, S, a, b) ((S)(a) > (S)(b))
// Of a logic result r: CF = OF = 0.
#define LOGIC_b(S, r) ((void)(r), 0)
#define LOGIC_ae(S, r) ((void)(r), 1)
#define LOGIC_e(S, r) ((S)(r) == 0)
#define LOGIC_ne(S, r) ((S)(r) != 0)
#define LOGIC_be(S, r) ((S)(r) == 0)
#define LOGIC_a(S, r) ((S)(r) != 0)
#define LOGIC_s(S, r) ((S)(r) < 0)
#define LOGIC_ns(S, r) ((S)(r) >= 0)
#define LOGIC_l(S, r) ((S)(r) < 0)
#define LOGIC_ge(S, r) ((S)(r) >= 0)
#define LOGIC_le(S, r) ((S)(r) <= 0)
#define LOGIC_g(S, r) ((S)(r) > 0)

#define ALL_CC(M, ...) \
    M(b, __VA_ARGS__)  \
    M(ae, __VA_ARGS__) \
    M(e, __VA_ARGS__)  \
    M(ne, __VA_ARGS__) \
    M(be, __VA_ARGS__) \
    M(a, __VA_ARGS__)  \
    M(s, __VA_ARGS__)  \
    M(ns, __VA_ARGS__) \
    M(l, __VA_ARGS__)  \
    M(ge, __VA_ARGS__) \
    M(le, __VA_ARGS__) \
    M(g, __VA_ARGS__)

#define CC_ROW(P, S)                                                                        \
    {                                                                                       \
        [2] = P##_b##S, [3] = P##_ae##S, [4] = P##_e##S, [5] = P##_ne##S, [6] = P##_be##S,  \
        [7] = P##_a##S, [8] = P##_s##S, [9] = P##_ns##S, [12] = P##_l##S, [13] = P##_ge##S, \
        [14] = P##_le##S, [15] = P##_g##S                                                   \
    }

// ---- compare and branch, in one op

#define CMP_BRANCH(cc, T, S, L, va, vb)              \
    T ca = (T)(va), cb = (T)(vb);                    \
    x86_flags_set(X, LAZY_SUB, L, (T)(ca - cb), cb); \
    trace_op(core, op);                              \
    BRANCH(op + 1, SUB_##cc(T, S, ca, cb))

#define TEST_BRANCH(cc, T, S, L, va, vb)    \
    T cr = (T)(va) & (T)(vb);               \
    x86_flags_set(X, LAZY_LOGIC, L, cr, 0); \
    trace_op(core, op);                     \
    BRANCH(op + 1, LOGIC_##cc(S, cr))

// The condition also stands in op->size, for the miss path.
#define FUSED(cc, n, N, s, T, S, L)                            \
    HANDLER(n##_rr_##s##_##cc)                                 \
    {                                                          \
        N##_BRANCH(cc, T, S, L, REG(op->a, T), REG(op->b, T)); \
    }                                                          \
    HANDLER(n##_ri_##s##_##cc)                                 \
    {                                                          \
        N##_BRANCH(cc, T, S, L, REG(op->a, T), op->imm);       \
    }                                                          \
    FUSED_MEM(cc, n, N, s, T, S, L, bd)                        \
    FUSED_MEM(cc, n, N, s, T, S, L, full)

#define FUSED_MEM(cc, n, N, s, T, S, L, E)            \
    HANDLER(n##_rm_##E##_##s##_##cc)                  \
    {                                                 \
        LOAD_AT(T, p, ea_##E(core, op), MISS_PAIR()); \
        N##_BRANCH(cc, T, S, L, REG(op->a, T), *p);   \
    }                                                 \
    HANDLER(n##_mr_##E##_##s##_##cc)                  \
    {                                                 \
        LOAD_AT(T, p, ea_##E(core, op), MISS_PAIR()); \
        N##_BRANCH(cc, T, S, L, *p, REG(op->b, T));   \
    }                                                 \
    HANDLER(n##_mi_##E##_##s##_##cc)                  \
    {                                                 \
        LOAD_AT(T, p, ea_##E(core, op), MISS_PAIR()); \
        N##_BRANCH(cc, T, S, L, *p, op->imm);         \
    }

ALL_CC(FUSED, cmp, CMP, b, u8, i8, 0)
ALL_CC(FUSED, cmp, CMP, d, u32, i32, 2)
ALL_CC(FUSED, cmp, CMP, q, u64, i64, 3)
ALL_CC(FUSED, test, TEST, b, u8, i8, 0)
ALL_CC(FUSED, test, TEST, d, u32, i32, 2)
ALL_CC(FUSED, test, TEST, q, u64, i64, 3)

#define FUSED_TABLE_SIZE(n, s)                                                                    \
    {                                                                                             \
        [OF_RR] = CC_ROW(n##_rr_##s, ), [OF_RI] = CC_ROW(n##_ri_##s, ),                           \
        [OF_RM + EA_BD] = CC_ROW(n##_rm_bd_##s, ), [OF_RM + EA_FULL] = CC_ROW(n##_rm_full_##s, ), \
        [OF_MR + EA_BD] = CC_ROW(n##_mr_bd_##s, ), [OF_MR + EA_FULL] = CC_ROW(n##_mr_full_##s, ), \
        [OF_MI + EA_BD] = CC_ROW(n##_mi_bd_##s, ), [OF_MI + EA_FULL] = CC_ROW(n##_mi_full_##s, ), \
    }
#define FUSED_TABLE(n)                                                                           \
    {                                                                                            \
        [0] = FUSED_TABLE_SIZE(n, b), [2] = FUSED_TABLE_SIZE(n, d), [3] = FUSED_TABLE_SIZE(n, q) \
    }

// ---- consumers of flags whose producer is known

#define LAZY_SUB_CC(cc, T, S) SUB_##cc(T, S, X->lazy.res + X->lazy.b, X->lazy.b)
#define LAZY_LOGIC_CC(cc, T, S) LOGIC_##cc(S, X->lazy.res)

static inline void cmov(struct core *core, const struct op *op, bool yes, bool wide)
{
    if (wide)
        REG(op->a, u64) = yes ? REG(op->b, u64) : REG(op->a, u64);
    else
        REG(op->a, u64) = yes ? REG(op->b, u32) : REG(op->a, u32);
}

#define CONSUMERS(cc, K, k, s, T, S)                    \
    HANDLER(jcc_##k##_##s##_##cc)                       \
    {                                                   \
        BRANCH(op + 1, LAZY_##K##_CC(cc, T, S));        \
    }                                                   \
    HANDLER(setcc_##k##_##s##_##cc)                     \
    {                                                   \
        REG(op->a, u8) = LAZY_##K##_CC(cc, T, S);       \
        DONE();                                         \
    }                                                   \
    HANDLER(cmov_##k##_##s##_d_##cc)                    \
    {                                                   \
        cmov(core, op, LAZY_##K##_CC(cc, T, S), false); \
        DONE();                                         \
    }                                                   \
    HANDLER(cmov_##k##_##s##_q_##cc)                    \
    {                                                   \
        cmov(core, op, LAZY_##K##_CC(cc, T, S), true);  \
        DONE();                                         \
    }

ALL_CC(CONSUMERS, SUB, sub, b, u8, i8)
ALL_CC(CONSUMERS, SUB, sub, d, u32, i32)
ALL_CC(CONSUMERS, SUB, sub, q, u64, i64)
ALL_CC(CONSUMERS, LOGIC, logic, b, u8, i8)
ALL_CC(CONSUMERS, LOGIC, logic, d, u32, i32)
ALL_CC(CONSUMERS, LOGIC, logic, q, u64, i64)

#define KNOWN_TABLE(n, S)                                                                         \
    {                                                                                             \
        [KNOWN_SUB] =                                                                             \
            {[0] = CC_ROW(n##_sub_b, S), [2] = CC_ROW(n##_sub_d, S), [3] = CC_ROW(n##_sub_q, S)}, \
        [KNOWN_LOGIC] = {[0] = CC_ROW(n##_logic_b, S),                                            \
                         [2] = CC_ROW(n##_logic_d, S),                                            \
                         [3] = CC_ROW(n##_logic_q, S)},                                           \
    }
#define CMOV_KNOWN(k, s)                                           \
    {                                                              \
        CC_ROW(cmov_##k##_##s##_d, ), CC_ROW(cmov_##k##_##s##_q, ) \
    }

// ---- consumers of any flags

#define JCC(n)                               \
    HANDLER(jcc_##n)                         \
    {                                        \
        BRANCH(op + 1, x86_condition(X, n)); \
    }
JCC(0)
JCC(1)
JCC(2)
JCC(3)
JCC(4)
JCC(5)
JCC(6)
JCC(7)
JCC(8)
JCC(9)
JCC(10)
JCC(11)
JCC(12)
JCC(13)
JCC(14)
JCC(15)

HANDLER(setcc)
{
    REG(op->a, u8) = x86_condition(X, op->size);
    DONE();
}

HANDLER(cmov_d)
{
    cmov(core, op, x86_condition(X, op->size), false);
    DONE();
}

HANDLER(cmov_q)
{
    cmov(core, op, x86_condition(X, op->size), true);
    DONE();
}

// ---- moves

#define MOVES(s, T)                    \
    HANDLER(mov_rr_##s)                \
    {                                  \
        PUT_##T(op->a, REG(op->b, T)); \
        DONE();                        \
    }                                  \
    HANDLER(mov_ri_##s)                \
    {                                  \
        PUT_##T(op->a, (T)op->imm);    \
        DONE();                        \
    }                                  \
    MOVES_MEM(s, T, bd)                \
    MOVES_MEM(s, T, full)

#define MOVES_MEM(s, T, E)                        \
    HANDLER(load_##E##_##s)                       \
    {                                             \
        LOAD_AT(T, p, ea_##E(core, op), MISS());  \
        PUT_##T(op->a, *p);                       \
        DONE();                                   \
    }                                             \
    HANDLER(store_##E##_##s)                      \
    {                                             \
        STORE_AT(T, p, ea_##E(core, op), MISS()); \
        *p = REG(op->b, T);                       \
        DONE();                                   \
    }                                             \
    HANDLER(store_imm_##E##_##s)                  \
    {                                             \
        STORE_AT(T, p, ea_##E(core, op), MISS()); \
        *p = (T)op->imm;                          \
        DONE();                                   \
    }

MOVES(b, u8)
MOVES(w, u16)
MOVES(d, u32)
MOVES(q, u64)

#define EXTEND(n, FROM, VIA)                     \
    HANDLER(n##_rr)                              \
    {                                            \
        REG(op->a, u64) = (VIA)REG(op->b, FROM); \
        DONE();                                  \
    }                                            \
    EXTEND_MEM(n, FROM, VIA, bd)                 \
    EXTEND_MEM(n, FROM, VIA, full)

#define EXTEND_MEM(n, FROM, VIA, E)                 \
    HANDLER(n##_rm_##E)                             \
    {                                               \
        LOAD_AT(FROM, p, ea_##E(core, op), MISS()); \
        REG(op->a, u64) = (VIA)*p;                  \
        DONE();                                     \
    }

EXTEND(zb_d, u8, u64)
EXTEND(zw_d, u16, u64)
EXTEND(sb_d, i8, u32)
EXTEND(sw_d, i16, u32)
EXTEND(sb_q, i8, u64)
EXTEND(sw_q, i16, u64)
EXTEND(sd_q, i32, u64)
#define EXTEND_RM(n)           \
    {                          \
        n##_rm_bd, n##_rm_full \
    }

#define LEA(E)                                   \
    HANDLER(lea_##E##_d)                         \
    {                                            \
        REG(op->a, u64) = (u32)ea_##E(core, op); \
        DONE();                                  \
    }                                            \
    HANDLER(lea_##E##_q)                         \
    {                                            \
        REG(op->a, u64) = ea_##E(core, op);      \
        DONE();                                  \
    }
LEA(bd)
LEA(full)

HANDLER(cdq_d)
{
    GPR(X86_RDX) = (u32)((i32)GPR(X86_RAX) >> 31);
    DONE();
}

HANDLER(cdq_q)
{
    GPR(X86_RDX) = (u64)((i64)GPR(X86_RAX) >> 63);
    DONE();
}

HANDLER(cdqe_d)
{
    GPR(X86_RAX) = (u32)(i16)GPR(X86_RAX);
    DONE();
}

HANDLER(cdqe_q)
{
    GPR(X86_RAX) = (u64)(i32)GPR(X86_RAX);
    DONE();
}

// ---- stack and transfers, 64-bit mode

HANDLER(push)
{
    u64 v = REG(op->a, u64);
    STORE_AT(u64, p, GPR(X86_RSP) - 8, MISS());

    *p = v;
    GPR(X86_RSP) = va;
    DONE();
}

HANDLER(push_imm)
{
    STORE_AT(u64, p, GPR(X86_RSP) - 8, MISS());

    *p = op->imm;
    GPR(X86_RSP) = va;
    DONE();
}

HANDLER(pop)
{
    LOAD_AT(u64, p, GPR(X86_RSP), MISS());

    GPR(X86_RSP) = va + 8;
    REG(op->a, u64) = *p;
    DONE();
}

HANDLER(leave)
{
    LOAD_AT(u64, p, GPR(X86_RBP), MISS());

    GPR(X86_RSP) = va + 8;
    GPR(X86_RBP) = *p;
    DONE();
}

// A target that is not canonical is #GP of the transfer itself: the exec function's affair.
#define CHECK_TARGET(target)                                        \
    do {                                                            \
        if (UNLIKELY((i64)((target) << 16) >> 16 != (i64)(target))) \
            MISS_END();                                             \
    } while (0)

HANDLER(call)
{
    STORE_AT(u64, p, GPR(X86_RSP) - 8, MISS_END());

    *p = op->imm;
    GPR(X86_RSP) = va;
    BRANCH(op + 1, 1);
}

HANDLER(call_reg)
{
    u64 target = REG(op->a, u64);

    CHECK_TARGET(target);
    STORE_AT(u64, p, GPR(X86_RSP) - 8, MISS_END());

    *p = op->imm;
    GPR(X86_RSP) = va;
    trace_end(core, target, DYN_TAKEN);
    GOTO_PC(target);
}

HANDLER(ret)
{
    u64 target;
    LOAD_AT(u64, p, GPR(X86_RSP), MISS_END());

    target = *p;
    CHECK_TARGET(target);
    GPR(X86_RSP) = va + 8 + op->imm;
    trace_end(core, target, DYN_TAKEN);
    GOTO_PC(target);
}

HANDLER(jump_reg)
{
    u64 target = REG(op->a, u64);

    CHECK_TARGET(target);
    trace_end(core, target, DYN_TAKEN);
    GOTO_PC(target);
}

#define TRANSFER_MEM(E)                                           \
    HANDLER(jump_mem_##E)                                         \
    {                                                             \
        u64 target;                                               \
        LOAD_AT(u64, p, ea_##E(core, op), MISS_END());            \
        target = *p;                                              \
        CHECK_TARGET(target);                                     \
        trace_end(core, target, DYN_TAKEN);                       \
        GOTO_PC(target);                                          \
    }                                                             \
    HANDLER(call_mem_##E)                                         \
    {                                                             \
        u64 target, sp = GPR(X86_RSP) - 8;                        \
        any_u64 *slot = (any_u64 *)host(core, sp, 8, CORE_WRITE); \
        if (UNLIKELY(!slot))                                      \
            MISS_END();                                           \
        LOAD_AT(u64, p, ea_##E(core, op), MISS_END());            \
        target = *p;                                              \
        CHECK_TARGET(target);                                     \
        trace_mem(core, CORE_WRITE, sp, 8, true);                 \
        *slot = op->imm;                                          \
        GPR(X86_RSP) = sp;                                        \
        trace_end(core, target, DYN_TAKEN);                       \
        GOTO_PC(target);                                          \
    }
TRANSFER_MEM(bd)
TRANSFER_MEM(full)

// ---- multiplication of registers, of two and three operands

#define IMUL(s, T, L, F)                                                          \
    static inline void imul_##s##F(struct core *core, const struct op *op, u64 b) \
    {                                                                             \
        u64 a = REG(op->b, T);                                                    \
        u64 r = F ? x86_alu_imul(X, a, b, L, NULL) : a * b;                       \
                                                                                  \
        PUT_##T(op->a, r);                                                        \
    }                                                                             \
    HANDLER(imul_r_##s##F)                                                        \
    {                                                                             \
        imul_##s##F(core, op, REG(op->a, T));                                     \
        DONE();                                                                   \
    }                                                                             \
    HANDLER(imul_i_##s##F)                                                        \
    {                                                                             \
        imul_##s##F(core, op, op->imm);                                           \
        DONE();                                                                   \
    }
IMUL(d, u32, 2, 0)
IMUL(d, u32, 2, 1)
IMUL(q, u64, 3, 0)
IMUL(q, u64, 3, 1)

// ---- vector instructions on the host's own units (isa/x86/stub.h)

#define VECTOR(n, bytes, E)                                      \
    HANDLER(vec_load_##n##_##E)                                  \
    {                                                            \
        u64 va = ea_##E(core, op);                               \
        u8 *p = host(core, va, bytes, CORE_READ);                \
        if (UNLIKELY(!p))                                        \
            MISS();                                              \
        trace_mem(core, CORE_READ, va, bytes, false);            \
        trace_op(core, op);                                      \
        return ((x86_stub_fn *)(uintptr_t)op->imm)(core, op, p); \
    }                                                            \
    HANDLER(vec_load_aligned_##n##_##E)                          \
    {                                                            \
        u64 va = ea_##E(core, op);                               \
        u8 *p = host(core, va, bytes, CORE_READ);                \
        if (UNLIKELY(!p || va % bytes))                          \
            MISS();                                              \
        trace_mem(core, CORE_READ, va, bytes, false);            \
        trace_op(core, op);                                      \
        return ((x86_stub_fn *)(uintptr_t)op->imm)(core, op, p); \
    }                                                            \
    HANDLER(vec_store_##n##_##E)                                 \
    {                                                            \
        u64 va = ea_##E(core, op);                               \
        u8 *p = host(core, va, bytes, CORE_WRITE);               \
        if (UNLIKELY(!p))                                        \
            MISS();                                              \
        trace_mem(core, CORE_WRITE, va, bytes, true);            \
        trace_op(core, op);                                      \
        return ((x86_stub_fn *)(uintptr_t)op->imm)(core, op, p); \
    }                                                            \
    HANDLER(vec_store_aligned_##n##_##E)                         \
    {                                                            \
        u64 va = ea_##E(core, op);                               \
        u8 *p = host(core, va, bytes, CORE_WRITE);               \
        if (UNLIKELY(!p || va % bytes))                          \
            MISS();                                              \
        trace_mem(core, CORE_WRITE, va, bytes, true);            \
        trace_op(core, op);                                      \
        return ((x86_stub_fn *)(uintptr_t)op->imm)(core, op, p); \
    }
VECTOR(2, 4, bd)
VECTOR(2, 4, full)
VECTOR(3, 8, bd)
VECTOR(3, 8, full)
VECTOR(4, 16, bd)
VECTOR(4, 16, full)
VECTOR(5, 32, bd)
VECTOR(5, 32, full)

HANDLER(vec_reg)
{
    trace_op(core, op);
    return ((x86_stub_fn *)(uintptr_t)op->imm)(core, op, NULL);
}

#define VECTOR_ROW(n, S)                           \
    {                                              \
        {n##_##S##_bd, n##_aligned_##S##_bd},      \
        {                                          \
            n##_##S##_full, n##_aligned_##S##_full \
        }                                          \
    }
#define VECTOR_TABLE(n)                                                         \
    {                                                                           \
        [2] = VECTOR_ROW(n, 2), [3] = VECTOR_ROW(n, 3), [4] = VECTOR_ROW(n, 4), \
        [5] = VECTOR_ROW(n, 5)                                                  \
    }

#if TRACED
#define TABLE x86_handlers_traced
#else
#define TABLE x86_handlers_plain
#endif

const struct x86_handlers TABLE = {
    .exec = op_exec,
    .exec_end = op_exec_end,
    .jump = op_jump,
    .fall = op_fall,
    .dead = op_dead,
    .debug = op_debug,
    .nop = op_nop,
    .alu = {ALU_TABLE(add), ALU_TABLE(or), ALU_TABLE(and), ALU_TABLE(sub), ALU_TABLE(xor),
            ALU_TABLE(cmp), ALU_TABLE(test)},
    .unary = {UNARY_TABLE(inc), UNARY_TABLE(dec), UNARY_TABLE(neg), UNARY_TABLE(not )},
    .shift = {SHIFT_TABLE(shl),
              SHIFT_TABLE(shr),
              SHIFT_TABLE(sar),
              {{NULL}, {NULL}, {rol_d0, NULL}, {rol_q0, NULL}}},
    .cmp_jcc = {FUSED_TABLE(cmp), FUSED_TABLE(test)},
    .jcc_known = KNOWN_TABLE(jcc, ),
    .jcc = {jcc_0, jcc_1, jcc_2, jcc_3, jcc_4, jcc_5, jcc_6, jcc_7, jcc_8, jcc_9, jcc_10, jcc_11,
            jcc_12, jcc_13, jcc_14, jcc_15},
    .setcc_known = KNOWN_TABLE(setcc, ),
    .setcc = setcc,
    .cmov_known =
        {[KNOWN_SUB] =
             {[0] = CMOV_KNOWN(sub, b), [2] = CMOV_KNOWN(sub, d), [3] = CMOV_KNOWN(sub, q)},
         [KNOWN_LOGIC] =
             {[0] = CMOV_KNOWN(logic, b), [2] = CMOV_KNOWN(logic, d), [3] = CMOV_KNOWN(logic, q)}},
    .cmov = {cmov_d, cmov_q},
    .mov_rr = {mov_rr_b, mov_rr_w, mov_rr_d, mov_rr_q},
    .mov_ri = {mov_ri_b, mov_ri_w, mov_ri_d, mov_ri_q},
    .load = {{load_bd_b, load_full_b},
             {load_bd_w, load_full_w},
             {load_bd_d, load_full_d},
             {load_bd_q, load_full_q}},
    .store = {{store_bd_b, store_full_b},
              {store_bd_w, store_full_w},
              {store_bd_d, store_full_d},
              {store_bd_q, store_full_q}},
    .store_imm = {{store_imm_bd_b, store_imm_full_b},
                  {store_imm_bd_w, store_imm_full_w},
                  {store_imm_bd_d, store_imm_full_d},
                  {store_imm_bd_q, store_imm_full_q}},
    .extend_rr = {zb_d_rr, zw_d_rr, sb_d_rr, sw_d_rr, sb_q_rr, sw_q_rr, sd_q_rr},
    .extend_rm = {EXTEND_RM(zb_d), EXTEND_RM(zw_d), EXTEND_RM(sb_d), EXTEND_RM(sw_d),
                  EXTEND_RM(sb_q), EXTEND_RM(sw_q), EXTEND_RM(sd_q)},
    .lea = {{lea_bd_d, lea_full_d}, {lea_bd_q, lea_full_q}},
    .imul = {{{imul_r_d0, imul_r_d1}, {imul_i_d0, imul_i_d1}},
             {{imul_r_q0, imul_r_q1}, {imul_i_q0, imul_i_q1}}},
    .cdq = {cdq_d, cdq_q},
    .cdqe = {cdqe_d, cdqe_q},
    .push = push,
    .push_imm = push_imm,
    .pop = pop,
    .leave = leave,
    .call = call,
    .call_reg = call_reg,
    .ret = ret,
    .jump_reg = jump_reg,
    .call_mem = {call_mem_bd, call_mem_full},
    .jump_mem = {jump_mem_bd, jump_mem_full},
    .vec_load = VECTOR_TABLE(vec_load),
    .vec_store = VECTOR_TABLE(vec_store),
    .vec_reg = vec_reg,
};
