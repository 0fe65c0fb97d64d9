// SPDX-License-Identifier: BSD-3-Clause
// The registers of a core as gdb sees them: gdb's own features org.gnu.gdb.i386.core, .sse,
// .segments and .avx, then control registers and EFER in a feature of facet's, described as QEMU
// describes them. The layout is that of 64-bit mode in every mode, as i386:x86-64 wants it.
// SPEC: Debugging with GDB (13), appendix G.5.6.
// UNMODELLED: orig_rax, which is the operating system's; limits and rights of segments (`monitor
// regs` shows them).
#pragma once

#include "base/strbuf.h"
#include "isa/x86/core.h"

enum { GDB_REGISTER_MAX_BYTES = 16 };

// Numbers are gdb's: 0 up to (not including) the count, in the order of the `g` packet.
u32 gdb_register_count(void);
u32 gdb_register_bytes(u32 number);
// Little endian, gdb_register_bytes of them. Between two runs of the core.
void gdb_register_get(struct x86_core *c, u32 number, u8 *bytes);
// False: the core cannot have that value (the checks are those of the guest's own instructions).
bool gdb_register_put(struct x86_core *c, u32 number, const u8 *bytes);
// Appends target.xml.
void gdb_registers_describe(struct strbuf *out);
