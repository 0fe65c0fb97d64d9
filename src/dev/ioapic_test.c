// SPDX-License-Identifier: BSD-3-Clause
// The I/O APIC with the real bus and local APICs. Expectations: Intel 82093AA, 82801 datasheets.
#include "dev/ioapic.h"

#include "base/rng.h"
#include "dev/lapic_test.h"

enum { LEVEL = 1 << 15, LOW = 1 << 13, RIRR = 1 << 14, MASK = 1 << 16, LOGICAL = 1 << 11 };

static struct mmio io_registers(struct machine *m)
{
    return (struct mmio){component_interface(m->io, "mmio"), m->io};
}

static void io_write(struct machine *m, u8 index, u32 value)
{
    struct mmio r = io_registers(m);

    mmio_write(&r, 0x00, 4, index);
    mmio_write(&r, 0x10, 4, value);
}

static u32 io_read(struct machine *m, u8 index)
{
    struct mmio r = io_registers(m);

    mmio_write(&r, 0x00, 4, index);
    return (u32)mmio_read(&r, 0x10, 4);
}

static void route(struct machine *m, unsigned pin, u8 dest, u32 low)
{
    io_write(m, (u8)(0x11 + 2 * pin), (u32)dest << 24);
    io_write(m, (u8)(0x10 + 2 * pin), low);
}

static u32 entry(struct machine *m, unsigned pin)
{
    return io_read(m, (u8)(0x10 + 2 * pin));
}

static void pin(struct machine *m, unsigned number, bool level)
{
    const struct irq_ops *ops = component_interface(m->io, "irq");

    ops->set(m->io, number, level);
}

static int serve(struct machine *m, unsigned cpu)
{
    int vector = lapic_acknowledge(m->cpu[cpu]);

    if (vector >= 0)
        wr(m, cpu, R_EOI, 0);
    return vector;
}

static void registers_have_their_values_of_reset(void **arg)
{
    struct machine m;

    machine_init(&m);
    assert_int_equal(io_read(&m, 0), 0);
    assert_int_equal(io_read(&m, 1), 0x00170020);
    for (unsigned i = 0; i < 24; i++)
        assert_int_equal(entry(&m, i), MASK);
    io_write(&m, 0, 0xffffffff);
    assert_int_equal(io_read(&m, 0), 0x0f000000);
    io_write(&m, 0x12, 0xffffffff);
    io_write(&m, 0x13, 0xffffffff);
    assert_int_equal(io_read(&m, 0x12), 0x1afff); // status and remote IRR are read-only
    assert_int_equal(io_read(&m, 0x13), 0xff000000);
    io_write(&m, 0x40, 0x50); // beyond the last pin
    assert_int_equal(io_read(&m, 0x40), 0);
    machine_free(&m);
}

static void an_edge_is_one_interrupt(void **arg)
{
    struct machine m;

    machine_init(&m);
    route(&m, 4, 1, 0x34);
    pin(&m, 4, true);
    pin(&m, 4, true);
    assert_int_equal(serve(&m, 1), 0x34);
    assert_int_equal(serve(&m, 1), -1);
    pin(&m, 4, false);
    assert_int_equal(serve(&m, 1), -1);
    pin(&m, 4, true);
    assert_int_equal(serve(&m, 1), 0x34);
    assert_int_equal(entry(&m, 4), 0x34);
    machine_free(&m);
}

static void a_masked_edge_is_lost(void **arg)
{
    struct machine m;

    machine_init(&m);
    route(&m, 4, 1, MASK | 0x34);
    pin(&m, 4, true);
    route(&m, 4, 1, 0x34);
    assert_int_equal(serve(&m, 1), -1);
    machine_free(&m);
}

static void a_level_comes_again_until_it_ends(void **arg)
{
    struct machine m;

    machine_init(&m);
    route(&m, 9, 2, LEVEL | 0x59);
    pin(&m, 9, true);
    assert_int_equal(entry(&m, 9), RIRR | LEVEL | 0x59);
    assert_int_equal(lapic_acknowledge(m.cpu[2]), 0x59);
    pin(&m, 9, true); // nothing new while it is served
    assert_false(pending(&m, 2, R_IRR, 0x59));
    wr(&m, 2, R_EOI, 0);
    assert_int_equal(lapic_acknowledge(m.cpu[2]), 0x59);
    pin(&m, 9, false);
    wr(&m, 2, R_EOI, 0);
    assert_int_equal(entry(&m, 9), LEVEL | 0x59);
    assert_int_equal(serve(&m, 2), -1);
    machine_free(&m);
}

