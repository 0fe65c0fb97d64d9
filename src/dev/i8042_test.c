// SPDX-License-Identifier: BSD-3-Clause
// Expectations are from the PS/2 Hardware Interface Technical Reference, and from the probes of
// Linux 6.1's i8042.c, atkbd.c and reboot.c.
#include "dev/i8042.h"

#include "dev/test_board.h"

enum { IRQ = 1, FULL = 0x01, NONE = -1 };

static void start(struct fixture *x)
{
    fixture_new(x, &i8042_type);
    fixture_set(x, "interrupts", "board");
    fixture_start(x);
}

static u8 status(const struct fixture *x)
{
    struct mmio m = i8042_command_port(x->device);

    return (u8)mmio_read(&m, 0, 1);
}

static void command(const struct fixture *x, u8 v)
{
    struct mmio m = i8042_command_port(x->device);

    mmio_write(&m, 0, 1, v);
}

// The next byte, or NONE.
static int data(const struct fixture *x)
{
    return status(x) & FULL ? in8(x, 0) : NONE;
}

static int ask(const struct fixture *x, u8 v)
{
    command(x, v);
    return data(x);
}

static void set_mode(const struct fixture *x, u8 v)
{
    command(x, 0x60);
    out8(x, 0, v);
}

static void the_controller_passes_its_tests(void **arg)
{
    struct fixture x;

    start(&x);
    assert_int_equal(status(&x), 0x14); // nothing there, tested, not locked
    assert_int_equal(ask(&x, 0xaa), 0x55);
    assert_int_equal(ask(&x, 0xab), 0x00);
    assert_int_equal(status(&x), 0x1c); // the last byte written was a command
    sim_release(&x.sim);
}

static void the_command_byte_reads_back(void **arg)
{
    struct fixture x;

    start(&x);
    set_mode(&x, 0x74);
    assert_int_equal(ask(&x, 0x20), 0x74);
    assert_int_equal(ask(&x, 0x20), 0x74);
    command(&x, 0x65);
    out8(&x, 0, 0xa5);
    assert_int_equal(ask(&x, 0x25), 0xa5);
    sim_release(&x.sim);
}

static void commands_switch_the_ports(void **arg)
{
    struct fixture x;

    start(&x);
    set_mode(&x, 0x04);
    command(&x, 0xad);
    assert_int_equal(ask(&x, 0x20), 0x14);
    command(&x, 0xa7);
    assert_int_equal(ask(&x, 0x20), 0x34);
    command(&x, 0xae);
    command(&x, 0xa8);
    assert_int_equal(ask(&x, 0x20), 0x04);
    sim_release(&x.sim);
}

// Linux: i8042_check_aux() gives up at once: the loop-back is no auxiliary data, the test fails.
static void there_is_no_auxiliary_port(void **arg)
{
    struct fixture x;

    start(&x);
    command(&x, 0xd3);
    out8(&x, 0, 0x5a);
    assert_int_equal(status(&x) & 0x21, 0x01);
    assert_int_equal(ask(&x, 0xa9), 0x01);
    command(&x, 0xd4);
    out8(&x, 0, 0xf2);
    assert_int_equal(data(&x), NONE);
    sim_release(&x.sim);
}

static void the_keyboard_answers(void **arg)
{
    static const struct {
        u8 send;
        int answers[3];
    } cases[] = {
        {0xff, {0xfa, 0xaa, NONE}}, {0xf2, {0xfa, 0xab, 0x83}}, {0xee, {0xee, NONE, NONE}},
        {0xed, {0xfa, NONE, NONE}}, {0x02, {0xfa, NONE, NONE}}, {0xf3, {0xfa, NONE, NONE}},
        {0x00, {0xfa, NONE, NONE}}, {0xf0, {0xfa, NONE, NONE}}, {0x03, {0xfa, NONE, NONE}},
        {0xf0, {0xfa, NONE, NONE}}, {0x00, {0xfa, 0x03, NONE}}, {0xf4, {0xfa, NONE, NONE}},
        {0xf5, {0xfa, NONE, NONE}}, {0xf6, {0xfa, NONE, NONE}}, {0xf8, {0xfa, NONE, NONE}},
        {0xea, {0xfe, NONE, NONE}}, {0xfe, {0xfe, NONE, NONE}}, {0xed, {0xfa, NONE, NONE}},
        {0xff, {0xfa, 0xaa, NONE}},
    };
    struct fixture x;

    start(&x);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        out8(&x, 0, cases[i].send);
        for (unsigned k = 0; k < 3; k++)
            assert_int_equal(data(&x), cases[i].answers[k]);
    }
    sim_release(&x.sim);
}

