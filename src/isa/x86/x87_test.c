// SPDX-License-Identifier: BSD-3-Clause
// x87 instructions against native execution of the same bytes: every encoding, all rounding and
// precision modes, masks, tags and stack positions, random and corner values of every class. The
// whole state must agree, FIP, FDP and FOP included.
#include "isa/x86/decode.h"
#include "isa/x86/flags.h"
#include "isa/x86/native_test.h"
#include "isa/x86/table.h"
#include "isa/x86/vendor_test.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { DATA_BYTES = 4096, WINDOW = 1024 };

struct bench {
    struct x86_core *core;
    u8 *data, *code;
    struct rng rng;
    u32 cases, faults, failures;
};

// The parts of struct native.fx that x87 instructions see.
struct image {
    u16 fcw, fsw;
    u8 ftw, pad;
    u16 fop;
    u64 fip, fdp;
    u32 mxcsr, mxcsr_mask;
    u8 st[8][16];
};

static void put80(u8 *p, u64 mantissa, u32 sign_exponent)
{
    memcpy(p, &mantissa, 8);
    memcpy(p + 8, &sign_exponent, 2);
}

static void random80(struct rng *rng, u8 *p)
{
    static const struct {
        u64 mantissa;
        u16 exponent;
    } corners[] = {
        {0, 0},                       // zero
        {1ull << 63, 0x3fff},         // 1
        {0xc000000000000000, 0x4000}, // 3
        {1ull << 63, 0x7fff},         // infinity
        {0xc000000000000000, 0x7fff}, // quiet NaN, the default one
        {0xc000000000000123, 0x7fff}, //
        {0x8000000000000001, 0x7fff}, // signalling NaN
        {1, 0},                       // denormals
        {0x7fffffffffffffff, 0},      //
        {1ull << 63, 0},              // pseudo-denormal
        {0x4000000000000000, 0x3fff}, // unnormal
        {0, 0x7fff},                  // pseudo-infinity
        {0x0000000000000001, 0x7fff}, // pseudo-NaN
        {1ull << 63, 1},              // smallest normal
        {~0ull, 0x7ffe},              // largest
        {0xffffffff00000000, 0x401e}, // 2^32 - 1 and so on
        {0xfffffffffffffc00, 0x43fe}, // about the largest double
        {0x8000000000000000, 0x3c01}, // smallest normal double
        {0x8000000000000000, 0x3f81}, // smallest normal float
        {0xc90fdaa22168c235, 0x4000}, // pi
    };
    u64 v = rng_next(rng), style = rng_below(rng, 8);

    if (style < 2) {
        u32 k = (u32)rng_below(rng, ARRAY_SIZE(corners));

        put80(p, corners[k].mantissa, corners[k].exponent | (v & 0x8000));
    } else if (style < 4) { // near 1
        put80(p, v | 1ull << 63, 0x3fff - 4 + (u32)rng_below(rng, 9) + (v & 0x8000 ? 0x8000 : 0));
    } else if (style < 5) { // small integers
        put80(p, (1ull << 63) + ((v & 0xff) << 55), 0x3fff + (u32)rng_below(rng, 64));
    } else if (style < 6) { // short mantissas
        put80(p, (v & 0xffffff0000000000) | 1ull << 63,
              0x3f80 + (u32)rng_below(rng, 256) + (v & 1) * 0x8000);
    } else {
        put80(p, v | 1ull << 63, (u32)rng_next(rng) & 0xffff);
    }
}

static void random_memory(struct rng *rng, u8 *p, u32 n)
{
    u64 style = rng_below(rng, 8);

    for (u32 k = 0; k + 8 <= n; k += 8) {
        u64 v = rng_next(rng);

        if (style < 2) // floats around 1
            v = (v & 0x8fffffff8fffffff) | 0x3000000030000000;
        else if (style < 3) // packed decimal
            v &= 0x9999999999999999 & ~((v >> 1 & 0x4444444444444444) | (v & 0x1111));
        else if (style < 4) // special floats
            v = (v & 0x8000000180000001) | (v & 2 ? 0x7f8000007f800000 : 0) |
                (v & 4 ? 0x0040000000400000 : 0);
        memcpy(p + k, &v, 8);
    }
    if (style == 4)
        random80(rng, p);
}

