// SPDX-License-Identifier: BSD-3-Clause
// facet boot: boots a kernel on a computer. The guest's console is the terminal; exit codes:
// docs/decisions/0005-boot-exit-codes.md.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/bug.h"
#include "cli/commands.h"
#include "cli/machine_options.h"

enum { ESCAPE = 0x1d, PENDING = 256 }; // Ctrl-]

// The terminal as the guest's console.
struct console {
    struct facet_machine *machine;
    struct termios saved;
    bool raw;              // the terminal's settings were changed
    bool input;            // standard input is read
    char pending[PENDING]; // typed, not yet taken by the guest
    size_t pending_count;
};

static int exit_code_of(const struct facet_result *result)
{
    switch (result->end) {
    case FACET_END_POWER_OFF:
    case FACET_END_RESET:
        return 0;
    case FACET_END_EXITED:
        return result->status & 0xff;
    case FACET_END_PANIC:
        return BOOT_PANIC;
    case FACET_END_SHUTDOWN:
        return BOOT_SHUTDOWN;
    case FACET_END_DEADLOCK:
        return BOOT_HALTED;
    case FACET_END_LIMIT:
        return BOOT_LIMIT;
    case FACET_END_KILLED:
    case FACET_END_STOPPED:
        return BOOT_SIGNAL + result->status;
    }
    BUG("end %d", (int)result->end);
}

// ---- the console

static void write_console(void *context, const char *data, size_t size)
{
    while (size) {
        ssize_t n = write(STDOUT_FILENO, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; // nobody reads any more; the guest goes on
        data += n;
        size -= (size_t)n;
    }
}

static void type_pending(struct console *c)
{
    size_t n = facet_machine_type(c->machine, 0, c->pending, c->pending_count);

    c->pending_count -= n;
    memmove(c->pending, c->pending + n, c->pending_count);
}

static unsigned poll_console(void *context, unsigned idle_ms)
{
    struct console *c = context;
    struct pollfd p = {.fd = c->input ? STDIN_FILENO : -1, .events = POLLIN};
    struct timespec start, end;
    ssize_t n;
    char *escape;

    type_pending(c);
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (c->pending_count < PENDING && poll(&p, 1, c->pending_count ? 0 : (int)idle_ms) > 0) {
        char *at = c->pending + c->pending_count;

        n = read(STDIN_FILENO, at, PENDING - c->pending_count);
        if (n <= 0 && errno != EINTR)
            c->input = false;
        escape = n > 0 && c->raw ? memchr(at, ESCAPE, (size_t)n) : NULL;
        if (escape)
            facet_machine_stop(c->machine, SIGINT);
        else if (n > 0)
            c->pending_count += (size_t)n;
        type_pending(c);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (unsigned)((end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000);
}

// With standard input a terminal it is the guest's keyboard; else the guest just runs.
static void open_console(struct console *c)
{
    struct termios raw;

    facet_machine_console(c->machine, 0, write_console, c);
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &c->saved) != 0)
        return;
    raw = c->saved;
    cfmakeraw(&raw);
    raw.c_oflag |= OPOST; // messages of facet's own still look right
    fputs("facet: this terminal is the guest's console; Ctrl-] ends facet\n", stderr);
    c->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    c->input = true;
    facet_machine_on_poll(c->machine, poll_console, c);
}

static void close_console(struct console *c)
{
    if (c->raw)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &c->saved);
    c->raw = false;
}

// ---- the command

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
    return facet_machine_set(machine, "mem", "512MiB", err) &&
           cli_apply_settings(machine, args, err) && facet_machine_boot(machine, &boot, err);
}

static void tell_end(struct facet_machine *machine, const struct facet_result *result)
{
    switch (result->end) {
    case FACET_END_POWER_OFF:
    case FACET_END_RESET:
        break;
    case FACET_END_EXITED:
        if (result->status)
            cli_complain("%s", result->reason);
        break;
    case FACET_END_LIMIT:
    case FACET_END_STOPPED:
    case FACET_END_KILLED:
        cli_complain("%s", result->reason);
        break;
    case FACET_END_PANIC:
    case FACET_END_SHUTDOWN:
    case FACET_END_DEADLOCK:
        cli_complain("%s", result->reason);
        fputs(facet_machine_report(machine), stderr);
        break;
    }
}

static int boot_run(const struct cli_args *args)
{
    struct facet_machine *machine = facet_machine_new();
    struct console console = {.machine = machine};
    struct facet_result result = {.end = FACET_END_POWER_OFF};
    struct facet_error err = {.code = FACET_ERROR_NONE}, stats_err;
    bool loaded = boot(machine, args, &err), good = false;
    int code;

    if (loaded) {
        open_console(&console);
        good = cli_run_machine(machine, &result, &err);
        close_console(&console);
    }
    if (good)
        tell_end(machine, &result);
    if (loaded && !cli_write_stats(machine, args, &stats_err) && good) {
        err = stats_err;
        good = false;
    }
    code = good ? exit_code_of(&result) : BOOT_FACET;
    if (!good)
        cli_complain("%s", err.message);
    if (!cli_write_status(args, &result, good ? NULL : &err, code))
        code = BOOT_FACET;
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
        "121 its kernel panicked, 122 triple fault, 123 all CPUs wait for what can never come, "
        "124 a limit ended the run, 125 facet failed, 128 + N signal N stopped facet.",
    .examples = "facet boot --kernel vmlinuz --initrd initrd.gz\n"
                "facet boot --kernel vmlinuz --initrd initrd.gz --cpus 4 --mem 1GiB\n"
                "facet boot --kernel vmlinuz --append 'console=ttyS0 root=/dev/nvme0n1' --set "
                "pc.uart0.char_ticks=87us",
    .max_operands = 0,
    .usage_code = BOOT_FACET,
    .run = boot_run,
};
