// SPDX-License-Identifier: BSD-3-Clause
#include "operands.h"

#include "gen.h"
#include "isa/x86/state.h"

#include <string.h>

struct solver {
    struct rng *r;
    struct conform_case *c;
    struct instance *in;
    u32 at, next; // where the instruction lies, and the next one
    u16 fixed;    // GPRs whose value an operand needs
    u64 ea[ZYDIS_MAX_OPERAND_COUNT];
};

// Number of the GPR that a register is part of; -1 for other registers.
static int gpr_of(ZydisRegister reg)
{
    ZydisRegister full = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);

    return full >= ZYDIS_REGISTER_RAX && full <= ZYDIS_REGISTER_R15
               ? (int)(full - ZYDIS_REGISTER_RAX)
               : -1;
}

static bool is_free(const struct solver *s, int gpr)
{
    return gpr >= 0 && !(s->fixed >> gpr & 1);
}

// --- addresses

static u64 cross(struct solver *s, u32 page, u32 size)
{
    return CASE_DATA + page * CASE_PAGE - between(s->r, 1, size > 1 ? size - 1 : 1);
}

// An address for an operand of `size` bytes.
static u64 choose_address(struct solver *s, u32 size)
{
    u32 x = (u32)rng_below(s->r, 1000);
    u32 align = size >= 512 ? 64 : size & (size - 1) ? 1 : MIN(MAX(size, 1), 64);
    u64 a;

    if (x < 720) {
        a = CASE_DATA + CASE_PAGE + between(s->r, 64, 2 * CASE_PAGE - size - 64);
        return chance(s->r, size >= 16 ? 750 : 500) ? a & ~(u64)(align - 1) : a;
    }
    if (x < 810)
        return cross(s, 2, size);
    if (x < 840)
        return cross(s, 3, size); // into the read-only page
    if (x < 870)
        return CASE_DATA + 3 * CASE_PAGE + between(s->r, 0, CASE_PAGE - size);
    if (x < 890)
        return cross(s, 4, size); // from there into nothing
    if (x < 910)
        return CASE_DATA + 5 * CASE_PAGE + between(s->r, 0, CASE_PAGE - size);
    if (x < 940)
        return cross(s, 6, size);
    if (x < 960)
        return cross(s, chance(s->r, 500) ? 1 : 5, size); // from nothing
    if (x < 975)
        return CASE_DATA + 4 * CASE_PAGE + between(s->r, 0, CASE_PAGE - size);
    if (x < 985)
        return CASE_CODE + between(s->r, 0, CASE_CODE_PAGES * CASE_PAGE - 1);
    if (s->c->mode == CASE_MODE32 && x < 992)
        return 0x100000000 - between(s->r, 1, 16);
    if (s->c->mode != CASE_MODE64 || x < 990)
        return 0x40000000 + (rng_next(s->r) & 0x0fffffff);
    return rng_next(s->r) | (chance(s->r, 500) ? 0 : 0xffff800000000000u);
}

// For XSAVE and its like: all of the area in one sort of memory, since which parts of it are
// touched depends on what is saved.
static u64 choose_area(struct solver *s)
{
    u32 x = (u32)rng_below(s->r, 100);
    u64 a = CASE_DATA + CASE_PAGE + 64 * rng_below(s->r, (2 * CASE_PAGE - CASE_XSAVE) / 64);

    if (x < 10)
        a = CASE_DATA + CASE_RO_PAGE * CASE_PAGE + 64 * rng_below(s->r, 40);
    else if (x < 15)
        a = CASE_DATA + 4 * CASE_PAGE + 64 * rng_below(s->r, 40);
    return x < 97 ? a : a + between(s->r, 1, 63);
}

static u64 segment_base(const struct solver *s, ZydisRegister segment)
{
    return segment == ZYDIS_REGISTER_FS   ? s->c->in.fs_base
           : segment == ZYDIS_REGISTER_GS ? s->c->in.gs_base
                                          : 0;
}

static void set_gpr(struct solver *s, int gpr, u64 v)
{
    u32 width = s->in->i.address_width;

    // What lies above the address size is not looked at.
    if (s->c->mode != CASE_MODE64)
        v &= 0xffffffff;
    if (width == 32 && s->c->mode == CASE_MODE64)
        v = (v & 0xffffffff) | (chance(s->r, 500) ? 0 : rng_next(s->r) << 32);
    if (width == 16)
        v = (v & 0xffff) | (s->c->in.gpr[gpr] & ~0xffffull);
    s->c->in.gpr[gpr] = v;
    s->fixed |= (u16)(1u << gpr);
}

