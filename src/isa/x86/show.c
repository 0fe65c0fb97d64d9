// SPDX-License-Identifier: BSD-3-Clause
#include "isa/x86/show.h"

#include <Zydis/Zydis.h>

#include "isa/x86/mem.h"

// Reads what it can of the bytes at a linear address, which may cross into an unmapped page.
static u32 read_code(const struct x86_core *c, u64 linear, u8 *bytes, u32 size)
{
    u32 done = 0;

    while (done < size) {
        u32 chunk = MIN(size - done, (u32)(CORE_PAGE_SIZE - ((linear + done) & ~CORE_PAGE_MASK)));
        paddr pa;

        if (!x86_translate_debug(c, linear + done, &pa) ||
            !mem_port_copy_out(&c->core.mem, pa, bytes + done, chunk))
            break;
        done += chunk;
    }
    return done;
}

void x86_show_insn(const struct x86_core *c, struct strbuf *out)
{
    static const ZydisMachineMode modes[] = {
        [X86_CODE16] = ZYDIS_MACHINE_MODE_LEGACY_16,
        [X86_CODE32] = ZYDIS_MACHINE_MODE_LEGACY_32,
        [X86_CODE64] = ZYDIS_MACHINE_MODE_LONG_64,
    };
    ZydisDisassembledInstruction insn;
    u8 bytes[15];
    u32 size = read_code(c, x86_linear_pc(c), bytes, sizeof(bytes));

    if (size == 0)
        strbuf_puts(out, "(no memory)");
    else if (ZYAN_SUCCESS(ZydisDisassembleIntel(modes[c->code_mode], c->s.rip, bytes, size, &insn)))
        strbuf_puts(out, insn.text);
    else
        strbuf_puts(out, "(bad)");
}

static void show_u64(struct strbuf *out, const char *name, u64 before, u64 after)
{
    if (before != after)
        strbuf_printf(out, " %s=0x%llx", name, (unsigned long long)after);
}

static void show_numbered(struct strbuf *out, const char *name, unsigned number, const void *before,
                          const void *after, unsigned size)
{
    const u8 *bytes = after;

    if (memcmp(before, after, size) == 0)
        return;
    strbuf_printf(out, " %s%u=0x", name, number);
    while (size > 0)
        strbuf_printf(out, "%02x", bytes[--size]);
}

static void show_segments(const struct x86_arch_state *before, const struct x86_arch_state *after,
                          struct strbuf *out)
{
    static const char *const names[] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};

    for (unsigned i = 0; i < X86_SEGS; i++) {
        show_u64(out, names[i], before->seg_sel[i], after->seg_sel[i]);
        if (before->seg_base[i] != after->seg_base[i])
            strbuf_printf(out, " %s_base=0x%llx", names[i], (unsigned long long)after->seg_base[i]);
    }
}

static void show_vectors(const struct x86_arch_state *before, const struct x86_arch_state *after,
                         struct strbuf *out)
{
    for (unsigned i = 0; i < 16; i++) {
        const u64 *b = &before->ymm[4 * i], *a = &after->ymm[4 * i];
        bool wide = b[2] != a[2] || b[3] != a[3] || a[2] || a[3];

        show_numbered(out, wide ? "ymm" : "xmm", i, b, a, wide ? 32 : 16);
    }
    for (unsigned i = 0; i < 8; i++)
        show_numbered(out, "fpr", i, &before->x87[16 * i], &after->x87[16 * i], 10);
}

void x86_show_effects(const struct x86_arch_state *before, const struct x86_arch_state *after,
                      struct strbuf *out)
{
    static const char *const gpr[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                      "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

    for (unsigned i = 0; i < ARRAY_SIZE(gpr); i++)
        show_u64(out, gpr[i], before->gpr[i], after->gpr[i]);
    show_u64(out, "rflags", before->rflags, after->rflags);
    if (memcmp(before->seg_base, after->seg_base, sizeof(before->seg_base)) != 0 ||
        memcmp(before->seg_sel, after->seg_sel, sizeof(before->seg_sel)) != 0)
        show_segments(before, after, out);
    if (memcmp(before->ymm, after->ymm, sizeof(before->ymm)) != 0 ||
        memcmp(before->x87, after->x87, sizeof(before->x87)) != 0)
        show_vectors(before, after, out);
    show_u64(out, "fcw", before->fcw, after->fcw);
    show_u64(out, "fsw", before->fsw, after->fsw);
    show_u64(out, "mxcsr", before->mxcsr, after->mxcsr);
    show_u64(out, "cr0", before->cr0, after->cr0);
    show_u64(out, "cr2", before->cr2, after->cr2);
    show_u64(out, "cr3", before->cr3, after->cr3);
    show_u64(out, "cr4", before->cr4, after->cr4);
    show_u64(out, "efer", before->efer, after->efer);
}
