// SPDX-License-Identifier: BSD-3-Clause
// A core slot of a PC: state, TLBs and the ways from the core to its board.
// A checkpoint holds the TLBs, too: a guest that changes page tables without flushing may go on
// with what they hold (SDM vol. 3A §4.10.4.3), and a restored run must do what the saved one did.
#include "machine/pc_core.h"

#include "base/alloc.h"
#include "dev/lapic.h"
#include "dev/pic8259.h"
#include "isa/x86/cpuid.h"
#include "isa/x86/fault.h"
#include "isa/x86/mem.h"
#include "isa/x86/speculate.h"
#include "isa/x86/stub.h"
#include "machine/pc.h"
#include "sim/checkpoint.h"
#include "sim/mmio.h"
#include "sim/sim.h"

#include <string.h>

enum { MSR_APIC_BASE = 0x1b, MSR_TSC_DEADLINE = 0x6e0 };

#define PC_CORE_PARAMS(P, PR, PB, PS, PC)                             \
    P(u32, id, 0, 0, 254, "Number of the core, and its APIC id")      \
    PS(cpuid, "x86-64-v3", "The instruction set that the guest sees") \
    P(u32, tsc_khz, 2000000, 1, 4294967, "Frequency of the TSC")      \
    PS(bus, NULL, "Path of the bus of the local APICs")               \
    P(u64, seed, 1, 0, UINT64_MAX, "Seed of RDRAND and RDSEED")

// The rows of the architectural state come first: the prefix is a struct x86_arch_state.
#define PC_CORE_STATE(F, FA, FE, FV) \
    X86_ARCH_STATE(F, FA, FE, FV)    \
    F(u64, insts)                    \
    F(u64, simop_result) // of the last operation through the port

#define PC_CORE_STATS(S, SV, SH, SG, SR) S(numInsts, "Count", "Instructions completed")

COMPONENT_LISTS(pc_core, PC_CORE_PARAMS, PC_CORE_STATE, PC_CORE_STATS, NO_ROWS);

struct pc_core {
    struct component base;
    struct pc_core_params p;
    struct pc_core_state st;
    struct pc_core_stats n;
    DERIVED(struct x86_core *x86);     // its state is in st whenever that is asked for
    WIRED(struct component *apic);     // child
    WIRED(struct pc_core_links links); //
    WIRED(struct cpu *model);          // borrowed: the active one
    DERIVED(bool init_waits);          // until the end of the instruction
};

static struct pc_core *pc_core_of(const struct component *c)
{
    ASSERT(c->type == &pc_core_type);
    return (struct pc_core *)(uintptr_t)c;
}

struct x86_core *pc_core_x86(const struct component *c)
{
    return pc_core_of(c)->x86;
}

struct component *pc_core_apic(const struct component *c)
{
    return pc_core_of(c)->apic;
}

struct cpu *pc_core_model(const struct component *c)
{
    return pc_core_of(c)->model;
}

void pc_core_set_model(struct component *c, struct cpu *model)
{
    pc_core_of(c)->model = model;
}

// ---- from the core to the board

static void before_device(struct pc_core *core)
{
    core_sync(&core->x86->core, CORE_SYNC_DEVICE);
    core->links.before_device(core->links.context, &core->base);
}

// `cycles`: what the access took; the core's own APIC is as near as its caches.
static void after_device(struct pc_core *core, u32 cycles)
{
    core->links.after_device(core->links.context, &core->base, cycles);
}

// In xAPIC mode, the page of registers is the core's own local APIC.
static bool is_apic_page(const struct pc_core *core, paddr addr)
{
    u64 base = core->x86->s.apic_base;

    return (base & 3 << 10) == 1 << 11 && ((addr ^ base) & CORE_PAGE_MASK) == 0;
}

static void apic_access(struct pc_core *core, u64 offset, unsigned size, u8 *data, bool write)
{
    const struct mmio_ops *ops = component_interface(core->apic, "mmio");
    struct mmio mmio = {.ops = ops, .device = core->apic};

    for (unsigned n; size; offset += n, data += n, size -= n) {
        u64 v = 0;

        n = size >= 8 ? 8 : size >= 4 ? 4 : size >= 2 ? 2 : 1;
        if (write) {
            memcpy(&v, data, n);
            mmio_write(&mmio, offset, n, v);
        } else {
            v = mmio_read(&mmio, offset, n);
            memcpy(data, &v, n);
        }
    }
}

static u64 simop(struct pc_core *core, u16 function)
{
    return core->links.simop(core->links.context, &core->base, function);
}

