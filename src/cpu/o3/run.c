// SPDX-License-Identifier: BSD-3-Clause
// The cycle, and what drives it. In a cycle, stages go from the end of the pipeline to its front,
// so that nothing passes two of them. When nothing can happen the next event is jumped to.
#include "cpu/o3/o3_priv.h"

void o3_time_set(struct o3_time *t, u64 hertz, tick now)
{
    struct clock clock = {.hertz = hertz};

    t->hertz = hertz;
    t->whole = TICKS_PER_SECOND / hertz;
    t->part = TICKS_PER_SECOND % hertz;
    t->cycle = clock_cycle(&clock, now);
    t->cycle += clock_tick(&clock, t->cycle) < now;
    t->now = clock_tick(&clock, t->cycle);
    t->ahead = (u64)((u128)t->now * hertz - (u128)t->cycle * TICKS_PER_SECOND);
}

void o3_time_skip(struct o3_time *t, u64 cycles)
{
    struct clock clock = {.hertz = t->hertz};

    if (cycles == 1) {
        o3_time_next(t);
        return;
    }
    t->cycle += cycles;
    t->now = clock_tick(&clock, t->cycle);
    t->ahead = (u64)((u128)t->now * t->hertz - (u128)t->cycle * TICKS_PER_SECOND);
}

// How many cycles from this one, in which nothing happened, to the next in which something may.
static u64 idle_cycles(struct pipe *p, tick until)
{
    const struct o3_time *t = &p->time;
    u64 next = o3_wheel_next(p);
    tick memory = event_queue_next(&p->o3->base.sim->queue);

    if (p->ready_sets)
        return 1;
    if (p->head != p->disp && o3_at(p, p->head)->done != O3_NEVER)
        next = MIN(next, o3_at(p, p->head)->done + 1);
    if (p->disp != p->tail && o3_at(p, p->disp)->ready > t->cycle)
        next = MIN(next, o3_at(p, p->disp)->ready);
    if (p->fetch.hold == O3_HOLD_NONE && p->fetch.at > t->cycle)
        next = MIN(next, p->fetch.at);
    if (p->store_drained != p->store_retired && !p->drain_wait)
        next = MIN(next, p->drain_at);
    if (memory != ~(tick)0)
        next = MIN(next, o3_cycle_at(t, memory));
    if (until != ~(tick)0)
        next = MIN(next, o3_cycle_at(t, until));
    next = MIN(next, p->last_retired + p->o3->p.watchdog);
    return next > t->cycle + 1 ? next - t->cycle : 1;
}

static void cycle(struct pipe *p, tick until)
{
    struct event_queue *q = &p->o3->base.sim->queue;
    u64 n = 1;

    p->active = false;
    p->n_issued = p->n_dispatched = 0;
    if (event_queue_next(q) <= p->time.now) {
        event_queue_run(q, p->time.now);
        p->active = true;
    }
    o3_wheel_turn(p);
    o3_commit(p);
    if (p->store_drained != p->store_retired)
        o3_store_drain(p);
    if (p->ready_sets)
        o3_issue(p);
    o3_rename(p);
    o3_fetch(p);
    if (!p->active && !p->n_issued)
        n = idle_cycles(p, until);
    o3_account(p, n);
    o3_time_skip(&p->time, n);
    p->wheel_at = p->time.cycle;
    if (UNLIKELY(p->time.cycle - p->last_retired >= p->o3->p.watchdog))
        o3_watchdog(p);
}

// Why to come back, when the pipeline is empty; CORE_CONTINUE: not at all.
static enum core_exit reason(struct pipe *p)
{
    enum core_exit exit = p->held;

    if (p->failed)
        return CORE_STOP;
    if (exit != CORE_CONTINUE) {
        p->held = CORE_CONTINUE;
        return exit;
    }
    if (atomic_exchange_explicit(&p->kicked, false, memory_order_relaxed))
        return CORE_STOP;
    return p->quota == 0 || p->cpu.draining ? CORE_LIMIT : CORE_CONTINUE;
}

static enum core_exit o3_run(struct cpu *cpu, u64 max_insts, tick until, u64 *ret_insts)
{
    struct pipe *p = (struct pipe *)cpu;
    enum core_exit exit = CORE_LIMIT;

