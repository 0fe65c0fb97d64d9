// SPDX-License-Identifier: BSD-3-Clause
#include "cpu/timing/timing_priv.h"

#include <string.h>

const char *const timing_reason_names[] = {
#define TIMING_REASON_NAME(name, doc) #name,
    TIMING_REASONS(TIMING_REASON_NAME)};

COMPONENT_TABLES(timing, TIMING_PARAMS, NO_ROWS, TIMING_STATS, NO_ROWS);

static struct timing *timing_of(const struct component *c)
{
    ASSERT(c->type == &timing_type);
    return (struct timing *)(uintptr_t)c;
}

// ---- time

static struct event_queue *queue_of(struct timing *t)
{
    return &t->base.sim->queue;
}

static void fire(struct timing *t)
{
    struct event_queue *q = queue_of(t);

    if (event_queue_next(q) <= t->cpu.now)
        event_queue_run(q, t->cpu.now);
}

// Nothing to do before t->wake, or the next event of the memory system.
static void wait(struct timing *t, tick until)
{
    tick next = MIN(t->wake, event_queue_next(queue_of(t)));

    // The memory system owes an answer.
    ASSERT(next != NOT_YET || until != NOT_YET);
    timing_advance(t, MAX(MIN(next, until), t->cpu.now + 1), t->why);
}

static void wait_for(struct timing *t, tick when, enum timing_reason why)
{
    t->wake = when;
    t->why = why;
}

static bool records_left(const struct timing *t)
{
    return t->at.inst < t->front.batch->n_inst;
}

static void execute_records(struct timing *t, tick until)
{
    while (t->cpu.now < until && records_left(t)) {
        fire(t);
        if (!timing_execute(t))
            wait(t, until);
    }
}

static bool become_quiet(struct timing *t, tick until, enum timing_reason why)
{
    while (!timing_quiet(t) && t->cpu.now < until) {
        wait_for(t, timing_quiet_at(t), why);
        wait(t, until);
        fire(t);
    }
    return timing_quiet(t);
}

// ---- what the core asks and is asked

static void set_time(struct timing *t)
{
    core_set_time(t->cpu.core, MAX(t->cpu.now, *t->latest_read), 0, 0, 0);
}

// In the middle of a step: the instructions before this one are executed, it begins alone.
static void timing_sync(struct core *core, void *ctx, enum core_sync why)
{
    struct timing *t = ctx;

    execute_records(t, NOT_YET);
    become_quiet(t, NOT_YET, why == CORE_SYNC_DEVICE ? TIMING_device : TIMING_serialising);
    t->n.serialisations++;
    core->time.base = MAX(t->cpu.now, *t->latest_read);
    if (why == CORE_SYNC_TIME)
        *t->latest_read = core->time.base;
}

static void flush_translations(struct timing *t)
{
    if (t->epoch == t->cpu.core->mapping_epoch)
        return;
    t->epoch = t->cpu.core->mapping_epoch;
    t->fetch_page = 1;
    if (t->itlb)
        t->itlb_ops->flush(t->itlb);
    if (t->dtlb)
        t->dtlb_ops->flush(t->dtlb);
}

static void refill(struct timing *t, u64 max_insts, u64 *ret_insts)
{
    enum core_exit exit;

    set_time(t);
    t->at = (struct cursor){.token = -1};
    exit = front_step(&t->front, max_insts, t->p.slack, ret_insts);
    t->held = exit == CORE_CONTINUE || exit == CORE_LIMIT ? CORE_CONTINUE : exit;
    flush_translations(t);
}

static enum core_exit leave(struct timing *t)
{
    enum core_exit exit = t->held == CORE_CONTINUE ? CORE_LIMIT : t->held;

    t->held = CORE_CONTINUE;
    return exit;
}

static enum core_exit timing_run(struct cpu *cpu, u64 max_insts, tick until, u64 *ret_insts)
{
    struct timing *t = CONTAINER_OF(cpu, struct timing, cpu);
    u64 done = 0, n = 0;

    *ret_insts = 0;
    for (;;) {
        bool last;

        execute_records(t, until);
        if (records_left(t))
            return CORE_LIMIT;
        last = t->held != CORE_CONTINUE || cpu->draining || done >= max_insts;
        if ((last || cpu->core->isa->pending(cpu->core)) &&
            !become_quiet(t, until, TIMING_serialising))
            return CORE_LIMIT;
        if (last)
            return leave(t);
        if (cpu->now >= until)
            return CORE_LIMIT;
        refill(t, max_insts - done, &n);
        done += n;
        *ret_insts = done;
    }
}

static bool timing_drained(const struct cpu *cpu)
{
    const struct timing *t = CONTAINER_OF(cpu, struct timing, cpu);

    return !records_left(t) && t->held == CORE_CONTINUE && timing_quiet(t);
}

static void forget(struct timing *t)
{
    t->at = (struct cursor){.inst = t->front.batch->n_inst};
    t->slots = 0;
    t->held = CORE_CONTINUE;
    t->fetch_line = t->fetch_page = 1;
    t->redirected = true;
    t->fetching = t->translating = false;
    t->fetch_stage = FETCH_TRANSLATE;
    memset(t->group_free, 0, sizeof(t->group_free));
    memset(t->ready, 0, sizeof(t->ready));
    memset(t->from_load, 0, sizeof(t->from_load));
    memset(t->store_done, 0, sizeof(t->store_done));
    t->store_head = t->stores = 0;
}

