// SPDX-License-Identifier: BSD-3-Clause
// A decoded x86 instruction, and the contract of the functions that execute it. There is one such
// function per instruction form (isa/x86/insn.def); every CPU model uses it.
#pragma once

#include "isa/isa.h"

struct x86_core;
struct x86_insn;

// How an instruction ended. Exceptions are values: the function has called x86_raise, which fills
// core->fault, and no architectural state has changed but what the manual says stays changed.
enum x86_result {
    X86_OK = 0,
    X86_FAULT, // core->fault says which; the caller delivers it
    X86_LEAVE, // completed, and the engine must be left: core->core.exit says why
    X86_AGAIN, // an iteration of a repeated instruction is done, rip stays: execute it again
};

// Executes *i. On entry s.rip is that of *i. On X86_OK the caller sets s.rip = i->next_pc, unless
// the row has INSN_END: such a function sets s.rip itself on every successful path (X86_OK and
// X86_LEAVE). Lazy flags may be pending: read and write them through isa/x86/flags.h only.
typedef enum x86_result x86_exec_fn(struct x86_core *c, const struct x86_insn *i);

enum x86_operand_kind {
    X86_O_NONE,
    X86_O_GPR, // reg 0-15; `offset` is the byte offset of its low byte in struct x86_core (AH: 1)
    X86_O_VEC, // xmm or ymm 0-15, by size
    X86_O_MMX, // 0-7
    X86_O_X87, // ST(reg)
    X86_O_SEG, // enum x86_seg
    X86_O_CR,  //
    X86_O_DR,  //
    X86_O_MEM, // the instruction's one explicit memory operand: x86_insn.mem
    X86_O_IMM, // x86_insn.imm (imm2 for a second one), sign-extended where the instruction does so
    X86_O_REL, // branch target: x86_insn.si.target
    X86_O_PTR, // far pointer: selector imm2, offset imm
};

enum x86_action { X86_READ = 1, X86_WRITE = 2, X86_RW = 3 };

// An operand that assembler text shows, in Intel order (destination first). Implicit operands are
// the execution function's affair.
struct x86_operand {
    u8 kind;   // enum x86_operand_kind
    u8 reg;    //
    u8 action; // enum x86_action
    u8 offset; // of X86_O_GPR
    u16 size;  // bytes
};

enum x86_prefix { X86_REP = 1, X86_REPNE = 2, X86_LOCK = 4 };

enum { X86_MAX_OPERANDS = 5 };

struct x86_mem_operand {
    u8 base, index; // GPR number or X86_NULL_REG; RIP-relative addresses are absolute in disp.
                    // The index of a gather is the number of a vector register.
    u8 scale;       // log2
    u8 seg;         // enum x86_seg
    u16 size;       // bytes accessed
    i64 disp;
};

struct x86_insn_def;

struct x86_insn {
    struct static_inst si; // first
    vaddr next_pc;
    x86_exec_fn *exec;
    const struct x86_insn_def *def;
    void *stub;    // forms that execute on the host's own units (isa/x86/stub.h); made when decoded
    u8 op_bytes;   // operand size: 1, 2, 4, 8
    u8 addr_bytes; // address size: 2, 4, 8
    u8 stack_bytes; // a stack slot as PUSH and CALL use it: 2, 4, 8
    u8 prefixes;    // enum x86_prefix
    u8 n_operands;
    u8 vec_bytes; // 16 or 32 (VEX.L); 0 if not a vector instruction
    u8 mode;      // enum x86_code_mode
    u8 cc;        // of Jcc, SETcc, CMOVcc: the condition, as x86_condition takes it
    bool vex;     // VEX-encoded: a vector destination is zero-extended to 32 bytes
    bool far;     // far branch
    bool string;  // MOVS, CMPS, SCAS, STOS, LODS, INS, OUTS; mem is its source ([rSI], or nothing)
    struct x86_operand o[X86_MAX_OPERANDS];
    struct x86_mem_operand mem;
    u64 imm, imm2;
    u16 flags_read, flags_written; // of X86_ARITH_FLAGS | X86_DF; written: also undefined, cleared
    u8 bytes[16];
};

// Which form of a mnemonic a row is for, where one mnemonic has several.
enum x86_form {
    FORM_ANY,
    FORM_STRING, // MOVSD, CMPSD: the string instruction
    FORM_VECTOR, // has an XMM or YMM operand
    FORM_MMX,    // has an MMX operand, and no XMM one
    FORM_CR,     // MOV to or from a control register
    FORM_DR,     // likewise a debug register
    FORM_SEG,    // has a segment register operand
    FORM_FAR,    // far JMP, CALL
    FORM_REL,    // direct near branch
    FORM_MEM,    // has a memory operand
    FORM_REG,    // has none
    X86_FORMS
};

enum x86_insn_flags {
    INSN_END = 1 << 0,       // ends a block: sets rip, or changes what decoding depends on
    INSN_SERIALISE = 1 << 1, // serialising (SDM vol. 3A §8.3)
    INSN_SYSTEM = 1 << 2,    // privileged or conditional: tested by guest tests, not generated
    INSN_LOCKABLE = 1 << 3,  // LOCK is allowed with a memory destination, elsewhere #UD
    INSN_NOTEST = 1 << 4,    // result is no function of the state: RDTSC, CPUID, RDRAND…
    INSN_ALIGNED = 1 << 5,   // a vector memory operand must be aligned: #GP(0)
    INSN_FP = 1 << 6,        // reports in MXCSR, may raise #XM
    INSN_LASTING = 1 << 7,   // cannot be undone: ends speculation, as what serialises does
};

struct x86_insn_def {
    u16 mnemonic; // ZydisMnemonic
    u8 form;      // enum x86_form
    u8 feature;   // enum x86_feature: #UD unless CPUID shows it
    u8 uop;       // enum uop_class of the computation
    u8 recipe;    // enum x86_recipe
    u16 flags;    // enum x86_insn_flags
    x86_exec_fn *exec;
    const char *exec_name;
};
