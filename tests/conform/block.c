// SPDX-License-Identifier: BSD-3-Clause
#include "block.h"

#include "compare.h"
#include "gen.h"
#include "isa/x86/insn.h"
#include "isa/x86/state.h"

#include <string.h>

struct builder {
    const struct forms *f;
    struct rng *r;
    struct block_program *p;
    struct encode_limits limits;
    u32 undefined; // flags that are, behind what there is
    u32 weights[FORM_CLASSES];
    u8 mode;
    u8 counter; // GPR of the loop
    bool strings, smc, looped;
};

static struct block_item *add(struct builder *b)
{
    struct block_item *it = &b->p->item[b->p->n++];

    memset(it, 0, sizeof(*it));
    return it;
}

static void put(struct block_item *it, const void *bytes, u32 n)
{
    memcpy(it->bytes + it->len, bytes, n);
    it->len = (u8)(it->len + n);
}

static void put_byte(struct block_item *it, u32 byte)
{
    it->bytes[it->len++] = (u8)byte;
}

// --- plain instructions

static bool writes_flags_always(const ZydisDecodedInstruction *i)
{
    switch (i->mnemonic) { // counts may be zero
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR:
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR:
    case ZYDIS_MNEMONIC_RCL:
    case ZYDIS_MNEMONIC_RCR:
    case ZYDIS_MNEMONIC_SHLD:
    case ZYDIS_MNEMONIC_SHRD:
        return false;
    default:
        return !(i->attributes &
                 (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE));
    }
}

static void note_flags(struct block_item *it, const ZydisDecodedInstruction *i)
{
    u32 written;

    if (!i->cpu_flags)
        return;
    written = i->cpu_flags->modified | i->cpu_flags->set_0 | i->cpu_flags->set_1;
    it->flags_read = i->cpu_flags->tested & X86_ARITH_FLAGS;
    it->flags_undefined = i->cpu_flags->undefined & X86_ARITH_FLAGS;
    if (writes_flags_always(i))
        it->flags_defined = written & ~i->cpu_flags->undefined & X86_ARITH_FLAGS;
    else
        it->flags_undefined |= X86_OF | X86_AF | (written & X86_CF);
    if (i->mnemonic == ZYDIS_MNEMONIC_PUSHF || i->mnemonic == ZYDIS_MNEMONIC_PUSHFD ||
        i->mnemonic == ZYDIS_MNEMONIC_PUSHFQ)
        it->flags_read = X86_ARITH_FLAGS;
}

static bool is_refused(const struct builder *b, const ZydisDecodedInstruction *i)
{
    switch (i->meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSTEM:
    case ZYDIS_CATEGORY_XSAVE:
    case ZYDIS_CATEGORY_XSAVEOPT:
    case ZYDIS_CATEGORY_SEGOP:
    case ZYDIS_CATEGORY_UFMA:
        return true;
    case ZYDIS_CATEGORY_STRINGOP:
        return !b->strings;
    default:
        break;
    }
    switch (i->mnemonic) {
    case ZYDIS_MNEMONIC_DIV: // mostly the end
    case ZYDIS_MNEMONIC_IDIV:
    case ZYDIS_MNEMONIC_AAM:
        return !chance(b->r, 20);
    case ZYDIS_MNEMONIC_POPF: // TF, AC
    case ZYDIS_MNEMONIC_POPFD:
    case ZYDIS_MNEMONIC_POPFQ:
    case ZYDIS_MNEMONIC_LDMXCSR:
    case ZYDIS_MNEMONIC_VLDMXCSR:
    case ZYDIS_MNEMONIC_FLDCW:
    case ZYDIS_MNEMONIC_FLDENV:
    case ZYDIS_MNEMONIC_FRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_BOUND:
    case ZYDIS_MNEMONIC_FBLD: // digits that are none
    case ZYDIS_MNEMONIC_SHLD: // counts that are too large
    case ZYDIS_MNEMONIC_SHRD:
    case ZYDIS_MNEMONIC_F2XM1: // compared within an error
    case ZYDIS_MNEMONIC_FCOS:
    case ZYDIS_MNEMONIC_FPATAN:
    case ZYDIS_MNEMONIC_FPTAN:
    case ZYDIS_MNEMONIC_FSIN:
    case ZYDIS_MNEMONIC_FSINCOS:
    case ZYDIS_MNEMONIC_FYL2X:
    case ZYDIS_MNEMONIC_FYL2XP1:
    case ZYDIS_MNEMONIC_RCPPS:
    case ZYDIS_MNEMONIC_RCPSS:
    case ZYDIS_MNEMONIC_RSQRTPS:
    case ZYDIS_MNEMONIC_RSQRTSS:
    case ZYDIS_MNEMONIC_VRCPPS:
    case ZYDIS_MNEMONIC_VRCPSS:
    case ZYDIS_MNEMONIC_VRSQRTPS:
    case ZYDIS_MNEMONIC_VRSQRTSS:
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
        return true;
    default:
        return false;
    }
}

