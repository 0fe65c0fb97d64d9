// SPDX-License-Identifier: BSD-3-Clause
// Stubs against native execution of the same bytes: every encoding of the vector opcode maps that a
// stub can be made for, register and memory forms, with random and corner operands. Registers,
// memory, arithmetic flags and MXCSR must agree.
#include "isa/x86/stub.h"

#include "base/alloc.h"
#include "base/bug.h"
#include "base/error.h"
#include "isa/x86/stub_code.h"

#include <Zydis/Zydis.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
// cmocka needs the four above first
#include <cmocka.h>

// What native_run loads and stores; the offsets are in its assembler text.
struct native {
    u64 gpr[16];    // 0; rsp is not loaded
    u64 rflags;     // 128
    u32 mxcsr, pad; // 136
    u8 mm[8][8];    // 144
    u8 ymm[16][32]; // 208
};

void native_run(struct native *n, const void *code);

// Code ends with ret. The flags survive push, pop and mov.
__asm__(".text\n.globl native_run\n.type native_run, @function\nnative_run:\n"
        "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
        "sub $8, %rsp\n stmxcsr (%rsp)\n push %rdi\n push %rsi\n"
        "ldmxcsr 136(%rdi)\n"
        ".irp n,0,1,2,3,4,5,6,7\n movq 144+\\n*8(%rdi), %mm\\n\n .endr\n"
        ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        " vmovdqu 208+\\n*32(%rdi), %ymm\\n\n .endr\n"
        "push 128(%rdi)\n popfq\n"
        "mov 0(%rdi), %rax\n mov 8(%rdi), %rcx\n mov 16(%rdi), %rdx\n mov 24(%rdi), %rbx\n"
        "mov 40(%rdi), %rbp\n mov 48(%rdi), %rsi\n"
        "mov 64(%rdi), %r8\n mov 72(%rdi), %r9\n mov 80(%rdi), %r10\n mov 88(%rdi), %r11\n"
        "mov 96(%rdi), %r12\n mov 104(%rdi), %r13\n mov 112(%rdi), %r14\n mov 120(%rdi), %r15\n"
        "mov 56(%rdi), %rdi\n"
        "call *(%rsp)\n"
        "push %rdi\n mov 16(%rsp), %rdi\n pop 56(%rdi)\n pushfq\n pop 128(%rdi)\n"
        "mov %rax, 0(%rdi)\n mov %rcx, 8(%rdi)\n mov %rdx, 16(%rdi)\n mov %rbx, 24(%rdi)\n"
        "mov %rbp, 40(%rdi)\n mov %rsi, 48(%rdi)\n"
        "mov %r8, 64(%rdi)\n mov %r9, 72(%rdi)\n mov %r10, 80(%rdi)\n mov %r11, 88(%rdi)\n"
        "mov %r12, 96(%rdi)\n mov %r13, 104(%rdi)\n mov %r14, 112(%rdi)\n mov %r15, 120(%rdi)\n"
        ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        " vmovdqu %ymm\\n, 208+\\n*32(%rdi)\n .endr\n"
        ".irp n,0,1,2,3,4,5,6,7\n movq %mm\\n, 144+\\n*8(%rdi)\n .endr\n"
        "emms\n vzeroupper\n stmxcsr 136(%rdi)\n"
        "pop %rsi\n pop %rdi\n ldmxcsr (%rsp)\n add $8, %rsp\n"
        "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n"
        ".size native_run, . - native_run\n");

struct bench {
    struct x86_stubs *stubs;
    struct x86_core *core;
    u8 *code; // one page, written and executed: this is a test
    u64 seed;
    u32 forms, cases;
    _Alignas(64) u8 memory[64], before[64];
};

static u64 next(struct bench *b)
{
    b->seed ^= b->seed << 13;
    b->seed ^= b->seed >> 7;
    b->seed ^= b->seed << 17;
    return b->seed * 0x2545f4914f6cdd1d;
}

static const u64 corners64[] = {
    0,
    0x8000000000000000, // -0
    0x3ff0000000000000, // 1
    0xbff8000000000000, // -1.5
    0x7ff0000000000000, // infinity
    0xfff0000000000000,
    0x7ff8000000000001, // quiet NaN
    0x7ff0000000000001, // signalling NaN
    0x000fffffffffffff, // denormals
    0x8000000000000001,
    0x0010000000000000, // smallest normal
    0x7fefffffffffffff, // largest
    0x41dfffffffc00000, // 2^31 - 1
    0xc3e0000000000000, // -2^63
    0x433fffffffffffff,
    0xffffffffffffffff,
};

