// SPDX-License-Identifier: BSD-3-Clause
// Re-encodes a guest vector instruction with fixed host registers, between loads of its sources
// from struct x86_core and stores of its results (encodings: SDM vol. 2A §2.1 to 2.3). Zydis says
// which operands it has, and whether a legacy SSE instruction has a VEX form.
//
// Host registers: rdi the core, rsi the op, rdx the memory operand; ModRM.reg is eax, xmm1 or mm1,
// ModRM.rm ecx, xmm2 or mm2, VEX.vvvv xmm3, the is4 register xmm4; implicit ones are themselves.
#include "isa/x86/stub_code.h"

#include "base/bug.h"

#include <Zydis/Zydis.h>
#include <string.h>

enum slot_name { REG, RM, VVVV, IS4, XMM0, EAX, EDX, ECX, SLOTS };
enum slot_kind { UNUSED, GPR, XMM, YMM, MMX };

struct slot {
    u8 kind; // enum slot_kind
    u8 guest, host;
    bool read, write;
    bool shared; // another operand uses its host register
    bool loaded; // host holds the value already, or the instruction reads it from struct x86_core
};

// An instruction in the parts that its encodings share.
struct form {
    bool vex, vex_guest; // as encoded for the host; in the guest
    u8 prefix, map, opcode, w, l;
    u8 vvvv;  // host register
    u8 digit; // ModRM.reg where it extends the opcode
    bool mem, flags, mmx, vector, imm_used;
    u8 imm;
    u32 mem_bytes;
    bool mem_read;
    bool rm_in_core; // ModRM.rm is the register's place in struct x86_core
    struct slot slot[SLOTS];
};

static const u8 host_register[] = {
    [REG] = 1, [RM] = 2, [VVVV] = 3, [IS4] = 4, [XMM0] = 0, [EAX] = 0, [EDX] = 2, [ECX] = 1};

enum { NO_VVVV = 0 }; // encoded as 1111b

static enum slot_kind kind_of(ZydisRegister r)
{
    switch (ZydisRegisterGetClass(r)) {
    case ZYDIS_REGCLASS_XMM:
        return XMM;
    case ZYDIS_REGCLASS_YMM:
        return YMM;
    case ZYDIS_REGCLASS_MMX:
        return MMX;
    case ZYDIS_REGCLASS_GPR8:
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
        return GPR;
    default:
        return UNUSED;
    }
}

static bool implicit_slot(ZydisRegister r, enum slot_name *ret)
{
    u32 id = (u32)ZydisRegisterGetId(r);

    switch (kind_of(r)) {
    case XMM:
    case YMM:
        *ret = XMM0;
        return id == 0;
    case GPR:
        *ret = id == X86_RAX ? EAX : id == X86_RDX ? EDX : ECX;
        return id <= X86_RDX;
    default:
        return false;
    }
}

