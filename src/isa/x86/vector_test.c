// SPDX-License-Identifier: BSD-3-Clause
// Vector instructions, decoded and executed, against native execution of the same bytes: every
// encoding of the vector opcode maps that decodes to a row of def/vector.def, register and memory
// forms, aligned or not, random and corner operands, all kinds of MXCSR. Registers, memory,
// arithmetic flags, MXCSR and faults must agree.
#include "isa/x86/decode.h"
#include "isa/x86/feature.h"
#include "isa/x86/flags.h"
#include "isa/x86/native_test.h"
#include "isa/x86/stub.h"
#include "isa/x86/table.h"
#include "isa/x86/vendor_test.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <Zydis/Zydis.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { DATA_BYTES = 2 * 4096, WINDOW = 128 };

struct bench {
    struct x86_core *core;
    u8 *data; // DATA_BYTES
    u8 *code;
    struct rng rng;
    u32 forms, cases, faults, failures;
    bool seen[4096]; // rows
};

static const u64 corners64[] = {
    0,
    0x8000000000000000, // -0
    0x3ff0000000000000, // 1
    0xbff8000000000000, // -1.5
    0x7ff0000000000000, // infinity
    0xfff0000000000000, //
    0x7ff8000000000001, // quiet NaN
    0x7ff0000000000001, // signalling NaN
    0x000fffffffffffff, // denormals
    0x8000000000000002, //
    0x0010000000000000, // smallest normal
    0x7fefffffffffffff, // largest
    0x41dfffffffc00000, // 2^31 - 1
    0xc3e0000000000000, // -2^63
    0x433fffffffffffff, //
    0x3fe0000000000000, // 0.5
};

static const u32 corners32[] = {
    0,          0x80000000, 0x3f800000, 0xbfc00000, 0x7f800000, 0xff800000, 0x7fc00001, 0x7f800001,
    0x007fffff, 0x80000002, 0x00800000, 0x7f7fffff, 0x4effffff, 0xcf000000, 0x4b7fffff, 0x3f000000};

// Fills n bytes, n a multiple of 8: random bits, or corner cases of one of the formats, or numbers
// of ordinary size, or small integers (shift counts, lengths).
static void fill(struct rng *rng, u8 *data, u32 n)
{
    u64 style = rng_below(rng, 16), v;

    for (u32 k = 0; k < n; k += 8) {
        v = rng_next(rng);
        if (style < 3)
            v = corners64[v >> 60];
        else if (style < 6)
            v = corners32[v >> 60] | (u64)corners32[v >> 56 & 15] << 32;
        else if (style < 8)
            v = (v & 0xbfffffffbfffffff) | (v & 1 ? 0x3f0000003f000000 : 0x3ff000003ff00000);
        else if (style < 9)
            v &= 0x3f;
        else if (style < 10)
            v &= 0x0f0f0f0f8f0f0f0f;
        memcpy(data + k, &v, 8);
    }
}

static void random_state(struct bench *b, struct native *n, u64 address)
{
    static const u16 mxcsrs[] = {0x1f80, 0x1f80, 0x1f80, 0x1fc0, 0x9f80, 0xffc0, 0x3f80, 0x5f80,
                                 0x7fbf, 0x0000, 0x1f00, 0x1780, 0x9780, 0x0f80, 0x1b80, 0x1d80};
    u32 mxcsr = mxcsrs[rng_below(&b->rng, ARRAY_SIZE(mxcsrs))];

    memset(n, 0, sizeof(*n));
    fill(&b->rng, (u8 *)n->gpr, sizeof(n->gpr));
    for (u32 k = 0; k < 16; k++)
        fill(&b->rng, n->ymm[k], 32);
    n->rflags = (rng_next(&b->rng) & X86_ARITH_FLAGS) | 0x202;
    for (u32 k = 0; k < 8; k++) {
        fill(&b->rng, n->fx + 32 + 16 * k, 16);
        memset(n->fx + 32 + 16 * k + 10, 0, 6);
    }
    memcpy(n->fx, &(u16){0x37f}, 2);
    memcpy(n->fx + 2, &(u16){(u16)(rng_next(&b->rng) & 0x3800)}, 2);
    n->fx[4] = (u8)rng_next(&b->rng);
    memcpy(n->fx + 24, &mxcsr, 4);
    n->gpr[X86_RSP] = 0;
    n->gpr[X86_RDX] = n->gpr[X86_RDI] = address;
}