static bool patch_displacement(struct solver *s, u64 v)
{
    u32 size = s->in->i.raw.disp.size / 8;

    if (size < 4)
        return false;
    if (size == 4 && s->in->i.address_width == 64 && (i64)(i32)v != (i64)v)
        return false;
    memcpy(s->in->bytes + s->in->i.raw.disp.offset, &v, size);
    return true;
}

static u64 index_value(const struct solver *s, const ZydisDecodedOperand *o)
{
    int index = gpr_of(o->mem.index);
    u64 v = index < 0 ? 0 : s->c->in.gpr[index];

    if (o->mem.index == ZYDIS_REGISTER_AL)
        v &= 0xff;
    return v * (o->mem.scale ? o->mem.scale : 1);
}

// Makes the operand's address `ea` as far as its parts allow.
static void aim(struct solver *s, const ZydisDecodedOperand *o, u64 ea)
{
    int base = gpr_of(o->mem.base), index = gpr_of(o->mem.index);
    u64 disp = (u64)(o->mem.disp.has_displacement ? o->mem.disp.value : 0);
    u64 offset = ea - segment_base(s, o->mem.segment);

    if (o->mem.base == ZYDIS_REGISTER_RIP || o->mem.base == ZYDIS_REGISTER_EIP) {
        patch_displacement(s, offset - s->next);
    } else if (base >= 0 && base == index) {
        if (is_free(s, base))
            set_gpr(s, base, (offset - disp) / (u64)(o->mem.scale + 1));
    } else if (is_free(s, base)) {
        set_gpr(s, base, offset - disp - index_value(s, o));
        if (index >= 0)
            s->fixed |= (u16)(1u << index);
    } else if (is_free(s, index) && o->mem.index != ZYDIS_REGISTER_AL) {
        u64 rest = offset - disp - (base < 0 ? 0 : s->c->in.gpr[base]);

        set_gpr(s, index, rest / (o->mem.scale ? o->mem.scale : 1));
    } else if (o->mem.disp.has_displacement) {
        patch_displacement(s, offset - (base < 0 ? 0 : s->c->in.gpr[base]) - index_value(s, o));
    }
}

// Lanes of the index register of a gather.
static void aim_vector(struct solver *s, const ZydisDecodedOperand *o)
{
    bool ymm = ZydisRegisterGetClass(o->mem.index) == ZYDIS_REGCLASS_YMM;
    u32 n = (u32)(o->mem.index - (ymm ? ZYDIS_REGISTER_YMM0 : ZYDIS_REGISTER_XMM0));
    bool dword = s->in->i.mnemonic == ZYDIS_MNEMONIC_VGATHERDPD ||
                 s->in->i.mnemonic == ZYDIS_MNEMONIC_VGATHERDPS ||
                 s->in->i.mnemonic == ZYDIS_MNEMONIC_VPGATHERDD ||
                 s->in->i.mnemonic == ZYDIS_MNEMONIC_VPGATHERDQ;
    u8 lanes[32];
    u32 step = dword ? 4 : 8;

    for (u32 at = 0; at < sizeof(lanes); at += step) {
        i64 v = (i64)between(s->r, 0, 400) - 200;

        v = chance(s->r, 20) ? (i64)rng_next(s->r) : v;
        memcpy(lanes + at, &v, step);
    }
    memcpy(s->c->in.x.xmm[n], lanes, 16);
    memcpy(s->c->in.x.ymm_high[n], lanes + 16, 16);
}

static enum value_kind kind_of(struct solver *s, const ZydisDecodedOperand *o)
{
    switch (o->element_type) {
    case ZYDIS_ELEMENT_TYPE_FLOAT16:
        return VALUE_F16;
    case ZYDIS_ELEMENT_TYPE_FLOAT32:
        return VALUE_F32;
    case ZYDIS_ELEMENT_TYPE_FLOAT64:
        return VALUE_F64;
    case ZYDIS_ELEMENT_TYPE_FLOAT80:
        return VALUE_F80;
    case ZYDIS_ELEMENT_TYPE_INT:
    case ZYDIS_ELEMENT_TYPE_UINT:
        return o->size <= 64 ? VALUE_INT : chance(s->r, 500) ? VALUE_BITS : value_kind_any(s->r);
    default:
        return value_kind_any(s->r);
    }
}

static bool is_implicit_stack(const ZydisDecodedOperand *o)
{
    return o->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN && gpr_of(o->mem.base) == X86_RSP;
}

