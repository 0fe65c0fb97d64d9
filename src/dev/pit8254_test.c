// SPDX-License-Identifier: BSD-3-Clause
// Expectations are from the 8254's data sheet (231164-005), its figures of the modes above all, and
// from how Linux 6.1 calibrates with it. A count written at clock 0 is in the counter at clock 1.
#include "dev/pit8254.h"

#include "dev/test_board.h"
#include "sim/clock.h"

enum { CONTROL = 3, IRQ = 0 };

static const struct clock pit = {1193182};

static void start(struct fixture *x)
{
    fixture_new(x, &pit8254_type);
    fixture_set(x, "interrupts", "board");
    fixture_start(x);
}

static void to_clock(struct fixture *x, u64 clock)
{
    event_queue_run(&x->sim.queue, clock_tick(&pit, clock));
}

static void program(const struct fixture *x, unsigned counter, unsigned mode, u16 count)
{
    out8(x, CONTROL, (u8)(counter << 6 | 0x30 | mode << 1));
    out8(x, counter, (u8)count);
    out8(x, counter, (u8)(count >> 8));
}

static unsigned count(const struct fixture *x, unsigned counter)
{
    unsigned low;

    out8(x, CONTROL, (u8)(counter << 6));
    low = in8(x, counter);
    return low | (unsigned)in8(x, counter) << 8;
}

static u8 status(const struct fixture *x, unsigned counter)
{
    out8(x, CONTROL, (u8)(0xe0 | 2 << counter));
    return in8(x, counter);
}

static bool output(const struct fixture *x, unsigned counter)
{
    return status(x, counter) & 0x80;
}

static u8 port61(const struct fixture *x)
{
    struct mmio m = pit8254_port61(x->device);

    return (u8)mmio_read(&m, 0, 1);
}

static void gate2(const struct fixture *x, bool level)
{
    struct mmio m = pit8254_port61(x->device);

    mmio_write(&m, 0, 1, level);
}

static void mode_0_rises_once_after_its_count(void **arg)
{
    struct fixture x;

    start(&x);
    program(&x, 0, 0, 4);
    to_clock(&x, 1);
    assert_int_equal(count(&x, 0), 4);
    to_clock(&x, 4);
    assert_int_equal(count(&x, 0), 1);
    assert_false(board_level(&x, IRQ));
    to_clock(&x, 5);
    assert_int_equal(count(&x, 0), 0);
    assert_true(board_level(&x, IRQ));
    assert_true(output(&x, 0));
    to_clock(&x, 6);
    assert_int_equal(count(&x, 0), 0xffff); // it goes on counting
    to_clock(&x, 300000);
    assert_int_equal(board_rises(&x, IRQ), 1);
    sim_release(&x.sim);
}

static void mode_0_stops_at_the_first_byte_of_a_new_count(void **arg)
{
    struct fixture x;

    start(&x);
    program(&x, 0, 0, 10);
    to_clock(&x, 5);
    out8(&x, 0, 3);
    to_clock(&x, 100);
    assert_int_equal(count(&x, 0), 6);
    assert_int_equal(board_rises(&x, IRQ), 0);
    out8(&x, 0, 0);
    to_clock(&x, 103);
    assert_false(board_level(&x, IRQ));
    to_clock(&x, 104);
    assert_true(board_level(&x, IRQ));
    sim_release(&x.sim);
}

static void a_count_of_zero_is_the_longest(void **arg)
{
    struct fixture x;

    start(&x);
    program(&x, 0, 0, 0);
    to_clock(&x, 65536);
    assert_false(board_level(&x, IRQ));
    to_clock(&x, 65537);
    assert_true(board_level(&x, IRQ));
    sim_release(&x.sim);
}

static void the_gate_holds_mode_0(void **arg)
{
    struct fixture x;

    start(&x);
    program(&x, 2, 0, 10);
    to_clock(&x, 100);
    assert_int_equal(count(&x, 2), 10); // loaded, but it does not count
    gate2(&x, true);
    to_clock(&x, 104);
    assert_int_equal(count(&x, 2), 6);
    gate2(&x, false);
    to_clock(&x, 200);
    gate2(&x, true);
    to_clock(&x, 205);
    assert_int_equal(count(&x, 2), 1);
    assert_false(port61(&x) & 0x20);
    to_clock(&x, 206);
    assert_true(port61(&x) & 0x20);
    sim_release(&x.sim);
}

