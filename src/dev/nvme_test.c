// SPDX-License-Identifier: BSD-3-Clause
// The NVMe controller as its driver sees it; section numbers are those of NVM Express 1.4.
#include "dev/nvme_mock.h"

#include "base/alloc.h"
#include "base/rng.h"

#define US (TICKS_PER_SECOND / 1000000)

static void registers_have_their_values_after_reset(void **arg)
{
    struct driver d;

    driver_new(&d);
    // CAP (3.1.1): 1024 entries, contiguous queues, 7.5 s, NVM command set, doorbells of 4 bytes.
    assert_int_equal(driver_in(&d, NVME_CAP, 8), 0x000000200f0103ff);
    assert_int_equal(driver_in(&d, NVME_CAP, 4), 0x0f0103ff);
    assert_int_equal(driver_in(&d, NVME_CAP + 4, 4), 0x20);
    assert_int_equal(driver_in(&d, NVME_VS, 4), 0x00010400);
    assert_int_equal(driver_in(&d, NVME_CC, 4), 0);
    assert_int_equal(driver_in(&d, NVME_CSTS, 4), 0);
    assert_int_equal(driver_in(&d, 0x38, 8), 0);
    assert_int_equal(driver_in(&d, NVME_VS + 1, 1), 4);
    assert_int_equal(driver_in(&d, NVME_VS + 2, 2), 1);
    driver_free(&d);
}

static void it_is_ready_after_its_latency_until_it_is_disabled(void **arg)
{
    struct driver d;

    driver_new(&d);
    driver_config(&d, 4, 2, COMMAND_MEMORY_MASTER);
    driver_out(&d, NVME_AQA, 4, 0x000f000f);
    driver_out(&d, NVME_ASQ, 8, sq_at(0));
    driver_out(&d, NVME_ACQ, 8, cq_at(0));
    driver_out(&d, NVME_CC, 4, 0x00460001);
    assert_int_equal(driver_in(&d, NVME_CSTS, 4), 0);
    driver_advance(&d, 100 * US - 1);
    assert_int_equal(driver_in(&d, NVME_CSTS, 4), 0);
    driver_advance(&d, 1);
    assert_int_equal(driver_in(&d, NVME_CSTS, 4), NVME_CSTS_RDY);
    driver_out(&d, NVME_CC, 4, 0x00460000);
    assert_int_equal(driver_in(&d, NVME_CSTS, 4), 0);
    // ASQ, ACQ and AQA survive (7.3.2).
    assert_int_equal(driver_in(&d, NVME_ASQ, 8), sq_at(0));
    assert_int_equal(driver_in(&d, NVME_AQA, 4), 0x000f000f);
    driver_free(&d);
}

static void enabled_with_nonsense_it_fails_until_it_is_reset(void **arg)
{
    static const struct {
        u32 cc, aqa;
        u64 asq, acq;
    } cases[] = {
        {0x00460081, 0x000f000f, 0x4000, 0x5000}, // 8 KiB pages
        {0x00460011, 0x000f000f, 0x4000, 0x5000}, // another command set
        {0x00460801, 0x000f000f, 0x4000, 0x5000}, // weighted arbitration
        {0x00460001, 0x000f0000, 0x4000, 0x5000}, // one entry
        {0x00460001, 0x0000000f, 0x4000, 0x5000}, {0x00460001, 0x0fff000f, 0x4000, 0x5000},
        {0x00460001, 0x000f000f, 0x4004, 0x5000}, {0x00460001, 0x000f000f, 0x4000, 0x5800},
    };
    struct driver d;

    driver_new(&d);
    driver_config(&d, 4, 2, COMMAND_MEMORY_MASTER);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        driver_out(&d, NVME_AQA, 4, cases[i].aqa);
        driver_out(&d, NVME_ASQ, 8, cases[i].asq);
        driver_out(&d, NVME_ACQ, 8, cases[i].acq);
        driver_out(&d, NVME_CC, 4, cases[i].cc);
        driver_advance(&d, TICKS_PER_SECOND);
        assert_int_equal(driver_in(&d, NVME_CSTS, 4), NVME_CSTS_CFS);
        driver_out(&d, NVME_CC, 4, 0);
        assert_int_equal(driver_in(&d, NVME_CSTS, 4), 0);
    }
    driver_boot(&d);
    driver_free(&d);
}

