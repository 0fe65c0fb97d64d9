// SPDX-License-Identifier: BSD-3-Clause
// facet boot: boots a kernel on a computer. Exit codes: docs/decisions/0006-boot-exit-codes.md.
#include "cli/commands.h"
#include "cli/computer.h"
#include "cli/machine_options.h"

static bool boot(struct facet_machine *machine, const struct cli_args *args,
                 struct facet_error *err)
{
    struct facet_boot boot = {
        .kernel = cli_value(args, "kernel"),
        .entry = cli_value(args, "kernel-entry"),
        .initrd = cli_value(args, "initrd"),
        .append = cli_value(args, "append"),
    };

    if (!boot.kernel)
        return cli_usage(err, "boot: no kernel given; '%s' explains", "facet help boot");
    return cli_apply_settings(machine, args, err) &&
           (!cli_value(args, "virtio-console") ||
            facet_machine_set(machine, "pc.hvc0.type", "virtio_console", err)) &&
           facet_machine_boot(machine, &boot, err);
}

static int boot_run(const struct cli_args *args)
{
    struct facet_machine *machine = facet_machine_new();
    struct facet_error err = {.code = FACET_ERROR_NONE};
    bool loaded = boot(machine, args, &err);
    int code = cli_run_computer(machine, args, loaded, &err);

    facet_machine_free(machine);
    return code;
}

const struct cli_command boot_command = {
    .name = "boot",
    .summary = "boot a kernel on a whole computer",
    .operands = "",
    .about =
        "Boots an unmodified x86-64 kernel on facet's own PC: Linux as a distribution ships it "
        "(bzImage or vmlinux), or a Multiboot or PVH kernel. The first serial port is the "
        "terminal, or just standard output when standard input is no terminal; it ends with the "
        "guest.\n\n"
        "The same kernel, files and settings give the same run, to the instruction, and the same "
        "statistics; what is typed is the exception.\n\n"
        "Exit codes: 0 the guest switched itself off or reset itself, N it ended the run with N, "
        "121 its kernel panicked, 122 triple fault, 123 all CPUs wait for what can never come or "
        "the guest is stuck, 124 a limit ended the run, 125 facet failed, 126 the guest ended well "
        "but never started some of its CPUs, 128 + N signal N stopped facet.",
    .examples = "facet boot --kernel vmlinuz --initrd initrd.gz\n"
                "facet boot --kernel vmlinuz --initrd initrd.gz --cpus 4 --mem 1GiB\n"
                "facet boot --kernel vmlinuz --append 'console=ttyS0 root=/dev/nvme0n1' --set "
                "pc.uart0.char_ticks=87us",
    .max_operands = 0,
    .usage_code = BOOT_FACET,
    .run = boot_run,
};
