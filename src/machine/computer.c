// SPDX-License-Identifier: BSD-3-Clause
#include "machine/computer.h"

#include "base/alloc.h"
#include "base/bug.h"
#include "base/file.h"
#include "dev/lapic.h"
#include "isa/x86/show.h"
#include "machine/console_log.h"
#include "machine/gdb/gdb_server.h"
#include "machine/pc_core.h"
#include "machine/types.h"
#include "sim/checkpoint.h"
#include "sim/checkpoint_info.h"
#include "sim/config.h"
#include "sim/sim.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

const char computer_default_append[] = "console=ttyS0 panic=-1";

// gem5's names where gem5 has the quantity.
#define COMPUTER_STATS(S, SV, SH, SG, SR)                                      \
    SR(simSeconds, simTicks, simFreq, "Second", "Number of seconds simulated") \
    S(simTicks, "Tick", "Number of ticks simulated")                           \
    SG(simFreq, "(Tick/Second)", "Ticks per simulated second")                 \
    S(simInsts, "Count", "Number of instructions simulated")
STAT_STRUCT(computer_stats_data, COMPUTER_STATS);
static STAT_FIELDS(computer_stats_data, COMPUTER_STATS);

struct computer {
    struct config config;
    struct sim sim;
    struct component *pc;     // of the sim
    struct boot_image kernel; // until it is loaded
    struct strbuf initrd;     // until it is loaded
    char *append;             // owned
    enum boot_entry entry;
    struct component *console; // of the pc: console_log
    struct simop simop;
    struct gdb_server *gdb; // owned; NULL: no debugger
    struct stat_set stats;
    struct computer_stats_data n;
};

static void release_files(struct computer *m)
{
    boot_image_release(&m->kernel);
    strbuf_release(&m->initrd);
}

void computer_free(struct computer *m)
{
    if (!m)
        return;
    gdb_server_free(m->gdb);
    stat_set_release(&m->stats);
    sim_release(&m->sim);
    config_release(&m->config);
    release_files(m);
    simop_release(&m->simop);
    free(m->append);
    free(m);
}

struct component *computer_board(struct computer *m)
{
    return m->pc;
}

tick computer_now(const struct computer *m)
{
    return m->sim.queue.now;
}

// ---- building

static bool describe(struct computer *m, const struct computer_options *o, struct error *err)
{
    struct config *cfg = &m->config;
    const char *preset =
        o->models.processor.preset ? processor_preset(o->models.processor.preset) : NULL;

    config_init(cfg);
    (void)config_override(cfg, "pc.type=pc");
    if (preset) // what it says of the board; a wrong name is refused with the processor
        (void)config_parse(cfg, preset, strlen(preset), o->models.processor.preset);
    for (const char *const *f = o->files; f && *f; f++)
        (void)config_read(cfg, *f);
    for (const char *const *a = o->assignments; a && *a; a++)
        (void)config_override(cfg, *a);
    return config_check(cfg, err);
}

static bool build(struct computer *m, struct error *err)
{
    (void)config_create(&m->config, &m->sim, "pc", machine_types);
    if (!config_check(&m->config, err))
        return false;
    if (m->sim.root->type != &pc_type)
        return error_set(err, ERROR_INPUT, "the machine's description has no board of type pc");
    m->pc = m->sim.root;
    if (!sim_build(&m->sim, err))
        return false;
    m->console = component_child(m->pc, "console");
    return true;
}

bool computer_switch(struct computer *m, u32 number, enum model_kind kind, struct error *err)
{
    for (u32 i = 0; i < pc_cpus(m->pc); i++)
        if ((number == ~0u || number == i) && !pc_switch(m->pc, i, kind, err))
            return false;
    return true;
}

// When the machine is built, and its state is there.
static bool use_models(struct computer *m, const struct models_options *o, struct error *err)
{
    struct processor_options p = o->processor;
    struct processor *processor;

    if (!o->timed)
        return true;
    p.cores = pc_cpus(m->pc);
    processor = processor_new(&p, err);
    return processor && pc_set_processor(m->pc, processor, o->warm, err) &&
           computer_switch(m, ~0u, o->first, err);
}

