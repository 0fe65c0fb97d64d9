// SPDX-License-Identifier: BSD-3-Clause
#include "cpu/warm/warm.h"

#include "cpu/branch.h"
#include "cpu/front.h"
#include "sim/timed.h"

#include <stdlib.h>

enum { SLACK = 512 }; // instructions between two looks at what is pending

struct warm {
    struct cpu cpu; // first
    struct warm_parts parts;
    const struct timed_port_ops *icache, *dcache;
    const struct timed_tlb_ops *itlb, *dtlb;
    struct front front;
    struct timed_walker walker;
    vaddr line, page; // fetched last
    u32 epoch;
    volatile bool kicked;
};

static bool walk(struct timed_walker *w, vaddr va, struct timed_walk *ret)
{
    struct core *core = CONTAINER_OF(w, struct warm, walker)->cpu.core;

    return core->isa->walk(core, va, ret);
}

static void fetch(struct warm *w, vaddr line)
{
    vaddr va = line << TIMED_LINE_SHIFT;
    struct timed_access a = {
        .pa = front_pa(&w->front, va), .pc = va, .kind = TIMED_FETCH, .core = (u8)w->cpu.core->id};

    w->line = line;
    if (w->itlb && (va & CORE_PAGE_MASK) != w->page) {
        w->page = va & CORE_PAGE_MASK;
        w->itlb->atomic(w->parts.itlb, va, a.pa & CORE_PAGE_MASK, &w->walker);
    }
    if (w->icache)
        w->icache->atomic(w->parts.icache, &a);
}

static void access_data(struct warm *w, const struct static_inst *si, const struct mem_ref *m)
{
    struct timed_access a = {.pa = m->pa,
                             .pc = si->pc,
                             .kind = m->write ? TIMED_WRITE : TIMED_READ,
                             .core = (u8)w->cpu.core->id};
    paddr end = m->pa + m->size;

    if (m->device)
        return;
    if (w->dtlb)
        w->dtlb->atomic(w->parts.dtlb, m->va, m->pa & CORE_PAGE_MASK, &w->walker);
    if (!w->dcache)
        return;
    for (; a.pa < end; a.pa = (a.pa | (TIMED_LINE - 1)) + 1)
        w->dcache->atomic(w->parts.dcache, &a);
}

static void take(struct warm *w, const struct dyn_inst *d)
{
    const struct static_inst *si = d->si;
    const struct mem_ref *m = &w->front.batch->mem[d->mem_first];
    vaddr first = si->pc >> TIMED_LINE_SHIFT, last = (si->pc + si->len - 1) >> TIMED_LINE_SHIFT;

    if (last != w->line) {
        if (first != w->line)
            fetch(w, first);
        if (last != first)
            fetch(w, last);
    }
    for (u32 i = 0; i < d->n_mem; i++)
        access_data(w, si, &m[i]);
    if (si->flags & STATIC_BRANCH && w->parts.bpred && !(d->flags & DYN_FAULT)) {
        struct branch b = branch_of(si);

        (void)bpred_warm(w->parts.bpred, &b, d->flags & DYN_TAKEN, d->next_pc);
    }
}

static void flush_translations(struct warm *w)
{
    if (w->epoch == w->cpu.core->mapping_epoch)
        return;
    w->epoch = w->cpu.core->mapping_epoch;
    w->page = 1;
    if (w->itlb)
        w->itlb->flush(w->parts.itlb);
    if (w->dtlb)
        w->dtlb->flush(w->parts.dtlb);
}

static enum core_exit warm_run(struct cpu *cpu, u64 max_insts, tick until, u64 *ret_insts)
{
    struct warm *w = (struct warm *)cpu;
    enum core_exit exit = CORE_CONTINUE;
    u64 done = 0, n;

    (void)until;
    while (done < max_insts && exit == CORE_CONTINUE) {
        if (w->kicked) {
            w->kicked = false;
            exit = CORE_STOP;
            break;
        }
        exit = front_step(&w->front, max_insts - done, SLACK, &n);
        done += n;
        for (u32 i = 0; i < w->front.batch->n_inst; i++)
            take(w, &w->front.batch->inst[i]);
        flush_translations(w);
        if (exit == CORE_LIMIT)
            exit = CORE_CONTINUE;
    }
    *ret_insts = done;
    return exit == CORE_CONTINUE ? CORE_LIMIT : exit;
}

static void warm_kick(struct cpu *cpu)
{
    ((struct warm *)cpu)->kicked = true;
}

static void warm_activate(struct cpu *cpu, tick now)
{
    struct warm *w = (struct warm *)cpu;

    (void)now;
    cpu->core->sync = NULL;
    w->line = 1;
    w->page = 1;
    block_cache_select(w->front.blocks, cpu->core);
    flush_translations(w);
}

static void warm_free(struct cpu *cpu)
{
    front_release(&((struct warm *)cpu)->front);
    free(cpu);
}

static const struct cpu_ops warm_ops = {
    .name = "warm",
    .run = warm_run,
    .kick = warm_kick,
    .activate = warm_activate,
    .free = warm_free,
};

static const void *interface_of(const struct component *c, const char *name)
{
    return c ? component_interface(c, name) : NULL;
}

struct cpu *warm_new(struct core *core, struct block_cache *traced, const struct warm_parts *parts,
                     struct error *err)
{
    struct warm *w = calloc(1, sizeof(*w));

    if (!w) {
        error_set(err, ERROR_RESOURCE, "no memory for a functional CPU");
        return NULL;
    }
    w->cpu = (struct cpu){.ops = &warm_ops, .core = core};
    w->parts = *parts;
    w->icache = interface_of(parts->icache, "timed_port");
    w->dcache = interface_of(parts->dcache, "timed_port");
    w->itlb = interface_of(parts->itlb, "timed_tlb");
    w->dtlb = interface_of(parts->dtlb, "timed_tlb");
    w->walker.walk = walk;
    if (front_init(&w->front, core, traced, err))
        return &w->cpu;
    free(w);
    return NULL;
}