// Whether an operand keeps to the rules: memory through the bases only, no segment registers.
static bool operand_is_good(const struct builder *b, const struct instance *in, u32 n)
{
    const ZydisDecodedOperand *o = &in->o[n];
    ZydisRegisterClass class;

    if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
        class = ZydisRegisterGetClass(o->reg.value);
        return class != ZYDIS_REGCLASS_SEGMENT || n >= in->i.operand_count_visible;
    }
    if (o->type != ZYDIS_OPERAND_TYPE_MEMORY)
        return true;
    if (n >= in->i.operand_count_visible) // the stack, and strings
        return in->i.meta.category == ZYDIS_CATEGORY_STRINGOP ||
               in->i.meta.category == ZYDIS_CATEGORY_PUSH ||
               in->i.meta.category == ZYDIS_CATEGORY_POP;
    if (o->mem.type == ZYDIS_MEMOP_TYPE_VSIB || o->size > 512)
        return false;
    if (o->encoding != ZYDIS_OPERAND_ENCODING_MODRM_RM)
        return in->i.meta.category == ZYDIS_CATEGORY_STRINGOP;
    if (n == 0 && in->i.operand_count_visible > 1 && in->o[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
        in->i.meta.category == ZYDIS_CATEGORY_BITBYTE && o->size >= 16)
        return false; // bit offsets reach far
    return true;
}

// Displacements that keep what must be aligned so.
static void align_displacement(struct instance *in)
{
    u32 size = in->i.raw.disp.size / 8, at = in->i.raw.disp.offset;

    if (size)
        in->bytes[at] &= (u8)~31u;
}

static const struct form *pick_form(const struct builder *b)
{
    u32 x = (u32)rng_below(b->r, 100), class = 0;

    while (class + 1 < FORM_CLASSES && x >= b->weights[class]) {
        x -= b->weights[class];
        class ++;
    }
    for (u32 tries = 0; tries < 1000; tries++) {
        u32 first = b->f->first[b->mode], n = b->f->first[b->mode + 1] - first;
        const struct form *form = &b->f->form[first + rng_below(b->r, n)];

        if (form->class == class && !(form->row->flags & (INSN_SYSTEM | INSN_NOTEST)) &&
            form->row->host_has)
            return form;
    }
    return NULL;
}

static bool try_plain(struct builder *b, struct instance *in)
{
    const struct form *form = pick_form(b);
    struct encode_limits limits = b->limits;

    if (!form)
        return false;
    // Counts of the strings are used up, pointers move.
    if (form->row->form == FORM_STRING)
        limits.written &= (u16) ~(1u << X86_RSI | 1u << X86_RDI | 1u << X86_RCX);
    else if (b->limits.written)
        limits.written |= 1u << X86_RSP;
    if (!encode_random(b->f, form, &limits, b->r, in) || is_refused(b, &in->i) ||
        vendor_avoids(&in->i, in->o))
        return false;
    for (u32 n = 0; n < in->i.operand_count; n++)
        if (!operand_is_good(b, in, n))
            return false;
    if (form->row->flags & INSN_ALIGNED)
        align_displacement(in);
    return in->i.meta.category != ZYDIS_CATEGORY_STRINGOP || in->i.address_width >= 32;
}

