// SPDX-License-Identifier: BSD-3-Clause
// An NVM Express controller, after NVM Express Base Specification 1.4: registers (chapter 3),
// initialisation, reset and shutdown (7.3, 7.6). Its PCI identity is that of QEMU's, which every
// driver knows. One namespace, 4 KiB pages, PRP lists, MSI-X with a vector for each queue, INTx.
//
// Timing: accesses to registers take none. The medium moves one command's data after the other's at
// p.bandwidth, in the order they were fetched; each completes p.read_latency or p.write_latency
// after its own was moved, so latencies overlap. Commands are fetched when their doorbell is rung,
// as long as there are free slots. What a command does to memory and disk happens as a whole when
// it completes. Admin commands take p.admin_latency.
//
// Everything in flight is state: a machine can be saved at any moment.
// UNMODELLED: SGLs, fused commands, metadata and end-to-end protection, namespace management,
// firmware download, power states, controller memory buffer, subsystem reset, shadow doorbells.
// APPROX: interrupt coalescing and arbitration bursts can be set but have no effect.
#include "dev/nvme_priv.h"

#define NVME_EVENTS(E) E(work, nvme_work_event) E(ready, nvme_ready_event)

COMPONENT_TABLES(nvme, NVME_PARAMS, NVME_STATE, NVME_STATS, NVME_EVENTS);

struct nvme *nvme_of(const struct component *c)
{
    ASSERT(c->type == &nvme_type);
    return (struct nvme *)(uintptr_t)c;
}

void nvme_fail(struct nvme *v, const char *why)
{
    component_guest_warn(&v->base, "fatal: %s", why);
    v->st.csts |= NVME_CSTS_CFS;
}

static void nvme_work_event(void *owner, struct event *event)
{
    nvme_work(owner);
}

static void nvme_ready_event(void *owner, struct event *event)
{
    struct nvme *v = owner;

    v->st.csts |= NVME_CSTS_RDY;
}

// Controller reset (7.3.2): queues and whatever is in flight are gone; ASQ, ACQ and AQA stay.
static void forget(struct nvme *v)
{
    struct nvme_state *s = &v->st;

    event_cancel(&s->work);
    event_cancel(&s->ready);
    memset(s->sq_size, 0, s->sq_size_count * sizeof(s->sq_size[0]));
    memset(s->cq_size, 0, s->cq_size_count * sizeof(s->cq_size[0]));
    memset(s->slot_state, 0, s->slot_state_count);
    s->csts = 0;
    s->interrupt_mask = 0;
    s->aers = 0;
    s->event = NVME_NO_EVENT;
    s->event_masked = 0;
    s->medium_free = 0;
    s->next_sq = 0;
    for (unsigned i = 0; i < NVME_FEATURES; i++)
        s->features[i] = nvme_feature_default(v, i);
}

static void enable(struct nvme *v)
{
    struct nvme_state *s = &v->st;
    u32 sq = (s->aqa & 0xfff) + 1, cq = (s->aqa >> 16 & 0xfff) + 1;

    if (s->cc & NVME_CC_CSS_MPS_AMS) {
        nvme_fail(v, "enabled with an unknown command set, page size or arbitration");
        return;
    }
    if (sq < 2 || cq < 2 || sq > NVME_ENTRIES_MAX || cq > NVME_ENTRIES_MAX || s->asq % NVME_PAGE ||
        s->acq % NVME_PAGE) {
        nvme_fail(v, "enabled with wrong admin queues");
        return;
    }
    s->sq_base[0] = s->asq;
    s->cq_base[0] = s->acq;
    s->sq_size[0] = (u16)sq;
    s->cq_size[0] = (u16)cq;
    s->sq_head[0] = s->sq_tail[0] = s->sq_cq[0] = 0;
    s->cq_head[0] = s->cq_tail[0] = s->cq_vector[0] = 0;
    s->cq_phase[0] = s->cq_interrupts[0] = 1;
    event_schedule_in(&s->ready, v->p.enable_latency);
}

static void shut_down(struct nvme *v)
{
    struct error err;

    if (!v->block->flush(v->disk, &err))
        component_log(&v->base, LOG_ERROR, "%s", err.message);
    v->st.csts |= NVME_CSTS_SHST_DONE;
}

