// SPDX-License-Identifier: BSD-3-Clause
// What every CPU model knows of a guest ISA: static instructions with their uop recipes, dynamic
// instruction records, and the few operations on a core. Timing models consume records and recipes
// and nothing else: they never compute values.
#pragma once

#include "base/types.h"

// The classes of micro-operations. Ports and latencies are given per class by the timing models
// (one table each).
enum uop_class {
    UOP_NOP,         // no execution (eliminated at rename, or a pure NOP)
    UOP_INT_ALU,     // add, logic, compare, move, setcc, cmov
    UOP_INT_SHIFT,   // shifts and rotates
    UOP_INT_MUL,     // also crc32
    UOP_INT_DIV,     //
    UOP_LEA,         // address arithmetic with a result
    UOP_BIT,         // popcnt, lzcnt, tzcnt, bsf, bsr, pdep, pext
    UOP_BRANCH,      // resolves a direct or indirect control transfer
    UOP_LOAD,        // address generation and load
    UOP_STORE_ADDR,  // address generation of a store
    UOP_STORE_DATA,  // data of a store
    UOP_FENCE,       // lfence, mfence, sfence
    UOP_FP_ADD,      // scalar and packed add, sub, min, max, compare
    UOP_FP_MUL,      //
    UOP_FP_FMA,      //
    UOP_FP_DIV,      //
    UOP_FP_SQRT,     //
    UOP_FP_CVT,      // conversions and rounding
    UOP_FP_MISC,     // rcp, rsqrt, dot products, horizontal operations
    UOP_VEC_ALU,     // packed integer add, compare, min, max, abs
    UOP_VEC_MUL,     //
    UOP_VEC_SHIFT,   //
    UOP_VEC_SHUFFLE, // shuffles, packs, blends by control
    UOP_VEC_LOGIC,   // and, or, xor, andn, moves between registers
    UOP_VEC_TO_INT,  // movd, pmovmskb, ptest, comis: a vector unit to the integer side
    UOP_INT_TO_VEC,  //
    UOP_AES,         //
    UOP_CLMUL,       //
    UOP_SHA,         //
    UOP_STRING,      // string compare instructions of SSE4.2
    UOP_X87_ADD,     //
    UOP_X87_MUL,     //
    UOP_X87_DIV,     //
    UOP_X87_MISC,    // loads of constants, exchanges, control
    UOP_X87_TRANS,   // transcendental
    UOP_SYSTEM,      // microcoded and serialising work
    UOP_CLASSES
};

// One number space for all registers that uops name; the ISA gives the names (isa_ops.reg_name).
enum { UOP_REGS = 128, UOP_NO_REG = 0xff };

// Which physical register file a register is in; enough for models that count registers.
enum uop_bank { UOP_BANK_INT, UOP_BANK_VEC, UOP_BANK_FLAGS, UOP_BANKS };

struct uop {
    u8 class;  // enum uop_class
    u8 size;   // bytes moved or operated on
    u8 src[4]; // register numbers; unused places, behind the used ones, hold UOP_NO_REG
    u8 dst[4]; //
};

enum {
    UOPS_MAX = 16
}; // a recipe longer than this says STATIC_MICROCODED and counts its uops in n_uops

enum static_flags {
    STATIC_BRANCH = 1 << 0,      // may change the flow of control
    STATIC_CONDITIONAL = 1 << 1, //
    STATIC_INDIRECT = 1 << 2,    // target not in the instruction
    STATIC_CALL = 1 << 3,        //
    STATIC_RETURN = 1 << 4,      //
    STATIC_LOAD = 1 << 5,        //
    STATIC_STORE = 1 << 6,       //
    STATIC_ATOMIC = 1 << 7,      // locked read-modify-write
    STATIC_SERIALISING = 1 << 8, // waits for an empty pipeline
    STATIC_MICROCODED = 1 << 9,  //
    STATIC_SYSCALL = 1 << 10,    //
    STATIC_IO = 1 << 11,         // port input or output
    STATIC_REPEAT = 1 << 12,     // each iteration is one dynamic instruction
    STATIC_MOVE = 1 << 13,       // register move, a candidate for move elimination
    STATIC_ZERO_IDIOM = 1 << 14, // result does not depend on the sources
    STATIC_FUSES_NEXT =
        1 << 15, // flag-setting instruction that may fuse with a following conditional branch
};

// A decoded instruction at an address, as a timing model sees it. Lives as long as the decoded
// block that holds it.
struct static_inst {
    vaddr pc;
    vaddr target; // of a direct branch
    u32 flags;    // enum static_flags
    u16 opcode;   // the ISA's number of the mnemonic; isa_ops.opcode_name
    u8 len;       // bytes
    u8 n_uops;
    const struct uop *uops; // the recipe; NULL in blocks decoded for the plain engine
};

// One access of one dynamic instruction, in program order.
struct mem_ref {
    vaddr va;
    paddr pa;
    u16 size; // bytes
    bool write;
    bool device; // not RAM
};

enum dyn_flags {
    DYN_TAKEN = 1 << 0,     // a branch that was taken
    DYN_FAULT = 1 << 1,     // did not complete: next_pc is that of the handler (or of the same
                            // instruction in user mode)
    DYN_INTERRUPT = 1 << 2, // an interrupt was accepted after this instruction
    DYN_LAST_ITER = 1 << 3, // last iteration of a repeated instruction
};

// One executed instruction. Its memory references are mem[mem_first .. mem_first + n_mem - 1] of
// the same batch.
struct dyn_inst {
    const struct static_inst *si;
    vaddr next_pc;
    u32 mem_first;
    u8 n_mem;
    u8 flags; // enum dyn_flags
};

