// SPDX-License-Identifier: BSD-3-Clause
// A DRAM memory controller and its devices. Reads of a line that waits in the write queue are
// answered from there; writes to such a line merge.
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

static void dram_issue(void *owner, struct event *event)
{
    dram_issue_due(owner);
}

static void dram_respond(void *owner, struct event *event)
{
    dram_respond_due(owner);
}

static enum timed_answer dram_access(struct component *c, const struct timed_access *a, tick now,
                                     struct timed_client *client, u32 token, tick *ret_when)
{
    return dram_request(dram_of(c), a, now, client, token, ret_when);
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
    dram_schedule_issue(d);
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
    if (!dram_has_requests(&d->work[at.channel]))
        dram_catch_up(d, at.channel, queue_of(d)->now / d->standard->tCK_ps);
    warm_row(d, &at, b);
    if (a->kind == TIMED_WRITE || a->kind == TIMED_DMA_WRITE)
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

static void dram_reset(struct component *c)
{
    struct dram *d = dram_of(c);
    u64 now = dram_clock(d, queue_of(d)->now);
    u64 interval = d->p.refresh == DRAM_PER_BANK ? d->t.tREFIpb : d->t.tREFI;

    dram_queues_clear(d);
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
        if (dram_has_requests(&d->work[i]) || d->work[i].response_count)
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
            !times_are_near(&c->command, 2, c->counted) || c->forced > 1)
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

// The checker cannot know what was before.
static void resume_checker(const struct dram *d, u32 channel)
{
    struct dram_checker *checker = d->work[channel].checker;

    dram_checker_reset(checker, d->channels[channel].counted);
    for (u32 i = 0; i < d->p.ranks; i++) {
        const struct dram_rank *r = dram_rank_of(d, channel, i);

        dram_checker_resume(checker, i, (u32)r->set, r->down != 0);
        for (u32 j = 0; j < d->rank_banks; j++)
            dram_checker_warm(checker, i, j, (u32)dram_bank_of(d, channel, i, j)->row - 1);
    }
}

static bool dram_after_load(struct component *c, struct error *err)
{
    struct dram *d = dram_of(c);
    u64 now = dram_clock(d, queue_of(d)->now);

    if (d->st.issue.pending || d->st.respond.pending || !loaded(d, now))
        return error_set(err, ERROR_INPUT, "the state of the DRAM is impossible");
    dram_queues_clear(d);
    for (u32 i = 0; i < d->p.channels; i++) {
        d->channels[i].wake = MAX(d->channels[i].counted, d->channels[i].command);
        if (d->work[i].checker)
            resume_checker(d, i);
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
