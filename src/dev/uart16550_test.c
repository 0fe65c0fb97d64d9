// SPDX-License-Identifier: BSD-3-Clause
// Expectations are from PC16550D, section 8, and from what Linux 6.1's 8250 driver probes.
#include "dev/uart16550.h"

#include "dev/test_board.h"
#include "sim/char_device.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCRATCH, FCR = IIR };
enum { IRQ = 4, OUT2 = 8, LOOP = 0x10, CHAR = 1000 };

static struct {
    u8 bytes[64];
    size_t count;
} sent;

static void take(void *ctx, const u8 *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        sent.bytes[sent.count++ % sizeof(sent.bytes)] = data[i];
}

static const struct char_device_ops *chars(const struct fixture *x)
{
    return component_interface(x->device, "char_device");
}

// Ready to interrupt, FIFOs on with a trigger of 8.
static void start_with(struct fixture *x, const char *char_ticks)
{
    fixture_new(x, &uart16550_type);
    fixture_set(x, "interrupts", "board");
    fixture_set(x, "char_ticks", char_ticks);
    fixture_start(x);
    sent.count = 0;
    chars(x)->connect(x->device, (struct char_output){.write = take});
    out8(x, MCR, OUT2);
    out8(x, FCR, 0x81);
}

static void start(struct fixture *x)
{
    start_with(x, "0");
}

static void type_in(struct fixture *x, const char *text)
{
    chars(x)->input(x->device, (const u8 *)text, strlen(text));
}

static void registers_have_their_reset_values(void **arg)
{
    struct fixture x;

    fixture_new(&x, &uart16550_type);
    fixture_start(&x);
    assert_int_equal(in8(&x, IER), 0);
    assert_int_equal(in8(&x, IIR), 0x01);
    assert_int_equal(in8(&x, LCR), 0);
    assert_int_equal(in8(&x, MCR), 0);
    assert_int_equal(in8(&x, LSR), 0x60);
    assert_int_equal(in8(&x, MSR), 0xb0);
    sim_release(&x.sim);
}

static void reserved_bits_read_as_zero(void **arg)
{
    struct fixture x;

    start(&x);
    out8(&x, IER, 0xff);
    assert_int_equal(in8(&x, IER), 0x0f);
    out8(&x, MCR, 0xff);
    assert_int_equal(in8(&x, MCR), 0x1f);
    sim_release(&x.sim);
}

static void the_divisor_hides_behind_dlab(void **arg)
{
    struct fixture x;

    start(&x);
    out8(&x, LCR, 0x83);
    out8(&x, DATA, 0x34);
    out8(&x, IER, 0x12);
    assert_int_equal(mmio_read(&x.mmio, 0, 2), 0x1234);
    out8(&x, LCR, 0x03);
    assert_int_equal(in8(&x, IER), 0);
    assert_int_equal(sent.count, 0);
    sim_release(&x.sim);
}

// Linux: autoconfig() takes anything else for no UART.
static void loopback_feeds_modem_control_back(void **arg)
{
    struct fixture x;

    start(&x);
    out8(&x, MCR, LOOP | 0x0a);
    assert_int_equal(in8(&x, MSR) & 0xf0, 0x90);
    out8(&x, MCR, LOOP | 0x05);
    assert_int_equal(in8(&x, MSR), 0x60 | 0x0b); // DSR, RI on; CTS, DSR, DCD changed
    out8(&x, MCR, LOOP);
    assert_int_equal(in8(&x, MSR), 0x06); // the ring ended, DSR changed
    sim_release(&x.sim);
}

static void loopback_receives_what_is_sent(void **arg)
{
    struct fixture x;

    start(&x);
    out8(&x, MCR, LOOP);
    out8(&x, DATA, 'x');
    assert_int_equal(chars(&x)->room(x.device), 0);
    type_in(&x, "lost");
    assert_int_equal(in8(&x, LSR), 0x61);
    assert_int_equal(in8(&x, DATA), 'x');
    assert_int_equal(in8(&x, LSR), 0x60);
    assert_int_equal(sent.count, 0);
    sim_release(&x.sim);
}

// Linux tells an 8250, 16550 and 16550A apart by these bits.
static void the_fifo_bits_follow_fcr(void **arg)
{
    struct fixture x;

    start(&x);
    assert_int_equal(in8(&x, IIR), 0xc1);
    out8(&x, FCR, 0);
    assert_int_equal(in8(&x, IIR), 0x01);
    sim_release(&x.sim);
}

static void a_character_leaves_at_once_without_char_ticks(void **arg)
{
    struct fixture x;

    start(&x);
    out8(&x, DATA, 'a');
    out8(&x, DATA, 'b');
    assert_int_equal(sent.count, 2);
    assert_memory_equal(sent.bytes, "ab", 2);
    assert_int_equal(in8(&x, LSR), 0x60);
    sim_release(&x.sim);
}