// Adds a register operand to the form. False for registers that stubs do not know.
static bool add_register(struct form *f, const ZydisDecodedOperand *o)
{
    enum slot_kind kind = kind_of(o->reg.value);
    enum slot_name name;
    struct slot *s;

    if (o->reg.value == ZYDIS_REGISTER_MXCSR)
        return true;
    if (ZydisRegisterGetClass(o->reg.value) == ZYDIS_REGCLASS_FLAGS) {
        f->flags = o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
        return true;
    }
    switch (o->encoding) {
    case ZYDIS_OPERAND_ENCODING_MODRM_REG:
        name = REG;
        break;
    case ZYDIS_OPERAND_ENCODING_MODRM_RM:
        name = RM;
        break;
    case ZYDIS_OPERAND_ENCODING_NDSNDD:
        name = VVVV;
        break;
    case ZYDIS_OPERAND_ENCODING_IS4:
        name = IS4;
        break;
    default:
        if (!implicit_slot(o->reg.value, &name))
            return false;
    }
    if (kind == UNUSED)
        return false;
    s = &f->slot[name];
    s->kind = (u8)kind;
    s->guest = (u8)ZydisRegisterGetId(o->reg.value);
    s->host = kind == GPR && name <= RM ? (u8)name : host_register[name];
    s->read |= (o->actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
    s->write |= (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
    s->read |= (o->actions & ZYDIS_OPERAND_ACTION_CONDWRITE) != 0;
    f->mmx |= kind == MMX;
    f->vector |= kind != GPR;
    return true;
}

static void parse_encoding(struct form *f, const ZydisDecodedInstruction *z)
{
    f->vex = f->vex_guest = z->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
    f->opcode = z->opcode;
    f->map = z->opcode_map == ZYDIS_OPCODE_MAP_0F     ? 1
             : z->opcode_map == ZYDIS_OPCODE_MAP_0F38 ? 2
                                                      : 3;
    if (f->vex) {
        static const u8 prefixes[] = {0, 0x66, 0xf3, 0xf2};

        f->prefix = prefixes[z->raw.vex.pp];
        f->w = z->raw.vex.W;
        f->l = z->raw.vex.L;
    } else {
        for (u32 k = 0; k < z->raw.prefix_count; k++) {
            if (z->raw.prefixes[k].type == ZYDIS_PREFIX_TYPE_MANDATORY)
                f->prefix = z->raw.prefixes[k].value;
        }
        f->w = z->attributes & ZYDIS_ATTRIB_HAS_REX ? z->raw.rex.W : 0;
    }
    f->digit = z->raw.modrm.reg;
    f->imm_used = z->raw.imm[0].size == 8;
    f->imm = (u8)z->raw.imm[0].value.u;
}

// Outside 64-bit mode W does not widen general registers; the host executes in 64-bit mode.
static void narrow(struct form *f)
{
    bool gpr = f->slot[REG].kind == GPR || f->slot[RM].kind == GPR;
    bool scalar_int = f->map == 1 && (f->opcode == 0x2a || f->opcode == 0x6e || f->opcode == 0x7e);
    bool insert_extract = f->map == 3 && (f->opcode == 0x16 || f->opcode == 0x22);

    if (gpr || (scalar_int && f->prefix != 0xf3 && f->vex) || insert_extract || f->slot[EAX].kind)
        f->w = 0;
    if (scalar_int && f->opcode == 0x2a)
        f->w = 0;
}

static bool parse(struct form *f, const ZydisDecodedInstruction *z, const ZydisDecodedOperand *o)
{
    *f = (struct form){.vvvv = NO_VVVV};
    if ((z->encoding != ZYDIS_INSTRUCTION_ENCODING_VEX &&
         z->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY) ||
        (z->opcode_map != ZYDIS_OPCODE_MAP_0F && z->opcode_map != ZYDIS_OPCODE_MAP_0F38 &&
         z->opcode_map != ZYDIS_OPCODE_MAP_0F3A) ||
        !(z->attributes & ZYDIS_ATTRIB_HAS_MODRM))
        return false;
    parse_encoding(f, z);
    for (u32 k = 0; k < z->operand_count; k++) {
        if (o[k].type == ZYDIS_OPERAND_TYPE_REGISTER) {
            if (!add_register(f, &o[k]))
                return false;
        } else if (o[k].type == ZYDIS_OPERAND_TYPE_MEMORY) {
            if (o[k].encoding != ZYDIS_OPERAND_ENCODING_MODRM_RM ||
                o[k].mem.type != ZYDIS_MEMOP_TYPE_MEM)
                return false;
            f->mem = true;
            f->mem_bytes = o[k].size / 8;
            f->mem_read = o[k].actions & ZYDIS_OPERAND_ACTION_MASK_READ;
        }
    }
    if (z->machine_mode != ZYDIS_MACHINE_MODE_LONG_64)
        narrow(f);
    if (f->vex && f->slot[VVVV].kind != UNUSED)
        f->vvvv = f->slot[VVVV].host;
    return f->vector || (f->map == 1 && (f->opcode == 0x2c || f->opcode == 0x2d)); // CVTSD2SI r, m
}

static void put8(struct x86_stub_code *c, u32 b)
{
    ASSERT(c->len < X86_STUB_CODE_MAX);
    c->bytes[c->len++] = (u8)b;
}

static void put32(struct x86_stub_code *c, u32 v)
{
    for (u32 k = 0; k < 4; k++)
        put8(c, v >> 8 * k & 255);
}

static void put(struct x86_stub_code *c, const char *bytes, u32 n)
{
    for (u32 k = 0; k < n; k++)
        put8(c, (u8)bytes[k]);
}

// ModRM and displacement of [rdi + disp32], for a place in struct x86_core.
static void put_place(struct x86_stub_code *c, u32 reg, size_t offset)
{
    put8(c, 0x80 | reg << 3 | X86_RDI);
    put32(c, (u32)(offset - offsetof(struct x86_core, core)));
}

static size_t vector_place(const struct slot *s)
{
    return offsetof(struct x86_core, s.ymm) + s->guest * 32u;
}

// All host registers in use are below 8: no encoding needs R, X or B.
static void put_form(struct x86_stub_code *c, const struct form *f)
{
    u8 reg = f->slot[REG].kind != UNUSED ? f->slot[REG].host : f->digit;
    u8 pp = f->prefix == 0x66 ? 1 : f->prefix == 0xf3 ? 2 : f->prefix == 0xf2 ? 3 : 0;

    if (f->vex) {
        u8 low = (u8)((~f->vvvv & 15) << 3 | f->l << 2 | pp);

        if (f->map == 1 && !f->w) {
            put8(c, 0xc5);
            put8(c, 0x80 | low);
        } else {
            put8(c, 0xc4);
            put8(c, 0xe0 | f->map);
            put8(c, (u32)f->w << 7 | low);
        }
    } else {
        if (f->prefix)
            put8(c, f->prefix);
        if (f->w)
            put8(c, 0x48);
        put8(c, 0x0f);
        if (f->map > 1)
            put8(c, f->map == 2 ? 0x38 : 0x3a);
    }
    put8(c, f->opcode);
    if (f->rm_in_core)
        put_place(c, reg, vector_place(&f->slot[RM]));
    else
        put8(c, f->mem ? reg << 3 | X86_RDX : 0xc0 | reg << 3 | f->slot[RM].host);
    if (f->slot[IS4].kind != UNUSED)
        put8(c, (u32)f->slot[IS4].host << 4 | (f->imm & 15));
    else if (f->imm_used)
        put8(c, f->imm);
}

static bool decode_form(const struct form *f, ZydisDecodedInstruction *ret,
                        ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT])
{
    struct x86_stub_code c = {0};
    ZydisDecoder d;

    put_form(&c, f);
    ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&d, c.bytes, c.len, ret, operands));
}

