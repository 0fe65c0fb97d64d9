// SPDX-License-Identifier: BSD-3-Clause
#include "sim/sim.h"

#include "base/bug.h"
#include "base/hash.h"
#include "sim/checkpoint.h"
#include "sim/config.h"
#include "sim/control.h"

#include <string.h>

void sim_init(struct sim *sim)
{
    *sim = (struct sim){0};
    event_queue_init(&sim->queue);
    drain_init(&sim->drain, &sim->queue);
}

tick sim_now(const struct sim *sim)
{
    return sim->queue.now;
}

static void destroy(struct component *c);

// Last first: what was built later may use what was built earlier.
static void destroy_siblings(struct component *c)
{
    if (!c)
        return;
    destroy_siblings(c->next_sibling);
    destroy(c);
}

static void destroy(struct component *c)
{
    destroy_siblings(c->first_child);
    if (c->type->ops && c->type->ops->destroy)
        c->type->ops->destroy(c);
}

void sim_release(struct sim *sim)
{
    if (sim->root)
        destroy(sim->root);
    checkpoint_source_free(sim->restored);
    drain_release(&sim->drain);
    arena_release(&sim->arena);
    *sim = (struct sim){0};
}

static event_fn *handler_of(const struct component_type *type, const char *event)
{
    for (const struct component_event *e = type->events; e->name; e++)
        if (strcmp(e->name, event) == 0)
            return e->fire;
    BUG("%s: the event '%s' has no handler in the events list", type->name, event);
}

// Gives the state list its memory and its event handlers.
static void build_state(struct component *c)
{
    u8 *at = component_state(c);
    u64 lengths[64];
    unsigned vectors = 0;

    for (const struct state_field *f = c->type->state; f->name; f++)
        vectors += f->shape == STATE_VECTOR;
    ASSERT(vectors <= ARRAY_SIZE(lengths));
    c->type->lengths(component_params(c), lengths);
    vectors = 0;
    for (const struct state_field *f = c->type->state; f->name; at += f->size, f++) {
        if (f->shape == STATE_EVENT) {
            event_init((struct event *)(void *)at, &c->sim->queue, f->name,
                       handler_of(c->type, f->name), c);
        } else if (f->shape == STATE_VECTOR) {
            u64 count = lengths[vectors++];
            void *data = arena_array(&c->sim->arena, count, state_kind_size(f->kind));

            memcpy(at, &count, sizeof(count));
            memcpy(at + sizeof(count), &data, sizeof(data));
        }
    }
}

static bool build_one(struct component *c, struct error *err)
{
    const struct component_ops *ops = c->type->ops;

    for (int i = 0; c->type->params[i].name; i++) {
        const struct param_field *f = &c->type->params[i];
        u64 v;

        memcpy(&v, (u8 *)component_params(c) + (size_t)i * 8, sizeof(v));
        if (params_required(f) && (f->kind == PARAM_TEXT ? !v : v == f->initial.number))
            return error_set(err, ERROR_INPUT, "%s (%s): the parameter '%s' must be given", c->path,
                             c->type->name, f->name);
    }
    if (ops && ops->check && !ops->check(c, err))
        return error_wrap(err, "%s (%s)", c->path, c->type->name);
    build_state(c);
    c->built = true;
    if (ops && ops->build && !ops->build(c, err))
        return error_wrap(err, "%s (%s)", c->path, c->type->name);
    return true;
}

// The built-in drainable of a component.
static bool drain_component(void *owner)
{
    struct component *c = owner;

    return c->type->ops->drain(c);
}

static void resume_component(void *owner)
{
    struct component *c = owner;

    if (c->type->ops->resume)
        c->type->ops->resume(c);
}

static void writeback_component(void *owner)
{
    struct component *c = owner;

    if (c->type->ops->mem_writeback)
        c->type->ops->mem_writeback(c);
}

static void invalidate_component(void *owner)
{
    struct component *c = owner;

    if (c->type->ops->mem_invalidate)
        c->type->ops->mem_invalidate(c);
}

static const struct drainable_ops component_drainable = {
    .drain = drain_component,
    .resume = resume_component,
    .mem_writeback = writeback_component,
    .mem_invalidate = invalidate_component,
};
static const struct drainable_ops component_resumable = {
    .resume = resume_component,
    .mem_writeback = writeback_component,
    .mem_invalidate = invalidate_component,
};

static void register_drainable(struct component *c)
{
    const struct component_ops *ops = c->type->ops;

    if (ops && (ops->drain || ops->resume || ops->mem_writeback || ops->mem_invalidate))
        drain_register(&c->sim->drain, c->path,
                       ops->drain ? &component_drainable : &component_resumable, c);
}

bool sim_build(struct sim *sim, struct error *err)
{
    ASSERT(sim->phase == SIM_NEW && sim->root);
    // A component that another one adds in its build comes later in the list: it is built, too.
    for (struct component *c = sim->root; c; c = c->next)
        if (!build_one(c, err))
            return false;
    if (sim->description) {
        struct config *description = sim->description;

        if (!config_finish(description, sim))
            return config_check(description, err);
    }
    for (struct component *c = sim->root; c; c = component_after(c)) {
        const struct component_ops *ops = c->type->ops;

        if (ops && ops->connect && !ops->connect(c, err))
            return error_wrap(err, "%s (%s)", c->path, c->type->name);
    }
    for (struct component *c = sim->root; c; c = component_after(c))
        register_drainable(c);
    sim->phase = SIM_BUILT;
    return true;
}

// Zero, but for the memory and the events that build gave it.
static void clear_state(struct component *c)
{
    u8 *at = component_state(c);

    for (const struct state_field *f = c->type->state; f->name; at += f->size, f++) {
        if (f->shape == STATE_EVENT) {
            event_cancel((struct event *)(void *)at);
        } else if (f->shape == STATE_VECTOR) {
            u64 count;
            void *data;

            memcpy(&count, at, sizeof(count));
            memcpy(&data, at + sizeof(count), sizeof(data));
            memset(data, 0, count * state_kind_size(f->kind));
        } else {
            memset(at, 0, f->size);
        }
    }
    memset(component_stats(c), 0, stat_words(c->type->stats) * sizeof(u64));
}

void sim_reset(struct sim *sim)
{
    ASSERT(sim->phase != SIM_NEW);
    arena_seal(&sim->arena);
    for (struct component *c = sim->root; c; c = component_after(c))
        clear_state(c);
    for (struct component *c = sim->root; c; c = component_after(c))
        if (c->type->ops && c->type->ops->reset)
            c->type->ops->reset(c);
    sim->phase = SIM_READY;
}

void sim_fail(struct component *from, const struct error *err)
{
    struct sim *sim = from->sim;

    if (sim->failure.code != ERROR_NONE)
        return;
    sim->failure = *err;
    error_wrap(&sim->failure, "%s", from->path);
    log_error(from->path, "%s", err->message);
    control_request(from, CONTROL_FAILURE, 0);
}

u64 sim_hash(const struct sim *sim)
{
    u64 h = 0;

    for (const struct component *c = sim->root; c; c = component_after(c)) {
        u64 one = component_hash(c);

        h = hash64_more(h, c->path, strlen(c->path));
        h = hash64_more(h, &one, sizeof(one));
    }
    return h;
}

void stat_set_add_tree(struct stat_set *set, const struct component *root)
{
    for (const struct component *c = root->sim->root; c; c = component_after(c)) {
        const struct component *above = c;

        while (above && above != root)
            above = above->parent;
        if (above && c->type->stats->name)
            stat_set_add(set, c->path, c->type->stats, component_stats(c));
    }
}
