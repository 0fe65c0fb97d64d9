// SPDX-License-Identifier: BSD-3-Clause
// Whom a message reaches: destinations, shorthands, lowest priority, MSI. Expectations: Intel SDM
// vol. 3A §10.6, §10.11, §10.12.
#include "dev/apic_bus.h"

#include "dev/lapic_test.h"

// Which cores get vector 0x50, as a mask; takes and ends it.
static unsigned reached(struct machine *m)
{
    unsigned mask = 0;

    for (unsigned i = 0; i < TEST_CPUS; i++) {
        u64 eoi = 0;

        if (lapic_acknowledge(m->cpu[i]) != 0x50)
            continue;
        mask |= 1u << i;
        if (!lapic_msr(m->cpu[i], 0x80b, &eoi, true))
            wr(m, i, R_EOI, 0);
    }
    return mask;
}

static unsigned ipi(struct machine *m, unsigned from, u8 dest, u32 command)
{
    wr(m, from, R_ICR2, (u32)dest << 24);
    wr(m, from, R_ICR, command | 0x4050);
    return reached(m);
}

static unsigned x2ipi(struct machine *m, unsigned from, u32 dest, u32 command)
{
    assert_true(wrmsr(m, from, 0x830, (u64)dest << 32 | command | 0x4050));
    return reached(m);
}

enum { LOGICAL = 1 << 11, LOWEST = 1 << 8, SELF = 1 << 18, ALL = 2 << 18, OTHERS = 3 << 18 };

static void physical_destinations_are_ids(void **arg)
{
    struct machine m;

    machine_init(&m);
    for (unsigned i = 0; i < TEST_CPUS; i++)
        assert_int_equal(ipi(&m, 1, (u8)i, 0), 1u << i);
    assert_int_equal(ipi(&m, 1, 0xff, 0), 0xf);
    assert_int_equal(ipi(&m, 1, 9, 0), 0);
    assert_int_equal(rd(&m, 1, R_ICR), 0x4050); // and the status is idle
    machine_free(&m);
}

static void shorthands_are_relative_to_the_sender(void **arg)
{
    struct machine m;

    machine_init(&m);
    assert_int_equal(ipi(&m, 2, 0, SELF), 1 << 2);
    assert_int_equal(ipi(&m, 2, 0, ALL), 0xf);
    assert_int_equal(ipi(&m, 2, 0, OTHERS), 0xb);
    lapic_base_written(m.cpu[1], 0xfee00000);
    assert_int_equal(ipi(&m, 2, 0, OTHERS), 0x9); // one that is off takes no part
    machine_free(&m);
}

static void the_flat_model_is_a_mask(void **arg)
{
    struct machine m;

    machine_init(&m);
    for (unsigned i = 0; i < TEST_CPUS; i++)
        wr(&m, i, R_LDR, 1u << (24 + i));
    assert_int_equal(ipi(&m, 0, 0x6, LOGICAL), 0x6);
    assert_int_equal(ipi(&m, 0, 0xff, LOGICAL), 0xf);
    assert_int_equal(ipi(&m, 0, 0x30, LOGICAL), 0);
    machine_free(&m);
}

static void the_cluster_model_is_a_cluster_and_a_mask(void **arg)
{
    struct machine m;

    machine_init(&m);
    for (unsigned i = 0; i < TEST_CPUS; i++) {
        wr(&m, i, R_DFR, 0);
        wr(&m, i, R_LDR, (i / 2 << 28) | 1u << (24 + i % 2)); // clusters 0 and 1
    }
    assert_int_equal(rd(&m, 0, R_DFR), 0x0fffffff);
    assert_int_equal(ipi(&m, 0, 0x13, LOGICAL), 0xc);
    assert_int_equal(ipi(&m, 0, 0x02, LOGICAL), 0x2);
    assert_int_equal(ipi(&m, 0, 0x23, LOGICAL), 0);
    assert_int_equal(ipi(&m, 0, 0xff, LOGICAL), 0xf);
    machine_free(&m);
}

