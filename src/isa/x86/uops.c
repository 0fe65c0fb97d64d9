// SPDX-License-Identifier: BSD-3-Clause
// Recipes are composed from what Zydis knows of an instruction's operands, hidden ones included,
// and from the row's uop class and recipe.
#include "isa/x86/uops.h"

#include "isa/x86/core.h"

#include <Zydis/Zydis.h>

enum { SET_MAX = 12, MEMORY_MAX = 2 };

// Registers, each once.
struct set {
    u8 n;
    u8 reg[SET_MAX];
};

struct access {
    u8 actions; // enum x86_action
    u8 size;
    u8 base, index; // UOP_NO_REG: none
};

// An instruction taken apart.
struct parts {
    const struct x86_insn *insn;
    struct set in, out; // registers and flags of the computation
    struct set loaded;  // temporaries that loads have filled
    struct access memory[MEMORY_MAX];
    u8 n_memory;
    u8 elements; // of a gather
    u8 class;
    u8 size;
    u32 n; // uops so far
    struct uop *uops;
};

static void add(struct set *s, u8 reg)
{
    if (reg == UOP_NO_REG)
        return;
    for (u32 k = 0; k < s->n; k++)
        if (s->reg[k] == reg)
            return;
    if (s->n < SET_MAX)
        s->reg[s->n++] = reg;
}

static void add_all(struct set *s, const struct set *more)
{
    for (u32 k = 0; k < more->n; k++)
        add(s, more->reg[k]);
}

static bool has(const struct set *s, u8 reg)
{
    for (u32 k = 0; k < s->n; k++)
        if (s->reg[k] == reg)
            return true;
    return false;
}

static void take(struct set *s, u8 reg)
{
    for (u32 k = 0; k < s->n; k++)
        if (s->reg[k] == reg) {
            s->reg[k] = s->reg[--s->n];
            return;
        }
}

static struct set one(u8 reg)
{
    struct set s = {0};

    add(&s, reg);
    return s;
}

static u8 temporary(u32 n)
{
    return (u8)(X86_UREG_TMP0 + (n & 7));
}

static bool within(ZydisRegister r, ZydisRegister first, ZydisRegister last)
{
    return r >= first && r <= last;
}

// Flags are not in here: what the decoder says of them is more precise.
static u8 register_number(ZydisRegister r)
{
    if (within(r, ZYDIS_REGISTER_AL, ZYDIS_REGISTER_BL))
        return (u8)(r - ZYDIS_REGISTER_AL);
    if (within(r, ZYDIS_REGISTER_AH, ZYDIS_REGISTER_BH))
        return (u8)(r - ZYDIS_REGISTER_AH);
    if (within(r, ZYDIS_REGISTER_SPL, ZYDIS_REGISTER_R15B))
        return (u8)(4 + r - ZYDIS_REGISTER_SPL);
    if (within(r, ZYDIS_REGISTER_AX, ZYDIS_REGISTER_R15W))
        return (u8)(r - ZYDIS_REGISTER_AX);
    if (within(r, ZYDIS_REGISTER_EAX, ZYDIS_REGISTER_R15D))
        return (u8)(r - ZYDIS_REGISTER_EAX);
    if (within(r, ZYDIS_REGISTER_RAX, ZYDIS_REGISTER_R15))
        return (u8)(r - ZYDIS_REGISTER_RAX);
    if (within(r, ZYDIS_REGISTER_XMM0, ZYDIS_REGISTER_XMM15))
        return (u8)(X86_UREG_VEC0 + r - ZYDIS_REGISTER_XMM0);
    if (within(r, ZYDIS_REGISTER_YMM0, ZYDIS_REGISTER_YMM15))
        return (u8)(X86_UREG_VEC0 + r - ZYDIS_REGISTER_YMM0);
    if (within(r, ZYDIS_REGISTER_MM0, ZYDIS_REGISTER_MM7))
        return (u8)(X86_UREG_ST0 + r - ZYDIS_REGISTER_MM0);
    if (within(r, ZYDIS_REGISTER_ST0, ZYDIS_REGISTER_ST7))
        return (u8)(X86_UREG_ST0 + r - ZYDIS_REGISTER_ST0);
    switch (r) {
    case ZYDIS_REGISTER_NONE:
    case ZYDIS_REGISTER_FLAGS:
    case ZYDIS_REGISTER_EFLAGS:
    case ZYDIS_REGISTER_RFLAGS:
    case ZYDIS_REGISTER_IP:
    case ZYDIS_REGISTER_EIP:
    case ZYDIS_REGISTER_RIP:
        return UOP_NO_REG;
    case ZYDIS_REGISTER_MXCSR:
        return X86_UREG_MXCSR;
    case ZYDIS_REGISTER_X87CONTROL:
        return X86_UREG_FCW;
    case ZYDIS_REGISTER_X87STATUS:
    case ZYDIS_REGISTER_X87TAG:
        return X86_UREG_FSW;
    default:
        return X86_UREG_SYSTEM;
    }
}

