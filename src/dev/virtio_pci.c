// SPDX-License-Identifier: BSD-3-Clause
// The PCI transport, virtio 1.2 section 4.1, of a device that is not transitional. BAR 0 holds all
// structures, BAR 4 the MSI-X table: a vector for each queue and one for the configuration.
//
//     0x000 common configuration   0x100 interrupt status
//     0x200 the device's configuration   0x800 notification of queue n at 0x800 + 4 n
//
// UNMODELLED: the legacy interface, shared memory regions, F_NOTIFICATION_DATA, F_RING_RESET.
#include "dev/pci.h"
#include "dev/virtio_priv.h"

enum {
    CAPABILITY_VENDOR = 0x09,
    // Kinds of structures, section 4.1.4.
    CAP_COMMON = 1,
    CAP_NOTIFY = 2,
    CAP_ISR = 3,
    CAP_DEVICE = 4,
    CAP_PCI = 5,
    // Offsets in a capability.
    CAP_BAR = 4,
    CAP_OFFSET = 8,
    CAP_LENGTH = 12,
    CAP_EXTRA = 16, // notify_off_multiplier or pci_cfg_data
    CAP_END = 20,

    BAR_REGISTERS = 0,
    BAR_MSIX = 4,
    AT_COMMON = 0x000,
    AT_ISR = 0x100,
    AT_DEVICE = 0x200,
    AT_NOTIFY = 0x800,
    REGS_SIZE = 0x1000,
    NOTIFY_MULTIPLIER = 4,
    COMMON_SIZE = 0x3c,

    COMMON_DEVICE_SELECT = 0x00,
    COMMON_DEVICE_FEATURE = 0x04,
    COMMON_DRIVER_SELECT = 0x08,
    COMMON_DRIVER_FEATURE = 0x0c,
    COMMON_CONFIG_VECTOR = 0x10,
    COMMON_NUM_QUEUES = 0x12,
    COMMON_STATUS = 0x14,
    COMMON_GENERATION = 0x15,
    COMMON_QUEUE_SELECT = 0x16,
    COMMON_QUEUE_SIZE = 0x18,
    COMMON_QUEUE_VECTOR = 0x1a,
    COMMON_QUEUE_ENABLE = 0x1c,
    COMMON_QUEUE_NOTIFY_OFF = 0x1e,
    COMMON_QUEUE_DESC = 0x20,
    COMMON_QUEUE_END = 0x38, // of the three addresses

    PCI_DEVICE_ID = 0x1040, // of a modern device, plus its virtio id
    PCI_SUBSYSTEM_ID = 0x40,
};

static u64 read_queue(const struct virtio *v, u64 offset)
{
    int q = virtio_selected(v);

    if (q < 0)
        return offset == COMMON_QUEUE_VECTOR ? VIRTIO_NO_VECTOR : 0;
    switch (offset) {
    case COMMON_QUEUE_SIZE:
        return v->st.size[q];
    case COMMON_QUEUE_VECTOR:
        return v->st.vector[q];
    case COMMON_QUEUE_ENABLE:
        return v->st.ready[q];
    case COMMON_QUEUE_NOTIFY_OFF:
        return (u64)q;
    default:
        return 0;
    }
}

static u64 read_ring(const struct virtio *v, u64 offset)
{
    return virtio_ring_address(v, (enum virtio_ring)((offset - COMMON_QUEUE_DESC) / 8), offset & 4);
}

static u64 read_common(const struct virtio *v, u64 offset, unsigned size)
{
    if (offset >= COMMON_QUEUE_DESC && offset < COMMON_QUEUE_END && offset % 4 == 0)
        return read_ring(v, offset) |
               (size == 8 && offset % 8 == 0 ? read_ring(v, offset + 4) << 32 : 0);
    switch (offset) {
    case COMMON_DEVICE_SELECT:
        return v->st.device_select;
    case COMMON_DEVICE_FEATURE:
        return virtio_device_features(v);
    case COMMON_DRIVER_SELECT:
        return v->st.driver_select;
    case COMMON_DRIVER_FEATURE:
        return virtio_driver_features(v);
    case COMMON_CONFIG_VECTOR:
        return v->st.config_vector;
    case COMMON_NUM_QUEUES:
        return v->ops->queues;
    case COMMON_STATUS:
        return v->st.status;
    case COMMON_GENERATION:
        return v->st.generation;
    case COMMON_QUEUE_SELECT:
        return v->st.queue_select;
    default:
        return read_queue(v, offset);
    }
}

