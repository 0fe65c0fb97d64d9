// SPDX-License-Identifier: BSD-3-Clause
// What the files of the NVMe controller share: nvme.c (registers), nvme_queue.c (queues, time),
// nvme_admin.c and nvme_identify.c (admin commands), nvme_io.c (I/O commands), nvme_prp.c (data).
// Numbers and names are those of NVM Express Base Specification 1.4.
#pragma once

#include "dev/nvme.h"
#include "dev/pci.h"
#include "sim/block.h"
#include "sim/sim.h"

enum {
    NVME_PAGE = 4096,
    NVME_ENTRIES_MAX = 1024, // of a queue
    NVME_MDTS = 7,           // 2^7 pages
    NVME_DATA_MAX = NVME_PAGE << NVME_MDTS,
    NVME_QUEUES_MAX = PCI_MAX_VECTORS - 1,
    NVME_AERS = 4,
    NVME_SQE = 64,
    NVME_CQE = 16,
    NVME_NSID = 1,
    NVME_BLOCK_MAX = 4096,
};

// Registers (section 3.1), and bits of CC and CSTS.
enum {
    NVME_CAP = 0x00,
    NVME_VS = 0x08,
    NVME_INTMS = 0x0c,
    NVME_INTMC = 0x10,
    NVME_CC = 0x14,
    NVME_CSTS = 0x1c,
    NVME_AQA = 0x24,
    NVME_ASQ = 0x28,
    NVME_ACQ = 0x30,
    NVME_DOORBELLS = 0x1000,
    NVME_VERSION = 0x00010400,
};
enum {
    NVME_CC_EN = 1 << 0,
    NVME_CC_CSS_MPS_AMS = 0x3ff0, // all zero: NVM commands, 4 KiB pages, round robin
    NVME_CC_SHN = 3 << 14,
    NVME_CC_IOSQES_SHIFT = 16,
    NVME_CC_IOCQES_SHIFT = 20,
    NVME_CSTS_RDY = 1 << 0,
    NVME_CSTS_CFS = 1 << 1,
    NVME_CSTS_SHST = 3 << 2,
    NVME_CSTS_SHST_DONE = 2 << 2,
};

// Status of a command: type << 8 | code (section 4.6.1), and the bit that says not to retry.
enum {
    NVME_OK = 0x000,
    NVME_INVALID_OPCODE = 0x001,
    NVME_INVALID_FIELD = 0x002,
    NVME_DATA_TRANSFER = 0x004,
    NVME_INTERNAL = 0x006,
    NVME_ABORTED = 0x007,
    NVME_ABORTED_SQ = 0x008,
    NVME_INVALID_NAMESPACE = 0x00b,
    NVME_SEQUENCE = 0x00c,
    NVME_PRP_OFFSET = 0x013,
    NVME_WRITE_PROTECTED = 0x020,
    NVME_LBA_RANGE = 0x080,
    NVME_CQ_INVALID = 0x100,
    NVME_QUEUE_ID = 0x101,
    NVME_QUEUE_SIZE = 0x102,
    NVME_AER_LIMIT = 0x105,
    NVME_VECTOR = 0x108,
    NVME_LOG_PAGE = 0x109,
    NVME_QUEUE_DELETION = 0x10c,
    NVME_NOT_SAVEABLE = 0x10d,
    NVME_NOT_CHANGEABLE = 0x10e,
    NVME_WRITE_FAULT = 0x280,
    NVME_READ_ERROR = 0x281,
    NVME_DNR = 1 << 14,
    NVME_LATER = 0xffff, // no completion now
};

