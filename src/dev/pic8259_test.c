// SPDX-License-Identifier: BSD-3-Clause
// Expectations are from the 8259A's data sheet (231468-003) and Linux 6.1's i8259.c.
#include "dev/pic8259.h"

#include "dev/test_board.h"

enum { COMMAND, DATA };
enum { EOI = 0x20, SPECIFIC_EOI = 0x60, READ_IRR = 0x0a, READ_ISR = 0x0b, POLL = 0x0c };

static void pic(const struct fixture *x, unsigned chip, unsigned offset, u8 v)
{
    struct mmio m = chip ? pic8259_slave(x->device) : x->mmio;

    mmio_write(&m, offset, 1, v);
}

static u8 pic_in(const struct fixture *x, unsigned chip, unsigned offset)
{
    struct mmio m = chip ? pic8259_slave(x->device) : x->mmio;

    return (u8)mmio_read(&m, offset, 1);
}

static u8 isr(const struct fixture *x, unsigned chip)
{
    pic(x, chip, COMMAND, READ_ISR);
    return pic_in(x, chip, COMMAND);
}

static u8 irr(const struct fixture *x, unsigned chip)
{
    pic(x, chip, COMMAND, READ_IRR);
    return pic_in(x, chip, COMMAND);
}

static void set(const struct fixture *x, unsigned irq, bool level)
{
    const struct irq_ops *ops = component_interface(x->device, "irq");

    ops->set(x->device, irq, level);
}

static bool output(const struct fixture *x)
{
    return board_level(x, 0);
}

static u8 acknowledge(const struct fixture *x)
{
    return pic8259_acknowledge(x->device);
}

static void initialise(const struct fixture *x, u8 icw4)
{
    for (unsigned chip = 0; chip < 2; chip++) {
        pic(x, chip, COMMAND, 0x11);
        pic(x, chip, DATA, chip ? 0x38 : 0x30);
        pic(x, chip, DATA, chip ? 0x02 : 0x04);
        pic(x, chip, DATA, icw4);
    }
}

static void start(struct fixture *x)
{
    fixture_new(x, &pic8259_type);
    fixture_set(x, "interrupts", "board");
    fixture_start(x);
    initialise(x, 0x01);
}

// Linux: probe_8259A() takes a chip for missing otherwise.
static void the_mask_reads_back_before_initialisation(void **arg)
{
    struct fixture x;

    fixture_new(&x, &pic8259_type);
    fixture_start(&x);
    pic(&x, 1, DATA, 0xff);
    pic(&x, 0, DATA, 0xfb);
    assert_int_equal(pic_in(&x, 0, DATA), 0xfb);
    assert_int_equal(pic_in(&x, 1, DATA), 0xff);
    sim_release(&x.sim);
}

static void an_uninitialised_chip_does_not_interrupt(void **arg)
{
    struct fixture x;

    fixture_new(&x, &pic8259_type);
    fixture_set(&x, "interrupts", "board");
    fixture_start(&x);
    set(&x, 1, true);
    assert_false(output(&x));
    sim_release(&x.sim);
}

static void a_request_is_acknowledged_with_its_vector(void **arg)
{
    struct fixture x;

    start(&x);
    set(&x, 4, true);
    assert_true(output(&x));
    assert_int_equal(irr(&x, 0), 0x10);
    assert_int_equal(acknowledge(&x), 0x34);
    assert_false(output(&x));
    assert_int_equal(irr(&x, 0), 0);
    assert_int_equal(isr(&x, 0), 0x10);
    pic(&x, 0, COMMAND, EOI);
    assert_int_equal(isr(&x, 0), 0);
    sim_release(&x.sim);
}

static void a_held_line_interrupts_once_in_edge_mode(void **arg)
{
    struct fixture x;

    start(&x);
    set(&x, 4, true);
    acknowledge(&x);
    pic(&x, 0, COMMAND, EOI);
    set(&x, 4, true);
    assert_false(output(&x));
    set(&x, 4, false);
    set(&x, 4, true);
    assert_true(output(&x));
    sim_release(&x.sim);
}

