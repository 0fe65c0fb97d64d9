// SPDX-License-Identifier: BSD-3-Clause
// Expectations are from the MC146818A's data sheet, from date(1), and from how Linux 6.1's
// rtc-cmos and rtc-mc146818-lib use the clock.
#include "dev/rtc_mc146818.h"

#include "dev/test_board.h"

enum { SECONDS, SECONDS_ALARM, MINUTES, MINUTES_ALARM, HOURS, HOURS_ALARM, WEEKDAY, DAY, MONTH };
enum { YEAR = 9, A, B, C, D, CENTURY = 0x32, IRQ = 8 };

#define SECOND TICKS_PER_SECOND
#define MICROSECOND (TICKS_PER_SECOND / 1000000)

static u8 rd(const struct fixture *x, u8 reg)
{
    out8(x, 0, reg);
    return in8(x, 1);
}

static void wr(const struct fixture *x, u8 reg, u8 v)
{
    out8(x, 0, reg);
    out8(x, 1, v);
}

static void start_at(struct fixture *x, const char *epoch)
{
    fixture_new(x, &rtc_type);
    fixture_set(x, "interrupts", "board");
    fixture_set(x, "epoch", epoch);
    fixture_start(x);
}

static void start(struct fixture *x)
{
    start_at(x, "1767225600");
}

// Compares year to second, in BCD: 0x20260101000000.
static void assert_time(const struct fixture *x, u64 expected)
{
    static const u8 regs[] = {CENTURY, YEAR, MONTH, DAY, HOURS, MINUTES, SECONDS};
    u64 v = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(regs); i++)
        v = v << 8 | rd(x, regs[i]);
    assert_int_equal(v, expected);
}

static void set_time(const struct fixture *x, u64 v)
{
    static const u8 regs[] = {SECONDS, MINUTES, HOURS, DAY, MONTH, YEAR, CENTURY};

    for (unsigned i = 0; i < ARRAY_SIZE(regs); i++)
        wr(x, regs[i], (u8)(v >> (8 * i)));
}

static void it_starts_at_its_epoch(void **arg)
{
    static const struct {
        const char *epoch;
        u64 time;
        u8 weekday;
    } cases[] = {
        {"1767225600", 0x20260101000000, 5}, {"0", 0x19700101000000, 5},
        {"951782399", 0x20000228235959, 2},  {"951782400", 0x20000229000000, 3},
        {"1709251199", 0x20240229235959, 5}, {"4107542400", 0x21000301000000, 2},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture x;

        start_at(&x, cases[i].epoch);
        assert_time(&x, cases[i].time);
        assert_int_equal(rd(&x, WEEKDAY), cases[i].weekday); // Sunday is 1
        sim_release(&x.sim);
    }
}

static void it_follows_the_simulated_time(void **arg)
{
    struct fixture x;

    start(&x);
    advance(&x, SECOND - 1);
    assert_time(&x, 0x20260101000000);
    advance(&x, 1);
    assert_time(&x, 0x20260101000001);
    advance(&x, 86400 * SECOND);
    assert_time(&x, 0x20260102000001);
    sim_release(&x.sim);
}

static void it_says_that_its_time_is_valid(void **arg)
{
    struct fixture x;

    start(&x);
    assert_int_equal(rd(&x, D), 0x80);
    assert_int_equal(rd(&x, A), 0x26);
    assert_int_equal(rd(&x, B), 0x02);
    sim_release(&x.sim);
}

static void it_shows_binary_and_twelve_hours(void **arg)
{
    static const struct {
        const char *epoch;
        u8 b, hours;
    } cases[] = {
        {"1767225600", 0x00, 0x12}, {"1767268800", 0x00, 0x92}, {"1767308400", 0x00, 0x91},
        {"1767308400", 0x02, 0x23}, {"1767308400", 0x06, 23},   {"1767308400", 0x04, 0x80 + 11},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture x;

        start_at(&x, cases[i].epoch);
        wr(&x, B, cases[i].b);
        assert_int_equal(rd(&x, HOURS), cases[i].hours);
        sim_release(&x.sim);
    }
}

static void set_stops_the_updates(void **arg)
{
    struct fixture x;

    start(&x);
    wr(&x, B, 0x82);
    advance(&x, 10 * SECOND);
    assert_time(&x, 0x20260101000000);
    set_time(&x, 0x20300615123456);
    assert_time(&x, 0x20300615123456);
    wr(&x, B, 0x02);
    assert_time(&x, 0x20300615123456);
    advance(&x, SECOND);
    assert_time(&x, 0x20300615123457);
    sim_release(&x.sim);
}

