// SPDX-License-Identifier: BSD-3-Clause
// What virtio.c, virtio_queue.c and the transports share.
#pragma once

#include "dev/virtio.h"

enum {
    // Section 2.1.
    VIRTIO_ACKNOWLEDGE = 1,
    VIRTIO_DRIVER = 2,
    VIRTIO_DRIVER_OK = 4,
    VIRTIO_FEATURES_OK = 8,
    VIRTIO_NEEDS_RESET = 64,
    VIRTIO_FAILED = 128,
    // Section 6.
    VIRTIO_F_INDIRECT_DESC = 28,
    VIRTIO_F_EVENT_IDX = 29,
    VIRTIO_F_VERSION_1 = 32,
    // Bits of the interrupt status.
    VIRTIO_ISR_QUEUE = 1,
    VIRTIO_ISR_CONFIG = 2,

    VIRTIO_NO_VECTOR = 0xffff,
    VIRTIO_VENDOR = 0x1af4,
};

#define VIRTIO_STATE(F, FA, FE, FV)        \
    F(u64, driver_features)                \
    FA(u64, desc, VIRTIO_QUEUES_MAX)       \
    FA(u64, avail, VIRTIO_QUEUES_MAX)      \
    FA(u64, used, VIRTIO_QUEUES_MAX)       \
    F(u32, device_select)                  \
    F(u32, driver_select)                  \
    F(u32, queue_select)                   \
    F(u32, generation)                     \
    FA(u16, size, VIRTIO_QUEUES_MAX)       \
    FA(u16, last_avail, VIRTIO_QUEUES_MAX) \
    FA(u16, used_index, VIRTIO_QUEUES_MAX) \
    FA(u16, vector, VIRTIO_QUEUES_MAX)     \
    FA(u8, ready, VIRTIO_QUEUES_MAX)       \
    F(u16, config_vector)                  \
    F(u8, status)                          \
    F(u8, isr)

#define VIRTIO_STATS(S, SV, SH, SG, SR)                        \
    S(notifications, "Count", "Notifications from the driver") \
    S(chains, "Count", "Descriptor chains given back")         \
    S(interrupts, "Count", "Interrupts to the driver")         \
    S(resets, "Count", "Resets by the driver")                 \
    S(broken, "Count", "Times the driver broke the rules: NEEDS_RESET")

STATE_STRUCT(virtio_state, VIRTIO_STATE);
STAT_STRUCT(virtio_stats, VIRTIO_STATS);
PARAM_STRUCT(virtio_params, NO_ROWS);

struct virtio {
    struct component base;
    struct virtio_params p;
    struct virtio_state st;
    struct virtio_stats n;
    WIRED(struct component *device);
    WIRED(const struct virtio_device_ops *ops);
    WIRED(struct virtio_wiring wiring);
    WIRED(struct component *pci); // NULL: transport mmio
    WIRED(struct mem_port dma);
    WIRED(struct mem_port memory); // behind dma, for transport mmio
    WIRED(struct irq_line irq);
    WIRED(unsigned pci_window); // offset of its capability in configuration space
};

struct virtio *virtio_of(const struct component *c);
struct virtio *virtio_of_device(const struct component *device);

// What both transports have as registers.
u32 virtio_device_features(const struct virtio *v);
void virtio_set_driver_features(struct virtio *v, u32 value);
u32 virtio_driver_features(const struct virtio *v);
void virtio_set_status(struct virtio *v, u8 value);
void virtio_notified(struct virtio *v, u32 queue);
u64 virtio_config_read(struct virtio *v, u64 offset, unsigned size);
void virtio_config_write(struct virtio *v, u64 offset, unsigned size, u64 value);
// The selected queue, or -1 when there is none with that number.
int virtio_selected(const struct virtio *v);
void virtio_set_queue_size(struct virtio *v, u32 size);
void virtio_set_queue_ready(struct virtio *v, bool ready);
enum virtio_ring { VIRTIO_DESC, VIRTIO_AVAIL, VIRTIO_USED };
// One half of a ring's address; `high`: the upper one.
u32 virtio_ring_address(const struct virtio *v, enum virtio_ring ring, bool high);
void virtio_set_ring_address(struct virtio *v, enum virtio_ring ring, bool high, u32 value);

void virtio_interrupt_queue(struct virtio *v, unsigned queue);
// After the interrupt status changed.
void virtio_update_line(struct virtio *v);

bool virtio_pci_build(struct virtio *v, struct error *err);
