// SPDX-License-Identifier: BSD-3-Clause
// Every command, each defined in the file of its name.
#pragma once

#include "cli/cli.h"

extern const struct cli_command boot_command;
extern const struct cli_command restore_command;
extern const struct cli_command exec_command;
extern const struct cli_command checkpoint_command;
extern const struct cli_command stats_command;
extern const struct cli_command image_command;
extern const struct cli_command get_command;
extern const struct cli_command doctor_command;
extern const struct cli_command version_command;
extern const struct cli_command help_command;
extern const struct cli_command completion_command;
