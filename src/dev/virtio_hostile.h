// SPDX-License-Identifier: BSD-3-Clause
// A hostile driver for the tests of virtio devices: bytes are a program of register accesses, ring
// entries, writes to memory and steps of time. Whatever it does, the device must live, and work
// again after a reset. Used by virtio_hostile_test.c and tests/fuzz/fuzz_virtio.c.
#pragma once

#include "dev/virtio_mock.h"
#include "sim/char_device.h"
#include "sim/net.h"

struct hostile_input {
    const u8 *data;
    size_t left;
};

static inline u32 hostile_take(struct hostile_input *in, unsigned bytes)
{
    u32 value = 0;

    for (; bytes && in->left; bytes--, in->left--)
        value = value << 8 | *in->data++;
    return value;
}

// Mostly in or near RAM.
static inline paddr hostile_address(struct hostile_input *in)
{
    u32 value = hostile_take(in, 3);

    return value >> 20 == 0xf ? ~(u64)0 - (value & 0xffff) : value % (MOCK_RAM + 0x1000);
}

static inline u32 hostile_size(struct hostile_input *in)
{
    u32 value = hostile_take(in, 2);

    return value >> 12 == 0xf ? value << 20 : value % 0x1200;
}

static inline void hostile_poke(struct driver *d, struct hostile_input *in)
{
    paddr addr = hostile_address(in);
    u32 size = hostile_take(in, 1);

    for (u32 i = 0; i < size % 64; i++)
        if (addr + i < MOCK_RAM)
            *(u8 *)ram(d, addr + i) = (u8)hostile_take(in, 1);
}

static inline void hostile_descriptor(struct driver *d, struct hostile_input *in, unsigned q)
{
    u32 shape = hostile_take(in, 1);
    struct buffer b = {hostile_address(in), hostile_size(in)};
    // Sometimes into an indirect table.
    paddr table = shape & 0x80 ? MOCK_BUFFERS : desc_table(q);

    put_descriptor(d, table, hostile_take(in, 1) % 16, b, shape & 7,
                   (u16)(hostile_take(in, 1) % 17));
}

// One that is a 9P message: its size and type, and fields that are mostly small numbers.
static inline void hostile_message(struct driver *d, struct hostile_input *in, unsigned q)
{
    struct buffer parts[2] = {{MOCK_BUFFERS + 0x8000, 64}, {MOCK_BUFFERS + 0x9000, 4096}};
    u8 *message = ram(d, parts[0].addr);

    parts[0].size = 7 + hostile_take(in, 1) % 57;
    memset(message, 0, 64);
    message[0] = (u8)parts[0].size;
    message[4] = (u8)(hostile_take(in, 1) & 0x7e);
    for (u32 i = 7; i < parts[0].size; i++)
        message[i] = (u8)hostile_take(in, 1) & (i % 4 == 3 ? 3 : i % 4 == 0 ? 0xff : 0);
    driver_add(d, q, parts, 1, 1);
    driver_kick(d, q);
}

// Something that looks like a request: a header, data, a byte for the status.
static inline void hostile_request(struct driver *d, struct hostile_input *in, unsigned q)
{
    struct buffer parts[3] = {{MOCK_BUFFERS + 0x8000, 16}, {0, 0}, {MOCK_BUFFERS + 0x8100, 1}};
    u32 header[4] = {hostile_take(in, 1) % 16, 0, hostile_take(in, 2) % (MOCK_DISK / 512 + 2), 0};
    u32 shape = hostile_take(in, 1);

    memcpy(ram(d, parts[0].addr), header, sizeof(header));
    parts[1].addr = hostile_address(in);
    parts[1].size = shape & 8 ? hostile_size(in) : (shape >> 4) * 512;
    driver_add(d, q, parts, shape & 1 ? 1 : 2, shape & 1 ? 2 : 1);
    if (shape & 2)
        hostile_descriptor(d, in, q);
    driver_kick(d, q);
}

static inline void hostile_register(struct driver *d, struct hostile_input *in)
{
    u32 shape = hostile_take(in, 1);
    unsigned size = shape & 0x40 ? 1u << (shape & 3) : 4;
    u64 offset = size == 4 ? (hostile_take(in, 1) & 0x7f) * 4u : hostile_take(in, 2);

    offset %= d->mmio.ops->size - size + 1;
    if (shape & 0x80)
        mmio_read(&d->mmio, offset, size);
    else
        mmio_write(&d->mmio, offset, size, hostile_take(in, 4));
}

static inline void hostile_outside(struct driver *d, struct hostile_input *in)
{
    const struct char_device_ops *console = component_interface(d->device, "char_device");
    const struct net_device_ops *card = component_interface(d->device, "net_device");
    u8 data[64];
    u32 size = hostile_take(in, 1) % sizeof(data);

    for (u32 i = 0; i < size; i++)
        data[i] = (u8)hostile_take(in, 1);
    if (console)
        console->input(d->device, data, size);
    else if (card)
        card->receive(d->device, data, size);
    else
        d->board->st.defective = size & 1;
}

static inline void hostile_step(struct driver *d, struct hostile_input *in)
{
    u32 what = hostile_take(in, 1);
    unsigned q = what >> 6 & 1;

    switch (what % 8) {
    case 0:
        hostile_register(d, in);
        break;
    case 1:
        hostile_poke(d, in);
        break;
    case 2:
        driver_advance(d, (tick)hostile_take(in, 2) * 10000);
        break;
    case 3:
        if (d->device->type == &virtio_9p_type)
            hostile_message(d, in, q);
        else
            hostile_outside(d, in);
        break;
    case 4:
        driver_kick(d, q);
        break;
    case 5:
        driver_offer(d, q, (u16)(hostile_take(in, 1) % 17));
        driver_kick(d, q);
        break;
    case 6:
        hostile_request(d, in, q);
        break;
    default:
        hostile_descriptor(d, in, q);
    }
    if (driver_status(d) & STATUS_NEEDS_RESET)
        driver_start(d, ~0ull, 16);
}

// Runs a program on a machine that was built; at its end a well-behaved driver can start.
static inline void hostile_run(struct driver *d, const u8 *data, size_t size)
{
    struct hostile_input in = {data, size};

    sim_reset(&d->sim);
    driver_start(d, hostile_take(&in, 1) & 1 ? ~0ull : ~(3ull << FEATURE_INDIRECT), 16);
    while (in.left)
        hostile_step(d, &in);
    driver_advance(d, TICKS_PER_SECOND);
    d->board->st.defective = 0;
    driver_start(d, ~0ull, 16);
    ASSERT(driver_status(d) == 15);
}
