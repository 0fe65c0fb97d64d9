// SPDX-License-Identifier: BSD-3-Clause
// Priorities, registers and inputs of a local APIC. Expectations: Intel SDM vol. 3A chapter 10.
#include "dev/lapic.h"

#include "base/rng.h"
#include "dev/lapic_test.h"

static void registers_have_their_values_of_power_up(void **arg)
{
    struct machine m;

    machine_build(&m, NULL, NULL);
    assert_int_equal(rd(&m, 3, R_ID), 3u << 24);
    assert_int_equal(rd(&m, 0, R_VERSION), 0x01050014);
    assert_int_equal(rd(&m, 0, R_SVR), 0xff);
    assert_int_equal(rd(&m, 0, R_DFR), 0xffffffff);
    for (u64 r = R_TIMER; r <= R_ERROR; r += 16)
        assert_int_equal(rd(&m, 0, r), 0x10000);
    assert_int_equal(rd(&m, 0, R_TPR) | rd(&m, 0, R_LDR) | rd(&m, 0, R_ICR) | rd(&m, 0, R_ESR) |
                         rd(&m, 0, R_INITIAL) | rd(&m, 0, R_CURRENT) | rd(&m, 0, R_DIVIDE),
                     0);
    machine_free(&m);
}

static void higher_classes_nest_and_end_in_order(void **arg)
{
    struct machine m;

    machine_init(&m);
    raise_vector(&m, 0, 0x31);
    assert_true(m.core[0].intr);
    assert_false(m.core[1].intr);
    assert_int_equal(lapic_acknowledge(m.cpu[0]), 0x31);
    assert_false(m.core[0].intr);
    assert_true(pending(&m, 0, R_ISR, 0x31) && !pending(&m, 0, R_IRR, 0x31));
    raise_vector(&m, 0, 0x3f); // of the same class: waits
    assert_false(m.core[0].intr);
    assert_int_equal(lapic_acknowledge(m.cpu[0]), -1);
    raise_vector(&m, 0, 0x40);
    raise_vector(&m, 0, 0x82);
    assert_int_equal(lapic_acknowledge(m.cpu[0]), 0x82);
    assert_int_equal(rd(&m, 0, R_PPR), 0x80);
    wr(&m, 0, R_EOI, 0);
    assert_int_equal(lapic_acknowledge(m.cpu[0]), 0x40);
    wr(&m, 0, R_EOI, 0);
    assert_false(m.core[0].intr);
    wr(&m, 0, R_EOI, 0); // of 0x31
    assert_true(m.core[0].intr);
    assert_int_equal(lapic_acknowledge(m.cpu[0]), 0x3f);
    wr(&m, 0, R_EOI, 0);
    wr(&m, 0, R_EOI, 0); // of nothing
    assert_int_equal(rd(&m, 0, R_PPR), 0);
    machine_free(&m);
}

static void the_task_priority_holds_back_its_class_and_below(void **arg)
{
    struct machine m;

    machine_init(&m);
    lapic_set_tpr(m.cpu[0], 5);
    assert_int_equal(rd(&m, 0, R_TPR), 0x50);
    raise_vector(&m, 0, 0x5f);
    assert_false(m.core[0].intr);
    raise_vector(&m, 0, 0x60);
    assert_true(m.core[0].intr);
    lapic_set_tpr(m.cpu[0], 15);
    assert_false(m.core[0].intr);
    assert_int_equal(lapic_acknowledge(m.cpu[0]), -1);
    assert_int_equal(m.core[0].tpr_changes, 0); // the core knows its CR8
    wr(&m, 0, R_TPR, 0x4a);
    assert_int_equal(m.core[0].cr8, 4);
    assert_int_equal(lapic_tpr(m.cpu[0]), 4);
    assert_int_equal(rd(&m, 0, R_PPR), 0x4a);
    assert_int_equal(lapic_acknowledge(m.cpu[0]), 0x60);
    assert_int_equal(rd(&m, 0, R_PPR), 0x60);
    wr(&m, 0, R_TPR, 0x6b); // of the same class: the TPR
    assert_int_equal(rd(&m, 0, R_PPR), 0x6b);
    machine_free(&m);
}

