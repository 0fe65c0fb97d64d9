// SPDX-License-Identifier: BSD-3-Clause
// What lies between caches and what they share: the way of a message, and which of several slices
// or memories a line belongs to. It carries time only: who talks to whom is settled by calls.
#pragma once

#include "base/error.h"
#include "base/types.h"

struct component;
struct interconnect;

extern const struct component_type interconnect_type;

// Two ends: `near` is an attached cache, `far` one of the targets. net NULL: a direct wire.
struct net_link {
    struct interconnect *net;
    u32 near, far;
};

enum net_size { NET_CONTROL, NET_DATA };

tick interconnect_down(const struct net_link *link, enum net_size size, tick now, bool timed);
tick interconnect_up(const struct net_link *link, enum net_size size, tick now, bool timed);

// When a message that leaves at `now` is there. Timed ones take the links' time.
static inline tick net_down(const struct net_link *link, enum net_size size, tick now, bool timed)
{
    return link->net ? interconnect_down(link, size, now, timed) : now;
}
static inline tick net_up(const struct net_link *link, enum net_size size, tick now, bool timed)
{
    return link->net ? interconnect_up(link, size, now, timed) : now;
}
// From one attached cache to another.
tick net_across(const struct net_link *from, const struct net_link *to, enum net_size size,
                tick now, bool timed);

// How lines are dealt out to `count` slices: 2^shift lines to each in turn.
struct net_slices {
    u32 count; // 0 or 1: not at all
    u32 shift;
};

static inline u32 net_slices_which(const struct net_slices *s, u64 line)
{
    return s->count <= 1 ? 0 : (u32)((line >> s->shift) % s->count);
}
// The line's number among those of its slice.
static inline u64 net_slices_local(const struct net_slices *s, u64 line)
{
    u64 low = line & (((u64)1 << s->shift) - 1);

    return (line >> s->shift) / s->count << s->shift | low;
}

// Interface "interconnect": attaches a cache; gives the names of the targets, NULL at the end.
struct interconnect_ops {
    struct interconnect *(*net)(struct component *c);
};
u32 interconnect_attach(struct interconnect *net);
bool interconnect_targets(struct interconnect *net, const char *const **ret_paths, u32 *ret_count,
                          struct error *err) MUST_CHECK;
struct net_slices interconnect_slices(const struct interconnect *net);
void interconnect_forget(struct interconnect *net);