enum {
    NVME_DELETE_SQ = 0x00,
    NVME_CREATE_SQ = 0x01,
    NVME_GET_LOG = 0x02,
    NVME_DELETE_CQ = 0x04,
    NVME_CREATE_CQ = 0x05,
    NVME_IDENTIFY = 0x06,
    NVME_ABORT = 0x08,
    NVME_SET_FEATURES = 0x09,
    NVME_GET_FEATURES = 0x0a,
    NVME_AER = 0x0c,
};
enum {
    NVME_FLUSH = 0x00,
    NVME_WRITE = 0x01,
    NVME_READ = 0x02,
    NVME_WRITE_ZEROES = 0x08,
    NVME_DSM = 0x09,
};
enum {
    NVME_FEATURE_ARBITRATION = 0x01,
    NVME_FEATURE_POWER = 0x02,
    NVME_FEATURE_TEMPERATURE = 0x04,
    NVME_FEATURE_ERROR_RECOVERY = 0x05,
    NVME_FEATURE_WRITE_CACHE = 0x06,
    NVME_FEATURE_QUEUES = 0x07,
    NVME_FEATURE_COALESCING = 0x08,
    NVME_FEATURE_VECTOR = 0x09,
    NVME_FEATURE_ATOMICITY = 0x0a,
    NVME_FEATURE_EVENTS = 0x0b,
    NVME_FEATURES = 16,
};
enum { NVME_LOG_ERROR = 1, NVME_LOG_SMART = 2, NVME_LOG_FIRMWARE = 3 };
// Asynchronous events about errors: what the doorbell got wrong.
enum { NVME_EVENT_DOORBELL_REGISTER = 0, NVME_EVENT_DOORBELL_VALUE = 1, NVME_NO_EVENT = 0xff };

enum { NVME_SLOT_FREE, NVME_SLOT_BUSY, NVME_SLOT_BLOCKED }; // blocked: its completion queue is full

#define NVME_PARAMS(P, PR, PB, PS, PC)                                                         \
    PS(disk, NULL, "Path of the component that holds the content (provides block)")            \
    PS(serial, "facet0", "Serial number, at most 20 characters")                               \
    P(u32, queues, 8, 1, NVME_QUEUES_MAX, "Pairs of I/O queues; each has an interrupt vector") \
    P(u32, slots, 64, 1, 1024, "Commands in flight; others wait in their queues")              \
    P(u32, block_bytes, 512, 512, NVME_BLOCK_MAX, "Size of a logical block: 512 or 4096")      \
    P(ticks, read_latency, 20000000, 0, TICKS_PER_SECOND,                                      \
      "From the end of a read's transfer to its completion")                                   \
    P(ticks, write_latency, 20000000, 0, TICKS_PER_SECOND,                                     \
      "The same for writes and all other I/O commands")                                        \
    P(ticks, admin_latency, 5000000, 0, TICKS_PER_SECOND, "Time of an admin command")          \
    P(ticks, enable_latency, 100000000, 0, TICKS_PER_SECOND, "From enabling to ready")         \
    P(bytes, bandwidth, MiB(2048), KiB(1), GiB(1024),                                          \
      "Bytes a second, of reads and writes together")

// Vectors of queues have the admin queues first. A queue of size 0 does not exist.
#define NVME_STATE(F, FA, FE, FV)        \
    FV(u64, sq_base, p->queues + 1)      \
    FV(u16, sq_size, p->queues + 1)      \
    FV(u16, sq_head, p->queues + 1)      \
    FV(u16, sq_tail, p->queues + 1)      \
    FV(u16, sq_cq, p->queues + 1)        \
    FV(u64, cq_base, p->queues + 1)      \
    FV(u16, cq_size, p->queues + 1)      \
    FV(u16, cq_head, p->queues + 1)      \
    FV(u16, cq_tail, p->queues + 1)      \
    FV(u16, cq_vector, p->queues + 1)    \
    FV(u8, cq_phase, p->queues + 1)      \
    FV(u8, cq_interrupts, p->queues + 1) \
    FV(tick, slot_when, p->slots)        \
    FV(u64, slot_order, p->slots)        \
    FV(u64, slot_command, p->slots * 8)  \
    FV(u16, slot_sq, p->slots)           \
    FV(u8, slot_state, p->slots)         \
    FE(work)                             \
    FE(ready)                            \
    F(tick, medium_free)                 \
    F(u64, next_order)                   \
    F(u64, asq)                          \
    F(u64, acq)                          \
    F(u32, aqa)                          \
    F(u32, cc)                           \
    F(u32, csts)                         \
    F(u32, interrupt_mask)               \
    FA(u32, features, NVME_FEATURES)     \
    FA(u16, aer_cid, NVME_AERS)          \
    F(u16, next_sq)                      \
    F(u8, aers)                          \
    F(u8, event)                         \
    F(u8, event_masked)                  \
    FA(u8, pad, 3)