static void add_flags(struct set *s, u32 flags)
{
    if (flags & X86_CF)
        add(s, X86_UREG_CF);
    if (flags & X86_OF)
        add(s, X86_UREG_OF);
    if (flags & (X86_ZF | X86_AF | X86_PF | X86_SF))
        add(s, X86_UREG_ZAPS);
    if (flags & X86_DF)
        add(s, X86_UREG_DF);
}

static void register_part(struct parts *p, const ZydisDecodedOperand *z)
{
    u8 reg = register_number(z->reg.value);
    bool gpr = reg < 16;

    // A write of 8 or 16 bits, or one that may not happen, keeps the rest.
    if (z->actions & (ZYDIS_OPERAND_ACTION_MASK_READ | ZYDIS_OPERAND_ACTION_CONDWRITE) ||
        (gpr && z->actions & ZYDIS_OPERAND_ACTION_WRITE && z->size < 32))
        add(&p->in, reg);
    if (z->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
        add(&p->out, reg);
}

static void memory_part(struct parts *p, const ZydisDecodedOperand *z)
{
    struct access *a = &p->memory[p->n_memory];

    if (p->n_memory == MEMORY_MAX)
        return;
    *a = (struct access){
        .actions = (u8)((z->actions & ZYDIS_OPERAND_ACTION_MASK_READ ? X86_READ : 0) |
                        (z->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE ? X86_WRITE : 0)),
        .size = (u8)MIN(z->size / 8, 255),
        .base = register_number(z->mem.base),
        .index = register_number(z->mem.index),
    };
    if (z->mem.type == ZYDIS_MEMOP_TYPE_AGEN) {
        add(&p->in, a->base);
        add(&p->in, a->index);
        return;
    }
    if (z->mem.type == ZYDIS_MEMOP_TYPE_VSIB)
        p->elements = p->insn->o[0].size / p->insn->mem.size;
    p->n_memory++;
}

// Status registers: a computation reads the control bits and leaves the sticky ones to whoever asks
// for them.
static void drop_sticky(struct parts *p)
{
    switch (p->insn->si.opcode) {
    case ZYDIS_MNEMONIC_LDMXCSR:
    case ZYDIS_MNEMONIC_VLDMXCSR:
        break;
    default:
        take(&p->out, X86_UREG_MXCSR);
    }
    switch (p->insn->si.opcode) {
    case ZYDIS_MNEMONIC_FNSTSW:
    case ZYDIS_MNEMONIC_FNSTENV:
    case ZYDIS_MNEMONIC_FNSAVE:
        break;
    default:
        take(&p->in, X86_UREG_FSW);
    }
}

// Flags on which the result depends. Those of a shift by a constant are all new, or undefined.
// APPROX: a shift by a register, which keeps them when the count is 0, waits for one group of them.
static u32 flags_needed(const struct x86_insn *i, const ZydisDecodedInstruction *z)
{
    u32 tested = z->cpu_flags ? z->cpu_flags->tested : 0;
    const struct x86_operand *count;

    if (i->def->uop != UOP_INT_SHIFT || !i->n_operands)
        return i->flags_read;
    count = &i->o[i->n_operands - 1];
    if (count->kind == X86_O_IMM && i->imm & (i->op_bytes == 8 ? 63 : 31))
        return tested;
    return tested | (i->flags_read & X86_ZF);
}

static bool take_apart(struct parts *p)
{
    static const ZydisMachineMode machine[] = {
        [X86_CODE16] = ZYDIS_MACHINE_MODE_LONG_COMPAT_16,
        [X86_CODE32] = ZYDIS_MACHINE_MODE_LONG_COMPAT_32,
        [X86_CODE64] = ZYDIS_MACHINE_MODE_LONG_64,
    };
    static const ZydisStackWidth stack[] = {
        [X86_CODE16] = ZYDIS_STACK_WIDTH_16,
        [X86_CODE32] = ZYDIS_STACK_WIDTH_32,
        [X86_CODE64] = ZYDIS_STACK_WIDTH_64,
    };
    const struct x86_insn *i = p->insn;
    ZydisDecoder d;
    ZydisDecodedInstruction z;
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];

    ZydisDecoderInit(&d, machine[i->mode], stack[i->mode]);
    ZydisDecoderEnableMode(&d, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
    ZydisDecoderEnableMode(&d, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
    ZydisDecoderEnableMode(&d, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&d, i->bytes, i->si.len, &z, o)))
        return false;
    add_flags(&p->in, flags_needed(i, &z)); // first: of many sources, the last ones are the faster
    for (u32 n = 0; n < z.operand_count; n++) {
        if (o[n].type == ZYDIS_OPERAND_TYPE_REGISTER)
            register_part(p, &o[n]);
        else if (o[n].type == ZYDIS_OPERAND_TYPE_MEMORY)
            memory_part(p, &o[n]);
    }
    if (i->si.flags & STATIC_ZERO_IDIOM)
        p->in.n = 0;
    add_flags(&p->out, i->flags_written);
    drop_sticky(p);
    return true;
}

