// SPDX-License-Identifier: BSD-3-Clause
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "image/kernel_priv.h"
#include "image/program.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char *folder_of(const char *base, const struct kernel_pin *pin)
{
    return xasprintf("%s/%s_%s", base, pin->package, pin->version);
}

// ---- what is there already ----

// Whether `folder` has a whole kernel; *ret_pin says which.
static bool is_whole(const char *folder, struct kernel_pin *ret_pin)
{
    AUTO_FREE char *file = xasprintf("%s/" KERNEL_PIN_FILE, folder);
    AUTO_FREE char *vmlinuz = xasprintf("%s/vmlinuz", folder);
    struct kernel_pin pin;
    struct sha256_digest digest;
    struct error ignored;
    char hex[65];

    if (!kernel_pin_read(file, &pin, &ignored) || !sha256_file(vmlinuz, &digest, &ignored))
        return false;
    sha256_hex(&digest, hex);
    if (strcmp(hex, pin.vmlinuz_sha256) != 0)
        return false;
    *ret_pin = pin;
    return true;
}

// The kernel that the pin or, without one, the last request of this flavour left in the cache.
static bool find_in_cache(const struct kernel_request *r, const char *base,
                          const struct kernel_pin *pinned, struct kernel_pin *ret_pin,
                          char **ret_folder)
{
    AUTO_FREE char *last = xasprintf("%s/%s.json", base, r->flavour);
    AUTO_FREE char *folder = NULL;
    struct kernel_pin wanted, found;
    struct error ignored;

    if (pinned)
        wanted = *pinned;
    else if (r->update || !kernel_pin_read(last, &wanted, &ignored))
        return false;
    folder = folder_of(base, &wanted);
    if (!is_whole(folder, &found) || !kernel_pin_same(&wanted, &found))
        return false;
    *ret_pin = found;
    *ret_folder = folder;
    folder = NULL;
    return true;
}

// ---- fetching ----

static bool check_pin(const struct kernel_pin *pinned, const struct kernel_pin *pin,
                      const char *file, bool fetched, struct error *err)
{
    const char *is = fetched ? pin->vmlinuz_sha256 : pin->deb_sha256;
    const char *wanted = fetched ? pinned->vmlinuz_sha256 : pinned->deb_sha256;

    if (strcmp(is, wanted) == 0)
        return true;
    return error_set(err, ERROR_INPUT, "%s of package %s %s has SHA-256 %s, but '%s' pins %s",
                     fetched ? "the kernel" : "the file", pin->package, pin->version, is, file,
                     wanted);
}

// Puts the finished folder in its place; another process may have been faster.
static bool put_in_place(const char *temporary, const char *folder, struct error *err)
{
    struct kernel_pin there;

    if (is_whole(folder, &there))
        return true;
    if (!file_remove_tree(folder, err))
        return false;
    if (rename(temporary, folder) < 0)
        return error_set_errno(err, "cannot rename to '%s'", folder);
    return true;
}

static bool fetch_into(struct apt *apt, const struct kernel_request *r, const char *base,
                       const struct kernel_pin *pinned, struct kernel_pin *pin, char **ret_folder,
                       struct error *err)
{
    AUTO_FREE char *temporary = xasprintf("%s/kernel", apt->folder);
    AUTO_FREE char *file = xasprintf("%s/" KERNEL_PIN_FILE, temporary);
    AUTO_FREE char *last = xasprintf("%s/%s.json", base, r->flavour);
    AUTO_FREE char *folder = NULL;

    if (!apt_find_kernel(apt, r->flavour, pinned, pin, err))
        return false;
    if (pinned && !check_pin(pinned, pin, r->pin, false, err))
        return false;
    folder = folder_of(base, pin);
    if (!is_whole(folder, pin)) {
        if (!file_make_directories(temporary, err) || !apt_fetch_kernel(apt, pin, temporary, err) ||
            !kernel_pin_write(file, pin, err))
            return false;
        if (pinned && !check_pin(pinned, pin, r->pin, true, err))
            return false;
        if (!put_in_place(temporary, folder, err))
            return false;
    }
    if (!pinned && !kernel_pin_write(last, pin, err))
        return false;
    *ret_folder = folder;
    folder = NULL;
    return true;
}

