// SPDX-License-Identifier: BSD-3-Clause
// Packets of gdb's remote serial protocol: "$data#sum", answered by '+' or '-' until both sides
// agree to leave that out, and the byte 0x03 between packets for an interrupt.
// SPEC: Debugging with GDB (13), appendix E.1.
// UNMODELLED: run-length encoding, which is for replies only and never needed.
#pragma once

#include "base/strbuf.h"

enum { GDB_PACKET_MAX = 16384 };

struct gdb_wire {
    struct strbuf out;  // for the client; whoever sends it clears it
    struct strbuf last; // the last packet, in case the client wants it again
    bool no_ack;
    bool too_long;
    u8 state;
    u8 sum, told; // of the data, and what the client says
    size_t length;
    char data[GDB_PACKET_MAX + 1]; // of a whole packet: followed by a NUL
};

enum gdb_input { GDB_NOTHING, GDB_PACKET, GDB_INTERRUPT };

void gdb_wire_reset(struct gdb_wire *w);
void gdb_wire_release(struct gdb_wire *w);
// Takes one byte from the client. GDB_PACKET: a good one is in data, valid until the next byte.
enum gdb_input gdb_wire_take(struct gdb_wire *w, u8 byte);
// Queues one packet; bytes that mean something to the protocol are escaped.
void gdb_wire_send(struct gdb_wire *w, const char *data, size_t length);
void gdb_wire_puts(struct gdb_wire *w, const char *text);
// Undoes the escapes of `length` bytes, in place; returns how many are left.
size_t gdb_wire_unescape(char *data, size_t length);

// ---- numbers in packets

// Reads hexadecimal digits (16 at most) and moves on; false if there are none, or too many.
bool gdb_hex(const char **at, u64 *ret);
// As gdb_hex, then expects `end` and moves behind it (NUL: stays there).
bool gdb_hex_to(const char **at, char end, u64 *ret);
// Reads exactly 2 * size digits.
bool gdb_hex_bytes(const char **at, u8 *bytes, size_t size);
void gdb_put_hex(struct strbuf *out, const void *bytes, size_t size);
