// SPDX-License-Identifier: BSD-3-Clause
// Network device, virtio 1.2 section 5.1, with one pair of queues and no offloads: F_MAC, F_STATUS,
// F_MTU. UNMODELLED: the control queue, several pairs, mergeable receive buffers, checksums and
// segmentation by the device, a link that goes down. What comes from outside waits in a queue of
// `frames` frames until the driver has given a buffer.
// Timing: a frame takes `latency` and its bytes at `bandwidth`, one after the other, in each
// direction by itself.
#include "dev/virtio.h"
#include "dev/virtio_devices.h"
#include "sim/net.h"
#include "sim/sim.h"

#include <stdio.h>

enum {
    ID_NETWORK = 1,
    RECEIVE_QUEUE = 0,
    TRANSMIT_QUEUE = 1,
    FEATURE_MTU = 3,
    FEATURE_MAC = 5,
    FEATURE_STATUS = 16,
    // The configuration: address, status, pairs of queues, MTU.
    CONFIG_STATUS = 6,
    CONFIG_MTU = 10,
    CONFIG_BYTES = 12,
    LINK_UP = 1,
    // The header before each frame, section 5.1.6: all zero but for its last two bytes.
    HEADER_BYTES = 12,
    HEADER_BUFFERS = 10,
    MTU = 1500,
    SLOT_BYTES = 1520, // of the queue, for a frame
};
_Static_assert((u32)SLOT_BYTES >= (u32)NET_FRAME_MAX, "a frame fits");

#define NET_PARAMS(P, PR, PB, PS, PC)                                                  \
    VIRTIO_PARAMS(P, PR, PB, PS, PC)                                                   \
    PS(mac, "52:54:00:12:34:56", "Ethernet address")                                   \
    P(u32, frames, 64, 1, 4096, "Frames from outside that can wait")                   \
    P(ticks, latency, 10000000, 1000, TICKS_PER_SECOND, "Time a frame takes at least") \
    P(bytes, bandwidth, 125000000, KiB(1), GiB(64), "Bytes in a second, in each direction")

#define NET_STATE(F, FA, FE, FV)            \
    F(u64, first)                           \
    F(u64, waiting)                         \
    FV(u16, sizes, p->frames)               \
    FV(u8, contents, p->frames *SLOT_BYTES) \
    FE(receive)                             \
    FE(transmit)                            \
    F(u64, sending)

#define NET_STATS(S, SV, SH, SG, SR)                         \
    S(received, "Count", "Frames given to the driver")       \
    S(received_bytes, "Byte", "Bytes in them")               \
    S(transmitted, "Count", "Frames from the driver")        \
    S(transmitted_bytes, "Byte", "Bytes in them")            \
    S(lost, "Count", "Frames from outside that did not fit") \
    S(refused, "Count", "Frames from the driver of an impossible size")

#define NET_EVENTS(E)       \
    E(receive, net_receive) \
    E(transmit, net_transmit)

COMPONENT_LISTS(net, NET_PARAMS, NET_STATE, NET_STATS, NET_EVENTS);

struct net {
    struct component base;
    struct net_params p;
    struct net_state st;
    struct net_stats n;
    WIRED(struct virtio *virtio);
    WIRED(struct net_output output);
    DERIVED(u8 mac[6]);
};

static struct net *net_of(const struct component *c)
{
    ASSERT(c->type == &virtio_net_type);
    return (struct net *)(uintptr_t)c;
}

static tick duration(const struct net *d, u64 bytes)
{
    return d->p.latency + (tick)((u128)bytes * TICKS_PER_SECOND / d->p.bandwidth);
}

// Sees to it that what can be moved will be.
static void wake(struct net *d)
{
    struct virtio_chain chain;

    if (!d->st.receive.pending && d->st.waiting && virtio_pending(d->virtio, RECEIVE_QUEUE))
        event_schedule_in(&d->st.receive, duration(d, d->st.sizes[d->st.first]));
    if (!d->st.transmit.pending && virtio_pop(d->virtio, TRANSMIT_QUEUE, &chain)) {
        d->st.sending = chain.head;
        event_schedule_in(&d->st.transmit, duration(d, chain.readable_bytes));
    }
}

static void net_receive(void *owner, struct event *event)
{
    static const u8 header[HEADER_BYTES] = {[HEADER_BUFFERS] = 1};
    struct net *d = owner;
    const u8 *frame = d->st.contents + d->st.first * SLOT_BYTES;
    u64 size = d->st.sizes[d->st.first], written = 0;
    struct virtio_chain chain;

    if (!d->st.waiting || !virtio_pop(d->virtio, RECEIVE_QUEUE, &chain))
        return;
    d->st.first = (d->st.first + 1) % d->p.frames;
    d->st.waiting--;
    // Section 5.1.6.3.1 wants buffers that are large enough.
    if (chain.writable_bytes < HEADER_BYTES + size) {
        d->n.lost++;
    } else {
        if (!virtio_chain_write(d->virtio, &chain, 0, header, HEADER_BYTES) ||
            !virtio_chain_write(d->virtio, &chain, HEADER_BYTES, frame, size))
            return;
        written = HEADER_BYTES + size;
        d->n.received++;
        d->n.received_bytes += size;
    }
    virtio_push(d->virtio, RECEIVE_QUEUE, chain.head, written);
    wake(d);
}

