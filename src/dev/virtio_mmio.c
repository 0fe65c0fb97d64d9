// SPDX-License-Identifier: BSD-3-Clause
// The MMIO transport, virtio 1.2 section 4.2, version 2: registers of 32 bits, then the device's
// configuration, which takes accesses of any size. A level interrupt while the status is not zero.
// UNMODELLED: shared memory regions (their registers read as "none"), the legacy interface.
#include "dev/virtio_priv.h"

enum {
    REG_MAGIC = 0x000,
    REG_VERSION = 0x004,
    REG_DEVICE_ID = 0x008,
    REG_VENDOR_ID = 0x00c,
    REG_DEVICE_FEATURES = 0x010,
    REG_DEVICE_FEATURES_SEL = 0x014,
    REG_DRIVER_FEATURES = 0x020,
    REG_DRIVER_FEATURES_SEL = 0x024,
    REG_QUEUE_SEL = 0x030,
    REG_QUEUE_NUM_MAX = 0x034,
    REG_QUEUE_NUM = 0x038,
    REG_QUEUE_READY = 0x044,
    REG_QUEUE_NOTIFY = 0x050,
    REG_INTERRUPT_STATUS = 0x060,
    REG_INTERRUPT_ACK = 0x064,
    REG_STATUS = 0x070,
    REG_QUEUE_DESC = 0x080,
    REG_QUEUE_DRIVER = 0x090,
    REG_QUEUE_DEVICE = 0x0a0,
    REG_SHM_LEN = 0x0b0,
    REG_SHM_BASE_HIGH = 0x0bc,
    REG_CONFIG_GENERATION = 0x0fc,
    REG_CONFIG = 0x100,
    REGS_SIZE = 0x200,

    MAGIC = 0x74726976, // "virt"
    VERSION = 2,
};
_Static_assert(REG_CONFIG + VIRTIO_CONFIG_MAX == REGS_SIZE, "the configuration fills the rest");

static u64 read_register(struct virtio *v, u64 offset)
{
    int q = virtio_selected(v);

    switch (offset) {
    case REG_MAGIC:
        return MAGIC;
    case REG_VERSION:
        return VERSION;
    case REG_DEVICE_ID:
        return v->ops->id;
    case REG_VENDOR_ID:
        return VIRTIO_VENDOR;
    case REG_DEVICE_FEATURES:
        return virtio_device_features(v);
    case REG_QUEUE_NUM_MAX:
        return q >= 0 ? v->wiring.queue_size : 0;
    case REG_QUEUE_READY:
        return q >= 0 && v->st.ready[q];
    case REG_INTERRUPT_STATUS:
        return v->st.isr;
    case REG_STATUS:
        return v->st.status;
    case REG_CONFIG_GENERATION:
        return v->st.generation;
    default:
        if (offset >= REG_SHM_LEN && offset <= REG_SHM_BASE_HIGH)
            return 0xffffffff;
        component_guest_warn(&v->base, "read of register 0x%x", (unsigned)offset);
        return 0;
    }
}

static void write_queue_register(struct virtio *v, u64 offset, u32 value)
{
    static const struct {
        u64 offset;
        enum virtio_ring ring;
    } rings[] = {{REG_QUEUE_DESC, VIRTIO_DESC},
                 {REG_QUEUE_DRIVER, VIRTIO_AVAIL},
                 {REG_QUEUE_DEVICE, VIRTIO_USED}};

    for (size_t i = 0; i < ARRAY_SIZE(rings); i++) {
        if ((offset & ~4ull) == rings[i].offset) {
            virtio_set_ring_address(v, rings[i].ring, offset & 4, value);
            return;
        }
    }
    component_guest_warn(&v->base, "write to register 0x%x", (unsigned)offset);
}

static void write_register(struct virtio *v, u64 offset, u32 value)
{
    switch (offset) {
    case REG_DEVICE_FEATURES_SEL:
        v->st.device_select = value;
        break;
    case REG_DRIVER_FEATURES:
        virtio_set_driver_features(v, value);
        break;
    case REG_DRIVER_FEATURES_SEL:
        v->st.driver_select = value;
        break;
    case REG_QUEUE_SEL:
        v->st.queue_select = value;
        break;
    case REG_QUEUE_NUM:
        virtio_set_queue_size(v, value);
        break;
    case REG_QUEUE_READY:
        virtio_set_queue_ready(v, value & 1);
        break;
    case REG_QUEUE_NOTIFY:
        virtio_notified(v, value);
        break;
    case REG_INTERRUPT_ACK:
        v->st.isr &= (u8)~value;
        virtio_update_line(v);
        break;
    case REG_STATUS:
        virtio_set_status(v, (u8)value);
        break;
    default:
        write_queue_register(v, offset, value);
    }
}

static bool is_register(const struct virtio *v, u64 offset, unsigned size)
{
    if (size == 4 && offset % 4 == 0)
        return true;
    component_guest_warn((struct component *)(uintptr_t)&v->base, "%u-byte access to register 0x%x",
                         size, (unsigned)offset);
    return false;
}

static u64 mmio_read_register(struct component *device, u64 offset, unsigned size)
{
    struct virtio *v = virtio_of_device(device);

    if (offset >= REG_CONFIG)
        return virtio_config_read(v, offset - REG_CONFIG, size);
    return is_register(v, offset, size) ? read_register(v, offset) : 0;
}

static void mmio_write_register(struct component *device, u64 offset, unsigned size, u64 value)
{
    struct virtio *v = virtio_of_device(device);

    if (offset >= REG_CONFIG)
        virtio_config_write(v, offset - REG_CONFIG, size, value);
    else if (is_register(v, offset, size))
        write_register(v, offset, (u32)value);
}

const struct mmio_ops virtio_mmio = {
    .size = REGS_SIZE,
    .read = mmio_read_register,
    .write = mmio_write_register,
};