#define NVME_STATS(S, SV, SH, SG, SR)                                             \
    S(reads, "Count", "Read commands completed well")                             \
    S(writes, "Count", "Write commands completed well")                           \
    S(flushes, "Count", "Flush commands completed well")                          \
    S(zeroings, "Count", "Write Zeroes and deallocating commands completed well") \
    S(admin_commands, "Count", "Admin commands completed well")                   \
    S(bytes_read, "Byte", "Bytes read")                                           \
    S(bytes_written, "Byte", "Bytes written")                                     \
    S(failed, "Count", "Commands completed with an error")                        \
    S(blocked, "Count", "Commands that found their completion queue full")        \
    S(resets, "Count", "Controller resets")                                       \
    SR(bytes_per_read, bytes_read, reads, "Byte", "Bytes of a read")              \
    SR(bytes_per_write, bytes_written, writes, "Byte", "Bytes of a write")

PARAM_STRUCT(nvme_params, NVME_PARAMS);
STATE_STRUCT(nvme_state, NVME_STATE);
STAT_STRUCT(nvme_stats, NVME_STATS);

struct nvme {
    struct component base;
    struct nvme_params p;
    struct nvme_state st;
    struct nvme_stats n;
    WIRED(struct component *pci);
    WIRED(struct mem_port dma);
    WIRED(struct component *disk);
    WIRED(const struct block_ops *block);
    WIRED(u64 blocks);
    WIRED(unsigned block_shift);
    WIRED(u8 *data);     // NVME_DATA_MAX bytes, for one command at a time
    DERIVED(u64 posted); // completion queues with news, a bit each; 0 between accesses and events
};

// A submission queue entry (section 4.2) as eight 64-bit words.
struct nvme_command {
    u64 words[8];
};
static inline u32 nvme_dword(const struct nvme_command *c, unsigned number)
{
    return (u32)(c->words[number / 2] >> 32 * (number % 2));
}
static inline u8 nvme_opcode(const struct nvme_command *c)
{
    return (u8)nvme_dword(c, 0);
}
static inline u16 nvme_cid(const struct nvme_command *c)
{
    return (u16)(nvme_dword(c, 0) >> 16);
}

// nvme.c
struct nvme *nvme_of(const struct component *c);
void nvme_fail(struct nvme *v, const char *why); // Controller Fatal Status; reset is the way out

// nvme_queue.c
bool nvme_running(const struct nvme *v);
// Fetches, completes what is due, interrupts, and sees to it that it goes on.
void nvme_work(struct nvme *v);
void nvme_update_interrupts(struct nvme *v);
void nvme_doorbell(struct nvme *v, u64 index, u32 value);
// Writes a completion; false when the queue is full.
bool nvme_post(struct nvme *v, u16 sq, u16 cid, u16 status, u32 result);
// Completes those of `sq` that are in flight (`cid` < 0: all) with `status`. How many.
unsigned nvme_abort(struct nvme *v, u16 sq, i32 cid, u16 status);

// nvme_admin.c
u16 nvme_admin(struct nvme *v, const struct nvme_command *c, u32 *ret_result);
void nvme_event(struct nvme *v, u8 info);
void nvme_deliver_event(struct nvme *v);
u32 nvme_feature_default(const struct nvme *v, unsigned feature);

// nvme_identify.c
u16 nvme_identify(struct nvme *v, const struct nvme_command *c);
void nvme_firmware_revision(u8 revision[8]);

// nvme_io.c
u16 nvme_io(struct nvme *v, const struct nvme_command *c);
// How many bytes it moves to or from the medium, for its timing.
u64 nvme_io_bytes(const struct nvme *v, const struct nvme_command *c);

// nvme_prp.c: data between v->data and the memory that the command's PRP entries describe.
u16 nvme_from_guest(struct nvme *v, const struct nvme_command *c, u64 size);
u16 nvme_to_guest(struct nvme *v, const struct nvme_command *c, u64 size);
