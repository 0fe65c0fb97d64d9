// SPDX-License-Identifier: BSD-3-Clause
// The command line: commands, the one option table, and parsed arguments.
//
// A command is one record in its own file; commands.c lists them. An option is one row of the table
// in options.c, from which come the parser, --help, man pages, the reference page and completion.
#pragma once

#include <stdio.h>

#include "base/types.h"
#include "facet/facet.h"

#define EXIT_CODE(name, number, meaning) CLI_##name = (number),
enum cli_exit_code {
#include "cli/exit_codes.def"
};
#undef EXIT_CODE

#define EXEC_CODE(name, number, meaning) EXEC_##name = (number),
enum exec_exit_code {
#include "cli/exit_codes.def"
};
#undef EXEC_CODE

#define BOOT_CODE(name, number, meaning) BOOT_##name = (number),
enum boot_exit_code {
#include "cli/exit_codes.def"
};
#undef BOOT_CODE

// One row of the option table. `command` is NULL for options that every command takes.
struct cli_option {
    const char *command;
    const char *name;    // without the dashes
    const char *arg;     // what the argument is called ("FILE"), or NULL for a flag
    const char *initial; // the default as shown, or NULL
    bool repeats;        // may be given more than once
    const char *setting; // the machine setting that the value goes to, or NULL
    const char *doc;     // one or two sentences
};

struct cli_args;

struct cli_command {
    const char *name;
    const char *summary;  // a few words
    const char *verbs;    // first words of which one must be given ("ls|show"), or NULL
    const char *operands; // "-- PROGRAM [ARGUMENT...]", or ""
    const char *about;    // paragraphs, separated by an empty line
    const char *examples; // lines: a command, or "# remark"
    bool takes_program;   // the first operand ends the options
    int max_operands;     // -1: any number
    int usage_code;       // exit code for a wrong command line
    int (*run)(const struct cli_args *args);
};

// ---- the tables ----

size_t cli_command_count(void);
const struct cli_command *cli_command_at(size_t index);
const struct cli_command *cli_command_find(const char *name); // NULL if there is none
const char *cli_command_near(const char *word); // the name that was probably meant, or NULL

// The options that `command` takes, in the table's order: *iterator starts at 0; NULL at the end.
const struct cli_option *cli_option_next(const struct cli_command *command, size_t *iterator);

// ---- parsed arguments ----

// Parses what follows the command's name. On a mistake prints one message and returns NULL.
// Free with cli_args_free; the strings stay argv's.
struct cli_args *cli_args_parse(const struct cli_command *command, char *const *words);
void cli_args_free(struct cli_args *args);

const struct cli_command *cli_args_command(const struct cli_args *args);
const char *cli_verb(const struct cli_args *args); // of a command that has verbs
size_t cli_operand_count(const struct cli_args *args);
char *const *cli_operands(const struct cli_args *args); // NULL-terminated

// `name` must be in the option table for the command: anything else is a bug.
bool cli_flag(const struct cli_args *args, const char *name);
// The last value given, or NULL.
const char *cli_value(const struct cli_args *args, const char *name);
// The index-th value given, or NULL.
const char *cli_value_at(const struct cli_args *args, const char *name, size_t index);
// The index-th option given, in the order of the command line, or NULL.
const struct cli_option *cli_given(const struct cli_args *args, size_t index,
                                   const char **ret_value);

// ---- output ----

// "facet: message" on standard error.
void cli_complain(const char *fmt, ...) PRINTF_LIKE(1, 2);

// Prints the error and returns the exit code of its class.
int cli_fail(const struct facet_error *err);
int cli_code_of(enum facet_error_code code);
const char *cli_class_of(enum facet_error_code code);

// Flushes standard output; if that failed (disk full, closed), complains and returns an exit code.
int cli_finish_output(void);

// ---- pages (help.c, reference.c, completion.c) ----

void cli_print_usage(FILE *out, const struct cli_command *command);
void cli_print_help(FILE *out, const struct cli_command *command);
void cli_print_overview(FILE *out);
void cli_print_exit_codes(FILE *out, bool markdown);
void cli_print_markdown(FILE *out);
void cli_print_man(FILE *out, const struct cli_command *command); // NULL: facet(1)
bool cli_print_completion(FILE *out, const char *shell);
