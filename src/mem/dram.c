// SPDX-License-Identifier: BSD-3-Clause
// A DRAM memory controller: queues per channel, answers, statistics. Reads of a line that waits in
// the write queue are answered from there; writes to such a line merge.
// Timing: a request takes `frontend` to the queues; its commands are issued on clock edges; a read
// is complete `backend` after the last of its data.
// Functional warming (atomic) opens rows as accesses would; it takes no time and no commands.
// UNMODELLED: ECC, self-refresh, temperature, row hammer refreshes, training and calibration.
#include "mem/dram_priv.h"

#include "sim/sim.h"

#include <inttypes.h>
#include <string.h>

COMPONENT_TABLES(dram, DRAM_PARAMS, DRAM_STATE, DRAM_STATS, DRAM_EVENTS);

static struct dram *dram_of(const struct component *c)
{
    ASSERT(c->type == &dram_type);
    return (struct dram *)(uintptr_t)c;
}

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

static bool has_requests(const struct dram_channel_work *w)
{
    return w->reads.count || w->writes.count;
}

static void schedule_issue(struct dram *d)
{
    u64 wake = DRAM_NEVER;
    tick when;

    for (u32 i = 0; i < d->p.channels; i++)
        if (has_requests(&d->work[i]))
            wake = MIN(wake, d->channels[i].wake);
    if (wake == DRAM_NEVER)
        return;
    when = MAX(dram_tick(d, wake), queue_of(d)->now);
    if (!d->st.issue.pending || d->st.issue.when != when)
        event_schedule(&d->st.issue, when, EVENT_NORMAL);
}

