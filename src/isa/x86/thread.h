// SPDX-License-Identifier: BSD-3-Clause
// Threaded code: how decoded instructions become ops (thread.c, thread_pick.c) and what the ops do
// (thread_ops.c, compiled twice: plain and traced). Hot forms have handlers of their own, built
// from the same semantic functions as everything else; all others go through op_exec, which calls
// the instruction's x86_exec_fn. A handler whose memory access misses the TLB does the same: the
// miss path of every form is its exec function.
#pragma once

#include "isa/x86/core.h"

// How a handler finds its memory operand.
enum x86_ea {
    EA_BD,   // gpr[base] + disp
    EA_FULL, // gpr[base] + (gpr[index] << scale) + disp + "register" x (null or a segment base)
    EA_KINDS
};

// Operand forms; M forms exist per x86_ea.
enum x86_op_form {
    OF_RR,
    OF_RI,
    OF_RM,
    OF_MR = OF_RM + EA_KINDS,
    OF_MI = OF_MR + EA_KINDS,
    OF_FORMS = OF_MI + EA_KINDS
};

enum x86_alu_op { ALU_ADD, ALU_OR, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP, ALU_TEST, ALU_OPS };
enum x86_unary_op { UN_INC, UN_DEC, UN_NEG, UN_NOT, UN_OPS };
enum x86_shift_op { SH_SHL, SH_SHR, SH_SAR, SH_ROL, SH_OPS };
// Flag producers whose condition a consumer can compute at once.
enum x86_known_flags { KNOWN_SUB, KNOWN_LOGIC, KNOWN_KINDS };
// Destination and source of an extending move.
enum x86_extend { EXT_ZB_D, EXT_ZW_D, EXT_SB_D, EXT_SW_D, EXT_SB_Q, EXT_SW_Q, EXT_SD_Q, EXT_KINDS };

// Index of the sizes: log2 of the bytes. NULL where there is no handler.
struct x86_handlers {
    op_fn *exec;     // any instruction that does not end a block
    op_fn *exec_end; // any that does
    op_fn *jump;     // direct, to links[1]
    op_fn *fall;     // likewise, at the end of a block that has no branch
    op_fn *dead;     // first op of a block whose code was overwritten
    op_fn *debug;    // first op of a block that begins at a debugger's breakpoint
    op_fn *nop;
    op_fn *alu[ALU_OPS][4][OF_FORMS][2]; // [..][sets flags]
    op_fn *unary[UN_OPS][4][2];
    op_fn *shift[SH_OPS][4][2];               // register by immediate (1 to bits - 1)
    op_fn *cmp_jcc[2][4][OF_FORMS][16];       // cmp, test; then jcc
    op_fn *jcc_known[KNOWN_KINDS][4][16];     //
    op_fn *jcc[16];                           //
    op_fn *setcc_known[KNOWN_KINDS][4][16];   //
    op_fn *setcc;                             // size: condition
    op_fn *cmov_known[KNOWN_KINDS][4][2][16]; // [..][64-bit]
    op_fn *cmov[2];                           // [64-bit]; size: condition
    op_fn *mov_rr[4];                         //
    op_fn *mov_ri[4];                         //
    op_fn *load[4][EA_KINDS];                 //
    op_fn *store[4][EA_KINDS];                //
    op_fn *store_imm[4][EA_KINDS];            //
    op_fn *extend_rr[EXT_KINDS];              //
    op_fn *extend_rm[EXT_KINDS][EA_KINDS];    //
    op_fn *lea[2][EA_KINDS];                  // [64-bit]
    op_fn *imul[2][2][2];                     // [64-bit][by immediate][sets flags]
    op_fn *cdq[2], *cdqe[2];                  // [64-bit]
    op_fn *push, *push_imm, *pop, *leave;     //
    op_fn *call, *call_reg, *ret, *jump_reg;  // 64-bit mode
    op_fn *call_mem[EA_KINDS], *jump_mem[EA_KINDS];
    // Vector instructions: imm is a stub that takes the host address of the memory operand.
    op_fn *vec_load[6][EA_KINDS][2]; // log2 of the size; [must be aligned]
    op_fn *vec_store[6][EA_KINDS][2];
    op_fn *vec_reg;
};

extern const struct x86_handlers x86_handlers_plain, x86_handlers_traced;

// Fills ops for insns[k] (and insns[k + 1], if both become one op) and returns how many
// instructions were taken; *ret_ops is the number of slots used. `live`: flags that somebody may
// still read after insns[k]. `producer`: the last instruction before k that set flags, or NULL if
// not known.
u32 x86_pick_ops(struct x86_core *c, const struct x86_handlers *h, struct x86_insn *const *insns,
                 u32 n, u32 k, const u16 *live, const struct x86_insn *producer, struct op *ops,
                 u32 *ret_ops);

// SETcc, CMOVcc or Jcc.
bool x86_reads_condition(u16 mnemonic);

// Whether flags that *i leaves can be used by the `known` handlers; *ret_kind is how.
bool x86_known_flags_of(const struct x86_insn *i, enum x86_known_flags *ret_kind, u32 *ret_log2);