static void without_bus_mastering_it_fails(void **arg)
{
    struct driver d;
    struct sqe e = sqe(NVME_IDENTIFY, 0, BUFFER, 0, 1, 0, 0);

    driver_new(&d);
    driver_boot(&d);
    driver_config(&d, 4, 2, 2);
    driver_submit(&d, 0, &e);
    assert_int_equal(driver_in(&d, NVME_CSTS, 4), NVME_CSTS_RDY | NVME_CSTS_CFS);
    driver_boot(&d);
    assert_int_equal(driver_run(&d, 0, e, NULL), NVME_OK);
    driver_free(&d);
}

static u32 get32(const u8 *at)
{
    u32 v;

    memcpy(&v, at, sizeof(v));
    return v;
}

static u64 get64(const u8 *at)
{
    u64 v;

    memcpy(&v, at, sizeof(v));
    return v;
}

static void it_identifies_itself(void **arg)
{
    struct driver d;
    const u8 *data;

    driver_make(&d);
    driver_set(&d, "serial", "ABC123");
    driver_start(&d);
    driver_boot(&d);
    data = ram(&d, BUFFER);
    // 5.15.2.2: the controller.
    assert_int_equal(driver_admin(&d, NVME_IDENTIFY, 0, BUFFER, 1, 0, NULL), NVME_OK);
    assert_int_equal(get32(data) & 0xffff, 0x1b36);
    assert_memory_equal(data + 4, "ABC123              ", 20);
    assert_int_equal(get32(data + 80), 0x00010400);
    assert_int_equal(data[77], 7);
    assert_int_equal(data[512], 0x66);
    assert_int_equal(data[513], 0x44);
    assert_int_equal(get32(data + 516), 1);
    assert_int_equal(get32(data + 520) & 0xffff, 0x0c);
    assert_int_equal(data[525] & 1, 1);
    assert_memory_equal(data + 768, "nqn.2014-08.org.nvmexpress:uuid:", 32);
    assert_int_equal(strlen((const char *)data + 768), 32 + 36);
    // 5.15.2.1: the namespace, of 3072 blocks of 512 bytes.
    assert_int_equal(driver_admin(&d, NVME_IDENTIFY, 1, BUFFER, 0, 0, NULL), NVME_OK);
    assert_int_equal(get64(data), 3072);
    assert_int_equal(get64(data + 8), 3072);
    assert_int_equal(data[25], 0);
    assert_int_equal(get32(data + 128), 9 << 16);
    assert_int_equal(data[99], 0);
    assert_int_equal(driver_admin(&d, NVME_IDENTIFY, 2, BUFFER, 0, 0, NULL),
                     NVME_INVALID_NAMESPACE);
    // 5.15.2.3: the active ones beyond a number.
    assert_int_equal(driver_admin(&d, NVME_IDENTIFY, 0, BUFFER, 2, 0, NULL), NVME_OK);
    assert_int_equal(get32(data), 1);
    assert_int_equal(get32(data + 4), 0);
    assert_int_equal(driver_admin(&d, NVME_IDENTIFY, 1, BUFFER, 2, 0, NULL), NVME_OK);
    assert_int_equal(get32(data), 0);
    // 5.15.2.4: descriptors, here a UUID.
    assert_int_equal(driver_admin(&d, NVME_IDENTIFY, 1, BUFFER, 3, 0, NULL), NVME_OK);
    assert_int_equal(get32(data), 0x1003);
    assert_int_equal(get32(data + 20), 0);
    assert_int_equal(driver_admin(&d, NVME_IDENTIFY, 1, BUFFER, 6, 0, NULL), NVME_INVALID_FIELD);
    driver_free(&d);
}

