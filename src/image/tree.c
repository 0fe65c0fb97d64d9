// SPDX-License-Identifier: BSD-3-Clause
#include "image/tree.h"

#include "base/alloc.h"
#include "base/strbuf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { FOLDER_DEPTH_MAX = 64, LINKS_MAX = 16 };

static void entry_release(struct tree_entry *entry)
{
    for (size_t i = 0; i < entry->attribute_count; i++) {
        free(entry->attributes[i].name);
        free(entry->attributes[i].value);
    }
    free(entry->attributes);
    free(entry->path);
    free(entry->link);
    free(entry->data);
    free(entry->host_file);
}

void tree_release(struct tree *t)
{
    for (size_t i = 0; i < t->count; i++)
        entry_release(&t->items[i]);
    VEC_RELEASE(t);
    t->settled = 0;
}

void tree_add(struct tree *t, struct tree_entry *entry)
{
    entry->order = t->count;
    VEC_PUSH(t, *entry);
}

// A path as the tree keeps it: no empty and no "." parts; ".." goes up.
static char *clean_path(const char *path)
{
    char *clean = xstrdup(path);
    size_t used = 0;

    while (*path) {
        size_t length = strcspn(path, "/");

        if (length == 2 && strncmp(path, "..", 2) == 0) {
            while (used && clean[--used] != '/')
                continue;
        } else if (length && !(length == 1 && path[0] == '.')) {
            if (used)
                clean[used++] = '/';
            memmove(clean + used, path, length);
            used += length;
        }
        path += length;
        path += *path == '/';
    }
    clean[used] = '\0';
    return clean;
}

static struct tree_entry entry_of(const struct tree *t, const char *path, u32 mode)
{
    return (struct tree_entry){.path = clean_path(path), .mode = mode, .mtime = t->mtime};
}

void tree_add_directory(struct tree *t, const char *path, u32 mode)
{
    struct tree_entry entry = entry_of(t, path, S_IFDIR | mode);

    tree_add(t, &entry);
}

void tree_add_bytes(struct tree *t, const char *path, u32 mode, const void *data, size_t size)
{
    struct tree_entry entry = entry_of(t, path, S_IFREG | mode);

    entry.data = xcalloc(1, size + 1);
    if (size)
        memcpy(entry.data, data, size);
    entry.size = size;
    tree_add(t, &entry);
}

void tree_add_text(struct tree *t, const char *path, u32 mode, const char *text)
{
    tree_add_bytes(t, path, mode, text, strlen(text));
}

void tree_add_symlink(struct tree *t, const char *path, const char *target)
{
    struct tree_entry entry = entry_of(t, path, S_IFLNK | 0777);

    entry.data = xstrdup(target);
    entry.size = strlen(target);
    tree_add(t, &entry);
}

void tree_add_device(struct tree *t, const char *path, u32 mode, u32 major, u32 minor)
{
    struct tree_entry entry = entry_of(t, path, S_IFCHR | mode);

    entry.major = major;
    entry.minor = minor;
    tree_add(t, &entry);
}

// ---- from the host ----

bool tree_add_host_file(struct tree *t, const char *source, const char *path, u32 mode,
                        struct error *err)
{
    struct tree_entry entry;
    struct stat st;

    if (stat(source, &st) < 0 || access(source, R_OK) < 0)
        return error_set_errno(err, "cannot read '%s'", source);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERROR_INPUT, "'%s' is neither a file nor a folder", source);
    entry = entry_of(t, path, S_IFREG | (mode & 07777));
    entry.host_file = xstrdup(source);
    entry.size = (u64)st.st_size;
    tree_add(t, &entry);
    return true;
}

static bool add_host_link(struct tree *t, const char *source, const char *path, struct error *err)
{
    char target[4096];
    ssize_t length = readlink(source, target, sizeof(target) - 1);

    if (length < 0)
        return error_set_errno(err, "cannot read the link '%s'", source);
    target[length] = '\0';
    tree_add_symlink(t, path, target);
    return true;
}

// `mode` is negative where the host's counts.
static bool add_host_folder(struct tree *t, const char *source, const char *path, int mode,
                            int depth, struct error *err)
{
    DIR *folder = opendir(source);
    struct dirent *found;
    bool good = true;

    if (!folder)
        return error_set_errno(err, "cannot read the folder '%s'", source);
    tree_add_directory(t, path, 0755);
    while (good && (found = readdir(folder))) {
        AUTO_FREE char *from = xasprintf("%s/%s", source, found->d_name);
        AUTO_FREE char *to = xasprintf("%s/%s", path, found->d_name);
        struct stat st;

        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
            continue;
        if (lstat(from, &st) < 0)
            good = error_set_errno(err, "cannot read '%s'", from);
        else if (S_ISDIR(st.st_mode) && depth == FOLDER_DEPTH_MAX)
            good = error_set(err, ERROR_INPUT, "'%s' is nested too deeply", from);
        else if (S_ISDIR(st.st_mode))
            good = add_host_folder(t, from, to, mode, depth + 1, err);
        else if (S_ISLNK(st.st_mode))
            good = add_host_link(t, from, to, err);
        else
            good = tree_add_host_file(t, from, to, mode < 0 ? st.st_mode : (u32)mode, err);
    }
    closedir(folder);
    return good;
}

static bool parse_spec(const char *spec, char **ret_source, char **ret_path, int *ret_mode,
                       struct error *err)
{
    const char *colon = strchr(spec, ':'), *second = colon ? strchr(colon + 1, ':') : NULL;
    size_t length = !colon ? 0 : second ? (size_t)(second - colon - 1) : strlen(colon + 1);
    char *end = NULL;
    unsigned long mode = 0;