static void arbitration_priority_follows_the_formula(void **arg)
{
    struct machine m;

    machine_init(&m);
    wr(&m, 0, R_TPR, 0x63);
    raise_vector(&m, 0, 0x55);
    assert_int_equal(rd(&m, 0, R_APR), 0x63); // TPR >= IRRV and TPR > ISRV
    raise_vector(&m, 0, 0xb1);
    assert_int_equal(rd(&m, 0, R_APR), 0x20); // 6 AND b
    lapic_acknowledge(m.cpu[0]);
    assert_int_equal(rd(&m, 0, R_APR), 0xb0); // ISRV
    machine_free(&m);
}

static void disabled_by_software_it_takes_no_vectors(void **arg)
{
    struct apic_message nmi = {.dest = 0, .mode = APIC_NMI, .asserted = true};
    struct apic_message extint = {.dest = 0, .mode = APIC_EXTINT, .asserted = true};
    struct machine m;

    machine_init(&m);
    wr(&m, 0, R_LINT1, 0x400);
    raise_vector(&m, 0, 0x40);
    wr(&m, 0, R_SVR, 0xff);
    assert_int_equal(rd(&m, 0, R_LINT1), 0x10400);
    wr(&m, 0, R_LINT1, 0x400); // the mask cannot be cleared
    assert_int_equal(rd(&m, 0, R_LINT1), 0x10400);
    raise_vector(&m, 0, 0x50);
    assert_false(pending(&m, 0, R_IRR, 0x50));
    assert_int_equal(lapic_acknowledge(m.cpu[0]), 0x40); // what was there is held
    assert_false(apic_bus_send(m.bus, &extint, APIC_TO_DEST, NULL));
    assert_false(m.core[0].intr);
    assert_true(apic_bus_send(m.bus, &nmi, APIC_TO_DEST, NULL));
    assert_int_equal(m.core[0].nmis, 1);
    machine_free(&m);
}

static void illegal_vectors_are_errors(void **arg)
{
    struct machine m;

    machine_init(&m);
    wr(&m, 0, R_ERROR, 0xfe);
    raise_vector(&m, 0, 15);
    assert_int_equal(lapic_acknowledge(m.cpu[0]), 0xfe);
    wr(&m, 0, R_EOI, 0);
    wr(&m, 0, R_ICR2, 1 << 24);
    wr(&m, 0, R_ICR, 0x4003);     // not sent
    assert_false(m.core[0].intr); // one interrupt until ESR is written
    assert_int_equal(rd(&m, 0, R_ESR), 0);
    wr(&m, 0, R_ESR, 0);
    assert_int_equal(rd(&m, 0, R_ESR), 0x60);
    wr(&m, 0, R_ESR, 0);
    assert_int_equal(rd(&m, 0, R_ESR), 0);
    wr(&m, 1, R_ESR, 0);
    assert_int_equal(rd(&m, 1, R_ESR), 0);
    wr(&m, 0, R_ERROR, 3); // its own vector is illegal
    rd(&m, 0, 0x40);
    wr(&m, 0, R_ESR, 0);
    assert_int_equal(rd(&m, 0, R_ESR), 0xc0);
    machine_free(&m);
}

static void lint0_as_extint_asks_the_pic(void **arg)
{
    struct machine m;

    machine_build(&m, NULL, NULL);
    lint(&m, 0, 0, true);
    assert_false(m.core[0].intr); // masked after power-up
    lapic_virtual_wire(m.cpu[0]);
    assert_true(m.core[0].intr);
    assert_true(lapic_deliverable(m.cpu[0]));
    raise_vector(&m, 0, 0x90);
    m.core[0].pic_vector = 0x08;
    assert_int_equal(lapic_acknowledge(m.cpu[0]), 0x08);
    assert_int_equal(rd(&m, 0, R_ISR) | rd(&m, 0, R_PPR), 0);
    assert_int_equal(lapic_acknowledge(m.cpu[0]), 0x90); // the PIC has none: -1
    assert_true(m.core[0].intr);
    lint(&m, 0, 0, false);
    assert_false(m.core[0].intr);
    assert_int_equal(lapic_acknowledge(m.cpu[0]), -1);
    machine_free(&m);
}

