// SPDX-License-Identifier: BSD-3-Clause
// Checks a DRAM channel's commands after JESD79-3/-4/-5, JESD209-5 and JESD235: each rule is one
// call of since(), which names it.
// UNMODELLED: mode register, calibration and training commands, self-refresh.
#include "mem/dram_checker.h"

#include "base/bug.h"

#include <inttypes.h>
#include <stdio.h>

#define NEVER (-((i64)1 << 60))
enum { CLOSED = ~(u32)0, POSTPONED_MOST = 8 };

struct bank {
    i64 act, read, write;
    i64 pre;    // when its precharge began; of an auto-precharge perhaps in the future
    i64 pre_of; // what that takes
    i64 refresh;
    u32 row;
};

struct group {
    i64 act, read, write;
};

struct rank {
    i64 act[4]; // the last four, newest first
    i64 read, write, refresh, refresh_set, down, up;
    u32 next_set;
    bool is_down;
};

struct dram_checker {
    const struct dram_standard *s;
    struct dram_timings t;
    u32 ranks, banks_per_rank;
    struct bank *banks;
    struct group *groups;
    struct rank *rank;
    i64 last, slots;         // the last command and how long it is
    i64 data_end, data_rank; // of the last burst on the data bus
    const struct dram_command *now;
    char message[200];
    bool failed;
};

const char *dram_command_name(u32 kind)
{
    static const char *const names[] = {"ACT", "PRE", "PREA",  "RD",  "RDA", "WR",
                                        "WRA", "REF", "REFPB", "PDE", "PDX"};

    return kind < ARRAY_SIZE(names) ? names[kind] : "?";
}

struct dram_checker *dram_checker_new(struct arena *arena, const struct dram_standard *s, u32 ranks)
{
    struct dram_checker *c = arena_alloc(arena, sizeof(*c));

    c->s = s;
    dram_timings_resolve(s, &c->t);
    c->ranks = ranks;
    c->banks_per_rank = dram_standard_banks(s);
    c->banks = arena_array(arena, (size_t)ranks * c->banks_per_rank, sizeof(*c->banks));
    c->groups = arena_array(arena, (size_t)ranks * s->bank_groups, sizeof(*c->groups));
    c->rank = arena_array(arena, ranks, sizeof(*c->rank));
    dram_checker_reset(c, 0);
    return c;
}

void dram_checker_reset(struct dram_checker *c, u64 now)
{
    for (u32 i = 0; i < c->ranks * c->banks_per_rank; i++)
        c->banks[i] = (struct bank){NEVER, NEVER, NEVER, NEVER, 0, NEVER, CLOSED};
    for (u32 i = 0; i < c->ranks * c->s->bank_groups; i++)
        c->groups[i] = (struct group){NEVER, NEVER, NEVER};
    for (u32 i = 0; i < c->ranks; i++)
        c->rank[i] = (struct rank){.act = {NEVER, NEVER, NEVER, NEVER},
                                   .read = NEVER,
                                   .write = NEVER,
                                   .refresh = (i64)now - c->t.tRFC,
                                   .refresh_set = (i64)now - c->t.tRFC,
                                   .down = NEVER,
                                   .up = NEVER};
    c->last = c->data_end = NEVER;
    c->slots = 1;
    c->data_rank = -1;
}

static void complain(struct dram_checker *c, const char *what, i64 at_earliest)
{
    const struct dram_command *k = c->now;

    if (c->failed)
        return;
    c->failed = true;
    snprintf(c->message, sizeof(c->message),
             "%s of rank %" PRIu32 " bank %" PRIu32 " row %" PRIu32 " at clock %" PRIu64
             " violates %s (clock %" PRId64 ")",
             dram_command_name(k->kind), k->rank, k->bank, k->row, k->when, what, at_earliest);
}

// The command must come at least `clocks` after `then`.
static void since(struct dram_checker *c, const char *rule, i64 then, i64 clocks)
{
    if ((i64)c->now->when < then + clocks)
        complain(c, rule, then + clocks);
}

static void must(struct dram_checker *c, const char *rule, bool holds)
{
    if (!holds)
        complain(c, rule, (i64)c->now->when);
}

static struct bank *bank_of(struct dram_checker *c, u32 rank, u32 bank)
{
    return &c->banks[rank * c->banks_per_rank + bank];
}

static i64 write_end(const struct dram_checker *c, i64 write)
{
    return write + c->t.tCWL + c->t.burst;
}