static void send_frame(struct net *d, const u8 *frame, u64 size)
{
    d->n.transmitted++;
    d->n.transmitted_bytes += size;
    if (d->output.send)
        d->output.send(d->output.ctx, frame, size);
}

static void net_transmit(void *owner, struct event *event)
{
    struct net *d = owner;
    u8 frame[NET_FRAME_MAX];
    struct virtio_chain chain;
    u64 size;

    if (!virtio_chain_load(d->virtio, TRANSMIT_QUEUE, (u16)d->st.sending, &chain))
        return;
    size = chain.readable_bytes - MIN(chain.readable_bytes, HEADER_BYTES);
    if (size < NET_FRAME_MIN || size > NET_FRAME_MAX)
        d->n.refused++;
    else if (virtio_chain_read(d->virtio, &chain, HEADER_BYTES, frame, size))
        send_frame(d, frame, size);
    else
        return;
    virtio_push(d->virtio, TRANSMIT_QUEUE, chain.head, 0);
    wake(d);
}

// The device.

static u64 net_features(struct component *c)
{
    return 1ull << FEATURE_MTU | 1ull << FEATURE_MAC | 1ull << FEATURE_STATUS;
}

static void net_config(struct component *c, u8 *ret_bytes)
{
    const struct net *d = net_of(c);
    u16 status = LINK_UP, mtu = MTU;

    memcpy(ret_bytes, d->mac, sizeof(d->mac));
    memcpy(ret_bytes + CONFIG_STATUS, &status, sizeof(status));
    memcpy(ret_bytes + CONFIG_MTU, &mtu, sizeof(mtu));
}

static void net_notify(struct component *c, unsigned queue)
{
    wake(net_of(c));
}

// Frames that wait came for a driver that is gone.
static void net_stop(struct component *c)
{
    struct net *d = net_of(c);

    event_cancel(&d->st.receive);
    event_cancel(&d->st.transmit);
    d->st.first = d->st.waiting = 0;
}

static const struct virtio_device_ops net_device = {
    .id = ID_NETWORK,
    .class_code = 0x020000,
    .queues = 2,
    .config_bytes = CONFIG_BYTES,
    .features = net_features,
    .config = net_config,
    .notify = net_notify,
    .reset = net_stop,
};

// The end of the cable.

static u64 net_room(struct component *c)
{
    const struct net *d = net_of(c);

    return d->p.frames - d->st.waiting;
}

static void net_input(struct component *c, const u8 *frame, size_t size)
{
    struct net *d = net_of(c);
    u64 at = (d->st.first + d->st.waiting) % d->p.frames;

    if (!net_room(c) || size < NET_FRAME_MIN || size > NET_FRAME_MAX) {
        d->n.lost++;
        return;
    }
    memcpy(d->st.contents + at * SLOT_BYTES, frame, size);
    d->st.sizes[at] = (u16)size;
    d->st.waiting++;
    wake(d);
}

static void net_connect_output(struct component *c, struct net_output output)
{
    net_of(c)->output = output;
}

static void net_address(struct component *c, u8 *ret_address)
{
    memcpy(ret_address, net_of(c)->mac, sizeof(net_of(c)->mac));
}

static const struct net_device_ops net_cable = {
    .room = net_room,
    .receive = net_input,
    .connect = net_connect_output,
    .address = net_address,
};

// The component.

static bool parse_mac(const char *text, u8 *ret_mac)
{
    unsigned byte[6];
    int end = -1;

    if (strlen(text) != 17 ||
        sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &byte[0], &byte[1], &byte[2], &byte[3], &byte[4],
               &byte[5], &end) != 6 ||
        end != 17)
        return false;
    for (unsigned i = 0; i < 6; i++)
        ret_mac[i] = (u8)byte[i];
    return !(ret_mac[0] & 1);
}

static bool net_build(struct component *c, struct error *err)
{
    struct net *d = net_of(c);

    if (!parse_mac(d->p.mac, d->mac))
        return error_set(err, ERROR_INPUT, "'%.40s' is no Ethernet address of one card", d->p.mac);
    d->virtio = virtio_new(c, &net_device, VIRTIO_WIRING(&d->p), err);
    return d->virtio;
}

static bool net_after_load(struct component *c, struct error *err)
{
    const struct net *d = net_of(c);
    bool good = d->st.first < d->p.frames && d->st.waiting <= d->p.frames;

    for (u64 i = 0; i < d->p.frames; i++)
        good &= d->st.sizes[i] <= NET_FRAME_MAX;
    return good || error_set(err, ERROR_INPUT, "%s: no possible state", c->path);
}

static const struct component_ops net_ops = {
    .build = net_build,
    .after_load = net_after_load,
};

const struct component_type virtio_net_type = {
    .name = "virtio_net",
    .doc = "Virtio network card",
    COMPONENT_LAYOUT(net),
    .ops = &net_ops,
    .provides = {IFACE(mmio, &virtio_mmio), IFACE(net_device, &net_cable)},
};