// The most references that one instruction makes (an FXSAVE or a task switch counts as one each).
enum { DYN_MAX_MEM = 64 };

// What the traced engine hands to its consumer, at block boundaries.
struct dyn_batch {
    // Takes all records; the engine then empties the batch. Or makes room for more, `grows`: the
    // batch then keeps them.
    void (*consume)(struct dyn_batch *b);
    bool grows;
    void *ctx; // of the consumer
    struct dyn_inst *inst;
    struct mem_ref *mem;
    u32 n_inst, n_mem;
    u32 mem_done; // references that belong to records; the rest is of the current instruction
    u32 inst_capacity, mem_capacity;
};

// Whether n more instructions, of any kind, fit.
static inline bool dyn_batch_has_room(const struct dyn_batch *b, u32 n)
{
    return b->n_inst + n <= b->inst_capacity && b->n_mem + 2 * n + DYN_MAX_MEM <= b->mem_capacity;
}

// Hands the records to the consumer and starts anew.
static inline void dyn_batch_flush(struct dyn_batch *b)
{
    if (b->n_inst)
        b->consume(b);
    if (b->grows)
        return;
    b->n_inst = b->n_mem = b->mem_done = 0;
}

// Why a core left its engine.
enum core_exit {
    CORE_CONTINUE,  // internal: look the next block up
    CORE_LIMIT,     // the instruction budget is used up
    CORE_SYSCALL,   // user-mode emulation: a system call; pc is behind the instruction
    CORE_EXCEPTION, // user-mode emulation: an exception that the environment must handle
    CORE_HALT,      // waits for an interrupt
    CORE_STOP,      // asked to stop (a device, an operation for the simulator, the user)
    CORE_YIELD, // waits for other cores in a loop, which may as well have their turn (x86: PAUSE)
    CORE_SHUTDOWN, // the guest cannot go on (x86: triple fault)
    CORE_DEBUG, // a breakpoint of a debugger outside of the guest, or behind an access it watches
    CORE_WRONG_PATH, // speculation cannot go on: a fault, a device, an instruction that serialises
};

// How deep speculation nests: mispredicted branches on the wrong path of others.
enum { CORE_SPECULATION_MAX = 16 };

struct core;
struct block;
struct mem_port;
struct timed_walk;

// Why the current instruction asks for the exact time (core.sync).
enum core_sync {
    CORE_SYNC_TIME,   // it reads the time
    CORE_SYNC_DEVICE, // it accesses a device
};

// What translate may need for one block.
enum { ISA_BLOCK_BYTES = 64 * 1024 };

struct isa_ops {
    const char *name;
    u64 (*pc)(const struct core *c);
    void (*set_pc)(struct core *c, u64 pc);
    // Where the instruction at the pc, or the page at `page` behind it, lies in physical memory.
    // A fault is delivered as the guest sees it (or leaves, in user-mode emulation): false, and
    // c->exit is CORE_CONTINUE when another pc is to be looked up.
    bool (*fetch)(struct core *c, vaddr va, paddr *ret_pa);
    // Decodes the block at the core's pc, with ops of the plain or the traced engine, into mem (at
    // least ISA_BLOCK_BYTES). False as for fetch.
    bool (*translate)(struct core *c, bool traced, void *mem, size_t *ret_used,
                      struct block **ret_block);
    // Makes a block of the first n instructions of b, not all, in mem (ISA_BLOCK_BYTES). The
    // instructions themselves are those of b.
    struct block *(*shorten)(const struct block *b, u32 n, bool traced, void *mem);
    // Makes a block whose code was overwritten leave the engine as soon as it is entered.
    void (*kill)(struct block *b);
    // Drops write entries of the TLBs for a physical page, which now holds decoded code.
    void (*protect_page)(struct core *c, paddr page);
    // Finds what is pending between two blocks (interrupts, single-step traps, halt). Returns the
    // reason to leave or CORE_CONTINUE.
    enum core_exit (*check_events)(struct core *c);
    // Whether check_events would find anything: a model with instructions in flight lets them go
    // first.
    bool (*pending)(const struct core *c);
    // Where va lies in physical memory, with no effect on anything; false where nothing is mapped.
    bool (*where)(const struct core *c, vaddr va, paddr *ret_pa);
    // What a hardware walker reads to translate va, without doing it; false where nothing is
    // mapped.
    bool (*walk)(const struct core *c, vaddr va, struct timed_walk *ret);
    // Brings what the engine keeps in host registers and in lazy form (MXCSR, flags) in and out.
    void (*enter)(struct core *c);
    void (*leave)(struct core *c);
    // Execution that will be undone: the wrong path behind a branch. speculate remembers the state
    // and returns its level (0 is the outermost; at most CORE_SPECULATION_MAX - 1). From then on
    // nothing that the core does is seen by anybody else: stores go to an overlay that its own
    // loads see, no accessed or dirty bit is set, nothing is delivered, and what cannot be undone
    // ends the run with CORE_WRONG_PATH (the pc is then that of the instruction). The caller sets
    // the pc to where the wrong path begins. rewind brings back the state at `level` and forgets
    // that level and all above it. Both between blocks only, outside of enter and leave.
    u32 (*speculate)(struct core *c);
    void (*rewind)(struct core *c, u32 level);
    const char *(*reg_name)(u8 uop_reg);
    enum uop_bank (*reg_bank)(u8 uop_reg);
    const char *(*opcode_name)(u16 opcode);
};
