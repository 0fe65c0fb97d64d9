// SPDX-License-Identifier: BSD-3-Clause
// Opening a checkpoint: its manifest, its parts, its ancestors. Everything is checked against the
// manifest, which checks itself; a parent is known by the digest of its manifest.
#include "base/file.h"
#include "sim/checkpoint_priv.h"

#include <inttypes.h>
#include <string.h>

#define TEXT_MAX GiB(4)
// Packs that are larger in total are checked where they are used: checking them first would take
// longer than anyone waits for a machine to go on.
#define CHECK_FIRST_MAX MiB(128)

const json_t *checkpoint_record(const json_t *array, const char *key, const char *name)
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

static bool check_manifest(struct strbuf *text, const json_t *root, struct error *err)
{
    u64 self, version;
    const char *format = json_get_string(root, "format");
    char *at = strstr(text->text, "\"self\": \"0x");

    if (!format || strcmp(format, CHECKPOINT_FORMAT) != 0)
        return error_set(err, ERROR_INPUT, "it is no facet checkpoint");
    if (!json_get_u64(root, "version", &version) || version != CHECKPOINT_VERSION)
        return error_set(err, ERROR_INPUT,
                         "its format is version %" PRIu64 ", this facet reads version %d", version,
                         CHECKPOINT_VERSION);
    if (!at || !json_get_u64(root, "self", &self) || strlen(at) < strlen(CHECKPOINT_SELF))
        return error_set(err, ERROR_INPUT, "manifest.json is damaged");
    memset(at + strlen("\"self\": \"0x"), '0', 16);
    if (hash64(text->text, text->length) != self)
        return error_set(err, ERROR_INPUT, "manifest.json is damaged");
    return true;
}

// NULL and *err on failure.
static json_t *read_manifest(const char *dir, char digest[65], struct error *err)
{
    AUTO(strbuf) struct strbuf text = {0};
    AUTO_FREE char *path = xasprintf("%s/manifest.json", dir);
    struct sha256_digest d;
    json_t *root;

    if (!file_read(path, TEXT_MAX, &text, err))
        return NULL;
    d = sha256_of(strbuf_text(&text), text.length);
    sha256_hex(&d, digest);
    root = json_parse(strbuf_text(&text), text.length, "manifest.json", err);
    if (root && !check_manifest(&text, root, err)) {
        json_decref(root);
        root = NULL;
    }
    return root;
}

// Reads a file that the manifest lists, and checks it.
static bool read_part(const char *dir, const char *name, const json_t *manifest,
                      struct strbuf *text, struct error *err)
{
    AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
    const json_t *entry = checkpoint_record(json_object_get(manifest, "files"), "name", name);
    u64 size, hash;

    if (!entry || !json_get_u64(entry, "size", &size) || !json_get_u64(entry, "hash", &hash))
        return error_set(err, ERROR_INPUT, "manifest.json does not list %s", name);
    if (!file_read(path, TEXT_MAX, text, err))
        return false;
    if (text->length != size || hash64(strbuf_text(text), text->length) != hash)
        return error_set(err, ERROR_INPUT, "%s is damaged", name);
    return true;
}

static json_t *read_json(const char *dir, const char *name, const json_t *manifest,
                         struct error *err)
{
    AUTO(strbuf) struct strbuf text = {0};

    if (!read_part(dir, name, manifest, &text, err))
        return NULL;
    return json_parse(strbuf_text(&text), text.length, name, err);
}

static bool add_pack(struct checkpoint_source *s, const char *dir, const json_t *manifest,
                     struct error *err)
{
    AUTO(strbuf) struct strbuf index = {0};
    AUTO_FREE char *path = xasprintf("%s/memory.pack", dir);
    struct pack pack;
    u64 size, chunks;

    if (!json_get_u64(manifest, "pack_size", &size) || !json_get_u64(manifest, "chunks", &chunks))
        return error_set(err, ERROR_INPUT, "manifest.json has no size of the pack");
    if (!read_part(dir, "memory.index", manifest, &index, err))
        return false;
    if (pack_init(&pack, path, size, chunks, strbuf_text(&index), index.length, err) &&
        pack_open(&pack, err)) {
        VEC_PUSH(&s->packs, pack);
        return true;
    }
    pack_release(&pack);
    return false;
}

