// SPDX-License-Identifier: BSD-3-Clause
#include "sim/component.h"

#include "base/bug.h"
#include "base/hash.h"
#include "base/names.h"
#include "sim/config.h"
#include "sim/sim.h"

#include <string.h>

static bool name_is_good(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

    return name[0] && strspn(name, letters) == strlen(name) && strlen(name) < 64;
}

struct component *component_new(struct sim *sim, const struct component_type *type,
                                struct component *parent, const char *name, struct error *err)
{
    struct component *c = parent ? component_child(parent, name) : sim->root;

    if (!name_is_good(name)) {
        error_set(err, ERROR_INPUT, "'%.80s' is no name for a component (letters, digits, '_')",
                  name);
        return NULL;
    }
    if (c && c->from_description && c->type == type && strcmp(c->name, name) == 0) {
        c->from_description = false;
        return c;
    }
    if (c) {
        error_set(err, ERROR_INPUT, "there is already a component '%s' (%s)", c->path,
                  c->type->name);
        return NULL;
    }
    c = arena_alloc(&sim->arena, type->size);
    c->type = type;
    c->sim = sim;
    c->parent = parent;
    c->name = arena_strdup(&sim->arena, name);
    c->path = parent ? arena_printf(&sim->arena, "%s.%s", parent->path, name) : c->name;
    params_init(component_params(c), type->params);
    if (!parent)
        sim->root = c;
    else if (parent->last_child)
        parent->last_child->next_sibling = c;
    else
        parent->first_child = c;
    if (parent)
        parent->last_child = c;
    if (sim->last)
        sim->last->next = c;
    sim->last = c;
    if (sim->description)
        config_describe(sim->description, c);
    return c;
}

void component_mark_described(struct component *c, int param_index)
{
    ASSERT((size_t)param_index < 64 * ARRAY_SIZE(c->described));
    c->described[param_index / 64] |= 1ull << (param_index % 64);
}

static bool is_described(const struct component *c, int param_index)
{
    return (size_t)param_index < 64 * ARRAY_SIZE(c->described) &&
           (c->described[param_index / 64] >> (param_index % 64) & 1);
}

struct component *component_after(const struct component *c)
{
    if (c->first_child)
        return c->first_child;
    while (c && !c->next_sibling)
        c = c->parent;
    return c ? c->next_sibling : NULL;
}

bool component_set(struct component *c, const char *param, const char *text, struct error *err)
{
    int index = params_find(c->type->params, param);
    struct names_nearest near = {.word = param};

    ASSERT(!c->built);
    if (index >= 0) {
        u64 scratch[128];
        void *params = component_params(c);

        if (is_described(c, index))
            params = scratch;
        if (params_set(params, c->type->params, index, text, &c->sim->arena, err))
            return true;
        return error_wrap(err, "%s.%s", c->path, param);
    }
    for (const struct param_field *f = c->type->params; f->name; f++)
        names_offer(&near, f->name);
    return error_set(err, ERROR_INPUT, "%s (%s) has no parameter '%.60s'%s%s%s", c->path,
                     c->type->name, param, near.best ? "; did you mean '" : "",
                     near.best ? near.best : "", near.best ? "'?" : "");
}

struct component *component_child(const struct component *c, const char *name)
{
    for (struct component *k = c->first_child; k; k = k->next_sibling)
        if (strcmp(k->name, name) == 0)
            return k;
    return NULL;
}

struct component *component_find(const struct component *c, const char *path)
{
    char name[64];
    size_t n = strcspn(path, ".");
    struct component *child;

    if (n >= sizeof(name))
        return NULL;
    memcpy(name, path, n);
    name[n] = '\0';
    child = component_child(c, name);
    return child && path[n] ? component_find(child, path + n + 1) : child;
}

struct component *component_lookup(struct sim *sim, const char *path, struct error *err)
{
    struct names_nearest near = {.word = path};

    for (struct component *c = sim->root; c; c = component_after(c)) {
        if (strcmp(c->path, path) == 0)
            return c;
        names_offer(&near, c->path);
    }
    error_set(err, ERROR_INPUT, "there is no component '%.80s'%s%s%s", path,
              near.best ? "; did you mean '" : "", near.best ? near.best : "",
              near.best ? "'?" : "");
    return NULL;
}

const void *component_interface(const struct component *c, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(c->type->provides); i++)
        if (c->type->provides[i].name && strcmp(c->type->provides[i].name, name) == 0)
            return c->type->provides[i].ops;
    return NULL;
}

bool component_mem_port(struct component *c, struct mem_port *ret_port, struct error *err)
{
    const struct mem_port_ops *ops = component_interface(c, "mem_port");

    if (!ops)
        return error_set(err, ERROR_INPUT, "%s (%s) is no memory", c->path, c->type->name);
    *ret_port = (struct mem_port){.ops = ops, .ctx = c};
    return true;
}

bool component_lookup_interface(struct component *c, const char *path, const char *interface,
                                struct component **ret_component, const void **ret_ops,
                                struct error *err)
{
    struct component *other = component_lookup(c->sim, path, err);
    const void *ops = other ? component_interface(other, interface) : NULL;

    if (!other)
        return false;
    if (!ops)
        return error_set(err, ERROR_INPUT, "%s: %s (%s) provides no '%s'", c->path, other->path,
                         other->type->name, interface);
    *ret_component = other;
    *ret_ops = ops;
    return true;
}

bool component_irq_line(struct component *c, const char *path, unsigned number,
                        struct irq_line *ret_line, struct error *err)
{
    struct component *watcher;
    const void *ops;

    *ret_line = (struct irq_line){0};
    if (!path || !path[0])
        return true;
    if (!component_lookup_interface(c, path, "irq", &watcher, &ops, err))
        return false;
    *ret_line = (struct irq_line){.ops = ops, .ctx = watcher, .number = number};
    return true;
}

bool component_bus(struct component *c, const char *path, struct bus *ret_bus, struct error *err)
{
    const void *ops = NULL;

    if (!component_lookup_interface(c, path, "bus", &ret_bus->space, &ops, err))
        return false;
    ret_bus->ops = ops;
    return true;
}

u64 component_fingerprint(const struct component_type *type)
{
    return hash64_more(state_fingerprint(type->state), type->name, strlen(type->name));
}

u64 component_hash(const struct component *c)
{
    return state_hash(component_state(c), c->type->state);
}
