// SPDX-License-Identifier: BSD-3-Clause
#include "sim/drain.h"

#include "base/alloc.h"
#include "base/bug.h"

#include <inttypes.h>
#include <string.h>

struct drainable {
    const char *name;
    const struct drainable_ops *ops;
    void *owner;
};

enum { BUSY_NAMES_MAX = 8, DEFAULT_STEPS = 10000000 };

void drain_init(struct drain_manager *m, struct event_queue *queue)
{
    *m = (struct drain_manager){.queue = queue};
}

void drain_release(struct drain_manager *m)
{
    free(m->drainables);
    free(m->requests);
    *m = (struct drain_manager){0};
}

void drain_register(struct drain_manager *m, const char *name, const struct drainable_ops *ops,
                    void *owner)
{
    if (m->count == m->room) {
        m->room = m->room ? 2 * m->room : 16;
        m->drainables = xrealloc(m->drainables, m->room, sizeof(m->drainables[0]));
    }
    m->drainables[m->count++] = (struct drainable){.name = name, .ops = ops, .owner = owner};
}

void drain_unregister(struct drain_manager *m, void *owner)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->drainables[i].owner != owner)
            continue;
        memmove(&m->drainables[i], &m->drainables[i + 1],
                (--m->count - i) * sizeof(m->drainables[0]));
        return;
    }
    BUG("an unknown drainable is unregistered");
}

void drain_request(struct drain_manager *m, const struct drain_request *request)
{
    if (m->waiting == m->requests_room) {
        m->requests_room = m->requests_room ? 2 * m->requests_room : 8;
        m->requests = xrealloc(m->requests, m->requests_room, sizeof(m->requests[0]));
    }
    m->requests[m->waiting++] = *request;
}

void drain_cancel(struct drain_manager *m)
{
    if (m->waiting)
        m->cancelled = true;
}

static bool is_quiet(const struct drainable *d)
{
    return !d->ops->drain || d->ops->drain(d->owner);
}

// Asks everyone, even after the first that is busy: all shall begin to drain now.
static bool all_quiet(struct drain_manager *m)
{
    bool quiet = true;

    for (size_t i = 0; i < m->count; i++)
        quiet &= is_quiet(&m->drainables[i]);
    return quiet;
}

void drain_busy(struct drain_manager *m, struct strbuf *out)
{
    unsigned busy = 0;

    for (size_t i = 0; i < m->count; i++) {
        if (is_quiet(&m->drainables[i]))
            continue;
        if (busy++ < BUSY_NAMES_MAX)
            strbuf_printf(out, "%s%s", busy > 1 ? ", " : "", m->drainables[i].name);
    }
    if (busy > BUSY_NAMES_MAX)
        strbuf_printf(out, " and %u more", busy - BUSY_NAMES_MAX);
}

static void resume_all(struct drain_manager *m)
{
    m->state = DRAIN_RESUMING;
    for (size_t i = 0; i < m->count; i++)
        if (m->drainables[i].ops->resume)
            m->drainables[i].ops->resume(m->drainables[i].owner);
    m->state = DRAIN_RUNNING;
}

static struct drain_request take_request(struct drain_manager *m)
{
    struct drain_request r = m->requests[0];

    memmove(&m->requests[0], &m->requests[1], --m->waiting * sizeof(m->requests[0]));
    return r;
}

static void begin(struct drain_manager *m)
{
    const struct drain_limits *l = &m->requests[0].limits;
    tick span = l->max_ticks ? l->max_ticks : TICKS_PER_SECOND;

    m->deadline = span > ~(tick)0 - m->queue->now ? ~(tick)0 : m->queue->now + span;
    m->steps_left = l->max_steps ? l->max_steps : DEFAULT_STEPS;
    m->state = DRAIN_DRAINING;
}

