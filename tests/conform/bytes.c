// SPDX-License-Identifier: BSD-3-Clause
// conform-bytes: does facet take the same bytes for an instruction as the host's processor does?
// Random bytes, of which many are no instruction, are executed for one instruction (RFLAGS.TF) on
// both, some at the end of the last page of code. Exception and length must agree. What facet does
// not show and the host has is left out. Speaks TAP; status 77: this host cannot be the oracle.
#include "compare.h"
#include "gen.h"
#include "native.h"
#include "subject.h"

#include "base/rng.h"
#include "isa/x86/decode.h"
#include "isa/x86/disasm.h"
#include "isa/x86/feature.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SKIPPED = 77, SHOWN = 40, RANDOM_BYTES = 15 };

struct totals {
    u64 cases, undefined, executed, faulted, left_out, lost, failed;
};

// Bytes with an opcode of each map and prefixes about as often as not.
static void random_bytes(struct rng *r, u8 *ret)
{
    static const u8 prefixes[] = {0x66, 0xf2, 0xf3, 0xf0, 0x67, 0x64, 0x65, 0x2e, 0x36};
    u32 n = 0;

    for (u32 k = 0; k < RANDOM_BYTES; k++)
        ret[k] = (u8)rng_next(r);
    while (n < 3 && rng_below(r, 3) == 0)
        ret[n++] = prefixes[rng_below(r, ARRAY_SIZE(prefixes))];
    if (rng_below(r, 3) == 0)
        ret[n++] = (u8)(0x40 | rng_below(r, 16));
    switch (rng_below(r, 8)) {
    case 0:
    case 1:
        ret[n] = 0x0f;
        break;
    case 2:
        ret[n++] = 0x0f;
        ret[n] = 0x38;
        break;
    case 3:
        ret[n++] = 0x0f;
        ret[n] = 0x3a;
        break;
    case 4:
        ret[n++] = 0xc4;
        ret[n] = (u8)((ret[n] & 0xe0) | rng_below(r, 5));
        break;
    case 5:
        ret[n] = (u8)(0xd8 | rng_below(r, 8));
        break;
    default:
        break;
    }
}

static void make_case(struct conform_case *c, u64 seed, u8 mode)
{
    const u32 window = CASE_CODE_PAGES * CASE_PAGE;
    struct rng r = {seed};
    bool cut = rng_below(&r, 8) == 0;

    memset(c, 0, sizeof(*c));
    c->seed = seed;
    c->mode = mode;
    c->n_insts = 1;
    c->code_at = CASE_CODE + (cut ? window - 1 - (u32)rng_below(&r, 8) : 256);
    gen_state(&r, mode, &c->in);
    c->in.rip = c->code_at;
    c->in.rflags = (c->in.rflags & ~(u64)X86_AC) | X86_TF;
    c->in.x.mxcsr = 0x1f80;
    c->in.x.fcw = 0x37f;
    c->in.x.fsw = 0;
    random_bytes(&r, c->code);
    memset(c->code + RANDOM_BYTES, 0xcc, 16);
    c->code_len = RANDOM_BYTES + 16;
    c->end = c->code_at + c->code_len;
}

// VMCALL and VMMCALL, whatever prefixes they have: the host's hypervisor answers.
static bool is_hypercall(const u8 *bytes)
{
    static const u8 prefixes[] = {0x66, 0xf2, 0xf3, 0xf0, 0x67, 0x64, 0x65, 0x2e, 0x36, 0x3e, 0x26};
    u32 n = 0;

    while (n < RANDOM_BYTES - 3 &&
           (memchr(prefixes, bytes[n], sizeof(prefixes)) || (bytes[n] & 0xf0) == 0x40))
        n++;
    return bytes[n] == 0x0f && bytes[n + 1] == 1 && (bytes[n + 2] == 0xc1 || bytes[n + 2] == 0xd9);
}

// What this host's processor does in another way than the guest's; and CPUID, which the hypervisor
// of the host executes, often without the trap behind it.
static bool is_unlike(const struct conform_case *c)
{
    bool mode64 = c->mode == CASE_MODE64;
    ZydisDecodedInstruction i;
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecoder decoder;

    ZydisDecoderInit(&decoder,
                     mode64 ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LONG_COMPAT_32,
                     mode64 ? ZYDIS_STACK_WIDTH_64 : ZYDIS_STACK_WIDTH_32);
    if (vendor_takes(c->code, X86_MAX_LENGTH))
        return true;
    return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, c->code, X86_MAX_LENGTH, &i, o)) &&
           (i.mnemonic == ZYDIS_MNEMONIC_CPUID || vendor_unlike(&i, o));
}

