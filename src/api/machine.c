// SPDX-License-Identifier: BSD-3-Clause
// Machines, and programs on them; computers are in api/boot.c.
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "api/host_priv.h"
#include "api/machine_priv.h"
#include "base/alloc.h"
#include "base/bug.h"
#include "base/log.h"
#include "cpu/functional/functional.h"
#include "machine/insn_trace.h"
#include "sim/config.h"

const char *const *facet_default_environment(void)
{
    return se_default_environment;
}

struct facet_machine *facet_machine_new(void)
{
    struct facet_machine *machine = xcalloc(1, sizeof(*machine));

    params_init(&machine->settings, settings_fields);
    return machine;
}

void facet_machine_free(struct facet_machine *machine)
{
    if (!machine)
        return;
    se_free(machine->se);
    computer_free(machine->computer);
    for (size_t i = 0; i < machine->assignments.count; i++)
        free(machine->assignments.items[i]);
    free(machine->assignments.items);
    for (size_t i = 0; i < machine->files.count; i++)
        free(machine->files.items[i]);
    free(machine->files.items);
    for (size_t i = 0; i < machine->processor_files.count; i++)
        free(machine->processor_files.items[i]);
    free(machine->processor_files.items);
    switching_release(&machine->switching);
    api_stats_release(&machine->stats);
    console_file_close(machine->console);
    dyn_batch_free(machine->batch);
    insn_trace_free(machine->trace);
    pipe_traces_close(machine->pipe_traces);
    arena_release(&machine->arena);
    free(machine);
}

static void add_assignment(struct facet_machine *machine, const char *path, const char *value)
{
    AUTO(strbuf) struct strbuf text = {0};

    strbuf_printf(&text, "%s=%s", path, value);
    VEC_PUSH(&machine->assignments, xstrdup(strbuf_text(&text)));
}

static bool set(struct facet_machine *machine, const char *path, const char *value,
                struct error *err)
{
    if (!settings_set(&machine->settings, path, value, &machine->arena, err))
        return false;
    machine->given |= 1ull << params_find(settings_fields, path);
    return true;
}

// What a built-in machine says of settings holds unless they are set by themselves.
static bool use_preset(struct facet_machine *machine, struct error *err)
{
    const char *name = machine->settings.machine, *text = processor_preset(name);
    struct config cfg;
    bool good;

    if (!text)
        return true; // refused when it is needed, with a suggestion
    config_init(&cfg);
    (void)config_parse(&cfg, text, strlen(text), name);
    for (const struct config_node *n = cfg.top->first; n; n = n->next) {
        int index = params_find(settings_fields, n->key);
        struct error inner;

        if (n->kind == CONFIG_VALUE && index >= 0 && !(machine->given >> index & 1) &&
            !set(machine, n->key, n->text, &inner))
            config_problem(&cfg, n, "%s", inner.message);
    }
    good = config_check(&cfg, err);
    config_release(&cfg);
    return good;
}

bool facet_machine_set(struct facet_machine *machine, const char *path, const char *value,
                       struct facet_error *err)
{
    struct error inner;

    if ((machine->se || machine->computer) && strncmp(path, "max_", 4) != 0)
        return api_error(err, FACET_ERROR_USAGE, "%s: settings come before the program", path);
    if (strncmp(path, "pc.", 3) == 0 || strncmp(path, "system.", 7) == 0) {
        add_assignment(machine, path, value);
        return true;
    }
    if (!set(machine, path, value, &inner) ||
        (strcmp(path, "machine") == 0 && !use_preset(machine, &inner)))
        return api_fail(err, &inner);
    return true;
}

// One line of a settings file.
static void read_setting(struct facet_machine *machine, struct config *cfg,
                         struct config_node *node)
{
    struct error inner;

    if (node->kind != CONFIG_VALUE)
        config_problem(cfg, node, "%s: wants one value", node->key);
    else if (!set(machine, node->key, node->text, &inner))
        config_problem(cfg, node, "%s", inner.message);
}

bool facet_machine_read(struct facet_machine *machine, const char *file, struct facet_error *err)
{
    struct config cfg;
    struct error inner;
    bool good;

    if (machine->se)
        return api_error(err, FACET_ERROR_USAGE, "'%s': settings come before the program", file);
    config_init(&cfg);
    if (config_read(&cfg, file) || cfg.top) {
        for (struct config_node *node = cfg.top->first; node; node = node->next)
            if (strcmp(node->key, "pc") == 0) // read again when the computer is built
                VEC_PUSH(&machine->files, xstrdup(file));
            else if (strcmp(node->key, "system") == 0)
                VEC_PUSH(&machine->processor_files, xstrdup(file));
            else
                read_setting(machine, &cfg, node);
    }
    good = config_check(&cfg, &inner) || api_fail(err, &inner);
    config_release(&cfg);
    return good;
}

size_t facet_setting_count(void)
{
    size_t count = 0;

    while (settings_fields[count].name)
        count++;
    return count;
}

