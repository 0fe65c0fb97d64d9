// SPDX-License-Identifier: BSD-3-Clause
// The block device behind MMIO, with the driver and the disk of virtio_mock.h. Expectations are
// those of virtio 1.2 section 5.2.
#include "base/file.h"
#include "dev/virtio_mock.h"

#include "sim/checkpoint.h"

#include <linux/virtio_blk.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ALL (~0ull)

static void boot(struct driver *d)
{
    driver_new(d, &virtio_blk_type);
    driver_set(d, "disk", "board");
    driver_set(d, "serial", "disk-number-seven");
    driver_boot(d, ALL);
    for (unsigned i = 0; i < MOCK_DISK; i++)
        d->board->st.disk[i] = (u8)(i * 7 + i / 512);
}

// A request on its way.
struct blk_request {
    struct buffer buffers[3]; // header, data, status
    u16 head;
};

static struct blk_request submit(struct driver *d, u32 type, u64 sector, const void *data,
                                 u32 data_bytes)
{
    struct virtio_blk_outhdr header = {.type = type, .sector = sector};
    bool to_device = data != NULL;
    struct blk_request r;

    r.buffers[0] = driver_buffer(d, sizeof(header));
    r.buffers[1] = driver_buffer(d, data_bytes);
    r.buffers[2] = driver_buffer(d, 1);
    memcpy(ram(d, r.buffers[0].addr), &header, sizeof(header));
    if (to_device)
        memcpy(ram(d, r.buffers[1].addr), data, data_bytes);
    *(u8 *)ram(d, r.buffers[2].addr) = 0xff;
    r.head = driver_add(d, 0, r.buffers, to_device ? 2 : 1, to_device ? 1 : 2);
    driver_kick(d, 0);
    return r;
}

static u8 status_of(const struct driver *d, const struct blk_request *r)
{
    return *(u8 *)ram(d, r->buffers[2].addr);
}

// Submits, waits, and expects it to come back with `written` bytes; returns its status.
static u8 run(struct driver *d, u32 type, u64 sector, const void *data, u32 data_bytes, u32 written)
{
    struct blk_request r = submit(d, type, sector, data, data_bytes);
    u32 head, length;

    driver_advance(d, TICKS_PER_SECOND);
    assert_true(driver_take(d, 0, &head, &length));
    assert_int_equal(head, r.head);
    assert_int_equal(length, written);
    return status_of(d, &r);
}

static void the_configuration_describes_the_disk(void **arg)
{
    struct driver d;

    boot(&d);
    assert_int_equal(driver_get(&d, 8), 2);
    assert_int_equal(mmio_read(&d.mmio, MMIO_CONFIG, 8), MOCK_DISK / 512);
    assert_int_equal(driver_get(&d, MMIO_CONFIG + 20), 512);
    assert_int_equal(driver_get(&d, MMIO_CONFIG + 12), 254);
    assert_true(d.features >> VIRTIO_BLK_F_FLUSH & 1);
    assert_false(d.features >> VIRTIO_BLK_F_RO & 1);
    sim_release(&d.sim);
}

static void a_read_fills_the_buffer(void **arg)
{
    struct driver d;
    struct blk_request r;
    u32 head, length;

    boot(&d);
    r = submit(&d, VIRTIO_BLK_T_IN, 5, NULL, 4096);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_true(driver_take(&d, 0, &head, &length));
    assert_int_equal(length, 4097);
    assert_int_equal(status_of(&d, &r), VIRTIO_BLK_S_OK);
    assert_memory_equal(ram(&d, r.buffers[1].addr), d.board->st.disk + 5 * 512, 4096);
    sim_release(&d.sim);
}

static void a_large_read_goes_in_pieces(void **arg)
{
    struct driver d;
    struct blk_request r;

    boot(&d);
    r = submit(&d, VIRTIO_BLK_T_IN, 1, NULL, 0x32000);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_int_equal(status_of(&d, &r), VIRTIO_BLK_S_OK);
    assert_memory_equal(ram(&d, r.buffers[1].addr), d.board->st.disk + 512, 0x32000);
    sim_release(&d.sim);
}

