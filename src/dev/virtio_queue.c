// SPDX-License-Identifier: BSD-3-Clause
// Split virtqueues, virtio 1.2 section 2.7: descriptor chains, indirect tables, event index. Rings
// lie in guest memory and may hold anything: each index is checked when it is used, each walk is
// bounded by its table's size, and what breaks the rules ends in virtio_fail.
#include "dev/virtio_priv.h"

enum {
    DESC_NEXT = 1,
    DESC_WRITE = 2,
    DESC_INDIRECT = 4,
    AVAIL_NO_INTERRUPT = 1,
    // Offsets in the available ring {flags, index, ring[], used_event} and in the used ring
    // {flags, index, ring[] of {id, length}, avail_event}.
    RING_INDEX = 2,
    RING_ENTRIES = 4,
    AVAIL_ENTRY = 2,
    USED_ENTRY = 8,
};

struct descriptor {
    u64 addr;
    u32 size;
    u16 flags, next;
};
_Static_assert(sizeof(struct descriptor) == 16, "as in memory");

static bool dma_read(struct virtio *v, paddr addr, void *data, u64 size)
{
    if (addr + size >= addr && mem_port_copy_out(&v->dma, addr, data, size))
        return true;
    virtio_fail(v, "an address that is not memory is to be read");
    return false;
}

static bool dma_write(struct virtio *v, paddr addr, const void *data, u64 size)
{
    if (addr + size >= addr && mem_port_copy_in(&v->dma, addr, data, size))
        return true;
    virtio_fail(v, "an address that is not memory is to be written");
    return false;
}

static bool read16(struct virtio *v, paddr addr, u16 *ret_value)
{
    return dma_read(v, addr, ret_value, sizeof(*ret_value));
}

static bool is_usable(const struct virtio *v, unsigned queue)
{
    return queue < v->ops->queues && v->st.ready[queue] && virtio_running(v);
}

bool virtio_pending(struct virtio *v, unsigned queue)
{
    u16 index, ahead;

    if (!is_usable(v, queue) || !read16(v, v->st.avail[queue] + RING_INDEX, &index))
        return false;
    ahead = (u16)(index - v->st.last_avail[queue]);
    if (ahead > v->st.size[queue]) {
        virtio_fail(v, "more chains are available than the queue has entries");
        return false;
    }
    if (!ahead && virtio_has_feature(v, VIRTIO_F_EVENT_IDX))
        dma_write(v, v->st.used[queue] + RING_ENTRIES + USED_ENTRY * (u64)v->st.size[queue],
                  &v->st.last_avail[queue], sizeof(u16));
    return ahead > 0;
}

// A walk through a chain.
struct walk {
    paddr table;
    u32 entries, index, steps;
    bool indirect;
};

static const char *add_segment(struct virtio_chain *c, const struct descriptor *d)
{
    bool write = d->flags & DESC_WRITE;

    if (!write && c->writable)
        return "a readable buffer behind a writable one";
    if (!d->size)
        return NULL;
    if (c->readable + c->writable == VIRTIO_SEGMENTS_MAX)
        return "a chain of too many descriptors";
    if (d->addr + d->size < d->addr)
        return "a buffer beyond the end of all addresses";
    if (c->readable_bytes + c->writable_bytes + d->size > VIRTIO_CHAIN_BYTES_MAX)
        return "a chain of too many bytes";
    c->segments[c->readable + c->writable] = (struct virtio_segment){d->addr, d->size};
    c->readable += !write;
    c->writable += write;
    *(write ? &c->writable_bytes : &c->readable_bytes) += d->size;
    return NULL;
}

static const char *enter_indirect(const struct virtio *v, struct walk *w,
                                  const struct descriptor *d)
{
    if (w->indirect || d->flags & DESC_NEXT || !virtio_has_feature(v, VIRTIO_F_INDIRECT_DESC))
        return "an indirect descriptor where none may be";
    if (!d->size || d->size % sizeof(*d) || d->size / sizeof(*d) > VIRTIO_SEGMENTS_MAX)
        return "an indirect table of a wrong size";
    *w = (struct walk){.table = d->addr, .entries = d->size / (u32)sizeof(*d), .indirect = true};
    return NULL;
}

