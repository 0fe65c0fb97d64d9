// SPDX-License-Identifier: BSD-3-Clause
#include "subject.h"

#include "cpu/functional/functional.h"
#include "isa/x86/fault.h"
#include "isa/x86/flags.h"
#include "isa/x86/mem.h"
#include "isa/x86/step.h"
#include "native.h"

#include <stdlib.h>
#include <string.h>

// Physical memory: page tables, descriptors, the windows.
enum {
    PHYS_PML4 = 0x0000,
    PHYS_PDPT = 0x1000,
    PHYS_PD = 0x2000, // the first GiB
    PHYS_PT = 0x3000, // of code, self-modifying code, data, descriptors
    PHYS_GDT = 0x7000,
    PHYS_CODE = 0x8000,
    PHYS_SMC = PHYS_CODE + CASE_CODE_PAGES * CASE_PAGE,
    PHYS_DATA = PHYS_SMC + CASE_CODE_PAGES * CASE_PAGE,
    PHYS_SIZE = PHYS_DATA + CASE_DATA_PAGES * CASE_PAGE,
};

// Linear addresses that only the supervisor has: descriptors, and the code windows to be written.
enum { LINEAR_GDT = 0x08000000, LINEAR_CODE = 0x08010000 };

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 0x20, PTE_D = 0x40 };
#define PTE_NX (1ull << 63)

enum { STEP_LIMIT = 20000, GDT_LIMIT = 127, CACHE_BYTES = 4 << 20 };

struct subject {
    enum subject_engine engine;
    const u8 *background;      // borrowed
    struct x86_core *core;     // owned
    u8 *ram;                   // owned, PHYS_SIZE bytes
    struct cpu *cpu;           // owned; NULL: step by step
    struct block_cache *cache; // owned
    struct dyn_batch *batch;   // owned
};

static bool ram_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    struct subject *s = ctx;

    if (addr + size > PHYS_SIZE)
        return false;
    memcpy(write ? s->ram + addr : data, write ? data : s->ram + addr, size);
    return true;
}

static u8 *ram_page(void *ctx, paddr page, bool write)
{
    struct subject *s = ctx;

    return page < PHYS_SIZE ? s->ram + page : NULL;
}

static const struct mem_port_ops ram_ops = {.access = ram_access, .host_page = ram_page};

static void put_u64(struct subject *s, u32 at, u64 v)
{
    memcpy(s->ram + at, &v, 8);
}

// Maps one page through page table `table` (0-3).
static void map_page(struct subject *s, u32 table, u32 linear, u32 phys, u64 rights)
{
    u32 pt = PHYS_PT + table * CASE_PAGE;

    put_u64(s, PHYS_PD + (linear >> 21) * 8, pt | PTE_P | PTE_W | PTE_U | PTE_A);
    put_u64(s, pt + (linear >> 12 & 511) * 8, phys | PTE_P | PTE_A | PTE_D | rights);
}

static void map_windows(struct subject *s)
{
    static const u8 rw[CASE_RW_PAGES] = CASE_RW;

    put_u64(s, PHYS_PML4, PHYS_PDPT | PTE_P | PTE_W | PTE_U | PTE_A);
    put_u64(s, PHYS_PDPT, PHYS_PD | PTE_P | PTE_W | PTE_U | PTE_A);
    for (u32 i = 0; i < CASE_CODE_PAGES; i++) {
        u32 at = i * CASE_PAGE;

        map_page(s, 0, CASE_CODE + at, PHYS_CODE + at, PTE_U);
        map_page(s, 1, CASE_SMC + at, PHYS_SMC + at, PTE_U | PTE_W);
        map_page(s, 3, LINEAR_CODE + at, PHYS_CODE + at, PTE_W | PTE_NX);
        map_page(s, 3, LINEAR_CODE + CASE_CODE_PAGES * CASE_PAGE + at, PHYS_SMC + at,
                 PTE_W | PTE_NX);
    }
    for (u32 i = 0; i < CASE_RW_PAGES; i++)
        map_page(s, 2, CASE_DATA + rw[i] * CASE_PAGE, PHYS_DATA + rw[i] * CASE_PAGE,
                 PTE_U | PTE_W | PTE_NX);
    map_page(s, 2, CASE_DATA + CASE_RO_PAGE * CASE_PAGE, PHYS_DATA + CASE_RO_PAGE * CASE_PAGE,
             PTE_U | PTE_NX);
    map_page(s, 3, LINEAR_GDT, PHYS_GDT, PTE_W | PTE_NX);
}

