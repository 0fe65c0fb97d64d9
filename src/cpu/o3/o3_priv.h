// SPDX-License-Identifier: BSD-3-Clause
// What the files of the out-of-order CPU share. All micro-ops from fetch to retirement stand in one
// ring; stages are positions in it: head <= disp <= tail. They hold no values, only when things
// are done. Positions are u64 and never come back; a position's slot is position & mask.
//
//     head    the oldest that has not retired
//     disp    the next to be renamed: head..disp is the reorder buffer
//     tail    the next to be fetched: disp..tail is what fetch and decode have ready
#pragma once

#include "cpu/bpred/bpred.h"
#include "cpu/front.h"
#include "cpu/o3/o3.h"
#include "cpu/o3/o3_lists.h"
#include "cpu/o3/o3_trace.h"
#include "cpu/o3/uop_timing.h"
#include "sim/clock.h"
#include "sim/sim.h"
#include "sim/timed.h"

#include <stdatomic.h>
#include <string.h>

#define O3_NEVER (~(u64)0)
#define O3_NO_POS (~(u64)0)

enum {
    O3_RING_MAX = 4096,
    O3_NONE = 0xffff, // no slot, list or branch
    O3_WHEEL = 1024,  // cycles; list number = cycle % O3_WHEEL
    O3_SETS_MAX = 32, // different sets of ports
    O3_STORES_MAX = 512,
    // Lists behind those of the wheel and of the stores.
    O3_LIST_STORE = O3_WHEEL,
    O3_LIST_OLDEST = O3_LIST_STORE + O3_STORES_MAX, // waits until it is the oldest
    O3_LIST_BARRIER,                                // waits behind a locked access
    O3_LISTS,
    O3_FILTER = 1024, // counters of addresses in flight
    O3_BARRIERS = 512,
    O3_SSIT = 4096,
    O3_LFST = 512,       // entries of the dependence predictor's tables
    O3_SCHEDULED = 0x80, // in `linked`: it holds a scheduler's entry
};

enum o3_phase {
    O3_FETCHED, // not renamed
    O3_WAITING, // for operands, time, or what a list says
    O3_READY,   // for a port
    O3_ISSUED,  // `done` says when its result is there, or O3_NEVER: memory will say
};

enum o3_flag {
    O3_FIRST = 1 << 0,  // first micro-op of its instruction
    O3_LAST = 1 << 1,   // last one
    O3_FUSED = 1 << 2,  // takes no slot of its own
    O3_SERIAL = 1 << 3, // enters an empty pipeline, alone
    O3_MISPREDICTED = 1 << 4,
    O3_WRONG_PATH = 1 << 5,
    O3_LOAD = 1 << 6,
    O3_STORE = 1 << 7, // the address of one
    O3_DATA = 1 << 8,  // the data of one
    O3_ATOMIC = 1 << 9,
    O3_MOVE = 1 << 10,    // done by renaming
    O3_ZERO = 1 << 11,    //
    O3_NOTHING = 1 << 12, // executes nothing
    O3_DEVICE = 1 << 13,
    O3_TRANSLATED = 1 << 14, // its TLB access is over
    O3_RESOLVE = 1 << 15,    // a mispredicted branch on the wheel, executed
};

// Values of the parameter `dependence`.
enum { O3_BY_STORE_SETS, O3_WAIT_FOR_ALL, O3_NEVER_WAIT };

enum { O3_INT, O3_VEC, O3_FLAGS, O3_BANKS };

// One micro-op; one line of the host's cache.
struct o3_slot {
    u64 ready; // first cycle for rename; then for issue
    u64 done;
    u8 class;  // enum uop_class
    u8 state;  // enum o3_phase
    u8 n_wait; // operands without a known time
    u8 set;    // of ports
    u16 flags; // enum o3_flag
    u8 number; // in its instruction
    u8 insts;  // that end with it
    u8 src[4], dst[4];
    u8 regs[O3_BANKS];              // physical registers that it takes
    u8 linked;                      // bit k: node k is in producer[k]'s list
    u16 consumers;                  // first node (slot * 4 + operand) that waits for the result
    u16 node[4];                    // next nodes
    u16 list, list_next, list_prev; // the list it is in, its neighbours
    u16 memory;                     // its place in the load or store queue
    u16 branch;                     // of the branch ring
    u16 delay;                      // cycles that replace its class's latency; 0: none
};
_Static_assert(sizeof(struct o3_slot) == 64, "one line");

