// SPDX-License-Identifier: BSD-3-Clause
// One of the three counters of an 8254: a child of dev/pit8254.c.
#pragma once

#include "sim/clock.h"
#include "sim/component.h"

extern const struct component_type pit_counter_type;

static const struct clock pit_clock = {1193182};

// A control word with this counter's number: access, mode and BCD in bits 5-0.
void pit_counter_control(struct component *c, u8 control);
// Holds what is read next: first the status byte, then the count.
void pit_counter_latch(struct component *c, bool count, bool status);
u8 pit_counter_read(struct component *c);
void pit_counter_write(struct component *c, u8 v);
void pit_counter_set_gate(struct component *c, bool level);
bool pit_counter_output(struct component *c);
