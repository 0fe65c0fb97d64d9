// SPDX-License-Identifier: BSD-3-Clause
// The front door: finds the command, parses its options, runs it.
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"

// Exit code of an internal error; depends on the command, and is read by a signal handler.
static volatile sig_atomic_t bug_code = CLI_BUG;

// Our own crash must not look like the program's: without this, the shell would show 128 + SIGSEGV
// or 128 + SIGABRT for both. Engines that need SIGSEGV for themselves replace it while they run.
static void crashed(int signal)
{
    static const char message[] = "facet: internal error: facet itself crashed; please report it\n";

    if (write(STDERR_FILENO, message, sizeof(message) - 1) > 0)
        fsync(STDERR_FILENO);
    _exit(bug_code);
}

static void catch_crashes(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    struct sigaction action = {.sa_handler = crashed, .sa_flags = (int)SA_RESETHAND};

    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        sigaction(signals[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

// A standard stream that the caller closed keeps its place, so that no file of ours becomes it.
// Close-on-exec marks the place holder: the streams that we were given never are.
static void hold_closed_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_CLOEXEC) != fd)
            break;
    }
}

static int unknown_command(const char *word)
{
    const char *near = cli_command_near(word + strspn(word, "-"));

    if (near)
        cli_complain("unknown %s '%s'; did you mean 'facet %s'?",
                     word[0] == '-' ? "option" : "command", word, near);
    else
        cli_complain("unknown %s '%s'; 'facet help' lists the commands",
                     word[0] == '-' ? "option" : "command", word);
    return CLI_USAGE;
}

static int run_command(const struct cli_command *command, char *const *words)
{
    struct cli_args *args;
    int code;

    bug_code = command->usage_code == EXEC_FACET ? EXEC_FACET : CLI_BUG;
    args = cli_args_parse(command, words);
    if (!args)
        return command->usage_code;
    if (cli_flag(args, "help")) {
        cli_print_help(stdout, command);
        code = cli_finish_output();
    } else {
        code = command->run(args);
    }
    cli_args_free(args);
    return code;
}

int main(int argc, char **argv)
{
    static char *const nothing[] = {NULL};
    const char *word = argc > 1 ? argv[1] : NULL;
    const struct cli_command *command;

    hold_closed_streams();
    catch_crashes();
    if (!word) {
        cli_print_overview(stderr);
        return CLI_USAGE;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return run_command(&help_command, nothing);
    if (strcmp(word, "--version") == 0)
        return run_command(&version_command, nothing);
    command = cli_command_find(word);
    return command ? run_command(command, argv + 2) : unknown_command(word);
}
