// SPDX-License-Identifier: BSD-3-Clause
#include "cpu/front.h"

#include "base/bug.h"

bool front_init(struct front *f, struct core *core, struct block_cache *blocks, struct error *err)
{
    *f = (struct front){.core = core, .blocks = blocks};
    f->batch = dyn_batch_new(FRONT_RECORDS, NULL, NULL, err);
    if (!f->batch)
        return false;
    block_cache_attach(blocks, core);
    return true;
}

void front_release(struct front *f)
{
    dyn_batch_free(f->batch);
    f->batch = NULL;
}

static enum core_exit execute(struct front *f, u64 max_insts, u64 slack)
{
    struct core *core = f->core;
    enum core_exit exit;
    struct block *b;
    const struct op *op;

    core->block = NULL;
    exit = core->speculation ? CORE_CONTINUE : core->isa->check_events(core);
    if (exit != CORE_CONTINUE)
        return exit;
    if (core->budget <= 0) // events may take some of it
        return CORE_CONTINUE;
    core->exit = CORE_CONTINUE;
    if (block_cache_find(f->blocks, core, MIN(max_insts, (u64)core->budget), &b)) {
        i64 spare = core->budget - (i64)MIN((u64)core->budget, b->n_insts + slack);

        core->link = NULL;
        core->block = b;
        core->leave_block = false;
        core->budget -= spare + b->n_insts;
        core->run_budget -= spare;
        for (op = b->ops; op; op = op->fn(core, op))
            ;
        ASSERT(core->budget >= 0);
    }
    return core->exit;
}

enum core_exit front_step(struct front *f, u64 max_insts, u64 slack, u64 *ret_insts)
{
    struct core *core = f->core;
    enum core_exit exit;

    f->batch->n_inst = f->batch->n_mem = f->batch->mem_done = 0;
    core->trace = f->batch;
    core->budget = core->run_budget = (i64)MIN(max_insts, (u64)1 << 32);
    core->link = NULL;
    core->isa->enter(core);
    exit = execute(f, max_insts, slack);
    core->isa->leave(core);
    core->block = NULL;
    core->trace = NULL;
    *ret_insts = core_run_insts(core);
    return exit;
}
