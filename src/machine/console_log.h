// SPDX-License-Identifier: BSD-3-Clause
// What goes over a guest's console: passes it on, keeps the last of it for reports, and notices
// when the guest's kernel says that it panicked, which ends the run.
#pragma once

#include "base/strbuf.h"
#include "sim/char_device.h"

struct component;

enum { CONSOLE_TAIL = 4096, CONSOLE_LINE = 200 };

struct console_log {
    struct component *pc; // borrowed
    struct char_output output;
    u8 tail[CONSOLE_TAIL]; // a ring
    u64 written;
    char line[CONSOLE_LINE]; // the current one, as far as it fits
    size_t line_length;
    char panic[CONSOLE_LINE];   // what the kernel said
    char watched[CONSOLE_LINE]; // ends the run; empty: none
    size_t matched;             // of it
};

void console_log_init(struct console_log *log, struct component *pc);
// Ends the run (PC_EVENT 0) when `text` comes, once; NULL: does not.
void console_log_watch(struct console_log *log, const char *text);
// To be connected instead of `output`.
struct char_output console_log_through(struct console_log *log, struct char_output output);
// Appends the last lines, each indented, with a head.
void console_log_tail(const struct console_log *log, struct strbuf *out);
