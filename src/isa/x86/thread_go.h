// SPDX-License-Identifier: BSD-3-Clause
// What the handlers of threaded code are written in: registers, records of the traced engine, going
// on to the next op or block, memory operands. Only thread_ops.c includes it, twice compiled:
// TRACED = 0 and 1. In a tail-call build a handler jumps to the next one; otherwise (sanitizers, no
// optimisation) it returns the next op.
#pragma once

#include "isa/x86/mem.h"
#include "isa/x86/thread.h"

#ifndef TRACED
#define TRACED 0
#endif

#if defined(FACET_TAILCALL) && defined(__clang__)
#define TAIL __attribute__((musttail)) return
#else
#define TAIL return
#endif

#ifdef FACET_TAILCALL
#define NEXT(o) TAIL(o)->fn(core, (o))
#else
#define NEXT(o) return (o)
#endif

#define HANDLER(name) static const struct op *name(struct core *core, const struct op *op)
#define COLD __attribute__((noinline, cold))
#define X x86_core_of(core)
#define REG(offset, T) (*(T *)((char *)X + (offset)))
#define GPR(n) REG((n)*8, u64) // also X86_NULL_REG and the bases of segments
#define LINKS(o) ((const struct op_links *)(o))

// A 32-bit result clears the upper half of its register; smaller ones leave the rest.
#define PUT_u8(offset, v) (REG(offset, u8) = (u8)(v))
#define PUT_u16(offset, v) (REG(offset, u16) = (u16)(v))
#define PUT_u32(offset, v) (REG(offset, u64) = (u32)(v))
#define PUT_u64(offset, v) (REG(offset, u64) = (v))

// ---- tracing

#if TRACED
static inline void trace_mem(struct core *core, enum core_access access, u64 va, u32 size,
                             bool write)
{
    struct dyn_batch *t = core->trace;
    struct mem_ref *m = &t->mem[t->n_mem++];

    m->va = va;
    m->pa = core->tlb[access]->page[core_tlb_index(va)] | (va & (CORE_PAGE_SIZE - 1));
    m->size = (u16)size;
    m->write = write;
    m->device = false;
}

static inline void trace_inst(struct core *core, const struct static_inst *si, vaddr next_pc,
                              u32 flags)
{
    struct dyn_batch *t = core->trace;
    struct dyn_inst *d = &t->inst[t->n_inst++];

    d->si = si;
    d->next_pc = next_pc;
    d->mem_first = t->mem_done;
    d->n_mem = (u8)(t->n_mem - t->mem_done);
    d->flags = (u8)flags;
    t->mem_done = t->n_mem;
}

static COLD bool trace_flush(struct core *core)
{
    if (!core->trace->consume)
        return false;
    dyn_batch_flush(core->trace);
    return true;
}

// Room for all records of a block, whatever they are. False: there is none, the engine must leave.
static inline bool trace_room(struct core *core, u32 n_insts)
{
    return LIKELY(dyn_batch_has_room(core->trace, n_insts)) || trace_flush(core);
}
#else
static inline void trace_mem(struct core *core, enum core_access access, u64 va, u32 size,
                             bool write)
{
}
static inline void trace_inst(struct core *core, const struct static_inst *si, vaddr next_pc,
                              u32 flags)
{
}
static inline bool trace_room(struct core *core, u32 n_insts)
{
    return true;
}
#endif

// The op's instruction went on to the one behind it.
static inline void trace_op(struct core *core, const struct op *op)
{
    if (TRACED) {
        const struct static_inst *si = core->block->insns[op->insn];

        trace_inst(core, si, si->pc + si->len, 0);
    }
}

// The block's last instruction went to next_pc.
static inline void trace_end(struct core *core, vaddr next_pc, u32 flags)
{
    if (TRACED)
        trace_inst(core, core->block->insns[core->block->n_insts - 1], next_pc, flags);
}

// ---- going on

#define DONE()              \
    do {                    \
        trace_op(core, op); \
        NEXT(op + 1);       \
    } while (0)

static COLD const struct op *over_budget(struct core *core, const struct op *op)
{
    core->budget += core->block->n_insts;
    X->s.rip = core->block->insns[0]->pc;
    return NULL;
}

