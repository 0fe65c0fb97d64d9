// SPDX-License-Identifier: BSD-3-Clause
// For tests of the memory hierarchy: a machine from lines of text, and a client that writes down
// what it is told. Clocks are 1 GHz unless a line says otherwise: a cycle is 1000 ticks.
//
//     fixture_new(&x, "l1 cache next=m.mem size=1KiB ways=2", "mem mock_memory latency=60ns",
//                 NULL);
#pragma once

#include "mem/cache.h"
#include "mem/cache_level.h"
#include "mem/mock_memory.h"
#include "sim/control.h"
#include "sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { TOKENS = 256, CYCLE = 1000 };

COMPONENT_LISTS(test_machine, NO_ROWS, NO_ROWS, NO_ROWS, NO_ROWS);

struct test_machine {
    struct component base;
    struct test_machine_params p;
    struct test_machine_state st;
    struct test_machine_stats n;
};

static inline void test_machine_request(struct component *root, enum control_request what,
                                        u32 value)
{
}

static const struct control_ops test_machine_control = {.request = test_machine_request};
static const struct component_type test_machine_type = {
    .name = "test_machine",
    .doc = "Machine of a unit test",
    COMPONENT_LAYOUT(test_machine),
    .provides = {IFACE(control, &test_machine_control)},
};

struct fixture {
    struct sim sim;
    struct timed_client client;
    tick done[TOKENS]; // when; 0: not yet
    u32 told;
};

static inline void fixture_done(struct timed_client *client, u32 token, tick when)
{
    struct fixture *x = CONTAINER_OF(client, struct fixture, client);

    assert_true(token < TOKENS);
    assert_int_equal(x->sim.queue.now, when);
    x->done[token] = when;
    x->told++;
}

extern const struct component_type *const test_extra_types[]; // NULL at the end

static inline const struct component_type *test_type(const char *name)
{
    static const struct component_type *const types[] = {
        &cache_type,        &directory_type,   &snoop_bus_type,
        &interconnect_type, &mock_memory_type, &coherence_checker_type};

    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    for (size_t i = 0; test_extra_types[i]; i++)
        if (strcmp(test_extra_types[i]->name, name) == 0)
            return test_extra_types[i];
    fail_msg("there is no type '%s'", name);
    return NULL;
}

static inline void add_component(struct fixture *x, const char *line)
{
    char text[512], *at = text, *name, *word;
    const struct component_type *type;
    struct component *c;
    struct error err;

    snprintf(text, sizeof(text), "%s", line);
    name = strsep(&at, " ");
    type = test_type(strsep(&at, " "));
    c = component_new(&x->sim, type, x->sim.root, name, &err);
    assert_non_null(c);
    if (params_find(type->params, "clock") >= 0)
        assert_true(component_set(c, "clock", "1GHz", &err));
    while ((word = strsep(&at, " "))) {
        char *value = strchr(word, '=');

        if (!value)
            continue;
        *value++ = '\0';
        if (!component_set(c, word, value, &err))
            fail_msg("%s", err.message);
    }
}

static inline bool fixture_build(struct fixture *x, struct error *err, const char *line, va_list ap)
{
    assert_true(log_set_filter("off", err) || log_set_filter("error", err));
    *x = (struct fixture){.client.done = fixture_done};
    sim_init(&x->sim);
    assert_non_null(component_new(&x->sim, &test_machine_type, NULL, "m", err));
    for (; line; line = va_arg(ap, const char *))
        add_component(x, line);
    return sim_build(&x->sim, err);
}

static inline void fixture_new(struct fixture *x, const char *line, ...)
{
    struct error err;
    va_list ap;

    va_start(ap, line);
    if (!fixture_build(x, &err, line, ap))
        fail_msg("%s", err.message);
    va_end(ap);
    sim_reset(&x->sim);
}

// The machine is refused, and this is in the message.
static inline void fixture_refused(const char *what, const char *line, ...)
{
    struct fixture x;
    struct error err;
    va_list ap;

    va_start(ap, line);
    if (fixture_build(&x, &err, line, ap))
        fail_msg("not refused: %s", what);
    va_end(ap);
    if (!strstr(err.message, what))
        fail_msg("'%s' is not in '%s'", what, err.message);
    sim_release(&x.sim);
}

static inline struct component *at(struct fixture *x, const char *name)
{
    struct component *c = component_child(x->sim.root, name);

    assert_non_null(c);
    return c;
}

static inline struct level *level(struct fixture *x, const char *name)
{
    const struct cache_level_ops *ops = component_interface(at(x, name), "cache_level");

    assert_non_null(ops);
    return ops->level(at(x, name));
}

static inline const struct timed_port_ops *port(struct fixture *x, const char *name)
{
    return component_interface(at(x, name), "timed_port");
}

static inline enum timed_answer timed(struct fixture *x, const char *name, enum timed_kind kind,
                                      paddr pa, tick now, u32 token, tick *ret_when)
{
    struct timed_access a = {.pa = pa, .kind = (u8)kind, .pc = 0x1000};

    x->done[token] = 0;
    return port(x, name)->access(at(x, name), &a, now, &x->client, token, ret_when);
}

static inline tick atomic(struct fixture *x, const char *name, enum timed_kind kind, paddr pa)
{
    struct timed_access a = {.pa = pa, .kind = (u8)kind, .pc = 0x1000};

    return port(x, name)->atomic(at(x, name), &a);
}

static inline void run(struct fixture *x)
{
    while (event_queue_step(&x->sim.queue, ~(tick)0 - 1))
        ;
}

// Asks again while busy, from `now` on; when it is complete. The queue is then empty.
static inline tick complete(struct fixture *x, const char *name, enum timed_kind kind, paddr pa,
                            tick now)
{
    tick when;
    enum timed_answer answer;

    while ((answer = timed(x, name, kind, pa, now, 0, &when)) == TIMED_BUSY) {
        assert_true(when > now);
        now = when;
        event_queue_run(&x->sim.queue, now);
    }
    run(x);
    if (answer == TIMED_PENDING) {
        assert_true(x->done[0] != 0);
        return x->done[0];
    }
    return when;
}

// 'I', 'S', 'E', 'O' or 'M'.
static inline char state(struct fixture *x, const char *name, paddr pa)
{
    struct level *l = level(x, name);
    i64 index = level_find(l, pa >> TIMED_LINE_SHIFT);

    return index < 0 ? 'I' : "?S?E?O?M"[l->tags[index] & LINE_STATE];
}

static inline bool drained(struct fixture *x)
{
    for (struct component *c = x->sim.root; c; c = component_after(c))
        if (c->type->ops && c->type->ops->drain && !c->type->ops->drain(c))
            return false;
    return true;
}