static u32 mxcsr_of(const struct native *n)
{
    u32 v;

    memcpy(&v, n->fx + 24, 4);
    return v;
}

static bool same_state(const struct native *a, const struct native *b)
{
    for (u32 k = 0; k < 8; k++)
        if (memcmp(a->fx + 32 + 16 * k, b->fx + 32 + 16 * k, 10) != 0)
            return false;
    return memcmp(a->gpr, b->gpr, sizeof(a->gpr)) == 0 &&
           ((a->rflags ^ b->rflags) & X86_ARITH_FLAGS) == 0 &&
           memcmp(a->ymm, b->ymm, sizeof(a->ymm)) == 0 && memcmp(a->fx, b->fx, 5) == 0 &&
           mxcsr_of(a) == mxcsr_of(b);
}

static void print_bytes(const char *what, const u8 *p, u32 n)
{
    print_error("  %-7s", what);
    for (u32 k = 0; k < n; k++)
        print_error("%02x", p[n - 1 - k]);
    print_error("\n");
}

static void show(const struct bench *b, const u8 *bytes, u32 len, const struct native *in,
                 const struct native *want, const struct native *got)
{
    const struct x86_core *c = b->core;

    print_error("bytes");
    for (u32 k = 0; k < len; k++)
        print_error(" %02x", bytes[k]);
    print_error(" fault %u\n  mxcsr in %x host %x ours %x; flags %x %x; fsw %x %x ftw %x %x\n",
                c->fault.vector, mxcsr_of(in), mxcsr_of(want), mxcsr_of(got),
                (u32)want->rflags & X86_ARITH_FLAGS, (u32)got->rflags & X86_ARITH_FLAGS,
                want->fx[2] | want->fx[3] << 8, got->fx[2] | got->fx[3] << 8, want->fx[4],
                got->fx[4]);
    for (u32 k = 0; k < 16; k++) {
        if (memcmp(want->ymm[k], got->ymm[k], 32) != 0) {
            print_error("  ymm%u\n", k);
            print_bytes("in", in->ymm[k], 32);
            print_bytes("host", want->ymm[k], 32);
            print_bytes("ours", got->ymm[k], 32);
        }
        if (want->gpr[k] != got->gpr[k])
            print_error("  gpr%u host %lx ours %lx\n", k, want->gpr[k], got->gpr[k]);
    }
}

static bool same_fault(enum native_fault f, enum x86_result r, const struct x86_core *c)
{
    switch (f) {
    case NATIVE_OK:
        return r == X86_OK;
    case NATIVE_SEGV:
        return r == X86_FAULT && c->fault.vector == X86_EXC_GP && c->fault.error == 0;
    case NATIVE_FPE:
        return r == X86_FAULT && c->fault.vector == X86_EXC_XM;
    case NATIVE_ILL:
        return r == X86_FAULT && c->fault.vector == X86_EXC_UD;
    default:
        return false;
    }
}

// The instruction has an operand that must be aligned on the guest's processor, not on the host's.
static bool host_is_laxer(const struct x86_insn *i)
{
    return i->def->feature == X86_FEATURE_SHA && i->mem.size &&
           vendor_differs(DIFFERS_SHA_ALIGNMENT);
}

