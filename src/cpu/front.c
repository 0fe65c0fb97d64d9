// SPDX-License-Identifier: BSD-3-Clause
#include "cpu/front.h"

#include "base/alloc.h"
#include "base/bug.h"

// A step with repeated instructions has any number of records.
static void grow(struct dyn_batch *b)
{
    b->inst_capacity *= 2;
    b->mem_capacity *= 2;
    b->inst = xrealloc(b->inst, b->inst_capacity, sizeof(*b->inst));
    b->mem = xrealloc(b->mem, b->mem_capacity, sizeof(*b->mem));
}

bool front_init(struct front *f, struct core *core, struct block_cache *blocks, struct error *err)
{
    *f = (struct front){.core = core, .blocks = blocks, .code_page = 1};
    f->batch = dyn_batch_new(FRONT_RECORDS, grow, f, err);
    if (!f->batch)
        return false;
    f->batch->grows = true;
    block_cache_attach(blocks, core);
    return true;
}

void front_release(struct front *f)
{
    dyn_batch_free(f->batch);
    f->batch = NULL;
}

// As the engine finds the next block: by pc, and only else by where that lies.
static bool find_block(struct front *f, u64 max_insts, struct block **ret)
{
    struct core *core = f->core;
    vaddr pc = core->isa->pc(core);
    const struct jump_entry *e = &core->jump[core_jump_index(pc)];

    if (LIKELY(e->key == (pc ^ core->mode_key) && e->block->n_insts <= max_insts)) {
        *ret = e->block;
        return true;
    }
    return block_cache_find(f->blocks, core, max_insts, ret);
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
    if (find_block(f, MIN(max_insts, (u64)core->budget), &b)) {
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

paddr front_pa(struct front *f, vaddr pc)
{
    vaddr page = pc & CORE_PAGE_MASK;

    if (UNLIKELY(page != f->code_page || f->code_epoch != f->core->mapping_epoch)) {
        f->code_epoch = f->core->mapping_epoch;
        f->code_page = page;
        if (!f->core->isa->where(f->core, page, &f->code_pa)) {
            f->code_page = 1; // no page
            return 0;
        }
    }
    return f->code_pa | (pc & ~CORE_PAGE_MASK);
}
