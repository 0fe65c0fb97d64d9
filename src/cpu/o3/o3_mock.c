// SPDX-License-Identifier: BSD-3-Clause
#include "cpu/o3/o3_mock.h"

#include "cpu/bpred/bpred.h"
#include "sim/timed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- memory

enum { LINES_MAX = 4096, PENDING_MAX = 64, ASKED = 65536 };

#define MEMORY_PARAMS(P, PR, PB, PS, PC)                       \
    P(u32, lines, 512, 1, LINES_MAX, "Lines")                  \
    P(u32, hit, 1000, 0, 1000000, "Latency of a hit, ps")      \
    P(u32, miss, 50000, 1, 100000000, "Latency of a miss, ps") \
    P(u32, misses, 16, 1, PENDING_MAX, "Misses at a time")
#define MEMORY_STATS(S, SV, SH, SG, SR) S(misses, "Count", "Misses")
COMPONENT_LISTS(mock_memory, MEMORY_PARAMS, NO_ROWS, MEMORY_STATS, NO_ROWS);

struct mock_memory;
struct pending {
    struct event event;
    struct mock_memory *memory;
    paddr line;
    struct {
        struct timed_client *client;
        u32 token;
    } waiter[16];
    u32 n;
};

struct mock_memory {
    struct component base;
    struct mock_memory_params p;
    struct mock_memory_state st;
    struct mock_memory_stats n;
    DERIVED(struct pending pending[PENDING_MAX]);
    DERIVED(paddr tag[LINES_MAX]);
    DERIVED(u32 asked[ASKED]);
};

static void arrived(void *owner, struct event *e)
{
    struct pending *p = owner;
    struct mock_memory *m = p->memory;
    u32 n = p->n;

    m->tag[p->line % m->p.lines] = p->line + 1;
    p->n = 0;
    for (u32 k = 0; k < n; k++)
        p->waiter[k].client->done(p->waiter[k].client, p->waiter[k].token, e->when);
}

static enum timed_answer memory_access(struct component *c, const struct timed_access *a, tick now,
                                       struct timed_client *client, u32 token, tick *ret_when)
{
    struct mock_memory *m = (struct mock_memory *)c;
    paddr line = a->pa >> TIMED_LINE_SHIFT;
    bool waits = a->kind != TIMED_PREFETCH && a->kind != TIMED_PREFETCH_WRITE;
    struct pending *free_one = NULL;
    u32 used = 0;

    m->asked[line % ASKED]++;
    *ret_when = now + m->p.hit;
    if (m->tag[line % m->p.lines] == line + 1)
        return TIMED_DONE;
    for (u32 k = 0; k < PENDING_MAX; k++) {
        struct pending *p = &m->pending[k];

        used += p->event.pending;
        if (!p->event.pending) {
            free_one = p;
        } else if (p->line == line) {
            if (!waits)
                return TIMED_DONE;
            if (p->n == ARRAY_SIZE(p->waiter))
                return *ret_when = now + 1000, TIMED_BUSY;
            p->waiter[p->n].client = client;
            p->waiter[p->n++].token = token;
            return TIMED_PENDING;
        }
    }
    if (!free_one || used >= m->p.misses)
        return *ret_when = now + 1000, TIMED_BUSY;
    m->n.misses++;
    if (!free_one->memory)
        event_init(&free_one->event, &c->sim->queue, "arrived", arrived, free_one);
    free_one->memory = m;
    free_one->line = line;
    free_one->n = 0;
    if (waits) {
        free_one->waiter[0].client = client;
        free_one->waiter[free_one->n++].token = token;
    }
    event_schedule(&free_one->event, MAX(now + m->p.miss, c->sim->queue.now), EVENT_NORMAL);
    return waits ? TIMED_PENDING : TIMED_DONE;
}

static const struct timed_port_ops memory_port = {.access = memory_access};

const struct component_type mock_memory_type = {
    .name = "mock_memory",
    .doc = "Memory of tests",
    COMPONENT_LAYOUT(mock_memory),
    .ops = &(const struct component_ops){0},
    .provides = {{"timed_port", &memory_port}},
};

u64 mock_asked(const struct component *memory, paddr pa)
{
    return ((const struct mock_memory *)memory)->asked[(pa >> TIMED_LINE_SHIFT) % ASKED];
}

// ---- TLB: a memory of pages