// Is the code in *f the VEX form of `mnemonic`?
static bool is_vex_of(const struct form *f, ZydisMnemonic mnemonic)
{
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecodedInstruction z;
    const char *legacy, *vex;

    if (!decode_form(f, &z, o))
        return false;
    legacy = ZydisMnemonicGetString(mnemonic);
    vex = ZydisMnemonicGetString(z.mnemonic);
    return vex[0] == 'v' && strcmp(vex + 1, legacy) == 0;
}

// Legacy SSE to VEX, which has no alignment rules and no false dependencies. A destination that the
// VEX form merges with is its first source as well.
static void prefer_vex(struct form *f, ZydisMnemonic mnemonic)
{
    struct slot *dest = &f->slot[f->slot[RM].write || f->slot[REG].kind == UNUSED ? RM : REG];
    struct form v = *f;

    if (f->vex || f->mmx || f->slot[XMM0].kind != UNUSED || f->slot[EAX].kind != UNUSED)
        return;
    v.vex = true;
    if (f->map == 1 && f->opcode == 0xc2)
        v.imm &= 7; // CMPPS and so on have 8 predicates, the VEX forms 32
    v.vvvv = dest->host;
    if (dest->kind == XMM && is_vex_of(&v, mnemonic)) {
        *f = v;
        dest->read = true;
        return;
    }
    v.vvvv = NO_VVVV;
    if (is_vex_of(&v, mnemonic))
        *f = v;
}