static void random_state(struct bench *b, struct native *n)
{
    struct image *m = (struct image *)n->fx;
    struct rng *rng = &b->rng;

    memset(n, 0, sizeof(*n));
    for (u32 k = 0; k < 16; k++)
        n->gpr[k] = rng_next(rng);
    for (u32 k = 0; k < 64; k++)
        ((u64 *)n->ymm)[k] = rng_next(rng);
    n->rflags = (rng_next(rng) & X86_ARITH_FLAGS) | 0x202;
    m->fcw = (u16)(0x40 | (rng_next(rng) & 0x1f00));
    m->fcw |= rng_below(rng, 3) ? 0x3f : rng_next(rng) & 0x3f;
    m->fsw = (u16)(rng_next(rng) & 0x7f00);
    if (!rng_below(rng, 4))
        m->fsw |= rng_next(rng) & 0x7f;
    if (m->fsw & ~m->fcw & 0x3f) {
        if (rng_below(rng, 4))
            m->fsw &= (u16)~0x3f;
        else
            m->fsw |= 0x8080;
    }
    m->ftw = rng_below(rng, 3) ? 0xff : (u8)rng_next(rng);
    m->fop = rng_next(rng) & 0x7ff;
    m->fip = rng_next(rng) & 0x7fffffffffff;
    m->fdp = rng_next(rng) & 0x7fffffffffff;
    m->mxcsr = 0x1f80;
    for (u32 k = 0; k < 8; k++)
        random80(rng, m->st[k]);
    n->gpr[X86_RSP] = 0;
    n->gpr[X86_RDX] = (u64)b->data + 1024;
}

// Offsets in the image of FXSAVE.
enum { FOP = 6, FIP = 8, MXCSR = 24, MXCSR_MASK = 28, ST = 32 };

// FCW to FDP, as far as the host tells them.
static bool same_control(const struct native *a, const struct native *b)
{
    bool pointers = !vendor_differs(DIFFERS_X87_POINTERS) || a->fx[2] & 0x80;

    return memcmp(a->fx, b->fx, pointers ? MXCSR : FOP) == 0;
}

static bool same_state(const struct native *a, const struct native *b)
{
    for (u32 k = 0; k < 8; k++)
        if (memcmp(a->fx + ST + 16 * k, b->fx + ST + 16 * k, 10) != 0)
            return false;
    return memcmp(a->gpr, b->gpr, sizeof(a->gpr)) == 0 &&
           ((a->rflags ^ b->rflags) & X86_ARITH_FLAGS) == 0 &&
           memcmp(a->ymm, b->ymm, sizeof(a->ymm)) == 0 && same_control(a, b) &&
           memcmp(a->fx + MXCSR, b->fx + MXCSR, 4) == 0;
}

static void show_image(const char *what, const struct native *n)
{
    const struct image *m = (const struct image *)n->fx;

    print_error("%s: fcw %04x fsw %04x ftw %02x fop %03x fip %lx fdp %lx flags %lx rax %lx\n", what,
                m->fcw, m->fsw, m->ftw, m->fop, m->fip, m->fdp, n->rflags & X86_ARITH_FLAGS,
                n->gpr[0]);
    for (u32 k = 0; k < 8; k++)
        print_error("  st%u %04x.%016lx", k, *(const u16 *)(m->st[k] + 8), *(const u64 *)m->st[k]);
    print_error("\n");
}

static void show_window(const char *what, const u8 *p)
{
    print_error("%s", what);
    for (u32 k = 0; k < 108; k++)
        print_error(" %02x", p[k]);
    print_error("\n header");
    for (u32 k = 512; k < 532; k++)
        print_error(" %02x", p[k]);
    print_error("\n");
}