static bool core_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    struct pc_core *core = ctx;
    bool answered = true;
    u32 cycles = 0;

    before_device(core);
    if (is_apic_page(core, addr)) {
        apic_access(core, addr % CORE_PAGE_SIZE, size, data, write);
    } else if (addr - PC_SIMOP_BASE < PC_SIMOP_SIZE) {
        // A load names the function; the result is in RAX, and the loaded value is it, too.
        if (!write) {
            u64 result = simop(core, (u16)(addr >> 8 & 0xff));

            core->x86->s.gpr[X86_RAX] = result;
            memset(data, 0, size);
            memcpy(data, &result, MIN(size, 8u));
        }
    } else {
        if (write)
            core->links.memory_written(core->links.context, addr);
        answered = mem_port_access(&core->links.memory, addr, size, data, write);
        cycles = core->links.mmio_cycles;
    }
    after_device(core, cycles);
    return answered;
}

static u8 *core_host_page(void *ctx, paddr page, bool write)
{
    struct pc_core *core = ctx;

    return is_apic_page(core, page) ? NULL : mem_port_host_page(&core->links.memory, page, write);
}

static const struct mem_port_ops core_memory = {.access = core_access, .host_page = core_host_page};

// A write of a function number to the first port does it; then the result's halves can be read.
static bool simop_port(struct pc_core *core, u64 offset, unsigned size, void *data, bool write)
{
    u64 value = 0;

    if (offset % 4 || size != 4)
        return false;
    if (write) {
        memcpy(&value, data, 4);
        if (offset == 0)
            core->st.simop_result = simop(core, (u16)value);
    } else {
        value = core->st.simop_result >> 8 * offset;
        memcpy(data, &value, 4);
    }
    return true;
}

static bool core_io(void *ctx, paddr port, unsigned size, void *data, bool write)
{
    struct pc_core *core = ctx;
    bool answered;

    before_device(core);
    if (write)
        core->links.port_written(core->links.context, (u32)port);
    if (port - PC_SIMOP_PORT < 8)
        answered = simop_port(core, port - PC_SIMOP_PORT, size, data, write);
    else
        answered = mem_port_access(&core->links.io, port, size, data, write);
    after_device(core, core->links.io_cycles);
    return answered;
}

static const struct mem_port_ops core_io_ports = {.access = core_io};

static void core_simop(void *ctx, struct x86_core *x86, u16 function)
{
    struct pc_core *core = ctx;

    before_device(core);
    x86->s.gpr[X86_RAX] = simop(core, function);
    after_device(core, 0);
}

static int acknowledge(void *ctx)
{
    struct pc_core *core = ctx;
    int vector;

    before_device(core);
    if (core->x86->cpl == 3)
        core->links.user_interrupted(core->links.context, &core->base);
    vector = lapic_acknowledge(core->apic);
    after_device(core, 0);
    return vector;
}

static void set_tpr(void *ctx, u64 cr8)
{
    struct pc_core *core = ctx;

    before_device(core);
    lapic_set_tpr(core->apic, cr8);
    after_device(core, 0);
}

static bool apic_msr(void *ctx, u32 index, u64 *value, bool write)
{
    struct pc_core *core = ctx;
    bool good;

    before_device(core);
    good = lapic_msr(core->apic, index, value, write);
    after_device(core, 0);
    return good;
}

static void msr_written(void *ctx, u32 index)
{
    struct pc_core *core = ctx;

    before_device(core);
    if (index == MSR_APIC_BASE) {
        lapic_base_written(core->apic, core->x86->s.apic_base);
        x86_tlb_flush(core->x86, true); // the page of registers may have moved
    } else if (index == MSR_TSC_DEADLINE) {
        lapic_deadline_written(core->apic, core->x86->s.tsc_deadline);
    }
    after_device(core, 0);
}

static const struct x86_apic_ops apic_of_core = {
    .acknowledge = acknowledge,
    .set_tpr = set_tpr,
    .msr = apic_msr,
    .msr_written = msr_written,
};

// ---- from the local APIC to the core

static void on_interrupt(void *ctx, bool deliverable)
{
    struct pc_core *core = ctx;
    bool was = core->x86->irq;

    x86_set_irq(core->x86, deliverable);
    if (deliverable && !was)
        core->links.woken(core->links.context, &core->base);
}

static void on_nmi(void *ctx)
{
    struct pc_core *core = ctx;

    x86_set_nmi(core->x86);
    core->links.woken(core->links.context, &core->base);
}

// Between two instructions at once, in the middle of its own one behind it.
static void on_init(void *ctx)
{
    struct pc_core *core = ctx;

    if (core->x86->core.block) {
        core->init_waits = true;
        x86_stop(core->x86, CORE_STOP);
        return;
    }
    cpu_abandon(core->model);
    x86_init_ipi(core->x86);
    core->links.woken(core->links.context, &core->base);
}

static void on_startup(void *ctx, u8 vector)
{
    struct pc_core *core = ctx;

    x86_startup_ipi(core->x86, vector);
    core->links.woken(core->links.context, &core->base);
}

