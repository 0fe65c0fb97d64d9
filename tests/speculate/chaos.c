// SPDX-License-Identifier: BSD-3-Clause
// Random states, memory and code (as tests/guest/chaos.c), once straight on and once with wrong
// paths everywhere: registers, memory, what devices were asked and how many instructions were done
// are the same afterwards.
#include "wander.h"

#include "base/hash.h"
#include "isa/x86/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RAM = 1 << 20, STEPS = 400, TABLES = 0x8000, FIRST_PAGE = 16, MAPPED_PAGES = 24 };

struct machine {
    u8 ram[RAM];
    u64 asked; // hash of the accesses that devices saw
};

struct outcome {
    u64 state, asked, insts;
    enum core_exit exit;
};

static bool bus_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    struct machine *m = ctx;

    if (addr + size <= RAM) {
        memcpy(write ? m->ram + addr : data, write ? data : m->ram + addr, size);
        return true;
    }
    if (!write)
        memset(data, 0xff, size);
    m->asked = hash64_more(m->asked, &addr, sizeof(addr));
    m->asked = hash64_more(m->asked, data, size);
    return false;
}

static u8 *bus_page(void *ctx, paddr page, bool write)
{
    return page < RAM ? ((struct machine *)ctx)->ram + page : NULL;
}

// Paging structures that map pages which they are not on: a guest that changes its mappings without
// a flush sees one or the other, and which one depends on what else was done.
static void nudge(struct x86_core *c, u8 *ram, struct rng *rng)
{
    u32 mode = (u32)rng_below(rng, 4);

    c->s.gdt_base = 0x1000;
    c->s.idt_base = 0x2000;
    c->s.cr3 = TABLES;
    c->s.rip = (FIRST_PAGE << 12) + rng_below(rng, MAPPED_PAGES << 12);
    for (u32 i = 0; i < 512 * 4; i++) { // each page of tables leads to the next one, or to any
        u64 page =
            i < 512 * 3 ? TABLES / 4096 + i / 512 + 1 : FIRST_PAGE + rng_below(rng, MAPPED_PAGES);
        u64 entry = page << 12 | 7 | (rng_next(rng) & 0x60);

        memcpy(ram + TABLES + i * 8, &entry, 8);
    }
    for (u32 i = 0; i < X86_SEGS; i++) {
        c->s.seg_base[i] &= 0xfff;
        c->s.seg_limit[i] |= 0xfffff;
        c->s.seg_attr[i] = (c->s.seg_attr[i] & 0x1f0ff) | X86_ATTR_P;
    }
    c->s.cr4 &= ~(u64)(X86_CR4_LA57 | X86_CR4_PCIDE);
    c->s.cr0 = (c->s.cr0 & ~(u64)X86_CR0_PG) | (mode ? X86_CR0_PE : 0);
    c->s.efer = 0;
    if (mode >= 2) {
        c->s.cr0 |= X86_CR0_PG;
        c->s.cr4 |= X86_CR4_PAE;
        c->s.efer = X86_EFER_LME | X86_EFER_LMA | X86_EFER_SCE;
        c->s.seg_attr[X86_CS] = (c->s.seg_attr[X86_CS] & ~X86_ATTR_DB) | X86_ATTR_L;
        for (u32 i = 0; i < 16; i++)
            c->s.gpr[i] &= 0x7fffffffffff;
    }
    c->s.halted = c->s.wait_for_sipi = 0;
}

static void begin(struct x86_core *c, u64 number, struct machine *m)
{
    struct rng rng = {.state = number};

    for (u32 i = 0; i < RAM; i += 8) {
        u64 v = rng_next(&rng);

        memcpy(m->ram + i, &v, 8);
    }
    m->asked = 0;
    state_randomise(&c->s, x86_arch_state_fields, &rng);
    c->s.null_reg = 0;
    c->s.mxcsr &= 0xffff;
    c->s.fsw &= 0x7f7f; // ES and B follow from the other bits
    c->s.fsw |= c->s.fsw & ~c->s.fcw & 0x3f ? 0x8080 : 0;
    c->io = c->core.mem;
    nudge(c, m->ram, &rng);
    x86_state_loaded(c);
}

static bool run(u64 number, u32 every, struct machine *m, struct outcome *ret)
{
    static const struct mem_port_ops ops = {.access = bus_access, .host_page = bus_page};
    struct x86_core *c = calloc(1, sizeof(*c));
    struct block_cache *bc;
    struct wander w = {0};
    struct error err;
    bool good;

    bc = block_cache_new(MiB(2), true, &err);
    if (!c || !bc ||
        !x86_core_init(c, 0, &(struct mem_port){.ops = &ops, .ctx = m}, "x86-64-v3", &err) ||
        !wander_init(&w, &c->core, bc, number, every, &err))
        abort();
    begin(c, number, m);
    ret->exit = wander_run(&w, STEPS, &ret->insts);
    ret->state = wander_hash(&c->core, RAM);
    ret->asked = m->asked;
    good = !w.broken;
    if (!good)
        printf("round %llu: %s\n", (unsigned long long)number, w.broken);
    wander_release(&w);
    block_cache_free(bc);
    x86_core_release(c);
    free(c);
    return good;
}

int main(int argc, char **argv)
{
    u64 rounds = argc > 1 ? strtoull(argv[1], NULL, 0) : 600;
    u64 first = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    struct machine *m = calloc(1, sizeof(*m));
    struct outcome straight, wandering;
    u64 insts = 0;
    bool good = true;

    for (u64 n = first; n < first + rounds; n++) {
        memset(&straight, 0, sizeof(straight));
        memset(&wandering, 0, sizeof(wandering));
        good &= run(n, 0, m, &straight);
        good &= run(n, 3, m, &wandering);
        insts += straight.insts;
        if (memcmp(&straight, &wandering, sizeof(straight)) != 0) {
            printf("round %llu: %llu and %llu instructions, exits %d and %d%s%s\n",
                   (unsigned long long)n, (unsigned long long)straight.insts,
                   (unsigned long long)wandering.insts, straight.exit, wandering.exit,
                   straight.state != wandering.state ? ", other state" : "",
                   straight.asked != wandering.asked ? ", other accesses to devices" : "");
            good = false;
        }
    }
    printf("%llu rounds, %llu instructions\n", (unsigned long long)rounds,
           (unsigned long long)insts);
    free(m);
    return good ? 0 : 1;
}
