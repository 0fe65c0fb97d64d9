// SPDX-License-Identifier: BSD-3-Clause
#include "os/linux/kernel.h"

#include "base/bug.h"
#include "isa/x86/feature.h"
#include "isa/x86/mem.h"
#include "os/linux/file.h"
#include "os/linux/file_times.h"
#include "os/linux/inotify.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

STAT_FIELDS(kernel_stats, KERNEL_STATS);

// Stale entries of cores that run this address space.
static void flush(void *ctx, struct mm *mm, vaddr va, u64 n_pages)
{
    struct kernel *k = ctx;

    for (u32 i = 0; i < k->n_cpus; i++) {
        struct kernel_cpu *c = &k->cpus[i];

        if (c->space != mm)
            continue;
        if (n_pages > 32) {
            x86_tlb_flush(c->core, true);
            if (n_pages == MM_ALL_PAGES) // the space ends, and another may begin at its address
                c->space = NULL;
            continue;
        }
        for (u64 n = 0; n < n_pages; n++)
            x86_tlb_flush_page(c->core, va + n * PAGE_BYTES);
    }
}

// A page of a shared mapping is written for the first time.
static void mapped_write(void *ctx, const struct mapping *m)
{
    file_times_touch(ctx, m->fd, m->dev, m->ino, TIMES_M | TIMES_C, true);
}

static void mapped_access(void *ctx, bool done)
{
    inotify_own_access(ctx, done);
}

bool kernel_init(struct kernel *k, const struct kernel_options *o, struct error *err)
{
    *k = (struct kernel){.period = o->period,
                         .quantum = o->quantum,
                         .seed = o->seed,
                         .rng = {o->seed},
                         .next_pid = 1000,
                         .root_fd = -1,
                         .insts_limit = ~0ull,
                         .time_limit = ~(tick)0};
    event_queue_init(&k->events);
    if (o->root && strcmp(o->root, "/") != 0) {
        k->root = xstrdup(o->root);
        k->root_fd = open(o->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (k->root_fd < 0) {
            free(k->root);
            return error_set_errno(err, "cannot open the root folder '%s'", o->root);
        }
    }
    if (!pages_init(&k->pages, o->mem_bytes, err)) {
        kernel_release(k);
        return false;
    }
    mapping_set_init(&k->mappings, &k->pages);
    k->mappings.dirtied = mapped_write;
    k->mappings.access = mapped_access;
    k->mappings.ctx = k;
    k->env = (struct mm_env){&k->pages, &k->mappings, flush, k};
    return true;
}

void kernel_release(struct kernel *k)
{
    while (k->processes.count > 0) {
        struct process *p = k->processes.items[k->processes.count - 1];
        i32 pid = p->pid;

        if (p->count > 0)
            process_exit(p, 0); // its end may already reap it
        if (process_find(k, pid) == p)
            process_reap(p);
    }
    free(k->processes.items);
    free(k->sleepers.items);
    free(k->fifos.items);
    sockets_release(k); // closes files that nobody received
    VEC_RELEASE(&k->watchers);
    VEC_RELEASE(&k->locks);
    file_times_free(k->times);
    mapping_set_release(&k->mappings);
    pages_release(&k->pages);
    free(k->cpus);
    free(k->root);
    if (k->root_fd >= 0)
        close(k->root_fd);
}

void kernel_add_cpu(struct kernel *k, struct x86_core *core, struct cpu *model)
{
    k->cpus = xrealloc(k->cpus, k->n_cpus + 1, sizeof(*k->cpus));
    k->cpus[k->n_cpus] = (struct kernel_cpu){.id = k->n_cpus, .core = core, .model = model};
    k->n_cpus++;
    k->pages.core = &k->cpus[0].core->core;
}

void kernel_core_setup(struct x86_core *core)
{
    enum { CODE = 0x33, DATA = 0x2b };
    struct x86_arch_state *s = &core->s;

    s->cr0 =
        X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_PG;
    s->cr4 = X86_CR4_PAE | X86_CR4_PGE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;
    s->efer = X86_EFER_SCE | X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE;
    s->xcr0 = 1;
    if (x86_has(core, X86_FEATURE_XSAVE)) {
        s->cr4 |= X86_CR4_OSXSAVE;
        s->xcr0 = x86_has(core, X86_FEATURE_AVX) ? 7 : 3;
    }
    if (x86_has(core, X86_FEATURE_FSGSBASE))
        s->cr4 |= X86_CR4_FSGSBASE;
    for (u32 i = 0; i < X86_LDTR; i++) {
        s->seg_sel[i] = i == X86_CS ? CODE : i == X86_SS ? DATA : 0;
        s->seg_base[i] = 0;
        s->seg_limit[i] = 0xffffffff;
        // Accessed data or code, DPL 3, present; code is 64-bit.
        s->seg_attr[i] =
            i == X86_CS   ? 0xb | X86_ATTR_S | 3u << 5 | X86_ATTR_P | X86_ATTR_L | X86_ATTR_G
            : i == X86_SS ? 0x3 | X86_ATTR_S | 3u << 5 | X86_ATTR_P | X86_ATTR_DB | X86_ATTR_G
                          : X86_ATTR_UNUSABLE;
    }
    s->rflags = X86_IF | 2;
    s->fcw = 0x37f;
    s->mxcsr = 0x1f80;
    s->halted = s->wait_for_sipi = 0;
    core->core.user_env = true;
    x86_state_loaded(core);
}

u64 kernel_random(struct kernel *k)
{
    return rng_next(&k->rng);
}

void kernel_truncated(struct kernel *k, u64 dev, u64 ino, u64 size)
{
    const struct mapping *map = mapping_find(&k->mappings, dev, ino);
    const struct mm *last = NULL;

    if (!map)
        return;
    for (size_t i = 0; i < k->processes.count; i++) {
        const struct process *p = k->processes.items[i];

        for (size_t n = 0; n < p->count; n++) {
            struct mm *mm = p->items[n]->mm;

            if (mm && mm != last)
                mm_forget_mapping(mm, map, PAGE_ROUND_UP(size) >> PAGE_SHIFT);
            last = mm;
        }
    }
    mapping_truncate(&k->mappings, dev, ino, size);
}
