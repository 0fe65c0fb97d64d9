// SPDX-License-Identifier: BSD-3-Clause
// A growing byte string; always followed by a NUL, so `text` is a C string once anything was added
// (NULL before: use strbuf_text). Start from {0}; give back with strbuf_release.
#pragma once

#include "base/types.h"

#include <stdarg.h>

struct strbuf {
    char *text; // owned
    size_t length, room;
};

void strbuf_release(struct strbuf *s);
void strbuf_clear(struct strbuf *s);
void strbuf_add(struct strbuf *s, const void *bytes, size_t size);
void strbuf_puts(struct strbuf *s, const char *text);
void strbuf_putc(struct strbuf *s, char c);
void strbuf_printf(struct strbuf *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void strbuf_vprintf(struct strbuf *s, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

static inline const char *strbuf_text(const struct strbuf *s)
{
    return s->text ? s->text : "";
}