// Adds the packs of the ancestors: `manifest` is that of the checkpoint at `dir`.
static bool add_ancestors(struct checkpoint_source *s, const char *dir, const json_t *manifest,
                          struct error *err)
{
    AUTO_FREE char *at = xstrdup(dir);
    json_t *m = json_incref((json_t *)(uintptr_t)manifest);
    bool ok = true;

    while (ok && json_is_object(json_object_get(m, "parent"))) {
        const json_t *parent = json_object_get(m, "parent");
        const char *path = json_get_string(parent, "path");
        const char *saved = json_get_string(parent, "digest");
        char digest[65];
        json_t *next = NULL;
        char *where;

        ok = path && saved && s->packs.count <= CHECKPOINT_DEPTH_MAX;
        if (!ok) {
            error_set(err, ERROR_INPUT, "manifest.json names no usable parent");
            break;
        }
        where = xasprintf("%s/%s", at, path);
        free(at);
        at = where;
        next = read_manifest(at, digest, err);
        ok = next &&
             (strcmp(digest, saved) == 0 ||
              error_set(err, ERROR_INPUT, "it is not the one that was there at the time")) &&
             add_pack(s, at, next, err);
        if (!ok)
            error_wrap(err, "its parent '%s'", at);
        json_decref(m);
        m = next;
    }
    json_decref(m);
    return ok;
}

void checkpoint_files_release(struct checkpoint_files *f)
{
    free(f->path);
    json_decref(f->manifest);
    json_decref(f->state);
    json_decref(f->index);
    checkpoint_source_free(f->source);
    *f = (struct checkpoint_files){0};
}

bool checkpoint_files_open(struct checkpoint_files *f, const char *path,
                           enum checkpoint_depth depth, struct error *err)
{
    *f = (struct checkpoint_files){.path = xstrdup(path)};
    f->manifest = read_manifest(path, f->digest, err);
    f->state = f->manifest ? read_json(path, "state.json", f->manifest, err) : NULL;
    f->index = f->state ? read_json(path, "memory.json", f->manifest, err) : NULL;
    if (!f->index)
        return false;
    if (depth == CHECKPOINT_HEAD)
        return true;
    f->source = xcalloc(1, sizeof(*f->source));
    return add_pack(f->source, path, f->manifest, err) &&
           add_ancestors(f->source, path, f->manifest, err) &&
           memory_index_check(f->index, f->source, err);
}

// ---- packs ----

struct check {
    const struct checkpoint_source *source;
    bool decompress;
    struct pack_scratch scratch[PARALLEL_MAX];
    u8 *content[PARALLEL_MAX]; // owned
    struct error errors[PARALLEL_MAX];
};

static bool check_frame(void *context, u64 i, unsigned worker)
{
    struct check *c = context;
    const struct pack *p = c->source->packs.items;

    for (; i >= p->frame_count; p++)
        i -= p->frame_count;
    if (!c->scratch[worker].frame)
        pack_scratch_init(&c->scratch[worker]);
    if (!c->decompress)
        return pack_check_frame(p, i, &c->scratch[worker], &c->errors[worker]);
    if (!c->content[worker])
        c->content[worker] = xcalloc(FRAME_BYTES, 1);
    return pack_read_frame(p, i, &c->scratch[worker], c->content[worker], &c->errors[worker]);
}

bool checkpoint_source_check(const struct checkpoint_source *s, bool decompress, unsigned threads,
                             struct error *err)
{
    struct check c = {.source = s, .decompress = decompress};
    u64 frames = 0, bytes = 0;
    bool ok;

    for (size_t i = 0; i < s->packs.count; i++) {
        frames += s->packs.items[i].frame_count;
        bytes += s->packs.items[i].size;
    }
    if (!decompress && bytes > CHECK_FIRST_MAX)
        return true;
    ok = parallel_for(frames, threads ? threads : parallel_threads(), check_frame, &c);
    for (unsigned i = 0; i < PARALLEL_MAX; i++) {
        if (!ok && c.errors[i].code != ERROR_NONE)
            *err = c.errors[i];
        pack_scratch_release(&c.scratch[i]);
        free(c.content[i]);
    }
    return ok;
}

bool checkpoint_verify(const char *path, struct error *err)
{
    struct checkpoint_files f;
    bool ok = checkpoint_files_open(&f, path, CHECKPOINT_CHAIN, err) &&
              checkpoint_source_check(f.source, true, 0, err);

    checkpoint_files_release(&f);
    return ok || error_wrap(err, "cannot use checkpoint '%s'", path);
}