static void solve_memory(struct solver *s, u32 n)
{
    const ZydisDecodedOperand *o = &s->in->o[n];
    u32 size = MIN(o->size / 8u, 1024u);
    u8 value[64];
    u64 ea = choose_address(s, size);

    if (o->mem.type == ZYDIS_MEMOP_TYPE_AGEN || o->mem.type == ZYDIS_MEMOP_TYPE_MIB)
        return;
    if (o->mem.type == ZYDIS_MEMOP_TYPE_VSIB) {
        u32 index_size = o->mem.scale;

        aim_vector(s, o);
        s->c->in.rflags &= ~(u64)X86_TF; // which may trap between two elements
        ea = CASE_DATA + 2 * CASE_PAGE + 2048 + (index_size & 1);
        if (chance(s->r, 150))
            ea = choose_address(s, 64);
    }
    if (o->size == 576 * 8)
        ea = choose_area(s);
    // Whether bytes that are not selected fault is the processor's own affair.
    if ((s->in->i.mnemonic == ZYDIS_MNEMONIC_MASKMOVQ ||
         s->in->i.mnemonic == ZYDIS_MNEMONIC_MASKMOVDQU ||
         s->in->i.mnemonic == ZYDIS_MNEMONIC_VMASKMOVDQU) &&
        (ea ^ (ea + size - 1)) & ~0xfffull)
        ea -= size;
    if (is_implicit_stack(o)) {
        if (ea > 0xfffff000) // what wraps at 4 GiB: in an order of the processor's own
            ea = CASE_DATA + CASE_PAGE + 256;
        if (chance(s->r, 850))
            ea &= ~7ull;
        aim(s, o, o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE ? ea + size : ea);
    } else {
        aim(s, o, ea);
    }
    s->ea[n] = ea;
    value_fill(s->r, kind_of(s, o), MIN(size, 64u), value);
    gen_patch(s->c, ea, value, MIN(size, 64u));
}

// --- registers

static void solve_register(struct solver *s, const ZydisDecodedOperand *o)
{
    ZydisRegister reg = o->reg.value;
    u8 n;

    if (o->type != ZYDIS_OPERAND_TYPE_REGISTER || !(o->actions & ZYDIS_OPERAND_ACTION_MASK_READ) ||
        chance(s->r, 150))
        return;
    switch (ZydisRegisterGetClass(reg)) {
    case ZYDIS_REGCLASS_XMM:
        n = (u8)(reg - ZYDIS_REGISTER_XMM0);
        break;
    case ZYDIS_REGCLASS_YMM:
        n = (u8)(reg - ZYDIS_REGISTER_YMM0);
        break;
    default:
        return;
    }
    value_fill(s->r, kind_of(s, o), 16, s->c->in.x.xmm[n]);
    value_fill(s->r, kind_of(s, o), 16, s->c->in.x.ymm_high[n]);
}

// Writes a value into an operand that is a GPR or memory, whatever it held.
static void put_operand(struct solver *s, u32 n, u64 v)
{
    const ZydisDecodedOperand *o = &s->in->o[n];
    u64 mask = o->size >= 64 ? ~0ull : (1ull << o->size) - 1;
    int gpr;

    if (o->type == ZYDIS_OPERAND_TYPE_MEMORY) {
        gen_patch(s->c, s->ea[n], &v, MIN(o->size / 8u, 8u));
        return;
    }
    gpr = o->type == ZYDIS_OPERAND_TYPE_REGISTER ? gpr_of(o->reg.value) : -1;
    if (!is_free(s, gpr))
        return;
    if (o->reg.value >= ZYDIS_REGISTER_AH && o->reg.value <= ZYDIS_REGISTER_BH) {
        mask <<= 8;
        v <<= 8;
    }
    s->c->in.gpr[gpr] = (s->c->in.gpr[gpr] & ~mask) | (v & mask);
}

// --- branches

static u64 choose_target(struct solver *s)
{
    u32 x = (u32)rng_below(s->r, 1000);
    u64 v;

    if (x < 600)
        return s->next;
    if (x < 850) {
        v = CASE_CODE + between(s->r, 0, CASE_CODE_PAGES * CASE_PAGE - 1);
        return v + 16 < s->at || v > s->next + 16 ? v : s->next;
    }
    if (x < 900)
        return CASE_DATA + CASE_PAGE + between(s->r, 0, CASE_PAGE - 1);
    if (x < 950 || s->c->mode != CASE_MODE64)
        return 0x40000000 + (rng_next(s->r) & 0x0fffffff);
    return rng_next(s->r) | 0xff00000000000000u;
}

