// SPDX-License-Identifier: BSD-3-Clause
// facet get: fetches what guests are made of.
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/fetch.h"
#include "cli/machine_options.h"

char *cli_cache_folder(const struct cli_args *args, struct facet_error *err)
{
    const char *given = cli_value(args, "cache"), *caches = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");

    if (given)
        return xstrdup(given);
    if (caches && caches[0] == '/') // others are to be ignored, says the XDG specification
        return xasprintf("%s/facet", caches);
    if (home && home[0] == '/')
        return xasprintf("%s/.cache/facet", home);
    cli_usage(err, "neither XDG_CACHE_HOME nor HOME is set: give '%s'", "--cache");
    return NULL;
}

static void print_text(const struct facet_kernel *kernel)
{
    printf("package   %s %s\n", kernel->package, kernel->version);
    printf("kernel    %s/vmlinuz\n", kernel->folder);
    printf("modules   %s/lib/modules/%s\n", kernel->folder, kernel->release);
    printf("pin       %s/kernel.json\n", kernel->folder);
    printf("sha256    %s\n", kernel->vmlinuz_sha256);
}

static void put_path(struct json_out *j, const char *key, const struct facet_kernel *kernel,
                     const char *name)
{
    AUTO_FREE char *path = xasprintf("%s/%s", kernel->folder, name);

    json_put_key_string(j, key, path);
}

static void print_json(const struct facet_kernel *kernel)
{
    AUTO(strbuf) struct strbuf text = {0};
    AUTO_FREE char *modules = xasprintf("lib/modules/%s", kernel->release);
    struct json_out j = json_out_to(&text);

    json_put_object(&j);
    json_put_key_u64(&j, "schema_version", 1);
    json_put_key_string(&j, "package", kernel->package);
    json_put_key_string(&j, "version", kernel->version);
    json_put_key_string(&j, "release", kernel->release);
    json_put_key_string(&j, "deb_sha256", kernel->deb_sha256);
    json_put_key_string(&j, "vmlinuz_sha256", kernel->vmlinuz_sha256);
    put_path(&j, "kernel", kernel, "vmlinuz");
    put_path(&j, "modules", kernel, modules);
    put_path(&j, "pin", kernel, "kernel.json");
    json_put_end(&j);
    puts(strbuf_text(&text));
}

static int get_run(const struct cli_args *args)
{
    struct facet_error err;
    AUTO_FREE char *cache = cli_cache_folder(args, &err);
    AUTO_FREE struct facet_kernel *kernel = xcalloc(1, sizeof(*kernel));
    const struct facet_kernel_request request = {
        .flavour = cli_value(args, "flavour"),
        .cache = cache,
        .output = cli_value(args, "output"),
        .pin = cli_value(args, "pin"),
        .update = cli_flag(args, "update"),
    };

    if (!cache || !facet_kernel_get(&request, kernel, &err))
        return cli_fail(&err);
    if (cli_flag(args, "json"))
        print_json(kernel);
    else
        print_text(kernel);
    return cli_finish_output();
}

const struct cli_command get_command = {
    .name = "get",
    .summary = "fetch Debian's kernel",
    .verbs = "debian-kernel",
    .operands = "",
    .about =
        "Fetches the newest kernel of a flavour that apt's sources on this host have, checks "
        "its hash, unpacks it and says where it is: the kernel as the package has it, its "
        "configuration, its symbols and its modules. Needs no rights; nothing is installed."
        "\n\nWhat was fetched stays in the cache and is used from there, without a look at the "
        "network, until --update is given. The file kernel.json pins it: package, version and "
        "hashes.",
    .examples = "facet get debian-kernel\n"
                "facet get debian-kernel --flavour amd64 --output kernel\n"
                "facet get debian-kernel --pin kernel.json --output kernel",
    .usage_code = CLI_USAGE,
    .run = get_run,
};
