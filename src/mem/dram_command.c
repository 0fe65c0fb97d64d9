// SPDX-License-Identifier: BSD-3-Clause
// What a DRAM command does: from when on others can follow it.
#include "mem/dram_priv.h"

// Where a command goes.
struct target {
    struct dram *d;
    const struct dram_command *k;
    u64 now;
    u32 channel;
    struct dram_rank *rank;
    struct dram_group *group;
    struct dram_bank *bank;
};

static void close_bank(const struct target *x, struct dram_bank *b, u64 when, u32 takes)
{
    b->row = 0;
    dram_raise(&x->rank->quiet, when + takes);
    dram_raise(&b->act, when + takes);
}

static void after_act(const struct target *x)
{
    const struct dram_timings *t = &x->d->t;
    struct dram_rank *r = x->rank;

    x->bank->row = x->k->row + 1u;
    x->bank->used = x->now;
    dram_raise(&x->bank->act, x->now + t->tRC);
    dram_raise(&x->bank->pre, x->now + t->tRAS);
    dram_raise(&x->bank->read, x->now + t->tRCD);
    dram_raise(&x->bank->write, x->now + t->tRCD_WR);
    dram_raise(&x->group->act, x->now + t->tRRD_L);
    dram_raise(&r->act, x->now + t->tRRD_S);
    dram_raise(&r->quiet, x->now + t->tRCD);
    r->faw[r->faw_next] = x->now + t->tFAW;
    r->faw_next = (r->faw_next + 1) % 4;
    x->d->n.activates++;
}

static void after_read(const struct target *x, u64 data_end)
{
    const struct dram_timings *t = &x->d->t;

    dram_raise(&x->bank->pre, x->now + t->tRTP);
    dram_raise(&x->group->read, x->now + t->tCCD_L);
    dram_raise(&x->rank->read, x->now + t->tCCD_S);
    dram_raise(&x->rank->write, data_end + t->tTURN - t->tCWL);
    dram_raise(&x->rank->quiet, data_end + 1);
    x->d->n.readBursts++;
}

static void after_write(const struct target *x, u64 data_end)
{
    const struct dram_timings *t = &x->d->t;

    dram_raise(&x->bank->pre, data_end + t->tWR);
    dram_raise(&x->group->write, x->now + t->tCCD_L_WR);
    dram_raise(&x->rank->write, x->now + t->tCCD_S);
    dram_raise(&x->group->read, data_end + t->tWTR_L);
    dram_raise(&x->rank->read, data_end + t->tWTR_S);
    dram_raise(&x->rank->quiet, data_end + t->tWR);
    x->d->n.writeBursts++;
}

static void after_column(const struct target *x)
{
    const struct dram_timings *t = &x->d->t;
    struct dram_channel *c = &x->d->channels[x->channel];
    bool write = dram_is_write(x->k->kind);

    c->data_end = x->now + (write ? t->tCWL : t->tCL) + t->burst;
    c->data_rank = x->k->rank;
    if (write)
        after_write(x, c->data_end);
    else
        after_read(x, c->data_end);
    x->bank->used = x->now;
    x->d->n.busTicks += dram_tick(x->d, t->burst);
    // The device waits for tRAS and the rest by itself.
    if (x->k->kind == DRAM_RDA || x->k->kind == DRAM_WRA)
        close_bank(x, x->bank, x->bank->pre, t->tRP);
}

static void after_precharge_all(const struct target *x)
{
    for (u32 i = 0; i < x->d->rank_banks; i++) {
        struct dram_bank *b = dram_bank_of(x->d, x->channel, x->k->rank, i);

        if (b->row)
            close_bank(x, b, x->now, x->d->t.tRPab);
    }
}

static void after_refresh(const struct target *x)
{
    const struct dram_timings *t = &x->d->t;
    struct dram_rank *r = x->rank;
    bool all = x->k->kind == DRAM_REF;
    u32 first = all ? 0 : x->k->bank, sets = all ? 1 : x->d->standard->refresh_sets;
    u32 takes = all ? t->tRFC : t->tRFCpb;

    for (u32 i = first; i < x->d->rank_banks; i += sets)
        dram_raise(&dram_bank_of(x->d, x->channel, x->k->rank, i)->act, x->now + takes);
    dram_raise(&r->quiet, x->now + takes);
    r->refresh += all ? t->tREFI : t->tREFIpb;
    if (!all) {
        dram_raise(&r->act, x->now + t->tPBR2ACT);
        r->set_free = x->now + t->tPBR2PBR;
        r->set = (r->set + 1) % sets;
    }
    x->d->n.refreshes++;
}

static void after_power(const struct target *x)
{
    struct dram_rank *r = x->rank;

    r->down = x->k->kind == DRAM_PDE;
    if (r->down) {
        r->down_since = x->now;
        x->d->n.powerDowns++;
        return;
    }
    r->ready = x->now + x->d->t.tXP;
    dram_raise(&r->quiet, x->now + x->d->t.tCKE);
    x->d->n.powerDownTime += dram_tick(x->d, x->now - r->down_since);
}

static void witness(struct dram *d, u32 channel, const struct dram_command *command)
{
    struct dram_checker *checker = d->work[channel].checker;
    const char *problem = checker ? dram_checker_command(checker, command) : NULL;

    if (problem)
        BUG("%s, channel %u: %s", d->base.path, (unsigned)channel, problem);
    if (d->listen)
        d->listen(d->listener, channel, command);
}

void dram_command_issue(struct dram *d, u32 channel, const struct dram_command *command)
{
    const struct dram_standard *s = d->standard;
    u32 groups = channel * (u32)d->p.ranks * s->bank_groups, slots = 1;
    struct target x = {
        .d = d,
        .k = command,
        .now = command->when,
        .channel = channel,
        .rank = dram_rank_of(d, channel, command->rank),
        .group = &d->groups[groups + command->rank * s->bank_groups +
                            command->bank / s->banks_per_group],
        .bank = dram_bank_of(d, channel, command->rank, command->bank),
    };

    witness(d, channel, command);
    switch ((enum dram_command_kind)command->kind) {
    case DRAM_ACT:
        slots = s->activate_slots;
        after_act(&x);
        break;
    case DRAM_PRE:
        close_bank(&x, x.bank, x.now, d->t.tRP);
        d->n.precharges++;
        break;
    case DRAM_PREA:
        after_precharge_all(&x);
        d->n.precharges++;
        break;
    case DRAM_REF:
    case DRAM_REFPB:
        after_refresh(&x);
        break;
    case DRAM_PDE:
    case DRAM_PDX:
        after_power(&x);
        break;
    case DRAM_RD:
    case DRAM_RDA:
    case DRAM_WR:
    case DRAM_WRA:
        slots = s->column_slots;
        after_column(&x);
        break;
    case DRAM_COMMANDS:
        BUG("no command");
    }
    d->channels[channel].command = x.now + slots;
}
