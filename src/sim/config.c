// SPDX-License-Identifier: BSD-3-Clause
// From a description's nodes to components.
#include "sim/config.h"

#include "base/alloc.h"
#include "base/names.h"
#include "sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PROBLEMS_MAX = 100 };

void config_init(struct config *cfg)
{
    *cfg = (struct config){0};
    cfg->top = arena_alloc(&cfg->arena, sizeof(*cfg->top));
    cfg->top->kind = CONFIG_MAP;
    cfg->top->file = "description";
    cfg->top->used = true;
}

void config_release(struct config *cfg)
{
    arena_release(&cfg->arena);
    strbuf_release(&cfg->problems);
    *cfg = (struct config){0};
}

void config_problem(struct config *cfg, const struct config_node *at, const char *fmt, ...)
{
    va_list ap;

    if (cfg->problem_count++ >= PROBLEMS_MAX)
        return;
    if (at && at->line)
        strbuf_printf(&cfg->problems, "%s:%u: ", at->file, at->line);
    else if (at)
        strbuf_printf(&cfg->problems, "%s: ", at->file);
    va_start(ap, fmt);
    strbuf_vprintf(&cfg->problems, fmt, ap);
    va_end(ap);
    strbuf_putc(&cfg->problems, '\n');
}

bool config_check(const struct config *cfg, struct error *err)
{
    const char *text = strbuf_text(&cfg->problems);
    size_t length = 0;
    unsigned shown = 0;

    if (!cfg->problem_count)
        return true;
    // As many whole lines as fit.
    while (text[length]) {
        size_t n = strcspn(text + length, "\n");

        if (shown && length + n > sizeof(err->message) - 40)
            break;
        length += n + (text[length + n] == '\n');
        shown++;
    }
    while (length && text[length - 1] == '\n')
        length--;
    if (shown < cfg->problem_count)
        return error_set(err, ERROR_INPUT, "%.*s\n(and %u more)", (int)length, text,
                         cfg->problem_count - shown);
    return error_set(err, ERROR_INPUT, "%.*s", (int)length, text);
}

struct config_node *config_child(const struct config_node *map, const char *key)
{
    for (struct config_node *n = map->first; n; n = n->next)
        if (n->key && strcmp(n->key, key) == 0)
            return n;
    return NULL;
}

static struct config_node *node_of(const struct config *cfg, const struct component *c)
{
    const struct config_node *above = c->parent ? node_of(cfg, c->parent) : cfg->top;

    return above ? config_child(above, c->name) : NULL;
}

static const struct component_type *type_named(struct config *cfg, const struct config_node *type)
{
    struct names_nearest near = {.word = type->text};

    if (!type->text) {
        config_problem(cfg, type, "a type must be a name");
        return NULL;
    }
    for (const struct component_type *const *t = cfg->types; *t; t++) {
        if (strcmp((*t)->name, type->text) == 0)
            return *t;
        names_offer(&near, (*t)->name);
    }
    config_problem(cfg, type, "there is no component type '%.60s'%s%s%s", type->text,
                   near.best ? "; did you mean '" : "", near.best ? near.best : "",
                   near.best ? "'?" : "");
    return NULL;
}

// Creates the component that a map with a type describes.
static void create(struct config *cfg, struct sim *sim, struct component *parent,
                   struct config_node *map)
{
    struct config_node *type = config_child(map, "type");
    const struct component_type *t = type_named(cfg, type);
    struct component *c;
    struct error err;

    map->used = type->used = true;
    if (!t)
        return;
    c = component_new(sim, t, parent, map->key, &err);
    if (c)
        c->from_description = true;
    else
        config_problem(cfg, map, "%s", err.message);
}

static void suggest(struct config *cfg, const struct component *c, const struct config_node *n)
{
    struct names_nearest near = {.word = n->key};

    for (const struct param_field *f = c->type->params; f->name; f++)
        names_offer(&near, f->name);
    config_problem(cfg, n, "%s (%s) has no parameter '%.60s'%s%s%s", c->path, c->type->name, n->key,
                   near.best ? "; did you mean '" : "", near.best ? near.best : "",
                   near.best ? "'?" : "");
}

