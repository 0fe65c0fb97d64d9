// SPDX-License-Identifier: BSD-3-Clause
// Guest memory as instructions see it. x86_linear applies segmentation; x86_load and x86_store take
// linear addresses, translate and check them at the core's current privilege, and may cross pages:
// no byte is written unless all can be.
#pragma once

#include "isa/x86/core.h"

#include <string.h>

// The value of a base or index: a register, or zero for X86_NULL_REG (null_reg follows gpr; through
// a pointer, because a bounds checker sees an array of 16).
static inline u64 x86_address_part(const struct x86_core *c, u8 reg)
{
    const u64 *gpr = c->s.gpr;

    return gpr[reg];
}

// Offset part of the instruction's memory operand, truncated to the address size.
static inline u64 x86_offset(const struct x86_core *c, const struct x86_insn *i)
{
    u64 ea = x86_address_part(c, i->mem.base) +
             (x86_address_part(c, i->mem.index) << i->mem.scale) + (u64)i->mem.disp;

    if (UNLIKELY(i->addr_bytes != 8))
        ea &= i->addr_bytes == 4 ? 0xffffffffu : 0xffffu;
    return ea;
}

// Segment base and checks (canonical form in 64-bit mode; elsewhere limit, rights, null):
// #GP(0) or #SS(0).
enum x86_result x86_linear_slow(struct x86_core *c, enum x86_seg seg, u64 offset, u32 size,
                                enum core_access access, u64 *ret_linear);

static inline enum x86_result x86_linear(struct x86_core *c, enum x86_seg seg, u64 offset, u32 size,
                                         enum core_access access, u64 *ret_linear)
{
    if (LIKELY(c->code_mode == X86_CODE64)) {
        u64 linear = seg >= X86_FS ? offset + c->s.seg_base[seg] : offset;

        // Well inside either canonical half of 4-level paging.
        if (LIKELY(linear + (1ull << 47) < (1ull << 48) - 4096 && (linear & (1ull << 47)) == 0)) {
            *ret_linear = linear;
            return X86_OK;
        }
    }
    return x86_linear_slow(c, seg, offset, size, access, ret_linear);
}

// Linear address of the memory operand.
static inline enum x86_result x86_operand_address(struct x86_core *c, const struct x86_insn *i,
                                                  enum core_access access, u64 *ret_linear)
{
    return x86_linear(c, (enum x86_seg)i->mem.seg, x86_offset(c, i), i->mem.size, access,
                      ret_linear);
}

// Any size from 1 to 4096, any alignment. In the traced engine each call is one mem_ref.
enum x86_result x86_load_slow(struct x86_core *c, u64 linear, void *data, u32 size);
enum x86_result x86_store_slow(struct x86_core *c, u64 linear, const void *data, u32 size);
// Finds out whether a store of size bytes would fault (sets accessed and dirty bits like it).
enum x86_result x86_probe_write(struct x86_core *c, u64 linear, u32 size);
// At supervisor privilege whatever the CPL: descriptor tables, task state, interrupt stacks.
enum x86_result x86_load_system(struct x86_core *c, u64 linear, void *data, u32 size);
enum x86_result x86_store_system(struct x86_core *c, u64 linear, const void *data, u32 size);
enum x86_result x86_load_as(struct x86_core *c, u64 linear, void *data, u32 size,
                            enum x86_privilege privilege);
enum x86_result x86_store_as(struct x86_core *c, u64 linear, const void *data, u32 size,
                             enum x86_privilege privilege);

// Gives a dormant entry its host pointer; false when it had to be dropped (the page is no RAM).
bool x86_tlb_wake(struct x86_core *c, u64 linear, enum core_access access,
                  enum x86_privilege privilege);

// Host address of [linear, linear + size) if that lies in one page of RAM that the TLB knows for
// this access; else NULL.
static inline u8 *x86_host(struct x86_core *c, u64 linear, u32 size, enum core_access access)
{
    const struct tlb_entry *e = &c->core.tlb[access]->entry[core_tlb_index(linear)];
    u64 tag = (linear + size - 1) & CORE_PAGE_MASK;

    return e->tag == tag || (UNLIKELY(e->tag == (tag | CORE_TLB_DORMANT)) &&
                             x86_tlb_wake(c, linear, access, (enum x86_privilege)c->privilege))
               ? (u8 *)(linear + e->addend)
               : NULL;
}

static inline enum x86_result x86_load(struct x86_core *c, u64 linear, void *data, u32 size)
{
    const u8 *host = x86_host(c, linear, size, CORE_READ);

    if (UNLIKELY(!host || c->core.trace))
        return x86_load_slow(c, linear, data, size);
    memcpy(data, host, size);
    return X86_OK;
}

static inline enum x86_result x86_store(struct x86_core *c, u64 linear, const void *data, u32 size)
{
    u8 *host = x86_host(c, linear, size, CORE_WRITE);

    if (UNLIKELY(!host || c->core.trace))
        return x86_store_slow(c, linear, data, size);
    memcpy(host, data, size);
    return X86_OK;
}

// Appends a mem_ref when tracing is on (for accesses that do not go through load and store).
void x86_trace_mem(struct x86_core *c, u64 linear, u32 size, bool write);

// Translation (isa/x86/mmu.c). On success *ret_page is the physical page and accessed and dirty
// bits are set; `user` is the privilege of the access. Fills that privilege's TLB if it is RAM.
enum x86_result x86_translate(struct x86_core *c, u64 linear, enum core_access access, bool user,
                              paddr *ret_page);
enum x86_result x86_translate_as(struct x86_core *c, u64 linear, enum core_access access,
                                 enum x86_privilege privilege, paddr *ret_page);
// Without side effects: for debuggers, system call emulation, disassembly. False if not mapped.
bool x86_translate_debug(const struct x86_core *c, u64 linear, paddr *ret_pa);
bool x86_where(const struct core *core, vaddr va, paddr *ret_pa);              // isa_ops.where
bool x86_walk_path(const struct core *core, vaddr va, struct timed_walk *ret); // isa_ops.walk
// Empty the TLBs and the jump cache (all, all but global pages, or of one page).
void x86_tlb_flush(struct x86_core *c, bool global_too);
void x86_tlb_flush_page(struct x86_core *c, u64 linear);
// Drops write entries for a physical page, which now holds decoded code: writes must be seen.
void x86_tlb_protect_page(struct core *core, paddr page);
