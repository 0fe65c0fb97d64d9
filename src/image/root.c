// SPDX-License-Identifier: BSD-3-Clause
// Root file systems: mmdebstrap makes an archive of Debian packages (in whichever of its modes this
// user may use), from which what differs from time to time is left out, to which what the guest
// needs is added, and which then becomes an ext4 file system.
#include "base/alloc.h"
#include "base/file.h"
#include "base/units.h"
#include "image/ext4.h"
#include "image/image_priv.h"
#include "image/modules.h"
#include "image/program.h"
#include "image/tar.h"
#include "image/tree.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LABEL "facet-root"

static const char always[] = "systemd-sysv,udev,dbus,kmod,e2fsprogs";

// ---- Debian's packages ----

// Names are made of what Debian policy allows; nothing can become an option or a pattern.
static bool check_words(const char *text, const char *what, struct error *err)
{
    for (const char *word = text; *word;) {
        size_t length = strcspn(word, ",");
        bool good = length == 0 || isalnum((unsigned char)word[0]);

        for (size_t i = 0; i < length; i++)
            good = good && (isalnum((unsigned char)word[i]) || strchr("+-.:~=/_", word[i]));
        if (!good)
            return error_set(err, ERROR_USAGE, "'%.*s' is no name of a %s", (int)length, word,
                             what);
        word += length + (word[length] == ',');
    }
    return true;
}

// The first thing that apt or mmdebstrap calls an error says most.
static bool explain(const struct image_request *r, const struct strbuf *said, struct error *err)
{
    static const char unknown[] = "Unable to locate package ";
    const char *text = strbuf_text(said), *at = strstr(text, unknown);

    if (at) {
        at += sizeof(unknown) - 1;
        return error_set(err, ERROR_INPUT, "Debian %s has no package '%.*s'", r->suite,
                         (int)strcspn(at, " \n"), at);
    }
    if (strstr(text, "unable to pick chroot mode"))
        return error_set(err, ERROR_UNSUPPORTED,
                         "mmdebstrap finds no way to work without root's rights here: install the "
                         "Debian package uidmap, or fakechroot and fakeroot");
    if (strstr(text, "No space left"))
        return error_set(err, ERROR_RESOURCE, "mmdebstrap: no space left on the device");
    at = strncmp(text, "E: ", 3) == 0 ? text - 1 : strstr(text, "\nE: ");
    if (at)
        return error_set(err, ERROR_INPUT, "mmdebstrap: %.*s", (int)strcspn(at + 4, "\n"), at + 4);
    return false;
}

static bool bootstrap(const struct image_request *r, const char *archive, struct error *err)
{
    AUTO_FREE char *include = xasprintf("--include=%s%s%s", always, r->packages ? "," : "",
                                        r->packages ? r->packages : "");
    AUTO_FREE char *epoch = xasprintf("SOURCE_DATE_EPOCH=%llu", (unsigned long long)r->epoch);
    const char *const environment[] = {epoch, NULL};
    const char *argv[] = {"mmdebstrap",
                          "--variant=essential",
                          "--format=tar",
                          "--architectures=amd64",
                          "--dpkgopt=force-unsafe-io",
                          "--dpkgopt=path-exclude=/usr/share/man/*",
                          "--dpkgopt=path-exclude=/usr/share/locale/*",
                          "--dpkgopt=path-exclude=/usr/share/doc/*",
                          "--dpkgopt=path-include=/usr/share/doc/*/copyright",
                          "--aptopt=Acquire::Languages \"none\"",
                          "--aptopt=Acquire::Retries \"2\"",
                          include,
                          r->suite,
                          archive,
                          r->mirror,
                          NULL};
    AUTO(strbuf) struct strbuf said = {0};
    struct program program = {
        .argv = argv, .environ = environment, .package = "mmdebstrap", .complaints = &said};

    if (program_run(&program, err))
        return true;
    explain(r, &said, err);
    return false;
}

// ---- what is left out ----

static bool starts(const char *path, const char *with)
{
    return strncmp(path, with, strlen(with)) == 0;
}

