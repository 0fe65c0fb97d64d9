// SPDX-License-Identifier: BSD-3-Clause
// The DRAM controller's queues, and how requests get in and out of them.
#include "mem/dram_priv.h"

#include <string.h>

static struct event_queue *queue_of(const struct dram *d)
{
    return &d->base.sim->queue;
}

static bool is_write(u8 kind)
{
    return kind == TIMED_WRITE || kind == TIMED_DMA_WRITE;
}

static u16 *written(struct dram_channel_work *w, u64 line)
{
    return &w->written[(line ^ line >> 8 ^ line >> 16) % ARRAY_SIZE(w->written)];
}

// ---- events

void dram_schedule_issue(struct dram *d)
{
    u64 wake = DRAM_NEVER;
    tick when;

    for (u32 i = 0; i < d->p.channels; i++)
        if (dram_has_requests(&d->work[i]))
            wake = MIN(wake, d->channels[i].wake);
    if (wake == DRAM_NEVER)
        return;
    when = MAX(dram_tick(d, wake), queue_of(d)->now);
    if (!d->st.issue.pending || d->st.issue.when != when)
        event_schedule(&d->st.issue, when, EVENT_NORMAL);
}

void dram_issue_due(struct dram *d)
{
    u64 now = queue_of(d)->now / d->standard->tCK_ps;

    for (u32 i = 0; i < d->p.channels; i++)
        while (dram_has_requests(&d->work[i]) && d->channels[i].wake <= now)
            dram_step(d, i, now);
    dram_schedule_issue(d);
}

static void schedule_respond(struct dram *d)
{
    tick when = ~(tick)0;

    for (u32 i = 0; i < d->p.channels; i++)
        if (d->work[i].response_count)
            when = MIN(when, d->work[i].responses[d->work[i].first_response].when);
    if (when != ~(tick)0)
        event_schedule(&d->st.respond, MAX(when, queue_of(d)->now), EVENT_NORMAL);
}

void dram_respond_due(struct dram *d)
{
    tick now = queue_of(d)->now;

    for (u32 i = 0; i < d->p.channels; i++) {
        struct dram_channel_work *w = &d->work[i];

        while (w->response_count && w->responses[w->first_response].when <= now) {
            struct dram_response r = w->responses[w->first_response];

            w->first_response = (w->first_response + 1) % (u32)d->p.read_queue;
            w->response_count--;
            if (r.client)
                r.client->done(r.client, r.token, r.when);
        }
    }
    schedule_respond(d);
}

static void respond(struct dram *d, struct dram_channel_work *w, const struct dram_request *q,
                    tick when)
{
    u32 at = (w->first_response + w->response_count) % (u32)d->p.read_queue;

    w->responses[at] = (struct dram_response){q->client, when, q->token};
    w->response_count++;
    if (!d->st.respond.pending || d->st.respond.when > when)
        event_schedule(&d->st.respond, when, EVENT_NORMAL);
}

void dram_finish(struct dram *d, u32 channel, struct dram_queue *queue, u32 position, u64 now)
{
    struct dram_channel_work *w = &d->work[channel];
    struct dram_slot slot = queue->slots[position];
    struct dram_request *q = &w->requests[slot.index];

    memmove(&queue->slots[position], &queue->slots[position + 1],
            (queue->count - position - 1) * sizeof(queue->slots[0]));
    queue->count--;
    w->rank_requests[slot.rank]--;
    w->free[w->free_count++] = slot.index;
    if (queue == &w->writes) {
        --*written(w, q->line);
        d->n.writesDone++;
        d->n.writeRowHits += !q->missed;
        d->n.bytesWritten += TIMED_LINE;
    } else {
        tick when = dram_tick(d, now + d->t.tCL + d->t.burst) + d->p.backend;

        d->n.readsDone++;
        d->n.readRowHits += !q->missed;
        d->n.bytesRead += TIMED_LINE;
        d->n.totQLat += dram_tick(d, now) - q->arrived;
        d->n.totMemAccLat += when - q->arrived;
        respond(d, w, q, when);
    }
}

// ---- timed accesses

