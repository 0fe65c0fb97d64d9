// SPDX-License-Identifier: BSD-3-Clause
// The commands of gdb's remote serial protocol, on a PC. Bytes of the client go in, bytes for the
// client are in wire.out; what the client wants of the machine is in `state` and `debug`. All-stop
// mode. Whatever comes in, the answer is of the protocol and memory is bounded.
// SPEC: Debugging with GDB (13), appendix E.
// UNMODELLED: non-stop mode, the multiprocess extension, tracepoints, reverse execution, range
// stepping: gdb does without.
#pragma once

#include "base/error.h"
#include "machine/gdb/gdb_target.h"
#include "machine/gdb/gdb_wire.h"

enum gdb_state {
    GDB_STOPPED,  // the machine waits for the client
    GDB_RUNNING,  // as `debug` says; the client waits for gdb_protocol_report
    GDB_DETACHED, // the client has left the machine to itself
    GDB_KILLED,   // the client wants the run to end
};

// Saves the machine in a folder. False, and *err: it did not work.
typedef bool gdb_checkpoint_fn(void *context, const char *folder, struct error *err);

struct gdb_protocol {
    struct gdb_wire wire;
    struct gdb_target target;
    enum gdb_state state;
    struct pc_debug debug; // while it runs
    bool interrupt;        // the client asks for a stop
    struct gdb_stop stop;  // the last
    u32 core;              // that registers and memory are meant of (Hg)
    u32 run_core;          // that c and s are meant of (Hc); GDB_ALL_CORES
    bool swbreak, hwbreak; // the client knows these reasons
    gdb_checkpoint_fn *checkpoint;
    void *checkpoint_context; // borrowed
};

#define GDB_ALL_CORES (~0u)

void gdb_protocol_init(struct gdb_protocol *p, struct component *pc);
void gdb_protocol_release(struct gdb_protocol *p);
// A new client, which finds the machine stopped.
void gdb_protocol_attach(struct gdb_protocol *p);
void gdb_protocol_feed(struct gdb_protocol *p, const u8 *bytes, size_t size);
// The machine has stopped.
void gdb_protocol_report(struct gdb_protocol *p, const struct gdb_stop *stop);
// The run is over: an exit status, or the signal that ended it.
void gdb_protocol_exit(struct gdb_protocol *p, bool by_signal, u8 value);

// gdb_monitor.c: `monitor LINE`. Appends what the user reads to *out.
void gdb_monitor(struct gdb_protocol *p, const char *line, struct strbuf *out);
