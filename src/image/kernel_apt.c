// SPDX-License-Identifier: BSD-3-Clause
// apt(8), with the host's sources and keys, but lists and downloads in a folder of ours. apt checks
// the signatures of the lists; the hash in them is checked here once more.
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "image/kernel_priv.h"
#include "image/program.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

void apt_release(struct apt *apt)
{
    free(apt->folder);
    free(apt->state);
    free(apt->cache);
    free(apt->status);
}

enum { APT_WORDS_MAX = 8 };

// Runs `tool` (apt-get, apt-cache) with our options and `words`.
static bool run_apt(struct apt *apt, const char *tool, const char *const *words,
                    struct strbuf *output, struct strbuf *complaints, bool quiet_failure,
                    struct error *err)
{
    // Root's downloads would go through user _apt, who may not enter our folder.
    const char *argv[32] = {tool, "-q",
                            "-o", apt->state,
                            "-o", apt->cache,
                            "-o", apt->status,
                            "-o", "APT::Sandbox::User=root",
                            "-o", "APT::Architecture=amd64",
                            "-o", "Acquire::Languages=none",
                            "-o", "Acquire::Retries=2"};
    struct program program = {.argv = argv,
                              .folder = apt->folder,
                              .package = "apt",
                              .output = output,
                              .complaints = complaints,
                              .quiet_failure = quiet_failure};
    size_t count = 0;

    while (argv[count])
        count++;
    for (size_t i = 0; i < APT_WORDS_MAX && words[i]; i++)
        argv[count++] = words[i];
    return program_run(&program, err);
}

static bool make_folder(const char *folder, const char *name, struct error *err)
{
    AUTO_FREE char *path = xasprintf("%s/%s", folder, name);

    return file_make_directories(path, err);
}

bool apt_open(struct apt *apt, const char *folder, struct error *err)
{
    AUTO_FREE char *status = xasprintf("%s/status", folder);
    const char *const update[] = {"update", NULL};

    *apt = (struct apt){
        .folder = xstrdup(folder),
        .state = xasprintf("Dir::State=%s/state", folder),
        .cache = xasprintf("Dir::Cache=%s/cache", folder),
        .status = xasprintf("Dir::State::status=%s", status),
    };
    // Nothing counts as installed.
    return make_folder(folder, "state/lists/partial", err) &&
           make_folder(folder, "cache/archives/partial", err) && file_write(status, "", 0, err) &&
           run_apt(apt, "apt-get", update, NULL, NULL, false, err);
}

// ---- the index ----

// The value of a field of the first paragraph, up to the line's end; empty when there is none.
static void field(const char *text, const char *name, char *value, size_t size)
{
    size_t length = strlen(name);

    value[0] = '\0';
    while (*text && *text != '\n') {
        size_t line = strcspn(text, "\n");

        if (strncmp(text, name, length) == 0 && text[length] == ':') {
            const char *start = text + length + 1;

            start += strspn(start, " ");
            snprintf(value, size, "%.*s", (int)strcspn(start, "\n"), start);
            return;
        }
        text += line + (text[line] == '\n');
    }
}

// What apt's index says of a package ("NAME" or "NAME=VERSION"); empty when it has none.
static bool show(struct apt *apt, const char *package, struct strbuf *text, struct error *err)
{
    const char *const words[] = {"show", "--no-all-versions", package, NULL};

    return run_apt(apt, "apt-cache", words, text, NULL, true, err);
}

// "linux-image-6.1.0-50-cloud-amd64 (= 6.1.192-2)"
static bool parse_dependency(const char *text, struct kernel_pin *pin)
{
    static const char prefix[] = "linux-image-";
    size_t name = strcspn(text, " ,|"), version;
    const char *start = strstr(text, "(= ");

    if (strncmp(text, prefix, sizeof(prefix) - 1) != 0 || !start || start != text + name + 1)
        return false;
    version = strcspn(start + 3, ")");
    if (name >= sizeof(pin->package) || version >= sizeof(pin->version))
        return false;
    snprintf(pin->package, sizeof(pin->package), "%.*s", (int)name, text);
    snprintf(pin->version, sizeof(pin->version), "%.*s", (int)version, start + 3);
    return true;
}

static bool find_newest(struct apt *apt, const char *flavour, struct kernel_pin *pin,
                        struct error *err)
{
    AUTO_FREE char *meta = xasprintf("linux-image-%s", flavour);
    AUTO(strbuf) struct strbuf text = {0};
    char depends[512];

    if (!show(apt, meta, &text, err))
        return false;
    if (text.length == 0)
        return error_set(err, ERROR_INPUT,
                         "apt finds no package %s: either its servers cannot be reached or its "
                         "sources lack Debian's; 'apt-get update' tells more",
                         meta);
    field(text.text, "Depends", depends, sizeof(depends));
    if (!parse_dependency(depends, pin))
        return error_set(err, ERROR_INPUT, "package %s does not name a kernel, but needs '%s'",
                         meta, depends);
    return true;
}