static void a_held_line_interrupts_again_in_level_mode(void **arg)
{
    struct fixture x;
    struct mmio elcr;

    start(&x);
    elcr = pic8259_elcr(x.device);
    mmio_write(&elcr, 0, 2, 0x0220);
    set(&x, 5, true);
    assert_int_equal(acknowledge(&x), 0x35);
    pic(&x, 0, COMMAND, EOI);
    assert_true(output(&x));
    set(&x, 5, false);
    assert_false(output(&x));
    sim_release(&x.sim);
}

static void some_inputs_are_always_edges(void **arg)
{
    struct fixture x;
    struct mmio elcr;

    start(&x);
    elcr = pic8259_elcr(x.device);
    mmio_write(&elcr, 0, 2, 0xffff);
    assert_int_equal(mmio_read(&elcr, 0, 2), 0xdef8);
    sim_release(&x.sim);
}

static void a_request_that_went_away_is_spurious(void **arg)
{
    struct fixture x;

    start(&x);
    set(&x, 3, true);
    set(&x, 3, false);
    assert_false(output(&x));
    assert_int_equal(acknowledge(&x), 0x37);
    assert_int_equal(isr(&x, 0), 0); // that is how a handler tells
    sim_release(&x.sim);
}

static void masked_requests_wait(void **arg)
{
    struct fixture x;

    start(&x);
    pic(&x, 0, DATA, 0x10);
    set(&x, 4, true);
    assert_false(output(&x));
    pic(&x, 0, DATA, 0x00);
    assert_true(output(&x));
    sim_release(&x.sim);
}

static void a_higher_priority_nests_and_a_lower_waits(void **arg)
{
    struct fixture x;

    start(&x);
    set(&x, 4, true);
    acknowledge(&x);
    set(&x, 5, true);
    assert_false(output(&x));
    set(&x, 1, true);
    assert_int_equal(acknowledge(&x), 0x31);
    pic(&x, 0, COMMAND, EOI); // ends the highest, 1
    assert_int_equal(isr(&x, 0), 0x10);
    assert_false(output(&x));
    pic(&x, 0, COMMAND, EOI);
    assert_int_equal(acknowledge(&x), 0x35);
    sim_release(&x.sim);
}

static void a_specific_eoi_ends_its_input(void **arg)
{
    struct fixture x;

    start(&x);
    set(&x, 4, true);
    acknowledge(&x);
    set(&x, 1, true);
    acknowledge(&x);
    pic(&x, 0, COMMAND, SPECIFIC_EOI | 4);
    assert_int_equal(isr(&x, 0), 0x02);
    sim_release(&x.sim);
}

static void the_slave_comes_through_the_masters_ir2(void **arg)
{
    struct fixture x;

    start(&x);
    set(&x, 12, true);
    assert_int_equal(irr(&x, 0), 0x04);
    assert_int_equal(acknowledge(&x), 0x3c);
    assert_int_equal(isr(&x, 0), 0x04);
    assert_int_equal(isr(&x, 1), 0x10);
    set(&x, 3, true); // below the cascade's priority
    assert_false(output(&x));
    set(&x, 1, true);
    assert_int_equal(acknowledge(&x), 0x31);
    sim_release(&x.sim);
}

// As Linux's mask_and_ack_8259A() does it: EOI to the slave first.
static void two_requests_of_the_slave_come_one_after_the_other(void **arg)
{
    struct fixture x;

    start(&x);
    set(&x, 12, true);
    set(&x, 14, true);
    assert_int_equal(acknowledge(&x), 0x3c);
    pic(&x, 1, COMMAND, SPECIFIC_EOI | 4);
    assert_false(output(&x));
    pic(&x, 0, COMMAND, SPECIFIC_EOI | 2);
    assert_int_equal(acknowledge(&x), 0x3e);
    sim_release(&x.sim);
}

