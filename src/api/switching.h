// SPDX-License-Identifier: BSD-3-Clause
// When the CPU models of a machine change: the settings switch, switch_every and switch_among.
#pragma once

#include "base/error.h"
#include "base/rng.h"

struct settings;

enum switch_at { SWITCH_AT_INSTS, SWITCH_AT_TIME, SWITCH_AT_ROI, SWITCH_AT_OPERATION };

struct switch_step {
    u32 kind; // enum model_kind
    u32 core; // ~0: all
    enum switch_at at;
    u64 number; // instructions or ticks
    bool done;
};

struct switching {
    struct {
        struct switch_step *items; // owned
        size_t count, room;
    } steps;
    enum switch_at every; // insts or time
    u64 period;           // 0: none
    u64 next;             // when the next periodic one is due
    u32 among;            // bit n: model_kind n
    struct rng rng;
};

// "1ms", "100kinsts", "1insts".
bool switching_amount(const char *text, enum switch_at *ret_at, u64 *ret,
                      struct error *err) MUST_CHECK;

// Reads the settings; what is wrong is told by the setting's name.
bool switching_init(struct switching *s, const struct settings *settings,
                    struct error *err) MUST_CHECK;
void switching_release(struct switching *s);
// Whether a machine of so many cores has those that are named.
bool switching_check(const struct switching *s, u32 cores, struct error *err) MUST_CHECK;
// Before the first run: what lies behind this position is not done any more.
void switching_begin(struct switching *s, u64 insts, tick now);

// The nearest point, to limit a run with.
void switching_next(const struct switching *s, u64 *ret_insts, tick *ret_when);
// The model to change to at this point, and of which core; false: none (any more). `current` is the
// model of core 0.
bool switching_due(struct switching *s, u64 insts, tick now, u32 current, u32 *ret_kind,
                   u32 *ret_core);
// The same when the guest asks: the region of interest begins, or its operation to change CPUs.
bool switching_event(struct switching *s, enum switch_at at, u32 current, u32 *ret_kind,
                     u32 *ret_core);
