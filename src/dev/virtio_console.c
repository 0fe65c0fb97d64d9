// SPDX-License-Identifier: BSD-3-Clause
// Console device, virtio 1.2 section 5.3, with one port. F_SIZE and F_EMERG_WRITE; UNMODELLED:
// F_MULTIPORT, a size that changes. What comes from outside waits in a buffer of `input_size` bytes
// until the driver has given one of its own.
// Timing: a buffer takes `latency`, in either direction, one after the other.
#include "dev/virtio.h"
#include "dev/virtio_devices.h"
#include "sim/char_device.h"
#include "sim/sim.h"

#include <linux/virtio_console.h>

enum { ID_CONSOLE = 3, RECEIVE_QUEUE = 0, TRANSMIT_QUEUE = 1, PIECE_BYTES = 4096 };

#define CONSOLE_PARAMS(P, PR, PB, PS, PC)                                            \
    VIRTIO_PARAMS(P, PR, PB, PS, PC)                                                 \
    P(u32, columns, 80, 1, 65535, "Width it tells the driver")                       \
    P(u32, rows, 25, 1, 65535, "Height it tells the driver")                         \
    P(bytes, input_size, KiB(4), 1, MiB(1), "Characters from outside that can wait") \
    P(ticks, latency, 10000000, 1000, TICKS_PER_SECOND, "Time a buffer takes")

#define CONSOLE_STATE(F, FA, FE, FV) \
    F(u64, first)                    \
    F(u64, waiting)                  \
    FV(u8, input, p->input_size)     \
    FE(receive)                      \
    FE(transmit)

#define CONSOLE_STATS(S, SV, SH, SG, SR)                  \
    S(received, "Byte", "Characters given to the driver") \
    S(transmitted, "Byte", "Characters from the driver")  \
    S(lost, "Byte", "Characters for which there was no room")

#define CONSOLE_EVENTS(E)       \
    E(receive, console_receive) \
    E(transmit, console_transmit)

COMPONENT_LISTS(console, CONSOLE_PARAMS, CONSOLE_STATE, CONSOLE_STATS, CONSOLE_EVENTS);

struct console {
    struct component base;
    struct console_params p;
    struct console_state st;
    struct console_stats n;
    WIRED(struct virtio *virtio);
    WIRED(struct char_output output);
};

static struct console *console_of(const struct component *c)
{
    ASSERT(c->type == &virtio_console_type);
    return (struct console *)(uintptr_t)c;
}

static void out(struct console *d, const u8 *data, size_t size)
{
    d->n.transmitted += size;
    if (d->output.write)
        d->output.write(d->output.ctx, data, size);
}

// Sees to it that what can be moved will be.
static void wake(struct console *d)
{
    if (!d->st.receive.pending && d->st.waiting && virtio_pending(d->virtio, RECEIVE_QUEUE))
        event_schedule_in(&d->st.receive, d->p.latency);
    if (!d->st.transmit.pending && virtio_pending(d->virtio, TRANSMIT_QUEUE))
        event_schedule_in(&d->st.transmit, d->p.latency);
}

// One buffer of the driver's, with as much as there is.
static void console_receive(void *owner, struct event *event)
{
    struct console *d = owner;
    struct virtio_chain chain;
    u64 done = 0, n;

    if (!virtio_pop(d->virtio, RECEIVE_QUEUE, &chain))
        return;
    for (; d->st.waiting && done < chain.writable_bytes; done += n) {
        n = MIN(MIN(d->st.waiting, chain.writable_bytes - done), d->p.input_size - d->st.first);
        if (!virtio_chain_write(d->virtio, &chain, done, d->st.input + d->st.first, n))
            return;
        d->st.first = (d->st.first + n) % d->p.input_size;
        d->st.waiting -= n;
    }
    d->n.received += done;
    virtio_push(d->virtio, RECEIVE_QUEUE, chain.head, done);
    wake(d);
}

static void console_transmit(void *owner, struct event *event)
{
    struct console *d = owner;
    struct virtio_chain chain;
    u8 piece[PIECE_BYTES];

    if (!virtio_pop(d->virtio, TRANSMIT_QUEUE, &chain))
        return;
    for (u64 done = 0, n; done < chain.readable_bytes; done += n) {
        n = MIN(chain.readable_bytes - done, sizeof(piece));
        if (!virtio_chain_read(d->virtio, &chain, done, piece, n))
            return;
        out(d, piece, n);
    }
    virtio_push(d->virtio, TRANSMIT_QUEUE, chain.head, 0);
    wake(d);
}

// The device.

static u64 console_features(struct component *c)
{
    return 1ull << VIRTIO_CONSOLE_F_SIZE | 1ull << VIRTIO_CONSOLE_F_EMERG_WRITE;
}

static void console_config(struct component *c, u8 *ret_bytes)
{
    const struct console *d = console_of(c);
    struct virtio_console_config config = {
        .cols = (u16)d->p.columns, .rows = (u16)d->p.rows, .max_nr_ports = 1};

    memcpy(ret_bytes, &config, sizeof(config));
}

static void console_config_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    u8 character = (u8)value;

    if (offset == offsetof(struct virtio_console_config, emerg_wr))
        out(console_of(c), &character, 1);
    else
        component_guest_warn(c, "write to read-only configuration");
}

static void console_notify(struct component *c, unsigned queue)
{
    wake(console_of(c));
}

// What waits to be received does not belong to the driver yet: it stays.
static void console_stop(struct component *c)
{
    struct console *d = console_of(c);

    event_cancel(&d->st.receive);
    event_cancel(&d->st.transmit);
}

static const struct virtio_device_ops console_device = {
    .id = ID_CONSOLE,
    .class_code = 0x078000,
    .queues = 2,
    .config_bytes = sizeof(struct virtio_console_config),
    .features = console_features,
    .config = console_config,
    .config_write = console_config_write,
    .notify = console_notify,
    .reset = console_stop,
};

// The side that looks outside.

static size_t console_room(struct component *c)
{
    const struct console *d = console_of(c);

    return d->p.input_size - d->st.waiting;
}

static void console_input(struct component *c, const u8 *data, size_t size)
{
    struct console *d = console_of(c);
    size_t n = MIN(size, console_room(c));

    for (size_t i = 0; i < n; i++)
        d->st.input[(d->st.first + d->st.waiting++) % d->p.input_size] = data[i];
    d->n.lost += size - n;
    wake(d);
}

static void console_connect_output(struct component *c, struct char_output output)
{
    console_of(c)->output = output;
}

static const struct char_device_ops console_char_device = {
    .room = console_room,
    .input = console_input,
    .connect = console_connect_output,
};

static bool console_build(struct component *c, struct error *err)
{
    struct console *d = console_of(c);

    d->virtio = virtio_new(c, &console_device, VIRTIO_WIRING(&d->p), err);
    return d->virtio;
}

static bool console_after_load(struct component *c, struct error *err)
{
    const struct console *d = console_of(c);

    if (d->st.first >= d->p.input_size || d->st.waiting > d->p.input_size)
        return error_set(err, ERROR_INPUT, "%s: no possible state", c->path);
    return true;
}

static const struct component_ops console_ops = {
    .build = console_build,
    .after_load = console_after_load,
};

const struct component_type virtio_console_type = {
    .name = "virtio_console",
    .doc = "Virtio console with one port",
    COMPONENT_LAYOUT(console),
    .ops = &console_ops,
    .provides = {IFACE(mmio, &virtio_mmio), IFACE(char_device, &console_char_device)},
};
