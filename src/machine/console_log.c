// SPDX-License-Identifier: BSD-3-Clause
#include "machine/console_log.h"

#include "machine/pc.h"

#include <stdio.h>
#include <string.h>

static const char panic_text[] = "Kernel panic - not syncing";
enum { TAIL_LINES = 20 };

void console_log_init(struct console_log *log, struct component *pc)
{
    *log = (struct console_log){.pc = pc};
}

static void end_line(struct console_log *log)
{
    const char *at;

    log->line[log->line_length] = 0;
    log->line_length = 0;
    at = strstr(log->line, panic_text);
    if (!at || log->panic[0])
        return;
    at += sizeof(panic_text) - 1;
    at += strspn(at, ": ");
    snprintf(log->panic, sizeof(log->panic), "%s", *at ? at : "no reason given");
    pc_request(log->pc, PC_PANIC, 0);
}

void console_log_watch(struct console_log *log, const char *text)
{
    snprintf(log->watched, sizeof(log->watched), "%s", text ? text : "");
    log->matched = 0;
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
        console_log_watch(log, NULL);
        pc_request(log->pc, PC_EVENT, 0);
    }
}

static void take(struct console_log *log, u8 c)
{
    if (log->watched[0])
        watch(log, (char)c);
    log->tail[log->written++ % CONSOLE_TAIL] = c;
    if (c == '\n')
        end_line(log);
    else if (c != '\r' && log->line_length + 1 < sizeof(log->line))
        log->line[log->line_length++] = (char)c;
}

static void console_write(void *ctx, const u8 *data, size_t size)
{
    struct console_log *log = ctx;

    for (size_t i = 0; i < size; i++)
        take(log, data[i]);
    if (log->output.write)
        log->output.write(log->output.ctx, data, size);
}

struct char_output console_log_through(struct console_log *log, struct char_output output)
{
    log->output = output;
    return (struct char_output){.write = console_write, .ctx = log};
}

void console_log_tail(const struct console_log *log, struct strbuf *out)
{
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
        u8 c = log->tail[at % CONSOLE_TAIL];

        if (c == '\r')
            continue;
        if (begins)
            strbuf_puts(out, "    | ");
        begins = c == '\n';
        // The report goes to a terminal: no control characters of the guest's.
        strbuf_putc(out, c == '\n' || (c >= 0x20 && c != 0x7f) ? (char)c : '?');
    }
    if (!begins)
        strbuf_putc(out, '\n');
}
