// SPDX-License-Identifier: BSD-3-Clause
#include "base/strbuf.h"

#include "base/alloc.h"
#include "base/bug.h"

#include <stdio.h>
#include <string.h>

static void reserve(struct strbuf *s, size_t more)
{
    size_t need = s->length + more + 1;

    if (need <= s->room)
        return;
    s->room = MAX(need, s->room * 2);
    s->text = xrealloc(s->text, s->room, 1);
}

void strbuf_release(struct strbuf *s)
{
    free(s->text);
    *s = (struct strbuf){0};
}

void strbuf_clear(struct strbuf *s)
{
    s->length = 0;
    if (s->text)
        s->text[0] = '\0';
}

void strbuf_add(struct strbuf *s, const void *bytes, size_t size)
{
    reserve(s, size);
    if (size)
        memcpy(s->text + s->length, bytes, size);
    s->length += size;
    s->text[s->length] = '\0';
}

void strbuf_puts(struct strbuf *s, const char *text)
{
    strbuf_add(s, text, strlen(text));
}

void strbuf_putc(struct strbuf *s, char c)
{
    strbuf_add(s, &c, 1);
}

void strbuf_vprintf(struct strbuf *s, const char *fmt, va_list ap)
{
    va_list again;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    ASSERT(n >= 0);
    reserve(s, (size_t)n);
    vsnprintf(s->text + s->length, (size_t)n + 1, fmt, ap);
    s->length += (size_t)n;
}

void strbuf_printf(struct strbuf *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    strbuf_vprintf(s, fmt, ap);
    va_end(ap);
}