// Appends a uop with at most four sources and four results.
static void emit_uop(struct parts *p, u8 class, u8 size, const struct set *in,
                     const struct set *out)
{
    struct uop u = {.class = class, .size = size};

    for (u32 k = 0; k < 4; k++) {
        u.src[k] = k < in->n ? in->reg[k] : UOP_NO_REG;
        u.dst[k] = k < out->n ? out->reg[k] : UOP_NO_REG;
    }
    if (p->n < X86_RECIPE_MAX)
        p->uops[p->n++] = u;
}

// A computation with any number of sources and results: more uops of the same class, if they are
// many, the first ones into a temporary that the last ones read.
static void emit(struct parts *p, u8 class, const struct set *in, const struct set *out)
{
    struct set rest = *in, results = *out;

    while (rest.n > 4) {
        u32 n = MIN(rest.n - 3u, 4u); // with the temporary one, as many as one uop takes are left
        struct set first = {.n = (u8)n}, tmp = one(temporary(7));

        for (u32 k = 0; k < n; k++)
            first.reg[k] = rest.reg[k];
        emit_uop(p, class, p->size, &first, &tmp);
        for (u32 k = n; k < rest.n; k++)
            rest.reg[k - n] = rest.reg[k];
        rest.n = (u8)(rest.n - n);
        add(&rest, temporary(7));
    }
    do {
        emit_uop(p, class, p->size, &rest, &results);
        for (u32 k = 4; k < results.n; k++)
            results.reg[k - 4] = results.reg[k];
        results.n = results.n > 4 ? (u8)(results.n - 4) : 0;
    } while (results.n);
}

static struct set address(const struct access *a)
{
    struct set s = one(a->base);

    add(&s, a->index);
    return s;
}

static void load(struct parts *p, const struct access *a, u8 to)
{
    struct set in = address(a), out = one(to);

    emit_uop(p, UOP_LOAD, a->size, &in, &out);
}

static void store(struct parts *p, const struct access *a, u8 from)
{
    struct set in = address(a), data = one(from), none = {0};

    emit_uop(p, UOP_STORE_ADDR, a->size, &in, &none);
    emit_uop(p, UOP_STORE_DATA, a->size, &data, &none);
}

