// SPDX-License-Identifier: BSD-3-Clause
// For fuzz_pc.c: a PC with every device there is, and a twin of it, which is made by a checkpoint
// of the first and from then on gets whatever the first gets. Both must always answer the same.
//
// The board's RAM is larger than what it maps, and nobody may touch the rest: it has no access
// rights. In front of the RAM there is such a page, too, where the host has room for one.
#pragma once

#include "base/alloc.h"
#include "base/bug.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "isa/x86/msr.h"
#include "machine/pc.h"
#include "machine/pc_core.h"
#include "machine/types.h"
#include "mem/ram.h"
#include "sim/block.h"
#include "sim/char_device.h"
#include "sim/checkpoint.h"
#include "sim/config.h"
#include "sim/net.h"
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    TWIN_RAM = 4 << 20,
    TWIN_GUARD = 1 << 20,
    TWIN_DISK = 256 << 10,
    TWIN_CPUS = 2,
    TWIN_UARTS = 4,
    TWIN_OP_SECONDS = 4, // that any single operation may take of the host's processor
};

struct machine {
    struct sim sim;
    struct component *pc; // of the sim
    struct component *ram;
    u64 outside; // a hash of what came out of consoles and cards
};

struct twin {
    struct machine m[2];
    unsigned count; // 1: the second is not there yet; 2
    u64 fresh;      // hash of the first after its first reset
    char *folder;   // owned; of the files it needs
};

// The machines that are to do what is done.
#define TWIN_EACH(t, one) for (struct machine *one = (t)->m; one < (t)->m + (t)->count; one++)

static inline void must(bool good, const struct error *err)
{
    if (!good)
        BUG("%s", err->message);
}

// ---- building

static inline void machine_output(void *ctx, const u8 *data, size_t size)
{
    struct machine *m = ctx;

    m->outside = hash64_more(m->outside, data, size);
}

static inline struct component *machine_part(const struct machine *m, const char *name)
{
    struct component *c = component_find(m->pc, name);

    ASSERT(c);
    return c;
}

static inline void machine_guard(const struct machine *m, bool on)
{
    u8 *behind = ram_place(m->ram) + TWIN_RAM;

    ASSERT(mprotect(behind, TWIN_GUARD, on ? PROT_NONE : PROT_READ | PROT_WRITE) == 0);
}

static inline void machine_configure(struct config *cfg, const char *folder)
{
    static const char *const settings[] = {
        "pc.type=pc",
        "pc.mem=4MiB",
        "pc.cpus=2",
        "pc.uarts=4",
        "pc.ram.size=5MiB",
        "pc.ram.huge_pages=false",
        "pc.disk0.type=disk",
        "pc.disk0.file=%s/disk",
        "pc.disk1.type=disk",
        "pc.disk1.file=%s/disk",
        "pc.nvme0.type=nvme",
        "pc.nvme0.disk=pc.disk0",
        "pc.vblk0.type=virtio_blk",
        "pc.vblk0.disk=pc.disk1",
        "pc.console0.type=virtio_console",
        "pc.rng0.type=virtio_rng",
        "pc.net0.type=virtio_net",
        "pc.share0.type=virtio_9p",
        "pc.share0.folder=%s/share",
        // Little room: it is soon full, and soon saved.
        "pc.nvme0.slots=4",
        "pc.console0.input_size=64",
        "pc.net0.frames=4",
        "pc.share0.fids=16",
        "pc.share0.message_size=4KiB",
        "pc.share0.directory_size=64KiB",
    };

    config_init(cfg);
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        const char *end = strstr(settings[i], "%s");
        AUTO_FREE char *text =
            end ? xasprintf("%.*s%s%s", (int)(end - settings[i]), settings[i], folder, end + 2)
                : xstrdup(settings[i]);

        ASSERT(config_override(cfg, text));
    }
}

static inline void machine_connect(struct machine *m)
{
    static const char *const consoles[] = {"uart0", "uart1", "uart2", "uart3", "console0"};
    const struct net_device_ops *card;

    for (size_t i = 0; i < ARRAY_SIZE(consoles); i++) {
        struct component *c = machine_part(m, consoles[i]);
        const struct char_device_ops *ops = component_interface(c, "char_device");

        ops->connect(c, (struct char_output){.write = machine_output, .ctx = m});
    }
    card = component_interface(machine_part(m, "net0"), "net_device");
    card->connect(machine_part(m, "net0"), (struct net_output){.send = machine_output, .ctx = m});
}

