// SPDX-License-Identifier: BSD-3-Clause
// Hostile drivers: thousands of random programs on each device, always the same ones, and states
// that a checkpoint could hold.
#include "dev/virtio_hostile.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { PROGRAMS = 1500, PROGRAM_BYTES = 600 };

static void machine(struct driver *d, const struct component_type *type)
{
    driver_new(d, type);
    if (type == &virtio_blk_type)
        driver_set(d, "disk", "board");
    if (type == &virtio_9p_type)
        driver_set(d, "folder", "/usr/include/linux");
    driver_build(d);
}

// Gives some rows of the states of the device and its child random values; true when they accept
// that.
static bool scramble(struct driver *d, struct rng *g)
{
    struct component *both[] = {d->device, component_child(d->device, "virtio")};
    bool good = true;
    struct error err;

    for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
        const struct component_ops *ops = both[i]->type->ops;
        u8 *at = component_state(both[i]);

        for (const struct state_field *f = both[i]->type->state; f->name; at += f->size, f++) {
            const struct state_field one[] = {*f, {0}};

            if (rng_below(g, 8) == 0)
                state_randomise(at, one, g);
        }
        if (ops->after_load)
            good &= ops->after_load(both[i], &err);
    }
    return good;
}

static void random_bytes(struct rng *g, u8 *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (u8)rng_next(g);
}

static void hammer(const struct component_type *type)
{
    u8 program[PROGRAM_BYTES];
    struct rng g = {7};
    struct driver d;

    machine(&d, type);
    for (unsigned i = 0; i < PROGRAMS; i++) {
        struct hostile_input in = {program, sizeof(program)};

        random_bytes(&g, program, sizeof(program));
        hostile_run(&d, program, rng_below(&g, sizeof(program)));
        if (!scramble(&d, &g))
            continue;
        random_bytes(&g, program, sizeof(program));
        while (in.left)
            hostile_step(&d, &in);
        driver_advance(&d, TICKS_PER_SECOND);
    }
    sim_release(&d.sim);
}

static void a_disk_lives(void **arg)
{
    hammer(&virtio_blk_type);
}

static void an_entropy_device_lives(void **arg)
{
    hammer(&virtio_rng_type);
}

static void a_console_lives(void **arg)
{
    hammer(&virtio_console_type);
}

static void a_network_card_lives(void **arg)
{
    hammer(&virtio_net_type);
}

static void a_folder_lives(void **arg)
{
    hammer(&virtio_9p_type);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_disk_lives),    cmocka_unit_test(an_entropy_device_lives),
        cmocka_unit_test(a_console_lives), cmocka_unit_test(a_network_card_lives),
        cmocka_unit_test(a_folder_lives),
    };

    return cmocka_run_group_tests_name("dev/virtio_hostile", tests, NULL, NULL);
}