static void a_masked_level_waits(void **arg)
{
    struct machine m;

    machine_init(&m);
    route(&m, 9, 2, MASK | LEVEL | 0x59);
    pin(&m, 9, true);
    assert_int_equal(serve(&m, 2), -1);
    route(&m, 9, 2, LEVEL | 0x59);
    assert_int_equal(lapic_acknowledge(m.cpu[2]), 0x59);
    route(&m, 9, 2, MASK | LEVEL | 0x59);
    wr(&m, 2, R_EOI, 0); // while masked, as Linux may do it
    assert_int_equal(entry(&m, 9), MASK | LEVEL | 0x59);
    assert_int_equal(serve(&m, 2), -1);
    machine_free(&m);
}

static void what_nobody_accepts_is_tried_again(void **arg)
{
    struct machine m;

    machine_init(&m);
    route(&m, 9, 77, LEVEL | 0x59);
    pin(&m, 9, true);
    assert_int_equal(entry(&m, 9), LEVEL | 0x59);
    route(&m, 9, 0, LEVEL | 0x59);
    assert_int_equal(serve(&m, 0), 0x59);
    machine_free(&m);
}

static void polarity_is_that_of_the_board(void **arg)
{
    struct machine m;

    machine_init(&m);
    route(&m, 16, 0, LEVEL | LOW | 0x61); // PCI's lines are asserted low
    assert_int_equal(serve(&m, 0), -1);
    pin(&m, 16, true);
    assert_int_equal(lapic_acknowledge(m.cpu[0]), 0x61);
    pin(&m, 16, false);
    wr(&m, 0, R_EOI, 0);
    assert_int_equal(serve(&m, 0), -1);
    route(&m, 5, 0, LOW | 0x62); // an ISA line is not: inverted, it interrupts when it ends
    pin(&m, 5, true);
    assert_int_equal(serve(&m, 0), -1);
    pin(&m, 5, false);
    assert_int_equal(serve(&m, 0), 0x62);
    machine_free(&m);
}

static void the_eoi_register_ends_what_the_broadcast_does_not(void **arg)
{
    struct machine m;
    struct mmio r;

    machine_init(&m);
    r = io_registers(&m);
    wr(&m, 0, R_SVR, 0x11ff); // directed EOI
    route(&m, 9, 0, LEVEL | 0x59);
    route(&m, 10, 0, LEVEL | 0x59);
    pin(&m, 9, true);
    pin(&m, 10, true);
    pin(&m, 9, false);
    assert_int_equal(serve(&m, 0), 0x59);
    assert_true(entry(&m, 9) & RIRR);
    mmio_write(&r, 0x40, 4, 0x58);
    assert_true(entry(&m, 9) & RIRR);
    mmio_write(&r, 0x40, 4, 0x59);
    assert_false(entry(&m, 9) & RIRR);
    assert_true(entry(&m, 10) & RIRR); // still active: sent again
    assert_int_equal(serve(&m, 0), 0x59);
    machine_free(&m);
}

static void the_end_of_an_edge_is_not_broadcast(void **arg)
{
    struct machine m;

    machine_init(&m);
    route(&m, 9, 1, LEVEL | 0x59);
    pin(&m, 9, true);
    pin(&m, 9, false);
    raise_vector(&m, 0, 0x59);
    assert_int_equal(serve(&m, 0), 0x59);
    assert_true(entry(&m, 9) & RIRR);
    assert_int_equal(serve(&m, 1), 0x59);
    assert_false(entry(&m, 9) & RIRR);
    machine_free(&m);
}

static void a_trip_through_edge_ends_a_level(void **arg)
{
    struct machine m;

    machine_init(&m);
    route(&m, 9, 0, LEVEL | 0x59);
    pin(&m, 9, true);
    lapic_acknowledge(m.cpu[0]);
    pin(&m, 9, false);
    route(&m, 9, 0, MASK | 0x59);
    route(&m, 9, 0, LEVEL | 0x59);
    assert_int_equal(entry(&m, 9), LEVEL | 0x59);
    machine_free(&m);
}