    if (!colon || colon == spec || length == 0)
        return error_set(err, ERROR_USAGE, "a file is given as SRC:DEST[:MODE], not '%s'", spec);
    if (second) {
        mode = strtoul(second + 1, &end, 8);
        if (end == second + 1 || *end || mode > 07777 || second[1] == '-' || second[1] == '+')
            return error_set(err, ERROR_USAGE, "'%s' is no octal file mode (in '%s')", second + 1,
                             spec);
    }
    *ret_source = xasprintf("%.*s", (int)(colon - spec), spec);
    *ret_path = xasprintf("%.*s", (int)length, colon + 1);
    *ret_mode = second ? (int)mode : -1;
    return true;
}

bool tree_add_host(struct tree *t, const char *spec, struct error *err)
{
    AUTO_FREE char *source = NULL;
    AUTO_FREE char *path = NULL;
    struct stat st;
    int mode = -1;

    if (!parse_spec(spec, &source, &path, &mode, err))
        return false;
    if (stat(source, &st) < 0)
        return error_set_errno(err, "cannot read '%s'", source);
    if (S_ISDIR(st.st_mode))
        return add_host_folder(t, source, path, mode, 0, err);
    if (path[strlen(path) - 1] == '/') {
        const char *slash = strrchr(source, '/');
        char *full = xasprintf("%s%s", path, slash ? slash + 1 : source);

        free(path);
        path = full;
    }
    return tree_add_host_file(t, source, path, mode < 0 ? st.st_mode : (u32)mode, err);
}

// ---- order ----

static int compare(const void *a, const void *b)
{
    const struct tree_entry *x = a, *y = b;
    int order = strcmp(x->path, y->path);

    return order ? order : (x->order > y->order) - (x->order < y->order);
}

struct tree_entry *tree_find(struct tree *t, const char *path)
{
    size_t low = 0, high = t->settled;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(t->items[middle].path, path);

        if (order == 0)
            return &t->items[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

// The first folder on the way to `path` that is a link among the settled entries; *ret_rest is what
// follows it.
static struct tree_entry *link_above(struct tree *t, const char *path, const char **ret_rest)
{
    AUTO_FREE char *part = xstrdup(path);

    for (char *slash = strchr(part, '/'); slash; slash = strchr(slash + 1, '/')) {
        struct tree_entry *entry;

        *slash = '\0';
        entry = tree_find(t, part);
        if (entry && S_ISLNK(entry->mode)) {
            *ret_rest = path + (slash - part);
            return entry;
        }
        *slash = '/';
    }
    return NULL;
}

static void follow_links(struct tree *t, struct tree_entry *entry)
{
    for (int i = 0; i < LINKS_MAX; i++) {
        const char *rest;
        const struct tree_entry *link = link_above(t, entry->path, &rest);
        const char *slash = link ? strrchr(link->path, '/') : NULL;
        AUTO_FREE char *joined = NULL;

        if (!link)
            return;
        if (link->data[0] == '/' || !slash)
            joined = xasprintf("%s%s", link->data, rest);
        else
            joined =
                xasprintf("%.*s/%s%s", (int)(slash - link->path), link->path, link->data, rest);
        free(entry->path);
        entry->path = clean_path(joined);
    }
}

static void sort_and_drop(struct tree *t)
{
    size_t kept = 0;

    if (t->count == 0)
        return;
    qsort(t->items, t->count, sizeof(t->items[0]), compare);
    for (size_t i = 0; i < t->count; i++) {
        if (i + 1 < t->count && strcmp(t->items[i].path, t->items[i + 1].path) == 0)
            entry_release(&t->items[i]);
        else
            t->items[kept++] = t->items[i];
    }
    t->count = t->settled = kept;
    for (size_t i = 0; i < t->count; i++)
        t->items[i].order = i;
}

// A folder given again does not change the one that is there.
static void add_missing_parents(struct tree *t)
{
    size_t count = t->count;

    if (!tree_find(t, ""))
        tree_add_directory(t, "", 0755);
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *parent = xstrdup(t->items[i].path);

        for (char *slash; (slash = strrchr(parent, '/'));) {
            *slash = '\0';
            if (tree_find(t, parent))
                break;
            tree_add_directory(t, parent, 0755);
        }
    }
}

static bool check_parents(struct tree *t, struct error *err)
{
    for (size_t i = 0; i < t->count; i++) {
        AUTO_FREE char *parent = xstrdup(t->items[i].path);
        char *slash = strrchr(parent, '/');
        const struct tree_entry *found;

        if (slash)
            *slash = '\0';
        found = tree_find(t, slash ? parent : "");
        if (found && !S_ISDIR(found->mode))
            return error_set(err, ERROR_INPUT, "'/%s' cannot be put into '/%s', which is no folder",
                             t->items[i].path, found->path);
    }
    return true;
}

bool tree_settle(struct tree *t, struct error *err)
{
    for (size_t i = t->settled; t->settled && i < t->count; i++)
        follow_links(t, &t->items[i]);
    sort_and_drop(t);
    add_missing_parents(t);
    sort_and_drop(t);
    return check_parents(t, err);
}

bool tree_read(const struct tree_entry *entry, char *into, struct error *err)
{
    AUTO_CLOSE int fd = -1;
    u64 done = 0;

    if (entry->data) {
        memcpy(into, entry->data, entry->size);
        return true;
    }
    if (entry->size == 0)
        return true;
    fd = open(entry->host_file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, "cannot open '%s'", entry->host_file);
    while (done < entry->size) {
        ssize_t n = pread(fd, into + done, entry->size - done, (off_t)(entry->host_offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, "cannot read '%s'", entry->host_file);
        if (n == 0)
            return error_set(err, ERROR_INPUT, "'%s' became shorter while it was read",
                             entry->host_file);
        done += (u64)n;
    }
    return true;
}
