// SPDX-License-Identifier: BSD-3-Clause
// Random bytes as x86 code: decoded and executed, one instruction at a time, in 64-, 32- and 16-bit
// mode, at CPL 0 and 3, over 128 KiB of RAM. Whatever the guest does, the host process lives.
//
// Input: [0] bits 0-1 mode, bit 2 user, bit 3 unmasked floating-point exceptions; [1] seed of the
// registers; the rest is code.
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "base/bug.h"
#include "base/rng.h"
#include "isa/x86/decode.h"
#include "isa/x86/mem.h"
#include "isa/x86/step.h"

enum {
    RAM_BYTES = 0x20000,
    PML4 = 0x1000,
    PDPT = 0x2000,
    PD = 0x3000,
    STACK = 0x7000,
    CODE = 0x8000,
    CODE_MAX = 2048,
    STEPS = 100,
};

static u8 *ram;

static bool ram_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    if (addr >= RAM_BYTES || size > RAM_BYTES - addr) {
        if (!write)
            memset(data, 0xff, size);
        return false;
    }
    memcpy(write ? ram + addr : data, write ? data : ram + addr, size);
    return true;
}

static u8 *ram_page(void *ctx, paddr page, bool write)
{
    return page < RAM_BYTES ? ram + page : NULL;
}

static struct x86_core *make_core(void)
{
    static const struct mem_port_ops ops = {.access = ram_access, .host_page = ram_page};
    struct x86_core *c = xcalloc(1, sizeof(*c));
    struct error err;

    // guarded by inaccessible pages: an access beyond RAM is a finding
    ram = mmap(NULL, 3 * RAM_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT(ram != MAP_FAILED);
    ram += RAM_BYTES;
    ASSERT(mprotect(ram, RAM_BYTES, PROT_READ | PROT_WRITE) == 0);
    if (!x86_core_init(c, 0, &(struct mem_port){.ops = &ops}, "x86-64-v3", &err))
        BUG("%s", err.message);
    return c;
}

static void set_segment(struct x86_arch_state *s, int seg, u32 attr, u16 selector)
{
    s->seg_base[seg] = 0;
    s->seg_limit[seg] = 0xffffffff;
    s->seg_attr[seg] = attr;
    s->seg_sel[seg] = selector;
}

// Flat segments; 64-bit mode maps the first 2 MiB onto themselves, the others run without paging.
static void set_mode(struct x86_core *c, u8 choice)
{
    static const u64 entries[][2] = {{PML4, PDPT | 7}, {PDPT, PD | 7}, {PD, 0x87}};
    u32 dpl = choice & 4 ? 3u << 5 : 0, common = X86_ATTR_P | X86_ATTR_S | X86_ATTR_G | dpl;
    bool wide = (choice & 3) < 2, protected = (choice & 3) < 3;
    struct x86_arch_state *s = &c->s;

    s->cr0 = X86_CR0_ET | X86_CR0_NE | X86_CR0_MP;
    s->cr4 = X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_OSXSAVE | X86_CR4_FSGSBASE;
    s->xcr0 = 7;
    if (protected) {
        s->cr0 |= X86_CR0_PE;
        for (int seg = X86_ES; seg <= X86_GS; seg++)
            set_segment(s, seg, common | X86_ATTR_DB | 3, (u16)(0x10 | dpl >> 5));
        set_segment(s, X86_CS, common | (wide ? X86_ATTR_L : X86_ATTR_DB) | 11,
                    (u16)(0x18 | dpl >> 5));
    } else {
        for (int seg = X86_ES; seg <= X86_GS; seg++)
            set_segment(s, seg, X86_ATTR_P | X86_ATTR_S | 3, 0);
    }
    if (wide) {
        for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
            memcpy(ram + entries[i][0], &entries[i][1], sizeof(u64));
        s->cr0 |= X86_CR0_PG | X86_CR0_WP;
        s->cr3 = PML4;
        s->cr4 |= X86_CR4_PAE;
        s->efer = X86_EFER_LME | X86_EFER_LMA | X86_EFER_SCE | X86_EFER_NXE;
    }
    s->fcw = s->mxcsr = 0;
    s->mxcsr = choice & 8 ? 0 : 0x1f80;
    s->fcw = choice & 8 ? 0x340 : 0x37f;
}

static void set_registers(struct x86_core *c, u8 seed)
{
    struct rng rng = {seed};

    for (int i = 0; i < 16; i++) {
        u64 value = rng_next(&rng);

        // half of them are addresses in RAM
        c->s.gpr[i] = value % 2 ? (value >> 8) % RAM_BYTES : value;
    }
    for (int i = 0; i < 64; i++)
        c->s.ymm[i] = rng_next(&rng);
    c->s.gpr[X86_RSP] = STACK;
    c->s.rip = CODE;
    c->s.rflags = 2;
    c->s.gdt_base = 0x5000;
    c->s.gdt_limit = 0xff;
    c->s.idt_base = 0x6000;
    c->s.idt_limit = 0xfff;
}

static void check(const struct x86_core *c, const struct x86_insn *insn)
{
    ASSERT(insn->si.len >= 1 && insn->si.len <= X86_MAX_LENGTH);
    ASSERT(insn->n_operands <= X86_MAX_OPERANDS);
    ASSERT(c->s.null_reg == 0);
    ASSERT(c->cpl <= 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct x86_core *c;
    struct x86_insn insn;

    if (size < 3)
        return 0;
    if (!c)
        c = make_core();
    memset(ram, 0, RAM_BYTES);
    memcpy(ram + CODE, data + 2, MIN(size - 2, (size_t)CODE_MAX));
    x86_core_reset(c);
    set_registers(c, data[1]);
    set_mode(c, data[0]);
    x86_state_loaded(c);
    for (int i = 0; i < STEPS; i++) {
        enum x86_result result = x86_step(c, &insn);

        if (result == X86_FAULT || result == X86_LEAVE)
            break;
        check(c, &insn);
    }
    return 0;
}
