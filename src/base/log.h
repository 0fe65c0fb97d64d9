// SPDX-License-Identifier: BSD-3-Clause
// The log: rare messages, for people, on standard error or a file. Library code that returns an
// error does not also log it. For frequent events there are trace points, not the log.
#pragma once

#include "base/error.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

// `who` is the path of a component ("cpu0.mmu") or a subsystem ("linux"); the message has no
// trailing newline.
void log_message(enum log_level level, const char *who, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_error(who, ...) log_message(LOG_ERROR, who, __VA_ARGS__)
#define log_warn(who, ...) log_message(LOG_WARN, who, __VA_ARGS__)
#define log_info(who, ...) log_message(LOG_INFO, who, __VA_ARGS__)
#define log_debug(who, ...) log_message(LOG_DEBUG, who, __VA_ARGS__)

// As log_message, with the simulated time in front of `who`.
void log_message_at(enum log_level level, tick when, const char *who, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

// For what a guest can provoke at will: the first 8 messages of a site are shown, then the 16th,
// 32nd, 64th and so on, with the count. `limit` starts at {0} and belongs to the machine.
struct log_limit {
    u64 count;
};
void log_limited(struct log_limit *limit, enum log_level level, const char *who, const char *fmt,
                 ...) PRINTF_LIKE(4, 5);

// Whether a message would be shown: to avoid the work of making it.
bool log_enabled(enum log_level level, const char *who);

// The sink and the filter are the process's. A filter is a comma list of LEVEL or GLOB=LEVEL
// ("debug", "pc.cpu*=debug,linux=error"); the last that matches decides; default: warn.
bool log_set_filter(const char *filter, struct error *err) MUST_CHECK;
// Messages go to `fd` from now on (2 at first), as text or as one JSON object a line.
void log_set_sink(int fd, bool json_lines);
