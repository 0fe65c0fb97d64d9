// SPDX-License-Identifier: BSD-3-Clause
// NVMe admin commands (NVM Express 1.4, chapter 5) but for Identify: I/O queues, features, log
// pages, Abort, Asynchronous Event Request.
#include "dev/nvme_priv.h"

#include <stdio.h>

enum {
    QUEUE_CONTIGUOUS = 1 << 0,
    QUEUE_INTERRUPTS = 1 << 1,
    TEMPERATURE_KELVIN = 310,
    TEMPERATURE_LIMIT = 343,
};

// --- Queues (5.3 to 5.6)

static bool queue_id_is_good(const struct nvme *v, u32 id)
{
    return id >= 1 && id <= v->p.queues;
}

// What both kinds share; NVME_OK, or what is wrong.
static u16 check_new_queue(const struct nvme *v, const struct nvme_command *c, const u16 *sizes,
                           unsigned entry_shift, u32 entry_log)
{
    u32 id = nvme_dword(c, 10) & 0xffff, last = nvme_dword(c, 10) >> 16;

    if (!queue_id_is_good(v, id) || sizes[id])
        return NVME_QUEUE_ID;
    if (last == 0 || last >= NVME_ENTRIES_MAX || (v->st.cc >> entry_shift & 15) != entry_log)
        return NVME_QUEUE_SIZE;
    if (!(nvme_dword(c, 11) & QUEUE_CONTIGUOUS))
        return NVME_INVALID_FIELD;
    return c->words[3] % NVME_PAGE ? NVME_PRP_OFFSET : NVME_OK;
}

static u16 create_cq(struct nvme *v, const struct nvme_command *c)
{
    struct nvme_state *s = &v->st;
    u32 id = nvme_dword(c, 10) & 0xffff, vector = nvme_dword(c, 11) >> 16;
    u16 status = check_new_queue(v, c, s->cq_size, NVME_CC_IOCQES_SHIFT, 4);

    if (status != NVME_OK)
        return status;
    if (vector > (pci_function_msix_enabled(v->pci) ? v->p.queues : 0))
        return NVME_VECTOR;
    s->cq_base[id] = c->words[3];
    s->cq_size[id] = (u16)((nvme_dword(c, 10) >> 16) + 1);
    s->cq_head[id] = s->cq_tail[id] = 0;
    s->cq_vector[id] = (u16)vector;
    s->cq_phase[id] = 1;
    s->cq_interrupts[id] = (nvme_dword(c, 11) & QUEUE_INTERRUPTS) != 0;
    return NVME_OK;
}

static u16 create_sq(struct nvme *v, const struct nvme_command *c)
{
    struct nvme_state *s = &v->st;
    u32 id = nvme_dword(c, 10) & 0xffff, cq = nvme_dword(c, 11) >> 16;
    u16 status = check_new_queue(v, c, s->sq_size, NVME_CC_IOSQES_SHIFT, 6);

    if (status != NVME_OK)
        return status;
    if (cq == 0)
        return NVME_QUEUE_ID;
    if (!queue_id_is_good(v, cq) || !s->cq_size[cq])
        return NVME_CQ_INVALID;
    s->sq_base[id] = c->words[3];
    s->sq_size[id] = (u16)((nvme_dword(c, 10) >> 16) + 1);
    s->sq_head[id] = s->sq_tail[id] = 0;
    s->sq_cq[id] = (u16)cq;
    return NVME_OK;
}

static u16 delete_sq(struct nvme *v, const struct nvme_command *c)
{
    u32 id = nvme_dword(c, 10) & 0xffff;

    if (!queue_id_is_good(v, id) || !v->st.sq_size[id])
        return NVME_QUEUE_ID;
    nvme_abort(v, (u16)id, -1, NVME_ABORTED_SQ);
    v->st.sq_size[id] = 0;
    return NVME_OK;
}

static u16 delete_cq(struct nvme *v, const struct nvme_command *c)
{
    u32 id = nvme_dword(c, 10) & 0xffff;

    if (!queue_id_is_good(v, id) || !v->st.cq_size[id])
        return NVME_QUEUE_ID;
    for (unsigned q = 0; q <= v->p.queues; q++)
        if (v->st.sq_size[q] && v->st.sq_cq[q] == id)
            return NVME_QUEUE_DELETION;
    v->st.cq_size[id] = 0;
    return NVME_OK;
}