static void features_are_kept_until_reset(void **arg)
{
    struct driver d;
    u32 v;

    driver_new(&d);
    driver_boot(&d);
#define GET(select, feature) \
    driver_admin(&d, NVME_GET_FEATURES, 0, 0, (select) << 8 | (feature), 0, &v)
#define SET(feature, value) driver_admin(&d, NVME_SET_FEATURES, 0, 0, feature, value, &v)
    assert_int_equal(GET(0, NVME_FEATURE_QUEUES), NVME_OK);
    assert_int_equal(v, 0x00070007);
    assert_int_equal(GET(0, NVME_FEATURE_WRITE_CACHE), NVME_OK);
    assert_int_equal(v, 1);
    assert_int_equal(SET(NVME_FEATURE_WRITE_CACHE, 0), NVME_OK);
    assert_int_equal(GET(0, NVME_FEATURE_WRITE_CACHE), NVME_OK);
    assert_int_equal(v, 0);
    assert_int_equal(GET(1, NVME_FEATURE_WRITE_CACHE), NVME_OK);
    assert_int_equal(v, 1);
    assert_int_equal(GET(3, NVME_FEATURE_WRITE_CACHE), NVME_OK);
    assert_int_equal(v, 4);
    assert_int_equal(SET(NVME_FEATURE_EVENTS, 0x1ff), NVME_OK);
    assert_int_equal(SET(0x80000000 | NVME_FEATURE_EVENTS, 0), NVME_NOT_SAVEABLE);
    assert_int_equal(GET(0, 0x7f), NVME_INVALID_FIELD);
    assert_int_equal(SET(0x0d, 0), NVME_INVALID_FIELD);
    assert_int_equal(SET(NVME_FEATURE_QUEUES, 0x00070007), NVME_SEQUENCE);
    driver_enable(&d);
    assert_int_equal(SET(NVME_FEATURE_QUEUES, 0x00ff00ff), NVME_OK);
    assert_int_equal(v, 0x00070007);
    assert_int_equal(SET(NVME_FEATURE_QUEUES, 0x0000ffff), NVME_INVALID_FIELD);
    assert_int_equal(GET(0, NVME_FEATURE_WRITE_CACHE), NVME_OK);
    assert_int_equal(v, 1);
#undef GET
#undef SET
    driver_free(&d);
}

static void log_pages_are_read(void **arg)
{
    struct driver d;
    const u8 *data;

    driver_new(&d);
    driver_boot(&d);
    data = ram(&d, BUFFER);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(driver_run(&d, 1, transfer(NVME_READ, 0, 8, BUFFER, 0), NULL), NVME_OK);
    assert_int_equal(driver_admin(&d, NVME_GET_LOG, ~0u, BUFFER, 127 << 16 | 2, 0, NULL), NVME_OK);
    assert_int_equal(data[1] | data[2] << 8, 310);
    assert_int_equal(get64(data + 64), 3);
    assert_int_equal(get64(data + 32), 1);
    assert_int_equal(driver_admin(&d, NVME_GET_LOG, ~0u, BUFFER, 127 << 16 | 3, 0, NULL), NVME_OK);
    assert_int_equal(data[0], 1);
    assert_memory_equal(data + 8, "1.0     ", 8);
    assert_int_equal(driver_admin(&d, NVME_GET_LOG, ~0u, BUFFER, 15 << 16 | 1, 0, NULL), NVME_OK);
    assert_int_equal(driver_admin(&d, NVME_GET_LOG, ~0u, BUFFER, 15 << 16 | 0x70, 0, NULL),
                     NVME_LOG_PAGE);
    assert_int_equal(driver_admin(&d, NVME_GET_LOG, ~0u, BUFFER, 0xffffu << 16 | 2, 0xffff, NULL),
                     NVME_INVALID_FIELD);
    driver_free(&d);
}

// Fills the PRP entries of a transfer of `size` bytes whose pages are scattered over RAM, from
// `offset` in the first, with the list at `list`; ret_at gives the address of each byte's page.
static struct sqe scatter(struct driver *d, u8 opcode, u64 block, u64 size, u64 offset, u64 list,
                          struct rng *rng, u64 *ret_pages)
{
    u64 pages = (offset + size + NVME_PAGE - 1) / NVME_PAGE, prp2 = 0, start = rng_below(rng, 181);

