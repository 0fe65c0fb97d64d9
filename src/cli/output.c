// SPDX-License-Identifier: BSD-3-Clause
// What the commands say: data on standard output, everything else on standard error.
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "cli/cli.h"

static const struct {
    const char *name;
    int code;
} classes[] = {
    [FACET_ERROR_NONE] = {"none", CLI_OK},
    [FACET_ERROR_USAGE] = {"usage", CLI_USAGE},
    [FACET_ERROR_INPUT] = {"input", CLI_INPUT},
    [FACET_ERROR_UNSUPPORTED] = {"unsupported", CLI_UNSUPPORTED},
    [FACET_ERROR_RESOURCE] = {"resource", CLI_RESOURCE},
    [FACET_ERROR_HOST] = {"host", CLI_FAILED},
    [FACET_ERROR_NOT_FOUND] = {"not-found", CLI_INPUT},
    [FACET_ERROR_NOT_EXECUTABLE] = {"not-executable", CLI_INPUT},
};

void cli_complain(const char *fmt, ...)
{
    va_list ap;

    fflush(stdout);
    fputs("facet: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

int cli_code_of(enum facet_error_code code)
{
    return classes[code].code;
}

const char *cli_class_of(enum facet_error_code code)
{
    return classes[code].name;
}

int cli_fail(const struct facet_error *err)
{
    cli_complain("%s", err->message);
    return cli_code_of(err->code);
}

int cli_finish_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return CLI_OK;
    cli_complain("cannot write to standard output: %s", strerror(errno));
    return CLI_FAILED;
}
