// SPDX-License-Identifier: BSD-3-Clause
// For the tests of the NVMe controller: a board with RAM, a disk and an interrupt input, and a
// driver that does what Linux's does.
//
//     struct driver d;
//     driver_new(&d);
//     driver_boot(&d);                             // ready, an I/O queue pair for each vector
//     driver_submit(&d, 1, &(struct sqe){...});
//     cqe = driver_wait(&d, 1);
//     driver_free(&d);
#pragma once

#include "base/bug.h"
#include "dev/nvme_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum {
    RAM = 0x100000,
    DISK = 0x180000,
    DEPTH = 16,       // of the queues
    MESSAGES = 0x800, // where vector i writes i + 1
    QUEUES = 0x4000,  // where the queues are: a page for each
    BUFFER = 0x20000,
    BUFFER2 = 0x60000,
    LISTS = 0xe0000,
    COMMAND_MEMORY_MASTER = 6,
    MSIX_CAPABILITY = 0x40,
};

#define MOCK_STATE(F, FA, FE, FV) \
    FA(u8, ram, RAM)              \
    FA(u8, disk, DISK)            \
    F(u32, flushes)               \
    F(u8, level)                  \
    F(u8, read_only)              \
    F(u8, defective)              \
    F(u8, pad)

COMPONENT_LISTS(mock, NO_ROWS, MOCK_STATE, NO_ROWS, NO_ROWS);

struct mock {
    struct component base;
    struct mock_params p;
    struct mock_state st;
    struct mock_stats n;
    DERIVED(struct mmio ranges[8]);
    DERIVED(u64 bases[8]);
};

static inline bool mock_map(struct component *c, u64 base, struct mmio mmio, struct error *err)
{
    struct mock *m = (struct mock *)c;

    for (size_t i = 0; i < ARRAY_SIZE(m->ranges); i++)
        if (!m->ranges[i].ops) {
            m->ranges[i] = mmio;
            m->bases[i] = base;
            return true;
        }
    return error_set(err, ERROR_INPUT, "no room");
}

static inline bool mock_unmap(struct component *c, u64 base)
{
    struct mock *m = (struct mock *)c;

    for (size_t i = 0; i < ARRAY_SIZE(m->ranges); i++)
        if (m->ranges[i].ops && m->bases[i] == base) {
            m->ranges[i].ops = NULL;
            return true;
        }
    return false;
}

static inline bool mock_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    struct mock *m = ctx;

    if (addr >= RAM || size > RAM - addr)
        return false;
    memcpy(write ? m->st.ram + addr : data, write ? data : m->st.ram + addr, size);
    return true;
}

static inline u8 *mock_page(void *ctx, paddr page, bool write)
{
    return page < RAM ? ((struct mock *)ctx)->st.ram + page : NULL;
}

static inline void mock_irq(void *ctx, unsigned number, bool level)
{
    ((struct mock *)ctx)->st.level = level;
}

static inline u64 mock_size(struct component *c)
{
    return DISK;
}

static inline bool mock_read_only(struct component *c)
{
    return ((struct mock *)c)->st.read_only;
}

static inline bool mock_good(struct component *c, u64 offset, u64 size, struct error *err)
{
    assert_true(offset % 512 == 0 && size % 512 == 0 && offset <= DISK && size <= DISK - offset);
    return !((struct mock *)c)->st.defective || error_set(err, ERROR_HOST, "defective");
}

static inline bool mock_read(struct component *c, u64 offset, void *data, u64 size,
                             struct error *err)
{
    if (!mock_good(c, offset, size, err))
        return false;
    memcpy(data, ((struct mock *)c)->st.disk + offset, size);
    return true;
}

static inline bool mock_write(struct component *c, u64 offset, const void *data, u64 size,
                              struct error *err)
{
    if (!mock_good(c, offset, size, err))
        return false;
    memcpy(((struct mock *)c)->st.disk + offset, data, size);
    return true;
}

static inline bool mock_zero(struct component *c, u64 offset, u64 size, struct error *err)
{
    if (!mock_good(c, offset, size, err))
        return false;
    memset(((struct mock *)c)->st.disk + offset, 0, size);
    return true;
}

static inline bool mock_flush(struct component *c, struct error *err)
{
    ((struct mock *)c)->st.flushes++;
    return mock_good(c, 0, 0, err);
}

static const struct bus_ops mock_bus = {.map = mock_map, .unmap = mock_unmap};
static const struct mem_port_ops mock_port = {.access = mock_access, .host_page = mock_page};
static const struct irq_ops mock_irqs = {.set = mock_irq};
static const struct block_ops mock_block = {
    .size = mock_size,
    .read_only = mock_read_only,
    .read = mock_read,
    .write = mock_write,
    .zero = mock_zero,
    .flush = mock_flush,
};
static const struct component_type mock_type = {
    .name = "mock",
    .doc = "Board of a unit test",
    COMPONENT_LAYOUT(mock),
    .provides = {IFACE(bus, &mock_bus), IFACE(mem_port, &mock_port), IFACE(irq, &mock_irqs),
                 IFACE(block, &mock_block)},
};

