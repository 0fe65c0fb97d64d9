// SPDX-License-Identifier: BSD-3-Clause
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/names.h"
#include "cli/commands.h"

// ---- ls, show ----

// Simulated time in seconds.
static char *time_text(uint64_t ticks)
{
    return xasprintf("%" PRIu64 ".%06" PRIu64 " s", (uint64_t)(ticks / TICKS_PER_SECOND),
                     (uint64_t)(ticks % TICKS_PER_SECOND / 1000000));
}

static double mb(uint64_t bytes)
{
    return (double)bytes / 1e6;
}

static void print_list(const struct facet_checkpoints *list)
{
    printf("%16s %12s %12s  %s\n", "TIME", "FILES (MB)", "MEMORY (MB)", "NAME");
    for (size_t i = 0; i < facet_checkpoints_count(list); i++) {
        struct facet_checkpoint c = facet_checkpoints_at(list, i);
        AUTO_FREE char *time = time_text(c.ticks);

        if (c.problem)
            printf("%42s  %s\n", "unusable:", c.problem);
        else
            printf("%16s %12.1f %12.1f  %s%s%s%s\n", time, mb(c.file_bytes), mb(c.memory_bytes),
                   c.path, c.parent ? " (parent " : "", c.parent ? c.parent : "",
                   c.parent ? ")" : "");
    }
}

static void print_one(const struct facet_checkpoints *list)
{
    struct facet_checkpoint c = facet_checkpoints_at(list, 0);
    AUTO_FREE char *time = time_text(c.ticks);

    printf("%s\n  digest       %s\n", c.path, c.digest);
    if (c.parent)
        printf("  parent       %s\n  its digest   %s\n", c.parent, c.parent_digest);
    printf("  description  %s\n", c.config_digest[0] ? c.config_digest : "unknown");
    printf("  time         %s\n  events       %" PRIu64 "\n", time, c.events);
    printf("  files        %.1f MB\n\nmemories\n", mb(c.file_bytes));
    for (size_t i = 0; i < c.memories; i++) {
        struct facet_checkpoint_memory m = facet_checkpoints_memory(list, 0, i);

        printf("  %-24s %10.1f MB, %.1f MB stored here, %.1f MB in ancestors%s\n", m.name,
               mb(m.bytes), mb(m.stored), mb(m.inherited), m.optional ? ", optional" : "");
    }
    printf("\ncomponents\n");
    for (size_t i = 0; i < c.components; i++) {
        struct facet_checkpoint_component x = facet_checkpoints_component(list, 0, i);

        printf("  %-32s %s\n", x.path, x.type);
    }
}

static void put_optional(struct json_out *j, const char *key, const char *text)
{
    json_put_key(j, key);
    if (text)
        json_put_string(j, text);
    else
        json_put_null(j);
}

static void put_parts(struct json_out *j, const struct facet_checkpoints *list, size_t index)
{
    struct facet_checkpoint c = facet_checkpoints_at(list, index);

    json_put_key(j, "memories");
    json_put_array(j);
    for (size_t i = 0; i < c.memories; i++) {
        struct facet_checkpoint_memory m = facet_checkpoints_memory(list, index, i);

        json_put_object(j);
        json_put_key_string(j, "name", m.name);
        json_put_key_u64(j, "bytes", m.bytes);
        json_put_key_u64(j, "stored_bytes", m.stored);
        json_put_key_u64(j, "inherited_bytes", m.inherited);
        json_put_key(j, "optional");
        json_put_bool(j, m.optional);
        json_put_end(j);
    }
    json_put_end(j);
    json_put_key(j, "components");
    json_put_array(j);
    for (size_t i = 0; i < c.components; i++) {
        struct facet_checkpoint_component x = facet_checkpoints_component(list, index, i);

        json_put_object(j);
        json_put_key_string(j, "path", x.path);
        json_put_key_string(j, "type", x.type);
        json_put_key_hex(j, "schema", x.schema);
        json_put_end(j);
    }
    json_put_end(j);
}