    for (u64 i = 0; i < pages; i++)
        ret_pages[i] = BUFFER + NVME_PAGE * ((i * 37 + start) % 181);
    if (pages == 2)
        prp2 = ret_pages[1];
    if (pages > 2) {
        u64 at = prp2 = list;

        for (u64 i = 1; i < pages; i++) {
            if (at % NVME_PAGE == NVME_PAGE - 8 && i + 1 < pages) {
                u64 next = (at & ~(u64)(NVME_PAGE - 1)) + 2 * NVME_PAGE;

                memcpy(ram(d, at), &next, 8);
                at = next;
            }
            memcpy(ram(d, at), &ret_pages[i], 8);
            at += 8;
        }
    }
    return transfer(opcode, block, (u32)(size / 512), ret_pages[0] + offset, prp2);
}

// Byte k of a transfer that begins `offset` into its first page.
static u8 *byte_of(struct driver *d, const u64 *pages, u64 offset, u64 k)
{
    return ram(d, pages[(offset + k) / NVME_PAGE] + (offset + k) % NVME_PAGE);
}

static void data_goes_where_prp_entries_say(void **arg)
{
    static const u64 lists[] = {LISTS, LISTS + NVME_PAGE - 8, LISTS + NVME_PAGE - 16,
                                LISTS + NVME_PAGE - 48, LISTS + 8};
    struct driver d;
    struct rng rng = {1};
    u64 pages[130];

    driver_new(&d);
    driver_boot(&d);
    for (unsigned round = 0; round < 300; round++) {
        u64 size = 512 * (1 + rng_below(&rng, rng_below(&rng, 2) ? 1024 : 24));
        u64 offset = rng_below(&rng, 3) ? 0 : 4 * rng_below(&rng, 1024);
        u64 block = rng_below(&rng, (DISK - size) / 512 + 1);
        u8 opcode = rng_below(&rng, 2) ? NVME_READ : NVME_WRITE;
        u64 list = lists[rng_below(&rng, ARRAY_SIZE(lists))];
        struct sqe e = scatter(&d, opcode, block, size, offset, list, &rng, pages);
        u8 *disk = d.board->st.disk + block * 512;

        for (u64 k = 0; k < size && opcode == NVME_WRITE; k++)
            *byte_of(&d, pages, offset, k) = (u8)(rng_next(&rng) & 0xff);
        for (u64 k = 0; k < size && opcode == NVME_READ; k++)
            disk[k] = (u8)(rng_next(&rng) & 0xff);
        assert_int_equal(driver_run(&d, 1 + round % 4, e, NULL), NVME_OK);
        for (u64 k = 0; k < size; k++)
            if (*byte_of(&d, pages, offset, k) != disk[k])
                fail_msg("round %u: byte %u of %u differs", round, (unsigned)k, (unsigned)size);
    }
    assert_int_equal(d.nvme->n.failed, 0);
    driver_free(&d);
}

