// SPDX-License-Identifier: BSD-3-Clause
#include "machine/models.h"

#include "base/alloc.h"
#include "base/bug.h"
#include "cpu/warm/warm.h"

#include <string.h>

const char *const model_names[MODEL_KINDS + 1] = {"functional", "timing", "o3", NULL};

bool models_init(struct models *m, const struct models_options *o, struct error *err)
{
    *m = (struct models){.warm = o->warm};
    if (o->timed) {
        m->processor = processor_new(&o->processor, err);
        if (!m->processor)
            return false;
    }
    m->plain = block_cache_new(o->pool_bytes, o->traced && !o->timed, err);
    if (!m->plain)
        return false;
    if (!o->timed)
        return true;
    m->traced = block_cache_new(o->pool_bytes, true, err);
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
    if (m->processor && m->warm) {
        c->warm = attach_warm(m, m->n - 1, err);
        if (!c->warm)
            return false;
    }
    c->active = c->warm ? c->warm : c->model[MODEL_FUNCTIONAL];
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
    next = kind == MODEL_FUNCTIONAL && c->warm ? c->warm : c->model[kind];
    if (next == c->active)
        return true;
    ASSERT(cpu_drained(c->active));
    cpu_deactivate(c->active);
    c->active = next;
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
