// SPDX-License-Identifier: BSD-3-Clause
// x87 instructions on the host's own x87: its whole state is replaced by the guest's, the
// instruction executed (with memory operand [rdx]), the state taken back. Results, flags, tags and
// stack faults are the host's, unmasked exceptions included: those wait in FSW.
//
// FIP is set by every instruction here, FOP and FDP only if an unmasked exception becomes pending,
// FCS and FDS never, as on processors since 2013 (CPUID.7.EBX bits 6 and 13: SDM vol. 1 §8.1.8).
// Only transcendental functions differ between processors: x87_transcend.c.
#include "isa/x86/exec/x87.h"

#include "isa/x86/flags.h"
#include "isa/x86/table.h"

// Image of FNSAVE and FRSTOR, 32-bit protected mode (SDM vol. 1 figure 8-9).
struct x87_image {
    u16 fcw, pad0;
    u16 fsw, pad1;
    u16 tags, pad2;
    u32 fip;
    u16 fcs, fop;
    u32 fdp;
    u16 fds, pad3;
    u8 st[8][10];
};

_Static_assert(sizeof(struct x87_image) == 108, "the processor's layout");

// Executes one slot of x87_code on the image and a memory operand, with arithmetic flags in and
// out.
u64 x87_host_run(struct x87_image *image, const void *code, void *mem, u64 flags);
extern const u8 x87_code[] __attribute__((visibility("hidden")));

enum { CODE_MEMORY = 4 * 8 * 64 }; // offset of the memory forms

// One slot of 4 bytes per encoding: 8 opcodes with 64 register forms, then 8 with 8 memory forms.
__asm__(
    ".text\n.balign 4\n.hidden x87_code\n.globl x87_code\nx87_code:\n"
    ".irp op, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf\n"
    " .set modrm, 0xc0\n"
    " .rept 64\n  .byte \\op, modrm, 0xc3, 0xcc\n  .set modrm, modrm + 1\n .endr\n.endr\n"
    ".irp op, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf\n"
    " .set modrm, 2\n"
    " .rept 8\n  .byte \\op, modrm, 0xc3, 0xcc\n  .set modrm, modrm + 8\n .endr\n.endr\n"
    ".type x87_host_run, @function\n.hidden x87_host_run\n.globl x87_host_run\n"
    "x87_host_run:\n"
    " push %rcx\n frstor (%rdi)\n popfq\n call *%rsi\n pushfq\n fnsave (%rdi)\n pop %rax\n ret\n"
    ".size x87_host_run, . - x87_host_run\n");

// Opcode byte (D8 to DF) and ModRM, behind the prefixes.
static const u8 *escape(const struct x86_insn *i)
{
    const u8 *p = i->bytes;

    while ((*p & 0xf8) != 0xd8)
        p++;
    return p;
}

const void *x87_code_of(u8 opcode, u8 modrm)
{
    u32 row = opcode & 7;

    if (modrm >= 0xc0)
        return x87_code + 4 * (row * 64 + (modrm & 0x3f));
    return x87_code + CODE_MEMORY + 4 * (row * 8 + (modrm >> 3 & 7));
}

static void to_image(const struct x86_core *c, struct x87_image *m)
{
    u32 top = x87_top(c);

    *m = (struct x87_image){.fcw = c->s.fcw, .fsw = c->s.fsw};
    for (u32 k = 0; k < 8; k++) {
        if (!(c->s.ftw >> k & 1))
            m->tags |= (u16)(3u << 2 * k);
        memcpy(m->st[k], c->s.x87 + 16 * ((top + k) & 7), 10);
    }
}

static void from_image(struct x86_core *c, const struct x87_image *m)
{
    u32 top;

    c->s.fsw = m->fsw;
    top = x87_top(c);
    for (u32 k = 0; k < 8; k++)
        memcpy(c->s.x87 + 16 * ((top + k) & 7), m->st[k], 10);
    x87_put_full_tags(c, m->tags);
}