static const u32 corners32[] = {0,          0x80000000, 0x3f800000, 0xbfc00000, 0x7f800000,
                                0xff800000, 0x7fc00001, 0x7f800001, 0x007fffff, 0x80000001,
                                0x00800000, 0x7f7fffff, 0x4effffff, 0xcf000000, 0x4b7fffff};

// Fills n bytes, n a multiple of 8: random bits, or corner cases of one of the formats, or small
// integers (shift counts, lengths).
static void fill(struct bench *b, u8 *data, u32 n)
{
    u64 style = next(b) >> 60, v;

    for (u32 k = 0; k < n; k += 8) {
        v = next(b);
        if (style < 4)
            v = corners64[v >> 60];
        else if (style < 8)
            v = corners32[(v >> 56) % ARRAY_SIZE(corners32)] |
                (u64)corners32[(v >> 48) % ARRAY_SIZE(corners32)] << 32;
        else if (style < 9)
            v &= 0x3f;
        else if (style < 10)
            v &= 0x0f0f0f0f8f0f0f0f;
        memcpy(data + k, &v, 8);
    }
}

static void print_bytes(const char *what, const u8 *p, u32 n)
{
    print_error("%-8s", what);
    for (u32 k = 0; k < n; k++)
        print_error("%02x", p[n - 1 - k]);
    print_error("\n");
}

static void compare(const struct bench *b, const struct native *n, const u8 *native_memory,
                    const struct native *in, u32 mxcsr, const u8 *insn, u32 len)
{
    const struct x86_core *c = b->core;
    bool same = mxcsr == n->mxcsr && (((c->s.rflags ^ n->rflags) & X86_ARITH_FLAGS) == 0) &&
                memcmp(c->s.gpr, n->gpr, sizeof(n->gpr)) == 0 &&
                memcmp(c->s.ymm, n->ymm, sizeof(n->ymm)) == 0 &&
                memcmp(b->memory, native_memory, sizeof(b->memory)) == 0;

    for (u32 k = 0; k < 8; k++)
        same = same && memcmp(c->s.x87 + 16 * k, n->mm[k], 8) == 0;
    if (same)
        return;
    print_bytes("code", insn, len);
    print_error("mxcsr in %x native %x stub %x; flags %x %x\n", in->mxcsr, n->mxcsr, mxcsr,
                (u32)n->rflags & X86_ARITH_FLAGS, (u32)c->s.rflags & X86_ARITH_FLAGS);
    for (u32 k = 0; k < 16; k++) {
        if (memcmp(n->ymm[k], &c->s.ymm[4 * k], 32) != 0) {
            print_error("ymm%u\n", k);
            print_bytes("in", in->ymm[k], 32);
            print_bytes("native", n->ymm[k], 32);
            print_bytes("stub", (const u8 *)&c->s.ymm[4 * k], 32);
        }
        if (n->gpr[k] != c->s.gpr[k])
            print_error("gpr%u native %lx stub %lx\n", k, n->gpr[k], c->s.gpr[k]);
    }
    print_bytes("mem", b->before, 64);
    fail();
}

