// SPDX-License-Identifier: BSD-3-Clause
#include "isa/x86/step.h"

#include "isa/x86/decode.h"
#include "isa/x86/mem.h"

// Reads what one page has of the instruction, at most X86_MAX_LENGTH bytes.
static enum x86_result fetch_bytes(struct x86_core *c, u64 linear, u8 *bytes, u32 want)
{
    const u8 *host = x86_host(c, linear, want, CORE_EXEC);
    enum x86_result r;
    paddr page;

    if (host) {
        memcpy(bytes, host, want);
        return X86_OK;
    }
    r = x86_translate(c, linear, CORE_EXEC, c->cpl == 3, &page);
    if (r)
        return r;
    // Nothing answers there: all ones, which is no instruction.
    if (!mem_port_read(&c->core.mem, page | (linear & ~CORE_PAGE_MASK), want, bytes))
        memset(bytes, 0xff, want);
    return X86_OK;
}

enum x86_result x86_fetch(struct x86_core *c, struct x86_insn *ret)
{
    u8 bytes[X86_MAX_LENGTH];
    u64 linear, in_page;
    u32 n;
    enum x86_result r = x86_linear(c, X86_CS, c->s.rip, 1, CORE_EXEC, &linear);

    if (r)
        return r;
    in_page = CORE_PAGE_SIZE - (linear & ~CORE_PAGE_MASK);
    n = (u32)MIN(in_page, X86_MAX_LENGTH);
    r = fetch_bytes(c, linear, bytes, n);
    if (r || x86_decode(c, bytes, n, c->s.rip, ret))
        return r;
    r = x86_linear(c, X86_CS, c->s.rip + n, 1, CORE_EXEC, &linear);
    if (!r)
        r = fetch_bytes(c, linear, bytes + n, X86_MAX_LENGTH - n);
    if (!r)
        x86_decode(c, bytes, X86_MAX_LENGTH, c->s.rip, ret);
    return r;
}

enum x86_result x86_step(struct x86_core *c, struct x86_insn *ret)
{
    enum x86_result r = x86_fetch(c, ret);

    if (r)
        return r;
    r = ret->exec(c, ret);
    c->repeating = r == X86_AGAIN;
    if (r != X86_FAULT && r != X86_AGAIN && !(ret->def->flags & INSN_END))
        c->s.rip = ret->next_pc;
    return r;
}
