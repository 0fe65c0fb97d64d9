// SPDX-License-Identifier: BSD-3-Clause
// Segmentation: SDM vol. 3A chapters 3 and 5.
#include "isa/x86/mem.h"

static enum x86_result segment_fault(struct x86_core *c, enum x86_seg seg)
{
    return x86_raise_error(c, seg == X86_SS ? X86_EXC_SS : X86_EXC_GP, 0);
}

static bool canonical(const struct x86_core *c, u64 linear)
{
    u32 unused = c->s.cr4 & X86_CR4_LA57 ? 7 : 16;

    return (u64)((i64)(linear << unused) >> unused) == linear;
}

// Whether `size` bytes at `offset` lie inside the segment (expand-down: outside its limit).
static bool inside(u32 attr, u32 limit, u64 offset, u32 size)
{
    u64 last = offset + size - 1;

    if ((attr & (X86_ATTR_S | 0xc)) == (X86_ATTR_S | 4))
        return offset > limit && last <= (attr & X86_ATTR_DB ? 0xffffffffu : 0xffffu);
    return last <= limit;
}

static bool accessible(u32 attr, enum core_access access)
{
    bool code = attr & 8;

    if (attr & X86_ATTR_UNUSABLE)
        return false;
    if (access == CORE_WRITE)
        return !code && (attr & 2);
    return access == CORE_EXEC || !code || (attr & 2);
}

enum x86_result x86_linear_slow(struct x86_core *c, enum x86_seg seg, u64 offset, u32 size,
                                enum core_access access, u64 *ret_linear)
{
    bool checked = (c->s.cr0 & X86_CR0_PE) && !(c->s.rflags & X86_VM);
    u64 linear = offset + (c->code_mode != X86_CODE64 || seg >= X86_FS ? c->s.seg_base[seg] : 0);

    if (c->code_mode == X86_CODE64) {
        if (!canonical(c, linear) || !canonical(c, linear + size - 1))
            return segment_fault(c, seg);
        *ret_linear = linear;
        return X86_OK;
    }
    if (checked && !accessible(c->s.seg_attr[seg], access))
        return segment_fault(c, seg);
    if (!inside(c->s.seg_attr[seg], c->s.seg_limit[seg], offset, size))
        return segment_fault(c, seg);
    *ret_linear = (u32)linear;
    return X86_OK;
}
