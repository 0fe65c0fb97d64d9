// SPDX-License-Identifier: BSD-3-Clause
// NVMe queues (NVM Express 1.4, section 4.1): doorbells, fetching in turn from all submission
// queues, the commands in flight and their time, completions, interrupts (7.5).
#include "dev/nvme_priv.h"

bool nvme_running(const struct nvme *v)
{
    return (v->st.csts & (NVME_CSTS_RDY | NVME_CSTS_CFS)) == NVME_CSTS_RDY;
}

static u16 after(u16 index, u16 size)
{
    return (u16)(index + 1 == size ? 0 : index + 1);
}

static bool is_full(const struct nvme *v, u16 cq)
{
    return after(v->st.cq_tail[cq], v->st.cq_size[cq]) == v->st.cq_head[cq];
}

bool nvme_post(struct nvme *v, u16 sq, u16 cid, u16 status, u32 result)
{
    struct nvme_state *s = &v->st;
    u16 cq = s->sq_cq[sq];
    u32 entry[4] = {result, 0, (u32)sq << 16 | s->sq_head[sq],
                    (u32)status << 17 | (u32)s->cq_phase[cq] << 16 | cid};

    if (is_full(v, cq))
        return false;
    if (!mem_port_copy_in(&v->dma, s->cq_base[cq] + (u64)s->cq_tail[cq] * NVME_CQE, entry,
                          sizeof(entry))) {
        nvme_fail(v, "a completion queue is not in memory");
        return true;
    }
    s->cq_tail[cq] = after(s->cq_tail[cq], s->cq_size[cq]);
    s->cq_phase[cq] ^= s->cq_tail[cq] == 0;
    v->posted |= 1ull << cq;
    v->n.failed += status != NVME_OK;
    return true;
}

// MSI-X: a message for each queue with news. INTx: as long as a queue with interrupts has entries
// that the guest has not taken (7.5.1).
void nvme_update_interrupts(struct nvme *v)
{
    const struct nvme_state *s = &v->st;
    bool level = false;

    for (unsigned q = 0; q <= v->p.queues; q++) {
        if (!s->cq_size[q] || !s->cq_interrupts[q])
            continue;
        if (v->posted >> q & 1 && pci_function_msix_enabled(v->pci))
            pci_function_interrupt(v->pci, s->cq_vector[q]);
        level |=
            s->cq_head[q] != s->cq_tail[q] && !(s->interrupt_mask >> (s->cq_vector[q] & 31) & 1);
    }
    v->posted = 0;
    pci_function_set_intx(v->pci, level);
}

static unsigned free_slot(const struct nvme *v)
{
    unsigned i = 0;

    while (i < v->p.slots && v->st.slot_state[i] != NVME_SLOT_FREE)
        i++;
    return i;
}

// The busy slot whose time comes first; p.slots when there is none.
static unsigned first_slot(const struct nvme *v)
{
    const struct nvme_state *s = &v->st;
    unsigned first = (unsigned)v->p.slots;

    for (unsigned i = 0; i < v->p.slots; i++) {
        if (s->slot_state[i] != NVME_SLOT_BUSY)
            continue;
        if (first == v->p.slots || s->slot_when[i] < s->slot_when[first] ||
            (s->slot_when[i] == s->slot_when[first] && s->slot_order[i] < s->slot_order[first]))
            first = i;
    }
    return first;
}

// When a command that is fetched now completes (see nvme.c).
static tick completion_time(struct nvme *v, u16 sq, const struct nvme_command *c)
{
    tick now = sim_now(v->base.sim);
    u64 bytes = sq ? nvme_io_bytes(v, c) : 0;

    if (!sq)
        return now + v->p.admin_latency;
    if (bytes) {
        v->st.medium_free =
            MAX(v->st.medium_free, now) + (tick)((u128)bytes * TICKS_PER_SECOND / v->p.bandwidth);
        now = v->st.medium_free;
    }
    return now + (nvme_opcode(c) == NVME_READ ? v->p.read_latency : v->p.write_latency);
}

static bool fetch_one(struct nvme *v, u16 sq, unsigned slot)
{
    struct nvme_state *s = &v->st;
    struct nvme_command c;

    if (!mem_port_copy_out(&v->dma, s->sq_base[sq] + (u64)s->sq_head[sq] * NVME_SQE, c.words,
                           sizeof(c.words))) {
        nvme_fail(v, "a submission queue is not in memory");
        return false;
    }
    s->sq_head[sq] = after(s->sq_head[sq], s->sq_size[sq]);
    memcpy(s->slot_command + 8 * slot, c.words, sizeof(c.words));
    s->slot_sq[slot] = sq;
    s->slot_state[slot] = NVME_SLOT_BUSY;
    s->slot_order[slot] = s->next_order++;
    s->slot_when[slot] = completion_time(v, sq, &c);
    return true;
}

