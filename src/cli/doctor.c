// SPDX-License-Identifier: BSD-3-Clause
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "cli/commands.h"

static const char *const verdicts[] = {
    [FACET_GOOD] = "ok", [FACET_LIMITED] = "limited", [FACET_MISSING] = "missing"};

static bool usable(const struct facet_host *host)
{
    for (size_t i = 0; i < facet_host_finding_count(host); i++) {
        const struct facet_finding *f = facet_host_finding(host, i);

        if (f->needed && f->verdict == FACET_MISSING)
            return false;
    }
    return true;
}

static void print_text(const struct facet_host *host)
{
    const char *area = "";

    for (size_t i = 0; i < facet_host_finding_count(host); i++) {
        const struct facet_finding *f = facet_host_finding(host, i);

        if (i == 0 || strcmp(area, f->area) != 0)
            printf("%s%s\n", i ? "\n" : "", f->area);
        area = f->area;
        printf("  %-8s %-22s %s\n", verdicts[f->verdict], f->name, f->value);
        if (f->advice[0])
            printf("  %-8s %-22s (%s)\n", "", "", f->advice);
    }
    printf("\n%s\n", usable(host) ? "This host can run programs with 'facet exec'."
                                  : "This host lacks what 'facet exec' needs.");
}

static void print_json(const struct facet_host *host)
{
    AUTO(strbuf) struct strbuf text = {0};
    struct json_out j = json_out_to(&text);

    json_put_object(&j);
    json_put_key_u64(&j, "schema_version", 1);
    json_put_key(&j, "usable");
    json_put_bool(&j, usable(host));
    json_put_key(&j, "findings");
    json_put_array(&j);
    for (size_t i = 0; i < facet_host_finding_count(host); i++) {
        const struct facet_finding *f = facet_host_finding(host, i);

        json_put_object(&j);
        json_put_key_string(&j, "area", f->area);
        json_put_key_string(&j, "name", f->name);
        json_put_key_string(&j, "verdict", verdicts[f->verdict]);
        json_put_key(&j, "needed");
        json_put_bool(&j, f->needed);
        json_put_key_string(&j, "value", f->value);
        json_put_key_string(&j, "advice", f->advice);
        json_put_end(&j);
    }
    json_put_end(&j);
    json_put_end(&j);
    puts(strbuf_text(&text));
}

static int doctor_run(const struct cli_args *args)
{
    struct facet_host *host = facet_host_probe();
    int code;

    if (cli_flag(args, "json"))
        print_json(host);
    else
        print_text(host);
    code = usable(host) ? CLI_OK : CLI_UNSUPPORTED;
    facet_host_free(host);
    if (cli_finish_output() != CLI_OK)
        return CLI_FAILED;
    return code;
}

const struct cli_command doctor_command = {
    .name = "doctor",
    .summary = "say what this host offers, by trying it",
    .operands = "",
    .about = "Tries what facet may use on this host and says what it found: the processor's "
             "instruction sets (each is executed), KVM and its quality (a virtual CPU is run), "
             "memory, limits and performance counters.\n\nExit code 5 if programs cannot be run "
             "here at all.",
    .examples = "facet doctor\nfacet doctor --json",
    .usage_code = CLI_USAGE,
    .run = doctor_run,
};
