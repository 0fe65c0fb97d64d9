// SPDX-License-Identifier: BSD-3-Clause
#include "isa/x86/debug.h"

static bool enabled(const struct x86_core *c, u32 n)
{
    return c->s.dr[7] >> (2 * n) & 3;
}

static enum x86_break_on kind(const struct x86_core *c, u32 n)
{
    return (enum x86_break_on)(c->s.dr[7] >> (16 + 4 * n) & 3);
}

static u32 length(const struct x86_core *c, u32 n)
{
    static const u8 bytes[] = {1, 2, 8, 4};

    return bytes[c->s.dr[7] >> (18 + 4 * n) & 3];
}

bool x86_data_breakpoints(const struct x86_core *c)
{
    for (u32 n = 0; x86_breakpoints(c) && n < 4; n++)
        if (enabled(c, n) && (kind(c, n) == X86_BREAK_WRITE || kind(c, n) == X86_BREAK_ACCESS))
            return true;
    return false;
}

bool x86_code_breakpoints(const struct x86_core *c)
{
    for (u32 n = 0; x86_breakpoints(c) && n < 4; n++)
        if (enabled(c, n) && kind(c, n) == X86_BREAK_EXEC)
            return true;
    return false;
}

u32 x86_breakpoint_hits(const struct x86_core *c, u64 linear, u32 size, u32 kinds)
{
    u32 hits = 0;

    for (u32 n = 0; n < 4; n++) {
        u64 bytes = length(c, n), from = c->s.dr[n] & ~(bytes - 1);

        if (enabled(c, n) && (kinds >> kind(c, n) & 1) && linear < from + bytes &&
            from < linear + size)
            hits |= 1u << n;
    }
    return hits;
}

void x86_note_data_access(struct x86_core *c, u64 linear, u32 size, bool write)
{
    u32 kinds = 1u << X86_BREAK_ACCESS | (write ? 1u << X86_BREAK_WRITE : 0);

    c->debug_hits |= (u8)x86_breakpoint_hits(c, linear, size, kinds);
}

void x86_note_port_access(struct x86_core *c, u16 port, u32 size)
{
    if (c->s.cr4 & X86_CR4_DE)
        c->debug_hits |= (u8)x86_breakpoint_hits(c, port, size, 1u << X86_BREAK_IO);
}