static void input_2_is_not_connected(void **arg)
{
    struct fixture x;

    start(&x);
    set(&x, 2, true);
    set(&x, 16, true);
    assert_int_equal(irr(&x, 0), 0);
    assert_false(output(&x));
    sim_release(&x.sim);
}

static void the_slave_nests_in_itself_in_special_fully_nested_mode(void **arg)
{
    struct fixture x;

    start(&x);
    initialise(&x, 0x11);
    set(&x, 12, true);
    acknowledge(&x);
    set(&x, 13, true);
    assert_false(output(&x));
    set(&x, 9, true);
    assert_true(output(&x));
    assert_int_equal(acknowledge(&x), 0x39);
    set(&x, 3, true); // still below the cascade
    assert_false(output(&x));
    sim_release(&x.sim);
}

static void auto_eoi_leaves_nothing_in_service(void **arg)
{
    struct fixture x;

    start(&x);
    initialise(&x, 0x03);
    set(&x, 12, true);
    set(&x, 13, true);
    assert_int_equal(acknowledge(&x), 0x3c);
    assert_int_equal(isr(&x, 0) | isr(&x, 1), 0);
    assert_int_equal(acknowledge(&x), 0x3d);
    assert_false(output(&x));
    sim_release(&x.sim);
}

static void rotation_in_auto_eoi_mode_gives_turns(void **arg)
{
    struct fixture x;

    start(&x);
    initialise(&x, 0x03);
    pic(&x, 0, COMMAND, 0x80);
    set(&x, 3, true);
    assert_int_equal(acknowledge(&x), 0x33);
    set(&x, 3, false);
    set(&x, 3, true);
    set(&x, 5, true);
    assert_int_equal(acknowledge(&x), 0x35);
    assert_int_equal(acknowledge(&x), 0x33);
    sim_release(&x.sim);
}

static void an_eoi_with_rotation_makes_its_input_the_lowest(void **arg)
{
    static const u8 commands[] = {0xa0, 0xe4}; // non-specific, specific

    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
        struct fixture x;

        start(&x);
        set(&x, 4, true);
        acknowledge(&x);
        pic(&x, 0, COMMAND, commands[i]);
        assert_int_equal(isr(&x, 0), 0);
        set(&x, 0, true);
        set(&x, 5, true);
        assert_int_equal(acknowledge(&x), 0x35);
        sim_release(&x.sim);
    }
}

static void the_lowest_priority_can_be_set(void **arg)
{
    struct fixture x;

    start(&x);
    pic(&x, 0, COMMAND, 0xc5); // 6 is the highest now
    set(&x, 0, true);
    set(&x, 6, true);
    assert_int_equal(acknowledge(&x), 0x36);
    sim_release(&x.sim);
}

static void special_mask_mode_lets_lower_priorities_in(void **arg)
{
    struct fixture x;

    start(&x);
    set(&x, 4, true);
    acknowledge(&x);
    pic(&x, 0, DATA, 0x10);
    set(&x, 6, true);
    assert_false(output(&x));
    pic(&x, 0, COMMAND, 0x68);
    assert_int_equal(acknowledge(&x), 0x36);
    pic(&x, 0, COMMAND, EOI); // does not end what is masked
    assert_int_equal(isr(&x, 0), 0x10);
    pic(&x, 0, COMMAND, 0x48);
    set(&x, 5, true);
    assert_false(output(&x));
    sim_release(&x.sim);
}

static void a_poll_acknowledges(void **arg)
{
    struct fixture x;

    start(&x);
    pic(&x, 0, COMMAND, POLL);
    assert_int_equal(pic_in(&x, 0, COMMAND) & 0x80, 0);
    set(&x, 5, true);
    pic(&x, 0, COMMAND, POLL);
    assert_int_equal(pic_in(&x, 0, COMMAND), 0x85);
    assert_false(output(&x));
    assert_int_equal(isr(&x, 0), 0x20);
    sim_release(&x.sim);
}