// Linux: mc146818_set_time().
static void linux_sets_the_time_to_the_half_second(void **arg)
{
    struct fixture x;
    u8 a, b;

    start(&x);
    advance(&x, 300 * (SECOND / 1000));
    b = rd(&x, B);
    wr(&x, B, b | 0x80);
    a = rd(&x, A);
    wr(&x, A, a | 0x70);
    set_time(&x, 0x20271231235959);
    wr(&x, B, b);
    wr(&x, A, a);
    advance(&x, SECOND / 2 - 1);
    assert_time(&x, 0x20271231235959);
    advance(&x, 1);
    assert_time(&x, 0x20280101000000);
    sim_release(&x.sim);
}

static void a_running_clock_can_be_written(void **arg)
{
    struct fixture x;

    start(&x);
    wr(&x, MINUTES, 0x59);
    wr(&x, SECONDS, 0x59);
    advance(&x, SECOND);
    assert_time(&x, 0x20260101010000);
    sim_release(&x.sim);
}

static void nonsense_becomes_some_time(void **arg)
{
    struct fixture x;

    start(&x);
    wr(&x, B, 0x82);
    set_time(&x, 0x20260230000000); // February 30th is March 2nd
    wr(&x, B, 0x02);
    assert_time(&x, 0x20260302000000);
    sim_release(&x.sim);
}

static void uip_announces_an_update(void **arg)
{
    struct fixture x;

    start(&x);
    advance(&x, SECOND - 2229 * MICROSECOND);
    assert_int_equal(rd(&x, A) & 0x80, 0);
    advance(&x, MICROSECOND);
    assert_int_equal(rd(&x, A) & 0x80, 0x80);
    advance(&x, 2228 * MICROSECOND);
    assert_int_equal(rd(&x, A) & 0x80, 0);
    wr(&x, B, 0x82);
    advance(&x, SECOND - MICROSECOND);
    assert_int_equal(rd(&x, A) & 0x80, 0);
    sim_release(&x.sim);
}

static void the_update_interrupt_comes_each_second(void **arg)
{
    struct fixture x;

    start(&x);
    wr(&x, B, 0x12);
    advance(&x, SECOND - 1);
    assert_false(board_level(&x, IRQ));
    advance(&x, 1);
    assert_true(board_level(&x, IRQ));
    advance(&x, 5 * SECOND);
    assert_int_equal(board_rises(&x, IRQ), 1);
    assert_int_equal(rd(&x, C) & 0x90, 0x90);
    assert_false(board_level(&x, IRQ));
    assert_int_equal(rd(&x, C), 0);
    advance(&x, SECOND);
    assert_int_equal(board_rises(&x, IRQ), 2);
    sim_release(&x.sim);
}

static void set_clears_the_update_interrupt(void **arg)
{
    struct fixture x;

    start(&x);
    wr(&x, B, 0x92);
    assert_int_equal(rd(&x, B), 0x82);
    sim_release(&x.sim);
}

static void the_periodic_interrupt_has_its_rates(void **arg)
{
    // Register A's rate, and how often it comes in a second.
    static const u16 rates[][2] = {{1, 256}, {2, 128}, {3, 8192}, {6, 1024}, {13, 8}, {15, 2}};

    for (unsigned i = 0; i < ARRAY_SIZE(rates); i++) {
        struct fixture x;

        start(&x);
        wr(&x, A, (u8)(0x20 | rates[i][0]));
        wr(&x, B, 0x42);
        for (unsigned k = 1; k <= rates[i][1]; k++) {
            event_queue_run(&x.sim.queue, (SECOND * k + rates[i][1] - 1) / rates[i][1]);
            assert_true(board_level(&x, IRQ));
            assert_int_equal(rd(&x, C) & 0xc0, 0xc0);
            assert_false(board_level(&x, IRQ));
        }
        assert_int_equal(board_rises(&x, IRQ), rates[i][1]);
        sim_release(&x.sim);
    }
}

static void rate_zero_is_no_periodic_interrupt(void **arg)
{
    struct fixture x;

    start(&x);
    wr(&x, A, 0x20);
    wr(&x, B, 0x42);
    advance(&x, 10 * SECOND);
    assert_int_equal(board_rises(&x, IRQ), 0);
    sim_release(&x.sim);
}

