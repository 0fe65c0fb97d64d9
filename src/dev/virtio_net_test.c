// SPDX-License-Identifier: BSD-3-Clause
// The network card behind MMIO, with the driver of virtio_mock.h at one end and the test at the
// other. Expectations are those of virtio 1.2 section 5.1.
#include "dev/virtio_mock.h"
#include "sim/net.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { RECEIVE = 0, TRANSMIT = 1, HEADER = 12, BUFFER = HEADER + NET_FRAME_MAX };

struct cable {
    u8 frame[NET_FRAME_MAX];
    size_t size;
    unsigned frames;
};

static void cable_send(void *ctx, const u8 *frame, size_t size)
{
    struct cable *k = ctx;

    assert_in_range(size, NET_FRAME_MIN, NET_FRAME_MAX);
    memcpy(k->frame, frame, size);
    k->size = size;
    k->frames++;
}

static const struct net_device_ops *card(const struct driver *d)
{
    return component_interface(d->device, "net_device");
}

static void boot(struct driver *d, struct cable *k)
{
    *k = (struct cable){0};
    driver_new(d, &virtio_net_type);
    driver_set(d, "mac", "02:00:5e:10:00:fe");
    driver_set(d, "frames", "4");
    driver_boot(d, ~0ull);
    card(d)->connect(d->device, (struct net_output){cable_send, k});
}

// A frame that has `first` as its first byte.
static void arrive(struct driver *d, u8 first, size_t size)
{
    u8 frame[NET_FRAME_MAX + 10];

    for (size_t i = 0; i < sizeof(frame); i++)
        frame[i] = (u8)(first + i);
    card(d)->receive(d->device, frame, size);
}

static struct buffer give_buffer(struct driver *d, u32 size)
{
    struct buffer b = driver_buffer(d, size);

    memset(ram(d, b.addr), 0xcc, size);
    driver_add(d, RECEIVE, &b, 0, 1);
    driver_kick(d, RECEIVE);
    return b;
}

static void transmit(struct driver *d, u8 first, u32 size)
{
    struct buffer b[2];

    b[0] = driver_buffer(d, HEADER);
    b[1] = driver_buffer(d, size);
    memset(ram(d, b[0].addr), 0, HEADER);
    memset(ram(d, b[1].addr), first, size);
    driver_add(d, TRANSMIT, b, 2, 0);
    driver_kick(d, TRANSMIT);
}

static void the_configuration_has_address_and_link(void **arg)
{
    static const u8 mac[] = {0x02, 0x00, 0x5e, 0x10, 0x00, 0xfe};
    struct driver d;
    struct cable k;
    u8 address[6];

    boot(&d, &k);
    assert_int_equal(driver_get(&d, 8), 1);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(mmio_read(&d.mmio, MMIO_CONFIG + i, 1), mac[i]);
    assert_int_equal(mmio_read(&d.mmio, MMIO_CONFIG + 6, 2), 1);
    assert_int_equal(mmio_read(&d.mmio, MMIO_CONFIG + 10, 2), 1500);
    card(&d)->address(d.device, address);
    assert_memory_equal(address, mac, 6);
    sim_release(&d.sim);
}

static void a_frame_that_is_sent_comes_out_without_its_header(void **arg)
{
    struct driver d;
    struct cable k;
    u32 head, length;

    boot(&d, &k);
    transmit(&d, 0x42, 60);
    assert_int_equal(k.frames, 0);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_int_equal(k.frames, 1);
    assert_int_equal(k.size, 60);
    assert_int_equal(k.frame[0], 0x42);
    assert_true(driver_take(&d, TRANSMIT, &head, &length));
    sim_release(&d.sim);
}

static void a_frame_that_arrives_has_a_header(void **arg)
{
    static const u8 header[HEADER] = {[10] = 1};
    struct driver d;
    struct cable k;
    struct buffer b;
    u32 head, length;

    boot(&d, &k);
    b = give_buffer(&d, BUFFER);
    arrive(&d, 7, 100);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_true(driver_take(&d, RECEIVE, &head, &length));
    assert_int_equal(length, HEADER + 100);
    assert_memory_equal(ram(&d, b.addr), header, HEADER);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(*(u8 *)ram(&d, b.addr + HEADER + i), 7 + i);
    sim_release(&d.sim);
}