// Compares two registers: all flags are defined behind it.
static void define_flags(struct builder *b)
{
    struct block_item *it = add(b);

    put_byte(it, 0x39);
    put_byte(it, 0xc0 | (rng_next(b->r) & 0x3f));
    it->flags_defined = X86_ARITH_FLAGS;
    b->undefined = 0;
}

static void add_item(struct builder *b, const struct block_item *it)
{
    if (it->flags_read & b->undefined)
        define_flags(b);
    *add(b) = *it;
    b->undefined = (b->undefined & ~it->flags_defined) | it->flags_undefined;
}

static void add_plain(struct builder *b)
{
    struct block_item it = {0};
    struct instance in;

    for (u32 tries = 0; tries < 100; tries++) {
        // PUSH and POP write RSP, which else nobody may.
        if (!try_plain(b, &in))
            continue;
        put(&it, in.bytes, in.len);
        note_flags(&it, &in.i);
        add_item(b, &it);
        return;
    }
}

static void add_stack(struct builder *b)
{
    struct block_item it = {0};
    u32 reg = (u32)rng_below(b->r, 8), pop = (u32)rng_below(b->r, 2);

    if (pop && (b->limits.written | 1u << X86_RSP) >> reg & 1)
        pop = 0;
    if (chance(b->r, 200))
        put_byte(&it, 0x66);
    put_byte(&it, (pop ? 0x58 : 0x50) + reg);
    add_item(b, &it);
}

// --- transfers

// Some item behind the next one; made good when all are known.
static u8 ahead(struct builder *b)
{
    return (u8)MIN(b->p->n + 1 + rng_below(b->r, 6), 255u);
}

static void add_branch(struct builder *b)
{
    struct block_item it = {0};
    u32 x = (u32)rng_below(b->r, 100), cc = (u32)rng_below(b->r, 16);

    if (b->undefined)
        define_flags(b);
    it.flags_read = X86_ARITH_FLAGS;
    it.link = LINK_REL32;
    if (x < 40) {
        put_byte(&it, 0x70 | cc);
        it.link = LINK_REL8;
    } else if (x < 60) {
        put_byte(&it, 0x0f);
        put_byte(&it, 0x80 | cc);
    } else if (x < 70) {
        put_byte(&it, 0xe3);
        it.link = LINK_REL8;
    } else if (x < 80) {
        put_byte(&it, 0xe8);
    } else if (x < 90) { // push imm32; ret
        put_byte(&it, 0x68);
        it.link = LINK_ABS32;
    } else {
        put_byte(&it, 0xe9);
    }
    it.link_at = it.len;
    it.len = (u8)(it.len + (it.link == LINK_REL8 ? 1 : 4));
    it.link_end = it.len;
    if (it.link == LINK_ABS32)
        put_byte(&it, 0xc3);
    add_item(b, &it);
    b->p->item[b->p->n - 1].target = ahead(b);
}

// dec counter; jnz back.
static void add_loop(struct builder *b)
{
    struct block_item it = {0};
    u32 back = (u32)MIN(b->p->n, 1 + rng_below(b->r, 8));

    if (b->undefined)
        define_flags(b);
    if (b->mode == CASE_MODE64)
        put_byte(&it, 0x48 | (b->counter >= 8));
    put_byte(&it, 0xff);
    put_byte(&it, 0xc8 | (b->counter & 7));
    put_byte(&it, 0x0f);
    put_byte(&it, 0x85);
    it.link = LINK_REL32;
    it.link_at = it.len;
    it.len = it.link_end = (u8)(it.len + 4);
    it.flags_read = X86_CF; // DEC leaves it
    it.flags_defined = X86_ARITH_FLAGS & ~X86_CF;
    add_item(b, &it);
    b->p->item[b->p->n - 1].target = (u8)(b->p->n - 1 - back);
    b->looped = true;
}

// mov r32, imm32, whose immediate some store changes.
static void add_changed(struct builder *b)
{
    struct block_item it = {0};
    u64 imm = value_int(b->r);
    u32 reg = 0;

    while ((b->limits.written | 1u << X86_RSP) >> reg & 1)
        reg++;
    put_byte(&it, 0xb8 | reg);
    put(&it, &imm, 4);
    add_item(b, &it);
}