// What is looked at less often.
struct o3_info {
    vaddr pc;
    vaddr va;
    paddr pa;
    u16 size;
    u16 opcode;
    u16 producer[4]; // slots
    u32 generation;  // tells a late answer of memory from one to the slot's new owner
    u8 pending;      // answers of memory that are out
    u8 lines;        // that a load has asked for; 2: all
    u64 done;        // when those that were there are
    u8 cause;        // enum o3_cpi: why it came late from fetch
    u64 trace;       // number of the instruction in the trace
    u64 fetched, rename, dispatched, issued; // cycles
};

struct o3_branch {
    struct prediction p;
    struct branch b;
    u64 pos;
    vaddr target; // where it went
    bool taken, mispredicted;
    bool speculated; // what follows it is undone: to `level`
    u8 level;
};

struct o3_load {
    u64 pos;
    u64 order;   // stores at and behind this number are younger
    u64 source;  // number of the store that gave the data + 1; 0: memory
    u64 wait;    // number + 1 of the store whose address it should wait for; 0: none
    u64 data_at; // when it could have had the data that a store does not have yet; 0: not that
    bool accessed, partial;
};

// Stores by number: drained <= retired <= next.
struct o3_store {
    u64 pos;
    vaddr pc, va;
    paddr pa;
    u64 known; // when its address is
    u64 data;  // when its data is there
    u16 size;
    u8 piece;                       // of the lines it is in
    bool wrong_path, device, asked; // asked: for its line, ahead of its turn
};

struct o3_set {
    u32 ports;
    u8 group, unit;
    u64 summary; // words of `ready` that are not 0
    u64 ready[O3_RING_MAX / 64];
};

enum o3_hold {
    O3_HOLD_NONE,
    O3_HOLD_RESOLVE, // until the branch `hold_branch` is resolved
    O3_HOLD_ICACHE,  // until memory answers
    O3_HOLD_ITLB,
};

struct o3;

struct o3_port {
    struct component *c;
    const struct timed_port_ops *ops;
};
struct o3_tlb {
    struct component *c;
    const struct timed_tlb_ops *ops;
};

// Time: cycles and the ticks they begin at.
struct o3_time {
    u64 cycle;
    tick now;
    u64 hertz, whole, part; // a cycle is whole + part / hertz ticks
    u64 ahead;              // now is so many 1 / hertz of a tick later than the cycle
};

struct o3_fetch {
    u64 at;          // the first cycle for the next fetch
    u8 cause;        // enum o3_cpi: why the next micro-op comes late
    u8 hold;         // enum o3_hold
    u16 hold_branch; // of O3_HOLD_RESOLVE
    bool wrong_stop; // the wrong path cannot go on
    bool from_cache; // the micro-op cache has the window
    u32 cur;         // next record of the batch
    i32 more;        // instructions that the last record stands for beyond its own
    u32 token;       // of the last access to cache or TLB
    u64 line, page;  // that were accessed last
    u64 window;      // of the micro-op cache
    u32 window_uops;
    u64 last_rename; // cycle at which the last micro-op gets to rename
    u64 fuse;        // position of a compare that a branch behind it may fuse with
};

struct pipe {
    struct cpu cpu; // first
    struct o3 *o3;
    struct front front;
    struct core *core;
    tick *latest_read;
    const struct o3_kind *kind;
    struct o3_time time;
    u32 mask;
    u64 head, disp, tail;
    struct o3_slot *slot;
    struct o3_info *info;
    u64 rat[UOP_REGS]; // position + 1 of the last producer; 0: long done
    i32 free_regs[O3_BANKS];
    u32 rob_used;
    i32 free_sched[O3_GROUPS];
    u64 serial; // position + 1 of what executes alone

