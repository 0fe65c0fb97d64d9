// SPDX-License-Identifier: BSD-3-Clause
// Random register state, random memory, random code: whatever a guest does to itself, the host goes
// on. Half of the states are nudged towards something that runs for a while.
#include "cpu/functional/functional.h"
#include "isa/x86/fault.h"
#include "isa/x86/segment.h"
#include "isa/x86/step.h"

#include <stdio.h>
#include <stdlib.h>

enum { RAM = 1 << 20, STEPS = 300 };

static bool ram_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    if (addr >= RAM || addr + size > RAM) {
        if (!write)
            memset(data, 0xff, size);
        return false;
    }
    if (write)
        memcpy((u8 *)ctx + addr, data, size);
    else
        memcpy(data, (u8 *)ctx + addr, size);
    return true;
}

static u8 *ram_page(void *ctx, paddr page, bool write)
{
    return page < RAM ? (u8 *)ctx + page : NULL;
}

// Something like a system: tables inside RAM, paging structures that lead back into it, sane modes.
static void nudge(struct x86_core *c, u8 *ram, struct rng *rng)
{
    u32 mode = (u32)rng_below(rng, 4);

    c->s.gdt_base = 0x1000;
    c->s.idt_base = 0x2000;
    c->s.cr3 = 0x8000;
    c->s.rip = 0x10000 + rng_below(rng, 0x8000);
    for (u32 i = 0; i < 512 * 4; i++) { // every entry is present and leads to the next 16 pages
        u64 entry = ((8 + rng_below(rng, 24)) << 12) | 0x27 | (rng_below(rng, 8) == 0 ? 0x80 : 0);

        memcpy(ram + 0x8000 + i * 8, &entry, 8);
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
        c->s.efer = mode == 3 ? X86_EFER_LME | X86_EFER_LMA | X86_EFER_SCE : 0;
    }
    c->s.halted = c->s.wait_for_sipi = 0;
}

static void run_steps(struct x86_core *c)
{
    for (u32 n = 0; n < STEPS; n++) {
        struct x86_insn i;
        enum core_exit exit;

        c->core.budget = c->core.run_budget = 1;
        exit = x86_check_events(&c->core);
        if (exit == CORE_CONTINUE) {
            c->core.budget--;
            if (x86_step(c, &i) == X86_FAULT) {
                c->core.budget++;
                exit = x86_deliver(c);
            }
        }
        if (exit != CORE_CONTINUE)
            break;
    }
}

static void drop_records(struct dyn_batch *batch)
{
}

static bool run_engine(struct x86_core *c, bool traced)
{
    struct error err;
    struct block_cache *bc = block_cache_new(MiB(2), traced, &err);
    struct dyn_batch *batch = traced ? dyn_batch_new(1000, drop_records, NULL, &err) : NULL;
    struct cpu *cpu = bc && (batch || !traced) ? functional_new(&c->core, bc, batch, &err) : NULL;
    u64 done;

    if (cpu)
        cpu_run(cpu, STEPS, &done);
    cpu_free(cpu);
    dyn_batch_free(batch);
    block_cache_free(bc);
    return cpu != NULL;
}

// Everything about a round follows from its number.
static bool run_round(u64 number, u8 *ram)
{
    static const struct mem_port_ops ops = {.access = ram_access, .host_page = ram_page};
    struct x86_core *c = calloc(1, sizeof(*c));
    struct rng rng = {.state = number};
    struct error err;
    bool ok;

    for (u32 i = 0; i < RAM; i += 8) {
        u64 v = rng_next(&rng);

        memcpy(ram + i, &v, 8);
    }
    ok = x86_core_init(c, 0, &(struct mem_port){.ops = &ops, .ctx = ram}, "x86-64-v3,+la57", &err);
    if (ok) {
        state_randomise(&c->s, x86_arch_state_fields, &rng);
        c->s.null_reg = 0;
        c->s.mxcsr &= 0xffff;
        c->s.fsw &= 0x7f7f; // ES and B follow from the other bits
        c->s.fsw |= c->s.fsw & ~c->s.fcw & 0x3f ? 0x8080 : 0;
        c->io = c->core.mem;
        if (number % 4)
            nudge(c, ram, &rng);
        x86_state_loaded(c);
        if (number % 3 == 0)
            run_steps(c);
        else
            ok = run_engine(c, number % 3 == 1);
        x86_core_release(c);
    }
    free(c);
    return ok;
}

int main(int argc, char **argv)
{
    u64 rounds = argc > 1 ? strtoull(argv[1], NULL, 0) : 600;
    u64 first = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    u8 *ram = malloc(RAM);
    bool ok = true;

    for (u64 n = first; n < first + rounds && ok; n++) {
        if (argc > 3)
            fprintf(stderr, "round %llu\n", (unsigned long long)n);
        ok = run_round(n, ram);
    }
    free(ram);
    return ok ? 0 : 1;
}