static void wrong_commands_have_their_status(void **arg)
{
    struct driver d;
    u64 list[4] = {BUFFER2, BUFFER2 + 8, BUFFER2, BUFFER2};

    driver_new(&d);
    driver_boot(&d);
    memcpy(ram(&d, LISTS), list, sizeof(list));
#define STATUS(status, ...) assert_int_equal(driver_run(&d, 1, __VA_ARGS__, NULL), status)
    STATUS(NVME_LBA_RANGE, transfer(NVME_READ, 3072, 1, BUFFER, 0));
    STATUS(NVME_LBA_RANGE, transfer(NVME_READ, 3071, 2, BUFFER, 0));
    STATUS(NVME_LBA_RANGE, transfer(NVME_WRITE, ~0ull, 2, BUFFER, 0));
    STATUS(NVME_LBA_RANGE, transfer(NVME_WRITE_ZEROES, 3072, 1, 0, 0));
    STATUS(NVME_INVALID_FIELD, transfer(NVME_READ, 0, 1025, BUFFER, LISTS));
    STATUS(NVME_INVALID_FIELD, transfer(NVME_WRITE, 0, 0x10000, BUFFER, LISTS));
    STATUS(NVME_INVALID_OPCODE, sqe(0x7f, 1, 0, 0, 0, 0, 0));
    STATUS(NVME_INVALID_NAMESPACE, sqe(NVME_READ, 0, BUFFER, 0, 0, 0, 0));
    STATUS(NVME_INVALID_NAMESPACE, sqe(NVME_READ, 2, BUFFER, 0, 0, 0, 0));
    STATUS(NVME_INVALID_NAMESPACE, sqe(NVME_READ, ~0u, BUFFER, 0, 0, 0, 0));
    STATUS(NVME_OK, sqe(NVME_FLUSH, ~0u, 0, 0, 0, 0, 0));
    STATUS(NVME_PRP_OFFSET, transfer(NVME_READ, 0, 1, BUFFER + 2, 0));
    STATUS(NVME_PRP_OFFSET, transfer(NVME_READ, 0, 16, BUFFER, BUFFER2 + 4));
    STATUS(NVME_PRP_OFFSET, transfer(NVME_READ, 0, 32, BUFFER, LISTS + 4));
    STATUS(NVME_PRP_OFFSET, transfer(NVME_READ, 0, 32, BUFFER, LISTS));
    STATUS(NVME_DATA_TRANSFER, transfer(NVME_READ, 0, 1, RAM, 0));
    STATUS(NVME_DATA_TRANSFER, transfer(NVME_WRITE, 0, 8, RAM - 512, RAM));
    STATUS(NVME_DATA_TRANSFER, transfer(NVME_READ, 0, 32, BUFFER, ~(u64)0xfff));
    STATUS(NVME_INVALID_FIELD, (struct sqe){{0x4002, 1}});
    STATUS(NVME_INVALID_FIELD, (struct sqe){{0x0102, 1}});
    assert_int_equal(driver_admin(&d, 0x0d, 0, 0, 0, 0, NULL), NVME_INVALID_OPCODE);
    assert_int_equal(driver_in(&d, NVME_CSTS, 4), NVME_CSTS_RDY);
#undef STATUS
    driver_free(&d);
}

static void flush_zero_and_deallocate_reach_the_disk(void **arg)
{
    struct driver d;
    u8 zeros[512 * 8] = {0};
    u32 ranges[8] = {0, 3, 100, 0, 0, 2, 200, 0};
    u32 flushes;

    driver_new(&d);
    driver_boot(&d);
    flushes = d.board->st.flushes;
    assert_int_equal(driver_run(&d, 1, sqe(NVME_FLUSH, 1, 0, 0, 0, 0, 0), NULL), NVME_OK);
    assert_int_equal(d.board->st.flushes, flushes + 1);
    assert_int_equal(driver_run(&d, 1, transfer(NVME_WRITE_ZEROES, 10, 8, 0, 0), NULL), NVME_OK);
    assert_memory_equal(d.board->st.disk + 5120, zeros, 4096);
    assert_true(d.board->st.disk[5119] != 0);
    memcpy(ram(&d, BUFFER), ranges, sizeof(ranges));
    assert_int_equal(driver_run(&d, 1, sqe(NVME_DSM, 1, BUFFER, 0, 1, 4, 0), NULL), NVME_OK);
    assert_memory_equal(d.board->st.disk + 51200, zeros, 1536);
    assert_memory_equal(d.board->st.disk + 102400, zeros, 1024);
    assert_true(d.board->st.disk[51200 + 1537] != 0);
    // One range that is wrong: nothing happens. Other hints do nothing.
    ranges[5] = 5000;
    memcpy(ram(&d, BUFFER), ranges, sizeof(ranges));
    d.board->st.disk[51200] = 1;
    assert_int_equal(driver_run(&d, 1, sqe(NVME_DSM, 1, BUFFER, 0, 1, 4, 0), NULL), NVME_LBA_RANGE);
    assert_int_equal(driver_run(&d, 1, sqe(NVME_DSM, 1, BUFFER, 0, 0, 3, 0), NULL), NVME_OK);
    assert_int_equal(d.board->st.disk[51200], 1);
    // Forced unit access, and writes without a cache, are flushed.
    flushes = d.board->st.flushes;
    assert_int_equal(driver_run(&d, 1, sqe(NVME_WRITE, 1, BUFFER, 0, 0, 0, 1u << 30), NULL),
                     NVME_OK);
    assert_int_equal(d.board->st.flushes, flushes + 1);
    assert_int_equal(driver_admin(&d, NVME_SET_FEATURES, 0, 0, NVME_FEATURE_WRITE_CACHE, 0, NULL),
                     NVME_OK);
    assert_int_equal(driver_run(&d, 1, transfer(NVME_WRITE, 0, 1, BUFFER, 0), NULL), NVME_OK);
    assert_int_equal(d.board->st.flushes, flushes + 2);
    driver_free(&d);
}

