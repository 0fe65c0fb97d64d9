// SPDX-License-Identifier: BSD-3-Clause
// Modules are ELF64 files (.ko), or compressed ones (.ko.xz, .ko.zst, .ko.gz).
#include "image/modules.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/names.h"
#include "image/compress.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct kernel_module {
    char *name; // owned; with '_' for '-'
    char *file; // owned
    char *info; // owned: .modinfo, strings of "key=value"; NULL until it is read
    size_t info_size;
    bool listed;
};

enum { DEPTH_MAX = 64 };

#define SECTION_SIZE_MAX MiB(4)
#define MODULE_SIZE_MAX MiB(256)

void kernel_modules_release(struct kernel_modules *m)
{
    for (size_t i = 0; i < m->count; i++) {
        free(m->items[i].name);
        free(m->items[i].file);
        free(m->items[i].info);
    }
    VEC_RELEASE(m);
    free(m->folder);
    free(m->built_in);
    m->folder = m->built_in = NULL;
}

// ---- what there is ----

static char *module_name(const char *file, size_t length)
{
    char *name = xasprintf("%.*s", (int)length, file);

    for (char *c = name; *c; c++)
        *c = *c == '-' ? '_' : *c;
    return name;
}

static bool read_built_in(struct kernel_modules *m, const char *file, struct error *err)
{
    AUTO(strbuf) struct strbuf text = {0};
    bool good = file_read(file, MiB(16), &text, err);

    if (good) {
        free(m->built_in);
        m->built_in = xstrdup(strbuf_text(&text));
    }
    return good;
}

static bool ends_in(const char *name, const char *suffix)
{
    size_t length = strlen(name), end = strlen(suffix);

    return length > end && strcmp(name + length - end, suffix) == 0;
}

// How long the name is without ".ko" and what may be behind it; 0: no module.
static size_t bare_length(const char *name)
{
    static const char *const suffixes[] = {".ko", ".ko.xz", ".ko.zst", ".ko.gz"};

    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
        if (ends_in(name, suffixes[i]))
            return strlen(name) - strlen(suffixes[i]);
    return 0;
}

bool kernel_module_is_compressed(const char *file)
{
    return !ends_in(file, ".ko");
}

bool kernel_module_unpack(const char *file, struct strbuf *out, struct error *err)
{
    AUTO(strbuf) struct strbuf packed = {0};

    return file_read(file, MODULE_SIZE_MAX, &packed, err) &&
           (compression_undo(&packed, MODULE_SIZE_MAX, out, err) ||
            error_wrap(err, "kernel module '%s'", file));
}