static void run_case(struct bench *b, x86_stub_fn *stub, const u8 *insn, u32 len)
{
    static const u32 mxcsrs[] = {0x1f80, 0x1f80, 0x1fc0, 0x9f80, 0xffc0, 0x3f80, 0x5f80, 0x7fbf};
    struct native n, in;
    u8 native_memory[64];
    u32 mxcsr, host_mxcsr;

    fill(b, (u8 *)n.gpr, sizeof(n.gpr));
    fill(b, (u8 *)n.mm, sizeof(n.mm));
    for (u32 k = 0; k < 16; k++)
        fill(b, n.ymm[k], 32);
    fill(b, b->before, 64);
    n.rflags = (next(b) & X86_ARITH_FLAGS) | 2;
    n.mxcsr = mxcsrs[next(b) >> 61];
    n.gpr[X86_RSP] = 0;
    n.gpr[X86_RDX] = (u64)b->memory;
    in = n;
    memcpy(b->core->s.gpr, n.gpr, sizeof(n.gpr));
    memcpy(b->core->s.ymm, n.ymm, sizeof(n.ymm));
    for (u32 k = 0; k < 8; k++)
        memcpy(b->core->s.x87 + 16 * k, n.mm[k], 8);
    b->core->s.rflags = n.rflags;

    memcpy(b->memory, b->before, 64);
    native_run(&n, b->code);
    memcpy(native_memory, b->memory, 64);

    memcpy(b->memory, b->before, 64);
    mxcsr = in.mxcsr;
    __asm__ volatile("stmxcsr %0; ldmxcsr %1" : "=m"(host_mxcsr) : "m"(mxcsr));
    x86_stub_call(stub, b->core, b->memory);
    __asm__ volatile("stmxcsr %0; ldmxcsr %1" : "=m"(mxcsr) : "m"(host_mxcsr));
    compare(b, &n, native_memory, &in, mxcsr, insn, len);
    b->cases++;
}

// rsp as an operand, and 64-bit pushes of state that the test does not carry, are left out.
static bool wanted(const u8 *insn, u32 len, u32 *ret_len)
{
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecodedInstruction z;
    ZydisDecoder d;

    ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&d, insn, len, &z, o)))
        return false;
    for (u32 k = 0; k < z.operand_count; k++) {
        if (o[k].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, o[k].reg.value) ==
                ZYDIS_REGISTER_RSP)
            return false;
    }
    switch (z.meta.isa_set) {
    case ZYDIS_ISA_SET_SSE:
    case ZYDIS_ISA_SET_SSE2:
    case ZYDIS_ISA_SET_SSE2MMX:
    case ZYDIS_ISA_SET_SSE3:
    case ZYDIS_ISA_SET_SSSE3:
    case ZYDIS_ISA_SET_SSSE3MMX:
    case ZYDIS_ISA_SET_SSE4:
    case ZYDIS_ISA_SET_SSE42:
    case ZYDIS_ISA_SET_SSEMXCSR:
    case ZYDIS_ISA_SET_PENTIUMMMX:
    case ZYDIS_ISA_SET_AES:
    case ZYDIS_ISA_SET_PCLMULQDQ:
    case ZYDIS_ISA_SET_SHA:
    case ZYDIS_ISA_SET_AVX:
    case ZYDIS_ISA_SET_AVX2:
    case ZYDIS_ISA_SET_AVXAES:
    case ZYDIS_ISA_SET_F16C:
    case ZYDIS_ISA_SET_FMA:
        break;
    default:
        return false;
    }
    if (z.mnemonic == ZYDIS_MNEMONIC_LDMXCSR || z.mnemonic == ZYDIS_MNEMONIC_STMXCSR ||
        z.mnemonic == ZYDIS_MNEMONIC_VLDMXCSR || z.mnemonic == ZYDIS_MNEMONIC_VSTMXCSR)
        return false;
    *ret_len = z.length;
    return true;
}

static void run_form(struct bench *b, const u8 *insn, u32 room, u32 times)
{
    x86_stub_fn *stub;
    u32 len;

    if (!wanted(insn, room, &len))
        return;
    stub = x86_stub_find(b->stubs, X86_CODE64, insn, len);
    if (!stub)
        return;
    memcpy(b->code, insn, len);
    b->code[len] = 0xc3;
    b->forms++;
    for (u32 k = 0; k < times; k++)
        run_case(b, stub, insn, len);
}

static u8 random_modrm(struct bench *b, u32 digit, bool mem)
{
    u32 r = (u32)(next(b) >> 40);

    return (u8)((mem ? X86_RDX : 0xc0 | (r & 7)) | digit << 3);
}

static void legacy_forms(struct bench *b, u32 map, u32 opcode, u32 digit)
{
    static const u8 prefixes[] = {0, 0x66, 0xf3, 0xf2};

    for (u32 k = 0; k < 16; k++) {
        u8 insn[16] = {0};
        u32 n = 0, rex = (u32)(next(b) >> 61);

        if (prefixes[k & 3])
            insn[n++] = prefixes[k & 3];
        insn[n++] = (u8)(0x40 | (k & 4) << 1 | (k & 8 ? rex & 6 : rex & 7)); // W, R, X, B
        insn[n++] = 0x0f;
        if (map > 1)
            insn[n++] = map == 2 ? 0x38 : 0x3a;
        insn[n++] = (u8)opcode;
        insn[n++] = random_modrm(b, digit, k & 8);
        insn[n] = (u8)(next(b) >> 50);
        run_form(b, insn, 15, 12);
    }
}

