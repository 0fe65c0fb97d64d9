// SPDX-License-Identifier: BSD-3-Clause
// Segment descriptors and loading segment registers (SDM vol. 3A §3.4, §5).
#pragma once

#include "isa/x86/mem.h"

// A descriptor as it lies in a table, and taken apart as the hidden part of a segment register.
struct x86_descriptor {
    u64 raw;
    u64 base;
    u32 limit; // in bytes
    u32 attr;  // X86_ATTR_…
};

// Types of system descriptors (SDM vol. 3A table 3-2).
enum x86_system_type {
    X86_TYPE_TSS16 = 1,
    X86_TYPE_LDT = 2,
    X86_TYPE_TSS16_BUSY = 3,
    X86_TYPE_CALL16 = 4,
    X86_TYPE_TASK = 5,
    X86_TYPE_INT16 = 6,
    X86_TYPE_TRAP16 = 7,
    X86_TYPE_TSS = 9,
    X86_TYPE_TSS_BUSY = 11,
    X86_TYPE_CALL = 12,
    X86_TYPE_INT = 14,
    X86_TYPE_TRAP = 15,
};

#define X86_SEL_RPL(sel) ((sel)&3u)
#define X86_SEL_ERROR(sel) ((u32)(sel)&0xfffcu) // an error code that names the selector
#define X86_SEL_NULL(sel) (((sel)&0xfffcu) == 0)
#define X86_TYPE(attr) ((attr) & (X86_ATTR_S | X86_ATTR_TYPE))

static inline bool x86_protected(const struct x86_core *c)
{
    return (c->s.cr0 & X86_CR0_PE) && !(c->s.rflags & X86_VM);
}

static inline bool x86_long_mode(const struct x86_core *c)
{
    return c->s.efer & X86_EFER_LMA;
}

static inline bool x86_is_code(u32 attr)
{
    return (attr & (X86_ATTR_S | 8)) == (X86_ATTR_S | 8);
}

static inline bool x86_is_conforming(u32 attr)
{
    return (attr & (X86_ATTR_S | 0xc)) == (X86_ATTR_S | 0xc);
}

static inline bool x86_is_writable_data(u32 attr)
{
    return (attr & (X86_ATTR_S | 0xa)) == (X86_ATTR_S | 2);
}

bool x86_canonical(const struct x86_core *c, u64 linear);

void x86_descriptor_parse(u64 raw, struct x86_descriptor *ret);
// False if sel is null or beyond its table; then no fault is raised. *ret_linear: its address.
bool x86_descriptor_address(const struct x86_core *c, u16 sel, u32 bytes, u64 *ret_linear);
// Reads the descriptor; outside its table: `vector` with the selector and `ext` as error code.
enum x86_result x86_descriptor_read(struct x86_core *c, u16 sel, enum x86_vector vector, u32 ext,
                                    struct x86_descriptor *ret);
// The upper half of a 16-byte system descriptor of IA-32e mode.
enum x86_result x86_descriptor_read_high(struct x86_core *c, u16 sel, enum x86_vector vector,
                                         u32 ext, u64 *ret_high);
// Sets the accessed bit in memory and in *d.
enum x86_result x86_descriptor_touch(struct x86_core *c, u16 sel, struct x86_descriptor *d);

// Puts a checked descriptor into a segment register; the caller then calls x86_update_mode.
void x86_segment_set(struct x86_core *c, enum x86_seg seg, u16 sel, const struct x86_descriptor *d);
void x86_segment_set_null(struct x86_core *c, enum x86_seg seg, u16 sel);
// As real mode and virtual-8086 mode load it.
void x86_segment_set_real(struct x86_core *c, enum x86_seg seg, u16 sel);

// Loads ES, SS, DS, FS or GS with all checks of MOV and POP.
enum x86_result x86_segment_load(struct x86_core *c, enum x86_seg seg, u16 sel);
// Checks a stack segment for privilege level `cpl`; raises `vector` or #NP/#SS with ext.
enum x86_result x86_stack_segment_check(struct x86_core *c, u16 sel, u32 cpl,
                                        enum x86_vector vector, u32 ext,
                                        struct x86_descriptor *ret);
// The inner stack of privilege level `cpl` from the task state segment. In IA-32e mode *ret_ss is
// the null selector with that level.
enum x86_result x86_inner_stack(struct x86_core *c, u32 cpl, u32 ext, u16 *ret_ss, u64 *ret_sp);
// LLDT and LTR (also part of task switches).
enum x86_result x86_load_ldtr(struct x86_core *c, u16 sel, enum x86_vector vector);
enum x86_result x86_load_tr(struct x86_core *c, u16 sel);

// A stack in the making: pushes and pops move `sp` and memory, but no register until the caller
// commits it.
struct x86_stack {
    u64 sp;
    u64 mask; // of the stack pointer
    u64 base;
    u32 limit;
    u32 attr;
    bool flat; // 64-bit mode: canonical addresses, no limit
    enum x86_privilege privilege;
    u32 error; // error code of its #SS
};

// The current stack.
void x86_stack_current(const struct x86_core *c, struct x86_stack *ret);
// A stack in the segment *ss for privilege level `cpl`; `wide`: of 64-bit code.
void x86_stack_new(const struct x86_descriptor *ss, u64 sp, u32 cpl, bool wide, u32 error,
                   struct x86_stack *ret);
enum x86_result x86_stack_push(struct x86_core *c, struct x86_stack *st, u64 value, u32 bytes);
enum x86_result x86_stack_pop(struct x86_core *c, struct x86_stack *st, u64 *ret, u32 bytes);
// Sets rSP from st->sp, as wide as the stack is.
void x86_stack_commit(struct x86_core *c, const struct x86_stack *st);
