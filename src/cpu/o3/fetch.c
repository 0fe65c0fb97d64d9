// SPDX-License-Identifier: BSD-3-Clause
// Fetch: executes a block, follows its records at the pace of the micro-op cache or of the
// decoders, predicts the branch at its end, and goes on where the prediction says, be it right or
// not.
// APPROX: between a taken branch that no BTB has and its decoding, nothing is fetched.
#include "cpu/o3/o3_priv.h"

#include "cpu/branch.h"

// Widths that are left in this cycle.
struct room {
    u32 insts, bytes, uops, blocks, lines;
    bool used;
};

void o3_fetch_reset(struct pipe *p)
{
    struct o3_fetch *f = &p->fetch;

    f->hold = O3_HOLD_NONE;
    f->wrong_stop = false;
    f->line = f->window = f->page = O3_NO_POS;
    f->fuse = O3_NO_POS;
    f->cause = O3_CPI_FRONTEND;
    f->token++;
}

void o3_fetch_redirect(struct pipe *p, u64 when)
{
    o3_fetch_reset(p);
    p->fetch.at = when;
    p->fetch.cur = p->front.batch->n_inst;
    p->fetch.last_rename = 0;
}

// ---- execution

static bool may_begin(struct pipe *p)
{
    if (p->core->speculation)
        return !p->fetch.wrong_stop;
    if (p->cpu.draining || !p->quota || p->held != CORE_CONTINUE || p->kicked || p->failed)
        return false;
    return !p->core->isa->pending(p->core) ||
           (p->head == p->tail && p->store_drained == p->store_next);
}

// How many instructions the records are that count one each.
static i64 counted(const struct dyn_batch *b)
{
    i64 n = 0;

    for (u32 k = 0; k < b->n_inst; k++)
        n += o3_counts(&b->inst[k]);
    return n;
}

// The guest emptied its TLBs.
static void flush_translations(struct pipe *p)
{
    if (p->epoch == p->core->mapping_epoch)
        return;
    p->epoch = p->core->mapping_epoch;
    p->fetch.page = p->fetch.line = O3_NO_POS;
    if (p->itlb.c)
        p->itlb.ops->flush(p->itlb.c);
    if (p->dtlb.c)
        p->dtlb.ops->flush(p->dtlb.c);
}

// The next block. True: there are records.
static bool step(struct pipe *p)
{
    struct dyn_batch *b = p->front.batch;
    bool wrong = p->core->speculation != 0;
    enum core_exit exit;
    u64 n = 0;

    p->fetch.cur = 0;
    if (wrong) {
        exit = front_step(&p->front, BLOCK_MAX_INSTS, 0, &n);
        p->fetch.wrong_stop = exit != CORE_CONTINUE;
        p->fetch.more = 0;
    } else {
        core_set_time(p->core, MAX(p->time.now, *p->latest_read), 0, (u32)p->time.whole, 0);
        exit = front_step(&p->front, p->quota, 0, &n);
        flush_translations(p);
        p->held = exit == CORE_LIMIT ? CORE_CONTINUE : exit;
        p->quota -= MIN(n, p->quota);
        p->done_insts += n;
        p->fetch.more = (i32)((i64)n - counted(b));
        if (!b->n_inst)
            p->o3->n.committedInsts += n;
    }
    p->active = true;
    if (b->n_inst)
        return p->fetch.cur < b->n_inst;
    p->fetch.at = p->time.cycle + (wrong ? 1 : MAX(p->o3->p.fault_cycles, 1u));
    p->fetch.cause = O3_CPI_SERIALISED;
    return false;
}

// ---- instruction cache

static void stall(struct pipe *p, tick when, u64 hidden, enum o3_cpi cause)
{
    u64 cycle = o3_cycle_at(&p->time, when);

    if (cycle > p->time.cycle + hidden) {
        p->fetch.at = cycle - hidden;
        p->fetch.cause = cause;
    }
}

static void fetch_answered(struct timed_client *client, u32 token, tick when)
{
    struct pipe *p = CONTAINER_OF(client, struct pipe, on_fetch);

    (void)when;
    if (token == p->fetch.token && p->fetch.hold == O3_HOLD_ICACHE)
        p->fetch.hold = O3_HOLD_NONE;
}

