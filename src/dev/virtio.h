// SPDX-License-Identifier: BSD-3-Clause
// Virtio 1.2 (OASIS, 2022), the part that all devices share: what a device brings (below), its
// split virtqueues, and the two transports. A device is a component that makes a child `virtio`,
// which holds the status, the negotiated features and the queues. With the parameter `transport`
// mmio the device's IFACE(mmio, &virtio_mmio) are the registers; with pci there is also a child
// `pci` (dev/pci.h), whose parameters say where the function sits.
//
//     #define BLK_PARAMS(P, PR, PB, PS, PC) VIRTIO_PARAMS(P, PR, PB, PS, PC) PS(disk, ...)
//     build:   d->virtio = virtio_new(c, &blk_device, VIRTIO_WIRING(&d->p), err);
//     notify:  while (virtio_pop(d->virtio, queue, &chain)) ...
//     later:   virtio_chain_write(d->virtio, &chain, 0, data, size);
//              virtio_push(d->virtio, queue, chain.head, size);
//
// A driver that breaks the rules of the rings gets DEVICE_NEEDS_RESET: until its reset nothing is
// popped or pushed any more. Every call is safe in that state.
#pragma once

#include "sim/component.h"
#include "sim/mmio.h"

struct virtio;

enum {
    VIRTIO_QUEUES_MAX = 4,
    VIRTIO_SEGMENTS_MAX = 1024,
    VIRTIO_CONFIG_MAX = 256,
};
// UNMODELLED: longer chains, which are legal up to 4 GiB; they bound the work of a request.
#define VIRTIO_CHAIN_BYTES_MAX MiB(64)

struct virtio_device_ops {
    u16 id;                // section 5
    u32 class_code;        // as struct pci_ids
    unsigned queues;       // at most VIRTIO_QUEUES_MAX
    unsigned config_bytes; // of the device's configuration, at most VIRTIO_CONFIG_MAX
    // The device's own feature bits, section 5; the same at all times. NULL: none.
    u64 (*features)(struct component *device);
    // Fills config_bytes (zero before).
    void (*config)(struct component *device, u8 *ret_bytes);
    // The driver writes `size` (1 to 8) bytes of the configuration. NULL: it is read-only.
    void (*config_write)(struct component *device, u64 offset, unsigned size, u64 value);
    // Buffers may be available in a queue of a running device.
    void (*notify)(struct component *device, unsigned queue);
    // By the driver: nothing in flight may survive.
    void (*reset)(struct component *device);
};

#define VIRTIO_PARAMS(P, PR, PB, PS, PC)                                    \
    PC(transport, "pci", "pci|mmio", "How the driver reaches it")           \
    P(u32, queue_size, 256, 2, 1024, "Entries of a queue, a power of two")  \
    PS(memory, "", "Path of the memory it reaches (transport mmio)")        \
    PS(interrupts, "", "Path of what takes the interrupt (transport mmio)") \
    P(u32, irq, 0, 0, 255, "Its input number there (transport mmio)")
// Of a parameter struct that begins with these.
#define VIRTIO_WIRING(p)                                                             \
    (&(struct virtio_wiring){(p)->transport == 1, (u16)(p)->queue_size, (p)->memory, \
                             (p)->interrupts, (unsigned)(p)->irq})
struct virtio_wiring {
    bool mmio;
    u16 queue_size;
    const char *memory, *interrupts; // borrowed
    unsigned irq;
};

// In build: makes the child `virtio`. NULL and *err on failure.
struct virtio *virtio_new(struct component *device, const struct virtio_device_ops *ops,
                          const struct virtio_wiring *wiring, struct error *err);
extern const struct component_type virtio_type;
// For a board that has a place for registers: whether `c` is a virtio device with transport mmio.
bool virtio_is_mmio(const struct component *c);
// Says what it is wired to, between its build and its connect; texts are borrowed. False when its
// description does, too.
bool virtio_wire(struct component *device, const char *memory, const char *interrupts, unsigned irq,
                 struct error *err) MUST_CHECK;
// The registers of section 4.2 for the device's type to provide.
extern const struct mmio_ops virtio_mmio;

// While the machine runs.

struct virtio_segment {
    paddr addr;
    u64 size;
};

// A descriptor chain: first what the device may read, then what it may write.
struct virtio_chain {
    u16 head;
    unsigned readable, writable; // numbers of segments
    u64 readable_bytes, writable_bytes;
    struct virtio_segment segments[VIRTIO_SEGMENTS_MAX];
};

// DRIVER_OK, and nothing was found to be broken.
bool virtio_running(const struct virtio *v);
bool virtio_has_feature(const struct virtio *v, unsigned bit);

// Whether a chain is available. When not, the driver is told that it shall notify again.
bool virtio_pending(struct virtio *v, unsigned queue);
// Takes the next available chain; false when there is none.
bool virtio_pop(struct virtio *v, unsigned queue, struct virtio_chain *ret_chain);
// Walks a chain again that was popped before (a device keeps only the head as its state). False
// when the driver has spoilt it, which breaks the device.
bool virtio_chain_load(struct virtio *v, unsigned queue, u16 head, struct virtio_chain *ret_chain);
// Gives a chain back, `written` bytes of which the device wrote, and interrupts as asked for.
void virtio_push(struct virtio *v, unsigned queue, u16 head, u64 written);

// Bytes [offset, offset + size) of the readable part; false when it is shorter or not in memory,
// which also breaks the device.
bool virtio_chain_read(struct virtio *v, const struct virtio_chain *chain, u64 offset, void *data,
                       u64 size);
// The same, of the writable part.
bool virtio_chain_write(struct virtio *v, const struct virtio_chain *chain, u64 offset,
                        const void *data, u64 size);

// The device's configuration has changed.
void virtio_config_changed(struct virtio *v);
// The driver did what the specification forbids: counted, logged, DEVICE_NEEDS_RESET.
void virtio_fail(struct virtio *v, const char *why);
