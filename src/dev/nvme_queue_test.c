// SPDX-License-Identifier: BSD-3-Clause
// Queues, time and interrupts of the NVMe controller; what is in flight when something happens; and
// guests that mean harm.
#include "dev/nvme_mock.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "sim/checkpoint.h"

#include <stdio.h>
#include <unistd.h>

#define US (TICKS_PER_SECOND / 1000000)

static void commands_about_queues_are_checked(void **arg)
{
    struct driver d;

    driver_new(&d);
    driver_boot(&d);
    assert_int_equal(create_cq(&d, 0, DEPTH, 0), NVME_QUEUE_ID);
    assert_int_equal(create_cq(&d, 4, DEPTH, 0), NVME_QUEUE_ID);
    assert_int_equal(create_cq(&d, 9, DEPTH, 0), NVME_QUEUE_ID);
    assert_int_equal(create_cq(&d, 5, 1, 0), NVME_QUEUE_SIZE);
    assert_int_equal(create_cq(&d, 5, 1025, 0), NVME_QUEUE_SIZE);
    assert_int_equal(create_cq(&d, 5, DEPTH, 9), NVME_VECTOR);
    assert_int_equal(create_cq(&d, 5, 1024, 8), NVME_OK);
    assert_int_equal(create_sq(&d, 5, DEPTH, 0), NVME_QUEUE_ID);
    assert_int_equal(create_sq(&d, 5, DEPTH, 6), NVME_CQ_INVALID);
    assert_int_equal(create_sq(&d, 5, DEPTH, 500), NVME_CQ_INVALID);
    assert_int_equal(create_sq(&d, 0, DEPTH, 5), NVME_QUEUE_ID);
    assert_int_equal(create_sq(&d, 5, DEPTH, 5), NVME_OK);
    assert_int_equal(create_sq(&d, 6, DEPTH, 5), NVME_OK);
    assert_int_equal(driver_admin(&d, NVME_CREATE_CQ, 0, BUFFER + 8, 15 << 16 | 7, 3, NULL),
                     NVME_PRP_OFFSET);
    assert_int_equal(driver_admin(&d, NVME_CREATE_CQ, 0, BUFFER, 15 << 16 | 7, 2, NULL),
                     NVME_INVALID_FIELD);
    assert_int_equal(driver_admin(&d, NVME_DELETE_CQ, 0, 0, 5, 0, NULL), NVME_QUEUE_DELETION);
    assert_int_equal(driver_admin(&d, NVME_DELETE_SQ, 0, 0, 5, 0, NULL), NVME_OK);
    assert_int_equal(driver_admin(&d, NVME_DELETE_SQ, 0, 0, 5, 0, NULL), NVME_QUEUE_ID);
    assert_int_equal(driver_admin(&d, NVME_DELETE_SQ, 0, 0, 0, 0, NULL), NVME_QUEUE_ID);
    assert_int_equal(driver_admin(&d, NVME_DELETE_CQ, 0, 0, 5, 0, NULL), NVME_QUEUE_DELETION);
    assert_int_equal(driver_admin(&d, NVME_DELETE_SQ, 0, 0, 6, 0, NULL), NVME_OK);
    assert_int_equal(driver_admin(&d, NVME_DELETE_CQ, 0, 0, 5, 0, NULL), NVME_OK);
    assert_int_equal(driver_admin(&d, NVME_DELETE_CQ, 0, 0, 5, 0, NULL), NVME_QUEUE_ID);
    driver_free(&d);
}

// The tick at which the next completion of queue 1 is there.
static tick completed_at(struct driver *d)
{
    struct cqe e;

    while (!driver_peek(d, 1, &e) && event_queue_step(&d->sim.queue, ~(tick)0))
        ;
    assert_int_equal(driver_take(d, 1).status >> 1, NVME_OK);
    return d->sim.queue.now;
}

