// SPDX-License-Identifier: BSD-3-Clause
// The child `virtio` of each device: initialisation, status and features after virtio 1.2 sections
// 2.1, 2.2, 3.1, the registers that the transports have in common, interrupts.
// UNMODELLED: packed virtqueues, F_IN_ORDER, F_ACCESS_PLATFORM, F_NOTIFICATION_DATA, F_RING_RESET,
// the legacy interface. Timing: the devices'; nothing here takes time.
#include "dev/virtio.h"

#include "dev/pci.h"
#include "dev/virtio_priv.h"
#include "sim/sim.h"

COMPONENT_TABLES(virtio, NO_ROWS, VIRTIO_STATE, VIRTIO_STATS, NO_ROWS);

struct virtio *virtio_of(const struct component *c)
{
    ASSERT(c->type == &virtio_type);
    return (struct virtio *)(uintptr_t)c;
}

struct virtio *virtio_of_device(const struct component *device)
{
    return virtio_of(component_child(device, "virtio"));
}

struct virtio *virtio_new(struct component *device, const struct virtio_device_ops *ops,
                          const struct virtio_wiring *wiring, struct error *err)
{
    struct component *c;
    struct virtio *v;

    ASSERT(ops->queues && ops->queues <= VIRTIO_QUEUES_MAX);
    ASSERT(ops->config_bytes <= VIRTIO_CONFIG_MAX);
    if (wiring->queue_size & (wiring->queue_size - 1)) {
        error_set(err, ERROR_INPUT, "queue_size %u is no power of two", wiring->queue_size);
        return NULL;
    }
    c = component_new(device->sim, &virtio_type, device, "virtio", err);
    if (!c)
        return NULL;
    v = virtio_of(c);
    v->device = device;
    v->ops = ops;
    v->wiring = *wiring;
    return wiring->mmio || virtio_pci_build(v, err) ? v : NULL;
}

bool virtio_is_mmio(const struct component *c)
{
    const struct component *v = component_child(c, "virtio");

    return component_interface(c, "mmio") == &virtio_mmio && v && virtio_of(v)->wiring.mmio;
}

bool virtio_wire(struct component *device, const char *memory, const char *interrupts, unsigned irq,
                 struct error *err)
{
    struct virtio_wiring *w = &virtio_of_device(device)->wiring;

    if (w->memory[0] || w->interrupts[0] || w->irq)
        return error_set(err, ERROR_INPUT,
                         "%s: memory, interrupts and irq are not to be given: the board wires it",
                         device->path);
    w->memory = memory;
    w->interrupts = interrupts;
    w->irq = irq;
    return true;
}

bool virtio_running(const struct virtio *v)
{
    u8 want = VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK;

    return (v->st.status & (want | VIRTIO_NEEDS_RESET)) == want;
}

bool virtio_has_feature(const struct virtio *v, unsigned bit)
{
    return v->st.driver_features >> bit & 1;
}

// Interrupts.

void virtio_update_line(struct virtio *v)
{
    if (v->pci)
        pci_function_set_intx(v->pci, v->st.isr != 0);
    else
        irq_line_set(&v->irq, v->st.isr != 0);
}

static void interrupt(struct virtio *v, u8 why, u16 vector)
{
    v->n.interrupts++;
    if (v->pci && pci_function_msix_enabled(v->pci)) {
        if (vector != VIRTIO_NO_VECTOR)
            pci_function_interrupt(v->pci, vector);
        return;
    }
    v->st.isr |= why;
    virtio_update_line(v);
}

void virtio_interrupt_queue(struct virtio *v, unsigned queue)
{
    interrupt(v, VIRTIO_ISR_QUEUE, v->st.vector[queue]);
}

void virtio_config_changed(struct virtio *v)
{
    v->st.generation++;
    if (v->st.status & VIRTIO_DRIVER_OK)
        interrupt(v, VIRTIO_ISR_CONFIG, v->st.config_vector);
}

void virtio_fail(struct virtio *v, const char *why)
{
    component_guest_warn(&v->base, "the driver broke the rules: %s", why);
    if (v->st.status & VIRTIO_NEEDS_RESET)
        return;
    v->n.broken++;
    v->st.status |= VIRTIO_NEEDS_RESET;
    if (v->st.status & VIRTIO_DRIVER_OK)
        interrupt(v, VIRTIO_ISR_CONFIG, v->st.config_vector);
}

// Features and status.

