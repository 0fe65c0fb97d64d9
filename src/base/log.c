// SPDX-License-Identifier: BSD-3-Clause
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void log_message(enum log_level level, const char *who, const char *fmt, ...)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    char text[512];
    va_list ap;

    if (level > LOG_WARN)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fprintf(stderr, "facet: %s: %s: %s\n", names[level], who, text);
}