// Of what is in flight only I/O commands are worth it: admin commands end soon by themselves.
static u16 abort_command(struct nvme *v, const struct nvme_command *c, u32 *ret_result)
{
    u32 sq = nvme_dword(c, 10) & 0xffff, cid = nvme_dword(c, 10) >> 16;

    *ret_result = !queue_id_is_good(v, sq) || !v->st.sq_size[sq] ||
                  !nvme_abort(v, (u16)sq, (i32)cid, NVME_ABORTED);
    return NVME_OK;
}

// --- Features (5.9, 5.21)

u32 nvme_feature_default(const struct nvme *v, unsigned feature)
{
    switch (feature) {
    case NVME_FEATURE_TEMPERATURE:
        return TEMPERATURE_LIMIT;
    case NVME_FEATURE_WRITE_CACHE:
        return 1;
    case NVME_FEATURE_QUEUES:
        return (u32)(v->p.queues - 1) * 0x10001;
    default:
        return 0;
    }
}

// The bits that the guest sets; 0: not a feature, or not one to be changed.
static u32 feature_mask(u32 feature)
{
    switch (feature) {
    case NVME_FEATURE_ARBITRATION:
        return 0xffffff07;
    case NVME_FEATURE_POWER:
        return 0x1f;
    case NVME_FEATURE_TEMPERATURE:
        return 0x3fffff;
    case NVME_FEATURE_ERROR_RECOVERY:
        return 0x1ffff;
    case NVME_FEATURE_WRITE_CACHE:
    case NVME_FEATURE_ATOMICITY:
        return 1;
    case NVME_FEATURE_QUEUES:
        return ~0u;
    case NVME_FEATURE_COALESCING:
        return 0xffff;
    case NVME_FEATURE_VECTOR:
        return 0x1ffff;
    case NVME_FEATURE_EVENTS:
        return 0x7fff;
    default:
        return 0;
    }
}

static bool has_io_queues(const struct nvme *v)
{
    for (unsigned q = 1; q <= v->p.queues; q++)
        if (v->st.sq_size[q] || v->st.cq_size[q])
            return true;
    return false;
}

// How many queues the guest wants, less one, in both halves; it gets what there is.
static u16 set_queues(struct nvme *v, u32 value, u32 *ret_result)
{
    u32 most = (u32)v->p.queues - 1, sqs = value & 0xffff, cqs = value >> 16;

    if (sqs == 0xffff || cqs == 0xffff)
        return NVME_INVALID_FIELD;
    if (has_io_queues(v))
        return NVME_SEQUENCE;
    *ret_result = most * 0x10001;
    return NVME_OK;
}

static u16 set_feature(struct nvme *v, const struct nvme_command *c, u32 *ret_result)
{
    u32 feature = nvme_dword(c, 10) & 0xff, value = nvme_dword(c, 11);

    if (!feature_mask(feature))
        return NVME_INVALID_FIELD;
    if (nvme_dword(c, 10) >> 31)
        return NVME_NOT_SAVEABLE;
    switch (feature) {
    case NVME_FEATURE_QUEUES:
        return set_queues(v, value, ret_result);
    case NVME_FEATURE_VECTOR:
        return (value & 0xffff) <= v->p.queues ? NVME_OK : NVME_INVALID_FIELD;
    case NVME_FEATURE_POWER:
        return value & 0x1f ? NVME_INVALID_FIELD : NVME_OK; // there is one state
    case NVME_FEATURE_TEMPERATURE:
        // The composite sensor, its upper limit; others are not there.
        if (value >> 16 & 0x3f)
            return (value >> 16 & 0xf) ? NVME_INVALID_FIELD : NVME_OK;
        break;
    default:
        break;
    }
    v->st.features[feature] = value & feature_mask(feature);
    return NVME_OK;
}

static u16 get_feature(struct nvme *v, const struct nvme_command *c, u32 *ret_result)
{
    u32 feature = nvme_dword(c, 10) & 0xff, select = nvme_dword(c, 10) >> 8 & 7;

    if (!feature_mask(feature) || select > 3)
        return NVME_INVALID_FIELD;
    if (select == 3) {
        *ret_result = 1 << 2; // changeable, neither saveable nor per namespace
        return NVME_OK;
    }
    *ret_result = select ? nvme_feature_default(v, feature) : v->st.features[feature];
    if (feature == NVME_FEATURE_VECTOR) {
        u32 vector = nvme_dword(c, 11) & 0xffff;

        if (vector > v->p.queues)
            return NVME_INVALID_FIELD;
        *ret_result = vector;
    }
    // Lower limits and other sensors have none.
    if (feature == NVME_FEATURE_TEMPERATURE && nvme_dword(c, 11) >> 16 & 0x3f)
        *ret_result = 0;
    return NVME_OK;
}