static void a_command_takes_its_latency_and_its_bytes(void **arg)
{
    struct driver d;
    tick start;
    struct sqe read4k = transfer(NVME_READ, 0, 8, BUFFER, 0);
    struct sqe write4k = transfer(NVME_WRITE, 0, 8, BUFFER, 0);
    struct sqe flush = sqe(NVME_FLUSH, 1, 0, 0, 0, 0, 0);

    driver_make(&d);
    driver_set(&d, "read_latency", "30us");
    driver_set(&d, "write_latency", "10us");
    driver_set(&d, "bandwidth", "4096000000"); // 4 KiB in 1 us
    driver_start(&d);
    driver_boot(&d);
    start = d.sim.queue.now;
    driver_submit(&d, 1, &read4k);
    assert_int_equal(completed_at(&d), start + 31 * US);
    start = d.sim.queue.now;
    driver_submit(&d, 1, &write4k);
    assert_int_equal(completed_at(&d), start + 11 * US);
    start = d.sim.queue.now;
    driver_submit(&d, 1, &flush);
    assert_int_equal(completed_at(&d), start + 10 * US);
    // Together: the medium moves one after the other, latencies overlap.
    start = d.sim.queue.now;
    driver_submit(&d, 1, &read4k);
    driver_submit(&d, 1, &read4k);
    driver_submit(&d, 1, &write4k);
    assert_int_equal(completed_at(&d), start + 13 * US);
    assert_int_equal(completed_at(&d), start + 31 * US);
    assert_int_equal(completed_at(&d), start + 32 * US);
    driver_free(&d);
}

static void memory_changes_when_the_command_completes(void **arg)
{
    struct driver d;
    struct sqe e = transfer(NVME_READ, 7, 1, BUFFER, 0);
    u8 before[512];

    driver_new(&d);
    driver_boot(&d);
    memcpy(before, ram(&d, BUFFER), 512);
    driver_submit(&d, 1, &e);
    driver_advance(&d, 20 * US);
    assert_memory_equal(ram(&d, BUFFER), before, 512);
    driver_advance(&d, 1 * US);
    assert_memory_equal(ram(&d, BUFFER), d.board->st.disk + 7 * 512, 512);
    driver_free(&d);
}

static void each_queue_has_its_message(void **arg)
{
    struct driver d;

    driver_new(&d);
    driver_boot(&d);
    for (unsigned q = 1; q <= 4; q++) {
        assert_int_equal(driver_run(&d, q, transfer(NVME_READ, 0, 1, BUFFER, 0), NULL), NVME_OK);
        for (unsigned v = 0; v <= 8; v++)
            assert_int_equal(driver_message(&d, v), v == q ? v + 1 : 0);
    }
    assert_int_equal(driver_admin(&d, NVME_IDENTIFY, 0, BUFFER, 1, 0, NULL), NVME_OK);
    assert_int_equal(driver_message(&d, 0), 1);
    assert_int_equal(d.board->st.level, 0);
    driver_free(&d);
}

static void the_interrupt_pin_follows_the_completions(void **arg)
{
    struct driver d;
    struct sqe e = transfer(NVME_READ, 0, 1, BUFFER, 0);

    driver_new(&d);
    driver_config(&d, 4, 2, COMMAND_MEMORY_MASTER);
    driver_enable(&d);
    assert_int_equal(create_cq(&d, 1, DEPTH, 1), NVME_VECTOR);
    assert_int_equal(create_cq(&d, 1, DEPTH, 0), NVME_OK);
    assert_int_equal(create_sq(&d, 1, DEPTH, 1), NVME_OK);
    assert_int_equal(d.board->st.level, 0);
    driver_submit(&d, 1, &e);
    driver_submit(&d, 1, &e);
    assert_int_equal(d.board->st.level, 0);
    driver_advance(&d, 100 * US);
    assert_int_equal(d.board->st.level, 1);
    driver_out(&d, NVME_INTMS, 4, 1);
    assert_int_equal(driver_in(&d, NVME_INTMS, 4), 1);
    assert_int_equal(d.board->st.level, 0);
    driver_out(&d, NVME_INTMC, 4, 1);
    assert_int_equal(d.board->st.level, 1);
    driver_take(&d, 1);
    assert_int_equal(d.board->st.level, 1);
    driver_take(&d, 1);
    assert_int_equal(d.board->st.level, 0);
    driver_submit(&d, 1, &e);
    driver_advance(&d, 100 * US);
    assert_int_equal(d.board->st.level, 1);
    driver_out(&d, NVME_CC, 4, 0);
    assert_int_equal(d.board->st.level, 0);
    driver_free(&d);
}

