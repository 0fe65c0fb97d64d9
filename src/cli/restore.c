// SPDX-License-Identifier: BSD-3-Clause
// facet restore: goes on from a checkpoint.
#include "cli/commands.h"
#include "cli/computer.h"
#include "cli/machine_options.h"

static int restore_run(const struct cli_args *args)
{
    struct facet_machine *machine = facet_machine_new();
    struct facet_error err = {.code = FACET_ERROR_NONE};
    bool loaded;
    int code;

    if (cli_operand_count(args) != 1)
        loaded =
            cli_usage(&err, "restore: wants one checkpoint; '%s' explains", "facet help restore");
    else
        loaded = cli_apply_settings(machine, args, &err) &&
                 facet_machine_restore(machine, cli_operands(args)[0], &err);
    code = cli_run_computer(machine, args, loaded, &err);
    facet_machine_free(machine);
    return code;
}

const struct cli_command restore_command = {
    .name = "restore",
    .summary = "go on from a checkpoint",
    .operands = "DIR",
    .about =
        "Makes a computer what it was when the checkpoint was saved, and runs on: with the same "
        "instructions, output and statistics as if it had never stopped. A checkpoint can be "
        "restored any number of times, also side by side.\n\n"
        "Exit codes: as facet boot.",
    .examples = "facet boot --kernel vmlinuz --initrd initrd.gz --checkpoint-at 'console:login:'\n"
                "facet restore checkpoints/000812345678",
    .max_operands = 1,
    .usage_code = BOOT_FACET,
    .run = restore_run,
};
