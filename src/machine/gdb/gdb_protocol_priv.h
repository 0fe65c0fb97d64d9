// SPDX-License-Identifier: BSD-3-Clause
// Inside of the protocol: gdb_protocol.c has the table of commands, gdb_access.c those on
// registers, memory and breakpoints.
#pragma once

#include "machine/gdb/gdb_protocol.h"

enum { GDB_DATA_MAX = (GDB_PACKET_MAX - 16) / 2 }; // bytes in one packet of digits

void gdb_reply(struct gdb_protocol *p, const char *text);
void gdb_reply_done(struct gdb_protocol *p, bool good);

// A command gets what stands behind its name, `length` bytes and a NUL.
typedef void gdb_command_fn(struct gdb_protocol *p, const char *args, size_t length);

gdb_command_fn gdb_read_registers, gdb_write_registers, gdb_read_register, gdb_write_register,
    gdb_read_memory, gdb_write_memory, gdb_write_binary, gdb_set_break, gdb_remove_break;
