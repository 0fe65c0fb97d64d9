// SPDX-License-Identifier: BSD-3-Clause
// The same tables as man pages (roff, man(7)) and as docs/reference/cli.md.
#include <ctype.h>
#include <string.h>

#include "cli/cli.h"

// Text in roff: backslashes and dashes are special, as are dots and quotes at a line's start.
static void print_roff(FILE *out, const char *text)
{
    bool line_start = true;

    for (const char *c = text; *c; c++) {
        if (line_start && (*c == '.' || *c == '\''))
            fputs("\\&", out);
        if (c[0] == '\n' && c[1] == '\n') {
            fputs("\n.PP\n", out);
            c++;
            line_start = true;
            continue;
        }
        if (*c == '\\')
            fputs("\\e", out);
        else if (*c == '-')
            fputs("\\-", out);
        else
            fputc(*c, out);
        line_start = *c == '\n';
    }
}

static void print_title(FILE *out, const char *name, const char *summary)
{
    fputs(".TH FACET", out);
    if (name) {
        fputs("\\-", out);
        for (const char *c = name; *c; c++)
            fputc(toupper((unsigned char)*c), out);
    }
    fprintf(out, " 1 \"\" \"facet %s\"\n.SH NAME\nfacet%s%s \\- ", facet_version().version,
            name ? "\\-" : "", name ? name : "");
    print_roff(out, summary);
    fputc('\n', out);
}

static void print_man_options(FILE *out, const struct cli_command *command)
{
    const struct cli_option *option;
    size_t i = 0;

    fputs(".SH OPTIONS\n", out);
    while ((option = cli_option_next(command, &i))) {
        fputs(".TP\n.B ", out);
        print_roff(out, "--");
        print_roff(out, option->name);
        if (option->arg) {
            fputs(" \\fI", out);
            print_roff(out, option->arg);
            fputs("\\fR", out);
        }
        fputc('\n', out);
        print_roff(out, option->doc);
        if (option->initial) {
            fputs(" Default: ", out);
            print_roff(out, option->initial);
            fputc('.', out);
        }
        fputs(option->repeats ? " May be given several times.\n" : "\n", out);
    }
}

static void print_man_command(FILE *out, const struct cli_command *command)
{
    print_title(out, command->name, command->summary);
    fprintf(out, ".SH SYNOPSIS\n.B facet %s", command->name);
    if (command->verbs) {
        fputc(' ', out);
        print_roff(out, command->verbs);
    }
    fputs("\n[\\fIOPTION\\fR...] ", out);
    print_roff(out, command->operands);
    fputs("\n.SH DESCRIPTION\n", out);
    print_roff(out, command->about);
    fputc('\n', out);
    print_man_options(out, command);
    if (command->examples) {
        fputs(".SH EXAMPLES\n.nf\n", out);
        print_roff(out, command->examples);
        fputs("\n.fi\n", out);
    }
}

static void print_man_overview(FILE *out)
{
    print_title(out, NULL, "simulate whole computers");
    fputs(".SH SYNOPSIS\n.B facet\n\\fICOMMAND\\fR [\\fIOPTION\\fR...] [\\fIOPERAND\\fR...]\n"
          ".SH COMMANDS\n",
          out);
    for (size_t i = 0; i < cli_command_count(); i++) {
        fprintf(out, ".TP\n.BR facet\\-%s (1)\n", cli_command_at(i)->name);
        print_roff(out, cli_command_at(i)->summary);
        fputc('\n', out);
    }
    fputs(".SH EXIT STATUS\n.nf\n", out);
    cli_print_exit_codes(out, false);
    fputs(".fi\n", out);
}

void cli_print_man(FILE *out, const struct cli_command *command)
{
    if (command)
        print_man_command(out, command);
    else
        print_man_overview(out);
}

static void print_markdown_command(FILE *out, const struct cli_command *command)
{
    const struct cli_option *option;
    size_t i = 0;

    fprintf(out, "\n## facet %s\n\n    facet %s%s%s [OPTION...]%s%s\n\n%s\n\n", command->name,
            command->name, command->verbs ? " " : "", command->verbs ? command->verbs : "",
            command->operands[0] ? " " : "", command->operands, command->about);
    fputs("| option | default | |\n|---|---|---|\n", out);
    while ((option = cli_option_next(command, &i)))
        fprintf(out, "| `--%s%s%s` | %s | %s%s |\n", option->name, option->arg ? " " : "",
                option->arg ? option->arg : "", option->initial ? option->initial : "", option->doc,
                option->repeats ? " May be given several times." : "");
    if (!command->examples)
        return;
    fputs("\nExamples:\n\n", out);
    for (const char *line = command->examples; *line;) {
        size_t length = strcspn(line, "\n");

        fprintf(out, "    %.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
}

void cli_print_markdown(FILE *out)
{
    fputs("# Commands and options\n\n"
          "Made by `facet help --markdown` from `src/cli/options.c`; do not edit "
          "(`make update-reference`).\n\n"
          "    facet COMMAND [OPTION...] [OPERAND...]\n\n| command | |\n|---|---|\n",
          out);
    for (size_t i = 0; i < cli_command_count(); i++)
        fprintf(out, "| [%s](#facet-%s) | %s |\n", cli_command_at(i)->name, cli_command_at(i)->name,
                cli_command_at(i)->summary);
    fputs("\nExit codes: [exit-codes.md](exit-codes.md).\n", out);
    for (size_t i = 0; i < cli_command_count(); i++)
        print_markdown_command(out, cli_command_at(i));
    fputs("\n## Machine settings\n\nFor `--set PATH=VALUE` and the files of `--config`.\n\n"
          "| path | default | |\n|---|---|---|\n",
          out);
    for (size_t i = 0; i < facet_setting_count(); i++) {
        struct facet_setting setting = facet_setting(i);

        fprintf(out, "| `%s` | %s | %s%s", setting.path, setting.initial, setting.doc,
                setting.choices[0] ? " One of " : "");
        for (const char *c = setting.choices; *c; c++) // a bar would end the cell
            fputs(*c == '|' ? ", " : (char[]){*c, 0}, out);
        fputs(setting.choices[0] ? ". |\n" : " |\n", out);
    }
}
