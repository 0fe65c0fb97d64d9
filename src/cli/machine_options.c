// SPDX-License-Identifier: BSD-3-Clause
#include "cli/machine_options.h"

#include <signal.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bug.h"
#include "base/file.h"
#include "base/json.h"
#include "base/strbuf.h"

// For the signal handler only.
static struct facet_machine *running;

static void stop_running(int signal)
{
    facet_machine_stop(running, signal);
}

bool cli_usage(struct facet_error *err, const char *fmt, const char *value)
{
    err->code = FACET_ERROR_USAGE;
    snprintf(err->message, sizeof(err->message), fmt, value);
    return false;
}

static bool apply_set(struct facet_machine *machine, const char *text, struct facet_error *err)
{
    const char *equals = strchr(text, '=');
    char path[128];

    if (!equals || equals == text || (size_t)(equals - text) >= sizeof(path))
        return cli_usage(err, "option '--set' wants PATH=VALUE, not '%s'", text);
    snprintf(path, sizeof(path), "%.*s", (int)(equals - text), text);
    return facet_machine_set(machine, path, equals + 1, err);
}

static bool apply_trace(struct facet_machine *machine, const char *text, struct facet_error *err)
{
    size_t length = strcspn(text, "=:");
    char what[32];

    snprintf(what, sizeof(what), "%.*s", (int)MIN(length, sizeof(what) - 1), text);
    return facet_machine_trace(machine, what, text[length] ? text + length + 1 : "-", err);
}

// Configuration files first, then the command line in its order: the command line wins.
bool cli_apply_settings(struct facet_machine *machine, const struct cli_args *args,
                        struct facet_error *err)
{
    const struct cli_option *option;
    const char *value;

    for (size_t i = 0; (value = cli_value_at(args, "config", i)); i++) {
        if (!facet_machine_read(machine, value, err))
            return false;
    }
    for (size_t i = 0; (option = cli_given(args, i, &value)); i++) {
        bool good = true;

        if (option->setting)
            good = facet_machine_set(machine, option->setting, value, err);
        else if (strcmp(option->name, "set") == 0)
            good = apply_set(machine, value, err);
        else if (strcmp(option->name, "disk") == 0)
            good = facet_machine_add_disk(machine, value, err);
        else if (strcmp(option->name, "net") == 0)
            good = facet_machine_add_net(machine, value, err);
        else if (strcmp(option->name, "share") == 0)
            good = facet_machine_add_share(machine, value, err);
        else if (strcmp(option->name, "trace") == 0)
            good = apply_trace(machine, value, err);
        else if (strcmp(option->name, "stats-file") == 0)
            good = facet_stats_file_check(value, err);
        else if (strcmp(option->name, "warm") == 0)
            good = facet_machine_set(machine, "warm", "true", err);
        else if (strcmp(option->name, "roi") == 0)
            good = facet_machine_set(machine, "roi", "true", err);
        else if (strcmp(option->name, "traced") == 0)
            good = facet_machine_set(machine, "traced", "true", err);
        if (!good)
            return false;
    }
    value = cli_value(args, "log");
    return !value || facet_log_configure(value, err);
}

bool cli_run_machine(struct facet_machine *machine, cli_run_fn *run,
                     struct facet_result *ret_result, struct facet_error *err)
{
    static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = stop_running, .sa_flags = (int)SA_RESETHAND};
    bool good;

    running = machine;
    for (size_t i = 0; i < ARRAY_SIZE(stops); i++)
        sigaction(stops[i], &action, NULL);
    good = run(machine, ret_result, err);
    for (size_t i = 0; i < ARRAY_SIZE(stops); i++)
        signal(stops[i], SIG_IGN);
    return good;
}

bool cli_serve_stats(struct facet_machine *machine, const struct facet_event *event)
{
    switch (event->kind) {
    case FACET_EVENT_RESET_STATS:
        facet_machine_reset_stats(machine);
        return true;
    case FACET_EVENT_DUMP_STATS:
        facet_machine_dump_stats(machine);
        return true;
    case FACET_EVENT_DUMP_RESET_STATS:
        facet_machine_dump_stats(machine);
        facet_machine_reset_stats(machine);
        return true;
    case FACET_EVENT_CONSOLE:
    case FACET_EVENT_CHECKPOINT:
    case FACET_EVENT_WORK_BEGIN:
    case FACET_EVENT_WORK_END:
    case FACET_EVENT_SWITCH_CPU:
    case FACET_EVENT_DEBUG_BREAK:
        return false;
    }
    BUG("event %d", (int)event->kind);
}

bool cli_write_stats(struct facet_machine *machine, const struct cli_args *args,
                     struct facet_error *err)
{
    const char *file;

    for (size_t i = 0; (file = cli_value_at(args, "stats-file", i)); i++) {
        if (!facet_machine_write_stats(machine, file, err))
            return false;
    }
    return true;
}

static void status_document(struct json_out *j, const struct facet_result *result,
                            const struct facet_error *err, int code)
{
    static const char *const ends[] = {
        [FACET_END_EXITED] = "exited",     [FACET_END_KILLED] = "killed",
        [FACET_END_LIMIT] = "limit",       [FACET_END_STOPPED] = "stopped",
        [FACET_END_DEADLOCK] = "deadlock", [FACET_END_POWER_OFF] = "power-off",
        [FACET_END_RESET] = "reset",       [FACET_END_PANIC] = "panic",
        [FACET_END_SHUTDOWN] = "shutdown", [FACET_END_EVENT] = "event",
    };

    json_put_object(j);
    json_put_key_u64(j, "schema_version", 1);
    json_put_key_string(j, "end", err ? "error" : ends[result->end]);
    json_put_key_u64(j, "exit_code", (u64)code);
    if (err) {
        json_put_key(j, "error");
        json_put_object(j);
        json_put_key_string(j, "class", cli_class_of(err->code));
        json_put_key_u64(j, "code", (u64)cli_code_of(err->code));
        json_put_key_string(j, "message", err->message);
        json_put_end(j);
    } else {
        json_put_key_u64(j, "status", (u64)result->status);
        json_put_key_string(j, "reason", result->reason);
        if (result->idle_cpus)
            json_put_key_u64(j, "idle_cpus", result->idle_cpus);
        json_put_key_u64(j, "insts", result->insts);
        json_put_key_u64(j, "ticks", result->ticks);
        json_put_key(j, "host_seconds");
        json_put_f64(j, result->seconds);
    }
    json_put_end(j);
}

bool cli_write_status(const struct cli_args *args, const struct facet_result *result,
                      const struct facet_error *err, int code)
{
    const char *file = cli_value(args, "status-file");
    AUTO(strbuf) struct strbuf text = {0};
    struct json_out j = json_out_to(&text);
    struct error write_err;

    if (!file)
        return true;
    status_document(&j, result, err, code);
    strbuf_putc(&text, '\n');
    if (file_write(file, text.text, text.length, &write_err))
        return true;
    cli_complain("%s", write_err.message);
    return false;
}