static void add_stats(struct computer *m)
{
    m->n.simFreq = TICKS_PER_SECOND;
    stat_set_add(&m->stats, "", computer_stats_data_fields, &m->n);
    stat_set_add_tree(&m->stats, m->pc);
    if (pc_models(m->pc)->processor)
        stat_set_add_tree(&m->stats, processor_root(pc_models(m->pc)->processor));
}

const struct stat_set *computer_stats(struct computer *m)
{
    m->n.simTicks = m->sim.queue.now;
    m->n.simInsts = pc_insts(m->pc);
    return &m->stats;
}

// ---- loading

static bool read_initrd(const char *path, struct strbuf *out, struct error *err)
{
    struct stat st;

    // Opening a pipe or a terminal could wait for ever.
    if (stat(path, &st) < 0)
        return error_set_errno(err, "initial RAM disk '%s'", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERROR_INPUT, "initial RAM disk '%s': not a regular file", path);
    if (st.st_size == 0)
        return error_set(err, ERROR_INPUT, "initial RAM disk '%s': the file is empty", path);
    return file_read(path, GiB(4), out, err) || error_wrap(err, "initial RAM disk");
}

static bool read_files(struct computer *m, const struct computer_options *o, struct error *err)
{
    m->entry = o->entry;
    m->append = xstrdup(o->append ? o->append : computer_default_append);
    if (!boot_image_read(&m->kernel, o->kernel, err))
        return false;
    return !o->initrd || read_initrd(o->initrd, &m->initrd, err);
}

// What firmware and boot loader do. Once: a reset ends the run.
static bool load(struct computer *m, struct error *err)
{
    struct component *first = pc_core(m->pc, 0);
    struct boot_range ranges[BOOT_RANGES_MAX];
    struct boot_plan plan = {
        .image = &m->kernel,
        .entry = m->entry,
        .command_line = m->append,
        .initrd = m->initrd.length ? m->initrd.text : NULL,
        .initrd_bytes = m->initrd.length,
        .range = ranges,
        .memory = pc_memory(m->pc),
    };

    plan.n_ranges = pc_memory_ranges(m->pc, ranges);
    if (!pc_firmware(m->pc, &plan.rsdp, err))
        return false;
    for (u32 i = 0; i < pc_cpus(m->pc); i++)
        boot_firmware_state(&pc_core_x86(pc_core(m->pc, i))->s);
    if (!boot_load(&plan, &pc_core_x86(first)->s, err))
        return false;
    x86_state_loaded(pc_core_x86(first));
    lapic_virtual_wire(pc_core_apic(first));
    pc_publish(m->pc);
    return true;
}

struct computer *computer_new(const struct computer_options *o, struct error *err)
{
    struct computer *m = xcalloc(1, sizeof(*m));

    sim_init(&m->sim);
    if (!describe(m, o, err) || !build(m, err) || !read_files(m, o, err))
        goto fail;
    sim_reset(&m->sim);
    if (!load(m, err) || !use_models(m, &o->models, err))
        goto fail;
    // Tens of megabytes that nobody needs any more.
    release_files(m);
    simop_init(&m->simop, m->pc);
    add_stats(m);
    return m;
fail:
    computer_free(m);
    return NULL;
}

// ---- checkpoints

bool computer_save(struct computer *m, const char *path, const char *parent, struct error *err)
{
    AUTO(strbuf) struct strbuf description = {0};
    char digest[65];
    struct checkpoint_options o = {.config_digest = digest, .parent = parent};

    pc_publish(m->pc);
    config_write_yaml(m->pc, &description);
    config_digest(m->pc, digest);
    o.description = strbuf_text(&description);
    return checkpoint_save(&m->sim, path, &o, err);
}

