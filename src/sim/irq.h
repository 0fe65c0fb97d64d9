// SPDX-License-Identifier: BSD-3-Clause
// An interrupt line: a level that one device drives and something else (a controller, a CPU, a
// test's mock) watches. Whoever drives it does not know who watches, nor its number there.
#pragma once

#include "base/types.h"

struct irq_ops {
    // Called on every drive, also when the level stays the same.
    void (*set)(void *ctx, unsigned number, bool level);
};

// All zero: not connected, which is fine.
struct irq_line {
    const struct irq_ops *ops; // borrowed
    void *ctx;                 // borrowed
    unsigned number;           // at the watcher
};

static inline void irq_line_set(const struct irq_line *line, bool level)
{
    if (line->ops)
        line->ops->set(line->ctx, line->number, level);
}

static inline void irq_line_pulse(const struct irq_line *line)
{
    irq_line_set(line, true);
    irq_line_set(line, false);
}