static void fetch_translated(struct timed_client *client, u32 token, tick when)
{
    struct pipe *p = CONTAINER_OF(client, struct pipe, on_fetch_tlb);

    (void)when;
    if (token == p->fetch.token && p->fetch.hold == O3_HOLD_ITLB)
        p->fetch.hold = O3_HOLD_NONE;
}

// True: the page's translation is there in this cycle.
static bool translate(struct pipe *p, vaddr pc)
{
    struct o3_fetch *f = &p->fetch;
    tick when = 0;

    if (f->page == pc >> CORE_PAGE_SHIFT || !p->itlb.c)
        return true;
    switch (p->itlb.ops->access(p->itlb.c, pc, front_pa(&p->front, pc) & CORE_PAGE_MASK,
                                p->time.now, &p->walker, &p->on_fetch_tlb, ++f->token, &when)) {
    case TIMED_DONE:
        stall(p, when, 0, O3_CPI_ITLB);
        break;
    case TIMED_PENDING:
        f->hold = O3_HOLD_ITLB;
        f->cause = O3_CPI_ITLB;
        break;
    case TIMED_BUSY:
        stall(p, when, 0, O3_CPI_ITLB);
        f->at = MAX(f->at, p->time.cycle + 1);
        return false;
    }
    f->page = pc >> CORE_PAGE_SHIFT;
    return f->hold == O3_HOLD_NONE && f->at <= p->time.cycle;
}

// True: the line is there in this cycle.
static bool access_line(struct pipe *p, vaddr pc)
{
    struct o3_fetch *f = &p->fetch;
    struct timed_access a = {.pa = front_pa(&p->front, pc),
                             .pc = pc,
                             .kind = TIMED_FETCH,
                             .core = (u8)p->o3->p.number,
                             .wrong_path = p->core->speculation != 0};
    tick when = 0;

    if (f->line == pc >> TIMED_LINE_SHIFT || !p->icache.c)
        return true;
    if (!translate(p, pc))
        return false;
    p->o3->n.icacheAccesses++;
    switch (p->icache.ops->access(p->icache.c, &a, p->time.now, &p->on_fetch, ++f->token, &when)) {
    case TIMED_DONE:
        stall(p, when, p->o3->p.fetch_hit_cycles, O3_CPI_ICACHE);
        break;
    case TIMED_PENDING:
        f->hold = O3_HOLD_ICACHE;
        f->cause = O3_CPI_ICACHE;
        break;
    case TIMED_BUSY:
        stall(p, when, 0, O3_CPI_ICACHE);
        f->at = MAX(f->at, p->time.cycle + 1);
        return false;
    }
    f->line = pc >> TIMED_LINE_SHIFT;
    return f->hold == O3_HOLD_NONE && f->at <= p->time.cycle;
}

// Where the instruction comes from. False: not in this cycle.
static bool find_source(struct pipe *p, vaddr pc, u32 n, struct room *room)
{
    const struct o3_params *o = &p->o3->p;
    struct o3_fetch *f = &p->fetch;
    vaddr window = pc / o->uop_cache_window;
    bool hit;

    if (!o->uop_cache)
        return access_line(p, pc);
    if (f->window != window || (f->window_uops && f->window_uops + n > o->uop_cache_line)) {
        if (room->used && room->lines == 0)
            return false;
        f->window = window;
        f->window_uops = 0;
        hit = o3_uop_cache_find(p, pc);
        p->o3->n.uopCacheHits += hit;
        p->o3->n.uopCacheMisses += !hit;
        room->lines -= room->lines > 0;
        if (hit != f->from_cache) {
            f->from_cache = hit;
            if (room->used)
                return false;
        }
    }
    return f->from_cache || access_line(p, pc);
}

// ---- branches