static void a_write_reaches_the_disk(void **arg)
{
    struct driver d;
    u8 data[1024];

    boot(&d);
    memset(data, 0xa5, sizeof(data));
    assert_int_equal(run(&d, VIRTIO_BLK_T_OUT, 9, data, sizeof(data), 1), VIRTIO_BLK_S_OK);
    assert_memory_equal(d.board->st.disk + 9 * 512, data, sizeof(data));
    assert_int_not_equal(d.board->st.disk[11 * 512], 0xa5);
    sim_release(&d.sim);
}

static void framing_does_not_matter(void **arg)
{
    struct driver d;
    struct virtio_blk_outhdr header = {.type = VIRTIO_BLK_T_OUT, .sector = 3};
    struct buffer b[4];
    u32 head, length;

    boot(&d);
    // Header and data in one piece that is cut at odd places; 2.7.4 forbids assumptions.
    b[0] = driver_buffer(&d, 7);
    b[1] = driver_buffer(&d, 12);
    b[2] = driver_buffer(&d, 509);
    b[3] = driver_buffer(&d, 1);
    memcpy(ram(&d, b[0].addr), &header, 7);
    memcpy(ram(&d, b[1].addr), (u8 *)&header + 7, 9);
    memset((u8 *)ram(&d, b[1].addr) + 9, 0x77, 3);
    memset(ram(&d, b[2].addr), 0x77, 509);
    driver_add(&d, 0, b, 3, 1);
    driver_kick(&d, 0);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_true(driver_take(&d, 0, &head, &length));
    assert_int_equal(*(u8 *)ram(&d, b[3].addr), VIRTIO_BLK_S_OK);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(d.board->st.disk[3 * 512 + i], 0x77);
    sim_release(&d.sim);
}

static void a_flush_reaches_the_disk(void **arg)
{
    struct driver d;

    boot(&d);
    assert_int_equal(run(&d, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, 1), VIRTIO_BLK_S_OK);
    assert_int_equal(d.board->st.flushes, 1);
    sim_release(&d.sim);
}

static void write_zeroes_and_discard_clear_their_ranges(void **arg)
{
    static const struct virtio_blk_discard_write_zeroes ranges[] = {{2, 3, 0}, {10, 1, 0}};
    static const u32 types[] = {VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES};

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct driver d;

        boot(&d);
        assert_int_equal(run(&d, types[i], 0, ranges, sizeof(ranges), 1), VIRTIO_BLK_S_OK);
        for (unsigned k = 2 * 512; k < 5 * 512; k++)
            assert_int_equal(d.board->st.disk[k], 0);
        assert_int_equal(d.board->st.disk[10 * 512 + 5], 0);
        assert_int_not_equal(d.board->st.disk[5 * 512 + 1], 0);
        sim_release(&d.sim);
    }
}

static void unmap_is_a_flag_of_write_zeroes_only(void **arg)
{
    static const struct virtio_blk_discard_write_zeroes range = {2, 3, 1}, odd = {2, 3, 2};
    struct driver d;

    boot(&d);
    assert_int_equal(run(&d, VIRTIO_BLK_T_DISCARD, 0, &range, sizeof(range), 1),
                     VIRTIO_BLK_S_UNSUPP);
    assert_int_equal(run(&d, VIRTIO_BLK_T_WRITE_ZEROES, 0, &odd, sizeof(odd), 1),
                     VIRTIO_BLK_S_UNSUPP);
    assert_int_equal(run(&d, VIRTIO_BLK_T_WRITE_ZEROES, 0, &range, sizeof(range), 1),
                     VIRTIO_BLK_S_OK);
    sim_release(&d.sim);
}

