// SPDX-License-Identifier: BSD-3-Clause
#include "sim/checkpoint.h"

#include "api/api_priv.h"
#include "base/bug.h"
#include "sim/checkpoint_info.h"

struct facet_checkpoints {
    struct checkpoint_list list;
};

struct facet_checkpoints *facet_checkpoints_open(const char *path, struct facet_error *err)
{
    struct facet_checkpoints *c;
    struct checkpoint_info info;
    struct error why;

    if (!checkpoint_info_read(&info, path, &why)) {
        api_fail(err, &why);
        return NULL;
    }
    c = xcalloc(1, sizeof(*c));
    VEC_PUSH(&c->list.items, info);
    return c;
}

struct facet_checkpoints *facet_checkpoints_in(const char *directory, struct facet_error *err)
{
    struct facet_checkpoints *c = xcalloc(1, sizeof(*c));
    struct error why;

    if (checkpoint_list_read(&c->list, directory, &why))
        return c;
    api_fail(err, &why);
    facet_checkpoints_free(c);
    return NULL;
}

void facet_checkpoints_free(struct facet_checkpoints *list)
{
    if (list)
        checkpoint_list_release(&list->list);
    free(list);
}

size_t facet_checkpoints_count(const struct facet_checkpoints *list)
{
    return list->list.items.count;
}

static const struct checkpoint_info *info_at(const struct facet_checkpoints *list, size_t index)
{
    ASSERT(index < list->list.items.count);
    return &list->list.items.items[index];
}

struct facet_checkpoint facet_checkpoints_at(const struct facet_checkpoints *list, size_t index)
{
    const struct checkpoint_info *i = info_at(list, index);

    return (struct facet_checkpoint){
        .path = i->path,
        .problem = i->problem,
        .config_digest = i->config_digest,
        .digest = i->digest,
        .parent = i->parent,
        .parent_digest = i->parent_digest,
        .ticks = i->time,
        .events = i->events_fired,
        .file_bytes = i->file_bytes,
        .memory_bytes = i->memory_bytes,
        .components = i->components.count,
        .memories = i->memories.count,
    };
}

struct facet_checkpoint_component facet_checkpoints_component(const struct facet_checkpoints *list,
                                                              size_t index, size_t component)
{
    const struct checkpoint_info *i = info_at(list, index);
    const struct checkpoint_component *c;

    ASSERT(component < i->components.count);
    c = &i->components.items[component];
    return (struct facet_checkpoint_component){c->path, c->type, c->schema};
}

struct facet_checkpoint_memory facet_checkpoints_memory(const struct facet_checkpoints *list,
                                                        size_t index, size_t memory)
{
    const struct checkpoint_info *i = info_at(list, index);
    const struct checkpoint_memory *m;

    ASSERT(memory < i->memories.count);
    m = &i->memories.items[memory];
    return (struct facet_checkpoint_memory){
        .name = m->name,
        .bytes = m->size,
        .stored = m->own * i->chunk_bytes,
        .inherited = m->inherited * i->chunk_bytes,
        .optional = m->optional,
    };
}

bool facet_checkpoint_verify(const char *path, struct facet_error *err)
{
    struct error why;

    return checkpoint_verify(path, &why) || api_fail(err, &why);
}

// ---- differences ----

struct facet_checkpoint_diff {
    struct checkpoint_diff diff;
};

struct facet_checkpoint_diff *facet_checkpoint_diff(const char *a, const char *b,
                                                    struct facet_error *err)
{
    struct facet_checkpoint_diff *d = xcalloc(1, sizeof(*d));
    struct error why;

    if (checkpoint_diff(&d->diff, a, b, &why))
        return d;
    api_fail(err, &why);
    facet_checkpoint_diff_free(d);
    return NULL;
}

void facet_checkpoint_diff_free(struct facet_checkpoint_diff *diff)
{
    if (diff)
        checkpoint_diff_release(&diff->diff);
    free(diff);
}

size_t facet_checkpoint_diff_count(const struct facet_checkpoint_diff *diff)
{
    return diff->diff.items.count;
}

struct facet_difference facet_checkpoint_diff_at(const struct facet_checkpoint_diff *diff,
                                                 size_t index)
{
    static const char *const kinds[] = {
        [CHECKPOINT_MACHINE] = "machine", [CHECKPOINT_COMPONENT] = "component",
        [CHECKPOINT_STATE] = "state",     [CHECKPOINT_COUNTER] = "counter",
        [CHECKPOINT_MEMORY] = "memory",
    };
    const struct checkpoint_difference *x;

    ASSERT(index < diff->diff.items.count);
    x = &diff->diff.items.items[index];
    return (struct facet_difference){
        .kind = kinds[x->kind],
        .name = x->name,
        .row = x->row,
        .a = x->a,
        .b = x->b,
        .elements = x->elements,
        .at = x->at,
        .bytes = x->size,
    };
}

uint64_t facet_checkpoint_diff_pages(const struct facet_checkpoint_diff *diff)
{
    return diff->diff.pages;
}
