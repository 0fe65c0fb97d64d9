// SPDX-License-Identifier: BSD-3-Clause
// The engine leaves out flags that nobody reads, by what the decoder says of each instruction. So
// that must be true: random instructions are executed twice, with flags that differ only where the
// decoder says that they are not read, and may differ afterwards only where it says that they are
// not written.
#include "isa/x86/flags.h"

#include "isa/x86/decode.h"
#include "isa/x86/disasm.h"
#include "isa/x86/mem.h"
#include "isa/x86/step.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { RAM_SIZE = 16 * 1024, CODE = 0x1000, ROUNDS = 400000 };
#define SEEN (X86_ARITH_FLAGS | X86_DF)

static u8 ram[RAM_SIZE] __attribute__((aligned(4096)));

static bool ram_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    if (addr + size > RAM_SIZE) {
        if (!write)
            memset(data, 0xff, size);
        return false;
    }
    memcpy(write ? ram + addr : data, write ? data : ram + addr, size);
    return true;
}

static u8 *ram_page(void *ctx, paddr page, bool write)
{
    return page < RAM_SIZE ? ram + page : NULL;
}

static void core_init(struct x86_core *c)
{
    static const struct mem_port_ops ops = {.access = ram_access, .host_page = ram_page};
    struct error err;

    if (!x86_core_init(c, 0, &(struct mem_port){.ops = &ops}, "x86-64-v3", &err))
        fail_msg("%s", err.message);
    c->s.cr0 |= X86_CR0_PE | X86_CR0_NE;
    c->s.cr4 |= X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_OSXSAVE;
    c->s.xcr0 = 7;
    c->s.efer = X86_EFER_LMA;
    c->s.seg_attr[X86_CS] |= X86_ATTR_L | 8;
    c->s.rip = CODE;
}

static void random_state(struct x86_core *c, struct rng *rng)
{
    for (u32 n = 0; n < 16; n++)
        c->s.gpr[n] = rng_next(rng) >> rng_below(rng, 64);
    for (u32 n = 0; n < ARRAY_SIZE(c->s.ymm); n++)
        c->s.ymm[n] = rng_next(rng);
    c->s.rip = CODE;
    c->s.fcw = 0x37f;
    c->s.fsw = 0;
    c->s.ftw = 0xff;
    c->s.mxcsr = 0x1f80;
}

static enum x86_result execute(struct x86_core *c, const struct x86_arch_state *from, u64 flags,
                               struct x86_insn *i)
{
    enum x86_result r;

    c->s = *from;
    c->s.rflags = 2 | flags;
    x86_state_loaded(c);
    x86_isa_ops.enter(&c->core);
    do {
        r = x86_step(c, i);
    } while (r == X86_AGAIN);
    x86_isa_ops.leave(&c->core);
    return r;
}

static bool is_tested(const struct x86_core *c, const u8 *bytes, struct x86_insn *i)
{
    x86_decode(c, bytes, X86_MAX_LENGTH, CODE, i);
    return i->def->mnemonic && !(i->def->flags & INSN_SYSTEM);
}

static void check(struct x86_core *c, const u8 *bytes, struct rng *rng)
{
    static u8 before[RAM_SIZE], after[RAM_SIZE];
    struct x86_arch_state from, first;
    enum x86_result r1, r2;
    struct x86_insn i;
    char text[128];
    u64 f1, f2, differ;

    if (!is_tested(c, bytes, &i))
        return;
    random_state(c, rng);
    if (i.si.flags & STATIC_REPEAT)
        c->s.gpr[X86_RCX] &= 15;
    from = c->s;
    memcpy(ram + CODE, bytes, X86_MAX_LENGTH);
    memcpy(before, ram, RAM_SIZE);
    f1 = rng_next(rng) & SEEN;
    f2 = f1 ^ (rng_next(rng) & SEEN & ~(u64)i.flags_read);
    r1 = execute(c, &from, f1, &i);
    first = c->s;
    memcpy(after, ram, RAM_SIZE);
    memcpy(ram, before, RAM_SIZE);
    r2 = execute(c, &from, f2, &i);

    x86_disasm(&i, text, sizeof(text));
    if (r1 != r2)
        fail_msg("%s: result %d or %d", text, r1, r2);
    if (r1 != X86_OK)
        return;
    differ = (first.rflags ^ c->s.rflags) & SEEN;
    if (differ & i.flags_written)
        fail_msg("%s: flags %lx depend on flags that it does not read", text,
                 (unsigned long)(differ & i.flags_written));
    if (((first.rflags ^ f1) | (c->s.rflags ^ f2)) & SEEN & ~(u64)i.flags_written)
        fail_msg("%s: changes flags that it does not write", text);
    first.rflags = c->s.rflags;
    if (memcmp(&first, &c->s, sizeof(first)) != 0 || memcmp(after, ram, RAM_SIZE) != 0)
        fail_msg("%s: depends on flags that it does not read", text);
}

static void flags_are_used_as_the_decoder_says(void **state)
{
    struct x86_core *c = calloc(1, sizeof(*c));
    struct rng rng = {.state = 3};

    core_init(c);
    x86_state_loaded(c);
    for (u32 n = 0; n < ROUNDS; n++) {
        u8 bytes[X86_MAX_LENGTH];

        for (u32 k = 0; k < sizeof(bytes); k++)
            bytes[k] = (u8)rng_next(&rng);
        switch (rng_below(&rng, 4)) {
        case 0:
            bytes[0] = 0x0f;
            break;
        case 1:
            bytes[0] = (u8)(0x40 | (bytes[0] & 15));
            break;
        case 2:
            bytes[0] = 0xc4;
            bytes[1] = (u8)((bytes[1] & 0xe0) | 2);
            bytes[2] &= 0x83;
            bytes[3] |= 0xf0;
            break;
        default:
            break;
        }
        check(c, bytes, &rng);
    }
    x86_core_release(c);
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_are_used_as_the_decoder_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