    u16 list_head[O3_LISTS];
    u64 wheel_used[O3_WHEEL / 64];
    u64 wheel_at; // the next cycle to turn to

    u32 n_sets;
    struct o3_set *set;
    u8 class_set[UOP_CLASSES];
    u32 ready_sets; // bit per set with something ready
    u64 unit_free[O3_UNITS][O3_PORTS_MAX];
    u8 bank[UOP_REGS];

    struct o3_branch *branch; // ring
    u32 branch_mask;
    u64 branch_head, branch_tail;

    struct o3_load *load;
    u32 load_mask;
    u64 load_head, load_tail;
    struct o3_store *store;
    u32 store_mask;
    u64 store_drained, store_retired, store_next;
    u64 drain_at;
    bool drain_wait;
    u32 drain_token;
    u16 store_filter[O3_FILTER], load_filter[O3_FILTER];
    u64 barrier[O3_BARRIERS];
    u64 barrier_head, barrier_tail;
    u64 violation;                         // position to replay from; O3_NO_POS: none
    vaddr violation_store, violation_load; // the pcs

    struct o3_fetch fetch;
    u64 *uop_tags;

    u32 *ssit; // store sets: by pc, set + 1
    u64 *lfst; // by set: number of the last store fetched + 1

    u64 quota;           // instructions that may still begin in this run
    u64 done_insts;      // begun in this run
    enum core_exit held; // why the core left, for when the pipeline is empty
    bool syncing;        // the core is in the middle of a block
    atomic_bool kicked;
    bool failed;
    u64 last_retired; // cycle
    u8 refill;        // O3_CPI_BRANCH or O3_CPI_ORDER while the first micro-op behind a
                      // squash has not come, else 0
    bool active;      // something happened in this cycle
    u32 n_dispatched, n_retired, n_issued; // in this cycle
    u32 slots_used;
    u8 block_cause; // enum o3_cpi: why rename stopped
    bool backend_stall;
    u64 *rename_stall, *fetch_stall; // statistics of what they wait for; NULL: nothing

    struct o3_port icache, dcache;
    struct o3_tlb itlb, dtlb;
    struct component *bpred;
    struct timed_client on_load, on_load_tlb, on_store, on_fetch, on_fetch_tlb;
    struct timed_walker walker;
    struct o3_trace *trace;
    u64 trace_next;
    u32 epoch; // of the mappings that the TLBs are of
};

STATE_STRUCT(o3_state, NO_ROWS);

struct o3 {
    struct component base;
    struct o3_params p;
    struct o3_state st;
    struct o3_stats n;
    DERIVED(struct pipe *pipe);
};

// ---- time

static inline void o3_time_next(struct o3_time *t)
{
    t->cycle++;
    t->now += t->whole;
    if (t->ahead < t->part) {
        t->ahead += t->hertz;
        t->now++;
    }
    t->ahead -= t->part;
}

// The tick at which the k-th cycle from now begins.
static inline tick o3_tick_after(const struct o3_time *t, u64 k)
{
    u64 rest = k * t->part;

    return t->now + k * t->whole +
           (rest > t->ahead ? (rest - t->ahead + t->hertz - 1) / t->hertz : 0);
}

void o3_time_skip(struct o3_time *t, u64 cycles);
void o3_time_set(struct o3_time *t, u64 hertz, tick now);

// The first cycle that begins at or after `when`.
static inline u64 o3_cycle_at(const struct o3_time *t, tick when)
{
    if (when <= t->now)
        return t->cycle;
    if (LIKELY(when - t->now < 100000000))
        return t->cycle + (t->ahead + (when - t->now - 1) * t->hertz) / TICKS_PER_SECOND + 1;
    return t->cycle + (u64)((t->ahead + (u128)(when - t->now - 1) * t->hertz) / TICKS_PER_SECOND) +
           1;
}

// ---- ring

static inline struct o3_slot *o3_at(struct pipe *p, u64 pos)
{
    return &p->slot[pos & p->mask];
}

static inline u32 o3_index(const struct pipe *p, const struct o3_slot *s)
{
    return (u32)(s - p->slot);
}

// The position of a slot between head and tail.
static inline u64 o3_pos(const struct pipe *p, u32 index)
{
    return p->head + ((index - p->head) & p->mask);
}

