// SPDX-License-Identifier: BSD-3-Clause
// A guest's console as a file: its lines with the time of the guest and of the host.
#include "api/host_priv.h"
#include "api/machine_priv.h"
#include "base/alloc.h"
#include "sim/sim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct console_file {
    const struct sim *sim; // borrowed
    FILE *file;
    double start;
    bool in_line;
};

void console_file_take(struct console_file *f, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\r')
            continue;
        if (!f->in_line)
            fprintf(f->file, "%13.6f %10.3f  ", (double)sim_now(f->sim) / TICKS_PER_SECOND,
                    host_now() - f->start);
        f->in_line = data[i] != '\n';
        fputc(data[i], f->file);
    }
}

void console_file_close(struct console_file *f)
{
    if (!f)
        return;
    fclose(f->file);
    free(f);
}

bool facet_machine_log_console(struct facet_machine *machine, const char *file,
                               struct facet_error *err)
{
    struct error inner;
    FILE *out;

    if (!machine->computer)
        return api_error(err, FACET_ERROR_USAGE,
                         "a console log is of a computer, and none is booted");
    out = fopen(file, "we");
    if (!out) {
        error_set_errno(&inner, "cannot write the console log '%s'", file);
        return api_fail(err, &inner);
    }
    setvbuf(out, NULL, _IOLBF, 0);
    console_file_close(machine->console);
    machine->console = xcalloc(1, sizeof(*machine->console));
    machine->console->sim = computer_board(machine->computer)->sim;
    machine->console->file = out;
    machine->console->start = host_now();
    return true;
}
