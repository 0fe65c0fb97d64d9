// SPDX-License-Identifier: BSD-3-Clause
// Which command a DRAM channel issues when. In this order: refresh, column commands of open rows
// (the oldest first), rows to be opened or closed (for the oldest first), rows that timed out,
// power-down. That is FR-FCFS (Rixner et al., ISCA 2000) with a cap: when so many younger requests
// were served before the oldest one, nothing else is served.
// After each command the channel plans the next one: of all that can be done, what can be done
// first, and of those the first in this order. A request that comes makes the plan void.
// APPROX: HBM2 has two command buses, here all share one. LPDDR5's read-to-write distance is the
// same within and across bank groups. Refreshes are never postponed nor pulled in.
#include "mem/dram_priv.h"

// A look around.
struct look {
    struct dram *d;
    struct dram_channel *c;
    struct dram_channel_work *w;
    struct dram_rank *ranks;
    struct dram_bank *banks;   // of the channel
    struct dram_group *groups; // of the channel
    u32 channel;
    u64 now; // the first clock at which a command can be issued
    struct dram_plan best;
    struct dram_queue *queue; // that is served; NULL: no requests
    bool write;
    u64 column_floor[DRAM_RANKS_MOST]; // column commands not before
    u64 act_floor[DRAM_RANKS_MOST];
    u64 blocked[DRAM_RANKS_MOST];    // banks that wait for their refresh
    u64 row_wanted[DRAM_RANKS_MOST]; // banks whose open row is wanted, or that have their turn
};

// The command can be issued from `when` on.
static inline void offer(struct look *l, u64 when, u32 kind, u32 rank, u32 bank, u32 row,
                         u32 position)
{
    struct dram_rank *r = &l->ranks[rank];

    if (UNLIKELY(r->down)) {
        // It has to wake up first.
        dram_raise(&when, r->down_since + l->d->t.tCKE);
        kind = DRAM_PDX;
        position = DRAM_QUEUE_MOST;
    }
    dram_raise(&when, r->ready);
    dram_raise(&when, l->now);
    if (when < l->best.when)
        l->best = (struct dram_plan){.when = when,
                                     .kind = kind,
                                     .rank = rank,
                                     .bank = bank,
                                     .row = row,
                                     .position = position,
                                     .valid = true};
}

// Things are different from `when` on.
static inline void look_again(struct look *l, u64 when)
{
    if (when < l->best.when)
        l->best = (struct dram_plan){
            .when = when, .kind = DRAM_COMMANDS, .position = DRAM_QUEUE_MOST, .valid = true};
}

static bool can_now(const struct look *l)
{
    return l->best.when <= l->now;
}

// ---- refresh

// Banks first, first + stride...: closes them, or tells from when on they can be refreshed.
static bool prepare_refresh(struct look *l, u32 rank, u32 first, u32 stride, u64 *ret_when)
{
    bool all = stride == 1;
    u64 precharge = 0, when = 0;
    u32 open = 0, which = first;

    for (u32 i = first; i < l->d->rank_banks; i += stride) {
        struct dram_bank *b = &l->banks[rank * l->d->rank_banks + i];

        if (b->row) {
            precharge = all || !open ? MAX(precharge, b->pre) : precharge;
            which = open ? which : i;
            open++;
        }
        dram_raise(&when, b->act);
    }
    *ret_when = when;
    if (open)
        offer(l, precharge, all ? DRAM_PREA : DRAM_PRE, rank, which, 0, DRAM_QUEUE_MOST);
    return !open;
}

static void offer_refresh(struct look *l, u32 rank)
{
    struct dram_rank *r = &l->ranks[rank];
    bool per_bank = l->d->p.refresh == DRAM_PER_BANK;
    u32 sets = per_bank ? l->d->standard->refresh_sets : 1, first = per_bank ? (u32)r->set : 0;
    u64 when;

    if (r->refresh > l->now) {
        look_again(l, r->refresh);
        return;
    }
    for (u32 i = first; i < l->d->rank_banks; i += sets)
        l->blocked[rank] |= (u64)1 << i;
    if (!prepare_refresh(l, rank, first, sets, &when))
        return;
    if (per_bank) {
        dram_raise(&when, r->set_free);
        dram_raise(&when, r->act);
    }
    offer(l, when, per_bank ? DRAM_REFPB : DRAM_REF, rank, first, 0, DRAM_QUEUE_MOST);
}