static bool note(struct kernel_modules *m, const FTSENT *found, struct error *err)
{
    size_t length = bare_length(found->fts_name);

    if (found->fts_info != FTS_F)
        return true;
    if (strcmp(found->fts_name, "modules.builtin") == 0)
        return read_built_in(m, found->fts_accpath, err);
    if (length) {
        struct kernel_module module = {
            .name = module_name(found->fts_name, length),
            .file = xstrdup(found->fts_path),
        };

        VEC_PUSH(m, module);
    }
    return true;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

bool kernel_modules_open(struct kernel_modules *m, const char *folder, struct error *err)
{
    char *roots[] = {(char *)folder, NULL};
    bool good = true;
    FTSENT *found;
    FTS *walk;

    *m = (struct kernel_modules){.folder = xstrdup(folder), .built_in = xstrdup("")};
    if (access(folder, R_OK | X_OK) < 0)
        return error_set_errno(err, "cannot read the folder '%s' of kernel modules", folder);
    walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    if (!walk)
        return error_set_errno(err, "cannot read the folder '%s'", folder);
    while (good && (found = fts_read(walk)))
        good = note(m, found, err);
    fts_close(walk);
    if (good && m->count == 0)
        return error_set(err, ERROR_INPUT, "there are no kernel modules (.ko) in '%s'", folder);
    return good;
}

// ---- what a module says of itself ----

// The content of a module: a file, or what came out of one.
struct content {
    int fd; // -1: `bytes`
    struct strbuf bytes;
};

static bool read_at(const struct content *c, u64 offset, void *into, size_t size)
{
    if (c->fd >= 0)
        return pread(c->fd, into, size, (off_t)offset) == (ssize_t)size;
    if (offset > c->bytes.length || size > c->bytes.length - offset)
        return false;
    memcpy(into, c->bytes.text + offset, size);
    return true;
}

// Reads section .modinfo.
static bool read_info(struct kernel_module *module, const struct content *c)
{
    Elf64_Ehdr header;
    Elf64_Shdr names;
    AUTO_FREE Elf64_Shdr *sections = NULL;
    AUTO_FREE char *text = NULL;

    if (!read_at(c, 0, &header, sizeof(header)) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_shentsize != sizeof(Elf64_Shdr) ||
        header.e_shstrndx >= header.e_shnum)
        return false;
    sections = xcalloc(header.e_shnum, sizeof(*sections));
    if (!read_at(c, header.e_shoff, sections, header.e_shnum * sizeof(*sections)))
        return false;
    names = sections[header.e_shstrndx];
    if (names.sh_size > SECTION_SIZE_MAX)
        return false;
    text = xcalloc(1, names.sh_size + 1);
    if (!read_at(c, names.sh_offset, text, names.sh_size))
        return false;
    for (size_t i = 0; i < header.e_shnum; i++) {
        const Elf64_Shdr *s = &sections[i];

        if (s->sh_name >= names.sh_size || strcmp(text + s->sh_name, ".modinfo") != 0 ||
            s->sh_size > SECTION_SIZE_MAX)
            continue;
        module->info = xcalloc(1, s->sh_size + 1);
        module->info_size = s->sh_size;
        return read_at(c, s->sh_offset, module->info, s->sh_size);
    }
    return false;
}

static bool need_info(struct kernel_module *module, struct error *err)
{
    AUTO_CLOSE int fd = -1;
    struct content c = {.fd = -1};
    bool good;

    if (module->info)
        return true;
    if (kernel_module_is_compressed(module->file)) {
        good = kernel_module_unpack(module->file, &c.bytes, err);
    } else {
        c.fd = fd = open(module->file, O_RDONLY | O_CLOEXEC);
        good = fd >= 0 || error_set_errno(err, "cannot open '%s'", module->file);
    }
    if (good && !read_info(module, &c))
        good = error_set(err, ERROR_INPUT, "'%s' is no kernel module", module->file);
    strbuf_release(&c.bytes);
    return good;
}

// The index-th value of `key`, or NULL.
static const char *info_get(const struct kernel_module *module, const char *key, size_t index)
{
    size_t length = strlen(key);

    for (size_t at = 0; at < module->info_size; at += strlen(module->info + at) + 1) {
        const char *text = module->info + at;

        if (strncmp(text, key, length) == 0 && text[length] == '=' && index-- == 0)
            return text + length + 1;
    }
    return NULL;
}

// ---- what it needs ----

static struct kernel_module *find(struct kernel_modules *m, const char *name)
{
    for (size_t i = 0; i < m->count; i++) {
        if (strcmp(m->items[i].name, name) == 0)
            return &m->items[i];
    }
    return NULL;
}

// modules.builtin has lines like "kernel/fs/ext4/ext4.ko".
static bool is_built_in(const struct kernel_modules *m, const char *name)
{
    for (const char *line = m->built_in; *line;) {
        size_t length = strcspn(line, "\n"), start = length;
        AUTO_FREE char *found = NULL;

        while (start && line[start - 1] != '/')
            start--;
        if (length > start + 3) {
            found = module_name(line + start, length - start - 3);
            if (strcmp(found, name) == 0)
                return true;
        }
        line += length + (line[length] == '\n');
    }
    return false;
}

// The module that offers an algorithm or device by this alias. Of several, the one that works
// everywhere ("crc32c_generic" for "crc32c").
static struct kernel_module *find_alias(struct kernel_modules *m, const char *alias,
                                        struct error *err)
{
    struct kernel_module *best = NULL;

    for (size_t i = 0; i < m->count; i++) {
        struct kernel_module *module = &m->items[i];
        const char *value;

        if (!need_info(module, err))
            return NULL;
        for (size_t k = 0; (value = info_get(module, "alias", k)); k++) {
            AUTO_FREE char *name = module_name(value, strlen(value));

            if (strcmp(name, alias) == 0 && (!best || ends_in(module->name, "_generic")))
                best = module;
        }
    }
    return best;
}

static bool add(struct kernel_modules *m, struct kernel_module *module, struct module_list *list,
                int depth, struct error *err);

static bool add_by_name(struct kernel_modules *m, const char *text, size_t length, bool optional,
                        struct module_list *list, int depth, struct error *err)
{
    AUTO_FREE char *name = module_name(text, length);
    struct kernel_module *module = find(m, name);

    if (!module && is_built_in(m, name))
        return true;
    if (!module && optional) {
        err->code = ERROR_NONE;
        module = find_alias(m, name, err);
        return module ? add(m, module, list, depth, err) : err->code == ERROR_NONE;
    }
    if (!module)
        return error_set(err, ERROR_INPUT, "module '%s' is missing in '%s'", name, m->folder);
    return add(m, module, list, depth, err);
}

// "softdep=pre: NAME NAME post: NAME": what comes before helps, but may be absent.
static bool add_soft(struct kernel_modules *m, const char *text, struct module_list *list,
                     int depth, struct error *err)
{
    bool before = false;

    while (*text) {
        size_t length = strcspn(text, " ");

        if (length && text[length - 1] == ':')
            before = strncmp(text, "pre:", length) == 0;
        else if (length && before && !add_by_name(m, text, length, true, list, depth, err))
            return false;
        text += length + (text[length] == ' ');
    }
    return true;
}

static bool add(struct kernel_modules *m, struct kernel_module *module, struct module_list *list,
                int depth, struct error *err)
{
    const char *names, *soft;

    if (module->listed)
        return true;
    module->listed = true; // also ends circles
    if (!need_info(module, err))
        return false;
    if (depth == DEPTH_MAX)
        return error_set(err, ERROR_INPUT, "module '%s' needs too long a chain of others",
                         module->name);
    for (size_t i = 0; (soft = info_get(module, "softdep", i)); i++) {
        if (!add_soft(m, soft, list, depth + 1, err))
            return false;
    }
    names = info_get(module, "depends", 0);
    while (names && *names) {
        size_t length = strcspn(names, ",");

        if (length && !add_by_name(m, names, length, false, list, depth + 1, err))
            return error_wrap(err, "module '%s'", module->name);
        names += length + (names[length] == ',');
    }
    VEC_PUSH(list, module->file);
    return true;
}

bool kernel_modules_need(struct kernel_modules *m, const char *name, struct module_list *list,
                         struct error *err)
{
    AUTO_FREE char *wanted = module_name(name, strlen(name));
    struct names_nearest near = {.word = wanted};
    struct kernel_module *module = find(m, wanted);

    if (module)
        return add(m, module, list, 0, err);
    if (is_built_in(m, wanted))
        return true;
    for (size_t i = 0; i < m->count; i++)
        names_offer(&near, m->items[i].name);
    if (near.best)
        return error_set(err, ERROR_INPUT, "there is no module '%s' in '%s'; did you mean '%s'?",
                         name, m->folder, near.best);
    return error_set(err, ERROR_INPUT, "there is no module '%s' in '%s'", name, m->folder);
}

char *kernel_module_place(const char *file)
{
    const char *place = strstr(file, "lib/modules/"), *slash = strrchr(file, '/');

    if (place)
        return xasprintf("%.*s.ko", (int)bare_length(place), place);
    slash = slash ? slash + 1 : file;
    return xasprintf("lib/modules/%.*s.ko", (int)bare_length(slash), slash);
}

bool kernel_modules_locate(const char *folder, char **ret_base, char **ret_release,
                           struct error *err)
{
    AUTO_FREE char *absolute = realpath(folder, NULL);
    AUTO(kernel_modules) struct kernel_modules m = {0};

    if (!absolute)
        return error_set_errno(err, "cannot read the folder '%s' of kernel modules", folder);
    if (!kernel_modules_open(&m, absolute, err))
        return false;
    for (size_t i = 0; i < m.count; i++) {
        static const char inner[] = "/lib/modules/";
        const char *file = m.items[i].file, *place = strstr(file, inner);
        const char *release = place ? place + sizeof(inner) - 1 : NULL;

        if (!release || !strchr(release, '/'))
            continue;
        *ret_base = xasprintf("%.*s", (int)(place - file), file);
        *ret_release = xasprintf("%.*s", (int)strcspn(release, "/"), release);
        return true;
    }
    return error_set(err, ERROR_INPUT, "there is no lib/modules/VERSION in '%s'", folder);
}