static void print_json(const struct facet_checkpoints *list)
{
    AUTO(strbuf) struct strbuf text = {0};
    struct json_out j = json_out_to(&text);

    json_put_object(&j);
    json_put_key_u64(&j, "schema_version", 1);
    json_put_key(&j, "checkpoints");
    json_put_array(&j);
    for (size_t i = 0; i < facet_checkpoints_count(list); i++) {
        struct facet_checkpoint c = facet_checkpoints_at(list, i);

        json_put_object(&j);
        json_put_key_string(&j, "path", c.path);
        put_optional(&j, "problem", c.problem);
        if (!c.problem) {
            json_put_key_string(&j, "digest", c.digest);
            put_optional(&j, "parent", c.parent);
            put_optional(&j, "parent_digest", c.parent_digest);
            json_put_key_string(&j, "config_digest", c.config_digest);
            json_put_key_hex(&j, "ticks", c.ticks);
            json_put_key_u64(&j, "events", c.events);
            json_put_key_u64(&j, "file_bytes", c.file_bytes);
            json_put_key_u64(&j, "memory_bytes", c.memory_bytes);
            put_parts(&j, list, i);
        }
        json_put_end(&j);
    }
    json_put_end(&j);
    json_put_end(&j);
    puts(strbuf_text(&text));
}

static int run_list(char *const *operands, bool json)
{
    struct facet_error err;
    struct facet_checkpoints *list = facet_checkpoints_in(operands[0] ? operands[0] : ".", &err);

    if (!list)
        return cli_fail(&err);
    if (json)
        print_json(list);
    else
        print_list(list);
    facet_checkpoints_free(list);
    return CLI_OK;
}

static int run_show(char *const *operands, bool json)
{
    struct facet_error err;
    struct facet_checkpoints *list = facet_checkpoints_open(operands[0], &err);

    if (!list)
        return cli_fail(&err);
    if (json)
        print_json(list);
    else
        print_one(list);
    facet_checkpoints_free(list);
    return CLI_OK;
}

// ---- verify ----

static int run_verify(char *const *operands, bool json)
{
    AUTO(strbuf) struct strbuf text = {0};
    struct json_out j = json_out_to(&text);
    struct facet_error err;
    int code = CLI_OK;

    json_put_object(&j);
    json_put_key_u64(&j, "schema_version", 1);
    json_put_key(&j, "checkpoints");
    json_put_array(&j);
    for (; *operands; operands++) {
        bool ok = facet_checkpoint_verify(*operands, &err);

        json_put_object(&j);
        json_put_key_string(&j, "path", *operands);
        put_optional(&j, "problem", ok ? NULL : err.message);
        json_put_end(&j);
        if (!ok)
            code = json ? cli_code_of(err.code) : cli_fail(&err);
        else if (!json)
            printf("%s: whole\n", *operands);
    }
    json_put_end(&j);
    json_put_end(&j);
    if (json)
        puts(strbuf_text(&text));
    return code;
}

// ---- diff ----

static void print_difference(const struct facet_difference *d)
{
    if (!d->row) {
        printf("memory %s: 0x%" PRIx64 "-0x%" PRIx64 "\n", d->name, d->at, d->at + d->bytes - 1);
        return;
    }
    printf("%s%s%s %s: %s -> %s", d->kind, d->name ? " " : "", d->name ? d->name : "", d->row,
           d->a ? d->a : "none", d->b ? d->b : "none");
    if (d->elements > 1)
        printf(" (and %" PRIu64 " more elements)", d->elements - 1);
    putchar('\n');
}

static void put_difference(struct json_out *j, const struct facet_difference *d)
{
    json_put_object(j);
    json_put_key_string(j, "kind", d->kind);
    put_optional(j, "name", d->name);
    put_optional(j, "row", d->row);
    put_optional(j, "a", d->a);
    put_optional(j, "b", d->b);
    json_put_key_u64(j, "elements", d->elements);
    json_put_key_hex(j, "at", d->at);
    json_put_key_u64(j, "bytes", d->bytes);
    json_put_end(j);
}