static bool solve_relative(struct solver *s)
{
    u32 size = s->in->i.raw.imm[0].size / 8;
    i64 v = 0;

    if (chance(s->r, 500))
        v = 0;
    else if (size == 4)
        v = (i64)choose_target(s) - (i64)s->next;
    else
        v = chance(s->r, 500) ? (i64)between(s->r, 16, 127)
                              : -(i64)between(s->r, (u32)s->in->len + 1, 128);
    if (v != (i64)(i32)v)
        v = 0;
    memcpy(s->in->bytes + s->in->i.raw.imm[0].offset, &v, size);
    return true;
}

// Of a far transfer: code of another mode must not come to the end of the case.
static u64 choose_far_target(struct solver *s, u16 sel)
{
    u64 v = choose_target(s);
    u16 own = s->c->mode == CASE_MODE64 ? 0x33 : 0x23;

    return v == s->next && sel != own ? CASE_CODE + 16 : v;
}

static u16 choose_selector(struct solver *s)
{
    static const u16 some[] = {0, 1, 3, 0x23, 0x2b, 0x2b, 0x2b, 0x33, 0x10, 0x18, 0x88, 0xfffb};

    return some[rng_below(s->r, ARRAY_SIZE(some))];
}

// The stack of a far return: size bytes an item.
static void put_far_frame(struct solver *s, u64 sp, u32 size, bool iret)
{
    bool whole = iret && s->c->mode == CASE_MODE64;
    u64 frame[5];
    u8 bytes[40];

    frame[1] = chance(s->r, 700)   ? (s->c->mode == CASE_MODE64 ? 0x33u : 0x23u)
               : chance(s->r, 500) ? 0x23u
                                   : choose_selector(s);
    frame[0] = choose_far_target(s, (u16)frame[1]);
    frame[2] = 0x202 | (rng_next(s->r) & 0xcd5);
    frame[3] = CASE_DATA + CASE_PAGE + between(s->r, 0, 2 * CASE_PAGE);
    frame[4] = chance(s->r, 800) ? 0x2b : choose_selector(s);
    for (u32 n = 0; n < 5; n++)
        memcpy(bytes + n * size, &frame[n], size);
    gen_patch(s->c, sp, bytes, size * (whole ? 5 : iret ? 3 : 2));
}