static void each_byte_interrupts(void **arg)
{
    struct fixture x;

    start(&x);
    set_mode(&x, 0x05);
    out8(&x, 0, 0xf2);
    for (unsigned i = 1; i <= 3; i++) {
        assert_true(board_level(&x, IRQ));
        assert_int_equal(board_rises(&x, IRQ), i);
        in8(&x, 0);
    }
    assert_false(board_level(&x, IRQ));
    sim_release(&x.sim);
}

static void without_its_enable_nothing_interrupts(void **arg)
{
    struct fixture x;

    start(&x);
    out8(&x, 0, 0xf2);
    assert_false(board_level(&x, IRQ));
    sim_release(&x.sim);
}

static void a_disabled_keyboard_keeps_its_answers(void **arg)
{
    struct fixture x;

    start(&x);
    out8(&x, 0, 0xf2);
    command(&x, 0xad);
    assert_int_equal(data(&x), 0xfa); // was in the buffer already
    assert_int_equal(data(&x), NONE);
    command(&x, 0xae);
    assert_int_equal(data(&x), 0xab);
    sim_release(&x.sim);
}

static void sending_to_the_keyboard_enables_it(void **arg)
{
    struct fixture x;

    start(&x);
    command(&x, 0xad);
    out8(&x, 0, 0xf4);
    assert_int_equal(data(&x), 0xfa);
    sim_release(&x.sim);
}

static void a_pulse_of_line_0_resets_the_machine(void **arg)
{
    struct fixture x;

    start(&x);
    command(&x, 0xff);
    command(&x, 0xfd);
    assert_int_equal(x.board->st.requests, 0);
    command(&x, 0xfe);
    assert_int_equal(x.board->st.requests, 1);
    assert_int_equal(x.board->st.request, CONTROL_RESET);
    sim_release(&x.sim);
}

static void the_output_port_resets_the_machine_too(void **arg)
{
    struct fixture x;

    start(&x);
    command(&x, 0xd1);
    out8(&x, 0, 0xdf);
    assert_int_equal(ask(&x, 0xd0), 0xdf);
    assert_int_equal(x.board->st.requests, 0);
    command(&x, 0xd1);
    out8(&x, 0, 0xde);
    assert_int_equal(x.board->st.request, CONTROL_RESET);
    assert_int_equal(x.board->st.requests, 1);
    sim_release(&x.sim);
}

static void no_access_and_no_loaded_state_breaks_it(void **arg)
{
    struct fixture x;
    struct mmio ranges[2];

    start(&x);
    ranges[0] = x.mmio;
    ranges[1] = i8042_command_port(x.device);
    fixture_hammer(&x, ranges, ARRAY_SIZE(ranges), 1000);
    sim_release(&x.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_controller_passes_its_tests),
        cmocka_unit_test(the_command_byte_reads_back),
        cmocka_unit_test(commands_switch_the_ports),
        cmocka_unit_test(there_is_no_auxiliary_port),
        cmocka_unit_test(the_keyboard_answers),
        cmocka_unit_test(each_byte_interrupts),
        cmocka_unit_test(without_its_enable_nothing_interrupts),
        cmocka_unit_test(a_disabled_keyboard_keeps_its_answers),
        cmocka_unit_test(sending_to_the_keyboard_enables_it),
        cmocka_unit_test(a_pulse_of_line_0_resets_the_machine),
        cmocka_unit_test(the_output_port_resets_the_machine_too),
        cmocka_unit_test(no_access_and_no_loaded_state_breaks_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
