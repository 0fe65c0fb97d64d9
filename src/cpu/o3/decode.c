// SPDX-License-Identifier: BSD-3-Clause
// From records to micro-ops in the ring. What is needed of a static instruction is copied: its
// block may go.
#include "cpu/o3/o3_priv.h"

u32 o3_uops_of(const struct pipe *p, const struct dyn_inst *d)
{
    (void)p;
    if (d->flags & DYN_FAULT || !d->si->n_uops)
        return 1;
    return MIN(d->si->n_uops, (u32)UOPS_MAX);
}

static bool any_device(const struct dyn_inst *d, const struct mem_ref *mem)
{
    for (u32 k = 0; k < d->n_mem; k++)
        if (mem[k].device)
            return true;
    return false;
}

static bool is_serial(const struct dyn_inst *d, const struct mem_ref *mem)
{
    enum { SERIAL = STATIC_SERIALISING | STATIC_SYSCALL | STATIC_IO | STATIC_MICROCODED };

    return d->si->flags & SERIAL || d->flags & (DYN_FAULT | DYN_INTERRUPT) || any_device(d, mem);
}

// Registers that a micro-op takes: flags stand in one.
static void count_registers(const struct pipe *p, struct o3_slot *s)
{
    s->regs[O3_INT] = s->regs[O3_VEC] = s->regs[O3_FLAGS] = 0;
    if (s->flags & (O3_MOVE | O3_ZERO))
        return;
    for (u32 k = 0; k < 4 && s->dst[k] != UOP_NO_REG; k++)
        s->regs[p->bank[s->dst[k]]]++;
    s->regs[O3_FLAGS] = MIN(s->regs[O3_FLAGS], (u8)1);
}

static bool reads(const struct uop *u, u8 reg)
{
    for (u32 k = 0; k < 4 && u->src[k] != UOP_NO_REG; k++)
        if (u->src[k] == reg)
            return true;
    return false;
}

static bool fuses(const struct pipe *p, const struct uop *before, const struct uop *u)
{
    if (!p->o3->p.micro_fusion)
        return false;
    if (u->class == UOP_STORE_DATA)
        return before->class == UOP_STORE_ADDR;
    return before->class == UOP_LOAD && u->class != UOP_LOAD && u->class != UOP_STORE_ADDR &&
           reads(u, before->dst[0]);
}

static u16 idiom(const struct pipe *p, const struct static_inst *si, const struct uop *u)
{
    const struct o3_params *o = &p->o3->p;

    if (u->class == UOP_NOP)
        return O3_NOTHING;
    if (si->n_uops != 1)
        return 0;
    if (si->flags & STATIC_ZERO_IDIOM && o->zero_idioms)
        return O3_ZERO;
    if (si->flags & STATIC_MOVE && o->move_elimination && u->class != UOP_LOAD &&
        u->class != UOP_STORE_ADDR && u->src[0] != UOP_NO_REG && u->src[1] == UOP_NO_REG)
        return O3_MOVE;
    return 0;
}

static struct o3_slot *append(struct pipe *p, const struct dyn_inst *d, u64 rename)
{
    struct o3_slot *s = o3_at(p, p->tail);
    struct o3_info *i = &p->info[p->tail & p->mask];

    p->tail++;
    s->ready = rename;
    s->done = O3_NEVER;
    s->state = O3_FETCHED;
    s->flags = p->core->speculation ? O3_WRONG_PATH : 0;
    s->insts = 0;
    s->linked = 0;
    s->list = O3_NONE;
    s->branch = O3_NONE;
    s->delay = 0;
    i->pc = d->si->pc;
    i->opcode = d->si->opcode;
    i->cause = p->fetch.cause;
    i->fetched = p->time.cycle;
    i->rename = rename;
    i->dispatched = i->issued = O3_NEVER;
    p->fetch.cause = O3_CPI_FRONTEND;
    return s;
}

// The next reference of this direction.
static const struct mem_ref *next_ref(const struct dyn_inst *d, const struct mem_ref *mem, u32 *at,
                                      bool write)
{
    while (*at < d->n_mem) {
        const struct mem_ref *m = &mem[(*at)++];

        if (m->write == write && m->size)
            return m;
    }
    return NULL;
}