static void write_cc(struct nvme *v, u32 value)
{
    u32 before = v->st.cc;

    v->st.cc = value;
    if (before & ~value & NVME_CC_EN) {
        v->n.resets++;
        forget(v);
        nvme_update_interrupts(v);
    }
    if (~before & value & NVME_CC_EN)
        enable(v);
    if (!(before & NVME_CC_SHN) && value & NVME_CC_SHN)
        shut_down(v);
}

// MQES, CQR, TO = 7.5 s, the NVM command set, pages of 4 KiB only.
static u64 capabilities(void)
{
    return (NVME_ENTRIES_MAX - 1) | 1 << 16 | 15 << 24 | 1ull << 37;
}

static u32 read_register(struct nvme *v, u64 offset)
{
    switch (offset) {
    case NVME_CAP:
        return (u32)capabilities();
    case NVME_CAP + 4:
        return (u32)(capabilities() >> 32);
    case NVME_VS:
        return NVME_VERSION;
    case NVME_INTMS:
    case NVME_INTMC:
        return v->st.interrupt_mask;
    case NVME_CC:
        return v->st.cc;
    case NVME_CSTS:
        return v->st.csts;
    case NVME_AQA:
        return v->st.aqa;
    case NVME_ASQ:
    case NVME_ASQ + 4:
        return (u32)(v->st.asq >> 8 * (offset - NVME_ASQ));
    case NVME_ACQ:
    case NVME_ACQ + 4:
        return (u32)(v->st.acq >> 8 * (offset - NVME_ACQ));
    default:
        return 0; // reserved, or of what there is not
    }
}

static void set_half(u64 *word, bool high, u32 value)
{
    *word = high ? (*word & 0xffffffff) | (u64)value << 32 : (*word & ~0xffffffffull) | value;
}

static void write_register(struct nvme *v, u64 offset, u32 value)
{
    if (offset >= NVME_DOORBELLS) {
        nvme_doorbell(v, (offset - NVME_DOORBELLS) / 4, value);
        return;
    }
    switch (offset) {
    case NVME_INTMS:
        v->st.interrupt_mask |= value;
        nvme_update_interrupts(v);
        break;
    case NVME_INTMC:
        v->st.interrupt_mask &= ~value;
        nvme_update_interrupts(v);
        break;
    case NVME_CC:
        write_cc(v, value);
        break;
    case NVME_AQA:
        v->st.aqa = value;
        break;
    case NVME_ASQ:
    case NVME_ASQ + 4:
        set_half(&v->st.asq, offset != NVME_ASQ, value);
        break;
    case NVME_ACQ:
    case NVME_ACQ + 4:
        set_half(&v->st.acq, offset != NVME_ACQ, value);
        break;
    default:
        component_guest_warn(&v->base, "write of 0x%x to register 0x%llx", value,
                             (unsigned long long)offset);
    }
}

static u64 nvme_read(struct component *c, u64 offset, unsigned size)
{
    struct nvme *v = nvme_of(c);
    u64 low = offset & ~(u64)3;
    u64 value = read_register(v, low) | (u64)read_register(v, low + 4) << 32;

    return value >> 8 * (offset - low);
}

// Only aligned accesses of 4 or 8 bytes are defined (3.1).
static void nvme_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    struct nvme *v = nvme_of(c);

    if (size < 4 || offset % size) {
        component_guest_warn(c, "write of %u bytes to register 0x%llx", size,
                             (unsigned long long)offset);
        return;
    }
    write_register(v, offset, (u32)value);
    if (size == 8)
        write_register(v, offset + 4, (u32)(value >> 32));
}

static const struct mmio_ops nvme_mmio = {
    .size = NVME_DOORBELLS + NVME_PAGE,
    .read = nvme_read,
    .write = nvme_write,
};

static bool nvme_check(struct component *c, struct error *err)
{
    struct nvme *v = nvme_of(c);

    if (v->p.block_bytes != 512 && v->p.block_bytes != 4096)
        return error_set(err, ERROR_INPUT, "block_bytes is neither 512 nor 4096");
    if (strlen(v->p.serial) > 20)
        return error_set(err, ERROR_INPUT, "the serial number has more than 20 characters");
    return true;
}

