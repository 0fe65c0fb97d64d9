// SPDX-License-Identifier: BSD-3-Clause
// A network card, as whoever is at the other end of its cable sees it: Ethernet frames, without the
// checksum, at most NET_FRAME_MAX bytes. Provided as IFACE(net_device, &ops); the machine connects
// it to a back end or to the card of another machine, a test to a buffer.
#pragma once

#include "base/types.h"

struct component;

enum {
    NET_FRAME_MIN = 14, // a header; no padding to 60 bytes is needed
    NET_FRAME_MAX = 1518,
};

struct net_output {
    // The card sends a frame. The back end takes it or loses it.
    void (*send)(void *ctx, const u8 *frame, size_t size);
    void *ctx; // borrowed
};

struct net_device_ops {
    // How many frames it can take now without losing any.
    u64 (*room)(struct component *c);
    // A frame for the guest; lost when there is no room or it has no possible size.
    void (*receive)(struct component *c, const u8 *frame, size_t size);
    // Where the guest's frames go from now on; all zero: nowhere, the cable is out.
    void (*connect)(struct component *c, struct net_output output);
    // Its address: 6 bytes.
    void (*address)(struct component *c, u8 *ret_address);
};
