// SPDX-License-Identifier: BSD-3-Clause
// Bits: tests, scans, counts, BMI1, BMI2, CRC32.
#include "isa/x86/exec/exec.h"

typedef u64 bit_fn(u64 a, u64 bit);

static u64 keep(u64 a, u64 bit)
{
    return a;
}

static u64 set(u64 a, u64 bit)
{
    return a | 1ull << bit;
}

static u64 reset(u64 a, u64 bit)
{
    return a & ~(1ull << bit);
}

static u64 flip(u64 a, u64 bit)
{
    return a ^ 1ull << bit;
}

// In memory, a bit number from a register counts from the operand's first bit, up or down, any
// distance.
static enum x86_result bit_string_address(struct x86_core *c, const struct x86_insn *i, u64 bit,
                                          enum core_access access, u64 *ret_linear)
{
    u32 log2 = x86_operand_log2(i, 0);
    u64 offset = x86_offset(c, i);

    if (i->o[1].kind == X86_O_GPR) {
        i64 element = (i64)x86_sign_extend(bit, log2) >> (3 + log2);

        offset += (u64)element << log2;
        if (i->addr_bytes != 8)
            offset &= i->addr_bytes == 4 ? 0xffffffff : 0xffff;
    }
    return x86_linear(c, (enum x86_seg)i->mem.seg, offset, i->o[0].size, access, ret_linear);
}

static enum x86_result bit_test(struct x86_core *c, const struct x86_insn *i, bit_fn *f)
{
    u32 size = i->o[0].size, log2 = x86_log2(size);
    struct x86_modify m;
    u64 bit = 0, in_element, linear;
    enum x86_result r;

    x86_read(c, i, 1, &bit);
    in_element = bit & (8 * size - 1);
    if (i->o[0].kind == X86_O_GPR) {
        r = x86_modify(c, i, &m);
    } else if (f == keep) {
        m.memory = false;
        m.old = 0;
        r = bit_string_address(c, i, bit, CORE_READ, &linear);
        if (!r)
            r = x86_load(c, linear, &m.old, size);
    } else {
        r = bit_string_address(c, i, bit, CORE_WRITE, &linear);
        if (!r)
            r = x86_modify_memory(c, linear, size, i->prefixes & X86_LOCK, &m);
    }
    if (r)
        return r;
    if (f != keep)
        while (!x86_modify_end(c, &m, f(m.old, in_element)))
            ;
    x86_alu_bt(c, m.old, in_element, log2);
    return X86_OK;
}

enum x86_result x86_exec_bt(struct x86_core *c, const struct x86_insn *i)
{
    return bit_test(c, i, keep);
}

enum x86_result x86_exec_bts(struct x86_core *c, const struct x86_insn *i)
{
    return bit_test(c, i, set);
}

enum x86_result x86_exec_btr(struct x86_core *c, const struct x86_insn *i)
{
    return bit_test(c, i, reset);
}

enum x86_result x86_exec_btc(struct x86_core *c, const struct x86_insn *i)
{
    return bit_test(c, i, flip);
}

// BSF, BSR of 0 leave the destination as it is, all 64 bits of it. Flags other than ZF are
// undefined; on Intel's processors PF is that of the number, and the others are 0.
static enum x86_result bit_scan(struct x86_core *c, const struct x86_insn *i, bool reverse)
{
    u64 v;
    enum x86_result r = x86_read(c, i, 1, &v);

    if (r)
        return r;
    if (v == 0) {
        x86_flags_put(c, X86_ZF | X86_PF);
        return X86_OK;
    }
    v = (u64)(reverse ? 63 - __builtin_clzll(v) : __builtin_ctzll(v));
    x86_flags_put(c, x86_parity(v));
    return x86_write(c, i, 0, v);
}

enum x86_result x86_exec_bsf(struct x86_core *c, const struct x86_insn *i)
{
    return bit_scan(c, i, false);
}

enum x86_result x86_exec_bsr(struct x86_core *c, const struct x86_insn *i)
{
    return bit_scan(c, i, true);
}

enum x86_result x86_exec_popcnt(struct x86_core *c, const struct x86_insn *i)
{
    u64 v;
    enum x86_result r = x86_read(c, i, 1, &v);

    return r ? r : x86_write(c, i, 0, x86_alu_popcnt(c, v));
}

enum x86_result x86_exec_tzcnt(struct x86_core *c, const struct x86_insn *i)
{
    u64 v;
    enum x86_result r = x86_read(c, i, 1, &v);

    return r ? r : x86_write(c, i, 0, x86_alu_tzcnt(c, v, x86_operand_log2(i, 0)));
}

