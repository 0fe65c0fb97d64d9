// SPDX-License-Identifier: BSD-3-Clause
// Expectations are from the IA-PC HPET specification 1.0a and from Linux 6.1's hpet.c. The clock is
// 10 MHz here: a count is 100 ns.
#include "dev/hpet.h"

#include "dev/test_board.h"

enum { CAPABILITIES = 0x000, CONFIG = 0x010, STATUS = 0x020, COUNTER = 0x0f0 };
enum { ENABLE = 1, LEGACY = 2 };
enum {
    LEVEL = 1 << 1,
    INTERRUPT = 1 << 2,
    PERIODIC = 1 << 3,
    SET_VALUE = 1 << 6,
    WIDTH_32 = 1 << 8,
    PIN = 20,
    ROUTE = PIN << 9,
};
#define COUNT (TICKS_PER_SECOND / 10000000)

// The board stands for the ISA lines, its second child for the IOAPIC.
static struct test_board *start(struct fixture *x)
{
    struct error err;
    struct component *ioapic;

    fixture_new(x, &hpet_type);
    ioapic = component_new(&x->sim, &test_board_type, &x->board->base, "ioapic", &err);
    assert_non_null(ioapic);
    fixture_set(x, "clock", "10MHz");
    fixture_set(x, "interrupts", "board");
    fixture_set(x, "ioapic", "board.ioapic");
    fixture_start(x);
    return (struct test_board *)ioapic;
}

static u64 rd(const struct fixture *x, u64 offset)
{
    return mmio_read(&x->mmio, offset, 8);
}

static void wr(const struct fixture *x, u64 offset, u64 v)
{
    mmio_write(&x->mmio, offset, 8, v);
}

static u64 config_of(unsigned n)
{
    return 0x100 + 0x20 * n;
}

static u64 comparator_of(unsigned n)
{
    return 0x108 + 0x20 * n;
}

static void input(const struct fixture *x, unsigned number, bool level)
{
    const struct irq_ops *ops = component_interface(x->device, "irq");

    ops->set(x->device, number, level);
}

static void capabilities_say_what_it_is(void **arg)
{
    struct fixture x;
    u64 v;

    start(&x);
    v = rd(&x, CAPABILITIES);
    assert_int_equal(v >> 32, 100000000); // femtoseconds
    assert_int_equal(v >> 16 & 0xffff, 0x8086);
    assert_int_equal(v & 0xffff, 0xa201); // legacy, 64 bits, 3 timers, revision 1
    assert_int_equal(rd(&x, config_of(2)), 0x00f0000000000030);
    assert_int_equal(rd(&x, comparator_of(2)), ~0ull);
    sim_release(&x.sim);
}

static void the_period_fits_the_default_clock(void **arg)
{
    struct fixture x;

    fixture_new(&x, &hpet_type);
    fixture_start(&x);
    assert_int_equal(rd(&x, CAPABILITIES) >> 32, 69841279); // as Intel's chipsets say
    sim_release(&x.sim);
}

static void the_counter_runs_while_enabled(void **arg)
{
    struct fixture x;

    start(&x);
    advance(&x, 5 * COUNT);
    assert_int_equal(rd(&x, COUNTER), 0);
    wr(&x, CONFIG, ENABLE);
    advance(&x, 7 * COUNT);
    assert_int_equal(rd(&x, COUNTER), 7);
    wr(&x, CONFIG, 0);
    advance(&x, 7 * COUNT);
    assert_int_equal(rd(&x, COUNTER), 7);
    wr(&x, COUNTER, 0xfffffffffffffffe);
    wr(&x, CONFIG, ENABLE);
    advance(&x, 3 * COUNT);
    assert_int_equal(rd(&x, COUNTER), 1);
    sim_release(&x.sim);
}

static void registers_can_be_accessed_in_halves(void **arg)
{
    struct fixture x;

    start(&x);
    mmio_write(&x.mmio, COUNTER, 4, 0x89abcdef);
    mmio_write(&x.mmio, COUNTER + 4, 4, 0x01234567);
    assert_int_equal(rd(&x, COUNTER), 0x0123456789abcdef);
    assert_int_equal(mmio_read(&x.mmio, COUNTER + 4, 4), 0x01234567);
    mmio_write(&x.mmio, COUNTER, 2, 0);
    mmio_write(&x.mmio, COUNTER + 2, 4, 0);
    assert_int_equal(rd(&x, COUNTER), 0x0123456789abcdef);
    sim_release(&x.sim);
}

static void a_one_shot_fires_when_the_counter_comes_to_it(void **arg)
{
    struct fixture x;
    struct test_board *ioapic = start(&x);

    wr(&x, config_of(1), INTERRUPT | ROUTE);
    wr(&x, comparator_of(1), 10);
    wr(&x, CONFIG, ENABLE);
    advance(&x, 10 * COUNT - 1);
    assert_int_equal(ioapic->st.rises[PIN], 0);
    advance(&x, 1);
    assert_int_equal(ioapic->st.rises[PIN], 1);
    advance(&x, 1000000 * COUNT);
    assert_int_equal(ioapic->st.rises[PIN], 1);
    assert_int_equal(rd(&x, STATUS), 0); // edge-triggered
    sim_release(&x.sim);
}