static void x2apic_has_32_bit_destinations(void **arg)
{
    struct machine m;

    machine_init(&m);
    for (unsigned i = 0; i < TEST_CPUS; i++)
        x2apic(&m, i);
    assert_int_equal(x2ipi(&m, 0, 2, 0), 1 << 2);
    assert_int_equal(x2ipi(&m, 0, 0xffffffff, 0), 0xf);
    assert_int_equal(x2ipi(&m, 0, 0xff, 0), 0); // no broadcast here
    assert_int_equal(x2ipi(&m, 0, 0x102, 0), 0);
    assert_int_equal(x2ipi(&m, 0, 0x0000000a, LOGICAL), 0xa);
    assert_int_equal(x2ipi(&m, 0, 0x0001000a, LOGICAL), 0);
    assert_int_equal(x2ipi(&m, 0, 0xffffffff, LOGICAL), 0xf);
    assert_int_equal(x2ipi(&m, 3, 0, OTHERS), 0x7);
    assert_int_equal(rdmsr(&m, 0, 0x830), 0xffffffff00000000 | LOGICAL | 0x4050);
    machine_free(&m);
}

static void both_modes_understand_each_other(void **arg)
{
    struct machine m;

    machine_init(&m);
    x2apic(&m, 0);
    assert_int_equal(x2ipi(&m, 0, 3, 0), 1 << 3);
    assert_int_equal(x2ipi(&m, 0, 0x103, 0), 0);
    wr(&m, 2, R_LDR, 4 << 24);
    assert_int_equal(x2ipi(&m, 0, 0x004, LOGICAL), 1 << 2);
    assert_int_equal(x2ipi(&m, 0, 0x104, LOGICAL), 0);
    assert_int_equal(ipi(&m, 1, 0, 0), 1 << 0);
    assert_int_equal(ipi(&m, 1, 0xff, 0), 0xf);
    machine_free(&m);
}

static void lowest_priority_goes_round_among_equals(void **arg)
{
    struct machine m;

    machine_init(&m);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(ipi(&m, 0, 0xff, LOWEST), 1u << i % 4);
    wr(&m, 2, R_TPR, 0x10); // it would be its turn
    assert_int_equal(ipi(&m, 0, 0xff, LOWEST), 1 << 3);
    wr(&m, 0, R_TPR, 0x20);
    wr(&m, 1, R_TPR, 0x30);
    wr(&m, 3, R_TPR, 0x40);
    assert_int_equal(ipi(&m, 0, 0xff, LOWEST), 1 << 2);
    assert_int_equal(ipi(&m, 0, 0xff, LOWEST), 1 << 2);
    wr(&m, 2, R_SVR, 0xff); // disabled by software: not asked
    assert_int_equal(ipi(&m, 0, 0xff, LOWEST), 1 << 0);
    assert_int_equal(ipi(&m, 0, 2, LOWEST), 0);
    machine_free(&m);
}

static void the_turn_survives_a_checkpoint(void **arg)
{
    struct machine m, copy;
    struct error err;

    machine_init(&m);
    assert_int_equal(ipi(&m, 0, 0xff, LOWEST), 1 << 0);
    assert_int_equal(ipi(&m, 0, 0xff, LOWEST), 1 << 1);
    machine_build(&copy, NULL, NULL);
    if (!machine_copy(&m, &copy, &err))
        fail_msg("%s", err.message);
    assert_int_equal(ipi(&copy, 0, 0xff, LOWEST), 1 << 2);
    *(u32 *)component_state(m.bus) = TEST_CPUS; // who never exists
    assert_false(machine_copy(&m, &copy, &err));
    machine_free(&m);
    machine_free(&copy);
}