// Logs, caches, and what mmdebstrap took over from this host.
static bool is_left_out(const struct tree_entry *entry)
{
    static const char *const files[] = {
        "etc/machine-id",          "etc/hostname",
        "etc/resolv.conf",         "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
        "etc/.pwd.lock",           "etc/apt/apt.conf.d/99mmdebstrap",
        "var/lib/dbus/machine-id", "var/lib/systemd/random-seed",
    };

    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        if (strcmp(entry->path, files[i]) == 0)
            return true;
    }
    // Without its folder, the journal stays in memory: no log in the file system, and less to do.
    if (strcmp(entry->path, "var/log/journal") == 0)
        return true;
    if (S_ISDIR(entry->mode))
        return starts(entry->path, "tmp/") || starts(entry->path, "run/");
    return starts(entry->path, "var/log/") || starts(entry->path, "var/cache/") ||
           starts(entry->path, "var/lib/apt/lists/") || starts(entry->path, "tmp/") ||
           starts(entry->path, "run/") || starts(entry->path, "var/tmp/");
}

// ---- what is added ----

static void add_system(struct tree *t, const struct image_request *r)
{
    AUTO_FREE char *hostname = xasprintf("%s\n", r->hostname);
    AUTO_FREE char *hosts = xasprintf("127.0.0.1 localhost %s\n::1 localhost\n", r->hostname);
    AUTO_FREE char *fstab = xasprintf(root_fstab, LABEL);

    tree_add_text(t, "etc/hostname", 0644, hostname);
    tree_add_text(t, "etc/hosts", 0644, hosts);
    tree_add_text(t, "etc/fstab", 0644, fstab);
    // Empty: systemd makes one up at each boot, from the guest's random numbers.
    tree_add_text(t, "etc/machine-id", 0444, "");
    tree_add_text(t, "etc/systemd/system/serial-getty@.service.d/autologin.conf", 0644,
                  root_autologin);
    tree_add_symlink(t, "etc/systemd/system/default.target",
                     "/lib/systemd/system/multi-user.target");
    if (!r->init && !r->run)
        return;
    tree_add_text(t, "etc/systemd/system/facet-run.service", 0644, root_run_unit);
    tree_add_symlink(t, "etc/systemd/system/multi-user.target.wants/facet-run.service",
                     "/etc/systemd/system/facet-run.service");
    tree_add_symlink(t, "etc/systemd/system/serial-getty@.service", "/dev/null");
    tree_add_text(t, "usr/lib/facet/run-and-poweroff", 0755, root_run_script);
    tree_add_text(t, "usr/lib/systemd/system-shutdown/facet", 0755, root_shutdown_script);
}

// depmod writes beside the modules: so it gets a folder with links to them. Afterwards only what it
// wrote is in there.
static bool make_indexes(const char *modules, const char *folder, const char *base,
                         const char *release, struct error *err)
{
    const char *argv[] = {"depmod", "-b", base, release, NULL};
    struct program program = {.argv = argv, .package = "kmod"};
    DIR *directory = opendir(modules);
    VEC(char *) links = {0};
    struct dirent *found;
    bool good = true;

    if (!directory)
        return error_set_errno(err, "cannot read the folder '%s'", modules);
    while (good && (found = readdir(directory))) {
        AUTO_FREE char *target = xasprintf("%s/%s", modules, found->d_name);
        char *link;

        if (found->d_name[0] == '.' || strcmp(found->d_name, "build") == 0 ||
            strcmp(found->d_name, "source") == 0)
            continue;
        link = xasprintf("%s/%s", folder, found->d_name);
        VEC_PUSH(&links, link);
        if (symlink(target, link) < 0)
            good = error_set_errno(err, "cannot make the link '%s'", link);
    }
    closedir(directory);
    good = good && program_run(&program, err);
    for (size_t i = 0; i < links.count; i++) {
        struct stat st;

        if (lstat(links.items[i], &st) == 0 && S_ISLNK(st.st_mode))
            unlink(links.items[i]);
        free(links.items[i]);
    }
    VEC_RELEASE(&links);
    return good;
}

// All modules, and the indexes by which modprobe finds them.
static bool add_modules(struct tree *t, const struct image_request *r, const char *scratch,
                        struct error *err)
{
    AUTO_FREE char *base = NULL;
    AUTO_FREE char *release = NULL;
    AUTO_FREE char *staging = xasprintf("%s/depmod", scratch);
    AUTO_FREE char *from = NULL;
    AUTO_FREE char *folder = NULL;
    AUTO_FREE char *modules = NULL;
    AUTO_FREE char *indexes = NULL;