struct facet_setting facet_setting(size_t index)
{
    const struct param_field *f = &settings_fields[index];
    struct facet_setting setting = {.path = f->name, .doc = f->doc};
    AUTO(strbuf) struct strbuf text = {0};

    if (f->kind == PARAM_CHOICE)
        strbuf_puts(&text, f->initial.text);
    else
        params_format_value(f, f->initial, &text);
    snprintf(setting.initial, sizeof(setting.initial), "%s", strbuf_text(&text));
    snprintf(setting.choices, sizeof(setting.choices), "%s", f->choices ? f->choices : "");
    return setting;
}

bool facet_log_configure(const char *spec, struct facet_error *err)
{
    struct error inner;

    return log_set_filter(spec, &inner) || api_fail(err, &inner);
}

// ---- loading ----

// The consumer of a traced machine that nobody listens to: the engine has
// already counted.
static void count_only(struct dyn_batch *batch)
{
}

static const char *cpuid_level_name(const struct settings *s)
{
    static const char *const names[] = {"x86-64-v1", "x86-64-v2", "x86-64-v3"};

    ASSERT(s->cpuid < ARRAY_SIZE(names));
    return names[s->cpuid];
}

void api_terminate(struct assignments *a)
{
    VEC_PUSH(a, NULL);
    a->count--;
}

struct models_options api_models_options(struct facet_machine *machine)
{
    const struct settings *s = &machine->settings;
    struct models_options m = {
        .processor = {.preset = s->machine[0] ? s->machine : NULL},
        .warm = s->warm,
        .first = (enum model_kind)s->cpu, // the choices are model_names
    };

    api_terminate(&machine->processor_files);
    api_terminate(&machine->assignments);
    m.processor.files = (const char *const *)machine->processor_files.items;
    m.processor.assignments = (const char *const *)machine->assignments.items;
    m.timed = m.processor.preset || m.processor.files[0] || m.warm || m.first != MODEL_FUNCTIONAL;
    return m;
}

static struct se_options options_of(struct facet_machine *machine,
                                    const struct facet_program *program)
{
    const struct settings *s = &machine->settings;

    return (struct se_options){
        .cpus = (u32)s->cpus,
        .cpuid = cpuid_level_name(s),
        .mem_bytes = s->mem,
        .clock_hz = s->clock,
        .quantum = s->quantum,
        .seed = s->seed,
        .traced = s->traced,
        .batch = machine->batch,
        .trace = machine->trace,
        .models = api_models_options(machine),
        .program = program->path,
        .argv = program->argv,
        .envp = program->envp,
        .root = program->root,
        .cwd = program->cwd,
    };
}

static bool load_fail(struct facet_error *err, const struct error *inner, enum se_load why)
{
    api_fail(err, inner);
    if (why == SE_LOAD_NOT_FOUND)
        err->code = FACET_ERROR_NOT_FOUND;
    else if (why == SE_LOAD_NOT_EXECUTABLE)
        err->code = FACET_ERROR_NOT_EXECUTABLE;
    return false;
}

bool api_observe(struct facet_machine *machine, struct facet_error *err)
{
    struct error inner;

    return (pipe_traces_begin(machine->pipe_traces, api_models(machine), &inner) &&
            api_stats_begin(machine, &inner)) ||
           api_fail(err, &inner);
}

bool facet_machine_load(struct facet_machine *machine, const struct facet_program *program,
                        struct facet_error *err)
{
    enum { BATCH_INSTS = 4096 };
    enum se_load why = SE_LOAD_FAILED;
    struct se_options options;
    struct error inner;

    if (machine->se || machine->computer)
        return api_error(err, FACET_ERROR_USAGE, "a machine gets one program or one kernel");
    if (machine->settings.traced && !machine->batch) {
        machine->batch = dyn_batch_new(BATCH_INSTS, count_only, NULL, &inner);
        if (!machine->batch)
            return api_fail(err, &inner);
    }
    if (!switching_init(&machine->switching, &machine->settings, &inner) ||
        !switching_check(&machine->switching, (u32)machine->settings.cpus, &inner))
        return api_fail(err, &inner);
    options = options_of(machine, program);
    switching_begin(&machine->switching, 0, 0);
    machine->se = se_new(&options, &why, &inner);
    if (!machine->se)
        return load_fail(err, &inner, why);
    return api_observe(machine, err);
}

bool facet_machine_trace(struct facet_machine *machine, const char *what, const char *file,
                         struct facet_error *err)
{
    struct error inner;

    if (strcmp(what, "insn") != 0)
        return pipe_traces_add(&machine->pipe_traces, what, file, &inner) || api_fail(err, &inner);
    if (machine->se || machine->trace)
        return api_error(err, FACET_ERROR_USAGE,
                         "one trace of instructions, and before the program is loaded");
    machine->trace = insn_trace_new(file, &inner);
    return machine->trace || api_fail(err, &inner);
}

// ---- running ----

