// SPDX-License-Identifier: BSD-3-Clause
// For the tests of virtio devices: a board with RAM, a disk and an interrupt input, and a driver
// that does what Linux's does, over either transport.
//
//     struct driver d;
//     driver_new(&d, &virtio_blk_type);
//     driver_set(&d, "disk", "board");
//     driver_boot(&d, ~0ull);                  // negotiates all features, sets up the queues
//     driver_add(&d, 0, buffers, out, in);
//     driver_kick(&d, 0);
//     driver_advance(&d, TICKS_PER_SECOND);
//     driver_take(&d, 0, &head, &length);
#pragma once

#include "base/bug.h"
#include "base/rng.h"
#include "dev/virtio.h"
#include "dev/virtio_devices.h"
#include "sim/block.h"
#include "sim/sim.h"

#include <string.h>

enum {
    MOCK_RAM = 0x80000,
    MOCK_DISK = 0x40000,
    MOCK_QUEUES = 0x10000, // where the rings are: 16 KiB for each queue
    MOCK_BUFFERS = 0x20000,
    MOCK_WATCHED = 0x7f000, // a page whose writes somebody wants to see
    MOCK_SECTOR = 512,

    // Registers, section 4.2.2.
    MMIO_FEATURES = 0x10,
    MMIO_FEATURES_SEL = 0x14,
    MMIO_DRIVER_FEATURES = 0x20,
    MMIO_DRIVER_FEATURES_SEL = 0x24,
    MMIO_QUEUE_SEL = 0x30,
    MMIO_QUEUE_NUM_MAX = 0x34,
    MMIO_QUEUE_NUM = 0x38,
    MMIO_QUEUE_READY = 0x44,
    MMIO_NOTIFY = 0x50,
    MMIO_ISR = 0x60,
    MMIO_ACK = 0x64,
    MMIO_STATUS = 0x70,
    MMIO_DESC = 0x80,
    MMIO_AVAIL = 0x90,
    MMIO_USED = 0xa0,
    MMIO_CONFIG = 0x100,

    STATUS_ACKNOWLEDGE = 1,
    STATUS_DRIVER = 2,
    STATUS_DRIVER_OK = 4,
    STATUS_FEATURES_OK = 8,
    STATUS_NEEDS_RESET = 64,

    FEATURE_INDIRECT = 28,
    FEATURE_EVENT_IDX = 29,
    FEATURE_VERSION_1 = 32,

    DESC_F_NEXT = 1,
    DESC_F_WRITE = 2,
    DESC_F_INDIRECT = 4,
};

#define MOCK_STATE(F, FA, FE, FV) \
    FA(u8, ram, MOCK_RAM)         \
    FA(u8, disk, MOCK_DISK)       \
    F(u32, rises)                 \
    F(u32, flushes)               \
    F(u8, level)                  \
    F(u8, read_only)              \
    F(u8, defective)              \
    F(u8, pad)

COMPONENT_LISTS(mock, NO_ROWS, MOCK_STATE, NO_ROWS, NO_ROWS);

struct mock_range {
    u64 base;
    struct mmio mmio;
};

struct mock {
    struct component base;
    struct mock_params p;
    struct mock_state st;
    struct mock_stats n;
    WIRED(struct mock_range ranges[8]); // where BARs are
    WIRED(size_t range_count);
};

static inline bool mock_map(struct component *c, u64 base, struct mmio mmio, struct error *err)
{
    struct mock *m = (struct mock *)c;

    ASSERT(m->range_count < ARRAY_SIZE(m->ranges));
    m->ranges[m->range_count++] = (struct mock_range){base, mmio};
    return true;
}

static inline bool mock_unmap(struct component *c, u64 base)
{
    struct mock *m = (struct mock *)c;

    for (size_t i = 0; i < m->range_count; i++) {
        if (m->ranges[i].base != base)
            continue;
        m->ranges[i] = m->ranges[--m->range_count];
        return true;
    }
    return false;
}

static inline bool mock_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    struct mock *m = ctx;

    if (addr >= MOCK_RAM || size > MOCK_RAM - addr) {
        memset(data, write ? 0 : 0xff, write ? 0 : size);
        return false;
    }
    memcpy(write ? m->st.ram + addr : data, write ? data : m->st.ram + addr, size);
    return true;
}

static inline u8 *mock_page(void *ctx, paddr page, bool write)
{
    struct mock *m = ctx;

    return page < MOCK_RAM && !(write && page == MOCK_WATCHED) ? m->st.ram + page : NULL;
}

static inline void mock_irq(void *ctx, unsigned number, bool level)
{
    struct mock *m = ctx;

    m->st.rises += level && !m->st.level;
    m->st.level = level;
}

static inline u64 mock_size(struct component *c)
{
    return MOCK_DISK;
}

static inline bool mock_read_only(struct component *c)
{
    return ((struct mock *)c)->st.read_only;
}