// Attributes as in x86_arch_state.seg_attr.
enum {
    ATTR_KERNEL_CODE32 = 0xc09b,
    ATTR_KERNEL_CODE64 = 0xa09b,
    ATTR_KERNEL_DATA = 0xc093,
    ATTR_CODE32 = 0xc0fb,
    ATTR_DATA = 0xc0f3,
    ATTR_CODE64 = 0xa0fb,
    ATTR_CPU_NUMBER = 0x40f5, // read-only, expand-down
};

// Linux's, as far as user mode can tell.
static void put_descriptors(struct subject *s)
{
    static const u32 attr[16] = {
        0,           ATTR_KERNEL_CODE32, ATTR_KERNEL_CODE64, ATTR_KERNEL_DATA,
        ATTR_CODE32, ATTR_DATA,          ATTR_CODE64};

    for (u32 n = 0; n < ARRAY_SIZE(attr); n++)
        if (attr[n] && (attr[n] != ATTR_CODE32 || native_modes() >> CASE_MODE32 & 1))
            put_u64(s, PHYS_GDT + n * 8, (u64)attr[n] << 40 | 0x000f00000000ffffull);
    // Its limit is the number of the processor: 0 here. LSL of just this selector would differ.
    put_u64(s, PHYS_GDT + 15 * 8, (u64)ATTR_CPU_NUMBER << 40);
}

static void init_system_state(struct x86_core *c)
{
    struct x86_arch_state *s = &c->s;

    s->cr0 =
        X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_PG;
    s->cr3 = PHYS_PML4;
    s->cr4 = X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_OSXSAVE |
             X86_CR4_FSGSBASE | X86_CR4_PGE | X86_CR4_UMIP;
    s->efer = X86_EFER_SCE | X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE;
    s->xcr0 = 7;
    s->gdt_base = LINEAR_GDT;
    s->gdt_limit = GDT_LIMIT;
    s->seg_attr[X86_LDTR] = X86_ATTR_UNUSABLE;
    s->seg_limit[X86_LDTR] = 0;
    s->seg_base[X86_TR] = LINEAR_GDT + 1024;
    s->seg_limit[X86_TR] = 0x67;
    c->core.user_env = true;
}

static void drop_records(struct dyn_batch *b)
{
}

static bool make_engine(struct subject *s, struct error *err)
{
    bool traced = s->engine == SUBJECT_TRACED;

    s->core->core.isa = &x86_isa_ops;
    if (s->engine == SUBJECT_STEP)
        return true;
    s->cache = block_cache_new(CACHE_BYTES, traced, err);
    if (!s->cache)
        return false;
    if (traced) {
        s->batch = dyn_batch_new(1024, drop_records, NULL, err);
        if (!s->batch)
            return false;
    }
    s->cpu = functional_new(&s->core->core, s->cache, s->batch, err);
    return s->cpu != NULL;
}

struct subject *subject_new(enum subject_engine engine, const u8 *background, struct error *err)
{
    struct subject *s = calloc(1, sizeof(*s));
    struct mem_port port = {&ram_ops, s};

    if (!s)
        goto no_memory;
    s->engine = engine;
    s->background = background;
    s->core = calloc(1, sizeof(*s->core));
    s->ram = aligned_alloc(CASE_PAGE, PHYS_SIZE);
    if (!s->core || !s->ram)
        goto no_memory;
    memset(s->ram, 0, PHYS_SIZE);
    memset(s->ram + PHYS_CODE, 0xcc, 2 * CASE_CODE_PAGES * CASE_PAGE);
    if (!x86_core_init(s->core, 0, &port, "x86-64-v3", err))
        goto fail;
    map_windows(s);
    put_descriptors(s);
    memcpy(s->ram + PHYS_GDT + 1024 + 0x66, &(u16){0x8000}, 2); // no I/O permission bit map
    init_system_state(s->core);
    x86_state_loaded(s->core);
    if (!make_engine(s, err))
        goto fail;
    return s;
no_memory:
    error_set(err, ERROR_RESOURCE, "no memory");
fail:
    subject_free(s);
    return NULL;
}

