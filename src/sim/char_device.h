// SPDX-License-Identifier: BSD-3-Clause
// A device that carries characters between the guest and somebody outside (a serial port, a
// console). Provided as IFACE(char_device, &ops); the machine connects it to a terminal, a file or
// a socket, a test to a buffer.
#pragma once

#include "base/types.h"

#include <stddef.h>

struct component;

struct char_output {
    void (*write)(void *ctx, const u8 *data, size_t size); // takes all of it at once
    void *ctx;                                             // borrowed
};

struct char_device_ops {
    // How many characters it can take now without losing any.
    size_t (*room)(struct component *c);
    // Characters for the guest; what exceeds the room is lost, as on a real line.
    void (*input)(struct component *c, const u8 *data, size_t size);
    // Where the guest's characters go from now on; all zero: nowhere.
    void (*connect)(struct component *c, struct char_output output);
};
