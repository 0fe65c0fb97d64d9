// SPDX-License-Identifier: BSD-3-Clause
// Rename and dispatch, in order: registers, reorder buffer, schedulers, queues.
#include "cpu/o3/o3_priv.h"

enum { NO_EXECUTION = O3_MOVE | O3_ZERO | O3_NOTHING };

void o3_rename_map(struct pipe *p, const struct o3_slot *s, u64 pos)
{
    u64 producer = pos + 1;

    if (s->flags & O3_ZERO)
        producer = 0;
    else if (s->flags & O3_MOVE)
        producer = p->rat[s->src[0]];
    for (u32 k = 0; k < 4 && s->dst[k] != UOP_NO_REG; k++)
        p->rat[s->dst[k]] = producer;
}

static void find_operands(struct pipe *p, struct o3_slot *s, u32 index)
{
    struct o3_info *info = &p->info[index];

    for (u32 k = 0; k < 4 && s->src[k] != UOP_NO_REG; k++) {
        u64 producer = p->rat[s->src[k]];
        struct o3_slot *from;

        if (producer <= p->head) // retired
            continue;
        from = o3_at(p, producer - 1);
        if (from->done != O3_NEVER) {
            s->ready = MAX(s->ready, from->done);
            continue;
        }
        s->node[k] = from->consumers;
        from->consumers = (u16)(index * 4 + k);
        info->producer[k] = (u16)o3_index(p, from);
        s->linked |= (u8)(1u << k);
        s->n_wait++;
    }
}

static bool full(struct pipe *p, u64 *statistic)
{
    p->rename_stall = statistic;
    p->backend_stall = true;
    return false;
}

// Whether s can enter now; if not, *cause.
static bool has_room(struct pipe *p, const struct o3_slot *s, u8 *cause)
{
    struct o3_stats *n = &p->o3->n;

    if (s->flags & O3_FIRST) {
        bool drained = p->head == p->disp && p->store_drained == p->store_next;

        if (p->head < p->serial || (s->flags & O3_SERIAL && !drained)) {
            *cause = O3_CPI_SERIALISED;
            return full(p, &n->serialiseStallCycles);
        }
    }
    *cause = O3_CPI_CORE;
    if (!(s->flags & O3_FUSED) && p->rob_used >= p->o3->p.rob)
        return full(p, &n->robFullEvents);
    for (u32 b = 0; b < O3_BANKS; b++)
        if (p->free_regs[b] < s->regs[b])
            return full(p, &n->registersFullEvents);
    if (!(s->flags & NO_EXECUTION) && p->free_sched[p->set[s->set].group] <= 0)
        return full(p, &n->iqFullEvents);
    if (s->flags & O3_LOAD && p->load_tail - p->load_head >= p->o3->p.load_queue)
        return full(p, &n->lqFullEvents);
    if (s->flags & O3_STORE && p->store_next - p->store_drained >= p->o3->p.store_queue) {
        *cause = O3_CPI_STORE;
        return full(p, &n->sqFullEvents);
    }
    return true;
}

static void enter(struct pipe *p, struct o3_slot *s, u64 pos)
{
    u32 index = o3_index(p, s);

    s->consumers = O3_NONE;
    s->done = O3_NEVER;
    s->n_wait = 0;
    s->linked = 0;
    s->ready = p->time.cycle + 1;
    p->info[index].issued = O3_NEVER;
    p->info[index].dispatched = p->time.cycle;
    if (!(s->flags & O3_FUSED)) {
        p->rob_used++;
        p->o3->n.slotsInFlight++;
    }
    for (u32 b = 0; b < O3_BANKS; b++)
        p->free_regs[b] -= s->regs[b];
    if (s->flags & O3_SERIAL)
        p->serial = MAX(p->serial, pos + 1);
    if (s->flags & O3_LOAD)
        o3_load_enter(p, s, pos);
    if (s->flags & O3_STORE)
        o3_store_enter(p, s, pos);
    if (s->flags & O3_DATA)
        s->memory = (u16)((p->store_next - 1) & p->store_mask);
    if (s->flags & NO_EXECUTION) {
        s->state = O3_ISSUED;
        s->done = p->time.cycle;
        p->o3->n.movesEliminated += (s->flags & O3_MOVE) != 0;
        p->o3->n.zeroIdioms += (s->flags & O3_ZERO) != 0;
    } else {
        s->state = O3_WAITING;
        s->linked = O3_SCHEDULED;
        p->free_sched[p->set[s->set].group]--;
        find_operands(p, s, index);
        if (!s->n_wait)
            o3_schedule(p, s, s->ready);
    }
    o3_rename_map(p, s, pos);
}

void o3_rename(struct pipe *p)
{
    u32 slots = 0, width = (u32)p->o3->p.rename_width;

    p->backend_stall = false;
    p->rename_stall = NULL;
    while (p->disp != p->tail) {
        struct o3_slot *s = o3_at(p, p->disp);

        if (s->ready > p->time.cycle || (!(s->flags & O3_FUSED) && slots == width) ||
            !has_room(p, s, &p->block_cause))
            break;
        slots += !(s->flags & O3_FUSED);
        enter(p, s, p->disp++);
        p->n_dispatched++;
        p->refill = 0;
    }
    p->slots_used = slots;
    p->o3->n.renamedOps += p->n_dispatched;
    if (p->n_dispatched)
        p->active = true;
}