static u64 offered(const struct virtio *v)
{
    u64 own = v->ops->features ? v->ops->features(v->device) : 0;

    return own | 1ull << VIRTIO_F_INDIRECT_DESC | 1ull << VIRTIO_F_EVENT_IDX |
           1ull << VIRTIO_F_VERSION_1;
}

u32 virtio_device_features(const struct virtio *v)
{
    return v->st.device_select < 2 ? (u32)(offered(v) >> 32 * v->st.device_select) : 0;
}

u32 virtio_driver_features(const struct virtio *v)
{
    return v->st.driver_select < 2 ? (u32)(v->st.driver_features >> 32 * v->st.driver_select) : 0;
}

void virtio_set_driver_features(struct virtio *v, u32 value)
{
    unsigned shift = 32 * v->st.driver_select;

    if (v->st.status & VIRTIO_FEATURES_OK || (v->st.driver_select >= 2 && value)) {
        component_guest_warn(&v->base, "features are chosen too late, or there are none such");
        return;
    }
    if (v->st.driver_select < 2)
        v->st.driver_features = (v->st.driver_features & ~(0xffffffffull << shift)) | (u64)value
                                                                                          << shift;
}

static void power_on(struct virtio *v)
{
    v->st = (struct virtio_state){.config_vector = VIRTIO_NO_VECTOR};
    for (unsigned q = 0; q < v->ops->queues; q++) {
        v->st.size[q] = v->wiring.queue_size;
        v->st.vector[q] = VIRTIO_NO_VECTOR;
    }
}

static void reset_by_driver(struct virtio *v)
{
    v->n.resets++;
    power_on(v);
    virtio_update_line(v);
    v->ops->reset(v->device);
}

static bool features_are_good(const struct virtio *v)
{
    return !(v->st.driver_features & ~offered(v)) && virtio_has_feature(v, VIRTIO_F_VERSION_1);
}

void virtio_set_status(struct virtio *v, u8 value)
{
    bool ran = virtio_running(v);

    if (!value) {
        reset_by_driver(v);
        return;
    }
    value &=
        VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK | VIRTIO_FEATURES_OK | VIRTIO_FAILED;
    if (value & ~v->st.status & VIRTIO_FEATURES_OK && !features_are_good(v)) {
        component_guest_warn(&v->base, "features 0x%llx are refused",
                             (unsigned long long)v->st.driver_features);
        value &= (u8)~VIRTIO_FEATURES_OK;
    }
    v->st.status |= value;
    for (unsigned q = 0; q < v->ops->queues && !ran && virtio_running(v); q++)
        if (v->st.ready[q])
            v->ops->notify(v->device, q);
}

void virtio_notified(struct virtio *v, u32 queue)
{
    v->n.notifications++;
    if (queue < v->ops->queues && v->st.ready[queue] && virtio_running(v))
        v->ops->notify(v->device, queue);
    else
        component_guest_warn(&v->base, "notification of queue %u, which is not in use", queue);
}

// The device's configuration.

u64 virtio_config_read(struct virtio *v, u64 offset, unsigned size)
{
    u8 bytes[VIRTIO_CONFIG_MAX + 8] = {0};
    u64 value = 0;

    if (v->ops->config)
        v->ops->config(v->device, bytes);
    if (offset < VIRTIO_CONFIG_MAX)
        memcpy(&value, bytes + offset, size);
    return value;
}

void virtio_config_write(struct virtio *v, u64 offset, unsigned size, u64 value)
{
    if (v->ops->config_write)
        v->ops->config_write(v->device, offset, size, value);
    else
        component_guest_warn(&v->base, "write to read-only configuration");
}

// Queues as the transports' registers show them.

int virtio_selected(const struct virtio *v)
{
    return v->st.queue_select < v->ops->queues ? (int)v->st.queue_select : -1;
}

// Whether the selected queue can be set up now.
static bool can_set_up(struct virtio *v)
{
    int q = virtio_selected(v);

    if (q >= 0 && !v->st.ready[q])
        return true;
    component_guest_warn(&v->base, "queue %u cannot be set up now", v->st.queue_select);
    return false;
}

static bool size_is_good(const struct virtio *v, u32 size)
{
    return size && size <= v->wiring.queue_size && !(size & (size - 1));
}

void virtio_set_queue_size(struct virtio *v, u32 size)
{
    if (!can_set_up(v))
        return;
    if (size_is_good(v, size))
        v->st.size[virtio_selected(v)] = (u16)size;
    else
        component_guest_warn(&v->base, "a queue of size %u is refused", size);
}

