// SPDX-License-Identifier: BSD-3-Clause
// Retirement, in order.
#include "cpu/o3/o3_priv.h"

static void retire_branch(struct pipe *p)
{
    struct o3_branch *b = &p->branch[p->branch_head++ & p->branch_mask];
    struct o3_stats *n = &p->o3->n;

    n->branches++;
    if (b->mispredicted) {
        n->branchMispredicts++;
        if (b->b.kind == BRANCH_CONDITIONAL)
            n->conditionalMispredicts++;
        else if (b->b.kind == BRANCH_RETURN)
            n->returnMispredicts++;
        else
            n->indirectMispredicts++;
    }
    if (!p->bpred)
        return;
    if (!b->mispredicted)
        bpred_resolve(p->bpred, &b->b, &b->p, b->taken, b->target);
    bpred_commit(p->bpred, &b->b, &b->p, b->taken, b->target);
}

static void retire_memory(struct pipe *p, struct o3_slot *s)
{
    if (s->flags & O3_LOAD) {
        o3_load_release(p, s);
        p->load_head++;
        if (s->flags & O3_ATOMIC) {
            p->barrier_head++;
            o3_list_wake(p, O3_LIST_BARRIER);
        }
    }
    if (s->flags & O3_DATA) {
        p->store_retired++;
        p->o3->n.stores++;
    }
}

static void retire(struct pipe *p, struct o3_slot *s)
{
    struct o3_stats *n = &p->o3->n;

    ASSERT(!(s->flags & O3_WRONG_PATH));
    if (s->flags & (O3_LOAD | O3_DATA))
        retire_memory(p, s);
    for (u32 b = 0; b < O3_BANKS; b++)
        p->free_regs[b] += s->regs[b];
    if (!(s->flags & O3_FUSED)) {
        p->rob_used--;
        n->slotsInFlight--;
        n->slots[O3_SLOTS_RETIRING]++;
    }
    if (s->branch != O3_NONE)
        retire_branch(p);
    n->committedOps++;
    n->committedInsts += s->insts;
    if (UNLIKELY(p->trace && s->flags & O3_LAST))
        o3_trace_slot(p, p->head, false);
    s->state = O3_FETCHED;
}

void o3_commit(struct pipe *p)
{
    u32 slots = 0, width = (u32)p->o3->p.retire_width;
    u64 before = p->head;

    while (p->head != p->disp) {
        struct o3_slot *s = o3_at(p, p->head);

        if (s->done >= p->time.cycle || (!(s->flags & O3_FUSED) && slots == width))
            break;
        slots += !(s->flags & O3_FUSED);
        retire(p, s);
        p->head++;
    }
    p->n_retired = (u32)(p->head - before);
    if (p->n_retired) {
        p->last_retired = p->time.cycle;
        p->active = true;
    }
    if (p->list_head[O3_LIST_OLDEST] != O3_NONE)
        o3_check_oldest(p);
}