// --- Log pages (5.14)

static void put64(u8 *at, u64 value)
{
    memcpy(at, &value, sizeof(value));
}

static u64 make_smart(const struct nvme *v, u8 *log)
{
    log[1] = TEMPERATURE_KELVIN & 0xff;
    log[2] = TEMPERATURE_KELVIN >> 8;
    log[3] = 100; // spare left, in percent,
    log[4] = 10;  // and its threshold
    put64(log + 32, (v->n.bytes_read + 511999) / 512000);
    put64(log + 48, (v->n.bytes_written + 511999) / 512000);
    put64(log + 64, v->n.reads);
    put64(log + 80, v->n.writes);
    return 512;
}

static u64 make_firmware(u8 *log)
{
    log[0] = 1; // slot 1 is active
    nvme_firmware_revision(log + 8);
    return 512;
}

static u16 get_log(struct nvme *v, const struct nvme_command *c)
{
    u32 page = nvme_dword(c, 10) & 0xff;
    u64 dwords = ((u64)(nvme_dword(c, 11) & 0xffff) << 16 | nvme_dword(c, 10) >> 16) + 1;
    u64 offset = c->words[6], size;

    if (dwords * 4 > NVME_DATA_MAX || offset % 4)
        return NVME_INVALID_FIELD;
    memset(v->data, 0, NVME_DATA_MAX);
    switch (page) {
    case NVME_LOG_ERROR:
        size = 64; // no errors are kept
        break;
    case NVME_LOG_SMART:
        size = make_smart(v, v->data);
        break;
    case NVME_LOG_FIRMWARE:
        size = make_firmware(v->data);
        break;
    default:
        return NVME_LOG_PAGE;
    }
    if (offset > size)
        return NVME_INVALID_FIELD;
    memmove(v->data, v->data + offset, size - offset);
    memset(v->data + size - offset, 0, offset);
    // Reading the page (without RAE) lets the next event of its kind come.
    if (page == NVME_LOG_ERROR && !(nvme_dword(c, 10) >> 15 & 1))
        v->st.event_masked = 0;
    return nvme_to_guest(v, c, dwords * 4);
}

// --- Asynchronous events (5.2): the only kind there is are errors, of doorbells

void nvme_event(struct nvme *v, u8 info)
{
    component_guest_warn(&v->base, "a doorbell of %s was rung",
                         info == NVME_EVENT_DOORBELL_REGISTER ? "no queue" : "a wrong value");
    v->st.event = info;
    nvme_work(v);
}

void nvme_deliver_event(struct nvme *v)
{
    struct nvme_state *s = &v->st;

    if (s->event == NVME_NO_EVENT || s->event_masked || !s->aers || !nvme_running(v))
        return;
    if (!nvme_post(v, 0, s->aer_cid[s->aers - 1], NVME_OK,
                   (u32)NVME_LOG_ERROR << 16 | (u32)s->event << 8))
        return;
    s->aers--;
    s->event = NVME_NO_EVENT;
    s->event_masked = 1;
}

static u16 request_event(struct nvme *v, const struct nvme_command *c)
{
    if (v->st.aers == NVME_AERS)
        return NVME_AER_LIMIT;
    v->st.aer_cid[v->st.aers++] = nvme_cid(c);
    return NVME_LATER;
}

static u16 run(struct nvme *v, const struct nvme_command *c, u32 *ret_result)
{
    switch (nvme_opcode(c)) {
    case NVME_DELETE_SQ:
        return delete_sq(v, c);
    case NVME_CREATE_SQ:
        return create_sq(v, c);
    case NVME_GET_LOG:
        return get_log(v, c);
    case NVME_DELETE_CQ:
        return delete_cq(v, c);
    case NVME_CREATE_CQ:
        return create_cq(v, c);
    case NVME_IDENTIFY:
        return nvme_identify(v, c);
    case NVME_ABORT:
        return abort_command(v, c, ret_result);
    case NVME_SET_FEATURES:
        return set_feature(v, c, ret_result);
    case NVME_GET_FEATURES:
        return get_feature(v, c, ret_result);
    case NVME_AER:
        return request_event(v, c);
    default:
        return NVME_INVALID_OPCODE;
    }
}

u16 nvme_admin(struct nvme *v, const struct nvme_command *c, u32 *ret_result)
{
    u16 status = nvme_dword(c, 0) >> 8 & 0xc3 ? NVME_INVALID_FIELD : run(v, c, ret_result);

    v->n.admin_commands += status == NVME_OK;
    return status;
}
