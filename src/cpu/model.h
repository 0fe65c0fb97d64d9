// SPDX-License-Identifier: BSD-3-Clause
// What a timing model of a core is to its machine: a component of the timing machine (its own
// struct sim, whose queue has nothing but what takes time: src/sim/timed.h), attached to a core of
// the functional machine. Interface name: "core_model".
#pragma once

#include "cpu/cpu.h"
#include "sim/component.h"

struct core_attachment {
    struct core *core;          // borrowed
    struct block_cache *blocks; // borrowed; the machine's traced one
    // The latest time that any core of the machine has read: a core that reads the time gets no
    // earlier one, and raises it. Borrowed.
    tick *latest_read;
};

struct core_model_ops {
    // The model as a struct cpu, owned by the component. NULL and *err on failure.
    struct cpu *(*attach)(struct component *c, const struct core_attachment *to, struct error *err);
};