static void a_full_completion_queue_stops_commands_and_loses_none(void **arg)
{
    struct driver d;
    struct sqe e = transfer(NVME_READ, 0, 1, BUFFER, 0);
    struct cqe c;
    u16 first;

    driver_new(&d);
    driver_boot(&d);
    // A completion queue of 4 entries holds 3.
    assert_int_equal(create_cq(&d, 5, 4, 5), NVME_OK);
    assert_int_equal(create_sq(&d, 5, DEPTH, 5), NVME_OK);
    first = driver_submit(&d, 5, &e);
    for (unsigned i = 1; i < 8; i++)
        driver_submit(&d, 5, &e);
    driver_advance(&d, TICKS_PER_SECOND);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(&c, ram(&d, cq_at(5) + 16 * (i % 4)), sizeof(c));
        assert_int_equal(c.status & 1, i / 4 % 2 == 0);
        assert_int_equal(c.cid, first + i);
        // The one after the third is not there yet.
        memcpy(&c, ram(&d, cq_at(5) + 16 * ((i + 3) % 4)), sizeof(c));
        assert_true((c.status & 1) == ((i + 3) / 4 % 2 != 0));
        driver_doorbell(&d, 5, true, (i + 1) % 4);
        driver_advance(&d, 1);
    }
    driver_free(&d);
}

static void more_commands_than_slots_wait_their_turn(void **arg)
{
    struct driver d;
    struct sqe e = transfer(NVME_READ, 0, 1, BUFFER, 0);

    driver_make(&d);
    driver_set(&d, "slots", "2");
    driver_start(&d);
    driver_boot(&d);
    for (unsigned i = 0; i < 15; i++)
        for (unsigned q = 1; q <= 4; q++)
            driver_submit(&d, q, &e);
    driver_advance(&d, TICKS_PER_SECOND);
    for (unsigned i = 0; i < 15; i++)
        for (unsigned q = 1; q <= 4; q++)
            assert_int_equal(driver_take(&d, q).status >> 1, NVME_OK);
    driver_free(&d);
}

static void commands_are_aborted(void **arg)
{
    struct driver d;
    struct sqe e = transfer(NVME_READ, 0, 1024, BUFFER, LISTS);
    struct cqe c;
    u16 cids[3];
    u32 result;

    driver_new(&d);
    driver_boot(&d);
    for (unsigned i = 0; i < 3; i++)
        cids[i] = driver_submit(&d, 1, &e);
    assert_int_equal(driver_admin(&d, NVME_ABORT, 0, 0, (u32)cids[1] << 16 | 1, 0, &result),
                     NVME_OK);
    assert_int_equal(result, 0);
    c = driver_take(&d, 1);
    assert_int_equal(c.cid, cids[1]);
    assert_int_equal(c.status >> 1, NVME_ABORTED);
    assert_int_equal(driver_admin(&d, NVME_ABORT, 0, 0, (u32)cids[1] << 16 | 1, 0, &result),
                     NVME_OK);
    assert_int_equal(result, 1);
    assert_int_equal(driver_admin(&d, NVME_ABORT, 0, 0, 77, 0, &result), NVME_OK);
    assert_int_equal(result, 1);
    // With their queue, too.
    assert_int_equal(driver_admin(&d, NVME_DELETE_SQ, 0, 0, 1, 0, NULL), NVME_OK);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(driver_take(&d, 1).status >> 1, NVME_ABORTED_SQ);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_false(driver_peek(&d, 1, &c));
    driver_free(&d);
}

static void a_reset_forgets_what_is_in_flight(void **arg)
{
    struct driver d;
    struct sqe e = transfer(NVME_WRITE, 0, 8, BUFFER, 0);
    struct cqe c;
    u8 before[512];

    driver_new(&d);
    driver_boot(&d);
    memcpy(before, d.board->st.disk, 512);
    memset(ram(&d, BUFFER), 0xee, 4096);
    driver_submit(&d, 1, &e);
    driver_advance(&d, 10 * US);
    driver_out(&d, NVME_CC, 4, 0);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_memory_equal(d.board->st.disk, before, 512);
    assert_false(driver_peek(&d, 1, &c));
    // A reset of the machine does the same, and it can be brought up again.
    driver_boot(&d);
    driver_submit(&d, 1, &e);
    sim_reset(&d.sim);
    assert_int_equal(driver_in(&d, NVME_CSTS, 4), 0);
    driver_advance(&d, TICKS_PER_SECOND);
    driver_boot(&d);
    assert_int_equal(driver_run(&d, 1, e, NULL), NVME_OK);
    driver_free(&d);
}