static tick tsc_when(void *ctx, u64 tsc)
{
    struct pc_core *core = ctx;
    tick now = core->base.sim->queue.now;
    u64 cycle = now / core->links.period, ahead = tsc - (cycle + core->x86->s.tsc_offset);
    u128 when = ((u128)cycle + ahead) * core->links.period;

    if ((i64)ahead <= 0)
        return now;
    return when > ~(tick)0 ? ~(tick)0 : (tick)when;
}

static int extint(void *ctx)
{
    struct pc_core *core = ctx;

    return core->links.pic ? pic8259_acknowledge(core->links.pic) : -1;
}

static void tpr_changed(void *ctx, u64 cr8)
{
    ((struct pc_core *)ctx)->x86->s.cr8 = cr8;
}

static void deadline_fired(void *ctx)
{
    x86_speculation_set_deadline(((struct pc_core *)ctx)->x86, 0);
}

static const struct lapic_core_ops core_of_apic = {
    .interrupt = on_interrupt,
    .nmi = on_nmi,
    .init = on_init,
    .startup = on_startup,
    .tsc_when = tsc_when,
    .extint = extint,
    .tpr_changed = tpr_changed,
    .deadline_fired = deadline_fired,
};

// ---- what the board asks

bool pc_core_runnable(const struct component *c)
{
    const struct x86_core *x86 = pc_core_of(c)->x86;
    const struct x86_arch_state *s = &x86->s;

    if (s->wait_for_sipi)
        return false;
    return !s->halted || (s->nmi_pending && !s->nmi_masked) || s->exc_pending ||
           (x86->irq && (s->rflags & X86_IF));
}

bool pc_core_takes_interrupts(const struct component *c)
{
    const struct x86_arch_state *s = &pc_core_of(c)->x86->s;

    return !s->wait_for_sipi && s->rflags & X86_IF;
}

void pc_core_settle(struct component *c)
{
    struct pc_core *core = pc_core_of(c);

    if (!core->init_waits)
        return;
    core->init_waits = false;
    x86_init_ipi(core->x86);
}

void pc_core_count(struct component *c, u64 insts)
{
    pc_core_of(c)->st.insts += insts;
    pc_core_of(c)->n.numInsts += insts;
}

u64 pc_core_insts(const struct component *c)
{
    return pc_core_of(c)->st.insts;
}

void pc_core_publish(struct component *c)
{
    struct pc_core *core = pc_core_of(c);

    memcpy(&core->st, &core->x86->s, sizeof(core->x86->s));
}

// ---- life

static bool pc_core_build(struct component *c, struct error *err)
{
    struct pc_core *core = pc_core_of(c);
    char id[16], clock[24];

    _Static_assert(offsetof(struct pc_core_state, insts) == sizeof(struct x86_arch_state),
                   "the rows of the architectural state come first");
    core->x86 = arena_alloc(&c->sim->arena, sizeof(*core->x86));
    core->apic = component_new(c->sim, &lapic_type, c, "apic", err);
    snprintf(id, sizeof(id), "%u", (unsigned)core->p.id);
    snprintf(clock, sizeof(clock), "%ukHz", (unsigned)x86_crystal_khz((u32)core->p.tsc_khz));
    return core->apic && component_set(core->apic, "id", id, err) &&
           component_set(core->apic, "bus", core->p.bus, err) &&
           component_set(core->apic, "clock", clock, err);
}

bool pc_core_join(struct component *c, const struct pc_core_links *links, struct error *err)
{
    struct pc_core *core = pc_core_of(c);
    struct mem_port port = {.ops = &core_memory, .ctx = core};
    struct x86_core *x86 = core->x86;

    core->links = *links;
    if (!x86_core_init(x86, (u32)core->p.id, &port, core->p.cpuid, err))
        return false;
    x86->io = (struct mem_port){.ops = &core_io_ports, .ctx = core};
    x86->apic = &apic_of_core;
    x86->apic_ctx = core;
    x86->simop = core_simop;
    x86->simop_ctx = core;
    x86->topology.cores = links->cores;
    x86->topology.tsc_khz = (u32)core->p.tsc_khz;
    lapic_attach(core->apic, &core_of_apic, core);
    return true;
}

static void pc_core_reset(struct component *c)
{
    struct pc_core *core = pc_core_of(c);

    core->init_waits = false;
    core->x86->core.stop = 0;
    x86_core_reset(core->x86);
    core->x86->s.rng += core->p.seed;
    core->x86->irq = false;
    pc_core_publish(c);
}

// ---- checkpoint

// A TLB as it is saved: the entries in use, in order.
struct saved_entry {
    u64 tag;
    u64 page;
    u32 index; // of the TLB (privilege, access) and in it
    u32 pad;
};

enum { SAVED_MAX = X86_PRIVILEGES * CORE_ACCESSES * CORE_TLB_SIZE };