    p->quota = max_insts;
    p->done_insts = 0;
    if (cpu->now != p->time.now)
        o3_time_set(&p->time, p->o3->p.clock, MAX(cpu->now, p->time.now));
    p->last_retired = p->time.cycle;
    p->wheel_at = p->time.cycle;
    while (p->time.now < until) {
        if (o3_empty(p)) {
            exit = reason(p);
            if (exit != CORE_CONTINUE)
                break;
            exit = CORE_LIMIT;
        }
        cycle(p, until);
    }
    cpu->now = p->time.now;
    *ret_insts = p->done_insts;
    return exit;
}

// The instruction is in the middle of a block: what comes before it is in the batch.
void o3_sync(struct core *core, void *ctx, enum core_sync why)
{
    struct pipe *p = ctx;

    if (core->speculation)
        return;
    p->o3->n.syncs++;
    p->syncing = true;
    while (!o3_empty(p) && !p->failed)
        cycle(p, ~(tick)0);
    p->syncing = false;
    core->time.base = MAX(p->time.now, *p->latest_read);
    if (why == CORE_SYNC_TIME)
        *p->latest_read = core->time.base;
}

// The wrong path ends here: fetch waits for the outermost of the branches that it follows.
static void o3_settle(struct cpu *cpu)
{
    struct pipe *p = (struct pipe *)cpu;
    u64 n = p->branch_head;
    struct o3_branch *b;

    if (!p->core->speculation)
        return;
    while (!p->branch[n & p->branch_mask].speculated)
        n++;
    b = &p->branch[n & p->branch_mask];
    o3_squash(p, b->pos + 1);
    p->core->isa->rewind(p->core, 0);
    b->speculated = false;
    o3_fetch_redirect(p, p->time.cycle);
    p->fetch.hold = O3_HOLD_RESOLVE;
}

static void o3_forget(struct cpu *cpu)
{
    struct pipe *p = (struct pipe *)cpu;

    o3_abandon(p);
    p->wheel_at = p->time.cycle;
}

// In the middle of a step, with nothing in flight.
static void o3_stall(struct cpu *cpu, u64 cycles)
{
    struct pipe *p = (struct pipe *)cpu;
    struct event_queue *q = &p->o3->base.sim->queue;

    p->o3->n.numCycles += cycles;
    p->o3->n.cpiStack[O3_CPI_SERIALISED] += cycles;
    p->o3->n.slots[O3_SLOTS_BACKEND] += cycles * p->o3->p.rename_width;
    p->o3->n.issueWidth.samples += cycles;
    p->o3->n.issueWidth.buckets[0] += cycles;
    o3_time_skip(&p->time, cycles);
    p->wheel_at = p->last_retired = p->time.cycle;
    if (event_queue_next(q) <= p->time.now)
        event_queue_run(q, p->time.now);
    p->core->time.base = MAX(p->time.now, *p->latest_read);
}

static void o3_kick(struct cpu *cpu)
{
    atomic_store_explicit(&((struct pipe *)cpu)->kicked, true, memory_order_relaxed);
}

static bool o3_drained(const struct cpu *cpu)
{
    const struct pipe *p = (const struct pipe *)cpu;

    return o3_empty(p) && p->held == CORE_CONTINUE;
}

static void o3_activate(struct cpu *cpu, tick now)
{
    struct pipe *p = (struct pipe *)cpu;

    o3_reset_pipe(p);
    block_cache_select(p->front.blocks, p->core);
    p->core->sync = o3_sync;
    p->core->sync_ctx = p;
    cpu->now = now;
    o3_time_set(&p->time, p->o3->p.clock, now);
}

static void o3_deactivate(struct cpu *cpu)
{
    struct pipe *p = (struct pipe *)cpu;

    ASSERT(o3_drained(cpu));
    p->core->sync = NULL;
}

// It is the component's.
static void o3_free(struct cpu *cpu)
{
    (void)cpu;
}

const struct cpu_ops o3_cpu_ops = {
    .name = "o3",
    .run = o3_run,
    .kick = o3_kick,
    .drained = o3_drained,
    .abandon = o3_forget,
    .settle = o3_settle,
    .stall = o3_stall,
    .activate = o3_activate,
    .deactivate = o3_deactivate,
    .free = o3_free,
};