static void a_shutdown_flushes(void **arg)
{
    struct driver d;
    u32 flushes;

    driver_new(&d);
    driver_boot(&d);
    flushes = d.board->st.flushes;
    driver_out(&d, NVME_CC, 4, 0x00464001);
    assert_int_equal(d.board->st.flushes, flushes + 1);
    assert_int_equal(driver_in(&d, NVME_CSTS, 4), NVME_CSTS_RDY | NVME_CSTS_SHST_DONE);
    driver_out(&d, NVME_CC, 4, 0);
    assert_int_equal(driver_in(&d, NVME_CSTS, 4), 0);
    driver_free(&d);
}

static void wrong_doorbells_raise_an_event(void **arg)
{
    struct driver d;
    struct sqe aer = sqe(NVME_AER, 0, 0, 0, 0, 0, 0);
    struct cqe c;
    u16 cid = 0;

    driver_new(&d);
    driver_boot(&d);
    for (unsigned i = 0; i < 4; i++)
        cid = driver_submit(&d, 0, &aer);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_false(driver_peek(&d, 0, &c));
    assert_int_equal(driver_run(&d, 0, aer, NULL), NVME_AER_LIMIT);
    driver_doorbell(&d, 1, false, DEPTH);
    c = driver_take(&d, 0);
    assert_int_equal(c.cid, cid);
    assert_int_equal(c.result, 1 << 16 | 1 << 8);
    // The next one waits until the log page is read.
    driver_doorbell(&d, 7, false, 1);
    assert_false(driver_peek(&d, 0, &c));
    assert_int_equal(driver_admin(&d, NVME_GET_LOG, ~0u, BUFFER, 15 << 16 | 1, 0, NULL), NVME_OK);
    c = driver_take(&d, 0);
    assert_int_equal(c.result, 1 << 16 | 0 << 8);
    // A completion queue's head cannot go beyond its tail.
    driver_doorbell(&d, 1, true, 3);
    assert_int_equal(driver_admin(&d, NVME_GET_LOG, ~0u, BUFFER, 15 << 16 | 1, 0, NULL), NVME_OK);
    assert_int_equal(driver_take(&d, 0).result, 1 << 16 | 1 << 8);
    assert_int_equal(driver_run(&d, 1, transfer(NVME_READ, 0, 1, BUFFER, 0), NULL), NVME_OK);
    driver_free(&d);
}

// --- Checkpoints

static void submit_some(struct driver *d, struct rng *rng)
{
    for (unsigned i = 0; i < 12; i++) {
        u64 count = 1 + rng_below(rng, 16), block = rng_below(rng, DISK / 512 - count);
        u64 page = BUFFER + NVME_PAGE * rng_below(rng, 64);
        struct sqe e = transfer(rng_below(rng, 2) ? NVME_READ : NVME_WRITE, block, (u32)count, page,
                                page + 65 * NVME_PAGE);

        driver_submit(d, 1 + (unsigned)rng_below(rng, 4), &e);
    }
}

static void what_is_in_flight_goes_through_a_checkpoint(void **arg)
{
    char path[64];
    struct error err;
    struct rng rng = {3};

    for (unsigned round = 0; round < 12; round++) {
        struct driver a, b;

        snprintf(path, sizeof(path), "%s/facet-nvme-%d-%u",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid(), round);
        driver_new(&a);
        driver_new(&b);
        if (round)
            driver_boot(&a);
        if (round)
            submit_some(&a, &rng);
        else
            driver_out(&a, NVME_CC, 4, 0x00460001);
        driver_advance(&a, rng_below(&rng, 50 * US));
        driver_must(checkpoint_save(&a.sim, path, NULL, &err), &err);
        driver_must(checkpoint_load(&b.sim, path, NULL, &err), &err);
        assert_true(file_remove_tree(path, &err));
        assert_int_equal(sim_hash(&a.sim), sim_hash(&b.sim));
        driver_advance(&a, TICKS_PER_SECOND);
        driver_advance(&b, TICKS_PER_SECOND);
        assert_int_equal(sim_hash(&a.sim), sim_hash(&b.sim));
        assert_memory_equal(&a.nvme->n, &b.nvme->n, sizeof(a.nvme->n));
        driver_free(&a);
        driver_free(&b);
    }
}

// --- Hostile guests