static void enqueue(struct dram *d, const struct dram_place *at, struct dram_queue *queue,
                    const struct dram_request *request)
{
    const struct dram_standard *s = d->standard;
    struct dram_channel_work *w = &d->work[at->channel];
    struct dram_channel *c = &d->channels[at->channel];
    u16 index = w->free[--w->free_count];
    u64 ready = dram_clock(d, request->arrived + d->p.frontend);

    if (!dram_has_requests(w))
        dram_catch_up(d, at->channel, queue_of(d)->now / s->tCK_ps);
    w->requests[index] = *request;
    queue->slots[queue->count++] = (struct dram_slot){
        .ready = ready,
        .row = at->row,
        .index = index,
        .bank_at = (u16)(at->rank * d->rank_banks + at->bank),
        .group_at = (u16)(at->rank * s->bank_groups + at->bank / s->banks_per_group),
        .rank = (u8)at->rank,
        .bank = (u8)at->bank,
    };
    w->rank_requests[at->rank]++;
    w->plan.valid = false;
    c->wake = MIN(c->wake, MAX(ready, c->command));
    dram_schedule_issue(d);
}

// When a full queue may have room: never in the past, and never now.
static tick ask_again(const struct dram *d, u32 channel, tick now)
{
    const struct dram_channel_work *w = &d->work[channel];
    tick when = dram_tick(d, d->channels[channel].wake);

    if (w->response_count)
        when = MIN(when, w->responses[w->first_response].when);
    return MAX(when, now + d->standard->tCK_ps);
}

static struct dram_request *find_written(const struct dram *d, struct dram_channel_work *w,
                                         u64 line)
{
    if (!*written(w, line))
        return NULL;
    for (u32 i = 0; i < w->writes.count; i++)
        if (w->requests[w->writes.slots[i].index].line == line)
            return &w->requests[w->writes.slots[i].index];
    return NULL;
}

static enum timed_answer write_line(struct dram *d, const struct dram_place *at,
                                    struct dram_request *q, tick *ret_when)
{
    struct dram_channel_work *w = &d->work[at->channel];
    bool merges = find_written(d, w, q->line) != NULL;

    if (!merges && w->writes.count >= d->p.write_queue) {
        d->n.numWrRetry++;
        *ret_when = ask_again(d, at->channel, q->arrived);
        return TIMED_BUSY;
    }
    d->n.writeReqs++;
    stat_sample(&d->n.wrQLen, 0, w->writes.count);
    *ret_when = q->arrived + d->p.frontend;
    if (merges) {
        d->n.mergedWrBursts += d->bursts;
        return TIMED_DONE;
    }
    ++*written(w, q->line);
    enqueue(d, at, &w->writes, q);
    return TIMED_DONE;
}

static enum timed_answer read_line(struct dram *d, const struct dram_place *at,
                                   struct dram_request *q, tick *ret_when)
{
    struct dram_channel_work *w = &d->work[at->channel];

    if (find_written(d, w, q->line)) {
        d->n.readReqs++;
        d->n.servicedByWrQ++;
        *ret_when = q->arrived + d->p.frontend + d->p.backend;
        return TIMED_DONE;
    }
    if (w->reads.count + w->response_count >= d->p.read_queue) {
        d->n.numRdRetry++;
        *ret_when = ask_again(d, at->channel, q->arrived);
        return TIMED_BUSY;
    }
    d->n.readReqs++;
    stat_sample(&d->n.rdQLen, 0, w->reads.count);
    enqueue(d, at, &w->reads, q);
    *ret_when = q->arrived;
    return q->client ? TIMED_PENDING : TIMED_DONE;
}

enum timed_answer dram_request(struct dram *d, const struct timed_access *a, tick now,
                               struct timed_client *client, u32 token, tick *ret_when)
{
    struct dram_place at = dram_place_of(d, a->pa);
    tick arrived = MAX(now, queue_of(d)->now);
    struct dram_request q = {
        .client = a->kind == TIMED_PREFETCH || a->kind == TIMED_PREFETCH_WRITE ? NULL : client,
        .line = a->pa >> TIMED_LINE_SHIFT,
        .arrived = arrived,
        .token = token,
        .left = (u8)d->bursts,
    };

    return is_write(a->kind) ? write_line(d, &at, &q, ret_when) : read_line(d, &at, &q, ret_when);
}

void dram_queues_clear(struct dram *d)
{
    for (u32 i = 0; i < d->p.channels; i++) {
        struct dram_channel_work *w = &d->work[i];

        w->reads.count = w->writes.count = w->first_response = w->response_count = 0;
        w->plan.valid = false;
        memset(w->rank_requests, 0, sizeof(w->rank_requests));
        memset(w->written, 0, sizeof(w->written));
        w->free_count = (u32)(d->p.read_queue + d->p.write_queue);
        for (u32 j = 0; j < w->free_count; j++)
            w->free[j] = (u16)(w->free_count - 1 - j);
    }
}