#define ENTER(b)                              \
    do {                                      \
        core->block = (b);                    \
        core->budget -= (b)->n_insts;         \
        if (UNLIKELY(core->budget < 0))       \
            TAIL over_budget(core, (b)->ops); \
        if (!trace_room(core, (b)->n_insts))  \
            TAIL over_budget(core, (b)->ops); \
        NEXT((b)->ops);                       \
    } while (0)

// To a pc that is known only now.
#define GOTO_PC(target)                                                  \
    do {                                                                 \
        u64 pc_ = (target);                                              \
        const struct jump_entry *e_ = &core->jump[core_jump_index(pc_)]; \
        if (UNLIKELY(e_->key != (pc_ ^ core->mode_key))) {               \
            X->s.rip = pc_;                                              \
            return NULL;                                                 \
        }                                                                \
        ENTER(e_->block);                                                \
    } while (0)

// Along a link that is not direct: to another page, or not known yet. op: the links.
#define FOLLOW(which)                                                  \
    do {                                                               \
        u64 to_ = LINKS(op)->at[which];                                \
        if (X->code_mode == X86_CODE64) { /* else rip is not linear */ \
            if ((to_ ^ core->block->va) & CORE_PAGE_MASK)              \
                GOTO_PC(to_);                                          \
            core->link = (struct block **)&LINKS(op)->to[which];       \
        }                                                              \
        X->s.rip = to_;                                                \
        return NULL;                                                   \
    } while (0)

static __attribute__((noinline)) const struct op *follow_fall(struct core *core,
                                                              const struct op *op)
{
    FOLLOW(0);
}

static __attribute__((noinline)) const struct op *follow_taken(struct core *core,
                                                               const struct op *op)
{
    FOLLOW(1);
}

#define BRANCH(links, taken)                                    \
    do {                                                        \
        const struct op *l_ = (links);                          \
        u32 t_ = (taken);                                       \
        struct block *b_ = LINKS(l_)->to[t_];                   \
        trace_end(core, LINKS(l_)->at[t_], t_ ? DYN_TAKEN : 0); \
        if (UNLIKELY(!b_)) {                                    \
            if (t_)                                             \
                TAIL follow_taken(core, l_);                    \
            TAIL follow_fall(core, l_);                         \
        }                                                       \
        ENTER(b_);                                              \
    } while (0)

// ---- memory

static inline u64 ea_bd(struct core *core, const struct op *op)
{
    return GPR(op->base) + (u64)op->disp;
}

static inline u64 ea_full(struct core *core, const struct op *op)
{
    return GPR(op->base) + (GPR(op->index) << op->scale) + (u64)op->disp + GPR(op->x);
}

static inline u8 *host(struct core *core, u64 va, u32 size, enum core_access access)
{
    const struct tlb_entry *e = &core->tlb[access]->entry[core_tlb_index(va)];

    return LIKELY(e->tag == ((va + size - 1) & CORE_PAGE_MASK)) ? (u8 *)(va + e->addend) : NULL;
}

// Guest data lies at any address.
#define ANY __attribute__((aligned(1), may_alias))
typedef u8 any_u8 ANY;
typedef u16 any_u16 ANY;
typedef u32 any_u32 ANY;
typedef u64 any_u64 ANY;
typedef i8 any_i8 ANY;
typedef i16 any_i16 ANY;
typedef i32 any_i32 ANY;

// p: host address of a T at the op's memory operand, or on to the miss path.
#define LOAD_AT(T, p, va_, miss)                                              \
    u64 va = (va_);                                                           \
    const any_##T *p = (const any_##T *)host(core, va, sizeof(T), CORE_READ); \
    if (UNLIKELY(!p))                                                         \
        miss;                                                                 \
    trace_mem(core, CORE_READ, va, sizeof(T), false)

#define STORE_AT(T, p, va_, miss)                                  \
    u64 va = (va_);                                                \
    any_##T *p = (any_##T *)host(core, va, sizeof(T), CORE_WRITE); \
    if (UNLIKELY(!p))                                              \
        miss;                                                      \
    trace_mem(core, CORE_WRITE, va, sizeof(T), true)

#define MODIFY_AT(T, p, va_, miss)                                 \
    u64 va = (va_);                                                \
    any_##T *p = (any_##T *)host(core, va, sizeof(T), CORE_WRITE); \
    if (UNLIKELY(!p))                                              \
        miss;                                                      \
    trace_mem(core, CORE_WRITE, va, sizeof(T), false);             \
    trace_mem(core, CORE_WRITE, va, sizeof(T), true)
