// SPDX-License-Identifier: BSD-3-Clause
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool error_set_at(struct error *err, enum error_code code, const char *file, int line,
                  const char *fmt, ...)
{
    va_list ap;

    err->code = code;
    err->file = file;
    err->line = line;
    va_start(ap, fmt);
    vsnprintf(err->message, sizeof(err->message), fmt, ap);
    va_end(ap);
    return false;
}

static enum error_code code_of_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ENAMETOOLONG:
    case ELOOP:
        return ERROR_INPUT;
    case ENOMEM:
    case ENOSPC:
    case EDQUOT:
    case EACCES:
    case EPERM:
    case EMFILE:
    case ENFILE:
    case EROFS:
        return ERROR_RESOURCE;
    case ENOSYS:
    case EOPNOTSUPP:
        return ERROR_UNSUPPORTED;
    default:
        return ERROR_HOST;
    }
}

bool error_set_errno_at(struct error *err, const char *file, int line, const char *fmt, ...)
{
    int number = errno;
    va_list ap;
    size_t n;

    err->code = code_of_errno(number);
    err->file = file;
    err->line = line;
    va_start(ap, fmt);
    vsnprintf(err->message, sizeof(err->message), fmt, ap);
    va_end(ap);
    n = strlen(err->message);
    snprintf(err->message + n, sizeof(err->message) - n, ": %s", strerror(number));
    return false;
}

bool error_wrap(struct error *err, const char *fmt, ...)
{
    char old[sizeof(err->message)];
    va_list ap;
    size_t n;

    memcpy(old, err->message, sizeof(old));
    va_start(ap, fmt);
    vsnprintf(err->message, sizeof(err->message), fmt, ap);
    va_end(ap);
    n = strlen(err->message);
    snprintf(err->message + n, sizeof(err->message) - n, ": %s", old);
    return false;
}
