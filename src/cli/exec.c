// SPDX-License-Identifier: BSD-3-Clause
// facet exec: runs one Linux program. Exit codes: docs/decisions/0002-exec-exit-codes.md.
#include <signal.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bug.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/commands.h"

extern char **environ;

// For the signal handler only.
static struct facet_machine *running;

static void stop_running(int signal)
{
    facet_machine_stop(running, signal);
}

static int exec_code_of(enum facet_error_code code)
{
    if (code == FACET_ERROR_NOT_FOUND)
        return EXEC_NOT_FOUND;
    return code == FACET_ERROR_NOT_EXECUTABLE ? EXEC_NOT_EXECUTABLE : EXEC_FACET;
}

static int exec_code_of_result(const struct facet_result *result)
{
    switch (result->end) {
    case FACET_END_EXITED:
        return result->status;
    case FACET_END_KILLED:
    case FACET_END_STOPPED:
        return EXEC_SIGNAL + result->status;
    case FACET_END_LIMIT:
    case FACET_END_DEADLOCK:
        return EXEC_LIMIT;
    }
    BUG("end %d", (int)result->end);
}

// ---- from the options to a loaded machine ----

static bool usage(struct facet_error *err, const char *fmt, const char *value)
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
        return usage(err, "option '--set' wants PATH=VALUE, not '%s'", text);
    snprintf(path, sizeof(path), "%.*s", (int)(equals - text), text);
    return facet_machine_set(machine, path, equals + 1, err);
}

static bool apply_trace(struct facet_machine *machine, const char *text, struct facet_error *err)
{
    const char *equals = strchr(text, '=');
    char what[32];

    snprintf(what, sizeof(what), "%.*s", (int)strcspn(text, "="), text);
    return facet_machine_trace(machine, what, equals ? equals + 1 : "-", err);
}

// Configuration files first, then the command line in its order: the command line wins.
static bool apply_settings(struct facet_machine *machine, const struct cli_args *args,
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
        else if (strcmp(option->name, "trace") == 0)
            good = apply_trace(machine, value, err);
        else if (strcmp(option->name, "stats-file") == 0)
            good = facet_stats_file_check(value, err);
        else if (strcmp(option->name, "traced") == 0)
            good = facet_machine_set(machine, "traced", "true", err);
        if (!good)
            return false;
    }
    value = cli_value(args, "log");
    return !value || facet_log_configure(value, err);
}

// The guest's environment: fixed or the host's, then what --env adds or replaces. One allocation.
static const char **make_environment(const struct cli_args *args)
{
    const char *const *start =
        cli_flag(args, "env-host") ? (const char *const *)environ : facet_default_environment();
    size_t room = 1, count = 0;
    const char **list, *value;

    while (start[room - 1])
        room++;
    for (size_t i = 0; cli_value_at(args, "env", i); i++)
        room++;
    list = xcalloc(room, sizeof(*list));
    for (; start[count]; count++)
        list[count] = start[count];
    for (size_t i = 0; (value = cli_value_at(args, "env", i)); i++) {
        size_t length = strcspn(value, "=") + 1, k = 0;

        while (k < count && strncmp(list[k], value, length) != 0)
            k++;
        list[k] = value;
        count += k == count;
    }
    return list;
}

static bool check_environment(const struct cli_args *args, struct facet_error *err)
{
    const char *value;

    for (size_t i = 0; (value = cli_value_at(args, "env", i)); i++) {
        if (!strchr(value, '=') || value[0] == '=')
            return usage(err, "option '--env' wants NAME=VALUE, not '%s'", value);
    }
    return true;
}

static bool load(struct facet_machine *machine, const struct cli_args *args,
                 struct facet_error *err)
{
    struct facet_program program = {
        .argv = (const char *const *)cli_operands(args),
        .root = cli_value(args, "root"),
        .cwd = cli_value(args, "cwd"),
    };
    const char **environment;
    bool good;

