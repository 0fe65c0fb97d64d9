// SPDX-License-Identifier: BSD-3-Clause
// The part of a core slot that does not depend on the guest ISA: the host-pointer TLBs, the
// instruction budget, decoded blocks and how they are found. The ISA embeds it in its own core
// (isa/x86/core.h).
#pragma once

#include "isa/isa.h"
#include "sim/port.h"

enum core_access { CORE_READ, CORE_WRITE, CORE_EXEC, CORE_ACCESSES };

enum { CORE_PAGE_SHIFT = 12, CORE_PAGE_SIZE = 1 << CORE_PAGE_SHIFT };
#define CORE_PAGE_MASK (~(u64)(CORE_PAGE_SIZE - 1))

// A page that can be accessed through a host pointer: host = va + addend. `tag` is the page's
// address; an entry that is not in use has a tag that no page has. Pages that need attention at
// each access (devices, pages with decoded code for writing, watched pages) never have an entry.
struct tlb_entry {
    u64 tag;
    u64 addend;
};

enum { CORE_TLB_BITS = 10, CORE_TLB_SIZE = 1 << CORE_TLB_BITS };
#define CORE_TLB_EMPTY 1ull
// With this bit in its tag an entry has its page but no host pointer yet: after a restore, memory
// is only asked for when somebody uses it.
#define CORE_TLB_DORMANT 2ull

struct core_tlb {
    struct tlb_entry entry[CORE_TLB_SIZE];
    paddr page[CORE_TLB_SIZE];    // physical page of each entry
    u64 used[CORE_TLB_SIZE / 64]; // bitmap of entries to empty in a flush
};

// Arrays that lie a multiple of the TLB's reach apart do not share entries; nor do two neighbouring
// pages (sums, not differences: the last page of one reach and the first of the next), because the
// test for a hit looks at the page of an access's last byte in the entry of its first.
static inline u32 core_tlb_index(vaddr va)
{
    return ((va >> CORE_PAGE_SHIFT) + (va >> (CORE_PAGE_SHIFT + CORE_TLB_BITS))) &
           (CORE_TLB_SIZE - 1);
}

struct op;
struct core;

// A handler of threaded code. Executes *op and passes on to the next one (optimised builds: a tail
// call; others: it returns the next op, and the run loop calls that). NULL leaves the engine:
// core->exit says why, and the pc is set.
typedef const struct op *op_fn(struct core *c, const struct op *op);

#ifdef FACET_TAILCALL
#define CORE_TAIL_CALLS true
#else
#define CORE_TAIL_CALLS false
#endif

// One slot of threaded code. The fields mean what the ISA's handlers say.
struct op {
    op_fn *fn;
    u8 a, b, base, index; // byte offsets or numbers of registers
    u8 scale, size;
    u8 insn; // which instruction of the block it belongs to (the first, if it stands for several)
    u8 x;
    i64 disp;
    u64 imm;
};

// The slot behind an op that ends a block: where it goes, as direct links once they are known. [1]
// is the taken one.
struct op_links {
    struct block *to[2];
    vaddr at[2];
};

_Static_assert(sizeof(struct op) == 32 && sizeof(struct op_links) == 32,
               "slots of threaded code are 32 bytes");

enum block_flags {
    BLOCK_SPLIT = 1 << 0, // its last instruction continues on the next page (pa2)
    BLOCK_DEAD = 1 << 1,  // its code was overwritten
};

enum { BLOCK_MAX_INSTS = 64 };

// A decoded basic block; never longer than to the end of the page that it begins in, but for a
// last, split instruction. In memory it is followed by its ops and the instructions they come from.
struct block {
    u64 key; // va ^ mode_key of the core: what must agree for a block to be executed
    vaddr va;
    paddr pa;  // of its first byte
    paddr pa2; // page of the split instruction's tail
    u16 n_insts, n_ops;
    u16 bytes;
    u16 flags; // enum block_flags
    struct static_inst **insns;
    struct block *hash_next;
    struct block *page_next[2]; // the other blocks with code on the page of pa and of pa2
    struct op ops[];
};

enum { CORE_JUMP_BITS = 14, CORE_JUMP_SIZE = 1 << CORE_JUMP_BITS };

// Finds blocks by pc for indirect and cross-page transfers; emptied whenever a mapping changes.
struct jump_entry {
    u64 key;
    struct block *block;
};

enum { CORE_JUMP_PAGES = 4096 };

static inline u32 core_jump_index(vaddr pc)
{
    return (u32)(pc ^ (pc >> CORE_JUMP_BITS)) & (CORE_JUMP_SIZE - 1);
}

// No pc and mode have this key: the address is canonical in no paging mode.
#define CORE_NO_KEY (1ull << 55)

struct block_cache;

