// SPDX-License-Identifier: BSD-3-Clause
// The writer of a checkpoint: states, parts, manifest, and the directory that appears at once.
#include "base/bug.h"
#include "base/file.h"
#include "base/log.h"
#include "sim/checkpoint_priv.h"
#include "sim/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct checkpoint_writer {
    struct pack_writer pack;
    struct strbuf extras; // elements of the "extras" array
    struct json_out extras_json;
    u64 events;        // pending ones that were saved
    VEC(char *) names; // of the memories
};

static bool write_memory(struct checkpoint_writer *w, const char *name, const void *data, u64 size,
                         bool optional, checkpoint_data_fn *data_from, void *context,
                         struct error *err)
{
    for (size_t i = 0; i < w->names.count; i++)
        if (strcmp(w->names.items[i], name) == 0)
            BUG("two memories are called '%s'", name);
    VEC_PUSH(&w->names, xstrdup(name));
    return pack_writer_add(&w->pack, name, data, size, optional, data_from, context, err);
}

bool checkpoint_write_memory(struct checkpoint_writer *w, const char *name, const void *data,
                             u64 size, struct error *err)
{
    return write_memory(w, name, data, size, false, NULL, NULL, err);
}

bool checkpoint_write_sparse(struct checkpoint_writer *w, const char *name, const void *data,
                             u64 size, checkpoint_data_fn *data_from, void *context,
                             struct error *err)
{
    return write_memory(w, name, data, size, false, data_from, context, err);
}

