// SPDX-License-Identifier: BSD-3-Clause
// Whole computers: from settings to a machine/computer.h, and their runs.
#include "api/machine_priv.h"

#include "api/host_priv.h"
#include "base/alloc.h"
#include "base/bug.h"

#include <stdio.h>
#include <string.h>

// Between two looks at what comes from outside: about 10 ms of host time.
enum { POLL_INSTS = 2000000 };
enum { MS_TICKS = 1000000000 };

static const char *setting_text(const struct settings *s, const char *name, struct strbuf *out)
{
    int index = params_find(settings_fields, name);
    union param_value value;

    ASSERT(index >= 0);
    memcpy(&value, (const u64 *)(const void *)s + index, sizeof(value));
    out->length = 0;
    if (settings_fields[index].kind == PARAM_CHOICE) {
        const char *choice = settings_fields[index].choices;

        for (u64 i = 0; i < value.number; i++)
            choice = strchr(choice, '|') + 1;
        strbuf_printf(out, "%.*s", (int)strcspn(choice, "|"), choice);
    } else {
        params_format_value(&settings_fields[index], value, out);
    }
    return strbuf_text(out);
}

// The settings that are parameters of the board and were set, then the assignments, which win.
static char **all_assignments(const struct facet_machine *machine)
{
    static const char *const board[] = {"mem", "cpus", "clock", "quantum", "cpuid", "seed"};
    struct assignments all = {0};
    AUTO(strbuf) struct strbuf text = {0};

    for (u32 i = 0; i < ARRAY_SIZE(board); i++) {
        AUTO(strbuf) struct strbuf line = {0};

        if (!(machine->given >> params_find(settings_fields, board[i]) & 1))
            continue;
        strbuf_printf(&line, "pc.%s=%s", board[i],
                      setting_text(&machine->settings, board[i], &text));
        VEC_PUSH(&all, xstrdup(strbuf_text(&line)));
    }
    for (size_t i = 0; i < machine->assignments.count; i++)
        VEC_PUSH(&all, xstrdup(machine->assignments.items[i]));
    VEC_PUSH(&all, NULL);
    return all.items;
}

static bool entry_of(const char *name, enum boot_entry *ret, struct facet_error *err)
{
    for (u32 i = 0; boot_entry_names[i]; i++)
        if (!name || strcmp(name, boot_entry_names[i]) == 0) {
            *ret = (enum boot_entry)i;
            return true;
        }
    return api_error(err, FACET_ERROR_USAGE,
                     "no way '%s' to enter a kernel; there are auto, linux64, pvh and multiboot",
                     name);
}

bool facet_machine_boot(struct facet_machine *machine, const struct facet_boot *boot,
                        struct facet_error *err)
{
    struct computer_options options = {
        .kernel = boot->kernel,
        .initrd = boot->initrd,
        .append = boot->append,
        .models = api_models_options(machine),
    };
    struct error inner;
    char **assignments;

    if (machine->se || machine->computer)
        return api_error(err, FACET_ERROR_USAGE, "a machine gets one program or one kernel");
    if (!entry_of(boot->entry, &options.entry, err))
        return false;
    if (!switching_init(&machine->switching, &machine->settings, &inner))
        return api_fail(err, &inner);
    switching_begin(&machine->switching, 0, 0);
    assignments = all_assignments(machine);
    options.assignments = (const char *const *)assignments;
    VEC_PUSH(&machine->files, NULL);
    machine->files.count--;
    options.files = (const char *const *)machine->files.items;
    machine->computer = computer_new(&options, &inner);
    for (char **a = assignments; *a; a++)
        free(*a);
    free(assignments);
    if (!machine->computer ||
        !switching_check(&machine->switching, pc_cpus(computer_board(machine->computer)), &inner))
        return api_fail(err, &inner);
    return api_observe(machine, err);
}

// ---- checkpoints

bool facet_machine_restore(struct facet_machine *machine, const char *checkpoint,
                           struct facet_error *err)
{
    struct models_options models = api_models_options(machine);
    struct error inner;

    if (machine->se || machine->computer)
        return api_error(err, FACET_ERROR_USAGE, "a machine gets one program or one kernel");
    machine->computer = computer_restore(
        checkpoint, (const char *const *)machine->assignments.items, &models, &inner);
    if (!machine->computer || !switching_init(&machine->switching, &machine->settings, &inner) ||
        !switching_check(&machine->switching, pc_cpus(computer_board(machine->computer)), &inner))
        return api_fail(err, &inner);
    switching_begin(&machine->switching, pc_insts(computer_board(machine->computer)),
                    computer_now(machine->computer));
    return api_observe(machine, err);
}

