// SPDX-License-Identifier: BSD-3-Clause
// x87 control instructions (SDM vol. 1 §8.1.10): control and status word, environment, state. They
// do not touch FIP, FDP and FOP but to save, load or clear them.
#include "isa/x86/exec/exec.h"
#include "isa/x86/exec/x87.h"

void x87_set_control(struct x86_core *c, u16 fcw, u16 fsw)
{
    c->s.fcw = (u16)((fcw & 0x1f7f) | 0x40);
    c->s.fsw = fsw & (u16) ~(X87_ES | X87_B);
    if (fsw & ~c->s.fcw & X87_FLAGS)
        c->s.fsw |= X87_ES | X87_B;
}

enum x86_result x87_check_alignment(struct x86_core *c, u64 linear, u32 align)
{
    bool checked = c->watched && c->cpl == 3 && c->s.cr0 & X86_CR0_AM && c->s.rflags & X86_AC;

    return checked && linear % align ? x86_raise_error(c, X86_EXC_AC, 0) : X86_OK;
}

void x87_init(struct x86_core *c)
{
    c->s.fcw = 0x37f;
    c->s.fsw = c->s.ftw = c->s.fop = c->s.fcs = c->s.fds = 0;
    c->s.fip = c->s.fdp = 0;
}

// 0 valid, 1 zero, 2 special, 3 empty.
static u32 tag_of(const u8 *value)
{
    u64 mantissa;
    u16 exponent;

    memcpy(&mantissa, value, 8);
    memcpy(&exponent, value + 8, 2);
    exponent &= 0x7fff;
    if (exponent == 0 && mantissa == 0)
        return 1;
    return exponent == 0 || exponent == 0x7fff || !(mantissa >> 63) ? 2 : 0;
}

u16 x87_full_tags(const struct x86_core *c)
{
    u32 tags = 0;

    for (u32 k = 0; k < 8; k++)
        tags |= (c->s.ftw >> k & 1 ? tag_of(c->s.x87 + 16 * k) : 3) << 2 * k;
    return (u16)tags;
}

void x87_put_full_tags(struct x86_core *c, u16 tags)
{
    u32 used = 0;

    for (u32 k = 0; k < 8; k++)
        used |= (u32)((tags >> 2 * k & 3) != 3) << k;
    c->s.ftw = (u16)used;
}

enum x86_result x86_exec_fwait(struct x86_core *c, const struct x86_insn *i)
{
    if ((c->s.cr0 & (X86_CR0_MP | X86_CR0_TS)) == (X86_CR0_MP | X86_CR0_TS))
        return x86_raise(c, X86_EXC_NM);
    return x87_wait(c);
}

// FENI, FDISI, FSETPM: nothing since the 287.
enum x86_result x86_exec_x87_nothing(struct x86_core *c, const struct x86_insn *i)
{
    return X86_OK;
}

enum x86_result x86_exec_fninit(struct x86_core *c, const struct x86_insn *i)
{
    x87_init(c);
    return X86_OK;
}

enum x86_result x86_exec_fnclex(struct x86_core *c, const struct x86_insn *i)
{
    c->s.fsw &= (u16) ~(X87_FLAGS | X87_SF | X87_ES | X87_B);
    return X86_OK;
}

enum x86_result x86_exec_fnstcw(struct x86_core *c, const struct x86_insn *i)
{
    return x86_write(c, i, 0, c->s.fcw);
}

enum x86_result x86_exec_fldcw(struct x86_core *c, const struct x86_insn *i)
{
    enum x86_result r = x87_wait(c);
    u64 v;

    if (!r)
        r = x86_read(c, i, 0, &v);
    if (r)
        return r;
    x87_set_control(c, (u16)v, c->s.fsw);
    return X86_OK;
}

enum x86_result x86_exec_fnstsw(struct x86_core *c, const struct x86_insn *i)
{
    return x86_write(c, i, 0, c->s.fsw);
}

// The environment has four layouts (SDM vol. 1 figures 8-9 to 8-12): 7 words or 7 double words,
// protected or real-address mode. All are 7 fields here.
enum { FCW, FSW, FTW, FIP, CS_OP, FDP, DS, FIELDS };

static bool real_layout(const struct x86_core *c)
{
    return !(c->s.cr0 & X86_CR0_PE) || c->s.rflags & X86_VM;
}

