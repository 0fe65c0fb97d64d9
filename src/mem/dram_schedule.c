// SPDX-License-Identifier: BSD-3-Clause
// Which command a DRAM channel issues when. In this order: refresh, column commands of open rows
// (the oldest first), rows to be opened or closed (for the oldest first), rows that timed out,
// power-down. That is FR-FCFS (Rixner et al., ISCA 2000) with a cap: when so many younger requests
// were served before the oldest one, nothing else is served.
// APPROX: HBM2 has two command buses, here all share one. LPDDR5's read-to-write distance is the
// same within and across bank groups. Refreshes are never postponed nor pulled in, except per set.
#include "mem/dram_priv.h"

// A step's view of the channel, and the command that it found.
struct step {
    struct dram *d;
    struct dram_channel *c;
    struct dram_channel_work *w;
    u32 channel;
    u64 now, next; // next: when something can be done, of what cannot be done now
    bool found;
    struct dram_command command;
    u64 blocked[DRAM_RANKS_MOST];    // banks that wait for their refresh
    u64 row_wanted[DRAM_RANKS_MOST]; // banks whose open row a request wants
};

static struct dram_rank *rank_of(const struct step *s, u32 rank)
{
    return &s->d->ranks[s->channel * s->d->p.ranks + rank];
}

static struct dram_bank *bank_of(const struct step *s, u32 rank, u32 bank)
{
    return &s->d->banks[(s->channel * s->d->p.ranks + rank) * s->d->rank_banks + bank];
}

static struct dram_group *group_of(const struct step *s, u32 rank, u32 group)
{
    return &s->d->groups[(s->channel * s->d->p.ranks + rank) * s->d->standard->bank_groups + group];
}

static void raise(u64 *when, u64 to)
{
    *when = MAX(*when, to);
}

// The command can be issued from `when` on: true when that is now, and nothing was found before.
static bool offer(struct step *s, u64 when, u32 kind, u32 rank, u32 bank, u32 row)
{
    struct dram_rank *r = rank_of(s, rank);

    raise(&when, r->ready);
    if (r->down && when <= s->now) {
        // It has to wake up first.
        kind = DRAM_PDX;
        when = r->down_since + s->d->t.tCKE;
    }
    if (when > s->now) {
        s->next = MIN(s->next, when);
        return false;
    }
    s->found = true;
    s->command = (struct dram_command){s->now, kind, rank, bank, row};
    return true;
}

// ---- the state of the devices after a command

static void close_bank(struct step *s, struct dram_bank *b, u64 when, u32 takes)
{
    b->row = 0;
    raise(&rank_of(s, s->command.rank)->quiet, when + takes);
    raise(&b->act, when + takes);
}

static void after_act(struct step *s, const struct dram_command *k)
{
    const struct dram_timings *t = &s->d->t;
    struct dram_rank *r = rank_of(s, k->rank);
    struct dram_group *g = group_of(s, k->rank, k->bank / s->d->standard->banks_per_group);
    struct dram_bank *b = bank_of(s, k->rank, k->bank);

    b->row = k->row + 1u;
    b->used = s->now;
    raise(&r->quiet, s->now + t->tRCD);
    raise(&b->act, s->now + t->tRC);
    raise(&b->pre, s->now + t->tRAS);
    raise(&b->read, s->now + t->tRCD);
    raise(&b->write, s->now + t->tRCD_WR);
    raise(&g->act, s->now + t->tRRD_L);
    raise(&r->act, s->now + t->tRRD_S);
    r->faw[r->faw_next] = s->now + t->tFAW;
    r->faw_next = (r->faw_next + 1) % 4;
    s->d->n.activates++;
}

static void after_column(struct step *s, const struct dram_command *k)
{
    const struct dram_timings *t = &s->d->t;
    bool write = k->kind == DRAM_WR || k->kind == DRAM_WRA;
    u64 data_end = s->now + (write ? t->tCWL : t->tCL) + t->burst;
    struct dram_rank *r = rank_of(s, k->rank);
    struct dram_group *g = group_of(s, k->rank, k->bank / s->d->standard->banks_per_group);
    struct dram_bank *b = bank_of(s, k->rank, k->bank);

    if (write) {
        raise(&b->pre, data_end + t->tWR);
        raise(&g->write, s->now + t->tCCD_L_WR);
        raise(&r->write, s->now + t->tCCD_S);
        raise(&g->read, data_end + t->tWTR_L);
        raise(&r->read, data_end + t->tWTR_S);
        raise(&r->quiet, data_end + t->tWR);
    } else {
        raise(&b->pre, s->now + t->tRTP);
        raise(&g->read, s->now + t->tCCD_L);
        raise(&r->read, s->now + t->tCCD_S);
        raise(&r->write, data_end + t->tTURN - t->tCWL);
        raise(&r->quiet, data_end + 1);
    }
    b->used = s->now;
    s->c->data_end = data_end;
    s->c->data_rank = k->rank;
    if (k->kind == DRAM_RDA || k->kind == DRAM_WRA)
        close_bank(s, b, b->pre, t->tRP);
}