// Ends the drain of the first request without success; everyone resumes, then its owner is told.
static void fail(struct drain_manager *m, const struct error *err)
{
    struct drain_request r = take_request(m);

    m->failed++;
    if (m->state == DRAIN_DRAINING)
        resume_all(m);
    if (r.done)
        r.done(r.context, false, err);
}

static void fail_all_cancelled(struct drain_manager *m)
{
    // Requests made by the owners that are being told are new ones.
    size_t n = m->waiting;

    m->cancelled = false;
    for (; n; n--) {
        struct error err;

        error_set(&err, ERROR_INPUT, "the drain for '%s' was cancelled", m->requests[0].why);
        fail(m, &err);
    }
}

static void out_of_time(struct drain_manager *m)
{
    struct strbuf busy = {0};
    struct error err;

    drain_busy(m, &busy);
    error_set(&err, ERROR_HOST,
              "the machine did not come to rest for '%s' at tick %" PRIu64 ": still busy: %s",
              m->requests[0].why, m->queue->now, strbuf_text(&busy));
    strbuf_release(&busy);
    fail(m, &err);
}

static void quiet_down(struct drain_manager *m)
{
    const struct drain_request *r = &m->requests[0];

    for (size_t i = 0; i < m->count && r->writeback; i++)
        if (m->drainables[i].ops->mem_writeback)
            m->drainables[i].ops->mem_writeback(m->drainables[i].owner);
    for (size_t i = 0; i < m->count && r->invalidate; i++)
        if (m->drainables[i].ops->mem_invalidate)
            m->drainables[i].ops->mem_invalidate(m->drainables[i].owner);
    m->state = DRAIN_DRAINED;
}

// One look at the first request: begins it, or asks everyone, or gives up. True: it is DRAINED.
static bool advance(struct drain_manager *m)
{
    if (m->state == DRAIN_RUNNING)
        begin(m);
    if (all_quiet(m)) {
        quiet_down(m);
        return true;
    }
    if (m->steps_left-- == 0 || m->queue->now > m->deadline)
        out_of_time(m);
    return false;
}

bool drain_poll(struct drain_manager *m)
{
    // From inside a `done` or a drainable's method: the outer call goes on.
    if (m->polling || m->state == DRAIN_DRAINED)
        return m->waiting != 0;
    m->polling = true;
    if (m->cancelled)
        fail_all_cancelled(m);
    if (m->waiting && advance(m)) {
        struct drain_request r = take_request(m);
        struct error none = {0};

        m->served++;
        if (r.done)
            r.done(r.context, true, &none);
        resume_all(m);
    }
    m->polling = false;
    return m->waiting != 0;
}

struct outcome {
    bool known, ok;
    struct error err;
};

static void keep_outcome(void *context, bool ok, const struct error *err)
{
    struct outcome *o = context;

    *o = (struct outcome){.known = true, .ok = ok, .err = *err};
}

bool drain_now(struct drain_manager *m, const struct drain_request *request, struct error *err)
{
    struct drain_request r = *request;
    struct outcome o = {0};

    ASSERT(m->state == DRAIN_RUNNING && !m->polling);
    // What waits already comes first.
    while (drain_poll(m))
        event_queue_step(m->queue, ~(tick)0);
    r.done = keep_outcome;
    r.context = &o;
    drain_request(m, &r);
    m->polling = true;
    while (!o.known) {
        if (m->cancelled) {
            fail_all_cancelled(m);
        } else if (advance(m)) {
            take_request(m);
            m->served++;
            o.known = o.ok = true;
        } else if (!o.known && !event_queue_step(m->queue, m->deadline)) {
            // Nothing more will happen in time: nobody can become quiet any more.
            out_of_time(m);
        }
    }
    m->polling = false;
    if (!o.ok)
        *err = o.err;
    return o.ok;
}

void drain_resume(struct drain_manager *m)
{
    ASSERT(m->state == DRAIN_DRAINED && !m->polling);
    resume_all(m);
}