static void poke(struct driver *d, struct rng *rng)
{
    static const u16 registers[] = {0x0c, 0x10, 0x14, 0x14, 0x14, 0x24, 0x28, 0x2c, 0x30, 0x34};
    u64 kind = rng_below(rng, 16);

    if (kind < 10)
        driver_doorbell(d, (unsigned)rng_below(rng, rng_below(rng, 8) ? 6 : 512), rng_below(rng, 2),
                        (u32)(rng_below(rng, 8) ? rng_below(rng, DEPTH) : rng_next(rng)));
    else if (kind == 10)
        driver_out(d, registers[rng_below(rng, ARRAY_SIZE(registers))], 4,
                   rng_below(rng, 2) ? 0x00460001 : rng_next(rng) >> rng_below(rng, 64));
    else if (kind == 11)
        driver_out(d, rng_below(rng, 0x2000 - 8), 1u << rng_below(rng, 4), rng_next(rng));
    else if (kind == 12)
        driver_in(d, rng_below(rng, 0x2000 - 8), 1u << rng_below(rng, 4));
    else
        driver_advance(d, rng_below(rng, 60 * US));
}

// Something like commands, in all queues.
static void fill_queues(struct driver *d, struct rng *rng)
{
    for (unsigned q = 0; q < 6; q++)
        for (unsigned i = 0; i < DEPTH; i++) {
            u64 r = rng_next(rng);
            struct sqe e = sqe((u8)(rng_below(rng, 4) ? rng_below(rng, 14) : r & 0xff),
                               rng_below(rng, 8) ? 1 : (u32)r, rng_below(rng, RAM + 0x8000),
                               rng_below(rng, RAM + 0x8000), (u32)(r >> 20), (u32)(r >> 40),
                               (u32)rng_below(rng, 2000));

            if (rng_below(rng, 4)) {
                e.dword[6] &= ~0xfffu;
                e.dword[8] &= ~0xfffu;
                e.dword[10] &= rng_below(rng, 2) ? 0x0000ffff : 0x000f0007;
                e.dword[11] &= rng_below(rng, 2) ? 0 : 0x00070007;
            }
            memcpy(ram(d, sq_at(q) + 64 * i), &e, sizeof(e));
        }
}

static void nothing_a_guest_does_breaks_it(void **arg)
{
    struct rng rng = {9};
    struct driver d;
    struct error err;
    u64 accepted = 0;

    driver_new(&d);
    for (unsigned round = 0; round < 300; round++) {
        if (round % 8 == 0)
            sim_reset(&d.sim);
        driver_boot(&d);
        fill_queues(&d, &rng);
        for (unsigned i = 0; i < 150; i++)
            poke(&d, &rng);
        // A checkpoint may hold anything, too; what is accepted is as harmless.
        for (unsigned k = 0; k < 4; k++) {
            u8 *at = component_state(&d.nvme->base);

            for (const struct state_field *f = d.nvme->base.type->state; f->name;
                 at += f->size, f++) {
                const struct state_field one[] = {*f, {0}};

                if (rng_below(&rng, 24) == 0)
                    state_randomise(at, one, &rng);
            }
            if (!d.nvme->base.type->ops->after_load(&d.nvme->base, &err)) {
                sim_reset(&d.sim);
                driver_boot(&d);
                continue;
            }
            accepted++;
            for (unsigned i = 0; i < 60; i++)
                poke(&d, &rng);
        }
    }
    assert_true(accepted > 100);
    driver_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_about_queues_are_checked),
        cmocka_unit_test(a_command_takes_its_latency_and_its_bytes),
        cmocka_unit_test(memory_changes_when_the_command_completes),
        cmocka_unit_test(each_queue_has_its_message),
        cmocka_unit_test(the_interrupt_pin_follows_the_completions),
        cmocka_unit_test(a_full_completion_queue_stops_commands_and_loses_none),
        cmocka_unit_test(more_commands_than_slots_wait_their_turn),
        cmocka_unit_test(commands_are_aborted),
        cmocka_unit_test(a_reset_forgets_what_is_in_flight),
        cmocka_unit_test(a_shutdown_flushes),
        cmocka_unit_test(wrong_doorbells_raise_an_event),
        cmocka_unit_test(what_is_in_flight_goes_through_a_checkpoint),
        cmocka_unit_test(nothing_a_guest_does_breaks_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