static void frames_wait_for_buffers_in_order_and_no_more_than_fit(void **arg)
{
    struct driver d;
    struct cable k;
    u32 head, length;

    boot(&d, &k);
    for (u8 i = 0; i < 6; i++)
        arrive(&d, i, 64u + i);
    assert_int_equal(card(&d)->room(d.device), 0);
    driver_advance(&d, TICKS_PER_SECOND);
    for (u8 i = 0; i < 4; i++) {
        struct buffer b = give_buffer(&d, BUFFER);

        driver_advance(&d, TICKS_PER_SECOND);
        assert_true(driver_take(&d, RECEIVE, &head, &length));
        assert_int_equal(length, HEADER + 64 + i);
        assert_int_equal(*(u8 *)ram(&d, b.addr + HEADER), i);
    }
    give_buffer(&d, BUFFER);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_false(driver_take(&d, RECEIVE, &head, &length));
    assert_int_equal(card(&d)->room(d.device), 4);
    sim_release(&d.sim);
}

static void frames_of_impossible_sizes_are_lost(void **arg)
{
    static const u32 sizes[] = {0, 13, NET_FRAME_MAX + 1, 4000};
    struct driver d;
    struct cable k;
    u32 head, length;

    boot(&d, &k);
    give_buffer(&d, BUFFER);
    arrive(&d, 0, 13);
    arrive(&d, 0, NET_FRAME_MAX + 1);
    assert_int_equal(card(&d)->room(d.device), 4);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        transmit(&d, 0, sizes[i]);
        driver_advance(&d, TICKS_PER_SECOND);
        assert_true(driver_take(&d, TRANSMIT, &head, &length));
    }
    assert_int_equal(k.frames, 0);
    transmit(&d, 0, NET_FRAME_MAX);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_int_equal(k.frames, 1);
    sim_release(&d.sim);
}

static void a_frame_that_exceeds_the_buffer_is_lost(void **arg)
{
    struct driver d;
    struct cable k;
    struct buffer b;
    u32 head, length;

    boot(&d, &k);
    b = give_buffer(&d, HEADER + 99);
    arrive(&d, 7, 100);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_true(driver_take(&d, RECEIVE, &head, &length));
    assert_int_equal(length, 0);
    assert_int_equal(*(u8 *)ram(&d, b.addr), 0xcc);
    sim_release(&d.sim);
}

static void a_frame_takes_latency_and_its_bytes(void **arg)
{
    struct driver d;
    struct cable k = {0};

    driver_new(&d, &virtio_net_type);
    driver_set(&d, "latency", "5us");
    driver_set(&d, "bandwidth", "1000000"); // 1012 bytes: 1012 us
    driver_boot(&d, ~0ull);
    card(&d)->connect(d.device, (struct net_output){cable_send, &k});
    transmit(&d, 1, 1000);
    driver_advance(&d, 1016999999);
    assert_int_equal(k.frames, 0);
    driver_advance(&d, 1);
    assert_int_equal(k.frames, 1);
    sim_release(&d.sim);
}

static void a_reset_drops_the_frames_that_wait(void **arg)
{
    struct driver d;
    struct cable k;
    u32 head, length;

    boot(&d, &k);
    arrive(&d, 1, 60);
    transmit(&d, 1, 60);
    driver_put(&d, MMIO_STATUS, 0);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_int_equal(k.frames, 0);
    driver_start(&d, ~0ull, 16);
    give_buffer(&d, BUFFER);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_false(driver_take(&d, RECEIVE, &head, &length));
    sim_release(&d.sim);
}

static void an_address_that_is_none_is_an_error(void **arg)
{
    static const char *const bad[] = {"",
                                      "02:00:5e:10:00",
                                      "03:00:5e:10:00:fe",
                                      "02:00:5e:10:00:fe:",
                                      "02:00:5e:10:00:fg",
                                      "02-00-5e-10-00-fe"};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct driver d;
        struct error err;

        driver_new(&d, &virtio_net_type);
        driver_set(&d, "mac", bad[i]);
        assert_false(sim_build(&d.sim, &err));
        assert_non_null(strstr(err.message, "Ethernet address"));
        sim_release(&d.sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_configuration_has_address_and_link),
        cmocka_unit_test(a_frame_that_is_sent_comes_out_without_its_header),
        cmocka_unit_test(a_frame_that_arrives_has_a_header),
        cmocka_unit_test(frames_wait_for_buffers_in_order_and_no_more_than_fit),
        cmocka_unit_test(frames_of_impossible_sizes_are_lost),
        cmocka_unit_test(a_frame_that_exceeds_the_buffer_is_lost),
        cmocka_unit_test(a_frame_takes_latency_and_its_bytes),
        cmocka_unit_test(a_reset_drops_the_frames_that_wait),
        cmocka_unit_test(an_address_that_is_none_is_an_error),
    };

    return cmocka_run_group_tests_name("dev/virtio_net", tests, NULL, NULL);
}
