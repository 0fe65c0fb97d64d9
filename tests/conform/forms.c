// SPDX-License-Identifier: BSD-3-Clause
#include "forms.h"

#include "isa/x86/feature.h"
#include "isa/x86/insn.h"
#include "native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REG_EAX, REG_EBX, REG_ECX, REG_EDX, REG_NONE };

static const struct {
    u32 leaf, subleaf, reg, bit;
} features[] = {
#define FEATURE(name, leaf, subleaf, reg, bit, level, text) {leaf, subleaf, REG_##reg, bit},
#include "isa/x86/feature.def"
#undef FEATURE
};

static const struct form_row rows[] = {
#define INSN(mnem, forms_, function, uop, recipe, needs, bits) \
    {.name = #mnem,                                            \
     .form_name = #forms_,                                     \
     .mnemonic = ZYDIS_MNEMONIC_##mnem,                        \
     .form = FORM_##forms_,                                    \
     .flags = (bits),                                          \
     .feature = X86_FEATURE_##needs},
#include "isa/x86/insn.def"
#undef INSN
};

bool forms_host_has(unsigned feature)
{
    u32 reg = features[feature].reg;

    if (reg == REG_NONE)
        return feature == X86_FEATURE_BASE;
    if (feature == X86_FEATURE_FSGSBASE && !native_any_base())
        return false; // the processor may have it, its kernel does not want it
    return native_cpuid_bit(features[feature].leaf, features[feature].subleaf, reg,
                            features[feature].bit);
}

static bool is_class(const ZydisDecodedOperand *o, ZydisRegisterClass class)
{
    return o->type == ZYDIS_OPERAND_TYPE_REGISTER && ZydisRegisterGetClass(o->reg.value) == class;
}

// The forms (enum x86_form) that a decoded instruction is of, as bits.
static u32 forms_of(const ZydisDecodedInstruction *i, const ZydisDecodedOperand *o)
{
    u32 bits = 1u << FORM_ANY;
    bool mem = false, vec = false, mmx = false;

    for (u32 n = 0; n < i->operand_count_visible; n++) {
        vec |= is_class(&o[n], ZYDIS_REGCLASS_XMM) || is_class(&o[n], ZYDIS_REGCLASS_YMM);
        mmx |= is_class(&o[n], ZYDIS_REGCLASS_MMX);
        mem |= o[n].type == ZYDIS_OPERAND_TYPE_MEMORY;
        bits |= is_class(&o[n], ZYDIS_REGCLASS_SEGMENT) ? 1u << FORM_SEG : 0;
        bits |= is_class(&o[n], ZYDIS_REGCLASS_CONTROL) ? 1u << FORM_CR : 0;
        bits |= is_class(&o[n], ZYDIS_REGCLASS_DEBUG) ? 1u << FORM_DR : 0;
        bits |=
            o[n].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && o[n].imm.is_relative ? 1u << FORM_REL : 0;
    }
    bits |= i->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR ? 1u << FORM_FAR : 0;
    if (vec)
        bits |= 1u << FORM_VECTOR;
    else if (mmx)
        bits |= 1u << FORM_MMX;
    else if (i->meta.category == ZYDIS_CATEGORY_STRINGOP)
        bits |= 1u << FORM_STRING;
    return bits | 1u << (mem ? FORM_MEM : FORM_REG);
}

struct form_row *forms_row(const struct forms *f, const ZydisDecodedInstruction *i,
                           const ZydisDecodedOperand *operands)
{
    struct form_row *best = NULL;
    u32 bits = 0;

    // Mnemonics of ours whose 256-bit forms are features of their own, which no level has.
    if (i->meta.isa_set == ZYDIS_ISA_SET_VAES || i->meta.isa_set == ZYDIS_ISA_SET_VPCLMULQDQ ||
        (i->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX && i->meta.isa_ext == ZYDIS_ISA_EXT_KNC))
        return NULL;
    for (u32 r = f->first_row[i->mnemonic]; r; r = f->rows[r - 1].next) {
        struct form_row *row = &f->rows[r - 1];

        bits = bits ? bits : forms_of(i, operands);
        // FORM_ANY is the last resort, else the first form that agrees.
        if (bits >> row->form & 1 &&
            (!best || best->form == FORM_ANY || (row->form != FORM_ANY && row->form < best->form)))
            best = row;
    }
    return best;
}

static u64 mix(u64 h, u64 v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 29);
}