static void init_and_startup_reach_their_core(void **arg)
{
    struct machine m;

    machine_build(&m, NULL, NULL); // not even enabled by software
    wr(&m, 0, R_ICR2, 1 << 24);
    wr(&m, 0, R_ICR, 0xc500);
    wr(&m, 0, R_ICR, 0x8500); // de-assert, as Linux sends it
    wr(&m, 0, R_ICR, 0x0699);
    assert_int_equal(m.core[1].inits, 1);
    assert_int_equal(m.core[1].startups, 1);
    assert_int_equal(m.core[1].startup_vector, 0x99);
    wr(&m, 0, R_ICR, 0x4500 | OTHERS);
    wr(&m, 0, R_ICR, 0x4400 | OTHERS);
    assert_int_equal(m.core[0].inits + m.core[0].nmis, 0);
    assert_int_equal(m.core[3].inits, 1);
    assert_int_equal(m.core[3].nmis, 1);
    machine_free(&m);
}

static void ipis_are_edges(void **arg)
{
    struct machine m;

    machine_init(&m);
    wr(&m, 0, R_ICR2, 1 << 24);
    wr(&m, 0, R_ICR, 0xc050);
    assert_false(pending(&m, 1, R_TMR, 0x50));
    machine_free(&m);
}

static void a_write_is_an_msi(void **arg)
{
    struct machine m;
    struct mmio msi;

    machine_init(&m);
    msi = (struct mmio){component_interface(m.bus, "mmio"), m.bus};
    for (unsigned i = 0; i < TEST_CPUS; i++)
        wr(&m, i, R_LDR, 1u << (24 + i));
    mmio_write(&msi, 0x02000, 4, 0x50);
    assert_int_equal(reached(&m), 1 << 2);
    mmio_write(&msi, 0x06004, 4, 0x50); // logical
    assert_int_equal(reached(&m), 0x6);
    mmio_write(&msi, 0xff000, 4, 0x50);
    assert_int_equal(reached(&m), 0xf);
    for (unsigned i = 0; i < 4; i++) { // redirection hint: one of 1 and 2
        mmio_write(&msi, 0x0600c, 4, 0x50);
        assert_int_equal(reached(&m), i % 2 ? 4 : 2);
    }
    mmio_write(&msi, 0x0f004, 4, 0x150);
    assert_int_equal(reached(&m), 1 << 3); // whose turn it is
    mmio_write(&msi, 0x01000, 4, 0x400);
    assert_int_equal(m.core[1].nmis, 1);
    mmio_write(&msi, 0x01000, 4, 0xc050); // level
    assert_true(pending(&m, 1, R_TMR, 0x50));
    assert_int_equal(reached(&m), 1 << 1);
    mmio_write(&msi, 0x01000, 4, 0x8050); // its end
    mmio_write(&msi, 0x01000, 2, 0x50);
    mmio_write(&msi, 0x01001, 4, 0x50);
    mmio_write(&msi, 0x01000, 4, 0x350);
    assert_int_equal(reached(&m), 0);
    machine_free(&m);
}

static void a_bus_must_be_one(void **arg)
{
    struct component *lapic;
    struct error err;
    struct sim sim;

    sim_init(&sim);
    lapic = component_new(&sim, &lapic_type, NULL, "cpu", &err);
    assert_true(component_set(lapic, "bus", "cpu", &err));
    assert_false(sim_build(&sim, &err));
    assert_string_equal(err.message, "cpu (lapic): cpu (lapic) is no apic_bus");
    sim_release(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(physical_destinations_are_ids),
        cmocka_unit_test(shorthands_are_relative_to_the_sender),
        cmocka_unit_test(the_flat_model_is_a_mask),
        cmocka_unit_test(the_cluster_model_is_a_cluster_and_a_mask),
        cmocka_unit_test(x2apic_has_32_bit_destinations),
        cmocka_unit_test(both_modes_understand_each_other),
        cmocka_unit_test(lowest_priority_goes_round_among_equals),
        cmocka_unit_test(the_turn_survives_a_checkpoint),
        cmocka_unit_test(init_and_startup_reach_their_core),
        cmocka_unit_test(ipis_are_edges),
        cmocka_unit_test(a_write_is_an_msi),
        cmocka_unit_test(a_bus_must_be_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