static void environment_out(const struct x86_core *c, u32 field[FIELDS])
{
    field[FCW] = c->s.fcw;
    field[FSW] = c->s.fsw;
    field[FTW] = x87_full_tags(c);
    field[FIP] = (u32)c->s.fip;
    field[FDP] = (u32)c->s.fdp;
    if (real_layout(c)) {
        field[CS_OP] = ((u32)c->s.fip >> 16 << 12) | (c->s.fop & 0x7ff);
        field[DS] = (u32)c->s.fdp >> 16 << 12;
    } else {
        field[CS_OP] = c->s.fcs | (u32)(c->s.fop & 0x7ff) << 16;
        field[DS] = c->s.fds;
    }
}

static u32 environment_pack(const struct x86_core *c, bool words, u8 out[28])
{
    u32 field[FIELDS];

    environment_out(c, field);
    for (u32 k = 0; k < FIELDS; k++) {
        bool upper = k == FIP || k == CS_OP || k == FDP || (k == DS && real_layout(c));
        u32 v = upper ? field[k] : field[k] | 0xffff0000;

        if (!words && real_layout(c) && (k == FIP || k == FDP))
            v |= 0xffff0000;
        memcpy(out + k * (words ? 2u : 4u), &v, words ? 2 : 4);
    }
    return words ? 14 : 28;
}

static void environment_unpack(struct x86_core *c, bool words, const u8 *in)
{
    u32 field[FIELDS] = {0};

    for (u32 k = 0; k < FIELDS; k++)
        memcpy(&field[k], in + k * (words ? 2u : 4u), words ? 2 : 4);
    x87_set_control(c, (u16)field[FCW], (u16)field[FSW]);
    x87_put_full_tags(c, (u16)field[FTW]);
    c->s.fip = field[FIP];
    c->s.fdp = field[FDP];
    if (real_layout(c)) {
        c->s.fip = (field[FIP] & 0xffff) | (field[CS_OP] & 0x0ffff000) << 4;
        c->s.fdp = (field[FDP] & 0xffff) | (field[DS] & 0x0ffff000) << 4;
        c->s.fop = field[CS_OP] & 0x7ff;
    } else if (words) {
        c->s.fop = 0;
    } else {
        c->s.fop = field[CS_OP] >> 16 & 0x7ff;
    }
}

static enum x86_result store_state(struct x86_core *c, const struct x86_insn *i, bool registers)
{
    bool words = i->mem.size == 14 || i->mem.size == 94;
    u32 size = (words ? 14 : 28) + (registers ? 80 : 0), n;
    enum x86_result r;
    u8 image[108];
    u64 linear;

    r = x86_operand_address(c, i, CORE_WRITE, &linear);
    if (!r)
        r = x87_check_alignment(c, linear, words ? 2 : 4);
    if (!r) // processors look at both ends before all else
        r = x86_probe_write(c, linear, words ? 2 : 4);
    if (!r)
        r = x86_probe_write(c, linear + size - 1, 1);
    if (r)
        return r;
    n = environment_pack(c, words, image);
    for (u32 k = 0; registers && k < 8; k++, n += 10)
        memcpy(image + n, x87_st(c, k), 10);
    return x86_store(c, linear, image, n);
}

static enum x86_result load_state(struct x86_core *c, const struct x86_insn *i, bool registers)
{
    bool words = i->mem.size == 14 || i->mem.size == 94;
    u32 n = words ? 14 : 28, size = registers ? n + 80 : n;
    enum x86_result r = x87_wait(c);
    u8 image[108];
    u64 linear;

    if (!r)
        r = x86_operand_address(c, i, CORE_READ, &linear);
    if (!r)
        r = x87_check_alignment(c, linear, words ? 2 : 4);
    if (!r) // processors look at both ends before all else
        r = x86_load(c, linear, image, words ? 2 : 4);
    if (!r)
        r = x86_load(c, linear + size - 1, image, 1);
    if (!r)
        r = x86_load(c, linear, image, size);
    if (r)
        return r;
    environment_unpack(c, words, image);
    for (u32 k = 0; registers && k < 8; k++, n += 10)
        memcpy(x87_st(c, k), image + n, 10);
    return X86_OK;
}

// Masks all exceptions afterwards.
enum x86_result x86_exec_fnstenv(struct x86_core *c, const struct x86_insn *i)
{
    enum x86_result r = store_state(c, i, false);

    if (!r)
        x87_set_control(c, c->s.fcw | X87_FLAGS, c->s.fsw);
    return r;
}

enum x86_result x86_exec_fldenv(struct x86_core *c, const struct x86_insn *i)
{
    return load_state(c, i, false);
}

enum x86_result x86_exec_fnsave(struct x86_core *c, const struct x86_insn *i)
{
    enum x86_result r = store_state(c, i, true);

    if (!r)
        x87_init(c);
    return r;
}

enum x86_result x86_exec_frstor(struct x86_core *c, const struct x86_insn *i)
{
    return load_state(c, i, true);
}