static bool is_null(const struct config_node *n)
{
    return n->plain && (!n->text[0] || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}

static void set_param(struct config *cfg, struct component *c, const struct config_node *n,
                      int index)
{
    struct error err;

    if (n->kind != CONFIG_VALUE || is_null(n))
        config_problem(cfg, n, "%s.%s: one value is expected, a %s", c->path, n->key,
                       params_kind_name(&c->type->params[index]));
    else if (!params_set(component_params(c), c->type->params, index, n->text, &c->sim->arena,
                         &err))
        config_problem(cfg, n, "%s.%s: %s", c->path, n->key, err.message);
    component_mark_described(c, index);
}

static void describe_member(struct config *cfg, struct component *c, struct config_node *n)
{
    int index = params_find(c->type->params, n->key);

    if (strcmp(n->key, "type") == 0) {
        n->used = true;
        if (n->kind != CONFIG_VALUE || strcmp(n->text, c->type->name) != 0)
            config_problem(cfg, n, "%s must be a %s", c->path, c->type->name);
    } else if (index >= 0) {
        n->used = true;
        set_param(cfg, c, n, index);
    } else if (n->kind == CONFIG_MAP && config_child(n, "type")) {
        create(cfg, c->sim, c, n);
    } else if (n->kind != CONFIG_MAP) {
        n->used = true;
        suggest(cfg, c, n);
    }
    // A map without a type waits for the component to be made by its parent.
}

void config_describe(struct config *cfg, struct component *c)
{
    struct config_node *map = node_of(cfg, c);

    if (!map)
        return;
    map->used = true;
    if (map->kind != CONFIG_MAP) {
        config_problem(cfg, map, "%s is a component: a mapping is expected", c->path);
        return;
    }
    for (struct config_node *n = map->first; n; n = n->next)
        describe_member(cfg, c, n);
    for (const struct param_field *f = c->type->params; f->name; f++)
        if (params_required(f) && config_child(map, "type") && !config_child(map, f->name))
            config_problem(cfg, map, "%s (%s): the parameter '%s' must be given", c->path,
                           c->type->name, f->name);
}

bool config_create(struct config *cfg, struct sim *sim, const char *root,
                   const struct component_type *const *types)
{
    struct config_node *map = root ? config_child(cfg->top, root) : cfg->top->first;

    cfg->types = types;
    sim->description = cfg;
    if (cfg->problem_count)
        return false;
    if (!map)
        config_problem(cfg, cfg->top, "there is no machine '%s'", root ? root : "");
    else if (!root && map->next)
        config_problem(cfg, map->next, "one machine is expected, '%.60s' and '%.60s' are given",
                       map->key, map->next->key);
    else if (map->kind != CONFIG_MAP || !config_child(map, "type"))
        config_problem(cfg, map, "'%.60s' must be a mapping with a type", map->key);
    else
        create(cfg, sim, NULL, map);
    return !cfg->problem_count;
}

// Reports the topmost unused nodes.
static void find_unused(struct config *cfg, const struct component *c, struct config_node *map)
{
    for (struct config_node *n = map->first; n; n = n->next) {
        struct component *child = component_child(c, n->key);
        struct names_nearest near = {.word = n->key};

        if (n->used && child && n->kind == CONFIG_MAP)
            find_unused(cfg, child, n);
        if (n->used)
            continue;
        for (const struct component *k = c->first_child; k; k = k->next_sibling)
            names_offer(&near, k->name);
        config_problem(cfg, n, "%s (%s) has no component '%.60s'%s%s%s (a new one needs a type)",
                       c->path, c->type->name, n->key, near.best ? "; did you mean '" : "",
                       near.best ? near.best : "", near.best ? "'?" : "");
    }
}

bool config_finish(struct config *cfg, struct sim *sim)
{
    struct config_node *map = sim->root ? node_of(cfg, sim->root) : NULL;

    if (map)
        find_unused(cfg, sim->root, map);
    sim->description = NULL;
    return !cfg->problem_count;
}
