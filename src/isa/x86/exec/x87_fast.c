// SPDX-License-Identifier: BSD-3-Clause
// The common x87 instructions, while all exceptions are masked and no register that they use is on
// the wrong side of empty: only their one or two operands go through the host's x87, whose stack is
// otherwise empty. All else, and what is not in make_plan(), takes the way of x87.c.
#include "isa/x86/exec/x87.h"
#include "isa/x86/flags.h"

// What happens to the stack around the host's instruction: values in (ST0, ST(i)), values out.
enum shape {
    SLOW,
    IN0_OUT1, // push
    IN1_OUT1,
    IN1_OUT0, // pop
    IN2_OUT2,
    IN2_OUT1,  // pop ST0
    IN2_OUT0,  // pop both
    COPY_PUSH, // FLD ST(i)
    COPY,      // FST ST(i)
    COPY_POP,
    EXCHANGE,
    CONDITIONAL, // FCMOVcc
};

struct plan {
    u8 shape;                   // enum shape
    u8 i;                       // ST(i) of the guest
    u8 modrm;                   // of the host's instruction, where ST(i) is ST(1)
    bool all_conditions, flags; // C0, C2, C3 and EFLAGS are results
    bool made;
};

#define ALL_MASKED(c) (((c)->s.fcw & X87_FLAGS) == X87_FLAGS)

// x87_fast_<in><out>(ST0, ST(i), memory operand, code): FSW in bits 0-15 of the result, the low
// byte of EFLAGS in bits 24-31. The host's x87 holds no values afterwards; its exception flags
// stay, as the guest's do.
u32 x87_fast_01(void *st0, void *sti, void *mem, const void *code);
u32 x87_fast_11(void *st0, void *sti, void *mem, const void *code);
u32 x87_fast_10(void *st0, void *sti, void *mem, const void *code);
u32 x87_fast_22(void *st0, void *sti, void *mem, const void *code);
u32 x87_fast_21(void *st0, void *sti, void *mem, const void *code);
u32 x87_fast_20(void *st0, void *sti, void *mem, const void *code);

__asm__(".text\n"
        ".macro x87_fast in, out\n"
        ".type x87_fast_\\in\\out, @function\n.hidden x87_fast_\\in\\out\n"
        ".globl x87_fast_\\in\\out\nx87_fast_\\in\\out:\n"
        " .if \\in == 2\n  fldt (%rsi)\n .endif\n"
        " .if \\in >= 1\n  fldt (%rdi)\n .endif\n"
        " call *%rcx\n lahf\n mov %eax, %ecx\n fnstsw %ax\n"
        " .if \\out == 2\n  fstpt (%rdi)\n  fstpt (%rsi)\n .endif\n"
        " .if \\out == 1 && \\in == 2\n  fstpt (%rsi)\n .endif\n"
        " .if \\out == 1 && \\in < 2\n  fstpt (%rdi)\n .endif\n"
        " movzwl %ax, %eax\n shl $16, %ecx\n or %ecx, %eax\n ret\n"
        ".size x87_fast_\\in\\out, . - x87_fast_\\in\\out\n.endm\n"
        "x87_fast 0, 1\n x87_fast 1, 1\n x87_fast 1, 0\n x87_fast 2, 2\n x87_fast 2, 1\n"
        "x87_fast 2, 0\n.purgem x87_fast\n");

static void classify_memory(u32 opcode, u32 digit, struct plan *p)
{
    static const u8 moves[4][8] = {
        [0] = {IN0_OUT1, SLOW, IN1_OUT1, IN1_OUT0, SLOW, SLOW, SLOW, SLOW},             // D9
        [1] = {IN0_OUT1, IN1_OUT0, IN1_OUT1, IN1_OUT0, SLOW, IN0_OUT1, SLOW, IN1_OUT0}, // DB
        [2] = {IN0_OUT1, IN1_OUT0, IN1_OUT1, IN1_OUT0, SLOW, SLOW, SLOW, SLOW},         // DD
        [3] = {IN0_OUT1, IN1_OUT0, IN1_OUT1, IN1_OUT0, SLOW, IN0_OUT1, SLOW, IN1_OUT0}, // DF
    };

    if (opcode & 1) {
        p->shape = moves[opcode >> 1][digit];
        return;
    }
    p->shape = digit == 3 ? IN1_OUT0 : IN1_OUT1; // arithmetic, FCOM, FCOMP
    p->all_conditions = digit == 2 || digit == 3;
}

// D9 E0 to FF: no operand but ST0, ST1.
static void classify_d9(u32 modrm, struct plan *p)
{
    switch (modrm) {
    case 0xe4: // ftst
    case 0xe5: // fxam
        p->all_conditions = true;
        p->shape = IN1_OUT1;
        break;
    case 0xe0: // fchs
    case 0xe1: // fabs
    case 0xfa: // fsqrt
    case 0xfc: // frndint
        p->shape = IN1_OUT1;
        break;
    case 0xe8: // constants
    case 0xe9:
    case 0xea:
    case 0xeb:
    case 0xec:
    case 0xed:
    case 0xee:
        p->shape = IN0_OUT1;
        break;
    case 0xfd: // fscale
        p->shape = IN2_OUT2;
        p->i = 1;
        break;
    }
}