struct sqe {
    u32 dword[16];
};
struct cqe {
    u32 result, reserved;
    u16 sq_head, sq, cid, status; // status: bit 0 is the phase
};

struct driver {
    struct sim sim;
    struct mock *board;
    struct component *host;
    struct nvme *nvme;
    u16 sq_tail[NVME_QUEUES_MAX + 1], cq_head[NVME_QUEUES_MAX + 1];
    u8 phase[NVME_QUEUES_MAX + 1];
    u16 next_cid;
};

static inline void driver_must(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s", err->message);
}

// Before driver_start: driver_set.
static inline void driver_make(struct driver *d)
{
    static const char *const settings[] = {"memory_bus", "io_bus", "memory", "interrupts"};
    struct error err;

    *d = (struct driver){0};
    assert_true(log_set_filter("error", &err));
    sim_init(&d->sim);
    d->board = (struct mock *)component_new(&d->sim, &mock_type, NULL, "board", &err);
    d->host = component_new(&d->sim, &pci_type, &d->board->base, "pci", &err);
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        driver_must(component_set(d->host, settings[i], "board", &err), &err);
    d->nvme = nvme_of(component_new(&d->sim, &nvme_type, &d->board->base, "nvme", &err));
    driver_must(component_set(&d->nvme->base, "disk", "board", &err), &err);
}

static inline void driver_set(struct driver *d, const char *name, const char *text)
{
    struct error err;

    driver_must(component_set(&d->nvme->base, name, text, &err), &err);
}

static inline void driver_start(struct driver *d)
{
    struct error err;

    driver_must(sim_build(&d->sim, &err), &err);
    sim_reset(&d->sim);
    for (size_t i = 0; i < DISK; i++)
        d->board->st.disk[i] = (u8)(i * 7 + i / 512 * 13);
}

static inline void driver_new(struct driver *d)
{
    driver_make(d);
    driver_start(d);
}

static inline void driver_free(struct driver *d)
{
    sim_release(&d->sim);
}

static inline void driver_advance(struct driver *d, tick ticks)
{
    event_queue_run(&d->sim.queue, d->sim.queue.now + ticks);
}

// --- Registers

static inline struct mmio driver_range(const struct driver *d, u64 size)
{
    for (size_t i = 0; i < ARRAY_SIZE(d->board->ranges); i++)
        if (d->board->ranges[i].ops && d->board->ranges[i].ops->size == size)
            return d->board->ranges[i];
    fail_msg("no range of that size is mapped");
    return (struct mmio){0};
}

static inline u64 driver_in(const struct driver *d, u64 offset, unsigned size)
{
    struct mmio m = driver_range(d, 0x2000);

    return mmio_read(&m, offset, size);
}

static inline void driver_out(const struct driver *d, u64 offset, unsigned size, u64 value)
{
    struct mmio m = driver_range(d, 0x2000);

    mmio_write(&m, offset, size, value);
}

static inline void driver_config(const struct driver *d, unsigned offset, unsigned size, u64 value)
{
    struct mmio ecam = pci_ecam(d->host);

    mmio_write(&ecam, 1u << 15 | offset, size, value); // slot 1
}

static inline void driver_doorbell(const struct driver *d, unsigned queue, bool completion,
                                   u32 value)
{
    driver_out(d, NVME_DOORBELLS + 8 * queue + 4 * completion, 4, value);
}

static inline u8 *ram(struct driver *d, u64 at)
{
    return d->board->st.ram + at;
}

static inline u32 driver_message(struct driver *d, unsigned vector)
{
    u32 v;

    memcpy(&v, ram(d, MESSAGES + 4 * vector), sizeof(v));
    memset(ram(d, MESSAGES + 4 * vector), 0, sizeof(v));
    return v;
}

// --- Queues

static inline u64 sq_at(unsigned queue)
{
    return QUEUES + 0x2000 * queue;
}
static inline u64 cq_at(unsigned queue)
{
    return sq_at(queue) + 0x1000;
}

static inline u16 driver_submit(struct driver *d, unsigned queue, struct sqe *e)
{
    u16 cid = d->next_cid++;

    e->dword[0] = (e->dword[0] & 0xffff) | (u32)cid << 16;
    memcpy(ram(d, sq_at(queue) + 64 * d->sq_tail[queue]), e, sizeof(*e));
    d->sq_tail[queue] = (u16)((d->sq_tail[queue] + 1) % DEPTH);
    driver_doorbell(d, queue, false, d->sq_tail[queue]);
    return cid;
}

static inline bool driver_peek(struct driver *d, unsigned queue, struct cqe *ret_entry)
{
    memcpy(ret_entry, ram(d, cq_at(queue) + 16 * d->cq_head[queue]), sizeof(*ret_entry));
    return (ret_entry->status & 1) != d->phase[queue];
}

static inline struct cqe driver_take(struct driver *d, unsigned queue)
{
    struct cqe e;

    assert_true(driver_peek(d, queue, &e));
    d->cq_head[queue] = (u16)((d->cq_head[queue] + 1) % DEPTH);
    d->phase[queue] ^= d->cq_head[queue] == 0;
    driver_doorbell(d, queue, true, d->cq_head[queue]);
    return e;
}

