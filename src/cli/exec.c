// SPDX-License-Identifier: BSD-3-Clause
// facet exec: runs one Linux program. Exit codes: docs/decisions/0002-exec-exit-codes.md.
#include <string.h>

#include "base/alloc.h"
#include "base/bug.h"
#include "cli/commands.h"
#include "cli/machine_options.h"

extern char **environ;

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
    case FACET_END_POWER_OFF:
    case FACET_END_RESET:
    case FACET_END_PANIC:
    case FACET_END_EVENT:
    case FACET_END_SHUTDOWN: // ends of computers
        break;
    }
    BUG("end %d", (int)result->end);
}

// ---- from the options to a loaded machine ----

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
            return cli_usage(err, "option '--env' wants NAME=VALUE, not '%s'", value);
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
        return cli_usage(err, "exec: no program given; '%s' explains", "facet help exec");
    if (!check_environment(args, err) || !cli_apply_settings(machine, args, err))
        return false;
    program.path = program.argv[0];
    environment = make_environment(args);
    program.envp = environment;
    good = facet_machine_load(machine, &program, err);
    free(environment);
    return good;
}

// ---- the run, and what it leaves ----

// Tells how it ended: message, status file. Returns the exit code.
static int conclude(const struct cli_args *args, const struct facet_result *result,
                    const struct facet_error *err)
{
    int code = err ? exec_code_of(err->code) : exec_code_of_result(result);

    if (err)
        cli_complain("%s", err->message);
    else if (result->end != FACET_END_EXITED)
        cli_complain("%s", result->reason);
    if (!cli_write_status(args, result, err, code))
        return EXEC_FACET;
    return code;
}

// What the program asks the simulator for, in between, is about statistics, or nothing to be done.
static bool run_served(struct facet_machine *machine, struct facet_result *r,
                       struct facet_error *err)
{
    double seconds = 0;

    do {
        if (!facet_machine_run(machine, r, err))
            return false;
        seconds += r->seconds;
        if (r->end == FACET_END_EVENT) {
            struct facet_event event = facet_machine_event(machine);

            (void)cli_serve_stats(machine, &event);
        }
    } while (r->end == FACET_END_EVENT);
    r->seconds = seconds;
    return true;
}

static int exec_run(const struct cli_args *args)
{
    struct facet_machine *machine = facet_machine_new();
    struct facet_result result = {.end = FACET_END_EXITED};
    struct facet_error err = {.code = FACET_ERROR_NONE}, stats_err;
    bool good, loaded = load(machine, args, &err);
    int code;

    good = loaded && cli_run_machine(machine, run_served, &result, &err);
    if (loaded && !cli_write_stats(machine, args, &stats_err) && good) {
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
