// SPDX-License-Identifier: BSD-3-Clause
// One x86 core slot: the architectural state and what is derived from it.
#pragma once

#include "isa/core.h"
#include "isa/x86/debugger.h"
#include "isa/x86/insn.h"
#include "isa/x86/state.h"

enum x86_code_mode { X86_CODE16, X86_CODE32, X86_CODE64 };

// What decoding depends on besides address and bytes: bits 56 and up of core.mode_key.
enum x86_mode_bits {
    X86_MODE_CODE = 3 << 0,    // enum x86_code_mode
    X86_MODE_USER = 1 << 2,    // CPL 3
    X86_MODE_SSE = 1 << 3,     // SSE instructions may execute (CR0.EM, CR0.TS, CR4.OSFXSR)
    X86_MODE_AVX = 1 << 4,     // VEX instructions may execute (CR4.OSXSAVE, XCR0, CR0.TS)
    X86_MODE_X87 = 1 << 5,     // x87 instructions may execute (CR0.EM, CR0.TS)
    X86_MODE_FPTRAP = 1 << 6,  // MXCSR has an unmasked exception: arithmetic takes the exact path
    X86_MODE_STACK32 = 1 << 7, // SS.B, outside 64-bit mode
};

// Lazy arithmetic flags (isa/x86/flags.h).
struct x86_lazy {
    u64 res;  // result, sign-extended from the operand size
    u64 b;    // second operand, or what the kind says
    u32 kind; // enum x86_lazy_kind
    u32 pad;
};

struct x86_fault_info {
    u8 vector; // enum x86_vector
    bool has_error;
    u32 error;
    u64 address; // CR2 of a page fault; for #DB, bits to set in DR6
};

// The interrupt controller of a core, as the core needs it.
struct x86_apic_ops {
    // The vector that is to be taken now, which then is in service; -1 if there is none.
    int (*acknowledge)(void *ctx);
    // The task priority was written through CR8.
    void (*set_tpr)(void *ctx, u64 cr8);
    // Model-specific registers that the core does not know (x2APIC). False: none, #GP.
    bool (*msr)(void *ctx, u32 index, u64 *value, bool write);
    // IA32_APIC_BASE or IA32_TSC_DEADLINE was written; the value is in the state.
    void (*msr_written)(void *ctx, u32 index);
};

// Whose rights a TLB's entries have. Implicit supervisor accesses (descriptor tables, task state)
// use SUPERVISOR; explicit ones use SUPERVISOR_AC while RFLAGS.AC lifts SMAP.
enum x86_privilege { X86_SUPERVISOR, X86_USER, X86_SUPERVISOR_AC, X86_PRIVILEGES };

// What CPUID says of the machine around the core; x86_core_init fills in one core of one.
struct x86_topology {
    u32 apic_id;
    u32 cores;   // in the package
    u32 tsc_khz; // frequency of the TSC
};

struct x86_stubs;
struct x86_spec;

struct x86_core {
    struct x86_arch_state s; // first
    struct x86_lazy lazy;
    struct x86_fault_info fault;
    u8 cpl;
    u8 code_mode; // enum x86_code_mode
    u16 mode;     // enum x86_mode_bits
    u8 privilege; // enum x86_privilege of explicit accesses
    bool watched; // alignment checks, data breakpoints, watchpoints of a debugger: core.tlb is
                  // empty, all takes the slow path
    struct x86_topology topology;
    u64 features[4];         // shown features, by enum x86_feature
    struct x86_stubs *stubs; // isa/x86/stub.h
    bool stubs_owned;        // else borrowed from another core of the machine
    // Between two blocks (isa/x86/events.c).
    bool irq;         // the interrupt line
    bool stepped;     // the last check asked for one instruction only…
    bool step_trap;   // …and RFLAGS.TF was set before it
    bool shadow_seen; // int_shadow was set before it
    bool rf_seen;     // RFLAGS.RF was set before it
    bool repeating;   // rip is in the middle of a repeated instruction
    u8 debug_hits;    // data breakpoints that the current instruction has hit
    i64 stolen;       // from the budget, to come back to the check soon
    struct x86_debug debug;
    struct mem_port io; // I/O ports; no ops: none
    // Operations for the simulator (gem5's m5 ops): 0F 04 and a function number of 16 bits, with
    // arguments and result in registers, rip behind it. NULL: #UD. Set before code is decoded.
    void (*simop)(void *ctx, struct x86_core *c, u16 function);
    void *simop_ctx;                 // borrowed
    const struct x86_apic_ops *apic; // interrupt controller, NULL if none; borrowed
    void *apic_ctx;                  // borrowed
    struct x86_spec *spec;           // isa/x86/speculate.h; owned, NULL until it is used
    u64 large_base[2], large_end[2]; // around all large pages in the TLBs, by linear bit 63
    struct core_tlb tlbs[X86_PRIVILEGES][CORE_ACCESSES];
    struct core core;
};

static inline struct x86_core *x86_core_of(struct core *core)
{
    return CONTAINER_OF(core, struct x86_core, core);
}

// Fills c->fault; always X86_FAULT, so that `return x86_raise(…)` reads well.
static inline enum x86_result x86_raise(struct x86_core *c, enum x86_vector vector)
{
    c->fault = (struct x86_fault_info){.vector = (u8)vector};
    return X86_FAULT;
}

static inline enum x86_result x86_raise_error(struct x86_core *c, enum x86_vector vector, u32 error)
{
    c->fault = (struct x86_fault_info){.vector = (u8)vector, .has_error = true, .error = error};
    return X86_FAULT;
}

static inline enum x86_result x86_raise_gp(struct x86_core *c)
{
    return x86_raise_error(c, X86_EXC_GP, 0);
}

static inline bool x86_has(const struct x86_core *c, unsigned feature)
{
    return c->features[feature / 64] >> (feature % 64) & 1;
}

static inline u8 *x86_ymm(struct x86_core *c, unsigned n)
{
    return (u8 *)&c->s.ymm[n * 4];
}

// Puts *c (zeroed storage of the caller) into the state after power-on. `level` names what CPUID
// shows ("x86-64-v3"); one whose vector instructions this host cannot execute is refused. Cores
// that share decoded blocks share stubs: c->stubs may be set to those of a core that is released
// later; else c makes its own. x86_core_reset is the state of SDM vol. 3A table 9-1.
bool x86_core_init(struct x86_core *c, u32 id, const struct mem_port *mem, const char *level,
                   struct error *err);
void x86_core_release(struct x86_core *c);
void x86_core_reset(struct x86_core *c);

// Linear address of the instruction at rip: what core.isa->pc gives and decoded blocks are found
// by. Outside 64-bit mode the code segment's base is part of core.mode_key, since rip depends on
// it.
static inline u64 x86_linear_pc(const struct x86_core *c)
{
    if (LIKELY(c->code_mode == X86_CODE64))
        return c->s.rip;
    return (u32)(c->s.seg_base[X86_CS] + c->s.rip);
}

// Recomputes cpl, code_mode, mode, core.mode_key and the current TLBs after segments, control
// registers, XCR0, EFER, RFLAGS.AC or the masks in MXCSR changed. Block handlers call nothing else.
void x86_update_mode(struct x86_core *c);
// The state was replaced as a whole (task switch of an emulated kernel, checkpoint, another model):
// derived state is rebuilt, TLBs and jump cache emptied.
void x86_state_loaded(struct x86_core *c);
// The same between two threads of one address space: the TLBs hold for both.
void x86_state_swapped(struct x86_core *c);

extern const struct isa_ops x86_isa_ops;