static bool nvme_build(struct component *c, struct error *err)
{
    static const struct pci_ids ids = {
        .vendor = 0x1b36,
        .device = 0x0010,
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
        .class_code = 0x010802,
        .revision = 2,
        .has_intx = true,
    };
    struct nvme *v = nvme_of(c);

    v->pci = pci_function_new(c, &ids, NULL, err);
    if (!v->pci)
        return false;
    v->data = arena_alloc(&c->sim->arena, NVME_DATA_MAX);
    v->block_shift = v->p.block_bytes == 512 ? 9 : 12;
    pci_function_set_bar(v->pci, 0, PCI_BAR_MEMORY64, (struct mmio){&nvme_mmio, c});
    pci_function_add_msix(v->pci, 4, (unsigned)v->p.queues + 1);
    pci_function_add_express(v->pci);
    return true;
}

static bool nvme_connect(struct component *c, struct error *err)
{
    struct nvme *v = nvme_of(c);
    const void *ops;

    if (!component_lookup_interface(c, v->p.disk, "block", &v->disk, &ops, err))
        return false;
    v->block = ops;
    v->blocks = v->block->size(v->disk) >> v->block_shift;
    v->dma = pci_function_dma(v->pci);
    return v->blocks || error_set(err, ERROR_INPUT, "%s is smaller than a block", v->disk->path);
}

static void nvme_reset(struct component *c)
{
    forget(nvme_of(c));
}

static bool bad(struct component *c, const char *what, struct error *err)
{
    return error_set(err, ERROR_INPUT, "%s: the saved %s makes no sense", c->path, what);
}

// A queue's place is below its size, or it does not exist.
static bool queue_is_good(u16 size, u16 head, u16 tail)
{
    return size == 0 || (size >= 2 && size <= NVME_ENTRIES_MAX && head < size && tail < size);
}

static bool nvme_after_load(struct component *c, struct error *err)
{
    struct nvme *v = nvme_of(c);
    const struct nvme_state *s = &v->st;
    u64 queues = v->p.queues + 1;
    bool busy = false;

    for (u64 q = 0; q < queues; q++) {
        if (!queue_is_good(s->sq_size[q], s->sq_head[q], s->sq_tail[q]) ||
            (s->sq_size[q] && (s->sq_cq[q] >= queues || !s->cq_size[s->sq_cq[q]])))
            return bad(c, "submission queue", err);
        if (!queue_is_good(s->cq_size[q], s->cq_head[q], s->cq_tail[q]) ||
            (s->cq_size[q] && s->cq_vector[q] >= queues) || s->cq_phase[q] > 1)
            return bad(c, "completion queue", err);
    }
    for (u64 i = 0; i < v->p.slots; i++) {
        if (s->slot_state[i] > NVME_SLOT_BLOCKED)
            return bad(c, "slot", err);
        if (s->slot_state[i] && (s->slot_sq[i] >= queues || !s->sq_size[s->slot_sq[i]]))
            return bad(c, "command in flight", err);
        busy |= s->slot_state[i] == NVME_SLOT_BUSY;
    }
    if (s->csts & ~(u32)(NVME_CSTS_RDY | NVME_CSTS_CFS | NVME_CSTS_SHST) ||
        (s->csts & (NVME_CSTS_RDY | NVME_CSTS_CFS) && !(s->cc & NVME_CC_EN)))
        return bad(c, "status", err);
    if (s->aers > NVME_AERS || s->next_sq >= queues || (s->aers && !s->sq_size[0]))
        return bad(c, "state", err);
    if (busy && !(s->csts & NVME_CSTS_CFS) && !s->work.pending)
        return bad(c, "time of a command", err);
    return true;
}

static const struct component_ops nvme_ops = {
    .check = nvme_check,
    .build = nvme_build,
    .connect = nvme_connect,
    .reset = nvme_reset,
    .after_load = nvme_after_load,
};

const struct component_type nvme_type = {
    .name = "nvme",
    .doc = "NVM Express controller with one namespace",
    COMPONENT_LAYOUT(nvme),
    .ops = &nvme_ops,
    .provides = {IFACE(mmio, &nvme_mmio)},
};
