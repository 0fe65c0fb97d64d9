// SPDX-License-Identifier: BSD-3-Clause
// What `facet boot` and `facet restore` have in common: the console, checkpoints while it runs, how
// it ends.
#pragma once

#include "cli/cli.h"

// Runs a computer to its end and tells about it. `loaded` false: there is none, and *err says why.
// Returns the exit code.
int cli_run_computer(struct facet_machine *machine, const struct cli_args *args, bool loaded,
                     struct facet_error *err);