// Where a disk access goes; what the contract forbids is a bug of the device.
static inline u8 *mock_at(struct component *c, u64 offset, u64 size, struct error *err)
{
    struct mock *m = (struct mock *)c;

    ASSERT(offset % MOCK_SECTOR == 0 && size % MOCK_SECTOR == 0);
    ASSERT(offset <= MOCK_DISK && size <= MOCK_DISK - offset);
    if (m->st.defective)
        error_set(err, ERROR_HOST, "the disk is defective");
    return m->st.defective ? NULL : m->st.disk + offset;
}

static inline bool mock_read(struct component *c, u64 offset, void *data, u64 size,
                             struct error *err)
{
    const u8 *at = mock_at(c, offset, size, err);

    return at && memcpy(data, at, size);
}

static inline bool mock_write(struct component *c, u64 offset, const void *data, u64 size,
                              struct error *err)
{
    u8 *at = mock_at(c, offset, size, err);

    return at && memcpy(at, data, size);
}

static inline bool mock_zero(struct component *c, u64 offset, u64 size, struct error *err)
{
    u8 *at = mock_at(c, offset, size, err);

    return at && memset(at, 0, size);
}

static inline bool mock_flush(struct component *c, struct error *err)
{
    ((struct mock *)c)->st.flushes++;
    return mock_at(c, 0, 0, err);
}

static const struct mem_port_ops mock_port = {.access = mock_access, .host_page = mock_page};
static const struct irq_ops mock_irqs = {.set = mock_irq};
static const struct block_ops mock_block = {.size = mock_size,
                                            .read_only = mock_read_only,
                                            .read = mock_read,
                                            .write = mock_write,
                                            .zero = mock_zero,
                                            .flush = mock_flush};
static const struct bus_ops mock_bus = {.map = mock_map, .unmap = mock_unmap};
static const struct component_type mock_type = {
    .name = "mock",
    .doc = "RAM, disk, interrupt and bus of a test",
    COMPONENT_LAYOUT(mock),
    .provides = {IFACE(mem_port, &mock_port), IFACE(irq, &mock_irqs), IFACE(block, &mock_block),
                 IFACE(bus, &mock_bus)},
};

// One buffer of a request.
struct buffer {
    paddr addr;
    u32 size;
};

struct driver {
    struct sim sim;
    struct mock *board;
    struct component *device; // "board.device"
    struct mmio mmio;         // its registers
    u64 features;
    u16 size;                  // of each queue
    u16 available[4], seen[4]; // indices
    u16 next_descriptor[4];
    paddr next_buffer;
};

static inline void driver_new(struct driver *d, const struct component_type *type)
{
    struct error err;

    ASSERT(log_set_filter("error", &err));
    *d = (struct driver){0};
    sim_init(&d->sim);
    d->board = (struct mock *)component_new(&d->sim, &mock_type, NULL, "board", &err);
    d->device = component_new(&d->sim, type, &d->board->base, "device", &err);
    ASSERT(d->device);
    d->mmio = (struct mmio){component_interface(d->device, "mmio"), d->device};
}

static inline void driver_set(struct driver *d, const char *param, const char *text)
{
    struct error err;

    if (!component_set(d->device, param, text, &err))
        BUG("%s", err.message);
}

// Builds the machine of a device behind MMIO and switches it on.
static inline void driver_build(struct driver *d)
{
    struct error err;

    driver_set(d, "transport", "mmio");
    driver_set(d, "memory", "board");
    driver_set(d, "interrupts", "board");
    if (!sim_build(&d->sim, &err))
        BUG("%s", err.message);
    sim_reset(&d->sim);
}

static inline u32 driver_get(const struct driver *d, u64 offset)
{
    return (u32)mmio_read(&d->mmio, offset, 4);
}

static inline void driver_put(const struct driver *d, u64 offset, u32 value)
{
    mmio_write(&d->mmio, offset, 4, value);
}

static inline u8 driver_status(const struct driver *d)
{
    return (u8)driver_get(d, MMIO_STATUS);
}

static inline paddr desc_table(unsigned q)
{
    return MOCK_QUEUES + 0x4000 * q;
}
static inline paddr avail_ring(unsigned q)
{
    return desc_table(q) + 0x1000;
}
static inline paddr used_ring(unsigned q)
{
    return desc_table(q) + 0x2000;
}

static inline void *ram(const struct driver *d, paddr addr)
{
    ASSERT(addr < MOCK_RAM);
    return d->board->st.ram + addr;
}

static inline void poke16(const struct driver *d, paddr addr, u16 value)
{
    memcpy(ram(d, addr), &value, sizeof(value));
}

static inline u16 peek16(const struct driver *d, paddr addr)
{
    u16 value;

    memcpy(&value, ram(d, addr), sizeof(value));
    return value;
}

