// SPDX-License-Identifier: BSD-3-Clause
#include "base/log.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/names.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const level_names[] = {"error", "warn", "info", "debug"};

struct rule {
    char *glob; // owned
    enum log_level level;
};

// The one sink of the process (STYLE.md section 5 allows this global and a signal flag).
static struct {
    int fd;
    bool json_lines;
    VEC(struct rule) rules;
} sink = {.fd = 2};

static bool level_of(const char *name, size_t length, enum log_level *ret_level)
{
    for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
        if (strlen(level_names[i]) == length && memcmp(level_names[i], name, length) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static void rules_clear(struct rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(rules[i].glob);
    free(rules);
}

bool log_set_filter(const char *filter, struct error *err)
{
    VEC(struct rule) rules = {0};

    for (const char *p = filter; *p;) {
        size_t n = strcspn(p, ",");
        const char *equals = memchr(p, '=', n);
        const char *level = equals ? equals + 1 : p;
        struct rule r;

        if (!level_of(level, (size_t)(p + n - level), &r.level)) {
            rules_clear(rules.items, rules.count);
            return error_set(err, ERROR_USAGE,
                             "'%.*s' is no log level (error, warn, info, debug; write LEVEL or "
                             "PATH-GLOB=LEVEL)",
                             (int)(p + n - level), level);
        }
        r.glob = equals ? xasprintf("%.*s", (int)(equals - p), p) : xstrdup("*");
        VEC_PUSH(&rules, r);
        p += n + (p[n] == ',');
    }
    rules_clear(sink.rules.items, sink.rules.count);
    sink.rules.items = rules.items;
    sink.rules.count = rules.count;
    sink.rules.room = rules.room;
    return true;
}

void log_set_sink(int fd, bool json_lines)
{
    sink.fd = fd;
    sink.json_lines = json_lines;
}

bool log_enabled(enum log_level level, const char *who)
{
    for (size_t i = sink.rules.count; i-- > 0;)
        if (names_glob(sink.rules.items[i].glob, who))
            return level <= sink.rules.items[i].level;
    return level <= LOG_WARN;
}

// Guests choose parts of messages: no control character reaches the terminal, and a message stays
// one line.
static void put_clean(struct strbuf *line, const char *text)
{
    for (; *text; text++) {
        u8 c = (u8)*text;

        if (c < 0x20 || c == 0x7f)
            strbuf_printf(line, "\\x%02x", c);
        else
            strbuf_putc(line, *text);
    }
}

// One write per line, so that lines of several threads or processes do not mix.
static void emit(enum log_level level, const tick *when, const char *who, const char *text)
{
    AUTO(strbuf) struct strbuf line = {0};

    if (sink.json_lines) {
        struct json_out j = json_out_to(&line);

        j.compact = true;
        json_put_object(&j);
        json_put_key_string(&j, "level", level_names[level]);
        if (when)
            json_put_key_u64(&j, "tick", *when);
        json_put_key_string(&j, "who", who);
        json_put_key_string(&j, "message", text);
        json_put_end(&j);
    } else {
        strbuf_printf(&line, "facet: %s: ", level_names[level]);
        if (when)
            strbuf_printf(&line, "%" PRIu64 " ", *when);
        put_clean(&line, who);
        strbuf_puts(&line, ": ");
        put_clean(&line, text);
        strbuf_putc(&line, '\n');
    }
    // A log that cannot be written is no reason to stop.
    if (write(sink.fd, line.text, line.length) < 0)
        return;
}

void log_message(enum log_level level, const char *who, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    if (!log_enabled(level, who))
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    emit(level, NULL, who, text);
}

void log_message_at(enum log_level level, tick when, const char *who, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    if (!log_enabled(level, who))
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    emit(level, &when, who, text);
}

void log_limited(struct log_limit *limit, enum log_level level, const char *who, const char *fmt,
                 ...)
{
    char text[512];
    va_list ap;
    u64 n = ++limit->count;

    if ((n > 8 && (n & (n - 1))) || !log_enabled(level, who))
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n >= 8) {
        size_t used = strlen(text);

        snprintf(text + used, sizeof(text) - used,
                 " (%" PRIu64 " times; shown again at %" PRIu64 ")", n, 2 * n);
    }
    emit(level, NULL, who, text);
}
