// SPDX-License-Identifier: BSD-3-Clause
// What goes over a guest's console (type `console_log`): passes it on, keeps the last of it for
// reports, and notices when the guest's kernel says that it panicked, which ends the run. What it
// keeps is in checkpoints: a line that one cuts is still a line.
#pragma once

#include "base/strbuf.h"
#include "sim/char_device.h"
#include "sim/component.h"

extern const struct component_type console_log_type;

// Ends the run (PC_EVENT 0) when `text` comes, once; NULL: does not.
void console_log_watch(struct component *c, const char *text);
// To be connected instead of `output`.
struct char_output console_log_through(struct component *c, struct char_output output);
// What the kernel said when it panicked; empty: it did not.
const char *console_log_panic(const struct component *c);
// Appends the last lines, each indented, with a head.
void console_log_tail(const struct component *c, struct strbuf *out);