static inline u64 driver_offered(const struct driver *d)
{
    u64 low;

    driver_put(d, MMIO_FEATURES_SEL, 0);
    low = driver_get(d, MMIO_FEATURES);
    driver_put(d, MMIO_FEATURES_SEL, 1);
    return low | (u64)driver_get(d, MMIO_FEATURES) << 32;
}

static inline void driver_put_ring(const struct driver *d, u64 at, paddr addr)
{
    driver_put(d, at, (u32)addr);
    driver_put(d, at + 4, (u32)(addr >> 32));
}

// Section 3.1.1, up to FEATURES_OK.
static inline void driver_negotiate(struct driver *d, u64 features)
{
    driver_put(d, MMIO_STATUS, 0);
    driver_put(d, MMIO_STATUS, STATUS_ACKNOWLEDGE);
    driver_put(d, MMIO_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    d->features = driver_offered(d) & features;
    driver_put(d, MMIO_DRIVER_FEATURES_SEL, 0);
    driver_put(d, MMIO_DRIVER_FEATURES, (u32)d->features);
    driver_put(d, MMIO_DRIVER_FEATURES_SEL, 1);
    driver_put(d, MMIO_DRIVER_FEATURES, (u32)(d->features >> 32));
    driver_put(d, MMIO_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
}

static inline void driver_set_up_queue(struct driver *d, unsigned q, u16 size)
{
    memset(ram(d, desc_table(q)), 0, 0x4000);
    d->available[q] = d->seen[q] = d->next_descriptor[q] = 0;
    driver_put(d, MMIO_QUEUE_SEL, q);
    driver_put(d, MMIO_QUEUE_NUM, size);
    driver_put_ring(d, MMIO_DESC, desc_table(q));
    driver_put_ring(d, MMIO_AVAIL, avail_ring(q));
    driver_put_ring(d, MMIO_USED, used_ring(q));
    driver_put(d, MMIO_QUEUE_READY, 1);
}

static inline void driver_start(struct driver *d, u64 features, u16 size)
{
    driver_negotiate(d, features);
    d->size = size;
    d->next_buffer = MOCK_BUFFERS;
    for (unsigned q = 0; q < 4; q++) {
        driver_put(d, MMIO_QUEUE_SEL, q);
        if (driver_get(d, MMIO_QUEUE_NUM_MAX))
            driver_set_up_queue(d, q, size);
    }
    driver_put(d, MMIO_STATUS,
               STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
}

static inline void driver_boot(struct driver *d, u64 features)
{
    driver_build(d);
    driver_start(d, features, 16);
}

static inline struct buffer driver_buffer(struct driver *d, u32 size)
{
    struct buffer b = {d->next_buffer, size};

    d->next_buffer += (size + 15) / 16 * 16;
    ASSERT(d->next_buffer <= MOCK_RAM);
    return b;
}

static inline void put_descriptor(const struct driver *d, paddr table, u16 index, struct buffer b,
                                  u16 flags, u16 next)
{
    u8 *at = ram(d, table + 16u * index);

    memcpy(at, &b.addr, 8);
    memcpy(at + 8, &b.size, 4);
    memcpy(at + 12, &flags, 2);
    memcpy(at + 14, &next, 2);
}

// Offers the chain that begins at `head`.
static inline void driver_offer(struct driver *d, unsigned q, u16 head)
{
    poke16(d, avail_ring(q) + 4 + 2u * (d->available[q] % d->size), head);
    poke16(d, avail_ring(q) + 2, ++d->available[q]);
}

// A chain of `out` buffers to read and `in` to write; returns its head.
static inline u16 driver_add(struct driver *d, unsigned q, const struct buffer *buffers,
                             unsigned out, unsigned in)
{
    u16 head = d->next_descriptor[q], index = head;

    for (unsigned i = 0; i < out + in; i++) {
        bool last = i + 1 == out + in;
        u16 next = (u16)((index + 1) % d->size);

        put_descriptor(d, desc_table(q), index, buffers[i],
                       (u16)((i >= out ? DESC_F_WRITE : 0) | (last ? 0 : DESC_F_NEXT)),
                       last ? 0 : next);
        index = next;
    }
    d->next_descriptor[q] = index;
    driver_offer(d, q, head);
    return head;
}

static inline void driver_kick(const struct driver *d, unsigned q)
{
    driver_put(d, MMIO_NOTIFY, q);
}

static inline void driver_advance(struct driver *d, tick ticks)
{
    event_queue_run(&d->sim.queue, d->sim.queue.now + ticks);
}

// The next chain that the device gave back; false when there is none.
static inline bool driver_take(struct driver *d, unsigned q, u32 *ret_head, u32 *ret_length)
{
    const u8 *entry = ram(d, used_ring(q) + 4 + 8u * (d->seen[q] % d->size));

    if (peek16(d, used_ring(q) + 2) == d->seen[q])
        return false;
    memcpy(ret_head, entry, 4);
    memcpy(ret_length, entry + 4, 4);
    d->seen[q]++;
    return true;
}
