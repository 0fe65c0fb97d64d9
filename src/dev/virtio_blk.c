// SPDX-License-Identifier: BSD-3-Clause
// Block device, virtio 1.2 section 5.2, in front of a component that provides "block": read, write,
// flush, discard, write zeroes, identity. UNMODELLED: several queues, write-through as the driver's
// choice (F_CONFIG_WCE), lifetime, secure erase, zones.
// Timing: a request is done `latency` after it was taken, but no earlier than its bytes have passed
// at `bandwidth` behind those of the requests before; so requests overlap and end in order. Its
// data moves at that moment. APPROX: flush, discard and write zeroes cost as a request of no bytes.
#include "dev/virtio.h"
#include "dev/virtio_devices.h"
#include "sim/block.h"
#include "sim/sim.h"

#include <linux/virtio_blk.h>

enum {
    ID_BLOCK = 2,
    REQUEST_QUEUE = 0,
    SECTOR = 512,
    PIECE_BYTES = 65536,
    CONFIG_BYTES = 60, // up to the fields for write zeroes
    SEGMENT_BYTES_MAX = 0x40000,
    DATA_SEGMENTS_MAX = 254,
    RANGES_MAX = 16,            // of a discard or write zeroes
    RANGE_SECTORS_MAX = 131072, // 64 MiB
};

#define BLK_PARAMS(P, PR, PB, PS, PC)                                                    \
    VIRTIO_PARAMS(P, PR, PB, PS, PC)                                                     \
    PS(disk, NULL, "Path of the component with the image")                               \
    PS(serial, "facet", "Identity it tells the driver, at most 20 characters")           \
    P(ticks, latency, 50000000, 1000, TICKS_PER_SECOND, "Time a request takes at least") \
    P(bytes, bandwidth, GiB(2), KiB(1), GiB(1024), "Bytes in a second, of all requests")

#define BLK_STATE(F, FA, FE, FV)  \
    F(u64, first)                 \
    F(u64, in_flight)             \
    F(tick, busy_until)           \
    FV(tick, due, p->queue_size)  \
    FV(u16, heads, p->queue_size) \
    FE(complete)

#define BLK_STATS(S, SV, SH, SG, SR)                                \
    S(reads, "Count", "Read requests")                              \
    S(writes, "Count", "Write requests")                            \
    S(flushes, "Count", "Flush requests")                           \
    S(discards, "Count", "Discard and write-zeroes requests")       \
    S(errors, "Count", "Requests that failed or are not supported") \
    S(bytes_read, "Byte", "Bytes read")                             \
    S(bytes_written, "Byte", "Bytes written")

#define BLK_EVENTS(E) E(complete, blk_complete)

COMPONENT_LISTS(blk, BLK_PARAMS, BLK_STATE, BLK_STATS, BLK_EVENTS);

struct blk {
    struct component base;
    struct blk_params p;
    struct blk_state st;
    struct blk_stats n;
    WIRED(struct virtio *virtio);
    WIRED(const struct block_ops *block);
    WIRED(struct component *disk);
    DERIVED(u8 *piece); // scratch, PIECE_BYTES
};

static struct blk *blk_of(const struct component *c)
{
    ASSERT(c->type == &virtio_blk_type);
    return (struct blk *)(uintptr_t)c;
}

static u64 sectors(const struct blk *d)
{
    return d->block->size(d->disk) / SECTOR;
}

// A request, taken apart.
struct request {
    struct virtio_chain chain;
    struct virtio_blk_outhdr header;
    u64 data_out, data_in; // bytes behind the header, bytes before the status
};

static bool request_parse(struct blk *d, struct request *r)
{
    if (!r->chain.writable_bytes) {
        virtio_fail(d->virtio, "a request without a status byte");
        return false;
    }
    if (!virtio_chain_read(d->virtio, &r->chain, 0, &r->header, sizeof(r->header)))
        return false;
    r->data_out = r->chain.readable_bytes - sizeof(r->header);
    r->data_in = r->chain.writable_bytes - 1;
    return true;
}

static bool range_is_good(const struct blk *d, u64 sector, u64 bytes)
{
    return bytes % SECTOR == 0 && sector <= sectors(d) && bytes / SECTOR <= sectors(d) - sector;
}

static u8 host_error(struct blk *d, const struct error *err)
{
    component_guest_warn(&d->base, "%s", err->message);
    return VIRTIO_BLK_S_IOERR;
}

static u8 do_read(struct blk *d, const struct request *r, u64 *ret_written)
{
    struct error err;

    d->n.reads++;
    if (!range_is_good(d, r->header.sector, r->data_in))
        return VIRTIO_BLK_S_IOERR;
    for (u64 done = 0, n; done < r->data_in; done += n) {
        n = MIN(r->data_in - done, PIECE_BYTES);
        if (!d->block->read(d->disk, r->header.sector * SECTOR + done, d->piece, n, &err))
            return host_error(d, &err);
        if (!virtio_chain_write(d->virtio, &r->chain, done, d->piece, n))
            return VIRTIO_BLK_S_IOERR;
        d->n.bytes_read += n;
    }
    *ret_written = r->data_in;
    return VIRTIO_BLK_S_OK;
}