static void the_identity_is_the_serial_number(void **arg)
{
    struct driver d;
    struct blk_request r;

    boot(&d);
    r = submit(&d, VIRTIO_BLK_T_GET_ID, 0, NULL, 20);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_int_equal(status_of(&d, &r), VIRTIO_BLK_S_OK);
    assert_memory_equal(ram(&d, r.buffers[1].addr), "disk-number-seven\0\0\0", 20);
    sim_release(&d.sim);
}

static void requests_beyond_the_disk_fail(void **arg)
{
    static const u64 sectors[] = {MOCK_DISK / 512, MOCK_DISK / 512 - 1, ~0ull, ~0ull / 512,
                                  1ull << 63};

    for (size_t i = 0; i < ARRAY_SIZE(sectors); i++) {
        struct virtio_blk_discard_write_zeroes range = {sectors[i], 2, 0};
        u8 data[1024] = {0};
        struct driver d;

        boot(&d);
        assert_int_equal(run(&d, VIRTIO_BLK_T_IN, sectors[i], NULL, 1024, 1), VIRTIO_BLK_S_IOERR);
        assert_int_equal(run(&d, VIRTIO_BLK_T_OUT, sectors[i], data, 1024, 1), VIRTIO_BLK_S_IOERR);
        assert_int_equal(run(&d, VIRTIO_BLK_T_DISCARD, 0, &range, sizeof(range), 1),
                         VIRTIO_BLK_S_IOERR);
        sim_release(&d.sim);
    }
}

static void parts_of_sectors_fail(void **arg)
{
    struct driver d;
    u8 data[100] = {0};

    boot(&d);
    assert_int_equal(run(&d, VIRTIO_BLK_T_IN, 0, NULL, 100, 1), VIRTIO_BLK_S_IOERR);
    assert_int_equal(run(&d, VIRTIO_BLK_T_OUT, 0, data, 100, 1), VIRTIO_BLK_S_IOERR);
    sim_release(&d.sim);
}

static void an_unknown_request_is_unsupported(void **arg)
{
    struct driver d;

    boot(&d);
    assert_int_equal(run(&d, 77, 0, NULL, 512, 1), VIRTIO_BLK_S_UNSUPP);
    sim_release(&d.sim);
}

static void a_read_only_disk_says_so_and_is_not_written(void **arg)
{
    static const struct virtio_blk_discard_write_zeroes range = {0, 1, 0};
    struct driver d;
    u8 data[512] = {0};

    boot(&d);
    d.board->st.read_only = 1;
    assert_true(driver_offered(&d) >> VIRTIO_BLK_F_RO & 1);
    assert_false(driver_offered(&d) >> VIRTIO_BLK_F_DISCARD & 1);
    assert_int_equal(run(&d, VIRTIO_BLK_T_OUT, 1, data, 512, 1), VIRTIO_BLK_S_IOERR);
    assert_int_equal(run(&d, VIRTIO_BLK_T_DISCARD, 0, &range, sizeof(range), 1),
                     VIRTIO_BLK_S_IOERR);
    assert_int_equal(d.board->st.disk[513], (u8)(513 * 7 + 1));
    sim_release(&d.sim);
}

static void errors_of_the_host_are_media_errors(void **arg)
{
    struct driver d;
    u8 data[512] = {0};

    boot(&d);
    d.board->st.defective = 1;
    assert_int_equal(run(&d, VIRTIO_BLK_T_IN, 0, NULL, 512, 1), VIRTIO_BLK_S_IOERR);
    assert_int_equal(run(&d, VIRTIO_BLK_T_OUT, 0, data, 512, 1), VIRTIO_BLK_S_IOERR);
    assert_int_equal(run(&d, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, 1), VIRTIO_BLK_S_IOERR);
    sim_release(&d.sim);
}