static void predict(struct pipe *p, struct o3_branch *b, u64 *bubble)
{
    if (!p->bpred) {
        b->p.taken = b->taken;
        b->p.target_known = true;
        b->p.target = b->target;
        b->p.btb_level = 1;
        return;
    }
    bpred_predict(p->bpred, &b->b, &b->p);
    if (b->b.kind != BRANCH_CONDITIONAL)
        b->p.taken = true;
    if (!b->p.taken)
        return;
    if (b->p.btb_level) {
        *bubble = (b->p.btb_level - 1u) * p->o3->p.btb_bubble;
    } else {
        *bubble = p->o3->p.decode_resteer;
        p->o3->n.decodeResteers++;
    }
    if (!b->p.target_known && b->b.target) { // now the history has it, too
        bpred_resolve(p->bpred, &b->b, &b->p, true, b->b.target);
        b->p.target = b->b.target;
        b->p.target_known = true;
    }
}

static void leave_path(struct pipe *p, struct o3_branch *b, u16 index, bool known, vaddr next)
{
    struct core *core = p->core;

    p->o3->n.wrongPathMispredicts += core->speculation != 0;
    if (known && p->o3->p.wrong_path && core->isa->speculate &&
        core->speculation < CORE_SPECULATION_MAX && !p->syncing) {
        b->speculated = true;
        b->level = (u8)core->isa->speculate(core);
        core->isa->set_pc(core, next);
        p->fetch.wrong_stop = false;
    } else {
        p->fetch.hold = O3_HOLD_RESOLVE;
        p->fetch.hold_branch = index;
    }
}

// The branch of slot s, which went to d->next_pc. True: fetch may go on in this cycle.
static bool fetch_branch(struct pipe *p, const struct dyn_inst *d, struct o3_slot *s,
                         struct room *room)
{
    u16 index = (u16)(p->branch_tail++ & p->branch_mask);
    struct o3_branch *b = &p->branch[index];
    u64 bubble = 0;
    vaddr next;

    b->b = branch_of(d->si);
    b->pos = p->tail - 1;
    b->taken = d->flags & DYN_TAKEN || b->b.kind != BRANCH_CONDITIONAL;
    b->target = d->next_pc;
    b->speculated = false;
    s->branch = index;
    p->o3->n.fetchedBranches++;
    predict(p, b, &bubble);
    next = b->p.taken ? b->p.target : b->b.fall;
    // As the predictor sees it: a branch to the next instruction can be mispredicted.
    b->mispredicted =
        b->p.taken != b->taken || (b->taken && (!b->p.target_known || b->p.target != b->target));
    if (b->mispredicted) {
        s->flags |= O3_MISPREDICTED;
        leave_path(p, b, index, !b->p.taken || b->p.target_known, next);
    }
    if (p->fetch.hold != O3_HOLD_NONE)
        return false;
    if (!b->p.taken)
        return true;
    p->fetch.window = O3_NO_POS;
    if (bubble || --room->blocks == 0) {
        p->fetch.at = p->time.cycle + 1 + bubble;
        return false;
    }
    return true;
}

// ---- one instruction after the other

// Iterations of a repeated store or move that go as one: *ret has their records as one.
static u32 merge_iterations(const struct pipe *p, const struct dyn_inst *d, struct mem_ref *ret)
{
    const struct dyn_batch *b = p->front.batch;
    const struct dyn_inst *end = &b->inst[b->n_inst];
    const struct mem_ref *mem = b->mem;
    u32 n = 1, limit = (u32)p->o3->p.fast_string;

    if (!(d->si->flags & STATIC_REPEAT) || !(d->si->flags & STATIC_STORE) || !d->n_mem ||
        d->n_mem > 2 || d->flags & DYN_FAULT)
        return 1;
    for (u32 k = 0; k < d->n_mem; k++)
        ret[k] = mem[d->mem_first + k];
    for (const struct dyn_inst *e = d + 1; e < end && e->si == d->si && e->n_mem == d->n_mem &&
                                           !(e->flags & DYN_FAULT) && e[-1].next_pc == d->si->pc;
         e++, n++) {
        for (u32 k = 0; k < d->n_mem; k++) {
            const struct mem_ref *m = &mem[e->mem_first + k];

            if (m->device || m->va != ret[k].va + ret[k].size || ret[k].size + m->size > limit ||
                (m->va ^ ret[k].va) >> TIMED_LINE_SHIFT)
                return n;
        }
        for (u32 k = 0; k < d->n_mem; k++)
            ret[k].size = (u16)(ret[k].size + mem[e->mem_first + k].size);
    }
    return n;
}