void subject_free(struct subject *s)
{
    if (!s)
        return;
    cpu_free(s->cpu);
    block_cache_free(s->cache);
    dyn_batch_free(s->batch);
    if (s->core)
        x86_core_release(s->core);
    free(s->core);
    free(s->ram);
    free(s);
}

// --- state in and out

static void load_segment(struct x86_arch_state *s, enum x86_seg seg, u16 sel)
{
    static const u32 attr[8] = {[4] = ATTR_CODE32, [5] = ATTR_DATA, [6] = ATTR_CODE64};

    s->seg_sel[seg] = sel;
    s->seg_base[seg] = 0;
    s->seg_limit[seg] = sel ? 0xffffffff : 0;
    s->seg_attr[seg] = sel ? attr[sel >> 3 & 7] : X86_ATTR_UNUSABLE;
}

static void load_fpu(struct x86_arch_state *s, const struct case_xsave *x)
{
    u32 top = x->fsw >> 11 & 7;

    s->fcw = x->fcw;
    s->fsw = x->fsw;
    s->ftw = x->ftw;
    s->fop = x->fop;
    s->fip = x->fip;
    s->fdp = x->fdp;
    s->mxcsr = x->mxcsr;
    for (u32 n = 0; n < 8; n++)
        memcpy(s->x87 + ((top + n) & 7) * 16, x->st[n], 16);
    for (u32 n = 0; n < 16; n++) {
        memcpy(&s->ymm[n * 4], x->xmm[n], 16);
        memcpy(&s->ymm[n * 4 + 2], x->ymm_high[n], 16);
    }
}

static void load_state(struct subject *s, const struct conform_case *c)
{
    struct x86_arch_state *a = &s->core->s;

    memcpy(a->gpr, c->in.gpr, sizeof(a->gpr));
    a->rip = c->in.rip;
    a->rflags = c->in.rflags;
    for (u32 n = 0; n < 6; n++)
        load_segment(a, (enum x86_seg)n, c->in.sel[n]);
    a->seg_base[X86_FS] = c->in.fs_base;
    a->seg_base[X86_GS] = c->in.gs_base;
    load_fpu(a, &c->in.x);
    a->int_shadow = a->exc_pending = a->halted = 0;
    a->cr2 = 0;
    s->core->lazy.kind = LAZY_NONE;
    s->core->stepped = s->core->step_trap = s->core->shadow_seen = s->core->rf_seen = false;
    s->core->debug_hits = 0;
    s->core->fault = (struct x86_fault_info){0};
    x86_update_mode(s->core);
}

static void save_fpu(const struct x86_arch_state *s, struct case_xsave *x)
{
    u32 top = s->fsw >> 11 & 7;

    x->fcw = s->fcw;
    x->fsw = s->fsw;
    x->ftw = (u8)s->ftw;
    x->fop = s->fop;
    x->fip = s->fip;
    x->fdp = s->fdp;
    x->mxcsr = s->mxcsr;
    for (u32 n = 0; n < 8; n++)
        memcpy(x->st[n], s->x87 + ((top + n) & 7) * 16, 16);
    for (u32 n = 0; n < 16; n++) {
        memcpy(x->xmm[n], &s->ymm[n * 4], 16);
        memcpy(x->ymm_high[n], &s->ymm[n * 4 + 2], 16);
    }
}

static void save_state(const struct subject *s, struct case_state *out)
{
    const struct x86_arch_state *a = &s->core->s;

    memcpy(out->gpr, a->gpr, sizeof(a->gpr));
    out->rip = a->rip;
    out->rflags = x86_rflags(s->core);
    memcpy(out->sel, a->seg_sel, sizeof(out->sel));
    out->fs_base = a->seg_base[X86_FS];
    out->gs_base = a->seg_base[X86_GS];
    save_fpu(a, &out->x);
}

// --- memory

