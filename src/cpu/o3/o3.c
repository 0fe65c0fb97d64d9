// SPDX-License-Identifier: BSD-3-Clause
// A cycle-level out-of-order core: decoupled front end with branch prediction and a real wrong
// path, micro-op cache, fusion, rename, schedulers and ports by class of micro-operation, load and
// store queues, in-order retirement. Instructions are executed when they are fetched (cpu/front.h);
// this model says when they happen. The files: fetch.c, decode.c, uop_cache.c; rename.c; issue.c;
// lsq.c, dependence.c; commit.c, squash.c; run.c (the cycle), account.c, watchdog.c; uop_timing.def
// has the ports and latencies.
// UNMODELLED: simultaneous multithreading, limits of register file ports and result buses, replays
// of consumers that were woken for a hit that missed, merging of stores.
// APPROX: fences wait for an empty pipeline and let nothing pass, as MFENCE does on AMD processors.
// Timing: its own cycles; memory answers through its component's queue. All state here is gone when
// the pipeline is empty: warm state is that of caches and predictors.
#include "cpu/o3/o3_priv.h"

COMPONENT_TABLES(o3, O3_PARAMS, NO_ROWS, O3_STATS, NO_ROWS);

static struct o3 *o3_of(const struct component *c)
{
    ASSERT(c->type == &o3_type);
    return (struct o3 *)(uintptr_t)c;
}

static u32 power_of_two(u64 least)
{
    u32 n = 64;

    while (n < least)
        n *= 2;
    return n;
}

// Sets of ports: classes with the same ports and unit wait in the same one.
static void make_sets(struct pipe *p)
{
    for (u32 c = 0; c < UOP_CLASSES; c++) {
        const struct o3_class *class = &p->kind->class[c];
        u32 k = 0;

        if (!class->ports)
            continue;
        while (k < p->n_sets && (p->set[k].ports != class->ports || p->set[k].unit != class->unit))
            k++;
        if (k == p->n_sets) {
            ASSERT(k < O3_SETS_MAX);
            p->n_sets++;
            p->set[k].ports = class->ports;
            p->set[k].unit = class->unit;
            while (!(p->kind->group[p->set[k].group] & class->ports))
                ASSERT(++p->set[k].group < O3_GROUPS);
        }
        p->class_set[c] = (u8)k;
    }
}

// In the sets, ports are numbered in the order in which they are given away: first those that the
// fewest classes can use.
static void order_ports(struct pipe *p)
{
    u32 wanted[O3_PORTS_MAX] = {0}, order[O3_PORTS_MAX], n = 0;

    for (u32 c = 0; c < UOP_CLASSES; c++)
        for (u32 port = 0; port < O3_PORTS_MAX; port++)
            wanted[port] += p->kind->class[c].ports >> port & 1;
    for (u32 port = 0; port < O3_PORTS_MAX; port++) {
        u32 k;

        if (!wanted[port])
            continue;
        for (k = n++; k > 0 && wanted[order[k - 1]] > wanted[port]; k--)
            order[k] = order[k - 1];
        order[k] = port;
    }
    for (u32 s = 0; s < p->n_sets; s++) {
        u32 ports = p->set[s].ports;

        p->set[s].ports = 0;
        for (u32 k = 0; k < n; k++)
            p->set[s].ports |= (ports >> order[k] & 1) << k;
    }
}

static bool o3_build(struct component *c, struct error *err)
{
    struct o3 *o = o3_of(c);
    struct arena *a = &c->sim->arena;
    struct pipe *p = arena_alloc(a, sizeof(*p));
    u32 ring = power_of_two(2 * o->p.rob + o->p.uop_queue + 64);

    (void)err;
    ASSERT(ring <= O3_RING_MAX);
    o->pipe = p;
    p->o3 = o;
    p->kind = &o3_kinds[o->p.kind];
    p->mask = ring - 1;
    p->slot = arena_array(a, ring, sizeof(*p->slot));
    p->info = arena_array(a, ring, sizeof(*p->info));
    p->set = arena_array(a, O3_SETS_MAX, sizeof(*p->set));
    p->branch_mask = power_of_two(o->p.branches) - 1;
    p->branch = arena_array(a, p->branch_mask + 1, sizeof(*p->branch));
    p->load_mask = power_of_two(o->p.load_queue) - 1;
    p->load = arena_array(a, p->load_mask + 1, sizeof(*p->load));
    p->store_mask = power_of_two(o->p.store_queue) - 1;
    p->store = arena_array(a, p->store_mask + 1, sizeof(*p->store));
    p->uop_tags = arena_array(a, o->p.uop_cache_sets * o->p.uop_cache_ways, sizeof(*p->uop_tags));
    p->ssit = arena_array(a, O3_SSIT, sizeof(*p->ssit));
    p->lfst = arena_array(a, O3_LFST, sizeof(*p->lfst));
    make_sets(p);
    order_ports(p);
    return true;
}

static bool find_port(struct component *c, const char *path, const char *interface,
                      struct component **ret, const void **ret_ops, struct error *err)
{
    *ret = NULL;
    return !path[0] || component_lookup_interface(c, path, interface, ret, ret_ops, err);
}

static bool o3_connect(struct component *c, struct error *err)
{
    struct o3 *o = o3_of(c);
    struct pipe *p = o->pipe;
    const void *ops = NULL;

    if (!find_port(c, o->p.icache, "timed_port", &p->icache.c, &ops, err))
        return false;
    p->icache.ops = ops;
    if (!find_port(c, o->p.dcache, "timed_port", &p->dcache.c, &ops, err))
        return false;
    p->dcache.ops = ops;
    if (!find_port(c, o->p.itlb, "timed_tlb", &p->itlb.c, &ops, err))
        return false;
    p->itlb.ops = ops;
    if (!find_port(c, o->p.dtlb, "timed_tlb", &p->dtlb.c, &ops, err))
        return false;
    p->dtlb.ops = ops;
    return find_port(c, o->p.bpred, "bpred", &p->bpred, &ops, err);
}

