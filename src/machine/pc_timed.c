// SPDX-License-Identifier: BSD-3-Clause
// Time in a PC some of whose cores have models with a time of their own. The core that is behind
// goes on, a little further than the next one; what happens on the board happens when the core that
// is furthest behind has come there. Models without timing take a cycle for an instruction.
#include "machine/pc_priv.h"

#include "base/bug.h"

#include <string.h>

static struct event_queue *queue_of(struct pc *pc)
{
    return &pc->base.sim->queue;
}

static u32 earliest(const struct pc *pc, u64 mask)
{
    u32 best = (u32)__builtin_ctzll(mask);

    for (; mask; mask &= mask - 1) {
        u32 i = (u32)__builtin_ctzll(mask);

        if (pc->st.local[i] < pc->st.local[best])
            best = i;
    }
    return best;
}

// How far core `number` may go: not past what happens next, nor far ahead of the others.
static tick window_end(const struct pc *pc, u32 number, u64 mask, tick horizon)
{
    tick window = processor_window(pc->models.processor), now = pc->st.local[number];
    tick end = horizon;

    for (mask &= ~(1ull << number); mask; mask &= mask - 1)
        end = MIN(end, MAX(pc->st.local[__builtin_ctzll(mask)], now) + window);
    return MAX(end, now + 1);
}

static enum core_exit run_model(struct pc *pc, u32 number, u64 n, tick until, u64 *ret_ran)
{
    struct component *core = pc->cores[number];
    struct cpu *model = pc_core_model(core);
    tick now = pc->st.local[number];
    enum core_exit exit;

    pc->stall = 0;
    pc->running = core;
    if (model->timed) {
        pc_core_x86(core)->core.time.period = pc->period;
        model->now = MAX(model->now, now);
        exit = cpu_run_until(model, n, until, ret_ran);
        pc->st.local[number] = model->now;
    } else {
        n = MIN(n, (until - now + pc->period - 1) / pc->period);
        core_set_time(&pc_core_x86(core)->core, now, 0, pc->period, 1);
        exit = cpu_run(model, n, ret_ran);
        pc->st.local[number] = now + (*ret_ran + pc->stall) * pc->period;
    }
    return exit;
}

static void run_core(struct pc *pc, const struct pc_limits *limits, u32 number, tick until)
{
    const struct pc_debug *debug = limits->debug;
    bool stepped = debug && debug->step >> number & 1;
    u64 n = limits->insts - pc->st.insts, ran;
    struct x86_core *x86 = pc_core_x86(pc->cores[number]);
    enum core_exit exit;

    x86->debug.hold = stepped && !debug->step_through;
    exit = run_model(pc, number, stepped ? MIN(n, 1u) : n, until, &ran);
    x86->debug.hold = false;
    pc_ran(pc, number, exit, ran, stepped);
    pc->n.yields += exit == CORE_YIELD;
}

// Who has work, or instructions in flight.
static u64 busy(const struct pc *pc, const struct pc_limits *limits)
{
    u64 mask = pc_runnable(pc, limits);

    for (u32 i = 0; i < pc->p.cpus; i++)
        if (!cpu_drained(pc_core_model(pc->cores[i])))
            mask |= 1ull << i;
    return mask;
}

void pc_timed_step(struct pc *pc, const struct pc_limits *limits)
{
    u64 mask = busy(pc, limits);
    struct event_queue *q = queue_of(pc);
    u32 number;
    tick now;

    // Cores that had nothing to do begin now.
    for (u64 m = mask & ~pc->st.mask; m; m &= m - 1)
        pc->st.local[__builtin_ctzll(m)] = MAX(pc->st.local[__builtin_ctzll(m)], q->now);
    pc->st.mask = mask;
    if (!mask) {
        pc_wait_for_event(pc, limits);
        return;
    }
    pc->st.started |= mask;
    number = earliest(pc, mask);
    now = pc->st.local[number];
    if (event_queue_next(q) <= now) {
        event_queue_run(q, MAX(event_queue_next(q), q->now));
        return;
    }
    event_queue_run(q, MAX(q->now, MIN(now, limits->when)));
    if (now >= limits->when)
        return;
    pc->horizon = MIN(MIN(event_queue_next(q), limits->when), pc_stuck_at(pc, limits));
    pc->horizon = window_end(pc, number, mask, pc->horizon);
    run_core(pc, limits, number, pc->horizon);
}

// The guest executes nothing meanwhile, so nothing that happens on the board can be missed.
void pc_timed_drain(struct pc *pc)
{
    for (u32 i = 0; i < pc->p.cpus; i++) {
        u64 ran;

        while (!cpu_drained(pc_core_model(pc->cores[i])) &&
               pc_failure(&pc->base)->code == ERROR_NONE) {
            enum core_exit exit = run_model(pc, i, 0, ~(tick)0, &ran);

            pc_ran(pc, i, exit, ran, false);
        }
    }
}

bool pc_switch(struct component *c, u32 number, enum model_kind kind, struct error *err)
{
    struct pc *pc = pc_of(c);
    struct event_queue *q = queue_of(pc);
    const struct x86_arch_state *state = &pc_core_x86(pc->cores[number])->s;
    struct x86_arch_state before = *state;
    bool was = pc->timed;

    // A round of turns ends here, and every core's time is the board's.
    if (!was) {
        pc->st.share = 0;
        pc->st.mask = 0;
        for (u32 i = 0; i < pc->p.cpus; i++)
            pc->st.local[i] = MAX(pc->st.local[i], q->now);
    }
    if (!models_switch(&pc->models, number, kind, pc->st.local[number], err))
        return false;
    ASSERT(memcmp(&before, state, sizeof(before)) == 0); // models borrow it, as it is
    pc_core_set_model(pc->cores[number], pc->models.core[number].active);
    pc->timed = models_timed(&pc->models);
    if (was && !pc->timed) {
        tick latest = q->now;

        for (u32 i = 0; i < pc->p.cpus; i++)
            latest = MAX(latest, pc->st.local[i]);
        event_queue_run(q, latest);
    }
    return true;
}

bool pc_set_processor(struct component *c, struct processor *processor, bool warm,
                      struct error *err)
{
    return models_set_processor(&pc_of(c)->models, processor, warm, err);
}

struct models *pc_models(const struct component *c)
{
    return &pc_of(c)->models;
}