// What the driver reads back is the vector, or "none" when there is no such one.
static u16 usable_vector(const struct virtio *v, u64 value)
{
    return value <= v->ops->queues ? (u16)value : VIRTIO_NO_VECTOR;
}

static void write_queue(struct virtio *v, u64 offset, u64 value)
{
    int q = virtio_selected(v);

    if (offset == COMMON_QUEUE_SIZE)
        virtio_set_queue_size(v, (u16)value);
    else if (offset == COMMON_QUEUE_VECTOR && q >= 0)
        v->st.vector[q] = usable_vector(v, (u16)value);
    else if (offset == COMMON_QUEUE_ENABLE && value == 1)
        virtio_set_queue_ready(v, true);
    else
        component_guest_warn(&v->base, "write to 0x%x of the common configuration",
                             (unsigned)offset);
}

static void write_ring(struct virtio *v, u64 offset, u32 value)
{
    virtio_set_ring_address(v, (enum virtio_ring)((offset - COMMON_QUEUE_DESC) / 8), offset & 4,
                            value);
}

static void write_common(struct virtio *v, u64 offset, unsigned size, u64 value)
{
    if (offset >= COMMON_QUEUE_DESC && offset < COMMON_QUEUE_END && offset % 4 == 0) {
        write_ring(v, offset, (u32)value);
        if (size == 8 && offset % 8 == 0)
            write_ring(v, offset + 4, (u32)(value >> 32));
        return;
    }
    switch (offset) {
    case COMMON_DEVICE_SELECT:
        v->st.device_select = (u32)value;
        break;
    case COMMON_DRIVER_SELECT:
        v->st.driver_select = (u32)value;
        break;
    case COMMON_DRIVER_FEATURE:
        virtio_set_driver_features(v, (u32)value);
        break;
    case COMMON_CONFIG_VECTOR:
        v->st.config_vector = usable_vector(v, (u16)value);
        break;
    case COMMON_STATUS:
        virtio_set_status(v, (u8)value);
        break;
    case COMMON_QUEUE_SELECT:
        v->st.queue_select = (u16)value;
        break;
    default:
        write_queue(v, offset, value);
    }
}

// Section 4.1.4.5: reading tells why and takes the interrupt back.
static u64 take_isr(struct virtio *v)
{
    u8 isr = v->st.isr;

    v->st.isr = 0;
    virtio_update_line(v);
    return isr;
}

static u64 registers_read(struct component *c, u64 offset, unsigned size)
{
    struct virtio *v = virtio_of(c);

    if (offset < AT_ISR)
        return read_common(v, offset - AT_COMMON, size);
    if (offset == AT_ISR)
        return take_isr(v);
    if (offset >= AT_DEVICE && offset < AT_NOTIFY)
        return virtio_config_read(v, offset - AT_DEVICE, size);
    return 0;
}

static void registers_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    struct virtio *v = virtio_of(c);

    if (offset < AT_ISR)
        write_common(v, offset - AT_COMMON, size, value);
    else if (offset >= AT_NOTIFY)
        virtio_notified(v, (u32)((offset - AT_NOTIFY) / NOTIFY_MULTIPLIER));
    else if (offset >= AT_DEVICE)
        virtio_config_write(v, offset - AT_DEVICE, size, value);
    else
        component_guest_warn(c, "write to the interrupt status");
}

static const struct mmio_ops registers = {
    .size = REGS_SIZE,
    .read = registers_read,
    .write = registers_write,
};

// Section 4.1.4.9: the registers through a window in configuration space.

struct window {
    u8 *data; // of pci_cfg_data
    u32 offset, length;
    bool usable;
};

static struct window window_of(const struct virtio *v)
{
    u8 *cap = pci_function_config(v->pci) + v->pci_window;
    struct window w = {.data = cap + CAP_EXTRA};

