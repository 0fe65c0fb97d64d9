// SPDX-License-Identifier: BSD-3-Clause
// Initial RAM disks: busybox with all its commands, an /init, kernel modules, and files.
#include "base/alloc.h"
#include "base/file.h"
#include "image/compress.h"
#include "image/image_priv.h"
#include "image/modules.h"
#include "image/newc.h"
#include "image/program.h"
#include "image/tree.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

// ---- busybox ----

static const char *find_busybox(void)
{
    static const char *const places[] = {"/bin/busybox", "/usr/bin/busybox", "/sbin/busybox"};

    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        if (access(places[i], X_OK) == 0)
            return places[i];
    }
    return NULL;
}

// A program with an interpreter needs libraries, which are not in the image.
static bool check_static(const char *file, struct error *err)
{
    AUTO_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC);
    Elf64_Ehdr header;
    Elf64_Phdr segment;

    if (fd < 0)
        return error_set_errno(err, "cannot open '%s'", file);
    if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_machine != EM_X86_64)
        return error_set(err, ERROR_INPUT, "'%s' is no x86-64 program", file);
    for (unsigned i = 0; i < header.e_phnum; i++) {
        if (pread(fd, &segment, sizeof(segment), (off_t)(header.e_phoff + i * sizeof(segment))) !=
            sizeof(segment))
            return error_set(err, ERROR_INPUT, "'%s' is truncated", file);
        if (segment.p_type == PT_INTERP)
            return error_set(err, ERROR_INPUT,
                             "'%s' is not statically linked: install the Debian package "
                             "busybox-static",
                             file);
    }
    return true;
}

static bool add_busybox(struct tree *t, const char *wanted, struct error *err)
{
    const char *file = wanted ? wanted : find_busybox();
    const char *argv[] = {file, "--list-full", NULL};
    AUTO(strbuf) struct strbuf names = {0};
    struct program program = {.argv = argv, .package = "busybox-static", .output = &names};

    if (!file)
        return error_set(err, ERROR_UNSUPPORTED,
                         "busybox is missing: install the Debian package busybox-static");
    if (!check_static(file, err) || !program_run(&program, err) ||
        !tree_add_host_file(t, file, "bin/busybox", 0755, err))
        return false;
    for (const char *line = strbuf_text(&names); *line;) {
        size_t length = strcspn(line, "\n");
        AUTO_FREE char *path = xasprintf("%.*s", (int)length, line);

        if (length && strcmp(path, "linuxrc") != 0 && strcmp(path, "bin/busybox") != 0 &&
            strcmp(path, "usr/bin/busybox") != 0)
            tree_add_symlink(t, path, "/bin/busybox");
        line += length + (line[length] == '\n');
    }
    return true;
}

// ---- modules ----

static bool add_module(struct tree *t, const char *file, const char *place, struct error *err)
{
    AUTO(strbuf) struct strbuf content = {0};

    if (!kernel_module_is_compressed(file))
        return tree_add_host_file(t, file, place, 0644, err);
    if (!kernel_module_unpack(file, &content, err))
        return false;
    tree_add_bytes(t, place, 0644, content.text, content.length);
    return true;
}

// Adds the modules and the list of them in loading order.
static bool add_modules(struct tree *t, struct kernel_modules *m, const char *names,
                        struct module_list *list, struct strbuf *text, struct error *err)
{
    while (*names) {
        size_t length = strcspn(names, ", ");
        AUTO_FREE char *name = xasprintf("%.*s", (int)length, names);

        if (length && !kernel_modules_need(m, name, list, err))
            return false;
        names += length;
        names += *names != '\0';
    }
    for (size_t i = 0; i < list->count; i++) {
        AUTO_FREE char *place = kernel_module_place(list->items[i]);

        if (!add_module(t, list->items[i], place, err))
            return false;
        strbuf_printf(text, "/%s\n", place);
    }
    return true;
}

static bool add_all_modules(struct tree *t, const struct image_request *r, struct error *err)
{
    struct kernel_modules modules = {0};
    struct module_list list = {0};
    AUTO(strbuf) struct strbuf text = {0};
    bool good = true;

    if (r->modules && r->modules[0] && !r->modules_folder)
        return error_set(err, ERROR_USAGE,
                         "modules are wanted, but not said where from: give --kernel-modules");
    if (r->modules && r->modules[0])
        good = kernel_modules_open(&modules, r->modules_folder, err) &&
               add_modules(t, &modules, r->modules, &list, &text, err);
    tree_add_text(t, "etc/facet/modules", 0644, strbuf_text(&text));
    VEC_RELEASE(&list);
    kernel_modules_release(&modules);
    return good;
}

// ---- the whole ----

static bool fill(struct tree *t, const struct image_request *r, struct error *err)
{
    static const char *const folders[] = {"proc", "sys", "run", "mnt", "var", "etc", "dev"};
    AUTO_FREE char *hostname = xasprintf("%s\n", r->hostname);

    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        tree_add_directory(t, folders[i], 0755);
    tree_add_directory(t, "root", 0700);
    tree_add_directory(t, "tmp", 01777);
    // The kernel opens it for /init, before anything is mounted.
    tree_add_device(t, "dev/console", 0600, 5, 1);
    tree_add_device(t, "dev/null", 0666, 1, 3);
    tree_add_text(t, "etc/hostname", 0644, hostname);
    tree_add_text(t, "etc/passwd", 0644, "root:x:0:0:root:/root:/bin/sh\n");
    tree_add_text(t, "etc/group", 0644, "root:x:0:\ntty:x:5:\n");
    tree_add_text(t, "init", 0755, initramfs_init);
    if (!add_busybox(t, r->busybox, err) || !add_all_modules(t, r, err) || !tree_settle(t, err))
        return false;
    return image_add_common(t, r, err) && tree_settle(t, err);
}

bool image_build_initramfs(const struct image_request *r, struct error *err)
{
    AUTO(tree) struct tree tree = {.mtime = (i64)r->epoch};
    AUTO(strbuf) struct strbuf archive = {0};
    AUTO(strbuf) struct strbuf packed = {0};
    enum compression kind = compression_of_name(r->output);

    if (r->compression && !compression_parse(r->compression, &kind, err))
        return false;
    if (!fill(&tree, r, err) || !newc_write(&tree, &archive, err))
        return false;
    if (kind == COMPRESSION_NONE)
        return file_write(r->output, archive.text, archive.length, err);
    return compression_apply(kind, &archive, &packed, err) &&
           file_write(r->output, packed.text, packed.length, err);
}
