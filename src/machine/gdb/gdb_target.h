// SPDX-License-Identifier: BSD-3-Clause
// A PC as a debugger's target: its cores are threads 1, 2..., memory is what a core's page tables
// make of it, breakpoints and watchpoints are the engine's (isa/x86/debugger.h) and as many as one
// likes. Everything here is for the time between two runs. Device registers are not memory: looking
// at them would change them.
#pragma once

#include "base/alloc.h"
#include "isa/x86/debugger.h"
#include "machine/pc.h"

// As the digit behind z and Z says.
enum gdb_break_type {
    GDB_BREAK_SOFTWARE,
    GDB_BREAK_HARDWARE,
    GDB_WATCH_WRITE,
    GDB_WATCH_READ,
    GDB_WATCH_ACCESS,
    GDB_BREAK_TYPES
};

enum { GDB_BREAKS_MAX = 4096 };

struct gdb_break {
    enum gdb_break_type type;
    u64 address, length;
};

struct gdb_target {
    struct component *pc; // borrowed
    VEC(struct gdb_break) wanted;
    struct x86_breaks breaks; // what the cores know
    u64 *code;                // owned; of breaks
    struct x86_watch *data;   // owned
    bool physical;            // addresses of memory are physical
    bool step_through;        // pc_debug
};

// What a run came to, for the client.
struct gdb_stop {
    u8 signal; // gdb's number
    u32 core;
    bool hit;
    enum gdb_break_type type; // if hit
    u64 address;              // of a watchpoint
};

void gdb_target_init(struct gdb_target *t, struct component *pc);
// Also removes all breakpoints.
void gdb_target_release(struct gdb_target *t);

struct x86_core *gdb_target_core(const struct gdb_target *t, u32 core);

// False: too many, or a length that makes no sense. Setting one twice is setting it once.
bool gdb_target_set_break(struct gdb_target *t, const struct gdb_break *b);
bool gdb_target_remove_break(struct gdb_target *t, const struct gdb_break *b);
void gdb_target_remove_all(struct gdb_target *t);

// To be called before a run that goes on as *debug says, from where the last one ended.
void gdb_target_resume(struct gdb_target *t, const struct pc_debug *debug);
// After a run that ended with PC_DEBUG on this core.
struct gdb_stop gdb_target_stop(const struct gdb_target *t, u32 core);

// As much as there is of [address, address + size); returns how many bytes.
u64 gdb_target_read(const struct gdb_target *t, u32 core, u64 address, u8 *to, u64 size);
// All of it or, false, some of it.
bool gdb_target_write(struct gdb_target *t, u32 core, u64 address, const u8 *from, u64 size);
