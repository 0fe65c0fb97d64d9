// SPDX-License-Identifier: BSD-3-Clause
#include "base/alloc.h"

#include "base/bug.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void *xcalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);

    if (!p)
        BUG("out of memory: %zu * %zu bytes", count, size);
    return p;
}

void *xrealloc(void *old, size_t count, size_t size)
{
    void *p = reallocarray(old, count ? count : 1, size ? size : 1);

    if (!p)
        BUG("out of memory: %zu * %zu bytes", count, size);
    return p;
}

char *xstrdup(const char *s)
{
    size_t n = strlen(s) + 1;

    return memcpy(xcalloc(n, 1), s, n);
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    char *s;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&s, fmt, ap);
    va_end(ap);
    if (n < 0)
        BUG("out of memory");
    return s;
}
