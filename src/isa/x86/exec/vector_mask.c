// SPDX-License-Identifier: BSD-3-Clause
// Vector instructions that access memory element by element under a mask (SDM vol. 2 VMASKMOV,
// VPMASKMOV, MASKMOVDQU, VGATHER, VPGATHER): elements that are masked off never fault.
#include "isa/x86/exec/vector.h"
#include "isa/x86/exec/x87.h"
#include "isa/x86/table.h"

#include <Zydis/Zydis.h>

static bool sign(const u8 *element, u32 size)
{
    return element[size - 1] & 0x80;
}

// Loads or stores the elements of `data` (n of them) whose mask is negative. Stores happen all or
// not at all.
static enum x86_result masked_access(struct x86_core *c, enum x86_seg seg, u64 offset, u8 *data,
                                     const u8 *mask, u32 n, u32 size, bool write)
{
    enum core_access access = write ? CORE_WRITE : CORE_READ;
    enum x86_result r;
    u64 linear[32];

    for (u32 k = 0; k < n; k++) {
        if (!sign(mask + k * size, size))
            continue;
        r = x86_linear(c, seg, offset + k * size, size, access, &linear[k]);
        if (!r)
            r = write ? x86_vector_probe(c, linear[k], size)
                      : x86_vector_load(c, linear[k], data + k * size, size);
        if (r)
            return r;
    }
    for (u32 k = 0; write && k < n; k++) {
        if (!sign(mask + k * size, size))
            continue;
        r = x86_vector_store(c, linear[k], data + k * size, size);
        if (r)
            return r;
    }
    return X86_OK;
}

// VMASKMOVPS, VMASKMOVPD, VPMASKMOVD, VPMASKMOVQ: load (vector, mask, memory) or store (memory,
// mask, vector).
enum x86_result x86_exec_maskmov(struct x86_core *c, const struct x86_insn *i)
{
    bool write = i->o[0].kind == X86_O_MEM;
    u32 size =
        i->si.opcode == ZYDIS_MNEMONIC_VMASKMOVPS || i->si.opcode == ZYDIS_MNEMONIC_VPMASKMOVD ? 4
                                                                                               : 8;
    enum x86_result r;
    u8 data[32] = {0}, mask[32];

    memcpy(mask, x86_ymm(c, i->o[1].reg), 32);
    if (write)
        memcpy(data, x86_ymm(c, i->o[2].reg), 32);
    r = masked_access(c, (enum x86_seg)i->mem.seg, x86_offset(c, i), data, mask,
                      i->vec_bytes / size, size, write);
    if (!r && !write)
        memcpy(x86_ymm(c, i->o[0].reg), data, 32);
    return r;
}

// MASKMOVDQU and MASKMOVQ: bytes of the first operand to [rDI]. As on Intel's processors, the whole
// operand is checked, whatever the mask.
enum x86_result x86_exec_maskmov_bytes(struct x86_core *c, const struct x86_insn *i)
{
    bool mmx = i->o[0].kind == X86_O_MMX;
    u32 size = mmx ? 8 : 16;
    u64 offset = c->s.gpr[X86_RDI], linear;
    enum x86_result r = mmx ? x86_mmx_enter(c) : X86_OK;

    if (r)
        return r;
    if (i->addr_bytes != 8)
        offset &= i->addr_bytes == 4 ? 0xffffffffu : 0xffffu;
    r = x86_linear(c, (enum x86_seg)i->mem.seg, offset, size, CORE_WRITE, &linear);
    if (!r)
        r = x87_check_alignment(c, linear, 8);
    if (!r)
        r = x86_vector_probe(c, linear, size);
    if (r)
        return r;
    r = masked_access(c, (enum x86_seg)i->mem.seg, offset,
                      mmx ? c->s.x87 + 16 * i->o[0].reg : x86_ymm(c, i->o[0].reg),
                      mmx ? c->s.x87 + 16 * i->o[1].reg : x86_ymm(c, i->o[1].reg), size, 1, true);
    if (!r && mmx)
        x86_mmx_leave(c);
    return r;
}

static void gather_sizes(u16 mnemonic, u32 *ret_index, u32 *ret_element)
{
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_VGATHERDPS:
    case ZYDIS_MNEMONIC_VPGATHERDD:
        *ret_index = *ret_element = 4;
        break;
    case ZYDIS_MNEMONIC_VGATHERDPD:
    case ZYDIS_MNEMONIC_VPGATHERDQ:
        *ret_index = 4;
        *ret_element = 8;
        break;
    case ZYDIS_MNEMONIC_VGATHERQPS:
    case ZYDIS_MNEMONIC_VPGATHERQD:
        *ret_index = 8;
        *ret_element = 4;
        break;
    default:
        *ret_index = *ret_element = 8;
    }
}

static u64 gather_offset(const struct x86_core *c, const struct x86_insn *i, const u8 *index,
                         u32 size)
{
    i64 wide;
    i32 narrow;
    u64 ea;

    if (size == 4) {
        memcpy(&narrow, index, 4);
        wide = narrow;
    } else {
        memcpy(&wide, index, 8);
    }
    ea = x86_address_part(c, i->mem.base) + ((u64)wide << i->mem.scale) + (u64)i->mem.disp;
    return i->addr_bytes == 8 ? ea : ea & 0xffffffff;
}

// One element after the other; each that is done clears its mask, so that after a fault the
// instruction goes on where it was. The mask becomes all ones or zeros per element first, the
// upper half of the destination becomes zero with the first one that is loaded.
enum x86_result x86_exec_gather(struct x86_core *c, const struct x86_insn *i)
{
    u8 *dest = x86_ymm(c, i->o[0].reg), *mask = x86_ymm(c, i->o[2].reg);
    const u8 *index = x86_ymm(c, i->mem.index);
    u32 index_size, size, n, bytes;
    enum x86_result r;
    u64 linear;

    if (i->o[0].reg == i->o[2].reg || i->o[0].reg == i->mem.index || i->o[2].reg == i->mem.index)
        return x86_raise(c, X86_EXC_UD);
    gather_sizes(i->si.opcode, &index_size, &size);
    n = i->vec_bytes / MAX(index_size, size);
    bytes = n * size;
    memset(mask + i->vec_bytes, 0, 32 - i->vec_bytes);
    for (u32 k = 0; k < i->vec_bytes; k += size)
        memset(mask + k, sign(mask + k, size) ? 0xff : 0, size);
    for (u32 k = 0; k < n; k++) {
        if (!sign(mask + k * size, size))
            continue;
        r = x86_linear(c, (enum x86_seg)i->mem.seg,
                       gather_offset(c, i, index + k * index_size, index_size), size, CORE_READ,
                       &linear);
        if (!r)
            r = x86_vector_load(c, linear, dest + k * size, size);
        if (r)
            return r;
        memset(mask + k * size, 0, size);
        memset(dest + i->vec_bytes, 0, 32 - i->vec_bytes);
    }
    memset(mask + bytes, 0, 32 - bytes);
    memset(dest + bytes, 0, 32 - bytes);
    return X86_OK;
}