static void a_32_bit_one_shot_fires_each_time_round(void **arg)
{
    struct fixture x;
    struct test_board *ioapic = start(&x);

    wr(&x, config_of(1), INTERRUPT | ROUTE | WIDTH_32);
    wr(&x, comparator_of(1), 0x500000010);
    assert_int_equal(rd(&x, comparator_of(1)), 0x10);
    wr(&x, CONFIG, ENABLE);
    advance(&x, 0x10 * COUNT);
    assert_int_equal(ioapic->st.rises[PIN], 1);
    advance(&x, 0xffffffff * COUNT);
    assert_int_equal(ioapic->st.rises[PIN], 1);
    advance(&x, COUNT);
    assert_int_equal(ioapic->st.rises[PIN], 2);
    sim_release(&x.sim);
}

// As Linux's hpet_set_periodic() does it: the first write is the next match, the second the period.
static void a_periodic_timer_fires_each_period(void **arg)
{
    struct fixture x;
    struct test_board *ioapic = start(&x);

    wr(&x, config_of(0), INTERRUPT | ROUTE | PERIODIC | SET_VALUE | WIDTH_32);
    mmio_write(&x.mmio, comparator_of(0), 4, 30);
    mmio_write(&x.mmio, comparator_of(0), 4, 10);
    assert_int_equal(rd(&x, comparator_of(0)), 30);
    wr(&x, CONFIG, ENABLE);
    advance(&x, 30 * COUNT - 1);
    assert_int_equal(ioapic->st.rises[PIN], 0);
    advance(&x, 1);
    assert_int_equal(ioapic->st.rises[PIN], 1);
    assert_int_equal(rd(&x, comparator_of(0)), 40);
    advance(&x, 100 * COUNT);
    assert_int_equal(ioapic->st.rises[PIN], 11);
    sim_release(&x.sim);
}

static void a_periodic_timer_needs_only_one_write(void **arg)
{
    struct fixture x;
    struct test_board *ioapic = start(&x);

    wr(&x, config_of(0), INTERRUPT | ROUTE | PERIODIC | SET_VALUE);
    assert_int_equal(rd(&x, config_of(0)) & SET_VALUE, 0);
    wr(&x, comparator_of(0), 25);
    wr(&x, CONFIG, ENABLE);
    advance(&x, 100 * COUNT);
    assert_int_equal(ioapic->st.rises[PIN], 4);
    sim_release(&x.sim);
}

static void a_silent_periodic_timer_keeps_pace_without_events(void **arg)
{
    struct fixture x;
    struct test_board *ioapic = start(&x);

    wr(&x, config_of(0), ROUTE | PERIODIC | SET_VALUE);
    wr(&x, comparator_of(0), 10);
    wr(&x, CONFIG, ENABLE);
    advance(&x, 1234 * COUNT);
    assert_int_equal(x.sim.queue.fired, 0);
    assert_int_equal(rd(&x, comparator_of(0)), 1240);
    wr(&x, config_of(0), ROUTE | PERIODIC | INTERRUPT);
    advance(&x, 6 * COUNT);
    assert_int_equal(ioapic->st.rises[PIN], 1);
    sim_release(&x.sim);
}

static void a_level_triggered_timer_holds_its_line(void **arg)
{
    struct fixture x;
    struct test_board *ioapic = start(&x);

    wr(&x, config_of(1), INTERRUPT | ROUTE | LEVEL | PERIODIC | SET_VALUE);
    wr(&x, comparator_of(1), 10);
    wr(&x, CONFIG, ENABLE);
    advance(&x, 25 * COUNT);
    assert_true(ioapic->st.level[PIN]);
    assert_int_equal(rd(&x, STATUS), 2);
    wr(&x, STATUS, 5); // others
    assert_true(ioapic->st.level[PIN]);
    wr(&x, STATUS, 2);
    assert_false(ioapic->st.level[PIN]);
    assert_int_equal(rd(&x, STATUS), 0);
    advance(&x, 5 * COUNT);
    assert_true(ioapic->st.level[PIN]);
    assert_int_equal(ioapic->st.rises[PIN], 2);
    sim_release(&x.sim);
}

static void the_status_is_set_without_interrupts(void **arg)
{
    struct fixture x;
    struct test_board *ioapic = start(&x);

    wr(&x, config_of(2), ROUTE | LEVEL);
    wr(&x, comparator_of(2), 10);
    wr(&x, CONFIG, ENABLE);
    advance(&x, 11 * COUNT);
    assert_int_equal(rd(&x, STATUS), 4);
    assert_false(ioapic->st.level[PIN]);
    wr(&x, config_of(2), ROUTE | LEVEL | INTERRUPT);
    assert_true(ioapic->st.level[PIN]);
    sim_release(&x.sim);
}