static bool has_width(struct pipe *p, const struct static_inst *si, u32 n, struct room *room)
{
    const struct o3_params *o = &p->o3->p;
    struct o3_fetch *f = &p->fetch;

    if (si->flags & STATIC_MICROCODED || n > o->microcode_above) {
        if (room->used)
            return false;
        f->at = p->time.cycle + (n + o->microcode_rate - 1) / o->microcode_rate;
        room->insts = room->uops = 0;
        return true;
    }
    if (f->from_cache) {
        if (room->uops < n)
            return false;
        room->uops -= n;
        return true;
    }
    if (!room->insts || room->bytes < si->len)
        return false;
    room->insts--;
    room->bytes -= si->len;
    return true;
}

static bool has_space(struct pipe *p, u32 n)
{
    const struct o3_params *o = &p->o3->p;

    if (p->tail - p->disp + n > o->uop_queue && p->tail != p->disp) {
        p->fetch_stall = &p->o3->n.uopQueueFullEvents;
        return false;
    }
    return p->tail - p->head + n <= p->mask && p->branch_tail - p->branch_head < o->branches;
}

// The next record, if it fits. False: no more in this cycle.
static bool fetch_one(struct pipe *p, struct room *room)
{
    struct o3_fetch *f = &p->fetch;
    struct dyn_batch *b = p->front.batch;
    const struct dyn_inst *d = &b->inst[f->cur];
    const struct mem_ref *mem = &b->mem[d->mem_first];
    struct mem_ref merged[2];
    u32 n = o3_uops_of(p, d), records;
    u64 rename;
    u8 insts;
    bool branch = d->si->flags & STATIC_BRANCH && !(d->flags & DYN_FAULT) &&
                  !(d->si->flags & (STATIC_SERIALISING | STATIC_MICROCODED));

    if (!has_space(p, n) || !find_source(p, d->si->pc, n, room) || !has_width(p, d->si, n, room))
        return false;
    room->used = true;
    f->window_uops += n;
    records = merge_iterations(p, d, merged);
    if (records > 1) {
        mem = merged;
        d += records - 1;
    }
    f->cur += records;
    insts = (u8)(o3_counts(d) + (f->cur == b->n_inst ? f->more : 0));
    rename = p->time.cycle + (f->from_cache ? p->o3->p.uop_cache_path : p->o3->p.decode_path);
    f->last_rename = rename = MAX(rename, f->last_rename);
    p->o3->n.fetchedInsts++;
    p->o3->n.wrongPathInsts += p->core->speculation != 0;
    p->active = true;
    if (!branch || !o3_fuse_branch(p, d, insts))
        o3_decode(p, d, mem, insts, rename);
    if (branch)
        return fetch_branch(p, d, o3_at(p, p->tail - 1), room);
    return f->at <= p->time.cycle;
}

void o3_fetch(struct pipe *p)
{
    const struct o3_params *o = &p->o3->p;
    struct o3_fetch *f = &p->fetch;
    struct room room = {.insts = (u32)o->decode_width,
                        .bytes = (u32)o->fetch_bytes,
                        .uops = (u32)o->uop_cache_width,
                        .blocks = (u32)o->fetch_blocks,
                        .lines = (u32)o->uop_cache_lines};

    p->fetch_stall = NULL;
    if (f->hold != O3_HOLD_NONE || f->at > p->time.cycle)
        return;
    do {
        if (f->cur == p->front.batch->n_inst && (p->syncing || !may_begin(p) || !step(p)))
            return;
    } while (fetch_one(p, &room));
}

void o3_fetch_init(struct pipe *p)
{
    p->on_fetch.done = fetch_answered;
    p->on_fetch_tlb.done = fetch_translated;
    o3_fetch_reset(p);
}
