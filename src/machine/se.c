// SPDX-License-Identifier: BSD-3-Clause
#include "machine/se.h"

#include "base/alloc.h"
#include "cpu/functional/functional.h"
#include "machine/insn_trace.h"
#include "machine/se_simop.h"
#include "os/linux/exec.h"
#include "os/linux/signal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { DEFAULT_QUANTUM = 10000, BLOCK_POOL = 32 << 20 };
#define DEFAULT_HZ 2000000000ull

// gem5's names where gem5 has the quantity.
#define SE_STATS(S, SV, SH, SG, SR)                                            \
    SR(simSeconds, simTicks, simFreq, "Second", "Number of seconds simulated") \
    S(simTicks, "Tick", "Number of ticks simulated")                           \
    SG(simFreq, "(Tick/Second)", "Ticks per simulated second")                 \
    S(simInsts, "Count", "Number of instructions simulated")
STAT_STRUCT(se_stats_data, SE_STATS);
static STAT_FIELDS(se_stats_data, SE_STATS);

#define SE_CPU_STATS(S, SV, SH, SG, SR)                                     \
    S(numCycles, "Cycle", "Cycles up to the CPU's last instruction")        \
    S(numInsts, "Count", "Instructions completed")                          \
    SR(cpi, numCycles, numInsts, "(Cycle/Count)", "Cycles per instruction") \
    SR(ipc, numInsts, numCycles, "(Count/Cycle)", "Instructions per cycle")
STAT_STRUCT(se_cpu_stats, SE_CPU_STATS);
static STAT_FIELDS(se_cpu_stats, SE_CPU_STATS);

struct se_machine {
    struct kernel kernel;
    u32 n_cpus;
    struct x86_core **cores; // owned
    struct models models;
    struct se_simop simop;
    struct stat_set stats;
    struct se_stats_data n;
    struct se_cpu_stats *cpu_n; // owned
};

const char *const se_default_environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/",
                                              "LANG=C.UTF-8", NULL};

void se_free(struct se_machine *m)
{
    if (!m)
        return;
    if (m->kernel.pages.ram)
        kernel_release(&m->kernel);
    models_release(&m->models);
    for (u32 i = 0; i < m->n_cpus; i++) {
        x86_core_release(m->cores[i]);
        free(m->cores[i]);
    }
    stat_set_release(&m->stats);
    free(m->cores);
    free(m->cpu_n);
    free(m);
}

static bool add_cpu(struct se_machine *m, const struct se_options *o, u32 id, struct error *err)
{
    struct x86_core *core = xcalloc(1, sizeof(*core));
    struct mem_port port = pages_port(&m->kernel.pages);

    m->cores[id] = core;
    m->n_cpus = id + 1;
    if (!x86_core_init(core, id, &port, o->cpuid, err))
        return false;
    core->s.rng = o->seed + id;
    if (!models_add(&m->models, &core->core, m->models.processor ? NULL : o->batch, err))
        return false;
    if (o->trace) {
        struct core_models *c = &m->models.core[id];

        c->model[MODEL_FUNCTIONAL] = insn_trace_wrap(o->trace, c->model[MODEL_FUNCTIONAL]);
        c->active = c->model[MODEL_FUNCTIONAL];
    }
    kernel_core_setup(core);
    se_simop_connect(&m->simop, core);
    kernel_add_cpu(&m->kernel, core, m->models.core[id].active);
    return true;
}

static void add_stats(struct se_machine *m)
{
    char path[32];

    stat_set_add(&m->stats, "", se_stats_data_fields, &m->n);
    m->n.simFreq = TICKS_PER_SECOND;
    for (u32 i = 0; i < m->n_cpus; i++) {
        if (m->n_cpus == 1)
            snprintf(path, sizeof(path), "system.cpu");
        else
            snprintf(path, sizeof(path), "system.cpu%u", i);
        stat_set_add(&m->stats, path, se_cpu_stats_fields, &m->cpu_n[i]);
    }
    stat_set_add(&m->stats, "system.workload", kernel_stats_fields, &m->kernel.n);
    if (m->models.processor)
        stat_set_add_tree(&m->stats, processor_root(m->models.processor));
}

static bool prepare_models(struct se_machine *m, const struct se_options *o, struct error *err)
{
    struct processor_options options = o->models.processor;
    struct processor *processor;

    options.cores = o->cpus;
    if (!models_init(&m->models, BLOCK_POOL, o->traced && !o->models.timed, err))
        return false;
    if (!o->models.timed)
        return true;
    processor = processor_new(&options, err);
    return processor && models_set_processor(&m->models, processor, o->models.warm, err);
}