enum x86_result x86_exec_lzcnt(struct x86_core *c, const struct x86_insn *i)
{
    u64 v;
    enum x86_result r = x86_read(c, i, 1, &v);

    return r ? r : x86_write(c, i, 0, x86_alu_lzcnt(c, v, x86_operand_log2(i, 0)));
}

// Flags of BMI1: SF and ZF by the result, OF = 0; AF and PF, undefined, are 0.
static enum x86_result put_result(struct x86_core *c, const struct x86_insn *i, u64 v, bool carry)
{
    u32 log2 = x86_operand_log2(i, 0);

    v = x86_zero_extend(v, log2);
    x86_flags_put(c, (carry ? X86_CF : 0) | (v ? 0 : X86_ZF) | (x86_top_bit(v, log2) ? X86_SF : 0));
    return x86_write(c, i, 0, v);
}

enum x86_result x86_exec_andn(struct x86_core *c, const struct x86_insn *i)
{
    u64 a = x86_get_gpr(c, i->o[1].offset, i->o[1].size), b;
    enum x86_result r = x86_read(c, i, 2, &b);

    return r ? r : put_result(c, i, ~a & b, false);
}

enum x86_result x86_exec_blsi(struct x86_core *c, const struct x86_insn *i)
{
    u64 v;
    enum x86_result r = x86_read(c, i, 1, &v);

    return r ? r : put_result(c, i, v & -v, v != 0);
}

enum x86_result x86_exec_blsmsk(struct x86_core *c, const struct x86_insn *i)
{
    u64 v;
    enum x86_result r = x86_read(c, i, 1, &v);

    return r ? r : put_result(c, i, v ^ (v - 1), v == 0);
}

enum x86_result x86_exec_blsr(struct x86_core *c, const struct x86_insn *i)
{
    u64 v;
    enum x86_result r = x86_read(c, i, 1, &v);

    return r ? r : put_result(c, i, v & (v - 1), v == 0);
}

// `length` bits from `start` of the source; SF is undefined.
enum x86_result x86_exec_bextr(struct x86_core *c, const struct x86_insn *i)
{
    u64 v, control = 0;
    u32 start, length;
    enum x86_result r = x86_read(c, i, 1, &v);

    if (r)
        return r;
    x86_read(c, i, 2, &control);
    start = control & 0xff;
    length = control >> 8 & 0xff;
    v = start < 64 ? v >> start : 0;
    if (length < 64)
        v &= (1ull << length) - 1;
    x86_flags_put(c, v ? 0 : X86_ZF);
    return x86_write(c, i, 0, v);
}

enum x86_result x86_exec_bzhi(struct x86_core *c, const struct x86_insn *i)
{
    u32 bits = i->o[0].size * 8u;
    u64 v, index = 0;
    enum x86_result r = x86_read(c, i, 1, &v);

    if (r)
        return r;
    x86_read(c, i, 2, &index);
    index &= 0xff;
    if (index < bits)
        v &= (1ull << index) - 1;
    return put_result(c, i, v, index >= bits);
}

enum x86_result x86_exec_pdep(struct x86_core *c, const struct x86_insn *i)
{
    u64 v = x86_get_gpr(c, i->o[1].offset, i->o[1].size), mask, result = 0;
    enum x86_result r = x86_read(c, i, 2, &mask);

    if (r)
        return r;
    for (; mask; mask &= mask - 1, v >>= 1)
        if (v & 1)
            result |= mask & -mask;
    return x86_write(c, i, 0, result);
}

enum x86_result x86_exec_pext(struct x86_core *c, const struct x86_insn *i)
{
    u64 v = x86_get_gpr(c, i->o[1].offset, i->o[1].size), mask, result = 0;
    enum x86_result r = x86_read(c, i, 2, &mask);

    if (r)
        return r;
    for (u32 n = 0; mask; mask &= mask - 1, n++)
        if (v & mask & -mask)
            result |= 1ull << n;
    return x86_write(c, i, 0, result);
}

// CRC-32C, bit-reflected, of the source's bytes: four bits at a time.
enum x86_result x86_exec_crc32(struct x86_core *c, const struct x86_insn *i)
{
    static const u32 table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    u32 crc = (u32)x86_get_gpr(c, i->o[0].offset, 4);
    u64 v;
    enum x86_result r = x86_read(c, i, 1, &v);

    if (r)
        return r;
    for (u32 n = 0; n < i->o[1].size; n++, v >>= 8) {
        crc ^= (u8)v;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return x86_write(c, i, 0, crc);
}
