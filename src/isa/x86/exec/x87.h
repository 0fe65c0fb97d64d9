// SPDX-License-Identifier: BSD-3-Clause
// What the functions for x87 instructions share. Registers are kept by physical number: ST(n) is
// x87[(TOP + n) & 7].
#pragma once

#include "isa/x86/mem.h"

// FSW: exception flags 0-5 and stack fault 6, as FCW masks 0-5; ES 7, C0-C2 8-10, TOP 11-13, C3 14,
// B 15.
enum {
    X87_IE = 1 << 0,
    X87_PE = 1 << 5,
    X87_FLAGS = 0x3f,
    X87_SF = 1 << 6,
    X87_ES = 1 << 7,
    X87_C1 = 1 << 9,
    X87_C0_C2_C3 = 0x4500,
    X87_TOP = 7 << 11,
    X87_B = 1 << 15,
};

static inline u32 x87_top(const struct x86_core *c)
{
    return c->s.fsw >> 11 & 7;
}

// ST(n), 16 bytes of which 10 count.
static inline u8 *x87_st(struct x86_core *c, u32 n)
{
    return c->s.x87 + 16 * ((x87_top(c) + n) & 7);
}

// What every waiting instruction does first: #MF if an unmasked exception is pending.
// UNMODELLED: CR0.NE = 0, where it goes out as an external interrupt (FERR#) instead; it is #MF
// too.
static inline enum x86_result x87_wait(struct x86_core *c)
{
    if (UNLIKELY(c->s.fsw & ~c->s.fcw & X87_FLAGS)) // what the host would trap on
        return x86_raise(c, X86_EXC_MF);
    return X86_OK;
}

// Host code of an instruction (opcode D8 to DF) followed by RET; the memory forms' operand is
// [rdx].
const void *x87_code_of(u8 opcode, u8 modrm);

// Executes *i, whose opcode and ModRM are bytes[0..1], if it can be done the short way.
bool x87_fast(struct x86_core *c, const struct x86_insn *i, const u8 *bytes,
              enum x86_result *ret_result);

// #AC for operands that x86_load and x86_store do not check: m80, environments.
enum x86_result x87_check_alignment(struct x86_core *c, u64 linear, u32 align);

// FCW and FSW as they can be: reserved bits of FCW, ES and B from flags and masks.
void x87_set_control(struct x86_core *c, u16 fcw, u16 fsw);
void x87_init(struct x86_core *c);
// The full tag word (two bits per physical register) and back (only "empty" counts).
u16 x87_full_tags(const struct x86_core *c);
void x87_put_full_tags(struct x86_core *c, u16 tags);

// A result of a transcendental instruction: 10 bytes, and whether rounding made it larger.
struct x87_result {
    u8 value[10];
    bool up;
};

// The results for ST0 and ST1, before the host executes the instruction (bytes: opcode and ModRM);
// 0: there is nothing to replace. Then, behind it, puts them there if they are its results.
u32 x87_transcend(struct x86_core *c, const u8 *bytes, struct x87_result ret[2]);
void x87_transcend_put(struct x86_core *c, u32 n, const struct x87_result result[2]);