// ---- requests

static bool row_hit(const struct look *l, const struct dram_slot *q)
{
    return l->banks[q->bank_at].row == q->row + 1u;
}

static bool is_blocked(const struct look *l, const struct dram_slot *q)
{
    return l->blocked[q->rank] >> q->bank & 1;
}

// Whether a request other than that at `position` wants its row.
static bool row_is_queued(const struct look *l, u32 position)
{
    const struct dram_slot *q = &l->queue->slots[position];
    const struct dram_queue *both[] = {&l->w->reads, &l->w->writes};

    for (u32 i = 0; i < 2; i++) {
        for (u32 j = 0; j < both[i]->count; j++) {
            const struct dram_slot *o = &both[i]->slots[j];

            if (o != q && o->bank_at == q->bank_at && o->row == q->row)
                return true;
        }
    }
    return false;
}

static void offer_column(struct look *l, u32 position)
{
    const struct dram_slot *q = &l->queue->slots[position];
    const struct dram_bank *b = &l->banks[q->bank_at];
    const struct dram_group *g = &l->groups[q->group_at];
    u64 when = l->write ? MAX(b->write, g->write) : MAX(b->read, g->read);

    offer(l, MAX(when, l->column_floor[q->rank]), l->write ? DRAM_WR : DRAM_RD, q->rank, q->bank,
          q->row, position);
}

// What opens the request's row.
static void offer_row(struct look *l, u32 position)
{
    const struct dram_slot *q = &l->queue->slots[position];
    const struct dram_bank *b = &l->banks[q->bank_at];
    u64 when = MAX(b->act, l->groups[q->group_at].act);

    if (b->row)
        offer(l, b->pre, DRAM_PRE, q->rank, q->bank, 0, position);
    else
        offer(l, MAX(when, l->act_floor[q->rank]), DRAM_ACT, q->rank, q->bank, q->row, position);
}

// Whether too many younger requests were served before that at the queue's head.
static bool head_starves(const struct look *l)
{
    const struct dram_slot *q = &l->queue->slots[0];

    return l->queue->count && q->ready <= l->now && !is_blocked(l, q) &&
           l->w->requests[q->index].bypassed >= l->d->p.starvation_cap;
}

// Whether the channel writes. Buffers that are full to the high watermark are drained to the low
// one; each direction has its batch before the other one goes first again. When there is nothing to
// read it writes as well, and stops as soon as there is.
static bool is_to_write(const struct look *l, u64 *forced)
{
    const struct dram_queue *reads = &l->w->reads, *writes = &l->w->writes;
    bool batch_done = l->c->batch >= l->d->p.write_batch;

    if (!writes->count || !reads->count)
        return writes->count != 0;
    if (l->c->writing && *forced)
        return !batch_done || (writes->count > l->d->low && l->c->batch < l->d->p.write_queue);
    *forced = writes->count >= l->d->high && (batch_done || l->c->writing);
    return *forced;
}

// The queue that is served now.
static void choose_direction(struct look *l)
{
    struct dram_channel *c = l->c;
    bool was = c->writing;

    l->write = is_to_write(l, &c->forced);
    c->writing = l->write;
    if (!l->write)
        c->forced = 0;
    if (was != l->write) {
        c->batch = 0;
        l->d->n.readToWrite += l->write;
        l->d->n.writeToRead += !l->write;
    }
    l->queue = l->write ? &l->w->writes : &l->w->reads;
}

static void set_floors(struct look *l)
{
    const struct dram_timings *t = &l->d->t;
    u64 latency = l->write ? t->tCWL : t->tCL;

    for (u32 i = 0; i < l->d->p.ranks; i++) {
        const struct dram_rank *r = &l->ranks[i];
        u64 bus = l->c->data_end + (l->c->data_rank != i ? t->tRTRS : 0);

        l->column_floor[i] = MAX(l->write ? r->write : r->read, bus > latency ? bus - latency : 0);
        l->act_floor[i] = MAX(r->act, r->faw[r->faw_next]);
    }
}