// Moves that demand alignment, bypass the caches or have no register form become plain ones.
static void plain_move(struct form *f)
{
    static const struct {
        u8 prefix, map, opcode, to_prefix, to_map, to_opcode;
    } moves[] = {
        {0x00, 1, 0x28, 0x00, 1, 0x10}, {0x00, 1, 0x29, 0x00, 1, 0x11}, // movaps
        {0x66, 1, 0x28, 0x66, 1, 0x10}, {0x66, 1, 0x29, 0x66, 1, 0x11}, // movapd
        {0x66, 1, 0x6f, 0xf3, 1, 0x6f}, {0x66, 1, 0x7f, 0xf3, 1, 0x7f}, // movdqa
        {0x00, 1, 0x2b, 0x00, 1, 0x11}, {0x66, 1, 0x2b, 0x66, 1, 0x11}, // movntps, movntpd
        {0x66, 1, 0xe7, 0xf3, 1, 0x7f}, {0x00, 1, 0xe7, 0x00, 1, 0x7f}, // movntdq, movntq
        {0x66, 2, 0x2a, 0xf3, 1, 0x6f},                                 // movntdqa
        {0xf2, 1, 0xf0, 0xf3, 1, 0x6f},                                 // lddqu
    };

    for (u32 k = 0; k < ARRAY_SIZE(moves); k++) {
        if (f->prefix == moves[k].prefix && f->map == moves[k].map &&
            f->opcode == moves[k].opcode) {
            f->prefix = moves[k].to_prefix;
            f->map = moves[k].to_map;
            f->opcode = moves[k].to_opcode;
            return;
        }
    }
}

// mov between host register and [rdi + disp32]; `opcode` is that of the load, or of the store.
static void put_access(struct x86_stub_code *c, const char *opcode, u32 n, u32 host, size_t offset)
{
    put(c, opcode, n);
    put_place(c, host, offset);
}

static void put_load(struct x86_stub_code *c, bool avx, const struct slot *s)
{
    size_t vec = vector_place(s);

    switch (s->kind) {
    case GPR:
        put_access(c, "\x48\x8b", 2, s->host, s->guest * 8u);
        break;
    case XMM:
        put_access(c, avx ? "\xc5\xfa\x6f" : "\xf3\x0f\x6f", 3, s->host, vec);
        break;
    case YMM:
        put_access(c, "\xc5\xfe\x6f", 3, s->host, vec);
        break;
    case MMX:
        put_access(c, "\x0f\x6f", 2, s->host, offsetof(struct x86_core, s.x87) + s->guest * 16u);
        break;
    }
}

static void put_store(struct x86_stub_code *c, const struct form *f, bool avx, const struct slot *s)
{
    size_t vec = vector_place(s);
    size_t mm = offsetof(struct x86_core, s.x87) + s->guest * 16u;

    switch (s->kind) {
    case GPR:
        put_access(c, "\x48\x89", 2, s->host, s->guest * 8u);
        break;
    case XMM:
    case YMM:
        if (f->vex_guest)
            put_access(c, "\xc5\xfe\x7f", 3, s->host, vec);
        else
            put_access(c, avx ? "\xc5\xfa\x7f" : "\xf3\x0f\x7f", 3, s->host, vec);
        break;
    case MMX:
        put_access(c, "\x0f\x7f", 2, s->host, mm);
        put_access(c, "\x66\xc7", 2, 0, mm + 8); // mov word [..], 0xffff
        put(c, "\xff\xff", 2);
        break;
    }
}