u64 forms_signature(const ZydisDecodedInstruction *i, const ZydisDecodedOperand *operands)
{
    u64 h = mix(0, i->mnemonic);

    h = mix(h, i->encoding);
    h = mix(h, i->attributes &
                   (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE));
    h = mix(h, i->operand_width);
    for (u32 n = 0; n < i->operand_count_visible; n++) {
        const ZydisDecodedOperand *o = &operands[n];

        h = mix(h, (u64)o->type << 32 | (u64)o->size << 8 | (u64)o->encoding);
        if (o->type == ZYDIS_OPERAND_TYPE_REGISTER)
            h = mix(h, ZydisRegisterGetClass(o->reg.value));
    }
    return h;
}

static void describe(char *s, u32 size, const ZydisDecodedInstruction *i,
                     const ZydisDecodedOperand *operands)
{
    static const char *const kind[] = {"-", "r", "m", "ptr", "imm"};
    u32 len = 0;

    s[0] = 0;
    if (i->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX)
        len = (u32)snprintf(s, size, "vex ");
    if (i->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE))
        len = (u32)snprintf(s, size, "rep ");
    for (u32 n = 0; n < i->operand_count_visible && len + 12 < size; n++) {
        const ZydisDecodedOperand *o = &operands[n];
        const char *what = kind[o->type];

        if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
            ZydisRegisterClass class = ZydisRegisterGetClass(o->reg.value);

            what = class == ZYDIS_REGCLASS_XMM ? "x" : class == ZYDIS_REGCLASS_YMM ? "y" : what;
            what = class == ZYDIS_REGCLASS_MMX ? "mm" : class == ZYDIS_REGCLASS_X87 ? "st" : what;
            what = class == ZYDIS_REGCLASS_SEGMENT ? "sreg" : what;
        }
        len += (u32)snprintf(s + len, size - len, "%s%s%u", n ? " " : "", what, o->size);
    }
}

// --- enumeration

struct found { // one decodable encoding
    u64 signature;
    struct form_template t;
    u32 order;
};

struct search {
    struct forms *f;
    struct found *found; // owned
    u32 n, capacity;
    u8 mode;
};

// The bytes of a template with all free fields zero, plus room for displacement and immediates.
static u32 template_bytes(const struct form_template *t, u8 *b)
{
    u8 *at = b;

    if (t->flags & TEMPLATE_VEX) {
        u32 pp = t->flags & TEMPLATE_66   ? 1
                 : t->flags & TEMPLATE_F3 ? 2
                 : t->flags & TEMPLATE_F2 ? 3
                                          : 0;

        *at++ = 0xc4;
        *at++ = (u8)(0xe0 | t->map);
        *at++ =
            (u8)((t->flags & TEMPLATE_W ? 0x80 : 0) | 0x78 | (t->flags & TEMPLATE_L ? 4 : 0) | pp);
    } else {
        if (t->flags & TEMPLATE_67)
            *at++ = 0x67;
        if (t->flags & TEMPLATE_66)
            *at++ = 0x66;
        if (t->flags & TEMPLATE_F2)
            *at++ = 0xf2;
        if (t->flags & TEMPLATE_F3)
            *at++ = 0xf3;
        if (t->flags & TEMPLATE_W)
            *at++ = 0x48;
        if (t->map)
            *at++ = 0x0f;
        if (t->map >= 2)
            *at++ = t->map == 2 ? 0x38 : 0x3a;
    }
    *at++ = t->opcode;
    if (t->flags & TEMPLATE_MODRM)
        *at++ = t->modrm;
    memset(at, 0, 12);
    if ((t->modrm & 0xc7) == 4)
        *at = 0x10; // an index that is neither destination nor mask of a gather
    return (u32)(at - b) + 12;
}

