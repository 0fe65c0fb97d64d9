// SPDX-License-Identifier: BSD-3-Clause
// What a device may ask of the machine as a whole. The board, the root of the tree, provides it as
// IFACE(control, &ops); a machine without it (a unit test's) just counts nothing and goes on.
#pragma once

#include "sim/component.h"

enum control_request {
    CONTROL_POWER_OFF, // the guest switched itself off
    CONTROL_RESET,     // the guest asked for a reset
    CONTROL_EXIT,      // a test kernel ends; value: what it wrote (isa-debug-exit)
    CONTROL_PANIC,     // the guest says that it panicked; value: pvpanic's bits
    CONTROL_FAILURE,   // of the host, not the guest: sim->failure says which
};

struct control_ops {
    // Takes effect after the current instruction. May be called again before that: the first wins.
    void (*request)(struct component *root, enum control_request what, u32 value);
};

void control_request(struct component *from, enum control_request what, u32 value);
