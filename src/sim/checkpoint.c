// SPDX-License-Identifier: BSD-3-Clause
#include "sim/checkpoint.h"

#include "base/bug.h"
#include "base/file.h"
#include "base/hash.h"
#include "sim/checkpoint_priv.h"
#include "sim/sim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { FORMAT_VERSION = 1 };
#define FORMAT_NAME "facet-checkpoint"
// The manifest holds its own hash, computed with these digits in its place.
#define SELF_HASH "\"self\": \"0x0000000000000000\""
#define TEXT_MAX GiB(4)

struct checkpoint_writer {
    struct pack_writer pack;
    struct strbuf extras; // elements of the "extras" array
    struct json_out extras_json;
    u64 events; // pending ones that were saved
};

struct checkpoint_reader {
    struct pack_reader pack;
    json_t *state; // owned
    size_t extras_used;
};

bool checkpoint_write_memory(struct checkpoint_writer *w, const char *name, const void *data,
                             u64 size, struct error *err)
{
    return pack_writer_add(&w->pack, name, data, size, NULL, NULL, err);
}

bool checkpoint_write_sparse(struct checkpoint_writer *w, const char *name, const void *data,
                             u64 size, checkpoint_data_fn *data_from, void *context,
                             struct error *err)
{
    return pack_writer_add(&w->pack, name, data, size, data_from, context, err);
}

bool checkpoint_read_memory(struct checkpoint_reader *r, const char *name, void *data, u64 size,
                            struct error *err)
{
    return pack_reader_read(&r->pack, name, data, size, err);
}

bool checkpoint_memory_size(const struct checkpoint_reader *r, const char *name, u64 *ret_size)
{
    return pack_reader_size(&r->pack, name, ret_size);
}

void checkpoint_write_state(struct checkpoint_writer *w, const char *name, const void *data,
                            const struct state_field *fields)
{
    struct json_out *j = &w->extras_json;

    w->events += state_pending(data, fields);
    json_put_object(j);
    json_put_key_string(j, "name", name);
    json_put_key_hex(j, "schema", state_fingerprint(fields));
    json_put_key(j, "state");
    state_save(j, data, fields);
    json_put_end(j);
}

// The record of an array whose member `key` is `name`.
static const json_t *find_record(const json_t *array, const char *key, const char *name)
{
    const json_t *r;
    size_t i;

    json_array_foreach(array, i, r)
    {
        const char *s = json_get_string(r, key);

        if (s && strcmp(s, name) == 0)
            return r;
    }
    return NULL;
}

static bool load_record(const json_t *record, const char *name, void *data,
                        const struct state_field *fields, u64 fingerprint, struct error *err)
{
    u64 schema;

    if (!record)
        return error_set(err, ERROR_INPUT, "the state of '%s' is missing", name);
    if (!json_get_u64(record, "schema", &schema) || schema != fingerprint)
        return error_set(err, ERROR_INPUT,
                         "the state of '%s' was saved by another version of facet (its schema "
                         "differs)",
                         name);
    return state_load(data, fields, json_object_get(record, "state"), err) ||
           error_wrap(err, "the state of '%s'", name);
}

bool checkpoint_read_state(struct checkpoint_reader *r, const char *name, void *data,
                           const struct state_field *fields, struct error *err)
{
    const json_t *record = find_record(json_object_get(r->state, "extras"), "name", name);

    if (!load_record(record, name, data, fields, state_fingerprint(fields), err))
        return false;
    r->extras_used++;
    return true;
}

// Counters are saved as one vector of words, so that a continued run ends with the same totals.
struct counters {
    u64 words_count;
    u64 *words;
};
static const struct state_field counter_fields[] = {
    {"words", STATE_u64, STATE_VECTOR, 0, sizeof(struct counters)}, {0}};

static struct counters counters_of(const struct component *c)
{
    return (struct counters){stat_words(c->type->stats), component_stats(c)};
}