static void after_refresh(struct step *s, const struct dram_command *k)
{
    const struct dram_timings *t = &s->d->t;
    struct dram_rank *r = rank_of(s, k->rank);
    u32 sets = s->d->standard->refresh_sets;

    s->d->n.refreshes++;
    if (k->kind == DRAM_REF) {
        r->refresh += t->tREFI;
        raise(&r->quiet, s->now + t->tRFC);
        for (u32 i = 0; i < s->d->rank_banks; i++)
            raise(&bank_of(s, k->rank, i)->act, s->now + t->tRFC);
        return;
    }
    r->refresh += t->tREFIpb;
    raise(&r->quiet, s->now + t->tRFCpb);
    raise(&r->act, s->now + t->tPBR2ACT);
    r->set_free = s->now + t->tPBR2PBR;
    for (u32 i = k->bank; i < s->d->rank_banks; i += sets)
        raise(&bank_of(s, k->rank, i)->act, s->now + t->tRFCpb);
    r->set = (r->set + 1) % sets;
}

static void after_power(struct step *s, const struct dram_command *k)
{
    struct dram_rank *r = rank_of(s, k->rank);

    r->down = k->kind == DRAM_PDE;
    if (r->down) {
        r->down_since = s->now;
        s->d->n.powerDowns++;
        return;
    }
    r->ready = s->now + s->d->t.tXP;
    raise(&r->quiet, s->now + s->d->t.tCKE);
    s->d->n.powerDownTime += dram_tick(s->d, s->now - r->down_since);
}

static void issue(struct step *s)
{
    struct dram *d = s->d;
    struct dram_command *k = &s->command;
    const char *problem = s->w->checker ? dram_checker_command(s->w->checker, k) : NULL;
    u32 slots = 1;

    if (problem)
        BUG("%s, channel %u: %s", d->base.path, (unsigned)s->channel, problem);
    if (d->listen)
        d->listen(d->listener, s->channel, k);
    switch ((enum dram_command_kind)k->kind) {
    case DRAM_ACT:
        slots = d->standard->activate_slots;
        after_act(s, k);
        break;
    case DRAM_PRE:
        close_bank(s, bank_of(s, k->rank, k->bank), s->now, d->t.tRP);
        d->n.precharges++;
        break;
    case DRAM_PREA:
        for (u32 i = 0; i < d->rank_banks; i++)
            if (bank_of(s, k->rank, i)->row)
                close_bank(s, bank_of(s, k->rank, i), s->now, d->t.tRPab);
        d->n.precharges++;
        break;
    case DRAM_REF:
    case DRAM_REFPB:
        after_refresh(s, k);
        break;
    case DRAM_PDE:
    case DRAM_PDX:
        after_power(s, k);
        break;
    default:
        slots = d->standard->column_slots;
        after_column(s, k);
    }
    s->c->command = s->now + slots;
}

// ---- what can be issued

// Banks first..first + n*stride: closes them, or tells from when on they can be refreshed.
static bool prepare_refresh(struct step *s, u32 rank, u32 first, u32 stride, u64 *ret_when)
{
    bool all = stride == 1;
    u64 precharge = 0, when = 0;
    u32 open = 0, which = first;

    for (u32 i = first; i < s->d->rank_banks; i += stride) {
        struct dram_bank *b = bank_of(s, rank, i);

        if (b->row) {
            precharge = all || !open ? MAX(precharge, b->pre) : precharge;
            which = open ? which : i;
            open++;
        }
        raise(&when, b->act);
    }
    *ret_when = when;
    if (!open)
        return true;
    offer(s, precharge, all ? DRAM_PREA : DRAM_PRE, rank, which, 0);
    return false;
}

static void offer_refresh(struct step *s, u32 rank)
{
    struct dram_rank *r = rank_of(s, rank);
    u32 sets = s->d->p.refresh == DRAM_PER_BANK ? s->d->standard->refresh_sets : 1;
    u64 when;

    if (s->d->p.refresh == DRAM_NO_REFRESH)
        return;
    if (r->refresh > s->now) {
        s->next = MIN(s->next, r->refresh);
        return;
    }
    for (u32 i = (u32)r->set; i < s->d->rank_banks; i += sets)
        s->blocked[rank] |= (u64)1 << i;
    if (!prepare_refresh(s, rank, (u32)r->set, sets, &when))
        return;
    if (sets == 1) {
        offer(s, when, DRAM_REF, rank, 0, 0);
        return;
    }
    raise(&when, r->set_free);
    raise(&when, r->act);
    offer(s, when, DRAM_REFPB, rank, (u32)r->set, 0);
}