// Registers and a memory operand for the instructions that save and restore states. No component
// of the registers is all zero: whether the host takes such a one for unused depends on history.
static void random_area(struct bench *b, struct native *n, u8 *p)
{
    struct image *m = (struct image *)p;
    u64 header[8] = {0};

    memcpy(p, n->fx, 160);
    random_state(b, n);
    n->gpr[X86_RAX] = rng_below(&b->rng, 8); // host and guest differ in the components beyond
    m->mxcsr = (u32)rng_next(&b->rng) & (rng_below(&b->rng, 16) ? 0xffff : 0x1ffff);
    header[0] = rng_below(&b->rng, 8);
    if (rng_below(&b->rng, 2))
        header[1] = 1ull << 63 | header[0] | rng_below(&b->rng, 8);
    if (!rng_below(&b->rng, 16))
        header[rng_below(&b->rng, 8)] |= 1ull << 62;
    if (!rng_below(&b->rng, 16))
        header[0] |= rng_below(&b->rng, 8);
    memcpy(p + 512, header, sizeof(header));
}

// What the host wrote becomes what the guest's processor would have: `saved`, from a state `in`.
static void as_the_guest_saves(u8 *area, const u8 *saved, const struct native *in)
{
    if (vendor_differs(DIFFERS_X87_POINTERS) && !(in->fx[2] & 0x80))
        memcpy(area + FOP, saved + FOP, MXCSR - FOP);
    if (vendor_differs(DIFFERS_MXCSR_MM))
        memcpy(area + MXCSR_MASK, saved + MXCSR_MASK, 4);
}

// The results of transcendental functions are facet's own (exec/x87_transcend.c): those that are
// near become the host's, and so does C1, which tells how they were rounded.
static void take_near_results(struct native *got, const struct native *want)
{
    for (u32 k = 0; k < 2; k++)
        if (vendor_x87_agree(got->fx + ST + 16 * k, want->fx + ST + 16 * k))
            memcpy(got->fx + ST + 16 * k, want->fx + ST + 16 * k, 10);
    got->fx[3] = (u8)((got->fx[3] & ~2) | (want->fx[3] & 2));
}

// One case on both; false: they differ.
static bool run_both(struct bench *b, const struct native *in, const u8 *before, u32 len, bool area,
                     bool report)
{
    u8 *window = b->data + 1024, after[WINDOW], bytes[16];
    struct native want = *in, got;
    enum native_fault f;
    enum x86_result r;
    bool same;

    memcpy(bytes, b->code, sizeof(bytes));
    memcpy(window, before, WINDOW);
    f = native_run(&want, b->code, bytes, len);
    if (f == NATIVE_SEGV)
        want = *in; // some of XRSTOR's components may be there already
    else if (f != NATIVE_OK)
        memcpy(want.ymm, in->ymm, sizeof(in->ymm));
    memcpy(after, window, WINDOW);
    memcpy(window, before, WINDOW);
    r = native_core_run(b->core, b->code, in, &got);
    b->faults += f != NATIVE_OK;
    if (vendor_is_transcendental(bytes))
        take_near_results(&got, &want);
    same = f == NATIVE_OK     ? r == X86_OK
           : f == NATIVE_FPE  ? r == X86_FAULT && b->core->fault.vector == X86_EXC_MF
           : f == NATIVE_SEGV ? r == X86_FAULT && b->core->fault.vector == X86_EXC_GP
           : f == NATIVE_ILL  ? r == X86_FAULT && b->core->fault.vector == X86_EXC_UD
                              : false;
    if (area && f == NATIVE_OK)
        as_the_guest_saves(after, window, in);
    if (same && same_state(&want, &got) && memcmp(window, after, WINDOW) == 0)
        return true;
    if (!report)
        return false;
    print_error("bytes");
    for (u32 k = 0; k < len; k++)
        print_error(" %02x", bytes[k]);
    print_error(": native fault %u, result %u, vector %u\n", f, r, b->core->fault.vector);
    show_image("in  ", in);
    show_image("host", &want);
    show_image("ours", &got);
    if (memcmp(window, after, WINDOW) != 0) {
        show_window("host", after);
        show_window("ours", window);
    }
    return false;
}

// Twice if they differ: the host's x87 pointers may get lost when its kernel changes tasks
// (DIFFERS_X87_POINTERS).
static void run_case(struct bench *b, const u8 *bytes, u32 len, bool area)
{
    u8 before[WINDOW];
    struct native in;

    random_state(b, &in);
    random_memory(&b->rng, before, WINDOW);
    if (area)
        random_area(b, &in, before);
    memcpy(b->code, bytes, len);
    b->cases++;
    if (run_both(b, &in, before, len, area, false) || run_both(b, &in, before, len, area, true))
        return;
    if (b->failures++ > 10)
        fail();
}

