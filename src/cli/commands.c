// SPDX-License-Identifier: BSD-3-Clause
#include "cli/commands.h"

#include <string.h>

#include "base/bug.h"
#include "base/names.h"

static const struct cli_command *const commands[] = {
    &exec_command,    &boot_command,  &restore_command,    &checkpoint_command,
    &image_command,   &stats_command, &get_command,        &doctor_command,
    &version_command, &help_command,  &completion_command,
};

size_t cli_command_count(void)
{
    return ARRAY_SIZE(commands);
}

const struct cli_command *cli_command_at(size_t index)
{
    ASSERT(index < ARRAY_SIZE(commands));
    return commands[index];
}

const struct cli_command *cli_command_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

const char *cli_command_near(const char *word)
{
    struct names_nearest near = {.word = word};

    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        names_offer(&near, commands[i]->name);
    return near.best;
}