bool checkpoint_write_optional(struct checkpoint_writer *w, const char *name, const void *data,
                               u64 size, struct error *err)
{
    return write_memory(w, name, data, size, true, NULL, NULL, err);
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

const struct state_field checkpoint_counter_fields[] = {
    {"words", STATE_u64, STATE_VECTOR, 0, sizeof(struct checkpoint_counters)}, {0}};

struct checkpoint_counters checkpoint_counters_of(const struct component *c)
{
    return (struct checkpoint_counters){stat_words(c->type->stats), component_stats(c)};
}

static void save_component(struct json_out *j, const struct component *c)
{
    struct checkpoint_counters counters = checkpoint_counters_of(c);

    json_put_object(j);
    json_put_key_string(j, "path", c->path);
    json_put_key_string(j, "type", c->type->name);
    json_put_key_hex(j, "schema", component_fingerprint(c->type));
    json_put_key(j, "state");
    state_save(j, component_state(c), c->type->state);
    json_put_key(j, "counters");
    state_save(j, &counters, checkpoint_counter_fields);
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

static bool write_file(const char *dir, const char *name, const struct strbuf *text,
                       struct error *err)
{
    AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    if (fd < 0)
        return error_set_errno(err, "cannot create '%s'", path);
    return file_write_fd(fd, strbuf_text(text), text->length, path, err) &&
           file_sync(fd, path, err);
}

static bool write_part(const char *dir, const char *name, const struct strbuf *text,
                       struct json_out *manifest, struct error *err)
{
    json_put_object(manifest);
    json_put_key_string(manifest, "name", name);
    json_put_key_hex(manifest, "size", text->length);
    json_put_key_hex(manifest, "hash", hash64(strbuf_text(text), text->length));
    json_put_end(manifest);
    return write_file(dir, name, text, err);
}

static void seal_manifest(struct strbuf *text)
{
    char digits[20];
    char *at = strstr(text->text, CHECKPOINT_SELF);

    ASSERT(at);
    snprintf(digits, sizeof(digits), "%016" PRIx64, hash64(text->text, text->length));
    memcpy(at + strlen("\"self\": \"0x"), digits, 16);
}

// ---- the parent ----

// The path that leads from one directory to another, both absolute and real.
static char *relative_path(const char *from, const char *to)
{
    AUTO(strbuf) struct strbuf path = {0};
    size_t common = 0;

    for (size_t i = 0;; i++) {
        bool ends = (from[i] == '/' || !from[i]) && (to[i] == '/' || !to[i]);

        if (ends)
            common = i;
        if (!from[i] || from[i] != to[i])
            break;
    }
    for (const char *p = from + common; *p; p++)
        if (*p == '/' && p[1])
            strbuf_puts(&path, "../");
    strbuf_puts(&path, to[common] ? to + common + 1 : "");
    return xstrdup(strbuf_text(&path));
}

struct parent {
    struct checkpoint_files files;
    char *path; // owned; from the new checkpoint
};

static bool open_parent(struct parent *p, const char *parent, const char *child, struct error *err)
{
    const char *slash = strrchr(child, '/');
    AUTO_FREE char *above = slash == child ? xstrdup("/")
                            : slash        ? xasprintf("%.*s", (int)(slash - child), child)
                                           : xstrdup(".");
    AUTO_FREE char *from = realpath(above, NULL);
    AUTO_FREE char *to = realpath(parent, NULL);
    AUTO_FREE char *self = NULL;
    json_t *text;

    if (!checkpoint_files_open(&p->files, parent, CHECKPOINT_CHAIN, err))
        return false;
    if (p->files.source->packs.count > CHECKPOINT_DEPTH_MAX)
        return error_set(err, ERROR_INPUT,
                         "it has %d ancestors already; save one without a parent again",
                         CHECKPOINT_DEPTH_MAX);
    if (!from || !to)
        return error_set_errno(err, "cannot find it from '%s'", child);
    self = xasprintf("%s/%s", strcmp(from, "/") == 0 ? "" : from, slash ? slash + 1 : child);
    p->path = relative_path(self, to);
    text = json_string(p->path);
    json_decref(text);
    return text || error_set(err, ERROR_INPUT, "its path is no valid UTF-8");
}

static void parent_release(struct parent *p)
{
    checkpoint_files_release(&p->files);
    free(p->path);
}

static void put_parent(struct json_out *j, const struct parent *p)
{
    json_put_key(j, "parent");
    if (!p->path) {
        json_put_null(j);
        return;
    }
    json_put_object(j);
    json_put_key_string(j, "path", p->path);
    json_put_key_string(j, "digest", p->files.digest);
    json_put_end(j);
}

// ---- the whole ----

static bool write_all(struct sim *sim, struct checkpoint_writer *w, const char *dir,
                      const struct checkpoint_options *o, const struct parent *parent,
                      struct error *err)
{
    AUTO(strbuf) struct strbuf state = {0};
    AUTO(strbuf) struct strbuf memory = {0};
    AUTO(strbuf) struct strbuf index = {0};
    AUTO(strbuf) struct strbuf manifest = {0};
    AUTO_FREE char *pack = xasprintf("%s/memory.pack", dir);
    struct json_out j = json_out_to(&manifest);

    if (!pack_writer_open(&w->pack, pack, parent->files.source, o ? o->threads : 0, err) ||
        !save_components(sim, w, &state, err) ||
        !pack_writer_finish(&w->pack, &memory, &index, err))
        return false;
    json_put_object(&j);
    json_put_key_string(&j, "format", CHECKPOINT_FORMAT);
    json_put_key_u64(&j, "version", CHECKPOINT_VERSION);
    json_put_key_string(&j, "self", "0x0000000000000000");
    json_put_key_string(&j, "config_digest", o && o->config_digest ? o->config_digest : "");
    json_put_key_string(&j, "description", o && o->description ? o->description : "");
    put_parent(&j, parent);
    json_put_key_u64(&j, "chunks", w->pack.hashes.count);
    json_put_key_hex(&j, "pack_size", w->pack.size);
    json_put_key(&j, "files");
    json_put_array(&j);
    if (!write_part(dir, "memory.index", &index, &j, err) ||
        !write_part(dir, "memory.json", &memory, &j, err) ||
        !write_part(dir, "state.json", &state, &j, err))
        return false;
    json_put_end(&j);
    json_put_end(&j);
    seal_manifest(&manifest);
    return write_file(dir, "manifest.json", &manifest, err) && file_sync_directory(dir, err);
}

static void writer_release(struct checkpoint_writer *w)
{
    pack_writer_release(&w->pack);
    strbuf_release(&w->extras);
    for (size_t i = 0; i < w->names.count; i++)
        free(w->names.items[i]);
    VEC_RELEASE(&w->names);
}

// Writes beside `path`, then renames.
static bool save(struct sim *sim, const char *path, const struct checkpoint_options *o,
                 const struct parent *parent, struct error *err)
{
    struct checkpoint_writer w = {.pack = {.fd = -1}};
    AUTO_FREE char *dir = NULL;
    struct error ignored;
    bool ok;

    if (!file_make_unique_directory(path, &dir, err))
        return false;
    ok = write_all(sim, &w, dir, o, parent, err);
    writer_release(&w);
    if (ok && rename(dir, path) < 0)
        ok = error_set_errno(err, "cannot rename to '%s'", path);
    if (!ok && !file_remove_tree(dir, &ignored))
        log_debug("checkpoint", "%s", ignored.message);
    return ok && file_sync_parent(path, err);
}

bool checkpoint_save(struct sim *sim, const char *path, const struct checkpoint_options *options,
                     struct error *err)
{
    AUTO_FREE char *name = xstrdup(path);
    struct parent parent = {.path = NULL};
    bool ok = true;

    ASSERT(sim->phase == SIM_READY);
    for (size_t n = strlen(name); n > 1 && name[n - 1] == '/'; n--)
        name[n - 1] = '\0';
    if (file_exists(name))
        return error_set(err, ERROR_INPUT, "cannot save checkpoint '%s': it exists already", path);
    if (options && options->parent)
        ok = open_parent(&parent, options->parent, name, err) ||
             error_wrap(err, "the parent '%s'", options->parent);
    ok = ok && save(sim, name, options, &parent, err);
    parent_release(&parent);
    return ok || error_wrap(err, "cannot save checkpoint '%s'", path);
}
