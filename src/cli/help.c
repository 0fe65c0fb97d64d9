// SPDX-License-Identifier: BSD-3-Clause
// Help as text for the terminal, and the help command.
#include <string.h>

#include "cli/commands.h"

enum { WIDTH = 80, TOP_INDENT = 2, DOC_INDENT = 8 };

// Prints `text` wrapped to WIDTH; an empty line in it stays a paragraph break.
static void print_wrapped(FILE *out, const char *text, int indent)
{
    int column = 0;

    while (*text) {
        size_t length = strcspn(text, " \n");

        if (text[0] == '\n' && text[1] == '\n') {
            fputs("\n\n", out);
            column = 0;
            text += 2;
            continue;
        }
        if (length == 0) {
            text++;
            continue;
        }
        if (column && column + 1 + (int)length > WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        if (column == 0)
            column = fprintf(out, "%*s%.*s", indent, "", (int)length, text);
        else
            column += fprintf(out, " %.*s", (int)length, text);
        text += length;
    }
    fputc('\n', out);
}

void cli_print_usage(FILE *out, const struct cli_command *command)
{
    fprintf(out, "usage: facet %s%s%s [OPTION...]%s%s\n", command->name, command->verbs ? " " : "",
            command->verbs ? command->verbs : "", command->operands[0] ? " " : "",
            command->operands);
}

void cli_print_help(FILE *out, const struct cli_command *command)
{
    const struct cli_option *option;
    size_t i = 0;

    cli_print_usage(out, command);
    fputc('\n', out);
    print_wrapped(out, command->about, 0);
    fputs("\noptions:\n", out);
    while ((option = cli_option_next(command, &i))) {
        fprintf(out, "%*s--%s%s%s\n", TOP_INDENT, "", option->name, option->arg ? " " : "",
                option->arg ? option->arg : "");
        print_wrapped(out, option->doc, DOC_INDENT);
        if (option->initial)
            fprintf(out, "%*sDefault: %s.\n", DOC_INDENT, "", option->initial);
        if (option->repeats)
            fprintf(out, "%*sMay be given several times.\n", DOC_INDENT, "");
    }
    if (command->examples) {
        fputs("\nexamples:\n", out);
        for (const char *line = command->examples; *line;) {
            size_t length = strcspn(line, "\n");

            fprintf(out, "%*s%.*s\n", TOP_INDENT, "", (int)length, line);
            line += length + (line[length] == '\n');
        }
    }
}

void cli_print_overview(FILE *out)
{
    fputs("usage: facet COMMAND [OPTION...] [OPERAND...]\n\n"
          "facet simulates whole computers.\n\ncommands:\n",
          out);
    for (size_t i = 0; i < cli_command_count(); i++)
        fprintf(out, "  %-12s%s\n", cli_command_at(i)->name, cli_command_at(i)->summary);
    fputs("\n'facet help COMMAND' tells more; 'facet help exit-codes' lists the exit codes.\n",
          out);
}

static void print_code(FILE *out, bool markdown, int number, const char *meaning)
{
    if (markdown)
        fprintf(out, "| %d | %s |\n", number, meaning);
    else
        fprintf(out, "  %3d  %s\n", number, meaning);
}

void cli_print_exit_codes(FILE *out, bool markdown)
{
    const char *rule = markdown ? "\n| code | meaning |\n|---|---|\n" : "\n";

    if (markdown)
        fputs(
            "# Exit codes\n\n"
            "Made by `facet help --markdown exit-codes` from `src/cli/exit_codes.def`; do not edit."
            "\n\n",
            out);
    fprintf(out, "Every command but exec:\n%s", rule);
#define EXIT_CODE(name, number, meaning) print_code(out, markdown, number, meaning);
#include "cli/exit_codes.def"
#undef EXIT_CODE
    fprintf(out, "\nfacet exec passes on the program's own exit status; besides:\n%s", rule);
#define EXEC_CODE(name, number, meaning) print_code(out, markdown, number, meaning);
#include "cli/exit_codes.def"
#undef EXEC_CODE
    fprintf(out,
            "\nfacet boot gives 0 when the guest switched itself off or reset itself, and N "
            "when it ended the run with N; besides:\n%s",
            rule);
#define BOOT_CODE(name, number, meaning) print_code(out, markdown, number, meaning);
#include "cli/exit_codes.def"
#undef BOOT_CODE
    fputc('\n', out);
    print_wrapped(out,
                  "A program may itself end with one of these. Whose status it was is told without "
                  "doubt by the file of --status-file: its member `end` is `exited`, `killed`, "
                  "`limit`, `stopped`, `deadlock` or `error`, and for `error` its member `error` "
                  "has the class and the code of the first table.",
                  0);
}

static int unknown_topic(const char *topic)
{
    const char *near = cli_command_near(topic);

    if (near)
        cli_complain("help: no topic '%s'; did you mean '%s'?", topic, near);
    else
        cli_complain("help: no topic '%s'; 'facet help' lists the commands", topic);
    return CLI_USAGE;
}

static int help_run(const struct cli_args *args)
{
    bool man = cli_flag(args, "man"), markdown = cli_flag(args, "markdown");
    const char *topic = cli_operand_count(args) ? cli_operands(args)[0] : NULL;
    const struct cli_command *command = topic ? cli_command_find(topic) : NULL;

    if (man && markdown) {
        cli_complain("help: --man and --markdown exclude each other");
        return CLI_USAGE;
    }
    if (topic && strcmp(topic, "exit-codes") == 0 && !man)
        cli_print_exit_codes(stdout, markdown);
    else if (topic && !command)
        return unknown_topic(topic);
    else if (man)
        cli_print_man(stdout, command);
    else if (markdown)
        cli_print_markdown(stdout);
    else if (command)
        cli_print_help(stdout, command);
    else
        cli_print_overview(stdout);
    return cli_finish_output();
}

const struct cli_command help_command = {
    .name = "help",
    .summary = "explain a command",
    .operands = "[COMMAND|exit-codes]",
    .about = "Explains a command, or lists the commands.",
    .examples = "facet help exec\nfacet help --man exec | man -l -",
    .max_operands = 1,
    .usage_code = CLI_USAGE,
    .run = help_run,
};