static u32 collect(const struct x86_core *x86, struct saved_entry *out)
{
    u32 n = 0;

    for (u32 t = 0; t < X86_PRIVILEGES * CORE_ACCESSES; t++) {
        const struct core_tlb *tlb = &x86->tlbs[t / CORE_ACCESSES][t % CORE_ACCESSES];

        for (u32 i = 0; i < CORE_TLB_SIZE; i++)
            if (tlb->entry[i].tag != CORE_TLB_EMPTY)
                out[n++] = (struct saved_entry){.tag = tlb->entry[i].tag & CORE_PAGE_MASK,
                                                .page = tlb->page[i],
                                                .index = t << 16 | i};
    }
    return n;
}

static void tlb_name(const struct component *c, const char *what, char name[256])
{
    snprintf(name, 256, "%s.%s", c->path, what);
}

static bool pc_core_save(struct component *c, struct checkpoint_writer *w, struct error *err)
{
    struct pc_core *core = pc_core_of(c);
    AUTO_FREE struct saved_entry *saved = xcalloc(SAVED_MAX + 1, sizeof(*saved));
    char name[256];
    u32 n = collect(core->x86, saved + 1);

    // The first element: where large pages are, and how many entries follow.
    saved[0].index = n;
    memcpy(&saved[0].tag, &core->x86->large_base[0], 8);
    memcpy(&saved[0].page, &core->x86->large_end[0], 8);
    saved = xrealloc(saved, n + 2, sizeof(*saved));
    saved[n + 1] =
        (struct saved_entry){.tag = core->x86->large_base[1], .page = core->x86->large_end[1]};
    tlb_name(c, "tlb", name);
    return checkpoint_write_memory(w, name, saved, (n + 2) * sizeof(*saved), err);
}

static bool restore_entry(struct x86_core *x86, const struct saved_entry *e)
{
    u32 t = e->index >> 16, i = e->index & 0xffff;
    struct core_tlb *tlb;

    if (t >= X86_PRIVILEGES * CORE_ACCESSES || i >= CORE_TLB_SIZE || e->tag & ~CORE_PAGE_MASK ||
        e->page & ~CORE_PAGE_MASK || core_tlb_index(e->tag) != i)
        return false;
    tlb = &x86->tlbs[t / CORE_ACCESSES][t % CORE_ACCESSES];
    tlb->entry[i].tag = e->tag | CORE_TLB_DORMANT;
    tlb->page[i] = e->page;
    tlb->used[i / 64] |= 1ull << i % 64;
    return true;
}

static bool damaged(const struct component *c, struct error *err)
{
    return error_set(err, ERROR_INPUT, "%s: the saved TLBs are damaged", c->path);
}

static bool pc_core_load(struct component *c, struct checkpoint_reader *r, struct error *err)
{
    struct pc_core *core = pc_core_of(c);
    AUTO_FREE struct saved_entry *saved = NULL;
    char name[256];
    u64 size, n;

    memcpy(&core->x86->s, &core->st, sizeof(core->x86->s));
    x86_state_loaded(core->x86);
    tlb_name(c, "tlb", name);
    if (!checkpoint_memory_size(r, name, &size) || size % sizeof(*saved) ||
        size < 2 * sizeof(*saved) || size > (SAVED_MAX + 2) * sizeof(*saved))
        return damaged(c, err);
    n = size / sizeof(*saved) - 2;
    saved = xcalloc(n + 2, sizeof(*saved));
    if (!checkpoint_read_memory(r, name, saved, size, err))
        return false;
    for (u64 i = 1; i <= n; i++)
        if (!restore_entry(core->x86, &saved[i]))
            return damaged(c, err);
    core->x86->large_base[0] = saved[0].tag;
    core->x86->large_end[0] = saved[0].page;
    core->x86->large_base[1] = saved[n + 1].tag;
    core->x86->large_end[1] = saved[n + 1].page;
    return true;
}

static bool pc_core_after_load(struct component *c, struct error *err)
{
    struct pc_core *core = pc_core_of(c);

    core->init_waits = false;
    core->x86->core.stop = 0;
    core->x86->irq = lapic_deliverable(core->apic);
    return true;
}

static void pc_core_destroy(struct component *c)
{
    struct pc_core *core = pc_core_of(c);

    core->model = NULL;
    if (core->x86)
        x86_core_release(core->x86);
}

static const struct component_ops pc_core_ops = {
    .build = pc_core_build,
    .reset = pc_core_reset,
    .save = pc_core_save,
    .load = pc_core_load,
    .after_load = pc_core_after_load,
    .destroy = pc_core_destroy,
};

const struct component_type pc_core_type = {
    .name = "pc_core",
    .doc = "Core slot of a PC",
    COMPONENT_LAYOUT(pc_core),
    .ops = &pc_core_ops,
};
