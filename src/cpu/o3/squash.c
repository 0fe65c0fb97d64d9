// SPDX-License-Identifier: BSD-3-Clause
// Undoing: what stands behind a mispredicted branch goes, what stands behind a load that read too
// early goes through the pipeline once more.
#include "cpu/o3/o3_priv.h"

// Takes a renamed slot out of all structures. The youngest comes first: in a producer's list it is
// the first one.
static void undo(struct pipe *p, struct o3_slot *s)
{
    u32 index = o3_index(p, s);

    for (u32 k = 4; k-- > 0;)
        if (s->linked >> k & 1)
            p->slot[p->info[index].producer[k]].consumers = s->node[k];
    if (s->linked & O3_SCHEDULED)
        p->free_sched[p->set[s->set].group]++;
    s->linked = 0;
    if (s->state == O3_READY)
        o3_ready_remove(p, s);
    o3_list_remove(p, s);
    for (u32 b = 0; b < O3_BANKS; b++)
        p->free_regs[b] += s->regs[b];
    if (!(s->flags & O3_FUSED)) {
        p->rob_used--;
        p->o3->n.slotsInFlight--;
        p->o3->n.slots[O3_SLOTS_BAD_SPECULATION]++;
    }
    if (s->flags & O3_LOAD) {
        o3_load_release(p, s);
        p->load_tail--;
        if (s->flags & O3_ATOMIC)
            p->barrier_tail--;
    }
    if (s->flags & O3_STORE) {
        o3_store_forget(p);
        p->info[index].generation++;
    }
    s->flags &= (u16) ~(O3_TRANSLATED | O3_RESOLVE);
    s->state = O3_FETCHED;
    p->o3->n.squashedOps++;
}

static void map_again(struct pipe *p)
{
    for (u32 k = 0; k < UOP_REGS; k++)
        p->rat[k] = 0;
    for (u64 pos = p->head; pos != p->disp; pos++)
        o3_rename_map(p, o3_at(p, pos), pos);
}

static void undo_from(struct pipe *p, u64 from)
{
    if (p->disp <= from)
        return;
    while (p->disp > from)
        undo(p, o3_at(p, --p->disp));
    if (p->serial > from)
        p->serial = 0;
    map_again(p);
}

void o3_squash(struct pipe *p, u64 from)
{
    undo_from(p, from);
    while (p->tail > from) {
        struct o3_slot *s = o3_at(p, --p->tail);

        p->o3->n.squashedInsts += (s->flags & O3_FIRST) != 0;
        if (s->branch != O3_NONE) {
            struct o3_branch *b = &p->branch[--p->branch_tail & p->branch_mask];

            if (p->bpred)
                bpred_squash(p->bpred, &b->p);
        }
        if (UNLIKELY(p->trace && s->flags & O3_LAST))
            o3_trace_slot(p, p->tail, true);
    }
}

// APPROX: what is fetched again comes at full width out of the micro-op queue, after the way that
// fetch would have taken; caches and predictors do not see it.
void o3_replay(struct pipe *p)
{
    u64 from = p->violation, end = p->disp, rename, width = p->o3->p.rename_width;

    p->o3->n.memOrderViolation++;
    o3_dependence_train(p, p->violation_load, p->violation_store);
    p->violation = O3_NO_POS;
    rename = p->time.cycle + p->o3->p.redirect +
             (p->o3->p.uop_cache ? p->o3->p.uop_cache_path : p->o3->p.decode_path);
    for (u64 pos = from; pos < p->disp; pos++)
        p->o3->n.squashedInsts += (o3_at(p, pos)->flags & O3_FIRST) != 0;
    undo_from(p, from);
    for (u64 pos = from; pos < p->tail; pos++) {
        struct o3_slot *s = o3_at(p, pos);

        s->ready = MAX(rename + (pos - from) / width, pos < end ? 0 : s->ready);
    }
    p->fetch.last_rename = MAX(p->fetch.last_rename, o3_at(p, p->tail - 1)->ready);
    p->refill = O3_CPI_ORDER;
    p->active = true;
}

void o3_resolve(struct pipe *p, struct o3_slot *s)
{
    struct o3_branch *b = &p->branch[s->branch];
    u64 pos = o3_pos(p, o3_index(p, s));

    s->flags &= (u16) ~(O3_RESOLVE | O3_MISPREDICTED);
    o3_squash(p, pos + 1);
    if (b->speculated) // else the batch is done
        p->core->isa->rewind(p->core, b->level);
    if (p->bpred)
        bpred_resolve(p->bpred, &b->b, &b->p, b->taken, b->target);
    p->refill = O3_CPI_BRANCH;
    o3_fetch_redirect(p, p->time.cycle + p->o3->p.redirect);
}