static void lint1_is_an_nmi_on_its_edge(void **arg)
{
    struct machine m;

    machine_build(&m, NULL, NULL);
    lint(&m, 0, 1, true);
    lint(&m, 0, 1, false);
    assert_int_equal(m.core[0].nmis, 0);
    lapic_virtual_wire(m.cpu[0]);
    lint(&m, 0, 1, true);
    lint(&m, 0, 1, true);
    assert_int_equal(m.core[0].nmis, 1);
    lint(&m, 0, 2, true); // there is none
    machine_free(&m);
}

static void a_level_at_lint0_comes_again_after_its_eoi(void **arg)
{
    struct machine m;

    machine_init(&m);
    lint(&m, 0, 0, true);
    wr(&m, 0, R_LINT0, 0x8000 | 0x45);
    assert_int_equal(rd(&m, 0, R_LINT0), 0xc045);
    assert_int_equal(lapic_acknowledge(m.cpu[0]), 0x45);
    assert_true(pending(&m, 0, R_TMR, 0x45));
    wr(&m, 0, R_LINT0, 0x8000 | 0x45); // remote IRR is read-only
    assert_int_equal(rd(&m, 0, R_LINT0), 0xc045);
    assert_false(pending(&m, 0, R_IRR, 0x45));
    wr(&m, 0, R_EOI, 0);
    assert_int_equal(lapic_acknowledge(m.cpu[0]), 0x45);
    lint(&m, 0, 0, false);
    wr(&m, 0, R_EOI, 0);
    assert_int_equal(lapic_acknowledge(m.cpu[0]), -1);
    assert_int_equal(rd(&m, 0, R_LINT0), 0x8045);
    machine_free(&m);
}

static void init_resets_all_but_the_mode(void **arg)
{
    struct machine m;

    machine_init(&m);
    x2apic(&m, 2);
    assert_true(wrmsr(&m, 2, 0x808, 0x30));
    raise_vector(&m, 2, 0x80);
    wr(&m, 0, R_ICR2, 2 << 24);
    wr(&m, 0, R_ICR, 0x4500);
    assert_int_equal(m.core[2].inits, 1);
    assert_false(m.core[2].intr);
    assert_int_equal(m.core[2].cr8, 0);
    assert_int_equal(rdmsr(&m, 2, 0x802), 2);
    assert_int_equal(rdmsr(&m, 2, 0x80f), 0xff);
    assert_int_equal(rdmsr(&m, 2, 0x808), 0);
    wr(&m, 0, R_ICR, 0x8500); // level de-assert: nothing
    assert_int_equal(m.core[2].inits, 1);
    machine_free(&m);
}

static void switched_off_it_forgets_and_passes_its_inputs_through(void **arg)
{
    struct machine m;

    machine_init(&m);
    wr(&m, 0, R_TPR, 0x20);
    raise_vector(&m, 0, 0x80);
    lapic_base_written(m.cpu[0], 0xfee00000);
    assert_false(m.core[0].intr);
    assert_int_equal(m.core[0].cr8, 0);
    assert_int_equal(rd(&m, 0, R_SVR), 0xffffffff);
    wr(&m, 0, R_SVR, 0x1ff);
    raise_vector(&m, 0, 0x80);
    lint(&m, 0, 0, true);
    lint(&m, 0, 1, true);
    m.core[0].pic_vector = 0x22;
    assert_true(m.core[0].intr);
    assert_int_equal(lapic_acknowledge(m.cpu[0]), 0x22);
    assert_int_equal(m.core[0].nmis, 1);
    lapic_base_written(m.cpu[0], 0xfee00000 | APIC_ON);
    assert_false(m.core[0].intr);
    assert_int_equal(rd(&m, 0, R_SVR), 0xff);
    machine_free(&m);
}