// Decodes a template and notes it if a row is for it. Returns whether there is a ModRM byte.
static bool try_template(struct search *s, struct form_template t)
{
    ZydisDecodedInstruction i;
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    u8 bytes[40];
    u32 n = template_bytes(&t, bytes);

    // VEX operands in vvvv: 1111 means "none" where there is none, and register 0 otherwise.
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&s->f->decoder[s->mode], bytes, n, &i, o)))
        return true;
    if (!forms_row(s->f, &i, o))
        return i.attributes & ZYDIS_ATTRIB_HAS_MODRM;
    if (i.attributes & ZYDIS_ATTRIB_HAS_MODRM && !(t.flags & TEMPLATE_MODRM))
        return true;
    if (s->n == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 4096;
        s->found = realloc(s->found, s->capacity * sizeof(*s->found));
        if (!s->found)
            abort();
    }
    s->found[s->n] = (struct found){forms_signature(&i, o), t, s->n};
    s->n++;
    return i.attributes & ZYDIS_ATTRIB_HAS_MODRM;
}

static void try_opcode(struct search *s, u8 flags, u8 map, u8 opcode)
{
    struct form_template t = {.flags = flags, .map = map, .opcode = opcode};

    if (!try_template(s, t))
        return;
    t.flags |= TEMPLATE_MODRM;
    for (u32 reg = 0; reg < 8; reg++) {
        t.modrm = (u8)(reg << 3);
        try_template(s, t);
        if (flags & TEMPLATE_VEX) {
            t.modrm = (u8)(reg << 3 | 4); // VSIB
            try_template(s, t);
        }
        for (u32 rm = 0; rm < (flags & TEMPLATE_VEX ? 1 : 8); rm++) {
            t.modrm = (u8)(0xc0 | reg << 3 | rm);
            try_template(s, t);
        }
    }
}

// What is a prefix or another map, not an opcode.
static bool is_opcode(u8 mode, u8 map, u8 opcode)
{
    static const u8 prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
                                  0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x0f};

    if (map == 1)
        return opcode != 0x38 && opcode != 0x3a && opcode != 0x0f;
    if (map)
        return true;
    if (memchr(prefixes, opcode, sizeof(prefixes)) ||
        (mode == CASE_MODE64 &&
         ((opcode & 0xf0) == 0x40 || opcode == 0xc4 || opcode == 0xc5 || opcode == 0x62)))
        return false;
    return true;
}

static void search_mode(struct search *s)
{
    static const u8 prefixes[] = {0,
                                  TEMPLATE_66,
                                  TEMPLATE_F2,
                                  TEMPLATE_F3,
                                  TEMPLATE_66 | TEMPLATE_F2,
                                  TEMPLATE_66 | TEMPLATE_F3};

    for (u32 map = 0; map < 4; map++)
        for (u32 opcode = 0; opcode < 256; opcode++) {
            if (map == 0 && opcode == 0xe3)
                try_opcode(s, TEMPLATE_67, 0, 0xe3);
            for (u32 p = 0; p < ARRAY_SIZE(prefixes); p++)
                for (u32 w = 0; w < (s->mode == CASE_MODE64 ? 2 : 1); w++)
                    if (is_opcode(s->mode, (u8)map, (u8)opcode))
                        try_opcode(s, (u8)(prefixes[p] | (w ? TEMPLATE_W : 0)), (u8)map,
                                   (u8)opcode);
            for (u32 v = 0; map && v < 16; v++)
                try_opcode(s,
                           (u8)(TEMPLATE_VEX | prefixes[v & 3] | (v & 4 ? TEMPLATE_L : 0) |
                                (v & 8 ? TEMPLATE_W : 0)),
                           (u8)map, (u8)opcode);
        }
}

