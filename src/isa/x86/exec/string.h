// SPDX-License-Identifier: BSD-3-Clause
// String instructions: one iteration, and what a repeat prefix makes of it.
#pragma once

#include "isa/x86/exec/exec.h"

// What an iteration of CMPS or SCAS compared.
struct x86_compared {
    u64 a, b;
};

// One iteration: moves data and the pointers, or raises a fault and changes nothing.
typedef enum x86_result x86_iteration(struct x86_core *c, const struct x86_insn *i,
                                      struct x86_compared *ret);
// Up to `count` iterations at once, of which no fault and no trace can tell; returns how many (0:
// only one by one). A comparison that ends the repetition is the last of them.
typedef u64 x86_bulk(struct x86_core *c, const struct x86_insn *i, u64 count,
                     struct x86_compared *ret);

// Executes *i: without a prefix, an iteration. With one, iterations until rCX is 0, or until
// X86_AGAIN: after each one in the traced engine, after a page or so in the plain one. `bulk` may
// be NULL.
enum x86_result x86_repeat(struct x86_core *c, const struct x86_insn *i, x86_iteration *one,
                           x86_bulk *bulk);

// rSI or rDI, moved on by an element.
static inline void x86_string_advance(struct x86_core *c, const struct x86_insn *i, u32 reg,
                                      u32 size)
{
    u64 v = c->s.gpr[reg] + (c->s.rflags & X86_DF ? -(u64)size : size);

    x86_put_reg(c, reg, i->addr_bytes, v);
}

// Linear address of the element at rSI (in the instruction's segment) or at rDI (in ES).
static inline enum x86_result x86_string_source(struct x86_core *c, const struct x86_insn *i,
                                                u32 size, u64 *ret_linear)
{
    return x86_linear(c, (enum x86_seg)i->mem.seg, x86_get_reg(c, X86_RSI, i->addr_bytes), size,
                      CORE_READ, ret_linear);
}

static inline enum x86_result x86_string_destination(struct x86_core *c, const struct x86_insn *i,
                                                     u32 size, enum core_access access,
                                                     u64 *ret_linear)
{
    return x86_linear(c, X86_ES, x86_get_reg(c, X86_RDI, i->addr_bytes), size, access, ret_linear);
}