static void two(struct plan *p, enum shape shape, bool all_conditions, bool flags)
{
    p->shape = (u8)shape;
    p->all_conditions = all_conditions;
    p->flags = flags;
}

// Register forms that name ST(i).
static void classify_register(u32 opcode, u32 digit, struct plan *p)
{
    switch (opcode << 3 | digit) {
    case 0 << 3 | 2: // D8 D0: fcom
    case 5 << 3 | 4: // DD E0: fucom
        two(p, IN2_OUT2, true, false);
        break;
    case 0 << 3 | 3: // fcomp
    case 5 << 3 | 5: // fucomp
        two(p, IN2_OUT1, true, false);
        break;
    case 6 << 3 | 3: // DE D9: fcompp
    case 2 << 3 | 5: // DA E9: fucompp
        two(p, p->i == 1 ? IN2_OUT0 : SLOW, true, false);
        break;
    case 3 << 3 | 5: // DB E8: fucomi
    case 3 << 3 | 6: // fcomi
        two(p, IN2_OUT2, false, true);
        break;
    case 7 << 3 | 5: // DF E8: fucomip
    case 7 << 3 | 6: // fcomip
        two(p, IN2_OUT1, false, true);
        break;
    case 1 << 3 | 0: // D9 C0: fld
        p->shape = COPY_PUSH;
        break;
    case 1 << 3 | 1: // fxch
        p->shape = EXCHANGE;
        break;
    case 5 << 3 | 2: // DD D0: fst
        p->shape = COPY;
        break;
    case 5 << 3 | 3: // fstp
        p->shape = COPY_POP;
        break;
    default:
        if (digit == 2 || digit == 3)
            p->shape = opcode == 2 || opcode == 3 ? CONDITIONAL : SLOW;
        else if (opcode == 0 || opcode == 4)
            p->shape = IN2_OUT2;
        else if (opcode == 6)
            p->shape = IN2_OUT1;
        else if ((opcode == 2 || opcode == 3) && digit < 2)
            p->shape = CONDITIONAL;
    }
}

static struct plan make_plan(const u8 *bytes)
{
    u32 opcode = bytes[0] & 7, modrm = bytes[1], digit = modrm >> 3 & 7;
    struct plan p = {.modrm = (u8)modrm};

    if (modrm < 0xc0) {
        classify_memory(opcode, digit, &p);
        return p;
    }
    if (opcode == 1 && modrm >= 0xe0) {
        classify_d9(modrm, &p);
        return p;
    }
    p.i = modrm & 7;
    classify_register(opcode, digit, &p);
    p.modrm = (u8)((modrm & ~7u) | 1);
    if (p.i == 0) { // ST0 with itself
        p.modrm = (u8)modrm;
        if (p.shape == IN2_OUT2)
            p.shape = IN1_OUT1;
        else if (p.shape != COPY_PUSH)
            p.shape = SLOW;
    }
    return p;
}

// The plan is remembered in i->stub, which x87 instructions do not need otherwise.
static struct plan plan_of(const struct x86_insn *i, const u8 *bytes)
{
    uintptr_t word = (uintptr_t)i->stub;
    struct plan p;

    _Static_assert(sizeof(p) == 6 && sizeof(word) == 8, "a plan fits into a pointer");
    if (LIKELY(word)) {
        memcpy(&p, &word, sizeof(p));
        return p;
    }
    p = make_plan(bytes);
    p.made = true;
    memcpy(&word, &p, sizeof(p));
    ((struct x86_insn *)i)->stub = (void *)word;
    return p;
}

static bool in_use(const struct x86_core *c, u32 i)
{
    return c->s.ftw >> ((x87_top(c) + i) & 7) & 1;
}

// Are the registers that the plan reads in use, is the one that it pushes to empty?
static bool registers_fit(const struct x86_core *c, const struct plan *p)
{
    switch (p->shape) {
    case IN0_OUT1:
        return !in_use(c, 7);
    case COPY_PUSH:
        return !in_use(c, 7) && in_use(c, p->i);
    case IN1_OUT1:
    case IN1_OUT0:
    case COPY:
    case COPY_POP:
        return in_use(c, 0);
    case IN2_OUT2:
    case IN2_OUT1:
    case IN2_OUT0:
    case EXCHANGE:
    case CONDITIONAL:
        return in_use(c, 0) && in_use(c, p->i);
    default:
        return false;
    }
}

static void push(struct x86_core *c)
{
    u32 top = (x87_top(c) - 1) & 7;

    c->s.fsw = (u16)((c->s.fsw & ~(u32)X87_TOP) | top << 11);
    c->s.ftw |= (u16)(1u << top);
}

static void pop(struct x86_core *c)
{
    u32 top = x87_top(c);

    c->s.ftw &= (u16) ~(1u << top);
    c->s.fsw = (u16)((c->s.fsw & ~(u32)X87_TOP) | ((top + 1) & 7) << 11);
}