// The arithmetic flags replace the guest's.
static void put_flags(struct x86_stub_code *c)
{
    size_t rflags = offsetof(struct x86_core, s.rflags);

    put(c, "\x9c\x58", 2); // pushfq; pop rax
    put8(c, 0x25);         // and eax, imm32
    put32(c, X86_ARITH_FLAGS);
    put_access(c, "\x48\x8b", 2, X86_RCX, rflags);
    put(c, "\x48\x81\xe1", 3); // and rcx, simm32
    put32(c, ~X86_ARITH_FLAGS);
    put(c, "\x48\x09\xc1", 3); // or rcx, rax
    put_access(c, "\x48\x89", 2, X86_RCX, rflags);
    put_access(c, "\xc7", 1, 0, offsetof(struct x86_core, lazy.kind)); // mov dword [..], LAZY_NONE
    put32(c, 0);
}

// MMX instructions make all x87 registers valid and TOP 0 (SDM vol. 1 §9.5.1), the host's too.
static void put_mmx_end(struct x86_stub_code *c)
{
    put_access(c, "\x66\xc7", 2, 0, offsetof(struct x86_core, s.ftw)); // mov word [..], 0xff
    put(c, "\xff\x00", 2);
    put_access(c, "\x66\x81", 2, 4, offsetof(struct x86_core, s.fsw)); // and word [..], ~TOP
    put(c, "\xff\xc7", 2);
    put(c, "\x0f\x77", 2); // emms
}

static void put_end(struct x86_stub_code *c, bool tail_call)
{
    if (tail_call)
        put(c, "\x48\x83\xc6\x20\xff\x26", 6); // add rsi, 32; jmp [rsi]
    else
        put(c, "\x48\x8d\x46\x20\xc3", 5); // lea rax, [rsi + 32]; ret
}

static bool is_vector(const struct slot *s)
{
    return s->kind == XMM || s->kind == YMM;
}

// x ^ x and so on: zero whatever x is.
static bool is_zero_idiom(const struct form *f)
{
    const struct slot *a = &f->slot[f->slot[VVVV].kind == UNUSED ? REG : VVVV];

    if (!f->vex || f->map != 1 || f->mem || !is_vector(a) || !is_vector(&f->slot[RM]) ||
        a->guest != f->slot[RM].guest)
        return false;
    switch (f->opcode) {
    case 0x57: // xorps, xorpd
        return f->prefix == 0 || f->prefix == 0x66;
    case 0xef: // pxor, psub, pcmpgt
    case 0xf8:
    case 0xf9:
    case 0xfa:
    case 0xfb:
    case 0x64:
    case 0x65:
    case 0x66:
        return f->prefix == 0x66;
    default:
        return false;
    }
}

// Operands that are the same guest register share a host register.
static void share(struct form *f)
{
    for (u32 k = RM; k <= IS4; k++) {
        for (u32 j = REG; j < k; j++) {
            struct slot *s = &f->slot[k], *other = &f->slot[j];

            if (is_vector(s) && s->read && !s->write && is_vector(other) && other->read &&
                !other->loaded && s->guest == other->guest && s->kind <= other->kind) {
                s->host = other->host;
                s->loaded = other->shared = true;
                if (k == VVVV)
                    f->vvvv = s->host;
            }
        }
    }
}

// A packed source can be read where it is, if the memory form reads as much as the register form.
static void read_in_place(struct form *f, ZydisMnemonic mnemonic)
{
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    struct slot *s = &f->slot[RM];
    ZydisDecodedInstruction z;
    struct form in_core = *f;

    if (!f->vex || f->mem || !is_vector(s) || s->loaded || s->shared || !s->read || s->write)
        return;
    in_core.rm_in_core = true;
    if (!decode_form(&in_core, &z, o) || z.mnemonic != mnemonic)
        return;
    for (u32 k = 0; k < z.operand_count; k++) {
        if (o[k].type == ZYDIS_OPERAND_TYPE_MEMORY && o[k].size == (s->kind == YMM ? 256 : 128)) {
            f->rm_in_core = true;
            s->loaded = true;
        }
    }
}

