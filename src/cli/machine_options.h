// SPDX-License-Identifier: BSD-3-Clause
// What the commands that run a machine (exec, boot, restore) have in common.
#pragma once

#include "cli/cli.h"

// Fills *err with a mistake on the command line; always returns false. `fmt` has one %s.
bool cli_usage(struct facet_error *err, const char *fmt, const char *value);

// Configuration files first, then the command line in its order: the command line wins.
bool cli_apply_settings(struct facet_machine *machine, const struct cli_args *args,
                        struct facet_error *err);

// `run`, while SIGINT, SIGTERM and SIGHUP stop the machine.
typedef bool cli_run_fn(struct facet_machine *machine, struct facet_result *ret_result,
                        struct facet_error *err);
bool cli_run_machine(struct facet_machine *machine, cli_run_fn *run,
                     struct facet_result *ret_result, struct facet_error *err);

// Does what an event asks for that is about statistics. False: it is about something else.
bool cli_serve_stats(struct facet_machine *machine, const struct facet_event *event);

// The files of --stats-file and --status-file.
bool cli_write_stats(struct facet_machine *machine, const struct cli_args *args,
                     struct facet_error *err);
// `err` is NULL after a run that facet could make. Complains and returns false on failure.
bool cli_write_status(const struct cli_args *args, const struct facet_result *result,
                      const struct facet_error *err, int code);
