// SPDX-License-Identifier: BSD-3-Clause
// For the unit tests of devices: a machine of one device and a board, its root, which writes down
// what comes to its interrupt inputs and what is asked of the machine.
//
//     struct fixture x;
//     fixture_new(&x, &uart16550_type);
//     fixture_set(&x, "interrupts", "board");
//     fixture_start(&x);
//     out8(&x, 1, 0x0f);
//     assert_int_equal(board_level(&x, 4), 0);
//     sim_release(&x.sim);
#pragma once

#include "sim/control.h"
#include "sim/mmio.h"
#include "sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BOARD_INPUTS 32

#define TEST_BOARD_STATE(F, FA, FE, FV) \
    FA(u32, rises, BOARD_INPUTS)        \
    FA(u8, level, BOARD_INPUTS)         \
    F(u32, requests)                    \
    F(u32, request)                     \
    F(u32, request_value)

COMPONENT_LISTS(test_board, NO_ROWS, TEST_BOARD_STATE, NO_ROWS, NO_ROWS);

struct test_board {
    struct component base;
    struct test_board_params p;
    struct test_board_state st;
    struct test_board_stats n;
};

static inline void test_board_irq(void *ctx, unsigned number, bool level)
{
    struct test_board *b = ctx;

    assert_true(number < BOARD_INPUTS);
    b->st.rises[number] += level && !b->st.level[number];
    b->st.level[number] = level;
}

static inline void test_board_request(struct component *root, enum control_request what, u32 value)
{
    struct test_board *b = (struct test_board *)root;

    b->st.requests++;
    b->st.request = what;
    b->st.request_value = value;
}

static const struct irq_ops test_board_irqs = {.set = test_board_irq};
static const struct control_ops test_board_control = {.request = test_board_request};
static const struct component_type test_board_type = {
    .name = "test_board",
    .doc = "Board of a unit test",
    COMPONENT_LAYOUT(test_board),
    .provides = {IFACE(irq, &test_board_irqs), IFACE(control, &test_board_control)},
};

struct fixture {
    struct sim sim;
    struct test_board *board;
    struct component *device; // "board.device"
    struct mmio mmio;         // its "mmio", if it has one
};

static inline void fixture_new(struct fixture *x, const struct component_type *type)
{
    struct error err;

    assert_true(log_set_filter("error", &err));
    *x = (struct fixture){0};
    sim_init(&x->sim);
    x->board = (struct test_board *)component_new(&x->sim, &test_board_type, NULL, "board", &err);
    x->device = component_new(&x->sim, type, &x->board->base, "device", &err);
    assert_non_null(x->device);
    x->mmio = (struct mmio){component_interface(x->device, "mmio"), x->device};
}

static inline void fixture_set(struct fixture *x, const char *param, const char *text)
{
    struct error err;

    if (!component_set(x->device, param, text, &err))
        fail_msg("%s", err.message);
}

static inline void fixture_start(struct fixture *x)
{
    struct error err;

    if (!sim_build(&x->sim, &err))
        fail_msg("%s", err.message);
    sim_reset(&x->sim);
}

static inline u8 in8(const struct fixture *x, u64 offset)
{
    return (u8)mmio_read(&x->mmio, offset, 1);
}

static inline void out8(const struct fixture *x, u64 offset, u8 value)
{
    mmio_write(&x->mmio, offset, 1, value);
}

static inline void advance(struct fixture *x, tick ticks)
{
    event_queue_run(&x->sim.queue, x->sim.queue.now + ticks);
}

static inline bool board_level(const struct fixture *x, unsigned input)
{
    return x->board->st.level[input];
}

static inline u32 board_rises(const struct fixture *x, unsigned input)
{
    return x->board->st.rises[input];
}

static inline void fixture_access(struct fixture *x, const struct mmio *ranges, unsigned count,
                                  tick step, struct rng *g)
{
    const struct mmio *m = &ranges[rng_below(g, count)];
    unsigned size = 1u << rng_below(g, 4);
    u64 value = rng_next(g) & (rng_below(g, 2) ? ~0ull : 0x0f0f0f0f0f0f0f0full), offset;

    if (rng_below(g, 8) == 0)
        advance(x, rng_below(g, step));
    if (size > m->ops->size)
        size = 1;
    offset = rng_below(g, m->ops->size - size + 1);
    if (rng_below(g, 2))
        mmio_read(m, offset, size);
    else
        mmio_write(m, offset, size, value);
}

// Gives about one row in eight of a component's state a random value.
static inline void fixture_scramble(struct component *c, struct rng *g)
{
    u8 *at = component_state(c);

    for (const struct state_field *f = c->type->state; f->name; at += f->size, f++) {
        const struct state_field one[] = {*f, {0}};

        if (rng_below(g, 8) == 0)
            state_randomise(at, one, g);
    }
}

// Scrambles the device and its children; false when one of them refuses what it got.
static inline bool fixture_load_anything(struct fixture *x, struct rng *g)
{
    bool accepted = true;
    struct error err;

    for (struct component *c = x->device; c; c = component_after(c))
        if (c->type != &test_board_type)
            fixture_scramble(c, g);
    for (struct component *c = x->device; c; c = component_after(c))
        if (c->type->ops && c->type->ops->after_load)
            accepted = accepted && c->type->ops->after_load(c, &err);
    return accepted;
}

// Random accesses and random steps of time: nothing may crash or hang, nor when it goes on with
// any state that after_load accepts.
static inline void fixture_hammer(struct fixture *x, const struct mmio *ranges, unsigned count,
                                  tick step)
{
    struct rng g = {1};

    for (unsigned round = 0; round < 1000; round++) {
        sim_reset(&x->sim);
        for (unsigned i = 0; i < 50; i++)
            fixture_access(x, ranges, count, step, &g);
        if (!fixture_load_anything(x, &g))
            continue;
        for (unsigned i = 0; i < 50; i++)
            fixture_access(x, ranges, count, step, &g);
    }
}
