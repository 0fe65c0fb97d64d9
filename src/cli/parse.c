// SPDX-License-Identifier: BSD-3-Clause
// Parses a command's words against the option table: --name, --name VALUE, --name=VALUE; `--` ends
// the options, as does the first operand of a command that takes a program. Names are never
// abbreviated: scripts must not break when an option is added.
#include <string.h>

#include "base/alloc.h"
#include "base/bug.h"
#include "base/names.h"
#include "cli/cli.h"

struct given {
    const struct cli_option *option;
    const char *value;
};

struct cli_args {
    const struct cli_command *command;
    const char *verb;    // borrowed from argv
    struct given *given; // owned
    size_t count;
    char **operands; // owned, NULL-terminated; the strings are argv's
    size_t operand_count;
};

static const struct cli_option *option_find(const struct cli_command *command, const char *name,
                                            size_t length)
{
    const struct cli_option *option;
    size_t i = 0;

    while ((option = cli_option_next(command, &i))) {
        if (strlen(option->name) == length && strncmp(option->name, name, length) == 0)
            return option;
    }
    return NULL;
}

static bool complain_unknown(const struct cli_command *command, const char *word)
{
    char name[64];
    struct names_nearest near = {.word = name};
    const struct cli_option *option;
    size_t i = 0;

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
    near.word += strspn(name, "-");
    while ((option = cli_option_next(command, &i)))
        names_offer(&near, option->name);
    if (near.best)
        cli_complain("%s: unknown option '%s'; did you mean '--%s'?", command->name, name,
                     near.best);
    else
        cli_complain("%s: unknown option '%s'; 'facet help %s' lists the options", command->name,
                     name, command->name);
    return false;
}

static bool add(struct cli_args *args, const struct cli_option *option, const char *value)
{
    if (!option->repeats) {
        for (size_t i = 0; i < args->count; i++) {
            if (args->given[i].option == option) {
                cli_complain("%s: option '--%s' is given twice", args->command->name, option->name);
                return false;
            }
        }
    }
    args->given[args->count++] = (struct given){option, value};
    return true;
}

// Takes one option, and the next word if that is its value; moves *word past what it took.
static bool parse_option(struct cli_args *args, char *const **word)
{
    const char *text = **word, *name = text + 2, *equals = strchr(text, '=');
    const struct cli_option *option;
    const char *value = NULL;

    if (strcmp(text, "-h") == 0)
        name = "help";
    else if (text[1] != '-')
        return complain_unknown(args->command, text);
    option = option_find(args->command, name, equals ? (size_t)(equals - name) : strlen(name));
    if (!option)
        return complain_unknown(args->command, text);
    ++*word;
    if (option->arg) {
        value = equals ? equals + 1 : **word;
        if (!value) {
            cli_complain("%s: option '--%s' needs a value (%s)", args->command->name, option->name,
                         option->arg);
            return false;
        }
        *word += !equals;
    } else if (equals) {
        cli_complain("%s: option '--%s' takes no value", args->command->name, option->name);
        return false;
    }
    return add(args, option, value);
}

static bool parse_words(struct cli_args *args, char *const *word)
{
    const struct cli_command *command = args->command;

    bool options = true;

    while (*word) {
        if (options && strcmp(*word, "--") == 0) {
            options = false;
            word++;
        } else if (options && (*word)[0] == '-' && (*word)[1]) {
            if (!parse_option(args, &word))
                return false;
        } else {
            args->operands[args->operand_count++] = *word++;
            options = options && !command->takes_program;
        }
    }
    if (command->max_operands >= 0 && args->operand_count > (size_t)command->max_operands) {
        cli_complain("%s: unexpected operand '%s'", command->name,
                     args->operands[command->max_operands]);
        return false;
    }
    return true;
}

// The first word of a command that has verbs. Help is given without one.
static bool parse_verb(struct cli_args *args, char *const **words)
{
    const struct cli_command *command = args->command;
    const char *word = **words;
    size_t length;

    if (word && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0))
        return true;
    if (!word || word[0] == '-') {
        cli_complain("%s: say what to do: facet %s %s", command->name, command->name,
                     command->verbs);
        return false;
    }
    for (const char *verb = command->verbs; *verb; verb += length + (verb[length] == '|')) {
        length = strcspn(verb, "|");
        if (strlen(word) == length && strncmp(word, verb, length) == 0) {
            args->verb = word;
            ++*words;
            return true;
        }
    }
    cli_complain("%s: unknown '%s %s'; there is: facet %s %s", command->name, command->name, word,
                 command->name, command->verbs);
    return false;
}

struct cli_args *cli_args_parse(const struct cli_command *command, char *const *words)
{
    struct cli_args *args = xcalloc(1, sizeof(*args));
    size_t count = 0;

    while (words[count])
        count++;
    args->command = command;
    args->given = xcalloc(count + 1, sizeof(*args->given));
    args->operands = xcalloc(count + 1, sizeof(*args->operands));
    if ((!command->verbs || parse_verb(args, &words)) && parse_words(args, words))
        return args;
    cli_args_free(args);
    return NULL;
}

void cli_args_free(struct cli_args *args)
{
    if (!args)
        return;
    free(args->given);
    free(args->operands);
    free(args);
}

const struct cli_command *cli_args_command(const struct cli_args *args)
{
    return args->command;
}

const char *cli_verb(const struct cli_args *args)
{
    ASSERT(args->verb);
    return args->verb;
}

size_t cli_operand_count(const struct cli_args *args)
{
    return args->operand_count;
}

char *const *cli_operands(const struct cli_args *args)
{
    return args->operands;
}

const struct cli_option *cli_given(const struct cli_args *args, size_t index,
                                   const char **ret_value)
{
    if (index >= args->count)
        return NULL;
    *ret_value = args->given[index].value;
    return args->given[index].option;
}

bool cli_flag(const struct cli_args *args, const char *name)
{
    const struct cli_option *option = option_find(args->command, name, strlen(name));

    ASSERT(option && !option->arg);
    for (size_t i = 0; i < args->count; i++) {
        if (args->given[i].option == option)
            return true;
    }
    return false;
}

const char *cli_value_at(const struct cli_args *args, const char *name, size_t index)
{
    const struct cli_option *option = option_find(args->command, name, strlen(name));

    ASSERT(option && option->arg);
    for (size_t i = 0; i < args->count; i++) {
        if (args->given[i].option == option && index-- == 0)
            return args->given[i].value;
    }
    return NULL;
}

const char *cli_value(const struct cli_args *args, const char *name)
{
    const char *value = NULL, *next;

    for (size_t i = 0; (next = cli_value_at(args, name, i)); i++)
        value = next;
    return value;
}