static u64 column_when(const struct step *s, const struct dram_request *q, bool write)
{
    const struct dram_timings *t = &s->d->t;
    const struct dram_bank *b = bank_of(s, q->rank, q->bank);
    const struct dram_group *g = group_of(s, q->rank, q->group);
    const struct dram_rank *r = rank_of(s, q->rank);
    u64 bus = s->c->data_end + (s->c->data_rank != q->rank ? t->tRTRS : 0);
    u64 latency = write ? t->tCWL : t->tCL;
    u64 when = write ? MAX(MAX(b->write, g->write), r->write) : MAX(MAX(b->read, g->read), r->read);

    return MAX(when, bus > latency ? bus - latency : 0);
}

static bool row_hit(const struct step *s, const struct dram_request *q)
{
    return bank_of(s, q->rank, q->bank)->row == q->row + 1u;
}

// Whether a request other than that at `position` of `queue` wants its row.
static bool row_is_queued(const struct step *s, const struct dram_queue *queue, u32 position)
{
    const struct dram_request *q = &s->w->requests[queue->order[position]];
    const struct dram_queue *both[] = {&s->w->reads, &s->w->writes};

    for (u32 i = 0; i < 2; i++) {
        for (u32 j = 0; j < both[i]->count; j++) {
            const struct dram_request *o = &s->w->requests[both[i]->order[j]];

            if (o != q && o->bank == q->bank && o->rank == q->rank && o->row == q->row)
                return true;
        }
    }
    return false;
}

// The column command of a request whose row is open.
static bool offer_column(struct step *s, struct dram_queue *queue, u32 position)
{
    struct dram *d = s->d;
    struct dram_request *q = &s->w->requests[queue->order[position]];
    bool write = queue == &s->w->writes, close;

    if (!offer(s, column_when(s, q, write), write ? DRAM_WR : DRAM_RD, q->rank, q->bank, q->row))
        return false;
    if (s->command.kind == DRAM_PDX)
        return true;
    close = d->p.page_policy == DRAM_CLOSED ||
            (d->p.page_policy == DRAM_CLOSED_ADAPTIVE && !row_is_queued(s, queue, position));
    if (q->left == 1 && close)
        s->command.kind = write ? DRAM_WRA : DRAM_RDA;
    return true;
}

// What opens the request's row.
static bool offer_row(struct step *s, struct dram_request *q)
{
    struct dram_bank *b = bank_of(s, q->rank, q->bank);
    struct dram_rank *r = rank_of(s, q->rank);
    u64 when;

    if (b->row)
        return offer(s, b->pre, DRAM_PRE, q->rank, q->bank, 0);
    when = MAX(MAX(b->act, group_of(s, q->rank, q->group)->act), MAX(r->act, r->faw[r->faw_next]));
    return offer(s, when, DRAM_ACT, q->rank, q->bank, q->row);
}

static bool is_blocked(const struct step *s, const struct dram_request *q)
{
    return s->blocked[q->rank] >> q->bank & 1;
}

// The request at the queue's head, when too many younger ones were served before it.
static struct dram_request *starving(const struct step *s, const struct dram_queue *queue)
{
    struct dram_request *q = queue->count ? &s->w->requests[queue->order[0]] : NULL;

    return q && q->ready <= s->now && q->bypassed >= s->d->p.starvation_cap && !is_blocked(s, q)
               ? q
               : NULL;
}

// The position in *queue of the request whose column command was found; DRAM_QUEUE_MOST: none.
static u32 find_column(struct step *s, struct dram_queue *queue)
{
    for (u32 i = 0; i < queue->count; i++) {
        struct dram_request *q = &s->w->requests[queue->order[i]];

        if (q->ready > s->now) {
            s->next = MIN(s->next, q->ready);
            continue;
        }
        if (is_blocked(s, q) || !row_hit(s, q))
            continue;
        s->row_wanted[q->rank] |= (u64)1 << q->bank;
        if (offer_column(s, queue, i))
            return i;
    }
    return DRAM_QUEUE_MOST;
}

static struct dram_request *find_row(struct step *s, struct dram_queue *queue)
{
    for (u32 i = 0; i < queue->count; i++) {
        struct dram_request *q = &s->w->requests[queue->order[i]];
        u64 bit = (u64)1 << q->bank;

        if (q->ready > s->now || is_blocked(s, q) || (s->row_wanted[q->rank] & bit))
            continue;
        s->row_wanted[q->rank] |= bit; // the oldest one of a bank decides
        if (offer_row(s, q))
            return q;
    }
    return NULL;
}

