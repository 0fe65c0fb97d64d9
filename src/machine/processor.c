// SPDX-License-Identifier: BSD-3-Clause
#include "machine/processor.h"

#include "base/alloc.h"
#include "base/names.h"
#include "machine/types.h"
#include "sim/config.h"
#include "sim/sim.h"

#include <stdio.h>
#include <string.h>

#define PROCESSOR_ROOT_PARAMS(P, PR, PB, PS, PC)                                                 \
    P(u32, cores, 1, 1, 64, "Cores: cpu0, cpu1..., as 'cpu*' describes them")                    \
    P(ticks, window, 5000, 1, 1000000000,                                                        \
      "How far the times of cores may be apart: exact up to the latency from a core to what it " \
      "shares with others")

COMPONENT_LISTS(processor_root, PROCESSOR_ROOT_PARAMS, NO_ROWS, NO_ROWS, NO_ROWS);

struct processor_root {
    struct component base;
    struct processor_root_params p;
    struct processor_root_state st;
    struct processor_root_stats n;
};

COMPONENT_LISTS(processor_core, NO_ROWS, NO_ROWS, NO_ROWS, NO_ROWS);

// What belongs to one core.
struct processor_core {
    struct component base;
    struct processor_core_params p;
    struct processor_core_state st;
    struct processor_core_stats n;
};

static const struct component_ops no_ops;

const struct component_type processor_root_type = {
    .name = "processor",
    .doc = "Timing side of a machine: its cores and their memory system",
    COMPONENT_LAYOUT(processor_root),
    .ops = &no_ops,
};

const struct component_type processor_core_type = {
    .name = "core",
    .doc = "Models of one core and what belongs to it alone",
    COMPONENT_LAYOUT(processor_core),
    .ops = &no_ops,
};

struct processor {
    struct config config;
    struct sim sim;
};

void processor_free(struct processor *p)
{
    if (!p)
        return;
    sim_release(&p->sim);
    config_release(&p->config);
    free(p);
}

static bool read_preset(struct config *cfg, const char *name, struct error *err)
{
    struct names_nearest near = {.word = name};
    const char *text = processor_preset(name);

    if (text)
        return config_parse(cfg, text, strlen(text), name) || config_check(cfg, err);
    for (const char *const *p = processor_presets; *p; p++)
        names_offer(&near, *p);
    return error_set(err, ERROR_INPUT, "there is no machine '%s'%s%s%s", name,
                     near.best ? "; did you mean '" : "", near.best ? near.best : "",
                     near.best ? "'?" : "");
}

static bool describe(struct config *cfg, const struct processor_options *o, struct error *err)
{
    struct config_node *root;
    char cores[40];

    if (o->preset && !read_preset(cfg, o->preset, err))
        return false;
    for (const char *const *f = o->files; f && *f; f++)
        (void)config_read(cfg, *f);
    snprintf(cores, sizeof(cores), "system.cores=%u", (unsigned)o->cores);
    (void)config_override(cfg, cores);
    for (const char *const *a = o->assignments; a && *a; a++)
        if (strncmp(*a, "system.", 7) == 0)
            (void)config_override(cfg, *a);
    root = config_child(cfg->top, "system");
    if (!config_child(root, "type"))
        return error_set(err, ERROR_INPUT,
                         "CPU models with timing need a description of the processor: --machine "
                         "NAME, or --config FILE with a key 'system'");
    config_repeat(cfg, root, "cpu*", o->cores);
    return config_check(cfg, err);
}

static bool build(struct processor *p, struct error *err)
{
    (void)config_create(&p->config, &p->sim, "system", machine_types);
    if (!config_check(&p->config, err))
        return false;
    if (p->sim.root->type != &processor_root_type)
        return error_set(err, ERROR_INPUT, "'system' must be of type processor");
    return sim_build(&p->sim, err);
}

static bool has_cores(struct processor *p, u32 count, struct error *err)
{
    for (u32 i = 0; i < count; i++)
        if (!processor_core(p, i))
            return error_set(err, ERROR_INPUT,
                             "the processor's description has no core system.cpu%u", (unsigned)i);
    return true;
}

struct processor *processor_new(const struct processor_options *o, struct error *err)
{
    struct processor *p = xcalloc(1, sizeof(*p));

    sim_init(&p->sim);
    config_init(&p->config);
    if (!describe(&p->config, o, err) || !build(p, err) || !has_cores(p, o->cores, err)) {
        processor_free(p);
        return NULL;
    }
    sim_reset(&p->sim);
    return p;
}

const struct error *processor_failure(const struct processor *p)
{
    return &p->sim.failure;
}

struct component *processor_root(struct processor *p)
{
    return p->sim.root;
}

tick processor_window(const struct processor *p)
{
    return ((const struct processor_root *)p->sim.root)->p.window;
}

struct component *processor_core(struct processor *p, u32 number)
{
    char name[16];

    snprintf(name, sizeof(name), "cpu%u", (unsigned)number);
    return component_child(p->sim.root, name);
}

struct component *processor_part(struct processor *p, u32 number, const char *name,
                                 struct error *err)
{
    struct component *core = processor_core(p, number), *part = component_child(core, name);

    if (!part)
        error_set(err, ERROR_INPUT, "the processor's description has no %s.%s", core->path, name);
    return part;
}