static bool describe_saved(struct computer *m, const char *checkpoint,
                           const char *const *assignments, struct error *err)
{
    struct config *cfg = &m->config;
    struct checkpoint_info info;
    bool described;

    config_init(cfg);
    if (!checkpoint_info_read(&info, checkpoint, err))
        return false;
    described = info.description[0];
    if (described)
        (void)config_parse(cfg, info.description, strlen(info.description), checkpoint);
    checkpoint_info_release(&info);
    if (!described)
        return error_set(err, ERROR_INPUT, "checkpoint '%s' is not of a computer", checkpoint);
    for (const char *const *a = assignments; a && *a; a++)
        (void)config_override(cfg, *a);
    return config_check(cfg, err);
}

struct computer *computer_restore(const char *checkpoint, const char *const *assignments,
                                  const struct models_options *models, struct error *err)
{
    struct computer *m = xcalloc(1, sizeof(*m));

    sim_init(&m->sim);
    if (!describe_saved(m, checkpoint, assignments, err) || !build(m, err))
        goto fail;
    sim_reset(&m->sim);
    if (!checkpoint_load(&m->sim, checkpoint, NULL, err) || !use_models(m, models, err))
        goto fail;
    simop_init(&m->simop, m->pc);
    add_stats(m);
    return m;
fail:
    computer_free(m);
    return NULL;
}

// ---- consoles

static struct component *console_port(struct computer *m, unsigned port,
                                      const struct char_device_ops **ret)
{
    bool virtio = port >= COMPUTER_PORT_VIRTIO;
    char name[16];
    struct component *c;

    snprintf(name, sizeof(name), "%s%u", virtio ? "hvc" : "uart",
             port - (virtio ? COMPUTER_PORT_VIRTIO : 0));
    c = component_child(m->pc, name);
    *ret = c ? component_interface(c, "char_device") : NULL;
    return c;
}

bool computer_connect_console(struct computer *m, unsigned port, struct char_output output)
{
    const struct char_device_ops *ops;
    struct component *c = console_port(m, port, &ops);

    if (!ops)
        return false;
    if (port == 0)
        output = console_log_through(m->console, output);
    ops->connect(c, output);
    return true;
}

size_t computer_console_input(struct computer *m, unsigned port, const u8 *data, size_t size)
{
    const struct char_device_ops *ops;
    struct component *c = console_port(m, port, &ops);
    size_t n = ops ? MIN(size, ops->room(c)) : 0;

    if (n)
        ops->input(c, data, n);
    return n;
}

// ---- running

static void describe_end(struct computer *m, struct computer_result *r)
{
    static const char *const reasons[] = {
        [COMPUTER_POWER_OFF] = "the guest switched itself off",
        [COMPUTER_RESET] = "the guest reset itself",
        [COMPUTER_HALTED] = "all CPUs wait for interrupts, and nothing is left that could wake one",
        [COMPUTER_STOPPED] = "stopped on request",
        [COMPUTER_KILLED] = "the debugger ended the run",
        [COMPUTER_LIMIT] = "a limit was reached",
        [COMPUTER_STUCK] =
            "the guest is stuck: a CPU was busy all that time, but no program ran and "
            "nothing was written to a device",
        [COMPUTER_IDLE] = "nothing to do for a while",
        [COMPUTER_EVENT] = "the guest asks for something",
    };

    switch (r->end) {
    case COMPUTER_EXIT:
        snprintf(r->reason, sizeof(r->reason), "the guest ended the run with %u",
                 (unsigned)r->value);
        break;
    case COMPUTER_PANIC:
        snprintf(r->reason, sizeof(r->reason), "the guest's kernel panicked%s%s",
                 *console_log_panic(m->console) ? ": " : "", console_log_panic(m->console));
        break;
    case COMPUTER_FAILED:
        snprintf(r->reason, sizeof(r->reason), "%.*s", (int)sizeof(r->reason) - 1,
                 pc_failure(m->pc)->message);
        break;
    case COMPUTER_SHUTDOWN:
        snprintf(r->reason, sizeof(r->reason), "triple fault on CPU %u", (unsigned)r->value);
        break;
    default:
        snprintf(r->reason, sizeof(r->reason), "%s", reasons[r->end]);
    }
}

static bool save_for_gdb(void *context, const char *folder, struct error *err)
{
    return computer_save(context, folder, NULL, err);
}