    if (!kernel_modules_locate(r->modules_folder, &base, &release, err))
        return false;
    from = xasprintf("%s/lib/modules/%s", base, release);
    folder = xasprintf("%s/lib/modules/%s", staging, release);
    modules = xasprintf("%s:/lib/modules/%s", from, release);
    indexes = xasprintf("%s:/lib/modules/%s", folder, release);
    return file_make_directories(folder, err) &&
           make_indexes(from, folder, staging, release, err) && tree_add_host(t, modules, err) &&
           tree_add_host(t, indexes, err);
}

static bool collect(struct tree *t, const struct image_request *r, const char *scratch,
                    struct error *err)
{
    AUTO_FREE char *archive = xasprintf("%s/root.tar", scratch);
    AUTO(tree) struct tree all = {.mtime = t->mtime};

    if (!bootstrap(r, archive, err) || !tar_read(archive, &all, err))
        return false;
    for (size_t i = 0; i < all.count; i++) {
        if (is_left_out(&all.items[i]))
            continue;
        tree_add(t, &all.items[i]);
        all.items[i] = (struct tree_entry){0}; // moved
    }
    if (!tree_settle(t, err))
        return false;
    add_system(t, r);
    if (r->modules_folder && !add_modules(t, r, scratch, err))
        return false;
    return tree_settle(t, err) && image_add_common(t, r, err) && tree_settle(t, err);
}

// ---- the whole ----

// Before minutes go into the packages.
static bool check(const struct image_request *r, u64 *ret_size, struct error *err)
{
    AUTO(tree) struct tree files = {0};

    if (!check_words(r->suite, "Debian release", err) ||
        (r->packages && !check_words(r->packages, "Debian package", err)))
        return false;
    if (r->mirror && r->mirror[0] == '-')
        return error_set(err, ERROR_USAGE, "'%s' is no Debian server", r->mirror);
    if (r->size && (!unit_parse(r->size, UNIT_BYTES, ret_size, err)))
        return error_wrap(err, "the size of the image");
    if (r->size && *ret_size == 0)
        return error_set(err, ERROR_USAGE, "the size of the image is 0");
    return program_check("mmdebstrap", "mmdebstrap", err) &&
           program_check("mke2fs", "e2fsprogs", err) &&
           program_check("debugfs", "e2fsprogs", err) &&
           (!r->modules_folder || program_check("depmod", "kmod", err)) &&
           image_add_common(&files, r, err);
}

static bool build(const struct image_request *r, const char *scratch, const char *file, u64 size,
                  struct error *err)
{
    AUTO(tree) struct tree tree = {.mtime = (i64)r->epoch};
    AUTO_FREE char *absolute = realpath(scratch, NULL);
    AUTO_FREE char *image = realpath(file, NULL);
    const struct ext4 ext4 = {.label = LABEL, .size = size, .epoch = r->epoch, .scratch = absolute};

    if (!absolute || !image)
        return error_set_errno(err, "cannot use '%s'", scratch);
    return collect(&tree, r, absolute, err) && ext4_write(&ext4, &tree, image, err);
}

bool image_build_root(const struct image_request *r, struct error *err)
{
    AUTO_FREE char *scratch = NULL;
    AUTO_FREE char *file = NULL;
    AUTO_CLOSE int fd = -1;
    struct error ignored;
    u64 size = 0;
    bool good, clean;

    if (!check(r, &size, err))
        return false;
    fd = file_make_unique(r->output, &file, err);
    if (fd < 0)
        return false;
    good = file_make_unique_directory(r->output, &scratch, err) &&
           build(r, scratch, file, size, err) && file_sync(fd, file, err);
    clean = !scratch || file_remove_tree(scratch, good ? err : &ignored);
    good = good && clean;
    if (good && rename(file, r->output) < 0)
        good = error_set_errno(err, "cannot rename to '%s'", r->output);
    if (!good)
        unlink(file);
    return good && file_sync_parent(r->output, err);
}