static void set_memory(struct pipe *p, struct o3_slot *s, const struct mem_ref *m, u16 flag)
{
    struct o3_info *i = &p->info[o3_index(p, s)];

    if (!m)
        return;
    s->flags |= flag;
    if (m->device)
        s->flags |= O3_DEVICE;
    i->va = m->va;
    i->pa = m->pa;
    i->size = m->size;
}

static void decode_uops(struct pipe *p, const struct dyn_inst *d, const struct mem_ref *mem,
                        u64 rename, u16 flags)
{
    const struct static_inst *si = d->si;
    u32 n = o3_uops_of(p, d), loads = 0, stores = 0;
    bool stored = false;

    for (u32 k = 0; k < n; k++) {
        const struct uop *u = &si->uops[k];
        struct o3_slot *s = append(p, d, rename);

        s->flags |= flags | idiom(p, si, u);
        s->class = u->class;
        s->number = (u8)k;
        memcpy(s->src, u->src, sizeof(s->src));
        memcpy(s->dst, u->dst, sizeof(s->dst));
        if (k && fuses(p, u - 1, u))
            s->flags |= O3_FUSED;
        if (u->class == UOP_LOAD) {
            set_memory(p, s, next_ref(d, mem, &loads, false), O3_LOAD);
            if (si->flags & STATIC_ATOMIC && s->flags & O3_LOAD)
                s->flags |= O3_ATOMIC;
        } else if (u->class == UOP_STORE_ADDR) {
            set_memory(p, s, next_ref(d, mem, &stores, true), O3_STORE);
            stored = s->flags & O3_STORE;
        } else if (u->class == UOP_STORE_DATA && stored) {
            s->flags |= O3_DATA;
            stored = false;
        } else if (u->class == UOP_FENCE) {
            s->flags |= O3_SERIAL;
        }
        s->set = p->class_set[s->class];
        if (!p->kind->class[s->class].ports)
            s->flags |= O3_NOTHING;
        count_registers(p, s);
    }
}

void o3_decode(struct pipe *p, const struct dyn_inst *d, const struct mem_ref *mem, u8 insts,
               u64 rename)
{
    static const struct uop fault = {
        UOP_SYSTEM,
        0,
        {UOP_NO_REG, UOP_NO_REG, UOP_NO_REG, UOP_NO_REG},
        {UOP_NO_REG, UOP_NO_REG, UOP_NO_REG, UOP_NO_REG},
    };
    u16 serial = is_serial(d, mem) ? O3_SERIAL : 0;
    u64 first = p->tail;
    struct o3_slot *last;

    if (d->flags & DYN_FAULT || !d->si->n_uops) {
        struct static_inst si = *d->si;
        struct dyn_inst one = *d;

        si.uops = &fault;
        si.n_uops = 1;
        one.si = &si;
        one.n_mem = 0;
        decode_uops(p, &one, mem, rename, serial);
        if (d->flags & DYN_FAULT)
            o3_at(p, first)->delay = (u16)p->o3->p.fault_cycles;
    } else {
        decode_uops(p, d, mem, rename, serial);
    }
    last = o3_at(p, p->tail - 1);
    o3_at(p, first)->flags |= O3_FIRST;
    last->flags |= O3_LAST;
    last->insts = insts;
    p->info[first & p->mask].trace = p->trace_next++;
    p->o3->n.serialisingInsts += serial != 0;
    p->fetch.fuse = d->si->flags & STATIC_FUSES_NEXT && p->o3->p.macro_fusion &&
                            last->class == UOP_INT_ALU && !(last->flags & (O3_ZERO | O3_MOVE))
                        ? p->tail - 1
                        : O3_NO_POS;
}

// The branch goes into the compare before it, which is still in front of rename.
bool o3_fuse_branch(struct pipe *p, const struct dyn_inst *d, u8 insts)
{
    struct o3_slot *s;

    if (p->fetch.fuse == O3_NO_POS || p->fetch.fuse + 1 != p->tail || p->disp == p->tail ||
        !(d->si->flags & STATIC_CONDITIONAL) || d->si->n_uops != 1)
        return false;
    s = o3_at(p, p->tail - 1);
    if (((s->flags & O3_WRONG_PATH) != 0) != (p->core->speculation != 0))
        return false;
    s->class = UOP_BRANCH;
    s->set = p->class_set[UOP_BRANCH];
    s->insts = (u8)(s->insts + insts);
    p->fetch.fuse = O3_NO_POS;
    p->o3->n.macroFused++;
    return true;
}
