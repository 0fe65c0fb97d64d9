// SPDX-License-Identifier: BSD-3-Clause
// Expectations are from ACPI 6.4, section 4.8, and from Linux 6.1's ACPICA.
#include "dev/acpi_pm.h"

#include "dev/test_board.h"
#include "sim/clock.h"

enum { STATUS = ACPI_PM_EVENT, ENABLE = ACPI_PM_EVENT + 2, CONTROL = ACPI_PM_CONTROL, IRQ = 9 };
enum { TIMER = 0x0001, BUTTON = 0x0100, WAKE = 0x8000, SCI = 0x0001 };

static const struct clock pm = {3579545};

static void start_with(struct fixture *x, const char *param, const char *value)
{
    fixture_new(x, &acpi_pm_type);
    fixture_set(x, "interrupts", "board");
    if (param)
        fixture_set(x, param, value);
    fixture_start(x);
}

static void start(struct fixture *x)
{
    start_with(x, NULL, NULL);
}

static u16 rd(const struct fixture *x, u64 offset)
{
    return (u16)mmio_read(&x->mmio, offset, 2);
}

static void wr(const struct fixture *x, u64 offset, u16 v)
{
    mmio_write(&x->mmio, offset, 2, v);
}

static u32 timer(const struct fixture *x)
{
    return (u32)mmio_read(&x->mmio, ACPI_PM_TIMER, 4);
}

static void to_clock(struct fixture *x, u64 clock)
{
    event_queue_run(&x->sim.queue, clock_tick(&pm, clock));
}

static void smi(const struct fixture *x, u8 v)
{
    struct mmio m = acpi_pm_smi_command(x->device);

    mmio_write(&m, 0, 1, v);
}

static void the_smi_command_switches_acpi_mode(void **arg)
{
    struct fixture x;

    start(&x);
    assert_int_equal(rd(&x, CONTROL), 0);
    smi(&x, ACPI_PM_ENABLE);
    assert_int_equal(rd(&x, CONTROL), SCI);
    smi(&x, 0x42);
    assert_int_equal(rd(&x, CONTROL), SCI);
    smi(&x, ACPI_PM_DISABLE);
    assert_int_equal(rd(&x, CONTROL), 0);
    sim_release(&x.sim);
}

static void acpi_mode_can_be_on_from_the_start(void **arg)
{
    struct fixture x;

    start_with(&x, "acpi_mode", "true");
    assert_int_equal(rd(&x, CONTROL), SCI);
    sim_release(&x.sim);
}

static void the_timer_runs_at_its_rate(void **arg)
{
    struct fixture x;

    start(&x);
    assert_int_equal(timer(&x), 0);
    advance(&x, TICKS_PER_SECOND);
    assert_int_equal(timer(&x), 3579545);
    to_clock(&x, 0x1000000);
    assert_int_equal(timer(&x), 0x1000000);
    assert_int_equal(x.sim.queue.fired, 0);
    sim_release(&x.sim);
}

static void the_timer_can_have_24_bits(void **arg)
{
    struct fixture x;

    start_with(&x, "timer_bits", "24");
    to_clock(&x, 0x1000003);
    assert_int_equal(timer(&x), 3);
    sim_release(&x.sim);
}

static void the_timers_carry_sets_its_status(void **arg)
{
    struct fixture x;

    start_with(&x, "timer_bits", "24");
    to_clock(&x, 0x7fffff);
    assert_int_equal(rd(&x, STATUS), 0);
    to_clock(&x, 0x800000);
    assert_int_equal(rd(&x, STATUS), TIMER);
    wr(&x, STATUS, TIMER);
    assert_int_equal(rd(&x, STATUS), 0);
    to_clock(&x, 0x1000000);
    assert_int_equal(rd(&x, STATUS), TIMER);
    sim_release(&x.sim);
}