static void load_all(struct parts *p)
{
    for (u32 k = 0; k < p->n_memory; k++)
        if (p->memory[k].actions & X86_READ) {
            load(p, &p->memory[k], temporary(k));
            add(&p->loaded, temporary(k));
        }
}

static void store_all(struct parts *p, u8 from)
{
    for (u32 k = 0; k < p->n_memory; k++)
        if (p->memory[k].actions & X86_WRITE)
            store(p, &p->memory[k], from);
}

static bool stores(const struct parts *p)
{
    for (u32 k = 0; k < p->n_memory; k++)
        if (p->memory[k].actions & X86_WRITE)
            return true;
    return false;
}

static void bump(struct parts *p, u8 reg, bool with_direction)
{
    struct set in = one(reg), out = one(reg);

    if (with_direction)
        add(&in, X86_UREG_DF);
    emit_uop(p, UOP_INT_ALU, 8, &in, &out);
}

static void compute(struct parts *p)
{
    struct set in = p->in, out = p->out;

    load_all(p);
    add_all(&in, &p->loaded);
    if (stores(p))
        add(&out, temporary(2));
    if (p->insn->def->recipe == RECIPE_SPLIT) {
        struct set half = one(temporary(3));

        emit(p, p->class, &in, &half);
        add(&in, temporary(3));
    }
    emit(p, p->class, &in, &out);
    store_all(p, temporary(2));
}

// A load into a register or a store from one is nothing more than that.
static void move(struct parts *p)
{
    bool plain = p->n_memory == 1 && p->in.n <= 1 && p->out.n <= 1;

    if (plain && p->memory[0].actions == X86_READ && p->in.n == 0 && p->out.n == 1)
        load(p, &p->memory[0], p->out.reg[0]);
    else if (plain && p->memory[0].actions == X86_WRITE && p->out.n == 0)
        store(p, &p->memory[0], p->in.n ? p->in.reg[0] : UOP_NO_REG);
    else
        compute(p);
}

// PUSH and POP: Zydis's operands have the stack access and rSP in them.
static void push(struct parts *p)
{
    bool from_memory = p->n_memory == 2;
    u8 data = UOP_NO_REG;

    take(&p->out, X86_UREG_RSP);
    load_all(p);
    if (from_memory || p->in.n > 2) {
        struct set in = p->in, out = one(temporary(2));

        take(&in, X86_UREG_RSP);
        add_all(&in, &p->loaded);
        data = p->loaded.n && in.n == 1 ? in.reg[0] : temporary(2);
        if (data == temporary(2))
            emit(p, p->class, &in, &out);
    } else {
        for (u32 k = 0; k < p->in.n; k++)
            if (p->in.reg[k] != X86_UREG_RSP || p->insn->o[0].reg == X86_UREG_RSP)
                data = p->in.reg[k];
    }
    store_all(p, data);
    bump(p, X86_UREG_RSP, false);
}

static void pop(struct parts *p)
{
    struct set out = p->out;
    u8 to = temporary(0);

    take(&out, X86_UREG_RSP);
    if (out.n == 1)
        to = out.reg[0];
    for (u32 k = 0; k < p->n_memory; k++)
        if (p->memory[k].actions == X86_READ)
            load(p, &p->memory[k], to);
    if (out.n > 1) {
        struct set in = one(to);

        emit(p, p->class, &in, &out);
    }
    store_all(p, to);
    if (p->insn->si.opcode == ZYDIS_MNEMONIC_LEAVE) { // rSP comes from rBP
        struct set in = one(X86_RBP), rsp = one(X86_UREG_RSP);

        emit_uop(p, UOP_INT_ALU, 8, &in, &rsp);
    } else {
        bump(p, X86_UREG_RSP, false);
    }
}

static void call(struct parts *p)
{
    struct set in = {0}, none = {0};

    load_all(p);
    add_all(&in, &p->loaded);
    if (p->insn->o[0].kind == X86_O_GPR)
        add(&in, p->insn->o[0].reg);
    store_all(p, UOP_NO_REG);
    bump(p, X86_UREG_RSP, false);
    emit(p, UOP_BRANCH, &in, &none);
}