// Linux: serial8250_do_startup() checks both, and works around a UART that fails.
static void enabling_the_thr_interrupt_raises_it_again(void **arg)
{
    struct fixture x;

    start(&x);
    for (unsigned i = 1; i <= 2; i++) {
        out8(&x, IER, 2);
        assert_int_equal(board_rises(&x, IRQ), i);
        assert_int_equal(in8(&x, IIR) & 0x0f, 2);
        assert_false(board_level(&x, IRQ));
        assert_int_equal(in8(&x, IIR) & 0x0f, 1);
        out8(&x, IER, 2);
        assert_int_equal(in8(&x, IIR) & 0x0f, 1);
        out8(&x, IER, 0);
    }
    sim_release(&x.sim);
}

static void each_sent_character_gives_an_edge(void **arg)
{
    struct fixture x;

    start(&x);
    out8(&x, IER, 2);
    out8(&x, DATA, 'a');
    assert_int_equal(board_rises(&x, IRQ), 2);
    assert_true(board_level(&x, IRQ));
    sim_release(&x.sim);
}

static void the_interrupt_needs_out2(void **arg)
{
    struct fixture x;

    start(&x);
    out8(&x, MCR, 0);
    out8(&x, IER, 2);
    assert_false(board_level(&x, IRQ));
    out8(&x, MCR, OUT2);
    assert_true(board_level(&x, IRQ));
    out8(&x, MCR, OUT2 | LOOP);
    assert_false(board_level(&x, IRQ));
    sim_release(&x.sim);
}

static void characters_leave_one_by_one_with_char_ticks(void **arg)
{
    struct fixture x;

    start_with(&x, "1ns");
    out8(&x, DATA, 'a');
    assert_int_equal(in8(&x, LSR), 0x20); // the shift register has it
    out8(&x, DATA, 'b');
    assert_int_equal(in8(&x, LSR), 0x00);
    advance(&x, CHAR - 1);
    assert_int_equal(sent.count, 0);
    advance(&x, 1);
    assert_int_equal(sent.count, 1);
    assert_int_equal(in8(&x, LSR), 0x20);
    advance(&x, CHAR);
    assert_int_equal(in8(&x, LSR), 0x60);
    assert_memory_equal(sent.bytes, "ab", 2);
    sim_release(&x.sim);
}

static void the_transmit_fifo_holds_sixteen(void **arg)
{
    struct fixture x;

    start_with(&x, "1ns");
    for (u8 i = 0; i < 20; i++) // one in the shift register, 16 in the FIFO, three lost
        out8(&x, DATA, i);
    out8(&x, IER, 2);
    assert_false(board_level(&x, IRQ));
    advance(&x, 16 * CHAR);
    assert_true(board_level(&x, IRQ)); // the FIFO is empty, the last one leaves
    advance(&x, 100 * CHAR);
    assert_int_equal(sent.count, 17);
    assert_int_equal(sent.bytes[16], 16);
    sim_release(&x.sim);
}

static void clearing_the_transmit_fifo_spares_the_shift_register(void **arg)
{
    struct fixture x;

    start_with(&x, "1ns");
    for (u8 i = 0; i < 5; i++)
        out8(&x, DATA, i);
    out8(&x, FCR, 0x85);
    assert_int_equal(in8(&x, LSR), 0x20);
    advance(&x, 100 * CHAR);
    assert_int_equal(sent.count, 1);
    sim_release(&x.sim);
}

static void without_fifos_thr_holds_one(void **arg)
{
    struct fixture x;

    start_with(&x, "1ns");
    out8(&x, FCR, 0);
    for (u8 i = 0; i < 3; i++)
        out8(&x, DATA, i);
    advance(&x, 100 * CHAR);
    assert_int_equal(sent.count, 2);
    assert_int_equal(sent.bytes[1], 2);
    sim_release(&x.sim);
}

static void the_receiver_interrupts_at_its_trigger(void **arg)
{
    struct fixture x;

    start(&x);
    out8(&x, IER, 1);
    type_in(&x, "1234567");
    assert_false(board_level(&x, IRQ));
    type_in(&x, "8");
    assert_true(board_level(&x, IRQ));
    assert_int_equal(in8(&x, IIR), 0xc4);
    assert_int_equal(in8(&x, DATA), '1');
    assert_false(board_level(&x, IRQ)); // below the trigger
    sim_release(&x.sim);
}

static void the_timeout_comes_four_characters_after_the_last(void **arg)
{
    struct fixture x;

    start_with(&x, "1ns");
    out8(&x, IER, 1);
    type_in(&x, "a");
    advance(&x, 2 * CHAR);
    type_in(&x, "b");
    advance(&x, 4 * CHAR - 1);
    assert_false(board_level(&x, IRQ));
    advance(&x, 1);
    assert_true(board_level(&x, IRQ));
    assert_int_equal(in8(&x, IIR), 0xcc);
    assert_int_equal(in8(&x, DATA), 'a');
    assert_false(board_level(&x, IRQ));
    advance(&x, 4 * CHAR);
    assert_int_equal(in8(&x, IIR), 0xcc); // 'b' is still there
    assert_int_equal(in8(&x, DATA), 'b');
    advance(&x, 4 * CHAR);
    assert_int_equal(in8(&x, IIR), 0xc1);
    sim_release(&x.sim);
}