static void timing_activate(struct cpu *cpu, tick now)
{
    struct timing *t = CONTAINER_OF(cpu, struct timing, cpu);

    ASSERT(timing_drained(cpu));
    forget(t);
    t->cpu.now = (now + t->period - 1) / t->period * t->period;
    cpu->core->sync = timing_sync;
    cpu->core->sync_ctx = t;
    block_cache_select(t->front.blocks, cpu->core);
    flush_translations(t);
}

static void timing_deactivate(struct cpu *cpu)
{
    ASSERT(timing_drained(cpu));
    cpu->core->sync = NULL;
}

static void timing_abandon(struct cpu *cpu)
{
    struct timing *t = CONTAINER_OF(cpu, struct timing, cpu);

    // What memory still owes comes and changes nothing.
    t->at = (struct cursor){.inst = t->front.batch->n_inst, .token = -1};
    t->held = CORE_CONTINUE;
    t->redirected = true;
}

static void timing_stall(struct cpu *cpu, u64 cycles)
{
    struct timing *t = CONTAINER_OF(cpu, struct timing, cpu);

    timing_advance(t, cpu->now + cycles * t->period, TIMING_device);
    set_time(t);
}

static void timing_cpu_free(struct cpu *cpu)
{
    (void)cpu; // the component's
}

static const struct cpu_ops timing_cpu_ops = {
    .name = "timing",
    .run = timing_run,
    // No kick: the machine looks between windows, which are short.
    .drained = timing_drained,
    .abandon = timing_abandon,
    .activate = timing_activate,
    .deactivate = timing_deactivate,
    .stall = timing_stall,
    .free = timing_cpu_free,
};

// ---- answers of the memory system

static void load_done(struct timing *t, u32 token, tick when)
{
    struct load *l = &t->load[token];

    ASSERT(token < LOADS_MAX && l->live);
    for (u32 i = 0; i < l->n; i++)
        // Unless a later instruction wrote the register.
        if (t->ready[l->reg[i]] == NOT_YET && t->source[l->reg[i]] == token)
            t->ready[l->reg[i]] = when + l->latency[i] * t->period;
    l->live = false;
    t->loads--;
}

static void memory_done(struct timed_client *client, u32 token, tick when)
{
    struct timing *t = CONTAINER_OF(client, struct timing, client);

    if (token < TOKEN_STORE)
        load_done(t, token, when);
    else if (token < TOKEN_FETCH)
        t->store_done[token - TOKEN_STORE] = when;
    else if (token == TOKEN_DTLB)
        t->translating = false;
    else
        t->fetching = false;
}

static bool walk(struct timed_walker *w, vaddr va, struct timed_walk *ret)
{
    struct timing *t = CONTAINER_OF(w, struct timing, walker);

    return t->cpu.core->isa->walk(t->cpu.core, va, ret);
}

// ---- the component

static bool timing_build(struct component *c, struct error *err)
{
    struct timing *t = timing_of(c);

    (void)err;
    t->period = (TICKS_PER_SECOND + t->p.clock / 2) / t->p.clock;
    for (u32 g = 0; g < TIMING_GROUPS; g++)
        t->units[g] = 1;
    t->units[GROUP_ALU] = (u8)t->p.alus;
    t->units[GROUP_AGU] = (u8)t->p.agus;
    t->units[GROUP_VEC] = (u8)t->p.vector_units;
    t->client.done = memory_done;
    t->walker.walk = walk;
    return true;
}

static bool find(struct component *c, const char *path, const char *interface,
                 struct component **ret, const void *ops, struct error *err)
{
    return !*path ||
           component_lookup_interface(c, path, interface, ret, (const void **)(uintptr_t)ops, err);
}

static bool timing_connect(struct component *c, struct error *err)
{
    struct timing *t = timing_of(c);
    const void *unused;

    return find(c, t->p.icache, "timed_port", &t->icache, &t->icache_ops, err) &&
           find(c, t->p.dcache, "timed_port", &t->dcache, &t->dcache_ops, err) &&
           find(c, t->p.itlb, "timed_tlb", &t->itlb, &t->itlb_ops, err) &&
           find(c, t->p.dtlb, "timed_tlb", &t->dtlb, &t->dtlb_ops, err) &&
           find(c, t->p.bpred, "bpred", &t->bpred, &unused, err);
}

static bool timing_drain(struct component *c)
{
    struct timing *t = timing_of(c);

    return !t->cpu.core || timing_drained(&t->cpu);
}

static void timing_destroy(struct component *c)
{
    front_release(&timing_of(c)->front);
}

static struct cpu *timing_attach(struct component *c, const struct core_attachment *to,
                                 struct error *err)
{
    struct timing *t = timing_of(c);

    t->cpu = (struct cpu){.ops = &timing_cpu_ops, .core = to->core, .timed = true};
    t->latest_read = to->latest_read;
    if (!front_init(&t->front, to->core, to->blocks, err))
        return NULL;
    forget(t);
    return &t->cpu;
}

static const struct component_ops timing_ops = {
    .build = timing_build,
    .connect = timing_connect,
    .drain = timing_drain,
    .destroy = timing_destroy,
};

static const struct core_model_ops timing_model = {.attach = timing_attach};

const struct component_type timing_type = {
    .name = "timing",
    .doc = "In-order timing CPU",
    COMPONENT_LAYOUT(timing),
    .ops = &timing_ops,
    .provides = {IFACE(core_model, &timing_model)},
};