static void run_form(struct bench *b, const u8 *bytes, u32 times)
{
    struct x86_insn insn;

    b->core->s.mxcsr = 0x1f80;
    x86_update_mode(b->core);
    if (!x86_decode(b->core, bytes, 15, 0, &insn) || insn.def == &x86_undefined)
        return;
    for (u32 k = 0; k < times; k++)
        run_case(b, bytes, insn.si.len, false);
}

static void x87_instructions_do_what_the_host_does(void **state)
{
    struct bench *b = *state;

    for (u32 opcode = 0xd8; opcode <= 0xdf; opcode++) {
        for (u32 modrm = 0xc0; modrm < 0x100; modrm++)
            run_form(b, (const u8[16]){(u8)opcode, (u8)modrm}, 60);
        for (u32 digit = 0; digit < 8; digit++) {
            run_form(b, (const u8[16]){(u8)opcode, (u8)(digit << 3 | X86_RDX)}, 400);
            run_form(b, (const u8[16]){0x66, (u8)opcode, (u8)(digit << 3 | X86_RDX)}, 60);
            run_form(b, (const u8[16]){0x48, (u8)opcode, (u8)(digit << 3 | X86_RDX)}, 60);
        }
    }
    run_form(b, (const u8[16]){0x9b}, 60);
    print_message("%u cases, %u faults\n", b->cases, b->faults);
    assert_int_equal(b->failures, 0);
}

static void saved_states_are_those_of_the_host(void **state)
{
    static const u8 forms[][5] = {
        {3, 0x0f, 0xae, 0x02},       // fxsave
        {4, 0x48, 0x0f, 0xae, 0x02}, //
        {3, 0x0f, 0xae, 0x0a},       // fxrstor
        {4, 0x48, 0x0f, 0xae, 0x0a}, //
        {3, 0x0f, 0xae, 0x22},       // xsave
        {4, 0x48, 0x0f, 0xae, 0x22}, //
        {3, 0x0f, 0xae, 0x32},       // xsaveopt
        {4, 0x48, 0x0f, 0xae, 0x32}, //
        {3, 0x0f, 0xc7, 0x22},       // xsavec
        {4, 0x48, 0x0f, 0xc7, 0x22}, //
        {3, 0x0f, 0xae, 0x2a},       // xrstor
        {4, 0x48, 0x0f, 0xae, 0x2a}, //
    };
    struct bench *b = *state;

    for (u32 k = 0; k < ARRAY_SIZE(forms); k++)
        for (u32 n = 0; n < 300; n++)
            run_case(b, forms[k] + 1, forms[k][0], true);
    assert_int_equal(b->failures, 0);
}

static void every_encoding_of_the_host_is_known(void **state)
{
    struct bench *b = *state;
    u32 known = 0;

    for (u32 opcode = 0xd8; opcode <= 0xdf; opcode++) {
        for (u32 modrm = 0xc0; modrm < 0x100; modrm++) {
            const u8 bytes[16] = {(u8)opcode, (u8)modrm};
            struct x86_insn insn;
            struct native n;
            bool ours;

            assert_true(x86_decode(b->core, bytes, 15, 0, &insn));
            ours = insn.def != &x86_undefined;
            known += ours;
            random_state(b, &n);
            n.fx[0] |= 0x3f;
            n.fx[2] = n.fx[3] = 0;
            if ((native_run(&n, b->code, bytes, 2) != NATIVE_ILL) != ours)
                print_message("%02x %02x: only %s knows it\n", opcode, modrm,
                              ours ? "facet" : "the host");
        }
    }
    assert_true(known > 400);
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
        cmocka_unit_test(x87_instructions_do_what_the_host_does),
        cmocka_unit_test(saved_states_are_those_of_the_host),
        cmocka_unit_test(every_encoding_of_the_host_is_known),
    };

    return cmocka_run_group_tests_name("x87", tests, set_up, tear_down);
}
