// SPDX-License-Identifier: BSD-3-Clause
#include "encode.h"

#include "isa/x86/insn.h"

#include <string.h>

struct draft {
    const struct form_template *t;
    const struct encode_limits *l;
    struct rng *r;
    u8 mode;
    bool lockable;
    u8 rex; // R, X, B
    u8 prefix[6];
    u32 n_prefix;
    u8 tail[6]; // ModRM, SIB, displacement
    u32 n_tail;
    bool addr16;
};

static void add_prefix(struct draft *d, u8 byte)
{
    // At a random place among the others; F2 and F3 in the order given.
    u32 at = (u32)rng_below(d->r, d->n_prefix + 1);

    memmove(d->prefix + at + 1, d->prefix + at, d->n_prefix - at);
    d->prefix[at] = byte;
    d->n_prefix++;
}

static void choose_prefixes(struct draft *d)
{
    static const u8 segments[] = {0x64, 0x65, 0x64, 0x65, 0x2e, 0x36, 0x3e, 0x26};
    const struct form_template *t = d->t;
    bool mem = t->flags & TEMPLATE_MODRM && t->modrm < 0xc0;
    bool vex = t->flags & TEMPLATE_VEX;
    bool narrow = t->flags & TEMPLATE_67;

    if (!vex && t->flags & TEMPLATE_66)
        add_prefix(d, 0x66);
    if (!vex && t->flags & TEMPLATE_F2)
        add_prefix(d, 0xf2);
    if (!vex && t->flags & TEMPLATE_F3)
        add_prefix(d, 0xf3);
    if (!d->l->plain && !narrow && chance(d->r, 60))
        narrow = true;
    if (narrow)
        add_prefix(d, 0x67);
    d->addr16 = (d->mode == CASE_MODE16) != (narrow && d->mode != CASE_MODE64);
    if (!d->l->plain && chance(d->r, 80))
        add_prefix(d, segments[rng_below(d->r, 8)]);
    if (mem && d->lockable && chance(d->r, 250))
        add_prefix(d, 0xf0);
}

static u32 pick_bit(struct rng *r, u32 set)
{
    u32 n = (u32)rng_below(r, (u32)__builtin_popcount(set));

    while (n--)
        set &= set - 1;
    return (u32)__builtin_ctz(set);
}

static void put_disp(struct draft *d, u32 mod, u32 size)
{
    u64 v = value_int(d->r);

    if (mod == 1)
        size = 1;
    else if (d->l->bases)
        v = (u64)((i64)between(d->r, 0, 512) - 256);
    memcpy(d->tail + d->n_tail, &v, size);
    d->n_tail += size;
}

// A memory operand with a base that the limits allow, and perhaps an index.
static void choose_limited_memory(struct draft *d, u32 reg)
{
    u32 base = pick_bit(d->r, d->l->bases), index = 4, mod = (u32)between(d->r, 1, 2);
    u32 scale = 0;

    if (d->l->indices && chance(d->r, 250)) {
        index = pick_bit(d->r, d->l->indices);
        scale = (u32)rng_below(d->r, 4);
    }
    if (index == 4 && (base & 7) != 4) {
        d->tail[d->n_tail++] = (u8)(mod << 6 | reg << 3 | (base & 7));
    } else {
        d->tail[d->n_tail++] = (u8)(mod << 6 | reg << 3 | 4);
        d->tail[d->n_tail++] = (u8)(scale << 6 | (index & 7) << 3 | (base & 7));
    }
    d->rex = (u8)((d->rex & 4) | (index >= 8 ? 2 : 0) | (base >= 8 ? 1 : 0));
    put_disp(d, mod, 4);
}

static void choose_memory(struct draft *d, u32 reg)
{
    u32 mod = (u32)rng_below(d->r, 3), rm = (u32)rng_below(d->r, 8);

    if ((d->t->modrm & 7) == 4) // VSIB
        rm = 4;

    if (d->l->bases) {
        choose_limited_memory(d, reg);
        return;
    }
    d->tail[d->n_tail++] = (u8)(mod << 6 | reg << 3 | rm);
    if (d->addr16) {
        if (mod || rm == 6)
            put_disp(d, mod, 2);
        return;
    }
    if (rm == 4) {
        u32 sib = (u32)rng_next(d->r) & 0xff;

        d->tail[d->n_tail++] = (u8)sib;
        if (mod == 0 && (sib & 7) == 5)
            mod = 2;
    }
    if (mod == 0 && rm == 5)
        mod = 2;
    if (mod)
        put_disp(d, mod, 4);
}

static void choose_tail(struct draft *d)
{
    if (d->mode == CASE_MODE64 && !chance(d->r, 400))
        d->rex = (u8)(rng_next(d->r) & 7);
    if (!(d->t->flags & TEMPLATE_MODRM))
        return;
    if (d->t->modrm >= 0xc0) // templates with VEX have register 0 only
        d->tail[d->n_tail++] =
            (u8)(d->t->modrm | (d->t->flags & TEMPLATE_VEX ? rng_next(d->r) & 7 : 0));
    else
        choose_memory(d, d->t->modrm >> 3 & 7);
}

