// SPDX-License-Identifier: BSD-3-Clause
#include "machine/models.h"

#include "base/alloc.h"
#include "base/bug.h"
#include "cpu/warm/warm.h"

#include <string.h>

const char *const model_names[MODEL_KINDS + 1] = {"functional", "timing", "o3", NULL};

bool models_init(struct models *m, u64 pool_bytes, bool traced, struct error *err)
{
    *m = (struct models){.pool_bytes = pool_bytes};
    m->plain = block_cache_new(pool_bytes, traced, err);
    return m->plain;
}

bool models_set_processor(struct models *m, struct processor *processor, bool warm,
                          struct error *err)
{
    ASSERT(!m->processor);
    m->processor = processor;
    m->warm = warm;
    m->traced = block_cache_new(m->pool_bytes, true, err);
    if (!m->traced)
        return false;
    block_cache_pair(m->plain, m->traced);
    return true;
}

void models_release(struct models *m)
{
    for (u32 i = 0; i < m->n; i++) {
        for (u32 k = 0; k < MODEL_KINDS; k++)
            cpu_free(m->core[i].model[k]);
        cpu_free(m->core[i].warm);
    }
    processor_free(m->processor);
    block_cache_free(m->plain);
    block_cache_free(m->traced);
    *m = (struct models){0};
}

static bool attach(struct models *m, u32 number, enum model_kind kind, struct error *err)
{
    struct core_models *c = &m->core[number];
    struct core_attachment to = {
        .core = c->core, .blocks = m->traced, .latest_read = &m->latest_read};
    struct component *part = processor_part(m->processor, number, model_names[kind], err);
    const struct core_model_ops *ops = part ? component_interface(part, "core_model") : NULL;

    if (part && !ops)
        return error_set(err, ERROR_INPUT, "%s is no model of a core", part->path);
    c->model[kind] = part ? ops->attach(part, &to, err) : NULL;
    return c->model[kind];
}

static struct cpu *attach_warm(struct models *m, u32 number, struct error *err)
{
    struct component *core = processor_core(m->processor, number);
    struct warm_parts parts = {
        .icache = component_child(core, "icache"),
        .dcache = component_child(core, "dcache"),
        .itlb = component_child(core, "itlb"),
        .dtlb = component_child(core, "dtlb"),
        .bpred = component_child(core, "bpred"),
    };

    return warm_new(m->core[number].core, m->traced, &parts, err);
}

bool models_add(struct models *m, struct core *core, struct dyn_batch *batch, struct error *err)
{
    struct core_models *c = &m->core[m->n++];

    ASSERT(m->n <= ARRAY_SIZE(m->core));
    c->core = core;
    c->model[MODEL_FUNCTIONAL] = functional_new(core, m->plain, batch, err);
    if (!c->model[MODEL_FUNCTIONAL])
        return false;
    c->active = c->model[MODEL_FUNCTIONAL];
    cpu_activate(c->active, 0);
    return true;
}

bool models_switch(struct models *m, u32 number, enum model_kind kind, tick now, struct error *err)
{
    struct core_models *c = &m->core[number];
    struct cpu *next;

    if (kind != MODEL_FUNCTIONAL && !m->processor)
        return error_set(err, ERROR_INPUT,
                         "CPU model '%s' needs a processor: --machine NAME, or a description with "
                         "a key 'system'",
                         model_names[kind]);
    if (kind != MODEL_FUNCTIONAL && !c->model[kind] && !attach(m, number, kind, err))
        return false;
    if (kind == MODEL_FUNCTIONAL && m->warm && !c->warm) {
        c->warm = attach_warm(m, number, err);
        if (!c->warm)
            return false;
    }
    next = kind == MODEL_FUNCTIONAL && m->warm ? c->warm : c->model[kind];
    if (next == c->active)
        return true;
    ASSERT(cpu_drained(c->active));
    cpu_deactivate(c->active);
    c->active = next;
    c->kind = kind;
    cpu_activate(next, now);
    return true;
}

bool models_timed(const struct models *m)
{
    for (u32 i = 0; i < m->n; i++)
        if (m->core[i].active->timed)
            return true;
    return false;
}

void models_flush(struct models *m)
{
    block_cache_flush(m->plain);
    if (m->traced)
        block_cache_flush(m->traced);
}