// Open rows first; then the oldest request of each bank whose open row nobody wants.
static void offer_requests(struct look *l)
{
    u16 others[DRAM_QUEUE_MOST];
    u32 count = 0;

    for (u32 i = 0; i < l->queue->count && !can_now(l); i++) {
        const struct dram_slot *q = &l->queue->slots[i];

        if (q->ready > l->now) {
            look_again(l, q->ready);
        } else if (is_blocked(l, q)) {
            continue;
        } else if (row_hit(l, q)) {
            l->row_wanted[q->rank] |= (u64)1 << q->bank;
            offer_column(l, i);
        } else {
            others[count++] = (u16)i;
        }
    }
    for (u32 i = 0; i < count && !can_now(l); i++) {
        const struct dram_slot *q = &l->queue->slots[others[i]];

        if (l->row_wanted[q->rank] >> q->bank & 1)
            continue;
        l->row_wanted[q->rank] |= (u64)1 << q->bank;
        offer_row(l, others[i]);
    }
}

static void serve(struct look *l)
{
    choose_direction(l);
    set_floors(l);
    if (!head_starves(l))
        offer_requests(l);
    else if (row_hit(l, &l->queue->slots[0]))
        offer_column(l, 0);
    else
        offer_row(l, 0);
}

// ---- the rest

static void offer_unused(struct look *l)
{
    for (u32 i = 0; i < l->d->p.ranks * l->d->rank_banks; i++) {
        const struct dram_bank *b = &l->banks[i];
        u32 rank = i / l->d->rank_banks, bank = i % l->d->rank_banks;

        if (b->row && !(l->row_wanted[rank] >> bank & 1))
            offer(l, MAX(b->pre, b->used + l->d->page_timeout), DRAM_PRE, rank, bank, 0,
                  DRAM_QUEUE_MOST);
    }
}

static void offer_power_down(struct look *l)
{
    for (u32 i = 0; i < l->d->p.ranks; i++) {
        const struct dram_rank *r = &l->ranks[i];
        bool due = l->d->p.refresh != DRAM_NO_REFRESH && r->refresh <= l->now;

        if (!r->down && !due && !l->w->rank_requests[i])
            offer(l, r->quiet + l->d->powerdown, DRAM_PDE, i, 0, 0, DRAM_QUEUE_MOST);
    }
}

static void plan(struct dram *d, u32 channel, u64 now)
{
    struct look l = {.d = d,
                     .c = &d->channels[channel],
                     .w = &d->work[channel],
                     .ranks = dram_rank_of(d, channel, 0),
                     .banks = dram_bank_of(d, channel, 0, 0),
                     .groups = &d->groups[channel * d->p.ranks * d->standard->bank_groups],
                     .channel = channel,
                     .now = MAX(now, d->channels[channel].command),
                     .best = {.when = DRAM_NEVER, .kind = DRAM_COMMANDS, .valid = true}};

    if (d->p.refresh != DRAM_NO_REFRESH)
        for (u32 i = 0; i < d->p.ranks; i++)
            offer_refresh(&l, i);
    if (!can_now(&l) && (l.w->reads.count || l.w->writes.count))
        serve(&l);
    if (!can_now(&l) && d->p.page_policy == DRAM_TIMEOUT)
        offer_unused(&l);
    if (!can_now(&l) && d->powerdown)
        offer_power_down(&l);
    if (l.best.position != DRAM_QUEUE_MOST && (l.best.kind == DRAM_RD || l.best.kind == DRAM_WR) &&
        l.w->requests[l.queue->slots[l.best.position].index].left == 1 &&
        (d->p.page_policy == DRAM_CLOSED ||
         (d->p.page_policy == DRAM_CLOSED_ADAPTIVE && !row_is_queued(&l, l.best.position))))
        l.best.kind = l.write ? DRAM_WRA : DRAM_RDA;
    l.w->plan = l.best;
    l.c->wake = l.best.when;
}