static bool solve_branch(struct solver *s)
{
    const ZydisDecodedInstruction *i = &s->in->i;
    bool far = i->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
    u64 sp = s->c->in.gpr[X86_RSP];

    if (far) // whether #AC or a #PF behind it comes first
        s->c->in.rflags &= ~(u64)X86_AC;

    switch (i->mnemonic) {
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_IRETQ:
        put_far_frame(s, sp, i->operand_width / 8, true);
        return true;
    case ZYDIS_MNEMONIC_RET:
        if (far)
            put_far_frame(s, sp, i->operand_width / 8, false);
        else
            gen_patch(s->c, sp, &(u64){choose_target(s)}, 8);
        return true;
    case ZYDIS_MNEMONIC_JMP:
    case ZYDIS_MNEMONIC_CALL:
        break;
    default:
        return s->in->o[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE || !s->in->o[0].imm.is_relative ||
               solve_relative(s);
    }
    if (far && s->in->o[0].type == ZYDIS_OPERAND_TYPE_POINTER) {
        u32 size = i->operand_width / 8;
        u16 sel = chance(s->r, 700) ? 0x23 : choose_selector(s);
        u64 to = choose_far_target(s, sel);

        memcpy(s->in->bytes + s->in->len - 2 - size, &to, size);
        memcpy(s->in->bytes + s->in->len - 2, &sel, 2);
    } else if (far) {
        u32 size = s->in->o[0].size / 8 - 2;
        u8 bytes[10];
        u16 sel = chance(s->r, 700) ? 0x33 : choose_selector(s);

        memcpy(bytes, &(u64){choose_far_target(s, sel)}, 8);
        memcpy(bytes + size, &sel, 2);
        gen_patch(s->c, s->ea[0], bytes, size + 2);
    } else if (s->in->o[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        return solve_relative(s);
    } else {
        put_operand(s, 0, choose_target(s));
    }
    return true;
}

// --- instructions whose operands hang together

static void solve_divide(struct solver *s)
{
    u32 width = s->in->o[0].size, x = (u32)rng_below(s->r, 100);
    u64 *hi = width == 8 ? &s->c->in.gpr[X86_RAX] : &s->c->in.gpr[X86_RDX];
    u64 sign = (u64)((i64)(s->c->in.gpr[X86_RAX] << (64 - width)) >> 63);
    u64 v = s->in->i.mnemonic == ZYDIS_MNEMONIC_DIV || x < 10 ? 0 : sign;

    if (s->fixed & (1u << X86_RDX | 1u << X86_RAX) || x > 75)
        return;
    if (x > 40) { // a high half that is not zero but small
        u64 divisor = rng_next(s->r) >> (64 - width) | 1ull << (width - 2);

        v = rng_below(s->r, divisor) >> (1 + rng_below(s->r, 8));
        put_operand(s, 0, divisor);
    }
    if (width == 8)
        *hi = (*hi & ~0xff00ull) | (v & 0xff) << 8;
    else
        *hi = v;
}

static void solve_compare_exchange(struct solver *s)
{
    u8 bytes[16];

    if (chance(s->r, 500))
        return;
    memcpy(bytes, &s->c->in.gpr[X86_RAX], 8);
    if (s->in->i.mnemonic == ZYDIS_MNEMONIC_CMPXCHG8B) {
        memcpy(bytes + 4, &s->c->in.gpr[X86_RDX], 4);
        gen_patch(s->c, s->ea[0], bytes, 8);
    } else if (s->in->i.mnemonic == ZYDIS_MNEMONIC_CMPXCHG16B) {
        memcpy(bytes + 8, &s->c->in.gpr[X86_RDX], 8);
        gen_patch(s->c, s->ea[0], bytes, 16);
    } else {
        put_operand(s, 0, s->c->in.gpr[X86_RAX]);
    }
}

static void solve_string(struct solver *s)
{
    u64 *rcx = &s->c->in.gpr[X86_RCX], mask = ~0ull;
    u8 same[64];

    if (s->in->i.address_width < 64)
        mask = (1ull << s->in->i.address_width) - 1;
    if (s->in->i.attributes &
        (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE))
        *rcx = (*rcx & ~mask) | (rng_below(s->r, chance(s->r, 200) ? 200 : 20) & mask);
    if (s->c->mode != CASE_MODE64)
        *rcx &= 0xffffffff;
    memset(same, (int)rng_next(s->r), sizeof(same));
    if (chance(s->r, 500))
        for (u32 n = 0; n < s->in->i.operand_count; n++)
            if (s->in->o[n].type == ZYDIS_OPERAND_TYPE_MEMORY)
                gen_patch(s->c, s->ea[n] - (s->c->in.rflags & X86_DF ? 60 : 0), same, 64);
    if (chance(s->r, 500))
        memcpy(&s->c->in.gpr[X86_RAX], same, s->c->mode == CASE_MODE64 ? 8 : 4);
}

static void solve_mxcsr(struct solver *s, u64 address)
{
    u32 v = 0x1f80 | ((u32)rng_next(s->r) & 0xe07f);

    if (chance(s->r, 100))
        v = (u32)rng_next(s->r) >> rng_below(s->r, 17);
    gen_patch(s->c, address, &v, 4);
}

// XSAVE and its like: only the state that both sides have; a sound header.
static bool solve_xsave(struct solver *s, bool restore)
{
    u8 header[64] = {(u8)(rng_next(s->r) & 7)};

    if (s->fixed & (1u << X86_RAX | 1u << X86_RDX))
        return false;
    s->c->in.gpr[X86_RAX] = between(s->r, 1, 7);
    s->c->in.gpr[X86_RDX] = 0;
    s->c->in.rflags &= ~(u64)X86_AC; // whether #AC or #GP is the processor's choice
    if (!restore)
        return true;
    if (chance(s->r, 50))
        value_fill(s->r, VALUE_BITS, 64, header);
    gen_patch(s->c, s->ea[0] + 512, header, 64);
    solve_mxcsr(s, s->ea[0] + 24);
    return true;
}

static void solve_bcd(struct solver *s)
{
    u8 bytes[10];

    for (u32 n = 0; n < 9; n++)
        bytes[n] = (u8)(rng_below(s->r, 10) << 4 | rng_below(s->r, 10));
    bytes[9] = (u8)(rng_next(s->r) & 0x80);
    gen_patch(s->c, s->ea[0], bytes, 10);
}

static void solve_bit_offset(struct solver *s)
{
    u32 width = s->in->o[1].size;
    i64 v = (i64)between(s->r, 0, 8000) - 4000;

    // Near the address, or the whole register.
    if (s->in->o[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
        s->in->o[1].type == ZYDIS_OPERAND_TYPE_REGISTER && width && chance(s->r, 970))
        put_operand(s, 1, (u64)v);
}

static bool solve_special(struct solver *s)
{
    switch (s->in->i.mnemonic) {
    case ZYDIS_MNEMONIC_SYSCALL: // not to be executed natively
    case ZYDIS_MNEMONIC_SYSENTER:
    case ZYDIS_MNEMONIC_INT:
        return false;
    case ZYDIS_MNEMONIC_DIV:
    case ZYDIS_MNEMONIC_IDIV:
        solve_divide(s);
        break;
    case ZYDIS_MNEMONIC_CMPXCHG:
    case ZYDIS_MNEMONIC_CMPXCHG8B:
    case ZYDIS_MNEMONIC_CMPXCHG16B:
        solve_compare_exchange(s);
        break;
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC:
        solve_bit_offset(s);
        break;
    case ZYDIS_MNEMONIC_LOOP:
    case ZYDIS_MNEMONIC_LOOPE:
    case ZYDIS_MNEMONIC_LOOPNE:
    case ZYDIS_MNEMONIC_JCXZ:
    case ZYDIS_MNEMONIC_JECXZ:
    case ZYDIS_MNEMONIC_JRCXZ:
        s->c->in.gpr[X86_RCX] = chance(s->r, 500) ? rng_below(s->r, 3) : s->c->in.gpr[X86_RCX];
        break;
    case ZYDIS_MNEMONIC_LDMXCSR:
    case ZYDIS_MNEMONIC_VLDMXCSR:
        solve_mxcsr(s, s->ea[0]);
        break;
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR64:
        solve_mxcsr(s, s->ea[0] + 24);
        break;
    case ZYDIS_MNEMONIC_XRSTOR:
    case ZYDIS_MNEMONIC_XRSTOR64:
        return solve_xsave(s, true);
    case ZYDIS_MNEMONIC_XSAVE:
    case ZYDIS_MNEMONIC_XSAVE64:
    case ZYDIS_MNEMONIC_XSAVEC:
    case ZYDIS_MNEMONIC_XSAVEC64:
    case ZYDIS_MNEMONIC_XSAVEOPT:
    case ZYDIS_MNEMONIC_XSAVEOPT64:
        return solve_xsave(s, false);
    case ZYDIS_MNEMONIC_FBLD:
        solve_bcd(s);
        break;
    case ZYDIS_MNEMONIC_LAR:
    case ZYDIS_MNEMONIC_LSL:
        put_operand(s, 1, choose_selector(s));
        break;
    case ZYDIS_MNEMONIC_VERR:
    case ZYDIS_MNEMONIC_VERW:
        put_operand(s, 0, choose_selector(s));
        break;
    default:
        break;
    }
    if (s->in->i.meta.category == ZYDIS_CATEGORY_STRINGOP)
        solve_string(s);
    return true;
}

// Loads of segment registers: selectors that Linux has, and some that it has not.
static void solve_segment(struct solver *s)
{
    const ZydisDecodedOperand *o = s->in->o;

    if (s->in->i.operand_count < 1 || o[0].type != ZYDIS_OPERAND_TYPE_REGISTER ||
        ZydisRegisterGetClass(o[0].reg.value) != ZYDIS_REGCLASS_SEGMENT)
        return;
    if (s->in->i.mnemonic == ZYDIS_MNEMONIC_MOV)
        put_operand(s, 1, choose_selector(s));
    else if (s->in->i.mnemonic == ZYDIS_MNEMONIC_POP)
        gen_patch(s->c, s->c->in.gpr[X86_RSP], &(u16){choose_selector(s)}, 2);
}

bool operands_solve(const struct forms *f, struct rng *r, struct conform_case *c,
                    struct instance *in, u32 at)
{
    struct solver s = {.r = r, .c = c, .in = in, .at = at, .next = at + in->len};

    for (u32 n = 0; n < in->i.operand_count; n++)
        solve_register(&s, &in->o[n]);
    for (u32 n = 0; n < in->i.operand_count; n++)
        if (in->o[n].type == ZYDIS_OPERAND_TYPE_MEMORY)
            solve_memory(&s, n);
    if (!solve_special(&s) || !solve_branch(&s))
        return false;
    solve_segment(&s);
    return encode_decode(f, c->mode, in);
}
