// SPDX-License-Identifier: BSD-3-Clause
// Integer instructions, decoded and executed, against the host's own processor: the same bytes run
// on both with the same registers, flags and memory. Guest memory is the host's, address by
// address.
#include "isa/x86/feature.h"
#include "isa/x86/flags.h"
#include "isa/x86/mem.h"
#include "isa/x86/step.h"
#include "isa/x86/vendor_test.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

#define ROUNDS 200
#define CODE_MAX 63

// Two pages for data, one for the guest's code, one for the native stub.
struct bench {
    struct x86_core *core;
    u8 *data; // RBX points into the middle of it
    u8 *code;
    u8 *stub;
    struct rng rng;
};

struct regs {
    u64 gpr[16]; // RSP is not part of it
    u64 flags;
};

// Physical memory that is the host's, address by address, below 4 GiB.
static bool flat_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    memcpy(write ? (void *)addr : data, write ? data : (void *)addr, size);
    return true;
}

static u8 *flat_page(void *ctx, paddr page, bool write)
{
    return (u8 *)page;
}

static int bench_new(void **state)
{
    static const struct mem_port_ops flat = {.access = flat_access, .host_page = flat_page};
    struct bench *b = calloc(1, sizeof(*b));
    u8 *pages = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    struct error err;

    b->core = calloc(1, sizeof(*b->core));
    b->data = pages;
    b->code = pages + 2 * 4096;
    b->stub = pages + 3 * 4096;
    b->rng.state = 1;
    if (!x86_core_init(b->core, 0, &(struct mem_port){.ops = &flat}, "x86-64-v3", &err))
        fail_msg("%s", err.message);
    // 64-bit code without paging: no processor has that, but it is all that these tests need.
    b->core->s.efer = X86_EFER_LMA;
    b->core->s.seg_attr[X86_CS] |= X86_ATTR_L;
    x86_state_loaded(b->core);
    *state = b;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *b = *state;

    munmap(b->data, 4 * 4096);
    x86_core_release(b->core);
    free(b->core);
    free(b);
    return 0;
}

// Runs `bytes` natively on *r: a function that loads all registers but RSP from [rdi], executes,
// and stores them again. R15 holds the address of the registers around the instruction.
static void run_native(struct bench *b, const u8 *bytes, u32 n, struct regs *r)
{
    static const u8 head[] = {
        0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57, // push rbx rbp r12-r15
        0x49, 0x89, 0xff,                                           // mov r15, rdi
        0x41, 0xff, 0xb7, 0x80, 0x00, 0x00, 0x00,                   // push [r15 + 128]
        0x9d,                                                       // popf
    };
    static const u8 tail[] = {
        0x9c,                                     // pushf
        0x41, 0x8f, 0x87, 0x80, 0x00, 0x00, 0x00, // pop [r15 + 128]
    };
    static const u8 end[] = {0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3};
    u8 *p = b->stub;
    void (*f)(struct regs *);

    memcpy(p, head, sizeof(head));
    p += sizeof(head);
    for (u32 store = 0; store < 2; store++) {
        for (u8 reg = 0; reg < 15; reg++) { // mov reg, [r15 + 8 * reg] or the other way round
            const u8 move[] = {(u8)(0x49 | (reg >> 3) << 2), store ? 0x89 : 0x8b,
                               (u8)(0x47 | (reg & 7) << 3), (u8)(reg * 8)};

            if (reg != X86_RSP) {
                memcpy(p, move, 4);
                p += 4;
            }
        }
        if (!store) {
            memcpy(p, bytes, n);
            p += n;
            memcpy(p, tail, sizeof(tail));
            p += sizeof(tail);
        }
    }
    memcpy(p, end, sizeof(end));
    memcpy(&f, &(u8 *){b->stub}, sizeof(f));
    f(r);
}

static u64 interesting(struct rng *rng)
{
    static const u64 corner[] = {0,          1,          2,          0x7f,   0x80,
                                 0xff,       0x7fff,     0x8000,     0xffff, 0x7fffffff,
                                 0x80000000, 0xffffffff, 1ull << 63, ~0ull,  INT64_MAX};
    u64 v = rng_next(rng);

    switch (rng_below(rng, 4)) {
    case 0:
        return corner[rng_below(rng, ARRAY_SIZE(corner))];
    case 1:
        return v >> rng_below(rng, 64);
    default:
        return v;
    }
}

struct test_case {
    const char *name;
    u8 n;
    u8 bytes[CODE_MAX];
    u32 ignored; // undefined flags that differ between processors, and HALVES
};

// The upper halves of RCX, RSI and RDI are those of an Intel processor (DIFFERS_REP_NARROW).
#define HALVES (1u << 31)