// Facet has its own approximations (exec/approx.c).
static bool is_approximation(const struct x86_insn *i)
{
    switch (i->si.opcode) {
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

static void run_case(struct bench *b, const struct x86_insn *i)
{
    const u8 *bytes = i->bytes;
    u32 len = i->si.len;
    static const u32 offsets[] = {0, 0, 0, 0, 16, 8, 4096 - 16, 4096 - 1, 4096 - 8, 4096 - 20};
    u32 at = 1024 + offsets[rng_below(&b->rng, ARRAY_SIZE(offsets))];
    u8 before[WINDOW], after[WINDOW];
    u8 *window;
    struct native in, want, got;
    enum native_fault f;
    enum x86_result r;

    if (at > 2048)
        at -= 1024;
    if (host_is_laxer(i))
        at &= ~15u;
    window = b->data + at - WINDOW / 2;
    random_state(b, &in, (u64)b->data + at);
    fill(&b->rng, before, WINDOW);
    if (rng_below(&b->rng, 2)) // a plausible MXCSR
        memset(before + WINDOW / 2 + 2, 0, 2);

    memcpy(window, before, WINDOW);
    want = in;
    f = native_run(&want, b->code, bytes, len);
    memcpy(after, window, WINDOW);
    memcpy(window, before, WINDOW);
    r = native_core_run(b->core, b->code, &in, &got);
    b->cases++;
    b->faults += f != NATIVE_OK;
    if (f != NATIVE_OK) {
        u32 mxcsr = mxcsr_of(&want);

        want = in;
        memcpy(want.fx + 24, &mxcsr, 4);
    }
    if (is_approximation(i))
        vendor_take_approximations(got.ymm[i->o[0].reg], want.ymm[i->o[0].reg], 32);
    if (same_fault(f, r, b->core) && same_state(&want, &got) && memcmp(window, after, WINDOW) == 0)
        return;
    print_error("native fault %u, result %u\n", f, r);
    show(b, bytes, len, &in, &want, &got);
    print_bytes("memory", before + WINDOW / 2, 32);
    print_bytes("host", after + WINDOW / 2, 32);
    print_bytes("ours", window + WINDOW / 2, 32);
    if (b->failures++ > 10)
        fail();
}

// Is it an instruction of ours that needs neither RSP nor an index register?
static bool wanted(struct bench *b, const u8 *bytes, struct x86_insn *ret)
{
    const struct x86_insn_def *d;

    b->core->s.mxcsr = 0x1f80;
    x86_update_mode(b->core);
    if (!x86_decode(b->core, bytes, 15, 0, ret) || ret->def == &x86_undefined)
        return false;
    for (u32 k = 0; k < ret->n_operands; k++)
        if (ret->o[k].kind == X86_O_GPR && ret->o[k].reg == X86_RSP)
            return false;
    d = ret->def;
    if (d->exec == x86_exec_vector_128 && ret->vec_bytes == 32)
        return false; // VAES, which this level does not have but the host may
    return d->exec == x86_exec_vector || d->exec == x86_exec_vector_128 ||
           d->exec == x86_exec_mmx || d->exec == x86_exec_cvtpi || d->exec == x86_exec_maskmov ||
           d->exec == x86_exec_maskmov_bytes || d->exec == x86_exec_ldmxcsr ||
           d->exec == x86_exec_stmxcsr || d->exec == x86_exec_vzero || d->exec == x86_exec_emms;
}

static void run_form(struct bench *b, const u8 *bytes, u32 times)
{
    struct x86_insn insn;

    if (!wanted(b, bytes, &insn))
        return;
    b->seen[insn.def - x86_insn_table] = true;
    b->forms++;
    for (u32 k = 0; k < times; k++)
        run_case(b, &insn);
}

static u8 random_modrm(struct bench *b, u32 digit, bool mem)
{
    return (u8)((mem ? X86_RDX : 0xc0 | rng_below(&b->rng, 8)) | digit << 3);
}

static void legacy_forms(struct bench *b, u32 map, u32 opcode, u32 digit, u32 times)
{
    static const u8 prefixes[] = {0, 0x66, 0xf3, 0xf2};

    for (u32 k = 0; k < 16; k++) {
        u8 bytes[16] = {0};
        u32 n = 0, rex = (u32)rng_below(&b->rng, 8);

        if (prefixes[k & 3])
            bytes[n++] = prefixes[k & 3];
        bytes[n++] = (u8)(0x40 | (k & 4) << 1 | (k & 8 ? rex & 6 : rex & 7)); // W, R, X, B
        bytes[n++] = 0x0f;
        if (map > 1)
            bytes[n++] = map == 2 ? 0x38 : 0x3a;
        bytes[n++] = (u8)opcode;
        bytes[n++] = random_modrm(b, digit, k & 8);
        bytes[n] = (u8)rng_next(&b->rng);
        run_form(b, bytes, times);
    }
}

static void vex_forms(struct bench *b, u32 map, u32 opcode, u32 digit, u32 times)
{
    for (u32 k = 0; k < 64; k++) {
        u32 r = (u32)rng_next(&b->rng), vvvv = k & 32 ? 15 : r >> 8 & 15;
        u8 bytes[16] = {0xc4,
                        (u8)(((k & 8 ? r | 0x20 : r) & 0xe0) | map),
                        (u8)((k & 4) << 5 | vvvv << 3 | (k & 16) >> 2 | (k & 3)),
                        (u8)opcode,
                        random_modrm(b, digit, k & 8),
                        (u8)(r >> 12)};

        run_form(b, bytes, times);
    }
}

// times: 0 for none.
static void all_forms(struct bench *b, u32 legacy_times, u32 vex_times)
{
    for (u32 map = 1; map <= 3; map++) {
        for (u32 opcode = 0; opcode < 256; opcode++) {
            if (map == 1 && (opcode == 0x38 || opcode == 0x3a))
                continue; // the other maps
            for (u32 digit = 0; digit < 8; digit++) {
                legacy_forms(b, map, opcode, digit, legacy_times);
                if (vex_times)
                    vex_forms(b, map, opcode, digit, vex_times);
            }
        }
    }
}

static void vector_instructions_do_what_the_host_does(void **state)
{
    struct bench *b = *state;

    all_forms(b, 6, 2);
    print_message("%u encodings, %u cases, %u faults\n", b->forms, b->cases, b->faults);
    assert_int_equal(b->failures, 0);
    assert_true(b->forms > 10000);
    for (u32 k = 0; k < x86_insn_rows; k++) {
        const struct x86_insn_def *d = &x86_insn_table[k];

        if (!b->seen[k] && (d->exec == x86_exec_vector || d->exec == x86_exec_mmx ||
                            d->exec == x86_exec_maskmov || d->exec == x86_exec_vector_128))
            fail_msg("row %u (%s, form %u) was not reached", k, d->exec_name, d->form);
    }
}

// What a host without AVX and SHA would execute; results must not differ.
static void old_hosts_compute_the_same(void **state)
{
    struct bench *b = *state;

    b->forms = 0;
    x86_stubs_pretend_old_host(b->core->stubs);
    all_forms(b, 2, 0);
    assert_int_equal(b->failures, 0);
    assert_true(b->forms > 1000);
}

// [rdx + index * scale], all in range of the data for both widths of indices.
static void gathers_do_what_the_host_does(void **state)
{
    struct bench *b = *state;

    for (u32 n = 0; n < 4000; n++) {
        u32 dest = n & 7, index = (dest + 1 + n / 8 % 3) & 7, mask = (index + 1) & 7;
        bool qword = n & 0x80, w = n & 0x100, large = n & 0x200;
        const u8 bytes[] = {0xc4,
                            0xe2,
                            (u8)(w << 7 | (~mask & 15) << 3 | large << 2 | 1),
                            (u8)(0x90 | (n >> 10 & 1) << 1 | qword),
                            (u8)(dest << 3 | 4),
                            (u8)((n >> 3 & 3) << 6 | index << 3 | X86_RDX)};
        struct native in, want, got;

        if (mask == dest)
            continue;
        random_state(b, &in, (u64)b->data + 4096);
        if (qword) {
            for (u32 k = 0; k < 4; k++)
                memcpy(in.ymm[index] + 8 * k, &(i64){(i64)rng_below(&b->rng, 64) - 32}, 8);
        } else {
            for (u32 k = 0; k < 8; k++)
                memcpy(in.ymm[index] + 4 * k, &(i32){(i32)rng_below(&b->rng, 64) - 32}, 4);
        }
        for (u32 k = 0; k < 2048; k += 8)
            memcpy(b->data + 3072 + k, &(u64){rng_next(&b->rng)}, 8);
        want = in;
        assert_int_equal(native_run(&want, b->code, bytes, sizeof(bytes)), NATIVE_OK);
        assert_int_equal(native_core_run(b->core, b->code, &in, &got), X86_OK);
        if (!same_state(&want, &got)) {
            show(b, bytes, sizeof(bytes), &in, &want, &got);
            fail();
        }
    }
}

static int set_up(void **state)
{
    struct bench *b = xcalloc(1, sizeof(*b));

    b->data = native_memory(DATA_BYTES + 4096);
    b->code = b->data + DATA_BYTES;
    b->rng.state = 1;
    b->core = native_core_new();
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    native_memory_free(b->data, DATA_BYTES + 4096);
    native_core_free(b->core);
    free(b);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vector_instructions_do_what_the_host_does),
        cmocka_unit_test(gathers_do_what_the_host_does),
        cmocka_unit_test(old_hosts_compute_the_same),
    };

    return cmocka_run_group_tests_name("vector", tests, set_up, tear_down);
}