// What is not compared: an extension that Zydis knows and facet does not show; system calls, and
// ports, which depend on the operating system; which of #UD and #PF comes first where a page ends
// in the middle of what is no instruction (facet does not look for its length); and accesses to
// pages that are mapped for the host only (CASE_STUB and those behind it).
static bool is_left_out(const struct x86_core *all, const struct conform_case *c,
                        const struct case_result *g)
{
    bool cut = c->code_at + X86_MAX_LENGTH > CASE_CODE + CASE_CODE_PAGES * CASE_PAGE;
    struct x86_insn i;
    char text[128];
    bool bad;

    x86_decode(all, c->code, X86_MAX_LENGTH, c->code_at, &i);
    x86_disasm(&i, text, sizeof(text));
    bad = strcmp(text, "(bad)") == 0;
    if (i.def->mnemonic == 0)
        return !bad || cut || is_hypercall(c->code);
    if (g->vector == X86_EXC_PF && g->address - CASE_STUB < 4 * CASE_PAGE)
        return true;
    if (i.vec_bytes == 32 &&
        (i.def->feature == X86_FEATURE_AES || i.def->feature == X86_FEATURE_PCLMUL))
        return true;                      // VAES, VPCLMULQDQ
    if (i.mem.size >= 10 && !i.vec_bytes) // x87: which part faults first
        return true;
    return i.si.flags & STATIC_IO || i.def->flags & INSN_SYSTEM;
}

static void report(const struct conform_case *c, const struct x86_core *all,
                   const struct case_result *e, const struct case_result *g)
{
    struct x86_insn i;
    char text[128];

    x86_decode(all, c->code, X86_MAX_LENGTH, c->code_at, &i);
    x86_disasm(&i, text, sizeof(text));
    printf("# mode %u, %u bytes before the end:", 16u << c->mode,
           CASE_CODE + CASE_CODE_PAGES * CASE_PAGE - c->code_at);
    for (u32 k = 0; k < RANDOM_BYTES; k++)
        printf(" %02x", c->code[k]);
    printf("  %s\n#   host: end %u vector %u rip +%d; facet: end %u vector %u rip +%d\n", text,
           e->end, e->vector, (int)(e->out.rip - c->code_at), g->end, g->vector,
           (int)(g->out.rip - c->code_at));
}

static void judge(const struct conform_case *c, const struct x86_core *all,
                  const struct case_result *e, const struct case_result *g, struct totals *t)
{
    t->cases++;
    if (e->end == CASE_END_LOST || e->end == CASE_END_NONE) { // a system call
        t->lost++;
        return;
    }
    if (e->end == g->end && e->vector == g->vector && e->out.rip == g->out.rip) {
        if (e->vector == X86_EXC_UD)
            t->undefined++;
        else if (e->vector == X86_EXC_DB)
            t->executed++;
        else
            t->faulted++;
        return;
    }
    if (is_left_out(all, c, g) || is_unlike(c)) {
        t->left_out++;
        return;
    }
    if (t->failed++ < SHOWN)
        report(c, all, e, g);
}

static bool run(struct native *native, struct subject *subject, struct x86_core *all, u64 cases,
                u64 seed, u8 mode, struct totals *t, struct error *err)
{
    struct rng r = {seed};
    struct case_result g;

    all->code_mode = mode == CASE_MODE64 ? X86_CODE64 : X86_CODE32;
    all->mode = (u16)(all->code_mode | X86_MODE_SSE | X86_MODE_AVX | X86_MODE_X87 |
                      (mode == CASE_MODE64 ? 0 : X86_MODE_STACK32));
    for (u64 done = 0; done < cases; done += NATIVE_BATCH) {
        for (u32 k = 0; k < NATIVE_BATCH; k++)
            make_case(native_case(native, k), rng_next(&r), mode);
        if (!native_run(native, NATIVE_BATCH, err))
            return false;
        for (u32 k = 0; k < NATIVE_BATCH; k++) {
            memset(&g, 0, sizeof(g));
            subject_run(subject, native_case(native, k), &g);
            judge(native_case(native, k), all, native_result(native, k), &g, t);
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    static u8 background[CASE_DATA_PAGES * CASE_PAGE];
    u64 cases = argc > 1 ? strtoull(argv[1], NULL, 10) : 200000;
    u64 seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    struct x86_core *all = calloc(1, sizeof(*all));
    struct native *native;
    struct subject *subject;
    struct error err;

    setvbuf(stdout, NULL, _IOLBF, 0);
    gen_background(background);
    memset(all->features, 0xff, sizeof(all->features));
    native = native_new(background, &err);
    if (!native) {
        printf("1..0 # SKIP %s\n", err.message);
        return err.code == ERROR_UNSUPPORTED ? SKIPPED : 1;
    }
    subject = subject_new(SUBJECT_STEP, background, &err);
    for (u8 mode = CASE_MODE32; subject && mode <= CASE_MODE64; mode++) {
        struct totals t = {0};

        if (!(native_modes() >> mode & 1)) {
            printf("ok %u - random bytes, %u-bit # SKIP the host's kernel does not run it\n", mode,
                   16u << mode);
            continue;
        }
        if (!run(native, subject, all, cases, seed, mode, &t, &err)) {
            fprintf(stderr, "%s\n", err.message);
            return 1;
        }
        printf("%s %u - random bytes, %u-bit: %lu cases, %lu undefined, %lu executed, %lu faults, "
               "%lu left out, %lu lost, %lu failed (seed %lu)\n",
               t.failed ? "not ok" : "ok", mode, 16u << mode, t.cases, t.undefined, t.executed,
               t.faulted, t.left_out, t.lost, t.failed, seed);
    }
    printf("1..2\n");
    subject_free(subject);
    native_free(native);
    free(all);
    return 0;
}
