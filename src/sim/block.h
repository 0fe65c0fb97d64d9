// SPDX-License-Identifier: BSD-3-Clause
// A block store, as disks see it: bytes at offsets, in units of 512. Provided as IFACE(block, &ops)
// by the component that holds an image (dev/disk). Guest time is the disk model's business: these
// calls are done when they return.
#pragma once

#include "base/error.h"

struct component;

struct block_ops {
    u64 (*size)(struct component *c); // bytes, a multiple of 512
    bool (*read_only)(struct component *c);
    // Offset and size are multiples of 512 within the size. False: an I/O error of the host, which
    // the guest sees as a media error; *err is for the log.
    bool (*read)(struct component *c, u64 offset, void *data, u64 size, struct error *err);
    bool (*write)(struct component *c, u64 offset, const void *data, u64 size, struct error *err);
    // The range reads as zero afterwards.
    bool (*zero)(struct component *c, u64 offset, u64 size, struct error *err);
    bool (*flush)(struct component *c, struct error *err);
};
