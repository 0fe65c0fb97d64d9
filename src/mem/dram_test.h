// SPDX-License-Identifier: BSD-3-Clause
// For the unit tests of the DRAM controller: a machine of one controller under its timing checker,
// a client that writes down when its reads are done, and a record of the commands.
#pragma once

#include "base/rng.h"
#include "mem/dram_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { TEST_TOKENS = 1 << 15, TEST_COMMANDS = 1 << 16 };

struct dram_fixture {
    struct sim sim;
    struct dram *d;
    struct timed_client client;
    tick done[TEST_TOKENS]; // by token; 0: not yet
    u32 order[TEST_TOKENS]; // tokens as they were done
    u32 done_count;
    struct dram_command *commands;
    u32 *channels;
    u32 command_count;
};

static inline void test_done(struct timed_client *client, u32 token, tick when)
{
    struct dram_fixture *x = CONTAINER_OF(client, struct dram_fixture, client);

    assert_int_equal(when, x->sim.queue.now);
    assert_true(token < TEST_TOKENS && x->done[token] == 0);
    x->done[token] = when;
    x->order[x->done_count++] = token;
}

static inline void test_listen(void *context, u32 channel, const struct dram_command *command)
{
    struct dram_fixture *x = context;

    assert_true(x->command_count < TEST_COMMANDS);
    x->channels[x->command_count] = channel;
    x->commands[x->command_count++] = *command;
}

// NULL-terminated pairs of parameters and values.
static inline void dram_fixture_new(struct dram_fixture *x, const char *const *params)
{
    struct error err;
    struct component *c;

    assert_true(log_set_filter("error", &err));
    memset(x, 0, sizeof(*x));
    sim_init(&x->sim);
    c = component_new(&x->sim, &dram_type, NULL, "dram", &err);
    assert_non_null(c);
    x->d = (struct dram *)c;
    x->client.done = test_done;
    x->commands = arena_array(&x->sim.arena, TEST_COMMANDS, sizeof(*x->commands));
    x->channels = arena_array(&x->sim.arena, TEST_COMMANDS, sizeof(*x->channels));
    assert_true(component_set(c, "check", "true", &err));
    for (; params && *params; params += 2)
        if (!component_set(c, params[0], params[1], &err))
            fail_msg("%s", err.message);
    if (!sim_build(&x->sim, &err))
        fail_msg("%s", err.message);
    sim_reset(&x->sim);
    x->d->listen = test_listen;
    x->d->listener = x;
}

static inline enum timed_answer dram_ask(struct dram_fixture *x, u8 kind, paddr pa, u32 token,
                                         tick *ret_when)
{
    const struct timed_port_ops *ops = component_interface(&x->d->base, "timed_port");
    struct timed_access a = {.pa = pa, .kind = kind};

    return ops->access(&x->d->base, &a, x->sim.queue.now, &x->client, token, ret_when);
}

static inline tick dram_warm(struct dram_fixture *x, u8 kind, paddr pa)
{
    const struct timed_port_ops *ops = component_interface(&x->d->base, "timed_port");
    struct timed_access a = {.pa = pa, .kind = kind};

    return ops->atomic(&x->d->base, &a);
}

static inline void dram_settle(struct dram_fixture *x)
{
    while (event_queue_step(&x->sim.queue, ~(tick)0 - 1))
        ;
}

// From the port and back, with nobody else about.
static inline tick dram_read_alone(struct dram_fixture *x, paddr pa)
{
    tick when, start = x->sim.queue.now;

    x->done[0] = 0;
    assert_int_equal(dram_ask(x, TIMED_READ, pa, 0, &when), TIMED_PENDING);
    dram_settle(x);
    assert_true(x->done[0] != 0);
    return x->done[0] - start;
}

static inline void dram_advance(struct dram_fixture *x, tick ticks)
{
    event_queue_run(&x->sim.queue, x->sim.queue.now + ticks);
}

// The address of the line of a place with the mapping "RoRaBaCoBgCh" and so on.
static inline paddr dram_address_of(const struct dram *d, struct dram_place at)
{
    u32 group = at.bank / d->standard->banks_per_group, bank = at.bank;

    if (d->map.group_of_bank)
        bank = (bank % d->standard->banks_per_group) << d->map.group_of_bank | group;
    else
        bank %= d->standard->banks_per_group;
    return ((u64)at.row << d->map.row.shift | (u64)at.rank << d->map.rank.shift |
            (u64)bank << d->map.bank.shift |
            (d->map.group_of_bank ? 0 : (u64)group << d->map.group.shift) |
            (u64)at.column << d->map.column.shift | (u64)at.channel << d->map.channel.shift)
           << TIMED_LINE_SHIFT;
}