bool facet_machine_checkpoint(struct facet_machine *machine, const char *path, const char *parent,
                              struct facet_error *err)
{
    double start = host_now();
    struct error inner;

    if (!machine->computer)
        return api_error(err, FACET_ERROR_USAGE,
                         "checkpoints are of computers, and none is booted");
    if (!computer_save(machine->computer, path, parent, &inner))
        return api_fail(err, &inner);
    machine->checkpoint_seconds = host_now() - start;
    return true;
}

double facet_machine_checkpoint_seconds(const struct facet_machine *machine)
{
    return machine->checkpoint_seconds;
}

void facet_machine_guest_files(struct facet_machine *machine, const char *read_file,
                               const char *write_folder)
{
    if (machine->computer)
        computer_share_files(machine->computer, read_file, write_folder);
}

// ---- debugger

bool facet_machine_serve_gdb(struct facet_machine *machine, const char *where, bool wait,
                             struct facet_error *err)
{
    struct error inner;

    if (!machine->computer || computer_gdb_address(machine->computer))
        return api_error(err, FACET_ERROR_USAGE, "a debugger is served once, by a booted computer");
    return computer_serve_gdb(machine->computer, where, wait, &inner) || api_fail(err, &inner);
}

const char *facet_machine_gdb_address(const struct facet_machine *machine)
{
    return machine->computer ? computer_gdb_address(machine->computer) : NULL;
}

// ---- consoles

struct console {
    struct facet_machine *machine; // of the first port; NULL
    facet_console_fn *output;
    void *context;
};

static void console_write(void *ctx, const u8 *data, size_t size)
{
    struct console *console = ctx;

    if (console->machine && console->machine->console)
        console_file_take(console->machine->console, (const char *)data, size);
    console->output(console->context, (const char *)data, size);
}

_Static_assert((int)FACET_PORT_VIRTIO == (int)COMPUTER_PORT_VIRTIO, "the same number");

bool facet_machine_console(struct facet_machine *machine, unsigned port, facet_console_fn *output,
                           void *context)
{
    struct console *console;

    if (!machine->computer)
        return false;
    console = arena_alloc(&machine->arena, sizeof(*console));
    *console =
        (struct console){.machine = port ? NULL : machine, .output = output, .context = context};
    return computer_connect_console(machine->computer, port,
                                    (struct char_output){.write = console_write, .ctx = console});
}

size_t facet_machine_type(struct facet_machine *machine, unsigned port, const char *data,
                          size_t size)
{
    return machine->computer
               ? computer_console_input(machine->computer, port, (const u8 *)data, size)
               : 0;
}

void facet_machine_on_poll(struct facet_machine *machine, facet_poll_fn *poll, void *context)
{
    machine->poll = poll;
    machine->poll_context = context;
}

const char *facet_machine_report(struct facet_machine *machine)
{
    AUTO(strbuf) struct strbuf text = {0};

    if (machine->computer)
        computer_report(machine->computer, &text);
    return arena_strdup(&machine->arena, strbuf_text(&text));
}

// ---- running

static enum facet_end end_of(enum computer_end end)
{
    switch (end) {
    case COMPUTER_POWER_OFF:
        return FACET_END_POWER_OFF;
    case COMPUTER_RESET:
        return FACET_END_RESET;
    case COMPUTER_EXIT:
        return FACET_END_EXITED;
    case COMPUTER_PANIC:
        return FACET_END_PANIC;
    case COMPUTER_SHUTDOWN:
        return FACET_END_SHUTDOWN;
    case COMPUTER_HALTED:
    case COMPUTER_STUCK:
        return FACET_END_DEADLOCK;
    case COMPUTER_LIMIT:
        return FACET_END_LIMIT;
    case COMPUTER_STOPPED:
        return FACET_END_STOPPED;
    case COMPUTER_EVENT:
        return FACET_END_EVENT;
    case COMPUTER_KILLED:
        return FACET_END_KILLED;
    case COMPUTER_IDLE:
    case COMPUTER_FAILED:
        break;
    }
    BUG("end %d", (int)end);
}

