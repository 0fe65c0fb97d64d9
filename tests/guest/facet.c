// SPDX-License-Identifier: BSD-3-Clause
// Runs a guest on facet: one instruction at a time, on the functional engine, or in steps as timing
// models do.
#include "guest.h"
#include "wander.h"

#include "cpu/functional/functional.h"
#include "isa/x86/fault.h"
#include "isa/x86/segment.h"
#include "isa/x86/step.h"

#include <stdio.h>
#include <stdlib.h>

enum { INSTRUCTIONS_MAX = 1000000 };

static bool ram_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    if (addr + size > GUEST_RAM) {
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
    return page < GUEST_RAM ? (u8 *)ctx + page : NULL;
}

static void set_segment(struct x86_core *c, enum x86_seg seg, u16 sel)
{
    struct x86_descriptor d;

    if (x86_descriptor_read(c, sel, X86_EXC_GP, 0, &d) == X86_OK)
        x86_segment_set(c, seg, sel, &d);
}

static void begin(struct x86_core *c, enum guest_mode mode)
{
    c->s.gdt_base = GUEST_GDT;
    c->s.gdt_limit = 0x6f;
    c->s.idt_limit = mode == GUEST_REAL ? 0x3ff : 0;
    c->s.rip = GUEST_LOAD;
    c->s.gpr[X86_RSP] = mode == GUEST_REAL ? 0x5000 : GUEST_STACK;
    if (mode == GUEST_REAL) {
        x86_segment_set_real(c, X86_CS, 0);
        x86_state_loaded(c);
        return;
    }
    c->s.cr0 = X86_CR0_PE | X86_CR0_ET | X86_CR0_NE;
    x86_state_loaded(c);
    for (u32 seg = X86_ES; seg <= X86_GS; seg++)
        set_segment(c, (enum x86_seg)seg, 0x10);
    set_segment(c, X86_CS, mode == GUEST_LONG ? 8 : 0x30);
    if (mode == GUEST_LONG) {
        c->s.cr0 |= X86_CR0_PG;
        c->s.cr3 = GUEST_TABLES;
        c->s.cr4 = X86_CR4_PAE;
        c->s.efer = X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE | X86_EFER_SCE;
    }
    x86_state_loaded(c);
}

static enum guest_end run_steps(struct x86_core *c, char why[160])
{
    for (u32 n = 0; n < INSTRUCTIONS_MAX; n++) {
        struct x86_insn insn;
        enum x86_result r;
        enum core_exit exit;

        c->core.budget = c->core.run_budget = 1;
        exit = x86_check_events(&c->core);
        if (exit == CORE_CONTINUE) {
            r = x86_step(c, &insn);
            c->core.budget--;
            if (r == X86_FAULT) {
                c->core.budget++;
                exit = x86_deliver(c);
            }
            c->core.time.base++;
        }
        if (exit == CORE_HALT)
            return GUEST_HALTED;
        if (exit == CORE_SHUTDOWN)
            return GUEST_SHUT_DOWN;
    }
    snprintf(why, 160, "no end after %d instructions, at %#llx", INSTRUCTIONS_MAX,
             (unsigned long long)c->s.rip);
    return GUEST_STUCK;
}

static void drop_records(struct dyn_batch *batch)
{
}

static enum guest_end run_engine(struct x86_core *c, bool traced, char why[160])
{
    struct error err = {.message = ""};
    struct block_cache *bc = block_cache_new(MiB(4), traced, &err);
    struct dyn_batch *batch = traced ? dyn_batch_new(1000, drop_records, NULL, &err) : NULL;
    struct cpu *cpu = bc && (batch || !traced) ? functional_new(&c->core, bc, batch, &err) : NULL;
    enum core_exit exit = CORE_STOP;
    u64 done;

    if (cpu)
        exit = cpu_run(cpu, INSTRUCTIONS_MAX, &done);
    snprintf(why, 160, "left the engine because of %d at %#llx %.100s", exit,
             (unsigned long long)c->s.rip, err.message);
    cpu_free(cpu);
    dyn_batch_free(batch);
    block_cache_free(bc);
    return exit == CORE_HALT ? GUEST_HALTED : exit == CORE_SHUTDOWN ? GUEST_SHUT_DOWN : GUEST_STUCK;
}

static enum guest_end run_front(struct x86_core *c, u32 every, char why[160])
{
    struct error err = {.message = ""};
    struct block_cache *bc = block_cache_new(MiB(4), true, &err);
    enum core_exit exit = CORE_STOP;
    struct wander w = {0};
    u64 done;

    if (bc && wander_init(&w, &c->core, bc, 1, every, &err))
        exit = wander_run(&w, INSTRUCTIONS_MAX, &done);
    snprintf(why, 160, "left the engine because of %d at %#llx %.60s%.60s", exit,
             (unsigned long long)c->s.rip, err.message, w.broken ? w.broken : "");
    if (w.broken)
        exit = CORE_STOP;
    wander_release(&w);
    block_cache_free(bc);
    return exit == CORE_HALT ? GUEST_HALTED : exit == CORE_SHUTDOWN ? GUEST_SHUT_DOWN : GUEST_STUCK;
}

static enum guest_end run(struct x86_core *c, enum guest_engine engine, char why[160])
{
    switch (engine) {
    case GUEST_STEP:
        return run_steps(c, why);
    case GUEST_PLAIN:
    case GUEST_TRACED:
        return run_engine(c, engine == GUEST_TRACED, why);
    default:
        return run_front(c, engine == GUEST_WRONG_PATHS ? 2 : 0, why);
    }
}

void guest_run_facet(const struct guest_case *g, enum guest_engine engine, struct guest_result *ret)
{
    static const struct mem_port_ops ops = {.access = ram_access, .host_page = ram_page};
    u8 *ram = malloc(GUEST_RAM);
    struct x86_core *c = calloc(1, sizeof(*c));
    struct error err;

    guest_prepare(g, ram);
    memset(ret, 0, sizeof(*ret));
    if (!x86_core_init(c, 0, &(struct mem_port){.ops = &ops, .ctx = ram}, "x86-64-v3", &err)) {
        ret->end = GUEST_STUCK;
        snprintf(ret->why, sizeof(ret->why), "%.150s", err.message);
    } else {
        begin(c, g->mode);
        ret->end = run(c, engine, ret->why);
        memcpy(ret->words, ram + GUEST_RESULTS, sizeof(ret->words));
        x86_core_release(c);
    }
    free(c);
    free(ram);
}
