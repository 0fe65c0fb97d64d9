// SPDX-License-Identifier: BSD-3-Clause
#include "cpu/functional/functional.h"

#include "base/bug.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { CHUNK = 1000000 }; // instructions between two looks at a kick

struct functional {
    struct cpu cpu; // first
    struct block_cache *bc;
    struct dyn_batch *batch;
    atomic_bool kicked;
};

// Runs until the budget is used up or something leaves the core.
static enum core_exit run_chunk(struct functional *f, struct core *core)
{
    enum core_exit exit;
    struct block *b;
    const struct op *op;

    for (;;) {
        core->block = NULL;
        exit = core->isa->check_events(core);
        if (exit != CORE_CONTINUE)
            return exit;
        if (core->budget <= 0)
            return CORE_LIMIT;
        core->exit = CORE_CONTINUE;
        if (block_cache_find(f->bc, core, (u64)core->budget, &b)) {
            core->link = NULL;
            core->block = b;
            core->leave_block = false;
            core->budget -= b->n_insts;
            if (f->batch && !dyn_batch_has_room(f->batch, b->n_insts))
                dyn_batch_flush(f->batch);
            for (op = b->ops; op; op = op->fn(core, op))
                ;
            ASSERT(core->budget >= 0);
        }
        if (core->exit != CORE_CONTINUE)
            return core->exit;
    }
}

static enum core_exit functional_run(struct cpu *cpu, u64 max_insts, tick until, u64 *ret_insts)
{
    struct functional *f = (struct functional *)cpu;
    struct core *core = cpu->core;
    enum core_exit exit = CORE_LIMIT;
    u64 done = 0;

    (void)until;
    core->trace = f->batch;
    while (done < max_insts && exit == CORE_LIMIT) {
        u64 chunk = MIN(max_insts - done, (u64)CHUNK);

        if (atomic_exchange_explicit(&f->kicked, false, memory_order_relaxed)) {
            exit = CORE_STOP;
            break;
        }
        core->budget = core->run_budget = (i64)chunk;
        core->link = NULL;
        core->isa->enter(core);
        exit = run_chunk(f, core);
        core->isa->leave(core);
        core->block = NULL;
        done += core_run_insts(core);
        if (f->batch)
            dyn_batch_flush(f->batch);
    }
    core->trace = NULL;
    *ret_insts = done;
    return exit;
}

static void functional_kick(struct cpu *cpu)
{
    atomic_store_explicit(&((struct functional *)cpu)->kicked, true, memory_order_relaxed);
}

static void functional_activate(struct cpu *cpu, tick now)
{
    (void)now;
    cpu->core->sync = NULL;
    block_cache_select(((struct functional *)cpu)->bc, cpu->core);
}

static void functional_free(struct cpu *cpu)
{
    free(cpu);
}

static const struct cpu_ops functional_ops = {
    .name = "functional",
    .run = functional_run,
    .kick = functional_kick,
    .activate = functional_activate,
    .free = functional_free,
};

struct cpu *functional_new(struct core *core, struct block_cache *bc, struct dyn_batch *batch,
                           struct error *err)
{
    struct functional *f = calloc(1, sizeof(*f));

    if (!f) {
        error_set(err, ERROR_RESOURCE, "no memory for a functional CPU");
        return NULL;
    }
    f->cpu = (struct cpu){.ops = &functional_ops, .core = core};
    f->bc = bc;
    f->batch = batch;
    block_cache_attach(bc, core);
    return &f->cpu;
}

struct dyn_batch *dyn_batch_new(u32 insts, void (*consume)(struct dyn_batch *), void *ctx,
                                struct error *err)
{
    struct dyn_batch *b = calloc(1, sizeof(*b));

    if (!b)
        goto fail;
    b->consume = consume;
    b->ctx = ctx;
    b->inst_capacity = MAX(insts, 2u * BLOCK_MAX_INSTS);
    b->mem_capacity = b->inst_capacity * 4 + DYN_MAX_MEM;
    b->inst = calloc(b->inst_capacity, sizeof(*b->inst));
    b->mem = calloc(b->mem_capacity, sizeof(*b->mem));
    if (b->inst && b->mem)
        return b;
fail:
    dyn_batch_free(b);
    error_set(err, ERROR_RESOURCE, "no memory for instruction records");
    return NULL;
}

void dyn_batch_free(struct dyn_batch *b)
{
    if (!b)
        return;
    free(b->inst);
    free(b->mem);
    free(b);
}