bool computer_serve_gdb(struct computer *m, const char *spec, bool wait, struct error *err)
{
    ASSERT(!m->gdb);
    m->gdb = gdb_server_new(m->pc, spec, wait, err);
    if (m->gdb)
        gdb_server_set_checkpoint(m->gdb, save_for_gdb, m);
    return m->gdb;
}

const char *computer_gdb_address(const struct computer *m)
{
    return m->gdb ? gdb_server_address(m->gdb) : NULL;
}

void computer_run(struct computer *m, const struct computer_limits *limits,
                  struct computer_result *ret_result)
{
    static const enum computer_end ends[] = {
        [PC_LIMIT] = COMPUTER_LIMIT,     [PC_IDLE] = COMPUTER_IDLE,
        [PC_EVENT] = COMPUTER_EVENT,     [PC_FAILED] = COMPUTER_FAILED,
        [PC_STOPPED] = COMPUTER_STOPPED, [PC_POWER_OFF] = COMPUTER_POWER_OFF,
        [PC_RESET] = COMPUTER_RESET,     [PC_EXIT] = COMPUTER_EXIT,
        [PC_PANIC] = COMPUTER_PANIC,     [PC_SHUTDOWN] = COMPUTER_SHUTDOWN,
        [PC_HALTED] = COMPUTER_HALTED,   [PC_STUCK] = COMPUTER_STUCK,
        [PC_KILLED] = COMPUTER_KILLED,
    };
    struct pc_limits l = {
        .insts = limits->insts, .when = limits->when, .idle = limits->idle, .stuck = limits->stuck};
    struct pc_result end;

    m->simop.event = (struct simop_event){0};
    end = m->gdb ? gdb_server_run(m->gdb, &l, limits->brief) : pc_run(m->pc, &l);

    *ret_result = (struct computer_result){
        .end = ends[end.end],
        .value = end.value,
        .insts = pc_insts(m->pc),
        .ticks = m->sim.queue.now,
        .idle_cpus = pc_idle_cpus(m->pc),
    };
    describe_end(m, ret_result);
}

void computer_watch_console(struct computer *m, const char *text)
{
    console_log_watch(m->console, text);
}

const struct simop_event *computer_event(const struct computer *m)
{
    return &m->simop.event;
}

void computer_share_files(struct computer *m, const char *read_file, const char *write_folder)
{
    free(m->simop.read_file);
    free(m->simop.write_folder);
    m->simop.read_file = read_file ? xstrdup(read_file) : NULL;
    m->simop.write_folder = write_folder ? xstrdup(write_folder) : NULL;
}

void computer_stop(struct computer *m)
{
    pc_stop(m->pc);
}

static void report_core(struct component *c, struct strbuf *out)
{
    static const char *const names[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    const struct x86_core *x86 = pc_core_x86(c);
    const struct x86_arch_state *s = &x86->s;

    strbuf_printf(out, "%s:%s rip=%016llx rflags=%08llx cs=%04x cpl=%u  ", c->name,
                  s->wait_for_sipi ? " not started"
                  : s->halted      ? " halted"
                                   : "",
                  (unsigned long long)s->rip, (unsigned long long)s->rflags, s->seg_sel[X86_CS],
                  x86->cpl);
    x86_show_insn(x86, out);
    for (u32 i = 0; i < 16; i++)
        strbuf_printf(out, "%s%-3s=%016llx", i % 4 ? " " : "\n    ", names[i],
                      (unsigned long long)s->gpr[i]);
    strbuf_printf(out, "\n    cr0=%llx cr2=%llx cr3=%llx cr4=%llx efer=%llx\n",
                  (unsigned long long)s->cr0, (unsigned long long)s->cr2,
                  (unsigned long long)s->cr3, (unsigned long long)s->cr4,
                  (unsigned long long)s->efer);
}

void computer_report(struct computer *m, struct strbuf *out)
{
    for (u32 i = 0; i < pc_cpus(m->pc); i++)
        report_core(pc_core(m->pc, i), out);
    console_log_tail(m->console, out);
}