static u8 do_write(struct blk *d, const struct request *r)
{
    struct error err;

    d->n.writes++;
    if (d->block->read_only(d->disk) || !range_is_good(d, r->header.sector, r->data_out))
        return VIRTIO_BLK_S_IOERR;
    for (u64 done = 0, n; done < r->data_out; done += n) {
        n = MIN(r->data_out - done, PIECE_BYTES);
        if (!virtio_chain_read(d->virtio, &r->chain, sizeof(r->header) + done, d->piece, n))
            return VIRTIO_BLK_S_IOERR;
        if (!d->block->write(d->disk, r->header.sector * SECTOR + done, d->piece, n, &err))
            return host_error(d, &err);
        d->n.bytes_written += n;
    }
    return VIRTIO_BLK_S_OK;
}

static u8 do_flush(struct blk *d)
{
    struct error err;

    d->n.flushes++;
    return d->block->flush(d->disk, &err) ? VIRTIO_BLK_S_OK : host_error(d, &err);
}

// Checks all ranges before any is changed.
static u8 check_ranges(const struct blk *d, const struct virtio_blk_discard_write_zeroes *ranges,
                       u64 count, bool zeroes)
{
    for (u64 i = 0; i < count; i++) {
        // Section 5.2.6.2: unmap is for write zeroes only; the other bits are reserved.
        if (ranges[i].flags & ~(zeroes ? (u32)VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0))
            return VIRTIO_BLK_S_UNSUPP;
        if (ranges[i].num_sectors > RANGE_SECTORS_MAX ||
            !range_is_good(d, ranges[i].sector, (u64)ranges[i].num_sectors * SECTOR))
            return VIRTIO_BLK_S_IOERR;
    }
    return VIRTIO_BLK_S_OK;
}

static u8 do_zero(struct blk *d, const struct request *r, bool zeroes)
{
    struct virtio_blk_discard_write_zeroes ranges[RANGES_MAX];
    u64 count = r->data_out / sizeof(ranges[0]);
    struct error err;
    u8 status;

    d->n.discards++;
    if (d->block->read_only(d->disk) || !count || count > RANGES_MAX ||
        r->data_out % sizeof(ranges[0]) ||
        !virtio_chain_read(d->virtio, &r->chain, sizeof(r->header), ranges, r->data_out))
        return VIRTIO_BLK_S_IOERR;
    status = check_ranges(d, ranges, count, zeroes);
    for (u64 i = 0; i < count && status == VIRTIO_BLK_S_OK; i++)
        if (!d->block->zero(d->disk, ranges[i].sector * SECTOR, (u64)ranges[i].num_sectors * SECTOR,
                            &err))
            status = host_error(d, &err);
    return status;
}

static u8 do_identify(struct blk *d, const struct request *r, u64 *ret_written)
{
    char id[VIRTIO_BLK_ID_BYTES] = {0};
    u64 n = MIN(r->data_in, sizeof(id));

    memcpy(id, d->p.serial, strlen(d->p.serial));
    if (!virtio_chain_write(d->virtio, &r->chain, 0, id, n))
        return VIRTIO_BLK_S_IOERR;
    *ret_written = n;
    return VIRTIO_BLK_S_OK;
}

static u8 perform(struct blk *d, const struct request *r, u64 *ret_written)
{
    switch (r->header.type) {
    case VIRTIO_BLK_T_IN:
        return do_read(d, r, ret_written);
    case VIRTIO_BLK_T_OUT:
        return do_write(d, r);
    case VIRTIO_BLK_T_FLUSH:
        return do_flush(d);
    case VIRTIO_BLK_T_DISCARD:
        return do_zero(d, r, false);
    case VIRTIO_BLK_T_WRITE_ZEROES:
        return do_zero(d, r, true);
    case VIRTIO_BLK_T_GET_ID:
        return do_identify(d, r, ret_written);
    default:
        return VIRTIO_BLK_S_UNSUPP;
    }
}

static void finish(struct blk *d, u16 head)
{
    struct request r;
    u64 written = 0;
    u8 status;

    if (!virtio_chain_load(d->virtio, REQUEST_QUEUE, head, &r.chain) || !request_parse(d, &r))
        return;
    status = perform(d, &r, &written);
    d->n.errors += status != VIRTIO_BLK_S_OK;
    if (virtio_chain_write(d->virtio, &r.chain, r.data_in, &status, 1))
        virtio_push(d->virtio, REQUEST_QUEUE, head, written + 1);
}