static inline struct cqe driver_wait(struct driver *d, unsigned queue)
{
    struct cqe e;

    while (!driver_peek(d, queue, &e) && event_queue_step(&d->sim.queue, ~(tick)0))
        ;
    return driver_take(d, queue);
}

// The status of a command without the bit that says not to retry; the result in *ret_result.
static inline u16 driver_run(struct driver *d, unsigned queue, struct sqe e, u32 *ret_result)
{
    u16 cid = driver_submit(d, queue, &e);
    struct cqe c = driver_wait(d, queue);

    assert_int_equal(c.cid, cid);
    assert_int_equal(c.sq, queue);
    assert_int_equal(c.sq_head, d->sq_tail[queue]);
    if (ret_result)
        *ret_result = c.result;
    return (u16)(c.status >> 1 & ~NVME_DNR);
}

// dword 0 and 1, PRP 1 and 2, dwords 10 to 12.
static inline struct sqe sqe(u8 opcode, u32 nsid, u64 prp1, u64 prp2, u32 d10, u32 d11, u32 d12)
{
    return (struct sqe){{opcode, nsid, 0, 0, 0, 0, (u32)prp1, (u32)(prp1 >> 32), (u32)prp2,
                         (u32)(prp2 >> 32), d10, d11, d12}};
}

static inline u16 driver_admin(struct driver *d, u8 opcode, u32 nsid, u64 prp1, u32 d10, u32 d11,
                               u32 *ret_result)
{
    return driver_run(d, 0, sqe(opcode, nsid, prp1, 0, d10, d11, 0), ret_result);
}

static inline struct sqe transfer(u8 opcode, u64 block, u32 count, u64 prp1, u64 prp2)
{
    return sqe(opcode, 1, prp1, prp2, (u32)block, (u32)(block >> 32), count - 1);
}

// --- Bringing it up, as Linux does (drivers/nvme/host: nvme_pci_enable, nvme_enable_ctrl, ...)

static inline void driver_enable(struct driver *d)
{
    u32 ready;

    driver_out(d, NVME_CC, 4, 0);
    memset(d->sq_tail, 0, sizeof(d->sq_tail));
    memset(d->cq_head, 0, sizeof(d->cq_head));
    memset(d->phase, 0, sizeof(d->phase));
    memset(ram(d, QUEUES), 0, BUFFER - QUEUES);
    driver_out(d, NVME_AQA, 4, (DEPTH - 1) << 16 | (DEPTH - 1));
    driver_out(d, NVME_ASQ, 4, sq_at(0));
    driver_out(d, NVME_ASQ + 4, 4, 0);
    driver_out(d, NVME_ACQ, 8, cq_at(0));
    driver_out(d, NVME_CC, 4, 0x00460000);
    driver_out(d, NVME_CC, 4, 0x00460001);
    do {
        driver_advance(d, 1000000);
        ready = (u32)driver_in(d, NVME_CSTS, 4);
        assert_int_equal(ready & NVME_CSTS_CFS, 0);
    } while (!(ready & NVME_CSTS_RDY));
}

static inline void driver_msix(struct driver *d)
{
    struct mmio table = driver_range(d, 0x1000);

    for (unsigned i = 0; i <= d->nvme->p.queues; i++) {
        mmio_write(&table, 16 * i, 4, MESSAGES + 4 * i);
        mmio_write(&table, 16 * i + 4, 4, 0);
        mmio_write(&table, 16 * i + 8, 4, i + 1);
        mmio_write(&table, 16 * i + 12, 4, 0);
    }
    driver_config(d, MSIX_CAPABILITY + 2, 2, 0x8000);
}

static inline u16 create_cq(struct driver *d, u32 id, u32 entries, u32 vector)
{
    return driver_admin(d, NVME_CREATE_CQ, 0, cq_at(id), (entries - 1) << 16 | id, vector << 16 | 3,
                        NULL);
}

static inline u16 create_sq(struct driver *d, u32 id, u32 entries, u32 cq)
{
    return driver_admin(d, NVME_CREATE_SQ, 0, sq_at(id), (entries - 1) << 16 | id, cq << 16 | 1,
                        NULL);
}

static inline void driver_boot(struct driver *d)
{
    u32 result;

    driver_config(d, 4, 2, COMMAND_MEMORY_MASTER);
    driver_enable(d);
    driver_msix(d);
    assert_int_equal(
        driver_admin(d, NVME_SET_FEATURES, 0, 0, NVME_FEATURE_QUEUES, 0x00030003, &result),
        NVME_OK);
    for (u32 q = 1; q <= MIN((result & 0xffff) + 1, 4); q++) {
        assert_int_equal(create_cq(d, q, DEPTH, q), NVME_OK);
        assert_int_equal(create_sq(d, q, DEPTH, q), NVME_OK);
    }
    for (u32 q = 0; q <= d->nvme->p.queues; q++)
        driver_message(d, q);
}