// Runs in slices, with a look outside between two. An idle guest waits as long as its own time
// says, so that a terminal sees it at its own pace.
static void run_polled(struct facet_machine *machine, const struct computer_limits *limits,
                       struct computer_result *r)
{
    struct computer_limits slice = *limits;
    tick now = 0;

    slice.brief = true; // a debugger that holds the guest does not hold the terminal
    for (;;) {
        u64 done = pc_insts(computer_board(machine->computer));
        unsigned wait_ms = 0;
        double start, waited;

        slice.insts = MIN(limits->insts, done + POLL_INSTS);
        slice.when = limits->when;
        slice.idle = true;
        computer_run(machine->computer, &slice, r);
        if (r->end == COMPUTER_IDLE) {
            tick next = pc_next_event(computer_board(machine->computer));

            wait_ms = (unsigned)MIN((next - r->ticks) / MS_TICKS + 1, 1000u);
        } else if (r->end != COMPUTER_LIMIT || r->insts >= limits->insts ||
                   r->ticks >= limits->when) {
            return;
        }
        start = host_now();
        machine->poll(machine->poll_context, wait_ms);
        waited = (host_now() - start) * 1000;
        if (r->end != COMPUTER_IDLE)
            continue;
        now = r->ticks;
        slice.idle = false;
        slice.insts = limits->insts;
        slice.when = MIN(limits->when, now + (tick)(MAX(waited, 1.0) * MS_TICKS));
        computer_run(machine->computer, &slice, r);
        if (r->end != COMPUTER_LIMIT)
            return;
    }
}

struct facet_event facet_machine_event(const struct facet_machine *machine)
{
    static const struct {
        u16 function;
        enum facet_event_kind kind;
    } kinds[] = {
        {SIMOP_CHECKPOINT, FACET_EVENT_CHECKPOINT},
        {SIMOP_RESET_STATS, FACET_EVENT_RESET_STATS},
        {SIMOP_DUMP_STATS, FACET_EVENT_DUMP_STATS},
        {SIMOP_DUMP_RESET_STATS, FACET_EVENT_DUMP_RESET_STATS},
        {SIMOP_WORK_BEGIN, FACET_EVENT_WORK_BEGIN},
        {SIMOP_WORK_END, FACET_EVENT_WORK_END},
        {SIMOP_SWITCH_CPU, FACET_EVENT_SWITCH_CPU},
        {SIMOP_DEBUG_BREAK, FACET_EVENT_DEBUG_BREAK},
    };
    struct facet_event event = {.kind = FACET_EVENT_CONSOLE};
    const struct simop_event *e = machine->computer ? computer_event(machine->computer)
                                  : machine->se     ? se_event(machine->se)
                                                    : NULL;

    for (u32 i = 0; e && i < ARRAY_SIZE(kinds); i++)
        if (kinds[i].function == e->function) {
            event.kind = kinds[i].kind;
            memcpy(event.args, e->args, sizeof(event.args));
        }
    return event;
}

void facet_machine_watch_console(struct facet_machine *machine, const char *text)
{
    if (machine->computer)
        computer_watch_console(machine->computer, text);
}

bool api_run_computer(struct facet_machine *machine, u64 insts, tick when,
                      struct facet_result *ret_result, struct facet_error *err)
{
    const struct settings *s = &machine->settings;
    struct computer_limits limits = {.insts = MIN(insts, s->max_insts ? s->max_insts : UINT64_MAX),
                                     .when = MIN(when, s->max_time ? s->max_time : UINT64_MAX),
                                     .stuck = s->stuck_after};
    double start = host_now();
    struct computer_result r;

    if (machine->poll)
        run_polled(machine, &limits, &r);
    else
        computer_run(machine->computer, &limits, &r);
    if (r.end == COMPUTER_FAILED)
        return api_error(err, FACET_ERROR_HOST, "%s", r.reason);
    *ret_result = (struct facet_result){
        .end = end_of(r.end),
        .status = r.end == COMPUTER_STOPPED  ? machine->stopped_by
                  : r.end == COMPUTER_KILLED ? SIGKILL
                                             : (int)r.value,
        .insts = r.insts,
        .ticks = r.ticks,
        .idle_cpus = r.idle_cpus,
        .seconds = host_now() - start,
    };
    snprintf(ret_result->reason, sizeof(ret_result->reason), "%s", r.reason);
    return true;
}