// A burst of the request at `position` was issued.
static void column_issued(struct dram *d, u32 channel, const struct dram_plan *p, u64 now)
{
    struct dram_channel_work *w = &d->work[channel];
    struct dram_queue *queue = dram_is_write(p->kind) ? &w->writes : &w->reads;

    if (--w->requests[queue->slots[p->position].index].left)
        return;
    for (u32 i = 0; i < p->position; i++) {
        const struct dram_slot *older = &queue->slots[i];

        if (older->ready <= now && ++w->requests[older->index].bypassed == d->p.starvation_cap)
            d->n.starved++;
    }
    d->channels[channel].batch++;
    dram_finish(d, channel, queue, p->position, now);
}

static void execute(struct dram *d, u32 channel, u64 now)
{
    struct dram_channel_work *w = &d->work[channel];
    struct dram_plan p = w->plan;
    struct dram_command command = {now, p.kind, p.rank, p.bank, p.row};

    dram_command_issue(d, channel, &command);
    if (p.position == DRAM_QUEUE_MOST)
        return;
    if (p.kind == DRAM_ACT || p.kind == DRAM_PRE) {
        struct dram_queue *queue = d->channels[channel].writing ? &w->writes : &w->reads;

        w->requests[queue->slots[p.position].index].missed = true;
    } else {
        column_issued(d, channel, &p, now);
    }
}

void dram_step(struct dram *d, u32 channel, u64 now)
{
    struct dram_channel *c = &d->channels[channel];
    struct dram_plan *p = &d->work[channel].plan;

    if (!p->valid || p->kind == DRAM_COMMANDS)
        plan(d, channel, now);
    if (p->when <= now && p->kind != DRAM_COMMANDS) {
        execute(d, channel, now);
        plan(d, channel, now);
    }
    d->n.totalTicks += dram_tick(d, now - MIN(now, c->counted));
    dram_raise(&c->counted, now);
}

// ---- rest

// One period of what a channel at rest does again and again.
static u64 rest_period(const struct dram *d)
{
    if (d->p.refresh == DRAM_PER_BANK)
        return (u64)d->t.tREFIpb * d->standard->refresh_sets;
    return d->t.tREFI;
}

static void run(struct dram *d, u32 channel, u64 until)
{
    while (d->channels[channel].wake <= until)
        dram_step(d, channel, d->channels[channel].wake);
}

// Moves a channel's clock on by whole periods; the past stays as far behind.
static void skip(struct dram *d, u32 channel, u64 clocks)
{
    struct dram_channel *c = &d->channels[channel];

    c->wake += clocks;
    d->work[channel].plan.valid = false;
    for (u32 i = 0; i < d->p.ranks; i++) {
        struct dram_rank *r = dram_rank_of(d, channel, i);

        r->refresh += clocks;
        r->set_free += clocks;
        r->ready += clocks;
        r->quiet += clocks;
        r->down_since += clocks;
        r->act += clocks;
        for (u32 j = 0; j < d->rank_banks; j++)
            dram_bank_of(d, channel, i, j)->act += clocks;
    }
    if (d->work[channel].checker)
        dram_checker_skip(d->work[channel].checker, clocks);
}

void dram_catch_up(struct dram *d, u32 channel, u64 now)
{
    struct dram_channel *c = &d->channels[channel];
    u64 period = rest_period(d), times;
    struct dram_stats before;

    if (d->p.refresh != DRAM_NO_REFRESH && now > c->counted + 8 * period) {
        // All is closed after a period, and each one is like the one before.
        run(d, channel, c->counted + 3 * period);
        before = d->n;
        run(d, channel, c->counted + period);
        times = (now - MIN(now, c->counted)) / period;
        times -= MIN(times, 1);
        d->n.refreshes += (d->n.refreshes - before.refreshes) * times;
        d->n.powerDowns += (d->n.powerDowns - before.powerDowns) * times;
        d->n.powerDownTime += (d->n.powerDownTime - before.powerDownTime) * times;
        skip(d, channel, times * period);
    }
    run(d, channel, now);
}