static void two_timers_can_hold_one_line(void **arg)
{
    struct fixture x;
    struct test_board *ioapic = start(&x);

    for (unsigned n = 0; n < 2; n++) {
        wr(&x, config_of(n), INTERRUPT | ROUTE | LEVEL);
        wr(&x, comparator_of(n), 10);
    }
    wr(&x, CONFIG, ENABLE);
    advance(&x, 10 * COUNT);
    wr(&x, STATUS, 1);
    assert_true(ioapic->st.level[PIN]);
    wr(&x, STATUS, 2);
    assert_false(ioapic->st.level[PIN]);
    sim_release(&x.sim);
}

static void only_offered_routes_are_taken(void **arg)
{
    struct fixture x;

    start(&x);
    wr(&x, config_of(0), 23 << 9);
    assert_int_equal(rd(&x, config_of(0)) >> 9 & 31, 23);
    wr(&x, config_of(0), 2 << 9);
    assert_int_equal(rd(&x, config_of(0)) >> 9 & 31, 23);
    sim_release(&x.sim);
}

static void legacy_replacement_takes_irq_0_and_8(void **arg)
{
    struct fixture x;
    struct test_board *ioapic = start(&x);

    for (unsigned n = 0; n < 2; n++) {
        wr(&x, config_of(n), INTERRUPT | ROUTE);
        wr(&x, comparator_of(n), 10 + n);
    }
    wr(&x, CONFIG, ENABLE | LEGACY);
    advance(&x, 10 * COUNT);
    assert_int_equal(board_rises(&x, 0), 1);
    assert_int_equal(board_rises(&x, 8), 0);
    advance(&x, COUNT);
    assert_int_equal(board_rises(&x, 8), 1);
    assert_int_equal(ioapic->st.rises[PIN], 0);
    sim_release(&x.sim);
}

static void it_passes_on_the_pit_and_rtc_otherwise(void **arg)
{
    struct fixture x;

    start(&x);
    input(&x, 0, true);
    input(&x, 4, true);
    assert_true(board_level(&x, 0));
    assert_true(board_level(&x, 4));
    wr(&x, CONFIG, LEGACY);
    assert_false(board_level(&x, 0));
    assert_true(board_level(&x, 4));
    input(&x, 8, true);
    assert_false(board_level(&x, 8));
    wr(&x, CONFIG, 0);
    assert_true(board_level(&x, 0));
    assert_true(board_level(&x, 8));
    sim_release(&x.sim);
}

// A 8259A forgets a request whose line falls before it is acknowledged.
static void an_edge_is_held_until_the_next(void **arg)
{
    struct fixture x;

    start(&x);
    wr(&x, config_of(0), INTERRUPT | PERIODIC | SET_VALUE);
    wr(&x, comparator_of(0), 10);
    wr(&x, CONFIG, ENABLE | LEGACY);
    advance(&x, 15 * COUNT);
    assert_true(board_level(&x, 0));
    advance(&x, 5 * COUNT);
    assert_int_equal(board_rises(&x, 0), 2);
    wr(&x, config_of(0), 0);
    assert_false(board_level(&x, 0));
    sim_release(&x.sim);
}

static void no_access_and_no_loaded_state_breaks_it(void **arg)
{
    struct fixture x;
    struct mmio low;
    struct mmio_ops ops;

    start(&x);
    ops = *x.mmio.ops;
    ops.size = 0x180; // where the registers are
    low = (struct mmio){&ops, x.device};
    fixture_hammer(&x, &low, 1, 100 * COUNT);
    fixture_hammer(&x, &x.mmio, 1, 100 * COUNT);
    sim_release(&x.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(capabilities_say_what_it_is),
        cmocka_unit_test(the_period_fits_the_default_clock),
        cmocka_unit_test(the_counter_runs_while_enabled),
        cmocka_unit_test(registers_can_be_accessed_in_halves),
        cmocka_unit_test(a_one_shot_fires_when_the_counter_comes_to_it),
        cmocka_unit_test(a_32_bit_one_shot_fires_each_time_round),
        cmocka_unit_test(a_periodic_timer_fires_each_period),
        cmocka_unit_test(a_periodic_timer_needs_only_one_write),
        cmocka_unit_test(a_silent_periodic_timer_keeps_pace_without_events),
        cmocka_unit_test(a_level_triggered_timer_holds_its_line),
        cmocka_unit_test(the_status_is_set_without_interrupts),
        cmocka_unit_test(two_timers_can_hold_one_line),
        cmocka_unit_test(only_offered_routes_are_taken),
        cmocka_unit_test(legacy_replacement_takes_irq_0_and_8),
        cmocka_unit_test(it_passes_on_the_pit_and_rtc_otherwise),
        cmocka_unit_test(an_edge_is_held_until_the_next),
        cmocka_unit_test(no_access_and_no_loaded_state_breaks_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
