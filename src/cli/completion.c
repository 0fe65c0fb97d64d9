// SPDX-License-Identifier: BSD-3-Clause
// Completion scripts for bash, zsh and fish, made from the command and option tables.
#include <string.h>

#include "cli/commands.h"

static void print_names(FILE *out, const struct cli_command *command)
{
    const struct cli_option *option;
    size_t i = 0;

    while ((option = cli_option_next(command, &i)))
        fprintf(out, "%s--%s%s", i > 1 ? " " : "", option->name, option->arg ? "=" : "");
}

// The first words of a command, with spaces between them.
static void print_verbs(FILE *out, const struct cli_command *command)
{
    for (const char *c = command->verbs; c && *c; c++)
        fputc(*c == '|' ? ' ' : *c, out);
}

static void print_bash(FILE *out)
{
    fputs("# bash completion for facet\n"
          "_facet() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} options= verbs=\n"
          "    COMPREPLY=()\n"
          "    if [ \"$COMP_CWORD\" = 1 ]; then\n"
          "        COMPREPLY=($(compgen -W \"",
          out);
    for (size_t i = 0; i < cli_command_count(); i++)
        fprintf(out, "%s%s", i ? " " : "", cli_command_at(i)->name);
    fputs("\" -- \"$word\"))\n"
          "        return\n"
          "    fi\n"
          "    case ${COMP_WORDS[1]} in\n",
          out);
    for (size_t i = 0; i < cli_command_count(); i++) {
        fprintf(out, "    %s) options=\"", cli_command_at(i)->name);
        print_names(out, cli_command_at(i));
        fputs("\" verbs=\"", out);
        print_verbs(out, cli_command_at(i));
        fputs("\" ;;\n", out);
    }
    fputs("    esac\n"
          "    if [ \"$COMP_CWORD\" = 2 ] && [ -n \"$verbs\" ]; then\n"
          "        COMPREPLY=($(compgen -W \"$verbs\" -- \"$word\"))\n"
          "        return\n"
          "    fi\n"
          "    case $word in\n"
          "    -*)\n"
          "        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
          "        [[ ${COMPREPLY[0]} = *= ]] && compopt -o nospace\n"
          "        ;;\n"
          "    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
          "    esac\n"
          "}\n"
          "complete -F _facet facet\n",
          out);
}

// The text in single quotes, with what zsh and fish give a meaning to taken out of it.
static void print_quoted(FILE *out, const char *text, const char *special)
{
    for (const char *c = text; *c; c++) {
        if (*c == '\'')
            fputs("'\\''", out);
        else if (strchr(special, *c))
            fprintf(out, "\\%c", *c);
        else
            fputc(*c, out);
    }
}

static void print_zsh(FILE *out)
{
    fputs("#compdef facet\n"
          "_facet() {\n"
          "    local -a commands\n"
          "    commands=(\n",
          out);
    for (size_t i = 0; i < cli_command_count(); i++) {
        fprintf(out, "        '%s:", cli_command_at(i)->name);
        print_quoted(out, cli_command_at(i)->summary, ":");
        fputs("'\n", out);
    }
    fputs("    )\n"
          "    if (( CURRENT == 2 )); then\n"
          "        _describe command commands\n"
          "        return\n"
          "    fi\n"
          "    case $words[2] in\n",
          out);
    for (size_t i = 0; i < cli_command_count(); i++) {
        const struct cli_option *option;
        size_t k = 0;

        fprintf(out, "    %s) _arguments", cli_command_at(i)->name);
        if (cli_command_at(i)->verbs) {
            fputs(" \\\n        '1:what:(", out);
            print_verbs(out, cli_command_at(i));
            fputs(")'", out);
        }
        while ((option = cli_option_next(cli_command_at(i), &k))) {
            fprintf(out, " \\\n        '%s--%s%s[", option->repeats ? "*" : "", option->name,
                    option->arg ? "=" : "");
            print_quoted(out, option->doc, "[]:");
            fprintf(out, "]%s%s%s'", option->arg ? ":" : "", option->arg ? option->arg : "",
                    option->arg ? ":_files" : "");
        }
        fputs(" \\\n        '*::operand:_files' ;;\n", out);
    }
    fputs("    esac\n"
          "}\n"
          "_facet \"$@\"\n",
          out);
}

static void print_fish(FILE *out)
{
    fputs("# fish completion for facet\n", out);
    for (size_t i = 0; i < cli_command_count(); i++) {
        const struct cli_command *command = cli_command_at(i);
        const struct cli_option *option;
        size_t k = 0;

        fprintf(out, "complete -c facet -n __fish_use_subcommand -a %s -d '", command->name);
        print_quoted(out, command->summary, "\\");
        fputs("'\n", out);
        if (command->verbs) {
            fprintf(out, "complete -c facet -f -n '__fish_seen_subcommand_from %s' -a '",
                    command->name);
            print_verbs(out, command);
            fputs("'\n", out);
        }
        while ((option = cli_option_next(command, &k))) {
            fprintf(out, "complete -c facet -n '__fish_seen_subcommand_from %s' -l %s%s -d '",
                    command->name, option->name, option->arg ? " -r" : "");
            print_quoted(out, option->doc, "\\");
            fputs("'\n", out);
        }
    }
}

bool cli_print_completion(FILE *out, const char *shell)
{
    static const struct {
        const char *shell;
        void (*print)(FILE *out);
    } printers[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};

    for (size_t i = 0; i < ARRAY_SIZE(printers); i++) {
        if (strcmp(printers[i].shell, shell) == 0) {
            printers[i].print(out);
            return true;
        }
    }
    return false;
}

static int completion_run(const struct cli_args *args)
{
    const char *shell = cli_operand_count(args) ? cli_operands(args)[0] : NULL;

    if (!shell || !cli_print_completion(stdout, shell)) {
        cli_complain("completion: %s%s%s; the shells are bash, zsh and fish",
                     shell ? "no completion for '" : "name a shell", shell ? shell : "",
                     shell ? "'" : "");
        return CLI_USAGE;
    }
    return cli_finish_output();
}

const struct cli_command completion_command = {
    .name = "completion",
    .summary = "write the completion script of a shell",
    .operands = "bash|zsh|fish",
    .about = "Prints a script that completes facet's commands and options.",
    .examples = "source <(facet completion bash)",
    .max_operands = 1,
    .usage_code = CLI_USAGE,
    .run = completion_run,
};