static void the_slave_can_be_polled_behind_the_master(void **arg)
{
    struct fixture x;

    start(&x);
    set(&x, 9, true);
    pic(&x, 0, COMMAND, POLL);
    assert_int_equal(pic_in(&x, 0, COMMAND), 0x82);
    pic(&x, 1, COMMAND, POLL);
    assert_int_equal(pic_in(&x, 1, COMMAND), 0x81);
    pic(&x, 1, COMMAND, EOI);
    pic(&x, 0, COMMAND, EOI);
    assert_false(output(&x));
    sim_release(&x.sim);
}

static void icw1_forgets_edges_and_masks(void **arg)
{
    struct fixture x;

    start(&x);
    pic(&x, 0, DATA, 0xff);
    set(&x, 4, true);
    initialise(&x, 0x01);
    assert_int_equal(pic_in(&x, 0, DATA), 0);
    assert_false(output(&x));
    set(&x, 4, false);
    set(&x, 4, true);
    assert_true(output(&x));
    sim_release(&x.sim);
}

static void a_single_chip_takes_no_icw3(void **arg)
{
    struct fixture x;

    start(&x);
    pic(&x, 0, COMMAND, 0x12); // single, no ICW4
    pic(&x, 0, DATA, 0x40);
    pic(&x, 0, DATA, 0xa5); // the mask already
    assert_int_equal(pic_in(&x, 0, DATA), 0xa5);
    set(&x, 1, true);
    assert_int_equal(acknowledge(&x), 0x41);
    sim_release(&x.sim);
}

static void no_access_and_no_loaded_state_breaks_it(void **arg)
{
    struct fixture x;
    struct mmio ranges[3];

    start(&x);
    ranges[0] = x.mmio;
    ranges[1] = pic8259_slave(x.device);
    ranges[2] = pic8259_elcr(x.device);
    fixture_hammer(&x, ranges, ARRAY_SIZE(ranges), 1000);
    for (unsigned i = 0; i < 256; i++) {
        set(&x, i, i & 1);
        acknowledge(&x);
    }
    sim_release(&x.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mask_reads_back_before_initialisation),
        cmocka_unit_test(an_uninitialised_chip_does_not_interrupt),
        cmocka_unit_test(a_request_is_acknowledged_with_its_vector),
        cmocka_unit_test(a_held_line_interrupts_once_in_edge_mode),
        cmocka_unit_test(a_held_line_interrupts_again_in_level_mode),
        cmocka_unit_test(some_inputs_are_always_edges),
        cmocka_unit_test(a_request_that_went_away_is_spurious),
        cmocka_unit_test(masked_requests_wait),
        cmocka_unit_test(a_higher_priority_nests_and_a_lower_waits),
        cmocka_unit_test(a_specific_eoi_ends_its_input),
        cmocka_unit_test(the_slave_comes_through_the_masters_ir2),
        cmocka_unit_test(two_requests_of_the_slave_come_one_after_the_other),
        cmocka_unit_test(input_2_is_not_connected),
        cmocka_unit_test(the_slave_nests_in_itself_in_special_fully_nested_mode),
        cmocka_unit_test(auto_eoi_leaves_nothing_in_service),
        cmocka_unit_test(rotation_in_auto_eoi_mode_gives_turns),
        cmocka_unit_test(an_eoi_with_rotation_makes_its_input_the_lowest),
        cmocka_unit_test(the_lowest_priority_can_be_set),
        cmocka_unit_test(special_mask_mode_lets_lower_priorities_in),
        cmocka_unit_test(a_poll_acknowledges),
        cmocka_unit_test(the_slave_can_be_polled_behind_the_master),
        cmocka_unit_test(icw1_forgets_edges_and_masks),
        cmocka_unit_test(a_single_chip_takes_no_icw3),
        cmocka_unit_test(no_access_and_no_loaded_state_breaks_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