static void dram_issue(void *owner, struct event *event)
{
    struct dram *d = owner;
    u64 now = queue_of(d)->now / d->standard->tCK_ps;

    for (u32 i = 0; i < d->p.channels; i++)
        while (has_requests(&d->work[i]) && d->channels[i].wake <= now)
            dram_step(d, i, now);
    schedule_issue(d);
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

static void dram_respond(void *owner, struct event *event)
{
    struct dram *d = owner;
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

    if (!has_requests(w))
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
    schedule_issue(d);
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

static enum timed_answer dram_access(struct component *c, const struct timed_access *a, tick now,
                                     struct timed_client *client, u32 token, tick *ret_when)
{
    struct dram *d = dram_of(c);
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

static bool dram_probe(const struct component *c, paddr pa)
{
    return true;
}

// ---- functional warming

static void warm_row(struct dram *d, const struct dram_place *at, struct dram_bank *b)
{
    struct dram_channel_work *w = &d->work[at->channel];
    struct dram_channel *c = &d->channels[at->channel];
    u64 now = dram_clock(d, queue_of(d)->now);
    const struct dram_rank *r = &d->ranks[at->channel * d->p.ranks + at->rank];

    // A bank that is busy with a command stays as it is.
    if (d->p.page_policy == DRAM_CLOSED || d->p.page_policy == DRAM_CLOSED_ADAPTIVE ||
        b->row == at->row + 1u || b->act > now || b->pre > now || r->refresh <= now)
        return;
    b->row = at->row + 1u;
    b->used = now;
    // What was planned with the old row is void.
    w->plan.valid = false;
    c->wake = MIN(c->wake, MAX(now, c->command));
    schedule_issue(d);
    if (w->checker)
        dram_checker_warm(w->checker, at->rank, at->bank, at->row);
}

static tick dram_atomic(struct component *c, const struct timed_access *a)
{
    struct dram *d = dram_of(c);
    const struct dram_timings *t = &d->t;
    struct dram_place at = dram_place_of(d, a->pa);
    struct dram_bank *b = &d->banks[(at.channel * d->p.ranks + at.rank) * d->rank_banks + at.bank];
    u64 clocks = t->tCL + t->burst + (u64)(d->bursts - 1) * t->tCCD_L;

    if (!b->row)
        clocks += t->tRCD;
    else if (b->row != at.row + 1u)
        clocks += t->tRP + t->tRCD;
    d->n.atomicReqs++;
    if (!has_requests(&d->work[at.channel]))
        dram_catch_up(d, at.channel, queue_of(d)->now / d->standard->tCK_ps);
    warm_row(d, &at, b);
    if (is_write(a->kind))
        return d->p.frontend;
    return d->p.frontend + dram_tick(d, clocks) + d->p.backend;
}

static const struct timed_port_ops dram_timed = {
    .atomic = dram_atomic,
    .access = dram_access,
    .probe = dram_probe,
};

// ---- life

static bool check_range(const struct dram *d, struct error *err)
{
    const struct dram_standard *s = d->standard;

    if (d->p.refresh == DRAM_PER_BANK && !s->refresh_sets)
        return error_set(err, ERROR_INPUT, "%s has no per-bank refresh", s->name);
    if (d->p.write_low >= d->p.write_high)
        return error_set(err, ERROR_INPUT,
                         "write_low (%" PRIu64 ") must be less than write_high (%" PRIu64 ")",
                         d->p.write_low, d->p.write_high);
    if (d->p.write_batch > d->p.write_queue)
        return error_set(err, ERROR_INPUT,
                         "write_batch (%" PRIu64 ") is more than the write queue holds (%" PRIu64
                         ")",
                         d->p.write_batch, d->p.write_queue);
    if (d->p.size > dram_capacity(d))
        return error_set(err, ERROR_INPUT,
                         "%" PRIu64 " MiB are wanted, %" PRIu64 " channels of %" PRIu64
                         " ranks of %s hold %" PRIu64 " MiB",
                         d->p.size >> 20, d->p.channels, d->p.ranks, s->name,
                         dram_capacity(d) >> 20);
    return true;
}

static bool dram_check(struct component *c, struct error *err)
{
    struct dram *d = dram_of(c);
    u32 burst_bytes;

    d->standard = &dram_standards[d->p.standard];
    d->rank_banks = dram_standard_banks(d->standard);
    dram_timings_resolve(d->standard, &d->t);
    burst_bytes = d->standard->burst_beats * d->standard->width_bits / 8;
    ASSERT(burst_bytes && TIMED_LINE % burst_bytes == 0 && d->rank_banks <= 64);
    d->bursts = TIMED_LINE / burst_bytes;
    d->high = (u32)MAX(1, (d->p.write_queue * d->p.write_high + 99) / 100);
    d->low = (u32)(d->p.write_queue * d->p.write_low / 100);
    d->page_timeout = dram_clock(d, d->p.page_timeout);
    d->powerdown = dram_clock(d, d->p.powerdown);
    return dram_map_parse(d, err) && check_range(d, err);
}

// The parts of the state list, as what they are.
static void find_state(struct dram *d)
{
    d->channels = (struct dram_channel *)(void *)d->st.channels;
    d->ranks = (struct dram_rank *)(void *)d->st.ranks;
    d->groups = (struct dram_group *)(void *)d->st.groups;
    d->banks = (struct dram_bank *)(void *)d->st.banks;
}

static bool dram_build(struct component *c, struct error *err)
{
    struct dram *d = dram_of(c);
    struct arena *arena = &c->sim->arena;
    size_t most = d->p.read_queue + d->p.write_queue;

    find_state(d);
    d->work = arena_array(arena, d->p.channels, sizeof(*d->work));
    for (u32 i = 0; i < d->p.channels; i++) {
        struct dram_channel_work *w = &d->work[i];

        w->requests = arena_array(arena, most, sizeof(*w->requests));
        w->free = arena_array(arena, most, sizeof(*w->free));
        w->responses = arena_array(arena, d->p.read_queue, sizeof(*w->responses));
        if (d->p.check)
            w->checker = dram_checker_new(arena, d->standard, (u32)d->p.ranks);
    }
    return true;
}

// Empties the queues.
static void clear_work(struct dram *d)
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

static void dram_reset(struct component *c)
{
    struct dram *d = dram_of(c);
    u64 now = dram_clock(d, queue_of(d)->now);
    u64 interval = d->p.refresh == DRAM_PER_BANK ? d->t.tREFIpb : d->t.tREFI;

    clear_work(d);
    for (u32 i = 0; i < d->p.channels; i++) {
        d->channels[i] = (struct dram_channel){.wake = now, .counted = now};
        // The ranks take turns.
        for (u32 j = 0; j < d->p.ranks; j++)
            d->ranks[i * d->p.ranks + j].refresh = now + interval * (d->p.ranks - j) / d->p.ranks;
        if (d->work[i].checker)
            dram_checker_reset(d->work[i].checker, now);
    }
}

static bool dram_drain(struct component *c)
{
    const struct dram *d = dram_of(c);

    for (u32 i = 0; i < d->p.channels; i++)
        if (has_requests(&d->work[i]) || d->work[i].response_count)
            return false;
    return true;
}

// No time in the file may be so far after the last step that the channel would stand still.
enum { FAR_CLOCKS = 1 << 20 };

static bool times_are_near(const u64 *times, size_t count, u64 counted)
{
    for (size_t i = 0; i < count; i++)
        if (times[i] > counted + FAR_CLOCKS)
            return false;
    return true;
}

static bool loaded_rank(const struct dram *d, u64 index, u64 counted)
{
    const struct dram_rank *r = &d->ranks[index];
    const struct dram_standard *s = d->standard;
    u32 sets = d->p.refresh == DRAM_PER_BANK ? s->refresh_sets : 1;

    for (u64 i = index * d->rank_banks; i < (index + 1) * d->rank_banks; i++)
        if (d->banks[i].row > s->rows || !times_are_near(&d->banks[i].act, 4, counted))
            return false;
    for (u64 i = index * s->bank_groups; i < (index + 1) * s->bank_groups; i++)
        if (!times_are_near(&d->groups[i].act, 3, counted))
            return false;
    return r->faw_next < 4 && r->set < sets && r->down <= 1 && r->down_since <= counted &&
           times_are_near(&r->act, 3, counted) && times_are_near(r->faw, 4, counted) &&
           times_are_near(&r->refresh, 1, counted) && times_are_near(&r->set_free, 3, counted) &&
           r->refresh + FAR_CLOCKS > counted;
}

static bool loaded(const struct dram *d, u64 now)
{
    for (u64 i = 0; i < d->p.channels; i++) {
        const struct dram_channel *c = &d->channels[i];

        if (c->counted > now || c->data_rank >= d->p.ranks || c->writing > 1 ||
            !times_are_near(&c->command, 2, c->counted) || c->batch > DRAM_QUEUE_MOST)
            return false;
        for (u64 j = 0; j < d->p.ranks; j++)
            if (!loaded_rank(d, i * d->p.ranks + j, c->counted))
                return false;
        for (u64 j = 0; j < d->p.ranks * d->rank_banks; j++)
            if (d->banks[i * d->p.ranks * d->rank_banks + j].used > now)
                return false;
    }
    return true;
}

static bool dram_after_load(struct component *c, struct error *err)
{
    struct dram *d = dram_of(c);
    u64 now = dram_clock(d, queue_of(d)->now);

    if (d->st.issue.pending || d->st.respond.pending || !loaded(d, now))
        return error_set(err, ERROR_INPUT, "the state of the DRAM is impossible");
    clear_work(d);
    for (u32 i = 0; i < d->p.channels; i++) {
        struct dram_checker *checker = d->work[i].checker;

        d->channels[i].wake = MAX(d->channels[i].counted, d->channels[i].command);
        if (!checker)
            continue;
        dram_checker_reset(checker, now);
        for (u32 j = 0; j < d->p.ranks * d->rank_banks; j++) {
            u64 row = d->banks[i * d->p.ranks * d->rank_banks + j].row;

            dram_checker_warm(checker, j / d->rank_banks, j % d->rank_banks, (u32)row - 1);
        }
    }
    return true;
}

static const struct component_ops dram_ops = {
    .check = dram_check,
    .build = dram_build,
    .reset = dram_reset,
    .drain = dram_drain,
    .after_load = dram_after_load,
};

const struct component_type dram_type = {
    .name = "dram",
    .doc = "DRAM memory controller and devices",
    COMPONENT_LAYOUT(dram),
    .ops = &dram_ops,
    .provides = {IFACE(timed_port, &dram_timed)},
};