// Runs *i with its memory operand, or a copy of it, in mem. *ret_pending: an unmasked exception is
// pending now.
static void run(struct x86_core *c, const struct x86_insn *i, void *mem, bool *ret_pending)
{
    const u8 *p = escape(i);
    struct x87_result results[2];
    u32 replaced = x87_transcend(c, p, results);
    struct x87_image image;
    u64 flags;

    to_image(c, &image);
    flags = x87_host_run(&image, x87_code_of(p[0], p[1]), mem, 2 | x86_flags_get(c));
    from_image(c, &image);
    x87_transcend_put(c, replaced, results);
    if (i->flags_written)
        x86_flags_put(c, (u32)flags & X86_ARITH_FLAGS);
    c->s.fip = i->si.pc;
    *ret_pending = c->s.fsw & X87_ES;
    if (*ret_pending) {
        c->s.fop = (u16)((p[0] & 7) << 8 | p[1]);
        if (i->mem.size)
            c->s.fdp = x86_offset(c, i);
    }
}

static enum x86_result run_load(struct x86_core *c, const struct x86_insn *i)
{
    u8 copy[16] = {0};
    enum x86_result r;
    bool pending;
    u64 linear;

    r = x86_operand_address(c, i, CORE_READ, &linear);
    if (!r && i->mem.size == 10)
        r = x87_check_alignment(c, linear, 8);
    if (!r)
        r = x86_load(c, linear, copy, i->mem.size);
    if (!r)
        run(c, i, copy, &pending);
    return r;
}

// What instructions that store can change but memory.
struct x87_before {
    u8 x87[128];
    u64 fip, fdp;
    u16 fop, fsw, ftw;
};

static void keep(const struct x86_core *c, struct x87_before *b)
{
    memcpy(b->x87, c->s.x87, sizeof(b->x87));
    b->fip = c->s.fip;
    b->fdp = c->s.fdp;
    b->fop = c->s.fop;
    b->fsw = c->s.fsw;
    b->ftw = c->s.ftw;
}

static void undo(struct x86_core *c, const struct x87_before *b)
{
    memcpy(c->s.x87, b->x87, sizeof(b->x87));
    c->s.fip = b->fip;
    c->s.fdp = b->fdp;
    c->s.fop = b->fop;
    c->s.fsw = b->fsw;
    c->s.ftw = b->ftw;
}

// A store that an unmasked exception stops does not look at its operand: the copy then keeps its
// pattern.
static enum x86_result run_store(struct x86_core *c, const struct x86_insn *i)
{
    static const u8 pattern[16] = {0x93, 0x5c, 0x21, 0xe7, 0xba, 0x46, 0xd8, 0x0f,
                                   0x6b, 0x3d, 0xf2, 0x84, 0x19, 0xae, 0x57, 0xc0};
    struct x87_before before;
    enum x86_result r;
    bool pending;
    u8 copy[16];
    u64 linear;

    keep(c, &before);
    memcpy(copy, pattern, sizeof(copy));
    run(c, i, copy, &pending);
    if (pending && memcmp(copy, pattern, i->mem.size) == 0)
        return X86_OK;
    r = x86_operand_address(c, i, CORE_WRITE, &linear);
    if (!r && i->mem.size == 10)
        r = x87_check_alignment(c, linear, 8);
    if (!r) // of ten bytes, eight are there even if the other two fault
        r = x86_store(c, linear, copy, MIN(i->mem.size, 8u));
    if (!r && i->mem.size == 10)
        r = x86_store(c, linear + 8, copy + 8, 2);
    if (r)
        undo(c, &before);
    return r;
}

enum x86_result x86_exec_x87(struct x86_core *c, const struct x86_insn *i)
{
    enum x86_result r = x87_wait(c);
    bool pending;

    if (r || x87_fast(c, i, escape(i), &r))
        return r;
    if (i->mem.size)
        return i->o[0].kind == X86_O_MEM && i->o[0].action & X86_WRITE ? run_store(c, i)
                                                                       : run_load(c, i);
    run(c, i, NULL, &pending);
    return X86_OK;
}