static bool fetch(const struct kernel_request *r, const char *base, const struct kernel_pin *pinned,
                  struct kernel_pin *ret_pin, char **ret_folder, struct error *err)
{
    AUTO_FREE char *absolute = NULL; // apt runs in another folder
    AUTO_FREE char *name = NULL;
    AUTO_FREE char *folder = NULL;
    AUTO(apt) struct apt apt = {0};
    struct error ignored;
    bool good;

    if (!file_make_directories(base, err))
        return false;
    absolute = realpath(base, NULL);
    if (!absolute)
        return error_set_errno(err, "cannot use the folder '%s'", base);
    name = xasprintf("%s/download", absolute);
    if (!file_make_unique_directory(name, &folder, err))
        return false;
    good =
        apt_open(&apt, folder, err) && fetch_into(&apt, r, base, pinned, ret_pin, ret_folder, err);
    return file_remove_tree(folder, good ? err : &ignored) && good;
}

// ---- the copy that was asked for ----

static bool is_empty_folder(const char *folder)
{
    DIR *directory = opendir(folder);
    struct dirent *entry;
    int count = 0;

    if (!directory)
        return false;
    while ((entry = readdir(directory)))
        count++;
    closedir(directory);
    return count <= 2; // . and ..
}

static bool copy_to(const char *folder, const struct kernel_pin *pin, const char *output,
                    struct error *err)
{
    AUTO_FREE char *theirs = xasprintf("%s/" KERNEL_PIN_FILE, output);
    AUTO_FREE char *from = xasprintf("%s/.", folder);
    AUTO_FREE char *temporary = NULL;
    const char *argv[] = {"cp", "-R", "--reflink=auto", from, NULL, NULL};
    struct program program = {.argv = argv, .package = "coreutils"};
    struct kernel_pin there;
    struct error ignored;
    bool good;

    if (is_whole(output, &there) && kernel_pin_same(&there, pin))
        return true;
    if (file_exists(output) && !file_exists(theirs) && !is_empty_folder(output))
        return error_set(err, ERROR_INPUT,
                         "'%s' exists and was not made by facet get: name another folder", output);
    if (!file_make_unique_directory(output, &temporary, err))
        return false;
    argv[4] = temporary;
    good = program_run(&program, err) && file_remove_tree(output, err);
    if (good && rename(temporary, output) < 0)
        good = error_set_errno(err, "cannot rename to '%s'", output);
    if (!good && !file_remove_tree(temporary, &ignored))
        return error_wrap(err, "'%s' is left behind", temporary);
    return good;
}

bool kernel_get(const struct kernel_request *r, struct kernel_pin *ret_pin, char **ret_folder,
                struct error *err)
{
    AUTO_FREE char *base = xasprintf("%s/debian-kernel", r->cache);
    AUTO_FREE char *folder = NULL;
    struct kernel_pin pinned, pin;

    if (strcmp(r->flavour, "cloud-amd64") != 0 && strcmp(r->flavour, "amd64") != 0)
        return error_set(err, ERROR_USAGE, "'%s' is no flavour of the kernel: cloud-amd64 or amd64",
                         r->flavour);
    if (r->pin && !kernel_pin_read(r->pin, &pinned, err))
        return false;
    if (r->pin && strcmp(pinned.flavour, r->flavour) != 0)
        return error_set(err, ERROR_INPUT, "'%s' pins a kernel of flavour %s, not %s", r->pin,
                         pinned.flavour, r->flavour);
    if (!find_in_cache(r, base, r->pin ? &pinned : NULL, &pin, &folder) &&
        !fetch(r, base, r->pin ? &pinned : NULL, &pin, &folder, err))
        return false;
    if (r->output && !copy_to(folder, &pin, r->output, err))
        return false;
    *ret_pin = pin;
    *ret_folder = r->output ? xstrdup(r->output) : folder;
    if (!r->output)
        folder = NULL;
    return true;
}