static int by_signature(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    if (x->signature != y->signature)
        return x->signature < y->signature ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static int by_row(const void *a, const void *b)
{
    const struct form *x = a, *y = b;

    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return x->signature < y->signature ? -1 : x->signature > y->signature;
}

static u8 class_of(const ZydisDecodedInstruction *i, const ZydisDecodedOperand *o)
{
    if (i->meta.isa_ext == ZYDIS_ISA_EXT_X87 || i->meta.isa_ext == ZYDIS_ISA_EXT_MMX)
        return FORM_X87;
    for (u32 n = 0; n < i->operand_count_visible; n++) {
        if (is_class(&o[n], ZYDIS_REGCLASS_MMX))
            return FORM_X87;
        if (is_class(&o[n], ZYDIS_REGCLASS_XMM) || is_class(&o[n], ZYDIS_REGCLASS_YMM))
            return FORM_VECTORS;
    }
    return FORM_INTEGER;
}

// Appends the forms of one mode.
static void collect(struct forms *f, struct search *s)
{
    qsort(s->found, s->n, sizeof(*s->found), by_signature);
    f->templates = realloc(f->templates, (f->n_templates + s->n) * sizeof(*f->templates));
    f->form = realloc(f->form, (f->n_forms + s->n) * sizeof(*f->form));
    if (s->n && (!f->templates || !f->form))
        abort();
    for (u32 k = 0; k < s->n; k++) {
        struct form *form = &f->form[f->n_forms - 1];

        if (k == 0 || s->found[k].signature != s->found[k - 1].signature) {
            ZydisDecodedInstruction i;
            ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
            u8 bytes[40];
            u32 n = template_bytes(&s->found[k].t, bytes);

            ZydisDecoderDecodeFull(&f->decoder[s->mode], bytes, n, &i, o);
            form = &f->form[f->n_forms++];
            *form = (struct form){.row = forms_row(f, &i, o),
                                  .signature = s->found[k].signature,
                                  .template_at = f->n_templates,
                                  .mode = s->mode,
                                  .class = class_of(&i, o)};
            form->row->forms++;
            describe(form->operands, sizeof(form->operands), &i, o);
        }
        f->templates[f->n_templates++] = s->found[k].t;
        form->template_count++;
    }
}

bool forms_init(struct forms *f, u32 modes, struct error *err)
{
    static const ZydisMachineMode machine[CASE_MODES] = {
        ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_MACHINE_MODE_LONG_64};
    static const ZydisStackWidth stack[CASE_MODES] = {ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32,
                                                      ZYDIS_STACK_WIDTH_64};

    *f = (struct forms){.n_rows = ARRAY_SIZE(rows)};
    f->rows = malloc(sizeof(rows));
    if (!f->rows)
        return error_set(err, ERROR_RESOURCE, "no memory");
    memcpy(f->rows, rows, sizeof(rows));
    for (u32 r = 0; r < f->n_rows; r++) {
        f->rows[r].host_has = forms_host_has(f->rows[r].feature);
        f->rows[r].next = f->first_row[rows[r].mnemonic];
        f->first_row[rows[r].mnemonic] = (u16)(r + 1);
    }
    for (u32 m = 0; m < CASE_MODES; m++) {
        struct search s = {.f = f, .mode = (u8)m};

        ZydisDecoderInit(&f->decoder[m], machine[m], stack[m]);
        f->first[m] = f->n_forms;
        if (!(modes >> m & 1))
            continue;
        search_mode(&s);
        collect(f, &s);
        free(s.found);
        qsort(f->form + f->first[m], f->n_forms - f->first[m], sizeof(*f->form), by_row);
    }
    f->first[CASE_MODES] = f->n_forms;
    return true;
}

void forms_release(struct forms *f)
{
    free(f->rows);
    free(f->form);
    free(f->templates);
    *f = (struct forms){0};
}