static void large_blocks_are_possible(void **arg)
{
    struct driver d;

    driver_make(&d);
    driver_set(&d, "block_bytes", "4096");
    driver_start(&d);
    driver_boot(&d);
    assert_int_equal(driver_admin(&d, NVME_IDENTIFY, 1, BUFFER, 0, 0, NULL), NVME_OK);
    assert_int_equal(get64(ram(&d, BUFFER)), 384);
    assert_int_equal(ram(&d, BUFFER)[130], 12);
    assert_int_equal(driver_run(&d, 1, transfer(NVME_READ, 383, 1, BUFFER, 0), NULL), NVME_OK);
    assert_memory_equal(ram(&d, BUFFER), d.board->st.disk + 383 * 4096, 4096);
    assert_int_equal(driver_run(&d, 1, transfer(NVME_READ, 384, 1, BUFFER, 0), NULL),
                     NVME_LBA_RANGE);
    driver_free(&d);
}

static void a_read_only_disk_says_so(void **arg)
{
    struct driver d;

    driver_new(&d);
    d.board->st.read_only = 1;
    driver_boot(&d);
    assert_int_equal(driver_admin(&d, NVME_IDENTIFY, 1, BUFFER, 0, 0, NULL), NVME_OK);
    assert_int_equal(ram(&d, BUFFER)[99], 1);
    assert_int_equal(driver_run(&d, 1, transfer(NVME_WRITE, 0, 1, BUFFER, 0), NULL),
                     NVME_WRITE_PROTECTED);
    assert_int_equal(driver_run(&d, 1, transfer(NVME_WRITE_ZEROES, 0, 1, BUFFER, 0), NULL),
                     NVME_WRITE_PROTECTED);
    driver_free(&d);
}

static void trouble_of_the_host_is_an_error_of_the_medium(void **arg)
{
    struct driver d;

    driver_new(&d);
    driver_boot(&d);
    d.board->st.defective = 1;
    assert_int_equal(driver_run(&d, 1, transfer(NVME_READ, 0, 1, BUFFER, 0), NULL),
                     NVME_READ_ERROR);
    assert_int_equal(driver_run(&d, 1, transfer(NVME_WRITE, 0, 1, BUFFER, 0), NULL),
                     NVME_WRITE_FAULT);
    assert_int_equal(driver_run(&d, 1, sqe(NVME_FLUSH, 1, 0, 0, 0, 0, 0), NULL), NVME_WRITE_FAULT);
    d.board->st.defective = 0;
    assert_int_equal(driver_run(&d, 1, transfer(NVME_READ, 0, 1, BUFFER, 0), NULL), NVME_OK);
    driver_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_have_their_values_after_reset),
        cmocka_unit_test(it_is_ready_after_its_latency_until_it_is_disabled),
        cmocka_unit_test(enabled_with_nonsense_it_fails_until_it_is_reset),
        cmocka_unit_test(without_bus_mastering_it_fails),
        cmocka_unit_test(it_identifies_itself),
        cmocka_unit_test(features_are_kept_until_reset),
        cmocka_unit_test(log_pages_are_read),
        cmocka_unit_test(data_goes_where_prp_entries_say),
        cmocka_unit_test(wrong_commands_have_their_status),
        cmocka_unit_test(flush_zero_and_deallocate_reach_the_disk),
        cmocka_unit_test(large_blocks_are_possible),
        cmocka_unit_test(a_read_only_disk_says_so),
        cmocka_unit_test(trouble_of_the_host_is_an_error_of_the_medium),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