static enum timed_answer tlb_access(struct component *c, vaddr va, paddr pa_page, tick now,
                                    struct timed_walker *walk, struct timed_client *client,
                                    u32 token, tick *ret_when)
{
    struct timed_access a = {.pa = va >> 12 << TIMED_LINE_SHIFT};

    return memory_access(c, &a, now, client, token, ret_when);
}

static void tlb_flush(struct component *c)
{
    struct mock_memory *m = (struct mock_memory *)c;

    memset(m->tag, 0, sizeof(m->tag));
}

static const struct timed_tlb_ops tlb_port = {.access = tlb_access, .flush = tlb_flush};

const struct component_type mock_tlb_type = {
    .name = "mock_tlb",
    .doc = "TLB of tests",
    COMPONENT_LAYOUT(mock_memory),
    .ops = &(const struct component_ops){0},
    .provides = {{"timed_tlb", &tlb_port}},
};

// ---- machine

COMPONENT_LISTS(mock_root, NO_ROWS, NO_ROWS, NO_ROWS, NO_ROWS);
struct mock_root {
    struct component base;
    struct mock_root_params p;
    struct mock_root_state st;
    struct mock_root_stats n;
};

static const struct component_type mock_root_type = {
    .name = "mock_root",
    .doc = "Machine of tests",
    COMPONENT_LAYOUT(mock_root),
    .ops = &(const struct component_ops){0},
};

static void must(bool ok, const struct error *err)
{
    if (!ok)
        BUG("%s", err->message);
}

static const char *setting(const char *const *settings, const char *part)
{
    size_t n = strlen(part);

    for (; settings && *settings; settings++)
        if (!strncmp(*settings, part, n) && (*settings)[n] == '=')
            return *settings + n + 1;
    return NULL;
}

static void apply(struct component *c, const char *const *settings)
{
    char name[64], value[128];
    struct error err;
    size_t n = strlen(c->name);

    for (; settings && *settings; settings++)
        if (!strncmp(*settings, c->name, n) && (*settings)[n] == '.' &&
            sscanf(*settings + n + 1, "%63[^=]=%127s", name, value) == 2)
            must(component_set(c, name, value, &err), &err);
}

static struct component *part(struct mock_machine *m, const struct component_type *type,
                              const char *name, const char *const *settings)
{
    const char *given = setting(settings, name);
    struct component *c;
    struct error err;
    char path[80];

    if (given && !strcmp(given, "none"))
        return NULL;
    c = component_new(&m->sim, type, m->sim.root, name, &err);
    must(c, &err);
    apply(c, settings);
    if (m->o3 && type != &o3_type) {
        snprintf(path, sizeof(path), "root.%s", name);
        must(component_set(m->o3, name, path, &err), &err);
    }
    return c;
}

void mock_machine_init(struct mock_machine *m, struct core *core, struct block_cache *blocks,
                       const char *const *settings)
{
    struct core_attachment to = {core, blocks, &m->latest_read};
    const struct core_model_ops *ops;
    struct error err;

    memset(m, 0, sizeof(*m));
    sim_init(&m->sim);
    must(component_new(&m->sim, &mock_root_type, NULL, "root", &err), &err);
    m->o3 = part(m, &o3_type, "o3", settings);
    m->icache = part(m, &mock_memory_type, "icache", settings);
    m->dcache = part(m, &mock_memory_type, "dcache", settings);
    m->itlb = part(m, &mock_tlb_type, "itlb", settings);
    m->dtlb = part(m, &mock_tlb_type, "dtlb", settings);
    m->bpred = part(m, &bpred_type, "bpred", settings);
    must(sim_build(&m->sim, &err), &err);
    sim_reset(&m->sim);
    ops = component_interface(m->o3, "core_model");
    m->cpu = ops->attach(m->o3, &to, &err);
    must(m->cpu, &err);
    cpu_activate(m->cpu, 0);
}

void mock_machine_release(struct mock_machine *m)
{
    sim_release(&m->sim);
}

u64 mock_stat(const struct mock_machine *m, const char *name)
{
    struct stat_set set = {0};
    u64 *values;
    double v = 0;

    stat_set_add(&set, "", m->o3->type->stats, component_stats(m->o3));
    values = calloc(set.words, sizeof(*values));
    stat_set_take(&set, values);
    if (!stat_get(&set, values, name, &v))
        BUG("no statistic %s", name);
    free(values);
    stat_set_release(&set);
    return (u64)v;
}