// Stores into the code: an immediate, or NOPs over a whole instruction.
static void add_code_store(struct builder *b)
{
    static const u8 sizes[] = {1, 2, 4};
    struct block_item it = {0}, *t;
    u32 size = sizes[rng_below(b->r, 3)], back = (u32)rng_below(b->r, 6);
    u32 target = chance(b->r, 600) ? b->p->n + 1 : b->p->n > back ? b->p->n - back : 0;
    u64 imm = value_int(b->r);

    if (size == 2)
        put_byte(&it, 0x66);
    put_byte(&it, size == 1 ? 0xc6 : 0xc7);
    put_byte(&it, 0x05); // absolute, or relative to rip
    it.link = b->mode == CASE_MODE64 ? LINK_REL32 : LINK_ABS32;
    it.link_at = it.len;
    it.len = (u8)(it.len + 4);
    put(&it, &imm, size);
    it.link_end = it.len;
    if (target > b->p->n) { // the next one is made for it
        add_item(b, &it);
        t = &b->p->item[b->p->n - 1];
        t->target = (u8)b->p->n;
        t->target_at = (u8)between(b->r, 1, 5 - size);
        add_changed(b);
        return;
    }
    for (u32 n = target; n < b->p->n; n++)
        if (b->p->item[n].bytes[0] >> 3 == 0xb8 >> 3 && b->p->item[n].len == 5) {
            it.target = (u8)n;
            it.target_at = (u8)between(b->r, 1, 5 - size);
            add_item(b, &it);
            return;
        }
}

// --- the program

static u8 take_register(struct builder *b, u32 *taken)
{
    u32 n = b->mode == CASE_MODE64 ? 16 : 8, reg;

    do
        reg = (u32)rng_below(b->r, n);
    while (*taken >> reg & 1);
    *taken |= 1u << reg;
    return (u8)reg;
}

// Pointers, an index and a counter live in registers that nothing else writes.
static void set_up(struct builder *b)
{
    struct case_state *in = &b->p->base.in;
    u32 taken = 1u << X86_RSP | 1u << X86_RAX | 1u << X86_RCX;
    u8 index;

    if (b->strings)
        taken |= 1u << X86_RSI | 1u << X86_RDI;
    for (u32 n = b->strings && b->mode != CASE_MODE64; n < 2; n++) {
        u8 base = take_register(b, &taken);

        b->limits.bases |= (u16)(1u << base);
        in->gpr[base] = CASE_DATA + CASE_PAGE + (between(b->r, 1024, 7000) & ~63ull);
    }
    index = take_register(b, &taken);
    b->limits.indices = (u16)(1u << index);
    in->gpr[index] = 32 * rng_below(b->r, 4);
    b->counter = take_register(b, &taken);
    in->gpr[b->counter] = between(b->r, 1, 5);
    b->limits.written = (u16)(b->limits.bases | b->limits.indices | 1u << b->counter);
    b->limits.plain = true;
    if (b->strings) {
        b->limits.written |= 1u << X86_RSI | 1u << X86_RDI | 1u << X86_RCX;
        in->gpr[X86_RSI] = CASE_DATA + 2 * CASE_PAGE + between(b->r, 0, 64);
        in->gpr[X86_RDI] = CASE_DATA + 2 * CASE_PAGE + between(b->r, 0, 2048) - 1024;
        in->gpr[X86_RCX] = rng_below(b->r, 20);
    }
    in->gpr[X86_RSP] = CASE_DATA + 5 * CASE_PAGE + 2048;
    in->rflags &= ~(u64)(X86_TF | X86_AC);
    if (chance(b->r, 950)) {
        in->x.mxcsr |= 0x1f80;
        in->x.fcw |= 0x3f;
        in->x.fsw &= 0x7f7f;
        in->x.fsw &= (u16)~0x8000u;
    }
    if (chance(b->r, 700)) // else most x87 instructions find the stack full or empty
        in->x.ftw = 0x0f;
}