static u32 compute(struct x86_core *c, const struct plan *p, const void *code, void *mem)
{
    static const u16 host = 0x37f;
    u8 *st0 = x87_st(c, p->shape == IN0_OUT1 ? 7 : 0), *sti = x87_st(c, p->i);
    bool other_control = c->s.fcw != host;
    u32 result;
    u16 fsw;

    __asm__ volatile("fnstsw %0" : "=a"(fsw));
    if (UNLIKELY(fsw & X87_FLAGS & ~c->s.fsw)) // flags that the guest has not
        __asm__ volatile("fnclex");
    if (other_control)
        __asm__ volatile("fldcw %0" : : "m"(c->s.fcw));
    switch (p->shape) {
    case IN0_OUT1:
        result = x87_fast_01(st0, sti, mem, code);
        break;
    case IN1_OUT1:
        result = x87_fast_11(st0, sti, mem, code);
        break;
    case IN1_OUT0:
        result = x87_fast_10(st0, sti, mem, code);
        break;
    case IN2_OUT2:
        result = x87_fast_22(st0, sti, mem, code);
        break;
    case IN2_OUT1:
        result = x87_fast_21(st0, sti, mem, code);
        break;
    default:
        result = x87_fast_20(st0, sti, mem, code);
    }
    if (other_control)
        __asm__ volatile("fldcw %0" : : "m"(host));
    return result;
}

// Stack pointer, status and flags after a computation.
static void commit(struct x86_core *c, const struct plan *p, u32 result)
{
    u32 conditions = p->flags ? 0 : X87_C1 | (p->all_conditions ? X87_C0_C2_C3 : 0);

    c->s.fsw = (u16)((c->s.fsw & ~conditions) | (result & (conditions | X87_FLAGS)));
    if (p->flags)
        x86_flags_put(c, result >> 24 & X86_ARITH_FLAGS);
    if (p->shape == IN0_OUT1)
        push(c);
    if (p->shape == IN1_OUT0 || p->shape == IN2_OUT1 || p->shape == IN2_OUT0)
        pop(c);
    if (p->shape == IN2_OUT0)
        pop(c);
}

static void exchange(u8 *a, u8 *b)
{
    u8 t[10];

    memcpy(t, a, 10);
    memcpy(a, b, 10);
    memcpy(b, t, 10);
}

// FCMOVcc: B, E, BE, U and their opposites, as DA or DB C0 + 8 * n.
static bool condition_holds(const struct x86_core *c, const u8 *bytes)
{
    static const u8 conditions[] = {0x2, 0x4, 0x6, 0xa};

    return x86_condition(c, conditions[bytes[1] >> 3 & 3]) != (bytes[0] == 0xdb);
}

// Moves between registers. False if *p is no such thing.
static bool move(struct x86_core *c, const struct plan *p, const u8 *bytes)
{
    u8 *st0 = x87_st(c, 0), *sti = x87_st(c, p->i);

    switch (p->shape) {
    case COPY_PUSH:
        memcpy(x87_st(c, 7), sti, 10);
        push(c);
        break;
    case COPY:
    case COPY_POP:
        memcpy(sti, st0, 10);
        c->s.ftw |= (u16)(1u << ((x87_top(c) + p->i) & 7));
        if (p->shape == COPY_POP)
            pop(c);
        break;
    case EXCHANGE:
        exchange(st0, sti);
        break;
    case CONDITIONAL:
        if (condition_holds(c, bytes))
            memcpy(st0, sti, 10);
        return true; // C1 stays
    default:
        return false;
    }
    c->s.fsw &= (u16)~X87_C1;
    return true;
}

bool x87_fast(struct x86_core *c, const struct x86_insn *i, const u8 *bytes,
              enum x86_result *ret_result)
{
    struct plan p = plan_of(i, bytes);
    bool store = i->mem.size && i->o[0].kind == X86_O_MEM && i->o[0].action & X86_WRITE;
    enum x86_result r = X86_OK;
    u8 copy[16] = {0};
    u64 linear;
    u32 result;

    if (p.shape == SLOW || !ALL_MASKED(c) || c->watched || !registers_fit(c, &p))
        return false;
    if (move(c, &p, bytes)) {
        c->s.fip = i->si.pc;
        *ret_result = X86_OK;
        return true;
    }
    if (i->mem.size) {
        r = x86_operand_address(c, i, store ? CORE_WRITE : CORE_READ, &linear);
        if (!r)
            r = store ? x86_probe_write(c, linear, i->mem.size)
                      : x86_load(c, linear, copy, i->mem.size);
        if (r && store)
            return false; // x87.c knows what is stored before a fault
    }
    if (!r) {
        result = compute(c, &p, x87_code_of(bytes[0], p.modrm), copy);
        if (store)
            r = x86_store(c, linear, copy, i->mem.size);
        commit(c, &p, result);
        c->s.fip = i->si.pc;
    }
    *ret_result = r;
    return true;
}