static inline void machine_build(struct machine *m, const char *folder)
{
    struct config cfg;
    struct error err;
    void *front;

    sim_init(&m->sim);
    machine_configure(&cfg, folder);
    (void)config_create(&cfg, &m->sim, "pc", machine_types);
    must(config_check(&cfg, &err), &err);
    must(sim_build(&m->sim, &err), &err);
    config_release(&cfg);
    m->pc = m->sim.root;
    m->ram = machine_part(m, "ram");
    machine_guard(m, true);
    front = ram_place(m->ram) - MEM_PAGE_SIZE;
    (void)mmap(front, MEM_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
               -1, 0);
    machine_connect(m);
    sim_reset(&m->sim);
}

static inline u64 machine_hash(struct machine *m)
{
    u64 words[3] = {0, m->sim.queue.now, m->outside};

    pc_publish(m->pc);
    words[0] = sim_hash(&m->sim);
    return hash64(words, sizeof(words));
}

// Pages that neither has touched are not looked at: that would touch them.
static inline bool machine_same_memory(const struct machine *a, const struct machine *b)
{
    u8 *bytes[2] = {ram_bytes(a->ram), ram_bytes(b->ram)};
    unsigned char touched[2][TWIN_RAM / MEM_PAGE_SIZE];

    for (unsigned i = 0; i < 2; i++)
        ASSERT(mincore(bytes[i], TWIN_RAM, touched[i]) == 0);
    for (size_t page = 0; page < TWIN_RAM / MEM_PAGE_SIZE; page++)
        if (((touched[0][page] | touched[1][page]) & 1) &&
            memcmp(bytes[0] + page * MEM_PAGE_SIZE, bytes[1] + page * MEM_PAGE_SIZE,
                   MEM_PAGE_SIZE) != 0)
            return false;
    return true;
}

// As after power-on, but for the disks, which keep what they have.
static inline void machine_restart(struct machine *m)
{
    struct event_queue *q = &m->sim.queue;

    // Time begins anew, which it cannot while events wait.
    sim_reset(&m->sim);
    q->now = 0;
    q->next_sequence = 0;
    sim_reset(&m->sim);
    m->outside = 0;
}

static inline void machine_clear_disk(const struct machine *m, const char *name)
{
    struct component *disk = machine_part(m, name);
    const struct block_ops *block = component_interface(disk, "block");
    struct error err;

    must(block->zero(disk, 0, TWIN_DISK, &err), &err);
}

// ---- the two

static char *twin_folder;

static inline void twin_remove_files(void)
{
    struct error err;

    if (!file_remove_tree(twin_folder, &err))
        fprintf(stderr, "%s\n", err.message);
    free(twin_folder);
}