static void the_timers_carry_interrupts(void **arg)
{
    struct fixture x;

    start_with(&x, "timer_bits", "24");
    wr(&x, CONTROL, SCI);
    wr(&x, ENABLE, TIMER);
    to_clock(&x, 0x7fffff);
    assert_false(board_level(&x, IRQ));
    to_clock(&x, 0x800000);
    assert_true(board_level(&x, IRQ));
    wr(&x, STATUS, TIMER);
    assert_false(board_level(&x, IRQ));
    to_clock(&x, 0x1000000);
    assert_int_equal(board_rises(&x, IRQ), 2);
    sim_release(&x.sim);
}

static void the_power_button_interrupts_when_enabled(void **arg)
{
    struct fixture x;

    start(&x);
    acpi_pm_press_power_button(x.device);
    assert_int_equal(rd(&x, STATUS), BUTTON);
    assert_false(board_level(&x, IRQ));
    wr(&x, ENABLE, BUTTON);
    assert_false(board_level(&x, IRQ)); // in legacy mode
    smi(&x, ACPI_PM_ENABLE);
    assert_true(board_level(&x, IRQ));
    wr(&x, STATUS, 0);
    assert_true(board_level(&x, IRQ));
    wr(&x, STATUS, BUTTON);
    assert_false(board_level(&x, IRQ));
    sim_release(&x.sim);
}

// ACPICA writes SLP_TYP first, then SLP_TYP and SLP_EN.
static void s5_switches_the_machine_off(void **arg)
{
    struct fixture x;

    start(&x);
    wr(&x, CONTROL, SCI | 5 << 10);
    assert_int_equal(x.board->st.requests, 0);
    assert_int_equal(rd(&x, CONTROL), SCI | 5 << 10);
    wr(&x, CONTROL, SCI | 5 << 10 | 1 << 13);
    assert_int_equal(x.board->st.requests, 1);
    assert_int_equal(x.board->st.request, CONTROL_POWER_OFF);
    assert_int_equal(rd(&x, CONTROL), SCI | 5 << 10); // SLP_EN reads as zero
    sim_release(&x.sim);
}

static void other_sleep_states_wake_up_at_once(void **arg)
{
    struct fixture x;

    start_with(&x, "s5_type", "7");
    wr(&x, CONTROL, SCI | 5 << 10 | 1 << 13);
    assert_int_equal(x.board->st.requests, 0);
    assert_int_equal(rd(&x, STATUS), WAKE);
    wr(&x, STATUS, WAKE);
    assert_int_equal(rd(&x, STATUS), 0);
    sim_release(&x.sim);
}

static void the_gpe_block_keeps_its_enables(void **arg)
{
    struct fixture x;

    start(&x);
    mmio_write(&x.mmio, ACPI_PM_GPE, 4, 0x1234ffff);
    assert_int_equal(mmio_read(&x.mmio, ACPI_PM_GPE, 4), 0x12340000);
    sim_release(&x.sim);
}

static void no_access_and_no_loaded_state_breaks_it(void **arg)
{
    struct fixture x;
    struct mmio ranges[2];

    start_with(&x, "timer_bits", "24");
    ranges[0] = x.mmio;
    ranges[1] = acpi_pm_smi_command(x.device);
    fixture_hammer(&x, ranges, ARRAY_SIZE(ranges), 3 * TICKS_PER_SECOND);
    sim_release(&x.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smi_command_switches_acpi_mode),
        cmocka_unit_test(acpi_mode_can_be_on_from_the_start),
        cmocka_unit_test(the_timer_runs_at_its_rate),
        cmocka_unit_test(the_timer_can_have_24_bits),
        cmocka_unit_test(the_timers_carry_sets_its_status),
        cmocka_unit_test(the_timers_carry_interrupts),
        cmocka_unit_test(the_power_button_interrupts_when_enabled),
        cmocka_unit_test(s5_switches_the_machine_off),
        cmocka_unit_test(other_sleep_states_wake_up_at_once),
        cmocka_unit_test(the_gpe_block_keeps_its_enables),
        cmocka_unit_test(no_access_and_no_loaded_state_breaks_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