static bool switch_one(struct se_machine *m, u32 number, enum model_kind kind, struct error *err)
{
    struct kernel_cpu *c = &m->kernel.cpus[number];

    if (!models_switch(&m->models, number, kind, c->time, err))
        return false;
    c->model = m->models.core[number].active;
    return true;
}

static bool switch_all(struct se_machine *m, enum model_kind kind, struct error *err)
{
    for (u32 i = 0; i < m->n_cpus; i++)
        if (!switch_one(m, i, kind, err))
            return false;
    return true;
}

static bool open_standard_streams(struct se_machine *m, struct task *t)
{
    static const char *const names[3] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};

    for (int fd = 0; fd < 3; fd++) {
        int flags = fcntl(fd, F_GETFL);
        struct file *f;

        // Closed, and closed for the program, too. A stream that came through an exec is not
        // close-on-exec: such a one holds the place of a closed one, or is a file of facet's.
        if (flags < 0 || fcntl(fd, F_GETFD) & FD_CLOEXEC)
            continue;
        f = host_file_new(&m->kernel, fd, (u32)flags & (O_ACCMODE | O_APPEND), xstrdup(names[fd]));
        f->borrowed_host = true;
        fd_put(t, fd, f, false);
    }
    return true;
}

static struct task *first_task(struct se_machine *m, const struct se_options *o, struct error *err)
{
    struct kernel *k = &m->kernel;
    struct process *p = process_new(k, 1);
    struct task *t = task_new(p, p->pid);

    k->init_pid = p->pid;
    t->fds = fd_table_new();
    t->actions = xcalloc(1, sizeof(*t->actions));
    t->actions->refs = 1;
    t->mm = mm_new(&k->env);
    t->fs = fs_new(k, o->cwd, err);
    t->regs = m->cores[0]->s;
    if (!t->fs || !t->mm)
        return NULL;
    open_standard_streams(m, t);
    return t;
}

static char **copy_strings(const char *const *from)
{
    struct {
        char **items;
        size_t count, room;
    } v = {0};

    for (; *from; from++)
        VEC_PUSH(&v, xstrdup(*from));
    VEC_PUSH(&v, NULL);
    return v.items;
}

static void free_strings(char **s)
{
    for (char **at = s; *at; at++)
        free(*at);
    free(s);
}

static bool load(struct se_machine *m, const struct se_options *o, enum se_load *ret_why,
                 struct error *err)
{
    static const enum se_load why[] = {SE_LOAD_OK, SE_LOAD_NOT_FOUND, SE_LOAD_NOT_EXECUTABLE,
                                       SE_LOAD_FAILED};
    struct task *t = first_task(m, o, err);
    struct exec_args args;
    int number;
    char *path;

    *ret_why = SE_LOAD_FAILED;
    if (!t)
        return false;
    args.argv = copy_strings(o->argv);
    args.envp = copy_strings(o->envp ? o->envp : se_default_environment);
    path = exec_find(t, o->program, args.envp);
    if (path) {
        args.path = path;
        *ret_why = why[exec_load(t, &args, &number, err)];
    } else {
        *ret_why = SE_LOAD_NOT_FOUND;
        error_set(err, ERROR_INPUT, "program '%s' is not in the program's PATH", o->program);
    }
    free(path);
    free_strings(args.argv);
    free_strings(args.envp);
    if (*ret_why != SE_LOAD_OK)
        return false;
    kernel_ready(&m->kernel, t);
    return true;
}

struct se_machine *se_new(const struct se_options *o, enum se_load *ret_why, struct error *err)
{
    struct se_machine *m = xcalloc(1, sizeof(*m));
    struct kernel_options k = {.mem_bytes = o->mem_bytes,
                               .seed = o->seed,
                               .quantum = o->quantum ? o->quantum : DEFAULT_QUANTUM,
                               .period =
                                   TICKS_PER_SECOND / (o->clock_hz ? o->clock_hz : DEFAULT_HZ),
                               .root = o->root,
                               .cwd = o->cwd};