// Takes what is available, as far as there is room.
static void blk_notify(struct component *c, unsigned queue)
{
    struct blk *d = blk_of(c);
    tick now = sim_now(c->sim);
    struct request r;

    while (d->st.in_flight < d->p.queue_size && virtio_pop(d->virtio, REQUEST_QUEUE, &r.chain) &&
           request_parse(d, &r)) {
        u64 bytes = r.header.type == VIRTIO_BLK_T_IN    ? r.data_in
                    : r.header.type == VIRTIO_BLK_T_OUT ? r.data_out
                                                        : 0;
        u64 at = (d->st.first + d->st.in_flight++) % d->p.queue_size;

        d->st.busy_until =
            MAX(d->st.busy_until, now) + (tick)((u128)bytes * TICKS_PER_SECOND / d->p.bandwidth);
        d->st.due[at] = MAX(d->st.busy_until, now + d->p.latency);
        d->st.heads[at] = r.chain.head;
    }
    if (d->st.in_flight && !d->st.complete.pending)
        event_schedule(&d->st.complete, MAX(d->st.due[d->st.first], now), EVENT_NORMAL);
}

static void blk_complete(void *owner, struct event *event)
{
    struct blk *d = owner;
    u16 head = d->st.heads[d->st.first];

    if (!d->st.in_flight)
        return;
    d->st.first = (d->st.first + 1) % d->p.queue_size;
    d->st.in_flight--;
    finish(d, head);
    blk_notify(&d->base, REQUEST_QUEUE);
}

static void blk_stop(struct component *c)
{
    struct blk *d = blk_of(c);

    event_cancel(&d->st.complete);
    d->st.first = d->st.in_flight = 0;
    d->st.busy_until = 0;
}

static u64 blk_features(struct component *c)
{
    const struct blk *d = blk_of(c);
    u64 all = 1ull << VIRTIO_BLK_F_SIZE_MAX | 1ull << VIRTIO_BLK_F_SEG_MAX |
              1ull << VIRTIO_BLK_F_BLK_SIZE | 1ull << VIRTIO_BLK_F_FLUSH;

    if (d->block->read_only(d->disk))
        return all | 1ull << VIRTIO_BLK_F_RO;
    return all | 1ull << VIRTIO_BLK_F_DISCARD | 1ull << VIRTIO_BLK_F_WRITE_ZEROES;
}

static void blk_config(struct component *c, u8 *ret_bytes)
{
    const struct blk *d = blk_of(c);
    struct virtio_blk_config config = {
        .capacity = sectors(d),
        .size_max = SEGMENT_BYTES_MAX,
        // The header and the status need a descriptor each, too.
        .seg_max = (u32)MAX(MIN(d->p.queue_size, DATA_SEGMENTS_MAX + 2), 3) - 2,
        .blk_size = SECTOR,
        .num_queues = 1,
        .max_discard_sectors = RANGE_SECTORS_MAX,
        .max_discard_seg = RANGES_MAX,
        .discard_sector_alignment = 1,
        .max_write_zeroes_sectors = RANGE_SECTORS_MAX,
        .max_write_zeroes_seg = RANGES_MAX,
        .write_zeroes_may_unmap = 1,
    };

    memcpy(ret_bytes, &config, CONFIG_BYTES);
}

static const struct virtio_device_ops blk_device = {
    .id = ID_BLOCK,
    .class_code = 0x010000,
    .queues = 1,
    .config_bytes = CONFIG_BYTES,
    .features = blk_features,
    .config = blk_config,
    .notify = blk_notify,
    .reset = blk_stop,
};
_Static_assert((u64)SEGMENT_BYTES_MAX *DATA_SEGMENTS_MAX < VIRTIO_CHAIN_BYTES_MAX,
               "what the driver is told to be possible is possible");

static bool blk_check(struct component *c, struct error *err)
{
    const struct blk *d = blk_of(c);

    if (strlen(d->p.serial) > VIRTIO_BLK_ID_BYTES)
        return error_set(err, ERROR_INPUT, "serial '%.40s' has more than %d characters",
                         d->p.serial, VIRTIO_BLK_ID_BYTES);
    return true;
}

static bool blk_build(struct component *c, struct error *err)
{
    struct blk *d = blk_of(c);

    d->piece = arena_array(&c->sim->arena, PIECE_BYTES, 1);
    d->virtio = virtio_new(c, &blk_device, VIRTIO_WIRING(&d->p), err);
    return d->virtio;
}

static bool blk_connect(struct component *c, struct error *err)
{
    struct blk *d = blk_of(c);
    const void *ops;

    if (!component_lookup_interface(c, d->p.disk, "block", &d->disk, &ops, err))
        return false;
    d->block = ops;
    return true;
}

static bool blk_after_load(struct component *c, struct error *err)
{
    const struct blk *d = blk_of(c);

    if (d->st.first >= d->p.queue_size || d->st.in_flight > d->p.queue_size)
        return error_set(err, ERROR_INPUT, "%s: no possible state", c->path);
    return true;
}

static const struct component_ops blk_ops = {
    .check = blk_check,
    .build = blk_build,
    .connect = blk_connect,
    .after_load = blk_after_load,
};

const struct component_type virtio_blk_type = {
    .name = "virtio_blk",
    .doc = "Virtio disk",
    COMPONENT_LAYOUT(blk),
    .ops = &blk_ops,
    .provides = {IFACE(mmio, &virtio_mmio)},
};