// The time at a core, as its time stamp counter and the devices it accesses see it: `base` and then
// period / share ticks per instruction. A core that takes turns with others on a machine's one
// thread has a share of more than 1: in its turn it runs that many times faster than its clock.
// With a share of 0 instructions take no time of their own: base is the time, and a timing model
// sets it.
struct core_time {
    tick base;
    u64 insts; // done since base, before the current run
    u64 ran;   // in the last run, to be added when the next begins
    u32 period;
    u32 share;
};

struct core {
    const struct isa_ops *isa;
    struct core_time time;
    struct core_tlb *tlb[CORE_ACCESSES]; // those of the current privilege
    i64 budget;          // instructions left; a block takes all of its when it is entered
    struct block *block; // being executed
    u64 mode_key;        // the mode bits that decoding depends on, in bits 56 and up
    enum core_exit exit;
    bool user_env;           // user-mode emulation: system calls and exceptions leave the engine
    bool leave_block;        // after this instruction: its code was overwritten, or a device was
                             // accessed, which may have raised an interrupt
    u8 stop;                 // enum core_exit: why to leave before the next instruction; 0: do not
    u8 insn;                 // number in its block of what is executed through an exec function
    struct dyn_batch *trace; // traced engine only
    struct block **link;     // the direct link that waits for the next block that is looked up
    i64 run_budget;          // budget at the start of this run: run_budget - budget are done
    u32 id;
    u32 speculation;   // levels of it; 0: what is executed counts
    u32 mapping_epoch; // counts what the guest flushes from its TLBs
    struct mem_port mem;
    // Of a timing model: before the current instruction reads the time or accesses a device. The
    // records of all before it are in `trace`; the model sets `time` to when it is executed. NULL:
    // `time` is right.
    void (*sync)(struct core *core, void *ctx, enum core_sync why);
    void *sync_ctx;
    // Of the engine that caches decoded blocks; NULL when there is none.
    struct block_cache *cache;
    bool (*page_has_code)(struct block_cache *cache, paddr page);
    void (*code_written)(struct block_cache *cache, struct core *core, paddr pa, u32 size);
    u64 jump_pages[CORE_JUMP_PAGES / 64]; // which pages (hashed) have entries in jump
    struct jump_entry jump[CORE_JUMP_SIZE];
};

// Instructions since the start of this run, for an instruction that ends its block.
static inline u64 core_run_insts(const struct core *c)
{
    return (u64)(c->run_budget - c->budget);
}

// Instructions since the start of this run, up to and including the current one, wherever in its
// block that is.
static inline u64 core_exact_insts(const struct core *c)
{
    return core_run_insts(c) - (c->block ? c->block->n_insts - 1u - c->insn : 0);
}

// The time after the current instruction.
static inline tick core_now(const struct core *c)
{
    u64 n = c->time.insts + core_exact_insts(c);

    if (c->time.share == 0)
        return c->time.base;
    return c->time.base + (c->time.share == 1 ? n * c->time.period
                                              : (tick)((u128)n * c->time.period / c->time.share));
}

// Makes the time exact for the current instruction.
static inline void core_sync(struct core *c, enum core_sync why)
{
    if (c->sync)
        c->sync(c, c->sync_ctx, why);
}

// From now on, `insts` instructions after `base`. Period 0: as before (a timing model does not know
// that of the time stamp counter).
static inline void core_set_time(struct core *c, tick base, u64 insts, u32 period, u32 share)
{
    c->time = (struct core_time){
        .base = base, .insts = insts, .period = period ? period : c->time.period, .share = share};
    c->run_budget = c->budget;
}

// Enters a block, at the linear address pc, whose code is on the page of pc and maybe the next one.
static inline void core_jump_add(struct core *c, vaddr pc, u64 key, struct block *b)
{
    for (u32 next = 0; next < 2; next++) {
        u64 page = ((pc >> CORE_PAGE_SHIFT) + next) % CORE_JUMP_PAGES;

        c->jump_pages[page / 64] |= 1ull << page % 64;
    }
    c->jump[core_jump_index(pc)] = (struct jump_entry){.key = key, .block = b};
}

// Forgets all blocks found by pc: some mapping or mode changed, or blocks are about to go.
static inline void core_jump_clear(struct core *c)
{
    for (u32 i = 0; i < CORE_JUMP_SIZE; i++)
        c->jump[i].key = CORE_NO_KEY;
    for (u32 i = 0; i < CORE_JUMP_PAGES / 64; i++)
        c->jump_pages[i] = 0;
    c->link = NULL;
}

// The page of va is mapped anew: nothing is forgotten if no block on it was found.
static inline void core_jump_clear_page(struct core *c, vaddr va)
{
    u64 page = (va >> CORE_PAGE_SHIFT) % CORE_JUMP_PAGES;

    c->link = NULL;
    if (c->jump_pages[page / 64] >> page % 64 & 1)
        core_jump_clear(c);
}
