// SPDX-License-Identifier: BSD-3-Clause
// What all virtio devices have in common, seen through the entropy device behind MMIO: its one
// queue takes any chain with a writable part. Expectations are those of virtio 1.2.
#include "dev/virtio_mock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ALL (~0ull)
#define NO_INDIRECT (~(1ull << FEATURE_INDIRECT))
#define NO_EVENT_IDX (~(1ull << FEATURE_EVENT_IDX))

static void boot(struct driver *d, u64 features)
{
    driver_new(d, &virtio_rng_type);
    driver_boot(d, features);
}

// One request of `size` bytes, up to its end.
static u32 request(struct driver *d, u32 size)
{
    struct buffer b = driver_buffer(d, size);
    u32 head, length;

    driver_add(d, 0, &b, 0, 1);
    driver_kick(d, 0);
    driver_advance(d, TICKS_PER_SECOND);
    return driver_take(d, 0, &head, &length) ? length : 0;
}

// After the guest did something wrong.
static void assert_broken(struct driver *d)
{
    u32 head, length;

    driver_kick(d, 0);
    driver_advance(d, TICKS_PER_SECOND);
    assert_true(driver_status(d) & STATUS_NEEDS_RESET);
    assert_false(driver_take(d, 0, &head, &length));
    // 2.1.1: a running driver gets a configuration change notification.
    assert_true(driver_get(d, MMIO_ISR) & 2);
    assert_int_equal(d->board->st.level, 1);
    // The reset repairs it.
    driver_start(d, ALL, 16);
    assert_int_equal(d->board->st.level, 0);
    assert_int_equal(driver_status(d), 15);
    assert_int_equal(request(d, 8), 8);
    sim_release(&d->sim);
}

static void identity_is_that_of_version_2(void **arg)
{
    struct driver d;

    driver_new(&d, &virtio_rng_type);
    driver_build(&d);
    assert_int_equal(driver_get(&d, 0x000), 0x74726976);
    assert_int_equal(driver_get(&d, 0x004), 2);
    assert_int_equal(driver_get(&d, 0x008), 4);
    assert_int_equal(driver_get(&d, MMIO_STATUS), 0);
    driver_put(&d, MMIO_QUEUE_SEL, 0);
    assert_int_equal(driver_get(&d, MMIO_QUEUE_NUM_MAX), 256);
    driver_put(&d, MMIO_QUEUE_SEL, 1);
    assert_int_equal(driver_get(&d, MMIO_QUEUE_NUM_MAX), 0);
    // 4.2.2: no shared memory region has the length 2^64 - 1.
    assert_int_equal(driver_get(&d, 0x0b0), 0xffffffff);
    sim_release(&d.sim);
}

static void features_without_version_1_are_refused(void **arg)
{
    struct driver d;

    driver_new(&d, &virtio_rng_type);
    driver_build(&d);
    driver_negotiate(&d, ~(1ull << FEATURE_VERSION_1));
    assert_false(driver_status(&d) & STATUS_FEATURES_OK);
    driver_negotiate(&d, ALL);
    assert_true(driver_status(&d) & STATUS_FEATURES_OK);
    sim_release(&d.sim);
}

