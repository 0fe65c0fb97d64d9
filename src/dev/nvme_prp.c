// SPDX-License-Identifier: BSD-3-Clause
// Physical region pages (NVM Express 1.4, section 4.3): where a command's data is in memory. PRP 1
// may begin anywhere in a page; PRP 2 is a page, or a list of pages whose last entry goes on to
// another list when there are more.
#include "dev/nvme_priv.h"

enum { ENTRIES = NVME_PAGE / 8 };

struct segment {
    paddr at;
    u64 size;
};

struct segments {
    struct segment items[NVME_DATA_MAX / NVME_PAGE + 1];
    unsigned count;
};

static void add(struct segments *s, paddr at, u64 *left)
{
    u64 size = MIN(*left, NVME_PAGE - at % NVME_PAGE);

    ASSERT(s->count < ARRAY_SIZE(s->items));
    s->items[s->count++] = (struct segment){at, size};
    *left -= size;
}

static u16 add_list(struct nvme *v, paddr list, u64 left, struct segments *s)
{
    u64 entries[ENTRIES];

    if (list % 8)
        return NVME_PRP_OFFSET;
    while (left) {
        u64 here = (NVME_PAGE - list % NVME_PAGE) / 8, need = (left + NVME_PAGE - 1) / NVME_PAGE;
        bool goes_on = need > here;
        u64 count = MIN(need, here);

        if (!mem_port_copy_out(&v->dma, list, entries, count * 8))
            return NVME_DATA_TRANSFER;
        for (u64 i = 0; i < count; i++)
            if (entries[i] % NVME_PAGE)
                return NVME_PRP_OFFSET;
        for (u64 i = 0; i < count - goes_on; i++)
            add(s, entries[i], &left);
        list = entries[count - 1];
    }
    return NVME_OK;
}

static u16 find_segments(struct nvme *v, const struct nvme_command *c, u64 size,
                         struct segments *ret_segments)
{
    paddr prp1 = c->words[3], prp2 = c->words[4];
    u64 left = size;

    ASSERT(size <= NVME_DATA_MAX);
    ret_segments->count = 0;
    if (prp1 % 4)
        return NVME_PRP_OFFSET;
    add(ret_segments, prp1, &left);
    if (left > NVME_PAGE)
        return add_list(v, prp2, left, ret_segments);
    if (left) {
        if (prp2 % NVME_PAGE)
            return NVME_PRP_OFFSET;
        add(ret_segments, prp2, &left);
    }
    return NVME_OK;
}

static u16 move(struct nvme *v, const struct nvme_command *c, u64 size, bool to_guest)
{
    struct segments s;
    u16 status = find_segments(v, c, size, &s);
    u8 *data = v->data;

    for (unsigned i = 0; i < s.count && status == NVME_OK; i++) {
        const struct segment *part = &s.items[i];
        bool ok = to_guest ? mem_port_copy_in(&v->dma, part->at, data, part->size)
                           : mem_port_copy_out(&v->dma, part->at, data, part->size);

        status = ok ? NVME_OK : NVME_DATA_TRANSFER;
        data += part->size;
    }
    return status;
}

u16 nvme_from_guest(struct nvme *v, const struct nvme_command *c, u64 size)
{
    return move(v, c, size, false);
}

u16 nvme_to_guest(struct nvme *v, const struct nvme_command *c, u64 size)
{
    return move(v, c, size, true);
}
