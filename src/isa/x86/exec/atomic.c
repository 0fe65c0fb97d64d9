// SPDX-License-Identifier: BSD-3-Clause
// Compare and exchange, exchange and add.
#include "isa/x86/exec/exec.h"

enum x86_result x86_exec_xadd(struct x86_core *c, const struct x86_insn *i)
{
    u32 size = i->o[0].size, log2 = x86_log2(size);
    u64 b = x86_get_gpr(c, i->o[1].offset, size), v;
    struct x86_modify m;
    enum x86_result r = x86_modify(c, i, &m);

    if (r)
        return r;
    if (!m.memory) // the sum wins where both operands are one register
        x86_put_gpr(c, i->o[1].offset, size, m.old);
    do {
        v = x86_alu_add(c, m.old, b, log2);
    } while (!x86_modify_end(c, &m, v));
    if (m.memory)
        x86_put_gpr(c, i->o[1].offset, size, m.old);
    return X86_OK;
}

// The destination is written in any case: with its old value if the comparison fails.
enum x86_result x86_exec_cmpxchg(struct x86_core *c, const struct x86_insn *i)
{
    u32 size = i->o[0].size, log2 = x86_log2(size);
    u64 a = x86_get_reg(c, X86_RAX, size), b = x86_get_gpr(c, i->o[1].offset, size);
    struct x86_modify m;
    enum x86_result r = x86_modify(c, i, &m);

    if (r)
        return r;
    do {
        x86_alu_sub(c, a, m.old, log2);
    } while ((m.memory || m.old == a) && !x86_modify_end(c, &m, m.old == a ? b : m.old));
    if (m.old != a)
        x86_put_reg(c, X86_RAX, size, m.old);
    return X86_OK;
}

// CMPXCHG8B and CMPXCHG16B, as two words: not atomic on the host, where no other thread of facet
// runs a core of the same machine.
enum x86_result x86_exec_cmpxchg_pair(struct x86_core *c, const struct x86_insn *i)
{
    u32 half = i->o[0].size / 2u;
    u64 old[2] = {0, 0}, now[2], linear;
    u8 bytes[16];
    bool equal;
    enum x86_result r = x86_operand_address(c, i, CORE_WRITE, &linear);

    if (r)
        return r;
    if (half == 8 && linear & 15)
        return x86_raise_gp(c);
    r = x86_probe_write(c, linear, half * 2);
    if (!r)
        r = x86_load(c, linear, bytes, half * 2);
    if (r)
        return r;
    memcpy(&old[0], bytes, half);
    memcpy(&old[1], bytes + half, half);
    equal = old[0] == x86_get_reg(c, X86_RAX, half) && old[1] == x86_get_reg(c, X86_RDX, half);
    now[0] = equal ? c->s.gpr[X86_RBX] : old[0];
    now[1] = equal ? c->s.gpr[X86_RCX] : old[1];
    memcpy(bytes, &now[0], half);
    memcpy(bytes + half, &now[1], half);
    r = x86_store(c, linear, bytes, half * 2);
    if (r)
        return r;
    x86_flags_merge(c, X86_ZF, equal ? X86_ZF : 0);
    if (!equal) {
        x86_put_reg(c, X86_RAX, half, old[0]);
        x86_put_reg(c, X86_RDX, half, old[1]);
    }
    return X86_OK;
}
