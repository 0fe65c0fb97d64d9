// SPDX-License-Identifier: BSD-3-Clause
// A debugger's connection to a PC: listens, serves one client at a time, and runs the machine as
// the client wants it. The machine's own thread does all of it: while the machine runs, input is
// looked for every few million instructions; while it is stopped, the server waits for input.
// A connected debugger that does not stop the machine changes nothing in it.
#pragma once

#include "base/error.h"
#include "machine/gdb/gdb_protocol.h"
#include "machine/pc.h"

struct gdb_server;

// Listens on `spec`: "unix:PATH", a socket in the file system that is removed at the end, or a TCP
// port on the loopback interface (0: any free one). Until the first client comes the machine runs,
// or with `wait` does not start. NULL and *err: it did not work.
struct gdb_server *gdb_server_new(struct component *pc, const char *spec, bool wait,
                                  struct error *err);
// Tells the client how the last run ended, if it waits for that.
void gdb_server_free(struct gdb_server *s);

// What a client connects to: "unix:PATH" or "127.0.0.1:PORT".
const char *gdb_server_address(const struct gdb_server *s);
// Serves `monitor checkpoint`.
void gdb_server_set_checkpoint(struct gdb_server *s, gdb_checkpoint_fn *fn, void *context);

// As pc_run, but comes back only for what the client does not deal with. With `brief`, also with
// PC_LIMIT every now and then while the client holds the machine: the caller has other things to
// look after.
struct pc_result gdb_server_run(struct gdb_server *s, const struct pc_limits *limits, bool brief);
