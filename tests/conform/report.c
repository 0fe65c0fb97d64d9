// SPDX-License-Identifier: BSD-3-Clause
#include "report.h"

#include <inttypes.h>
#include <string.h>

static const char *const gpr_name[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                       "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

u32 report_disassemble(const struct forms *f, const struct conform_case *c, u32 at, char *text,
                       u32 size)
{
    ZydisDecodedInstruction i;
    ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
    ZydisFormatter formatter;

    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
    if (!ZYAN_SUCCESS(
            ZydisDecoderDecodeFull(&f->decoder[c->mode], c->code + at, c->code_len - at, &i, o)) ||
        !ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &i, o, i.operand_count_visible,
                                                      text, size, c->code_at + at, NULL))) {
        snprintf(text, size, "?");
        return 0;
    }
    return i.length;
}

static void print_code(FILE *out, const struct forms *f, const struct conform_case *c)
{
    u32 end = c->end - c->code_at;

    for (u32 at = 0, len; at < end; at += len) {
        char text[128];

        len = report_disassemble(f, c, at, text, sizeof(text));
        if (!len)
            break;
        fprintf(out, "#   %08x  ", c->code_at + at);
        for (u32 n = 0; n < len; n++)
            fprintf(out, "%02x ", c->code[at + n]);
        fprintf(out, "%*s%s\n", (int)(len < 10 ? 3 * (10 - len) : 0), "", text);
    }
}

static void print_bytes(FILE *out, const char *name, const u8 *bytes, u32 size)
{
    fprintf(out, " %s ", name);
    for (u32 n = size; n-- > 0;)
        fprintf(out, "%02x", bytes[n]);
}

// Registers that some instruction of the case names.
struct used {
    u32 gpr, vector;
    bool x87;
};

static void find_used(const struct forms *f, const struct conform_case *c, struct used *u)
{
    u32 end = c->end - c->code_at;

    *u = (struct used){0};
    for (u32 at = 0; at < end;) {
        ZydisDecodedInstruction i;
        ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];

        if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&f->decoder[c->mode], c->code + at,
                                                 c->code_len - at, &i, o)))
            return;
        for (u32 n = 0; n < i.operand_count; n++) {
            ZydisRegister regs[3] = {o[n].reg.value, o[n].mem.base, o[n].mem.index};

            for (u32 k = 0; k < 3; k++) {
                ZydisRegister r =
                    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, regs[k]);

                if (r >= ZYDIS_REGISTER_RAX && r <= ZYDIS_REGISTER_R15)
                    u->gpr |= 1u << (r - ZYDIS_REGISTER_RAX);
                if (r >= ZYDIS_REGISTER_ZMM0 && r <= ZYDIS_REGISTER_ZMM15)
                    u->vector |= 1u << (r - ZYDIS_REGISTER_ZMM0);
            }
        }
        u->x87 |= i.meta.isa_ext == ZYDIS_ISA_EXT_X87 || i.meta.isa_ext == ZYDIS_ISA_EXT_MMX;
        at += i.length;
    }
}

static void print_state(FILE *out, const struct forms *f, const struct conform_case *c)
{
    struct used u;

    find_used(f, c, &u);
    fprintf(out, "#   before: rflags %" PRIx64 " mxcsr %x", c->in.rflags, c->in.x.mxcsr);
    for (u32 n = 0; n < 16; n++)
        if (u.gpr >> n & 1)
            fprintf(out, " %s %" PRIx64, gpr_name[n], c->in.gpr[n]);
    if (c->in.fs_base || c->in.gs_base)
        fprintf(out, " fs %" PRIx64 " gs %" PRIx64, c->in.fs_base, c->in.gs_base);
    for (u32 n = 0; n < 16; n++) {
        char name[8];

        if (!(u.vector >> n & 1))
            continue;
        snprintf(name, sizeof(name), "ymm%u", n);
        print_bytes(out, name, c->in.x.ymm_high[n], 16);
        print_bytes(out, ":", c->in.x.xmm[n], 16);
    }
    if (u.x87) {
        fprintf(out, " fcw %x fsw %x ftw %x", c->in.x.fcw, c->in.x.fsw, c->in.x.ftw);
        for (u32 n = 0; n < 8; n++) {
            char name[8];

            snprintf(name, sizeof(name), "st%u", n);
            print_bytes(out, name, c->in.x.st[n], 10);
        }
    }
    for (u32 n = 0; n < c->n_patches; n++) {
        fprintf(out, "\n#   memory %08x:", c->patch[n].at);
        for (u32 k = 0; k < c->patch[n].len; k++)
            fprintf(out, " %02x", c->patch[n].bytes[k]);
    }
    fprintf(out, "\n");
}

void report_case(FILE *out, const struct forms *f, const struct conform_case *c,
                 const struct diffs *d)
{
    static const char *const mode[] = {"16", "32", "64"};

    fprintf(out, "#   %s-bit code\n", mode[c->mode]);
    print_code(out, f, c);
    print_state(out, f, c);
    for (u32 n = 0; n < d->n && n < DIFF_MAX; n++)
        fprintf(out, "#   %-12s host %" PRIx64 ", facet %" PRIx64 "\n", d->d[n].name,
                d->d[n].expected, d->d[n].got);
    if (d->n > DIFF_MAX)
        fprintf(out, "#   and %u more\n", d->n - DIFF_MAX);
}