static void optimise(struct form *f)
{
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecodedInstruction z;

    if (is_zero_idiom(f)) {
        f->slot[REG].read = f->slot[VVVV].read = f->slot[RM].read = false;
        f->vvvv = f->slot[RM].host = f->slot[REG].host;
        return;
    }
    share(f);
    if (f->vex && !f->mem && is_vector(&f->slot[RM]) && decode_form(f, &z, o))
        read_in_place(f, z.mnemonic);
}

static void put_stub(struct x86_stub_code *c, const struct x86_stub_host *host, struct form *f)
{
    bool aligned = !f->vex && f->mem_bytes == 16 && !f->mmx;

    if (f->mem && f->mem_read && (aligned || f->slot[EAX].kind != UNUSED)) {
        // rdx is taken, or the host would check alignment: load the operand first.
        put(c, host->avx ? "\xc5\xfa\x6f\x12" : "\xf3\x0f\x6f\x12", 4); // movdqu xmm2, [rdx]
        f->mem = false;
        f->slot[RM].host = host_register[RM];
    }
    for (u32 k = 0; k < SLOTS; k++) {
        struct slot *s = &f->slot[k];

        // A legacy encoding may merge with what it writes.
        if (s->kind != UNUSED && !s->loaded && (s->read || (s->write && !f->vex && s->kind != GPR)))
            put_load(c, host->avx, s);
    }
    put_form(c, f);
    for (u32 k = 0; k < SLOTS; k++) {
        if (f->slot[k].kind != UNUSED && f->slot[k].write)
            put_store(c, f, host->avx, &f->slot[k]);
    }
    if (f->flags)
        put_flags(c);
    if (f->mmx)
        put_mmx_end(c);
    put_end(c, host->tail_call);
}

// What the host's processor computes in its own way.
static bool is_approximation(ZydisMnemonic m)
{
    switch (m) {
    case ZYDIS_MNEMONIC_RCPPS:
    case ZYDIS_MNEMONIC_RCPSS:
    case ZYDIS_MNEMONIC_RSQRTPS:
    case ZYDIS_MNEMONIC_RSQRTSS:
    case ZYDIS_MNEMONIC_VRCPPS:
    case ZYDIS_MNEMONIC_VRCPSS:
    case ZYDIS_MNEMONIC_VRSQRTPS:
    case ZYDIS_MNEMONIC_VRSQRTSS:
        return true;
    default:
        return false;
    }
}

bool x86_stub_make(const struct x86_stub_host *host, enum x86_code_mode mode, const u8 *bytes,
                   u32 len, struct x86_stub_code *ret)
{
    static const ZydisMachineMode modes[] = {
        ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_MACHINE_MODE_LONG_64};
    static const ZydisStackWidth widths[] = {ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32,
                                             ZYDIS_STACK_WIDTH_64};
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecodedInstruction z;
    struct form f;
    ZydisDecoder d;

    ZydisDecoderInit(&d, modes[mode], widths[mode]);
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&d, bytes, len, &z, operands)) ||
        !parse(&f, &z, operands) || is_approximation(z.mnemonic) ||
        (z.meta.isa_set == ZYDIS_ISA_SET_SHA && !host->sha))
        return false;
    if (host->avx)
        prefer_vex(&f, z.mnemonic);
    else if (f.vex)
        return false;
    optimise(&f);
    if (f.mem || f.rm_in_core)
        plain_move(&f);
    *ret = (struct x86_stub_code){0};
    put_stub(ret, host, &f);
    return true;
}
