// SPDX-License-Identifier: BSD-3-Clause
// The NVMe command Identify (NVM Express 1.4, section 5.15): what the controller and its namespace
// say about themselves.
#include "dev/nvme_priv.h"

#include "base/hash.h"

#include <stdio.h>

enum {
    CNS_NAMESPACE = 0x00,
    CNS_CONTROLLER = 0x01,
    CNS_NAMESPACES = 0x02,
    CNS_DESCRIPTORS = 0x03,
};

static void put16(u8 *at, u32 value)
{
    at[0] = (u8)value;
    at[1] = (u8)(value >> 8);
}

static void put32(u8 *at, u32 value)
{
    memcpy(at, &value, sizeof(value));
}

static void put64(u8 *at, u64 value)
{
    memcpy(at, &value, sizeof(value));
}

// ASCII fields are filled up with spaces and have no end.
static void put_text(u8 *at, size_t size, const char *text)
{
    memset(at, ' ', size);
    memcpy(at, text, MIN(strlen(text), size));
}

void nvme_firmware_revision(u8 revision[8])
{
    put_text(revision, 8, "1.0");
}

// A UUID (version 8: made by the vendor's own rules) that only depends on the serial number.
static void make_uuid(const struct nvme *v, u8 uuid[16])
{
    u64 high = hash64(v->p.serial, strlen(v->p.serial)), low = hash64_more(high, "uuid", 4);

    put64(uuid, high);
    put64(uuid + 8, low);
    uuid[6] = (uuid[6] & 0x0f) | 0x80;
    uuid[8] = (uuid[8] & 0x3f) | 0x80;
}

static void put_subsystem_name(const struct nvme *v, u8 *at)
{
    u8 u[16];

    make_uuid(v, u);
    snprintf((char *)at, 256,
             "nqn.2014-08.org.nvmexpress:uuid:"
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13],
             u[14], u[15]);
}

// Figure 247.
static void make_controller(const struct nvme *v, u8 *d)
{
    put16(d + 0, 0x1b36);
    put16(d + 2, 0x1af4);
    put_text(d + 4, 20, v->p.serial);
    put_text(d + 24, 40, "facet NVMe");
    nvme_firmware_revision(d + 64);
    d[72] = 6; // arbitration burst: 2^6
    d[77] = NVME_MDTS;
    put32(d + 80, NVME_VERSION);
    d[111] = 1; // an I/O controller
    d[258] = 3; // aborts at a time, less one
    d[259] = NVME_AERS - 1;
    d[260] = 1 << 1 | 1; // one firmware slot, read-only
    d[261] = 1 << 2;     // log pages can be read from an offset
    put16(d + 266, 343); // temperatures that warn and that are critical, in kelvin
    put16(d + 268, 353);
    d[512] = 0x66; // sizes of queue entries: 2^6, 2^4
    d[513] = 0x44;
    put16(d + 514, NVME_ENTRIES_MAX); // MAXCMD
    put32(d + 516, NVME_NSID);        // how many namespaces
    put16(d + 520, 1 << 3 | 1 << 2);  // Write Zeroes, Dataset Management
    d[525] = 3 << 1 | 1;              // a volatile write cache; flush takes NSID ffffffff
    put_subsystem_name(v, d + 768);
    put16(d + 2048, 900); // power state 0: 9 W
}

// Figure 245.
static void make_namespace(const struct nvme *v, u8 *d)
{
    put64(d + 0, v->blocks);
    put64(d + 8, v->blocks);
    put64(d + 16, v->blocks);
    d[33] = 1 << 3 | 1; // what is deallocated reads as zero; also by Write Zeroes
    d[99] = v->block->read_only(v->disk);
    d[130] = (u8)v->block_shift; // the only LBA format, without metadata
}

static void make_descriptors(const struct nvme *v, u8 *d)
{
    d[0] = 3; // a UUID
    d[1] = 16;
    make_uuid(v, d + 4);
}

u16 nvme_identify(struct nvme *v, const struct nvme_command *c)
{
    u32 cns = nvme_dword(c, 10) & 0xff, nsid = nvme_dword(c, 1);

    memset(v->data, 0, NVME_PAGE);
    switch (cns) {
    case CNS_NAMESPACE:
        // All ones asks for what namespaces have in common; any other inactive one is zero.
        if (nsid == 0 || (nsid > NVME_NSID && nsid != 0xffffffff))
            return NVME_INVALID_NAMESPACE;
        if (nsid == NVME_NSID)
            make_namespace(v, v->data);
        else
            v->data[130] = (u8)v->block_shift;
        break;
    case CNS_CONTROLLER:
        make_controller(v, v->data);
        break;
    case CNS_NAMESPACES:
        if (nsid >= 0xfffffffe)
            return NVME_INVALID_NAMESPACE;
        if (nsid < NVME_NSID)
            put32(v->data, NVME_NSID);
        break;
    case CNS_DESCRIPTORS:
        if (nsid != NVME_NSID)
            return NVME_INVALID_NAMESPACE;
        make_descriptors(v, v->data);
        break;
    default:
        return NVME_INVALID_FIELD;
    }
    return nvme_to_guest(v, c, NVME_PAGE);
}