static void mode_2_gives_an_edge_each_period(void **arg)
{
    struct fixture x;
    static const u16 counts[] = {3, 2, 1, 3, 2, 1, 3};

    start(&x);
    program(&x, 0, 2, 3);
    assert_true(output(&x, 0));
    for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
        to_clock(&x, 1 + i);
        assert_int_equal(count(&x, 0), counts[i]);
        assert_int_equal(output(&x, 0), counts[i] != 1);
    }
    to_clock(&x, 1 + 3 * 1000);
    assert_int_equal(board_rises(&x, IRQ), 1001); // the first with the control word
    sim_release(&x.sim);
}

static void a_new_count_of_mode_2_waits_for_the_end_of_the_period(void **arg)
{
    struct fixture x;

    start(&x);
    program(&x, 0, 2, 10);
    to_clock(&x, 4);
    out8(&x, 0, 4);
    out8(&x, 0, 0);
    assert_int_equal(status(&x, 0) & 0x40, 0x40); // null count
    assert_int_equal(count(&x, 0), 7);
    to_clock(&x, 10);
    assert_int_equal(board_rises(&x, IRQ), 1);
    to_clock(&x, 11);
    assert_int_equal(board_rises(&x, IRQ), 2);
    assert_int_equal(status(&x, 0) & 0x40, 0);
    assert_int_equal(count(&x, 0), 4);
    to_clock(&x, 15);
    assert_int_equal(board_rises(&x, IRQ), 3);
    sim_release(&x.sim);
}

static void the_gate_restarts_mode_2(void **arg)
{
    struct fixture x;

    start(&x);
    gate2(&x, true);
    program(&x, 2, 2, 10);
    to_clock(&x, 10);
    assert_false(port61(&x) & 0x20);
    gate2(&x, false);
    assert_true(port61(&x) & 0x20);
    to_clock(&x, 50);
    assert_int_equal(count(&x, 2), 1);
    gate2(&x, true);
    to_clock(&x, 51);
    assert_int_equal(count(&x, 2), 10);
    sim_release(&x.sim);
}

static void mode_3_is_a_square_wave(void **arg)
{
    static const struct {
        u16 n;
        const char *wave;
        u16 counts[5];
    } cases[] = {
        {4, "11001100", {4, 2, 4, 2, 4}},
        {5, "1110011100", {4, 2, 0, 4, 2}},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture x;

        start(&x);
        program(&x, 0, 3, cases[i].n);
        for (unsigned k = 0; cases[i].wave[k]; k++) {
            to_clock(&x, 1 + k);
            assert_int_equal(output(&x, 0), cases[i].wave[k] == '1');
            if (k < 5)
                assert_int_equal(count(&x, 0), cases[i].counts[k]);
        }
        to_clock(&x, 1 + 100 * cases[i].n);
        assert_int_equal(board_rises(&x, IRQ), 101);
        sim_release(&x.sim);
    }
}

static void a_new_count_of_mode_3_waits_for_the_end_of_the_half(void **arg)
{
    struct fixture x;

    start(&x);
    program(&x, 0, 3, 10);
    to_clock(&x, 3);
    out8(&x, 0, 4);
    out8(&x, 0, 0);
    to_clock(&x, 5);
    assert_true(output(&x, 0));
    to_clock(&x, 6); // the low half is of the new period
    assert_false(output(&x, 0));
    to_clock(&x, 7);
    assert_false(output(&x, 0));
    to_clock(&x, 8);
    assert_true(output(&x, 0));
    assert_int_equal(board_rises(&x, IRQ), 2);
    to_clock(&x, 12);
    assert_int_equal(board_rises(&x, IRQ), 3);
    sim_release(&x.sim);
}

static void mode_1_is_started_by_the_gate(void **arg)
{
    struct fixture x;

    start(&x);
    program(&x, 2, 1, 3);
    to_clock(&x, 10);
    assert_true(port61(&x) & 0x20);
    gate2(&x, true);
    to_clock(&x, 13);
    assert_false(port61(&x) & 0x20);
    to_clock(&x, 14);
    assert_true(port61(&x) & 0x20);
    gate2(&x, false);
    gate2(&x, true);
    to_clock(&x, 15);
    assert_false(port61(&x) & 0x20);
    sim_release(&x.sim);
}

// Linux's one-shot ticks: each new count starts anew, the edge is the strobe's end.
static void mode_4_strobes_once_for_each_count(void **arg)
{
    struct fixture x;

    start(&x);
    program(&x, 0, 4, 3);
    assert_int_equal(board_rises(&x, IRQ), 1); // the control word
    to_clock(&x, 3);
    assert_true(output(&x, 0));
    to_clock(&x, 4);
    assert_false(output(&x, 0));
    to_clock(&x, 5);
    assert_true(output(&x, 0));
    assert_int_equal(board_rises(&x, IRQ), 2);
    to_clock(&x, 200000);
    assert_int_equal(board_rises(&x, IRQ), 2);
    out8(&x, 0, 9);
    out8(&x, 0, 0);
    to_clock(&x, 200011);
    assert_int_equal(board_rises(&x, IRQ), 3);
    sim_release(&x.sim);
}

