// SPDX-License-Identifier: BSD-3-Clause
// facet image: makes images for guests.
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/fetch.h"
#include "cli/machine_options.h"

// The values of a repeated option, joined by commas.
static const char *joined(const struct cli_args *args, const char *option, struct strbuf *text)
{
    const char *value;

    for (size_t i = 0; (value = cli_value_at(args, option, i)); i++)
        strbuf_printf(text, "%s%s", i ? "," : "", value);
    return text->text;
}

static const char **file_list(const struct cli_args *args)
{
    VEC(const char *) files = {0};
    const char *value;

    for (size_t i = 0; (value = cli_value_at(args, "file", i)); i++)
        VEC_PUSH(&files, value);
    VEC_PUSH(&files, NULL);
    return files.items;
}

// facet-guest beside the program itself, if it is there.
static char *find_guest_tool(void)
{
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *file, *slash;

    if (length <= 0)
        return NULL;
    self[length] = '\0';
    slash = strrchr(self, '/');
    if (!slash)
        return NULL;
    file = xasprintf("%.*s/facet-guest", (int)(slash - self), self);
    if (access(file, R_OK) == 0)
        return file;
    free(file);
    return NULL;
}

// Options that make no sense for the kind of image.
static bool check_kind(const struct cli_args *args, bool initramfs, struct facet_error *err)
{
    static const char *const only_initramfs[] = {"module", "busybox", "compress"};
    static const char *const only_root[] = {"packages", "suite", "mirror", "size"};

    for (size_t i = 0; !initramfs && i < ARRAY_SIZE(only_initramfs); i++) {
        if (cli_value(args, only_initramfs[i]))
            return cli_usage(err, "image: option '--%s' is for --initramfs only",
                             only_initramfs[i]);
    }
    for (size_t i = 0; initramfs && i < ARRAY_SIZE(only_root); i++) {
        if (cli_value(args, only_root[i]))
            return cli_usage(err, "image: option '--%s' is not for --initramfs", only_root[i]);
    }
    return cli_value(args, "output") ||
           cli_usage(err, "image: name the file to make: %s FILE", "--output");
}

// The time of all files: https://reproducible-builds.org/specs/source-date-epoch/
static bool read_epoch(uint64_t *ret_epoch, struct facet_error *err)
{
    const char *text = getenv("SOURCE_DATE_EPOCH");
    struct error ignored;

    if (!text || !text[0])
        return true;
    if (unit_parse(text, UNIT_NONE, ret_epoch, &ignored) && *ret_epoch && *ret_epoch < UINT32_MAX)
        return true;
    return cli_usage(err, "SOURCE_DATE_EPOCH is no time in seconds since 1970: '%s'", text);
}

// The folder of --kernel-modules, fetched if it is the name of a flavour.
static bool find_modules(const struct cli_args *args, char **ret_folder, struct facet_error *err)
{
    static const char prefix[] = "linux-image-";
    const char *where = cli_value(args, "kernel-modules");
    AUTO_FREE struct facet_kernel *kernel = NULL;
    AUTO_FREE char *cache = NULL;
    struct facet_kernel_request request = {0};

    if (!where)
        return true;
    if (strncmp(where, prefix, sizeof(prefix) - 1) == 0)
        where += sizeof(prefix) - 1;
    if (strcmp(where, "cloud-amd64") != 0 && strcmp(where, "amd64") != 0) {
        *ret_folder = xstrdup(where);
        return true;
    }
    cache = cli_cache_folder(args, err);
    kernel = xcalloc(1, sizeof(*kernel));
    request.flavour = where;
    request.cache = cache;
    if (!cache || !facet_kernel_get(&request, kernel, err))
        return false;
    *ret_folder = xasprintf("%s/lib", kernel->folder);
    return true;
}

static bool build(const struct cli_args *args, struct facet_error *err)
{
    bool initramfs = cli_flag(args, "initramfs");
    AUTO(strbuf) struct strbuf modules = {0}, packages = {0};
    AUTO_FREE char *folder = NULL;
    AUTO_FREE char *tool = find_guest_tool();
    AUTO_FREE const char **files = file_list(args);
    struct facet_image image = {
        .kind = initramfs ? FACET_IMAGE_INITRAMFS : FACET_IMAGE_ROOT,
        .output = cli_value(args, "output"),
        .files = files,
        .init = cli_value(args, "init"),
        .run = cli_value(args, "run"),
        .hostname = cli_value(args, "hostname"),
        .guest_tool = tool,
        .modules = joined(args, "module", &modules),
        .busybox = cli_value(args, "busybox"),
        .compression = cli_value(args, "compress"),
        .packages = joined(args, "packages", &packages),
        .suite = cli_value(args, "suite"),
        .mirror = cli_value(args, "mirror"),
        .size = cli_value(args, "size"),
    };

    if (!check_kind(args, initramfs, err) || !read_epoch(&image.epoch, err) ||
        !find_modules(args, &folder, err))
        return false;
    image.modules_from = folder;
    return facet_image_build(&image, err);
}

static int image_run(const struct cli_args *args)
{
    struct facet_error err;

    return build(args, &err) ? CLI_OK : cli_fail(&err);
}

const struct cli_command image_command = {
    .name = "image",
    .summary = "make a root file system or an initial RAM disk",
    .verbs = "build",
    .operands = "",
    .about =
        "Makes what a guest boots from, without root's rights and without a virtual machine. The "
        "same request gives the same bytes, as long as the packages and this host's programs are "
        "the same; all files get the time of SOURCE_DATE_EPOCH, or 2026-01-01.\n\n"
        "An initramfs holds busybox with all its commands and the files that are named. Its /init "
        "loads the modules of --module and runs what --init or --run says, then switches the "
        "machine off. Without these, it goes on to the root file system that `root=` of the "
        "kernel's command line names, or else gives a shell.\n\n"
        "A root file system holds the Debian packages that are named, with systemd, which logs "
        "root in on ttyS0. It is an ext4 file system labelled facet-root, without partitions.\n\n"
        "The guest tool facet-guest is put in as /usr/bin/facet-guest.",
    .examples =
        "facet image build --initramfs --run 'uname -a' --output initrd.gz\n"
        "facet image build --initramfs --kernel-modules cloud-amd64 --module virtio_blk,virtio_pci "
        "--file ./test:/bin/test --output initrd.cpio\n"
        "facet image build --packages python3-minimal --kernel-modules cloud-amd64 --size 2GiB "
        "--output root.img",
    .usage_code = CLI_USAGE,
    .run = image_run,
};