static void set_weights(struct builder *b)
{
    static const u8 mixes[][FORM_CLASSES] = {{100, 0, 0}, {100, 0, 0}, {60, 30, 10},
                                             {30, 70, 0}, {30, 0, 70}, {40, 40, 20}};
    const u8 *mix = mixes[rng_below(b->r, ARRAY_SIZE(mixes))];

    for (u32 n = 0; n < FORM_CLASSES; n++)
        b->weights[n] = mix[n];
}

static void add_some(struct builder *b, u32 length)
{
    u32 x = (u32)rng_below(b->r, 100);

    if (b->smc && x < 12)
        add_code_store(b);
    else if (b->smc && x < 16)
        add_changed(b);
    else if (x < 26)
        add_branch(b);
    else if (x < 32)
        add_stack(b);
    else if (!b->looped && b->p->n > length / 2 && x < 50)
        add_loop(b);
    else
        add_plain(b);
}

bool block_generate(const struct forms *f, u8 mode, bool smc, u64 seed, struct block_program *ret)
{
    struct rng r = {seed};
    struct builder b = {.f = f, .r = &r, .p = ret, .mode = mode, .smc = smc};
    struct conform_case *c = &ret->base;
    u32 length = (u32)between(&r, 10, 50);

    memset(ret, 0, sizeof(*ret));
    b.strings = chance(&r, 300);
    c->seed = seed;
    c->mode = mode;
    c->kind = smc ? CASE_KIND_SMC : CASE_KIND_BLOCK;
    c->code_at = (smc ? CASE_SMC : CASE_CODE) + (u32)between(&r, 0, CASE_PAGE);
    gen_state(&r, mode, &c->in);
    c->in.rip = c->code_at;
    set_weights(&b);
    set_up(&b);
    while (ret->n < length)
        add_some(&b, length);
    for (u32 n = 0; n < ret->n; n++)
        ret->item[n].target = (u8)MIN(ret->item[n].target, ret->n);
    return true;
}

void block_remove(struct block_program *p, u32 n)
{
    memmove(&p->item[n], &p->item[n + 1], (p->n - n - 1) * sizeof(p->item[0]));
    p->n--;
    for (u32 k = 0; k < p->n; k++)
        if (p->item[k].target > n)
            p->item[k].target--;
}

static bool flags_are_defined(const struct block_program *p, struct conform_case *c)
{
    u32 undefined = 0;

    c->undefined_flags = c->undefined_at_fault = 0;
    for (u32 n = 0; n < p->n; n++) {
        const struct block_item *it = &p->item[n];

        if (it->flags_read & undefined)
            return false;
        undefined = (undefined & ~it->flags_defined) | it->flags_undefined;
        c->undefined_at_fault |= it->flags_undefined;
    }
    c->undefined_flags = undefined;
    return true;
}

static bool put_link(const struct block_item *it, u32 at, u32 to, u8 *code)
{
    i64 distance = (i64)to - (i64)(at + it->link_end);

    switch (it->link) {
    case LINK_REL8:
        if (distance != (i8)distance)
            return false;
        code[it->link_at] = (u8)distance;
        return true;
    case LINK_REL32:
        memcpy(code + it->link_at, &distance, 4);
        return true;
    case LINK_ABS32:
        memcpy(code + it->link_at, &to, 4);
        return true;
    default:
        return true;
    }
}

bool block_assemble(const struct block_program *p, struct conform_case *ret)
{
    u32 at[BLOCK_ITEMS + 1], len = 0;

    *ret = p->base;
    for (u32 n = 0; n < p->n; n++) {
        at[n] = ret->code_at + len;
        if (len + p->item[n].len + 16 > CASE_CODE_MAX)
            return false;
        memcpy(ret->code + len, p->item[n].bytes, p->item[n].len);
        len += p->item[n].len;
    }
    at[p->n] = ret->code_at + len;
    for (u32 n = 0; n < p->n; n++) {
        const struct block_item *it = &p->item[n];

        if (it->target_at && it->target >= p->n)
            return false; // a store into what was taken out
        if (!put_link(it, at[n], at[it->target] + it->target_at, ret->code + (at[n] - at[0])))
            return false;
    }
    ret->code_len = len;
    ret->n_insts = (u8)MAX(p->n, 2u);
    gen_finish(ret);
    return flags_are_defined(p, ret);
}