static void put_data(struct subject *s, const struct conform_case *c)
{
    static const u8 pages[] = {1, 2, CASE_RO_PAGE, 5};

    for (u32 i = 0; i < ARRAY_SIZE(pages); i++)
        memcpy(s->ram + PHYS_DATA + pages[i] * CASE_PAGE, s->background + pages[i] * CASE_PAGE,
               CASE_PAGE);
    for (u32 i = 0; i < c->n_patches; i++)
        memcpy(s->ram + PHYS_DATA + (c->patch[i].at - CASE_DATA), c->patch[i].bytes,
               c->patch[i].len);
}

// The core's own stores, through the supervisor's mapping: decoded blocks must notice.
static void put_code(struct subject *s, u32 at, const u8 *bytes, u32 len)
{
    u32 window = at >= CASE_SMC ? CASE_SMC : CASE_CODE;
    u32 room = window + CASE_CODE_PAGES * CASE_PAGE - at;
    u32 base = LINEAR_CODE + (window == CASE_SMC ? CASE_CODE_PAGES * CASE_PAGE : 0);

    x86_store_system(s->core, base + (at - window), bytes, MIN(len, room));
}

static void take_data(const struct subject *s, struct case_result *r)
{
    static const u8 rw[CASE_RW_PAGES] = CASE_RW;

    for (u32 i = 0; i < CASE_RW_PAGES; i++)
        memcpy(r->data + i * CASE_PAGE, s->ram + PHYS_DATA + rw[i] * CASE_PAGE, CASE_PAGE);
}

// --- running

static enum core_exit steps(struct x86_core *c)
{
    struct x86_insn insn;

    c->core.budget = c->core.run_budget = STEP_LIMIT;
    for (u32 n = 0; n < STEP_LIMIT; n++) {
        enum core_exit e = x86_check_events(&c->core);
        enum x86_result r;

        if (e != CORE_CONTINUE)
            return e;
        r = x86_step(c, &insn);
        if (r == X86_FAULT)
            return CORE_EXCEPTION;
        if (r == X86_LEAVE)
            return c->core.exit;
    }
    return CORE_LIMIT;
}

static enum core_exit run(struct subject *s)
{
    struct core *core = &s->core->core;
    enum core_exit e;
    u64 insts;

    if (s->cpu)
        return cpu_run(s->cpu, STEP_LIMIT, &insts);
    core->isa->enter(core);
    e = steps(s->core);
    core->isa->leave(core);
    return e;
}

static void take_end(const struct x86_core *c, enum core_exit e, const struct conform_case *kase,
                     struct case_result *r)
{
    const struct x86_fault_info *f = &c->fault;

    r->vector = f->vector;
    r->error = f->has_error ? f->error : 0;
    r->address = f->vector == X86_EXC_PF ? f->address : 0;
    r->end = CASE_END_FAULT;
    if (e != CORE_EXCEPTION) {
        r->end = e == CORE_LIMIT ? CASE_END_LIMIT : CASE_END_FAULT;
        r->vector = 0x100 + (u32)e; // no exception: system call, halt…
    } else if (f->vector == X86_EXC_PF && f->address == CASE_STUB && c->s.rip == CASE_STUB &&
               !(r->out.rflags & X86_TF)) {
        r->end = CASE_END_EXIT;
        r->vector = r->error = 0;
        r->address = 0;
        r->out.rip = kase->end;
    }
}

void subject_run(struct subject *s, const struct conform_case *c, struct case_result *r)
{
    u8 int3[CASE_CODE_MAX];
    enum core_exit e;

    put_data(s, c);
    put_code(s, c->code_at, c->code, c->code_len);
    load_state(s, c);
    e = run(s);
    save_state(s, &r->out);
    take_end(s->core, e, c, r);
    take_data(s, r);
    if (c->code_at >= CASE_SMC) {
        memcpy(r->code, s->ram + PHYS_SMC, sizeof(r->code));
        memset(s->ram + PHYS_SMC, 0xcc, sizeof(r->code));
    } else {
        memset(int3, 0xcc, c->code_len);
        put_code(s, c->code_at, int3, c->code_len);
    }
}

const char *subject_engine_name(enum subject_engine engine)
{
    static const char *const names[] = {"step", "plain", "traced"};

    return names[engine];
}

bool subject_is_system(u64 address)
{
    return address - LINEAR_GDT < 2ull << 20; // their page table
}
