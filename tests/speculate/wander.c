// SPDX-License-Identifier: BSD-3-Clause
#include "wander.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "isa/x86/mem.h"

#include <string.h>

enum { DEEPEST = 4, LONGEST = 300, TLB_CHECKS = 16 };

// What must be there again after a rewind.
struct memory_of {
    struct x86_arch_state s;
    struct x86_lazy lazy;
    u64 mode_key;
    u8 cpl, code_mode, privilege;
    struct core_tlb *tlb[CORE_ACCESSES];
    struct core_time time;
};

bool wander_init(struct wander *w, struct core *core, struct block_cache *blocks, u64 seed,
                 u32 every, struct error *err)
{
    *w = (struct wander){.core = core, .steps = {seed}, .turns = {seed + 1}, .every = every};
    return front_init(&w->front, core, blocks, err);
}

void wander_release(struct wander *w)
{
    front_release(&w->front);
}

static void broken(struct wander *w, const char *what)
{
    if (!w->broken)
        w->broken = what;
}

static void remember(struct wander *w, vaddr pc)
{
    w->recent[w->n_recent++ % ARRAY_SIZE(w->recent)] = pc;
}

static void note_recent(struct wander *w)
{
    const struct dyn_batch *b = w->front.batch;

    for (u32 i = 0; i < b->n_inst; i += 3) {
        const struct static_inst *si = b->inst[i].si;

        remember(w, si->pc);
    }
    if (b->n_inst) {
        const struct dyn_inst *last = &b->inst[b->n_inst - 1];

        if (last->si->flags & STATIC_BRANCH)
            remember(w, last->flags & DYN_TAKEN ? last->si->pc + last->si->len : last->si->target);
    }
}

// A pc to be wrong at.
static vaddr somewhere(struct wander *w)
{
    vaddr known = w->recent[rng_below(&w->turns, MIN(w->n_recent, ARRAY_SIZE(w->recent)))];

    switch (rng_below(&w->turns, 16)) {
    case 0:
        return rng_next(&w->turns);
    case 1:
        return rng_below(&w->turns, 1 << 16);
    case 2:
        return (known & CORE_PAGE_MASK) + 4095 - rng_below(&w->turns, 8); // splits
    case 3:
    case 4:
        return known + rng_below(&w->turns, 64);
    case 5:
        return known + rng_below(&w->turns, 1 << 20);
    case 6:
        return x86_core_of(w->core)->s.gpr[rng_below(&w->turns, 16)]; // data, stack
    default:
        return known;
    }
}

static void look(const struct core *core, struct memory_of *m)
{
    const struct x86_core *c = x86_core_of((struct core *)core);

    memset(m, 0, sizeof(*m));
    memcpy(&m->s, &c->s, sizeof(m->s));
    m->lazy = c->lazy;
    m->mode_key = core->mode_key;
    m->cpl = c->cpl;
    m->code_mode = c->code_mode;
    m->privilege = c->privilege;
    memcpy(m->tlb, core->tlb, sizeof(m->tlb));
    m->time = core->time;
}

static void compare(struct wander *w, const struct memory_of *before)
{
    struct memory_of now;

    look(w->core, &now);
    if (memcmp(&now, before, sizeof(now)) != 0)
        broken(w, "the state is not that of before");
}

// The records of a step on the wrong path: one after the other, from where it began to where it is.
static void check_records(struct wander *w, vaddr from)
{
    const struct x86_core *c = x86_core_of(w->core);
    const struct dyn_batch *b = w->front.batch;
    vaddr next = from;
    u32 mem = 0;
    paddr pa;

    for (u32 i = 0; i < b->n_inst; i++) {
        const struct dyn_inst *d = &b->inst[i];

        if (c->code_mode == X86_CODE64 && d->si->pc != next)
            broken(w, "records do not follow each other");
        if (d->mem_first != mem || d->flags & DYN_FAULT)
            broken(w, "records have holes or faults");
        next = d->next_pc;
        mem += d->n_mem;
    }
    if (c->code_mode == X86_CODE64 && c->s.rip != next)
        broken(w, "pc is not behind the last record");
    if (mem != b->n_mem)
        broken(w, "references of no instruction");
    for (u32 i = 0; i < b->n_mem; i++) {
        const struct mem_ref *m = &b->mem[i];

        if (m->device || !x86_translate_debug(c, m->va, &pa) || pa != m->pa)
            broken(w, "a reference has a wrong physical address");
        w->stores += m->write;
    }
    w->wrong_insts += b->n_inst;
    w->wrong_refs += b->n_mem;
}

