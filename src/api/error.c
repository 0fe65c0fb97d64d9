// SPDX-License-Identifier: BSD-3-Clause
#include <stdarg.h>
#include <stdio.h>

#include "api/api_priv.h"
#include "base/bug.h"

static enum facet_error_code code_of(enum error_code code)
{
    switch (code) {
    case ERROR_NONE:
        return FACET_ERROR_NONE;
    case ERROR_USAGE:
        return FACET_ERROR_USAGE;
    case ERROR_INPUT:
        return FACET_ERROR_INPUT;
    case ERROR_UNSUPPORTED:
        return FACET_ERROR_UNSUPPORTED;
    case ERROR_RESOURCE:
        return FACET_ERROR_RESOURCE;
    case ERROR_HOST:
        return FACET_ERROR_HOST;
    case ERROR_NOT_FOUND:
        return FACET_ERROR_NOT_FOUND;
    case ERROR_NOT_EXECUTABLE:
        return FACET_ERROR_NOT_EXECUTABLE;
    }
    BUG("error code %d", (int)code);
}

bool api_fail(struct facet_error *err, const struct error *from)
{
    err->code = code_of(from->code);
    snprintf(err->message, sizeof(err->message), "%s", from->message);
    return false;
}

bool api_error(struct facet_error *err, enum facet_error_code code, const char *fmt, ...)
{
    va_list ap;

    err->code = code;
    va_start(ap, fmt);
    vsnprintf(err->message, sizeof(err->message), fmt, ap);
    va_end(ap);
    return false;
}