static void save_component(struct json_out *j, const struct component *c)
{
    struct counters counters = counters_of(c);

    json_put_object(j);
    json_put_key_string(j, "path", c->path);
    json_put_key_string(j, "type", c->type->name);
    json_put_key_hex(j, "schema", component_fingerprint(c->type));
    json_put_key(j, "state");
    state_save(j, component_state(c), c->type->state);
    json_put_key(j, "counters");
    state_save(j, &counters, counter_fields);
    json_put_end(j);
}

static bool save_components(struct sim *sim, struct checkpoint_writer *w, struct strbuf *out,
                            struct error *err)
{
    struct json_out j = json_out_to(out);

    w->extras_json = json_out_to(&w->extras);
    json_put_array(&w->extras_json);
    json_put_object(&j);
    json_put_key_hex(&j, "tick", sim->queue.now);
    json_put_key_hex(&j, "next_sequence", sim->queue.next_sequence);
    json_put_key_hex(&j, "events_fired", sim->queue.fired);
    json_put_key(&j, "components");
    json_put_array(&j);
    for (struct component *c = sim->root; c; c = component_after(c)) {
        save_component(&j, c);
        w->events += state_pending(component_state(c), c->type->state);
        if (c->type->ops && c->type->ops->save && !c->type->ops->save(c, w, err))
            return error_wrap(err, "%s", c->path);
    }
    // What happens at a time that nobody saves would be forgotten.
    if (w->events != sim->queue.pending)
        return error_set(err, ERROR_UNSUPPORTED,
                         "%" PRIu64 " pending events belong to no component's state",
                         sim->queue.pending - w->events);
    json_put_end(&j);
    // The components' methods filled this array meanwhile.
    json_put_end(&w->extras_json);
    json_put_key(&j, "extras");
    json_put_raw(&j, strbuf_text(&w->extras));
    json_put_end(&j);
    return true;
}

static bool write_part(const char *dir, const char *name, const struct strbuf *text,
                       struct json_out *manifest, struct error *err)
{
    AUTO_FREE char *path = xasprintf("%s/%s", dir, name);

    json_put_object(manifest);
    json_put_key_string(manifest, "name", name);
    json_put_key_hex(manifest, "size", text->length);
    json_put_key_hex(manifest, "hash", hash64(text->text, text->length));
    json_put_end(manifest);
    return file_write(path, text->text, text->length, err);
}

static void seal_manifest(struct strbuf *text)
{
    char digits[20];
    char *at = strstr(text->text, SELF_HASH);

    ASSERT(at);
    snprintf(digits, sizeof(digits), "%016" PRIx64, hash64(text->text, text->length));
    memcpy(at + strlen("\"self\": \"0x"), digits, 16);
}

static bool write_all(struct sim *sim, struct checkpoint_writer *w, const char *dir,
                      const char *digest, struct error *err)
{
    AUTO(strbuf) struct strbuf state = {0};
    AUTO(strbuf) struct strbuf index = {0};
    AUTO(strbuf) struct strbuf manifest = {0};
    AUTO_FREE char *pack = xasprintf("%s/memory.pack", dir);
    AUTO_FREE char *last = xasprintf("%s/manifest.json", dir);
    struct json_out j = json_out_to(&manifest);

    if (!pack_writer_open(&w->pack, pack, err) || !save_components(sim, w, &state, err) ||
        !pack_writer_finish(&w->pack, &index, err))
        return false;
    json_put_object(&j);
    json_put_key_string(&j, "format", FORMAT_NAME);
    json_put_key_u64(&j, "version", FORMAT_VERSION);
    json_put_key_string(&j, "self", "0x0000000000000000");
    json_put_key_string(&j, "config_digest", digest);
    json_put_key_hex(&j, "pack_size", w->pack.size);
    json_put_key(&j, "files");
    json_put_array(&j);
    if (!write_part(dir, "state.json", &state, &j, err) ||
        !write_part(dir, "memory.json", &index, &j, err))
        return false;
    json_put_end(&j);
    json_put_end(&j);
    seal_manifest(&manifest);
    return file_write(last, manifest.text, manifest.length, err) && file_sync_directory(dir, err);
}

