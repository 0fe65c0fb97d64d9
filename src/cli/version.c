// SPDX-License-Identifier: BSD-3-Clause
#include "base/alloc.h"
#include "base/json.h"
#include "cli/commands.h"

static void print_json(const struct facet_version *v)
{
    AUTO(strbuf) struct strbuf text = {0};
    struct json_out j = json_out_to(&text);

    json_put_object(&j);
    json_put_key_u64(&j, "schema_version", 1);
    json_put_key_string(&j, "version", v->version);
    json_put_key_string(&j, "compiler", v->compiler);
    json_put_key_string(&j, "decoder", v->decoder);
    json_put_end(&j);
    puts(strbuf_text(&text));
}

static int version_run(const struct cli_args *args)
{
    struct facet_version v = facet_version();

    if (cli_flag(args, "json"))
        print_json(&v);
    else
        printf("facet %s (%s, decoder %s)\n", v.version, v.compiler, v.decoder);
    return cli_finish_output();
}

const struct cli_command version_command = {
    .name = "version",
    .summary = "say which facet this is",
    .operands = "",
    .about = "Prints the version of facet, the compiler that built it and the version of its "
             "instruction decoder.",
    .examples = "facet version --json",
    .usage_code = CLI_USAGE,
    .run = version_run,
};
