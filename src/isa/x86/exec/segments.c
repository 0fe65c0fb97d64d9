// SPDX-License-Identifier: BSD-3-Clause
// Moves to and from segment registers.
#include "isa/x86/exec/system.h"

#include "isa/x86/exec/stack.h"

static enum x86_result load(struct x86_core *c, const struct x86_insn *i, enum x86_seg seg, u64 sel)
{
    enum x86_result r;

    if (seg == X86_CS || seg > X86_GS)
        return x86_raise(c, X86_EXC_UD);
    r = x86_segment_load(c, seg, (u16)sel);
    if (r != X86_OK)
        return r;
    if (seg == X86_SS)
        x86_shadow_set(c, 2);
    x86_update_mode(c);
    return x86_end(c, i);
}

enum x86_result x86_exec_mov_seg(struct x86_core *c, const struct x86_insn *i)
{
    enum x86_result r;
    u64 sel;

    if (i->o[0].kind == X86_O_SEG) {
        r = x86_read(c, i, 1, &sel);
        return r == X86_OK ? load(c, i, (enum x86_seg)i->o[0].reg, sel) : r;
    }
    r = x86_write(c, i, 0, c->s.seg_sel[i->o[1].reg]);
    return r == X86_OK ? x86_end(c, i) : r;
}

enum x86_result x86_exec_push_seg(struct x86_core *c, const struct x86_insn *i)
{
    u16 sel = c->s.seg_sel[i->o[0].reg];
    enum x86_result r;

    if (i->stack_bytes != 4) {
        r = x86_push(c, sel, i->stack_bytes);
        return r == X86_OK ? x86_end(c, i) : r;
    }
    // The upper half of the slot stays as it is (SDM vol. 2B PUSH).
    r = x86_stack_store(c, c->s.gpr[X86_RSP] - 4, sel, 2);
    if (r != X86_OK)
        return r;
    x86_set_stack_pointer(c, c->s.gpr[X86_RSP] - 4);
    return x86_end(c, i);
}

enum x86_result x86_exec_pop_seg(struct x86_core *c, const struct x86_insn *i)
{
    u64 rsp = c->s.gpr[X86_RSP], sel;
    enum x86_result r = x86_stack_load(c, rsp, &sel, 2); // whatever the size of its slot

    if (r == X86_OK)
        r = load(c, i, (enum x86_seg)i->o[0].reg, sel);
    if (r == X86_OK)
        x86_set_stack_pointer(c, rsp + i->stack_bytes);
    return r;
}

// LDS, LES, LFS, LGS, LSS: a far pointer into a segment register and a general one.
static enum x86_result load_pointer(struct x86_core *c, const struct x86_insn *i, enum x86_seg seg)
{
    u32 size = i->o[0].size;
    u64 linear, offset = 0;
    u16 sel;
    enum x86_result r = x86_operand_address(c, i, CORE_READ, &linear);

    if (r == X86_OK)
        r = x86_load(c, linear, &offset, size);
    if (r == X86_OK)
        r = x86_load(c, linear + size, &sel, 2);
    if (r == X86_OK)
        r = x86_segment_load(c, seg, sel);
    if (r != X86_OK)
        return r;
    x86_update_mode(c);
    x86_put_gpr(c, i->o[0].offset, size, offset);
    return x86_end(c, i);
}

enum x86_result x86_exec_lds(struct x86_core *c, const struct x86_insn *i)
{
    return load_pointer(c, i, X86_DS);
}

enum x86_result x86_exec_les(struct x86_core *c, const struct x86_insn *i)
{
    return load_pointer(c, i, X86_ES);
}

enum x86_result x86_exec_lfs(struct x86_core *c, const struct x86_insn *i)
{
    return load_pointer(c, i, X86_FS);
}

enum x86_result x86_exec_lgs(struct x86_core *c, const struct x86_insn *i)
{
    return load_pointer(c, i, X86_GS);
}

enum x86_result x86_exec_lss(struct x86_core *c, const struct x86_insn *i)
{
    return load_pointer(c, i, X86_SS);
}
