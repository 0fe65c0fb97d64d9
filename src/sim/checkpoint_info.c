// SPDX-License-Identifier: BSD-3-Clause
#include "sim/checkpoint_info.h"

#include "base/file.h"
#include "sim/checkpoint_priv.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

void checkpoint_info_release(struct checkpoint_info *info)
{
    for (size_t i = 0; i < info->components.count; i++) {
        free(info->components.items[i].path);
        free(info->components.items[i].type);
    }
    for (size_t i = 0; i < info->memories.count; i++)
        free(info->memories.items[i].name);
    VEC_RELEASE(&info->components);
    VEC_RELEASE(&info->memories);
    free(info->path);
    free(info->problem);
    free(info->config_digest);
    free(info->description);
    free(info->parent);
    free(info->parent_digest);
    *info = (struct checkpoint_info){0};
}

static char *text_of(const json_t *object, const char *key)
{
    const char *s = json_get_string(object, key);

    return xstrdup(s ? s : "");
}

static void read_components(struct checkpoint_info *info, const json_t *records)
{
    const json_t *r;
    size_t i;

    json_array_foreach(records, i, r)
    {
        struct checkpoint_component c = {.path = text_of(r, "path"), .type = text_of(r, "type")};

        if (!json_get_u64(r, "schema", &c.schema))
            c.schema = 0;
        VEC_PUSH(&info->components, c);
    }
}

static bool read_memories(struct checkpoint_info *info, const struct checkpoint_files *f,
                          struct error *err)
{
    const json_t *memories = json_object_get(f->index, "memories"), *r;
    size_t i;

    json_array_foreach(memories, i, r)
    {
        struct checkpoint_memory m = {.optional = json_is_true(json_object_get(r, "optional"))};
        const char *map = json_get_string(r, "map");

        if (!map || !json_get_u64(r, "size", &m.size) ||
            !map_count(map, chunks_of(m.size), &m.zero, &m.own, &m.inherited))
            return error_set(err, ERROR_INPUT, "memory.json is damaged");
        m.name = text_of(r, "name");
        VEC_PUSH(&info->memories, m);
        info->memory_bytes += m.size;
    }
    return true;
}

static u64 file_bytes(const char *dir)
{
    static const char *const parts[] = {"manifest.json", "state.json", "memory.json",
                                        "memory.index", "memory.pack"};
    u64 total = 0;

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        AUTO_FREE char *path = xasprintf("%s/%s", dir, parts[i]);
        struct stat st;

        if (stat(path, &st) == 0)
            total += (u64)st.st_size;
    }
    return total;
}

static bool read_info(struct checkpoint_info *info, const struct checkpoint_files *f,
                      struct error *err)
{
    const json_t *parent = json_object_get(f->manifest, "parent");

    memcpy(info->digest, f->digest, sizeof(info->digest));
    info->config_digest = text_of(f->manifest, "config_digest");
    info->description = text_of(f->manifest, "description");
    if (json_is_object(parent)) {
        info->parent = text_of(parent, "path");
        info->parent_digest = text_of(parent, "digest");
    }
    if (!json_get_u64(f->state, "tick", &info->time) ||
        !json_get_u64(f->state, "events_fired", &info->events_fired))
        return error_set(err, ERROR_INPUT, "state.json has no time");
    info->file_bytes = file_bytes(f->path);
    info->chunk_bytes = CHUNK_BYTES;
    read_components(info, json_object_get(f->state, "components"));
    return read_memories(info, f, err);
}

bool checkpoint_info_read(struct checkpoint_info *info, const char *path, struct error *err)
{
    struct checkpoint_files f;
    bool ok;

    *info = (struct checkpoint_info){.path = xstrdup(path)};
    ok = checkpoint_files_open(&f, path, CHECKPOINT_HEAD, err) && read_info(info, &f, err);
    checkpoint_files_release(&f);
    if (ok)
        return true;
    checkpoint_info_release(info);
    return error_wrap(err, "cannot use checkpoint '%s'", path);
}

// ---- lists ----

static bool is_checkpoint(const char *path)
{
    AUTO_FREE char *manifest = xasprintf("%s/manifest.json", path);

    return file_exists(manifest);
}

static void list_one(struct checkpoint_list *list, const char *path)
{
    struct checkpoint_info info;
    struct error err;

    if (!checkpoint_info_read(&info, path, &err))
        info = (struct checkpoint_info){.path = xstrdup(path), .problem = xstrdup(err.message)};
    VEC_PUSH(&list->items, info);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct checkpoint_info *)a)->path,
                  ((const struct checkpoint_info *)b)->path);
}

bool checkpoint_list_read(struct checkpoint_list *list, const char *directory, struct error *err)
{
    const struct dirent *entry;
    DIR *d = opendir(directory);

    *list = (struct checkpoint_list){0};
    if (!d)
        return error_set_errno(err, "cannot open directory '%s'", directory);
    if (is_checkpoint(directory))
        list_one(list, directory);
    while ((entry = readdir(d))) {
        AUTO_FREE char *path = xasprintf("%s/%s", directory, entry->d_name);

        if (entry->d_name[0] != '.' && !strstr(entry->d_name, ".tmp-") && is_checkpoint(path))
            list_one(list, path);
    }
    closedir(d);
    if (list->items.count)
        qsort(list->items.items, list->items.count, sizeof(list->items.items[0]), compare_paths);
    return true;
}

void checkpoint_list_release(struct checkpoint_list *list)
{
    for (size_t i = 0; i < list->items.count; i++)
        checkpoint_info_release(&list->items.items[i]);
    VEC_RELEASE(&list->items);
}