static void ret(struct parts *p)
{
    struct set none = {0};

    load_all(p);
    bump(p, X86_UREG_RSP, false);
    emit(p, UOP_BRANCH, &p->loaded, &none);
}

static void branch(struct parts *p)
{
    struct set in = p->in, out = p->out, none = {0};

    load_all(p);
    add_all(&in, &p->loaded);
    if (has(&out, X86_RCX)) { // LOOP counts first
        bump(p, X86_RCX, false);
        take(&out, X86_RCX);
    }
    emit(p, UOP_BRANCH, &in, &none);
}

static void exchange(struct parts *p)
{
    const struct x86_operand *o = p->insn->o;

    if (p->insn->si.opcode == ZYDIS_MNEMONIC_XCHG && p->n_memory == 0) {
        struct set a = one(o[0].reg), b = one(o[1].reg), tmp = one(temporary(0));

        emit_uop(p, p->class, p->size, &a, &tmp);
        emit_uop(p, p->class, p->size, &b, &a);
        emit_uop(p, p->class, p->size, &tmp, &b);
    } else {
        compute(p);
    }
}

// One iteration. The count of a repeated one, and the flags that may end it, are branched upon.
static void string(struct parts *p)
{
    static const u8 pointers[] = {X86_RSI, X86_RDI};
    bool repeated = p->insn->si.flags & STATIC_REPEAT;
    struct set in = p->in, out = p->out, none = {0}, count = one(X86_RCX);
    u8 data;

    for (u32 k = 0; k < 2; k++) {
        take(&in, pointers[k]);
        take(&out, pointers[k]);
    }
    take(&in, X86_RCX);
    take(&out, X86_RCX);
    take(&in, X86_UREG_DF);
    load_all(p);
    data = p->loaded.n ? p->loaded.reg[0] : UOP_NO_REG;
    if (out.n || !p->loaded.n) { // a comparison, LODS, STOS
        data = out.n || in.n != 1 ? temporary(2) : in.reg[0];
        add_all(&in, &p->loaded);
        if (out.n)
            emit(p, p->class, &in, &out);
    }
    store_all(p, data);
    for (u32 k = 0; k < 2; k++)
        if (has(&p->out, pointers[k]))
            bump(p, pointers[k], true);
    if (repeated) {
        bump(p, X86_RCX, false);
        if (has(&out, X86_UREG_ZAPS))
            add(&count, X86_UREG_ZAPS);
        emit(p, UOP_BRANCH, &count, &none);
    }
}

// APPROX: a preparation, the division, and two uops for quotient and remainder.
static void divide(struct parts *p)
{
    struct set in = p->in, raw = one(temporary(3)), prepared = one(temporary(2));
    struct set quotient = one(X86_RAX), others = p->out;

    load_all(p);
    add_all(&in, &p->loaded);
    emit(p, UOP_INT_ALU, &in, &prepared);
    emit(p, p->class, &prepared, &raw);
    emit(p, UOP_INT_ALU, &raw, &quotient);
    take(&others, X86_RAX);
    if (others.n)
        emit(p, UOP_INT_ALU, &raw, &others);
}

static void gather(struct parts *p)
{
    struct set in = p->in;

    for (u32 k = 0; k < p->elements && p->n_memory; k++) {
        load(p, &p->memory[0], temporary(k));
        add(&in, temporary(k));
    }
    emit(p, p->class, &in, &p->out);
}

static u32 microcode_length(u8 class)
{
    return class == UOP_SYSTEM ? 8 : 4;
}

// APPROX: a chain of uops between the loads and the stores.
static void microcode(struct parts *p)
{
    struct set in = p->in, chain = one(temporary(3));
    u32 n = microcode_length(p->class);

    load_all(p);
    add_all(&in, &p->loaded);
    emit(p, p->class, &in, &chain);
    for (u32 k = 2; k < n; k++)
        emit_uop(p, p->class, p->size, &chain, &chain);
    emit(p, p->class, &chain, &p->out);
    store_all(p, temporary(3));
}

