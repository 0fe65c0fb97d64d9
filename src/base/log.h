// SPDX-License-Identifier: BSD-3-Clause
// The log: rare messages, for people, on standard error or a file. Library code that returns an
// error does not also log it. For frequent events there are trace points, not the log.
#pragma once

#include "base/types.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

// `who` is the path of a component ("cpu0.mmu") or a subsystem ("linux"); the message has no
// trailing newline.
void log_message(enum log_level level, const char *who, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_error(who, ...) log_message(LOG_ERROR, who, __VA_ARGS__)
#define log_warn(who, ...) log_message(LOG_WARN, who, __VA_ARGS__)
#define log_info(who, ...) log_message(LOG_INFO, who, __VA_ARGS__)
#define log_debug(who, ...) log_message(LOG_DEBUG, who, __VA_ARGS__)
