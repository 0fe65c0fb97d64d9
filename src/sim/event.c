// SPDX-License-Identifier: BSD-3-Clause
// A pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986). The keys are unique, so the order of
// firing is a property of the keys alone.
#include "sim/event.h"

#include "base/bug.h"

static bool before(const struct event *a, const struct event *b)
{
    if (a->when != b->when)
        return a->when < b->when;
    if (a->priority != b->priority)
        return a->priority < b->priority;
    return a->sequence < b->sequence;
}

static struct event *meld(struct event *a, struct event *b)
{
    if (!a)
        return b;
    if (!b)
        return a;
    if (before(b, a)) {
        struct event *t = a;

        a = b;
        b = t;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    return a;
}

// Melds a list of siblings in two passes: pairs from left to right, then the pairs from the right.
static struct event *meld_list(struct event *first)
{
    struct event *pairs = NULL, *all = NULL;

    while (first) {
        struct event *a = first, *b = a->next;

        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    while (pairs) {
        struct event *rest = pairs->next;

        pairs->next = NULL;
        all = meld(all, pairs);
        pairs = rest;
    }
    return all;
}

static void insert(struct event *e, tick when, i32 priority, u64 sequence)
{
    struct event_queue *q = e->queue;

    ASSERT(when >= q->now);
    e->when = when;
    e->priority = priority;
    e->sequence = sequence;
    e->child = e->next = e->prev = NULL;
    e->pending = true;
    q->root = meld(q->root, e);
    q->pending++;
}

void event_queue_init(struct event_queue *q)
{
    *q = (struct event_queue){0};
}

void event_init(struct event *e, struct event_queue *q, const char *name, event_fn *fire,
                void *owner)
{
    *e = (struct event){.queue = q, .fire = fire, .owner = owner, .name = name};
}

void event_schedule(struct event *e, tick when, i32 priority)
{
    event_cancel(e);
    insert(e, when, priority, e->queue->next_sequence++);
}

void event_restore(struct event *e, tick when, i32 priority, u64 sequence)
{
    event_cancel(e);
    insert(e, when, priority, sequence);
}

void event_cancel(struct event *e)
{
    struct event_queue *q = e->queue;
    struct event *below;

    if (!e->pending)
        return;
    below = meld_list(e->child);
    if (q->root == e) {
        q->root = below;
    } else {
        if (e->prev->child == e)
            e->prev->child = e->next;
        else
            e->prev->next = e->next;
        if (e->next)
            e->next->prev = e->prev;
        q->root = meld(q->root, below);
    }
    e->child = e->next = e->prev = NULL;
    e->pending = false;
    q->pending--;
}

tick event_queue_next(const struct event_queue *q)
{
    return q->root ? q->root->when : ~(tick)0;
}

bool event_queue_step(struct event_queue *q, tick limit)
{
    struct event *e = q->root;

    if (!e || e->when > limit || e->when == ~(tick)0)
        return false;
    event_cancel(e);
    q->now = e->when;
    q->fired++;
    e->fire(e->owner, e);
    return true;
}

u64 event_queue_run(struct event_queue *q, tick until)
{
    u64 fired = 0;

    while (event_queue_step(q, until))
        fired++;
    if (q->now < until)
        q->now = until;
    return fired;
}