static const char *digest_of(const struct checkpoint_options *o)
{
    return o && o->config_digest ? o->config_digest : "";
}

bool checkpoint_save(struct sim *sim, const char *path, const struct checkpoint_options *options,
                     struct error *err)
{
    struct checkpoint_writer w = {.pack = {.fd = -1}};
    AUTO_FREE char *dir = NULL;
    struct error ignored;
    bool ok;

    ASSERT(sim->phase == SIM_READY);
    if (file_exists(path))
        return error_set(err, ERROR_INPUT, "cannot save checkpoint '%s': it exists already", path);
    if (!file_make_unique_directory(path, &dir, err))
        return error_wrap(err, "cannot save checkpoint '%s'", path);
    ok = write_all(sim, &w, dir, digest_of(options), err);
    pack_writer_release(&w.pack);
    strbuf_release(&w.extras);
    if (ok && rename(dir, path) < 0)
        ok = error_set_errno(err, "cannot rename to '%s'", path);
    if (!ok) {
        if (!file_remove_tree(dir, &ignored))
            log_debug("checkpoint", "%s", ignored.message);
        return error_wrap(err, "cannot save checkpoint '%s'", path);
    }
    return file_sync_parent(path, err);
}

static bool check_manifest(struct strbuf *text, const json_t *root, struct error *err)
{
    u64 self, version;
    const char *format = json_get_string(root, "format");
    char *at = strstr(text->text, "\"self\": \"0x");

    if (!format || strcmp(format, FORMAT_NAME) != 0)
        return error_set(err, ERROR_INPUT, "it is no facet checkpoint");
    if (!json_get_u64(root, "version", &version) || version != FORMAT_VERSION)
        return error_set(err, ERROR_INPUT,
                         "its format is version %" PRIu64 ", this facet reads version %d", version,
                         FORMAT_VERSION);
    if (!at || !json_get_u64(root, "self", &self) || strlen(at) < strlen(SELF_HASH))
        return error_set(err, ERROR_INPUT, "manifest.json is damaged");
    memset(at + strlen("\"self\": \"0x"), '0', 16);
    if (hash64(text->text, text->length) != self)
        return error_set(err, ERROR_INPUT, "manifest.json is damaged");
    return true;
}

static json_t *read_json(const char *dir, const char *name, struct strbuf *text, struct error *err)
{
    AUTO_FREE char *path = xasprintf("%s/%s", dir, name);

    if (!file_read(path, TEXT_MAX, text, err))
        return NULL;
    return json_parse(strbuf_text(text), text->length, name, err);
}

// Reads a file that the manifest lists.
static json_t *read_part(const char *dir, const char *name, const json_t *manifest,
                         struct error *err)
{
    AUTO(strbuf) struct strbuf text = {0};
    AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
    const json_t *entry = find_record(json_object_get(manifest, "files"), "name", name);
    u64 size, hash;

    if (!entry || !json_get_u64(entry, "size", &size) || !json_get_u64(entry, "hash", &hash)) {
        error_set(err, ERROR_INPUT, "manifest.json does not list %s", name);
        return NULL;
    }
    if (!file_read(path, TEXT_MAX, &text, err))
        return NULL;
    if (text.length != size || hash64(strbuf_text(&text), text.length) != hash) {
        error_set(err, ERROR_INPUT, "%s is damaged", name);
        return NULL;
    }
    return json_parse(text.text, text.length, name, err);
}

static void reader_release(struct checkpoint_reader *r)
{
    pack_reader_release(&r->pack);
    json_decref(r->state);
    *r = (struct checkpoint_reader){0};
}

// Everything that can be checked without a machine. `digest`: NULL does not care.
static bool reader_open(struct checkpoint_reader *r, const char *dir, const char *digest,
                        struct error *err)
{
    AUTO(strbuf) struct strbuf text = {0};
    AUTO_FREE char *pack = xasprintf("%s/memory.pack", dir);
    json_t *manifest = read_json(dir, "manifest.json", &text, err), *index = NULL;
    const char *saved;
    u64 pack_size;
    bool ok = false;