// The queue that is served now.
static struct dram_queue *direction(struct step *s)
{
    struct dram_queue *reads = &s->w->reads, *writes = &s->w->writes;
    bool was = s->c->writing;

    if (s->c->writing)
        s->c->writing =
            writes->count && (!reads->count || s->c->batch < s->d->p.write_batch ||
                              (writes->count > s->d->low && s->c->batch < s->d->p.write_queue));
    else
        s->c->writing = writes->count && (writes->count >= s->d->high || !reads->count);
    if (was != (s->c->writing != 0)) {
        s->c->batch = 0;
        s->d->n.readToWrite += s->c->writing;
        s->d->n.writeToRead += !s->c->writing;
    }
    return s->c->writing ? writes : reads;
}

static void column_issued(struct step *s, struct dram_queue *queue, u32 position)
{
    struct dram *d = s->d;
    struct dram_request *q = &s->w->requests[queue->order[position]];
    bool write = queue == &s->w->writes;

    d->n.busTicks += dram_tick(d, d->t.burst);
    if (write)
        d->n.writeBursts++;
    else
        d->n.readBursts++;
    if (--q->left)
        return;
    for (u32 i = 0; i < position; i++) {
        struct dram_request *older = &s->w->requests[queue->order[i]];

        if (older->ready <= s->now && ++older->bypassed == d->p.starvation_cap)
            d->n.starved++;
    }
    s->c->batch += write;
    dram_finish(d, s->channel, queue, position, s->now);
}

static void serve(struct step *s)
{
    struct dram_queue *queue = direction(s);
    struct dram_request *first = starving(s, queue), *opens = NULL;
    u32 position = DRAM_QUEUE_MOST;

    if (first) {
        if (!row_hit(s, first))
            opens = offer_row(s, first) ? first : NULL;
        else if (offer_column(s, queue, 0))
            position = 0;
    } else {
        position = find_column(s, queue);
        if (position == DRAM_QUEUE_MOST)
            opens = find_row(s, queue);
    }
    if (!s->found)
        return;
    issue(s);
    if (s->command.kind == DRAM_PDX)
        return;
    if (opens)
        opens->missed = true;
    else
        column_issued(s, queue, position);
}

static void close_unused(struct step *s)
{
    for (u32 r = 0; r < s->d->p.ranks && !s->found; r++) {
        for (u32 i = 0; i < s->d->rank_banks && !s->found; i++) {
            struct dram_bank *b = bank_of(s, r, i);

            if (b->row && !(s->row_wanted[r] >> i & 1))
                offer(s, MAX(b->pre, b->used + s->d->page_timeout), DRAM_PRE, r, i, 0);
        }
    }
    if (s->found)
        issue(s);
}

static void power_down(struct step *s)
{
    for (u32 i = 0; i < s->d->p.ranks && !s->found; i++) {
        struct dram_rank *r = rank_of(s, i);
        bool due = s->d->p.refresh != DRAM_NO_REFRESH && r->refresh <= s->now;

        if (!r->down && !due && !s->w->rank_requests[i])
            offer(s, r->quiet + s->d->powerdown, DRAM_PDE, i, 0, 0);
    }
    if (s->found)
        issue(s);
}

void dram_step(struct dram *d, u32 channel, u64 now)
{
    struct step s = {.d = d,
                     .c = &d->channels[channel],
                     .w = &d->work[channel],
                     .channel = channel,
                     .now = now,
                     .next = DRAM_NEVER};

    if (s.c->command > now) {
        s.c->wake = s.c->command;
        return;
    }
    for (u32 i = 0; i < d->p.ranks && !s.found; i++)
        offer_refresh(&s, i);
    if (s.found)
        issue(&s);
    else if (s.w->reads.count || s.w->writes.count)
        serve(&s);
    if (!s.found && d->p.page_policy == DRAM_TIMEOUT)
        close_unused(&s);
    if (!s.found && d->powerdown)
        power_down(&s);
    s.c->wake = s.found ? s.c->command : s.next;
    d->n.totalTicks += dram_tick(d, now - MIN(now, s.c->counted));
    raise(&s.c->counted, now);
}

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
    for (u32 i = 0; i < d->p.ranks; i++) {
        struct dram_rank *r = &d->ranks[channel * d->p.ranks + i];

        r->refresh += clocks;
        r->set_free += clocks;
        r->ready += clocks;
        r->quiet += clocks;
        r->down_since += clocks;
        r->act += clocks;
        for (u32 j = 0; j < d->rank_banks; j++)
            d->banks[(channel * d->p.ranks + i) * d->rank_banks + j].act += clocks;
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
