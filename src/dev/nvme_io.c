// SPDX-License-Identifier: BSD-3-Clause
// NVMe I/O commands (NVM Express 1.4, chapter 6): Flush, Read, Write, Write Zeroes, Dataset
// Management. Deallocated blocks read as zero.
#include "dev/nvme_priv.h"

enum {
    FUSE_PSDT = 0xc3, // of the flags in dword 0: fused, SGL
    FORCE_UNIT_ACCESS = 1 << 30,
    DSM_DEALLOCATE = 1 << 2,
    DSM_RANGE = 16,
};

static u64 first_block(const struct nvme_command *c)
{
    return c->words[5];
}

static u64 block_count(const struct nvme_command *c)
{
    return (nvme_dword(c, 12) & 0xffff) + 1;
}

u64 nvme_io_bytes(const struct nvme *v, const struct nvme_command *c)
{
    u8 opcode = nvme_opcode(c);

    return opcode == NVME_READ || opcode == NVME_WRITE ? block_count(c) << v->block_shift : 0;
}

static u16 host_failed(struct nvme *v, u16 status, const struct error *err)
{
    component_guest_warn(&v->base, "%s", err->message);
    return status;
}

static u16 flush(struct nvme *v)
{
    struct error err;

    return v->block->flush(v->disk, &err) ? NVME_OK : host_failed(v, NVME_WRITE_FAULT, &err);
}

// After a write: the cache is off, or the command wants its data on the medium.
static u16 write_done(struct nvme *v, const struct nvme_command *c)
{
    if (!(v->st.features[NVME_FEATURE_WRITE_CACHE] & 1) || nvme_dword(c, 12) & FORCE_UNIT_ACCESS)
        return flush(v);
    return NVME_OK;
}

static bool in_range(const struct nvme *v, u64 first, u64 count)
{
    return first <= v->blocks && count <= v->blocks - first;
}

static u16 read(struct nvme *v, const struct nvme_command *c)
{
    u64 size = nvme_io_bytes(v, c);
    struct error err;
    u16 status;

    if (size > NVME_DATA_MAX)
        return NVME_INVALID_FIELD;
    if (!in_range(v, first_block(c), block_count(c)))
        return NVME_LBA_RANGE;
    if (!v->block->read(v->disk, first_block(c) << v->block_shift, v->data, size, &err))
        return host_failed(v, NVME_READ_ERROR, &err);
    status = nvme_to_guest(v, c, size);
    if (status != NVME_OK)
        return status;
    v->n.reads++;
    v->n.bytes_read += size;
    return NVME_OK;
}

static u16 write(struct nvme *v, const struct nvme_command *c)
{
    u64 size = nvme_io_bytes(v, c);
    struct error err;
    u16 status;

    if (size > NVME_DATA_MAX)
        return NVME_INVALID_FIELD;
    if (!in_range(v, first_block(c), block_count(c)))
        return NVME_LBA_RANGE;
    if (v->block->read_only(v->disk))
        return NVME_WRITE_PROTECTED;
    status = nvme_from_guest(v, c, size);
    if (status != NVME_OK)
        return status;
    if (!v->block->write(v->disk, first_block(c) << v->block_shift, v->data, size, &err))
        return host_failed(v, NVME_WRITE_FAULT, &err);
    v->n.writes++;
    v->n.bytes_written += size;
    return write_done(v, c);
}

static u16 zero(struct nvme *v, u64 first, u64 count)
{
    struct error err;

    if (!v->block->zero(v->disk, first << v->block_shift, count << v->block_shift, &err))
        return host_failed(v, NVME_WRITE_FAULT, &err);
    return NVME_OK;
}

static u16 write_zeroes(struct nvme *v, const struct nvme_command *c)
{
    u16 status;

    if (!in_range(v, first_block(c), block_count(c)))
        return NVME_LBA_RANGE;
    if (v->block->read_only(v->disk))
        return NVME_WRITE_PROTECTED;
    status = zero(v, first_block(c), block_count(c));
    if (status != NVME_OK)
        return status;
    v->n.zeroings++;
    return write_done(v, c);
}

static void get_range(const struct nvme *v, u64 i, u64 *ret_first, u64 *ret_count)
{
    u32 count;

    memcpy(&count, v->data + i * DSM_RANGE + 4, sizeof(count));
    memcpy(ret_first, v->data + i * DSM_RANGE + 8, sizeof(*ret_first));
    *ret_count = count;
}

// Deallocating is a hint, so it ends after as many blocks as there are: no list of overlapping
// ranges makes one command arbitrarily long.
static u16 manage_dataset(struct nvme *v, const struct nvme_command *c)
{
    u64 ranges = (nvme_dword(c, 10) & 0xff) + 1, left = v->blocks, first, count;
    u16 status = nvme_from_guest(v, c, ranges * DSM_RANGE);

    if (status != NVME_OK)
        return status;
    for (u64 i = 0; i < ranges; i++) {
        get_range(v, i, &first, &count);
        if (!in_range(v, first, count))
            return NVME_LBA_RANGE;
    }
    if (!(nvme_dword(c, 11) & DSM_DEALLOCATE))
        return NVME_OK;
    if (v->block->read_only(v->disk))
        return NVME_WRITE_PROTECTED;
    for (u64 i = 0; i < ranges && status == NVME_OK; i++) {
        get_range(v, i, &first, &count);
        count = MIN(count, left);
        left -= count;
        status = count ? zero(v, first, count) : NVME_OK;
    }
    v->n.zeroings += status == NVME_OK;
    return status;
}

u16 nvme_io(struct nvme *v, const struct nvme_command *c)
{
    u32 nsid = nvme_dword(c, 1);
    u8 opcode = nvme_opcode(c);
    u16 status;

    if (nvme_dword(c, 0) >> 8 & FUSE_PSDT)
        return NVME_INVALID_FIELD;
    if (nsid != NVME_NSID && !(opcode == NVME_FLUSH && nsid == 0xffffffff))
        return NVME_INVALID_NAMESPACE;
    switch (opcode) {
    case NVME_FLUSH:
        status = flush(v);
        v->n.flushes += status == NVME_OK;
        return status;
    case NVME_WRITE:
        return write(v, c);
    case NVME_READ:
        return read(v, c);
    case NVME_WRITE_ZEROES:
        return write_zeroes(v, c);
    case NVME_DSM:
        return manage_dataset(v, c);
    default:
        return NVME_INVALID_OPCODE;
    }
}