    *r = (struct checkpoint_reader){0};
    if (!manifest)
        return false;
    if (!check_manifest(&text, manifest, err))
        goto out;
    saved = json_get_string(manifest, "config_digest");
    if (digest && (!saved || strcmp(saved, digest) != 0)) {
        error_set(err, ERROR_INPUT, "it is of a machine with another description");
        goto out;
    }
    r->state = read_part(dir, "state.json", manifest, err);
    index = r->state ? read_part(dir, "memory.json", manifest, err) : NULL;
    if (!index || !pack_reader_open(&r->pack, pack, index, err))
        goto out;
    ok = json_get_u64(manifest, "pack_size", &pack_size) && pack_size == r->pack.size;
    if (!ok)
        error_set(err, ERROR_INPUT, "memory.pack is damaged");
out:
    json_decref(manifest);
    return ok;
}

bool checkpoint_verify(const char *path, struct error *err)
{
    struct checkpoint_reader r;
    bool ok = reader_open(&r, path, NULL, err);

    reader_release(&r);
    return ok || error_wrap(err, "cannot use checkpoint '%s'", path);
}

// The checkpoint's components are exactly the machine's, of the same types and schemas.
static bool check_components(const struct sim *sim, const json_t *records, struct error *err)
{
    const json_t *record;
    size_t i, n = 0;

    for (const struct component *c = sim->root; c; c = component_after(c), n++) {
        const char *type;
        u64 schema;

        record = find_record(records, "path", c->path);
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
    const json_t *records = json_object_get(r->state, "components");
    const json_t *record = find_record(records, "path", c->path);
    struct counters counters = counters_of(c);

    if (!load_record(record, c->path, component_state(c), c->type->state,
                     component_fingerprint(c->type), err))
        return false;
    if (!state_load(&counters, counter_fields, json_object_get(record, "counters"), err))
        return error_wrap(err, "the counters of '%s'", c->path);
    return !c->type->ops || !c->type->ops->load || c->type->ops->load(c, r, err);
}

static bool load_all(struct sim *sim, struct checkpoint_reader *r, struct error *err)
{
    struct event_queue *q = &sim->queue;
    u64 now, next_sequence, fired;

    if (!json_get_u64(r->state, "tick", &now) ||
        !json_get_u64(r->state, "next_sequence", &next_sequence) ||
        !json_get_u64(r->state, "events_fired", &fired))
        return error_set(err, ERROR_INPUT, "state.json has no time");
    if (!check_components(sim, json_object_get(r->state, "components"), err))
        return false;
    ASSERT(q->pending == 0);
    q->now = now;
    for (struct component *c = sim->root; c; c = component_after(c))
        if (!load_component(c, r, err))
            return false;
    q->next_sequence = next_sequence;
    q->fired = fired;
    if (r->extras_used != json_array_size(json_object_get(r->state, "extras")) ||
        r->pack.used != pack_reader_count(&r->pack))
        return error_set(err, ERROR_INPUT, "it has data that no component of the machine owns");
    for (struct component *c = sim->root; c; c = component_after(c))
        if (c->type->ops && c->type->ops->after_load && !c->type->ops->after_load(c, err))
            return error_wrap(err, "%s", c->path);
    return true;
}

bool checkpoint_load(struct sim *sim, const char *path, const struct checkpoint_options *options,
                     struct error *err)
{
    struct checkpoint_reader r;
    const char *digest = options ? options->config_digest : NULL;
    bool ok;

    ASSERT(sim->phase == SIM_READY);
    // What reset scheduled is replaced by what was saved.
    while (sim->queue.root)
        event_cancel(sim->queue.root);
    ok = reader_open(&r, path, digest, err) && load_all(sim, &r, err);
    reader_release(&r);
    return ok || error_wrap(err, "cannot use checkpoint '%s'", path);
}