static void every_delivery_mode_arrives(void **arg)
{
    struct machine m;

    machine_init(&m);
    for (unsigned i = 0; i < TEST_CPUS; i++)
        wr(&m, i, R_LDR, 1u << (24 + i));
    route(&m, 1, 0x0c, LOGICAL | 0x150); // lowest priority
    pin(&m, 1, true);
    assert_int_equal(serve(&m, 2), 0x50);
    assert_int_equal(serve(&m, 3), -1);
    route(&m, 2, 1, LEVEL | 0x400); // NMI, an edge all the same
    pin(&m, 2, true);
    assert_int_equal(m.core[1].nmis, 1);
    assert_int_equal(entry(&m, 2), LEVEL | 0x400);
    route(&m, 3, 3, 0x500); // INIT
    pin(&m, 3, true);
    assert_int_equal(m.core[3].inits, 1);
    route(&m, 0, 0, 0x700); // ExtINT
    m.core[0].pic_vector = 0x33;
    pin(&m, 0, true);
    assert_true(m.core[0].intr);
    assert_int_equal(lapic_acknowledge(m.cpu[0]), 0x33);
    assert_false(m.core[0].intr);
    route(&m, 5, 0, 0x650); // reserved
    pin(&m, 5, true);
    assert_int_equal(m.core[0].startups, 0);
    machine_free(&m);
}

static void a_level_survives_a_checkpoint(void **arg)
{
    struct machine m, copy;
    struct error err;
    u64 *entries;

    machine_init(&m);
    route(&m, 9, 2, LEVEL | 0x59);
    pin(&m, 9, true);
    lapic_acknowledge(m.cpu[2]);
    machine_build(&copy, NULL, NULL);
    if (!machine_copy(&m, &copy, &err))
        fail_msg("%s", err.message);
    assert_true(sim_hash(&m.sim) == sim_hash(&copy.sim));
    wr(&copy, 2, R_EOI, 0);
    assert_int_equal(serve(&copy, 2), 0x59);
    memcpy(&entries, (u8 *)component_state(m.io) + 8, sizeof(entries));
    entries[9] = RIRR | 0x59; // an edge is not served
    assert_false(machine_copy(&m, &copy, &err));
    entries[9] = 1 << 17;
    assert_false(machine_copy(&m, &copy, &err));
    machine_free(&m);
    machine_free(&copy);
}

static void nothing_a_guest_does_leads_to_a_refused_state(void **arg)
{
    struct rng rng = {29};
    struct machine m;
    struct mmio r;

    machine_init(&m);
    r = io_registers(&m);
    for (unsigned round = 0; round < 50000; round++) {
        u64 v = rng_next(&rng) >> rng_below(&rng, 64);
        struct error err;

        switch (rng_below(&rng, 6)) {
        case 0:
            mmio_write(&r, rng_below(&rng, 0x48), 1u << (v & 3), v);
            break;
        case 1:
            mmio_read(&r, rng_below(&rng, 0x48), 1u << (v & 3));
            break;
        case 2:
            pin(&m, (unsigned)v & 31, v >> 5 & 1);
            break;
        case 3:
            serve(&m, (unsigned)v % TEST_CPUS);
            break;
        default:
            io_write(&m, (u8)(v >> 32 & 0x3f), (u32)v);
        }
        if (!m.io->type->ops->after_load(m.io, &err))
            fail_msg("round %u: %s", round, err.message);
    }
    machine_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_have_their_values_of_reset),
        cmocka_unit_test(an_edge_is_one_interrupt),
        cmocka_unit_test(a_masked_edge_is_lost),
        cmocka_unit_test(a_level_comes_again_until_it_ends),
        cmocka_unit_test(a_masked_level_waits),
        cmocka_unit_test(what_nobody_accepts_is_tried_again),
        cmocka_unit_test(polarity_is_that_of_the_board),
        cmocka_unit_test(the_eoi_register_ends_what_the_broadcast_does_not),
        cmocka_unit_test(the_end_of_an_edge_is_not_broadcast),
        cmocka_unit_test(a_trip_through_edge_ends_a_level),
        cmocka_unit_test(every_delivery_mode_arrives),
        cmocka_unit_test(a_level_survives_a_checkpoint),
        cmocka_unit_test(nothing_a_guest_does_leads_to_a_refused_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