    if (cli_operand_count(args) == 0)
        return usage(err, "exec: no program given; '%s' explains", "facet help exec");
    if (!check_environment(args, err) || !apply_settings(machine, args, err))
        return false;
    program.path = program.argv[0];
    environment = make_environment(args);
    program.envp = environment;
    good = facet_machine_load(machine, &program, err);
    free(environment);
    return good;
}

// ---- the run, and what it leaves ----

static bool run(struct facet_machine *machine, struct facet_result *ret_result,
                struct facet_error *err)
{
    static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = stop_running, .sa_flags = (int)SA_RESETHAND};
    bool good;

    running = machine;
    for (size_t i = 0; i < ARRAY_SIZE(stops); i++)
        sigaction(stops[i], &action, NULL);
    good = facet_machine_run(machine, ret_result, err);
    for (size_t i = 0; i < ARRAY_SIZE(stops); i++)
        signal(stops[i], SIG_IGN);
    return good;
}

static bool write_stats(struct facet_machine *machine, const struct cli_args *args,
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
        [FACET_END_DEADLOCK] = "deadlock",
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
        json_put_key_u64(j, "insts", result->insts);
        json_put_key_u64(j, "ticks", result->ticks);
        json_put_key(j, "host_seconds");
        json_put_f64(j, result->seconds);
    }
    json_put_end(j);
}

static bool write_status(const char *file, const struct facet_result *result,
                         const struct facet_error *err, int code)
{
    AUTO(strbuf) struct strbuf text = {0};
    struct json_out j = json_out_to(&text);
    struct error write_err;

    status_document(&j, result, err, code);
    strbuf_putc(&text, '\n');
    if (file_write(file, text.text, text.length, &write_err))
        return true;
    cli_complain("%s", write_err.message);
    return false;
}

// Tells how it ended: message, status file. Returns the exit code.
static int conclude(const struct cli_args *args, const struct facet_result *result,
                    const struct facet_error *err)
{
    const char *file = cli_value(args, "status-file");
    int code = err ? exec_code_of(err->code) : exec_code_of_result(result);

    if (err)
        cli_complain("%s", err->message);
    else if (result->end != FACET_END_EXITED)
        cli_complain("%s", result->reason);
    if (file && !write_status(file, result, err, code))
        return EXEC_FACET;
    return code;
}

static int exec_run(const struct cli_args *args)
{
    struct facet_machine *machine = facet_machine_new();
    struct facet_result result = {.end = FACET_END_EXITED};
    struct facet_error err = {.code = FACET_ERROR_NONE}, stats_err;
    bool good, loaded = load(machine, args, &err);
    int code;

    good = loaded && run(machine, &result, &err);
    if (loaded && !write_stats(machine, args, &stats_err) && good) {
        err = stats_err;
        good = false;
    }
    code = conclude(args, &result, good ? NULL : &err);
    facet_machine_free(machine);
    return code;
}

const struct cli_command exec_command = {
    .name = "exec",
    .summary = "run a Linux program",
    .operands = "[--] PROGRAM [ARGUMENT...]",
    .about =
        "Runs an x86-64 Linux program, static or dynamic, on simulated CPUs, with its system calls "
        "emulated. Standard input, output and error are the caller's, and the program's exit "
        "status is passed on.\n\n"
        "The same program, arguments, files, settings and seed give the same results and the same "
        "statistics, whatever the time, the host's environment and the path of facet.\n\n"
        "Exit codes of facet itself: 124 a limit ended the run, 125 facet failed, 126 the program "
        "cannot be executed, 127 it does not exist, 128 + N signal N ended the program. The file "
        "of --status-file tells without doubt whose status it was.",
    .examples = "facet exec -- /bin/echo hello\n"
                "facet exec --stats-file stats.txt --stats-file stats.json -- /usr/bin/sort file\n"
                "facet exec --max-insts 10M --trace insn=trace.txt -- ./program",
    .takes_program = true,
    .max_operands = -1,
    .usage_code = EXEC_FACET,
    .run = exec_run,
};