// Nothing in flight.
void o3_reset_pipe(struct pipe *p)
{
    const struct o3_params *o = &p->o3->p;

    memset(p->rat, 0, sizeof(p->rat));
    memset(p->list_head, 0xff, sizeof(p->list_head));
    memset(p->wheel_used, 0, sizeof(p->wheel_used));
    memset(p->unit_free, 0, sizeof(p->unit_free));
    memset(p->store_filter, 0, sizeof(p->store_filter));
    memset(p->load_filter, 0, sizeof(p->load_filter));
    memset(p->lfst, 0, O3_LFST * sizeof(*p->lfst));
    for (u32 k = 0; k < p->n_sets; k++) {
        p->set[k].summary = 0;
        memset(p->set[k].ready, 0, sizeof(p->set[k].ready));
    }
    for (u32 k = 0; k <= p->mask; k++) {
        p->slot[k] = (struct o3_slot){.list = O3_NONE, .branch = O3_NONE, .consumers = O3_NONE};
        p->info[k].generation++;
    }
    // What the architectural state takes.
    p->free_regs[O3_INT] = (i32)o->int_registers - 24;
    p->free_regs[O3_VEC] = (i32)o->vec_registers - 24;
    p->free_regs[O3_FLAGS] = (i32)o->flag_registers - 4;
    p->free_sched[0] = (i32)o->int_scheduler;
    p->free_sched[1] = (i32)o->mem_scheduler;
    p->free_sched[2] = (i32)o->vec_scheduler;
    p->head = p->disp = p->tail = 0;
    p->rob_used = 0;
    p->serial = 0;
    p->ready_sets = 0;
    p->branch_head = p->branch_tail = 0;
    p->load_head = p->load_tail = 0;
    p->store_drained = p->store_retired = p->store_next = 0;
    p->drain_at = 0;
    p->drain_wait = false;
    p->barrier_head = p->barrier_tail = 0;
    p->violation = O3_NO_POS;
    p->held = CORE_CONTINUE;
    p->refill = 0;
    p->fetch.at = 0;
    p->fetch.cur = p->front.batch->n_inst = 0;
    p->fetch.last_rename = 0;
    o3_fetch_reset(p);
}

static void count_dropped(struct pipe *p)
{
    struct o3_stats *n = &p->o3->n;
    const struct dyn_batch *b = p->front.batch;

    for (u64 pos = p->head; pos != p->tail; pos++) {
        const struct o3_slot *s = o3_at(p, pos);

        if (!(s->flags & O3_WRONG_PATH)) {
            n->committedInsts += s->insts;
            n->committedOps++;
        }
    }
    if (!p->core->speculation && p->fetch.cur < b->n_inst) {
        for (u32 k = p->fetch.cur; k < b->n_inst; k++)
            n->committedInsts += o3_counts(&b->inst[k]);
        n->committedInsts += (u64)(i64)p->fetch.more;
    }
}

void o3_abandon(struct pipe *p)
{
    count_dropped(p);
    if (p->core->speculation)
        p->core->isa->rewind(p->core, 0);
    if (p->bpred && p->branch_head != p->branch_tail)
        bpred_rewind(p->bpred, &p->branch[p->branch_head & p->branch_mask].p);
    o3_squash(p, p->head);
    o3_reset_pipe(p);
}

static bool walk(struct timed_walker *w, vaddr va, struct timed_walk *ret)
{
    const struct pipe *p = CONTAINER_OF(w, struct pipe, walker);

    return p->core->isa->walk(p->core, va, ret);
}

static struct cpu *o3_attach(struct component *c, const struct core_attachment *to,
                             struct error *err)
{
    struct pipe *p = o3_of(c)->pipe;

    ASSERT(!p->core);
    if (!front_init(&p->front, to->core, to->blocks, err))
        return NULL;
    p->core = to->core;
    p->latest_read = to->latest_read;
    p->cpu = (struct cpu){.ops = &o3_cpu_ops, .core = to->core, .timed = true};
    for (u32 r = 0; r < UOP_REGS; r++)
        p->bank[r] = (u8)p->core->isa->reg_bank((u8)r);
    p->walker.walk = walk;
    o3_lsq_init(p);
    o3_fetch_init(p);
    o3_reset_pipe(p);
    return &p->cpu;
}

static void o3_destroy(struct component *c)
{
    struct o3 *o = o3_of(c);

    if (o->pipe && o->pipe->core)
        front_release(&o->pipe->front);
}

struct cpu *o3_cpu(struct component *c)
{
    struct pipe *p = o3_of(c)->pipe;

    return p->core ? &p->cpu : NULL;
}

void o3_observe(struct component *c, struct o3_trace *trace)
{
    o3_of(c)->pipe->trace = trace;
}

static const struct component_ops o3_ops = {
    .build = o3_build,
    .connect = o3_connect,
    .destroy = o3_destroy,
};

static const struct core_model_ops o3_core_model = {.attach = o3_attach};

const struct component_type o3_type = {
    .name = "o3",
    .doc = "Cycle-level out-of-order core",
    COMPONENT_LAYOUT(o3),
    .ops = &o3_ops,
    .provides = {IFACE(core_model, &o3_core_model)},
};