    memcpy(&w.offset, cap + CAP_OFFSET, sizeof(w.offset));
    memcpy(&w.length, cap + CAP_LENGTH, sizeof(w.length));
    w.usable = cap[CAP_BAR] == BAR_REGISTERS && (w.length == 1 || w.length == 2 || w.length == 4) &&
               w.offset < REGS_SIZE && w.offset % w.length == 0;
    return w;
}

static bool is_window_data(const struct virtio *v, unsigned offset, unsigned size)
{
    unsigned at = v->pci_window + CAP_EXTRA;

    return offset < at + 4 && at < offset + size;
}

static void config_read(struct component *device, unsigned offset, unsigned size)
{
    struct virtio *v = virtio_of_device(device);
    struct window w = window_of(v);
    u64 value;

    if (!w.usable || !is_window_data(v, offset, size))
        return;
    value = registers_read(&v->base, w.offset, w.length);
    memcpy(w.data, &value, w.length);
}

static void config_written(struct component *device, unsigned offset, unsigned size)
{
    struct virtio *v = virtio_of_device(device);
    struct window w = window_of(v);
    u64 value = 0;

    if (!w.usable || !is_window_data(v, offset, size))
        return;
    memcpy(&value, w.data, w.length);
    registers_write(&v->base, w.offset, w.length, value);
}

static const struct pci_function_ops function_ops = {
    .config_read = config_read,
    .config_written = config_written,
};

static unsigned add_capability(struct virtio *v, u8 kind, u32 offset, u32 length, u32 extra,
                               const u8 *writable)
{
    unsigned size = kind == CAP_NOTIFY || kind == CAP_PCI ? CAP_END : CAP_EXTRA;
    u8 cap[CAP_END] = {0, 0, (u8)size, kind, BAR_REGISTERS};

    memcpy(cap + CAP_OFFSET, &offset, sizeof(offset));
    memcpy(cap + CAP_LENGTH, &length, sizeof(length));
    memcpy(cap + CAP_EXTRA, &extra, sizeof(extra));
    return pci_function_add_capability(v->pci, CAPABILITY_VENDOR, cap + 2,
                                       writable ? writable + 2 : NULL, size - 2);
}

bool virtio_pci_build(struct virtio *v, struct error *err)
{
    static const u8 window_writable[CAP_END] = {[CAP_BAR] = 0xff,        [CAP_OFFSET] = 0xff,
                                                [CAP_OFFSET + 1] = 0xff, [CAP_OFFSET + 2] = 0xff,
                                                [CAP_OFFSET + 3] = 0xff, [CAP_LENGTH] = 0xff,
                                                [CAP_LENGTH + 1] = 0xff, [CAP_LENGTH + 2] = 0xff,
                                                [CAP_LENGTH + 3] = 0xff, [CAP_EXTRA] = 0xff,
                                                [CAP_EXTRA + 1] = 0xff,  [CAP_EXTRA + 2] = 0xff,
                                                [CAP_EXTRA + 3] = 0xff};
    struct pci_ids ids = {
        .vendor = VIRTIO_VENDOR,
        .device = (u16)(PCI_DEVICE_ID + v->ops->id),
        .subsystem_vendor = VIRTIO_VENDOR,
        .subsystem = PCI_SUBSYSTEM_ID,
        .class_code = v->ops->class_code,
        .revision = 1,
        .has_intx = true,
    };

    v->pci = pci_function_new(v->device, &ids, &function_ops, err);
    if (!v->pci)
        return false;
    pci_function_set_bar(v->pci, BAR_REGISTERS, PCI_BAR_MEMORY64,
                         (struct mmio){&registers, &v->base});
    pci_function_add_msix(v->pci, BAR_MSIX, v->ops->queues + 1);
    add_capability(v, CAP_COMMON, AT_COMMON, COMMON_SIZE, 0, NULL);
    add_capability(v, CAP_ISR, AT_ISR, 1, 0, NULL);
    if (v->ops->config_bytes)
        add_capability(v, CAP_DEVICE, AT_DEVICE, v->ops->config_bytes, 0, NULL);
    add_capability(v, CAP_NOTIFY, AT_NOTIFY, NOTIFY_MULTIPLIER * v->ops->queues, NOTIFY_MULTIPLIER,
                   NULL);
    v->pci_window = add_capability(v, CAP_PCI, 0, 0, 0, window_writable);
    return true;
}