static void features_that_were_not_offered_are_refused(void **arg)
{
    struct driver d;

    driver_new(&d, &virtio_rng_type);
    driver_build(&d);
    driver_put(&d, MMIO_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    driver_put(&d, MMIO_DRIVER_FEATURES_SEL, 1);
    driver_put(&d, MMIO_DRIVER_FEATURES, 1 | 1u << 3);
    driver_put(&d, MMIO_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
    assert_false(driver_status(&d) & STATUS_FEATURES_OK);
    sim_release(&d.sim);
}

static void features_cannot_change_after_features_ok(void **arg)
{
    struct driver d;
    struct buffer b;

    boot(&d, NO_INDIRECT);
    driver_put(&d, MMIO_DRIVER_FEATURES_SEL, 0);
    driver_put(&d, MMIO_DRIVER_FEATURES, 1u << FEATURE_INDIRECT);
    b = driver_buffer(&d, 16);
    put_descriptor(&d, b.addr, 0, driver_buffer(&d, 16), DESC_F_WRITE, 0);
    put_descriptor(&d, desc_table(0), 0, b, DESC_F_INDIRECT, 0);
    driver_offer(&d, 0, 0);
    assert_broken(&d);
}

static void a_request_comes_back_with_its_length_and_an_interrupt(void **arg)
{
    struct driver d;
    struct buffer b;
    u32 head, length;
    u16 mine;

    boot(&d, ALL);
    b = driver_buffer(&d, 100);
    mine = driver_add(&d, 0, &b, 0, 1);
    driver_kick(&d, 0);
    assert_false(driver_take(&d, 0, &head, &length));
    driver_advance(&d, TICKS_PER_SECOND);
    assert_true(driver_take(&d, 0, &head, &length));
    assert_int_equal(head, mine);
    assert_int_equal(length, 100);
    assert_int_equal(d.board->st.level, 1);
    assert_int_equal(driver_get(&d, MMIO_ISR), 1);
    driver_put(&d, MMIO_ACK, 1);
    assert_int_equal(d.board->st.level, 0);
    sim_release(&d.sim);
}

static void nothing_happens_before_driver_ok(void **arg)
{
    struct driver d;
    struct buffer b;
    u32 head, length;

    driver_new(&d, &virtio_rng_type);
    driver_build(&d);
    driver_negotiate(&d, ALL);
    d.size = 16;
    d.next_buffer = MOCK_BUFFERS;
    driver_set_up_queue(&d, 0, 16);
    b = driver_buffer(&d, 8);
    driver_add(&d, 0, &b, 0, 1);
    driver_kick(&d, 0);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_false(driver_take(&d, 0, &head, &length));
    // What is available when the driver is ready is seen.
    driver_put(&d, MMIO_STATUS, 15);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_true(driver_take(&d, 0, &head, &length));
    sim_release(&d.sim);
}

static void the_rings_wrap_around(void **arg)
{
    struct driver d;

    driver_new(&d, &virtio_rng_type);
    driver_set(&d, "queue_size", "16");
    driver_boot(&d, ALL);
    for (unsigned i = 0; i < 70000; i++) {
        d.next_buffer = MOCK_BUFFERS;
        assert_int_equal(request(&d, 4), 4);
    }
    sim_release(&d.sim);
}

static void a_scattered_buffer_is_filled_in_order(void **arg)
{
    struct driver d, e;
    struct buffer one, parts[3];
    u32 head, length;

    boot(&d, ALL);
    one = driver_buffer(&d, 64);
    driver_add(&d, 0, &one, 0, 1);
    boot(&e, ALL);
    parts[0] = (struct buffer){0x30ff9, 9};
    parts[1] = (struct buffer){0x40000, 0};
    parts[2] = (struct buffer){0x20003, 55};
    driver_add(&e, 0, parts, 0, 3);
    driver_kick(&d, 0);
    driver_kick(&e, 0);
    driver_advance(&d, TICKS_PER_SECOND);
    driver_advance(&e, TICKS_PER_SECOND);
    assert_true(driver_take(&e, 0, &head, &length));
    assert_int_equal(length, 64);
    assert_memory_equal(ram(&e, 0x30ff9), ram(&d, one.addr), 9);
    assert_memory_equal(ram(&e, 0x20003), (u8 *)ram(&d, one.addr) + 9, 55);
    sim_release(&d.sim);
    sim_release(&e.sim);
}

static void an_indirect_table_is_followed(void **arg)
{
    struct driver d;
    struct buffer table, b;
    u32 head, length;

    boot(&d, ALL);
    table = driver_buffer(&d, 48);
    put_descriptor(&d, table.addr, 0, driver_buffer(&d, 10), DESC_F_WRITE | DESC_F_NEXT, 2);
    put_descriptor(&d, table.addr, 2, driver_buffer(&d, 20), DESC_F_WRITE | DESC_F_NEXT, 1);
    put_descriptor(&d, table.addr, 1, driver_buffer(&d, 30), DESC_F_WRITE, 0);
    // 2.7.5.3.2: normal descriptors may come before the one that is indirect.
    b = driver_buffer(&d, 5);
    put_descriptor(&d, desc_table(0), 3, b, DESC_F_NEXT, 7);
    put_descriptor(&d, desc_table(0), 7, table, DESC_F_INDIRECT, 0);
    driver_offer(&d, 0, 3);
    driver_kick(&d, 0);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_true(driver_take(&d, 0, &head, &length));
    assert_int_equal(head, 3);
    assert_int_equal(length, 60);
    sim_release(&d.sim);
}

static void a_buffer_in_watched_memory_is_filled(void **arg)
{
    struct driver d;
    struct buffer b = {MOCK_WATCHED - 100, 300};
    u32 head, length;

    boot(&d, ALL);
    driver_add(&d, 0, &b, 0, 1);
    driver_kick(&d, 0);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_true(driver_take(&d, 0, &head, &length));
    assert_int_equal(length, 300);
    sim_release(&d.sim);
}

static void the_driver_can_switch_interrupts_off(void **arg)
{
    struct driver d;

    boot(&d, NO_EVENT_IDX);
    poke16(&d, avail_ring(0), 1);
    assert_int_equal(request(&d, 8), 8);
    assert_int_equal(d.board->st.level, 0);
    poke16(&d, avail_ring(0), 0);
    assert_int_equal(request(&d, 8), 8);
    assert_int_equal(d.board->st.level, 1);
    sim_release(&d.sim);
}

static void the_event_index_says_which_entry_interrupts(void **arg)
{
    struct driver d;

    boot(&d, ALL);
    poke16(&d, avail_ring(0) + 4 + 2 * d.size, 2);
    request(&d, 8);
    request(&d, 8);
    assert_int_equal(d.board->st.level, 0);
    request(&d, 8);
    assert_int_equal(d.board->st.level, 1);
    sim_release(&d.sim);
}

static void the_device_asks_to_be_notified_of_the_next_chain(void **arg)
{
    struct driver d;

    boot(&d, ALL);
    for (u16 i = 1; i < 5; i++) {
        assert_int_equal(request(&d, 8), 8);
        assert_int_equal(peek16(&d, used_ring(0) + 4 + 8 * d.size), i);
    }
    sim_release(&d.sim);
}

static void a_queue_keeps_its_set_up_while_it_is_ready(void **arg)
{
    struct driver d;

    boot(&d, ALL);
    driver_put(&d, MMIO_QUEUE_SEL, 0);
    driver_put_ring(&d, MMIO_DESC, 0x123400);
    driver_put(&d, MMIO_QUEUE_NUM, 4);
    assert_int_equal(request(&d, 8), 8);
    sim_release(&d.sim);
}

static void a_queue_size_that_is_no_power_of_two_is_refused(void **arg)
{
    struct driver d;

    driver_new(&d, &virtio_rng_type);
    driver_build(&d);
    driver_negotiate(&d, ALL);
    d.size = 16;
    d.next_buffer = MOCK_BUFFERS;
    driver_put(&d, MMIO_QUEUE_NUM, 16);
    driver_set_up_queue(&d, 0, 12);
    driver_put(&d, MMIO_STATUS, 15);
    assert_int_equal(request(&d, 8), 8);
    sim_release(&d.sim);
}

static void a_reset_forgets_everything(void **arg)
{
    struct driver d;
    struct buffer b;
    u32 head, length;

    boot(&d, ALL);
    b = driver_buffer(&d, 8);
    driver_add(&d, 0, &b, 0, 1);
    driver_kick(&d, 0);
    driver_put(&d, MMIO_STATUS, 0);
    assert_int_equal(driver_status(&d), 0);
    driver_put(&d, MMIO_QUEUE_SEL, 0);
    assert_int_equal(driver_get(&d, MMIO_QUEUE_READY), 0);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_false(driver_take(&d, 0, &head, &length));
    driver_start(&d, ALL, 8);
    assert_int_equal(request(&d, 8), 8);
    sim_release(&d.sim);
}

static void a_head_beyond_the_table_breaks_it(void **arg)
{
    struct driver d;

    boot(&d, ALL);
    driver_offer(&d, 0, 16);
    assert_broken(&d);
}

static void a_next_beyond_the_table_breaks_it(void **arg)
{
    struct driver d;

    boot(&d, ALL);
    put_descriptor(&d, desc_table(0), 0, driver_buffer(&d, 8), DESC_F_WRITE | DESC_F_NEXT, 16);
    driver_offer(&d, 0, 0);
    assert_broken(&d);
}

static void a_loop_breaks_it(void **arg)
{
    struct driver d;

    boot(&d, ALL);
    put_descriptor(&d, desc_table(0), 0, driver_buffer(&d, 8), DESC_F_WRITE | DESC_F_NEXT, 1);
    put_descriptor(&d, desc_table(0), 1, driver_buffer(&d, 8), DESC_F_WRITE | DESC_F_NEXT, 0);
    driver_offer(&d, 0, 0);
    assert_broken(&d);
}

static void a_loop_of_empty_buffers_breaks_it(void **arg)
{
    struct driver d;

    boot(&d, ALL);
    put_descriptor(&d, desc_table(0), 0, (struct buffer){0, 0}, DESC_F_WRITE | DESC_F_NEXT, 0);
    driver_offer(&d, 0, 0);
    assert_broken(&d);
}

static void too_many_available_chains_break_it(void **arg)
{
    struct driver d;

    boot(&d, ALL);
    poke16(&d, avail_ring(0) + 2, 17);
    assert_broken(&d);
}

static void a_readable_buffer_behind_a_writable_one_breaks_it(void **arg)
{
    struct driver d;

    boot(&d, ALL);
    put_descriptor(&d, desc_table(0), 0, driver_buffer(&d, 8), DESC_F_WRITE | DESC_F_NEXT, 1);
    put_descriptor(&d, desc_table(0), 1, driver_buffer(&d, 8), 0, 0);
    driver_offer(&d, 0, 0);
    assert_broken(&d);
}

static void buffers_outside_of_memory_break_it(void **arg)
{
    static const struct buffer bad[] = {{MOCK_RAM - 4, 8}, {0x123456789000, 8}, {~0ull - 3, 8},
                                        {~0ull, 1},        {0, 0xffffffff},     {0, 0x4000001}};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct driver d;

        boot(&d, ALL);
        driver_add(&d, 0, &bad[i], 0, 1);
        assert_broken(&d);
    }
}

static void bad_indirect_tables_break_it(void **arg)
{
    static const struct {
        struct buffer table;
        u16 flags, inner;
    } bad[] = {
        {{MOCK_BUFFERS, 24}, DESC_F_INDIRECT, DESC_F_WRITE},
        {{MOCK_BUFFERS, 0}, DESC_F_INDIRECT, DESC_F_WRITE},
        {{MOCK_BUFFERS, 0xfffffff0}, DESC_F_INDIRECT, DESC_F_WRITE},
        {{MOCK_BUFFERS, 32}, DESC_F_INDIRECT | DESC_F_NEXT, DESC_F_WRITE},
        {{MOCK_BUFFERS, 32}, DESC_F_INDIRECT, DESC_F_INDIRECT},
        {{MOCK_BUFFERS, 32}, DESC_F_INDIRECT, DESC_F_WRITE | DESC_F_NEXT}, // to itself
        {{MOCK_RAM, 32}, DESC_F_INDIRECT, DESC_F_WRITE},
        {{~0ull - 15, 32}, DESC_F_INDIRECT, DESC_F_WRITE},
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct driver d;

        boot(&d, ALL);
        put_descriptor(&d, MOCK_BUFFERS, 0, (struct buffer){MOCK_BUFFERS + 64, 32}, bad[i].inner,
                       0);
        put_descriptor(&d, desc_table(0), 0, bad[i].table, bad[i].flags, 1);
        put_descriptor(&d, desc_table(0), 1, (struct buffer){MOCK_BUFFERS + 64, 8}, DESC_F_WRITE,
                       0);
        driver_offer(&d, 0, 0);
        assert_broken(&d);
    }
}

static void rings_outside_of_memory_break_it(void **arg)
{
    static const u64 rings[] = {MMIO_DESC, MMIO_AVAIL, MMIO_USED};

    for (size_t i = 0; i < ARRAY_SIZE(rings); i++) {
        struct driver d;
        struct buffer b;
        u32 head, length;

        boot(&d, ALL);
        driver_put(&d, MMIO_QUEUE_SEL, 0);
        driver_put(&d, MMIO_QUEUE_READY, 0);
        driver_put_ring(&d, rings[i], ~0xfull);
        driver_put(&d, MMIO_QUEUE_READY, 1);
        b = driver_buffer(&d, 8);
        driver_add(&d, 0, &b, 0, 1);
        driver_kick(&d, 0);
        driver_advance(&d, TICKS_PER_SECOND);
        assert_true(driver_status(&d) & STATUS_NEEDS_RESET);
        assert_false(driver_take(&d, 0, &head, &length));
        sim_release(&d.sim);
    }
}

static void a_misaligned_ring_breaks_it(void **arg)
{
    static const u64 rings[] = {MMIO_DESC, MMIO_AVAIL, MMIO_USED};

    for (size_t i = 0; i < ARRAY_SIZE(rings); i++) {
        struct driver d;

        boot(&d, ALL);
        driver_put(&d, MMIO_QUEUE_SEL, 0);
        driver_put(&d, MMIO_QUEUE_READY, 0);
        driver_put(&d, rings[i], (u32)desc_table(2) + 1);
        driver_put(&d, MMIO_QUEUE_READY, 1);
        assert_true(driver_status(&d) & STATUS_NEEDS_RESET);
        assert_int_equal(driver_get(&d, MMIO_QUEUE_READY), 0);
        sim_release(&d.sim);
    }
}

static void a_queue_size_param_that_is_no_power_of_two_is_an_error(void **arg)
{
    struct driver d;
    struct error err;

    driver_new(&d, &virtio_rng_type);
    driver_set(&d, "transport", "mmio");
    driver_set(&d, "memory", "board");
    driver_set(&d, "queue_size", "100");
    assert_false(sim_build(&d.sim, &err));
    assert_non_null(strstr(err.message, "power of two"));
    sim_release(&d.sim);
}

static void the_common_part_does_not_stand_alone(void **arg)
{
    struct driver d;
    struct error err;

    driver_new(&d, &virtio_type);
    assert_false(sim_build(&d.sim, &err));
    assert_non_null(strstr(err.message, "made by the device"));
    sim_release(&d.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_is_that_of_version_2),
        cmocka_unit_test(features_without_version_1_are_refused),
        cmocka_unit_test(features_that_were_not_offered_are_refused),
        cmocka_unit_test(features_cannot_change_after_features_ok),
        cmocka_unit_test(a_request_comes_back_with_its_length_and_an_interrupt),
        cmocka_unit_test(nothing_happens_before_driver_ok),
        cmocka_unit_test(the_rings_wrap_around),
        cmocka_unit_test(a_scattered_buffer_is_filled_in_order),
        cmocka_unit_test(an_indirect_table_is_followed),
        cmocka_unit_test(a_buffer_in_watched_memory_is_filled),
        cmocka_unit_test(the_driver_can_switch_interrupts_off),
        cmocka_unit_test(the_event_index_says_which_entry_interrupts),
        cmocka_unit_test(the_device_asks_to_be_notified_of_the_next_chain),
        cmocka_unit_test(a_queue_keeps_its_set_up_while_it_is_ready),
        cmocka_unit_test(a_queue_size_that_is_no_power_of_two_is_refused),
        cmocka_unit_test(a_reset_forgets_everything),
        cmocka_unit_test(a_head_beyond_the_table_breaks_it),
        cmocka_unit_test(a_next_beyond_the_table_breaks_it),
        cmocka_unit_test(a_loop_breaks_it),
        cmocka_unit_test(a_loop_of_empty_buffers_breaks_it),
        cmocka_unit_test(too_many_available_chains_break_it),
        cmocka_unit_test(a_readable_buffer_behind_a_writable_one_breaks_it),
        cmocka_unit_test(buffers_outside_of_memory_break_it),
        cmocka_unit_test(bad_indirect_tables_break_it),
        cmocka_unit_test(rings_outside_of_memory_break_it),
        cmocka_unit_test(a_misaligned_ring_breaks_it),
        cmocka_unit_test(a_queue_size_param_that_is_no_power_of_two_is_an_error),
        cmocka_unit_test(the_common_part_does_not_stand_alone),
    };

    return cmocka_run_group_tests_name("dev/virtio", tests, NULL, NULL);
}
