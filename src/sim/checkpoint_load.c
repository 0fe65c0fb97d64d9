// SPDX-License-Identifier: BSD-3-Clause
// A checkpoint into a machine.
#include "base/bug.h"
#include "base/log.h"
#include "sim/checkpoint_priv.h"
#include "sim/sim.h"

#include <inttypes.h>
#include <string.h>

// Less than this is filled at once: it is not worth asking for at every access.
#define LAZY_MIN MiB(1)

struct checkpoint_reader {
    const struct checkpoint_files *files; // borrowed
    struct checkpoint_source *source;     // borrowed
    u64 next_sequence;
    unsigned threads;
    bool eager;
    bool *used; // owned; by memory: whether it was read
    size_t extras_used;
};

static bool read_memory(struct checkpoint_reader *r, const char *name, void *data, u64 size,
                        bool eager, struct checkpoint_lazy **ret_lazy, struct error *err)
{
    const json_t *memories = json_object_get(r->files->index, "memories"), *m;
    struct checkpoint_lazy *l;
    size_t i;
    bool ok;

    json_array_foreach(memories, i, m)
    {
        if (strcmp(json_get_string(m, "name"), name) == 0)
            r->used[i] = true;
    }
    if (!checkpoint_lazy_new(r->source, r->files->index, name, data, size, r->threads, &l, err))
        return false;
    if (eager && l) {
        ok = checkpoint_lazy_complete(l, err);
        checkpoint_lazy_free(l);
        l = NULL;
        if (!ok)
            return error_wrap(err, "the memory '%s'", name);
    }
    *ret_lazy = l;
    return true;
}

bool checkpoint_read_memory(struct checkpoint_reader *r, const char *name, void *data, u64 size,
                            struct error *err)
{
    struct checkpoint_lazy *none;

    return read_memory(r, name, data, size, true, &none, err);
}

bool checkpoint_read_lazily(struct checkpoint_reader *r, const char *name, void *data, u64 size,
                            struct checkpoint_lazy **ret_lazy, struct error *err)
{
    return read_memory(r, name, data, size, r->eager || size < LAZY_MIN, ret_lazy, err);
}

bool checkpoint_memory_size(const struct checkpoint_reader *r, const char *name, u64 *ret_size)
{
    const json_t *m = memory_find(r->files->index, name);

    return m && json_get_u64(m, "size", ret_size);
}

// An event that is to come was numbered before: others would get its number again.
static bool check_events(const u8 *at, const struct state_field *fields, u64 next_sequence,
                         struct error *err)
{
    for (const struct state_field *f = fields; f->name; at += f->size, f++) {
        const struct event *e = (const struct event *)(const void *)at;

        if (f->shape == STATE_EVENT && e->pending && e->sequence >= next_sequence)
            return error_set(err, ERROR_INPUT, "'%s' has no valid value", f->name);
    }
    return true;
}

static bool load_record(const struct checkpoint_reader *r, const json_t *record, const char *name,
                        void *data, const struct state_field *fields, u64 fingerprint,
                        struct error *err)
{
    u64 schema;

    if (!record)
        return error_set(err, ERROR_INPUT, "the state of '%s' is missing", name);
    if (!json_get_u64(record, "schema", &schema) || schema != fingerprint)
        return error_set(err, ERROR_INPUT,
                         "the state of '%s' was saved by another version of facet (its schema "
                         "differs)",
                         name);
    return (state_load(data, fields, json_object_get(record, "state"), err) &&
            check_events(data, fields, r->next_sequence, err)) ||
           error_wrap(err, "the state of '%s'", name);
}

bool checkpoint_read_state(struct checkpoint_reader *r, const char *name, void *data,
                           const struct state_field *fields, struct error *err)
{
    const json_t *extras = json_object_get(r->files->state, "extras");

    if (!load_record(r, checkpoint_record(extras, "name", name), name, data, fields,
                     state_fingerprint(fields), err))
        return false;
    r->extras_used++;
    return true;
}

// The checkpoint's components are exactly the machine's, of the same types and schemas.
static bool check_components(const struct sim *sim, const json_t *records, struct error *err)
{
    const json_t *record;
    size_t i, n = 0;

    for (const struct component *c = sim->root; c; c = component_after(c), n++) {
        const char *type;
        u64 schema;

        record = checkpoint_record(records, "path", c->path);
        if (!record)
            return error_set(err, ERROR_INPUT, "it has no component '%s'", c->path);
        type = json_get_string(record, "type");
        if (!type || strcmp(type, c->type->name) != 0)
            return error_set(err, ERROR_INPUT, "its '%s' is a %.60s instead of a %s", c->path,
                             type ? type : "?", c->type->name);
        if (!json_get_u64(record, "schema", &schema) || schema != component_fingerprint(c->type))
            return error_set(err, ERROR_INPUT,
                             "its '%s' was saved by another version of facet (the schema of %s "
                             "differs)",
                             c->path, c->type->name);
    }
    if (json_array_size(records) == n)
        return true;
    json_array_foreach(records, i, record)
    {
        const char *path = json_get_string(record, "path");
        const struct component *c = sim->root;

        while (c && path && strcmp(c->path, path) != 0)
            c = component_after(c);
        if (!c || !path)
            return error_set(err, ERROR_INPUT, "it has a component '%.80s', the machine has none",
                             path ? path : "?");
    }
    return error_set(err, ERROR_INPUT, "it has a component twice");
}