static enum facet_end end_of(enum se_end end)
{
    switch (end) {
    case SE_EXITED:
        return FACET_END_EXITED;
    case SE_KILLED:
        return FACET_END_KILLED;
    case SE_LIMIT:
        return FACET_END_LIMIT;
    case SE_STOPPED:
        return FACET_END_STOPPED;
    case SE_EVENT:
        return FACET_END_EVENT;
    case SE_DEADLOCK:
        return FACET_END_DEADLOCK;
    }
    BUG("end %d", (int)end);
}

bool facet_machine_run(struct facet_machine *machine, struct facet_result *ret_result,
                       struct facet_error *err)
{
    return facet_machine_run_until(machine, UINT64_MAX, UINT64_MAX, ret_result, err);
}

// Without changes of models.
static bool run_program(struct facet_machine *machine, u64 insts, tick when,
                        struct facet_result *ret_result, struct facet_error *err)
{
    u64 limit = MIN(insts, machine->settings.max_insts ? machine->settings.max_insts : UINT64_MAX);
    double start = host_now();
    struct se_result result;
    struct error inner;

    if (!machine->se)
        return api_error(err, FACET_ERROR_USAGE, "no program is loaded");
    if (!se_run(machine->se, limit, when, &result, &inner) ||
        !insn_trace_flush(machine->trace, &inner))
        return api_fail(err, &inner);
    *ret_result = (struct facet_result){
        .end = end_of(result.end),
        .status = result.status,
        .insts = result.insts,
        .ticks = result.ticks,
        .seconds = host_now() - start,
    };
    snprintf(ret_result->reason, sizeof(ret_result->reason), "%s", result.reason);
    if (ret_result->end == FACET_END_STOPPED) {
        ret_result->status = machine->stopped_by;
        snprintf(ret_result->reason, sizeof(ret_result->reason), "stopped by signal %d (%s)",
                 ret_result->status, strsignal(ret_result->status));
    }
    return true;
}

static bool switch_models(struct facet_machine *machine, u32 kind, u32 core,
                          struct facet_error *err)
{
    struct error inner;
    bool good = machine->computer
                    ? computer_switch(machine->computer, core, (enum model_kind)kind, &inner)
                    : se_switch(machine->se, core, (enum model_kind)kind, &inner);

    return good || api_fail(err, &inner);
}

const struct models *api_models(const struct facet_machine *machine)
{
    return machine->computer ? pc_models(computer_board(machine->computer))
                             : se_models(machine->se);
}

static u32 first_model(const struct facet_machine *machine)
{
    return api_models(machine)->core[0].kind;
}

// What the guest asks for may be a change of models.
static bool serve_event(struct facet_machine *machine, struct facet_error *err)
{
    const struct simop_event *event =
        machine->computer ? computer_event(machine->computer) : se_event(machine->se);
    u16 function = event->function;
    enum switch_at at = function == SIMOP_WORK_BEGIN ? SWITCH_AT_ROI : SWITCH_AT_OPERATION;
    u32 kind, core;

    api_stats_region(machine, function);
    if ((function != SIMOP_WORK_BEGIN && function != SIMOP_SWITCH_CPU) ||
        !api_models(machine)->processor ||
        !switching_event(&machine->switching, at, first_model(machine), &kind, &core))
        return true;
    return switch_models(machine, kind, core, err);
}

bool facet_machine_run_until(struct facet_machine *machine, uint64_t insts, uint64_t ticks,
                             struct facet_result *ret_result, struct facet_error *err)
{
    double seconds = 0;
    struct error inner;
    u32 kind, core;
    bool due;

    for (;;) {
        u64 next_insts;
        tick next_when;

        switching_next(&machine->switching, &next_insts, &next_when);
        next_insts = MIN(next_insts, insts);
        next_when = MIN(next_when, ticks);
        api_stats_next(&machine->stats, &next_insts, &next_when);
        if (!(machine->computer ? api_run_computer(machine, next_insts, next_when, ret_result, err)
                                : run_program(machine, next_insts, next_when, ret_result, err)))
            return false;
        seconds += ret_result->seconds;
        ret_result->seconds = seconds;
        if (!pipe_traces_flush(machine->pipe_traces, &inner))
            return api_fail(err, &inner);
        if (ret_result->end == FACET_END_EVENT)
            return serve_event(machine, err);
        if (ret_result->end != FACET_END_LIMIT)
            return true;
        due = api_stats_due(machine, ret_result->insts, ret_result->ticks);
        while (switching_due(&machine->switching, ret_result->insts, ret_result->ticks,
                             first_model(machine), &kind, &core)) {
            if (!switch_models(machine, kind, core, err))
                return false;
            due = true;
        }
        if (!due || ret_result->insts >= insts || ret_result->ticks >= ticks)
            return true;
    }
}

void facet_machine_stop(struct facet_machine *machine, int why)
{
    if (why)
        machine->stopped_by = why;
    if (machine->se)
        se_stop(machine->se);
    if (machine->computer)
        computer_stop(machine->computer);
}
