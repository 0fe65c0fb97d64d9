// SPDX-License-Identifier: BSD-3-Clause
// Where cycles and slots went. A cycle belongs to what its oldest micro-op did or waited for.
#include "cpu/o3/o3_priv.h"

const char *const o3_cpi_names[O3_CPI_KINDS] = {
    "base",      "icache",    "itlb",        "frontend", "branch", "memory_order", "memory_l1",
    "memory_l2", "memory_l3", "memory_dram", "store",    "core",   "serialised",   "drain"};

const char *const o3_slot_names[O3_SLOTS_KINDS] = {"retiring", "bad_speculation", "frontend_bound",
                                                   "backend_bound"};

// A load that waits counts as what its age says: as long as a hit in the first level takes for that
// level, and so on.
static void account_load(struct pipe *p, const struct o3_info *i, u64 cycles)
{
    const struct o3_params *o = &p->o3->p;
    u64 *stack = p->o3->n.cpiStack;
    const u64 limit[] = {o->l1_cycles, o->l2_cycles, o->l3_cycles, O3_NEVER};
    u64 age = p->time.cycle - i->issued;

    for (u32 k = 0; cycles; k++) {
        u64 n = limit[k] > age ? MIN(limit[k] - age, cycles) : 0;

        stack[O3_CPI_L1 + k] += n;
        age += n;
        cycles -= n;
    }
}

static enum o3_cpi empty_cause(const struct pipe *p)
{
    const struct o3_fetch *f = &p->fetch;

    if (p->disp != p->tail) {
        const struct o3_slot *s = &p->slot[p->disp & p->mask];

        if (s->ready <= p->time.cycle)
            return (enum o3_cpi)p->block_cause;
        return p->refill ? (enum o3_cpi)p->refill : (enum o3_cpi)p->info[p->disp & p->mask].cause;
    }
    if (f->hold == O3_HOLD_ICACHE)
        return O3_CPI_ICACHE;
    if (f->hold == O3_HOLD_ITLB)
        return O3_CPI_ITLB;
    if (p->refill)
        return (enum o3_cpi)p->refill;
    if (f->at > p->time.cycle)
        return (enum o3_cpi)f->cause;
    if (p->cpu.draining || !p->quota || p->held != CORE_CONTINUE || p->syncing)
        return p->store_drained != p->store_next ? O3_CPI_STORE : O3_CPI_DRAIN;
    return O3_CPI_FRONTEND;
}

static void account_cycles(struct pipe *p, u64 cycles)
{
    u64 *stack = p->o3->n.cpiStack;
    const struct o3_slot *s = &p->slot[p->head & p->mask];

    if (p->n_retired)
        stack[O3_CPI_BASE] += cycles;
    else if (p->head == p->disp)
        stack[empty_cause(p)] += cycles;
    else if (p->serial > p->head)
        stack[O3_CPI_SERIALISED] += cycles;
    else if (s->flags & O3_LOAD && p->info[p->head & p->mask].issued != O3_NEVER)
        account_load(p, &p->info[p->head & p->mask], cycles);
    else
        stack[O3_CPI_CORE] += cycles;
}

static void account_slots(struct pipe *p, u64 cycles)
{
    u64 *slots = p->o3->n.slots;
    u64 lost = p->o3->p.rename_width - p->slots_used;

    if (p->backend_stall)
        slots[O3_SLOTS_BACKEND] += lost * cycles;
    else if (p->refill || p->core->speculation)
        slots[O3_SLOTS_BAD_SPECULATION] += lost * cycles;
    else
        slots[O3_SLOTS_FRONTEND] += lost * cycles;
}

void o3_account(struct pipe *p, u64 cycles)
{
    struct o3_stats *n = &p->o3->n;

    n->numCycles += cycles;
    account_cycles(p, cycles);
    account_slots(p, cycles);
    n->issueWidth.samples += cycles;
    n->issueWidth.sum += p->n_issued * cycles;
    n->issueWidth.squares += (u64)p->n_issued * p->n_issued * cycles;
    n->issueWidth.buckets[MIN(p->n_issued, ARRAY_SIZE(n->issueWidth.buckets) - 1)] += cycles;
    if (p->rename_stall)
        *p->rename_stall += cycles;
    if (p->fetch_stall)
        *p->fetch_stall += cycles;
    if (p->fetch.hold == O3_HOLD_ICACHE)
        n->icacheStallCycles += cycles;
    if (p->fetch.hold == O3_HOLD_ITLB)
        n->itlbStallCycles += cycles;
}