static u32 put_vex(struct draft *d, u8 *b, bool no_source)
{
    const struct form_template *t = d->t;
    u32 pp = t->flags & TEMPLATE_66   ? 1
             : t->flags & TEMPLATE_F3 ? 2
             : t->flags & TEMPLATE_F2 ? 3
                                      : 0;
    u32 v = no_source ? 0xf : (u32)rng_next(d->r) & 0xf;
    u32 inverted = ~(u32)d->rex & 7;

    if (d->mode != CASE_MODE64) {
        v |= 8;
        inverted = 7;
    }
    if (t->map == 1 && !(t->flags & TEMPLATE_W) && (inverted & 3) == 3 && chance(d->r, 600)) {
        b[0] = 0xc5;
        b[1] = (u8)((inverted & 4) << 5 | v << 3 | (t->flags & TEMPLATE_L ? 4 : 0) | pp);
        return 2;
    }
    b[0] = 0xc4;
    b[1] = (u8)(inverted << 5 | t->map);
    b[2] = (u8)((t->flags & TEMPLATE_W ? 0x80 : 0) | v << 3 | (t->flags & TEMPLATE_L ? 4 : 0) | pp);
    return 3;
}

static u32 put_legacy(struct draft *d, u8 *b)
{
    const struct form_template *t = d->t;
    u32 rex = d->rex | (t->flags & TEMPLATE_W ? 8u : 0), n = 0;

    if (d->mode == CASE_MODE64 && (rex || chance(d->r, 100)))
        b[n++] = (u8)(0x40 | rex);
    if (t->map)
        b[n++] = 0x0f;
    if (t->map >= 2)
        b[n++] = t->map == 2 ? 0x38 : 0x3a;
    return n;
}

static void assemble(struct draft *d, struct instance *ret)
{
    u8 *b = ret->bytes;
    u32 n = d->n_prefix;
    u64 imm = value_int(d->r);

    memcpy(b, d->prefix, n);
    if (d->t->flags & TEMPLATE_VEX)
        n += put_vex(d, b + n, chance(d->r, 200));
    else
        n += put_legacy(d, b + n);
    b[n++] = d->t->opcode;
    memcpy(b + n, d->tail, d->n_tail);
    n += d->n_tail;
    if (d->t->map == 1 && d->t->opcode >= 0x70 && d->t->opcode <= 0x73)
        imm = chance(d->r, 500) ? rng_below(d->r, 70) : imm; // vector shifts
    memcpy(b + n, &imm, MIN(sizeof(imm), sizeof(ret->bytes) - n));
    if (n + 8 < sizeof(ret->bytes))
        memset(b + n + 8, 0x90, sizeof(ret->bytes) - n - 8);
}

bool encode_decode(const struct forms *f, u8 mode, struct instance *ret)
{
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&f->decoder[mode], ret->bytes, 15, &ret->i, ret->o)))
        return false;
    ret->len = ret->i.length;
    // Zydis 4.0 takes no base for R13D here.
    for (u32 n = 0; n < ret->i.operand_count; n++)
        if (ret->o[n].type == ZYDIS_OPERAND_TYPE_MEMORY && ret->i.raw.sib.offset &&
            ret->i.raw.modrm.mod == 0 && ret->i.raw.sib.base == 5 &&
            ret->o[n].mem.base == ZYDIS_REGISTER_R13D) {
            ret->o[n].mem.base = ZYDIS_REGISTER_NONE;
            ret->o[n].mem.disp.has_displacement = ZYAN_TRUE;
            ret->o[n].mem.disp.value = ret->i.raw.disp.value;
        }
    return true;
}

static u16 gprs_written(const struct instance *in)
{
    u16 set = 0;

    for (u32 n = 0; n < in->i.operand_count; n++) {
        const ZydisDecodedOperand *o = &in->o[n];
        ZydisRegister full;

        if (o->type != ZYDIS_OPERAND_TYPE_REGISTER ||
            !(o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            continue;
        full = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, o->reg.value);
        if (full >= ZYDIS_REGISTER_RAX && full <= ZYDIS_REGISTER_R15)
            set |= (u16)(1u << (full - ZYDIS_REGISTER_RAX));
    }
    return set;
}

bool encode_random(const struct forms *f, const struct form *form, const struct encode_limits *l,
                   struct rng *r, struct instance *ret)
{
    for (u32 tries = 0; tries < 60; tries++) {
        const struct form_template *t =
            &f->templates[form->template_at + rng_below(r, form->template_count)];
        struct draft d = {.t = t,
                          .l = l,
                          .r = r,
                          .mode = form->mode,
                          .lockable = form->row->flags & INSN_LOCKABLE};

        choose_prefixes(&d);
        choose_tail(&d);
        assemble(&d, ret);
        if (!encode_decode(f, form->mode, ret))
            continue;
        if (forms_signature(&ret->i, ret->o) != form->signature)
            continue;
        if (l->written && gprs_written(ret) & l->written)
            continue;
        return true;
    }
    return false;
}