static void vex_forms(struct bench *b, u32 map, u32 opcode, u32 digit)
{
    for (u32 k = 0; k < 64; k++) {
        u32 r = (u32)(next(b) >> 32), vvvv = k & 32 ? 15 : r >> 8 & 15;
        u8 insn[16] = {0xc4,
                       (u8)((k & 8 ? r | 0x20 : r) & 0xe0) | (u8)map,
                       (u8)((k & 4) << 5 | vvvv << 3 | (k & 16) >> 2 | (k & 3)),
                       (u8)opcode,
                       random_modrm(b, digit, k & 8),
                       (u8)(r >> 12)};

        run_form(b, insn, 15, 6);
    }
}

static void stubs_agree_with_native_execution(void **state)
{
    struct bench *b = *state;

    for (u32 map = 1; map <= 3; map++) {
        for (u32 opcode = 0; opcode < 256; opcode++) {
            if (map == 1 && (opcode == 0x38 || opcode == 0x3a))
                continue; // the other maps
            for (u32 digit = 0; digit < 8; digit++) {
                legacy_forms(b, map, opcode, digit);
                vex_forms(b, map, opcode, digit);
            }
        }
    }
    print_message("%u encodings, %u cases\n", b->forms, b->cases);
    assert_true(b->forms > 10000);
}

static void a_full_arena_refuses_and_single_calls_still_work(void **state)
{
    struct bench *b = *state;
    struct error err;
    struct x86_stubs *s = x86_stubs_new(&err);
    u8 insn[] = {0x66, 0x44, 0x0f, 0x70, 0xc1, 0}; // pshufd xmm8, xmm1, imm
    u32 made = 0;

    assert_non_null(s);
    for (u32 regs = 0; regs < 256; regs++) {
        for (u32 imm = 0; imm < 256; imm++) {
            insn[1] = (u8)(0x40 | (regs >> 5 & 4) | (regs >> 3 & 1));
            insn[4] = (u8)(0xc0 | (regs & 7) | (regs >> 1 & 0x38));
            insn[5] = (u8)imm;
            made += x86_stub_find(s, X86_CODE64, insn, 6) != NULL;
        }
        for (u32 imm = 0; imm < 256; imm++) { // palignr xmm, xmm, imm
            const u8 more[] = {0x66, insn[1], 0x0f, 0x3a, 0x0f, insn[4], (u8)imm};
            const u8 third[] = {0xc4, (u8)(0x60 | (insn[1] & 1) << 7), 1, 0xc6, insn[4], (u8)imm};

            made += x86_stub_find(s, X86_CODE64, more, 7) != NULL;
            made += x86_stub_find(s, X86_CODE64, third, 6) != NULL;
        }
    }
    assert_true(made > 65536 && made < 3 * 65536);
    memset(b->core->s.ymm, 0x5a, 32);
    assert_true(
        x86_stub_call_once(s, b->core, X86_CODE64, (const u8 *)"\x66\x0f\xef\xc0", 4, NULL));
    assert_int_equal(b->core->s.ymm[0], 0);
    assert_int_equal(b->core->s.ymm[2], 0x5a5a5a5a5a5a5a5a);
    x86_stubs_free(s);
}

static int set_up(void **state)
{
    struct bench *b = aligned_alloc(64, sizeof(*b));
    struct error err;

    memset(b, 0, sizeof(*b));
    b->stubs = x86_stubs_new(&err);
    b->core = xcalloc(1, sizeof(*b->core));
    b->code =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    b->seed = 88172645463325252;
    ASSERT(b->stubs && b->code != MAP_FAILED);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    x86_stubs_free(b->stubs);
    munmap(b->code, 4096);
    free(b->core);
    free(b);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stubs_agree_with_native_execution),
        cmocka_unit_test(a_full_arena_refuses_and_single_calls_still_work),
    };

    return cmocka_run_group_tests_name("stub", tests, set_up, tear_down);
}