static void the_alarm_comes_at_its_time(void **arg)
{
    struct fixture x;

    start(&x);
    wr(&x, HOURS_ALARM, 0x01);
    wr(&x, MINUTES_ALARM, 0x02);
    wr(&x, SECONDS_ALARM, 0x03);
    wr(&x, B, 0x22);
    advance(&x, 3723 * SECOND - 1);
    assert_false(board_level(&x, IRQ));
    advance(&x, 1);
    assert_true(board_level(&x, IRQ));
    assert_int_equal(rd(&x, C) & 0xa0, 0xa0);
    advance(&x, 86400 * SECOND - 1);
    assert_false(board_level(&x, IRQ));
    advance(&x, 1);
    assert_true(board_level(&x, IRQ));
    sim_release(&x.sim);
}

static void alarm_fields_can_be_any(void **arg)
{
    // Hour, minute, second; seconds until the first alarm after 00:00:00, and between two.
    static const struct {
        u8 h, m, s;
        u64 first, next;
    } cases[] = {
        {0xff, 0xff, 0xff, 1, 1},       {0xff, 0xff, 0x10, 10, 60},
        {0xff, 0x30, 0x00, 1800, 3600}, {0x00, 0x00, 0x00, 86400, 86400},
        {0xc0, 0xc0, 0x59, 59, 60},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture x;

        start(&x);
        wr(&x, HOURS_ALARM, cases[i].h);
        wr(&x, MINUTES_ALARM, cases[i].m);
        wr(&x, SECONDS_ALARM, cases[i].s);
        wr(&x, B, 0x22);
        for (unsigned k = 0; k < 2; k++) {
            advance(&x, (k ? cases[i].next : cases[i].first) * SECOND - 1);
            assert_false(board_level(&x, IRQ));
            advance(&x, 1);
            assert_true(board_level(&x, IRQ));
            rd(&x, C);
        }
        sim_release(&x.sim);
    }
}

static void an_impossible_alarm_never_comes(void **arg)
{
    struct fixture x;

    start(&x);
    wr(&x, HOURS_ALARM, 0x24);
    wr(&x, B, 0x22);
    advance(&x, 3 * 86400 * SECOND);
    assert_int_equal(board_rises(&x, IRQ), 0);
    sim_release(&x.sim);
}

static void flags_are_set_without_interrupts_and_events(void **arg)
{
    struct fixture x;

    start(&x);
    assert_int_equal(x.sim.queue.pending, 0);
    advance(&x, SECOND);
    assert_int_equal(rd(&x, C) & 0x50, 0x50);
    assert_false(board_level(&x, IRQ));
    sim_release(&x.sim);
}

static void enabling_a_pending_interrupt_raises_it(void **arg)
{
    struct fixture x;

    start(&x);
    advance(&x, SECOND);
    wr(&x, B, 0x12);
    assert_true(board_level(&x, IRQ));
    sim_release(&x.sim);
}

static void the_rest_is_ram(void **arg)
{
    struct fixture x;

    start(&x);
    for (unsigned i = 0x0e; i < 0x80; i++)
        if (i != CENTURY)
            wr(&x, (u8)i, (u8)(i * 3));
    for (unsigned i = 0x0e; i < 0x80; i++)
        if (i != CENTURY)
            assert_int_equal(rd(&x, (u8)(i | 0x80)), (u8)(i * 3));
    sim_release(&x.sim);
}

static void no_access_and_no_loaded_state_breaks_it(void **arg)
{
    struct fixture x;

    start(&x);
    fixture_hammer(&x, &x.mmio, 1, 2 * SECOND);
    sim_release(&x.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_starts_at_its_epoch),
        cmocka_unit_test(it_follows_the_simulated_time),
        cmocka_unit_test(it_says_that_its_time_is_valid),
        cmocka_unit_test(it_shows_binary_and_twelve_hours),
        cmocka_unit_test(set_stops_the_updates),
        cmocka_unit_test(linux_sets_the_time_to_the_half_second),
        cmocka_unit_test(a_running_clock_can_be_written),
        cmocka_unit_test(nonsense_becomes_some_time),
        cmocka_unit_test(uip_announces_an_update),
        cmocka_unit_test(the_update_interrupt_comes_each_second),
        cmocka_unit_test(set_clears_the_update_interrupt),
        cmocka_unit_test(the_periodic_interrupt_has_its_rates),
        cmocka_unit_test(rate_zero_is_no_periodic_interrupt),
        cmocka_unit_test(the_alarm_comes_at_its_time),
        cmocka_unit_test(alarm_fields_can_be_any),
        cmocka_unit_test(an_impossible_alarm_never_comes),
        cmocka_unit_test(flags_are_set_without_interrupts_and_events),
        cmocka_unit_test(enabling_a_pending_interrupt_raises_it),
        cmocka_unit_test(the_rest_is_ram),
        cmocka_unit_test(no_access_and_no_loaded_state_breaks_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