static void check_act(struct dram_checker *c, struct rank *r, struct group *g, struct bank *b)
{
    const struct dram_timings *t = &c->t;

    must(c, "bank must be closed", b->row == CLOSED);
    since(c, "tRC", b->act, t->tRC);
    since(c, "tRP", b->pre, b->pre_of);
    since(c, "tRFCpb", b->refresh, t->tRFCpb);
    since(c, "tRRD_L", g->act, t->tRRD_L);
    since(c, "tRRD_S", r->act[0], t->tRRD_S);
    since(c, "tFAW", r->act[3], t->tFAW);
    since(c, "tRFC", r->refresh, t->tRFC);
    if (c->s->refresh_sets)
        since(c, "tPBR2ACT", r->refresh_set, t->tPBR2ACT);
    b->row = c->now->row;
    b->act = g->act = (i64)c->now->when;
    for (int i = 3; i > 0; i--)
        r->act[i] = r->act[i - 1];
    r->act[0] = (i64)c->now->when;
}

static void check_data(struct dram_checker *c, i64 start)
{
    bool other = c->data_rank != (i64)c->now->rank;

    if (start < c->data_end + (other ? c->t.tRTRS : 0))
        complain(c, other ? "tRTRS" : "data bus", (i64)c->now->when);
    c->data_end = start + c->t.burst;
    c->data_rank = c->now->rank;
}

static void check_read(struct dram_checker *c, struct rank *r, struct group *g, struct bank *b)
{
    const struct dram_timings *t = &c->t;
    i64 now = (i64)c->now->when;

    must(c, "row must be open", b->row == c->now->row);
    since(c, "tRCD", b->act, t->tRCD);
    since(c, "tCCD_L", g->read, t->tCCD_L);
    since(c, "tCCD_S", r->read, t->tCCD_S);
    since(c, "tWTR_L", write_end(c, g->write), t->tWTR_L);
    since(c, "tWTR_S", write_end(c, r->write), t->tWTR_S);
    check_data(c, now + t->tCL);
    b->read = g->read = r->read = now;
}

static void check_write(struct dram_checker *c, struct rank *r, struct group *g, struct bank *b)
{
    const struct dram_timings *t = &c->t;
    i64 now = (i64)c->now->when;

    must(c, "row must be open", b->row == c->now->row);
    since(c, "tRCD_WR", b->act, t->tRCD_WR);
    since(c, "tCCD_L_WR", g->write, t->tCCD_L_WR);
    since(c, "tCCD_S", r->write, t->tCCD_S);
    since(c, "read to write", r->read, (i64)t->tCL + t->burst + t->tTURN - t->tCWL);
    check_data(c, now + t->tCWL);
    b->write = g->write = r->write = now;
}

static void precharge(struct dram_checker *c, struct bank *b, i64 when, u32 takes)
{
    if (b->row == CLOSED)
        return;
    b->row = CLOSED;
    b->pre = when;
    b->pre_of = takes;
}

static void check_pre(struct dram_checker *c, struct bank *b, u32 takes)
{
    if (b->row == CLOSED)
        return;
    since(c, "tRAS", b->act, c->t.tRAS);
    since(c, "tRTP", b->read, c->t.tRTP);
    since(c, "tWR", write_end(c, b->write), c->t.tWR);
    precharge(c, b, (i64)c->now->when, takes);
}

// The device waits for tRAS by itself.
static void auto_precharge(struct dram_checker *c, struct bank *b)
{
    i64 pre = b->act + c->t.tRAS;

    pre = MAX(pre, b->read + c->t.tRTP);
    pre = MAX(pre, write_end(c, b->write) + c->t.tWR);
    precharge(c, b, pre, c->t.tRP);
}

static void check_closed(struct dram_checker *c, struct bank *b)
{
    must(c, "banks must be closed", b->row == CLOSED);
    since(c, "tRP", b->pre, b->pre_of);
    since(c, "tRC", b->act, c->t.tRC);
    since(c, "tRFCpb", b->refresh, c->t.tRFCpb);
}

static void check_refresh(struct dram_checker *c, struct rank *r)
{
    i64 now = (i64)c->now->when;

    for (u32 i = 0; i < c->banks_per_rank; i++)
        check_closed(c, bank_of(c, c->now->rank, i));
    since(c, "tRFC", r->refresh, c->t.tRFC);
    must(c, "tREFI", now - r->refresh <= (i64)(POSTPONED_MOST + 1) * c->t.tREFI + c->t.tRFC);
    r->refresh = now;
}