bool apt_find_kernel(struct apt *apt, const char *flavour, const struct kernel_pin *pinned,
                     struct kernel_pin *ret_pin, struct error *err)
{
    struct kernel_pin pin = {0};
    AUTO(strbuf) struct strbuf text = {0};
    AUTO_FREE char *exact = NULL;

    if (pinned)
        pin = *pinned;
    else if (!find_newest(apt, flavour, &pin, err))
        return false;
    exact = xasprintf("%s=%s", pin.package, pin.version);
    if (!show(apt, exact, &text, err))
        return false;
    if (text.length == 0)
        return error_set(err, ERROR_INPUT, "apt has no package %s of version %s%s", pin.package,
                         pin.version, pinned ? " any more, which the pin wants" : "");
    field(text.text, "SHA256", pin.deb_sha256, sizeof(pin.deb_sha256));
    if (strlen(pin.deb_sha256) != 64)
        return error_set(err, ERROR_INPUT, "apt's index has no SHA-256 of package %s", exact);
    snprintf(pin.flavour, sizeof(pin.flavour), "%s", flavour);
    *ret_pin = pin;
    return true;
}

// ---- the package ----

// The one file in `folder` whose name ends so. To be freed.
static char *find_file(const char *folder, const char *prefix, const char *suffix)
{
    DIR *directory = opendir(folder);
    struct dirent *entry;
    char *found = NULL;

    while (directory && !found && (entry = readdir(directory))) {
        size_t length = strlen(entry->d_name), end = strlen(suffix);

        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && length >= end &&
            strcmp(entry->d_name + length - end, suffix) == 0)
            found = xasprintf("%s/%s", folder, entry->d_name);
    }
    if (directory)
        closedir(directory);
    return found;
}

static bool download(struct apt *apt, const struct kernel_pin *pin, char **ret_deb,
                     struct error *err)
{
    AUTO_FREE char *exact = xasprintf("%s=%s", pin->package, pin->version);
    const char *const words[] = {"download", exact, NULL};
    struct sha256_digest digest;
    char hex[65];

    if (!run_apt(apt, "apt-get", words, NULL, NULL, false, err))
        return false;
    *ret_deb = find_file(apt->folder, pin->package, ".deb");
    if (!*ret_deb)
        return error_set(err, ERROR_INPUT, "apt-get downloaded no package %s", exact);
    if (!sha256_file(*ret_deb, &digest, err))
        return false;
    sha256_hex(&digest, hex);
    if (strcmp(hex, pin->deb_sha256) != 0)
        return error_set(err, ERROR_INPUT,
                         "the package %s that was downloaded has SHA-256 %s, not %s as apt's index "
                         "says",
                         exact, hex, pin->deb_sha256);
    return true;
}

// Moves FROM/boot/NAME-RELEASE to TO/NAME.
static bool move_boot_file(const char *from, const char *to, const char *name, const char *release,
                           struct error *err)
{
    AUTO_FREE char *old = xasprintf("%s/boot/%s-%s", from, name, release);
    AUTO_FREE char *new = xasprintf("%s/%s", to, name);

    return rename(old, new) == 0 || error_set_errno(err, "cannot take '%s' from the package", old);
}

static bool unpack(struct apt *apt, const char *deb, struct kernel_pin *pin, const char *folder,
                   struct error *err)
{
    AUTO_FREE char *from = xasprintf("%s/unpacked", apt->folder);
    AUTO_FREE char *boot = xasprintf("%s/boot", from);
    AUTO_FREE char *modules = xasprintf("%s/lib", from);
    AUTO_FREE char *to_modules = xasprintf("%s/lib", folder);
    AUTO_FREE char *vmlinuz = xasprintf("%s/vmlinuz", folder);
    AUTO_FREE char *kernel = NULL;
    const char *argv[] = {"dpkg-deb", "-x", deb, from, NULL};
    struct program program = {.argv = argv, .package = "dpkg"};
    struct sha256_digest digest;

    if (!program_run(&program, err))
        return false;
    kernel = find_file(boot, "vmlinuz-", "");
    if (!kernel)
        return error_set(err, ERROR_INPUT, "package %s has no /boot/vmlinuz", pin->package);
    snprintf(pin->release, sizeof(pin->release), "%s", strstr(kernel, "/vmlinuz-") + 9);
    if (!move_boot_file(from, folder, "vmlinuz", pin->release, err) ||
        !move_boot_file(from, folder, "config", pin->release, err) ||
        !move_boot_file(from, folder, "System.map", pin->release, err))
        return false;
    if (rename(modules, to_modules) < 0)
        return error_set_errno(err, "cannot take the modules from the package");
    if (!sha256_file(vmlinuz, &digest, err))
        return false;
    sha256_hex(&digest, pin->vmlinuz_sha256);
    return true;
}

bool apt_fetch_kernel(struct apt *apt, struct kernel_pin *pin, const char *folder,
                      struct error *err)
{
    AUTO_FREE char *deb = NULL;

    return download(apt, pin, &deb, err) && unpack(apt, deb, pin, folder, err);
}
