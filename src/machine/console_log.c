// SPDX-License-Identifier: BSD-3-Clause
#include "machine/console_log.h"

#include "machine/pc.h"
#include "sim/sim.h"

#include <stdio.h>
#include <string.h>

static const char panic_text[] = "Kernel panic - not syncing";
enum { TAIL_LINES = 20 };

enum { CONSOLE_TAIL = 4096, CONSOLE_LINE = 200 };

// tail is a ring; line is the current one, as far as it fits; panic is text with its NUL.
#define CONSOLE_LOG_STATE(F, FA, FE, FV) \
    F(u64, written)                      \
    FA(u8, tail, CONSOLE_TAIL)           \
    FA(u8, line, CONSOLE_LINE)           \
    FA(u8, panic, CONSOLE_LINE)          \
    F(u32, line_length)                  \
    F(u32, pad)

COMPONENT_LISTS(console_log, NO_ROWS, CONSOLE_LOG_STATE, NO_ROWS, NO_ROWS);

struct console_log {
    struct component base;
    struct console_log_params p;
    struct console_log_state st;
    struct console_log_stats n;
    WIRED(struct char_output output);
    DERIVED(char watched[CONSOLE_LINE]); // of this process: ends the run; empty: none
    DERIVED(size_t matched);             // of it
};

static struct console_log *console_log_of(const struct component *c)
{
    ASSERT(c->type == &console_log_type);
    return (struct console_log *)(uintptr_t)c;
}

static void end_line(struct console_log *log)
{
    char line[CONSOLE_LINE];
    const char *at;

    snprintf(line, sizeof(line), "%.*s", (int)log->st.line_length, (const char *)log->st.line);
    log->st.line_length = 0;
    at = strstr(line, panic_text);
    if (!at || log->st.panic[0])
        return;
    at += sizeof(panic_text) - 1;
    at += strspn(at, ": ");
    snprintf((char *)log->st.panic, sizeof(log->st.panic), "%s", *at ? at : "no reason given");
    pc_request(log->base.sim->root, PC_PANIC, 0);
}

static void set_watched(struct console_log *log, const char *text)
{
    snprintf(log->watched, sizeof(log->watched), "%s", text ? text : "");
    log->matched = 0;
}

void console_log_watch(struct component *c, const char *text)
{
    set_watched(console_log_of(c), text);
}

// How much of the watched text the console ends with, after one more character.
static void watch(struct console_log *log, char c)
{
    size_t n = log->matched;

    // The longest shorter beginning that is also an end of what was matched.
    while (n && log->watched[n] != c) {
        size_t k = n - 1;

        while (k && memcmp(log->watched, log->watched + n - k, k) != 0)
            k--;
        n = k;
    }
    n += log->watched[n] == c;
    log->matched = n;
    if (n && !log->watched[n]) {
        set_watched(log, NULL);
        pc_request(log->base.sim->root, PC_EVENT, 0);
    }
}

static void take(struct console_log *log, u8 c)
{
    if (log->watched[0])
        watch(log, (char)c);
    log->st.tail[log->st.written++ % CONSOLE_TAIL] = c;
    if (c == '\n')
        end_line(log);
    else if (c != '\r' && log->st.line_length < sizeof(log->st.line))
        log->st.line[log->st.line_length++] = c;
}

static void console_write(void *ctx, const u8 *data, size_t size)
{
    struct console_log *log = ctx;

    for (size_t i = 0; i < size; i++)
        take(log, data[i]);
    if (log->output.write)
        log->output.write(log->output.ctx, data, size);
}

struct char_output console_log_through(struct component *c, struct char_output output)
{
    struct console_log *log = console_log_of(c);

    log->output = output;
    return (struct char_output){.write = console_write, .ctx = log};
}

const char *console_log_panic(const struct component *c)
{
    return (const char *)console_log_of(c)->st.panic;
}

void console_log_tail(const struct component *c, struct strbuf *out)
{
    const struct console_log_state *log = &console_log_of(c)->st;
    u64 first = log->written > CONSOLE_TAIL ? log->written - CONSOLE_TAIL : 0, at = log->written;
    u32 lines = 0;
    bool begins = true;

    if (!log->written)
        return;
    if (at > first && log->tail[(at - 1) % CONSOLE_TAIL] == '\n')
        at--;
    while (at > first && (lines += log->tail[(at - 1) % CONSOLE_TAIL] == '\n') < TAIL_LINES)
        at--;
    strbuf_puts(out, "console:\n");
    for (; at < log->written; at++) {
        u8 ch = log->tail[at % CONSOLE_TAIL];

        if (ch == '\r')
            continue;
        if (begins)
            strbuf_puts(out, "    | ");
        begins = ch == '\n';
        // The report goes to a terminal: no control characters of the guest's.
        strbuf_putc(out, ch == '\n' || (ch >= 0x20 && ch != 0x7f) ? (char)ch : '?');
    }
    if (!begins)
        strbuf_putc(out, '\n');
}

static bool console_log_after_load(struct component *c, struct error *err)
{
    struct console_log *log = console_log_of(c);

    if (log->st.line_length > CONSOLE_LINE || log->st.panic[CONSOLE_LINE - 1])
        return error_set(err, ERROR_INPUT, "%s: the saved line makes no sense", c->path);
    return true;
}

static const struct component_ops console_log_ops = {.after_load = console_log_after_load};

const struct component_type console_log_type = {
    .name = "console_log",
    .doc = "What the guest's console said last",
    COMPONENT_LAYOUT(console_log),
    .ops = &console_log_ops,
};
