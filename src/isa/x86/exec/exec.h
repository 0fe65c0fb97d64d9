// SPDX-License-Identifier: BSD-3-Clause
// Operands: what the functions that execute read and write, whatever kind it is.
#pragma once

#include "isa/x86/exec/alu.h"
#include "isa/x86/mem.h"
#include "isa/x86/table.h"

// Registers by the offset of their low byte (x86_operand.offset). A write of 4 bytes clears the
// upper half, shorter ones leave the rest.
static inline u64 x86_get_gpr(const struct x86_core *c, u32 offset, u32 size)
{
    const u8 *p = (const u8 *)c + offset;
    u16 v16;
    u32 v32;
    u64 v64;

    switch (size) {
    case 1:
        return *p;
    case 2:
        memcpy(&v16, p, 2);
        return v16;
    case 4:
        memcpy(&v32, p, 4);
        return v32;
    default:
        memcpy(&v64, p, 8);
        return v64;
    }
}

static inline void x86_put_gpr(struct x86_core *c, u32 offset, u32 size, u64 v)
{
    u8 *p = (u8 *)c + offset;

    switch (size) {
    case 1:
        *p = (u8)v;
        break;
    case 2:
        memcpy(p, &v, 2);
        break;
    case 4:
        v = (u32)v;
        memcpy(p, &v, 8);
        break;
    default:
        memcpy(p, &v, 8);
    }
}

// The same by register number, for implicit operands.
static inline u64 x86_get_reg(const struct x86_core *c, u32 reg, u32 size)
{
    return x86_get_gpr(c, reg * 8, size);
}

static inline void x86_put_reg(struct x86_core *c, u32 reg, u32 size, u64 v)
{
    x86_put_gpr(c, reg * 8, size, v);
}

// The value of a register, memory or immediate operand, zero-extended (immediates as decoded).
static inline enum x86_result x86_read(struct x86_core *c, const struct x86_insn *i, u32 n,
                                       u64 *ret)
{
    const struct x86_operand *o = &i->o[n];
    enum x86_result r;
    u64 linear;

    switch (o->kind) {
    case X86_O_GPR:
        *ret = x86_get_gpr(c, o->offset, o->size);
        return X86_OK;
    case X86_O_IMM:
        *ret = n && i->o[n - 1].kind == X86_O_IMM ? i->imm2 : i->imm;
        return X86_OK;
    default:
        r = x86_operand_address(c, i, CORE_READ, &linear);
        if (r)
            return r;
        *ret = 0;
        return x86_load(c, linear, ret, o->size);
    }
}

static inline enum x86_result x86_write(struct x86_core *c, const struct x86_insn *i, u32 n, u64 v)
{
    const struct x86_operand *o = &i->o[n];
    enum x86_result r;
    u64 linear;

    if (o->kind == X86_O_GPR) {
        x86_put_gpr(c, o->offset, o->size, v);
        return X86_OK;
    }
    r = x86_operand_address(c, i, CORE_WRITE, &linear);
    return r ? r : x86_store(c, linear, &v, o->size);
}

// A read-modify-write of operand 0:
//
//     r = x86_modify(c, i, &m);         faults as the write would
//     if (r) return r;
//     do {
//         new = f(m.old);                flags may be set here: a repetition starts with the old
//     } while (!x86_modify_end(c, &m, new));
//
// A LOCK prefix makes it atomic on the host too, where the operand is aligned in RAM.
struct x86_modify {
    u64 old;  // zero-extended
    u8 *host; // NULL: a register, or memory that has to be reached the slow way
    u64 linear;
    u32 size;
    u16 offset; // of the register
    bool memory, atomic;
    struct x86_lazy lazy; // flags before
    u64 rflags;
};

enum x86_result x86_modify_memory(struct x86_core *c, u64 linear, u32 size, bool lock,
                                  struct x86_modify *m);
bool x86_modify_end_memory(struct x86_core *c, struct x86_modify *m, u64 v);

static inline enum x86_result x86_modify(struct x86_core *c, const struct x86_insn *i,
                                         struct x86_modify *m)
{
    const struct x86_operand *o = &i->o[0];
    enum x86_result r;
    u64 linear;

    if (o->kind == X86_O_GPR) {
        m->memory = false;
        m->offset = o->offset;
        m->size = o->size;
        m->old = x86_get_gpr(c, o->offset, o->size);
        return X86_OK;
    }
    r = x86_operand_address(c, i, CORE_WRITE, &linear);
    return r ? r : x86_modify_memory(c, linear, o->size, i->prefixes & X86_LOCK, m);
}

static inline bool x86_modify_end(struct x86_core *c, struct x86_modify *m, u64 v)
{
    if (m->memory)
        return x86_modify_end_memory(c, m, v);
    x86_put_gpr(c, m->offset, m->size, v);
    return true;
}

// log2 of an operand's size.
static inline u32 x86_operand_log2(const struct x86_insn *i, u32 n)
{
    return x86_log2(i->o[n].size);
}