// At most `insts` instructions of a wrong path. False: it went no further.
static bool walk(struct wander *w, u32 insts)
{
    u64 done = 0;

    while (done < insts) {
        vaddr from = x86_core_of(w->core)->s.rip;
        enum core_exit exit;
        u64 n, max = insts - done;

        if (rng_below(&w->turns, 4) == 0)
            max = 1 + rng_below(&w->turns, max);
        exit = front_step(&w->front, max, rng_below(&w->turns, 64), &n);
        if (n > max)
            broken(w, "more instructions than asked for");
        done += n;
        check_records(w, from);
        if (exit == CORE_WRONG_PATH)
            return false;
        if (exit != CORE_CONTINUE)
            broken(w, "a wrong path left for another reason");
    }
    return true;
}

static void wrong_path(struct wander *w)
{
    struct memory_of before[DEEPEST];
    struct core_time time = w->core->time;
    u32 depth = 0;

    w->paths++;
    do {
        u32 level, choice = (u32)rng_below(&w->turns, 8);

        if (depth == 0 || (choice < 5 && depth < DEEPEST)) {
            look(w->core, &before[depth]);
            level = w->core->isa->speculate(w->core);
            if (level != depth++ || w->core->speculation != depth)
                broken(w, "the level is not the number of those below");
            w->nested += depth > 1;
            w->core->isa->set_pc(w->core, somewhere(w));
        } else if (choice < 7) {
            level = (u32)rng_below(&w->turns, depth);
            w->core->isa->rewind(w->core, level);
            depth = level;
            compare(w, &before[level]);
            continue;
        }
        if (!walk(w, (u32)(1 + rng_below(&w->turns, LONGEST))))
            w->dead_ends++;
    } while (depth);
    if (memcmp(&time, &w->core->time, sizeof(time)) != 0)
        broken(w, "time went on");
}

// Entries of the real TLBs stay, but for write entries of pages that have decoded code now.
static void check_tlbs(struct wander *w, const struct x86_core *c, const struct core_tlb *old)
{
    for (u32 t = 0; t < X86_PRIVILEGES * CORE_ACCESSES; t++) {
        const struct core_tlb *now = &c->tlbs[0][0] + t;

        for (u32 i = 0; i < CORE_TLB_SIZE; i++)
            if (memcmp(&now->entry[i], &old[t].entry[i], sizeof(now->entry[i])) != 0 &&
                !(t % CORE_ACCESSES == CORE_WRITE && now->entry[i].tag == CORE_TLB_EMPTY))
                broken(w, "a real TLB was changed");
    }
}

static void wander_off(struct wander *w)
{
    struct x86_core *c = x86_core_of(w->core);
    u32 epoch = w->core->mapping_epoch;
    struct core_tlb *old = NULL;

    if (w->paths % TLB_CHECKS == 0) {
        old = xcalloc(1, sizeof(c->tlbs));
        memcpy(old, c->tlbs, sizeof(c->tlbs));
    }
    wrong_path(w);
    if (old)
        check_tlbs(w, c, old);
    free(old);
    if (w->core->mapping_epoch != epoch)
        broken(w, "the real TLBs were flushed");
}

enum core_exit wander_run(struct wander *w, u64 max_insts, u64 *ret_insts)
{
    enum core_exit exit = CORE_CONTINUE;
    u64 n;

    *ret_insts = 0;
    while (exit == CORE_CONTINUE && *ret_insts < max_insts) {
        u64 slack = rng_below(&w->steps, 4) ? 0 : rng_below(&w->steps, 100);

        if (w->every && w->n_recent && rng_below(&w->turns, w->every) == 0)
            wander_off(w);
        exit = front_step(&w->front, max_insts - *ret_insts, slack, &n);
        *ret_insts += n;
        w->blocks++;
        note_recent(w);
    }
    return exit == CORE_CONTINUE ? CORE_LIMIT : exit;
}

u64 wander_hash(const struct core *core, u64 bytes)
{
    const struct x86_core *c = x86_core_of((struct core *)core);
    u64 h = hash64(&c->s, sizeof(c->s));

    for (paddr page = 0; page < bytes; page += CORE_PAGE_SIZE) {
        const u8 *host = mem_port_host_page(&core->mem, page, false);

        if (host)
            h = hash64_more(h, host, CORE_PAGE_SIZE);
    }
    return h;
}