static u64 *ring_address(struct virtio *v, enum virtio_ring ring)
{
    u64 *rings[] = {v->st.desc, v->st.avail, v->st.used};

    return &rings[ring][virtio_selected(v)];
}

u32 virtio_ring_address(const struct virtio *v, enum virtio_ring ring, bool high)
{
    if (virtio_selected(v) < 0)
        return 0;
    return (u32)(*ring_address((struct virtio *)(uintptr_t)v, ring) >> (high ? 32 : 0));
}

void virtio_set_ring_address(struct virtio *v, enum virtio_ring ring, bool high, u32 value)
{
    u64 *at;

    if (!can_set_up(v))
        return;
    at = ring_address(v, ring);
    *at = high ? (*at & 0xffffffff) | (u64)value << 32 : (*at & ~0xffffffffull) | value;
}

void virtio_set_queue_ready(struct virtio *v, bool ready)
{
    int q = virtio_selected(v);

    if (q < 0 || !ready) {
        if (q >= 0)
            v->st.ready[q] = 0;
        return;
    }
    if (v->st.ready[q])
        return;
    // Section 2.7: alignments of the three parts.
    if (v->st.desc[q] % 16 || v->st.avail[q] % 2 || v->st.used[q] % 4) {
        virtio_fail(v, "a misaligned ring");
        return;
    }
    v->st.ready[q] = 1;
    v->st.last_avail[q] = v->st.used_index[q] = 0;
}

// The component.

static u8 *ram_page(void *ctx, paddr page, bool write)
{
    const struct virtio *v = ctx;

    return mem_port_host_page(&v->memory, page, write);
}

// For RAM whose writes somebody watches.
static bool ram_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    const struct virtio *v = ctx;

    if (mem_port_host_page(&v->memory, addr & ~(paddr)(MEM_PAGE_SIZE - 1), false))
        return mem_port_access(&v->memory, addr, size, data, write);
    if (!write)
        memset(data, 0xff, size);
    return false;
}

// Only RAM: a device that could write to registers, its own for example, would recurse.
static const struct mem_port_ops ram_only = {.access = ram_access, .host_page = ram_page};

static bool virtio_check(struct component *c, struct error *err)
{
    return virtio_of(c)->ops ||
           error_set(err, ERROR_INPUT, "the common part of a virtio device is made by the device");
}

static bool virtio_connect(struct component *c, struct error *err)
{
    struct virtio *v = virtio_of(c);
    struct component *memory;
    const void *ops;

    if (v->pci) {
        v->dma = pci_function_dma(v->pci);
        return true;
    }
    if (!component_lookup_interface(v->device, v->wiring.memory, "mem_port", &memory, &ops, err) ||
        !component_irq_line(v->device, v->wiring.interrupts, v->wiring.irq, &v->irq, err))
        return false;
    v->memory = (struct mem_port){.ops = ops, .ctx = memory};
    v->dma = (struct mem_port){.ops = &ram_only, .ctx = v};
    return true;
}

static void virtio_reset(struct component *c)
{
    power_on(virtio_of(c));
}

static bool vector_is_good(const struct virtio *v, u16 vector)
{
    return vector == VIRTIO_NO_VECTOR || vector <= v->ops->queues;
}

static bool virtio_after_load(struct component *c, struct error *err)
{
    const struct virtio *v = virtio_of(c);
    bool good = vector_is_good(v, v->st.config_vector);

    if (v->st.status & VIRTIO_FEATURES_OK)
        good &= features_are_good(v);
    for (unsigned q = 0; q < VIRTIO_QUEUES_MAX; q++) {
        if (q < v->ops->queues)
            good &= size_is_good(v, v->st.size[q]) && vector_is_good(v, v->st.vector[q]) &&
                    v->st.ready[q] <= 1;
        else
            good &= !v->st.ready[q];
    }
    return good || error_set(err, ERROR_INPUT, "%s: no possible state", c->path);
}

static const struct component_ops virtio_ops = {
    .check = virtio_check,
    .connect = virtio_connect,
    .reset = virtio_reset,
    .after_load = virtio_after_load,
};

const struct component_type virtio_type = {
    .name = "virtio",
    .doc = "Status, features and queues of a virtio device",
    COMPONENT_LAYOUT(virtio),
    .ops = &virtio_ops,
};