static void x2apic_registers_obey_their_table(void **arg)
{
    static const struct {
        u32 index;
        bool reads, writes_zero;
        u64 reserved; // a bit, or 0
    } rows[] = {
        {0x802, 1, 0, 0},          {0x803, 1, 0, 0},       {0x808, 1, 1, 1 << 8},
        {0x809, 0, 0, 0},          {0x80a, 1, 0, 0},       {0x80b, 0, 1, 1},
        {0x80c, 0, 0, 0},          {0x80d, 1, 0, 0},       {0x80e, 0, 0, 0},
        {0x80f, 1, 1, 1 << 13},    {0x810, 1, 0, 0},       {0x81f, 1, 0, 0},
        {0x827, 1, 0, 0},          {0x828, 1, 1, 1},       {0x829, 0, 0, 0},
        {0x82f, 0, 0, 0},          {0x831, 0, 0, 0},       {0x832, 1, 1, 1 << 8},
        {0x833, 1, 1, 1 << 15},    {0x835, 1, 1, 1 << 11}, {0x837, 1, 1, 1 << 17},
        {0x838, 1, 1, 1ull << 32}, {0x839, 1, 0, 0},       {0x83e, 1, 1, 1 << 2},
        {0x83f, 0, 1, 1 << 8},     {0x840, 0, 0, 0},       {0x8ff, 0, 0, 0},
        {0x800, 0, 0, 0},
    };
    struct machine m;
    u64 v = 0;

    machine_init(&m);
    assert_false(lapic_msr(m.cpu[1], 0x802, &v, false)); // not in xAPIC mode
    x2apic(&m, 1);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(lapic_msr(m.cpu[1], rows[i].index, &v, false), rows[i].reads);
        assert_int_equal(wrmsr(&m, 1, rows[i].index, 0), rows[i].writes_zero);
        if (rows[i].reserved)
            assert_false(wrmsr(&m, 1, rows[i].index, rows[i].reserved));
    }
    assert_false(wrmsr(&m, 1, 0x830, 1 << 13));
    assert_false(wrmsr(&m, 1, 0x830, 1 << 20));
    assert_int_equal(rd(&m, 1, R_SVR), 0xffffffff); // no MMIO any more
    machine_free(&m);
}

static void x2apic_sends_to_itself_by_one_register(void **arg)
{
    struct machine m;

    machine_init(&m);
    x2apic(&m, 3);
    assert_int_equal(rdmsr(&m, 3, 0x80f), 0x1ff); // kept from xAPIC mode
    assert_int_equal(rdmsr(&m, 3, 0x80d), 1 << 3);
    assert_true(wrmsr(&m, 3, 0x83f, 0x77));
    assert_int_equal(lapic_acknowledge(m.cpu[3]), 0x77);
    assert_true(wrmsr(&m, 3, 0x80b, 0));
    assert_true(wrmsr(&m, 3, 0x83f, 0x07));
    assert_true(wrmsr(&m, 3, 0x828, 0));
    assert_int_equal(rdmsr(&m, 3, 0x828), 0x40);
    machine_free(&m);
}

static void a_seventh_entry_is_there_when_asked_for(void **arg)
{
    struct machine m;

    machine_build(&m, "lvts", "7");
    assert_int_equal(rd(&m, 0, R_VERSION) >> 16 & 0xff, 6);
    assert_int_equal(rd(&m, 0, 0x2f0), 0x10000);
    machine_free(&m);
}

static void only_aligned_words_are_written(void **arg)
{
    struct machine m;
    struct mmio r;

    machine_init(&m);
    r = (struct mmio){component_interface(m.cpu[0], "mmio"), m.cpu[0]};
    mmio_write(&r, R_TPR, 1, 0x50);
    mmio_write(&r, R_TPR + 4, 4, 0x50);
    mmio_write(&r, R_TPR, 8, 0x50);
    assert_int_equal(rd(&m, 0, R_TPR), 0);
    assert_int_equal(mmio_read(&r, R_SVR + 1, 1), 1);
    assert_int_equal(mmio_read(&r, R_SVR + 4, 4), 0);
    assert_int_equal(mmio_read(&r, R_SVR, 8), 0x1ff);
    machine_free(&m);
}