static void mode_5_strobes_after_a_trigger(void **arg)
{
    struct fixture x;

    start(&x);
    program(&x, 2, 5, 3);
    to_clock(&x, 10);
    assert_true(port61(&x) & 0x20);
    gate2(&x, true);
    to_clock(&x, 13);
    assert_true(port61(&x) & 0x20);
    to_clock(&x, 14);
    assert_false(port61(&x) & 0x20);
    to_clock(&x, 15);
    assert_true(port61(&x) & 0x20);
    sim_release(&x.sim);
}

static void a_latched_count_stays_until_it_is_read(void **arg)
{
    struct fixture x;

    start(&x);
    program(&x, 0, 2, 0x1000);
    to_clock(&x, 2);
    out8(&x, CONTROL, 0x00);
    to_clock(&x, 500);
    out8(&x, CONTROL, 0x00); // a second latch changes nothing
    assert_int_equal(in8(&x, 0), 0xff);
    assert_int_equal(in8(&x, 0), 0x0f);
    to_clock(&x, 0x101);
    assert_int_equal(in8(&x, 0), (0x1001 - 500) & 0xff); // and now it counts again
    sim_release(&x.sim);
}

static void bytes_are_read_as_they_were_asked_for(void **arg)
{
    struct fixture x;

    start(&x);
    out8(&x, CONTROL, 0x14); // low byte only, mode 2
    out8(&x, 0, 0x34);
    to_clock(&x, 1);
    assert_int_equal(in8(&x, 0), 0x34);
    assert_int_equal(in8(&x, 0), 0x34);
    out8(&x, CONTROL, 0x24); // high byte only
    out8(&x, 0, 0x12);
    to_clock(&x, 2);
    assert_int_equal(in8(&x, 0), 0x12);
    assert_int_equal(in8(&x, 0), 0x12);
    sim_release(&x.sim);
}

static void read_back_latches_status_and_counts_of_several(void **arg)
{
    struct fixture x;

    start(&x);
    program(&x, 0, 2, 100);
    program(&x, 1, 3, 18);
    to_clock(&x, 1);
    out8(&x, CONTROL, 0xc6); // both, of counters 0 and 1
    to_clock(&x, 50);
    assert_int_equal(in8(&x, 0), 0xb4); // high, loaded, word, mode 2
    assert_int_equal(in8(&x, 0), 100);
    assert_int_equal(in8(&x, 0), 0);
    assert_int_equal(in8(&x, 1), 0xb6);
    assert_int_equal(in8(&x, 1), 18);
    assert_int_equal(in8(&x, 1), 0);
    sim_release(&x.sim);
}

static void the_control_word_makes_the_count_null(void **arg)
{
    struct fixture x;

    start(&x);
    out8(&x, CONTROL, 0x30);
    assert_int_equal(status(&x, 0), 0x70);
    out8(&x, 0, 5);
    out8(&x, 0, 0);
    assert_int_equal(status(&x, 0), 0x70); // not in the counter yet
    to_clock(&x, 1);
    assert_int_equal(status(&x, 0), 0x30);
    sim_release(&x.sim);
}

static void it_counts_in_bcd(void **arg)
{
    struct fixture x;

    start(&x);
    out8(&x, CONTROL, 0x31);
    out8(&x, 0, 0x00);
    out8(&x, 0, 0x10);
    to_clock(&x, 2);
    assert_int_equal(count(&x, 0), 0x0999);
    to_clock(&x, 1000);
    assert_false(board_level(&x, IRQ));
    to_clock(&x, 1001);
    assert_true(board_level(&x, IRQ));
    to_clock(&x, 1002);
    assert_int_equal(count(&x, 0), 0x9999);
    sim_release(&x.sim);
}

// Linux: pit_calibrate_tsc() waits for the output of counter 2 through port 0x61.
static void linux_can_wait_for_counter_2(void **arg)
{
    struct fixture x;
    u64 latch = 1193182 / 100;

    start(&x);
    gate2(&x, true);
    out8(&x, CONTROL, 0xb0);
    out8(&x, 2, (u8)latch);
    out8(&x, 2, (u8)(latch >> 8));
    to_clock(&x, latch);
    assert_false(port61(&x) & 0x20);
    to_clock(&x, latch + 1);
    assert_true(port61(&x) & 0x20);
    sim_release(&x.sim);
}