static inline bool o3_empty(const struct pipe *p)
{
    return p->head == p->tail && p->fetch.cur == p->front.batch->n_inst &&
           p->store_drained == p->store_next;
}

// ---- lists (issue.c): a slot is in one at most; any order
void o3_list_add(struct pipe *p, u32 list, struct o3_slot *s);
void o3_list_remove(struct pipe *p, struct o3_slot *s);
// Puts a slot that has all it needs on the wheel, for `ready` or as soon as it may be.
void o3_schedule(struct pipe *p, struct o3_slot *s, u64 when);
// All slots in a list try again.
void o3_list_wake(struct pipe *p, u32 list);
// The result's time is known: consumers learn it.
void o3_complete(struct pipe *p, struct o3_slot *s, u64 done);
void o3_wheel_turn(struct pipe *p);
u64 o3_wheel_next(const struct pipe *p);
void o3_issue(struct pipe *p);
void o3_ready_remove(struct pipe *p, struct o3_slot *s);

// ---- fetch.c, decode.c, uop_cache.c
void o3_fetch(struct pipe *p);
void o3_fetch_reset(struct pipe *p);
void o3_fetch_init(struct pipe *p);
// Fetch goes on at `when`, at the core's pc.
void o3_fetch_redirect(struct pipe *p, u64 when);
bool o3_fuse_branch(struct pipe *p, const struct dyn_inst *d, u8 insts);
// Whether the record completes an instruction.
static inline u32 o3_counts(const struct dyn_inst *d)
{
    return !(d->flags & DYN_FAULT) && !(d->si->flags & STATIC_REPEAT && d->next_pc == d->si->pc);
}

// The micro-ops of a record go into the ring; `rename`: when they get to rename.
void o3_decode(struct pipe *p, const struct dyn_inst *d, const struct mem_ref *mem, u8 insts,
               u64 rename);
u32 o3_uops_of(const struct pipe *p, const struct dyn_inst *d);
// Whether a line is there that begins at pc; it is from then on.
bool o3_uop_cache_find(struct pipe *p, vaddr pc);

// ---- rename.c
void o3_rename(struct pipe *p);
void o3_rename_map(struct pipe *p, const struct o3_slot *s, u64 pos);

// ---- lsq.c
void o3_load_issue(struct pipe *p, struct o3_slot *s, u64 pos);
void o3_store_issue(struct pipe *p, struct o3_slot *s, u64 pos);
void o3_load_release(struct pipe *p, struct o3_slot *s);
void o3_load_enter(struct pipe *p, struct o3_slot *s, u64 pos);
void o3_store_enter(struct pipe *p, struct o3_slot *s, u64 pos);
void o3_store_data(struct pipe *p, struct o3_slot *s);
void o3_store_forget(struct pipe *p); // the youngest
void o3_store_drain(struct pipe *p);
void o3_check_oldest(struct pipe *p);
void o3_lsq_init(struct pipe *p);

// ---- dependence.c: store sets (Chrysos and Emer, ISCA 1998)
u64 o3_dependence_of_load(struct pipe *p, vaddr pc, u64 order);
void o3_dependence_store(struct pipe *p, vaddr pc, u64 number);
void o3_dependence_train(struct pipe *p, vaddr load, vaddr store);

// ---- commit.c, squash.c
void o3_commit(struct pipe *p);
void o3_squash(struct pipe *p, u64 from);
void o3_replay(struct pipe *p);
void o3_resolve(struct pipe *p, struct o3_slot *s);

// ---- account.c
void o3_account(struct pipe *p, u64 cycles);

// ---- watchdog.c
void o3_watchdog(struct pipe *p);

// ---- o3.c
void o3_reset_pipe(struct pipe *p);
// What is in flight is dropped: what was executed on the right path counts as retired.
void o3_abandon(struct pipe *p);

// ---- run.c
extern const struct cpu_ops o3_cpu_ops;
void o3_sync(struct core *core, void *ctx, enum core_sync why);
void o3_trace_slot(struct pipe *p, u64 last, bool flushed);