bool virtio_chain_load(struct virtio *v, unsigned queue, u16 head, struct virtio_chain *ret_chain)
{
    struct virtio_chain *c = ret_chain;
    struct descriptor d = {.flags = DESC_NEXT, .next = head};
    const char *wrong = NULL;
    struct walk w;

    if (!is_usable(v, queue))
        return false;
    w = (struct walk){.table = v->st.desc[queue], .entries = v->st.size[queue]};
    c->head = head;
    c->readable = c->writable = 0;
    c->readable_bytes = c->writable_bytes = 0;
    while (!wrong && d.flags & (DESC_NEXT | DESC_INDIRECT)) {
        u32 index = d.flags & DESC_INDIRECT ? 0 : d.next;

        if (index >= w.entries || w.steps++ == w.entries) {
            wrong = "a chain that leaves its table or has a loop";
            break;
        }
        if (!dma_read(v, w.table + index * sizeof(d), &d, sizeof(d)))
            return false;
        if (d.flags & DESC_INDIRECT)
            wrong = enter_indirect(v, &w, &d);
        else
            wrong = add_segment(c, &d);
    }
    if (wrong)
        virtio_fail(v, wrong);
    return !wrong;
}

bool virtio_pop(struct virtio *v, unsigned queue, struct virtio_chain *ret_chain)
{
    u16 slot, head;

    if (!virtio_pending(v, queue))
        return false;
    slot = v->st.last_avail[queue] % v->st.size[queue];
    if (!read16(v, v->st.avail[queue] + RING_ENTRIES + AVAIL_ENTRY * (u64)slot, &head) ||
        !virtio_chain_load(v, queue, head, ret_chain))
        return false;
    v->st.last_avail[queue]++;
    return true;
}

// Sections 2.7.7.2 and 2.7.10: whether the driver wants to hear of used entry `index`.
static bool wants_interrupt(struct virtio *v, unsigned queue, u16 index)
{
    paddr avail = v->st.avail[queue];
    u16 word;

    if (virtio_has_feature(v, VIRTIO_F_EVENT_IDX))
        return read16(v, avail + RING_ENTRIES + AVAIL_ENTRY * (u64)v->st.size[queue], &word) &&
               word == index;
    return read16(v, avail, &word) && !(word & AVAIL_NO_INTERRUPT);
}

void virtio_push(struct virtio *v, unsigned queue, u16 head, u64 written)
{
    u32 entry[2] = {head, (u32)written};
    paddr used;
    u16 index;

    if (!is_usable(v, queue))
        return;
    used = v->st.used[queue];
    index = v->st.used_index[queue];
    if (!dma_write(v, used + RING_ENTRIES + USED_ENTRY * (u64)(index % v->st.size[queue]), entry,
                   sizeof(entry)))
        return;
    v->st.used_index[queue]++;
    if (!dma_write(v, used + RING_INDEX, &v->st.used_index[queue], sizeof(u16)))
        return;
    v->n.chains++;
    if (wants_interrupt(v, queue, index))
        virtio_interrupt_queue(v, queue);
}

// The segments of one part of a chain, and the place of a byte in it.
struct part {
    const struct virtio_segment *segment;
    u64 offset; // in the segment
};

static struct part part_at(const struct virtio_segment *first, u64 offset)
{
    struct part p = {.segment = first, .offset = offset};

    while (p.offset && p.offset >= p.segment->size)
        p.offset -= p.segment++->size;
    return p;
}

bool virtio_chain_read(struct virtio *v, const struct virtio_chain *chain, u64 offset, void *data,
                       u64 size)
{
    struct part p;
    u8 *to = data;

    if (offset > chain->readable_bytes || size > chain->readable_bytes - offset) {
        virtio_fail(v, "a request that is too short");
        return false;
    }
    for (p = part_at(chain->segments, offset); size; p = (struct part){p.segment + 1, 0}) {
        u64 n = MIN(size, p.segment->size - p.offset);

        if (!dma_read(v, p.segment->addr + p.offset, to, n))
            return false;
        to += n;
        size -= n;
    }
    return true;
}

bool virtio_chain_write(struct virtio *v, const struct virtio_chain *chain, u64 offset,
                        const void *data, u64 size)
{
    const u8 *from = data;
    struct part p;

    if (offset > chain->writable_bytes || size > chain->writable_bytes - offset) {
        virtio_fail(v, "a buffer that is too short");
        return false;
    }
    for (p = part_at(chain->segments + chain->readable, offset); size;
         p = (struct part){p.segment + 1, 0}) {
        u64 n = MIN(size, p.segment->size - p.offset);

        if (!dma_write(v, p.segment->addr + p.offset, from, n))
            return false;
        from += n;
        size -= n;
    }
    return true;
}