static void show(const struct test_case *t, const struct regs *in, const struct regs *want,
                 const struct regs *got)
{
    print_message("%s\n", t->name);
    for (u32 n = 0; n < 16; n++)
        if (want->gpr[n] != got->gpr[n])
            print_message("  r%u: in %lx, native %lx, facet %lx\n", n, in->gpr[n], want->gpr[n],
                          got->gpr[n]);
    print_message("  flags: in %lx, native %lx, facet %lx (rax %lx rcx %lx)\n", in->flags,
                  want->flags, got->flags, in->gpr[0], in->gpr[1]);
}

static void run_facet(struct bench *b, const struct test_case *t, struct regs *r)
{
    struct x86_core *c = b->core;
    struct x86_insn i;
    enum x86_result result;

    memcpy(b->code, t->bytes, t->n);
    memcpy(c->s.gpr, r->gpr, sizeof(r->gpr));
    c->s.rflags = (c->s.rflags & ~(u64)X86_ARITH_FLAGS) | r->flags;
    c->lazy.kind = LAZY_NONE;
    c->s.rip = (u64)b->code;
    do {
        result = x86_step(c, &i);
    } while (result == X86_AGAIN || (result == X86_OK && c->s.rip < (u64)b->code + t->n));
    if (result != X86_OK)
        fail_msg("%s: result %d, vector %u", t->name, result, c->fault.vector);
    if (c->s.rip != (u64)b->code + t->n)
        fail_msg("%s: rip", t->name);
    memcpy(r->gpr, c->s.gpr, sizeof(r->gpr));
    r->flags = x86_flags_get(c) | (c->s.rflags & X86_DF);
}

// The data pages before and after, natively and by facet.
static void compare(struct bench *b, const struct test_case *t, const struct regs *in)
{
    struct regs want = *in, got = *in;
    static u8 before[2 * 4096], after[2 * 4096];

    memcpy(before, b->data, sizeof(before));
    run_native(b, t->bytes, t->n, &want);
    want.flags &= X86_ARITH_FLAGS | X86_DF;
    memcpy(after, b->data, sizeof(after));
    memcpy(b->data, before, sizeof(before));
    run_facet(b, t, &got);
    want.gpr[X86_RSP] = got.gpr[X86_RSP];
    if (t->ignored & HALVES && vendor_differs(DIFFERS_REP_NARROW)) {
        static const u8 regs[] = {X86_RCX, X86_RSI, X86_RDI};

        for (u32 n = 0; n < ARRAY_SIZE(regs); n++) {
            want.gpr[regs[n]] = (u32)want.gpr[regs[n]];
            got.gpr[regs[n]] = (u32)got.gpr[regs[n]];
        }
    }
    if (memcmp(want.gpr, got.gpr, sizeof(want.gpr)) != 0 ||
        ((want.flags ^ got.flags) & ~(u64)t->ignored)) {
        show(t, in, &want, &got);
        fail();
    }
    if (memcmp(after, b->data, sizeof(after)) != 0)
        fail_msg("%s: memory differs", t->name);
}

static void random_input(struct bench *b, struct regs *r)
{
    for (u32 n = 0; n < 16; n++)
        r->gpr[n] = interesting(&b->rng);
    r->gpr[X86_RBX] = (u64)b->data + 4096 - rng_below(&b->rng, 16); // often across the border
    r->gpr[15] = 0;
    r->flags = rng_next(&b->rng) & X86_ARITH_FLAGS;
    for (u32 n = 0; n < 2 * 4096; n += 8) {
        u64 v = interesting(&b->rng);

        if (n > 3968 && n < 4224)
            memcpy(b->data + n, &v, 8);
    }
}

#define ZAPS (X86_ZF | X86_AF | X86_PF | X86_SF)

// Operands: rax, rcx and others, or [rbx]; R15 must not be touched.
#define INSTRUCTION(text, ignored) {text, ignored},
static const struct {
    const char *text;
    u32 ignored;
} list[] = {
#include "isa/x86/exec_test.def"
};
#undef INSTRUCTION

// Their code, from the compiler's assembler: a length and CODE_MAX bytes each.
__asm__(".pushsection .rodata\n.intel_syntax noprefix\nexec_test_code:\n"
#define INSTRUCTION(text, ignored) ".byte 2f - 1f\n1: " text "\n2: .fill 63 - (2b - 1b), 1, 0x90\n"
#include "isa/x86/exec_test.def"
#undef INSTRUCTION
        ".att_syntax prefix\n.popsection\n");
extern const u8 exec_test_code[][CODE_MAX + 1];

static void same_as_the_host(void **state)
{
    struct bench *b = *state;
    struct regs in;

    for (u32 n = 0; n < ARRAY_SIZE(list); n++) {
        struct test_case t = {
            .name = list[n].text, .n = exec_test_code[n][0], .ignored = list[n].ignored};

        memcpy(t.bytes, &exec_test_code[n][1], CODE_MAX);
        for (u32 round = 0; round < ROUNDS; round++) {
            random_input(b, &in);
            compare(b, &t, &in);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(same_as_the_host, bench_new, bench_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