static inline void twin_make_files(struct twin *t)
{
    AUTO_FREE char *disk = NULL;
    AUTO_FREE char *share = NULL;
    AUTO_FREE char *zeros = xcalloc(1, TWIN_DISK);
    struct error err;

    // Checkpoints are synced to the medium, which takes no time where there is none.
    t->folder = xasprintf("%s/facet-fuzz-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    ASSERT(mkdtemp(t->folder));
    twin_folder = t->folder;
    atexit(twin_remove_files);
    disk = xasprintf("%s/disk", t->folder);
    share = xasprintf("%s/share", t->folder);
    must(file_write(disk, zeros, TWIN_DISK, &err), &err);
    must(file_make_directories(share, &err), &err);
}

static inline void twin_build(struct twin *t)
{
    struct error err;

    must(log_set_filter("error", &err), &err);
    twin_make_files(t);
    machine_build(&t->m[0], t->folder);
    machine_build(&t->m[1], t->folder);
    t->fresh = machine_hash(&t->m[0]);
    ASSERT(machine_hash(&t->m[1]) == t->fresh);
}

// The machine of before any input: a reset makes it so.
static inline void twin_restart(struct twin *t)
{
    machine_restart(&t->m[0]);
    ASSERT(machine_hash(&t->m[0]) == t->fresh);
    machine_clear_disk(&t->m[0], "disk0");
    machine_clear_disk(&t->m[0], "disk1");
    t->count = 1;
}

static inline void twin_compare(struct twin *t)
{
    if (t->count < 2)
        return;
    for (struct component *a = t->m[0].pc, *b = t->m[1].pc; a;
         a = component_after(a), b = component_after(b)) {
        pc_publish(t->m[0].pc);
        pc_publish(t->m[1].pc);
        if (component_hash(a) != component_hash(b))
            BUG("%s is different after a restore", a->path);
    }
    ASSERT(machine_hash(&t->m[0]) == machine_hash(&t->m[1]));
    ASSERT(machine_same_memory(&t->m[0], &t->m[1]));
}

// The second becomes what the first is, by a checkpoint.
static inline void twin_copy(struct twin *t)
{
    AUTO_FREE char *path = xasprintf("%s/saved", t->folder);
    struct checkpoint_options options = {.threads = 1, .eager = true};
    struct error err;

    pc_publish(t->m[0].pc);
    machine_guard(&t->m[0], false);
    must(checkpoint_save(&t->m[0].sim, path, &options, &err), &err);
    machine_guard(&t->m[0], true);
    sim_reset(&t->m[1].sim);
    machine_guard(&t->m[1], false);
    must(checkpoint_load(&t->m[1].sim, path, &options, &err), &err);
    machine_guard(&t->m[1], true);
    must(file_remove_tree(path, &err), &err);
    t->m[1].outside = t->m[0].outside;
    t->count = 2;
    twin_compare(t);
}

// ---- what a core does

static inline u64 twin_access(struct twin *t, unsigned core, bool port, paddr at, unsigned size,
                              u64 value, bool write)
{
    u64 answers[2] = {0};

    if (at % MEM_PAGE_SIZE + size > MEM_PAGE_SIZE)
        size = (unsigned)(MEM_PAGE_SIZE - at % MEM_PAGE_SIZE);
    TWIN_EACH(t, m)
    {
        struct x86_core *x86 = pc_core_x86(pc_core(m->pc, core % TWIN_CPUS));
        u64 data = write ? value : 0;

        (void)mem_port_access(port ? &x86->io : &x86->core.mem, at, size, &data, write);
        answers[m - t->m] = data;
    }
    ASSERT(t->count < 2 || answers[0] == answers[1]);
    return answers[0];
}

static inline void twin_write(struct twin *t, paddr at, unsigned size, u64 value)
{
    (void)twin_access(t, 0, false, at, size, value, true);
}

static inline u64 twin_read(struct twin *t, paddr at, unsigned size)
{
    return twin_access(t, 0, false, at, size, 0, false);
}

static inline void twin_msr(struct twin *t, unsigned core, u32 index, u64 value, bool write)
{
    u64 answers[2] = {0};

    TWIN_EACH(t, m)
    {
        struct x86_core *x86 = pc_core_x86(pc_core(m->pc, core % TWIN_CPUS));
        u64 data = value;
        bool good = write ? x86_msr_write(x86, index, value) : x86_msr_read(x86, index, &data);

        answers[m - t->m] = good ? data : ~data;
    }
    ASSERT(t->count < 2 || answers[0] == answers[1]);
}

// Takes an interrupt, if there is one.
static inline void twin_interrupt(struct twin *t, unsigned core)
{
    int vectors[2] = {0};

    TWIN_EACH(t, m)
    {
        struct x86_core *x86 = pc_core_x86(pc_core(m->pc, core % TWIN_CPUS));

        vectors[m - t->m] = x86->irq ? x86->apic->acknowledge(x86->apic_ctx) : -2;
        ASSERT(vectors[m - t->m] >= -2 && vectors[m - t->m] < 256);
    }
    ASSERT(t->count < 2 || vectors[0] == vectors[1]);
}

// Events come at most every 30 ns for each of a handful of timers.
static inline void twin_advance(struct twin *t, tick ticks)
{
    TWIN_EACH(t, m)
    {
        struct event_queue *q = &m->sim.queue;
        u64 fired = event_queue_run(q, q->now + ticks);

        ASSERT(fired <= 1000 + ticks / 5000);
    }
}