static void check_refresh_set(struct dram_checker *c, struct rank *r)
{
    i64 now = (i64)c->now->when;

    must(c, "sets in turn", c->s->refresh_sets && c->now->bank == r->next_set);
    if (c->failed)
        return;
    for (u32 i = c->now->bank; i < c->banks_per_rank; i += c->s->refresh_sets) {
        struct bank *b = bank_of(c, c->now->rank, i);

        check_closed(c, b);
        b->refresh = now;
    }
    since(c, "tRFC", r->refresh, c->t.tRFC);
    since(c, "tPBR2PBR", r->refresh_set, c->t.tPBR2PBR);
    since(c, "tRRD_S", r->act[0], c->t.tRRD_S);
    must(c, "tREFIpb",
         now - r->refresh_set <= (i64)(POSTPONED_MOST + 1) * c->t.tREFIpb + c->t.tRFC);
    r->refresh_set = now;
    r->next_set = (r->next_set + 1) % c->s->refresh_sets;
}

static void check_power(struct dram_checker *c, struct rank *r)
{
    if (c->now->kind == DRAM_PDE) {
        since(c, "tCKE", r->up, c->t.tCKE);
        since(c, "tRDPDEN", r->read, (i64)c->t.tCL + c->t.burst + 1);
        since(c, "tWRPDEN", write_end(c, r->write), c->t.tWR);
        r->down = (i64)c->now->when;
    } else {
        must(c, "power-down", r->is_down);
        since(c, "tCKE", r->down, c->t.tCKE);
        r->up = (i64)c->now->when;
    }
    r->is_down = c->now->kind == DRAM_PDE;
}

static i64 slots_of(const struct dram_checker *c, u32 kind)
{
    if (kind == DRAM_ACT)
        return c->s->activate_slots;
    if (kind == DRAM_RD || kind == DRAM_RDA || kind == DRAM_WR || kind == DRAM_WRA)
        return c->s->column_slots;
    return 1;
}

static void dispatch(struct dram_checker *c, struct rank *r)
{
    const struct dram_command *k = c->now;
    struct bank *b = bank_of(c, k->rank, k->bank % c->banks_per_rank);
    struct group *g = &c->groups[k->rank * c->s->bank_groups +
                                 k->bank % c->banks_per_rank / c->s->banks_per_group];

    switch ((enum dram_command_kind)k->kind) {
    case DRAM_ACT:
        check_act(c, r, g, b);
        break;
    case DRAM_PRE:
        check_pre(c, b, c->t.tRP);
        break;
    case DRAM_PREA:
        for (u32 i = 0; i < c->banks_per_rank; i++)
            check_pre(c, bank_of(c, k->rank, i), c->t.tRPab);
        break;
    case DRAM_RD:
    case DRAM_RDA:
        check_read(c, r, g, b);
        if (k->kind == DRAM_RDA)
            auto_precharge(c, b);
        break;
    case DRAM_WR:
    case DRAM_WRA:
        check_write(c, r, g, b);
        if (k->kind == DRAM_WRA)
            auto_precharge(c, b);
        break;
    case DRAM_REF:
        check_refresh(c, r);
        break;
    case DRAM_REFPB:
        check_refresh_set(c, r);
        break;
    case DRAM_PDE:
    case DRAM_PDX:
        check_power(c, r);
        break;
    case DRAM_COMMANDS:
        BUG("no command");
    }
}

const char *dram_checker_command(struct dram_checker *c, const struct dram_command *command)
{
    struct rank *r = &c->rank[command->rank];

    ASSERT(command->rank < c->ranks);
    c->now = command;
    c->failed = false;
    since(c, "command bus", c->last, c->slots);
    must(c, "power-down", command->kind == DRAM_PDX || !r->is_down);
    if (command->kind != DRAM_PDX)
        since(c, "tXP", r->up, c->t.tXP);
    dispatch(c, r);
    c->last = (i64)command->when;
    c->slots = slots_of(c, command->kind);
    return c->failed ? c->message : NULL;
}

void dram_checker_warm(struct dram_checker *c, u32 rank, u32 bank, u32 row)
{
    bank_of(c, rank, bank)->row = row;
}

void dram_checker_resume(struct dram_checker *c, u32 rank, u32 set, bool down)
{
    c->rank[rank].next_set = set;
    c->rank[rank].is_down = down;
}

void dram_checker_skip(struct dram_checker *c, u64 clocks)
{
    i64 by = (i64)clocks;

    for (u32 i = 0; i < c->ranks * c->banks_per_rank; i++)
        c->banks[i].refresh += by;
    for (u32 i = 0; i < c->ranks; i++) {
        c->rank[i].refresh += by;
        c->rank[i].refresh_set += by;
        c->rank[i].down += by;
        c->rank[i].up += by;
    }
}