static int run_diff(char *const *operands, bool json)
{
    AUTO(strbuf) struct strbuf text = {0};
    struct json_out j = json_out_to(&text);
    struct facet_error err;
    struct facet_checkpoint_diff *diff = facet_checkpoint_diff(operands[0], operands[1], &err);
    size_t count;

    if (!diff)
        return cli_fail(&err);
    count = facet_checkpoint_diff_count(diff);
    json_put_object(&j);
    json_put_key_u64(&j, "schema_version", 1);
    json_put_key_u64(&j, "pages", facet_checkpoint_diff_pages(diff));
    json_put_key(&j, "differences");
    json_put_array(&j);
    for (size_t i = 0; i < count; i++) {
        struct facet_difference d = facet_checkpoint_diff_at(diff, i);

        put_difference(&j, &d);
        if (!json)
            print_difference(&d);
    }
    json_put_end(&j);
    json_put_end(&j);
    if (json)
        puts(strbuf_text(&text));
    else if (count)
        printf("%" PRIu64 " pages of memory differ\n", facet_checkpoint_diff_pages(diff));
    facet_checkpoint_diff_free(diff);
    return count ? CLI_DIFFERENT : CLI_OK;
}

// ---- the command ----

static const struct verb {
    const char *name, *operands;
    size_t least, most; // operands
    int (*run)(char *const *operands, bool json);
} verbs[] = {
    {"ls", "[DIRECTORY]", 0, 1, run_list},
    {"show", "CHECKPOINT", 1, 1, run_show},
    {"verify", "CHECKPOINT...", 1, SIZE_MAX, run_verify},
    {"diff", "CHECKPOINT CHECKPOINT", 2, 2, run_diff},
};

static int checkpoint_run(const struct cli_args *args)
{
    char *const *words = cli_operands(args);
    size_t count = cli_operand_count(args);
    struct names_nearest near = {.word = count ? words[0] : ""};
    int code;

    for (size_t i = 0; count && i < ARRAY_SIZE(verbs); i++) {
        const struct verb *v = &verbs[i];

        names_offer(&near, v->name);
        if (strcmp(v->name, words[0]) != 0)
            continue;
        if (count - 1 < v->least || count - 1 > v->most) {
            cli_complain("checkpoint: use it as 'facet checkpoint %s %s'", v->name, v->operands);
            return CLI_USAGE;
        }
        code = v->run(words + 1, cli_flag(args, "json"));
        return cli_finish_output() == CLI_OK ? code : CLI_FAILED;
    }
    if (!count)
        cli_complain("checkpoint: what? There are ls, show, verify and diff");
    else
        cli_complain("checkpoint: there is no '%s'; %s%s%s", words[0],
                     near.best ? "did you mean '" : "there are ls, show, verify and diff",
                     near.best ? near.best : "", near.best ? "'?" : "");
    return CLI_USAGE;
}

const struct cli_command checkpoint_command = {
    .name = "checkpoint",
    .summary = "list, show, verify and compare checkpoints",
    .operands = "ls|show|verify|diff [OPERAND...]",
    .about =
        "ls [DIRECTORY] lists the checkpoints that lie in a directory, with their simulated time, "
        "the size of their files and of the machine's memory.\n\nshow CHECKPOINT says what is in "
        "one: its parent, the machine's components, the memories.\n\nverify CHECKPOINT... reads "
        "all of it and of its ancestors, and names the file that is damaged, missing or not the "
        "one that was there.\n\ndiff CHECKPOINT CHECKPOINT names the components, the rows of their "
        "states, the counters and the pages of memory that differ. Exit code 4 if there are any.",
    .examples = "facet checkpoint ls runs/boot\nfacet checkpoint verify runs/boot/shell\n"
                "facet checkpoint --json diff a b",
    .max_operands = -1,
    .usage_code = CLI_USAGE,
    .run = checkpoint_run,
};