    *ret_why = SE_LOAD_FAILED;
    m->cores = xcalloc(o->cpus, sizeof(*m->cores));
    m->cpu_n = xcalloc(o->cpus, sizeof(*m->cpu_n));
    if (k.period == 0) {
        error_set(err, ERROR_INPUT, "the clock is faster than 1 THz");
        goto fail;
    }
    if (!kernel_init(&m->kernel, &k, err))
        goto fail;
    if (!prepare_models(m, o, err))
        goto fail;
    if (m->models.processor) {
        m->kernel.window = processor_window(m->models.processor);
        m->kernel.failure = processor_failure(m->models.processor);
    }
    m->simop.kernel = &m->kernel;
    for (u32 i = 0; i < o->cpus; i++) {
        if (!add_cpu(m, o, i, err))
            goto fail;
    }
    add_stats(m);
    if (!load(m, o, ret_why, err) || !switch_all(m, o->models.first, err))
        goto fail;
    return m;
fail:
    se_free(m);
    return NULL;
}

// A pipe without readers or a file that is too large must not end the simulator: the thread blocks
// these two signals while it simulates.
static void block_host_signals(sigset_t *ret_old)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    sigaddset(&set, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &set, ret_old);
}

static void describe_end(struct se_machine *m, struct se_result *r)
{
    int status = m->kernel.init_status;

    if (status & 0x7f) {
        r->end = SE_KILLED;
        r->status = status & 0x7f;
        snprintf(r->reason, sizeof(r->reason), "the program was %s%s",
                 m->kernel.end_note[0] ? m->kernel.end_note : "killed by a signal",
                 m->kernel.out_of_memory ? ": the guest's memory is full" : "");
    } else {
        r->end = SE_EXITED;
        r->status = status >> 8;
        snprintf(r->reason, sizeof(r->reason), "the program exited with status %d", r->status);
    }
}

bool se_run(struct se_machine *m, u64 max_insts, tick until, struct se_result *ret_result,
            struct error *err)
{
    struct kernel *k = &m->kernel;
    struct se_result r = {0};
    enum kernel_end end;
    sigset_t old;

    k->event = m->simop.ends; // for good
    k->insts_limit = max_insts;
    k->time_limit = until;
    block_host_signals(&old);
    end = kernel_run(k);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (k->failure && k->failure->code != ERROR_NONE) {
        *err = *k->failure;
        return false;
    }
    r.insts = k->insts;
    r.ticks = kernel_now(k);
    switch (end) {
    case KERNEL_ENDED:
        describe_end(m, &r);
        break;
    case KERNEL_LIMIT:
        r.end = SE_LIMIT;
        snprintf(r.reason, sizeof(r.reason), "the limit of %llu instructions was reached",
                 (unsigned long long)max_insts);
        break;
    case KERNEL_STOPPED:
        r.end = SE_STOPPED;
        k->stop = false;
        snprintf(r.reason, sizeof(r.reason), "stopped on request");
        break;
    case KERNEL_EVENT:
        r.end = m->simop.ends ? SE_EXITED : SE_EVENT;
        r.status = m->simop.status;
        snprintf(r.reason, sizeof(r.reason), "the program %s",
                 m->simop.ends ? "ended the run" : "asks for something");
        break;
    case KERNEL_DEADLOCK:
        r.end = SE_DEADLOCK;
        snprintf(r.reason, sizeof(r.reason),
                 "deadlock: all %u threads of the program wait for each other and no timer is set",
                 k->n_tasks);
        break;
    }
    *ret_result = r;
    return true;
}

void se_stop(struct se_machine *m)
{
    m->kernel.stop = true;
    for (u32 i = 0; i < m->n_cpus; i++)
        cpu_kick(m->models.core[i].active);
}

const struct simop_event *se_event(const struct se_machine *m)
{
    return &m->simop.event;
}

const struct stat_set *se_stats(struct se_machine *m)
{
    const struct kernel *k = &m->kernel;

    m->n.simTicks = kernel_now(k);
    m->n.simInsts = k->insts;
    m->kernel.n.peakPages = k->pages.peak;
    for (u32 i = 0; i < m->n_cpus; i++) {
        m->cpu_n[i].numCycles = k->cpus[i].time / k->period;
        m->cpu_n[i].numInsts = k->cpus[i].insts;
    }
    return &m->stats;
}

struct cpu *se_cpu(struct se_machine *m, u32 number)
{
    return number < m->n_cpus ? m->models.core[number].active : NULL;
}

bool se_switch(struct se_machine *m, u32 number, enum model_kind kind, struct error *err)
{
    return number == ~0u ? switch_all(m, kind, err) : switch_one(m, number, kind, err);
}

const struct models *se_models(const struct se_machine *m)
{
    return &m->models;
}

u64 se_insts(const struct se_machine *m)
{
    return m->kernel.insts;
}

tick se_now(const struct se_machine *m)
{
    return kernel_now(&m->kernel);
}
