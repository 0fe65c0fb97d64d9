// SPDX-License-Identifier: BSD-3-Clause
// Simulated time and the events waiting for it. One queue per machine, ordered by (when, priority,
// sequence): no ties, so the order never depends on addresses or on how the queue is built.
// Events are intrusive: nothing is allocated, an event is a member of whoever owns it.
#pragma once

#include "base/types.h"

struct event;
struct event_queue;

// Runs when the event's time has come; the event is no longer pending and may be scheduled again.
typedef void event_fn(void *owner, struct event *event);

enum event_priority {
    EVENT_EARLY = -10, // before the normal work of a tick
    EVENT_NORMAL = 0,
    EVENT_LATE = 10,  // after it: statistics, sampling
    EVENT_EXIT = 100, // ends the run once everything of this tick is done
};

struct event {
    struct event_queue *queue; // borrowed, set by event_init
    event_fn *fire;
    void *owner; // borrowed
    const char *name;
    tick when;
    u64 sequence;
    i32 priority;
    bool pending;
    struct event *child, *next, *prev; // the heap's links; prev is the parent for a first child
};

struct event_queue {
    tick now;
    u64 next_sequence;
    struct event *root;
    u64 pending; // number of events in the queue
    u64 fired;
};

void event_queue_init(struct event_queue *q);

// `name` must outlive the event.
void event_init(struct event *e, struct event_queue *q, const char *name, event_fn *fire,
                void *owner);
// `when` must not lie in the past; scheduling a pending event moves it.
void event_schedule(struct event *e, tick when, i32 priority);
// Beyond the end of time (2^64 ticks) means at its end.
static inline void event_schedule_in(struct event *e, tick delay)
{
    tick now = e->queue->now;

    event_schedule(e, delay > ~(tick)0 - now ? ~(tick)0 : now + delay, EVENT_NORMAL);
}
// Does nothing when it is not pending.
void event_cancel(struct event *e);

// The time of the first event, or ~0 when there is none. An event at ~0, the end of time, never
// fires.
tick event_queue_next(const struct event_queue *q);
// Fires the first event if it is due at or before `limit`; false when there is none. Moves `now`
// to the event's time.
bool event_queue_step(struct event_queue *q, tick limit);
// Fires all events due at or before `until`, then sets now = until. Returns how many were fired.
u64 event_queue_run(struct event_queue *q, tick until);

// For the checkpoint codec: puts an event back with the sequence number it had.
void event_restore(struct event *e, tick when, i32 priority, u64 sequence);