// Linux: quick_pit_calibrate() follows the high byte down from 0xff.
static void linux_can_follow_the_high_byte(void **arg)
{
    struct fixture x;

    start(&x);
    gate2(&x, true);
    program(&x, 2, 0, 0xffff);
    for (unsigned high = 0xff; high > 0xf0; high--) {
        to_clock(&x, 1 + (0xffu - high) * 256 + 100);
        in8(&x, 2);
        assert_int_equal(in8(&x, 2), high);
    }
    sim_release(&x.sim);
}

static void port_61_keeps_its_low_bits_and_toggles_refresh(void **arg)
{
    struct fixture x;
    struct mmio m;

    start(&x);
    m = pit8254_port61(x.device);
    mmio_write(&m, 0, 1, 0xfe);
    assert_int_equal(port61(&x) & 0xcf, 0x0e);
    assert_false(port61(&x) & 0x10);
    to_clock(&x, 18);
    assert_true(port61(&x) & 0x10);
    to_clock(&x, 36);
    assert_false(port61(&x) & 0x10);
    sim_release(&x.sim);
}

static void without_interrupts_there_are_no_events(void **arg)
{
    struct fixture x;

    start(&x);
    program(&x, 1, 2, 18);
    gate2(&x, true);
    program(&x, 2, 3, 100);
    assert_int_equal(x.sim.queue.pending, 0);
    sim_release(&x.sim);
}

static void set_state(struct component *c, const char *name, const void *value, size_t size)
{
    size_t at;

    assert_non_null(state_find(c->type->state, name, &at));
    memcpy((u8 *)component_state(c) + at, value, size);
}

// Nothing makes such a state but a damaged checkpoint: the end of a count of 0 never comes.
static void a_loaded_count_that_waits_for_no_end_is_refused(void **arg)
{
    static const u8 one = 1;
    static const u32 zero = 0;
    struct component *counter;
    struct fixture x;
    struct error err;

    start(&x);
    program(&x, 0, 0, 100);
    counter = component_child(x.device, "counter0");
    assert_non_null(counter);
    assert_true(counter->type->ops->after_load(counter, &err));
    set_state(counter, "switching", &one, sizeof(one));
    set_state(counter, "initial", &zero, sizeof(zero));
    assert_false(counter->type->ops->after_load(counter, &err));
    sim_release(&x.sim);
}

static void no_access_and_no_loaded_state_breaks_it(void **arg)
{
    struct fixture x;
    struct mmio ranges[2];

    start(&x);
    ranges[0] = x.mmio;
    ranges[1] = pit8254_port61(x.device);
    fixture_hammer(&x, ranges, ARRAY_SIZE(ranges), TICKS_PER_SECOND / 1000);
    sim_release(&x.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mode_0_rises_once_after_its_count),
        cmocka_unit_test(mode_0_stops_at_the_first_byte_of_a_new_count),
        cmocka_unit_test(a_count_of_zero_is_the_longest),
        cmocka_unit_test(the_gate_holds_mode_0),
        cmocka_unit_test(mode_2_gives_an_edge_each_period),
        cmocka_unit_test(a_new_count_of_mode_2_waits_for_the_end_of_the_period),
        cmocka_unit_test(the_gate_restarts_mode_2),
        cmocka_unit_test(mode_3_is_a_square_wave),
        cmocka_unit_test(a_new_count_of_mode_3_waits_for_the_end_of_the_half),
        cmocka_unit_test(mode_1_is_started_by_the_gate),
        cmocka_unit_test(mode_4_strobes_once_for_each_count),
        cmocka_unit_test(mode_5_strobes_after_a_trigger),
        cmocka_unit_test(a_latched_count_stays_until_it_is_read),
        cmocka_unit_test(bytes_are_read_as_they_were_asked_for),
        cmocka_unit_test(read_back_latches_status_and_counts_of_several),
        cmocka_unit_test(the_control_word_makes_the_count_null),
        cmocka_unit_test(it_counts_in_bcd),
        cmocka_unit_test(linux_can_wait_for_counter_2),
        cmocka_unit_test(linux_can_follow_the_high_byte),
        cmocka_unit_test(port_61_keeps_its_low_bits_and_toggles_refresh),
        cmocka_unit_test(without_interrupts_there_are_no_events),
        cmocka_unit_test(a_loaded_count_that_waits_for_no_end_is_refused),
        cmocka_unit_test(no_access_and_no_loaded_state_breaks_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