// One command of each queue in turn, as long as there are slots.
static void fetch(struct nvme *v)
{
    struct nvme_state *s = &v->st;
    unsigned queues = (unsigned)v->p.queues + 1, empty = 0;

    while (empty < queues && nvme_running(v)) {
        u16 sq = s->next_sq;
        unsigned slot = free_slot(v);

        if (slot == v->p.slots)
            return;
        s->next_sq = (u16)(sq + 1u == queues ? 0 : sq + 1);
        if (!s->sq_size[sq] || s->sq_head[sq] == s->sq_tail[sq])
            empty++;
        else if (fetch_one(v, sq, slot))
            empty = 0;
    }
}

static void run_slot(struct nvme *v, unsigned slot)
{
    struct nvme_state *s = &v->st;
    u16 sq = s->slot_sq[slot], status;
    struct nvme_command c;
    u32 result = 0;

    // Nothing may happen whose result cannot be told.
    if (is_full(v, s->sq_cq[sq])) {
        s->slot_state[slot] = NVME_SLOT_BLOCKED;
        v->n.blocked++;
        return;
    }
    memcpy(c.words, s->slot_command + 8 * slot, sizeof(c.words));
    s->slot_state[slot] = NVME_SLOT_FREE;
    status = sq ? nvme_io(v, &c) : nvme_admin(v, &c, &result);
    if (status == NVME_LATER)
        return;
    // Most errors would come again.
    if (status != NVME_OK && status >> 8 != 2 && status != NVME_ABORTED)
        status |= NVME_DNR;
    if (!nvme_post(v, sq, nvme_cid(&c), status, result))
        nvme_fail(v, "no room for a completion");
}

void nvme_work(struct nvme *v)
{
    tick now = sim_now(v->base.sim);
    unsigned slot;

    fetch(v);
    for (;;) {
        slot = first_slot(v);
        if (slot == v->p.slots || v->st.slot_when[slot] > now || !nvme_running(v))
            break;
        run_slot(v, slot);
        fetch(v);
    }
    nvme_deliver_event(v);
    nvme_update_interrupts(v);
    if (slot < v->p.slots && nvme_running(v))
        event_schedule(&v->st.work, v->st.slot_when[slot], EVENT_NORMAL);
    else
        event_cancel(&v->st.work);
}

unsigned nvme_abort(struct nvme *v, u16 sq, i32 cid, u16 status)
{
    struct nvme_state *s = &v->st;
    unsigned aborted = 0;

    for (unsigned i = 0; i < v->p.slots; i++) {
        u16 id = (u16)(s->slot_command[8 * i] >> 16);

        if (s->slot_state[i] == NVME_SLOT_FREE || s->slot_sq[i] != sq || (cid >= 0 && id != cid))
            continue;
        // Without room for its completion a command cannot be aborted, unless its queue goes.
        if (!nvme_post(v, sq, id, status, 0) && status != NVME_ABORTED_SQ)
            continue;
        s->slot_state[i] = NVME_SLOT_FREE;
        aborted++;
    }
    return aborted;
}

static void ring_submission(struct nvme *v, u16 sq, u32 value)
{
    if (value >= v->st.sq_size[sq]) {
        nvme_event(v, NVME_EVENT_DOORBELL_VALUE);
        return;
    }
    v->st.sq_tail[sq] = (u16)value;
    nvme_work(v);
}

static void ring_completion(struct nvme *v, u16 cq, u32 value)
{
    struct nvme_state *s = &v->st;
    u32 size = s->cq_size[cq], head = s->cq_head[cq];
    u32 taken = (value + size - head) % size, there = (s->cq_tail[cq] + size - head) % size;

    if (value >= size || taken > there) {
        nvme_event(v, NVME_EVENT_DOORBELL_VALUE);
        return;
    }
    s->cq_head[cq] = (u16)value;
    for (unsigned i = 0; i < v->p.slots && taken; i++)
        if (s->slot_state[i] == NVME_SLOT_BLOCKED && s->sq_cq[s->slot_sq[i]] == cq)
            s->slot_state[i] = NVME_SLOT_BUSY;
    nvme_work(v);
}

void nvme_doorbell(struct nvme *v, u64 index, u32 value)
{
    u16 queue = (u16)(index / 2);
    bool completion = index % 2;

    if (!nvme_running(v)) {
        component_guest_warn(&v->base, "a doorbell was rung while it is not ready");
        return;
    }
    if (queue > v->p.queues || !(completion ? v->st.cq_size : v->st.sq_size)[queue])
        nvme_event(v, NVME_EVENT_DOORBELL_REGISTER);
    else if (completion)
        ring_completion(v, queue, value);
    else
        ring_submission(v, queue, value);
}