static void compose(struct parts *p)
{
    struct set none = {0};

    switch ((enum x86_recipe)p->insn->def->recipe) {
    case RECIPE_COMPUTE:
    case RECIPE_SPLIT:
        compute(p);
        break;
    case RECIPE_MOVE:
        move(p);
        break;
    case RECIPE_LEA:
        p->n_memory = 0;
        emit(p, p->class, &p->in, &p->out);
        break;
    case RECIPE_PUSH:
        push(p);
        break;
    case RECIPE_POP:
        pop(p);
        break;
    case RECIPE_CALL:
        call(p);
        break;
    case RECIPE_RET:
        ret(p);
        break;
    case RECIPE_BRANCH:
        branch(p);
        break;
    case RECIPE_XCHG:
        exchange(p);
        break;
    case RECIPE_STRING:
        string(p);
        break;
    case RECIPE_DIV:
        divide(p);
        break;
    case RECIPE_GATHER:
        gather(p);
        break;
    case RECIPE_MICROCODE:
        microcode(p);
        break;
    case RECIPE_NONE:
        emit_uop(p, UOP_NOP, 0, &none, &none);
        break;
    }
}

// A move between the integer and the vector side is neither's.
static u8 class_of(const struct x86_insn *i)
{
    bool move = i->def->recipe == RECIPE_MOVE && i->n_operands == 2;
    u8 to = i->o[0].kind, from = i->o[1].kind;

    if (move && to == X86_O_GPR && (from == X86_O_VEC || from == X86_O_MMX))
        return UOP_VEC_TO_INT;
    if (move && from == X86_O_GPR && (to == X86_O_VEC || to == X86_O_MMX))
        return UOP_INT_TO_VEC;
    return i->def->uop;
}

u32 x86_make_recipe(const struct x86_insn *i, struct uop uops[X86_RECIPE_MAX])
{
    struct parts p = {.insn = i, .uops = uops, .class = class_of(i), .size = i->op_bytes};
    struct set none = {0};

    if (i->vec_bytes)
        p.size = i->vec_bytes;
    if (i->n_operands && i->o[0].kind <= X86_O_MEM && i->o[0].size && i->o[0].size < 64)
        p.size = (u8)i->o[0].size;
    if (i->def->mnemonic == 0 || !take_apart(&p))
        emit_uop(&p, UOP_SYSTEM, 0, &none, &none);
    else
        compose(&p);
    return p.n;
}

const char *x86_uop_reg_name(u8 reg)
{
    static const char *const names[UOP_REGS] = {
        "rax",
        "rcx",
        "rdx",
        "rbx",
        "rsp",
        "rbp",
        "rsi",
        "rdi",
        "r8",
        "r9",
        "r10",
        "r11",
        "r12",
        "r13",
        "r14",
        "r15",
        [X86_UREG_CF] = "cf",
        [X86_UREG_OF] = "of",
        [X86_UREG_ZAPS] = "zaps",
        [X86_UREG_DF] = "df",
        [X86_UREG_MXCSR] = "mxcsr",
        [X86_UREG_FCW] = "fcw",
        [X86_UREG_FSW] = "fsw",
        [X86_UREG_ST0] = "st0",
        "st1",
        "st2",
        "st3",
        "st4",
        "st5",
        "st6",
        "st7",
        [X86_UREG_VEC0] = "v0",
        "v1",
        "v2",
        "v3",
        "v4",
        "v5",
        "v6",
        "v7",
        "v8",
        "v9",
        "v10",
        "v11",
        "v12",
        "v13",
        "v14",
        "v15",
        [X86_UREG_TMP0] = "t0",
        "t1",
        "t2",
        "t3",
        "t4",
        "t5",
        "t6",
        "t7",
        [X86_UREG_SYSTEM] = "system",
    };

    return reg < UOP_REGS ? names[reg] : NULL;
}

enum uop_bank x86_uop_reg_bank(u8 reg)
{
    if (reg >= X86_UREG_ST0 && reg < X86_UREG_VEC0 + 16)
        return UOP_BANK_VEC;
    return reg >= X86_UREG_CF && reg <= X86_UREG_DF ? UOP_BANK_FLAGS : UOP_BANK_INT;
}