static bool load_component(struct component *c, struct checkpoint_reader *r, struct error *err)
{
    const json_t *records = json_object_get(r->files->state, "components");
    const json_t *record = checkpoint_record(records, "path", c->path);
    struct checkpoint_counters counters = checkpoint_counters_of(c);

    if (!load_record(r, record, c->path, component_state(c), c->type->state,
                     component_fingerprint(c->type), err))
        return false;
    if (!state_load(&counters, checkpoint_counter_fields, json_object_get(record, "counters"), err))
        return error_wrap(err, "the counters of '%s'", c->path);
    return !c->type->ops || !c->type->ops->load || c->type->ops->load(c, r, err);
}

// Every piece of data has an owner, but for what is optional.
static bool check_used(const struct checkpoint_reader *r, struct error *err)
{
    const json_t *memories = json_object_get(r->files->index, "memories"), *m;
    const json_t *extras = json_object_get(r->files->state, "extras");
    size_t i;

    json_array_foreach(memories, i, m)
    {
        if (!r->used[i] && !json_is_true(json_object_get(m, "optional")))
            return error_set(err, ERROR_INPUT,
                             "it has a memory '%.80s' that no component of the machine owns",
                             json_get_string(m, "name"));
        if (!r->used[i])
            log_info("checkpoint", "nobody needs the optional memory '%.80s'",
                     json_get_string(m, "name"));
    }
    if (r->extras_used != json_array_size(extras))
        return error_set(err, ERROR_INPUT, "it has states that no component of the machine owns");
    return true;
}

static bool load_all(struct sim *sim, struct checkpoint_reader *r, struct error *err)
{
    struct event_queue *q = &sim->queue;
    const json_t *state = r->files->state;
    u64 now, fired;

    if (!json_get_u64(state, "tick", &now) ||
        !json_get_u64(state, "next_sequence", &r->next_sequence) ||
        !json_get_u64(state, "events_fired", &fired))
        return error_set(err, ERROR_INPUT, "state.json has no time");
    if (!check_components(sim, json_object_get(state, "components"), err))
        return false;
    // What reset scheduled is replaced by what was saved.
    while (q->root)
        event_cancel(q->root);
    q->now = now;
    for (struct component *c = sim->root; c; c = component_after(c))
        if (!load_component(c, r, err))
            return false;
    q->next_sequence = r->next_sequence;
    q->fired = fired;
    if (!check_used(r, err))
        return false;
    for (struct component *c = sim->root; c; c = component_after(c))
        if (c->type->ops && c->type->ops->after_load && !c->type->ops->after_load(c, err))
            return error_wrap(err, "%s", c->path);
    return true;
}

static bool load(struct sim *sim, struct checkpoint_files *f, const struct checkpoint_options *o,
                 struct error *err)
{
    unsigned threads = o && o->threads ? o->threads : parallel_threads();
    struct checkpoint_reader r = {
        .files = f, .source = f->source, .threads = threads, .eager = o && o->eager};
    const char *saved = json_get_string(f->manifest, "config_digest");
    bool ok;

    if (o && o->config_digest && (!saved || strcmp(saved, o->config_digest) != 0))
        return error_set(err, ERROR_INPUT, "it is of a machine with another description");
    if (!checkpoint_source_check(f->source, false, threads, err))
        return false;
    // Memory may go on being filled from an earlier checkpoint until it is loaded from this one.
    f->source->next = sim->restored;
    sim->restored = f->source;
    f->source = NULL;
    r.used = xcalloc(json_array_size(json_object_get(f->index, "memories")) + 1, sizeof(r.used[0]));
    r.source->holders++;
    ok = load_all(sim, &r, err);
    checkpoint_source_drop(r.source);
    free(r.used);
    if (ok) {
        checkpoint_source_free(sim->restored->next);
        sim->restored->next = NULL;
    }
    return ok;
}

bool checkpoint_load(struct sim *sim, const char *path, const struct checkpoint_options *options,
                     struct error *err)
{
    struct checkpoint_files f;
    bool ok;

    ASSERT(sim->phase == SIM_READY);
    ok = checkpoint_files_open(&f, path, CHECKPOINT_CHAIN, err) && load(sim, &f, options, err);
    checkpoint_files_release(&f);
    return ok || error_wrap(err, "cannot use checkpoint '%s'", path);
}