static void a_request_takes_its_latency(void **arg)
{
    struct driver d;
    u32 head, length;

    driver_new(&d, &virtio_blk_type);
    driver_set(&d, "disk", "board");
    driver_set(&d, "latency", "100us");
    driver_boot(&d, ALL);
    submit(&d, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
    driver_advance(&d, 99999999);
    assert_false(driver_take(&d, 0, &head, &length));
    driver_advance(&d, 1);
    assert_true(driver_take(&d, 0, &head, &length));
    sim_release(&d.sim);
}

static void requests_overlap_but_share_the_bandwidth(void **arg)
{
    struct driver d;
    u32 head, length;

    driver_new(&d, &virtio_blk_type);
    driver_set(&d, "disk", "board");
    driver_set(&d, "latency", "10us");
    driver_set(&d, "bandwidth", "64MiB"); // 4 KiB take 61.03515625 us
    driver_boot(&d, ALL);
    submit(&d, VIRTIO_BLK_T_IN, 0, NULL, 4096);
    submit(&d, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
    submit(&d, VIRTIO_BLK_T_IN, 0, NULL, 4096);
    driver_advance(&d, 61035155);
    assert_false(driver_take(&d, 0, &head, &length));
    driver_advance(&d, 1);
    assert_true(driver_take(&d, 0, &head, &length));
    assert_true(driver_take(&d, 0, &head, &length));
    driver_advance(&d, 61035155);
    assert_false(driver_take(&d, 0, &head, &length));
    driver_advance(&d, 1);
    assert_true(driver_take(&d, 0, &head, &length));
    sim_release(&d.sim);
}

static void a_reset_drops_what_is_in_flight(void **arg)
{
    struct driver d;
    u8 data[512];
    u32 head, length;

    boot(&d);
    memset(data, 0xee, sizeof(data));
    submit(&d, VIRTIO_BLK_T_OUT, 0, data, 512);
    driver_put(&d, MMIO_STATUS, 0);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_false(driver_take(&d, 0, &head, &length));
    assert_int_not_equal(d.board->st.disk[0], 0xee);
    driver_start(&d, ALL, 16);
    assert_int_equal(run(&d, VIRTIO_BLK_T_OUT, 0, data, 512, 1), VIRTIO_BLK_S_OK);
    sim_release(&d.sim);
}

static void a_full_queue_is_served_to_its_end(void **arg)
{
    struct driver d;
    u32 head, length;
    unsigned done = 0;

    driver_new(&d, &virtio_blk_type);
    driver_set(&d, "disk", "board");
    driver_set(&d, "queue_size", "16");
    driver_boot(&d, ALL);
    for (unsigned round = 0; round < 100; round++) {
        d.next_buffer = MOCK_BUFFERS;
        for (unsigned i = 0; i < 5; i++)
            submit(&d, VIRTIO_BLK_T_IN, i, NULL, 512);
        driver_advance(&d, TICKS_PER_SECOND);
        while (driver_take(&d, 0, &head, &length))
            done++;
    }
    assert_int_equal(done, 500);
    sim_release(&d.sim);
}

static void a_request_without_header_or_status_breaks_the_device(void **arg)
{
    static const u32 sizes[][2] = {{15, 1}, {16, 0}, {0, 513}};

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct driver d;
        struct buffer b[2];

        boot(&d);
        b[0] = driver_buffer(&d, sizes[i][0]);
        b[1] = driver_buffer(&d, sizes[i][1]);
        driver_add(&d, 0, b, 1, 1);
        driver_kick(&d, 0);
        driver_advance(&d, TICKS_PER_SECOND);
        assert_true(driver_status(&d) & STATUS_NEEDS_RESET);
        driver_start(&d, ALL, 16);
        assert_int_equal(run(&d, VIRTIO_BLK_T_IN, 0, NULL, 512, 513), VIRTIO_BLK_S_OK);
        sim_release(&d.sim);
    }
}

static void a_chain_spoilt_in_flight_breaks_the_device(void **arg)
{
    struct driver d;
    u32 head, length;

    boot(&d);
    submit(&d, VIRTIO_BLK_T_IN, 0, NULL, 512);
    put_descriptor(&d, desc_table(0), 1, (struct buffer){0x20000, 512}, DESC_F_NEXT, 1);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_true(driver_status(&d) & STATUS_NEEDS_RESET);
    assert_false(driver_take(&d, 0, &head, &length));
    sim_release(&d.sim);
}

static char directory[] = "/tmp/facet-virtio-XXXXXX";

static int make_directory(void **state)
{
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    struct error err;

    return file_remove_tree(directory, &err) ? 0 : -1;
}

static void requests_in_flight_survive_a_checkpoint(void **arg)
{
    struct driver d, e;
    struct blk_request r[3];
    char path[80];
    struct error err;

    boot(&d);
    r[0] = submit(&d, VIRTIO_BLK_T_IN, 1, NULL, 4096);
    r[1] = submit(&d, VIRTIO_BLK_T_IN, 7, NULL, 512);
    driver_advance(&d, 1000000);
    r[2] = submit(&d, VIRTIO_BLK_T_IN, 8, NULL, 1024);
    snprintf(path, sizeof(path), "%s/in-flight", directory);
    if (!checkpoint_save(&d.sim, path, NULL, &err))
        fail_msg("%s", err.message);
    driver_new(&e, &virtio_blk_type);
    driver_set(&e, "disk", "board");
    driver_set(&e, "serial", "disk-number-seven");
    driver_build(&e);
    if (!checkpoint_load(&e.sim, path, NULL, &err))
        fail_msg("%s", err.message);
    assert_int_equal(sim_hash(&d.sim), sim_hash(&e.sim));
    driver_advance(&d, TICKS_PER_SECOND);
    driver_advance(&e, TICKS_PER_SECOND);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(status_of(&e, &r[i]), VIRTIO_BLK_S_OK);
    assert_memory_equal(ram(&e, r[1].buffers[1].addr), e.board->st.disk + 7 * 512, 512);
    assert_int_equal(sim_hash(&d.sim), sim_hash(&e.sim));
    sim_release(&d.sim);
    sim_release(&e.sim);
}

static void a_serial_number_that_is_too_long_is_an_error(void **arg)
{
    struct driver d;
    struct error err;

    driver_new(&d, &virtio_blk_type);
    driver_set(&d, "disk", "board");
    driver_set(&d, "serial", "123456789012345678901");
    assert_false(sim_build(&d.sim, &err));
    assert_non_null(strstr(err.message, "20 characters"));
    sim_release(&d.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_configuration_describes_the_disk),
        cmocka_unit_test(a_read_fills_the_buffer),
        cmocka_unit_test(a_large_read_goes_in_pieces),
        cmocka_unit_test(a_write_reaches_the_disk),
        cmocka_unit_test(framing_does_not_matter),
        cmocka_unit_test(a_flush_reaches_the_disk),
        cmocka_unit_test(write_zeroes_and_discard_clear_their_ranges),
        cmocka_unit_test(unmap_is_a_flag_of_write_zeroes_only),
        cmocka_unit_test(the_identity_is_the_serial_number),
        cmocka_unit_test(requests_beyond_the_disk_fail),
        cmocka_unit_test(parts_of_sectors_fail),
        cmocka_unit_test(an_unknown_request_is_unsupported),
        cmocka_unit_test(a_read_only_disk_says_so_and_is_not_written),
        cmocka_unit_test(errors_of_the_host_are_media_errors),
        cmocka_unit_test(a_request_takes_its_latency),
        cmocka_unit_test(requests_overlap_but_share_the_bandwidth),
        cmocka_unit_test(a_reset_drops_what_is_in_flight),
        cmocka_unit_test(a_full_queue_is_served_to_its_end),
        cmocka_unit_test(a_request_without_header_or_status_breaks_the_device),
        cmocka_unit_test(a_chain_spoilt_in_flight_breaks_the_device),
        cmocka_unit_test(requests_in_flight_survive_a_checkpoint),
        cmocka_unit_test(a_serial_number_that_is_too_long_is_an_error),
    };

    return cmocka_run_group_tests_name("dev/virtio_blk", tests, make_directory, remove_directory);
}