// What a guest can do never breaks an invariant: at any time the state could be loaded.
static void nothing_a_guest_does_leads_to_a_refused_state(void **arg)
{
    static const u32 bases[] = {0, APIC_ON, APIC_ON | APIC_X2};
    struct rng rng = {23};
    struct machine m;
    struct mmio r, msi;

    machine_init(&m);
    msi = (struct mmio){component_interface(m.bus, "mmio"), m.bus};
    for (unsigned round = 0; round < 200000; round++) {
        unsigned cpu = (unsigned)rng_below(&rng, TEST_CPUS), size = 1u << rng_below(&rng, 4);
        u64 at = rng_below(&rng, 64) * 16, v = rng_next(&rng) >> rng_below(&rng, 64);
        struct error err;

        r = (struct mmio){component_interface(m.cpu[cpu], "mmio"), m.cpu[cpu]};
        switch (rng_below(&rng, 10)) {
        case 0:
            mmio_read(&r, rng_below(&rng, 4096 - 8), size);
            break;
        case 1:
            mmio_write(&r, rng_below(&rng, 4096 - 8), size, v);
            break;
        case 2:
            lint(&m, cpu, (unsigned)v & 1, v >> 1 & 1);
            break;
        case 3:
            mmio_write(&msi, (cpu << 12) | (v >> 32 & 0xc), 4, (u32)v);
            break;
        case 4:
            lapic_acknowledge(m.cpu[cpu]);
            break;
        case 5:
            lapic_deadline_written(m.cpu[cpu], m.sim.queue.now / TSC_TICKS + (v & 0xfff));
            break;
        case 6:
            event_queue_run(&m.sim.queue, m.sim.queue.now + (v & 0xffff));
            break;
        case 7:
            if (v % 16 == 0)
                lapic_base_written(m.cpu[cpu], bases[v / 16 % 3]);
            wrmsr(&m, cpu, 0x80f, 0x1ff);
            break;
        case 8:
            wrmsr(&m, cpu, 0x800 | (v >> 48 & 0x3f), v);
            break;
        default:
            wr(&m, cpu, at, (u32)v | (at == R_SVR ? 0x100 : 0));
        }
        if (!m.cpu[cpu]->type->ops->after_load(m.cpu[cpu], &err))
            fail_msg("round %u: %s", round, err.message);
        assert_int_equal(m.core[cpu].intr, lapic_deliverable(m.cpu[cpu]));
    }
    machine_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_have_their_values_of_power_up),
        cmocka_unit_test(higher_classes_nest_and_end_in_order),
        cmocka_unit_test(the_task_priority_holds_back_its_class_and_below),
        cmocka_unit_test(arbitration_priority_follows_the_formula),
        cmocka_unit_test(disabled_by_software_it_takes_no_vectors),
        cmocka_unit_test(illegal_vectors_are_errors),
        cmocka_unit_test(lint0_as_extint_asks_the_pic),
        cmocka_unit_test(lint1_is_an_nmi_on_its_edge),
        cmocka_unit_test(a_level_at_lint0_comes_again_after_its_eoi),
        cmocka_unit_test(init_resets_all_but_the_mode),
        cmocka_unit_test(switched_off_it_forgets_and_passes_its_inputs_through),
        cmocka_unit_test(x2apic_registers_obey_their_table),
        cmocka_unit_test(x2apic_sends_to_itself_by_one_register),
        cmocka_unit_test(a_seventh_entry_is_there_when_asked_for),
        cmocka_unit_test(only_aligned_words_are_written),
        cmocka_unit_test(nothing_a_guest_does_leads_to_a_refused_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