static void the_timeout_follows_the_baud_rate(void **arg)
{
    struct fixture x;
    tick character = 10 * (TICKS_PER_SECOND / 9600); // 8N1

    start(&x);
    out8(&x, LCR, 0x83);
    out8(&x, DATA, 12);
    out8(&x, LCR, 0x03);
    out8(&x, IER, 1);
    type_in(&x, "a");
    advance(&x, 4 * character - TICKS_PER_SECOND / 1000000);
    assert_false(board_level(&x, IRQ));
    advance(&x, TICKS_PER_SECOND / 500000);
    assert_true(board_level(&x, IRQ));
    sim_release(&x.sim);
}

static void without_fifos_each_character_interrupts(void **arg)
{
    struct fixture x;

    start(&x);
    out8(&x, FCR, 0);
    out8(&x, IER, 1);
    assert_int_equal(chars(&x)->room(x.device), 1);
    type_in(&x, "a");
    assert_int_equal(in8(&x, IIR), 0x04);
    assert_int_equal(chars(&x)->room(x.device), 0);
    sim_release(&x.sim);
}

static void too_many_characters_overrun(void **arg)
{
    struct fixture x;

    start(&x);
    assert_int_equal(chars(&x)->room(x.device), 16);
    type_in(&x, "0123456789abcdefX");
    out8(&x, IER, 5);
    assert_int_equal(in8(&x, IIR), 0xc6);
    assert_int_equal(in8(&x, LSR), 0x63);
    assert_int_equal(in8(&x, LSR), 0x61); // reading clears it
    assert_int_equal(in8(&x, IIR), 0xc4);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(in8(&x, DATA), "0123456789abcdef"[i]);
    assert_int_equal(in8(&x, LSR), 0x60);
    sim_release(&x.sim);
}

static void a_new_character_overwrites_the_old_without_fifos(void **arg)
{
    struct fixture x;

    start(&x);
    out8(&x, FCR, 0);
    type_in(&x, "ab");
    assert_int_equal(in8(&x, LSR), 0x63);
    assert_int_equal(in8(&x, DATA), 'b');
    sim_release(&x.sim);
}

static void sources_have_their_priority(void **arg)
{
    struct fixture x;

    start(&x);
    type_in(&x, "0123456789abcdefX");
    out8(&x, MCR, OUT2 | LOOP);
    out8(&x, MCR, OUT2);
    out8(&x, IER, 0x0f);
    assert_int_equal(in8(&x, IIR), 0xc6);
    in8(&x, LSR);
    assert_int_equal(in8(&x, IIR), 0xc4);
    out8(&x, FCR, 0x83);
    assert_int_equal(in8(&x, IIR), 0xc2);
    assert_int_equal(in8(&x, IIR), 0xc0);
    in8(&x, MSR);
    assert_int_equal(in8(&x, IIR), 0xc1);
    assert_false(board_level(&x, IRQ));
    sim_release(&x.sim);
}

static void toggling_the_fifos_empties_them(void **arg)
{
    struct fixture x;

    start(&x);
    type_in(&x, "abc");
    out8(&x, FCR, 0);
    assert_int_equal(in8(&x, LSR), 0x60);
    sim_release(&x.sim);
}

static void no_access_and_no_loaded_state_breaks_it(void **arg)
{
    static const char *const paces[] = {"0", "1ns"};

    for (unsigned i = 0; i < ARRAY_SIZE(paces); i++) {
        struct fixture x;

        start_with(&x, paces[i]);
        fixture_hammer(&x, &x.mmio, 1, 5 * CHAR);
        sim_release(&x.sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_have_their_reset_values),
        cmocka_unit_test(reserved_bits_read_as_zero),
        cmocka_unit_test(the_divisor_hides_behind_dlab),
        cmocka_unit_test(loopback_feeds_modem_control_back),
        cmocka_unit_test(loopback_receives_what_is_sent),
        cmocka_unit_test(the_fifo_bits_follow_fcr),
        cmocka_unit_test(a_character_leaves_at_once_without_char_ticks),
        cmocka_unit_test(enabling_the_thr_interrupt_raises_it_again),
        cmocka_unit_test(each_sent_character_gives_an_edge),
        cmocka_unit_test(the_interrupt_needs_out2),
        cmocka_unit_test(characters_leave_one_by_one_with_char_ticks),
        cmocka_unit_test(the_transmit_fifo_holds_sixteen),
        cmocka_unit_test(clearing_the_transmit_fifo_spares_the_shift_register),
        cmocka_unit_test(without_fifos_thr_holds_one),
        cmocka_unit_test(the_receiver_interrupts_at_its_trigger),
        cmocka_unit_test(the_timeout_comes_four_characters_after_the_last),
        cmocka_unit_test(the_timeout_follows_the_baud_rate),
        cmocka_unit_test(without_fifos_each_character_interrupts),
        cmocka_unit_test(too_many_characters_overrun),
        cmocka_unit_test(a_new_character_overwrites_the_old_without_fifos),
        cmocka_unit_test(sources_have_their_priority),
        cmocka_unit_test(toggling_the_fifos_empties_them),
        cmocka_unit_test(no_access_and_no_loaded_state_breaks_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
